//! Where a partition that was just assigned starts.

use std::collections::HashMap;
use std::time::Duration;

use rdkafka::consumer::Consumer as _;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};
use thiserror::Error;

use crate::config::Start;
use crate::kafka::clients::Consumer;
use crate::kafka::errors;
use crate::telemetry::metrics::OffsetReset;

/// The longest that one question to the cluster may block the engine.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Where a partition starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
    /// Whether the group had committed it; otherwise it is committed at once.
    pub committed: bool,
}

/// A position that its partition does not have any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone {
    pub reason: OffsetReset,
    pub new_offset: i64,
}

impl Gone {
    /// Loudly: records may be missed by this.
    pub fn tell(&self, topic: &str, partition: i32, offset: i64) {
        let (to, reason) = (self.new_offset, self.reason.name());
        tracing::error!(topic, partition, offset, to, reason, "the position is gone: records may be missed");
    }
}

#[derive(Debug, Error)]
pub enum PositionError {
    #[error("{action}: {error}")]
    Kafka { action: &'static str, error: KafkaError },
    /// Offsets that were sent to a transaction hold back those that were committed before, until it ends.
    #[error(
        "the group's offset of {topic}/{partition} is part of a transaction that another process began and has not ended"
    )]
    Pending { topic: String, partition: i32 },
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
}

/// Looks up where the given partitions start: at the group's committed offset; without one where `start` says, unless
/// the group already reads other partitions of the topic: then the partition was added, and starts at its beginning.
/// A committed offset that the partition does not have any more is replaced, which `resets` tells.
pub fn positions(
    consumer: &Consumer,
    assigned: &[(String, i32)],
    partitions_of: &HashMap<String, usize>,
    start: Start,
    resets: &mut HashMap<(String, i32), OffsetReset>,
) -> Result<Vec<Position>, PositionError> {
    let mut asked = TopicPartitionList::new();
    for (topic, partition) in assigned {
        asked.add_partition(topic, *partition);
    }
    for (topic, count) in partitions_of {
        for partition in 0..i32::try_from(*count).unwrap_or(i32::MAX) {
            if assigned.iter().any(|(ours, _)| ours == topic) && asked.find_partition(topic, partition).is_none() {
                asked.add_partition(topic, partition);
            }
        }
    }
    let committed = committed(consumer, asked)?;
    assigned
        .iter()
        .map(|(topic, partition)| {
            let at = |offset, committed| Position { topic: topic.clone(), partition: *partition, offset, committed };
            Ok(match committed.get(&(topic.clone(), *partition)) {
                Some(offset) => match gone(consumer, topic, *partition, *offset, start)? {
                    None => at(*offset, true),
                    Some(gone) => {
                        gone.tell(topic, *partition, *offset);
                        resets.insert((topic.clone(), *partition), gone.reason);
                        at(gone.new_offset, false)
                    }
                },
                None if committed.keys().any(|(other, _)| other == topic) => {
                    at(low(consumer, topic, *partition)?, false)
                }
                None => at(first(consumer, topic, *partition, start)?, false),
            })
        })
        .collect()
}

/// Whether a partition still has the offset that is next; if not, where to go on instead.
pub fn gone(
    consumer: &Consumer,
    topic: &str,
    partition: i32,
    offset: i64,
    start: Start,
) -> Result<Option<Gone>, PositionError> {
    let (low, high) = watermarks(consumer, topic, partition)?;
    let reason = match offset {
        _ if offset < low => OffsetReset::OutOfRange,
        // Nothing was deleted behind an end that moved back: the topic is another one.
        _ if offset > high => OffsetReset::Recreated,
        _ => return Ok(None),
    };
    let new_offset = match start {
        Start::Error => {
            return Err(PositionError::Gone { topic: topic.to_owned(), partition, offset, low, high });
        }
        start => first(consumer, topic, partition, start)?,
    };
    Ok(Some(Gone { reason, new_offset }))
}

/// The committed offsets among the partitions asked for.
pub fn committed(consumer: &Consumer, asked: TopicPartitionList) -> Result<HashMap<(String, i32), i64>, PositionError> {
    let answer = consumer
        .committed_offsets(asked, TIMEOUT)
        .map_err(|error| PositionError::Kafka { action: "look up the group's committed offsets", error })?;
    let mut found = HashMap::new();
    for element in answer.elements() {
        element.error().map_err(|error| match errors::code(&error) {
            RDKafkaErrorCode::UnstableOffsetCommit => {
                PositionError::Pending { topic: element.topic().to_owned(), partition: element.partition() }
            }
            _ => PositionError::Kafka { action: "look up the group's committed offsets", error },
        })?;
        if let Offset::Offset(offset) = element.offset() {
            found.insert((element.topic().to_owned(), element.partition()), offset);
        }
    }
    Ok(found)
}

/// Where a partition of a topic that was made anew goes on; its offsets mean something else now.
pub fn anew(consumer: &Consumer, topic: &str, partition: i32, start: Start) -> Result<Option<Gone>, PositionError> {
    let new_offset = first(consumer, topic, partition, start)?;
    Ok(Some(Gone { reason: OffsetReset::Recreated, new_offset }))
}

fn first(consumer: &Consumer, topic: &str, partition: i32, start: Start) -> Result<i64, PositionError> {
    match start {
        Start::Earliest => low(consumer, topic, partition),
        Start::Latest => Ok(watermarks(consumer, topic, partition)?.1),
        Start::At(time) => at(consumer, topic, partition, time.timestamp_millis()),
        Start::Error => Err(PositionError::NoOffset { topic: topic.to_owned(), partition }),
    }
}

/// The first and the next offset of a partition.
pub fn watermarks(consumer: &Consumer, topic: &str, partition: i32) -> Result<(i64, i64), PositionError> {
    consumer
        .fetch_watermarks(topic, partition, TIMEOUT)
        .map_err(|error| PositionError::Kafka { action: "look up the ends of a partition", error })
}

fn low(consumer: &Consumer, topic: &str, partition: i32) -> Result<i64, PositionError> {
    Ok(watermarks(consumer, topic, partition)?.0)
}

fn at(consumer: &Consumer, topic: &str, partition: i32, time_ms: i64) -> Result<i64, PositionError> {
    let failed = |error| PositionError::Kafka { action: "look up the offset of a time", error };
    let mut asked = TopicPartitionList::new();
    asked.add_partition_offset(topic, partition, Offset::Offset(time_ms)).map_err(failed)?;
    let answer = consumer.offsets_for_times(asked, TIMEOUT).map_err(failed)?;
    let found = answer.find_partition(topic, partition).map(|element| element.offset());
    match found {
        Some(Offset::Offset(offset)) => Ok(offset),
        // Nothing as late as that: what comes next is.
        _ => Ok(watermarks(consumer, topic, partition)?.1),
    }
}
