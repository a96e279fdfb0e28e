//! `dlq replay` on a real Kafka: what a dry run says, what goes back and in which order, and that nothing goes twice
//! however often it is killed.
//!
//! `GOLDEN=write` writes the files in `tests/golden/dlq` anew; what changed is then for a person to judge.

use crate::support;

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::path::Path;

use serde_json::Value;
use sha2::{Digest, Sha256};

use support::broker::Plan;
use support::children::Signal;
use support::cluster::{Cluster, Rule, View};
use support::driver::Driver;
use support::letter::{foreign, last};
use support::raw::Record;
use support::reader::{Found, read};
use support::scene::{Guarantee::ExactlyOnce, Scene};
use support::service::{Call, Ended, LIMIT};
use support::wait;
use support::writer::Writer;

/// Half of the letters of the round trip; `REPLAY_LETTERS` makes it a longer run.
const LETTERS: usize = 1_000;

/// 2026-03-01T10:00:00Z.
const START_MS: i64 = 1_772_359_200_000;

const GOOD: &str = r#"{"MessageTraceId":"6b1f","Received":"2022-09-05T18:10:13","SenderAddress":"a@example.com"}"#;

pub fn replay(scene: &Scene<'_>, arguments: &[&str]) -> Call {
    let call = arguments.iter().fold(Call::of(&["dlq", "replay"]), |call, argument| call.with(argument));
    scene.settings().iter().fold(call, |call, setting| call.set(setting))
}

fn json(ended: &Ended) -> Value {
    serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {}{}", ended.stdout, ended.stderr))
}

fn number(value: &Value) -> usize {
    usize::try_from(value.as_u64().expect("a number")).expect("small")
}

/// What a command that only looks answers with these settings, as JSON.
fn answer(scene: &Scene<'_>, words: &[&str]) -> Value {
    let ended = scene.settings().iter().fold(Call::of(words), |call, setting| call.set(setting)).ended();
    ended.assert_code(0);
    json(&ended)
}

/// Which letter each replayed record of a topic came from, with the record.
pub fn replayed(scene: &Scene<'_>, topic: &str) -> BTreeMap<String, Found> {
    let mut replayed = BTreeMap::new();
    for found in read(scene.cluster, topic, View::Committed) {
        let Some(from) = last(&found.record.headers, "dlq.replayed.from").map(str::to_owned) else { continue };
        if from.starts_with(&format!("{}/", scene.dead_letters)) {
            let before = replayed.insert(from.clone(), found);
            assert!(before.is_none(), "{from} was sent twice");
        }
    }
    replayed
}

