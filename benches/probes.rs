//! How long `/livez`, `/readyz` and `/metrics` take to answer while everything else goes wrong: workers saturated, all
//! brokers away, the group rebalancing, the service shutting down.
//!
//! `cargo bench --bench probes -- [SECONDS]` asks for so many seconds in each phase and prints a table. Needs what the
//! tests need (Java, Maven).

#[path = "../tests/support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::env;
use std::thread;
use std::time::{Duration, Instant};

use support::broker::Plan;
use support::children::Signal;
use support::cluster::Cluster;
use support::driver::Driver;
use support::scene::{Guarantee, Scene};
use support::service::{Call, LIMIT, Service};
use support::wait;

const PARTITIONS: i32 = 6;
const PATHS: [&str; 3] = ["/livez", "/readyz", "/metrics"];

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

    Driver::new(&scene, 1).under_load(1_000, 60_000, || {
        until_polled(&service, 20_000.0);
        let end = Instant::now() + phase;
        ask("workers saturated", &service, || Instant::now() < end);
    });
    rebalancing(&scene, &service, phase);
    brokers_away(&cluster, &scene, service, phase);
}

fn until_polled(service: &Service, records: f64) {
    let polled = || service.metric("messagetrace_ecs_records_polled_total");
    wait::until("the service is at work", LIMIT, || polled().filter(|polled| *polled > records));
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
    while goes_on() {
        for path in PATHS {
            let asked = Instant::now();
            // The listener goes with the process; nothing else leaves a question without an answer.
            let status = service.get(path).map_or(0, |(status, _)| status);
            took.entry(path).or_default().push(asked.elapsed());
            *answers.entry(path).or_default().entry(status).or_default() += 1;
        }
        thread::sleep(PAUSE);
    }
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
