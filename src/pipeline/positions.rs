//! Where a partition that was just assigned starts.

use std::collections::HashMap;
use std::time::Duration;

use rdkafka::consumer::Consumer as _;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};

use super::kept::{Fate, Kept, Marks};
use super::marks::marks;
use super::metadata;
use super::parting::{Asker, Read};
pub use super::position_error::PositionError;
use crate::config::{Config, Start};
use crate::kafka::clients::Consumer;
use crate::kafka::ffi;
use crate::kafka::ffi::{Ask, Which};
use crate::telemetry::metrics::OffsetReset;

/// The longest that one question to the cluster may block the engine.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Where a partition starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
    /// The leader epoch of what lies before it, or of the leader who was asked where to begin; when it is known.
    pub epoch: Option<i32>,
    /// Whether the group had committed it; otherwise it is committed at once.
    pub committed: bool,
}

/// A position that its partition does not have any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone {
    pub reason: OffsetReset,
    pub new_offset: i64,
    /// What lies before the new one is the log of the leader of this epoch.
    pub epoch: Option<i32>,
}

impl Gone {
    /// Where the log was cut back: what is read from there on is of its leader's epoch.
    pub fn cut(new_offset: i64, marks: &Marks) -> Self {
        Self { reason: OffsetReset::Truncated, new_offset, epoch: marks.epoch }
    }

    /// Loudly: records may be missed by this.
    pub fn tell(&self, topic: &str, partition: i32, offset: i64) {
        let (to, reason) = (self.new_offset, self.reason.name());
        match self.reason {
            OffsetReset::Truncated => tracing::error!(
                topic,
                partition,
                offset,
                to,
                reason,
                "the log was cut back by the election of a leader that had not got all of it: going on where the logs \
                 part; what the cluster has lost was read already, or will never come"
            ),
            OffsetReset::OutOfRange | OffsetReset::Recreated => {
                tracing::error!(topic, partition, offset, to, reason, "the position is gone: records may be missed");
            }
        }
    }
}

/// Looks up where the given partitions start: at the group's committed offset; without one where `input.start` says,
/// unless the group already reads other partitions of the topic: then the partition was added, and starts at its
/// beginning. A committed offset that the partition does not have any more is replaced, which `resets` tells.
pub fn positions(
    look: &Look<'_>,
    assigned: &[(String, i32)],
    partitions_of: &HashMap<String, usize>,
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
    let committed = committed(look.consumer, asked)?;
    let marks = marks(look.consumer, assigned)?;
    let mut asker = Asker::new(look.config);
    assigned
        .iter()
        .map(|key| {
            let (topic, partition) = key;
            let at = |offset, epoch, committed| Position {
                topic: topic.clone(),
                partition: *partition,
                offset,
                epoch,
                committed,
            };
            let start = look.config.input.start;
            Ok(match (committed.get(key), marks.get(key)) {
                (Some(kept), Some(marks)) => match look.replacement(key, kept, marks, &mut asker)? {
                    None => at(kept.offset, kept.epoch, true),
                    Some(gone) => {
                        gone.tell(topic, *partition, kept.offset);
                        resets.insert(key.clone(), gone.reason);
                        at(gone.new_offset, gone.epoch, false)
                    }
                },
                (None, Some(marks)) if committed.keys().any(|(other, _)| other == topic) => {
                    at(marks.low, marks.epoch, false)
                }
                (None, Some(marks)) => {
                    let offset = first(look.consumer, topic, *partition, marks, start)?;
                    at(offset, epoch_of_first(marks, start), false)
                }
                (_, None) => {
                    let error = KafkaError::MetadataFetch(RDKafkaErrorCode::UnknownPartition);
                    return Err(PositionError::Kafka { action: "look up the ends of partitions", error });
                }
            })
        })
        .collect()
}

/// What a look at positions is made with.
#[derive(Clone, Copy)]
pub struct Look<'a> {
    pub consumer: &'a Consumer,
    pub config: &'a Config,
    pub topic_ids: &'a HashMap<String, String>,
}

