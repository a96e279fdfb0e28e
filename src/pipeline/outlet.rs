//! The way out: outcomes become records of the output and the dead-letter topic, in input order.

use std::fmt::Write as _;
use std::sync::Arc;
use std::thread::Thread;
use std::time::Duration;

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::account::{Fate, Slot};
use super::batch::{Batch, Polled};
use super::delivery::Trouble;
use super::held::{Held, Letter};
use super::refusals::{Blame, Refusals};
use super::tally::Tally;
use crate::config::{Config, Key, Partition, Timestamp};
use crate::dead_letter;
use crate::dead_letter::{Dialect, EVENT_SOURCE, Rejected, Stamp};
use crate::kafka::admin::limits::SizeLimits;
use crate::kafka::clients::{Producer, Undelivered};
use crate::kafka::ffi;
use crate::kafka::ffi::{Outgoing, ReportBell, TopicHandle};
use crate::mutants::{self, Mutant};
use crate::normalize::{EventId, Normalizer, Outcome, Rejection, Verdict};
use crate::record::{Coordinates, Header, wire_size};

/// The share of the memory budget for dead letters that wait, as a divisor.
const HELD_SHARE: u64 = 128;

/// A producer and what belongs to it; replaced as a whole.
pub struct Output {
    // Before the producer: they hold references to it.
    events: TopicHandle,
    dead_letters: TopicHandle,
    _bell: ReportBell,
    pub producer: Arc<Producer>,
}

impl Output {
    /// `engine` is unparked when a delivery report has come.
    pub fn new(producer: Producer, config: &Config, engine: &Thread) -> Option<Self> {
        let producer = Arc::new(producer);
        Some(Self {
            events: TopicHandle::new(&producer, &config.output.topic)?,
            dead_letters: TopicHandle::new(&producer, &config.dead_letters.topic)?,
            _bell: ReportBell::new(&producer, engine.clone()),
            producer,
        })
    }

    fn produce_dead_letter<'h>(
        &self,
        letter: Letter<'_, impl Iterator<Item = Header<'h>>>,
    ) -> Result<(), RDKafkaErrorCode> {
        ffi::produce(Outgoing {
            topic: &self.dead_letters,
            partition: letter.partition,
            key: letter.key,
            value: letter.value,
            headers: letter.headers,
            timestamp_ms: Some(letter.timestamp_ms),
            tag: letter.tag,
        })
    }
}

/// Where a partition's records came from.
#[derive(Clone, Debug)]
pub struct Source {
    pub topic: Arc<str>,
    pub partition: i32,
    /// `topic/partition/`: every event's coordinates begin with it, and formatting it each time would show.
    prefix: String,
}

impl Source {
    pub fn new(topic: Arc<str>, partition: i32) -> Self {
        let prefix = format!("{topic}/{partition}/");
        Self { topic, partition, prefix }
    }
}

/// A batch that is being handed over, and how far that has come.
#[derive(Debug)]
pub struct Current {
    pub batch: Box<Batch>,
    /// The record that is next.
    pub record: usize,
    /// The outcome of it that is next.
    outcome: usize,
    rejected: bool,
}

impl Current {
    pub fn new(batch: Box<Batch>) -> Self {
        Self { batch, record: 0, outcome: 0, rejected: false }
    }

    pub fn is_done(&self) -> bool {
        self.record == self.batch.len()
    }

    /// Part of the record that is next was handed over already.
    pub fn mid_record(&self) -> bool {
        self.outcome > 0
    }
}

/// How far handing over a record came.
#[derive(Debug)]
pub enum Handed {
    All(Fate),
    /// The producer takes no more at the moment.
    Blocked,
}

/// What a produced record stands for.
#[derive(Clone, Copy, Debug)]
struct Sent {
    slot: Slot,
    offset: i64,
    index: Option<u32>,
    dead_letter: bool,
}

/// The state of the way out.
pub struct Outlet {
    pub output: Output,
    pub limits: SizeLimits,
    /// An event was too large for these limits since they were read.
    pub judged_too_large: bool,
    /// Records handed to the producer without a report.
    pub unacknowledged: u64,
    /// Whether a record was acknowledged since the last seal.
    pub acknowledged: bool,
    /// What was handed over since the last seal.
    pub tally: Tally,
    normalizer: Arc<Normalizer>,
    key: Key,
    partition: Partition,
    timestamp: Timestamp,
    source_header: bool,
    group: String,
    processor: String,
    dialect: Option<Dialect>,
    /// By tag, since the last seal.
    sent: Vec<Sent>,
    refusals: Refusals,
    /// Dead letters that wait to go together; counted as unacknowledged.
    held: Held,
    coordinates: String,
}

