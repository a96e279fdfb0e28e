#!/bin/sh
# Kafka 4.4.0 (org.apache.kafka:kafka_2.13, kafka-tools) from Maven Central: dead letters of share groups (KIP-1191).
#
# Guess: a share group whose errors.deadletterqueue.topic.name was accepted by the brokers writes what it gives up to that topic.
#
# Seen: the setting is taken for any name and shown as it was given. But a name that does not begin with the brokers' own
# errors.deadletterqueue.topic.name.prefix ("dlq." by default) is refused when a record is to be written: the record is archived
# all the same, so nobody is given it again, and no letter is left. The consumer that rejected it sees nothing of that; one line in
# the broker's log tells of a ConfigException. The same group with a topic of that prefix has its letter.
#
# Exit 0: still so. Exit 1: it changed. Exit 99: could not be tried.
set -u
version=4.4.0
work=$(mktemp -d) || exit 99
pids=
trap 'for pid in $pids; do kill -9 "$pid" 2>/dev/null; done; rm -rf "$work"' EXIT
cd "$work" || exit 99
dependencies=
for name in kafka_2.13 kafka-tools; do
    dependencies="$dependencies<dependency><groupId>org.apache.kafka</groupId><artifactId>$name</artifactId><version>$version</version></dependency>"
done
echo "<project xmlns='http://maven.apache.org/POM/4.0.0'><modelVersion>4.0.0</modelVersion><groupId>f</groupId><artifactId>f</artifactId><version>1</version>
<dependencies>$dependencies<dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency></dependencies></project>" >pom.xml
mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies -DincludeScope=runtime -DoutputDirectory=jars >/dev/null 2>&1 || exit 99
port=$((20000 + $$ % 20000))
broker=127.0.0.1:$port
cat >node.properties <<PROPERTIES
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$((port + 1))
listeners=PLAINTEXT://$broker,CONTROLLER://127.0.0.1:$((port + 1))
advertised.listeners=PLAINTEXT://$broker
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=$work/data
offsets.topic.replication.factor=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
PROPERTIES
call() {
    java -cp 'jars/*' -Dorg.slf4j.simpleLogger.defaultLogLevel=error -Xmx384m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 "$@"
}
topic() {
    call org.apache.kafka.tools.TopicCommand --bootstrap-server "$broker" --create --partitions 1 --topic "$@" >/dev/null 2>&1
}
group() {
    call org.apache.kafka.tools.ConfigCommand --bootstrap-server "$broker" --entity-type groups --entity-name "$1" --alter \
        --add-config "share.auto.offset.reset=earliest,$2" >/dev/null 2>&1
}
reject() {
    call org.apache.kafka.tools.consumer.ConsoleShareConsumer --bootstrap-server "$broker" --topic mail --group "$1" --reject --max-messages 1 \
        --timeout-ms 60000 2>/dev/null | wc -l
}
# What lies in a topic, once there is something or nothing has come for as long.
letters() {
    call org.apache.kafka.tools.consumer.ConsoleConsumer --bootstrap-server "$broker" --topic "$1" --from-beginning --max-messages 1 \
        --timeout-ms "$2" --formatter-property print.key=true --formatter-property print.headers=true 2>/dev/null
}
call kafka.tools.StorageTool format -t bWVzc2FnZXRyYWNlLWVjcw -c node.properties >/dev/null || exit 99
call kafka.Kafka node.properties >broker.log 2>&1 &
pids=$!
tries=0
until topic mail; do
    tries=$((tries + 1))
    [ "$tries" -lt 10 ] || exit 99
done
printf 'traceparent:00-1\tkey\tvalue\n' | call org.apache.kafka.tools.ConsoleProducer --bootstrap-server "$broker" --topic mail \
    --reader-property parse.headers=true --reader-property parse.key=true >/dev/null 2>&1 || exit 99
topic dlq.mail --config errors.deadletterqueue.group.enable=true || exit 99
topic mail.dlq --config errors.deadletterqueue.group.enable=true || exit 99
group good errors.deadletterqueue.topic.name=dlq.mail || exit 99
group bad errors.deadletterqueue.topic.name=mail.dlq || {
    echo "the setting is refused"
    exit 1
}
rejected="$(reject good), $(reject bad)"
good=$(letters dlq.mail 60000)
bad=$(letters mail.dlq 15000)
given_again=$(call org.apache.kafka.tools.consumer.ConsoleShareConsumer --bootstrap-server "$broker" --topic mail --group bad --timeout-ms 10000 2>/dev/null | wc -l)
echo "rejected: $rejected; letter of dlq.mail: $good; of mail.dlq: ${bad:-none}; given again: $given_again"
grep -m 1 'does not comply with the DLQ topic prefix' broker.log
[ -n "$good" ] && [ "$rejected" = '1, 1' ] || exit 99
[ -z "$bad" ] && [ "$given_again" = 0 ] || exit 1
