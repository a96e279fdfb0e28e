//! The rate and the price of the service on a real broker, beside what the client library can do at best and beside what
//! one would write first.
//!
//! `cargo bench --bench pipeline -- [KEY=VALUE…]`. Needs what the tests need (Java, Maven), and `taskset`.
//!
//! | key | meaning | default |
//! | --- | --- | --- |
//! | `records`, `rounds`, `partitions` | how much, how often, of each topic | 500000, 5, 6 |
//! | `shape` | `mixed`: the stream of the demo; `poison`: nothing but dead letters; `pages` of 1,000 traces; `large`: 400 kB each | `mixed` |
//! | `batch` | bytes of the batches, before they are compressed, in which the input was written | 1000000 |
//! | `place` | `one`: the broker on one CPU and each contender on another; `free`: wherever they like | `one` |
//! | `round_trip_ms` | a broker as far away as that; several, with commas: each contender runs at each of them, in turn | 0 |
//! | `busy` | so many idle loops beside the broker, on its CPU | 0 |
//! | `beside` | another build of the program to run in turn with this one, or this one with other settings, with spaces; may be repeated | none |
//! | `chart` | a file for the rounds as a picture | none |
//! | `only` | names of contenders, with commas | all |
//! | anything with a dot | a setting of the service | |
//!
//! Every round runs each contender once over the same topic, in turn, after one that warms the broker up; what counts are
//! ratios of medians of one run. Each is a process of its own, and all write to the same topics: a broker takes longer
//! over the second batch of a partition than over the next hundred. Rates are taken from the first record to the last
//! acknowledgement or commit, CPU seconds are the whole process's, start included. The limit writes what the service
//! writes, byte for byte, out of memory.

#[path = "pipeline/chart.rs"]
mod chart;
#[path = "pipeline/distance.rs"]
mod distance;
#[path = "pipeline/first.rs"]
mod first;
#[path = "pipeline/input.rs"]
mod input;
#[path = "pipeline/limit.rs"]
mod limit;
#[path = "normalize/reporting.rs"]
mod reporting;
#[path = "../tests/support/mod.rs"]
mod support;
#[path = "pipeline/table.rs"]
mod table;
#[path = "pipeline/usage.rs"]
mod usage;

use std::env;
use std::fs;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use messagetrace_ecs::config::Config;
use support::broker::{Plan, free_port};
use support::children::{Offspring, run_directory};
use support::cluster::Cluster;
use support::listeners::Listener;
use support::scene::{Guarantee, Scene};
use support::service::Call;
use support::wait;

use input::Shape;
use table::{Result, Table};
use usage::Usage;

const LIMIT: Duration = Duration::from_secs(600);

/// What a contender has to do.
#[derive(Clone, Debug)]
pub struct Errand {
    pub bootstrap: String,
    pub input: String,
    pub output: String,
    pub dead_letters: String,
    pub group: String,
    pub records: u64,
    pub partitions: i32,
    pub shape: Shape,
}

#[derive(Clone, Debug)]
enum Contender {
    Limit,
    LimitNotIdempotent,
    Ours(Guarantee),
    /// What is otherwise.
    Beside(String),
    First,
}

