//! Why it cannot be told where a partition goes on.

use rdkafka::error::KafkaError;
use thiserror::Error;

#[derive(Debug, Error)]
pub enum PositionError {
    #[error("{action}: {error}")]
    Kafka { action: &'static str, error: KafkaError },
    #[error(
        "group has no committed offset for {topic}/{partition}, and input.start = \"error\" (commit one, or let input.start \
         say where to begin)"
    )]
    NoOffset { topic: String, partition: i32 },
    #[error(
        "offset {offset} of {topic}/{partition} is gone, the partition has {low} to {high}, and input.start = \"error\" \
         (commit another offset, or let input.start say where to go on)"
    )]
    Gone { topic: String, partition: i32, offset: i64, low: i64, high: i64 },
    #[error(
        "topic {topic} was made anew since offset {offset} of partition {partition} was read, and input.start = \"error\" \
         (commit another offset, or let input.start say where to go on)"
    )]
    Recreated { topic: String, partition: i32, offset: i64 },
}
