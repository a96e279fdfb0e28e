//! The rate of the service on a real broker, beside the physical limit: a bare passthrough through the same client
//! library that writes as many bytes as the service does.
//!
//! `cargo bench --bench pipeline -- [RECORDS] [ROUNDS] [KEY=VALUE…]`, the last being settings of the service to try.
//! Needs what the tests need (Java, Maven). Every round runs each contender once over the same topic, in turn; what counts
//! is the ratio within a round. Rates are taken from the first output to the last; CPU seconds are the whole process's,
//! start included. Written is what was handed to the client library (values), stored is what the broker's files hold
//! of it: compressed, with keys, headers and transaction markers.

#[path = "../tests/support/mod.rs"]
mod support;

use std::env;
use std::fs;
use std::time::{Duration, Instant};

use messagetrace_ecs::demo::feed::Feed;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message as _;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::{ClientConfig, Offset};

use support::children::run_directory;
use support::cluster::{Cluster, View};
use support::scene::{Guarantee, Scene};
use support::service::Call;

const PARTITIONS: i32 = 6;
const LIMIT: Duration = Duration::from_secs(600);

/// What a contender came to.
struct Result {
    name: &'static str,
    records_per_second: f64,
    cpu_per_million: f64,
    written_bytes: u64,
    stored_bytes: u64,
}

fn main() {
    // Cargo's own `--bench` is no number.
    let mut numbers = env::args().skip(1).filter_map(|argument| argument.parse::<u64>().ok());
    let records = numbers.next().unwrap_or(1_000_000);
    let rounds = numbers.next().unwrap_or(3);
    let cluster = Cluster::shared();
    let source = Scene::new(cluster, Guarantee::ExactlyOnce, PARTITIONS);
    let input_bytes = fill(&source, records);
    println!("{records} records of {} bytes on average, {PARTITIONS} partitions, lz4", input_bytes / records);
    println!(
        "{:<28} {:>12} {:>14} {:>12} {:>12} {:>8}",
        "", "records/s", "cpu s/million", "MB written", "MB stored", "of limit"
    );
    for round in 1..=rounds {
        println!("round {round}");
        let exactly_once = service(&source, records, Guarantee::ExactlyOnce, "run, exactly once");
        let pad = exactly_once.written_bytes / records;
        let limit = passthrough(&source, records, pad as usize);
        let at_least_once = service(&source, records, Guarantee::AtLeastOnce, "run, at least once");
        for result in [&limit, &exactly_once, &at_least_once] {
            println!(
                "{:<28} {:>12.0} {:>14.2} {:>12.0} {:>12.0} {:>7.0}%",
                result.name,
                result.records_per_second,
                result.cpu_per_million,
                result.written_bytes as f64 / 1e6,
                result.stored_bytes as f64 / 1e6,
                100.0 * result.records_per_second / limit.records_per_second
            );
        }
    }
}

/// Fills the input topic with the stream of the demo. Gives the bytes of all values.
fn fill(scene: &Scene<'_>, records: u64) -> u64 {
    let producer: BaseProducer = writer(scene).create().expect("a producer");
    let mut bytes = 0;
    for record in Feed::new(1, records) {
        let value = record.value.unwrap_or_default();
        let key = record.key.unwrap_or_default();
        bytes += value.len() as u64;
        produce(&producer, &scene.input, &key, &value);
    }
    producer.flush(LIMIT).expect("the broker takes the input");
    bytes
}

fn writer(scene: &Scene<'_>) -> ClientConfig {
    let mut client = scene.cluster.client();
    client.set("linger.ms", "5").set("batch.size", "1000000").set("compression.type", "lz4");
    client.set("enable.idempotence", "true").set("queue.buffering.max.kbytes", "32768");
    client
}

fn produce(producer: &BaseProducer, topic: &str, key: &[u8], value: &[u8]) {
    let mut record = BaseRecord::to(topic).key(key).payload(value);
    while let Err((error, again)) = producer.send(record) {
        assert!(matches!(error, KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull)), "{error}");
        producer.poll(Duration::from_millis(1));
        record = again;
    }
}

