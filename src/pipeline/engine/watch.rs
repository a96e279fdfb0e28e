//! What is told about the engine at work beside its account: lag, brokers, pauses, and what is in flight. Nothing here
//! decides anything.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use chrono::Utc;

use super::Engine;
use super::brokers::{Brokers, Side};
use super::damage::Damage;
use crate::kafka::clients::Undelivered;
use crate::kafka::errors;
use crate::kafka::errors::Class;
use crate::pipeline::account::Slot;
use crate::pipeline::batch::Batch;
use crate::pipeline::lookup::EndLookup;
use crate::telemetry::lag::{Fetching, Lag, Position};
use crate::telemetry::statistics::Statistics;

/// Between two looks at the gauges: far more often than anybody scrapes them.
const GAUGES_EVERY: Duration = Duration::from_millis(100);

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
    ends: EndLookup,
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
        if let Some(ends) = self.watch.ends.answer() {
            let slots: HashMap<_, _> =
                self.intake.partitions().map(|(topic, partition, slot)| ((topic, partition), slot)).collect();
            for (topic, partition, end) in &ends {
                if let Some(slot) = slots.get(&(topic.as_str(), *partition)) {
                    self.watch.lag.end(slot.0, *end);
                }
            }
            self.tell_lag();
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
        let fetching = if self.intake.is_paused() { Fetching::Paused } else { Fetching::Going };
        let positions = self.positions();
        let mut unknown = Vec::new();
        for (topic, partition, slot) in self.intake.partitions() {
            let (Some(fetched), Some(position)) = (statistics.fetched(topic, partition), positions.get(&slot)) else {
                continue;
            };
            if self.watch.lag.fetched(slot.0, fetched, fetching, *position) {
                unknown.push((topic, partition));
            }
        }
        if !unknown.is_empty() {
            self.watch.ends.ask(&self.intake.consumer, unknown.into_iter());
        }
        self.tell_lag();
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
        metrics.whole_lag(records, seconds);
    }

    fn positions(&self) -> HashMap<Slot, Position> {
        let of = |(slot, next)| Some((slot, Position { sealed: self.account.sealed_offset(slot)?, next }));
        self.account.positions().filter_map(of).collect()
    }

    pub(super) fn position(&self, slot: Slot) -> Option<Position> {
        self.positions().remove(&slot)
    }
}
