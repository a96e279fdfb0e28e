#!/bin/sh
# librdkafka 2.16.0 (confluent-kafka 2.16.1 from PyPI), its mock cluster (test.mock.num.brokers).
#
# Guess: as the mock cluster answers every transactional request, a test against it shows whether exactly-once works.
#
# Seen: it answers, and does nothing of what the answers say. A consumer with isolation.level=read_committed is given three
# records whose transaction was aborted and one whose transaction is still open; and offsets that were sent to a transaction
# which then committed without an error are not there afterwards (the group has no offset). So a program that loses or
# repeats records passes, and one that is right can fail. Only a real broker proves anything here.
#
# Exit 0: still so. Exit 1: it changed. Exit 99: could not be tried.
set -u
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv" && "$work/venv/bin/pip" -q install confluent-kafka==2.16.1 || exit 99
cat >"$work/try.py" <<'PYTHON'
import sys
import time

from confluent_kafka import OFFSET_INVALID, Consumer, KafkaError, Producer, TopicPartition

QUIET = {"log_level": 2}
producer = Producer({"bootstrap.servers": "unused", "test.mock.num.brokers": 1, "transactional.id": "id", **QUIET})
deadline = time.monotonic() + 10
while not (brokers := producer.list_topics("topic", timeout=10).brokers) and time.monotonic() < deadline:
    time.sleep(0.1)
broker = next(iter(brokers.values()))
address = f"{broker.host}:{broker.port}"


def consumer(group):
    return Consumer({
        "bootstrap.servers": address,
        "group.id": group,
        "isolation.level": "read_committed",
        "enable.partition.eof": True,
        **QUIET,
    })


def send(*values):
    producer.begin_transaction()
    for value in values:
        producer.produce("topic", value=value, partition=0)
    producer.flush(10)


producer.init_transactions(10)
send(b"aborted", b"aborted", b"aborted")
producer.abort_transaction(10)
send(b"open")

reader = consumer("reader")
reader.assign([TopicPartition("topic", 0, 0)])
seen = []
while time.monotonic() < deadline + 20:
    message = reader.poll(1)
    if message is None:
        continue
    if message.error():
        assert message.error().code() == KafkaError._PARTITION_EOF, message.error()
        break
    seen.append(message.value().decode())
print("a committed reader is given:", seen)
producer.commit_transaction(10)

member = consumer("member")
member.subscribe(["topic"])
while not member.assignment() and time.monotonic() < deadline + 40:
    member.poll(0.2)
send(b"more")
producer.send_offsets_to_transaction([TopicPartition("topic", 0, 2)], member.consumer_group_metadata(), 10)
producer.commit_transaction(10)
committed = member.committed([TopicPartition("topic", 0)], timeout=10)[0].offset
print("offset of the group after a commit of 2:", "none" if committed == OFFSET_INVALID else committed)
sys.exit(0 if seen == ["aborted"] * 3 + ["open"] and committed == OFFSET_INVALID else 1)
PYTHON
"$work/venv/bin/python" "$work/try.py"
