"""The brokers one after another; see scripts/check-brokers."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / "target" / "brokers"
PAGES = (ROOT / "docs" / "brokers.md",)
START_LIMIT_S = 120
RUN_LIMIT_S = 300
CLUSTER_ID = "bWVzc2FnZXRyYWNlLWVjcw"

# Version by name. The first one has its metadata in ZooKeeper.
KAFKA = {f"kafka-{version}": version for version in ("2.8.2", "3.9.2", "4.0.0", "4.3.1", "4.4.0")}
NAMES = [*KAFKA, "kfake"]
GUARANTEES = ("exactly_once", "at_least_once")
PROTOCOLS = ("classic", "consumer")

# As the tests have it: small internal topics, and records with made-up times years back.
COMMON = {
    "auto.create.topics.enable": "false",
    "default.replication.factor": "1",
    "min.insync.replicas": "1",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "3",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "3",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    "log.retention.ms": "-1",
}
# The newer protocol's session is the broker's matter. With its default, 45 s, the load goes on for as long after each kill, and a
# slow machine does not get through it in time.
NEWER = {
    "group.consumer.min.session.timeout.ms": "1000",
    "group.consumer.session.timeout.ms": "6000",
    "group.consumer.min.heartbeat.interval.ms": "300",
    "group.consumer.heartbeat.interval.ms": "1000",
}


class Failed(Exception):
    pass


def run(arguments, **options):
    done = subprocess.run([str(argument) for argument in arguments], capture_output=True, text=True, **options)
    if done.returncode != 0:
        raise Failed(f"{' '.join(map(str, arguments))}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def jars(version):
    """The folder with a broker's jars, fetched once; it gets its name when it is whole."""
    folder = HOME / f"kafka-{version}"
    if not folder.is_dir():
        print(f"fetching Kafka {version}", file=sys.stderr)
        partial = HOME / f"{folder.name}.partial"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        artifacts = ["org.apache.kafka:kafka_2.13:" + version, "org.slf4j:slf4j-nop:1.7.36"]
        dependencies = "".join(
            "<dependency><groupId>{}</groupId><artifactId>{}</artifactId><version>{}</version></dependency>".format(*artifact.split(":"))
            for artifact in artifacts
        )
        pom = partial / "pom.xml"
        pom.write_text(
            '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion><groupId>brokers</groupId>'
            f"<artifactId>brokers</artifactId><version>1</version><packaging>pom</packaging><dependencies>{dependencies}</dependencies></project>"
        )
        copy = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
        run(["mvn", "--quiet", "--batch-mode", "--file", pom, copy, "-DincludeScope=runtime", f"-DoutputDirectory={partial}"])
        partial.rename(folder)
    return folder


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextlib.contextmanager
def process(arguments, folder, port):
    """A program that listens on the port before it is handed out, and is ended afterwards."""
    log = folder / f"{port}.log"
    with log.open("w") as out:
        child = subprocess.Popen([str(argument) for argument in arguments], stdin=subprocess.PIPE, stdout=out, stderr=out, cwd=folder)
    try:
        until = time.monotonic() + START_LIMIT_S
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            if child.poll() is not None or time.monotonic() > until:
                raise Failed(f"{arguments[-2:]} does not start: {log.read_text()[-2000:]}")
            time.sleep(0.2)
        yield
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()


