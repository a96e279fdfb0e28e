//! The input, and what each record of it has to become.
//!
//! The stream of the demo, a few ten thousand records over and over: so the output of each is known beforehand and fits
//! into memory. Which one a record is stands in its timestamp.

use std::time::Duration;

use messagetrace_ecs::config::{Config, mapping};
use messagetrace_ecs::dead_letter;
use messagetrace_ecs::dead_letter::{Rejected, Stamp};
use messagetrace_ecs::demo::feed::{Feed, FeedRecord};
use messagetrace_ecs::normalize::{Normalizer, Outcomes, Record, Verdict};
use messagetrace_ecs::record::{Coordinates, Header};
use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::OwnedHeaders;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};

/// Different records.
pub const DISTINCT: u64 = 20_000;

const FIRST_MS: i64 = 1_780_000_000_000;

const LIMIT: Duration = Duration::from_secs(600);

fn stream() -> Vec<FeedRecord> {
    Feed::new(1, DISTINCT).collect()
}

/// Fills a topic. Gives the bytes of all values.
pub fn fill(client: &mut ClientConfig, topic: &str, records: u64) -> u64 {
    client.set("linger.ms", "20").set("batch.size", "1000000").set("compression.type", "lz4");
    client.set("enable.idempotence", "true").set("partitioner", "murmur2_random");
    let producer: BaseProducer = client.create().expect("a producer");
    let stream = stream();
    let mut bytes = 0;
    for (number, record) in (0..records).zip(stream.iter().cycle()) {
        bytes += record.value.as_ref().map_or(0, Vec::len) as u64;
        let headers = record.headers.iter().fold(OwnedHeaders::new(), |headers, (key, value)| {
            headers.insert(rdkafka::message::Header { key, value: value.as_ref() })
        });
        let place = i64::try_from(number % DISTINCT).expect("a small number");
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
pub fn outputs(config: &Config) -> Vec<Vec<Output>> {
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
    (0..).zip(stream()).map(of_record).collect()
}

/// Which of the outputs are a record's.
pub fn place(timestamp_ms: Option<i64>) -> usize {
    let place = timestamp_ms.expect("records with a time") - FIRST_MS;
    usize::try_from(place).expect("a time of ours")
}
