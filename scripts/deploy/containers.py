"""The Dockerfile and the compose file, judged without an engine: hadolint, and compose's own reading of each profile."""

import json
import re

import tools

DOCKER = tools.ROOT / "docker"
COMPOSE = DOCKER / "compose.yaml"

# Files of the chart that Prometheus and Grafana have to be given as they are.
SHARED = ("alerts.yaml", "dashboard.json")
# What every container of ours has to be held to.
HARDENED = {"read_only": True, "cap_drop": ["ALL"], "security_opt": ["no-new-privileges:true"], "user": "65532:65532"}

# Threads beside the workers: the engine, the runtime, the endpoints and librdkafka's, two for each broker of a small cluster.
THREADS_BESIDE = 48


def read(*profiles):
    """The services of the compose file, as compose understands them."""
    flags = [word for profile in profiles for word in ("--profile", profile)]
    compose = tools.environment("compose") / "docker-compose"
    return json.loads(tools.run([compose, "--file", COMPOSE, *flags, "config", "--format", "json"]))["services"]


def most_workers():
    """The most that pipeline.workers may be."""
    (most,) = re.findall(r"`pipeline.workers` \| `auto` \| .*?1 to (\d+)", (tools.ROOT / "docs" / "configuration.md").read_text())
    return int(most)


def judge(services, findings):
    for name, service in services.items():
        if service["image"].startswith("messagetrace-ecs:"):
            findings += [
                f"compose: {name} has {key} {service.get(key)}" for key, value in HARDENED.items() if service.get(key) != value
            ]
            # As many workers as the host has CPUs would not fit a large host.
            if not service["environment"].get("MESSAGETRACE_ECS_PIPELINE__WORKERS", "auto").isdecimal():
                findings.append(f"compose: {name} has as many workers as the host has CPUs")
            if service.get("pids_limit", 0) < most_workers() + THREADS_BESIDE:
                findings.append(f"compose: {name} has no room for {most_workers()} workers: pids_limit {service.get('pids_limit')}")
        # Only this one outlives the daemon's own restart without bringing back what somebody stopped.
        if service.get("restart") not in ("no", "unless-stopped"):
            findings.append(f"compose: {name} has the restart policy {service.get('restart')}")
        for port in service.get("ports", []):
            if port.get("host_ip") != "127.0.0.1":
                findings.append(f"compose: {name} opens port {port['published']} to everybody")
        for volume in service.get("volumes", []):
            if volume["type"] == "bind" and not tools.Path(volume["source"]).is_file():
                findings.append(f"compose: {name} mounts {volume['source']}, which is no file")


def check():
    findings = []
    try:
        tools.run([tools.environment("hadolint") / "hadolint", DOCKER / "Dockerfile"])
    except tools.Missing as said:
        findings.append(str(said))
    plain, all_of_it = read(), read("sasl")
    if not plain.keys() < all_of_it.keys():
        findings.append("compose: the profile sasl adds no service")
    judge(all_of_it, findings)
    mounted = {volume.get("source") for service in plain.values() for volume in service.get("volumes", [])}
    chart = tools.ROOT / "helm" / "messagetrace-ecs" / "files"
    findings += [f"compose: the chart's {name} is not mounted" for name in SHARED if str(chart / name) not in mounted]
    return findings
