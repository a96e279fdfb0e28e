"""The rendered manifests against the schemas of Kubernetes and of the operators, and against checkov's policies."""

import json
import subprocess

import jsonschema
import yaml

import chart
import tools

GOLDEN = chart.CHART / "golden"
VERSIONS = ("1.31.0", "1.35.0")
OPERATORS = ("keda.sh/", "monitoring.coreos.com/")
# Strimzi's definitions come with its releases alone, in no package registry.
UNKNOWN = ("kafka.strimzi.io/",)

# Policies of checkov that are not ours to follow, and why.
SKIPPED = {
    "CKV_K8S_43": "a digest is the operator's to give (image.digest); a chart cannot know it",
    "CKV_K8S_15": "pulling always adds nothing to a version that never changes, and a registry that is down would stop restarts",
}
# Policies that a pod which runs once, for helm test, need not follow: there is nothing to probe.
ONCE = ("CKV_K8S_8", "CKV_K8S_9")


def documents():
    for file in sorted(GOLDEN.glob("*.yaml")):
        for document in yaml.safe_load_all(file.read_text()):
            if document:
                yield file.name, document


def strict(node):
    """An OpenAPI schema as a JSON schema that refuses unknown keys, as the API server's strict mode does."""
    if isinstance(node, list):
        return [strict(entry) for entry in node]
    if not isinstance(node, dict):
        return node
    node = {key: strict(value) for key, value in node.items()}
    if node.get("x-kubernetes-int-or-string"):
        return {"anyOf": [{"type": "integer"}, {"type": "string"}]}
    if node.get("type") == "object" and "properties" in node and "additionalProperties" not in node:
        if not node.get("x-kubernetes-preserve-unknown-fields"):
            node["additionalProperties"] = False
    return node


# Whose operator is older than the newest that we know, as their values say.
OLDER = {"keda-kafka.yaml": "v2.16.1"}


def definitions(files, without=()):
    """Schemas by kind and version, of every operator's version but some."""
    known = {}
    for file in files:
        if file.parent.name in without:
            continue
        definition = yaml.safe_load(file.read_text())["spec"]
        for version in definition["versions"]:
            schema = strict(version["schema"]["openAPIV3Schema"])
            # What every object has, and the definition leaves to Kubernetes.
            schema.setdefault("properties", {}).update(apiVersion={"type": "string"}, kind={"type": "string"}, metadata={"type": "object"})
            known[f"{definition['group']}/{version['name']}", definition["names"]["kind"]] = schema
    return known


def operators(findings):
    versions = {version for _, version, _, _ in tools.CRDS}
    newest = definitions(tools.crds(), without=OLDER.values())
    # Over the newest, so that the kinds of other operators are there.
    older = {file: newest | definitions(tools.crds(), without=versions - {version}) for file, version in OLDER.items()}
    checked = set()
    for file, document in documents():
        api, kind = document["apiVersion"], document["kind"]
        if not api.startswith(OPERATORS):
            continue
        checked.add(kind)
        known = older.get(file, newest)
        if (api, kind) not in known:
            findings.append(f"{file}: no definition of {api} {kind}")
            continue
        for error in jsonschema.Draft202012Validator(known[api, kind]).iter_errors(document):
            findings.append(f"{file}: {kind}: {error.json_path}: {error.message}")
    print(f"manifests: {', '.join(sorted(checked))} against their definitions")


def kubernetes(findings):
    file = tools.HOME / "kubernetes.yaml"
    ours = [document for _, document in documents() if not document["apiVersion"].startswith(OPERATORS + UNKNOWN)]
    file.write_text(yaml.safe_dump_all(ours))
    program = tools.environment("kubernetes-validate") / "kubernetes-validate"
    for version in VERSIONS:
        done = subprocess.run([program, "-k", version, "--strict", file], capture_output=True, text=True)
        if done.returncode != 0:
            findings.append(f"Kubernetes {version}: {done.stdout}{done.stderr}")
    print(f"manifests: {len(ours)} objects against Kubernetes {' and '.join(VERSIONS)}")


def policies(findings):
    program = tools.environment("checkov") / "checkov"
    options = ["--framework", "kubernetes", "--quiet", "--compact", "--output", "json", "--skip-download"]
    skipped = ["--skip-check", ",".join(SKIPPED)]
    done = subprocess.run([program, "--directory", GOLDEN, *options, *skipped], capture_output=True, text=True)
    try:
        report = json.loads(done.stdout)
    except ValueError:
        findings.append(f"checkov: {done.stdout}{done.stderr}")
        return
    for failed in report["results"]["failed_checks"]:
        if failed["check_id"] in ONCE and "-test-" in failed["resource"]:
            continue
        findings.append(f"checkov: {failed['check_id']} {failed['check_name']}: {failed['file_path']} {failed['resource']}")
    print(f"manifests: checkov passes {report['summary']['passed']} checks, without {', '.join(SKIPPED)}")


def check():
    findings = []
    kubernetes(findings)
    operators(findings)
    policies(findings)
    return findings
