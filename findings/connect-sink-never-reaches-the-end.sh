#!/bin/sh
# Kafka Connect's runtime 4.3.1 (org.apache.kafka:connect-runtime, connect-file) and a broker of the same version, from Maven Central.
#
# Guess: a sink connector that has delivered everything has a lag of 0, as a plain consumer of committed records has.
#
# Seen: it stays at 1 for as long as one waits. Connect commits the offset behind the last record that it has delivered, and not
# the position of its consumer, so the marker that ends a transaction always counts as a record that waits. A console consumer
# that read the same partition to its end commits its position, behind the marker, and has 0.
#
# Exit 0: still so. Exit 1: it changed. Exit 99: could not be tried.
set -u
version=4.3.1
work=$(mktemp -d) || exit 99
pids=
trap 'for pid in $pids; do kill -9 "$pid" 2>/dev/null; done; rm -rf "$work"' EXIT
cd "$work" || exit 99
dependencies=
for name in kafka_2.13 kafka-tools connect-runtime connect-file; do
    dependencies="$dependencies<dependency><groupId>org.apache.kafka</groupId><artifactId>$name</artifactId><version>$version</version></dependency>"
done
echo "<project xmlns='http://maven.apache.org/POM/4.0.0'><modelVersion>4.0.0</modelVersion><groupId>f</groupId><artifactId>f</artifactId><version>1</version>
<dependencies>$dependencies<dependency><groupId>org.slf4j</groupId><artifactId>slf4j-nop</artifactId><version>1.7.36</version></dependency></dependencies></project>" >pom.xml
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
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
PROPERTIES
call() {
    java -cp 'jars/*' -Xmx384m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 "$@"
}
lag() {
    call org.apache.kafka.tools.consumer.group.ConsumerGroupCommand --bootstrap-server "$broker" --describe --group "$1" 2>/dev/null | awk '$2 == "t" { print $6 }'
}
call kafka.tools.StorageTool format -t bWVzc2FnZXRyYWNlLWVjcw -c node.properties >/dev/null || exit 99
call kafka.Kafka node.properties >broker.log 2>&1 &
pids=$!
tries=0
until call org.apache.kafka.tools.TopicCommand --bootstrap-server "$broker" --create --topic t --partitions 1 >/dev/null 2>&1; do
    tries=$((tries + 1))
    [ "$tries" -lt 6 ] || exit 99
done
call org.apache.kafka.tools.ProducerPerformance --topic t --num-records 10 --record-size 10 --throughput -1 --transactional-id w \
    --transaction-duration-ms 600000 --producer-props "bootstrap.servers=$broker" >/dev/null 2>&1 || exit 99
cat >worker.properties <<PROPERTIES
bootstrap.servers=$broker
listeners=HTTP://127.0.0.1:$((port + 2))
offset.storage.file.filename=$work/offsets
offset.flush.interval.ms=1000
key.converter=org.apache.kafka.connect.storage.StringConverter
value.converter=org.apache.kafka.connect.storage.StringConverter
PROPERTIES
cat >sink.properties <<PROPERTIES
name=sink
connector.class=org.apache.kafka.connect.file.FileStreamSinkConnector
tasks.max=1
topics=t
file=$work/lines
consumer.override.isolation.level=read_committed
PROPERTIES
call org.apache.kafka.connect.cli.ConnectStandalone worker.properties sink.properties >connect.log 2>&1 &
pids="$pids $!"
until [ "$(cat lines 2>/dev/null | wc -l)" -eq 10 ] && [ -n "$(lag connect-sink)" ]; do
    tries=$((tries + 1))
    [ "$tries" -lt 60 ] || exit 99
    sleep 1
done
call org.apache.kafka.tools.consumer.ConsoleConsumer --bootstrap-server "$broker" --topic t --group plain --from-beginning \
    --command-property isolation.level=read_committed --timeout-ms 15000 >plain.lines 2>/dev/null
# Twenty seconds and more, at a commit a second.
for _ in 1 2 3 4 5; do
    sleep 4
    last=$(lag connect-sink)
done
plain=$(lag plain)
echo "records: connector $(wc -l <lines), console consumer $(wc -l <plain.lines); lag: connector $last, console consumer $plain"
[ "$plain" = 0 ] || exit 99
[ "$last" = 1 ] || exit 1
