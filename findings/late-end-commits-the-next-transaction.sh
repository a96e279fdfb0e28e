#!/bin/sh
# librdkafka 2.16.0 (confluent-kafka 2.16.1 from PyPI) and Kafka 4.4.0 (org.apache.kafka:kafka_2.13) from Maven Central.
#
# Guess: records of a transaction that was aborted are never seen by a consumer with isolation.level=read_committed.
#
# Seen: the request that ends the first transaction is on its way when its connection ends. The client asks again over another
# one, is told that the transaction is committed, begins the second and produces to it. The first request arrives now, late, and
# the broker commits the second transaction with it: the two have the same producer id and epoch, and nothing else in the request
# tells them apart. abort_transaction() of the second fails for good (INVALID_TXN_STATE), and a read_committed consumer sees both
# records.
# A producer that bumps its epoch with each transaction (KIP-890, the Java client against such brokers) is not touched by this;
# librdkafka does not, so after an ended connection only a new producer is safe.
#
# Exit 0: still so. Exit 1: it changed. Exit 99: could not be tried.
set -u
version=4.4.0
work=$(mktemp -d) || exit 99
pids=
trap 'for pid in $pids; do kill -9 "$pid" 2>/dev/null; done; rm -rf "$work"' EXIT
cd "$work" || exit 99
python3 -m venv venv && venv/bin/pip -q install confluent-kafka==2.16.1 || exit 99
echo "<project xmlns='http://maven.apache.org/POM/4.0.0'><modelVersion>4.0.0</modelVersion><groupId>f</groupId><artifactId>f</artifactId><version>1</version>
<dependencies><dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>$version</version></dependency>
<dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency></dependencies></project>" >pom.xml
mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies -DincludeScope=runtime -DoutputDirectory=jars >/dev/null 2>&1 || exit 99
front=$((20000 + $$ % 20000))
port=$((front + 1))
cat >node.properties <<PROPERTIES
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$((port + 1))
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$((port + 1))
advertised.listeners=PLAINTEXT://127.0.0.1:$front
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=$work/data
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
PROPERTIES
call() {
    java -cp 'jars/*' -Dorg.slf4j.simpleLogger.defaultLogLevel=error -Xmx384m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 "$@"
}
call kafka.tools.StorageTool format -t bWVzc2FnZXRyYWNlLWVjcw -c node.properties >/dev/null || exit 99
call kafka.Kafka node.properties >broker.log 2>&1 &
pids=$!
cat >try.py <<'PYTHON'
import socket
import sys
import threading
import time

import confluent_kafka
from confluent_kafka.admin import AdminClient, NewTopic

FRONT, BROKER = int(sys.argv[1]), int(sys.argv[2])
END_TXN = (26).to_bytes(2, "big")
waits, held = threading.Event(), []


def pass_on(source, target, requests):
    while data := source.recv(65536):
        if requests and waits.is_set() and data[4:6] == END_TXN:
            waits.clear()
            held.append((target, data))
            source.shutdown(socket.SHUT_RDWR)
            return
        try:
            target.sendall(data)
        except OSError:
            return


def serve():
    listener = socket.create_server(("127.0.0.1", FRONT))
    while True:
        client, _ = listener.accept()
        try:
            broker = socket.create_connection(("127.0.0.1", BROKER))
        except OSError:
            client.close()
            continue
        for source, target, requests in [(client, broker, True), (broker, client, False)]:
            threading.Thread(target=pass_on, args=(source, target, requests), daemon=True).start()


def main():
    threading.Thread(target=serve, daemon=True).start()
    at = {"bootstrap.servers": f"127.0.0.1:{FRONT}", "log_level": 2}
    admin = AdminClient(at)
    for _ in range(60):
        try:
            admin.create_topics([NewTopic("mail", 1, 1)])["mail"].result(5)
            break
        except (confluent_kafka.KafkaException, TimeoutError):
            time.sleep(1)
    producer = confluent_kafka.Producer({**at, "transactional.id": "mailer"})
    producer.init_transactions(60)
    producer.begin_transaction()
    producer.produce("mail", value=b"first")
    waits.set()
    producer.commit_transaction(60)
    producer.begin_transaction()
    producer.produce("mail", value=b"second")
    if producer.flush(60) or not held:
        return 99
    broker, request = held.pop()
    broker.sendall(request)
    time.sleep(2)
    try:
        producer.abort_transaction(60)
        ended = "succeeds"
    except confluent_kafka.KafkaException as error:
        ended = f"fails: {error}"
    consumer = confluent_kafka.Consumer({
        **at, "group.id": "reader", "auto.offset.reset": "earliest", "isolation.level": "read_committed",
        "enable.partition.eof": True,
    })
    consumer.subscribe(["mail"])
    seen = []
    for _ in range(60):
        message = consumer.poll(1)
        if message is None:
            continue
        if message.error():
            if message.error().code() == confluent_kafka.KafkaError._PARTITION_EOF:
                break
            return 99
        seen.append(message.value().decode())
    print(f"abort_transaction() of the second {ended}; a read_committed consumer sees {seen}")
    if "first" not in seen:
        return 99
    return 0 if "second" in seen else 1


sys.exit(main())
PYTHON
venv/bin/python try.py "$front" "$port"
