#!/bin/sh
# librdkafka 2.16.0 (confluent-kafka 2.16.1 from PyPI), on its own mock cluster with answers 20 ms away.
#
# Guess: when one record in sixty goes to a second topic on the same broker, the producer's rate stays what it was: they are
# a hundredth of the bytes, and requests of different partitions travel side by side.
#
# Seen: an idempotent producer loses more than a third of its rate. It has at most five requests on the way to a broker (more
# are refused for max.in.flight), each holds records of one partition, and one with three small records has its place for as
# long as one with a megabyte. Medians of three rounds of 150 000 records of 1 400 bytes, four partitions a topic:
#   one topic:                          115 094 records/s, 224 requests
#   one record in sixty to another:      70 895 records/s, 447 requests
#   one topic, not idempotent:          194 194 records/s, 382 requests
#   the second as well, not idempotent: 191 863 records/s, 730 requests
#
# Exit 0: still so. Exit 1: it changed. Exit 99: could not be tried.
set -u
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv" && "$work/venv/bin/pip" -q install confluent-kafka==2.16.1 || exit 99
cat >"$work/try.py" <<'PYTHON'
import json
import statistics
import sys
import time

import confluent_kafka

RECORDS, PARTITIONS, EVERY, ROUNDS = 150_000, 4, 60, 3
VALUE = b"x" * 1400


def produce(idempotent, topic_of):
    told = {}
    producer = confluent_kafka.Producer({
        "bootstrap.servers": "unused",
        "test.mock.num.brokers": 1,
        "test.mock.broker.rtt": 20,
        "enable.idempotence": idempotent,
        "linger.ms": 5,
        "batch.size": 1_000_000,
        "queue.buffering.max.kbytes": 8192,
        "statistics.interval.ms": 250,
        "stats_cb": lambda text: told.update(json.loads(text)),
        "log_level": 2,
    })
    for topic in ("many", "few"):
        for partition in range(PARTITIONS):
            producer.produce(topic, value=b"", partition=partition)
    producer.flush()
    start = time.monotonic()
    for number in range(RECORDS):
        while True:
            try:
                producer.produce(topic_of(number), value=VALUE, partition=number // 7 % PARTITIONS)
                break
            except BufferError:
                producer.poll(0.001)
    producer.flush()
    rate = RECORDS / (time.monotonic() - start)
    time.sleep(0.3)
    producer.poll(0)
    requests = sum(broker["req"].get("Produce", 0) for broker in told["brokers"].values())
    return rate, requests


def seen(name, idempotent, every):
    def topic_of(number):
        return "few" if every and number % every == 0 else "many"

    rounds = [produce(idempotent, topic_of) for _ in range(ROUNDS)]
    rate, requests = (statistics.median(column) for column in zip(*rounds))
    print(f"{name}: {rate:.0f} records/s, {requests:.0f} requests")
    return rate


alone, both = seen("one topic", True, None), seen("one record in sixty to another", True, EVERY)
plain_alone, plain_both = seen("one topic, not idempotent", False, None), seen("the second as well, not idempotent", False, EVERY)
sys.exit(0 if both < 0.8 * alone and plain_both > 0.85 * plain_alone else 1)
PYTHON
"$work/venv/bin/python" "$work/try.py"
