"""The Grafana dashboard as code: this writes helm/messagetrace-ecs/files/dashboard.json, always the same bytes for the same lines.

Kept to what Grafana's own linter asks for: one data source variable, `job` and `instance` in every selector, rates over
$__rate_interval, a title, a description and a unit everywhere, and not editable.
"""

import json
import re

import schema

FILE = schema.CHART / "files" / "dashboard.json"

SOURCE = {"type": "prometheus", "uid": "${datasource}"}
OURS = 'job=~"$job", instance=~"$instance"'


def name(series, labels=""):
    series = series if series.startswith("process_") else f"messagetrace_ecs_{series}"
    return f"{series}{{{OURS}{', ' + labels if labels else ''}}}"


def rate(series, by="", labels=""):
    by = f" by ({by})" if by else ""
    return f"sum{by} (rate({name(series, labels)}[$__rate_interval]))"


def quantiles(series):
    """The median and the slow ones of a histogram."""
    bucket = f"sum by (le) (rate({name(series + '_bucket')}[$__rate_interval]))"
    return [(f"histogram_quantile({share}, {bucket})", label) for share, label in ((0.5, "half"), (0.95, "95 %"), (0.99, "99 %"))]


def panel(title, description, unit, targets, kind="timeseries", width=8, **more):
    return {"title": title, "description": description, "unit": unit, "targets": targets, "kind": kind, "width": width} | more


def stat(title, description, unit, expression, steps=()):
    return panel(title, description, unit, [(expression, "")], kind="stat", width=4, steps=steps)


