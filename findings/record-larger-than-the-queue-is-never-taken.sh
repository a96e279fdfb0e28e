#!/bin/sh
# librdkafka 2.16.0 (confluent-kafka 2.16.1 from PyPI), on its own mock cluster.
#
# Guess: message.max.bytes decides how large a record may be, and "queue full" passes when the queue has been sent.
#
# Seen: a record that message.max.bytes allows and that is larger than queue.buffering.max.kbytes is answered with "queue full"
# (_QUEUE_FULL) each time, while the queue is empty, no configuration check says so, and the usual cure, to poll and try again,
# never ends. With message.max.bytes=3000000 and queue.buffering.max.kbytes=1024: 1 000 000 bytes are taken and delivered each time, 2 000 000
# bytes are refused 20 times in 20 tries with 0 messages in the queue, 3 000 001 bytes are refused as too large (MSG_SIZE_TOO_LARGE).
#
# Exit 0: still so. Exit 1: it changed. Exit 99: could not be tried.
set -u
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv" && "$work/venv/bin/pip" -q install confluent-kafka==2.16.1 || exit 99
cat >"$work/try.py" <<'PYTHON'
import sys

import confluent_kafka

delivered = []
producer = confluent_kafka.Producer({
    "bootstrap.servers": "unused",
    "test.mock.num.brokers": 1,
    "message.max.bytes": 3_000_000,
    "queue.buffering.max.kbytes": 1024,
    "log_level": 2,
})


def answer(size):
    """What is said to a record of this size, in 20 tries with an empty queue."""
    said = set()
    for _ in range(20):
        if producer.flush(30):
            sys.exit(99)
        try:
            producer.produce("topic", value=b"x" * size, on_delivery=lambda error, _: delivered.append(error))
            said.add("taken")
        except BufferError:
            said.add("queue full")
        except confluent_kafka.KafkaException as error:
            said.add(error.args[0].name())
    producer.flush(30)
    return said


said = {size: answer(size) for size in (1_000_000, 2_000_000, 3_000_001)}
print(said, f"{len(delivered)} delivered, errors {set(delivered)}")
if said[1_000_000] != {"taken"} or set(delivered) != {None}:
    sys.exit(99)
sys.exit(0 if said[2_000_000] == {"queue full"} else 1)
PYTHON
"$work/venv/bin/python" "$work/try.py"
