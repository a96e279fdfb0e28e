//! What a topic of ours should be like that does not exist yet. Pure: it is told what there is and says what to make.

use super::fitness::TopicSettings;
use super::topics::{described, is_missing, uses};
use crate::config::Config;
use crate::kafka::ffi::{NewTopic, Topic};

/// Partitions of an input that nobody has given a number: a service can be scaled to as many instances.
const INPUT_PARTITIONS: i32 = 6;

/// Replicas where there are brokers for them: one may be repaired while another fails.
const REPLICATION: i32 = 3;

/// How long a dead letter waits for somebody who repairs its cause, in milliseconds: 30 days.
const DEAD_LETTERS_KEPT_MS: i64 = 30 * 24 * 60 * 60 * 1000;

/// What the operator says, and how large the cluster is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wishes {
    pub partitions: Option<i32>,
    pub replication: Option<i32>,
    pub brokers: i32,
}

/// The topics to make: those of `config` that are not among the `found` ones. `settings` are those of the found ones.
pub fn missing(config: &Config, wishes: Wishes, found: &[Topic], settings: &TopicSettings) -> Vec<NewTopic> {
    let input = Input::of(config, wishes, found, settings);
    let lacking = uses(config).into_iter().filter(|used| is_missing(described(found, used.topic)));
    let replication = wishes.replication.unwrap_or_else(|| REPLICATION.min(wishes.brokers).max(1));
    let topic = |name: &str| {
        let is_input = config.input.topics.iter().any(|input| input == name);
        let mut settings = safe(replication);
        if !is_input {
            settings.extend(input.taken_over());
        }
        if name == config.output.topic {
            settings.extend(input.kept_ms.map(|ms| ("retention.ms", ms.to_string())));
        } else if !is_input {
            settings.push(("retention.ms", DEAD_LETTERS_KEPT_MS.to_string()));
        }
        NewTopic { name: name.to_owned(), partitions: input.partitions, replication, settings }
    };
    lacking.map(|used| topic(used.topic)).collect()
}

/// What was acknowledged stays, and survives the loss of a broker where there are enough of them.
fn safe(replication: i32) -> Vec<(&'static str, String)> {
    let in_sync = if replication >= REPLICATION { 2 } else { 1 };
    vec![
        ("cleanup.policy", "delete".to_owned()),
        ("compression.type", "producer".to_owned()),
        ("message.timestamp.type", "CreateTime".to_owned()),
        ("min.insync.replicas", in_sync.to_string()),
        ("unclean.leader.election.enable", "false".to_owned()),
    ]
}

/// What the topics that are written take over from those that are read.
struct Input {
    partitions: i32,
    /// The largest record, when it is known.
    max_bytes: Option<u64>,
    /// How long the longest-kept record is kept, `-1` for ever, when it is known.
    kept_ms: Option<i64>,
}

impl Input {
    fn of(config: &Config, wishes: Wishes, found: &[Topic], settings: &TopicSettings) -> Self {
        let topics = || config.input.topics.iter();
        let counted = topics().filter_map(|name| described(found, name)).map(|topic| topic.partitions).max();
        let counted = counted.and_then(|count| i32::try_from(count).ok()).filter(|count| *count > 0);
        let values = || topics().filter_map(|name| settings.get(name));
        let max_bytes = values().filter_map(|values| values.get("max.message.bytes")?.parse().ok()).max();
        let kept = values().filter_map(|values| {
            let deletes = values.get("cleanup.policy")?.contains("delete");
            let kept_ms: i64 = values.get("retention.ms")?.parse().ok()?;
            Some(if deletes && kept_ms >= 0 { kept_ms } else { i64::MAX })
        });
        Self {
            partitions: wishes.partitions.or(counted).unwrap_or(INPUT_PARTITIONS),
            max_bytes,
            kept_ms: kept.max().map(|ms| if ms == i64::MAX { -1 } else { ms }),
        }
    }

