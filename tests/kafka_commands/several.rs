//! Letters of several dead-letter topics, as one list: found by a pattern, each with its topic, sent back from where it lies,
//! and told with the attempts before it.

use crate::support;

use serde_json::Value;

use support::cluster::{Cluster, View};
use support::letter::last;
use support::raw::Record;
use support::reader::{Found, read};
use support::scene::{Guarantee::ExactlyOnce, Scene};
use support::service::{Call, Ended};
use support::writer::Writer;

const GOOD: &str = r#"{"MessageTraceId":"6b1f","Received":"2022-09-05T18:10:13","SenderAddress":"a@example.com"}"#;

/// 2026-03-01T10:00:00Z.
const START_MS: i64 = 1_772_359_200_000;

/// How many records the input holds before anything is sent back.
const ORIGINALS: i64 = 3;

const BOTH: [&str; 2] = ["--dead-letters", "several-*.dlq"];

fn scene() -> Scene<'static> {
    let cluster = Cluster::shared();
    let mut scene = Scene::empty(cluster, ExactlyOnce, 1);
    scene.input = "several.raw".to_owned();
    scene.output = "several-out.ecs".to_owned();
    scene.dead_letters = "several.dlq".to_owned();
    scene.group = "several".to_owned();
    for topic in [&scene.input, &scene.output, &scene.dead_letters, "several-a.dlq", "several-b.dlq"] {
        cluster.create_topic(topic, 1, &[("retention.ms", "-1")]);
    }
    scene
}

fn dlq(scene: &Scene<'_>, words: &[&str]) -> Ended {
    let words: Vec<&str> = ["dlq"].iter().chain(words).copied().collect();
    scene.settings().iter().fold(Call::of(&words), |call, setting| call.set(setting)).ended()
}

fn of_both(scene: &Scene<'_>, words: &[&str]) -> Ended {
    dlq(scene, &[words, &BOTH].concat())
}

fn json(ended: &Ended) -> Value {
    serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {}{}", ended.stdout, ended.stderr))
}

/// A letter of the input's partition 0.
fn letter(scene: &Scene<'_>, offset: i64, minutes: i64, more: &[(&str, &str)]) -> Record {
    let offset = offset.to_string();
    let named = [
        ("dlq.error.kind", "payload_too_large"),
        ("dlq.error.message", "too large"),
        ("dlq.source.topic", scene.input.as_str()),
        ("dlq.source.partition", "0"),
        ("dlq.source.offset", offset.as_str()),
    ];
    let headers = named.iter().chain(more);
    let headers = headers.map(|(name, value)| (name.as_bytes().to_vec(), Some(value.as_bytes().to_vec()))).collect();
    Record {
        key: Some(b"key".to_vec()),
        value: Some(GOOD.as_bytes().to_vec()),
        headers,
        timestamp_ms: START_MS + minutes * 60_000,
    }
}

/// The records that the letters speak of, so that what is sent back gets places of its own behind them.
fn write_originals(scene: &Scene<'_>) {
    let input = Writer::new(scene.cluster, &scene.input);
    for offset in 0..ORIGINALS {
        input.send(0, &Record { headers: Vec::new(), ..letter(scene, offset, offset, &[]) });
    }
    input.settle();
}

fn replay(scene: &Scene<'_>, more: &[&str]) -> Value {
    json(&of_both(scene, &[&["replay", "--output", "json", "--execute"], more].concat()))
}

/// Their places, in order.
fn history(shown: &Value) -> Vec<String> {
    let attempts = shown["history"].as_array().expect("a list").iter();
    attempts.map(|at| format!("{}/{}", at["topic"].as_str().expect("a topic"), at["offset"])).collect()
}

