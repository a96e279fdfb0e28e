"""The dashboard as a picture: the same panels in the same places, drawn as SVG from what Prometheus answered."""

from xml.sax.saxutils import escape

CELL, HIGH, GAP = 50, 22, 8
COLORS = ["#7eb26d", "#eab839", "#6ed0e0", "#ef843c", "#e24d42", "#1f78c1", "#ba43a9", "#705da0"]
LEGEND = 4


def number(value, unit):
    if unit == "percentunit":
        return f"{value * 100:.3g} %"
    scales = ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1, "")) if unit != "s" else ((1, ""), (1e-3, "m"), (1e-6, "µ"))
    suffix = {"s": " s", "bytes": "B", "Bps": "B/s", "cps": "/s"}.get(unit, "")
    for factor, prefix in scales:
        if abs(value) >= factor:
            text = f"{value / factor:.3g}{prefix}"
            return f"{value / factor:.3g} {prefix}s" if unit == "s" else text + suffix
    return f"{value:.3g}{suffix}"


def label(target, metric):
    legend = target["legendFormat"]
    for name, value in metric.items():
        legend = legend.replace("{{" + name + "}}", value)
    return "" if legend == "__auto" else legend


def text(x, y, content, size=11, color="#d8d9da", anchor="start", weight="normal"):
    return (
        f'<text x="{x:.0f}" y="{y:.0f}" font-size="{size}" fill="{color}" text-anchor="{anchor}" font-weight="{weight}">'
        f"{escape(content)}</text>"
    )


def chart(box, unit, lines, span):
    x, y, width, height = box
    top = max(value for _, points in lines for _, value in points) * 1.1 or 1
    parts = []
    for step in range(3):
        at = y + height - height * step / 2
        parts.append(f'<path d="M{x:.0f} {at:.0f}h{width:.0f}" stroke="#333" stroke-width="1"/>')
        parts.append(text(x - 4, at + 4, number(top * step / 2, unit) if step else "0", 9, "#8e8e8e", "end"))
    for at, (_, points) in enumerate(lines):
        spots = [
            f"{x + width * (when - span[0]) / (span[1] - span[0]):.1f} {y + height - height * min(value, top) / top:.1f}"
            for when, value in points
        ]
        parts.append(f'<path d="M{"L".join(spots)}" fill="none" stroke="{COLORS[at % len(COLORS)]}" stroke-width="1.3"/>')
    return parts


def panel(model, found, span):
    place = model["gridPos"]
    x, y = place["x"] * CELL + GAP / 2, place["y"] * HIGH + GAP / 2
    width, height = place["w"] * CELL - GAP, place["h"] * HIGH - GAP
    unit = model["fieldConfig"]["defaults"]["unit"]
    lines = [(label(target, metric), points) for target, series in found for metric, points in series]
    parts = [f'<rect x="{x:.0f}" y="{y:.0f}" width="{width:.0f}" height="{height:.0f}" rx="3" fill="#1f1f20"/>']
    parts.append(text(x + 8, y + 16, model["title"], 12, weight="bold"))
    if not lines:
        return [*parts, text(x + width / 2, y + height / 2 + 8, "nothing to show", 11, "#8e8e8e", "middle")]
    if model["type"] == "stat":
        value = number(lines[0][1][-1][1], unit)
        return [*parts, text(x + width / 2, y + height / 2 + 20, value, 26, "#73bf69", "middle", "bold")]
    lines.sort(key=lambda line: -max(value for _, value in line[1]))
    named = lines[:LEGEND]
    room = 14 * len(named) if any(name for name, _ in named) else 0
    parts += chart((x + 48, y + 28, width - 60, height - 40 - room), unit, lines, span)
    for at, (name, points) in enumerate(named if room else []):
        base = y + height - room + 14 * at + 4
        more = f" (and {len(lines) - LEGEND} more)" if at == LEGEND - 1 and len(lines) > LEGEND else ""
        parts.append(f'<rect x="{x + 10:.0f}" y="{base - 5:.0f}" width="10" height="3" fill="{COLORS[at]}"/>')
        parts.append(text(x + 26, base, f"{name}{more}", 10, "#b0b0b0"))
        parts.append(text(x + width - 10, base, f"last {number(points[-1][1], unit)}", 10, "#b0b0b0", "end"))
    return parts


def draw(board, drawn, file):
    """The board's model, and of each query in it the panel, the target and its series."""
    times = [at for _, _, series in drawn for _, points in series for at, _ in points]
    span = (min(times), max(times))
    models, found = {}, {}
    for model, target, series in drawn:
        models[model["id"]] = model
        found.setdefault(model["id"], []).append((target, series))
    rows = max(model["gridPos"]["y"] + model["gridPos"]["h"] for model in models.values())
    width, height = 24 * CELL, rows * HIGH + GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif">',
        f'<rect width="{width}" height="{height}" fill="#111217"/>',
    ]
    for row in (one for one in board["panels"] if one["type"] == "row"):
        parts.append(text(6, row["gridPos"]["y"] * HIGH + 16, row["title"], 13, "#ffffff", weight="bold"))
    for at, model in models.items():
        parts += panel(model, found[at], span)
    file.write_text("\n".join([*parts, "</svg>", ""]))
