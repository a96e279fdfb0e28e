//! Why a topic cannot be read: one line, with what to do about it.

use rdkafka::consumer::Consumer as _;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use thiserror::Error;

use crate::kafka::admin::refusal::{Refusal, Resource};
use crate::kafka::clients::{ClientError, Consumer};
use crate::kafka::ffi::Operation;

#[derive(Debug, Error)]
pub enum ScanError {
    #[error(transparent)]
    Refused(Refusal),
    #[error("a client cannot be made: {0}")]
    Client(KafkaError),
    #[error("topic {topic} has no partition {partition}: they are 0 to {last}")]
    NoPartition { topic: String, partition: i32, last: i32 },
    #[error("cannot look up offsets of topic {topic}: {source} (is a broker away? try again)")]
    LookUp { topic: String, source: KafkaError },
    #[error(
        "nothing came from partition {partition} of topic {topic} for {seconds} s{reason} (is its broker away? try again)"
    )]
    Silent { topic: String, partition: i32, seconds: u64, reason: String },
    #[error(
        "partition {partition} of topic {topic} ends at {end} now, before offset {offset}: the topic was made anew (try again)"
    )]
    Recreated { topic: String, partition: i32, offset: i64, end: i64 },
    #[error("cannot read partition {partition} of topic {topic} from offset {offset}: {source}")]
    Read { topic: String, partition: i32, offset: i64, source: KafkaError },
}

impl ScanError {
    /// The topic may not be read; `key` is the setting that names it.
    pub(super) fn denied(topic: &str, key: &'static str) -> Self {
        Self::Refused(Refusal::Denied { resource: Resource::Topic(topic.to_owned()), operation: Operation::Read, key })
    }
}

/// The newest of what the client said beside its data; passing troubles of a group that is never joined are none.
pub(super) fn last_words(consumer: &Consumer) -> Option<ClientError> {
    let errors = consumer.context().take().unwrap_or_default().errors;
    errors.into_iter().rfind(|error| !is_of_the_group(error.code))
}

/// The client looks for the coordinator of its group, though it has nothing to say to it. Whether it finds one, or may
/// ask at all, changes nothing for us.
pub(super) fn is_of_the_group(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        code,
        Code::GroupAuthorizationFailed
            | Code::CoordinatorNotAvailable
            | Code::CoordinatorLoadInProgress
            | Code::NotCoordinator
    )
}
