//! Where a bounded run ends, and whether it is there.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::consumer::Consumer as _;

use super::account::Account;
use super::intake::Intake;
use super::marks::marks;
use super::positions;
use super::positions::PositionError;
use crate::kafka::clients::Consumer;
use crate::kafka::ffi::{Ask, Which};
use crate::telemetry::statistics::Statistics;

/// How often the progress of other members is looked up.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The longest that one look may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Statistics in a row that must say so before a partition counts as read: one alone may be older than its records.
const STATISTICS_IN_A_ROW: u32 = 2;

/// Looks in a row, one a second, after which a transaction that holds back the end is not waited for any more.
const PATIENCE: u32 = 10;

type Key = (String, i32);

/// A transaction of somebody else that is open in the input: what was there at the start lies behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldBack {
    pub topic: String,
    pub partition: i32,
    /// Where it begins.
    pub offset: i64,
    /// The end that the partition had at the start.
    pub end: i64,
}

/// Something that was seen again and again.
#[derive(Clone, Copy, Debug, Default)]
struct Streak {
    offset: i64,
    times: u32,
}

impl Streak {
    fn see(&mut self, offset: i64) {
        let times = if self.offset == offset { self.times + 1 } else { 1 };
        *self = Self { offset, times };
    }
}

/// The end that each partition had at the start.
pub struct Ends {
    consumer: Arc<Consumer>,
    /// The high watermarks: a transaction that was open then is waited for, if not for ever.
    ends: BTreeMap<Key, i64>,
    /// Partitions whose last offsets hold no record for us (compaction): the client went past the end and has nothing
    /// queued, this many statistics in a row.
    passed: HashMap<Key, u32>,
    /// Partitions of ours that are read up to the last stable offset, which does not move.
    held: HashMap<Key, Streak>,
    /// The same of other members.
    held_others: HashMap<Key, Streak>,
    others_done: bool,
    look_at: Duration,
    checked_at: Duration,
}

impl Ends {
    /// Looks up the ends of all partitions.
    pub fn look_up(consumer: &Arc<Consumer>, topics: &[(String, usize)]) -> Result<Self, PositionError> {
        let of = |(topic, partitions): &(String, usize)| {
            let topic = topic.clone();
            (0..i32::try_from(*partitions).unwrap_or(i32::MAX)).map(move |partition| (topic.clone(), partition))
        };
        let keys: Vec<Key> = topics.iter().flat_map(of).collect();
        // Empty ones too: their start is committed before the run is done.
        let ends = marks(consumer, &keys)?.into_iter().map(|(key, marks)| (key, marks.high)).collect();
        Ok(Self {
            consumer: Arc::clone(consumer),
            ends,
            passed: HashMap::new(),
            held: HashMap::new(),
            held_others: HashMap::new(),
            others_done: false,
            look_at: Duration::ZERO,
            checked_at: Duration::ZERO,
        })
    }

    /// Reads the client's statistics.
    pub fn statistics(&mut self, json: &[u8]) {
        let Ok(statistics) = Statistics::parse(json) else {
            tracing::warn!("librdkafka's statistics cannot be read");
            return;
        };
        for (key, end) in &self.ends {
            let Some(fetched) = statistics.fetched(&key.0, key.1) else { continue };
            let passed = fetched.next_offset >= *end && fetched.queued == 0;
            let streak = self.passed.entry(key.clone()).or_default();
            *streak = if passed { *streak + 1 } else { 0 };
            let is_held =
                fetched.end >= 0 && fetched.end < *end && fetched.next_offset >= fetched.end && fetched.queued == 0;
            match is_held {
                true => self.held.entry(key.clone()).or_default().see(fetched.end),
                false => drop(self.held.remove(key)),
            }
        }
    }

    /// Positions have changed: what the statistics said about them is old.
    pub fn forget(&mut self) {
        self.passed.clear();
        self.held.clear();
        // What was others' may be ours, and the other way round.
        (self.others_done, self.look_at) = (false, Duration::ZERO);
    }

    /// Whether everything up to the ends was polled here or committed by other members, but for what lies behind open
    /// transactions that do not end.
    pub fn reached(&mut self, intake: &Intake, account: &Account, now: Duration) -> bool {
        let positions: HashMap<_, _> = account.positions().collect();
        let ours: HashMap<_, _> =
            intake.partitions().map(|(topic, partition, slot)| ((topic, partition), slot)).collect();
        let (mut others, mut held) = (Vec::new(), Vec::new());
        for (key, end) in &self.ends {
            let Some(slot) = ours.get(&(key.0.as_str(), key.1)) else {
                others.push((key.clone(), *end));
                continue;
            };
            let polled = positions.get(slot).is_some_and(|position| position >= end);
            let passed = self.passed.get(key).is_some_and(|streak| *streak >= STATISTICS_IN_A_ROW);
            let is_held = self.held.get(key).is_some_and(|streak| streak.times >= PATIENCE);
            match (polled || passed, is_held) {
                (true, _) => {}
                (false, true) => held.push(key.clone()),
                (false, false) => return false,
            }
        }
        self.still_held(&held, now) && (others.is_empty() || self.others_done(&others, now))
    }

