//! `dlq export --follow`: letters as they come, and with a group on from where an earlier call was, whatever ended it.

use crate::support;

use std::collections::BTreeSet;
use std::io::Read as _;
use std::net::TcpListener;
use std::process::{Command, Stdio};

use serde_json::Value;

use support::cluster::Cluster;
use support::raw::Record;
use support::service::{Call, LIMIT, Service};
use support::wait;
use support::writer::Writer;

const TOPIC: &str = "followed.dlq";

fn letter(number: usize) -> Record {
    let offset = number.to_string();
    let named = [
        ("dlq.error.kind", "payload_too_large"),
        ("dlq.source.topic", "mail"),
        ("dlq.source.partition", "0"),
        ("dlq.source.offset", offset.as_str()),
    ];
    let header = |(name, value): &(&str, &str)| (name.as_bytes().to_vec(), Some(value.as_bytes().to_vec()));
    Record {
        key: None,
        value: Some(b"{}".to_vec()),
        headers: named.iter().map(header).collect(),
        timestamp_ms: 1_772_359_200_000,
    }
}

fn write(writer: &Writer, numbers: std::ops::Range<usize>) {
    numbers.for_each(|number| writer.send(0, &letter(number)));
    writer.settle();
}

fn follow(more: &[&str]) -> Service {
    follow_in(TOPIC, more)
}

fn follow_in(topic: &str, more: &[&str]) -> Service {
    let cluster = Cluster::shared();
    let servers = format!("kafka.bootstrap_servers={}", cluster.bootstrap());
    let words = [&["dlq", "export", "--follow", "--dead-letters", topic], more].concat();
    Call::of(&words).set(&servers).start()
}

/// The source offsets of whole lines, in order.
fn offsets(printed: &str) -> Vec<u64> {
    let whole = printed.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let offset = |line: &str| {
        let letter: Value = serde_json::from_str(line).expect("a line is JSON");
        letter["source"]["offset"].as_u64().expect("a number")
    };
    whole.lines().map(offset).collect()
}

fn until(service: &Service, count: usize) {
    wait::until("the letters are written", LIMIT, || (offsets(&service.printed()).len() >= count).then_some(()));
}

#[test]
fn letters_are_written_as_they_come_and_a_group_goes_on_where_it_was_whatever_ended_it() {
    let cluster = Cluster::shared();
    cluster.create_topic(TOPIC, 1, &[("retention.ms", "-1")]);
    let writer = Writer::new(cluster, TOPIC);
    write(&writer, 0..20);
    let group = ["--group", "letters-to-index"];
    let first = follow(&group);
    until(&first, 20);
    write(&writer, 20..30);
    until(&first, 30);
    let first = first.stopped();
    first.assert_code(0);
    assert_eq!(offsets(&first.stdout), (0..30).collect::<Vec<_>>());

    // Killed at any time: nothing is left out, and what is written again is what the last round wrote.
    write(&writer, 30..60);
    let second = follow(&group);
    until(&second, 30);
    let printed = second.printed();
    second.kill();
    write(&writer, 60..70);
    let third = follow(&[&group[..], &["--limit", "10"]].concat()).ended();
    third.assert_code(0);
    let rest = follow(&group);
    wait::until("all letters were written", LIMIT, || {
        let all = [printed.as_str(), &third.stdout, &rest.printed()].map(offsets).concat();
        (all.into_iter().collect::<BTreeSet<_>>() == (30..70).collect()).then_some(())
    });
    // Perhaps nothing was left for this one: a letter of its own shows that it follows, so that the signal ends no less.
    write(&writer, 70..71);
    wait::until("the last call follows", LIMIT, || (offsets(&rest.printed()).last() == Some(&70)).then_some(()));
    rest.stopped().assert_code(0);

    // Without a group it begins at the beginning, and with the service's own it does not begin at all.
    let alone = follow(&["--limit", "5"]).ended();
    assert_eq!(offsets(&alone.stdout), [0, 1, 2, 3, 4]);
    let refused = follow(&["--group", "messagetrace-ecs"]).ended();
    refused.assert_code(2);
    assert!(refused.stderr.contains("is the service's own"), "{}", refused.stderr);
}

/// The letter of a share group, whose record lies at the source alone: such letters are fetched 500 at a time.
fn of_a_share_group(offset: usize) -> Record {
    let (topic, partition, offset) = (b"mail".to_vec(), b"0".to_vec(), offset.to_string().into_bytes());
    let named = [("topic", topic), ("partition", partition), ("offset", offset)];
    let headers = named.map(|(name, value)| (format!("__dlq.errors.{name}").into_bytes(), Some(value)));
    Record { key: None, value: None, headers: headers.to_vec(), timestamp_ms: 1_772_359_200_000 }
}

#[test]
fn what_a_limit_leaves_of_letters_that_were_fetched_together_is_the_next_call_s() {
    let topic = "followed.shared.dlq";
    let cluster = Cluster::shared();
    cluster.create_topic(topic, 2, &[("retention.ms", "-1")]);
    let writer = Writer::new(cluster, topic);
    (0..300).for_each(|number| writer.send(0, &of_a_share_group(number)));
    (300..600).for_each(|number| writer.send(1, &of_a_share_group(number)));
    writer.settle();
    // The first one ends among those of the first partition when that was read to its end.
    for expected in [0..100_u64, 100..350, 350..600] {
        let limit = (expected.end - expected.start).to_string();
        let ended = follow_in(topic, &["--group", "shared-to-index", "--limit", &limit]).ended();
        ended.assert_code(0);
        assert_eq!(offsets(&ended.stdout), expected.collect::<Vec<_>>());
    }
}

#[test]
fn a_reader_who_has_left_ends_it_quietly() {
    let topic = "followed.unread.dlq";
    let cluster = Cluster::shared();
    cluster.create_topic(topic, 1, &[("retention.ms", "-1")]);
    let writer = Writer::new(cluster, topic);
    writer.send(0, &letter(0));
    writer.settle();
    let servers = format!("kafka.bootstrap_servers={}", cluster.bootstrap());
    let mut call = Command::new(env!("CARGO_BIN_EXE_messagetrace-ecs"));
    call.args(["dlq", "export", "--follow", "--dead-letters", topic, "--set", &servers]);
    let mut child = call.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("start the program");
    drop(child.stdout.take());
    let ended = wait::within(LIMIT, || child.try_wait().expect("ask for its state"));
    // Fails only when it is gone already.
    let _ = child.kill();
    let mut told = String::new();
    child.stderr.take().expect("a pipe").read_to_string(&mut told).expect("read what it said");
    assert_eq!((ended.and_then(|ended| ended.code()), told.as_str()), (Some(0), ""));
}

#[test]
fn who_asks_to_stop_before_the_cluster_has_answered_has_asked_for_no_failure() {
    for (topics, group) in [("silent.*", &[][..]), ("silent", &[][..]), ("silent.*", &["--group", "letters-to-index"])]
    {
        // It takes connections and never says a word. Another one for each: a connection that the one before left behind would
        // be taken for the first of this, which does not listen for signals yet.
        let silent = TcpListener::bind("127.0.0.1:0").expect("listen");
        let servers = format!("kafka.bootstrap_servers={}", silent.local_addr().expect("an address"));
        let words = [&["dlq", "export", "--follow", "--dead-letters", topics], group].concat();
        let call = Call::of(&words).set(&servers).start();
        let connection = silent.accept().expect("it asks the cluster");
        let ended = call.stopped();
        drop(connection);
        ended.assert_code(0);
        assert!(!ended.stderr.contains("error"), "{words:?}: {}", ended.stderr);
    }
}
