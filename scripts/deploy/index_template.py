"""docs/index-template.json out of the table of fields by which the tests judge every event: an index template that
Elasticsearch and OpenSearch both take."""

import csv
import json
import re

import tools

FIELDS = tools.ROOT / "tests" / "ecs_fields" / "fields.csv"
FILE = tools.ROOT / "docs" / "index-template.json"

# ECS has types that OpenSearch does not, or not in every version; these hold the same values.
TYPES = {"wildcard": "keyword", "match_only_text": "text", "constant_keyword": "keyword"}
# Beside what ECS knows.
OUR_OWN = {"office365.message_trace.MessageTraceId": "keyword", "office365.message_trace.Size": "long"}
# The coordinates of dead letters as ECS documents (dlq export --format ecs): keywords under whatever name, as ECS has it.
LABELS = {"type": "object", "dynamic": True}
# A text of any length, to be read and not to be searched.
STORED = ("event.original",)
# Fields that ECS lets be searched by words too, under their name and ".text".
BY_WORDS = ("destination.user.name", "email.subject", "organization.name", "source.user.name")
# Who writes Exchange's values in small letters, or as the person at hand does, finds the same.
ANY_CASE = re.compile(r"event\.action|related\.(hosts|user)|email\.(from|to)\.address|(source|destination)\.(address|(user\.)?\w*domain|user\.\w+)")
# With its angle brackets or without.
BARE = ("email.message_id",)
# Characters of a value that is found as a whole. A term has 32766 bytes at most, and one more would refuse the document; a
# character takes up to four. ECS has 1024, beyond which a value is in no search and nobody is told.
WHOLE_MAX = 8191


def mapping(name, kind):
    if name in STORED:
        return {"type": "keyword", "index": False, "doc_values": False}
    kind = TYPES.get(kind, kind)
    mapping = {"type": kind}
    if kind == "keyword":
        mapping["ignore_above"] = WHOLE_MAX
        if ANY_CASE.fullmatch(name):
            mapping["normalizer"] = "any_case"
        if name in BARE:
            mapping["normalizer"] = "bare"
        if name in BY_WORDS:
            mapping["fields"] = {"text": {"type": "text"}}
    return mapping


ANALYSIS = {
    "char_filter": {"brackets": {"type": "mapping", "mappings": ["< => ", "> => "]}},
    "normalizer": {
        "any_case": {"type": "custom", "filter": ["lowercase"]},
        "bare": {"type": "custom", "char_filter": ["brackets"], "filter": ["lowercase"]},
    },
}


def text():
    with FIELDS.open(newline="") as file:
        fields = {row[0]: row[1] for row in list(csv.reader(file))[1:]} | OUR_OWN
    properties = {"labels": LABELS}
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
            "settings": {"index": {"number_of_shards": 1, "number_of_replicas": 1, "refresh_interval": "5s"}, "analysis": ANALYSIS},
            # A field of a later version is stored, and found only once it is mapped.
            "mappings": {
                "dynamic": False,
                "dynamic_templates": [{"labels": {"path_match": "labels.*", "mapping": mapping("labels", "keyword")}}],
                "properties": dict(sorted(properties.items())),
            },
        },
    }
    return json.dumps(template, indent=1) + "\n"


def check(regenerate):
    if regenerate:
        FILE.write_text(text())
    if not FILE.is_file() or FILE.read_text() != text():
        return ["docs/index-template.json is behind the table of fields: scripts/check-deploy --regenerate"]
    return []
