#!/bin/sh
# Kafka 4.4.0 (org.apache.kafka:kafka_2.13) from Maven Central and librdkafka 2.16.0 (confluent-kafka 2.16.1 from PyPI).
#
# Guess: an offset whose commit was acknowledged is what the group's coordinator tells from then on, whoever asks.
#
# Seen: acknowledged 1784, told 1331. After the last replica of __consumer_offsets that was in sync is killed and started again, the coordinator tells offsets
# that are older than acknowledged ones: as they were when it had last written down what is on enough replicas
# (replica.high.watermark.checkpoint.interval.ms, 5 s unless changed; 20 s here, so that there is something to see), and for as long
# as fewer than min.insync.replicas are back. A librdkafka consumer with isolation.level=read_uncommitted is told them and begins
# there. One with read_committed asks for stable offsets, and gets no answer until the other replica is back, then the right one. The
# ends of partitions are guarded against this (KIP-207: OFFSET_NOT_AVAILABLE); the offsets of groups are not.
# Formatted without eligible.leader.replicas.version, as clusters are that were upgraded from before 4.1. With it, the same shows
# for some 30 ms while all come up.
#
# Exit 0: still so. Exit 1: it changed. Exit 99: could not be tried.
set -u
version=4.4.0
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 99
python3 -m venv venv && venv/bin/pip -q install confluent-kafka==2.16.1 || exit 99
echo "<project xmlns='http://maven.apache.org/POM/4.0.0'><modelVersion>4.0.0</modelVersion><groupId>f</groupId><artifactId>f</artifactId><version>1</version>
<dependencies><dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>$version</version></dependency>
<dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency></dependencies></project>" >pom.xml
mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies -DincludeScope=runtime -DoutputDirectory=jars >/dev/null 2>&1 || exit 99
cat >try.py <<'PYTHON'
import os
import subprocess
import sys
import time

import confluent_kafka
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

FIRST = int(sys.argv[1])
NODES = (1, 2, 3)
OFFSETS = "__consumer_offsets"
JAVA = ["java", "-cp", "jars/*", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-Xmx320m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
PLAIN = {node: FIRST + 2 * node for node in NODES}
BOOTSTRAP = ",".join(f"127.0.0.1:{port}" for port in PLAIN.values())
running = {}


def prepare(node):
    voters = ",".join(f"{other}@127.0.0.1:{PLAIN[other] + 1}" for other in NODES)
    with open(f"{node}.properties", "w") as file:
        file.write(f"""process.roles=broker,controller
node.id={node}
controller.quorum.voters={voters}
listeners=PLAINTEXT://127.0.0.1:{PLAIN[node]},CONTROLLER://127.0.0.1:{PLAIN[node] + 1}
advertised.listeners=PLAINTEXT://127.0.0.1:{PLAIN[node]}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={os.getcwd()}/data-{node}
offsets.topic.num.partitions=1
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
replica.high.watermark.checkpoint.interval.ms=20000
""")
    without = ["--feature", "eligible.leader.replicas.version=0"]
    command = ["kafka.tools.StorageTool", "format", *without, "-t", "bWVzc2FnZXRyYWNlLWVjcw", "-c", f"{node}.properties"]
    subprocess.run(JAVA + command, check=True, stdout=subprocess.DEVNULL)


def start(node):
    log = open(f"{node}.log", "a")
    running[node] = subprocess.Popen(JAVA + ["kafka.Kafka", f"{node}.properties"], stdout=log, stderr=log)


def kill(node):
    running[node].kill()
    running[node].wait()


def client(isolation_level):
    return confluent_kafka.Consumer({
        "bootstrap.servers": BOOTSTRAP, "log_level": 0, "group.id": "mail", "enable.auto.commit": False,
        "isolation.level": isolation_level,
    })


def told(consumer):
    try:
        return consumer.committed([TopicPartition("mail", 0)], timeout=3)[0].offset
    except confluent_kafka.KafkaException:
        return None


def until(what, limit, look):
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        if (seen := look()) is not None:
            return seen
        time.sleep(0.1)
    print(f"waited in vain until {what}")
    sys.exit(99)


def main():
    for node in NODES:
        prepare(node)
        start(node)
    admin = AdminClient({"bootstrap.servers": BOOTSTRAP, "log_level": 0})

    def made():
        topics = [
            NewTopic("mail", num_partitions=1, replica_assignment=[[1]]),
            NewTopic(
                OFFSETS, num_partitions=1, replica_assignment=[[1, 2]],
                config={"cleanup.policy": "compact", "min.insync.replicas": "2"},
            ),
        ]
        try:
            for future in admin.create_topics(topics).values():
                future.result(5)
        except confluent_kafka.KafkaException as error:
            if error.args[0].code() != confluent_kafka.KafkaError.TOPIC_ALREADY_EXISTS:
                return None
        return True

    until("the topics are made", 90, made)

    def in_sync():
        try:
            return admin.list_topics(OFFSETS, timeout=3).topics[OFFSETS].partitions[0].isrs
        except confluent_kafka.KafkaException:
            return None

    writer, acknowledged = client("read_committed"), 0

    def commit():
        writer.commit(offsets=[TopicPartition("mail", 0, acknowledged + 1)], asynchronous=False)
        return acknowledged + 1

    def first():
        try:
            return commit()
        except confluent_kafka.KafkaException:
            return None

    until("the group takes an offset", 60, first)
    # Past one time of writing down, and not past the next.
    end = time.monotonic() + 25
    while time.monotonic() < end:
        acknowledged = commit()
        time.sleep(0.01)
    kill(2)
    until("the second node is missed", 30, lambda: True if in_sync() == [1] else None)
    kill(1)
    kill(3)
    start(1)
    start(3)
    unstable, stable = client("read_uncommitted"), client("read_committed")
    older = until("the coordinator is back", 60, lambda: told(unstable))
    held = told(stable)
    time.sleep(10)
    later = told(unstable)
    start(2)
    right = until("the second node is back", 60, lambda: told(stable))
    print(f"acknowledged {acknowledged}; told without the second node {older}, 10 s later {later}, to who asks for stable offsets {held}; with it {right}")
    if right != acknowledged:
        return 99
    return 0 if older < acknowledged and later < acknowledged and held is None else 1


code = 99
try:
    code = main()
finally:
    for process in running.values():
        process.kill()
    sys.exit(code)
PYTHON
venv/bin/python try.py $((20000 + $$ % 20000))