ROWS = {
    "At a glance": [
        stat("Records in", "Records polled from the input topics.", "cps", rate("records_polled_total")),
        stat("Events out", "Events that the brokers acknowledged.", "cps", rate("events_produced_total")),
        stat(
            "Dead-lettered",
            "Share of the records with at least one rejection.",
            "percentunit",
            f"{rate('records_dead_lettered_total')} / clamp_min({rate('records_polled_total')}, 1)",
            steps=((0.01, "yellow"), (0.05, "red")),
        ),
        stat(
            "Oldest record",
            "How long the oldest record waits, by its own timestamp. 0 when none does.",
            "s",
            f"max({name('processing_lag_seconds')})",
            steps=((60, "yellow"), (300, "red")),
        ),
        stat("Processes", "Processes that are scraped.", "short", f"count({name('build_info')})"),
        stat(
            "Stalled",
            "Causes that stop all progress of a process right now.",
            "short",
            f"sum({name('stalled')})",
            steps=((1, "red"),),
        ),
    ],
    "Records": [
        panel(
            "Records by what became of them",
            "Polled when polled; abandoned when given back, to be done again; the others when sealed.",
            "cps",
            [
                (rate(f"records_{fate}_total"), fate.replace("_", "-"))
                for fate in ("polled", "delivered", "dead_lettered", "skipped", "abandoned")
            ],
        ),
        panel(
            "Dead letters by kind",
            "Rejections that were written to the dead-letter topic. docs/mapping.md says what each kind means.",
            "cps",
            [(rate("dead_letters_produced_total", "kind"), "{{kind}}")],
        ),
        panel(
            "Causes of dead letters",
            "Different fingerprints that a process has met since it started. A step is a new cause.",
            "short",
            [(f"max({name('dead_letter_fingerprints')})", "causes")],
        ),
        panel(
            "Bytes",
            "Keys and values, before compression.",
            "Bps",
            [(rate("consumed_bytes_total"), "in"), (rate("produced_bytes_total"), "out")],
        ),
        panel(
            "In flight",
            "Records that were polled and are neither sealed nor given back.",
            "short",
            [(f"sum by (instance) ({name('records_in_flight')})", "{{instance}}")],
        ),
        panel(
            "In flight, bytes",
            "What those records hold of the memory budget.",
            "bytes",
            [(f"sum by (instance) ({name('in_flight_bytes')})", "{{instance}}")],
        ),
    ],
    "Lag": [
        panel(
            "Lag in records",
            "From the first record that is not sealed to the end of the partition. 0 when no record waits, whatever markers a transaction left.",
            "short",
            [(f"max by (topic, partition) ({name('processing_lag_records')})", "{{topic}}/{{partition}}")],
        ),
        panel(
            "Lag in seconds",
            "Age of the oldest record that is not sealed, by its timestamp. An archive that is replayed is as old as its records.",
            "s",
            [(f"max by (topic, partition) ({name('processing_lag_seconds')})", "{{topic}}/{{partition}}")],
        ),
        panel(
            "Progress",
            "How fast the committed offset of each partition moves.",
            "cps",
            [
                (
                    f"max by (topic, partition) (deriv({name('committed_offset')}[$__rate_interval]))",
                    "{{topic}}/{{partition}}",
                )
            ],
        ),
    ],
    "Latency": [
        panel(
            "Delivery",
            "From the timestamp of the input record to its commit.",
            "s",
            quantiles("delivery_latency_seconds"),
        ),
        panel(
            "Age of events",
            "From the time a message was received to the commit of its event: what the collector takes is in it.",
            "s",
            quantiles("event_age_seconds"),
        ),
        panel("Normalizing", "For one record, a batch's time shared by its records.", "s", quantiles("normalize_duration_seconds")),
    ],
    "Commits": [
        panel("Commit", "The drain of the producer included.", "s", quantiles("commit_duration_seconds")),
        panel(
            "Commits by result",
            "unknown: the answer did not come, the client asks again.",
            "cps",
            [(rate("commits_total", "result"), "{{result}}")],
        ),
        panel(
            "Transactions aborted",
            "By reason. Their records are done again; a reader with isolation.level=read_committed never sees the first try.",
            "cps",
            [(rate("transactions_aborted_total", "reason"), "{{reason}}")],
        ),
        panel(
            "Since the last commit",
            "Of the process that waits longest. Grows on an idle topic too.",
            "s",
            [(f"time() - min({name('last_commit_timestamp_seconds')} > 0)", "seconds")],
        ),
        panel(
            "Produce errors",
            "Records that a broker or the client refused, by code. None in a good week.",
            "cps",
            [(rate("produce_errors_total", "code"), "{{code}}")],
        ),
        panel(
            "Resets and rebuilds",
            "Positions given up for input.start by reason, and Kafka clients made anew, within the last hour.",
            "short",
            [
                (f"sum by (reason) (increase({name('offset_resets_total')}[1h]))", "position {{reason}}"),
                (f"sum(increase({name('client_rebuilds_total')}[1h]))", "clients rebuilt"),
            ],
        ),
    ],
    "Group and brokers": [
        panel(
            "Partitions by process",
            "A process with none idles.",
            "short",
            [(f"sum by (instance) ({name('assigned_partitions')})", "{{instance}}")],
            stacked=True,
        ),
        panel(
            "Rebalances",
            "By what they did to a process's partitions. lost: it was away too long.",
            "cps",
            [(rate("rebalances_total", "kind"), "{{kind}}")],
        ),
        panel("Rebalance", "From being told of one to having followed it.", "s", quantiles("rebalance_duration_seconds")),
        panel(
            "Stalled",
            "1 while the cause stops all progress of a process.",
            "short",
            [
                (f"max by (cause) ({name('stalled')})", "{{cause}}"),
                (f"max({name('breaker_open')})", "breaker open"),
            ],
        ),
        panel(
            "Paused",
            "Share of the time in which partitions were paused, because the output was slower than the input.",
            "percentunit",
            [(f"rate({name('paused_seconds_total')}[$__rate_interval])", "{{instance}}")],
        ),
        panel(
            "Brokers",
            "0 while a connection is sought.",
            "short",
            [(f"min by (broker) ({name('broker_up')})", "{{broker}}")],
        ),
    ],
    "Process": [
        panel(
            "Memory",
            "Resident, beside what it promises to stay below: the budget and 64 MiB.",
            "bytes",
            [
                (f"max by (instance) ({name('memory_resident_bytes')})", "{{instance}}"),
                (f"max({name('memory_budget_bytes')}) + 67108864", "bound"),
            ],
        ),
        panel(
            "CPU",
            "Seconds of CPU a second: processors in use.",
            "short",
            [(f"sum by (instance) (rate({name('process_cpu_seconds_total')}[$__rate_interval]))", "{{instance}}")],
        ),
        panel(
            "Files and threads",
            "Open file descriptors and threads of the largest process.",
            "short",
            [(f"max({name('process_open_fds')})", "files"), (f"max({name('process_threads')})", "threads")],
        ),
    ],
}


def thresholds(steps):
    first = {"color": "green" if steps else "text", "value": None}
    return {"mode": "absolute", "steps": [first, *({"color": color, "value": value} for value, color in steps)]}


