//! How long a record takes through the service: from its timestamp, which is when it was handed to the producer of the
//! input, until a reader of committed records has its event.
//!
//! `cargo bench --bench latency -- [SECONDS] [RATE…] [KEY=VALUE…]`: so many seconds at each rate in records a second
//! (60 s at 10, 1000 and 20000), the last being settings of the service. Needs what the tests need (Java, Maven).

#[path = "../tests/support/mod.rs"]
mod support;

use std::env;
use std::thread;
use std::time::{Duration, Instant};

use messagetrace_ecs::demo::feed::Feed;
use rdkafka::Message as _;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};

use support::broker::Plan;
use support::cluster::{Cluster, View};
use support::scene::{Guarantee, Scene};
use support::service::Call;

const PARTITIONS: i32 = 6;

/// What comes in this time is not counted: the group is joining, caches are cold.
const WARM_UP: Duration = Duration::from_secs(3);

/// Between two bursts of the producer.
const TICK: Duration = Duration::from_millis(1);

fn main() {
    let numbers: Vec<u64> = env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    let duration = Duration::from_secs(numbers.first().copied().unwrap_or(60));
    let rates = if numbers.len() > 1 { &numbers[1..] } else { &[10, 1_000, 20_000] };
    let cluster = Plan::nodes(1).start();
    println!(
        "{:<14} {:>10} {:>10} {:>8} {:>8} {:>8} {:>8}",
        "", "records/s", "events", "p50 ms", "p99 ms", "p99.9 ms", "most"
    );
    for guarantee in [Guarantee::AtLeastOnce, Guarantee::ExactlyOnce] {
        for rate in rates {
            let mut latencies = measure(&cluster, guarantee, *rate, duration);
            latencies.sort_unstable();
            let at = |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize];
            println!(
                "{:<14} {rate:>10} {:>10} {:>8} {:>8} {:>8} {:>8}",
                guarantee.name(),
                latencies.len(),
                at(0.5),
                at(0.99),
                at(0.999),
                at(1.0)
            );
        }
    }
}

/// Latencies in milliseconds, one for each event.
fn measure(cluster: &Cluster, guarantee: Guarantee, rate: u64, duration: Duration) -> Vec<i64> {
    let scene = Scene::new(cluster, guarantee, PARTITIONS);
    let settings = env::args().skip(1).filter(|argument| argument.contains('='));
    let mut service = settings.fold(Call::run(&scene), |call, setting| call.set(&setting)).start();
    service.until_ready();
    let reader = reader(&scene);
    let end = Instant::now() + WARM_UP + duration;
    let counted_from = now_ms() + i64::try_from(WARM_UP.as_millis()).expect("a few seconds");
    let latencies = thread::scope(|scope| {
        scope.spawn(|| produce(&scene, rate, end));
        let mut latencies = Vec::new();
        // What is on its way at the end is not waited for.
        while Instant::now() < end {
            let Some(message) = reader.poll(Duration::from_millis(10)) else { continue };
            let written = message.expect("an event").timestamp().to_millis().expect("events have a time");
            if written >= counted_from {
                latencies.push(now_ms() - written);
            }
        }
        latencies
    });
    service.stopped().assert_code(0);
    latencies
}

fn reader(scene: &Scene<'_>) -> BaseConsumer {
    let mut client = scene.cluster.client();
    client.set("group.id", format!("{}.reader", scene.group)).set("auto.offset.reset", "earliest");
    client.set("isolation.level", View::Committed.isolation_level()).set("fetch.queue.backoff.ms", "10");
    let reader: BaseConsumer = client.create().expect("a consumer");
    reader.subscribe(&[&scene.output]).expect("a subscription");
    reader
}

/// Produces the stream of the demo at this rate, each record with the time at which it is handed over.
fn produce(scene: &Scene<'_>, rate: u64, end: Instant) {
    let mut client = scene.cluster.client();
    let producer: BaseProducer =
        client.set("linger.ms", "1").set("compression.type", "lz4").create().expect("a producer");
    let records: Vec<_> = Feed::new(1, 10_000).collect();
    let (began, mut sent) = (Instant::now(), 0);
    let mut records = records.iter().cycle();
    while Instant::now() < end {
        let due = (began.elapsed().as_secs_f64() * rate as f64) as u64;
        while sent < due {
            let record = records.next().expect("a cycle has no end");
            let mut next = BaseRecord::<[u8], [u8]>::to(&scene.input).timestamp(now_ms());
            next.key = record.key.as_deref();
            next.payload = record.value.as_deref();
            // A full queue is a rate that this machine cannot make: it shows as latency.
            if producer.send(next).is_ok() {
                sent += 1;
            } else {
                break;
            }
        }
        producer.poll(Duration::ZERO);
        thread::sleep(TICK);
    }
    producer.flush(Duration::from_secs(60)).expect("the broker takes the input");
}

fn now_ms() -> i64 {
    chrono::Utc::now().timestamp_millis()
}
