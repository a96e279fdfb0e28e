//! The topics that we work with: what each is for, whether it can be used, and how large its records may be.

use rdkafka::error::RDKafkaErrorCode;

use super::cluster::Cluster;
use super::limits::{DEFAULT_MAX_MESSAGE_BYTES, SizeLimits};
use super::refusal::{Refusal, Resource};
use crate::config::{Config, Partition};
use crate::kafka::ffi::{Operation, Settings, Topic};

/// What one topic is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Use<'c> {
    pub topic: &'c str,
    /// The setting that names it.
    pub key: &'static str,
    /// What we do with it.
    pub operation: Operation,
}

/// All topics of a configuration, each once.
pub fn uses(config: &Config) -> Vec<Use<'_>> {
    let written = [("output.topic", &config.output.topic), ("dead_letters.topic", &config.dead_letters.topic)];
    let read = config.input.topics.iter().map(|topic| Use { topic, key: "input.topics", operation: Operation::Read });
    let written = written.into_iter().map(|(key, topic)| Use { topic, key, operation: Operation::Write });
    let mut uses: Vec<Use<'_>> = Vec::new();
    for used in read.chain(written) {
        if uses.iter().all(|known| known.topic != used.topic) {
            uses.push(used);
        }
    }
    uses
}

/// Their names.
pub fn names(config: &Config) -> Vec<&str> {
    uses(config).iter().map(|used| used.topic).collect()
}

/// Number of partitions of each topic that we read or write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partitions {
    pub input: Vec<(String, usize)>,
    pub output: usize,
    pub dead_letters: usize,
}

/// Judges what was found under the names of [`uses`], the topics that cannot be used all at once. Those that we may
/// not even look at are left to the [permissions](super::permissions).
pub fn partitions(config: &Config, found: &[Topic]) -> Result<Partitions, Vec<Refusal>> {
    let mut refusals: Vec<_> =
        uses(config).into_iter().filter_map(|used| refusal(used, described(found, used.topic))).collect();
    let count = |topic: &str| described(found, topic).map_or(0, |topic| topic.partitions);
    let partitions = Partitions {
        input: config.input.topics.iter().map(|topic| (topic.clone(), count(topic))).collect(),
        output: count(&config.output.topic),
        dead_letters: count(&config.dead_letters.topic),
    };
    if refusals.is_empty() && config.output.partition == Partition::Source {
        refusals.extend(partitions.carried_over(config));
    }
    if refusals.is_empty() { Ok(partitions) } else { Err(refusals) }
}

/// What was found under a name.
pub(super) fn described<'t>(found: &'t [Topic], name: &str) -> Option<&'t Topic> {
    found.iter().find(|topic| topic.name == name)
}

/// Whether there is no such topic; one that we may not see may be there.
pub fn is_missing(found: Option<&Topic>) -> bool {
    match found.map(|found| (found.error, found.partitions)) {
        None
        | Some((Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic), _) | (None, 0)) => {
            true
        }
        Some(_) => false,
    }
}

/// Whether a topic that is there may be written to, as far as anybody may know.
pub fn writable(topic: &Topic, key: &'static str) -> Result<(), Refusal> {
    let denied = || {
        let resource = Resource::Topic(topic.name.clone());
        Err(Refusal::Denied { resource, operation: Operation::Write, key })
    };
    match topic.error {
        Some(RDKafkaErrorCode::TopicAuthorizationFailed) => denied(),
        Some(code) => Err(Refusal::TopicUnusable { topic: topic.name.clone(), code }),
        None if topic.allowed.as_ref().is_some_and(|allowed| !allowed.contains(&Operation::Write)) => denied(),
        None => Ok(()),
    }
}

fn refusal(used: Use<'_>, found: Option<&Topic>) -> Option<Refusal> {
    let topic = used.topic.to_owned();
    if is_missing(found) {
        return Some(Refusal::TopicMissing { topic, key: used.key });
    }
    match found.and_then(|found| found.error) {
        None | Some(RDKafkaErrorCode::TopicAuthorizationFailed) => None,
        Some(code) => Some(Refusal::TopicUnusable { topic, code }),
    }
}

