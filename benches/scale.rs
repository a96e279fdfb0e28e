//! How soon an instance is at work, what stands still while others come, go and die, and what more of them make.
//!
//! `cargo bench --bench scale -- [KEY=VALUE…]`: settings of the service. Needs what the tests need (Java, Maven).
//!
//! A pause is the longest time in which a reader of committed records got nothing of a partition, while each is written to
//! a hundred times a second. The session timeout is the service's own; the brokers wait for no further member of a new
//! group, as the tests have it. Instances and brokers share the CPUs of one machine: more of them are not faster here, and
//! what they cost shows.

#[path = "../tests/support/mod.rs"]
mod support;
#[path = "pipeline/usage.rs"]
mod usage;
#[path = "scale/watcher.rs"]
mod watcher;

use std::env;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use messagetrace_ecs::config::Config;
use messagetrace_ecs::demo::feed::Feed;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};

use support::broker::Plan;
use support::cluster::{Cluster, View};
use support::scene::{Guarantee, Partitioning, Scene};
use support::service::{Call, Service};
use support::wait;
use usage::Usage;
use watcher::Watcher;

const PARTITIONS: i32 = 6;
const STARTS: usize = 5;
const BACKLOG: usize = 600_000;

/// How long things are watched: longer than any pause but that after a kill.
const WATCHED: Duration = Duration::from_secs(10);

/// Longer than a session, and than a transaction that nobody ends.
const LIMIT: Duration = Duration::from_secs(120);

/// Between two records of each partition.
const PACE: Duration = Duration::from_millis(10);

fn main() {
    let cluster = Plan::nodes(1).start();
    start_up(&cluster);
    changes(&cluster);
    drop(cluster);
    println!(
        "{:<10} {:>10} {:>10} {:>16} {:>12}",
        "brokers", "instances", "records/s", "CPU s a million", "peak MB each"
    );
    for brokers in [1, 3] {
        let cluster = Plan::nodes(brokers).start();
        for instances in 1..=3 {
            backlog(&cluster, brokers, instances);
        }
    }
}

/// With the settings of the command line.
fn call(scene: &Scene<'_>) -> Call {
    let session = Config::default().input.session_timeout.as_secs();
    let call = Call::run(scene).set(&format!("input.session_timeout={session}s"));
    env::args().skip(1).filter(|argument| argument.contains('=')).fold(call, |call, setting| call.set(&setting))
}

/// From the start of a process until a reader of committed records has the first event.
fn start_up(cluster: &Cluster) {
    let mut taken: Vec<_> = (0..STARTS).map(|_| first_event(cluster)).collect();
    taken.sort_unstable();
    let [least, half, most] = [0, STARTS / 2, STARTS - 1].map(|at| taken[at].as_millis());
    println!("from the start of a process to its first committed event: {half} ms ({least} to {most})\n");
}

fn first_event(cluster: &Cluster) -> Duration {
    let scene = Scene::new(cluster, Guarantee::ExactlyOnce, PARTITIONS);
    write(&scene, 1_000);
    let output = cluster.gauge(&scene.output, View::Committed);
    let began = Instant::now();
    let service = call(&scene).start();
    wait::until("the first event", LIMIT, || (output.total() > 0).then_some(()));
    let taken = began.elapsed();
    service.stopped().assert_code(0);
    taken
}

/// An instance joins two others, one is killed, one is stopped.
fn changes(cluster: &Cluster) {
    let scene = Scene { partitioning: Partitioning::Source, ..Scene::new(cluster, Guarantee::ExactlyOnce, PARTITIONS) };
    let (over, watcher) = (AtomicBool::new(false), Watcher::default());
    thread::scope(|scope| {
        scope.spawn(|| write_steadily(&scene, &over));
        scope.spawn(|| watcher.watch(cluster, &scene.output, &over));
        let started = |call: Call| {
            let mut service = call.start();
            service.until_ready();
            service
        };
        let first = started(call(&scene));
        let second = started(call(&scene).on_another_port());
        wait::lasting(WATCHED);

        println!("{:<40} {:>14} {:>14}", "longest pause in ms, of partitions that", "moved", "stayed");
        let began = Instant::now();
        wait::lasting(WATCHED);
        watcher.tell("nothing happens", began, &[]);

        let began = Instant::now();
        let third = started(call(&scene).on_another_port());
        wait::lasting(WATCHED);
        let moved = partitions(&third);
        watcher.tell("a third instance joins two", began, &moved);

        let began = Instant::now();
        third.kill();
        watcher.until_all_flow(&moved, began, LIMIT);
        wait::lasting(WATCHED);
        watcher.tell("one of three is killed", began, &moved);

        let moved = partitions(&second);
        let began = Instant::now();
        second.stopped().assert_code(0);
        wait::lasting(WATCHED);
        watcher.tell("one of two is stopped", began, &moved);
        println!();
        over.store(true, Ordering::Relaxed);
        first.stopped().assert_code(0);
    });
}

