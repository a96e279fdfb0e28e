//! The demo's broker: librdkafka's mock cluster, inside this process. It speaks Kafka's protocol over a local socket, keeps 5 MiB a
//! partition and isolates no transactions.

use std::time::Duration;

use anyhow::Context;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::config::{ByteSize, Config, DeadLetters, Delivery, Input, Kafka, Output, Pipeline};

pub const INPUT: &str = "messagetrace.raw";
pub const OUTPUT: &str = "messagetrace.ecs";
pub const DEAD_LETTERS: &str = "messagetrace.dlq";

/// Of each of the three topics. The mock answers a fetch with one batch a partition, so more of them carry more.
pub const PARTITIONS: i32 = 6;

/// The demo's own limit, small enough that a value past it is quickly made and fits the broker.
pub const MAX_PAYLOAD_BYTES: usize = 64 * 1024;

/// How long a fetch waits for data, in milliseconds. The mock sleeps this long when it has none, whatever comes meanwhile; Kafka's
/// usual half second would be most of the demo.
const FETCH_WAIT_MS: &str = "10";

const TIMEOUT: Duration = Duration::from_secs(10);

pub struct Broker {
    cluster: MockCluster<'static, DefaultProducerContext>,
}

impl std::fmt::Debug for Broker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Broker").field("bootstrap_servers", &self.cluster.bootstrap_servers()).finish()
    }
}

impl Broker {
    pub fn start() -> anyhow::Result<Self> {
        let cluster = MockCluster::new(1).context("start the embedded broker")?;
        for topic in [INPUT, OUTPUT, DEAD_LETTERS] {
            cluster.create_topic(topic, PARTITIONS, 1).with_context(|| format!("create the topic {topic}"))?;
        }
        Ok(Self { cluster })
    }

    /// The service's settings for this broker. How traces are mapped and with how many workers is the user's choice, the rest is the
    /// demo's: at least once, because the mock could not show the difference.
    pub fn service_config(&self, user: &Config) -> Config {
        let properties = [("fetch.wait.max.ms".to_owned(), FETCH_WAIT_MS.to_owned())];
        Config {
            kafka: Kafka { bootstrap_servers: vec![self.cluster.bootstrap_servers()], ..Kafka::default() },
            input: Input {
                topics: vec![INPUT.to_owned()],
                max_payload_bytes: ByteSize(MAX_PAYLOAD_BYTES as u64),
                properties: properties.into_iter().collect(),
                ..Input::default()
            },
            output: Output { topic: OUTPUT.to_owned(), ..Output::default() },
            dead_letters: DeadLetters { topic: DEAD_LETTERS.to_owned(), ..DeadLetters::default() },
            pipeline: Pipeline {
                delivery: Delivery::AtLeastOnce,
                workers: user.pipeline.workers,
                memory_budget: user.pipeline.memory_budget,
                ..Pipeline::default()
            },
            ..user.clone()
        }
    }

    /// Settings of a consumer beside the service, in a group of this name that it never joins.
    pub fn consumer(&self, group: &str) -> ClientConfig {
        let mut client = self.client();
        client
            .set("group.id", group)
            .set("enable.auto.commit", "false")
            .set("fetch.wait.max.ms", FETCH_WAIT_MS)
            .set("fetch.queue.backoff.ms", "10");
        client
    }

    /// Settings of a producer beside the service.
    pub fn producer(&self) -> ClientConfig {
        let mut client = self.client();
        client
            .set("linger.ms", "5")
            .set("compression.type", "lz4")
            .set("batch.num.messages", "2000")
            .set("partitioner", "murmur2_random");
        client
    }

    fn client(&self) -> ClientConfig {
        let mut client = ClientConfig::new();
        client.set("bootstrap.servers", self.cluster.bootstrap_servers());
        client
    }

    /// A look at what the service's group has committed.
    pub fn group(&self) -> anyhow::Result<Group> {
        let consumer = self.consumer(&Input::default().group).create();
        Ok(Group { consumer: consumer.context("create a client that looks at the group's offsets")? })
    }
}

/// Looks at the group from outside, without joining it.
pub struct Group {
    consumer: BaseConsumer,
}

impl Group {
    /// Records of the input topic that the group has committed.
    pub fn committed(&self) -> anyhow::Result<u64> {
        let mut partitions = TopicPartitionList::new();
        partitions.add_partition_range(INPUT, 0, PARTITIONS - 1);
        let offsets = self.consumer.committed_offsets(partitions, TIMEOUT).context("read the group's offsets")?;
        let committed = |offset| if let Offset::Offset(offset) = offset { offset.unsigned_abs() } else { 0 };
        Ok(offsets.elements().iter().map(|partition| committed(partition.offset())).sum())
    }
}

impl std::fmt::Debug for Group {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Group").finish_non_exhaustive()
    }
}
