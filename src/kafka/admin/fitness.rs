//! Whether the settings of our topics and of the brokers fit what we do with them. What is found of a topic stops no
//! service: it is a record that would be refused, cut or deleted some day.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::config::{Config, GroupProtocol, Key, Timestamp, show_duration};

/// The settings of topics, by topic and name; a topic whose settings could not be read is left out.
pub type TopicSettings = BTreeMap<String, BTreeMap<String, String>>;

/// The settings of one topic.
#[derive(Clone, Copy)]
struct Of<'s> {
    topic: &'s str,
    values: &'s BTreeMap<String, String>,
}

impl<'s> Of<'s> {
    fn find(settings: &'s TopicSettings, topic: &'s str) -> Option<Self> {
        Some(Self { topic, values: settings.get(topic)? })
    }

    fn text(&self, name: &str) -> &'s str {
        self.values.get(name).map_or("", String::as_str)
    }

    /// A limit as a number; `-1` is none at all, as is the largest.
    fn limit(&self, name: &str) -> Option<i64> {
        let value = self.values.get(name)?.parse().ok()?;
        Some(if value < 0 { i64::MAX } else { value })
    }
}

/// Dead letters are for people, who do not work at night: kept for less than this, in milliseconds, they are gone before
/// anybody has seen them.
const LETTERS_KEPT_MS: i64 = 24 * 60 * 60 * 1000;

/// Brokers may take this long, in milliseconds, until what was sent or decided is written: a topic that refuses what is older
/// refuses records of now.
const ON_THE_WAY_MS: i64 = 60 * 1000;

/// What does not fit, one line each.
pub fn findings(config: &Config, settings: &TopicSettings) -> Vec<String> {
    let output = Of::find(settings, &config.output.topic);
    let dead_letters = Of::find(settings, &config.dead_letters.topic);
    let inputs = || config.input.topics.iter().filter_map(|topic| Of::find(settings, topic));
    let mut findings = Vec::new();
    // All copies of an event have its id: the last one is all that compaction has to keep. What is too old goes by time, as ever.
    let is_compactable = config.output.key == Key::EventId;
    for written in [output, dead_letters].into_iter().flatten() {
        findings.extend(compacted(written).filter(|_| !(is_compactable && written.topic == config.output.topic)));
        findings.extend(kept(written));
        findings.extend(inputs().filter_map(|input| size(input, written)));
    }
    findings.extend(dead_letters.and_then(letters_kept));
    if let Some(output) = output.filter(|_| config.output.timestamp == Timestamp::Source) {
        findings.extend(own_time(output));
        findings.extend(inputs().flat_map(|input| times(input, output)));
    }
    findings
}

/// Whether brokers with these settings take a member with our session. Under the newer protocol it is theirs.
pub fn session(config: &Config, broker: &BTreeMap<String, String>) -> Option<String> {
    if config.input.group_protocol == GroupProtocol::Consumer {
        return None;
    }
    let ours = config.input.session_timeout;
    let bound = |name: &str| broker.get(name)?.parse().ok().map(Duration::from_millis);
    let (least, most) = ("group.min.session.timeout.ms", "group.max.session.timeout.ms");
    let (bound, name) = match (bound(least), bound(most)) {
        (Some(bound), _) if ours < bound => (bound, least),
        (_, Some(bound)) if ours > bound => (bound, most),
        _ => return None,
    };
    let (ours, bound) = (show_duration(ours), show_duration(bound));
    Some(format!(
        "the brokers take no member with input.session_timeout = \"{ours}\": their {name} is {bound} (set \
         input.session_timeout to what they take)"
    ))
}

/// Records of one key are no copies of each other.
fn compacted(written: Of<'_>) -> Option<String> {
    written.text("cleanup.policy").contains("compact").then(|| {
        format!(
            "topic {} is compacted: it keeps one record a key and refuses those without (set its cleanup.policy to delete)",
            written.topic
        )
    })
}

