//! Every error that a broker can answer to what we ask, at each step: once as the answer to the first such request of a process
//! that starts, and once to one that is at work. What follows is written down in `reactions.csv`, which is held against what is
//! seen; and whatever the answer was, everything gets its fate, or the program ends with exit 1 and a reason.
//!
//! The answers are given by librdkafka's embedded broker, one for each cell of the table. It keeps no transactions apart and loses
//! the offsets in them, so nothing is said here about what readers see: that is for the tests on a real Kafka.
//! `REGENERATE=1 cargo test --test protocol_errors` writes the table anew, to be read before it is committed.

mod errors;
#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer as _};

use errors::{Asked, Cell, Step, cells};
use support::children::Signal;
use support::scene::Guarantee;
use support::service::{Call, Service, sealed};
use support::wait;

const INPUT: &str = "messagetrace.raw";
const OUTPUT: &str = "messagetrace.ecs";

/// For a cell to come to its end: new clients are made after up to 5 s, and a transaction waits for its answers.
const CELL_LIMIT: Duration = Duration::from_secs(150);

/// Between two looks at a service, of which many are at work.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Cells that are looked at side by side: most of each is waiting.
const LANES: usize = 16;

/// Longer than the pause between two heartbeats below.
const SOON: Duration = Duration::from_millis(400);

const TRACE: &str = r#"{"MessageTraceId":"a","Received":"2026-01-01T00:00:00Z","SenderAddress":"a@b.example","RecipientAddress":"c@d.example","Status":"Delivered"}"#;

type Broker = MockCluster<'static, DefaultProducerContext>;

fn broker() -> Broker {
    let broker = MockCluster::new(1).expect("start the embedded broker");
    for topic in [INPUT, OUTPUT, "messagetrace.dlq"] {
        broker.create_topic(topic, 1, 1).expect("make a topic");
    }
    broker
}

fn start(broker: &Broker, guarantee: Guarantee) -> Service {
    let settings = [
        format!("kafka.bootstrap_servers={}", broker.bootstrap_servers()),
        format!("pipeline.delivery={}", guarantee.name()),
        "input.properties.heartbeat.interval.ms=100".to_owned(),
        "log.format=json".to_owned(),
    ];
    settings.iter().fold(Call::of(&["run"]), |call, setting| call.set(setting)).start()
}

/// Writes as many records; the errors are for the service, so this is done before they are laid out.
fn write(producer: &BaseProducer, records: usize) {
    for _ in 0..records {
        producer
            .send(BaseRecord::<(), _>::to(INPUT).payload(TRACE))
            .map_err(|(error, _)| error)
            .expect("send a record");
    }
    producer.flush(CELL_LIMIT).expect("write the records");
}

/// The counters by which a reaction is known, with their labels.
fn counters(metrics: &str) -> BTreeMap<String, f64> {
    let told = [
        "transactions_aborted_total",
        "client_rebuilds_total",
        "commits_total",
        "offset_resets_total",
        "records_abandoned_total",
    ];
    let of = |line: &str| {
        let (name, value) = line.strip_prefix("messagetrace_ecs_")?.rsplit_once(' ')?;
        let counts = told.iter().any(|told| name.starts_with(told)) && !name.contains("result=\"ok\"");
        Some((name.to_owned(), value.parse().ok()?)).filter(|_| counts)
    };
    metrics.lines().filter_map(of).collect()
}

const REFUSED: &str = "commit refused";

/// What is said of a reaction for a counter that has risen.
fn word(counter: &str) -> String {
    let label = counter.split('"').nth(1).unwrap_or_default();
    match counter.split('{').next() {
        Some("transactions_aborted_total") => "aborts".to_owned(),
        Some("client_rebuilds_total") => format!("new clients ({label})"),
        Some("records_abandoned_total") => "goes back".to_owned(),
        Some("offset_resets_total") => format!("position given up ({label})"),
        _ => REFUSED.to_owned(),
    }
}

