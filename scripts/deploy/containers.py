"""The Dockerfile and the compose file, judged without an engine: hadolint, and compose's own reading of each profile."""

import json

import tools

DOCKER = tools.ROOT / "docker"
COMPOSE = DOCKER / "compose.yaml"

# Files of the chart that Prometheus and Grafana have to be given as they are.
SHARED = ("alerts.yaml", "dashboard.json")
# What every container of ours has to be held to.
HARDENED = {"read_only": True, "cap_drop": ["ALL"], "security_opt": ["no-new-privileges:true"], "user": "65532:65532"}


def read(*profiles):
    """The services of the compose file, as compose understands them."""
    flags = [word for profile in profiles for word in ("--profile", profile)]
    compose = tools.environment("compose") / "docker-compose"
    return json.loads(tools.run([compose, "--file", COMPOSE, *flags, "config", "--format", "json"]))["services"]


def judge(services, findings):
    for name, service in services.items():
        if service["image"].startswith("messagetrace-ecs:"):
            findings += [
                f"compose: {name} has {key} {service.get(key)}" for key, value in HARDENED.items() if service.get(key) != value
            ]
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