impl Outlet {
    pub fn new(output: Output, limits: SizeLimits, config: &Config, normalizer: Arc<Normalizer>) -> Self {
        Self {
            output,
            limits,
            judged_too_large: false,
            unacknowledged: 0,
            acknowledged: false,
            tally: Tally::default(),
            normalizer,
            key: config.output.key,
            partition: config.output.partition,
            timestamp: config.output.timestamp,
            source_header: config.output.source_header,
            group: config.input.group.clone(),
            processor: processor(config),
            dialect: config.dead_letters.dialect,
            sent: Vec::new(),
            refusals: Refusals::default(),
            held: Held::new(config.pipeline.memory_share(HELD_SHARE)),
            coordinates: String::new(),
        }
    }

    /// Hands over the next record of a batch, from where the last call had to stop.
    pub fn hand_over(&mut self, current: &mut Current, source: &Source) -> Result<Handed, Trouble> {
        let at = current.record;
        let (slot, offset) = current.batch.place(at);
        for outcome in current.batch.outcomes().of_record(at).skip(current.outcome) {
            let place = (slot, offset, outcome.index);
            if self.unacknowledged > 0 && self.refusals.forbid_company(place) {
                // What waits has to have gone before this one may go.
                self.release()?;
                return Ok(Handed::Blocked);
            }
            let dead_letter = match self.send(&current.batch, at, source, &outcome) {
                Ok(dead_letter) => dead_letter,
                Err(RDKafkaErrorCode::QueueFull) => return Ok(Handed::Blocked),
                Err(code) => return Err(not_taken(code)),
            };
            self.refusals.handed(place);
            current.rejected |= dead_letter;
            current.outcome += 1;
        }
        let fate = match (current.outcome, current.rejected) {
            (0, _) => Fate::Skipped,
            (_, true) => Fate::DeadLettered,
            (_, false) => Fate::Delivered,
        };
        current.record += 1;
        current.outcome = 0;
        current.rejected = false;
        Ok(Handed::All(fate))
    }

    /// Whether the dead letters that wait have waited long enough.
    pub fn is_release_due(&mut self, now: Duration) -> bool {
        self.held.is_due(now)
    }

    /// Hands over the dead letters that wait, as many as the producer takes. `true`: some have gone.
    pub fn release(&mut self) -> Result<bool, Trouble> {
        let waited = self.held.len();
        match self.release_all() {
            Ok(()) | Err(RDKafkaErrorCode::QueueFull) => Ok(self.held.len() < waited),
            Err(code) => Err(not_taken(code)),
        }
    }

    fn release_all(&mut self) -> Result<(), RDKafkaErrorCode> {
        loop {
            match self.held.next() {
                Some(letter) => self.output.produce_dead_letter(letter)?,
                None => return Ok(()),
            }
            self.held.gone();
        }
    }

    /// The dead letters that wait will never go: what was handed over is undone.
    pub fn forget_held(&mut self) {
        self.unacknowledged = self.unacknowledged.saturating_sub(self.held.len() as u64);
        self.held.clear();
    }

    /// Produces one outcome; `true` when it went to the dead letters.
    fn send(
        &mut self,
        batch: &Batch,
        at: usize,
        source: &Source,
        outcome: &Outcome<'_>,
    ) -> Result<bool, RDKafkaErrorCode> {
        let record = batch.record(at);
        let (json, received_us, id) = match outcome.verdict {
            Verdict::Rejection { rejection, text } => {
                let value = text.or(record.value);
                self.send_dead_letter(batch, at, source, outcome.index, value, rejection)?;
                return Ok(true);
            }
            Verdict::Event { json, received_us, id } => (json, received_us, id),
        };
        match self.send_event(batch, at, source, outcome.index, (json, id))? {
            None => {
                self.tally.event(json.len(), received_us);
                Ok(false)
            }
            Some(rejection) => {
                // Rare, so that the text of a trace out of a page is found again instead of kept for each event.
                let text = outcome.index.and_then(|index| self.normalizer.trace_text(record.into(), index));
                let value = text.as_deref().or(record.value);
                self.send_dead_letter(batch, at, source, outcome.index, value, &rejection)?;
                Ok(true)
            }
        }
    }

