//! The two texts in which metrics are told, and which of them is for whom.
//!
//! OpenMetrics is for whoever asks for it. Everybody else gets Prometheus' text format 0.0.4, which older readers know: some
//! refuse OpenMetrics for its types (`info`), others take it and lose every counter without a word, because its `# TYPE` line
//! names a counter without the `_total` of the samples.

use std::borrow::Cow;

/// A form of the answer to a scrape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exposition {
    OpenMetrics,
    Text,
}

impl Exposition {
    /// By the values of the request's `Accept` headers (RFC 9110, 12.5.1). Who names both and would rather have the text gets it.
    pub fn for_who_accepts<'a>(accepted: impl IntoIterator<Item = &'a str>) -> Self {
        let (mut open_metrics, mut text) = (0, 0);
        for range in accepted.into_iter().flat_map(|value| value.split(',')) {
            let mut parts = range.split(';').map(str::trim);
            let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
            let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
            let weight = weight.map_or(WEIGHT_MAX, thousandths);
            match kind.as_str() {
                "application/openmetrics-text" => open_metrics = open_metrics.max(weight),
                "text/plain" => text = text.max(weight),
                _ => {}
            }
        }
        if open_metrics > 0 && open_metrics >= text { Self::OpenMetrics } else { Self::Text }
    }

    pub fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
        }
    }

    /// The answer out of the registry's OpenMetrics text.
    pub fn write(self, open_metrics: String) -> String {
        match self {
            Self::OpenMetrics => open_metrics,
            Self::Text => text(&open_metrics),
        }
    }
}

/// The weight of who gives none.
const WEIGHT_MAX: u16 = 1000;

/// A weight is at most 1 and has at most three decimals. What is none weighs nothing.
fn thousandths(weight: &str) -> u16 {
    match weight.parse::<f32>() {
        // In this range the cast cuts nothing off.
        Ok(weight) if (0.0..=1.0).contains(&weight) => (weight * f32::from(WEIGHT_MAX)).round() as u16,
        _ => 0,
    }
}

/// Samples are written alike in both; what differs are the lines about them. There a family of counters is named as its samples
/// are, `info` and `unknown` are no types, and neither units nor an end are told.
fn text(open_metrics: &str) -> String {
    let mut out = String::with_capacity(open_metrics.len() + open_metrics.len() / 16);
    // The help comes before the type, and is named by it.
    let mut help = None;
    for line in open_metrics.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest.split_once(' ');
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            let (name, kind) = family(name, kind);
            if let Some((_, help)) = help.take() {
                push(&mut out, &["# HELP ", &name, " ", help]);
            }
            push(&mut out, &["# TYPE ", &name, " ", kind]);
        } else if !line.starts_with('#') {
            push(&mut out, &[line]);
        }
    }
    out
}

fn family<'a>(name: &'a str, kind: &'a str) -> (Cow<'a, str>, &'a str) {
    match kind {
        "counter" => (Cow::Owned(format!("{name}_total")), kind),
        "info" => (Cow::Owned(format!("{name}_info")), "gauge"),
        "stateset" => (Cow::Borrowed(name), "gauge"),
        "unknown" => (Cow::Borrowed(name), "untyped"),
        _ => (Cow::Borrowed(name), kind),
    }
}

fn push(out: &mut String, parts: &[&str]) {
    parts.iter().for_each(|part| out.push_str(part));
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openmetrics_is_for_whoever_names_it_and_does_not_prefer_the_text() {
        let prometheus = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
                          application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.2,*/*;q=0.1";
        for (accepted, expected) in [
            (vec![], Exposition::Text),
            (vec!["*/*"], Exposition::Text),
            (vec!["text/plain"], Exposition::Text),
            (vec!["text/html,application/xhtml+xml,*/*;q=0.8"], Exposition::Text),
            (vec![prometheus], Exposition::OpenMetrics),
            (vec!["Application/OpenMetrics-Text ; Q=0.1"], Exposition::OpenMetrics),
            (vec!["text/plain;q=0.3", "application/openmetrics-text;q=0.7"], Exposition::OpenMetrics),
            (vec!["text/plain;version=0.0.4;q=0.6,application/openmetrics-text;q=0.5"], Exposition::Text),
            (vec!["application/openmetrics-text;q=0"], Exposition::Text),
            (vec!["application/openmetrics-text;q=much"], Exposition::Text),
            (vec!["application/openmetrics-textual"], Exposition::Text),
        ] {
            assert_eq!(Exposition::for_who_accepts(accepted.clone()), expected, "{accepted:?}");
        }
    }

    #[test]
    fn the_text_names_families_as_its_samples_and_knows_four_types() {
        let open_metrics = "# HELP a_build What runs.\n# TYPE a_build info\na_build_info{version=\"1\"} 1\n\
                            # HELP a_seen Seen.\n# TYPE a_seen counter\n# UNIT a_seen s\na_seen_total{k=\"# TYPE\"} 2.0\n\
                            # HELP a_now Now.\n# TYPE a_now gauge\na_now 3\n# TYPE a_odd unknown\na_odd 4\n# EOF\n";
        let expected = "# HELP a_build_info What runs.\n# TYPE a_build_info gauge\na_build_info{version=\"1\"} 1\n\
                        # HELP a_seen_total Seen.\n# TYPE a_seen_total counter\na_seen_total{k=\"# TYPE\"} 2.0\n\
                        # HELP a_now Now.\n# TYPE a_now gauge\na_now 3\n# TYPE a_odd untyped\na_odd 4\n";
        assert_eq!(Exposition::Text.write(open_metrics.to_owned()), expected);
        assert_eq!(Exposition::OpenMetrics.write(open_metrics.to_owned()), open_metrics);
    }
}