#[test]
fn letters_go_round_and_each_fate_stands_once_though_it_is_killed_twice() {
    let letters = env::var("REPLAY_LETTERS").map_or(LETTERS, |number| number.parse().expect("a number"));
    let scene = Scene::new(Cluster::shared(), ExactlyOnce, 3);
    let mut driver = Driver::new(&scene, 61);
    // Letters of all kinds first, then as many that a small limit rejects.
    driver.send(letters * 3);
    driver.settle();
    Call::run_until_end(&scene).ended().assert_code(0);
    let of_all_kinds = read(scene.cluster, &scene.dead_letters, View::Committed).len();
    for _ in 0..of_all_kinds {
        let (mut record, sample) = driver.maker.plain();
        // White space behind a trace changes nothing but its size.
        record.value.as_mut().expect("a trace").extend([b' '; 2_000]);
        driver.send_one(record, sample);
    }
    driver.finish();
    Call::run_until_end(&scene).set("input.max_payload_bytes=2kB").ended().assert_code(0);
    let written = read(scene.cluster, &scene.dead_letters, View::Committed);
    assert_eq!(written.len(), 2 * of_all_kinds);
    let tired = |found: &Found| {
        last(&found.record.headers, "dlq.attempts").is_some_and(|text| text.parse::<u64>().unwrap() >= 3)
    };
    let expected: Vec<&Found> = written.iter().filter(|found| !tired(found)).collect();

    // Whoever raised the limit is told what that mends, and only that.
    let diff = answer(&scene, &["dlq", "diff", "--output", "json"]);
    assert_eq!((number(&diff["letters"]), number(&diff["fixed"])), (written.len(), of_all_kinds), "{diff}");
    for group in diff["groups"].as_array().unwrap().iter().filter(|group| group["verdict"] == "fixed") {
        assert_eq!(group["was"], "payload_too_large", "{group}");
    }

    let dry = replay(&scene, &["--output", "json"]).ended();
    let (code, events) =
        (if expected.len() < written.len() { 3 } else { 0 }, read(scene.cluster, &scene.output, View::Committed).len());
    dry.assert_code(code);
    let said = json(&dry);
    assert_eq!((number(&said["sent"]), &said["executed"]), (expected.len(), &Value::Bool(false)), "{said}");
    assert!(replayed(&scene, &scene.input).is_empty(), "a dry run sends nothing");

    let rate = format!("{}/s", expected.len() / 8);
    let grown = scene.cluster.gauge(&scene.input, View::Uncommitted);
    let step = i64::try_from(expected.len() / 4).unwrap();
    let mut sent_until = Vec::new();
    for _ in 0..2 {
        let before = grown.total();
        let call = replay(&scene, &["--execute", "--rate", &rate]).start();
        grown.until(before + step, LIMIT);
        call.kill();
        sent_until.push(replayed(&scene, &scene.input).len());
    }
    let sent = sent_until[1];
    assert!((1..expected.len()).contains(&sent), "killed on the way: {sent}");
    let last_call = replay(&scene, &["--execute", "--output", "json"]).ended();
    last_call.assert_code(code);
    let told = json(&last_call);
    assert!(told["resumed"] == Value::Bool(true) && number(&told["sent"]) == expected.len() - sent, "{told}");
    assert_eq!(number(&told["done_before"]) + number(&told["selected"]), written.len(), "{told}");

    let back = replayed(&scene, &scene.input);
    assert_eq!(back.len(), expected.len());
    for letter in &expected {
        same_as_it_came(letter, &back[&format!("{}/{}/{}", scene.dead_letters, letter.partition, letter.offset)]);
    }
    in_source_order(&written, &back, &scene);

    Call::run_until_end(&scene).ended().assert_code(0);
    let audit = answer(&scene, &["audit", "--content", "--output", "json"]);
    let came = read(scene.cluster, &scene.output, View::Committed).len() - events;
    // Some letters of all kinds are too large for any limit here; the tired ones stay where they are.
    let is_mended = |letter: &&&Found| {
        last(&letter.record.headers, "dlq.error.message").is_some_and(|message| message.ends_with("allows 2000"))
    };
    assert_eq!(came, expected.iter().filter(is_mended).count(), "what diff called fixed became events, once");
    println!(
        "{} letters, {came} of them fixed by the new limit; sent when killed: {sent_until:?} of {}, by the third call {}; \
         {came} events came of it; audit: {}",
        written.len(),
        expected.len(),
        number(&told["sent"]),
        audit["result"],
    );

    // By another selection: what failed again stands for what it came from.
    let again = json(&replay(&scene, &["--topic", &scene.input, "--output", "json"]).ended());
    let failed_again = again["skipped_by"].as_array().unwrap().iter().find(|skip| skip["reason"] == "failed_again");
    assert!(failed_again.is_some_and(|skip| number(&skip["letters"]) > 0), "{again}");
}

/// Key, value, own headers, time and partition; and the history beside them.
fn same_as_it_came(letter: &Found, back: &Found) {
    let (was, is) = (&letter.record, &back.record);
    assert_eq!((&is.key, &is.value), (&was.key, &was.value));
    let header = |name| last(&was.headers, name).unwrap_or_default();
    assert_eq!(back.partition.to_string(), header("dlq.source.partition"));
    let (own, ours) = is.headers.split_at(is.headers.len() - 2);
    assert_eq!(own, foreign(&was.headers));
    let names: Vec<_> = ours.iter().map(|(name, _)| String::from_utf8_lossy(name).into_owned()).collect();
    assert_eq!(names, ["dlq.attempts", "dlq.replayed.from"]);
    assert_eq!(last(&is.headers, "dlq.attempts"), Some(header("dlq.attempts")));
    assert_eq!(support::letter::rfc3339(is.timestamp_ms), header("dlq.source.timestamp"));
}

/// Offset and index of the record that a letter came from.
type Was = (i64, i64);

