//! The input, and what each record of it has to become.
//!
//! The stream of the demo, or records of one shape; a few of them over and over, so the output of each is known beforehand
//! and fits into memory. Which one a record is stands in its timestamp.

use std::time::Duration;

use messagetrace_ecs::config::{Config, mapping};
use messagetrace_ecs::dead_letter;
use messagetrace_ecs::dead_letter::{Rejected, Stamp};
use messagetrace_ecs::demo::feed::{Expected, Feed, FeedRecord};
use messagetrace_ecs::normalize::{Normalizer, Outcomes, Record, Verdict};
use messagetrace_ecs::record::{Coordinates, Header};
use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::OwnedHeaders;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};

use crate::reporting::{page, trace};

/// What the records are like.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// The stream of the demo.
    Mixed,
    /// Each goes to the dead letters: a trace that ends in the middle.
    Poison,
    /// Pages of a thousand traces.
    Pages,
    /// One trace of 400 kB each.
    Large,
}

/// Traces in a page.
const PAGE: usize = 1_000;

/// Bytes of the subject that makes a trace large, and what of each subject is repeated for it.
const LARGE: usize = 400_000;
const SUBJECT: &str = "Minutes of the meeting ";

const FIRST_MS: i64 = 1_780_000_000_000;

const LIMIT: Duration = Duration::from_secs(600);

impl Shape {
    pub fn named(name: &str) -> Self {
        match name {
            "mixed" => Self::Mixed,
            "poison" => Self::Poison,
            "pages" => Self::Pages,
            "large" => Self::Large,
            _ => panic!("no shape is called {name}: mixed, poison, pages, large"),
        }
    }

    /// The records that differ.
    fn stream(self) -> Vec<FeedRecord> {
        match self {
            Self::Mixed => Feed::new(1, 20_000).collect(),
            Self::Poison => (0..20_000).map(|number| record(number, trace(number).replace('}', ""))).collect(),
            Self::Pages => (0..20).map(|number| record(number, page(number * PAGE..(number + 1) * PAGE))).collect(),
            Self::Large => {
                let subject = SUBJECT.repeat(LARGE / SUBJECT.len());
                (0..20).map(|number| record(number, trace(number).replace(SUBJECT, &subject))).collect()
            }
        }
    }
}

fn record(number: usize, value: String) -> FeedRecord {
    let (key, value) = (Some(number.to_string().into_bytes()), Some(value.into_bytes()));
    FeedRecord { key, value, headers: Vec::new(), timestamp_ms: 0, expected: Expected::default() }
}

/// Fills a topic, in batches of so many bytes. Gives the bytes of all values.
pub fn fill(client: &mut ClientConfig, topic: &str, records: u64, shape: Shape, batch_bytes: u64) -> u64 {
    client.set("linger.ms", "20").set("batch.size", batch_bytes.to_string()).set("compression.type", "lz4");
    client.set("enable.idempotence", "true").set("partitioner", "murmur2_random");
    let producer: BaseProducer = client.create().expect("a producer");
    let stream = shape.stream();
    let mut bytes = 0;
    let records = usize::try_from(records).expect("a number of records");
    for (place, record) in (0_i64..).zip(&stream).cycle().take(records) {
        bytes += record.value.as_ref().map_or(0, Vec::len) as u64;
        let headers = record.headers.iter().fold(OwnedHeaders::new(), |headers, (key, value)| {
            headers.insert(rdkafka::message::Header { key, value: value.as_ref() })
        });
        let mut next = BaseRecord::<[u8], [u8]>::to(topic).timestamp(FIRST_MS + place).headers(headers);
        next.key = record.key.as_deref();
        next.payload = record.value.as_deref();
        while let Err((error, again)) = producer.send(next) {
            assert!(matches!(error, KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull)), "{error}");
            producer.poll(Duration::from_millis(1));
            next = again;
        }
    }
    producer.flush(LIMIT).expect("the broker takes the input");
    bytes
}

/// A record to be written.
pub enum Output {
    Event { index: Option<u32>, json: Vec<u8> },
    Letter { value: Option<Vec<u8>>, headers: Vec<(Vec<u8>, Option<Vec<u8>>)>, timestamp_ms: i64 },
}

/// What every record becomes, by its place in the stream. The coordinates in a dead letter are those of no record; an
/// event has none inside.
pub fn outputs(config: &Config, shape: Shape) -> Vec<Vec<Output>> {
    let normalizer = Normalizer::new(mapping::settings(config));
    let mut outcomes = Outcomes::default();
    let stamp = Stamp {
        group: "group-00",
        processor: "messagetrace-ecs/0.0.0 sekoia",
        failed_at_ms: FIRST_MS,
        limit_bytes: 1_000_000,
        dialect: None,
    };
    let of_record = |(place, record): (i64, FeedRecord)| {
        let (value, timestamp_ms) = (record.value.as_deref(), Some(FIRST_MS + place));
        outcomes.clear();
        normalizer.normalize(Record { value, timestamp_ms }, &mut outcomes);
        let headers: Vec<_> = record
            .headers
            .iter()
            .map(|(name, value)| Header { name: name.as_bytes(), value: value.as_deref() })
            .collect();
        let output = |outcome: messagetrace_ecs::normalize::Outcome<'_>| match outcome.verdict {
            Verdict::Event { json, .. } => Output::Event { index: outcome.index, json: json.to_vec() },
            Verdict::Rejection { rejection, text } => {
                let source = Coordinates { topic: "raw-00", partition: 0, offset: 100_000 };
                let (key, value, index) = (record.key.as_deref(), text.or(value), outcome.index);
                let rejected = Rejected { source, index, timestamp_ms, key, value, headers: &headers, rejection };
                let letter = dead_letter::encode(&rejected, &stamp);
                Output::Letter {
                    value: letter.value.map(<[u8]>::to_vec),
                    headers: letter.headers().map(|one| (one.name.to_vec(), one.value.map(<[u8]>::to_vec))).collect(),
                    timestamp_ms: letter.timestamp_ms,
                }
            }
        };
        outcomes.of_record(0).map(output).collect()
    };
    (0..).zip(shape.stream()).map(of_record).collect()
}

/// Which of the outputs are a record's.
pub fn place(timestamp_ms: Option<i64>) -> usize {
    let place = timestamp_ms.expect("records with a time") - FIRST_MS;
    usize::try_from(place).expect("a time of ours")
}