#[test]
fn letters_of_several_topics_are_one_list_and_a_history_goes_through_all_of_them() {
    let scene = scene();
    let cluster = scene.cluster;
    write_originals(&scene);
    let (a, b) = (Writer::new(cluster, "several-a.dlq"), Writer::new(cluster, "several-b.dlq"));
    a.send(0, &letter(&scene, 0, 0, &[("dlq.attempts", "1")]));
    a.send(0, &letter(&scene, 2, 2, &[("dlq.attempts", "1")]));
    b.send(0, &letter(&scene, 1, 1, &[("dlq.attempts", "1")]));
    a.settle();
    b.settle();

    // The configured topic is another one.
    assert!(dlq(&scene, &["stats"]).stdout.starts_with("0 dead letters in several.dlq"));
    let listed = of_both(&scene, &["list"]).stdout;
    let places: Vec<_> = listed.lines().skip(1).filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(places, ["several-a.dlq/0:0", "several-a.dlq/0:1", "several-b.dlq/0:0"]);
    let stats = json(&of_both(&scene, &["stats", "--output", "json"]));
    assert_eq!(stats["topics"], serde_json::json!(["several-a.dlq", "several-b.dlq"]));
    assert_eq!((&stats["letters"], &stats["groups"][0]["example"]["topic"]), (&3.into(), &"several-a.dlq".into()));
    let unclear = of_both(&scene, &["show", "0:0"]);
    unclear.assert_code(2);
    assert!(unclear.stderr.contains("write its topic too, like several-a.dlq/0:0"), "{}", unclear.stderr);
    let nothing = dlq(&scene, &["stats", "--dead-letters", "no-such-*"]);
    nothing.assert_code(1);
    assert!(
        nothing.stderr.starts_with("error: no topic fits --dead-letters no-such-* (correct it"),
        "{}",
        nothing.stderr
    );

    // Each goes home once, in the order of the source; the same call later sends none again, whatever has come since.
    let first = replay(&scene, &[]);
    assert_eq!((&first["sent"], &first["skipped"]), (&3.into(), &0.into()), "{first}");
    let mut back: Vec<Found> = read(cluster, &scene.input, View::Committed);
    back.retain(|found| found.offset >= ORIGINALS);
    let from: Vec<_> = back.iter().map(|found| last(&found.record.headers, "dlq.replayed.from")).collect();
    assert_eq!(from, [Some("several-a.dlq/0/0"), Some("several-b.dlq/0/0"), Some("several-a.dlq/0/1")]);
    assert_eq!(replay(&scene, &[])["sent"], 0);

    // One of them fails again: elsewhere, as another record.
    let again = [("dlq.attempts", "2"), ("dlq.replayed.from", "several-a.dlq/0/0")];
    b.send(0, &letter(&scene, back[0].offset, 10, &again));
    b.send(0, &letter(&scene, 0, 20, &[("dlq.attempts", "1")]));
    b.settle();
    let of_one_record = ["several-a.dlq/0", "several-b.dlq/1", "several-b.dlq/2"];
    for (place, expected) in [
        ("several-a.dlq/0:0", &of_one_record[..]),
        ("several-b.dlq/0:2", &of_one_record),
        // The replay's own record, and what it came from.
        ("several-b.dlq/0:1", &of_one_record[..2]),
    ] {
        let shown = json(&of_both(&scene, &["show", place, "--output", "json"]));
        assert_eq!(history(&shown), expected, "{place}");
    }
    let shown = of_both(&scene, &["show", "several-b.dlq/0:1"]).stdout;
    assert!(shown.contains("history, 2 letters\n") && shown.contains("→  several-b.dlq/0:1"), "{shown}");
    let alone = of_both(&scene, &["show", "several-b.dlq/0:0"]).stdout;
    assert!(alone.ends_with("\nno other letter of this record\n"), "{alone}");
    let rest = replay(&scene, &["--topic", scene.input.as_str()]);
    assert_eq!(rest["skipped_by"][0]["reason"], "failed_again", "{rest}");
    assert_eq!(rest["skipped_by"][0]["example"]["topic"], "several-a.dlq");
}