/// What lies in an input partition lies there in the order in which it was read once.
fn in_source_order(letters: &[Found], back: &BTreeMap<String, Found>, scene: &Scene<'_>) {
    let mut order: BTreeMap<i32, Vec<(i64, Was)>> = BTreeMap::new();
    for letter in letters {
        let path = format!("{}/{}/{}", scene.dead_letters, letter.partition, letter.offset);
        let Some(found) = back.get(&path) else { continue };
        let number = |name| last(&letter.record.headers, name).map_or(0, |text| text.parse::<i64>().expect("a number"));
        let was = (number("dlq.source.offset"), number("dlq.source.index"));
        order.entry(found.partition).or_default().push((found.offset, was));
    }
    for (partition, mut found) in order {
        found.sort_unstable();
        assert!(found.is_sorted_by_key(|(_, was)| *was), "partition {partition} is out of order");
    }
}

/// A letter of a record of `topic`, at `offset` of partition 0; `more` are laid over.
fn letter(topic: &str, offset: i64, value: Option<&str>, more: &[(&str, &str)]) -> Record {
    let offset = offset.to_string();
    let given = [
        ("own", "header"),
        ("dlq.error.kind", "payload_too_large"),
        ("dlq.source.topic", topic),
        ("dlq.source.partition", "0"),
        ("dlq.source.offset", &offset),
        ("dlq.source.timestamp", "2026-02-28T10:00:00.000Z"),
        ("dlq.attempts", "1"),
    ];
    let headers =
        given.iter().chain(more).map(|(name, value)| (name.as_bytes().to_vec(), Some(value.as_bytes().to_vec())));
    Record {
        key: Some(b"key".to_vec()),
        value: value.map(|value| value.as_bytes().to_vec()),
        headers: headers.collect(),
        timestamp_ms: START_MS,
    }
}

/// Topics whose names do not change from run to run, old times, and nothing that retention takes.
pub fn named<'c>(cluster: &'c Cluster, name: &str) -> Scene<'c> {
    let mut scene = Scene::empty(cluster, ExactlyOnce, 1);
    scene.input = format!("{name}.raw");
    scene.output = format!("{name}.ecs");
    scene.dead_letters = format!("{name}.dlq");
    scene.group = name.to_owned();
    for topic in [&scene.input, &scene.output, &scene.dead_letters] {
        cluster.create_topic(topic, 1, &[("retention.ms", "-1")]);
    }
    scene
}

/// Writes letters `0..count` of the scene's input.
pub fn many(scene: &Scene<'_>, count: i64) {
    let writer = Writer::new(scene.cluster, &scene.dead_letters);
    (0..count).for_each(|offset| writer.send(0, &letter(&scene.input, offset, Some(GOOD), &[])));
    writer.settle();
}

fn assert_golden(name: &str, printed: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/dlq").join(name);
    if env::var_os("GOLDEN").is_some_and(|golden| golden == "write") {
        fs::write(&path, printed).expect("write the golden file");
    }
    let golden = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_eq!(printed, golden, "{name}");
}

