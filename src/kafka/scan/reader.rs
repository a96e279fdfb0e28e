//! One reader: a consumer that is given one partition after another, by hand.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer as _;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::BorrowedMessage;
use rdkafka::{Message as _, Offset, TopicPartitionList};

use super::error::{ScanError, is_of_the_group, last_words};
use super::{Progress, Range, Record, Seen};
use crate::config::Config;
use crate::kafka::clients::Standalone;
use crate::kafka::clients::settings;
use crate::kafka::{errors, ffi};
use crate::record::{Coordinates, Header};

/// How often a stop is looked for while nothing comes.
const POLL: Duration = Duration::from_millis(100);

/// How long one look-up may take.
const TIMEOUT: Duration = Duration::from_secs(10);

pub struct Reader {
    consumer: Standalone,
    patience: Duration,
}

impl Reader {
    pub fn new(config: &Config, patience: Duration) -> Result<Self, ScanError> {
        let consumer = Standalone::new(&settings::reader(config), config).map_err(ScanError::Client)?;
        Ok(Self { consumer, patience })
    }

    /// Reads a range to its end, or until `each` has enough.
    pub fn read(
        &mut self,
        range: &Range,
        progress: &Progress,
        each: impl FnMut(Record<'_>) -> ControlFlow<()>,
    ) -> Result<Seen, ScanError> {
        let mut reading = Reading { range, progress, each, position: range.from, seen: Seen::default() };
        self.start(range, range.from)?;
        let mut heard = Instant::now();
        while !progress.is_stopped() {
            let step = match self.consumer.poll(POLL) {
                None => Step::Waits,
                Some(Ok(message)) => reading.record(&message),
                Some(Err(KafkaError::PartitionEOF(_))) => Step::End,
                Some(Err(error)) => self.trouble(&mut reading, error)?,
            };
            match step {
                // A client that complains without end has said nothing either.
                Step::Waits if heard.elapsed() >= self.patience => return Err(self.silent(range)),
                Step::Waits => {}
                Step::Goes => heard = Instant::now(),
                Step::End => {
                    reading.pass_to(range.to);
                    reading.seen.complete = true;
                    break;
                }
                Step::Enough => progress.stop(),
            }
        }
        Ok(reading.seen)
    }

    fn start(&self, range: &Range, offset: i64) -> Result<(), ScanError> {
        let mut partition = TopicPartitionList::with_capacity(1);
        partition
            .add_partition_offset(&range.topic, range.partition, Offset::Offset(offset))
            .and_then(|()| self.consumer.assign(&partition))
            .map_err(|source| failed(range, offset, source))
    }

    fn trouble<E>(&self, reading: &mut Reading<'_, E>, error: KafkaError) -> Result<Step, ScanError> {
        use RDKafkaErrorCode as Code;
        let range = reading.range;
        match errors::code(&error) {
            code if is_of_the_group(code) => Ok(Step::Waits),
            Code::TopicAuthorizationFailed => Err(ScanError::denied(&range.topic, range.key)),
            Code::AutoOffsetReset | Code::OffsetOutOfRange => self.out_of_range(reading, error),
            // What a client says while it looks for its brokers: it goes on looking, and we have patience.
            Code::AllBrokersDown | Code::BrokerTransportFailure | Code::Resolve | Code::OperationTimedOut => {
                Ok(Step::Waits)
            }
            _ => Err(failed(range, reading.position, error)),
        }
    }

    /// Retention was faster: goes on where the partition begins now.
    fn out_of_range<E>(&self, reading: &mut Reading<'_, E>, error: KafkaError) -> Result<Step, ScanError> {
        let (range, offset) = (reading.range, reading.position);
        let marks = self.consumer.fetch_watermarks(&range.topic, range.partition, TIMEOUT);
        let (low, end) = marks.map_err(|source| failed(range, offset, source))?;
        if end < offset {
            return Err(ScanError::Recreated {
                topic: range.topic.to_string(),
                partition: range.partition,
                offset,
                end,
            });
        }
        if low <= offset {
            return Err(failed(range, offset, error));
        }
        let gone = reading.seen.gone.as_ref().map_or(offset, |gone| gone.start)..low.min(range.to);
        reading.seen.gone = Some(gone);
        reading.pass_to(low);
        if low >= range.to {
            return Ok(Step::End);
        }
        self.start(range, low)?;
        Ok(Step::Goes)
    }

    fn silent(&self, range: &Range) -> ScanError {
        ScanError::Silent {
            topic: range.topic.to_string(),
            partition: range.partition,
            seconds: self.patience.as_secs(),
            reason: last_words(&self.consumer).map_or_else(String::new, |error| format!(": {}", error.reason)),
        }
    }
}

fn failed(range: &Range, offset: i64, source: KafkaError) -> ScanError {
    ScanError::Read { topic: range.topic.to_string(), partition: range.partition, offset, source }
}

enum Step {
    /// Nothing of ours; patience runs on.
    Waits,
    Goes,
    /// The range has no more.
    End,
    /// Somebody wants no more.
    Enough,
}

struct Reading<'r, E> {
    range: &'r Range,
    progress: &'r Progress,
    each: E,
    /// The next offset.
    position: i64,
    seen: Seen,
}

impl<E: FnMut(Record<'_>) -> ControlFlow<()>> Reading<'_, E> {
    fn record(&mut self, message: &BorrowedMessage<'_>) -> Step {
        let range = self.range;
        let offset = message.offset();
        if message.partition() != range.partition || offset < self.position || message.topic() != &*range.topic {
            // A leftover of what was read before.
            return Step::Waits;
        }
        if offset >= range.to {
            return Step::End;
        }
        let mut headers: Vec<Header<'_>> = Vec::new();
        ffi::for_each_header(message, |header| headers.push(header));
        let (key, value) = (message.key(), message.payload());
        let bytes = key.map_or(0, <[u8]>::len) + value.map_or(0, <[u8]>::len);
        self.seen.records += 1;
        self.seen.bytes += bytes as u64;
        self.seen.first.get_or_insert(offset);
        self.seen.last = Some(offset);
        self.progress.read(bytes);
        let flow = (self.each)(Record {
            at: Coordinates { topic: &range.topic, partition: range.partition, offset },
            timestamp_ms: message.timestamp().to_millis(),
            key,
            value,
            headers: &headers,
        });
        self.pass_to(offset + 1);
        match flow {
            ControlFlow::Break(()) => Step::Enough,
            // The end of a partition is not told again to whoever asks for less.
            ControlFlow::Continue(()) if offset + 1 >= range.to => Step::End,
            ControlFlow::Continue(()) => Step::Goes,
        }
    }
}

impl<E> Reading<'_, E> {
    fn pass_to(&mut self, offset: i64) {
        let offset = offset.clamp(self.position, self.range.to.max(self.position));
        self.progress.passed(offset - self.position);
        self.position = offset;
    }
}
