//! docs/metrics.md out of what the registry itself says: names, types, help texts, labels and buckets.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::metrics::Metrics;

const HEAD: &str = "\
# Metrics

Written from the registry in the source; do not edit. A test keeps it in step.

`/metrics` on `http.listen`: OpenMetrics for whoever asks for it (`Accept`), Prometheus' text format 0.0.4 for everybody else. Labels whose values are listed are exported from the start, at 0. The series of a
partition go away when it is revoked. `process_*` and `memory_resident_bytes` come from `/proc` at each scrape, on Linux only.

The account, in records: `records_polled_total` = `records_delivered_total` + `records_dead_lettered_total` +
`records_skipped_total` + `records_abandoned_total` + `records_in_flight`. Polled counts when polled, abandoned when given back,
the others when sealed.

| series | type | labels | meaning |
| --- | --- | --- | --- |
";

/// Labels whose values nobody can list beforehand.
const OPEN: [&str; 6] = ["topic", "partition", "broker", "code", "version", "librdkafka"];

/// One series as the registry tells it.
#[derive(Debug, Default)]
struct Series {
    kind: String,
    help: String,
    labels: BTreeMap<String, BTreeSet<String>>,
    buckets: Vec<String>,
}

/// The whole page.
pub fn markdown() -> String {
    let mut page = HEAD.to_owned();
    let all = all_series();
    for (name, series) in &all {
        let labels = series.labels.iter().map(|(label, values)| show_label(label, values)).collect::<Vec<_>>();
        let _ = writeln!(page, "| `{name}` | {} | {} | {} |", series.kind, labels.join("; "), series.help);
    }
    page.push_str("\nBuckets, upper bounds in seconds:\n\n| histogram | buckets |\n| --- | --- |\n");
    for (name, series) in all.iter().filter(|(_, series)| !series.buckets.is_empty()) {
        let _ = writeln!(page, "| `{name}` | {} |", series.buckets.join(", "));
    }
    page
}

/// Names as they are exposed, `_total` included.
pub fn names() -> BTreeSet<String> {
    all_series().into_keys().collect()
}

fn show_label(label: &str, values: &BTreeSet<String>) -> String {
    if OPEN.contains(&label) {
        return format!("`{label}`");
    }
    let values: Vec<String> = values.iter().map(|value| format!("`{value}`")).collect();
    format!("`{label}`: {}", values.join(", "))
}

fn all_series() -> BTreeMap<String, Series> {
    let metrics = Metrics::new();
    // A family without a member exports nothing, its name included.
    metrics.processing_lag("topic", 0, 0, 0.0);
    metrics.committed_offset("topic", 0, 0);
    metrics.broker_up("broker", true);
    let mut all: BTreeMap<String, Series> = BTreeMap::new();
    for line in metrics.encode().lines() {
        if let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')) {
            all.entry(name.to_owned()).or_default().help = help.trim_end_matches('.').to_owned();
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            all.entry(name.to_owned()).or_default().kind = kind.to_owned();
        } else if !line.starts_with('#') {
            add_sample(&mut all, line);
        }
    }
    all.into_iter().map(|(name, series)| (exposed(&name, &series.kind), series)).collect()
}

/// A counter and an info are exposed under a longer name than the one they are described by.
fn exposed(name: &str, kind: &str) -> String {
    match kind {
        "counter" => format!("{name}_total"),
        "info" => format!("{name}_info"),
        _ => name.to_owned(),
    }
}

fn add_sample(all: &mut BTreeMap<String, Series>, line: &str) {
    let Some((name, rest)) = line.split_once('{') else { return };
    let Some((labels, _)) = rest.rsplit_once('}') else { return };
    let described = ["_total", "_info", "_bucket"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
    let Some(series) = all.get_mut(described) else { return };
    for (label, value) in labels.split(',').filter_map(|pair| pair.split_once('=')) {
        let value = value.trim_matches('"').to_owned();
        match label {
            "le" if value == "+Inf" => {}
            "le" => series.buckets.push(value),
            _ => {
                series.labels.entry(label.to_owned()).or_default().insert(value);
            }
        }
    }
}
