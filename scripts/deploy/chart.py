"""The chart by itself: lint, golden renders, refusals, and a schema in step with the program. With both major versions of Helm."""

import re
import subprocess
import tempfile
import textwrap
from pathlib import Path

import yaml

import dashboard
import schema
import tools

CHART = schema.CHART
CASES = sorted((CHART / "ci").glob("*.yaml"))
RELEASE = ["rel", str(CHART), "--namespace", "siem"]


def helm(name, *arguments):
    return subprocess.run([str(tools.helm(name)), *map(str, arguments)], capture_output=True, text=True)


def render(name, case):
    done = helm(name, "template", *RELEASE, "--values", case)
    if done.returncode != 0:
        raise RuntimeError(f"{name}: {case.name}: {done.stderr}")
    # The dashboard stands in a file of its own, whole.
    board = textwrap.indent(dashboard.FILE.read_text(), "    ")
    return done.stdout.replace(board.rstrip("\n"), "    (files/dashboard.json)")


def lint(findings):
    for name in tools.HELM:
        for case in CASES:
            done = helm(name, "lint", "--strict", "--values", case, CHART)
            if done.returncode != 0:
                findings.append(f"{name} lint: {case.name}: {done.stdout}{done.stderr}")


def goldens(findings, regenerate):
    for case in CASES:
        golden = CHART / "golden" / case.name
        if regenerate:
            golden.write_text(render("helm4", case))
        expected = golden.read_text() if golden.is_file() else ""
        for name in tools.HELM:
            if render(name, case) != expected:
                findings.append(f"{name} renders ci/{case.name} otherwise than golden/: look, then scripts/check-deploy --regenerate")


def schema_in_step(findings, regenerate):
    text = schema.text()
    if regenerate:
        schema.FILE.write_text(text)
    if not schema.FILE.is_file() or schema.FILE.read_text() != text:
        findings.append("values.schema.json is behind the program: scripts/check-deploy --regenerate")


def made_up(home):
    """A file for each secret, such as the program takes: it looks into certificates."""
    for name in ("password", "token", "clientSecret", "keyPassword"):
        (home / name).write_text("made-up")
    certificate, key = home / "certificate", home / "privateKey"
    request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=made-up"]
    tools.run([*request, "-keyout", key, "-out", certificate])
    (home / "ca").write_bytes(certificate.read_bytes())


def accepted(findings):
    """The program itself takes the configuration that the chart renders."""
    for case in CASES:
        documents = yaml.safe_load_all(render("helm4", case))
        (config,) = [one["data"]["config.toml"] for one in documents if "config.toml" in (one or {}).get("data", {})]
        with tempfile.TemporaryDirectory() as home:
            made_up(Path(home))
            file = Path(home, "config.toml")
            file.write_text(config.replace("/etc/messagetrace-ecs/secrets", home))
            done = schema.program("check", "--config", str(file))
        if done.returncode != 0:
            findings.append(f"the program refuses the configuration of ci/{case.name}: {done.stderr}")


def refusals(findings):
    """Each case has to fail with a message that holds each of the given texts, once by the schema or the templates as they stand."""
    cases = yaml.safe_load((CHART / "tests" / "refused.yaml").read_text())
    file = tools.HOME / "refused.yaml"
    for case in cases:
        file.write_text(yaml.safe_dump(case["values"]))
        options = ["--skip-schema-validation"] if case.get("withoutSchema") else []
        for name in tools.HELM:
            done = helm(name, "template", *RELEASE, "--values", file, *options)
            missing = [text for text in case["says"] if text not in done.stderr]
            if done.returncode == 0:
                findings.append(f"{name} takes what has to be refused: {case['name']}")
            elif missing:
                findings.append(f"{name} refuses, but does not say {missing}: {case['name']}: {done.stderr}")
            elif "canary" in done.stderr:
                findings.append(f"{name} shows a secret: {case['name']}: {done.stderr}")
    return len(cases)


def defaults_hold(findings):
    """What the values say of the alerts' thresholds is what the alerts say."""
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    text = (CHART / "files" / "alerts.yaml").read_text()
    for name, value in values["prometheusRule"]["thresholds"].items():
        if f" {value} # {name}\n" not in text:
            findings.append(f"prometheusRule.thresholds.{name} is not in files/alerts.yaml as {value}")


def check(regenerate):
    findings = []
    schema_in_step(findings, regenerate)
    lint(findings)
    goldens(findings, regenerate)
    accepted(findings)
    refused = refusals(findings)
    defaults_hold(findings)
    print(f"chart: {len(CASES)} sets of values linted and rendered, {refused} refusals, with {', '.join(tools.HELM)}")
    return findings