/// The limit: poll, produce, nothing else. Every value is as long as an event is on average.
fn passthrough(scene: &Scene<'_>, records: u64, event_bytes: usize) -> Result {
    let target = Scene::new(scene.cluster, Guarantee::AtLeastOnce, PARTITIONS);
    let producer: BaseProducer = writer(&target).create().expect("a producer");
    let mut client = scene.cluster.client();
    client.set("group.id", &target.group).set("enable.auto.commit", "false").set("fetch.queue.backoff.ms", "10");
    client.set("queued.max.messages.kbytes", "16384");
    let consumer: BaseConsumer = client.create().expect("a consumer");
    let mut assignment = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        assignment.add_partition_offset(&scene.input, partition, Offset::Beginning).expect("an offset");
    }
    consumer.assign(&assignment).expect("the partitions");
    let mut value = Vec::new();
    let cpu_before = cpu_seconds("self");
    let (mut began, mut read, mut written_bytes) = (None, 0, 0);
    while read < records {
        let Some(message) = consumer.poll(Duration::from_millis(100)) else { continue };
        let message = message.expect("a record");
        began.get_or_insert_with(Instant::now);
        // Its own bytes over and over, so that it compresses as an event does that holds its source.
        let payload = message.payload().unwrap_or_default();
        value.clear();
        while value.len() < event_bytes && !payload.is_empty() {
            let rest = (event_bytes - value.len()).min(payload.len());
            value.extend_from_slice(&payload[..rest]);
        }
        produce(&producer, &target.output, message.key().unwrap_or_default(), &value);
        written_bytes += value.len() as u64;
        read += 1;
        if read % 64 == 0 {
            producer.poll(Duration::ZERO);
        }
    }
    producer.flush(LIMIT).expect("the broker takes the output");
    let elapsed = began.expect("records were read").elapsed();
    let cpu = cpu_seconds("self") - cpu_before;
    Result { written_bytes, ..finished("bare passthrough", records, elapsed, cpu, &target) }
}

/// The service over the whole topic, with a group and output topics of its own.
fn service(scene: &Scene<'_>, records: u64, guarantee: Guarantee, name: &'static str) -> Result {
    let mut target = Scene::new(scene.cluster, guarantee, PARTITIONS);
    target.input.clone_from(&scene.input);
    let tried = env::args().skip(1).filter(|argument| argument.contains('='));
    let mut service = tried.fold(Call::run(&target), |call, setting| call.set(&setting)).start();
    service.until_ready();
    let output = scene.cluster.gauge(&target.output, View::Uncommitted);
    while output.total() == 0 {
        std::thread::sleep(Duration::from_millis(1));
    }
    let began = Instant::now();
    let done = |metric: &str| service.metric(metric).unwrap_or_default() as u64;
    let sealed = || {
        ["delivered", "dead_lettered", "skipped"]
            .map(|fate| done(&format!("messagetrace_ecs_records_{fate}_total")))
            .iter()
            .sum::<u64>()
    };
    while sealed() < records {
        assert!(began.elapsed() < LIMIT, "the service is done in time");
        // Asking costs the service CPU time: rarely enough not to show.
        std::thread::sleep(Duration::from_millis(100));
    }
    let elapsed = began.elapsed();
    let written_bytes = done("messagetrace_ecs_produced_bytes_total");
    let cpu = cpu_seconds(&service.pid().to_string());
    service.stopped().assert_code(0);
    Result { written_bytes, ..finished(name, records, elapsed, cpu, &target) }
}

fn finished(name: &'static str, records: u64, elapsed: Duration, cpu: f64, target: &Scene<'_>) -> Result {
    let records = records as f64;
    Result {
        name,
        records_per_second: records / elapsed.as_secs_f64(),
        cpu_per_million: cpu / records * 1e6,
        written_bytes: 0,
        stored_bytes: stored_bytes(&target.output) + stored_bytes(&target.dead_letters),
    }
}

/// What the log of a topic takes in the one node's files.
fn stored_bytes(topic: &str) -> u64 {
    let data = run_directory().join("kafka-1-1/data");
    let partitions = fs::read_dir(data).expect("the node's data").flatten();
    let ours = partitions.filter(|entry| {
        entry.file_name().to_str().and_then(|name| name.rsplit_once('-')).is_some_and(|(name, _)| name == topic)
    });
    let files = ours.flat_map(|partition| fs::read_dir(partition.path()).expect("a partition's files").flatten());
    let logs = files.filter(|file| file.path().extension().is_some_and(|extension| extension == "log"));
    logs.map(|log| log.metadata().map_or(0, |metadata| metadata.len())).sum()
}

/// User and system time of a process, in seconds.
fn cpu_seconds(process: &str) -> f64 {
    /// Linux counts these in hundredths of a second on every platform that matters (USER_HZ).
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).expect("the process lives");
    let fields = stat.rsplit(')').next().expect("the name ends").split_whitespace();
    let ticks: f64 = fields.skip(11).take(2).map(|field| field.parse::<f64>().expect("a number")).sum();
    ticks / TICKS_PER_SECOND
}
