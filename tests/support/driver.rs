//! Produces records whose fate is known, and remembers both.

use std::mem;
use std::ops::Range;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::{BaseProducer, NoCustomPartitioner, Producer, ProducerContext};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{ClientConfig, ClientContext};

use super::maker::{Maker, now_ms};
use super::page::Piece;
use super::raw::{self, Record};
use super::sample::Sample;
use super::scene::Scene;

/// The offset of a record that was not acknowledged yet. One that was written twice, and taken once, is acknowledged without an
/// offset that is known, which is another one below 0: then only who reads the topic knows where it lies.
const NOT_LANDED: i64 = -1;

/// For the broker to acknowledge what was sent.
const DELIVERY_LIMIT: Duration = Duration::from_secs(60);

/// A record that lies in the input topic, and what must become of it.
#[derive(Clone, Debug)]
pub struct Sent {
    pub partition: i32,
    pub offset: i64,
    pub record: Record,
    pub sample: Sample,
}

/// Everything that lies in the input topic for good.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    pub sent: Vec<Sent>,
    /// Before the first record was sent, in milliseconds since 1970.
    pub started_ms: i64,
    /// By partition: events of records below may be missing, as the topic was deleted that held them.
    pub deleted_below: Vec<i64>,
    /// The same for dead letters.
    pub letters_deleted_below: Vec<i64>,
    /// Partitions and offsets: nobody may have read what lay there, because it was deleted.
    pub overtaken: Vec<(i32, Range<i64>)>,
}

struct Landed {
    tag: usize,
    place: Result<(i32, i64), String>,
}

/// Notes where each record landed, or the first trouble.
#[derive(Default)]
struct Reports {
    landed: Mutex<Vec<Landed>>,
}

impl ClientContext for Reports {}

impl ProducerContext<NoCustomPartitioner> for Reports {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, tag: usize) {
        let place = match result {
            Ok(message) => Ok((message.partition(), message.offset())),
            Err((error, _)) => Err(error.to_string()),
        };
        self.landed.lock().unwrap_or_else(PoisonError::into_inner).push(Landed { tag, place });
    }
}

pub struct Driver {
    topic: String,
    partitions: i32,
    producer: BaseProducer<Reports>,
    transactions: Transactions,
    pub maker: Maker,
    sent: Vec<Sent>,
    started_ms: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transactions {
    No,
    Yes,
}

impl Driver {
    pub fn new(scene: &Scene<'_>, seed: u64) -> Self {
        Self::make(scene, seed, Transactions::No, scene.cluster.client().set("enable.idempotence", "true"))
    }

    /// A driver that writes transactions: see [`Driver::commit`] and [`Driver::send_aborted`].
    pub fn transactional(scene: &Scene<'_>, seed: u64) -> Self {
        let id = format!("driver-of-{}", scene.input);
        let driver = Self::make(scene, seed, Transactions::Yes, scene.cluster.client().set("transactional.id", &id));
        driver.producer.init_transactions(DELIVERY_LIMIT).expect("introduce the driver's producer");
        driver.producer.begin_transaction().expect("begin a transaction");
        driver
    }

    fn make(scene: &Scene<'_>, seed: u64, transactions: Transactions, client: &mut ClientConfig) -> Self {
        client.set("linger.ms", "5").set("compression.type", "lz4");
        let started_ms = now_ms();
        Self {
            topic: scene.input.clone(),
            partitions: scene.partitions,
            producer: client.create_with_context(Reports::default()).expect("make a producer"),
            transactions,
            maker: Maker::new(seed, started_ms),
            sent: Vec::new(),
            started_ms,
        }
    }

    /// Sends records of all kinds to random partitions.
    pub fn send(&mut self, records: usize) {
        for _ in 0..records {
            let (record, sample) = self.maker.mixed();
            self.send_one(record, sample);
        }
    }

    /// Sends records that each become one event.
    pub fn send_good(&mut self, records: usize) {
        for _ in 0..records {
            let (record, sample) = self.maker.plain();
            self.send_one(record, sample);
        }
    }

