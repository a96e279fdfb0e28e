"""helm/messagetrace-ecs/README.md, as registries of charts show it: the values with their defaults, out of values.yaml and the
schema, so that neither is told twice by hand."""

import json
import re

import yaml

import schema

FILE = schema.CHART / "README.md"
HEAD = schema.CHART / "README.head.md"


def comments():
    """What stands above each value in values.yaml, by its path."""
    found, path, above = {}, [], []
    for line in (schema.CHART / "values.yaml").read_text().splitlines():
        text = line.strip()
        if text.startswith("#"):
            above.append(text.lstrip("#").strip().removeprefix("-- ").strip())
        elif match := re.match(r"( *)([A-Za-z_]\w*):", line):
            path = [*path[: len(match[1]) // 2], match[2]]
            if above:
                found[".".join(path)] = " ".join(above)
            above = []
        else:
            above = []
    return found


def kind(part):
    if "enum" in part:
        return ", ".join(f"`{json.dumps(value).strip(chr(34))}`" for value in part["enum"])
    if "anyOf" in part:
        return " or ".join(kind(one) for one in part["anyOf"])
    text = part.get("type", "any")
    least, most = part.get("minimum"), part.get("maximum")
    if least is not None:
        text += f", {least} to {most}" if most is not None else f", from {least} on"
    return text


def rows(part, values, path, said):
    for name, below in part["properties"].items():
        key = f"{path}{name}"
        if key == "global" or key.startswith("config."):
            continue
        if key != "config" and below.get("properties"):
            if key in said:
                yield f"| `{key}` | | | {said[key]} |"
            yield from rows(below, values.get(name) or {}, f"{key}.", said)
        else:
            default = json.dumps(values.get(name), ensure_ascii=False) if name in values else "–"
            yield f"| `{key}` | {kind(below)} | `{default}` | {said.get(key, '')} |"


def text():
    values = yaml.safe_load((schema.CHART / "values.yaml").read_text())
    lines = rows(json.loads(schema.FILE.read_text()), values, "", comments())
    table = "\n".join(line.replace(" | `–` | ", " | – | ") for line in lines)
    return f"{HEAD.read_text()}\n| value | form | default | meaning |\n| --- | --- | --- | --- |\n{table}\n"


def check(regenerate):
    if regenerate:
        FILE.write_text(text())
    if not FILE.is_file() or FILE.read_text() != text():
        return ["helm/messagetrace-ecs/README.md is behind the values: scripts/check-deploy --regenerate"]
    return []
