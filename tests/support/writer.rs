//! Writes any records anywhere, with or without transactions; remembers nothing.

use std::time::Duration;

use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseProducer, NoCustomPartitioner, Producer, ProducerContext};
use rdkafka::{ClientConfig, ClientContext};

use super::cluster::Cluster;
use super::raw::{self, Record};

/// For the broker to acknowledge what was sent.
const DELIVERY_LIMIT: Duration = Duration::from_secs(60);

/// Fails the test when a record is not taken.
#[derive(Debug)]
struct Strict;

impl ClientContext for Strict {}

impl ProducerContext<NoCustomPartitioner> for Strict {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, _: usize) {
        if let Err((error, _)) = result {
            // An aborted transaction takes its records along.
            assert_eq!(error.rdkafka_error_code(), Some(RDKafkaErrorCode::PurgeQueue), "write a record");
        }
    }
}

pub struct Writer {
    topic: String,
    producer: BaseProducer<Strict>,
}

impl Writer {
    pub fn new(cluster: &Cluster, topic: &str) -> Self {
        Self::make(topic, cluster.client().set("enable.idempotence", "true"))
    }

    /// A writer in a transaction, which [`Writer::commit`] and [`Writer::abort`] end and begin anew.
    pub fn transactional(cluster: &Cluster, topic: &str) -> Self {
        let id = format!("writer-of-{topic}");
        let writer = Self::make(topic, cluster.client().set("transactional.id", id));
        writer.producer.init_transactions(DELIVERY_LIMIT).expect("introduce the writer");
        writer.begin();
        writer
    }

    fn make(topic: &str, client: &mut ClientConfig) -> Self {
        client.set("message.max.bytes", "100000000").set("linger.ms", "5");
        let producer = client.create_with_context(Strict).expect("make a producer");
        Self { topic: topic.to_owned(), producer }
    }

    pub fn send(&self, partition: i32, record: &Record) {
        while let Err(code) = raw::produce(&self.producer, &self.topic, partition, record, 0) {
            assert_eq!(code, RDKafkaErrorCode::QueueFull, "write to {}", self.topic);
            self.producer.poll(Duration::from_millis(10));
        }
    }

    /// Waits until everything is acknowledged.
    pub fn settle(&self) {
        self.producer.flush(DELIVERY_LIMIT).expect("the broker acknowledges what was written");
    }

    pub fn commit(&self) {
        self.settle();
        self.producer.commit_transaction(DELIVERY_LIMIT).expect("commit what was written");
        self.begin();
    }

    /// Takes back what was written since the last commit; it lies in the topic all the same.
    pub fn abort(&self) {
        self.settle();
        self.producer.abort_transaction(DELIVERY_LIMIT).expect("abort what was written");
        self.begin();
    }

    fn begin(&self) {
        self.producer.begin_transaction().expect("begin a transaction");
    }
}
