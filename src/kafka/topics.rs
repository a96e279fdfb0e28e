//! What the cluster says about our topics before anything is moved: are they there, how many partitions, how large a
//! record may be.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, ConfigResource, ResourceSpecifier};
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::Consumer as _;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use thiserror::Error;
use tokio::runtime::Handle;

use super::clients::Consumer;
use super::limits::{DEFAULT_MAX_MESSAGE_BYTES, SizeLimits};
use super::settings;
use crate::config::Config;

/// How long one question to the cluster may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Why a topic cannot be worked with.
#[derive(Debug, Error)]
pub enum TopicError {
    #[error(
        "no broker of {servers} answered: {source} (check kafka.bootstrap_servers, kafka.security and the network)"
    )]
    Unreachable { servers: String, source: KafkaError },
    #[error("topic {topic} does not exist (create it, or correct {key})")]
    Missing { topic: String, key: &'static str },
    #[error("no permission to describe topic {topic} (grant Describe and {operation} on it)")]
    Unauthorized { topic: String, operation: &'static str },
    #[error("topic {topic} cannot be used: {code}")]
    Unusable { topic: String, code: RDKafkaErrorCode },
    #[error(
        "topic {topic} has {found} partitions, fewer than the {needed} of {input} (output.partition = \"source\" writes to \
         the partition it read from: add partitions, or use \"key\")"
    )]
    TooFewPartitions { topic: String, found: usize, needed: usize, input: String },
}

impl TopicError {
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "unreachable",
            Self::Missing { .. } => "topic_missing",
            Self::Unauthorized { .. } => "unauthorized",
            Self::Unusable { .. } => "topic_unusable",
            Self::TooFewPartitions { .. } => "too_few_partitions",
        }
    }
}

/// Number of partitions of each topic that we read or write.
#[derive(Clone, Debug)]
pub struct Partitions {
    pub input: Vec<(String, usize)>,
    pub output: usize,
    pub dead_letters: usize,
}

/// Looks all topics up; the errors of all of them at once.
pub fn look_up(consumer: &Consumer, config: &Config) -> Result<Partitions, Vec<TopicError>> {
    let mut errors = Vec::new();
    let mut count = |topic: &str, key, operation| match partitions(consumer, config, topic, key, operation) {
        Ok(count) => Some(count),
        Err(error) => {
            errors.push(error);
            None
        }
    };
    let input: Vec<_> = config
        .input
        .topics
        .iter()
        .filter_map(|topic| Some((topic.clone(), count(topic, "input.topics", "Read")?)))
        .collect();
    let output = count(&config.output.topic, "output.topic", "Write");
    let dead_letters = count(&config.dead_letters.topic, "dead_letters.topic", "Write");
    // The same broker would not answer four times over.
    if let Some(at) = errors.iter().position(|error| matches!(error, TopicError::Unreachable { .. })) {
        return Err(vec![errors.swap_remove(at)]);
    }
    match (output, dead_letters) {
        (Some(output), Some(dead_letters)) if errors.is_empty() => Ok(Partitions { input, output, dead_letters }),
        _ => Err(errors),
    }
}

fn partitions(
    consumer: &Consumer,
    config: &Config,
    topic: &str,
    key: &'static str,
    operation: &'static str,
) -> Result<usize, TopicError> {
    let topic = topic.to_owned();
    let metadata = consumer
        .fetch_metadata(Some(&topic), TIMEOUT)
        .map_err(|source| TopicError::Unreachable { servers: config.kafka.bootstrap_servers.join(","), source })?;
    let found = metadata.topics().iter().find(|found| found.name() == topic);
    match found.map(|found| (found.error().map(RDKafkaErrorCode::from), found.partitions().len())) {
        Some((Some(RDKafkaErrorCode::TopicAuthorizationFailed), _)) => {
            Err(TopicError::Unauthorized { topic, operation })
        }
        None
        | Some((Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic), _) | (None, 0)) => {
            Err(TopicError::Missing { topic, key })
        }
        Some((Some(code), _)) => Err(TopicError::Unusable { topic, code }),
        Some((None, partitions)) => Ok(partitions),
    }
}

impl Partitions {
    /// Partition numbers are carried over only where the topics written to have as many.
    pub fn carry_over(&self, config: &Config) -> Result<(), Vec<TopicError>> {
        let Some((input, needed)) = self.input.iter().max_by_key(|(_, partitions)| partitions) else {
            return Ok(());
        };
        let written = [(&config.output.topic, self.output), (&config.dead_letters.topic, self.dead_letters)];
        let errors: Vec<_> = written
            .into_iter()
            .filter(|(_, found)| found < needed)
            .map(|(topic, found)| TopicError::TooFewPartitions {
                topic: topic.clone(),
                found,
                needed: *needed,
                input: input.clone(),
            })
            .collect();
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }
}

/// Reads how large a record the topics we write to may hold. Where that may not be read (it needs DescribeConfigs) the
/// broker's default is assumed; a broker that disagrees says so when a record is produced.
pub fn size_limits(config: &Config, runtime: &Handle) -> SizeLimits {
    let topics = [config.output.topic.as_str(), config.dead_letters.topic.as_str()];
    let [output, dead_letters] = max_message_bytes(config, runtime, topics).unwrap_or_else(|error| {
        tracing::warn!(%error, assumed_bytes = DEFAULT_MAX_MESSAGE_BYTES, "cannot read max.message.bytes of our topics");
        [None, None]
    });
    SizeLimits::new(output.unwrap_or(DEFAULT_MAX_MESSAGE_BYTES), dead_letters.unwrap_or(DEFAULT_MAX_MESSAGE_BYTES))
}

fn max_message_bytes(config: &Config, runtime: &Handle, topics: [&str; 2]) -> Result<[Option<usize>; 2], KafkaError> {
    let admin: AdminClient<AdminEvents> = settings::common(config).create_with_context(AdminEvents)?;
    let resources = topics.map(ResourceSpecifier::Topic);
    let options = AdminOptions::new().request_timeout(Some(TIMEOUT));
    let answers = runtime.block_on(admin.describe_configs(&resources, &options))?;
    let mut found = answers.into_iter().map(|answer| match answer {
        Ok(resource) => limit_of(&resource),
        Err(code) => {
            tracing::warn!(%code, assumed_bytes = DEFAULT_MAX_MESSAGE_BYTES, "cannot read max.message.bytes of a topic");
            None
        }
    });
    Ok([found.next().flatten(), found.next().flatten()])
}

fn limit_of(resource: &ConfigResource) -> Option<usize> {
    resource.get("max.message.bytes")?.value.as_deref()?.parse().ok()
}

struct AdminEvents;

impl ClientContext for AdminEvents {
    fn log(&self, _: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(target: "librdkafka", client = "admin", facility, "{message}");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: "librdkafka", client = "admin", %error, "{reason}");
    }
}
