#!/bin/sh
# Kafka 4.4.0 (org.apache.kafka:kafka_2.13, kafka-tools) from Maven Central: dead letters of share groups (KIP-1191).
#
# Guess: with errors.deadletterqueue.copy.record.enable=true a share group's dead letter holds the record that was rejected.
#
# Seen: it holds the record's key and value, and none of its headers: only the six __dlq.errors.* that name topic, partition,
# offset, group, count and reason are there. Trace ids, content types and whatever a replay had noted are left at the source, so a
# program that sends letters back from their topic alone loses them and cannot know which record it has sent before.
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
group mailers errors.deadletterqueue.topic.name=dlq.mail,errors.deadletterqueue.copy.record.enable=true || exit 99
rejected=$(reject mailers)
letter=$(letters dlq.mail 60000)
echo "rejected: $rejected; its letter: $letter"
case $letter in *__dlq.errors.offset:0*key*value*) ;; *) exit 99 ;; esac
case $letter in *traceparent*) exit 1 ;; esac
