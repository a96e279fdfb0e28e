//! What is told about the engine at work beside its account: lag, brokers, pauses, and what is in flight. Nothing here
//! decides anything.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use chrono::{SecondsFormat, Utc};

use super::Engine;
use super::brokers::{Brokers, Side};
use super::damage::Damage;
use crate::kafka::clients::Undelivered;
use crate::kafka::errors;
use crate::kafka::errors::Class;
use crate::pipeline::account::Slot;
use crate::pipeline::batch::Batch;
use crate::pipeline::decide::Retry;
use crate::pipeline::lookup::{Answer, End, Ids, Lookup};
use crate::pipeline::open_inputs;
use crate::pipeline::open_inputs::{Change, OpenInputs};
use crate::pipeline::outlet::Source;
use crate::telemetry::lag::{Fetching, Lag, Position};
use crate::telemetry::metrics::{Abort, Stall};
use crate::telemetry::statistics::{Membership, Statistics};

/// Between two looks at the gauges: far more often than anybody scrapes them.
const GAUGES_EVERY: Duration = Duration::from_millis(100);

/// Between two looks at the ids of the input topics. Between two of them a topic that was made anew is read on where the
/// old one was read.
const IDS_EVERY: Duration = Duration::from_secs(5);

/// What is remembered from turn to turn.
#[derive(Default)]
pub(super) struct Watch {
    /// A client said that it has lost every broker.
    pub(super) all_down: bool,
    /// The group gave us partitions, or none, since this engine began.
    pub(super) joined: bool,
    pub(super) damage: Vec<Damage>,
    pub(super) lag: Lag,
    pub(super) missed_since: Option<Duration>,
    pub(super) idle_since: Option<Duration>,
    lookup: Lookup,
    /// The partitions whose ends the last statistics did not tell.
    unknown: HashSet<(String, i32)>,
    /// Transactions of others that hold us up in the input.
    open: OpenInputs,
    /// When the ids of topics were last asked for.
    ids_asked: Duration,
    /// When the lag of partitions that nobody here reads was last told.
    unread_told: Duration,
    /// Whether the consumer is a member of its group and knows what is its own.
    is_member: bool,
    pub(super) brokers: Brokers,
    turned: Duration,
    gauges: Duration,
    was_paused: bool,
    epoch: u64,
}

impl Watch {
    /// Takes down what was polled, a run of records of one partition at a time.
    pub(super) fn polled(&mut self, batch: &Batch) {
        let mut at = 0;
        while at < batch.len() {
            let slot = batch.record(at).slot;
            let run = (at..batch.len()).map(|at| batch.record(at)).take_while(|record| record.slot == slot);
            let mut records = 0;
            let counted = run.inspect(|_| records += 1).map(|record| (record.offset, record.timestamp_ms));
            self.lag.polled(slot.0, counted);
            at += records;
        }
    }

    /// The consumer was polled until nothing came, or until a batch was full.
    pub(super) fn polled_until_empty(&mut self, drained: bool) {
        if drained {
            self.lag.drained();
        }
    }
}

