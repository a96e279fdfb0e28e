#!/bin/sh
# Kafka 4.4.0 (org.apache.kafka:kafka_2.13) from Maven Central and librdkafka 2.16.0 (confluent-kafka 2.16.1 from PyPI).
#
# Guess: a partition that is resumed while records keep coming brings the next one within milliseconds.
#
# Seen: after almost a second. A record is written every two milliseconds, the consumer pauses its partition for 50 ms and is polled
# meanwhile; from the resume until the next record it takes, in milliseconds,
#   606, 809, 928, 940, 956, 936, 949, 948, 954, 950.
# A fetch that is on its way comes back during the pause, no further one is sent, and the thread of the broker goes to sleep for up to
# its second; a resume does not wake it. The library pauses what is assigned by itself, too, until the application has carried out
# a cooperative rebalance: partitions that stay with their member then stand still for as long, unless something else wakes that
# thread, as a partition that is added does.
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
import statistics
import subprocess
import sys
import threading
import time

import confluent_kafka
from confluent_kafka.admin import AdminClient, NewTopic

PORT, TRIES, PAUSE = int(sys.argv[1]), 10, 0.05
JAVA = ["java", "-cp", "jars/*", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-Xmx512m"]
SERVERS = {"bootstrap.servers": f"127.0.0.1:{PORT}", "log_level": 2}


def start():
    with open("node.properties", "w") as file:
        file.write(f"""process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{PORT + 1}
listeners=PLAINTEXT://127.0.0.1:{PORT},CONTROLLER://127.0.0.1:{PORT + 1}
advertised.listeners=PLAINTEXT://127.0.0.1:{PORT}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={os.getcwd()}/data
""")
    command = ["kafka.tools.StorageTool", "format", "-t", "bWVzc2FnZXRyYWNlLWVjcw", "-c", "node.properties"]
    subprocess.run(JAVA + command, check=True, stdout=subprocess.DEVNULL)
    log = open("node.log", "a")
    return subprocess.Popen(JAVA + ["kafka.Kafka", "node.properties"], stdout=log, stderr=log)


def made(admin, topic):
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        try:
            for future in admin.create_topics([NewTopic(topic, num_partitions=1)]).values():
                future.result(30)
            return
        except confluent_kafka.KafkaException as error:
            if error.args[0].code() == confluent_kafka.KafkaError.TOPIC_ALREADY_EXISTS:
                return
            time.sleep(0.2)
        except TimeoutError:
            pass
    sys.exit(99)


def feed(over):
    """A record every two milliseconds, or thereabouts."""
    producer = confluent_kafka.Producer({**SERVERS, "linger.ms": 0})
    while not over.wait(0.002):
        producer.produce("topic", value=b"x" * 100)
        producer.poll(0)
    producer.flush(5)


def next_record(consumer, seconds=10):
    message = consumer.poll(seconds)
    if message is None or message.error():
        sys.exit(99)


def after_a_resume(consumer, paused):
    """Milliseconds from the end of a pause of so many seconds until the next record, again and again."""
    partition, waits = [confluent_kafka.TopicPartition("topic", 0)], []
    for _ in range(TRIES):
        for _ in range(200):
            next_record(consumer)
        consumer.pause(partition)
        until = time.monotonic() + paused
        while time.monotonic() < until:
            consumer.poll(0.005)
        consumer.resume(partition)
        began = time.monotonic()
        next_record(consumer)
        waits.append((time.monotonic() - began) * 1000)
    return waits


broker, over = start(), threading.Event()
try:
    made(AdminClient({"bootstrap.servers": f"127.0.0.1:{PORT}", "log_level": 0}), "topic")
    feeder = threading.Thread(target=feed, args=(over,))
    feeder.start()
    consumer = confluent_kafka.Consumer({**SERVERS, "group.id": "group", "enable.auto.commit": False})
    consumer.assign([confluent_kafka.TopicPartition("topic", 0, 0)])
    waits = after_a_resume(consumer, PAUSE)
    over.set()
    feeder.join()
    consumer.close()
finally:
    over.set()
    broker.kill()
print("milliseconds after a resume: " + " ".join(f"{wait:.0f}" for wait in waits))
sys.exit(0 if statistics.median(waits) > 300 else 1)
PYTHON
venv/bin/python try.py 29592
