//! A broker for unit tests: the client library's own, in this process, with one topic of one partition.

use std::time::Duration;

use rdkafka::consumer::Consumer as _;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer as _};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use super::clients::Consumer;
use crate::config::Config;

pub const TOPIC: &str = "raw";

/// The broker, and the configuration of who talks to it.
pub fn broker() -> (MockCluster<'static, DefaultProducerContext>, Config) {
    let broker = MockCluster::new(1).expect("start the embedded broker");
    broker.create_topic(TOPIC, 1, 1).expect("make a topic");
    let mut config = Config::default();
    config.kafka.bootstrap_servers = vec![broker.bootstrap_servers()];
    (broker, config)
}

/// Writes so many records of 100 bytes, ten a batch.
pub fn write(config: &Config, records: usize) {
    let mut client = ClientConfig::new();
    client.set("bootstrap.servers", config.kafka.bootstrap_servers.join(",")).set("batch.num.messages", "10");
    let producer: BaseProducer = client.create().expect("a producer");
    for _ in 0..records {
        producer.send(BaseRecord::<(), [u8]>::to(TOPIC).payload(&[0; 100])).expect("room in the queue");
    }
    producer.flush(Duration::from_secs(30)).expect("the broker takes the records");
}

/// Has a consumer read the topic from its beginning. Gives what was assigned.
pub fn assign(consumer: &Consumer) -> TopicPartitionList {
    let mut partition = TopicPartitionList::new();
    partition.add_partition_offset(TOPIC, 0, Offset::Offset(0)).expect("an offset");
    consumer.assign(&partition).expect("an assignment");
    partition
}
