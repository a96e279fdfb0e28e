"""The text of /metrics, read by a parser of the format 0.0.4 that is not ours: every series of docs/metrics.md has to come out
under its name and type. Go's own parser is held to the same in findings/expfmt-refuses-info.sh."""

import os
import re
import socket
import subprocess
import time
import urllib.request

from prometheus_client.parser import text_string_to_metric_families

import tools

START_LIMIT_S = 60
# docs/metrics.md's types, and what the older format calls them.
TYPES = {"info": "gauge"}


def scrape(accept):
    """Content type and text, of a service that has no broker."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    given = os.environ.get("MESSAGETRACE_ECS")
    program = [given] if given else ["cargo", "run", "--quiet", "--locked", "--"]
    command = [*program, "run", "--set", f"http.listen=127.0.0.1:{port}", "--set", "kafka.bootstrap_servers=127.0.0.1:9"]
    service = subprocess.Popen(command, cwd=tools.ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + START_LIMIT_S
        while True:
            try:
                request = urllib.request.Request(f"http://127.0.0.1:{port}/metrics", headers={"Accept": accept} if accept else {})
                with urllib.request.urlopen(request, timeout=10) as answer:
                    return answer.headers["Content-Type"], answer.read().decode()
            except OSError:
                if service.poll() is not None or time.monotonic() > until:
                    raise
                time.sleep(0.1)
    finally:
        service.kill()
        service.wait()


def check():
    findings = []
    kind, text = scrape(None)
    if not kind.startswith("text/plain; version=0.0.4"):
        findings.append(f"/metrics: who asks for nothing gets {kind}")
    # This parser leaves out a counter's _total in the name of its family, and gives it to the samples.
    found = {family.name: family.type for family in text_string_to_metric_families(text)}
    for name, type_name in re.findall(r"^\| `(\w+)` \| (\w+) \|", (tools.ROOT / "docs" / "metrics.md").read_text(), re.M):
        expected = TYPES.get(type_name, type_name)
        if name in ("messagetrace_ecs_processing_lag_records", "messagetrace_ecs_processing_lag_seconds", "messagetrace_ecs_committed_offset", "messagetrace_ecs_broker_up"):
            # Without a partition or a broker there is none.
            continue
        got = found.get(name.removesuffix("_total") if expected == "counter" else name)
        if got != expected:
            findings.append(f"/metrics: {name} is read as {got}, not as {expected}")
    said = subprocess.run([tools.prometheus("promtool"), "check", "metrics"], input=text, capture_output=True, text=True)
    if said.returncode not in (0, 3):
        findings.append(f"promtool check metrics: {said.stdout}{said.stderr}")
    kind, text = scrape("application/openmetrics-text;version=1.0.0")
    if not kind.startswith("application/openmetrics-text") or not text.endswith("# EOF\n"):
        findings.append(f"/metrics: who asks for OpenMetrics gets {kind}")
    print(f"exposition: {len(found)} families read from the text format")
    return findings
