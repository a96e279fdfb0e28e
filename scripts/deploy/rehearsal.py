"""The compose file's broker with a login, rehearsed without an engine: what the file gives to Kafka's image is given to Kafka's
own jars, translated as that image does it, and what it gives to our containers to the program.

The secrets are made by docker/make-secrets.sh, which has to be called by root, as in the image.
"""

import os
import subprocess
import tempfile
from pathlib import Path

import containers
import live
import tools

RECORDS = 2_000
# What only the image's own start script reads.
NOT_KAFKAS = ("KAFKA_OPTS",)


def property_name(variable):
    """KAFKA_SSL_KEYSTORE_TYPE is ssl.keystore.type."""
    name = variable.removeprefix("KAFKA_").lower()
    return name.replace("___", "-").replace("__", "\0").replace("_", ".").replace("\0", "_")


class Rehearsal(live.Scene):
    def __init__(self, folder, program):
        super().__init__(folder, program)
        self.services = containers.read("sasl")
        self.places = {
            "/etc/kafka/secrets": str(folder / "secrets"),
            "/var/lib/kafka/data": str(folder / "kafka"),
            "kafka-sasl:9093": f"localhost:{self.kafka}",
            "://:9093": f"://localhost:{self.kafka}",
            "localhost:9099": f"localhost:{self.controller}",
        }

    def given(self, service):
        """The environment of a service, on this machine."""
        environment = {}
        for name, value in self.services[service]["environment"].items():
            for there, here in self.places.items():
                value = value.replace(there, here)
            environment[name] = value
        return environment

    def broker(self):
        secrets = self.folder / "secrets"
        secrets.mkdir()
        # Twice: what was made once stays.
        for _ in range(2):
            tools.run(["sh", tools.ROOT / "docker" / "make-secrets.sh", secrets])
        given = self.given("kafka-sasl")
        cluster = given.pop("CLUSTER_ID")
        options = given.pop("KAFKA_OPTS").split()
        file = self.folder / "node.properties"
        lines = [f"{property_name(name)}={value}\n" for name, value in given.items() if name not in NOT_KAFKAS]
        file.write_text("".join(lines))
        tools.run(self.java("kafka.tools.StorageTool", "format", "-t", cluster, "-c", file))
        java = self.java("kafka.Kafka", file)
        self.start("kafka", [*java[:3], *options, *java[3:]])
        live.until("Kafka listens", 120, lambda: live.socket.create_connection(("127.0.0.1", self.kafka), 1))

    def call(self, service, *words, **more):
        environment = os.environ | self.given(service) | more
        return subprocess.run([*map(str, self.program), *words], capture_output=True, text=True, env=environment)


def check(program=None):
    findings = []

    def good(done, what):
        if done.returncode != 0:
            findings.append(f"rehearsal: {what}: exit {done.returncode}: {done.stdout[-500:]}{done.stderr[-500:]}")
        return done.stdout.strip().splitlines()[-1:]

    with tempfile.TemporaryDirectory() as folder:
        scene = Rehearsal(Path(folder), program)
        try:
            scene.broker()
            good(scene.call("topics-sasl", *scene.services["topics-sasl"]["command"]), "topics")
            print("rehearsal:", *good(scene.call("processor-sasl", "check", "--connect"), "check --connect"))
            good(scene.call("feed-sasl", "demo", "feed", "--records", str(RECORDS)), "feed")
            good(scene.call("processor-sasl", "run", "--until-end"), "run")
            print("rehearsal:", *good(scene.call("processor-sasl", "audit"), "audit"))
            wrong = scene.folder / "wrong"
            wrong.write_text("guessed")
            given = {"MESSAGETRACE_ECS_KAFKA__SASL__PASSWORD_FILE": str(wrong)}
            refused = scene.call("processor-sasl", "check", "--connect", **given)
            if refused.returncode != 1 or "refuse the login" not in refused.stdout + refused.stderr:
                findings.append(f"rehearsal: a wrong password is not refused: {refused.stdout}{refused.stderr}")
        finally:
            scene.end()
    return findings
