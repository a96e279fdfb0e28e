"""Every query of the dashboard and every expression of the alerts on real data: a Kafka broker, the service, the demo's stream and
a Prometheus with the chart's own rule file, for a minute of work.

Prints a table, and draws docs/dashboard.svg from the same answers. A query that gives nothing is a finding, and so is an alert that
fires on a service that works. Nothing outlives the run.
"""

import json
import math
import os
import re
import socket
import subprocess
import tempfile
import time
import urllib.parse
import urllib.request
from pathlib import Path

import yaml

import dashboard
import picture
import rules
import tools

JARS = tools.ROOT / "target" / "kafka" / "jars"
POM = tools.ROOT / "tests" / "kafka" / "pom.xml"

SECONDS = 60
RATE = 2000
PARTITIONS = 6
# Prometheus looks this often, so a rate needs a window of several.
EVERY = "2s"
WINDOW = "15s"


def free_ports(number):
    sockets = [socket.socket() for _ in range(number)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def get(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


def until(what, limit, condition):
    end = time.monotonic() + limit
    while time.monotonic() < end:
        try:
            found = condition()
        except OSError:
            found = None
        if found:
            return found
        time.sleep(0.2)
    raise tools.Missing(f"{what}: not within {limit} s")


class Scene:
    """The processes of a run, all of them ended with it. A second service comes and goes, so that there are rebalances to see."""

    def __init__(self, folder, program=None):
        self.folder = folder
        self.processes = []
        self.kafka, self.controller, self.http, self.second, self.prometheus = free_ports(5)
        # How the program is called; a container has words before it.
        self.program = program or [os.environ.get("MESSAGETRACE_ECS") or tools.ROOT / "target" / "debug" / "messagetrace-ecs"]
        self.environment = os.environ | {
            "MESSAGETRACE_ECS_KAFKA__BOOTSTRAP_SERVERS": f"127.0.0.1:{self.kafka}",
            "MESSAGETRACE_ECS_NORMALIZE__PROFILE": "ecs",
        }

    def start(self, name, arguments):
        log = (self.folder / f"{name}.log").open("w")
        arguments = [str(argument) for argument in arguments]
        self.processes.append(subprocess.Popen(arguments, stdout=log, stderr=subprocess.STDOUT, env=self.environment))
        return self.processes[-1]

    def serve(self, name, port):
        process = self.start(name, [*self.program, "run", "--set", f"http.listen=127.0.0.1:{port}"])
        until(f"{name} is ready", 60, lambda: get(f"http://127.0.0.1:{port}/readyz"))
        return process

    def end(self):
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()

    def java(self, main, *arguments):
        options = ["-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
        return ["java", "-cp", f"{JARS}/*", *options, main, *arguments]

    def broker(self, topics=("raw", "ecs", "dlq")):
        if not (JARS / "pom.xml").is_file():
            raise tools.Missing("Kafka's jars are missing: run the tests once (scripts/test --test kafka_service start)")
        file = self.folder / "node.properties"
        one = ["offsets.topic", "transaction.state.log"]
        settings = {
            "process.roles": "broker,controller",
            "node.id": 1,
            "controller.quorum.voters": f"1@127.0.0.1:{self.controller}",
            "listeners": f"PLAINTEXT://127.0.0.1:{self.kafka},CONTROLLER://127.0.0.1:{self.controller}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.kafka}",
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "PLAINTEXT",
            "log.dirs": self.folder / "kafka",
            "group.initial.rebalance.delay.ms": 0,
            "transaction.state.log.min.isr": 1,
        } | {f"{topic}.{what}": 1 for topic in one for what in ("replication.factor", "num.partitions")}
        file.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
        tools.run(self.java("kafka.tools.StorageTool", "format", "-t", "bWVzc2FnZXRyYWNlLWVjcw", "-c", file))
        self.start("kafka", self.java("kafka.Kafka", file))
        until("Kafka listens", 120, lambda: socket.create_connection(("127.0.0.1", self.kafka), 1))
        for topic in topics:
            options = ["--bootstrap-server", f"127.0.0.1:{self.kafka}", "--create", "--topic", f"messagetrace.{topic}"]
            tools.run(self.java("org.apache.kafka.tools.TopicCommand", *options, "--partitions", str(PARTITIONS)))

    def watch(self):
        """Prometheus, with the rule file as it is."""
        file = self.folder / "prometheus.yaml"
        targets = [{"targets": [f"127.0.0.1:{port}" for port in (self.http, self.second)]}]
        settings = {
            "global": {"scrape_interval": EVERY, "evaluation_interval": EVERY},
            "rule_files": [str(rules.ALERTS)],
            "scrape_configs": [{"job_name": "messagetrace-ecs", "static_configs": targets}],
        }
        file.write_text(yaml.safe_dump(settings))
        options = [f"--config.file={file}", f"--storage.tsdb.path={self.folder / 'tsdb'}"]
        self.start("prometheus", [tools.prometheus("prometheus"), *options, f"--web.listen-address=127.0.0.1:{self.prometheus}"])
        until("Prometheus is ready", 60, lambda: get(f"http://127.0.0.1:{self.prometheus}/-/ready"))

    def ask(self, path, **parameters):
        answer = json.loads(get(f"http://127.0.0.1:{self.prometheus}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"))
        if answer["status"] != "success":
            raise tools.Missing(f"{path} {parameters}: {answer}")
        return answer["data"]

    def range(self, query, start, end):
        """Series with their points; what is no number is left out."""
        found = self.ask("query_range", query=query, start=start, end=end, step=2)["result"]
        series = []
        for one in found:
            points = [(at, float(value)) for at, value in one["values"]]
            points = [(at, value) for at, value in points if not math.isnan(value)]
            if points:
                series.append((one["metric"], points))
        return series


def filled(query):
    return query.replace("$job", ".+").replace("$instance", ".+").replace("$__rate_interval", WINDOW)


def selectors(expression):
    """The series that an expression reads, without their windows."""
    return sorted(set(re.findall(r"messagetrace_ecs_\w+(?:\{[^}]*\})?", expression)))


def look(scene, start, end, findings):
    model = json.loads(dashboard.FILE.read_text())
    drawn, rows = [], []
    for panel in model["panels"]:
        for target in panel.get("targets", []):
            series = scene.range(filled(target["expr"]), start, end)
            title = panel["title"]
            values = [value for _, points in series for _, value in points]
            told = f"{len(series)} series, {min(values):.4g} to {max(values):.4g}" if values else "empty"
            rows.append(("panel", title, told))
            if not values:
                findings.append(f"panel {title} is empty: {target['expr']}")
            drawn.append((panel, target, series))
    for rule in rules.alerts():
        empty = [one for one in selectors(rule["expr"]) if not scene.range(one, start, end)]
        fired = scene.range(rule["expr"], end - 20, end)
        rows.append(("alert", rule["alert"], f"{len(selectors(rule['expr']))} series read, {'true' if fired else 'quiet'} at the end"))
        findings += [f"alert {rule['alert']} reads {one}, which is empty" for one in empty]
    groups = scene.ask("rules")["groups"]
    for rule in (rule for group in groups for rule in group["rules"]):
        if rule["health"] != "ok":
            findings.append(f"alert {rule['name']}: {rule.get('lastError', rule['health'])}")
        if rule["state"] == "firing":
            findings.append(f"alert {rule['name']} fires on a service that works")
    return drawn, rows


def check():
    findings = []
    if not os.environ.get("MESSAGETRACE_ECS"):
        tools.run(["cargo", "build", "--quiet", "--locked"], cwd=tools.ROOT)
    with tempfile.TemporaryDirectory() as folder:
        scene = Scene(Path(folder))
        try:
            scene.broker()
            scene.watch()
            start = time.time()
            scene.serve("service", scene.http)
            feed = scene.start("feed", [*scene.program, "demo", "feed", "--records", RATE * SECONDS, "--rate", RATE])
            time.sleep(SECONDS / 3)
            second = scene.serve("second", scene.second)
            time.sleep(SECONDS / 3)
            second.terminate()
            if second.wait(60) != 0:
                findings.append("the second service did not end well")
            if feed.wait(SECONDS * 5) != 0:
                findings.append("the feed did not end well")
            until("all is sealed", 60, lambda: sealed(scene))
            # Two looks more, so that the end is seen too.
            time.sleep(5)
            drawn, rows = look(scene, start, time.time(), findings)
        except (tools.Missing, OSError) as problem:
            logs = {file.name: file.read_text()[-2000:] for file in Path(folder).glob("*.log")}
            raise SystemExit(f"{problem}\n" + "\n".join(f"-- {name}\n{text}" for name, text in logs.items())) from problem
        finally:
            scene.end()
    for kind, name, what in rows:
        print(f"| {kind} | {name} | {what} |")
    picture.draw(json.loads(dashboard.FILE.read_text()), drawn, tools.ROOT / "docs" / "dashboard.svg")
    return findings


def sealed(scene):
    """Whether the group's offsets are at the ends, as the service that is left sees it."""
    text = get(f"http://127.0.0.1:{scene.http}/metrics")
    lags = re.findall(r"^messagetrace_ecs_processing_lag_records\{.*\} (\S+)$", text, re.M)
    flying = re.search(r"^messagetrace_ecs_records_in_flight (\S+)$", text, re.M)[1]
    return len(lags) == PARTITIONS and {float(lag) for lag in [*lags, flying]} == {0}