def drawn(number, model, x, y, height):
    targets = [
        {"datasource": SOURCE, "editorMode": "code", "expr": expression, "legendFormat": legend or "__auto", "range": True, "refId": "ABCDE"[at]}
        for at, (expression, legend) in enumerate(model["targets"])
    ]
    defaults = {"unit": model["unit"], "min": 0, "thresholds": thresholds(model.get("steps", ()))}
    if model["kind"] == "stat":
        options = {"colorMode": "value", "graphMode": "area", "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}}
        custom = {}
    else:
        options = {
            "legend": {"calcs": ["lastNotNull", "max"], "displayMode": "table", "placement": "bottom", "showLegend": True},
            "tooltip": {"mode": "multi", "sort": "desc"},
        }
        stacking = {"group": "A", "mode": "normal" if model.get("stacked") else "none"}
        custom = {"custom": {"fillOpacity": 8, "lineWidth": 1, "showPoints": "never", "stacking": stacking}}
    return {
        "id": number,
        "type": model["kind"],
        "title": model["title"],
        "description": model["description"],
        "datasource": SOURCE,
        "gridPos": {"x": x, "y": y, "w": model["width"], "h": height},
        "fieldConfig": {"defaults": defaults | custom, "overrides": []},
        "options": options,
        "targets": targets,
    }


def panels():
    number, y = 0, 0
    for title, models in ROWS.items():
        number += 1
        yield {"id": number, "type": "row", "title": title, "collapsed": False, "gridPos": {"x": 0, "y": y, "w": 24, "h": 1}, "panels": []}
        y, x = y + 1, 0
        height = 4 if models[0]["kind"] == "stat" else 8
        for model in models:
            if x + model["width"] > 24:
                x, y = 0, y + height
            number += 1
            yield drawn(number, model, x, y, height)
            x += model["width"]
        y += height


def variable(label):
    query = f"label_values(messagetrace_ecs_build_info, {label})" if label == "job" else f'label_values(messagetrace_ecs_build_info{{job=~"$job"}}, {label})'
    return {
        "name": label,
        "label": label,
        "type": "query",
        "datasource": SOURCE,
        "query": {"query": query, "refId": "values"},
        "definition": query,
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".+",
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
    }


def text():
    model = {
        "uid": "messagetrace-ecs",
        "title": "messagetrace-ecs",
        "description": "Exchange Online MessageTrace records to ECS events. Each series is explained in docs/metrics.md.",
        "tags": ["kafka", "messagetrace-ecs"],
        "editable": False,
        "graphTooltip": 1,
        "refresh": "30s",
        "schemaVersion": 39,
        "time": {"from": "now-3h", "to": "now"},
        "timezone": "browser",
        "templating": {
            "list": [
                {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "current": {}},
                variable("job"),
                variable("instance"),
            ]
        },
        "annotations": {"list": []},
        "links": [],
        "panels": list(panels()),
    }
    return json.dumps(model, indent=1, ensure_ascii=False) + "\n"


def queries(model):
    """Every query with the title of its panel."""
    return [(panel["title"], target["expr"]) for panel in model["panels"] for target in panel.get("targets", [])]


def lint(model):
    findings = []
    numbers = [panel["id"] for panel in model["panels"]]
    if len(set(numbers)) != len(numbers):
        findings.append("dashboard: two panels with one id")
    if model["editable"]:
        findings.append("dashboard: editable")
    variables = [variable["name"] for variable in model["templating"]["list"]]
    if variables != ["datasource", "job", "instance"]:
        findings.append(f"dashboard: variables {variables}")
    for panel in model["panels"]:
        if panel["type"] == "row":
            continue
        where = f"panel {panel['title']}"
        if not (panel["title"] and panel.get("description") and panel["fieldConfig"]["defaults"].get("unit") and panel["targets"]):
            findings.append(f"{where}: needs a title, a description, a unit and a query")
        for target in panel["targets"]:
            expression = target["expr"]
            for selector in re.findall(r"\{([^}]*)\}", expression):
                if not selector.startswith(OURS):
                    findings.append(f"{where}: does not select by job and instance: {expression}")
            for window in re.findall(r"(?:rate|deriv)\([^\[]*\[([^\]]*)\]", expression):
                if window != "$__rate_interval":
                    findings.append(f"{where}: a rate over {window}")
            for counter, before in ((counter, expression[: found.start()]) for found in re.finditer(r"\w+_total\b", expression) for counter in [found.group()]):
                if not re.search(r"(rate|increase)\($", before):
                    findings.append(f"{where}: {counter} without a rate")
            if target["datasource"] != SOURCE:
                findings.append(f"{where}: another data source")
    return findings