    fn taken_over(&self) -> Option<(&'static str, String)> {
        self.max_bytes.map(|bytes| ("max.message.bytes", bytes.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::error::RDKafkaErrorCode;

    use super::*;

    fn found(name: &str, partitions: usize) -> Topic {
        let error = (partitions == 0).then_some(RDKafkaErrorCode::UnknownTopicOrPartition);
        Topic { name: name.to_owned(), error, id: None, partitions, allowed: None }
    }

    fn settings(topic: &str, values: &[(&str, &str)]) -> TopicSettings {
        let values = values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        [(topic.to_owned(), values)].into()
    }

    fn value<'t>(topic: &'t NewTopic, name: &str) -> Option<&'t str> {
        topic.settings.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    fn all_missing() -> [Topic; 3] {
        ["messagetrace.raw", "messagetrace.ecs", "messagetrace.dlq"].map(|name| found(name, 0))
    }

    #[test]
    fn on_an_empty_cluster_all_topics_are_made_alike() {
        for (brokers, replication, in_sync) in [(1, 1, "1"), (2, 2, "1"), (3, 3, "2"), (9, 3, "2")] {
            let wishes = Wishes { brokers, ..Wishes::default() };
            let made = missing(&Config::default(), wishes, &all_missing(), &TopicSettings::new());
            let names: Vec<_> = made.iter().map(|topic| topic.name.as_str()).collect();
            assert_eq!(names, ["messagetrace.raw", "messagetrace.ecs", "messagetrace.dlq"]);
            for topic in &made {
                assert_eq!((topic.partitions, topic.replication), (6, replication));
                assert_eq!(value(topic, "min.insync.replicas"), Some(in_sync));
                assert_eq!(value(topic, "cleanup.policy"), Some("delete"));
            }
            assert_eq!(value(&made[0], "retention.ms"), None);
            assert_eq!(value(&made[2], "retention.ms"), Some("2592000000"));
        }
    }

    #[test]
    fn what_the_operator_says_wins() {
        let wishes = Wishes { partitions: Some(2), replication: Some(1), brokers: 3 };
        let mut topics = all_missing();
        topics[0] = found("messagetrace.raw", 12);
        let made = missing(&Config::default(), wishes, &topics, &TopicSettings::new());
        assert_eq!(made.len(), 2);
        assert!(made.iter().all(|topic| (topic.partitions, topic.replication) == (2, 1)), "{made:?}");
    }

    #[test]
    fn what_is_written_takes_after_what_is_read() {
        let mut config = Config::default();
        config.input.topics = vec!["a".to_owned(), "b".to_owned()];
        let topics = [found("a", 4), found("b", 9), found("messagetrace.ecs", 0), found("messagetrace.dlq", 0)];
        let cases = [("delete", "86400000", "86400000"), ("delete", "-1", "-1"), ("compact", "86400000", "-1")];
        for (policy, retention, expected) in cases {
            let values = [("cleanup.policy", policy), ("retention.ms", retention), ("max.message.bytes", "5000000")];
            let made = missing(&config, Wishes::default(), &topics, &settings("b", &values));
            assert_eq!(made.iter().map(|topic| topic.partitions).collect::<Vec<_>>(), [9, 9]);
            assert_eq!(value(&made[0], "retention.ms"), Some(expected));
            assert_eq!(value(&made[1], "retention.ms"), Some("2592000000"));
            assert!(made.iter().all(|topic| value(topic, "max.message.bytes") == Some("5000000")), "{made:?}");
        }
    }

    #[test]
    fn a_topic_that_may_not_be_seen_is_not_made() {
        let mut topics = all_missing();
        topics[1].error = Some(RDKafkaErrorCode::TopicAuthorizationFailed);
        let made = missing(&Config::default(), Wishes::default(), &topics, &TopicSettings::new());
        assert_eq!(made.len(), 2);
    }
}
