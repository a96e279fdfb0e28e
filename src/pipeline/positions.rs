//! Where a partition that was just assigned starts.

use std::collections::HashMap;
use std::time::Duration;

use rdkafka::consumer::Consumer as _;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};

use super::marks::{Marks, marks};
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
    /// The leader epoch of what lies before it, when it was committed with one.
    pub epoch: Option<i32>,
    /// Whether the group had committed it; otherwise it is committed at once.
    pub committed: bool,
}

/// An offset that was kept, with what was kept beside it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    pub offset: i64,
    pub epoch: Option<i32>,
    /// Of the topic that it is an offset of.
    pub topic_id: Option<String>,
}

/// What has become of a position since it was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The partition still has it. Whether it is still the same log, the leader epoch may tell.
    There,
    OutOfRange,
    Recreated,
    /// The log ends before it: it was cut back.
    Cut,
}

impl Fate {
    /// By the partition's ends and the id that its topic has now. Offsets without an id were committed by others, or by
    /// older versions: they are trusted as far as they lie within the partition.
    pub fn of(kept: &Kept, marks: &Marks, topic_id: Option<&str>) -> Self {
        let is_same = kept.topic_id.as_deref().zip(topic_id).map(|(then, now)| then == now);
        match (kept.offset, is_same) {
            (_, Some(false)) => Self::Recreated,
            (offset, Some(true)) if offset > marks.high => Self::Cut,
            // A topic that is made anew begins with the first epoch again; an election only goes up.
            (offset, None) if offset > marks.high => match kept.epoch.zip(marks.epoch) {
                Some((then, now)) if now > then => Self::Cut,
                Some(_) | None => Self::Recreated,
            },
            (offset, _) if offset < marks.low => Self::OutOfRange,
            _ => Self::There,
        }
    }
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
                        at(gone.new_offset, None, false)
                    }
                },
                (None, Some(marks)) if committed.keys().any(|(other, _)| other == topic) => at(marks.low, None, false),
                (None, Some(marks)) => at(first(look.consumer, topic, *partition, marks, start)?, None, false),
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
                return Ok(Some(Gone { reason: OffsetReset::Truncated, new_offset }));
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
        Ok(Gone { reason, new_offset })
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
    asked.add_partition_offset(topic, partition, Offset::Offset(time_ms)).map_err(failed)?;
    let answer = consumer.offsets_for_times(asked, TIMEOUT).map_err(failed)?;
    let found = answer.find_partition(topic, partition).map(|element| element.offset());
    match found {
        Some(Offset::Offset(offset)) => Ok(offset),
        // Nothing as late as that: what comes next is.
        _ => latest(consumer, topic, partition),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_became_of_a_position_is_told_by_id_then_by_range_then_by_epoch() {
        let kept = |offset, epoch, id: Option<&str>| Kept { offset, epoch, topic_id: id.map(str::to_owned) };
        let marks = Marks { low: 10, high: 20, epoch: Some(5) };
        let cases = [
            ("the same topic", kept(15, Some(5), Some("a")), Fate::There),
            ("its end", kept(20, Some(5), Some("a")), Fate::There),
            ("another leader since, the epoch is for the brokers to judge", kept(15, Some(3), Some("a")), Fate::There),
            ("another topic of any length", kept(15, Some(5), Some("b")), Fate::Recreated),
            ("another topic that is shorter", kept(25, Some(3), Some("b")), Fate::Recreated),
            ("the same topic, cut back", kept(21, Some(3), Some("a")), Fate::Cut),
            ("retention was faster", kept(9, Some(5), Some("a")), Fate::OutOfRange),
            ("retention was faster, nobody says where", kept(9, None, None), Fate::OutOfRange),
            ("without an id it is trusted", kept(15, None, None), Fate::There),
            ("without an id past the end", kept(21, None, None), Fate::Recreated),
            ("without an id past the end, but led by others since", kept(21, Some(3), None), Fate::Cut),
            ("without an id past the end, and the leaders counted anew", kept(21, Some(7), None), Fate::Recreated),
        ];
        for (what, kept, fate) in cases {
            assert_eq!(Fate::of(&kept, &marks, Some("a")), fate, "{what}");
        }
        assert_eq!(Fate::of(&kept(15, Some(5), Some("a")), &marks, None), Fate::There, "brokers that give no ids");
    }
}
