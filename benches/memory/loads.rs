//! The loads: what stands in the input topic, and what holds the output back.

use std::cell::Cell;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer as _};

use crate::support::cluster::Cluster;
use crate::support::scene::{Guarantee, Scene};
use crate::support::service::Call;

const LIMIT: Duration = Duration::from_secs(600);

/// Of the client that is held back, and what it may produce in a second.
const THROTTLED: &str = "throttled";
const THROTTLED_BYTES: u64 = 1 << 20;

const MIB: usize = 1 << 20;

/// Brokers of the embedded cluster.
const BROKERS: i32 = 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Load {
    Small1,
    Small200,
    Pages1,
    Pages200,
    Large200,
    Throttled,
    ThrottledPages,
    Brokers,
    BrokersLargeBatches,
    Gzip,
    Lz4,
    Zstd,
    ZstdBeyond,
}

impl Load {
    pub const ALL: [Self; 13] = [
        Self::Small1,
        Self::Small200,
        Self::Pages1,
        Self::Pages200,
        Self::Large200,
        Self::Throttled,
        Self::ThrottledPages,
        Self::Brokers,
        Self::BrokersLargeBatches,
        Self::Gzip,
        Self::Lz4,
        Self::Zstd,
        Self::ZstdBeyond,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Small1 => "100 bytes, 1 partition",
            Self::Small200 => "100 bytes, 200 partitions",
            Self::Pages1 => "pages of 1 MB, 1 partition",
            Self::Pages200 => "pages of 1 MB, 200 partitions",
            Self::Large200 => "one trace of 1 MB, 200 partitions",
            Self::Throttled => "slow output, 100 bytes, 200 partitions",
            Self::ThrottledPages => "slow output, pages of 1 MB, 200 partitions",
            Self::Brokers => "16 brokers, batches of 1 MB",
            Self::BrokersLargeBatches => "16 brokers, batches of 10 MiB",
            Self::Gzip => "bomb, gzip, 300 MB",
            Self::Lz4 => "bomb, lz4, 200 MB",
            Self::Zstd => "bomb, zstd, 90 MB",
            Self::ZstdBeyond => "bomb, zstd, 300 MB",
        }
    }

    /// The embedded cluster knows no transactions.
    pub fn guarantees(self) -> &'static [Guarantee] {
        match self {
            Self::Brokers | Self::BrokersLargeBatches => &[Guarantee::AtLeastOnce],
            _ => &[Guarantee::ExactlyOnce, Guarantee::AtLeastOnce],
        }
    }

    /// A slow output never comes to its end.
    pub fn longest(self, otherwise: Duration) -> Duration {
        match self {
            Self::Throttled | Self::ThrottledPages => otherwise.min(Duration::from_secs(20)),
            Self::ZstdBeyond => otherwise.min(Duration::from_secs(15)),
            _ => otherwise,
        }
    }

    fn partitions(self) -> i32 {
        match self {
            Self::Small1 | Self::Pages1 | Self::Gzip | Self::Lz4 | Self::Zstd | Self::ZstdBeyond => 1,
            Self::Small200 | Self::Pages200 | Self::Large200 | Self::Throttled | Self::ThrottledPages => 200,
            // Each broker leads eight.
            Self::Brokers | Self::BrokersLargeBatches => 8 * BROKERS,
        }
    }

    /// How many records, of which values in turn.
    fn content(self, small_records: u64) -> (u64, Vec<Vec<u8>>) {
        let (records, value) = match self {
            Self::Brokers => return (400_000, mixed(1_000)),
            Self::Small1 | Self::Small200 | Self::Throttled => (small_records, trace(100)),
            Self::Pages1 | Self::Pages200 | Self::ThrottledPages => (800, page(1_000_000)),
            Self::Large200 => (800, trace(1_000_000)),
            Self::BrokersLargeBatches => (2_500_000, trace(1_000)),
            Self::Gzip => (1, vec![0; 300_000_000]),
            Self::Lz4 => (1, vec![0; 200_000_000]),
            Self::Zstd => (1, vec![0; 90_000_000]),
            Self::ZstdBeyond => (1, vec![0; 300_000_000]),
        };
        (records, vec![value])
    }

    fn compression(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd | Self::ZstdBeyond => "zstd",
            _ => "lz4",
        }
    }

    /// Of the producer that fills the topic, in bytes.
    fn batch_bytes(self) -> usize {
        match self {
            Self::BrokersLargeBatches => 10 * MIB,
            _ => 1_000_000,
        }
    }
}

