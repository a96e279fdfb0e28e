#!/bin/sh
# librdkafka 2.16.0 (confluent-kafka 2.16.1 from PyPI), and 2.12.1 (confluent-kafka 2.12.1), over a plain socket.
#
# Guess: a client that speaks plaintext to a listener for TLS is told so: librdkafka has a hint for a connection that is
# closed while it asks for the versions ("might be caused by incorrect security.protocol configuration (connecting to a SSL
# listener?)"), and an error comes to error_cb.
#
# Seen, in both: the line says "Disconnected: connection closed by peer: receive 0 after POLLIN (after 0ms in state
# APIVERSION_QUERY)" and no hint, because the text that is looked at for "Disconnected" is the format "%s", not what it is
# filled with. The line is one of the log, at level INFO; error_cb is given ALL_BROKERS_DOWN alone, and list_topics ends
# with "Local: Broker transport failure". So who reads errors and not the log never learns that somebody answered at all.
#
# Exit 0: still so. Exit 1: it changed. Exit 99: could not be tried.
set -u
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
cat >"$work/try.py" <<'PYTHON'
import logging
import socket
import sys
import threading

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

listener = socket.create_server(("127.0.0.1", 0))


def close_at_the_first_words():
    while True:
        stream, _ = listener.accept()
        stream.recv(1024)
        stream.close()


threading.Thread(target=close_at_the_first_words, daemon=True).start()
lines, errors = [], []


class Keep(logging.Handler):
    def emit(self, record):
        lines.append((record.levelname, record.getMessage()))


logger = logging.getLogger("client")
logger.setLevel(logging.DEBUG)
logger.addHandler(Keep())
address = f"127.0.0.1:{listener.getsockname()[1]}"
client = AdminClient({"bootstrap.servers": address, "error_cb": lambda error: errors.append(str(error))}, logger=logger)
try:
    client.list_topics(timeout=3)
    sys.exit("somebody answered")
except KafkaException as error:
    print("list_topics:", error)
client.poll(1)
closed = [line for line in lines if "Disconnected" in line[1]]
print("log:", *closed[:1])
print("error_cb:", errors)
if not closed:
    sys.exit("no line about the closed connection")
if any("security.protocol" in text for _, text in lines) or any("Disconnected" in text for text in errors):
    sys.exit(1)
PYTHON
for version in 2.16.1 2.12.1; do
    python3 -m venv --clear "$work/venv" && "$work/venv/bin/pip" -q install "confluent-kafka==$version" || exit 99
    echo "confluent-kafka $version"
    timeout 60 "$work/venv/bin/python" "$work/try.py" || exit 1
done
