//! Every series that the service exports: names, labels, help texts and buckets stand here and nowhere else.
//!
//! The engine calls this once a batch or once a commit; nothing here waits for a scrape longer than it takes to copy a
//! number. Labels are bounded: closed sets are exported from the start at 0, open ones are cut off at a number.

use std::collections::HashSet;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Metric, Registry};

pub use super::labels::{Abort, CommitResult, OffsetReset, Rebalance, Rebuild, Stall};
use super::process::{Process, ResidentMemory};
use crate::normalize::Kind;

/// Before every name but those of `process_*`, which have the names that all programs give them.
const PREFIX: &str = "messagetrace_ecs";

/// Distinct fingerprints that are counted. There is a fixed number of kinds and keys, some hundred in all.
const FINGERPRINTS_MAX: usize = 10_000;

/// Values of a label that is not ours to close; what comes later is `other`.
const OPEN_LABEL_MAX: usize = 100;

const OTHER: &str = "other";

/// A microsecond is a good record on a fast core, a tenth of a second a page of many thousand traces.
const NORMALIZE_BUCKETS: [f64; 13] =
    [1e-6, 2.5e-6, 5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 5e-3, 2.5e-2, 1e-1];

/// From an idle service's commit at once to an hour of backlog.
const LATENCY_BUCKETS: [f64; 15] =
    [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0];

/// Exchange Online tells of a message minutes to hours after it was received; archives are older than a week.
const AGE_BUCKETS: [f64; 13] =
    [1.0, 10.0, 60.0, 300.0, 900.0, 1_800.0, 3_600.0, 7_200.0, 14_400.0, 28_800.0, 86_400.0, 259_200.0, 604_800.0];

/// A commit takes about 5 ms on a healthy cluster; librdkafka gives up after a minute.
const COMMIT_BUCKETS: [f64; 14] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0];