/// What was acknowledged has to stay.
fn kept(written: Of<'_>) -> Vec<String> {
    let topic = written.topic;
    let mut findings = Vec::new();
    if written.text("unclean.leader.election.enable") == "true" {
        findings.push(format!(
            "topic {topic} may elect a leader that lacks acknowledged records (set its unclean.leader.election.enable to \
             false)"
        ));
    }
    if written.limit("message.timestamp.before.max.ms").is_some_and(|most| most < ON_THE_WAY_MS) {
        findings.push(format!(
            "topic {topic} refuses what is a moment old, new records and the ends of transactions too (raise its \
             message.timestamp.before.max.ms)"
        ));
    }
    findings
}

/// Dead letters have to stay until somebody has looked at them.
fn letters_kept(written: Of<'_>) -> Option<String> {
    let kept_ms = written.limit("retention.ms").filter(|_| written.text("cleanup.policy").contains("delete"))?;
    (kept_ms < LETTERS_KEPT_MS).then(|| {
        let kept = show_duration(Duration::from_millis(kept_ms.unsigned_abs()));
        format!(
            "topic {} keeps dead letters for {kept}, less than a day: they are gone before anybody has looked (raise its \
             retention.ms, to a month for example)",
            written.topic
        )
    })
}

/// Events and dead letters are larger than their record.
fn size(input: Of<'_>, written: Of<'_>) -> Option<String> {
    let name = "max.message.bytes";
    let (read, write) = (input.limit(name)?, written.limit(name)?);
    (write < read).then(|| {
        format!(
            "topic {} takes records of up to {write} bytes, fewer than the {read} of {} (raise its {name})",
            written.topic, input.topic
        )
    })
}

fn own_time(output: Of<'_>) -> Option<String> {
    (output.text("message.timestamp.type") == "LogAppendTime").then(|| {
        format!(
            "topic {} sets the timestamps itself (set its message.timestamp.type to CreateTime, or output.timestamp to \
             \"now\")",
            output.topic
        )
    })
}