#[test]
fn a_dry_run_says_what_the_call_then_does_letter_by_letter() {
    let scene = named(Cluster::shared(), "replay");
    let source = Writer::new(scene.cluster, &scene.input);
    let plain = |value: &str| Record {
        key: Some(b"key".to_vec()),
        value: Some(value.as_bytes().to_vec()),
        headers: vec![(b"full".to_vec(), Some(b"1".to_vec()))],
        timestamp_ms: START_MS,
    };
    (0..3).for_each(|_| source.send(0, &plain(GOOD)));
    source.settle();
    scene.cluster.delete_before(&scene.input, 0, 1);
    let sha256: String = Sha256::digest(GOOD).iter().map(|byte| format!("{byte:02x}")).collect();
    let bytes = GOOD.len().to_string();
    let cut =
        [("dlq.fit", "value_truncated"), ("dlq.value.bytes", bytes.as_str()), ("dlq.value.sha256", sha256.as_str())];
    let other =
        [cut[0], cut[1], ("dlq.value.sha256", "abababababababababababababababababababababababababababababababab")];
    let input = scene.input.as_str();
    let foreign =
        [("__connect.errors.topic", input), ("__connect.errors.partition", "0"), ("__connect.errors.offset", "9")];
    let mut of_connect = letter(input, 0, Some(GOOD), &[]);
    of_connect.headers = foreign.iter().map(|(n, v)| (n.as_bytes().to_vec(), Some(v.as_bytes().to_vec()))).collect();
    let mut nobodys = letter(input, 0, Some(GOOD), &[]);
    nobodys.headers.clear();
    let letters = [
        letter(input, 0, Some(GOOD), &[]),
        letter(input, 1, None, &[("dlq.error.kind", "empty_payload")]),
        letter(input, 3, Some(GOOD), &[("dlq.attempts", "3")]),
        letter(input, 2, Some(&GOOD[..9]), &cut),
        letter(input, 0, Some(&GOOD[..9]), &cut),
        letter(input, 1, Some(&GOOD[..9]), &other),
        letter(input, 1, Some(&GOOD[..9]), &[cut[0], cut[1], cut[2], ("dlq.source.index", "4")]),
        letter(input, 0, Some(GOOD), &[("dlq.fit", "headers_dropped")]),
        letter(input, 2, Some(GOOD), &[("dlq.fit", "headers_dropped")]),
        letter("replay.gone", 0, Some(GOOD), &[]),
        letter("no\u{1b}topic/at all", 0, Some(GOOD), &[]),
        letter(input, 4, Some(GOOD), &[("dlq.source.partition", "7")]),
        letter(&scene.output, 4, Some(GOOD), &[]),
        of_connect,
        nobodys,
        letter(input, 8, Some(GOOD), &[("dlq.replayed.from", "replay.dlq/0/0"), ("dlq.attempts", "2")]),
    ];
    let writer = Writer::new(scene.cluster, &scene.dead_letters);
    letters.iter().for_each(|letter| writer.send(0, letter));
    writer.settle();

    let dry = replay(&scene, &[]).ended();
    dry.assert_code(3);
    assert_golden("replay.txt", &dry.stdout);
    let dry_json = replay(&scene, &["--output", "json"]).ended();
    assert_golden("replay.json", &dry_json.stdout);
    let elsewhere =
        replay(&scene, &["--to-topic", input, "--kind", "payload_too_large", "--from", "2026-03-01T00:00:00Z"]).ended();
    elsewhere.assert_code(3);
    assert_golden("replay-to-topic.txt", &elsewhere.stdout);
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/replay.md")).expect("docs/replay.md");
    assert!(page.contains(dry.stdout.trim_end()), "docs/replay.md shows:\n{}", dry.stdout);
    assert_eq!((dry.stderr.as_str(), dry_json.stderr.as_str(), elsewhere.stderr.as_str()), ("", "", ""));

    let executed = replay(&scene, &["--execute"]).ended();
    executed.assert_code(3);
    assert_golden("replay-executed.txt", &executed.stdout);
    let back = replayed(&scene, input);
    assert_eq!(back.len(), number(&json(&dry_json)["sent"]));
    let of = |offset: usize| &back[&format!("replay.dlq/0/{offset}")].record;
    assert_eq!(of(1).value, None);
    assert_eq!(of(3).value.as_deref(), Some(GOOD.as_bytes()));
    assert_eq!((last(&of(3).headers, "full"), last(&of(3).headers, "own")), (Some("1"), None));
    assert_eq!(last(&of(8).headers, "full"), Some("1"));
    assert_eq!(last(&of(15).headers, "dlq.attempts"), Some("2"));

    let through = replay(&scene, &["--execute"]).ended();
    through.assert_code(0);
    assert!(through.stdout.starts_with("0 dead letters of replay.dlq: 0 sent, 0 skipped"), "{}", through.stdout);
    assert_eq!(replayed(&scene, input).len(), back.len());
}

#[test]
fn a_limit_goes_so_far_and_the_next_call_goes_on_there() {
    let scene = named(Cluster::shared(), "replay-limit");
    many(&scene, 10);
    let sent = |arguments: &[&str]| {
        let ended = replay(&scene, arguments).ended();
        ended.assert_code(0);
        let places = replayed(&scene, &scene.input).into_keys();
        places.filter_map(|place| place.rsplit('/').next()?.parse::<i64>().ok()).collect::<BTreeSet<_>>()
    };
    assert_eq!(sent(&["--limit", "4", "--execute"]), (0..4).collect());
    assert_eq!(sent(&["--limit", "2", "--execute"]), (0..6).collect());
    assert_eq!(sent(&["--execute", "--max-attempts", "9"]), (0..10).collect());
}

#[test]
fn who_comes_later_takes_over_and_the_other_says_so() {
    let scene = named(Cluster::shared(), "replay-fenced");
    many(&scene, 60);
    let grown = scene.cluster.gauge(&scene.input, View::Uncommitted);
    let first = replay(&scene, &["--execute", "--rate", "4/s"]).start();
    grown.until(6, LIMIT);
    replay(&scene, &["--execute"]).ended().assert_code(0);
    let ended = first.ended();
    ended.assert_code(1);
    assert!(ended.stderr.contains("error: another process began the same replay and took over"), "{}", ended.stderr);
    assert_eq!(replayed(&scene, &scene.input).len(), 60);
}

