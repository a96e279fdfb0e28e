//! Letters of one cause, mended by a repair and sent back on a real Kafka: the dry run tells what comes of it, nothing goes
//! twice however often it is killed, and the audit finds every record's fate once.

use crate::support;

use std::collections::BTreeSet;
use std::env;

use serde_json::Value;

use support::cluster::{Cluster, View};
use support::letter::last;
use support::raw::Record;
use support::reader::read;
use support::scene::{Guarantee::ExactlyOnce, Scene};
use support::service::{Call, Ended, LIMIT};
use support::writer::Writer;

/// Letters of the round trip; `REPAIR_LETTERS` makes it a longer run.
const LETTERS: usize = 600;

/// 2026-03-01T10:00:00Z.
const START_MS: i64 = 1_772_359_200_000;

const REPAIR: [&str; 2] = ["--repair", "cast /Size=integer"];

fn dlq(scene: &Scene<'_>, words: &[&str]) -> Call {
    let words: Vec<&str> = ["dlq"].iter().chain(words).copied().collect();
    scene.settings().iter().fold(Call::of(&words), |call, setting| call.set(setting))
}

fn json(ended: &Ended) -> Value {
    serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {}{}", ended.stdout, ended.stderr))
}

/// Topics that keep old times.
fn named<'c>(cluster: &'c Cluster, name: &str) -> Scene<'c> {
    let mut scene = Scene::empty(cluster, ExactlyOnce, 2);
    scene.input = format!("{name}.raw");
    scene.output = format!("{name}.ecs");
    scene.dead_letters = format!("{name}.dlq");
    scene.group = name.to_owned();
    for topic in [&scene.input, &scene.output, &scene.dead_letters] {
        cluster.create_topic(topic, 2, &[("retention.ms", "-1")]);
    }
    scene
}

#[test]
fn a_cause_is_mended_by_a_cast_and_each_record_becomes_an_event_once_though_it_is_killed_twice() {
    let letters = env::var("REPAIR_LETTERS").map_or(LETTERS, |number| number.parse().expect("a number"));
    let scene = named(Cluster::shared(), "repair");
    let writer = Writer::new(scene.cluster, &scene.input);
    for number in 0..letters {
        // The white space and the number's form in `Other` have to come through.
        let value = format!(
            "{{\"MessageTraceId\":\"{number}\", \"Received\":\"2022-09-05T18:10:13\",  \"Size\":\"17.0\", \"Other\": 1.50}}"
        );
        let record = Record {
            key: Some(number.to_string().into_bytes()),
            value: Some(value.into_bytes()),
            headers: Vec::new(),
            timestamp_ms: START_MS,
        };
        writer.send(i32::from(number % 2 == 1), &record);
    }
    writer.settle();
    Call::run_until_end(&scene).ended().assert_code(0);
    let written = read(scene.cluster, &scene.dead_letters, View::Committed);
    assert_eq!(written.len(), letters);
    let cause = last(&written[0].record.headers, "dlq.error.fingerprint").expect("a fingerprint").to_owned();
    let select = ["--fingerprint", cause.as_str()];

    let diff = json(&dlq(&scene, &[&["diff", "--output", "json"], &select[..], &REPAIR].concat()).ended());
    assert_eq!(diff["fixed"].as_u64(), Some(letters as u64), "{diff}");
    let dry = json(&dlq(&scene, &[&["replay", "--output", "json"], &select[..], &REPAIR].concat()).ended());
    assert_eq!(dry["repaired"]["would_become_events"].as_u64(), Some(letters as u64), "{dry}");
    let example = &dry["repaired"]["example"];
    let (before, after) = (example["before"].as_str().expect("text"), example["after"].as_str().expect("text"));
    assert_eq!(before.replace("\"17.0\"", "17"), after);
    assert!(example["now"].as_str().is_some_and(|now| now.starts_with("would be taken")), "{dry}");
    let page = dlq(&scene, &[&["replay"], &select[..], &REPAIR].concat()).ended().stdout;
    assert!(page.contains("--repair 'cast /Size=integer'") && page.contains(after), "{page}");

    let rate = format!("{}/s", letters / 8);
    let execute = [&["replay", "--execute", "--output", "json"], &select[..], &REPAIR].concat();
    let grown = scene.cluster.gauge(&scene.input, View::Uncommitted);
    for _ in 0..2 {
        let before = grown.total();
        let call = dlq(&scene, &[&execute[..], &["--rate", &rate]].concat()).start();
        grown.until(before + i64::try_from(letters / 4).unwrap(), LIMIT);
        call.kill();
    }
    let told = json(&dlq(&scene, &execute).ended());
    assert_eq!(told["resumed"], Value::Bool(true), "{told}");
    let back = read(scene.cluster, &scene.input, View::Committed);
    let back: Vec<_> = back.iter().filter(|found| last(&found.record.headers, "dlq.replayed.from").is_some()).collect();
    let from: BTreeSet<_> = back.iter().filter_map(|found| last(&found.record.headers, "dlq.replayed.from")).collect();
    assert_eq!((back.len(), from.len()), (letters, letters), "each once");
    for found in &back {
        assert_eq!(last(&found.record.headers, "dlq.repaired"), Some("cast /Size=integer"));
        let value = String::from_utf8(found.record.value.clone().expect("a value")).expect("text");
        assert!(value.ends_with("\"Received\":\"2022-09-05T18:10:13\",  \"Size\":17, \"Other\": 1.50}"), "{value}");
    }

    Call::run_until_end(&scene).ended().assert_code(0);
    assert_eq!(read(scene.cluster, &scene.output, View::Committed).len(), letters, "the dry run's count came of it");
    let audit = scene.settings().iter().fold(Call::of(&["audit"]), |call, setting| call.set(setting)).ended();
    audit.assert_code(0);
    println!("{letters} letters mended, sent back and audited: {}", audit.stdout.lines().last().unwrap_or_default());
}