/// The timestamps of the input go to the output, which must neither refuse nor delete them for their age.
fn times(input: Of<'_>, output: Of<'_>) -> Vec<String> {
    let deletes = |topic: Of<'_>| topic.text("cleanup.policy").contains("delete");
    let kept_ms = input.limit("retention.ms").filter(|_| deletes(input)).unwrap_or(i64::MAX);
    let or_now = "or set output.timestamp to \"now\"";
    let mut findings = Vec::new();
    if output.limit("message.timestamp.before.max.ms").is_some_and(|most| most < kept_ms) {
        findings.push(format!(
            "topic {} refuses records that {} still holds, for their age (raise its message.timestamp.before.max.ms, \
             {or_now})",
            output.topic, input.topic
        ));
    }
    if deletes(output) && output.limit("retention.ms").is_some_and(|kept| kept < kept_ms) {
        findings.push(format!(
            "topic {} deletes records sooner than {}, events of old records at once (raise its retention.ms, {or_now})",
            output.topic, input.topic
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Kafka makes a topic.
    const DEFAULTS: [(&str, &str); 6] = [
        ("cleanup.policy", "delete"),
        ("max.message.bytes", "1048588"),
        ("message.timestamp.before.max.ms", "9223372036854775807"),
        ("message.timestamp.type", "CreateTime"),
        ("retention.ms", "604800000"),
        ("unclean.leader.election.enable", "false"),
    ];

    fn found(timestamp: Timestamp, changes: &[(&str, &str, &str)]) -> Vec<String> {
        found_by(Key::Input, timestamp, changes)
    }

    fn found_by(key: Key, timestamp: Timestamp, changes: &[(&str, &str, &str)]) -> Vec<String> {
        let mut config = Config::default();
        (config.output.key, config.output.timestamp) = (key, timestamp);
        let values: BTreeMap<_, _> = DEFAULTS.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let topics = ["messagetrace.raw", "messagetrace.ecs", "messagetrace.dlq"];
        let mut settings: TopicSettings = topics.map(|topic| (topic.to_owned(), values.clone())).into();
        for (topic, name, value) in changes {
            let topic = format!("messagetrace.{topic}");
            settings.get_mut(&topic).expect("one of ours").insert((*name).to_owned(), (*value).to_owned());
        }
        findings(&config, &settings)
    }

    #[test]
    fn topics_as_kafka_makes_them_fit() {
        assert_eq!(found(Timestamp::Source, &[]), [""; 0]);
    }

    #[test]
    fn each_setting_that_does_not_fit_is_a_line_that_names_topic_and_setting() {
        let before = "message.timestamp.before.max.ms";
        let cases = [
            ("ecs", "cleanup.policy", "compact", "cleanup.policy"),
            ("dlq", "cleanup.policy", "compact,delete", "cleanup.policy"),
            ("dlq", "unclean.leader.election.enable", "true", "unclean.leader.election.enable"),
            ("ecs", "max.message.bytes", "1000000", "max.message.bytes"),
            ("dlq", "max.message.bytes", "1000000", "max.message.bytes"),
            ("ecs", "message.timestamp.type", "LogAppendTime", "message.timestamp.type"),
            ("ecs", before, "3600000", before),
            ("ecs", "retention.ms", "86400000", "retention.ms"),
            ("dlq", before, "59999", before),
            ("dlq", "retention.ms", "60000", "keeps dead letters for 1m"),
            ("raw", "retention.ms", "-1", "retention.ms"),
        ];
        for (topic, name, value, named) in cases {
            let findings = found(Timestamp::Source, &[(topic, name, value)]);
            assert_eq!(findings.len(), 1, "{topic} {name}={value}: {findings:?}");
            assert!(findings[0].contains(named) && findings[0].starts_with("topic messagetrace."), "{}", findings[0]);
        }
    }

    #[test]
    fn events_that_are_keyed_by_their_ids_may_be_compacted_and_dead_letters_never() {
        for policy in ["compact", "compact,delete"] {
            let found = |key, topic| found_by(key, Timestamp::Source, &[(topic, "cleanup.policy", policy)]).len();
            assert_eq!((found(Key::EventId, "ecs"), found(Key::EventId, "dlq")), (0, 1), "{policy}");
            assert_eq!((found(Key::Input, "ecs"), found(Key::Input, "dlq")), (1, 1), "{policy}");
        }
        let changes = [("ecs", "cleanup.policy", "compact,delete"), ("ecs", "retention.ms", "86400000")];
        let findings = found_by(Key::EventId, Timestamp::Source, &changes);
        assert!(findings.len() == 1 && findings[0].contains("deletes records sooner"), "{findings:?}");
    }

    #[test]
    fn the_time_of_processing_fits_any_retention() {
        let changes = [("ecs", "retention.ms", "1"), ("ecs", "message.timestamp.before.max.ms", "60000")];
        assert_eq!(found(Timestamp::Now, &changes), [""; 0]);
    }

    #[test]
    fn an_output_that_keeps_for_ever_fits_an_input_that_does() {
        let changes = [("raw", "retention.ms", "-1"), ("ecs", "retention.ms", "-1")];
        assert_eq!(found(Timestamp::Source, &changes), [""; 0]);
    }

    #[test]
    fn a_session_outside_the_bounds_of_the_brokers_is_named_with_the_bound() {
        let bounds = [("group.min.session.timeout.ms", "6000"), ("group.max.session.timeout.ms", "60000")];
        let bounds: BTreeMap<_, _> = bounds.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let found = |seconds, protocol| {
            let mut config = Config::default();
            config.input.session_timeout = Duration::from_secs(seconds);
            config.input.group_protocol = protocol;
            session(&config, &bounds)
        };
        for fitting in [6, 20, 60] {
            assert_eq!(found(fitting, GroupProtocol::Classic), None, "{fitting} s");
        }
        let short = found(5, GroupProtocol::Classic).expect("too short");
        assert!(short.contains("\"5s\"") && short.contains("group.min.session.timeout.ms is 6s"), "{short}");
        let long = found(61, GroupProtocol::Classic).expect("too long");
        assert!(long.contains("group.max.session.timeout.ms is 1m"), "{long}");
        assert_eq!(found(5, GroupProtocol::Consumer), None);
    }
}