/// From nothing in flight to as long as a drain may take.
const REBALANCE_BUCKETS: [f64; 11] = [0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

/// One label of a closed set.
type Closed = [(&'static str, &'static str); 1];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PartitionLabels {
    topic: String,
    partition: i32,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CodeLabel {
    code: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BrokerLabel {
    broker: String,
}

type FloatGauge = Gauge<f64, AtomicU64>;

/// The series. Public fields are named as the series without prefix and `_total`.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    pub records_polled: Counter,
    pub records_delivered: Counter,
    pub records_dead_lettered: Counter,
    pub records_skipped: Counter,
    pub records_abandoned: Counter,
    pub events_produced: Counter,
    pub consumed_bytes: Counter,
    pub produced_bytes: Counter,
    pub records_in_flight: Gauge,
    pub in_flight_bytes: Gauge,
    pub assigned_partitions: Gauge,
    pub memory_budget_bytes: Gauge,
    pub last_commit_timestamp_seconds: FloatGauge,
    pub normalize_duration_seconds: Histogram,
    pub delivery_latency_seconds: Histogram,
    pub event_age_seconds: Histogram,
    pub commit_duration_seconds: Histogram,
    pub rebalance_duration_seconds: Histogram,
    dead_letters_produced: Family<Closed, Counter>,
    dead_letter_fingerprints: Gauge,
    fingerprints: Bounded,
    processing_lag_records: Family<PartitionLabels, Gauge>,
    processing_lag_seconds: Family<PartitionLabels, FloatGauge>,
    committed_offset: Family<PartitionLabels, Gauge>,
    commits: Family<Closed, Counter>,
    transactions_aborted: Family<Closed, Counter>,
    rebalances: Family<Closed, Counter>,
    produce_errors: Family<CodeLabel, Counter>,
    codes: Bounded,
    client_rebuilds: Family<Closed, Counter>,
    stalled: Family<Closed, Gauge>,
    offset_resets: Family<Closed, Counter>,
    breaker_open: Gauge,
    paused_seconds: Counter<f64, AtomicU64>,
    broker_up: Family<BrokerLabel, Gauge>,
    brokers: Bounded,
    /// Over all partitions, for people; scrapers sum by themselves.
    lag_records: AtomicI64,
    lag_seconds: AtomicU64,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    pub fn new() -> Self {
        let mut add = Adder::new();
        let metrics = Self {
            records_polled: add.metric("records_polled", "Records taken from the input topics"),
            records_delivered: add.metric("records_delivered", "Records whose traces all became events, sealed"),
            records_dead_lettered: add.metric("records_dead_lettered", "Records with a rejection, sealed"),
            records_skipped: add.metric("records_skipped", "Records that held no trace at all, sealed"),
            records_abandoned: add.metric("records_abandoned", "Records given back after a rewind or a revocation"),
            events_produced: add.metric("events_produced", "Events acknowledged by the brokers"),
            consumed_bytes: add.metric("consumed_bytes", "Bytes of the keys and values of polled records"),
            produced_bytes: add.metric("produced_bytes", "Bytes of the keys and values of produced records"),
            records_in_flight: add.metric("records_in_flight", "Records polled and neither sealed nor given back"),
            in_flight_bytes: add.metric("in_flight_bytes", "Bytes held for records in flight"),
            assigned_partitions: add.metric("assigned_partitions", "Partitions that this member owns"),
            memory_budget_bytes: add.metric("memory_budget_bytes", "The setting pipeline.memory_budget"),
            last_commit_timestamp_seconds: add
                .metric("last_commit_timestamp_seconds", "When the last commit succeeded, as Unix time; 0 before it"),
            normalize_duration_seconds: add.histogram(
                "normalize_duration_seconds",
                "Time to normalize one record, a batch's time shared by its records",
                &NORMALIZE_BUCKETS,
            ),
            delivery_latency_seconds: add.histogram(
                "delivery_latency_seconds",
                "From the timestamp of the input record to its commit",
                &LATENCY_BUCKETS,
            ),
            event_age_seconds: add.histogram(
                "event_age_seconds",
                "From the time a message was received to the commit of its event",
                &AGE_BUCKETS,
            ),
            commit_duration_seconds: add.histogram(
                "commit_duration_seconds",
                "Time a commit took, the drain of the producer included",
                &COMMIT_BUCKETS,
            ),
            rebalance_duration_seconds: add.histogram(
                "rebalance_duration_seconds",
                "From being told of a rebalance to having followed it",
                &REBALANCE_BUCKETS,
            ),
            dead_letters_produced: add.metric("dead_letters_produced", "Dead letters acknowledged by the brokers"),
            dead_letter_fingerprints: add
                .metric("dead_letter_fingerprints", "Different causes of dead letters seen since the start"),
            fingerprints: Bounded::new(FINGERPRINTS_MAX),
            processing_lag_records: add.metric(
                "processing_lag_records",
                "Offsets from the first record that is not sealed to the end of the partition; 0 when no record waits",
            ),
            processing_lag_seconds: add.metric(
                "processing_lag_seconds",
                "Age of the oldest record that is not sealed, by its timestamp; 0 when none waits",
            ),
            committed_offset: add.metric("committed_offset", "The offset committed for the partition"),
            commits: add.metric("commits", "Commits by how they ended"),
            transactions_aborted: add.metric("transactions_aborted", "Transactions given up, by reason"),
            rebalances: add.metric("rebalances", "Rebalances by what they did to our partitions"),
            produce_errors: add.metric("produce_errors", "Records that a broker or librdkafka refused, by error code"),
            codes: Bounded::new(OPEN_LABEL_MAX),
            client_rebuilds: add.metric("client_rebuilds", "Times that both Kafka clients were made anew, by reason"),
            stalled: add.metric("stalled", "1 while this stops all progress"),
            offset_resets: add.metric("offset_resets", "Positions given up for input.start, by reason"),
            breaker_open: add.metric("breaker_open", "1 while the breaker holds the pipeline"),
            paused_seconds: add.metric("paused_seconds", "Time with the partitions paused"),
            broker_up: add.metric(
                "broker_up",
                "1 while a connection to the broker stands or is not needed, 0 while one is sought",
            ),
            brokers: Bounded::new(OPEN_LABEL_MAX),
            lag_records: AtomicI64::new(0),
            lag_seconds: AtomicU64::new(0.0_f64.to_bits()),
            registry: add.registry,
        };
        metrics.export_known_labels();
        metrics
    }

    fn export_known_labels(&self) {
        for kind in Kind::ALL {
            self.dead_letters(kind, 0);
        }
        for result in CommitResult::ALL {
            drop(self.commits.get_or_create(&[("result", result.name())]));
        }
        for reason in Abort::ALL {
            drop(self.transactions_aborted.get_or_create(&[("reason", reason.name())]));
        }
        for kind in Rebalance::ALL {
            drop(self.rebalances.get_or_create(&[("kind", kind.name())]));
        }
        for cause in Stall::ALL {
            self.stalled(cause, false);
        }
        for reason in Rebuild::ALL {
            drop(self.client_rebuilds.get_or_create(&[("reason", reason.name())]));
        }
        for reason in OffsetReset::ALL {
            drop(self.offset_resets.get_or_create(&[("reason", reason.name())]));
        }
        drop(self.produce_errors.get_or_create(&CodeLabel { code: OTHER.to_owned() }));
    }

    /// So many dead letters of this kind were acknowledged.
    pub fn dead_letters(&self, kind: Kind, count: u64) {
        self.dead_letters_produced.get_or_create(&[("kind", kind.name())]).inc_by(count);
    }

    /// How many dead letters of this kind were acknowledged since the start.
    pub fn dead_letters_so_far(&self, kind: Kind) -> u64 {
        self.dead_letters_produced.get_or_create(&[("kind", kind.name())]).get()
    }

    /// A dead letter with this fingerprint was made.
    pub fn fingerprint_seen(&self, fingerprint: &str) {
        self.fingerprints.admit(fingerprint);
        self.dead_letter_fingerprints.set(i64::try_from(self.fingerprints.len()).unwrap_or(i64::MAX));
    }

    pub fn commit(&self, result: CommitResult) {
        self.commits.get_or_create(&[("result", result.name())]).inc();
    }

    pub fn transaction_aborted(&self, reason: Abort) {
        self.transactions_aborted.get_or_create(&[("reason", reason.name())]).inc();
    }

    pub fn rebalance(&self, kind: Rebalance) {
        self.rebalances.get_or_create(&[("kind", kind.name())]).inc();
    }

    /// A record was refused with this error code, in librdkafka's or the broker's spelling.
    pub fn produce_error(&self, code: &str) {
        let code = if self.codes.admit(code) { code } else { OTHER };
        self.produce_errors.get_or_create(&CodeLabel { code: code.to_owned() }).inc();
    }

    pub fn client_rebuilt(&self, reason: Rebuild) {
        self.client_rebuilds.get_or_create(&[("reason", reason.name())]).inc();
    }

    pub fn stalled(&self, cause: Stall, stalled: bool) {
        self.stalled.get_or_create(&[("cause", cause.name())]).set(stalled.into());
    }

    pub fn offset_reset(&self, reason: OffsetReset) {
        self.offset_resets.get_or_create(&[("reason", reason.name())]).inc();
    }

    pub fn committed_offset(&self, topic: &str, partition: i32, offset: i64) {
        self.committed_offset.get_or_create(&labels_of(topic, partition)).set(offset);
    }

    pub fn processing_lag(&self, topic: &str, partition: i32, records: i64, seconds: f64) {
        let labels = labels_of(topic, partition);
        self.processing_lag_records.get_or_create(&labels).set(records);
        self.processing_lag_seconds.get_or_create(&labels).set(seconds);
    }

    /// The lag of all partitions: records together, and seconds of the one that is furthest behind.
    pub fn whole_lag(&self, records: i64, seconds: f64) {
        self.lag_records.store(records, Ordering::Relaxed);
        self.lag_seconds.store(seconds.to_bits(), Ordering::Relaxed);
    }

    /// What [`Self::whole_lag`] was last told.
    pub fn lag(&self) -> (i64, f64) {
        (self.lag_records.load(Ordering::Relaxed), f64::from_bits(self.lag_seconds.load(Ordering::Relaxed)))
    }

    /// The partition is not ours any more; its series would stand still for ever.
    pub fn forget_partition(&self, topic: &str, partition: i32) {
        let labels = labels_of(topic, partition);
        self.processing_lag_records.remove(&labels);
        self.processing_lag_seconds.remove(&labels);
        self.committed_offset.remove(&labels);
    }

    pub fn broker_up(&self, broker: &str, up: bool) {
        if self.brokers.admit(broker) {
            self.broker_up.get_or_create(&BrokerLabel { broker: broker.to_owned() }).set(up.into());
        }
    }

    /// The broker has left the cluster, or has another address now.
    pub fn forget_broker(&self, broker: &str) {
        self.brokers.forget(broker);
        self.broker_up.remove(&BrokerLabel { broker: broker.to_owned() });
    }

    pub fn breaker_open(&self, open: bool) {
        self.breaker_open.set(open.into());
    }

    /// The partitions were paused for this long.
    pub fn paused_seconds(&self, seconds: f64) {
        self.paused_seconds.inc_by(seconds);
    }

    /// Everything as OpenMetrics text.
    pub fn encode(&self) -> String {
        let mut text = String::with_capacity(32 * 1024);
        encode(&mut text, &self.registry).expect("writing to a string does not fail");
        text
    }
}

fn labels_of(topic: &str, partition: i32) -> PartitionLabels {
    PartitionLabels { topic: topic.to_owned(), partition }
}

fn build_labels() -> [(&'static str, String); 2] {
    let (_, librdkafka) = rdkafka::util::get_rdkafka_version();
    [("version", env!("CARGO_PKG_VERSION").to_owned()), ("librdkafka", librdkafka)]
}

/// A set of texts that does not grow beyond a number.
#[derive(Debug)]
struct Bounded {
    seen: Mutex<HashSet<String>>,
    most: usize,
}

impl Bounded {
    fn new(most: usize) -> Self {
        Self { seen: Mutex::default(), most }
    }

    /// Whether the text is in the set, after it was put in while there was room.
    fn admit(&self, text: &str) -> bool {
        let mut seen = self.lock();
        seen.contains(text) || seen.len() < self.most && seen.insert(text.to_owned())
    }

    fn forget(&self, text: &str) {
        self.lock().remove(text);
    }

    fn len(&self) -> usize {
        self.lock().len()
    }

    /// A panic elsewhere leaves a set of texts as good as it was.
    fn lock(&self) -> MutexGuard<'_, HashSet<String>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Registers a series under its full name and hands out the number behind it.
struct Adder {
    registry: Registry,
}

impl Adder {
    fn new() -> Self {
        let mut registry = Registry::default();
        registry.register(format!("{PREFIX}_build"), "What is running", Info::new(build_labels()));
        registry.register_collector(Box::new(Process));
        registry.register_collector(Box::new(ResidentMemory { name: format!("{PREFIX}_memory_resident_bytes") }));
        Self { registry }
    }

    fn metric<M: Metric + Clone + Default>(&mut self, name: &str, help: &str) -> M {
        let metric = M::default();
        self.registry.register(format!("{PREFIX}_{name}"), help, metric.clone());
        metric
    }

    fn histogram(&mut self, name: &str, help: &str, buckets: &[f64]) -> Histogram {
        let histogram = Histogram::new(buckets.iter().copied());
        self.registry.register(format!("{PREFIX}_{name}"), help, histogram.clone());
        histogram
    }
}
