#!/bin/sh
# Kafka 4.4.0 (org.apache.kafka:kafka_2.13) from Maven Central and librdkafka 2.16.0 (confluent-kafka 2.16.1 from PyPI), on ext4.
#
# Guess: the first batch into a new partition costs the broker somewhat more than those after it, as it opens files for it.
#
# Seen: the second one costs it a hundred times as much. One record of 20 kB to each of 512 new partitions, again and again, takes in
# milliseconds
#   246, 16 549, 354, 223, 219, 245, 231, 205   in a first topic,
#   237, 22 165, 219, 235, 189, 202, 246, 225   in a second one,
#   298,  3 401, 255, 221, 225, 247, 267, 236   in a third one.
# A partition has its first index entry with the batch after its first log.index.interval.bytes (4096), and the broker makes its two
# index files only then, each as large as log.index.size.max.bytes (10 MiB) says. With segment.index.bytes=65536 on the topic:
#   203,    185, 180, 152, 176, 166, 137, 171.
# So a benchmark on topics that were just made measures this, and a topic of hundreds of partitions is slow for its first minute.
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
import time

import confluent_kafka
from confluent_kafka.admin import AdminClient, NewTopic

PORT, PARTITIONS, PASSES, VALUE = int(sys.argv[1]), 512, 8, b"x" * 20_000
JAVA = ["java", "-cp", "jars/*", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-Xmx1g"]


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


def made(admin, topic, config):
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        try:
            for future in admin.create_topics([NewTopic(topic, num_partitions=PARTITIONS, config=config)]).values():
                future.result(30)
            return
        except confluent_kafka.KafkaException as error:
            if error.args[0].code() == confluent_kafka.KafkaError.TOPIC_ALREADY_EXISTS:
                return
            time.sleep(0.2)
        except TimeoutError:
            pass
    sys.exit(99)


def passes(topic):
    """How long it takes to write one record of 20 kB to each partition, again and again."""
    producer = confluent_kafka.Producer({"bootstrap.servers": f"127.0.0.1:{PORT}", "linger.ms": 0, "log_level": 2})
    producer.list_topics(topic, timeout=10)
    time.sleep(3)
    seconds = []
    for _ in range(PASSES):
        began = time.monotonic()
        for partition in range(PARTITIONS):
            producer.produce(topic, value=VALUE, partition=partition)
        producer.flush()
        seconds.append(time.monotonic() - began)
    return seconds


broker = start()
try:
    admin = AdminClient({"bootstrap.servers": f"127.0.0.1:{PORT}", "log_level": 0})
    ratios, small = [], 0.0
    for topic in ("warming-up", "one", "two", "three", "small-index"):
        made(admin, topic, {"segment.index.bytes": "65536"} if topic == "small-index" else {})
        seconds = passes(topic)
        print(f"{topic}: " + " ".join(f"{one * 1000:.0f}" for one in seconds) + " ms")
        ratio = seconds[1] / statistics.median(seconds[2:])
        if topic == "small-index":
            small = ratio
        elif topic != "warming-up":
            ratios.append(ratio)
finally:
    broker.kill()
print(f"the second takes {min(ratios):.1f} to {max(ratios):.1f} times as long as those after it, with a small index {small:.1f} times")
sys.exit(0 if statistics.median(ratios) > 5 and small < 3 else 1)
PYTHON
venv/bin/python try.py 29392