#[test]
fn a_repair_that_cannot_be_made_is_a_reason_and_sends_nothing() {
    let scene = named(Cluster::shared(), "repair-not");
    let writer = Writer::new(scene.cluster, &scene.dead_letters);
    let headers = |fingerprint: &str| {
        let named = [
            ("dlq.error.kind", "invalid_field"),
            ("dlq.error.fingerprint", fingerprint),
            ("dlq.source.topic", scene.input.as_str()),
            ("dlq.source.partition", "0"),
            ("dlq.source.offset", "0"),
        ];
        named.map(|(name, value)| (name.as_bytes().to_vec(), Some(value.as_bytes().to_vec()))).to_vec()
    };
    for value in [Some("{\"Size\":{}}"), Some("{}"), Some("no JSON"), None, Some("{\"Size\":\"1\"}")] {
        let value = value.map(|value| value.as_bytes().to_vec());
        writer.send(0, &Record { key: None, value, headers: headers("00ff"), timestamp_ms: START_MS });
    }
    writer.settle();
    let words = ["replay", "--execute", "--output", "json", "--fingerprint", "00ff", REPAIR[0], REPAIR[1]];
    let ended = dlq(&scene, &words).ended();
    ended.assert_code(3);
    let told = json(&ended);
    assert_eq!((told["sent"].as_u64(), &told["skipped_by"][0]["reason"]), (Some(1), &"repair_failed".into()), "{told}");
    assert_eq!(told["skipped_by"][0]["first"].as_array().map(Vec::len), Some(4), "{told}");

    let cases: [(&[&str], &str); 4] = [
        (&["replay", "--repair", "remove /a"], "--fingerprint"),
        (&["replay", "--fingerprint", "00ff", "--repair", "drop /a"], "write 'set PATH=JSON'"),
        (&["replay", "--fingerprint", "00ff", "--repair", "set Size=1"], "is no JSON Pointer"),
        (&["diff", "--fingerprint", "00ff", "--repair", "cast /a=float"], "string or integer"),
    ];
    for (words, expected) in cases {
        let refused = dlq(&scene, words).ended();
        refused.assert_code(2);
        assert!(refused.stderr.contains(expected), "{words:?}: {}", refused.stderr);
    }
}
