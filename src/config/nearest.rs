//! The known key that someone probably meant.

use std::collections::BTreeSet;

use super::settings::SETTINGS;

/// Longer keys are no misspelling of ours, and comparing them costs their length squared.
const COMPARED_MAX: usize = 100;

/// The known key, or group of keys, that is nearest to `key`.
pub fn to(key: &str) -> String {
    let key: String = key.chars().take(COMPARED_MAX).collect();
    let candidates = candidates();
    let nearest = candidates.iter().max_by(|a, b| likeness(&key, a).total_cmp(&likeness(&key, b)));
    nearest.cloned().unwrap_or_default()
}

fn candidates() -> BTreeSet<String> {
    let mut candidates = BTreeSet::new();
    for setting in SETTINGS {
        candidates.insert(setting.key.to_owned());
        if setting.is_secret() {
            candidates.insert(format!("{}_file", setting.key));
        }
        if let Some((group, _)) = setting.key.rsplit_once('.') {
            candidates.insert(group.to_owned());
        }
    }
    candidates
}

/// Between 0 and 1. Separators all count as the same, so that `log_level` is `log.level`; the right name in the wrong
/// group is nearer than a wrong name of the same length.
fn likeness(key: &str, known: &str) -> f64 {
    let plain = |text: &str| text.to_ascii_lowercase().replace(['.', '-'], "_");
    let whole = strsim::normalized_damerau_levenshtein(&plain(key), &plain(known));
    let last = |text: &str| text.rsplit('.').next().unwrap_or_default().to_owned();
    let name = strsim::normalized_damerau_levenshtein(&last(key), &last(known));
    whole.max(0.8 * name + 0.1 * whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_key_is_near_the_one_that_was_meant() {
        for (written, meant) in [
            ("kafka.bootstrap_server", "kafka.bootstrap_servers"),
            ("kafka.bootstrap.servers", "kafka.bootstrap_servers"),
            ("kafak", "kafka"),
            ("log_level", "log.level"),
            ("bootstrap_servers", "kafka.bootstrap_servers"),
            ("workers", "pipeline.workers"),
            ("input.commit_interval", "pipeline.commit_interval"),
            ("kafka.sasl.pasword", "kafka.sasl.password"),
            ("kafka.sasl.passwordfile", "kafka.sasl.password_file"),
            ("dead_letter.topic", "dead_letters.topic"),
        ] {
            assert_eq!(to(written), meant, "{written}");
        }
    }

    #[test]
    fn a_monstrous_key_costs_no_more_than_a_long_one() {
        assert!(!to(&"x".repeat(1 << 20)).is_empty());
    }
}
