#!/bin/sh
# confluent-kafka 2.16.1 (librdkafka 2.16.0), from PyPI; kfake v0.0.0-20260918054303-01f206a7e32c, from the Go module proxy.
#
# Guess: a session.timeout.ms that the brokers do not take (below group.min.session.timeout.ms, 6 s by default) is a fatal error of
# the consumer, or is at least worth a line: no later try can end otherwise. Kafka's Java client throws it out of poll().
#
# Seen: librdkafka joins again and again, for ever, and writes no line about it into its log. What poll() returns is an error that is
# neither fatal nor, by its own word, worth trying again (INVALID_SESSION_TIMEOUT, fatal() and retriable() false). Who passes
# over errors that are not fatal, as is usual, has a member that waits for partitions without a word.
#
# Exit 0: still so. Exit 1: it changed. Exit 99: could not be tried.
set -u
work=$(mktemp -d) || exit 99
broker=
trap '[ -z "$broker" ] || kill "$broker"; rm -rf "$work"' EXIT
cd "$work" || exit 99
python3 -m venv venv >/dev/null && venv/bin/pip install -q --disable-pip-version-check confluent-kafka==2.16.1 >/dev/null 2>&1 || exit 99
cat >main.go <<'GO'
package main

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kfake"
)

func main() {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "t"))
	if err != nil {
		panic(err)
	}
	fmt.Println(cluster.ListenAddrs()[0])
	select {}
}
GO
go mod init try >/dev/null 2>&1 || exit 99
go get github.com/twmb/franz-go/pkg/kfake@v0.0.0-20260918054303-01f206a7e32c >/dev/null 2>&1 || exit 99
go get github.com/twmb/franz-go@v1.22.3 >/dev/null 2>&1 || exit 99
go build -o broker . || exit 99
./broker >address &
broker=$!
cat >member.py <<'PY'
import sys
import time

import confluent_kafka

lines = []


class Log:
    def log(self, level, text, *arguments):
        lines.append(text % arguments)


def errors_of(timeout_ms):
    """What poll() returned in ten seconds, and whether there were partitions."""
    consumer = confluent_kafka.Consumer(
        {"bootstrap.servers": sys.argv[1], "group.id": f"g{timeout_ms}", "session.timeout.ms": timeout_ms, "heartbeat.interval.ms": 1000},
        logger=Log(),
    )
    consumer.subscribe(["t"])
    until, told = time.monotonic() + 10, []
    while time.monotonic() < until and not consumer.assignment():
        message = consumer.poll(0.2)
        if message is not None and message.error():
            told.append(message.error())
    joined = bool(consumer.assignment())
    consumer.close()
    return told, joined


told, joined = errors_of(6000)
print(f"6000 ms: joined {joined}, {len(told)} errors")
if not joined:
    sys.exit(99)
lines.clear()
told, joined = errors_of(4000)
print(f"4000 ms: joined {joined}, {len(told)} errors, {len(lines)} lines of log")
for error in told[:1]:
    print(f"{error.name()}: fatal {error.fatal()}, retriable {error.retriable()}")
silent = not any("ession" in line for line in lines)
refused = len(told) > 1 and all(one.name() == "INVALID_SESSION_TIMEOUT" and not one.fatal() and not one.retriable() for one in told)
sys.exit(0 if refused and silent and not joined else 1)
PY
for _ in 1 2 3 4 5 6 7 8 9 10; do [ -s address ] && break; sleep 1; done
venv/bin/python member.py "$(cat address)"
