//! Sends letters back: what is sent and how far that is, in one transaction.
//!
//! The group keeps the progress and has no members; a commit without one is what Kafka calls a standalone consumer's. The
//! transactional id has the group's name: whoever introduces himself under it later ends what we left open, and we
//! are told at our next step that we are fenced.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::Producer as _;
use rdkafka::{Offset, TopicPartitionList};

use super::decide::Parcel;
use super::round::metadata;
use crate::config;
use crate::config::Config;
use crate::kafka::admin::limits::SizeLimits;
use crate::kafka::admin::refusal::{Refusal, Resource};
use crate::kafka::clients;
use crate::kafka::clients::{Consumer, Producer};
use crate::kafka::errors;
use crate::kafka::errors::Class;
use crate::kafka::ffi;
use crate::kafka::ffi::{Operation, Outgoing, ReportBell, TopicHandle};
use crate::letters::coordinates::{Log, Place};
use crate::letters::shelf::Shelf;
use crate::letters::topics::Topics;
use crate::pipeline::delivery::{Delivery, Seal, Trouble, Undone};

/// How long brokers may keep us waiting for one step.
const PATIENCE: Duration = Duration::from_secs(90);

/// How long undoing may take before it is left to whoever comes next.
const UNDOING: Duration = Duration::from_secs(5);

/// The largest batch of records on the wire. A batch of records that fit alone must not be refused for its own size, and
/// when the client is made, the topics that letters go to are not known yet.
const BATCH_BYTES: usize = 16 * 1024;

/// How long a poll waits.
const POLL: Duration = Duration::from_millis(10);

/// What to do after nearly any failure.
const AGAIN: &str = "what was sent is committed; the same call goes on there";

fn denied(resource: Resource, operation: Operation) -> anyhow::Error {
    Refusal::Denied { resource, operation, key: "input.group" }.into()
}

/// Nothing of the transaction stands, and another one may do better.
#[derive(Clone, Copy, Debug, thiserror::Error)]
pub enum Setback {
    /// The topic of this letter's record refuses it for good.
    #[error("a letter is refused: {}", errors::name(*code))]
    Refused { place: Place, code: RDKafkaErrorCode },
    /// Records were thrown away with others, and nothing says why.
    #[error("records were not delivered ({AGAIN})")]
    Undelivered,
}

/// Where a round stands in one partition of a dead-letter topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    pub log: Log,
    pub next: i64,
    pub end: i64,
}

/// A producer and what belongs to it; replaced as a whole.
struct Output {
    // Before the producer: they hold references to it.
    topics: HashMap<String, TopicHandle>,
    delivery: Delivery,
    _bell: ReportBell,
    producer: Arc<Producer>,
}

impl Output {
    fn new(config: &Config, consumer: &Arc<Consumer>, group: &str) -> anyhow::Result<Self> {
        // Whatever the service promises: this is worth nothing otherwise.
        let mut config = config.clone();
        config.pipeline.delivery = config::Delivery::ExactlyOnce;
        let limits = SizeLimits::new(BATCH_BYTES, usize::MAX);
        let producer = Arc::new(clients::producer(&config, group, limits).context("make a client")?);
        Ok(Self {
            topics: HashMap::new(),
            delivery: Delivery::new(&config.pipeline, consumer, &producer).context("start a thread")?,
            _bell: ReportBell::new(&producer, thread::current()),
            producer,
        })
    }
}

/// The producer, and what is in its transaction.
pub struct Sender<'c> {
    output: Output,
    config: &'c Config,
    consumer: &'c Arc<Consumer>,
    dead_letters: &'c Topics,
    group: &'c str,
    stop: &'c AtomicBool,
    unacknowledged: usize,
    /// By tag.
    sent: Vec<(Place, String)>,
}

impl<'c> Sender<'c> {
    /// Introduces itself: this fences any other process of the same replay, and ends what it left open.
    pub fn new(
        shelf: &'c Shelf<'_>,
        consumer: &'c Arc<Consumer>,
        group: &'c str,
        stop: &'c AtomicBool,
    ) -> anyhow::Result<Self> {
        let config = shelf.config;
        let mut sender = Self {
            output: Output::new(config, consumer, group)?,
            config,
            consumer,
            dead_letters: &shelf.topics,
            group,
            stop,
            unacknowledged: 0,
            sent: Vec::new(),
        };
        sender.prepare()?;
        Ok(sender)
    }

