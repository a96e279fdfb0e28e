//! What is told about the engine at work beside its account: lag, brokers, pauses, and what is in flight. Nothing here
//! decides anything.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use chrono::Utc;

use super::Engine;
use super::damage::Damage;
use crate::kafka::clients::Undelivered;
use crate::kafka::errors;
use crate::kafka::errors::Class;
use crate::pipeline::account::Slot;
use crate::pipeline::batch::Batch;
use crate::pipeline::decide::Seen;
use crate::pipeline::lookup::EndLookup;
use crate::telemetry::lag::{Fetching, Lag, Position};
use crate::telemetry::metrics::{Metrics, Stall};
use crate::telemetry::statistics::{Link, Statistics};

/// Between two looks at the gauges: far more often than anybody scrapes them.
const GAUGES_EVERY: Duration = Duration::from_millis(100);

/// How long brokers are sought, or nothing is in hand, before that is called so: shorter than that is no news.
const LASTING: Duration = Duration::from_secs(5);

/// What is remembered from turn to turn.
#[derive(Default)]
pub(super) struct Watch {
    /// A client said that it has lost every broker.
    pub(super) all_down: bool,
    /// The group gave us partitions, or none, since this engine began.
    pub(super) joined: bool,
    pub(super) damage: Vec<Damage>,
    pub(super) lag: Lag,
    missed_since: Option<Duration>,
    idle_since: Option<Duration>,
    ends: EndLookup,
    brokers: Brokers,
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
        self.guard_consumer(&statistics);
        self.miss_brokers();
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

    /// A stall for want of brokers, for as long as a client seeks one and has none. A client that has nothing to say
    /// seeks none: brokers close connections that nobody uses, and nothing stands still for that.
    fn miss_brokers(&mut self) {
        if !self.watch.brokers.are_missed() {
            (self.watch.all_down, self.watch.missed_since) = (false, None);
            self.stalls.end(Stall::Brokers, self.now);
            return;
        }
        let since = *self.watch.missed_since.get_or_insert(self.now);
        if self.watch.all_down || self.now >= since + LASTING {
            let servers = self.config.kafka.bootstrap_servers.join(",");
            let reason = format!("no broker of {servers} can be reached (are they up? the network between?)");
            self.stalls.begin(Stall::Brokers, &reason, self.now);
        }
    }

    /// Ends the stalls that nothing waits for any more.
    pub(super) fn notice_idleness(&mut self, seen: &Seen) {
        let has_something = seen.in_flight > 0 || seen.unacknowledged > 0 || seen.handed > 0 || seen.to_seal;
        let does_something = self.purging_since.is_some() || self.seal_began.is_some() || self.decider.is_recovering();
        if has_something || does_something || !seen.drained {
            self.watch.idle_since = None;
            return;
        }
        if self.now >= *self.watch.idle_since.get_or_insert(self.now) + LASTING {
            self.stalls.idle(self.now);
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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Consumer,
    Producer,
}

/// The brokers as both clients see them.
#[derive(Debug, Default)]
struct Brokers {
    /// By name; the consumer's link, the producer's.
    links: BTreeMap<String, [Option<Link>; 2]>,
}

impl Brokers {
    /// Whether a client seeks a connection and has none.
    fn are_missed(&self) -> bool {
        [Side::Consumer, Side::Producer].into_iter().any(|side| {
            let seen = |link| self.links.values().any(|links| links[side as usize] == Some(link));
            seen(Link::Down) && !seen(Link::Up)
        })
    }

    fn told(&mut self, side: Side, statistics: &Statistics<'_>, metrics: &Metrics) {
        let place = side as usize;
        for links in self.links.values_mut() {
            links[place] = None;
        }
        for (name, link) in statistics.links() {
            self.links.entry(name.to_owned()).or_default()[place] = Some(link);
        }
        self.links.retain(|name, links| {
            let is_known = links.iter().any(Option::is_some);
            if !is_known {
                metrics.forget_broker(name);
            }
            is_known
        });
        for (name, links) in &self.links {
            let is = |link| links.contains(&Some(link));
            // The producer tells every few seconds only: what it said before a broker died must not hide that the
            // consumer misses it.
            if is(Link::Down) {
                metrics.broker_up(name, false);
            } else if is(Link::Up) {
                metrics.broker_up(name, true);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(brokers: &mut Brokers, side: Side, states: &[&str]) -> bool {
        let broker = |(id, state): (usize, &&str)| {
            format!("\"b:{id}\":{{\"nodeid\":{id},\"source\":\"learned\",\"state\":\"{state}\"}}")
        };
        let links: Vec<_> = states.iter().enumerate().map(broker).collect();
        let json = format!("{{\"brokers\":{{{}}}}}", links.join(","));
        brokers.told(side, &Statistics::parse(json.as_bytes()).unwrap(), &Metrics::new());
        brokers.are_missed()
    }

    #[test]
    fn brokers_are_missed_only_by_a_client_that_seeks_one_and_has_none() {
        let mut brokers = Brokers::default();
        assert!(!told(&mut brokers, Side::Consumer, &["UP", "INIT"]));
        assert!(!told(&mut brokers, Side::Producer, &["INIT", "INIT"]), "an idle connection was closed");
        assert!(!told(&mut brokers, Side::Producer, &["TRY_CONNECT", "UP"]), "there is another one");
        assert!(told(&mut brokers, Side::Producer, &["TRY_CONNECT", "INIT"]), "what the consumer has is no help");
        assert!(!told(&mut brokers, Side::Producer, &["UP", "INIT"]));
        assert!(told(&mut brokers, Side::Consumer, &["DOWN", "TRY_CONNECT"]));
    }
}
