"""docs/index-template.json on a real OpenSearch: events of both profiles and dead letters as ECS documents are indexed, and each
field has to be found by what is in it. Needs Maven and a Java from 21 on; the node listens on loopback and ends with this program."""

import collections
import json
import os
import random
import re
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import index_template
import schema
import tools

HERE = Path(__file__).parent / "search"
CORPUS = tools.ROOT / "tests" / "corpus"
METRICS = tools.ROOT / "docs" / "metrics.md"
PLUGINS = (
    "org.opensearch.transport.Netty4ModulePlugin",
    "org.opensearch.analysis.common.CommonAnalysisModulePlugin",
)
START_LIMIT_S = 240
INDEX = "mail-traces-check"
# Made-up records for each profile, beside the corpus.
MADE_UP = 2000
# Values of a field that are searched for one by one.
VALUES_MAX = 40


class Search:
    """An OpenSearch of one node."""

    def __init__(self, folder):
        (folder / "home" / "config").mkdir(parents=True)
        port = folder / "port"
        arguments = [java(), "-Xms512m", "-Xmx512m", "--enable-native-access=ALL-UNNAMED"]
        arguments += [f"-Dlog4j2.configurationFile={HERE / 'log4j2.properties'}", "-cp", f"{jars()}/*", HERE / "Search.java"]
        self.log = folder / "log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [*map(str, arguments), folder / "home", port, *PLUGINS], stdin=subprocess.PIPE, stdout=log, stderr=log
            )
        until = time.monotonic() + START_LIMIT_S
        while not port.is_file():
            if self.process.poll() is not None or time.monotonic() > until:
                raise tools.Missing(f"OpenSearch does not start: {self.log.read_text()[-2000:]}")
            time.sleep(0.2)
        self.at = f"http://127.0.0.1:{port.read_text()}"

    def ask(self, method, path, body=None):
        text = body if isinstance(body, str) or body is None else json.dumps(body)
        request = urllib.request.Request(f"{self.at}/{path}", text and text.encode(), {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            raise tools.Missing(f"{method} {path}: {error.read().decode()[:2000]}") from error

    def count(self, query):
        return self.ask("POST", f"{INDEX}/_count", {"query": query})["count"]

    def stop(self):
        self.process.stdin.close()
        self.process.wait(60)


def java():
    """A Java from 21 on: by JAVA_HOME, by its name, or where Debian puts them."""
    places = [Path(os.environ["JAVA_HOME"], "bin", "java")] if "JAVA_HOME" in os.environ else []
    places += [Path(found) for found in [shutil.which("java")] if found]
    places += sorted(Path("/usr/lib/jvm").glob("*/bin/java"), reverse=True)
    for place in places:
        said = subprocess.run([place, "-version"], capture_output=True, text=True).stderr
        version = said.partition('version "')[2].partition(".")[0].partition('"')[0]
        if version.isdecimal() and int(version) >= 21:
            return place
    raise tools.Missing("OpenSearch 3 needs a Java from 21 on: set JAVA_HOME")


def jars():
    pom = HERE / "pom.xml"

    def install(folder):
        maven = ["mvn", "--quiet", "--batch-mode", "--file", pom, "dependency:copy-dependencies", "-DincludeScope=runtime"]
        tools.run([*maven, f"-DoutputDirectory={folder}"])

    return tools.once("search", pom.read_text(), install)


def made_up(seed):
    """Records as Exchange Online tells them, with what makes a field hard to find: capitals, umlauts, long texts, odd addresses."""
    choose = random.Random(seed)
    words = "Rechnung invoice Überweisung urgent reset Passwort facture заявка 見積 meeting Q3 re: fwd: (ticket #42)".split()
    hosts = ["contoso.com", "Example.ORG", "müller.example", "mail.sub.example.co.uk", "xn--bcher-kva.example"]
    people = ["alice", "Bob.Builder", "o'neill", "info+tag", "jürgen", "SVC_backup"]
    for number in range(MADE_UP):
        sender, recipient = (f"{choose.choice(people)}{number % 97}@{choose.choice(hosts)}" for _ in range(2))
        subject = " ".join(choose.choices(words, k=choose.choice((1, 4, 9, 400 if number % 50 == 0 else 6))))
        day, minute = 1 + number % 28, number % 60
        yield {
            "Organization": choose.choice(("contoso.onmicrosoft.com", "Fabrikam AG")),
            "MessageTraceId": f"{seed:08x}-0000-4000-8000-{number:012x}",
            "MessageId": f"<{number:x}.{seed}@{choose.choice(hosts)}>",
            "Received": f"2026-0{1 + number % 9}-{day:02}T10:{minute:02}:07.{choose.randrange(10**6):06}",
            "SenderAddress": sender,
            "RecipientAddress": recipient,
            "Subject": subject,
            "Status": choose.choice(("Delivered", "Failed", "Quarantined", "FilteredAsSpam", "Expanded", "Pending")),
            "FromIP": choose.choice(("192.0.2.7", "2001:db8::25", f"198.51.100.{number % 255}", None)),
            "ToIP": choose.choice(("203.0.113.9", None)),
            "Size": choose.randrange(1, 10**8),
        }


def documents(folder):
    """Events of both profiles: what the corpus expects, and what the program makes of the made-up records."""
    expected = [json.loads(file.read_text()) for file in sorted(CORPUS.rglob("*.expected.json"))]
    corpus = [outcome["event"] for case in expected for outcome in case["outcomes"] if isinstance(outcome.get("event"), dict)]
    events = []
    for seed, profile in enumerate(("sekoia", "ecs"), 1):
        file = folder / f"{profile}.jsonl"
        file.write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in made_up(seed)))
        done = schema.program("normalize", "--profile", profile, "--local-domain", "contoso.com", str(file))
        made = [json.loads(line) for line in done.stdout.splitlines()]
        if len(made) != MADE_UP:
            raise tools.Missing(f"normalize made {len(made)} events of {MADE_UP} records: {done.stderr[:500]}")
        events += made
    return corpus, events


