//! How long `/livez`, `/readyz` and `/metrics` take to answer while everything else goes wrong: workers saturated, all
//! brokers away, the group rebalancing, the service shutting down, ten thousand clients that send half a request.
//!
//! `cargo bench --bench probes -- [SECONDS]` asks for so many seconds in each phase and prints a table. Needs what the
//! tests need (Java, Maven), and `ulimit -n 12000` for ten thousand clients at once; with less, the oldest make room.

#[path = "../tests/support/mod.rs"]
mod support;

use std::collections::{BTreeMap, VecDeque};
use std::env;
use std::io::Write as _;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use messagetrace_ecs::demo::feed::Feed;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use support::broker::Plan;
use support::children::Signal;
use support::cluster::Cluster;
use support::driver::Driver;
use support::scene::{Guarantee, Scene};
use support::service::{Call, LIMIT, Service};
use support::wait;

const PARTITIONS: i32 = 6;
const PATHS: [&str; 3] = ["/livez", "/readyz", "/metrics"];

const CLIENTS: usize = 10_000;

/// Between two rounds of questions: ten times as often as anybody asks.
const PAUSE: Duration = Duration::from_millis(20);

fn main() {
    // Cargo's own `--bench` is no number.
    let seconds = env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(10);
    let phase = Duration::from_secs(seconds);
    let cluster = Plan::nodes(1).start();
    println!(
        "{:<22} {:<10} {:>8} {:>22} {:>12} {:>12}",
        "phase", "path", "asked", "answers", "median ms", "slowest ms"
    );

    let scene = Scene::new(&cluster, Guarantee::ExactlyOnce, PARTITIONS);
    let mut service = Call::run(&scene).set("pipeline.shutdown_timeout=20s").start();
    service.until_ready();
    let idle = Instant::now() + phase;
    ask("idle", &service, || Instant::now() < idle);

    let flooding = AtomicBool::new(true);
    thread::scope(|scope| {
        scope.spawn(|| flood(&scene, &flooding));
        until_polled(&service, 20_000.0);
        let end = Instant::now() + phase;
        ask("workers saturated", &service, || Instant::now() < end);
        crowded(&scene, &service);
        flooding.store(false, Ordering::Relaxed);
    });
    rebalancing(&scene, &service, phase);
    brokers_away(&cluster, &scene, service, phase);
}

fn until_polled(service: &Service, records: f64) {
    let polled = || service.metric("messagetrace_ecs_records_polled_total");
    wait::until("the service is at work", LIMIT, || polled().filter(|polled| *polled > records));
}

/// Produces the stream of the demo over and over, as fast as it can.
fn flood(scene: &Scene<'_>, going: &AtomicBool) {
    let mut client = scene.cluster.client();
    let producer: BaseProducer =
        client.set("linger.ms", "5").set("compression.type", "lz4").create().expect("a producer");
    let records: Vec<_> = Feed::new(1, 10_000).collect();
    for record in records.iter().cycle().take_while(|_| going.load(Ordering::Relaxed)) {
        let (key, value) = (record.key.as_deref().unwrap_or_default(), record.value.as_deref().unwrap_or_default());
        while producer.send(BaseRecord::to(&scene.input).key(key).payload(value)).is_err() {
            producer.poll(Duration::from_millis(1));
        }
    }
    producer.flush(LIMIT).expect("the broker takes the input");
}

/// Ten thousand clients come and say half of what they want; records keep coming.
fn crowded(scene: &Scene<'_>, service: &Service) {
    let (come, at_once) = (AtomicBool::new(false), AtomicBool::new(true));
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut clients = VecDeque::new();
            for _ in 0..CLIENTS {
                match TcpStream::connect(("127.0.0.1", scene.port)) {
                    Ok(mut client) => {
                        // The other side may have let go of it already.
                        let _ = client.write_all(b"GET /livez HTTP/1.1\r\nx: ");
                        clients.push_back(client);
                    }
                    Err(_) => {
                        // No file descriptors are left: the oldest make room.
                        at_once.store(false, Ordering::Relaxed);
                        drop(clients.drain(..clients.len().min(100)));
                    }
                }
            }
            come.store(true, Ordering::Relaxed);
        });
        ask("10,000 half requests", service, || !come.load(Ordering::Relaxed));
    });
    let held =
        if at_once.load(Ordering::Relaxed) { "held open to the end" } else { "as many at once as ulimit -n allows" };
    println!("{CLIENTS} clients, {held}");
}

/// A second instance comes and goes.
fn rebalancing(scene: &Scene<'_>, service: &Service, phase: Duration) {
    let end = Instant::now() + phase;
    thread::scope(|scope| {
        let coming_and_going = scope.spawn(|| {
            while Instant::now() < end {
                let mut second = Call::run(scene).on_another_port().start();
                second.until_ready();
                second.stopped().assert_code(0);
            }
        });
        ask("rebalances", service, || !coming_and_going.is_finished());
    });
}

/// The only node stands still; at the end the service is asked to stop, which it cannot do in order.
fn brokers_away(cluster: &Cluster, scene: &Scene<'_>, service: Service, phase: Duration) {
    let mut driver = Driver::new(scene, 2);
    driver.send(20_000);
    driver.settle();
    cluster.node(1).signal(Signal::Stop);
    let end = Instant::now() + phase;
    ask("all brokers away", &service, || Instant::now() < end);
    service.signal(Signal::Term);
    ask("shutdown", &service, || service.get("/livez").is_some());
    let ended = service.ended();
    cluster.node(1).signal(Signal::Cont);
    println!("exit {:?} after a shutdown with no broker", ended.code);
}

/// Asks for the three paths in turn and prints a line for each.
fn ask(phase: &str, service: &Service, mut goes_on: impl FnMut() -> bool) {
    let mut took: BTreeMap<&str, Vec<Duration>> = BTreeMap::new();
    let mut answers: BTreeMap<&str, BTreeMap<u16, u32>> = BTreeMap::new();
    let polled = || service.metric("messagetrace_ecs_records_polled_total").unwrap_or_default();
    let (began, before) = (Instant::now(), polled());
    let mut last = before;
    while goes_on() {
        for path in PATHS {
            let asked = Instant::now();
            // The listener goes with the process; nothing else leaves a question without an answer.
            let status = service.get(path).map_or(0, |(status, _)| status);
            took.entry(path).or_default().push(asked.elapsed());
            *answers.entry(path).or_default().entry(status).or_default() += 1;
        }
        last = polled().max(last);
        thread::sleep(PAUSE);
    }
    println!("{phase}: {:.0} records/s meanwhile", (last - before) / began.elapsed().as_secs_f64());
    for path in PATHS {
        let times = took.entry(path).or_default();
        times.sort_unstable();
        let ms = |at: Option<&Duration>| at.map_or(0.0, |time| time.as_secs_f64() * 1e3);
        let statuses: Vec<String> =
            answers.entry(path).or_default().iter().map(|(status, count)| format!("{status}: {count}")).collect();
        let (median, slowest) = (ms(times.get(times.len() / 2)), ms(times.last()));
        println!(
            "{phase:<22} {path:<10} {:>8} {:>22} {median:>12.2} {slowest:>12.2}",
            times.len(),
            statuses.join(", ")
        );
    }
}
