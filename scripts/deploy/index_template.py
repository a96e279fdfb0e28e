"""docs/index-template.json out of the table of fields by which the tests judge every event: an index template that
Elasticsearch and OpenSearch both take."""

import csv
import json

import tools

FIELDS = tools.ROOT / "tests" / "ecs_fields" / "fields.csv"
FILE = tools.ROOT / "docs" / "index-template.json"

# ECS has types that OpenSearch does not, or not in every version; these hold the same values.
TYPES = {"wildcard": "keyword", "match_only_text": "text", "constant_keyword": "keyword"}
# Beside what ECS knows.
OUR_OWN = {"office365.message_trace.MessageTraceId": "keyword", "office365.message_trace.Size": "long"}
# A text of any length, to be read and not to be searched.
STORED = ("event.original",)


def mapping(name, kind):
    if name in STORED:
        return {"type": "keyword", "index": False, "doc_values": False}
    kind = TYPES.get(kind, kind)
    return {"type": kind, "ignore_above": 1024} if kind == "keyword" else {"type": kind}


def text():
    with FIELDS.open(newline="") as file:
        fields = {row[0]: row[1] for row in list(csv.reader(file))[1:]} | OUR_OWN
    properties = {}
    for name, kind in sorted(fields.items()):
        *path, last = name.split(".")
        at = properties
        for part in path:
            at = at.setdefault(part, {"properties": {}})["properties"]
        at[last] = mapping(name, kind)
    template = {
        "index_patterns": ["mail-traces-*"],
        "priority": 200,
        "template": {
            "settings": {"index": {"number_of_shards": 1, "number_of_replicas": 1, "refresh_interval": "5s"}},
            # A field of a later version is stored, and found only once it is mapped.
            "mappings": {"dynamic": False, "properties": properties},
        },
    }
    return json.dumps(template, indent=1) + "\n"


def check(regenerate):
    if regenerate:
        FILE.write_text(text())
    if not FILE.is_file() or FILE.read_text() != text():
        return ["docs/index-template.json is behind the table of fields: scripts/check-deploy --regenerate"]
    return []
