//! The limit: one thread that reads and writes through the same client library and does nothing else. For each record
//! it writes the very bytes that the service writes, with the same key, headers and timestamp; they lie ready.

use std::fmt::Write as _;
use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use messagetrace_ecs::config::Config;
use messagetrace_ecs::dead_letter::{EVENT_SOURCE, is_dropped_from_events};
use messagetrace_ecs::kafka::clients::{Producer, ProducerEvents};
use messagetrace_ecs::kafka::ffi;
use messagetrace_ecs::kafka::ffi::{Outgoing, TopicHandle};
use messagetrace_ecs::record::Header;
use rdkafka::config::FromClientConfigAndContext as _;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::{BorrowedMessage, Message as _};
use rdkafka::producer::Producer as _;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use super::Errand;
use super::input;
use super::input::Output;

struct Passthrough {
    producer: Arc<Producer>,
    events: TopicHandle,
    letters: TopicHandle,
    input: String,
    coordinates: String,
    written_bytes: u64,
}

/// Runs in a process of its own. Gives the seconds from the first record to the last acknowledgement, and the bytes of
/// all values written.
pub fn run(errand: &Errand, idempotent: bool) -> (f64, u64) {
    let outputs = input::outputs(&Config::default(), errand.shape);
    let mut client = ClientConfig::new();
    client.set("bootstrap.servers", &errand.bootstrap).set("acks", "all").set("partitioner", "murmur2_random");
    client.set("linger.ms", "5").set("batch.size", "1000000").set("compression.type", "lz4");
    client.set("queue.buffering.max.kbytes", "32768").set("enable.idempotence", idempotent.to_string());
    let producer = Producer::from_config_and_context(&client, ProducerEvents::new(&Config::default(), &client));
    let producer = Arc::new(producer.expect("a producer"));
    let topic = |name| TopicHandle::new(&producer, name).expect("a topic");
    let mut passthrough = Passthrough {
        events: topic(&errand.output),
        letters: topic(&errand.dead_letters),
        producer: Arc::clone(&producer),
        input: errand.input.clone(),
        coordinates: String::new(),
        written_bytes: 0,
    };
    let consumer = reader(errand);
    let (mut began, mut read) = (None, 0);
    while read < errand.records {
        let Some(message) = consumer.poll(Duration::from_millis(100)) else { continue };
        let message = message.expect("a record");
        began.get_or_insert_with(Instant::now);
        for output in &outputs[input::place(message.timestamp().to_millis())] {
            passthrough.pass(&message, output);
        }
        read += 1;
        if read % 64 == 0 {
            while passthrough.reported() {}
        }
    }
    producer.flush(Duration::from_secs(600)).expect("the broker takes the output");
    let done = (began.expect("records were read").elapsed().as_secs_f64(), passthrough.written_bytes);
    // What their threads have used is read while they live.
    mem::forget((consumer, passthrough));
    done
}

/// A consumer over the whole input, by its partitions.
pub fn reader(errand: &Errand) -> BaseConsumer {
    let mut client = ClientConfig::new();
    client.set("bootstrap.servers", &errand.bootstrap).set("group.id", &errand.group);
    client.set("enable.auto.commit", "false").set("fetch.queue.backoff.ms", "10");
    client.set("queued.max.messages.kbytes", "16384");
    let consumer: BaseConsumer = client.create().expect("a consumer");
    let mut assignment = TopicPartitionList::new();
    for partition in 0..errand.partitions {
        assignment.add_partition_offset(&errand.input, partition, Offset::Beginning).expect("an offset");
    }
    consumer.assign(&assignment).expect("the partitions");
    consumer
}

impl Passthrough {
    fn pass(&mut self, message: &BorrowedMessage<'_>, output: &Output) {
        match output {
            Output::Event { index, json } => {
                self.locate(message, *index);
                let source = Header { name: EVENT_SOURCE.as_bytes(), value: Some(self.coordinates.as_bytes()) };
                let mut headers = Vec::new();
                ffi::for_each_header(message, |header| {
                    if !is_dropped_from_events(header.name) {
                        headers.push(header);
                    }
                });
                headers.push(source);
                self.produce(&self.events, message, Some(json), &headers, message.timestamp().to_millis());
                self.written_bytes += json.len() as u64;
            }
            Output::Letter { value, headers, timestamp_ms } => {
                let headers: Vec<_> =
                    headers.iter().map(|(name, value)| Header { name, value: value.as_deref() }).collect();
                self.produce(&self.letters, message, value.as_deref(), &headers, Some(*timestamp_ms));
                self.written_bytes += value.as_ref().map_or(0, Vec::len) as u64;
            }
        }
    }

    fn locate(&mut self, message: &BorrowedMessage<'_>, index: Option<u32>) {
        self.coordinates.clear();
        // Writing to a string cannot fail.
        let _ = write!(self.coordinates, "{}/{}/{}", self.input, message.partition(), message.offset());
        if let Some(index) = index {
            let _ = write!(self.coordinates, "/{index}");
        }
    }

    fn produce(
        &self,
        topic: &TopicHandle,
        message: &BorrowedMessage<'_>,
        value: Option<&[u8]>,
        headers: &[Header<'_>],
        timestamp_ms: Option<i64>,
    ) {
        let key = message.key();
        let headers = || headers.iter().copied();
        let outgoing = || Outgoing { topic, partition: None, key, value, headers: headers(), timestamp_ms, tag: 0 };
        while let Err(code) = ffi::produce(outgoing()) {
            assert_eq!(code, RDKafkaErrorCode::QueueFull);
            self.producer.poll(Duration::from_millis(1));
        }
    }

    /// Serves one report. `false`: there was none.
    fn reported(&self) -> bool {
        self.producer.poll(Duration::ZERO);
        self.producer.context().take_reported() > 0
    }
}