/// Those that are wanted, by name, in the order in which they run.
fn contenders() -> Vec<(String, Contender)> {
    let beside = all_told("beside").zip(1..).map(|(other, place)| {
        let name = if place == 1 { "beside".to_owned() } else { format!("beside {place}") };
        (name, Contender::Beside(other))
    });
    let named = [
        ("limit", Contender::Limit),
        ("limit-not-idempotent", Contender::LimitNotIdempotent),
        ("exactly-once", Contender::Ours(Guarantee::ExactlyOnce)),
        ("at-least-once", Contender::Ours(Guarantee::AtLeastOnce)),
        ("first", Contender::First),
    ];
    let only = told("only");
    let is_wanted = |name: &str| only.as_deref().is_none_or(|only| only.split(',').any(|wanted| wanted == name));
    let named = named.into_iter().filter(|(name, _)| is_wanted(name));
    named.map(|(name, contender)| (name.to_owned(), contender)).chain(beside).collect()
}

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let Some(at) = arguments.iter().position(|argument| argument == "errand") {
        return run(&arguments[at + 1..]);
    }
    let number = |key, default| told(key).map_or(default, |value| value.parse().expect("a number"));
    let (records, rounds) = (number("records", 500_000), number("rounds", 5));
    let partitions = i32::try_from(number("partitions", 6)).expect("a number of partitions");
    let distances = told("round_trip_ms").unwrap_or_else(|| "0".to_owned());
    let distances: Vec<u64> = distances.split(',').map(|ms| ms.parse().expect("milliseconds")).collect();
    settle("0");
    let (cluster, bootstraps) = start(&distances);
    let _busy: Vec<_> = (0..number("busy", 0)).map(|_| spin()).collect();
    settle("1");
    let scene = Scene::new(&cluster, Guarantee::ExactlyOnce, partitions);
    let bytes =
        input::fill(&mut cluster.client(), &scene.input, records, Shape::named(&shape()), number("batch", 1_000_000));
    println!(
        "{records} records of {} bytes on average, {partitions} partitions, lz4, {distances:?} ms away",
        bytes / records
    );
    let contenders = contenders();
    let mut table = Table::default();
    for round in 0..=rounds {
        for (name, contender) in &contenders {
            for (bootstrap, ms) in bootstraps.iter().zip(&distances) {
                let name = if distances.len() == 1 { name.clone() } else { format!("{name}, {ms} ms") };
                let result = contend(contender, &scene, bootstrap, records);
                let heading = if round == 0 { "warming up".to_owned() } else { format!("round {round}") };
                println!(
                    "{heading}: {name:<22} {:>9.0} records/s {:>6.2} CPU s",
                    result.rate, result.usage.cpu_seconds
                );
                if round > 0 {
                    table.add(name, result);
                }
            }
        }
    }
    print!("{}", table.told(records));
    if let Some(file) = told("chart") {
        let title = format!("{records} records, {partitions} partitions, medians of {rounds} rounds");
        fs::write(file, chart::drawn(table.contenders(), records, &title)).expect("write the picture");
    }
}

fn shape() -> String {
    told("shape").unwrap_or_else(|| "mixed".to_owned())
}

/// What stands behind a key on the command line.
fn told(key: &str) -> Option<String> {
    all_told(key).next()
}

/// What stands behind each of a key that may be repeated.
fn all_told(key: &str) -> impl Iterator<Item = String> {
    env::args().filter_map(move |argument| Some(argument.strip_prefix(key)?.strip_prefix('=')?.to_owned()))
}

