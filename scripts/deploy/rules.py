"""The alerts and the dashboard against what the program exports, and the alerts by their own tests."""

import json
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import yaml

import dashboard
import schema
import tools

ALERTS = schema.CHART / "files" / "alerts.yaml"
TESTS = schema.CHART / "tests" / "alerts.yaml"
METRICS = tools.ROOT / "docs" / "metrics.md"
RUNBOOK = tools.ROOT / "docs" / "alerts.md"

SEVERITIES = ("critical", "warning")


def alerts():
    return [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]


def exported():
    """The series of docs/metrics.md with their labels, histograms under the names of their samples."""
    series = {}
    for name, kind, labels in re.findall(r"^\| `(\w+)` \| (\w+) \| (.*?) \| ", METRICS.read_text(), re.M):
        names = [f"{name}_{part}" for part in ("bucket", "count", "sum")] if kind == "histogram" else [name]
        known = {}
        for part in filter(None, labels.split("; ")):
            label, *values = re.findall(r"`([^`]*)`", part)
            known[label] = set(values)
        series |= {sample: known for sample in names}
    return series


def unknown(expression, series):
    """What an expression names and the program does not export."""
    findings = []
    for name, selector in re.findall(r"\b((?:messagetrace_ecs|process)_\w+)(?:\{([^}]*)\})?", expression):
        if name not in series:
            findings.append(f"no series {name}")
            continue
        for label, _, value in re.findall(r'(\w+)(=~|!~|!=|=)"([^"]*)"', selector):
            values = series[name].get(label)
            if label in ("namespace", "job", "instance", "pod"):
                continue
            if values is None:
                findings.append(f"{name} has no label {label}")
            elif values and re.fullmatch(r"\w+", value) and value not in values:
                findings.append(f"{name} is never {label}={value}")
    return findings


def check_alerts(findings, series):
    anchors = {heading.lower() for heading in re.findall(r"^#+ (\w+)$", RUNBOOK.read_text(), re.M)} if RUNBOOK.is_file() else set()
    tested = TESTS.read_text()
    for rule in alerts():
        name = rule["alert"]
        findings += [f"alert {name}: {what}" for what in unknown(rule["expr"], series)]
        if rule["labels"].get("severity") not in SEVERITIES:
            findings.append(f"alert {name}: its severity is none of {SEVERITIES}")
        if set(rule["annotations"]) != {"summary", "description", "runbook_url"}:
            findings.append(f"alert {name}: needs summary, description and runbook_url")
        page, _, anchor = rule["annotations"].get("runbook_url", "").partition("#")
        if page != "docs/alerts.md" or anchor != name.lower() or anchor not in anchors:
            findings.append(f"alert {name}: docs/alerts.md has no paragraph of that name, or runbook_url leads elsewhere")
        if f"alertname: {name}" not in tested:
            findings.append(f"alert {name}: has no test")
    for word in ("check", "test"):
        file = ALERTS if word == "check" else TESTS
        done = subprocess.run([tools.prometheus("promtool"), word, "rules", file], capture_output=True, text=True)
        if done.returncode != 0:
            findings.append(f"promtool {word} rules: {done.stdout}{done.stderr}")


RELEASES = ("mail", "mail-eu")


def check_releases(findings):
    """The rules of two releases beside each other."""
    with tempfile.TemporaryDirectory() as folder:
        for release in RELEASES:
            done = subprocess.run(
                [tools.helm("helm4"), "template", release, schema.CHART, "--namespace", "siem", "--set", "prometheusRule.enabled=true"],
                capture_output=True,
                text=True,
            )
            (spec,) = [one["spec"] for one in yaml.safe_load_all(done.stdout) if one and one["kind"] == "PrometheusRule"]
            for rule in (rule for group in spec["groups"] for rule in group["rules"]):
                # Every series of ours, whatever the expression around it.
                bare = re.findall(r"messagetrace_ecs_\w+(?!\w*\{namespace=\"siem\",pod=)", rule["expr"])
                findings += [f"{release}: {rule['alert']}: {name} is not the release's own" for name in bare]
            Path(folder, f"{release}.yaml").write_text(yaml.safe_dump(spec))
        file = shutil.copy(schema.CHART / "tests" / "releases.yaml", folder)
        done = subprocess.run([tools.prometheus("promtool"), "test", "rules", file], capture_output=True, text=True)
        if done.returncode != 0:
            findings.append(f"promtool test rules, two releases: {done.stdout}{done.stderr}")


def check(regenerate):
    findings = []
    series = exported()
    if len(series) < 40:
        findings.append(f"docs/metrics.md was not understood: {len(series)} series")
    check_alerts(findings, series)
    check_releases(findings)
    text = dashboard.text()
    if regenerate:
        dashboard.FILE.write_text(text)
    if dashboard.FILE.read_text() != text:
        findings.append("files/dashboard.json is not what scripts/deploy/dashboard.py writes: scripts/check-deploy --regenerate")
    model = json.loads(dashboard.FILE.read_text())
    findings += dashboard.lint(model)
    queries = dashboard.queries(model)
    for title, query in queries:
        findings += [f"panel {title}: {what}" for what in unknown(query, series)]
    print(f"rules: {len(alerts())} alerts with their tests, {len(queries)} queries of the dashboard, {len(series)} series known")
    return findings