/// One cell: everything from the start of a broker until all records are sealed, or the program has ended.
fn reaction(cell: &Cell, guarantee: Guarantee) -> String {
    let broker = broker();
    let mut client = ClientConfig::new();
    let producer: BaseProducer =
        client.set("bootstrap.servers", broker.bootstrap_servers()).create().expect("make a producer");
    write(&producer, 2);
    let answer = || broker.request_errors(cell.request, &[cell.error]);
    if cell.step == Step::Start {
        answer();
    }
    let mut service = start(&broker, guarantee);
    let mut before = BTreeMap::new();
    let mut sealed = 2.0;
    if cell.step == Step::AtWork {
        let began = until_sealed(&mut service, sealed);
        before = counters(&began.expect("it works before anything goes wrong"));
        if cell.asked == Asked::AllTheTime {
            // The answer is given before long; what follows from it, follows with the next records.
            answer();
            wait::lasting(SOON);
            broker.clear_request_errors(cell.request);
        }
        // While it stands still, so that the answer is neither ours nor comes too late.
        service.signal(Signal::Stop);
        write(&producer, 2);
        sealed += 2.0;
        if cell.asked == Asked::WithRecords {
            answer();
        }
        service.signal(Signal::Cont);
    }
    let Some(metrics) = until_sealed(&mut service, sealed) else { return ended(service) };
    let after = counters(&metrics);
    let mut words: Vec<String> = after
        .into_iter()
        .filter(|(counter, value)| *value > before.get(counter).copied().unwrap_or_default())
        .map(|(counter, _)| word(&counter))
        .collect();
    words.dedup();
    if words.iter().any(|word| word.starts_with("new clients")) {
        // What ends a client is heard in two places, and which is first is nobody's decision.
        words.retain(|word| word != REFUSED);
    }
    if words.is_empty() { "goes on".to_owned() } else { words.join(", ") }
}

/// The metrics once so many records are sealed; `None`: the program has ended before.
fn until_sealed(service: &mut Service, records: f64) -> Option<String> {
    let seen = wait::within(CELL_LIMIT, || {
        wait::lasting(LOOK_EVERY);
        if service.exited() {
            return Some(None);
        }
        let (_, metrics) = service.get("/metrics")?;
        (sealed(&metrics)? >= records).then_some(Some(metrics))
    });
    seen.unwrap_or_else(|| panic!("nothing more is sealed:\n{}", service.log()))
}

fn ended(service: Service) -> String {
    let ended = service.ended();
    let problems = ended.problems();
    assert!(
        ended.code == Some(1) && !problems.is_empty(),
        "an end without a reason: {:?}\n{}",
        ended.code,
        ended.stderr
    );
    "exit 1".to_owned()
}

/// Looks at every cell, several at a time.
fn seen() -> String {
    let cells = cells();
    let asked: Vec<(usize, Guarantee)> = (0..cells.len())
        .flat_map(|at| [(at, Guarantee::ExactlyOnce), (at, Guarantee::AtLeastOnce)])
        .filter(|(at, guarantee)| cells[*at].is_asked_under(*guarantee))
        .collect();
    let reactions: Mutex<BTreeMap<(usize, &str), String>> = Mutex::default();
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..LANES {
            scope.spawn(|| {
                while let Some((at, guarantee)) = asked.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let reaction = reaction(&cells[*at], *guarantee);
                    let mut reactions = reactions.lock().expect("no lane has failed");
                    reactions.insert((*at, guarantee.name()), reaction);
                }
            });
        }
    });
    let reactions = reactions.into_inner().expect("no lane has failed");
    let mut table = "request,error,step,exactly_once,at_least_once\n".to_owned();
    for (at, cell) in cells.iter().enumerate() {
        let of = |guarantee: Guarantee| reactions.get(&(at, guarantee.name())).map_or("never asked", String::as_str);
        let (exactly_once, at_least_once) = (of(Guarantee::ExactlyOnce), of(Guarantee::AtLeastOnce));
        let (request, error, step) = (cell.request_name(), cell.error_name(), cell.step.name());
        writeln!(table, "{request},{error},{step},\"{exactly_once}\",\"{at_least_once}\"").expect("a string takes it");
    }
    println!("{} cells", reactions.len());
    table
}

#[test]
fn each_error_of_a_broker_has_the_reaction_that_is_written_down() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/protocol_errors/reactions.csv");
    let seen = seen();
    if std::env::var_os("REGENERATE").is_some() {
        fs::write(&path, seen).expect("write the table");
        return;
    }
    let written = fs::read_to_string(&path).expect("read the table");
    let differ: Vec<(&str, &str)> =
        written.lines().zip(seen.lines()).filter(|(written, seen)| written != seen).collect();
    assert!(differ.is_empty(), "written, and seen: {differ:#?}");
    assert_eq!(written.lines().count(), seen.lines().count(), "a row for each error");
}