def java(version, *arguments):
    options = ["-Xmx384m", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-XX:TieredStopAtLevel=1"]
    return ["java", "-cp", f"{jars(version)}/*", *options, *arguments]


def properties(file, values):
    file.write_text("".join(f"{key}={value}\n" for key, value in values.items()))
    return file


@contextlib.contextmanager
def kafka(version, folder):
    port, other = free_port(), free_port()
    own = COMMON | {"log.dirs": folder / "data", "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}"}
    with contextlib.ExitStack() as stack:
        if version.startswith("2."):
            own |= {"broker.id": 1, "listeners": f"PLAINTEXT://127.0.0.1:{port}", "zookeeper.connect": f"127.0.0.1:{other}"}
            zoo = {"dataDir": folder / "zoo", "clientPort": other, "clientPortAddress": "127.0.0.1", "admin.enableServer": "false"}
            zookeeper = java(version, "org.apache.zookeeper.server.quorum.QuorumPeerMain", properties(folder / "zoo.properties", zoo))
            stack.enter_context(process(zookeeper, folder, other))
            file = properties(folder / "node.properties", own)
        else:
            own |= NEWER | {
                "process.roles": "broker,controller",
                "node.id": 1,
                "controller.quorum.voters": f"1@127.0.0.1:{other}",
                "controller.listener.names": "CONTROLLER",
                "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{other}",
                "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            }
            file = properties(folder / "node.properties", own)
            run(java(version, "kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", file), cwd=folder)
        stack.enter_context(process(java(version, "kafka.Kafka", file), folder, port))
        yield f"127.0.0.1:{port}"


@contextlib.contextmanager
def kfake(folder):
    port, program = free_port(), HOME / "kfake"
    run(["go", "build", "-o", program, "."], cwd=Path(__file__).parent / "kfake")
    with process([program, str(port)], folder, port):
        yield f"127.0.0.1:{port}"


def test_program():
    """The judgement, built once."""
    done = subprocess.run(
        ["cargo", "test", "--locked", "--no-run", "--test", "stress_brokers"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    (path,) = re.findall(r"Executable tests/stress_brokers.rs \((.*)\)", done.stderr)
    return ROOT / path


def judge(program, bootstrap, guarantee, protocol):
    """A row: records, verdict."""
    environment = os.environ | {"BROKERS": bootstrap, "GUARANTEE": guarantee, "PROTOCOL": protocol}
    try:
        done = subprocess.run([program, "--nocapture"], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=RUN_LIMIT_S)
    except subprocess.TimeoutExpired:
        return "", f"**no end within {RUN_LIMIT_S} s**", ""
    said = done.stdout
    if refused := re.search(r"^refused: (.*)$", said, re.M):
        # Without the remedy, which follows in parentheses.
        return "", "refused at start: " + json.loads(refused[1])["message"].partition(" (")[0], done.stderr
    report = re.search(r"^report: (\d+) records, (\d+) events, (\d+) repeats$", said, re.M)
    if done.returncode == 0 and report:
        repeats = f", {int(report[3]):,} repeated" if int(report[3]) else ""
        return f"{int(report[1]):,}", f"clean{repeats}", ""
    return report[1] if report else "", "**failed**", (said + done.stderr)[-6000:]


def rows(names):
    program = test_program()
    runs = [(name, guarantee, protocol) for name in names for guarantee in GUARANTEES for protocol in PROTOCOLS]
    for name, guarantee, protocol in runs:
        # A broker of its own each: the topics have the same names in every run.
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            start = kafka(KAFKA[name], Path(folder)) if name in KAFKA else kfake(Path(folder))
            with start as bootstrap:
                records, verdict, why = judge(program, bootstrap, guarantee, protocol)
        print(f"{name} {guarantee} {protocol}: {records} {verdict}", file=sys.stderr, flush=True)
        if "**" in verdict:
            print(why, file=sys.stderr)
        yield name, guarantee, protocol, records, verdict


def shown(name):
    version = KAFKA.get(name)
    if version is None:
        module = (Path(__file__).parent / "kfake" / "go.mod").read_text()
        ((year, month, day),) = re.findall(r"franz-go/pkg/kfake v0\.0\.0-(\d{4})(\d\d)(\d\d)", module)
        return f"kfake of {year}-{month}-{day}"
    return f"Apache Kafka {version}" + (", ZooKeeper" if version.startswith("2.") else "")


def table(found):
    lines = ["| broker | guarantee | group protocol | records | verdict |", "| --- | --- | --- | --- | --- |"]
    lines += [f"| {shown(name)} | `{guarantee}` | `{protocol}` | {records or '–'} | {verdict} |" for name, guarantee, protocol, records, verdict in found]
    return "\n".join(lines)


def main():
    write = "--write" in sys.argv
    names = [name for name in sys.argv[1:] if name != "--write"] or NAMES
    HOME.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    found = list(rows(names))
    print(table(found))
    for page in PAGES if write else ():
        begin, end = "<!-- brokers: scripts/check-brokers --write -->", "<!-- end of brokers -->"
        before, rest = page.read_text().split(begin)
        page.write_text(f"{before}{begin}\n{table(found)}\n{end}{rest.split(end)[1]}")
    wrong = sum("**" in verdict for *_, verdict in found)
    print(f"{len(found)} runs, {wrong} wrong, {time.monotonic() - started:.0f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