impl Engine<'_> {
    /// Called once a turn.
    pub(super) fn watch_time(&mut self) {
        let since = self.now.saturating_sub(self.watch.turned);
        self.watch.turned = self.now;
        let is_paused = self.intake.is_paused();
        if is_paused && self.watch.was_paused {
            self.telemetry.metrics.paused_seconds(since.as_secs_f64());
        }
        if is_paused != self.watch.was_paused || self.epoch != self.watch.epoch {
            self.watch.lag.forget_fetched();
        }
        self.telemetry.health.paused(is_paused);
        self.watch.was_paused = is_paused;
        self.watch.epoch = self.epoch;
        if let Some(answer) = self.watch.lookup.answer() {
            self.looked_up(&answer);
        }
        if self.now >= self.watch.gauges + GAUGES_EVERY {
            self.watch.gauges = self.now;
            self.gauges();
        }
    }

    fn gauges(&self) {
        let waiting = self.current.as_ref().map_or(0, |current| current.batch.len() - current.record) as u64;
        let records = self.filling.len() as u64 + self.dealt_records + waiting + self.account.unsealed();
        let bytes = self.filling.input_bytes() + self.dealt_bytes;
        let metrics = &self.telemetry.metrics;
        metrics.records_in_flight.set(i64::try_from(records).unwrap_or(i64::MAX));
        metrics.in_flight_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// The consumer's statistics have come.
    pub(super) fn consumer_statistics(&mut self, json: &[u8]) {
        let statistics = match Statistics::parse(json) {
            Ok(statistics) => statistics,
            Err(error) => return tracing::warn!(%error, "the consumer's statistics cannot be read: lag stands still"),
        };
        self.watch.brokers.told(Side::Consumer, &statistics, &self.telemetry.metrics);
        self.miss_brokers();
        self.guard_consumer(&statistics);
        self.watch.is_member = statistics.membership() == Membership::Steady;
        let fetching = if self.intake.is_paused() { Fetching::Paused } else { Fetching::Going };
        let positions = self.positions();
        let mut unknown = HashSet::new();
        let mut changes = Vec::new();
        for (topic, partition, slot) in self.intake.partitions() {
            let (Some(fetched), Some(position)) = (statistics.fetched(topic, partition), positions.get(&slot)) else {
                continue;
            };
            if self.watch.lag.fetched(slot.0, fetched, fetching, *position) {
                unknown.insert((topic.to_owned(), partition));
            }
            if fetching == Fetching::Going {
                let ends = open_inputs::Ends { stable: fetched.end, high: fetched.high, fetched: fetched.next_offset };
                changes.extend(self.watch.open.look(slot, ends, self.now).into_iter().flatten().map(|one| (slot, one)));
            }
        }
        self.forget_series();
        if self.intake.assigned() == 0 {
            unknown = self.telemetry.metrics.partitions().into_iter().collect();
        }
        self.tell_open_inputs(&changes);
        let ids = if self.now >= self.watch.ids_asked + IDS_EVERY { Ids::Asked } else { Ids::NotAsked };
        let partitions = unknown.iter().cloned().collect();
        self.watch.unknown = unknown;
        if !(self.watch.unknown.is_empty() && ids == Ids::NotAsked)
            && self.look_up(partitions, ids)
            && ids == Ids::Asked
        {
            self.watch.ids_asked = self.now;
        }
        self.tell_lag();
    }

    /// Asks beside the engine; `false`: another answer is awaited.
    pub(super) fn look_up(&mut self, partitions: Vec<(String, i32)>, ids: Ids) -> bool {
        self.watch.lookup.ask(&self.intake.consumer, self.config, partitions, ids)
    }

    /// What was asked beside the engine.
    fn looked_up(&mut self, answer: &Answer) {
        self.guard_ends(&answer.ends);
        let slots: HashMap<_, _> =
            self.intake.partitions().map(|(topic, partition, slot)| ((topic, partition), slot)).collect();
        let since_told = self.now.saturating_sub(self.watch.unread_told).as_secs_f64();
        for End { topic, partition, stable, high } in &answer.ends {
            match slots.get(&(topic.as_str(), *partition)) {
                // Where the statistics tell it, what they say is newer.
                Some(slot) if self.watch.unknown.contains(&(topic.clone(), *partition)) => {
                    self.watch.lag.end(slot.0, *stable, *high);
                }
                None if slots.is_empty() && !self.watch.is_member => {
                    self.telemetry.metrics.lag_of_unread(topic, *partition, *high, since_told);
                }
                Some(_) | None => {}
            }
        }
        self.watch.unread_told = self.now;
        self.tell_lag();
        let Some(ids) = &answer.topic_ids else { return };
        if self.intake.topic_ids.keys().any(|known| !ids.contains_key(known)) {
            // The client finds out half a minute later.
            self.look_for_topics_at.get_or_insert(self.now);
        }
        let is_another = |topic| is_another(&self.intake.topic_ids, ids, topic);
        if self.intake.partitions().any(|(topic, ..)| is_another(topic)) && !self.position_gone {
            // The client reads on where it was; what an offset means there is another thing now.
            self.position_gone = true;
            self.decider.failed(Retry::AtOnce, Abort::Lost);
        }
    }

    /// Series of partitions that others read would stand still for ever. While there is nobody to know of, they stay: a
    /// client that has lost its group must not look as if nothing waited.
    pub(super) fn forget_series(&self) {
        let ours: HashSet<_> = self.intake.partitions().map(|(topic, partition, _)| (topic, partition)).collect();
        if ours.is_empty() && !self.watch.is_member {
            return;
        }
        for (topic, partition) in self.telemetry.metrics.partitions() {
            if !ours.contains(&(topic.as_str(), partition)) {
                self.telemetry.metrics.forget_partition(&topic, partition);
            }
        }
    }

    /// One line when a transaction of somebody else is seen to hold us up, one when it does no longer.
    fn tell_open_inputs(&mut self, changes: &[(Slot, Change)]) {
        let cause = Stall::InputOpen.name();
        for (slot, change) in changes {
            let Source { topic, partition, .. } = self.intake.source(*slot);
            match change {
                Change::Began { offset, since } => {
                    let since = Utc::now() - (self.now - *since);
                    let since = since.to_rfc3339_opts(SecondsFormat::Secs, true);
                    tracing::warn!(
                        cause,
                        %topic,
                        partition,
                        offset,
                        since,
                        "stalled: a transaction of another producer is open in the input, and nothing behind it can be read \
                         (its producer has to end it, or somebody with kafka-transactions.sh abort --topic --partition \
                         --start-offset)"
                    );
                }
                Change::Ended { offset, since } => {
                    let seconds = (self.now - *since).as_secs_f64();
                    tracing::info!(cause, %topic, partition, offset, seconds, "no longer stalled: the transaction has ended");
                }
            }
        }
        let account = &self.account;
        for (slot, offset) in self.watch.open.retain(|slot| account.is_open(slot)) {
            let Source { topic, partition, .. } = self.intake.source(slot);
            tracing::info!(cause, %topic, partition, offset, "no longer stalled: the partition is not ours any more");
        }
        self.stalls.hold(Stall::InputOpen, self.watch.open.hold(), self.now);
    }

    /// The producer's statistics have come.
    pub(super) fn producer_statistics(&mut self, json: &[u8]) {
        self.guard_producer(json);
        match Statistics::parse(json) {
            Ok(statistics) => {
                self.watch.brokers.told(Side::Producer, &statistics, &self.telemetry.metrics);
                self.miss_brokers();
            }
            Err(error) => tracing::warn!(%error, "the producer's statistics cannot be read"),
        }
    }

    /// Records that a broker refused; whatever else failed is counted where it is dealt with.
    pub(super) fn count_refusals(&mut self, undelivered: &[Undelivered]) {
        for one in undelivered {
            if matches!(errors::class(one.code), Class::Refused | Class::Neighbour) {
                self.guard.moved.refused += 1;
                self.telemetry.metrics.produce_error(&errors::name(one.code));
            }
        }
    }

    fn tell_lag(&mut self) {
        let now_ms = Utc::now().timestamp_millis();
        let positions = self.positions();
        let metrics = &self.telemetry.metrics;
        self.watch.lag.retain(|slot| positions.contains_key(&Slot(slot)));
        let unsealed: HashSet<_> = self.account.to_commit().map(|(slot, _)| slot).collect();
        let (mut records, mut seconds) = (0, 0.0_f64);
        for (topic, partition, slot) in self.intake.partitions() {
            let Some(position) = positions.get(&slot) else { continue };
            if !unsealed.contains(&slot) {
                // Also when nothing was sealed since we took it over.
                metrics.committed_offset(topic, partition, position.sealed);
            }
            if let Some(behind) = self.watch.lag.behind(slot.0, *position, now_ms) {
                metrics.processing_lag(topic, partition, behind.records, behind.seconds);
                records += behind.records;
                seconds = seconds.max(behind.seconds);
            }
        }
        if self.intake.assigned() > 0 || self.watch.is_member {
            metrics.whole_lag(records, seconds);
        }
    }

    fn positions(&self) -> HashMap<Slot, Position> {
        let of = |(slot, next)| Some((slot, Position { sealed: self.account.sealed_offset(slot)?, next }));
        self.account.positions().filter_map(of).collect()
    }

    pub(super) fn position(&self, slot: Slot) -> Option<Position> {
        self.positions().remove(&slot)
    }
}

/// Whether a topic has another id than the one that it had.
fn is_another(known: &HashMap<String, String>, now: &HashMap<String, String>, topic: &str) -> bool {
    known.get(topic).zip(now.get(topic)).is_some_and(|(known, now)| known != now)
}
