//! Produces the feed: into the demo's broker, or into the input topic of a real cluster.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rdkafka::client::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};

use super::feed::{FeedRecord, Totals};
use super::progress::Show;

/// Records between two calls that serve delivery reports; each such call reads the clock.
const SERVE_EVERY: u64 = 64;

const QUEUE_WAIT: Duration = Duration::from_millis(20);
const FLUSH_TIMEOUT: Duration = Duration::from_secs(60);

/// Counts what the broker did not take.
#[derive(Debug, Default)]
struct Deliveries {
    failed: AtomicU64,
}

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if result.is_err() {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
    }
}

pub struct Feeder {
    producer: BaseProducer<Deliveries>,
    topic: String,
    sent: u64,
}

impl std::fmt::Debug for Feeder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Feeder").field("topic", &self.topic).field("sent", &self.sent).finish_non_exhaustive()
    }
}

impl Feeder {
    pub fn new(client: &ClientConfig, topic: &str) -> anyhow::Result<Self> {
        let producer = client.create_with_context(Deliveries::default()).context("create the feed's producer")?;
        Ok(Self { producer, topic: topic.to_owned(), sent: 0 })
    }

    /// Queues one record; waits while the queue is full.
    pub fn send(&mut self, record: &FeedRecord) -> anyhow::Result<()> {
        let mut outgoing: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(&self.topic).timestamp(record.timestamp_ms);
        outgoing.key = record.key.as_deref();
        outgoing.payload = record.value.as_deref();
        if !record.headers.is_empty() {
            let headers = OwnedHeaders::new_with_capacity(record.headers.len());
            outgoing.headers = Some(
                record
                    .headers
                    .iter()
                    .fold(headers, |headers, (key, value)| headers.insert(Header { key, value: value.as_ref() })),
            );
        }
        while let Err((error, refused)) = self.producer.send(outgoing) {
            if error.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull) {
                return Err(error).with_context(|| format!("produce to {}", self.topic));
            }
            self.producer.poll(QUEUE_WAIT);
            outgoing = refused;
        }
        self.sent += 1;
        if self.sent.is_multiple_of(SERVE_EVERY) {
            self.producer.poll(Duration::ZERO);
        }
        Ok(())
    }

    /// Waits for something else than the broker, which is served meanwhile.
    pub fn wait(&self) {
        self.producer.poll(QUEUE_WAIT);
    }

    /// Waits until the broker has taken everything.
    pub fn finish(&self) -> anyhow::Result<()> {
        self.producer.flush(FLUSH_TIMEOUT).with_context(|| format!("wait until {} has everything", self.topic))?;
        match self.producer.context().failed.load(Ordering::Relaxed) {
            0 => Ok(()),
            failed => bail!("{} refused {failed} of {} records", self.topic, self.sent),
        }
    }
}

/// Produces a whole stream, and says what has to become of it.
pub fn stream(
    feeder: &mut Feeder,
    records: impl Iterator<Item = FeedRecord>,
    mut pace: Option<Pace>,
    show: &mut Show,
) -> anyhow::Result<Totals> {
    let mut totals = Totals::default();
    for mut record in records {
        if let Some(pace) = &mut pace {
            pace.pass();
            // A stream with a pace is one that comes in now, and lag in seconds counts from it.
            record.timestamp_ms = chrono::Utc::now().timestamp_millis();
        }
        feeder.send(&record)?;
        totals.add(&record.expected);
        if pace.is_some() || totals.records.is_multiple_of(SERVE_EVERY) {
            show.progress(totals.records, "");
        }
    }
    feeder.finish()?;
    show.done();
    Ok(totals)
}

/// Holds a stream at a number of records a second.
#[derive(Debug)]
pub struct Pace {
    started: Instant,
    records_per_second: f64,
    passed: u64,
}

impl Pace {
    pub fn new(records_per_second: u32) -> Self {
        Self { started: Instant::now(), records_per_second: f64::from(records_per_second), passed: 0 }
    }

    /// Waits until the next record is due.
    pub fn pass(&mut self) {
        let due = Duration::from_secs_f64(self.passed as f64 / self.records_per_second);
        self.passed += 1;
        let early = due.saturating_sub(self.started.elapsed());
        // A sleep takes longer than it says; some records in a burst keep the pace on average.
        if early > Duration::from_millis(2) {
            thread::sleep(early);
        }
    }
}
