//! The Public Suffix List, looked up label by label in its text: the ICANN section only, explicit rules only.

use std::collections::HashSet;
use std::sync::LazyLock;

const LIST: &str = include_str!("../../src/normalize/public_suffixes.dat");

/// Each rule as the list has it, and with its labels as A-labels.
static RULES: LazyLock<HashSet<String>> = LazyLock::new(|| {
    let icann = LIST
        .split_once("===BEGIN ICANN DOMAINS===")
        .and_then(|(_, rest)| rest.split_once("===END ICANN DOMAINS==="))
        .expect("the list names its ICANN section")
        .0;
    icann
        .lines()
        .filter(|line| !line.starts_with("//"))
        .filter_map(|line| line.split_whitespace().next())
        .flat_map(|rule| [rule.to_owned(), rule.split('.').map(a_label).collect::<Vec<_>>().join(".")])
        .collect()
});

/// A domain divided at its public suffix.
#[derive(Debug)]
pub struct Parts {
    pub registered: String,
    pub suffix: String,
    pub subdomain: Option<String>,
}

/// `domain` is lower-case. `None` when it has no registered domain.
pub fn divide(domain: &str) -> Option<Parts> {
    let labels: Vec<&str> = domain.strip_suffix('.').unwrap_or(domain).split('.').collect();
    if labels.contains(&"") {
        return None;
    }
    let from = |start: usize| labels[start..].join(".");
    let is_rule = |rule: String| RULES.contains(&rule);
    let exception = (0..labels.len()).find(|&start| is_rule(format!("!{}", from(start))));
    let longest = || {
        (0..labels.len()).find(|&start| {
            is_rule(from(start)) || start + 1 < labels.len() && is_rule(format!("*.{}", from(start + 1)))
        })
    };
    let suffix = exception.map(|start| start + 1).or_else(longest)?;
    let registered = suffix.checked_sub(1)?;
    Some(Parts {
        registered: from(registered),
        suffix: from(suffix),
        subdomain: (registered > 0).then(|| labels[..registered].join(".")),
    })
}

/// Punycode (RFC 3492), without any mapping before it: the list's labels are normalized already.
fn a_label(label: &str) -> String {
    if label.is_ascii() {
        return label.to_owned();
    }
    let (mark, label) = label.strip_prefix('!').map_or(("", label), |rest| ("!", rest));
    let characters: Vec<u32> = label.chars().map(u32::from).collect();
    let mut out: String = label.chars().filter(char::is_ascii).collect();
    let basic = out.len() as u32;
    if basic > 0 {
        out.push('-');
    }
    let (mut n, mut delta, mut bias, mut handled) = (128, 0, 72, basic);
    while (handled as usize) < characters.len() {
        let next = *characters.iter().filter(|c| **c >= n).min().expect("a character is left");
        delta += (next - n) * (handled + 1);
        n = next;
        for &character in &characters {
            if character < n {
                delta += 1;
            }
            if character == n {
                push_number(&mut out, delta, bias);
                bias = adapt(delta, handled + 1, handled == basic);
                delta = 0;
                handled += 1;
            }
        }
        delta += 1;
        n += 1;
    }
    format!("{mark}xn--{out}")
}

fn push_number(out: &mut String, mut number: u32, bias: u32) {
    let digit = |value: u32| char::from(b"abcdefghijklmnopqrstuvwxyz0123456789"[value as usize]);
    for k in (36u32..).step_by(36) {
        let threshold = k.saturating_sub(bias).clamp(1, 26);
        if number < threshold {
            return out.push(digit(number));
        }
        out.push(digit(threshold + (number - threshold) % (36 - threshold)));
        number = (number - threshold) / (36 - threshold);
    }
}

fn adapt(delta: u32, points: u32, first: bool) -> u32 {
    let mut delta = if first { delta / 700 } else { delta / 2 };
    delta += delta / points;
    let mut k = 0;
    while delta > 455 {
        delta /= 35;
        k += 36;
    }
    k + 36 * delta / (delta + 38)
}
