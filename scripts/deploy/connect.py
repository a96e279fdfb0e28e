"""docs/shippers.md's Kafka Connect, as it stands there, on a real Connect: its transforms, the name of the index, reading
committed, and the topic of refused documents. In place of the index a sink writes lines of JSON, so what an Elasticsearch says to
them is not seen here. A service that is killed in the middle of a transaction leaves what no reader may take for an event.

Needs Maven and a JDK from 21 on; everything listens on loopback and ends with this program.
"""

import json
import re
import subprocess
import tempfile
from pathlib import Path

import index
import live
import tools

HERE = Path(__file__).parent / "connect"
PAGE = tools.ROOT / "docs" / "shippers.md"
RECORDS = 20_000
# Behind what is refused.
MORE = 500
REFUSED = "this is no JSON"
LIMIT_S = 240


def jars():
    pom = HERE / "pom.xml"
    source = HERE / "DocumentSink.java"

    def install(folder):
        maven = ["mvn", "--quiet", "--batch-mode", "--file", pom, "dependency:copy-dependencies", "-DincludeScope=runtime"]
        tools.run([*maven, f"-DoutputDirectory={folder}"])
        javac = index.java().with_name("javac")
        tools.run([javac, "--release", "17", "-cp", f"{folder}/*", "-d", folder, source])

    return tools.once("connect", pom.read_text() + source.read_text(), install)


def documented():
    section = PAGE.read_text().split("\n## Kafka Connect\n")[1].split("\n## ")[0]
    (text,) = re.findall(r"```json\n(.*?)```", section, re.S)
    return json.loads(text)


class Sinks(live.Scene):
    """A broker with what the service wrote, and a Connect with a connector for each file."""

    def tool(self, main, *arguments, **options):
        return tools.run(self.java(main, "--bootstrap-server", f"127.0.0.1:{self.kafka}", *arguments), **options)

    def call(self, *words):
        listen = ["--set", f"http.listen=127.0.0.1:{self.http}"] if words[0] == "run" else []
        return tools.run([*self.program, *words, *listen], env=self.environment)

    def length(self, topic):
        """How many records lie in a topic, committed or not, markers included."""
        said = self.tool("org.apache.kafka.tools.GetOffsetShell", "--topic", topic)
        return sum(int(line.rpartition(":")[2]) for line in said.split())

    def leave_undone(self):
        """Kills a service between what it wrote and its commit."""
        self.call("demo", "feed", "--records", RECORDS)
        late = ["--set", "pipeline.commit_interval=60s", "--set", "pipeline.transaction_timeout=180s"]
        service = self.start("killed", [*self.program, "run", "--set", f"http.listen=127.0.0.1:{self.http}", *late])
        live.until("something was written", LIMIT_S, lambda: self.length("messagetrace.ecs") > 0)
        service.kill()
        service.wait()

    def events(self):
        """How many events there are, by the audit. What we put there ourselves is unexpected to it, so it does not end well."""
        words = [*map(str, self.program), "audit", "--output", "json"]
        said = subprocess.run(words, capture_output=True, text=True, env=self.environment).stdout
        total = json.loads(said)["total"]
        if (total["missing"], total["repeated"]) != (0, 0):
            raise tools.Missing(f"the service's own work is not whole: {total}")
        return total["expected_events"]

    def write_refused(self):
        file = self.folder / "refused"
        file.write_text(REFUSED + "\n")
        with file.open() as lines:
            self.tool("org.apache.kafka.tools.ConsoleProducer", "--topic", "messagetrace.ecs", stdin=lines)

    def connect(self, **connectors):
        port = live.free_ports(1)[0]
        worker = {
            "bootstrap.servers": f"127.0.0.1:{self.kafka}",
            "listeners": f"HTTP://127.0.0.1:{port}",
            "offset.storage.file.filename": self.folder / "offsets",
            "offset.flush.interval.ms": 1000,
            "key.converter": "org.apache.kafka.connect.storage.StringConverter",
            "value.converter": "org.apache.kafka.connect.storage.StringConverter",
        }
        files = [self.write("worker", worker)]
        files += [self.write(name, settings | {"name": name, "tasks.max": 2}) for name, settings in connectors.items()]
        options = ["-Xmx384m", "-XX:+UseSerialGC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", f"{jars()}/*:{jars()}"]
        self.start("connect", [index.java(), *options, "org.apache.kafka.connect.cli.ConnectStandalone", *files])

    def write(self, name, settings):
        file = self.folder / f"{name}.properties"
        file.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
        return file

    def at_end(self, connector):
        """Whether the connector has committed all that it will ever see: Connect does not commit past a transaction's marker, which is
        the last of each partition here."""
        group = f"connect-{connector}"
        try:
            said = self.tool("org.apache.kafka.tools.consumer.group.ConsumerGroupCommand", "--describe", "--group", group)
        except tools.Missing:
            return False
        rows = [line.split() for line in said.splitlines()]
        lags = [row[5] for row in rows if row[:2] == [group, "messagetrace.ecs"]]
        return len(lags) == live.PARTITIONS and set(lags) <= {"0", "1"}

    def told(self, topic):
        """How many records a topic has, and all of them with their headers, as Kafka's own tool prints them."""
        number = self.length(topic)
        if number == 0:
            return 0, ""
        options = ["--topic", topic, "--from-beginning", "--max-messages", str(number), "--formatter-property", "print.headers=true"]
        return number, self.tool("org.apache.kafka.tools.consumer.ConsoleConsumer", *options)