    /// What lies behind open transactions that were not waited for any longer.
    pub fn held_back(&self, intake: &Intake, account: &Account) -> Vec<HeldBack> {
        let positions: HashMap<_, _> = account.positions().collect();
        let at_end: BTreeSet<_> = intake
            .partitions()
            .filter(|(topic, partition, slot)| {
                let end = self.ends.get(&((*topic).to_owned(), *partition));
                positions.get(slot).zip(end).is_some_and(|(position, end)| position >= end)
            })
            .map(|(topic, partition, _)| (topic.to_owned(), partition))
            .collect();
        let is_ours = |key: &Key| intake.partitions().any(|(topic, at, _)| topic == key.0 && at == key.1);
        let of_others = self.held_others.iter().filter(|(key, _)| !is_ours(key));
        let given_up = self.held.iter().chain(of_others).filter(|(_, streak)| streak.times >= PATIENCE);
        let told = given_up.filter(|(key, _)| !at_end.contains(*key)).filter_map(|(key, streak)| {
            let (topic, partition) = key.clone();
            Some(HeldBack { topic, partition, offset: streak.offset, end: *self.ends.get(key)? })
        });
        told.collect()
    }

    /// A client that did not fetch for a while has old statistics: before the run ends, the brokers are asked.
    fn still_held(&mut self, held: &[Key], now: Duration) -> bool {
        if held.is_empty() {
            return true;
        }
        if now < self.checked_at + LOOK_EVERY && self.checked_at > Duration::ZERO {
            return false;
        }
        self.checked_at = now;
        let stable = self.stable(held);
        let mut all = true;
        for key in held {
            let at = self.held.get(key).map(|streak| streak.offset);
            if stable.get(key).copied() != at {
                self.held.remove(key);
                all = false;
            }
        }
        all
    }

    /// The last stable offsets, as far as the brokers tell.
    fn stable(&self, keys: &[Key]) -> HashMap<Key, i64> {
        let ask = Ask { client: self.consumer.client(), broker: None, timeout: TIMEOUT };
        let asked = keys.iter().map(|(topic, partition)| (topic.as_str(), *partition));
        let answer = ask.offsets(asked, Which::Stable).unwrap_or_default();
        answer.into_iter().filter_map(|one| Some(((one.topic, one.partition), one.mark.ok()?.0))).collect()
    }

    /// Whether the group has committed up to these ends.
    fn others_done(&mut self, others: &[(Key, i64)], now: Duration) -> bool {
        if now >= self.look_at {
            self.look_at = now + LOOK_EVERY;
            self.others_done = match self.look_at_others(others) {
                Ok(done) => done,
                Err(error) => {
                    tracing::warn!(%error, "cannot look up how far other members are");
                    false
                }
            };
        }
        self.others_done
    }

    fn look_at_others(&mut self, others: &[(Key, i64)]) -> Result<bool, PositionError> {
        let mut asked = TopicPartitionList::new();
        for ((topic, partition), _) in others {
            asked.add_partition(topic, *partition);
        }
        let committed = positions::committed(&self.consumer, asked)?;
        let keys: Vec<_> = others.iter().map(|(key, _)| key.clone()).collect();
        let marks = marks(&self.consumer, &keys)?;
        let stable = self.stable(&keys);
        let mut all = true;
        for (key, end) in others {
            let at = committed.get(key).map(|kept| kept.offset);
            // An offset past the end is progress only when the partition has grown as far; else it is of an earlier topic.
            let high = marks.get(key).map_or(0, |marks| marks.high);
            if at.is_some_and(|at| at >= *end && at <= high) {
                self.held_others.remove(key);
                continue;
            }
            let held_at = stable.get(key).filter(|stable| *stable < end && at.is_some_and(|at| at >= **stable));
            match held_at {
                Some(stable) => {
                    let streak = self.held_others.entry(key.clone()).or_default();
                    streak.see(*stable);
                    all &= streak.times >= PATIENCE;
                }
                None => {
                    self.held_others.remove(key);
                    all = false;
                }
            }
        }
        Ok(all)
    }
}