impl Partitions {
    /// Partition numbers are carried over only where the topics written to have as many.
    fn carried_over(&self, config: &Config) -> Vec<Refusal> {
        let Some((input, needed)) = self.input.iter().max_by_key(|(_, partitions)| partitions) else {
            return Vec::new();
        };
        let written = [(&config.output.topic, self.output), (&config.dead_letters.topic, self.dead_letters)];
        let too_few = written.into_iter().filter(|(_, found)| found < needed);
        let refused = too_few.map(|(topic, found)| Refusal::TooFewPartitions {
            topic: topic.clone(),
            found,
            needed: *needed,
            input: input.clone(),
        });
        refused.collect()
    }
}

/// Reads how large a record the topics we write to may hold. Where that may not be read (it needs DescribeConfigs) what
/// is known holds on; at first the broker's default is assumed. A broker that disagrees says so when a record is
/// produced.
pub fn size_limits(cluster: &Cluster<'_>, config: &Config, known: Option<SizeLimits>) -> SizeLimits {
    let assumed_bytes = DEFAULT_MAX_MESSAGE_BYTES;
    let assumed = known.unwrap_or(SizeLimits::new(assumed_bytes, assumed_bytes));
    let topics = [config.output.topic.as_str(), config.dead_letters.topic.as_str()];
    let found = match cluster.settings(&topics) {
        Ok(found) => found,
        Err(code) if known.is_some() => {
            tracing::debug!(%code, "cannot read max.message.bytes of our topics again");
            Vec::new()
        }
        Err(RDKafkaErrorCode::UnsupportedFeature) => {
            tracing::debug!(assumed_bytes, "the broker does not tell the settings of topics");
            Vec::new()
        }
        Err(code) => {
            tracing::warn!(%code, assumed_bytes, "cannot read max.message.bytes of our topics");
            Vec::new()
        }
    };
    let unread = topics.iter().zip(&found).filter_map(|(topic, found)| Some((topic, found.error?)));
    for (topic, code) in unread.filter(|_| known.is_none()) {
        tracing::warn!(topic, %code, assumed_bytes, "cannot read max.message.bytes of a topic");
    }
    let limit = |at: usize| found.get(at).and_then(max_message_bytes);
    SizeLimits::new(limit(0).unwrap_or(assumed.output), limit(1).unwrap_or(assumed.dead_letters))
}

fn max_message_bytes(settings: &Settings) -> Option<usize> {
    settings.values.get("max.message.bytes")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(partition: Partition) -> Config {
        let mut config = Config::default();
        config.input.topics = vec!["a".to_owned(), "b".to_owned(), "a".to_owned()];
        config.output.topic = "out".to_owned();
        config.output.partition = partition;
        config.dead_letters.topic = "dead".to_owned();
        config
    }

    fn found(name: &str, outcome: Result<usize, RDKafkaErrorCode>) -> Topic {
        let name = name.to_owned();
        Topic { name, error: outcome.err(), id: None, partitions: outcome.unwrap_or(0), allowed: None }
    }

    fn kinds(partition: Partition, found: &[Topic]) -> Vec<&'static str> {
        let refusals = partitions(&config(partition), found).err().unwrap_or_default();
        refusals.iter().map(Refusal::kind).collect()
    }

    #[test]
    fn each_topic_is_asked_for_once() {
        let config = config(Partition::Key);
        let names: Vec<_> = uses(&config).iter().map(|used| used.topic).collect();
        assert_eq!(names, ["a", "b", "out", "dead"]);
    }

    #[test]
    fn all_topics_that_cannot_be_used_are_refused_at_once() {
        use RDKafkaErrorCode as Code;
        let topics = [
            found("a", Err(Code::UnknownTopicOrPartition)),
            found("b", Err(Code::InvalidTopic)),
            found("dead", Err(Code::TopicAuthorizationFailed)),
        ];
        assert_eq!(kinds(Partition::Key, &topics), ["topic_missing", "topic_unusable", "topic_missing"]);
    }

    #[test]
    fn partition_numbers_are_carried_over_only_to_topics_with_as_many() {
        let topics = [found("a", Ok(2)), found("b", Ok(6)), found("out", Ok(5)), found("dead", Ok(6))];
        assert_eq!(kinds(Partition::Key, &topics), [""; 0]);
        assert_eq!(kinds(Partition::Source, &topics), ["too_few_partitions"]);
    }
}