def judge(lines, refused, expected, undone, settings):
    findings = []
    ids = [line["document"]["event"]["id"] for line in lines]
    if len(lines) != expected:
        findings.append(f"connect: {len(lines)} documents of {expected} events")
    if any(line["id"] != known for line, known in zip(lines, ids)):
        findings.append("connect: a document's id is not its event.id")
    name = settings["transforms.index.replacement"]
    if {line["index"] for line in lines} != {name} or not name.startswith("mail-traces-"):
        findings.append(f"connect: the documents go to {sorted({line['index'] for line in lines})}")
    if undone <= expected:
        findings.append("connect: nothing was left undone, so that committed was read is not shown")
    number, told = refused
    if number != 1 or REFUSED not in told:
        findings.append(f"connect: {number} documents are refused: {told[:500]}")
    headers = ("topic:messagetrace.ecs", "partition:", "offset:", "exception.message:")
    missing = [what for what in headers if f"errors.{what}" not in told]
    findings += [f"connect: no header tells {what}" for what in missing]
    print(f"| events in the topic, by audit | {expected} |")
    print(f"| documents of read_committed, index {name} | {len(lines)}, {len(set(ids))} ids |")
    print(f"| records of read_uncommitted | {undone} |")
    print(f"| refused documents, with their reason | {number} |")
    return findings


def check():
    settings = documented() | {"connector.class": "DocumentSink"}
    refused = settings["errors.deadletterqueue.topic.name"]
    if not index_covers(settings):
        return ["connect: docs/index-template.json does not cover the name of the index"]
    tools.run(["cargo", "build", "--quiet", "--locked"], cwd=tools.ROOT)
    with tempfile.TemporaryDirectory() as folder:
        scene = Sinks(Path(folder))
        try:
            scene.broker()
            scene.tool("org.apache.kafka.tools.TopicCommand", "--create", "--topic", refused)
            scene.leave_undone()
            scene.call("run", "--until-end")
            scene.write_refused()
            scene.call("demo", "feed", "--records", MORE)
            scene.call("run", "--until-end")
            expected = scene.events()
            files = {name: scene.folder / f"{name}.jsonl" for name in ("documents", "undone")}
            without = {key: value for key, value in settings.items() if not key.startswith("errors.deadletterqueue")}
            scene.connect(
                documents=settings | {"file": files["documents"]},
                undone=without | {"file": files["undone"], "consumer.override.isolation.level": "read_uncommitted"},
            )
            for name in files:
                live.until(f"connector {name} is at the end", LIMIT_S, lambda name=name: scene.at_end(name))
            lines, undone = ([json.loads(line) for line in file.read_text().splitlines()] for file in files.values())
            return judge(lines, scene.told(refused), expected, len(undone), settings)
        except (tools.Missing, OSError) as problem:
            logs = {file.name: file.read_text()[-2000:] for file in Path(folder).glob("*.log")}
            raise SystemExit(f"{problem}\n" + "\n".join(f"-- {name}\n{text}" for name, text in logs.items())) from problem
        finally:
            scene.end()


def index_covers(settings):
    patterns = json.loads(index.index_template.FILE.read_text())["index_patterns"]
    return any(settings["transforms.index.replacement"].startswith(pattern.removesuffix("*")) for pattern in patterns)