/// A trace of about so many bytes.
fn trace(bytes: usize) -> Vec<u8> {
    let bare = r#"{"id":"6d63f7a5-0001","receivedDateTime":"2024-01-01T00:00:00Z","subject":""}"#;
    let subject = "a word ".repeat(bytes.saturating_sub(bare.len()) / 7 + 1);
    bare.replace(r#""subject":"""#, &format!(r#""subject":"{}""#, &subject[..bytes.saturating_sub(bare.len())])).into()
}

/// Traces of which a compressor makes a fourth, as of real ones: more of them than it looks back, a fifth of each noise.
fn mixed(bytes: usize) -> Vec<Vec<u8>> {
    let mut choice = fastrand::Rng::with_seed(16);
    let mut one = || {
        let noise: String = (0..bytes / 5).map(|_| choice.alphanumeric()).collect();
        let mut value = trace(bytes);
        let end = value.len() - br#""}"#.len();
        value[end - noise.len()..end].copy_from_slice(noise.as_bytes());
        value
    };
    (0..200).map(|_| one()).collect()
}

/// A page of traces of 1 kB each.
fn page(bytes: usize) -> Vec<u8> {
    let one = String::from_utf8(trace(1_000)).expect("text");
    format!("[{}]", vec![one; bytes / 1_001].join(",")).into()
}

enum Place {
    Kafka(Scene<'static>),
    Embedded(MockCluster<'static, DefaultProducerContext>),
}

/// A filled input topic.
pub struct Stage {
    pub load: Load,
    pub records: u64,
    place: Place,
    calls: Cell<usize>,
}

impl Stage {
    pub fn fill(load: Load, small_records: u64) -> Self {
        let (records, values) = load.content(small_records);
        let place = match load {
            Load::Brokers | Load::BrokersLargeBatches => embedded(load.partitions()),
            _ => Place::Kafka(Scene::new(Cluster::shared(), Guarantee::ExactlyOnce, load.partitions())),
        };
        if matches!(load, Load::Throttled | Load::ThrottledPages) {
            Cluster::shared().throttle_producers(THROTTLED, THROTTLED_BYTES);
        }
        let (mut client, input) = match &place {
            Place::Kafka(scene) => (scene.cluster.client(), scene.input.as_str()),
            Place::Embedded(cluster) => {
                let mut client = ClientConfig::new();
                client.set("bootstrap.servers", cluster.bootstrap_servers());
                (client, "raw")
            }
        };
        client.set("linger.ms", "100").set("compression.type", load.compression());
        client.set("batch.size", load.batch_bytes().to_string()).set("batch.num.messages", "100000");
        client.set("message.max.bytes", "1000000000").set("queue.buffering.max.kbytes", "400000");
        let producer: BaseProducer = client.create().expect("a producer");
        // In stretches, so that every batch becomes as large as it may.
        let stretch = records.div_ceil(load.partitions() as u64).min(20_000);
        for record in 0..records {
            let partition = (record / stretch % load.partitions() as u64) as i32;
            let value = &values[record as usize % values.len()];
            produce(&producer, BaseRecord::to(input).key("").partition(partition).payload(value));
        }
        producer.flush(LIMIT).expect("the broker takes the input");
        Self { load, records, place, calls: Cell::new(0) }
    }

    /// The service over the whole topic, with a group and output topics of its own.
    pub fn call(&self, guarantee: Guarantee) -> Call {
        self.calls.set(self.calls.get() + 1);
        let call = match &self.place {
            Place::Kafka(filled) => {
                let mut scene = Scene::new(filled.cluster, guarantee, filled.cluster.partitions(&filled.input).min(8));
                scene.input.clone_from(&filled.input);
                Call::run(&scene).set("input.max_payload_bytes=8MiB").set("input.max_traces=20000")
            }
            Place::Embedded(cluster) => Call::of(&["run"])
                .set(&format!("kafka.bootstrap_servers={}", cluster.bootstrap_servers()))
                .set("input.topics=raw")
                .set("output.topic=ecs")
                .set("dead_letters.topic=dlq")
                .set(&format!("input.group=memory-{}", self.calls.get()))
                .set("pipeline.delivery=at_least_once"),
        };
        match self.load {
            Load::Throttled | Load::ThrottledPages => call.set(&format!("kafka.client_id={THROTTLED}")),
            _ => call,
        }
    }
}

fn embedded(partitions: i32) -> Place {
    let cluster = MockCluster::new(BROKERS).expect("an embedded cluster");
    for (topic, partitions) in [("raw", partitions), ("ecs", BROKERS), ("dlq", BROKERS)] {
        cluster.create_topic(topic, partitions, 1).expect("a topic");
    }
    Place::Embedded(cluster)
}

fn produce(producer: &BaseProducer, mut record: BaseRecord<'_, str, Vec<u8>>) {
    while let Err((error, again)) = producer.send(record) {
        assert!(matches!(error, KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull)), "{error}");
        producer.poll(Duration::from_millis(1));
        record = again;
    }
}