# As a dead letter's coordinates are told, text and numbers.
LABELS = ("source_topic", "source_partition", "source_offset", "source_index", "consumer_group", "attempts")


def letters():
    """Dead letters as ECS documents, as the contract has them: each kind, with values up to what such a document carries."""
    kinds = re.findall(r"`(\w+)`", re.search(r"dead_letters_produced_total` .*?`kind`: (.*?) \|", METRICS.read_text())[1])
    for number in range(MADE_UP // 10):
        kind, at = kinds[number % len(kinds)], ("messagetrace.raw", number % 6, number, number % 3, "messagetrace-ecs", 1 + number % 4)
        yield {
            "@timestamp": f"2026-07-{1 + number % 28:02}T11:00:{number % 60:02}.{number:03}Z",
            "ecs": {"version": "9.4.0"},
            "event": {
                "kind": "pipeline_error",
                "dataset": "office365.message_trace",
                "created": f"2026-06-{1 + number % 28:02}T10:00:00.000Z",
                "id": f"{number:032x}",
                "original": "é" * (16 * 1024 if number % 20 == 0 else number),
            },
            "error": {"code": kind, "id": f"{kinds.index(kind):016x}", "message": f"{kind}: expected an object at byte {number}"},
            "message": f"record {number} of messagetrace.raw was rejected: {kind}",
            "labels": dict(zip(LABELS, at)),
        }


def fill(search, documents):
    """Indexes them, and says which were refused."""
    refused = []
    for begin in range(0, len(documents), 1000):
        lines = (
            json.dumps({"index": {"_index": INDEX, "_id": str(begin + at)}}) + "\n" + json.dumps(document) + "\n"
            for at, document in enumerate(documents[begin : begin + 1000])
        )
        items = search.ask("POST", "_bulk", "".join(lines))["items"]
        refused += [item["index"]["error"] for item in items if "error" in item["index"]]
    search.ask("POST", f"{INDEX}/_refresh")
    return refused


def mapped(properties, path=""):
    """The fields of the template with their mappings, those by words under names of their own."""
    for name, mapping in properties.items():
        if mapping.get("dynamic"):
            yield from ((f"{path}{name}.{label}", {"type": "keyword"}) for label in LABELS)
        elif "properties" in mapping:
            yield from mapped(mapping["properties"], f"{path}{name}.")
        else:
            yield f"{path}{name}", mapping
            for more, under in mapping.get("fields", {}).items():
                yield f"{path}{name}.{more}", under


def names_of(value, path=""):
    """The fields that a document has."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from names_of(inner, f"{path}.{name}" if path else name)
    else:
        yield path


def unmapped(documents):
    """What is in documents and in no search, because the template does not know it."""
    known = {name for name, _ in mapped(json.loads(index_template.FILE.read_text())["template"]["mappings"]["properties"])}
    return sorted({name for document in documents for name in names_of(document)} - known)


def values_of(document, name):
    """The values of a field, whether it is written with objects or with dots."""
    found = [document]
    for part in name.split("."):
        found = [one[part] for one in found if isinstance(one, dict) and part in one]
    found += [document[name]] if "." in name and name in document else []
    return [str(value) for one in found for value in (one if isinstance(one, list) else [one]) if value is not None]


def folded(name, mapping, value):
    """A value as the index holds it, so that those that are one there are counted together."""
    if "normalizer" in mapping:
        # One letter for one, as Lucene does it.
        value = value.replace("İ", "i").lower()
    return value.replace("<", "").replace(">", "") if mapping.get("normalizer") == "bare" else value


def search_fields(search, documents, findings):
    """Each field by the values that are in it. The table says of the values how many found each document that has them."""
    rows = []
    for name, mapping in mapped(json.loads(index_template.FILE.read_text())["template"]["mappings"]["properties"]):
        if mapping.get("index") is False:
            rows.append((name, "not searched, by intent", "–"))
            continue
        kind = mapping["type"]
        source = name.removesuffix(".text") if kind == "text" else name
        holders = collections.defaultdict(set)
        for at, document in enumerate(documents):
            for value in values_of(document, source):
                holders[folded(name, mapping, value)].add(at)
        whole = {value: ids for value, ids in holders.items() if len(value.encode("utf-16-le")) // 2 <= index_template.WHOLE_MAX}
        if kind == "text":
            # Signs alone are no word.
            whole = {value: ids for value, ids in whole.items() if re.search(r"\w", value)}
        asked = sorted(whole, key=lambda value: (len(whole[value]), value))
        asked = asked[:: max(1, len(asked) // VALUES_MAX)]
        right = 0
        for value in asked:
            how = {"match_phrase": {name: value}} if kind == "text" else {"term": {name: value}}
            found = search.count(how)
            # Words are found in other texts too, and one time, address or text in any case may be written in several ways.
            exact = kind not in ("text", "date", "ip") and "normalizer" not in mapping
            good = found == len(whole[value]) if exact else found >= len(whole[value])
            right += good
            if not good:
                findings.append(f"index: {name}: {value[:60]!r} is found in {found} documents of {len(whole[value])}")
        if not asked:
            findings.append(f"index: {name}: no document holds a value, so nothing was tried")
        rows.append((name, "phrase" if kind == "text" else f"value ({kind})", f"{right} of {len(asked)}"))
    return rows


# As people search: what is asked, and a query that has to find the document below.
ASKED = (
    ("a word of a subject", {"match": {"email.subject.text": "überweisung"}}),
    ("a user in other letters", {"term": {"source.user.name": "ALICE.KEEN"}}),
    ("a sender in other letters", {"term": {"email.from.address": "alice.KEEN@contoso.com"}}),
    ("a status in small letters", {"term": {"event.action": "quarantined"}}),
    ("a message id with its brackets", {"term": {"email.message_id": "<Only.One@contoso.com>"}}),
    ("a message id without them", {"term": {"email.message_id": "only.one@contoso.com"}}),
    ("the beginning of a message id", {"prefix": {"email.message_id": "only.one"}}),
    ("a subject of 3000 characters as a whole", {"prefix": {"email.subject": "Überweisung xx"}}),
    ("an address in a network", {"term": {"source.ip": "198.51.100.0/24"}}),
    ("a time by its millisecond", {"range": {"@timestamp": {"gte": "2026-05-04T03:02:01.123Z", "lte": "2026-05-04T03:02:01.123Z"}}}),
)
ONE = {
    "@timestamp": "2026-05-04T03:02:01.123456Z",
    "event": {"action": "Quarantined"},
    "email": {
        "subject": "Überweisung " + "x" * 3000,
        "message_id": "<Only.One@contoso.com>",
        "from": {"address": ["Alice.Keen@contoso.com"]},
    },
    "source": {"user": {"name": "Alice.Keen"}, "ip": "198.51.100.77"},
}


def search_as_people(search, findings):
    search.ask("PUT", f"{INDEX}/_doc/one?refresh=true", ONE)
    rows = []
    for what, query in ASKED:
        found = search.count({"bool": {"must": [query, {"ids": {"values": ["one"]}}]}})
        rows.append((what, next(iter(query)), f"{found} of 1"))
        if found != 1:
            findings.append(f"index: {what} does not find it: {json.dumps(query, ensure_ascii=False)}")
    return rows


def check():
    findings = []
    with tempfile.TemporaryDirectory() as folder:
        corpus, events = documents(Path(folder))
        rejected = list(letters())
        everything = corpus + events + rejected
        findings += [f"index: {name} is in a document and not in the template" for name in unmapped(everything)]
        search = Search(Path(folder))
        try:
            search.ask("PUT", "_index_template/mail-traces", index_template.FILE.read_text())
            refused = fill(search, everything)
            findings += [f"index: a document is refused: {json.dumps(error)[:400]}" for error in refused]
            rows = search_fields(search, everything, findings)
            rows += search_as_people(search, findings)
        finally:
            search.stop()
    for row in rows:
        print("| {} | {} | {} |".format(*row))
    told = f"{len(corpus)} events of the corpus, {len(events)} others and {len(rejected)} dead letters"
    print(f"index: {told}, {len(refused)} refused, {len(rows)} searches")
    return findings
