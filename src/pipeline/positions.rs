//! Where a partition that was just assigned starts.

use std::collections::HashMap;
use std::time::Duration;

use rdkafka::consumer::Consumer as _;
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};
use thiserror::Error;

use crate::config::Start;
use crate::kafka::clients::Consumer;

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

#[derive(Debug, Error)]
pub enum PositionError {
    #[error("{action}: {source}")]
    Kafka { action: &'static str, source: KafkaError },
    #[error(
        "group has no committed offset for {topic}/{partition}, and input.start = \"error\" (commit one, or let input.start \
         say where to begin)"
    )]
    NoOffset { topic: String, partition: i32 },
}

/// Looks up where the given partitions start: at the group's committed offset; without one where `start` says, unless
/// the group already reads other partitions of the topic: then the partition was added, and starts at its beginning.
pub fn positions(
    consumer: &Consumer,
    assigned: &[(String, i32)],
    partitions_of: &HashMap<String, usize>,
    start: Start,
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
            let known = committed.get(&(topic.clone(), *partition)).copied();
            let offset = match known {
                Some(offset) => offset,
                None if committed.keys().any(|(other, _)| other == topic) => low(consumer, topic, *partition)?,
                None => first(consumer, topic, *partition, start)?,
            };
            Ok(Position { topic: topic.clone(), partition: *partition, offset, committed: known.is_some() })
        })
        .collect()
}

/// The committed offsets among the partitions asked for.
pub fn committed(consumer: &Consumer, asked: TopicPartitionList) -> Result<HashMap<(String, i32), i64>, PositionError> {
    let answer = consumer
        .committed_offsets(asked, TIMEOUT)
        .map_err(|source| PositionError::Kafka { action: "look up the group's committed offsets", source })?;
    let mut found = HashMap::new();
    for element in answer.elements() {
        element
            .error()
            .map_err(|source| PositionError::Kafka { action: "look up the group's committed offsets", source })?;
        if let Offset::Offset(offset) = element.offset() {
            found.insert((element.topic().to_owned(), element.partition()), offset);
        }
    }
    Ok(found)
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
        .map_err(|source| PositionError::Kafka { action: "look up the ends of a partition", source })
}

fn low(consumer: &Consumer, topic: &str, partition: i32) -> Result<i64, PositionError> {
    Ok(watermarks(consumer, topic, partition)?.0)
}

fn at(consumer: &Consumer, topic: &str, partition: i32, time_ms: i64) -> Result<i64, PositionError> {
    let failed = |source| PositionError::Kafka { action: "look up the offset of a time", source };
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