/// The partitions that an instance owns, by what it says of its commits.
fn partitions(service: &Service) -> Vec<i32> {
    let body = service.get("/metrics").expect("the service answers").1;
    let of_line = |line: &str| {
        let labels = line.strip_prefix("messagetrace_ecs_committed_offset{")?;
        labels.split("partition=\"").nth(1)?.split('"').next()?.parse().ok()
    };
    body.lines().filter_map(of_line).collect()
}

/// Several instances over one backlog.
fn backlog(cluster: &Cluster, brokers: usize, instances: usize) {
    let scene = Scene::new(cluster, Guarantee::ExactlyOnce, PARTITIONS);
    // Before the backlog, so that each has its partitions when it comes.
    let mut services: Vec<_> = (0..instances)
        .map(|number| if number == 0 { call(&scene) } else { call(&scene).on_another_port() })
        .map(Call::start)
        .collect();
    services.iter_mut().for_each(Service::until_ready);
    wait::until("each has partitions", LIMIT, || {
        services.iter().all(|service| service.metric("messagetrace_ecs_assigned_partitions") > Some(0.0)).then_some(())
    });
    let began = Instant::now();
    write(&scene, BACKLOG);
    wait::until("the backlog is worked off", LIMIT, || {
        (services.iter().map(Service::sealed).sum::<Option<f64>>()? >= BACKLOG as f64).then_some(())
    });
    let rate = BACKLOG as f64 / began.elapsed().as_secs_f64();
    let usages: Vec<_> = services.iter().map(|service| Usage::of(service.pid())).collect();
    let seconds = usages.iter().map(|usage| usage.cpu_seconds).sum::<f64>() * 1e6 / BACKLOG as f64;
    let peak = usages.iter().map(|usage| usage.peak_bytes / 1_000_000).max().unwrap_or_default();
    println!("{brokers:<10} {instances:>10} {rate:>10.0} {seconds:>16.1} {peak:>12}");
    services.into_iter().for_each(|service| service.stopped().assert_code(0));
}

/// The stream of the demo, over all partitions.
fn write(scene: &Scene<'_>, count: usize) {
    let mut client = scene.cluster.client();
    client.set("compression.type", "lz4").set("linger.ms", "20").set("batch.size", "16384");
    let producer: BaseProducer = client.create().expect("a producer");
    let records: Vec<_> = Feed::new(1, 10_000).collect();
    for record in records.iter().cycle().take(count) {
        let mut next = BaseRecord::<[u8], [u8]>::to(&scene.input);
        next.key = record.key.as_deref();
        next.payload = record.value.as_deref();
        while let Err((_, again)) = producer.send(next) {
            producer.poll(Duration::from_millis(1));
            next = again;
        }
    }
    producer.flush(LIMIT).expect("the broker takes the input");
}

/// Good records, to each partition in turn.
fn write_steadily(scene: &Scene<'_>, over: &AtomicBool) {
    let mut client = scene.cluster.client();
    let producer: BaseProducer = client.set("linger.ms", "1").create().expect("a producer");
    let good = Feed::new(1, 1_000).find(|record| record.expected.events == 1).expect("a good record");
    while !over.load(Ordering::Relaxed) {
        for partition in 0..PARTITIONS {
            let mut next = BaseRecord::<[u8], [u8]>::to(&scene.input).partition(partition);
            next.payload = good.value.as_deref();
            producer.send(next).map_err(|(error, _)| error).expect("room in the queue");
        }
        producer.poll(Duration::ZERO);
        thread::sleep(PACE);
    }
    producer.flush(LIMIT).expect("the broker takes the input");
}