impl Look<'_> {
    /// What stands in for a position that its partition does not have any more; `None`: it has it.
    pub fn replacement(
        &self,
        key: &(String, i32),
        kept: &Kept,
        marks: &Marks,
        asker: &mut Asker<'_>,
    ) -> Result<Option<Gone>, PositionError> {
        let reason = match Fate::of(kept, marks, self.topic_ids.get(&key.0).map(String::as_str)) {
            Fate::There => return Ok(None),
            Fate::Cut => {
                let parting = self.parting(key, kept, marks, asker)?;
                let new_offset = parting.unwrap_or(marks.high).clamp(marks.low, marks.high);
                return Ok(Some(Gone::cut(new_offset, marks)));
            }
            Fate::OutOfRange => OffsetReset::OutOfRange,
            Fate::Recreated => OffsetReset::Recreated,
        };
        self.anew(key, kept, marks, reason).map(Some)
    }

    /// Where a partition begins anew, by what `input.start` says.
    pub fn anew(
        &self,
        key: &(String, i32),
        kept: &Kept,
        marks: &Marks,
        reason: OffsetReset,
    ) -> Result<Gone, PositionError> {
        let ((topic, partition), offset, start) = (key, kept.offset, self.config.input.start);
        let partition = *partition;
        let new_offset = match (start, reason) {
            (Start::Error, OffsetReset::Recreated) if kept.topic_id.is_some() => {
                return Err(PositionError::Recreated { topic: topic.clone(), partition, offset });
            }
            (Start::Error, _) => {
                let Marks { low, high, .. } = *marks;
                return Err(PositionError::Gone { topic: topic.clone(), partition, offset, low, high });
            }
            (start, _) => first(self.consumer, topic, partition, marks, start)?,
        };
        Ok(Gone { reason, new_offset, epoch: epoch_of_first(marks, start) })
    }

    /// Where the log that was read and the one that is there part, when that is before the position.
    pub fn parting(
        &self,
        key: &(String, i32),
        kept: &Kept,
        marks: &Marks,
        asker: &mut Asker<'_>,
    ) -> Result<Option<i64>, PositionError> {
        // Nobody else has led the partition since.
        let Some(epoch) = kept.epoch.filter(|epoch| marks.epoch != Some(*epoch)) else { return Ok(None) };
        let read = Read { topic: &key.0, partition: key.1, offset: kept.offset, epoch, high: marks.high };
        let action = "look up where the logs part";
        asker.parting(&read).map_err(|error| PositionError::Kafka { action, error })
    }
}

/// What the group has committed among the partitions asked for.
pub fn committed(
    consumer: &Consumer,
    asked: TopicPartitionList,
) -> Result<HashMap<(String, i32), Kept>, PositionError> {
    let answer = consumer
        .committed_offsets(asked, TIMEOUT)
        .map_err(|error| PositionError::Kafka { action: "look up the group's committed offsets", error })?;
    let beside = ffi::leader_epochs(&answer).into_iter().zip(ffi::metadata(&answer));
    let mut found = HashMap::new();
    for (element, (epoch, metadata)) in answer.elements().iter().zip(beside) {
        element
            .error()
            .map_err(|error| PositionError::Kafka { action: "look up the group's committed offsets", error })?;
        if let Offset::Offset(offset) = element.offset() {
            let topic_id = metadata::topic_id(&metadata).map(str::to_owned);
            found.insert((element.topic().to_owned(), element.partition()), Kept { offset, epoch, topic_id });
        }
    }
    Ok(found)
}

/// Where a partition begins that nobody has read. Of a topic that was just made, the client's own question for its
/// watermarks takes half a second a partition, so what is known already is not asked again.
fn first(consumer: &Consumer, topic: &str, partition: i32, marks: &Marks, start: Start) -> Result<i64, PositionError> {
    match start {
        Start::Earliest => Ok(marks.low),
        Start::Latest => latest(consumer, topic, partition),
        Start::At(time) => at(consumer, topic, partition, time.timestamp_millis()),
        Start::Error => Err(PositionError::NoOffset { topic: topic.to_owned(), partition }),
    }
}

/// The epoch that goes with it. Elsewhere than at the beginning it is asked after the marks, and others may lead by then.
fn epoch_of_first(marks: &Marks, start: Start) -> Option<i32> {
    marks.epoch.filter(|_| start == Start::Earliest)
}

/// The end of a partition as a reader of committed records sees it.
fn latest(consumer: &Consumer, topic: &str, partition: i32) -> Result<i64, PositionError> {
    let failed = |code| PositionError::Kafka {
        action: "look up the end of a partition",
        error: KafkaError::MetadataFetch(code),
    };
    let ask = Ask { client: consumer.client(), broker: None, timeout: TIMEOUT };
    let mut ends = ask.offsets([(topic, partition)].into_iter(), Which::Stable).map_err(failed)?;
    let end = ends.pop().ok_or_else(|| failed(RDKafkaErrorCode::UnknownPartition))?;
    end.mark.map(|(offset, _)| offset).map_err(failed)
}

fn at(consumer: &Consumer, topic: &str, partition: i32, time_ms: i64) -> Result<i64, PositionError> {
    let failed = |error| PositionError::Kafka { action: "look up the offset of a time", error };
    let mut asked = TopicPartitionList::new();
    // No record is older than that, and below it the client takes no time.
    asked.add_partition_offset(topic, partition, Offset::Offset(time_ms.max(0))).map_err(failed)?;
    let answer = consumer.offsets_for_times(asked, TIMEOUT).map_err(failed)?;
    let found = answer.find_partition(topic, partition).map(|element| element.offset());
    match found {
        Some(Offset::Offset(offset)) => Ok(offset),
        // Nothing as late as that: what comes next is.
        _ => latest(consumer, topic, partition),
    }
}
