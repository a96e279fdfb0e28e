//! Where a bounded run ends, and whether it is there.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use rdkafka::TopicPartitionList;
use serde::Deserialize;

use super::account::Account;
use super::intake::Intake;
use super::positions;
use super::positions::PositionError;
use crate::kafka::clients::Consumer;

/// How often the progress of other members is looked up.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Statistics in a row that must say so before a partition counts as read: one alone may be older than its records.
const STATISTICS_IN_A_ROW: u32 = 2;

/// The end that each partition had at the start.
pub struct Ends {
    consumer: Arc<Consumer>,
    ends: BTreeMap<(String, i32), i64>,
    /// Partitions whose last offsets hold no record for us (transaction markers, compaction): the client went past the
    /// end and has nothing queued, this many statistics in a row.
    passed: HashMap<(String, i32), u32>,
    others_done: bool,
    look_at: Duration,
}

/// The part of librdkafka's statistics that tells how far fetching is.
#[derive(Deserialize)]
struct Statistics {
    #[serde(default)]
    topics: HashMap<String, TopicStatistics>,
}

#[derive(Deserialize)]
struct TopicStatistics {
    partitions: HashMap<String, PartitionStatistics>,
}

#[derive(Deserialize)]
struct PartitionStatistics {
    partition: i32,
    next_offset: i64,
    fetchq_cnt: i64,
}

impl Ends {
    /// Looks up the ends of all partitions.
    pub fn look_up(consumer: &Arc<Consumer>, topics: &[(String, usize)]) -> Result<Self, PositionError> {
        let mut ends = BTreeMap::new();
        for (topic, partitions) in topics {
            for partition in 0..i32::try_from(*partitions).unwrap_or(i32::MAX) {
                let (_, high) = positions::watermarks(consumer, topic, partition)?;
                // Empty ones too: their start is committed before the run is done.
                ends.insert((topic.clone(), partition), high);
            }
        }
        let consumer = Arc::clone(consumer);
        Ok(Self { consumer, ends, passed: HashMap::new(), others_done: false, look_at: Duration::ZERO })
    }

    /// Reads librdkafka's statistics.
    pub fn statistics(&mut self, json: &[u8]) {
        let Ok(statistics) = serde_json::from_slice::<Statistics>(json) else {
            tracing::warn!("librdkafka's statistics cannot be read");
            return;
        };
        for (topic, seen) in statistics.topics {
            for partition in seen.partitions.into_values() {
                let key = (topic.clone(), partition.partition);
                let Some(end) = self.ends.get(&key) else { continue };
                let passed = partition.next_offset >= *end && partition.fetchq_cnt == 0;
                let streak = self.passed.entry(key).or_default();
                *streak = if passed { *streak + 1 } else { 0 };
            }
        }
    }

    /// Positions have changed: what the statistics said about them is old.
    pub fn forget(&mut self) {
        self.passed.clear();
    }

    /// Whether everything up to the ends was polled here or committed by other members.
    pub fn reached(&mut self, intake: &Intake, account: &Account, now: Duration) -> bool {
        let positions: HashMap<_, _> = account.positions().collect();
        let ours: HashMap<_, _> =
            intake.partitions().map(|(topic, partition, slot)| ((topic, partition), slot)).collect();
        let mut others = Vec::new();
        for (key, end) in &self.ends {
            let Some(slot) = ours.get(&(key.0.as_str(), key.1)) else {
                others.push((key.clone(), *end));
                continue;
            };
            let polled = positions.get(slot).is_some_and(|position| position >= end);
            let passed = self.passed.get(key).is_some_and(|streak| *streak >= STATISTICS_IN_A_ROW);
            if !polled && !passed {
                return false;
            }
        }
        others.is_empty() || self.others_done(&others, now)
    }

    /// An offset past the end is progress only when the partition has grown as far; else it is of an earlier topic.
    fn exists(&self, (topic, partition): &(String, i32), offset: i64) -> bool {
        positions::watermarks(&self.consumer, topic, *partition).is_ok_and(|(_, high)| offset <= high)
    }

    /// Whether the group has committed up to these ends.
    fn others_done(&mut self, others: &[((String, i32), i64)], now: Duration) -> bool {
        if now >= self.look_at {
            self.look_at = now + LOOK_EVERY;
            let mut asked = TopicPartitionList::new();
            for ((topic, partition), _) in others {
                asked.add_partition(topic, *partition);
            }
            self.others_done = match positions::committed(&self.consumer, asked) {
                Ok(committed) => others.iter().all(|(key, end)| {
                    committed.get(key).is_some_and(|at| at >= end && (at == end || self.exists(key, *at)))
                }),
                Err(error) => {
                    tracing::warn!(%error, "cannot look up how far other members are");
                    false
                }
            };
        }
        self.others_done
    }
}
