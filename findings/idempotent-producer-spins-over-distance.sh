#!/bin/sh
# librdkafka 2.16.0 (confluent-kafka 2.16.1 from PyPI), on its own mock cluster with answers 200 ms away.
#
# Guess: max.in.flight=5 with enable.idempotence=true keeps up to five produce requests of a partition on the way, and a
# broker's thread that waits for an answer sleeps.
#
# Seen: with idempotence one request of a partition is on the way at a time (the limit of five is held against messages of
# the partition, not against requests), and while messages older than linger.ms wait behind it the broker's thread does not
# sleep at all. 2 000 messages a second to one partition for 6 s, linger.ms=5:
#   idempotent:     19 requests, 2.6 s of CPU
#   not idempotent: 114 requests, 0.2 s of CPU
# A linger longer than the answer takes (500 ms) hides the burning: 8 requests, 0.16 s of CPU.
#
# Exit 0: still so. Exit 1: it changed. Exit 99: could not be tried.
set -u
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv" && "$work/venv/bin/pip" -q install confluent-kafka==2.16.1 || exit 99
cat >"$work/try.py" <<'PYTHON'
import json
import resource
import sys
import time

import confluent_kafka

SECONDS, RATE = 6, 2000


def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def produce(idempotent, linger_ms):
    requests = 0

    def statistics(text):
        nonlocal requests
        brokers = json.loads(text)["brokers"].values()
        requests = sum(broker["req"].get("Produce", 0) for broker in brokers)

    producer = confluent_kafka.Producer({
        "bootstrap.servers": "unused",
        "test.mock.num.brokers": 1,
        "test.mock.broker.rtt": 200,
        "enable.idempotence": idempotent,
        "acks": "all",
        "max.in.flight": 5,
        "linger.ms": linger_ms,
        "statistics.interval.ms": 500,
        "stats_cb": statistics,
        "log_level": 2,
    })
    sent, start, before = 0, time.monotonic(), cpu()
    while (elapsed := time.monotonic() - start) < SECONDS:
        while sent < elapsed * RATE:
            producer.produce("topic", value=b"x" * 200, partition=0)
            sent += 1
        producer.poll(0.005)
    used = cpu() - before
    print(f"idempotent={idempotent} linger.ms={linger_ms}: {sent} messages, {requests} requests, {used:.2f} s of CPU")
    return requests, used


spinning = produce(True, 5)
plain = produce(False, 5)
lingering = produce(True, 500)
same = spinning[0] * 3 < plain[0] and spinning[1] > 4 * plain[1] and spinning[1] > 4 * lingering[1]
sys.exit(0 if same else 1)
PYTHON
"$work/venv/bin/python" "$work/try.py"