#[test]
fn ctrl_c_ends_between_two_transactions_and_the_same_call_goes_on() {
    let scene = named(Cluster::shared(), "replay-stopped");
    many(&scene, 40);
    let grown = scene.cluster.gauge(&scene.input, View::Uncommitted);
    let first = replay(&scene, &["--execute", "--rate", "4/s"]).start();
    grown.until(6, LIMIT);
    first.signal(Signal::Int);
    let ended = first.ended();
    ended.assert_code(0);
    assert!(ended.stdout.contains("stopped between two transactions: the same call goes on there"), "{}", ended.stdout);
    let sent = replayed(&scene, &scene.input).len();
    assert!((4..40).contains(&sent) && ended.stdout.contains(&format!(": {sent} sent, 0 skipped")), "{}", ended.stdout);
    replay(&scene, &["--execute"]).ended().assert_code(0);
    assert_eq!(replayed(&scene, &scene.input).len(), 40);
}

#[test]
fn what_fails_again_while_it_runs_is_not_of_this_round() {
    let scene = named(Cluster::shared(), "replay-round");
    many(&scene, 12);
    let grown = scene.cluster.gauge(&scene.input, View::Uncommitted);
    let call = replay(&scene, &["--execute", "--rate", "4/s"]).start();
    grown.until(4, LIMIT);
    many(&scene, 5);
    call.kill();
    let rest = json(&replay(&scene, &["--execute", "--output", "json"]).ended());
    assert_eq!(number(&rest["selected"]) + number(&rest["done_before"]), 12, "{rest}");
    let next = json(&replay(&scene, &["--output", "json"]).ended());
    assert_eq!((number(&next["selected"]), number(&next["done_before"])), (5, 12), "{next}");
}

#[test]
fn what_cannot_be_sent_is_one_line_and_says_what_to_do() {
    let scene = named(Cluster::shared(), "replay-refused");
    let cases: [(&[&str], i32, &str); 4] = [
        (&["--from", "2h", "--execute"], 2, "error: --from says how long ago: with --execute write the time"),
        (&["--rate", "fast"], 2, "write letters a second, like 100/s"),
        (&["--to-topic", "nowhere"], 1, "error: topic nowhere does not exist (create it, or correct --to-topic)"),
        (&["--max-attempts", "0"], 2, "--max-attempts"),
    ];
    for (arguments, code, expected) in cases {
        let ended = replay(&scene, arguments).ended();
        ended.assert_code(code);
        assert!(ended.stderr.contains(expected), "{arguments:?}: {}", ended.stderr);
    }
}

#[test]
fn without_permission_it_is_one_line_that_names_what_is_missing() {
    let cluster = Plan::nodes(1).guarded().start();
    let scene = named(&cluster, "replay-guarded");
    many(&scene, 3);
    let refused = |expected: &str| {
        let ended = replay(&scene, &["--execute"]).ended();
        ended.assert_code(1);
        assert!(ended.stderr.contains(expected), "{}", ended.stderr);
        assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    };
    refused("error: no permission: Read on topic replay-guarded.dlq");
    cluster.rule(Rule::Allow, "Read", &["--topic", &scene.dead_letters]);
    let prefix = ["--resource-pattern-type", "prefixed"];
    refused("error: no permission: Read on group replay-guarded.dlq-replay.");
    cluster.rule(Rule::Allow, "Read", &[&["--group", "replay-guarded.dlq-replay."][..], &prefix].concat());
    refused("error: no permission: Write on transactional id replay-guarded.dlq-replay.");
    cluster.rule(Rule::Allow, "Write", &[&["--transactional-id", "replay-guarded.dlq-replay."][..], &prefix].concat());
    refused("error: no permission: Write on topic replay-guarded.raw");
    cluster.rule(Rule::Allow, "Write", &["--topic", &scene.input]);
    let allowed =
        wait::within(LIMIT, || Some(replay(&scene, &["--execute"]).ended()).filter(|ended| ended.code == Some(0)));
    assert!(allowed.is_some_and(|ended| ended.stdout.contains("3 sent, 0 skipped")));
}