    /// Makes sure that a transaction may begin: what may still arrive of the last one must not be taken for this one's.
    fn begin(&mut self) -> anyhow::Result<()> {
        if self.output.delivery.is_spent(&self.output.producer) {
            tracing::info!("a connection was cut: the next transaction is a new producer's");
            self.output = Output::new(self.config, self.consumer, self.group)?;
            self.prepare()?;
        }
        Ok(())
    }

    fn prepare(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while !self.output.delivery.prepare(&self.output.producer).map_err(|trouble| self.told(&trouble))? {
            self.output.producer.poll(Duration::ZERO);
            let errors = self.output.producer.context().take_troubles().unwrap_or_default().errors;
            if let Some(error) = errors.into_iter().find(|error| errors::class(error.code) == Class::Authorization) {
                return Err(self.told(&Trouble::new("prepare the producer", KafkaError::Global(error.code))));
            }
            if self.stop.load(Ordering::Relaxed) {
                bail!("stopped before a transaction could begin ({AGAIN})");
            }
            if Instant::now() >= deadline {
                bail!("the transaction coordinator did not answer (is the cluster healthy? try again)");
            }
        }
        Ok(())
    }

    /// Hands one record over; it is in the transaction that the next [`Sender::seal`] ends.
    pub fn send(&mut self, place: Place, parcel: &Parcel<'_>) -> anyhow::Result<()> {
        if self.sent.is_empty() {
            self.begin()?;
            self.output.delivery.open(&self.output.producer).map_err(|trouble| self.told(&trouble))?;
        }
        if !self.output.topics.contains_key(parcel.topic) {
            let handle = TopicHandle::new(&self.output.producer, parcel.topic)
                .with_context(|| format!("topic {} cannot be used", parcel.topic))?;
            self.output.topics.insert(parcel.topic.to_owned(), handle);
        }
        let tag = self.sent.len();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let record = Outgoing {
                topic: &self.output.topics[parcel.topic],
                partition: parcel.partition,
                key: parcel.key,
                value: parcel.value.as_deref(),
                headers: parcel.headers(),
                timestamp_ms: parcel.timestamp_ms,
                tag,
            };
            match ffi::produce(record) {
                Ok(()) => break,
                Err(RDKafkaErrorCode::QueueFull) if Instant::now() < deadline => self.serve(POLL)?,
                Err(code) => return Err(self.refused(&[(code, place, parcel.topic.to_owned())])),
            }
        }
        self.sent.push((place, parcel.topic.to_owned()));
        self.unacknowledged += 1;
        self.serve(Duration::ZERO)
    }

    /// Waits until all that was handed over is acknowledged.
    pub fn settle(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while self.unacknowledged > 0 {
            self.serve(POLL)?;
            if Instant::now() >= deadline {
                self.undo();
                bail!("the brokers did not acknowledge what was sent within {} s ({AGAIN})", PATIENCE.as_secs());
            }
        }
        Ok(())
    }

    /// Ends the transaction: what was handed over is sent, and the round stands there, or neither.
    pub fn seal(&mut self, positions: &[Position]) -> anyhow::Result<()> {
        self.settle()?;
        if self.sent.is_empty() {
            self.begin()?;
        }
        let deadline = Instant::now() + PATIENCE;
        let offsets = self.offsets(positions)?;
        loop {
            match self.output.delivery.seal(&self.output.producer, self.consumer, &offsets) {
                Seal::Done => break,
                Seal::Pending | Seal::Waiting if Instant::now() < deadline => {
                    thread::park_timeout(POLL);
                    self.serve(Duration::ZERO)?;
                }
                Seal::Pending | Seal::Waiting => {
                    bail!("the brokers did not answer whether the last transaction stands ({AGAIN})");
                }
                Seal::Postponed(trouble) | Seal::Failed(trouble) => {
                    let error = self.told(&trouble);
                    self.undo();
                    return Err(error);
                }
            }
        }
        self.sent.clear();
        Ok(())
    }

    fn offsets(&self, positions: &[Position]) -> anyhow::Result<TopicPartitionList> {
        let mut offsets = TopicPartitionList::with_capacity(positions.len());
        for position in positions {
            let mut element = offsets.add_partition(self.dead_letters.name(position.log.topic), position.log.partition);
            element.set_offset(Offset::Offset(position.next)).context("note the progress")?;
            element.set_metadata(metadata(position.end));
        }
        Ok(offsets)
    }

    /// Keeps the producer at hand while there is nothing to send. What goes wrong meanwhile shows again at the next step.
    pub fn idle(&mut self) {
        let _ = self.serve(Duration::ZERO);
    }

    /// Serves the clients and hears what they have to tell.
    fn serve(&mut self, wait: Duration) -> anyhow::Result<()> {
        self.output.producer.poll(wait);
        while self.consumer.poll(Duration::ZERO).is_some() {}
        let reported = self.output.producer.context().take_reported();
        self.unacknowledged = self.unacknowledged.saturating_sub(reported);
        let Some(troubles) = self.output.producer.context().take_troubles() else { return Ok(()) };
        let undelivered = troubles.undelivered.iter().filter_map(|undelivered| {
            let (place, topic) = self.sent.get(undelivered.tag)?.clone();
            Some((undelivered.code, place, topic))
        });
        let undelivered: Vec<_> = undelivered.collect();
        if !undelivered.is_empty() {
            return Err(self.refused(&undelivered));
        }
        match troubles.errors.into_iter().find(|error| errors::class(error.code) == Class::Fatal) {
            Some(error) => Err(self.told(&Trouble::new("send", KafkaError::Global(error.code)))),
            None => Ok(()),
        }
    }

    /// Records were not taken: nothing of the transaction stands.
    fn refused(&mut self, undelivered: &[(RDKafkaErrorCode, Place, String)]) -> anyhow::Error {
        self.undo();
        // Those that only shared a batch with the one to blame, or were thrown away by ourselves, say nothing.
        let tells = |code| !matches!(errors::class(code), Class::Neighbour | Class::Purged);
        let fatal = self.output.producer.client().fatal_error().is_some();
        let telling = undelivered.iter().find(|(code, ..)| tells(*code));
        let Some((code, place, topic)) = telling.or(undelivered.first().filter(|_| fatal)) else {
            return Setback::Undelivered.into();
        };
        match errors::class(*code) {
            _ if fatal => self.told(&Trouble::new("send", KafkaError::Global(*code))),
            Class::Fatal => self.told(&Trouble::new("send", KafkaError::Global(*code))),
            Class::Authorization => {
                let resource = Resource::Topic(topic.clone());
                Refusal::Denied { resource, operation: Operation::Write, key: "--to-topic" }.into()
            }
            Class::Refused => Setback::Refused { place: *place, code: *code }.into(),
            _ => {
                let place = self.dead_letters.shown(*place);
                anyhow!("letter {place} was not delivered to topic {topic}: {code} ({AGAIN})")
            }
        }
    }

    /// Takes back what was not sealed. When that cannot be done in time, the next process of this replay does it.
    fn undo(&mut self) {
        self.output.delivery.purge(&self.output.producer);
        let deadline = Instant::now() + UNDOING;
        let mut is_undone = false;
        // The reports of what was thrown away come late; left over they would be taken for those of what goes next.
        while Instant::now() < deadline && !(is_undone && self.unacknowledged == 0) {
            self.output.producer.poll(POLL);
            let reported = self.output.producer.context().take_reported();
            self.unacknowledged = self.unacknowledged.saturating_sub(reported);
            let _ = self.output.producer.context().take_troubles();
            if !is_undone {
                match self.output.delivery.abandon(&self.output.producer) {
                    Ok(Undone::Pending | Undone::Waiting) => {}
                    // Or it was committed after all: the next process finds that too.
                    Ok(Undone::Done | Undone::Committed | Undone::Replace) | Err(_) => is_undone = true,
                }
            }
        }
        self.sent.clear();
        self.unacknowledged = 0;
    }

    fn told(&self, trouble: &Trouble) -> anyhow::Error {
        use RDKafkaErrorCode as Code;
        match trouble.code {
            Code::TransactionalIdAuthorizationFailed => {
                denied(Resource::TransactionalId(self.group.to_owned()), Operation::Write)
            }
            Code::GroupAuthorizationFailed => denied(Resource::Group(self.group.to_owned()), Operation::Read),
            Code::TopicAuthorizationFailed => denied(Resource::Topic(self.dead_letters.to_string()), Operation::Read),
            // Once it is fenced, the client fails everything else with other words.
            _ if trouble.class == Class::Fatal || self.output.producer.client().fatal_error().is_some() => anyhow!(
                "another process began the same replay and took over, or this one stood still for longer than \
                 pipeline.transaction_timeout: this one ends (nothing is sent twice; {AGAIN})"
            ),
            _ => anyhow!("{trouble} ({AGAIN})"),
        }
    }
}