/// Who is started from here on runs on this CPU alone, unless all are to run where they like.
fn settle(cpu: &str) {
    if told("place").is_none_or(|place| place == "one") {
        let own = std::process::id().to_string();
        let done = Command::new("taskset").args(["-cp", cpu, &own]).output().expect("start taskset");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
}

/// A broker, and where contenders find it from each distance.
fn start(distances: &[u64]) -> (Cluster, Vec<String>) {
    let mut plan = Plan::nodes(1);
    let mut names = ["FIRST", "SECOND", "THIRD"].into_iter();
    let mut fronts = Vec::new();
    for ms in distances {
        let front = (*ms > 0).then(free_port);
        if let Some(port) = front {
            let name = names.next().expect("three distances at most");
            let listener = Listener { name, ..Listener::behind(port) };
            distance::stand_between(port, listener.port, Duration::from_millis(*ms));
            plan = plan.listener(listener);
        }
        fronts.push(front);
    }
    let cluster = plan.start();
    let bootstrap = |front: &Option<u16>| front.map_or_else(|| cluster.bootstrap(), |port| format!("127.0.0.1:{port}"));
    let bootstraps = fronts.iter().map(bootstrap).collect();
    (cluster, bootstraps)
}

fn spin() -> Offspring {
    let mut idle = Command::new("sh");
    idle.args(["-c", "while :; do :; done"]);
    Offspring::start(&idle, &run_directory().join("busy.log"))
}

fn contend(contender: &Contender, source: &Scene<'_>, bootstrap: &str, records: u64) -> Result {
    let guarantee = match contender {
        Contender::Ours(guarantee) => *guarantee,
        Contender::Beside(_) | Contender::Limit | Contender::LimitNotIdempotent | Contender::First => {
            Guarantee::ExactlyOnce
        }
    };
    let mut target = Scene::empty(source.cluster, guarantee, source.partitions);
    target.input.clone_from(&source.input);
    target.output.clone_from(&source.output);
    target.dead_letters.clone_from(&source.dead_letters);
    match contender {
        Contender::Ours(_) => service(Call::run(&target), bootstrap, records),
        Contender::Beside(other) => {
            let call = other.split(' ').fold(Call::run(&target), |call, word| {
                if word.contains('=') { call.set(word) } else { call.program(word) }
            });
            service(call, bootstrap, records)
        }
        Contender::Limit => child("limit", &target, bootstrap, records),
        Contender::LimitNotIdempotent => child("limit-not-idempotent", &target, bootstrap, records),
        Contender::First => child("first", &target, bootstrap, records),
    }
}

/// The service over the whole topic, with a group of its own.
fn service(call: Call, bootstrap: &str, records: u64) -> Result {
    let input = Config::default().input;
    let call = call
        .set(&format!("kafka.bootstrap_servers={bootstrap}"))
        // The tests' are smaller; what the limit writes is made with these.
        .set(&format!("input.max_payload_bytes={}B", input.max_payload_bytes.bytes()))
        .set(&format!("input.max_traces={}", input.max_traces));
    let settings = env::args().filter(|argument| argument.split('=').next().is_some_and(|key| key.contains('.')));
    let settings = settings.filter(|argument| argument.contains('=') && !argument.starts_with("beside="));
    let mut service = settings.fold(call, |call, setting| call.set(&setting)).start();
    service.until_ready();
    let counted = |metric| service.metric(metric).expect("the service answers") as u64;
    while counted("messagetrace_ecs_records_polled_total") == 0 {
        thread::sleep(Duration::from_millis(20));
    }
    let began = Instant::now();
    loop {
        let done = service.sealed().expect("the service answers") as u64;
        if done >= records {
            break;
        }
        assert!(began.elapsed() < LIMIT, "the service is done in time");
        // Asking costs the service CPU time: half of what is left is slept through.
        let left = began.elapsed().mul_f64((records - done) as f64 / (done + 1) as f64);
        thread::sleep((left / 2).clamp(Duration::from_millis(20), Duration::from_secs(1)));
    }
    let rate = records as f64 / began.elapsed().as_secs_f64();
    let written_bytes = counted("messagetrace_ecs_produced_bytes_total");
    let usage = Usage::of(service.pid());
    service.stopped().assert_code(0);
    Result { rate, written_bytes, usage }
}

/// One of the other contenders, in a process of its own.
fn child(name: &str, target: &Scene<'_>, bootstrap: &str, records: u64) -> Result {
    let mut command = Command::new(env::current_exe().expect("the path of this program"));
    command.args(["errand", name, bootstrap, &target.input, &target.output, &target.dead_letters, &target.group]);
    command.args([records.to_string(), target.partitions.to_string(), shape()]);
    let log = run_directory().join(format!("{name}-{}.log", target.group));
    let mut process = Offspring::start(&command, &log);
    let line = wait::until("the contender is done", LIMIT, || {
        let log = process.log();
        assert!(process.exited().is_none(), "{log}");
        log.lines().find_map(|line| line.strip_prefix("done ")).map(str::to_owned)
    });
    let (seconds, bytes) = line.split_once(' ').expect("two numbers");
    Result {
        rate: records as f64 / seconds.parse::<f64>().expect("seconds"),
        written_bytes: bytes.parse().expect("bytes"),
        usage: Usage::of(process.pid()),
    }
}

/// The life of such a process: it stays until it is killed, so that what it used can be read.
fn run(arguments: &[String]) {
    let [name, bootstrap, input, output, dead_letters, group, records, partitions, shape, ..] = arguments else {
        panic!("an errand has nine words");
    };
    let errand = Errand {
        bootstrap: bootstrap.clone(),
        input: input.clone(),
        output: output.clone(),
        dead_letters: dead_letters.clone(),
        group: group.clone(),
        records: records.parse().expect("a number of records"),
        partitions: partitions.parse().expect("a number of partitions"),
        shape: Shape::named(shape),
    };
    let (seconds, bytes) = match name.as_str() {
        "first" => first::run(&errand),
        _ => limit::run(&errand, name == "limit"),
    };
    println!("done {seconds} {bytes}");
    loop {
        thread::park();
    }
}