    /// `Some`: the output topic does not take this event.
    fn send_event(
        &mut self,
        batch: &Batch,
        at: usize,
        source: &Source,
        index: Option<u32>,
        (json, id): (&[u8], Option<&EventId>),
    ) -> Result<Option<Rejection>, RDKafkaErrorCode> {
        let record = batch.record(at);
        if let Some(error) = self.refusals.error_of((record.slot, record.offset, index)) {
            return Ok(Some(Rejection::event_refused(error)));
        }
        self.write_coordinates(source, record.offset, index);
        let ours = Header { name: EVENT_SOURCE.as_bytes(), value: Some(self.coordinates.as_bytes()) };
        let headers = || {
            batch
                .headers(at)
                .filter(|header| !dead_letter::is_dropped_from_events(header.name))
                .chain(self.source_header.then_some(ours))
        };
        let key = match self.key {
            Key::Input => record.key,
            Key::EventId => id.map(EventId::as_slice),
        };
        let bytes = wire_size(key, Some(json), headers());
        if bytes > self.limits.output {
            self.judged_too_large = true;
            return Ok(Some(Rejection::event_too_large(bytes as u64, self.limits.output as u64)));
        }
        ffi::produce(Outgoing {
            topic: &self.output.events,
            partition: self.partition_for(source),
            key,
            value: Some(json),
            headers: headers(),
            timestamp_ms: record.timestamp_ms.filter(|_| self.timestamp == Timestamp::Source),
            tag: self.sent.len(),
        })?;
        self.sent(&record, index, false);
        Ok(None)
    }

    fn send_dead_letter(
        &mut self,
        batch: &Batch,
        at: usize,
        source: &Source,
        index: Option<u32>,
        value: Option<&[u8]>,
        rejection: &Rejection,
    ) -> Result<(), RDKafkaErrorCode> {
        if mutants::fires(Mutant::DropADeadLetter) {
            return Ok(());
        }
        let record = batch.record(at);
        let headers: Vec<_> = batch.headers(at).collect();
        let letter = dead_letter::encode(
            &Rejected {
                source: Coordinates { topic: &source.topic, partition: source.partition, offset: record.offset },
                index,
                timestamp_ms: record.timestamp_ms,
                key: record.key,
                value,
                headers: &headers,
                rejection,
            },
            &Stamp {
                group: &self.group,
                processor: &self.processor,
                failed_at_ms: chrono::Utc::now().timestamp_millis(),
                limit_bytes: self.limits.dead_letters,
                dialect: self.dialect,
            },
        );
        let outgoing = Letter {
            partition: self.partition_for(source),
            key: letter.key,
            value: letter.value,
            headers: letter.headers(),
            timestamp_ms: letter.timestamp_ms,
            tag: self.sent.len(),
        };
        if self.held.has_room_for(letter.wire_size()) {
            self.held.push(outgoing);
        } else {
            self.release_all()?;
            self.output.produce_dead_letter(outgoing)?;
        }
        self.sent(&record, index, true);
        self.tally.dead_letter(rejection, letter.value.map_or(0, <[u8]>::len));
        tracing::debug!(
            topic = %source.topic, partition = source.partition, offset = record.offset, index,
            kind = rejection.kind.name(), "dead letter: {}", rejection.message
        );
        Ok(())
    }

    fn sent(&mut self, record: &Polled<'_>, index: Option<u32>, dead_letter: bool) {
        self.sent.push(Sent { slot: record.slot, offset: record.offset, index, dead_letter });
        self.unacknowledged += 1;
    }

    fn partition_for(&self, source: &Source) -> Option<i32> {
        match self.partition {
            Partition::Key => None,
            Partition::Source => Some(source.partition),
        }
    }

    fn write_coordinates(&mut self, source: &Source, offset: i64, index: Option<u32>) {
        self.coordinates.clear();
        self.coordinates.push_str(&source.prefix);
        // Writing to a string cannot fail.
        let _ = write!(self.coordinates, "{offset}");
        if let Some(index) = index {
            let _ = write!(self.coordinates, "/{index}");
        }
    }

    /// Finds out who is to blame for records that were not delivered.
    pub fn blame(&mut self, undelivered: &[Undelivered]) -> Blame {
        let sent = &self.sent;
        let of = |tag: usize| sent.get(tag).map(|sent| ((sent.slot, sent.offset, sent.index), sent.dead_letter));
        self.refusals.blame(undelivered, of)
    }

    /// Memory used by what is remembered of records since the last seal.
    pub fn remembered_bytes(&self) -> usize {
        self.sent.len() * size_of::<Sent>()
    }

    /// Forgets what was handed over: it is sealed, or it is undone.
    pub fn start_over(&mut self) {
        self.forget_held();
        self.sent.clear();
        self.refusals.start_over();
        self.acknowledged = false;
        self.tally = Tally::default();
    }

    /// Nobody will ask for the refusals of a partition that is gone or was sealed beyond them.
    pub fn forget_refusals(&mut self, sealed: impl Fn(Slot) -> Option<i64>) {
        self.refusals.forget(sealed);
    }
}

fn not_taken(code: RDKafkaErrorCode) -> Trouble {
    Trouble::new("hand a record to the producer", KafkaError::MessageProduction(code))
}

/// Name, version and profile, as dead letters carry them.
fn processor(config: &Config) -> String {
    format!("{}/{} {}", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), config.normalize.profile.name())
}
