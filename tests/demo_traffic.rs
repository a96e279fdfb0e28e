//! The demo's surroundings without the service: a stand-in does with each record what the feed says, and the reader's account has
//! to agree. It also has to disagree when the stand-in loses or repeats something.
// A test's helpers may fail like the test itself.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use messagetrace_ecs::dead_letter::{Rejected, Stamp, encode};
use messagetrace_ecs::demo::account::Account;
use messagetrace_ecs::demo::broker::{Broker, DEAD_LETTERS, INPUT, OUTPUT, PARTITIONS};
use messagetrace_ecs::demo::feed::{Fate, Feed, FeedRecord};
use messagetrace_ecs::demo::feeder::{Feeder, Pace, stream};
use messagetrace_ecs::demo::progress::Show;
use messagetrace_ecs::demo::report::Outcome;
use messagetrace_ecs::demo::traffic::Traffic;
use messagetrace_ecs::normalize::{Kind, Rejection};
use messagetrace_ecs::record::Coordinates;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::message::{BorrowedMessage, Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

const RECORDS: u64 = 20_000;

/// What the stand-in does wrong, once.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    Lose,
    Repeat,
}

/// The feed with single outcomes only, and a header that tells the stand-in what to do.
fn feed() -> impl Iterator<Item = FeedRecord> + Send + 'static {
    let single = |record: &FeedRecord| record.expected.events as usize + record.expected.dead_letters.len() <= 1;
    Feed::new(1, u64::MAX).filter(single).take(RECORDS as usize).map(|mut record| {
        let kind = record.expected.dead_letters.first().map_or("", |kind| kind.name());
        let fate = if record.expected.fate() == Fate::Delivered { "event" } else { kind };
        record.headers.push(("fate", Some(fate.as_bytes().to_vec())));
        record
    })
}

struct StandIn {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Account>,
}

impl StandIn {
    fn start(consumer: ClientConfig, producer: ClientConfig, fault: Fault) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        Self { stop, thread: thread::spawn(move || serve(consumer, &producer, fault, &stopped)) }
    }

    fn stop(self) -> Account {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

fn serve(mut consumer: ClientConfig, producer: &ClientConfig, mut fault: Fault, stop: &AtomicBool) -> Account {
    let consumer: BaseConsumer = consumer.set("auto.offset.reset", "earliest").create().unwrap();
    consumer.subscribe(&[INPUT]).unwrap();
    let producer: BaseProducer = producer.create().unwrap();
    let mut account = Account::default();
    while !stop.load(Ordering::Relaxed) {
        let Some(message) = consumer.poll(Duration::from_millis(50)).transpose().unwrap() else {
            producer.flush(Duration::from_secs(10)).unwrap();
            let _ = consumer.commit_consumer_state(CommitMode::Sync);
            continue;
        };
        let fate = message.headers().and_then(|headers| headers.iter().find(|header| header.key == "fate")).unwrap();
        let fate = std::str::from_utf8(fate.value.unwrap()).unwrap();
        producer.poll(Duration::ZERO);
        account.polled += 1;
        match (fate, Kind::from_name(fate)) {
            ("event", _) => account.delivered += 1,
            (_, Some(_)) => account.dead_lettered += 1,
            (_, None) => account.skipped += 1,
        }
        let times = match fault {
            _ if fate.is_empty() => 0,
            Fault::None => 1,
            Fault::Lose => 0,
            Fault::Repeat => 2,
        };
        if times != 1 && !fate.is_empty() {
            fault = Fault::None;
        }
        for _ in 0..times {
            answer(&producer, &message, Kind::from_name(fate));
        }
    }
    account
}

fn answer(producer: &BaseProducer, message: &BorrowedMessage<'_>, kind: Option<Kind>) {
    let source = Coordinates { topic: message.topic(), partition: message.partition(), offset: message.offset() };
    let Some(kind) = kind else {
        let source = source.to_string();
        let headers = OwnedHeaders::new().insert(Header { key: "messagetrace.source", value: Some(&source) });
        let record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(OUTPUT).payload(b"{}".as_slice()).headers(headers);
        producer.send(record).map_err(|(error, _)| error).unwrap();
        return;
    };
    let rejection = Rejection { kind, message: "because".to_owned(), key: "".into(), position: None };
    let rejected = Rejected {
        source,
        index: None,
        timestamp_ms: message.timestamp().to_millis(),
        key: message.key(),
        value: message.payload(),
        headers: &[],
        rejection: &rejection,
    };
    let stamp = Stamp { group: "g", processor: "stand-in", failed_at_ms: 1, limit_bytes: 1_000_000, dialect: None };
    let letter = encode(&rejected, &stamp);
    let headers = letter.headers().fold(OwnedHeaders::new(), |headers, header| {
        headers.insert(Header { key: std::str::from_utf8(header.name).unwrap(), value: header.value })
    });
    let mut record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(DEAD_LETTERS).headers(headers);
    record.payload = letter.value;
    producer.send(record).map_err(|(error, _)| error).unwrap();
}

/// Runs the demo around the stand-in; what differs comes back, and what was printed.
fn demo(fault: Fault) -> (Vec<String>, String) {
    let broker = Broker::start().unwrap();
    let service = StandIn::start(broker.consumer("messagetrace-ecs"), broker.producer(), fault);
    let traffic = Traffic::start(&broker, feed()).unwrap().with_patience(Duration::from_secs(5));
    let followed = traffic.follow(RECORDS, &mut Show::new(RECORDS), || service.thread.is_finished()).unwrap();
    let service = service.stop();
    let (totals, seen) = traffic.finish().unwrap();
    let mut printed = Vec::new();
    let differences = Outcome { followed, service, seen: &seen, totals: &totals }.report(&mut printed).unwrap();
    (differences, String::from_utf8(printed).unwrap())
}

#[test]
fn an_account_that_agrees_is_said_to_agree() {
    let (differences, printed) = demo(Fault::None);
    assert_eq!(differences, Vec::<String>::new(), "{printed}");
    assert!(printed.contains("every record is accounted for"), "{printed}");
}

#[test]
fn an_event_that_is_lost_is_missed() {
    let (differences, printed) = demo(Fault::Lose);
    let delivered = differences.iter().any(|line| line.starts_with("reader, records delivered: "));
    assert!(delivered && differences.iter().any(|line| line.starts_with("events: ")), "{printed}");
}

#[test]
fn an_event_that_is_repeated_is_noticed() {
    let (differences, printed) = demo(Fault::Repeat);
    assert!(differences.contains(&"outputs seen twice: 1 instead of 0".to_owned()), "{printed}");
}

#[test]
fn a_stream_into_a_topic_keeps_its_pace_and_arrives_whole() {
    let broker = Broker::start().unwrap();
    let mut feeder = Feeder::new(&broker.producer(), INPUT).unwrap();
    let started = Instant::now();
    let totals = stream(&mut feeder, Feed::new(1, 500), Some(Pace::new(1000)), &mut Show::new(500)).unwrap();
    let took = started.elapsed();
    assert!(took >= Duration::from_millis(490), "{took:?}");

    let consumer: BaseConsumer = broker.consumer("g").create().unwrap();
    let end = |partition| consumer.fetch_watermarks(INPUT, partition, Duration::from_secs(5)).unwrap().1;
    assert_eq!((0..PARTITIONS).map(end).sum::<i64>().unsigned_abs(), totals.records);
    assert_eq!(totals.records, 500);
}