    /// Sends records that each become one dead letter.
    pub fn send_bad(&mut self, records: usize) {
        for _ in 0..records {
            let sample = Sample::of(Piece::letter("unknown_shape", "", "17".to_owned()));
            let record = self.maker.record(&sample);
            self.send_one(record, sample);
        }
    }

    /// As [`Driver::send`], but at a steady pace, for tests that want load while something else happens.
    pub fn send_paced(&mut self, records: usize, per_second: u32) {
        let start = Instant::now();
        let slice = usize::try_from(per_second / 100).expect("a small number").max(1);
        for sent in (0..records).step_by(slice) {
            self.send(slice.min(records - sent));
            self.producer.poll(Duration::ZERO);
            let due = start + Duration::from_secs_f64(sent as f64 / f64::from(per_second));
            thread::sleep(due.saturating_duration_since(Instant::now()));
        }
    }

    /// Does something while records of all kinds keep coming at a steady pace: so many at least, and as long as it takes.
    pub fn under_load(mut self, records: usize, per_second: u32, act: impl FnOnce()) -> Ledger {
        let acting = AtomicBool::new(true);
        thread::scope(|scope| {
            let load = scope.spawn(|| {
                self.send_paced(records, per_second);
                let second = usize::try_from(per_second).expect("a small number");
                while acting.load(Ordering::Relaxed) {
                    self.send_paced(second / 10, per_second);
                }
                self.finish()
            });
            // Also when it panics: the load must not go on for ever.
            let done = panic::catch_unwind(AssertUnwindSafe(act));
            acting.store(false, Ordering::Relaxed);
            let ledger = load.join().expect("the load came through");
            done.unwrap_or_else(|failure| panic::resume_unwind(failure));
            ledger
        })
    }

    pub fn send_one(&mut self, record: Record, sample: Sample) {
        let partition = self.maker.rng.i32(0..self.partitions);
        let tag = self.sent.len();
        while let Err(code) = raw::produce(&self.producer, &self.topic, partition, &record, tag) {
            assert_eq!(code, RDKafkaErrorCode::QueueFull, "produce to {}", self.topic);
            self.producer.poll(Duration::from_millis(10));
        }
        // Where it landed is known once it is acknowledged.
        self.sent.push(Sent { partition, offset: NOT_LANDED, record, sample });
    }

    /// Keeps what was sent since the last end of a transaction, and begins another.
    pub fn commit(&mut self) {
        self.settle();
        self.producer.commit_transaction(DELIVERY_LIMIT).expect("commit the driver's transaction");
        self.producer.begin_transaction().expect("begin a transaction");
    }

    /// Commits, then sends records that nobody may ever see: they lie in the topic, but their transaction is aborted.
    pub fn send_aborted(&mut self, records: usize) {
        self.commit();
        let before = self.sent.len();
        self.send(records);
        self.settle();
        self.sent.truncate(before);
        self.producer.abort_transaction(DELIVERY_LIMIT).expect("abort the driver's transaction");
        self.producer.begin_transaction().expect("begin a transaction");
    }

    /// Waits for every acknowledgement.
    pub fn settle(&mut self) {
        self.producer.flush(DELIVERY_LIMIT).expect("the broker acknowledges what was sent");
        let reports = mem::take(&mut *self.producer.context().landed.lock().unwrap_or_else(PoisonError::into_inner));
        for Landed { tag, place } in reports {
            let (partition, offset) = place.expect("the broker takes the driver's records");
            let sent = &mut self.sent[tag];
            assert_eq!(sent.partition, partition, "a record lands where it was sent");
            sent.offset = offset;
        }
    }

    pub fn finish(mut self) -> Ledger {
        self.settle();
        if self.transactions == Transactions::Yes {
            self.producer.commit_transaction(DELIVERY_LIMIT).expect("commit the driver's transaction");
        }
        let lost = self.sent.iter().filter(|sent| sent.offset == NOT_LANDED).count();
        assert_eq!(lost, 0, "every record of the driver was acknowledged");
        Ledger { sent: self.sent, started_ms: self.started_ms, ..Ledger::default() }
    }
}
