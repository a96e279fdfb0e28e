//! `audit` on a real broker: every planted fault is found and named, and nothing else ever is.

use crate::support;

use std::sync::OnceLock;

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::{Offset, TopicPartitionList};
use serde_json::Value;
use support::cluster::{Cluster, View};
use support::driver::{Driver, Ledger};
use support::letter;
use support::page::Fate;
use support::raw::Record;
use support::reader::{Found, read};
use support::scene::Guarantee::{AtLeastOnce, ExactlyOnce};
use support::scene::Scene;
use support::service::{Call, Ended, LIMIT};
use support::writer::Writer;

const PARTITIONS: i32 = 3;

/// What nothing of it was planted in: a topic that was read to its end, once for all tests that then spoil a copy.
struct Stage {
    scene: Scene<'static>,
    ledger: Ledger,
    output: Vec<Found>,
    dead_letters: Vec<Found>,
}

impl Stage {
    fn shared() -> &'static Self {
        static STAGE: OnceLock<Stage> = OnceLock::new();
        STAGE.get_or_init(|| {
            let scene = Scene::new(Cluster::shared(), ExactlyOnce, PARTITIONS);
            let mut driver = Driver::new(&scene, 61);
            driver.send(2_000);
            let ledger = driver.finish();
            Call::run_until_end(&scene).ended().assert_code(0);
            let output = read(scene.cluster, &scene.output, View::Committed);
            let dead_letters = read(scene.cluster, &scene.dead_letters, View::Committed);
            Self { scene, ledger, output, dead_letters }
        })
    }

    /// An audit with a copy of the output topic, or of the dead-letter topic, in its place.
    fn audit_with(&self, topic: Topic, name: &str, records: &[Found], arguments: &[&str]) -> Ended {
        copy(self.scene.cluster, name, records);
        let setting = format!("{}={name}", topic.key());
        audit_call(&self.scene, arguments).set(&setting).ended()
    }
}

#[derive(Clone, Copy)]
enum Topic {
    Output,
    DeadLetters,
}

impl Topic {
    fn key(self) -> &'static str {
        match self {
            Self::Output => "output.topic",
            Self::DeadLetters => "dead_letters.topic",
        }
    }
}

/// The records in a new topic, each in its partition; offsets are those of a topic without transactions.
fn copy(cluster: &Cluster, topic: &str, records: &[Found]) {
    cluster.create_topic(topic, PARTITIONS, &[]);
    let writer = Writer::new(cluster, topic);
    records.iter().for_each(|found| writer.send(found.partition, &found.record));
    writer.settle();
}

fn audit_call(scene: &Scene<'_>, arguments: &[&str]) -> Call {
    let call = scene.settings().iter().fold(Call::of(&["audit"]), |call, setting| call.set(setting));
    arguments.iter().fold(call, |call, argument| call.with(argument))
}

fn audit(scene: &Scene<'_>, arguments: &[&str]) -> Ended {
    audit_call(scene, arguments).ended()
}

/// The report for programs, with its exit code.
fn report(ended: &Ended, code: i32) -> Value {
    ended.assert_code(code);
    serde_json::from_str(&ended.stdout).expect("one JSON object")
}

fn number(report: &Value, name: &str) -> u64 {
    report["total"][name].as_u64().unwrap_or_else(|| panic!("{name} is a number: {report}"))
}

/// Lines of the report for people that begin with a word.
fn lines<'e>(ended: &'e Ended, word: &str) -> Vec<&'e str> {
    ended.stdout.lines().filter_map(|line| line.strip_prefix(word)?.strip_prefix(": ")).collect()
}

fn source(found: &Found) -> &str {
    letter::last(&found.record.headers, letter::SOURCE).expect("every event names its source")
}

/// Where the `at`th record of a copy stands.
fn place(topic: &str, records: &[Found], at: usize) -> String {
    let partition = records[at].partition;
    let offset = records[..at].iter().filter(|found| found.partition == partition).count();
    format!("{topic}/{partition}/{offset}")
}

pub fn commit(scene: &Scene<'_>, partition: i32, offset: i64) {
    let mut client = scene.cluster.client();
    let consumer: BaseConsumer = client.set("group.id", &scene.group).create().expect("a consumer");
    let mut offsets = TopicPartitionList::new();
    offsets.add_partition_offset(&scene.input, partition, Offset::Offset(offset)).expect("an offset");
    consumer.commit(&offsets, CommitMode::Sync).expect("commit an offset");
}

#[test]
fn a_stream_of_all_kinds_is_clean_and_its_numbers_are_those_it_was_made_with() {
    for guarantee in [ExactlyOnce, AtLeastOnce] {
        let scene = Scene::new(Cluster::shared(), guarantee, PARTITIONS);
        let mut driver = Driver::transactional(&scene, 60);
        driver.send(2_000);
        driver.send_aborted(200);
        driver.send(500);
        driver.send_aborted(50);
        let ledger = driver.finish();
        Call::run_until_end(&scene).ended().assert_code(0);
        let before = scene.cluster.committed(&scene.group, &scene.input);
        let report = report(&audit(&scene, &["--content", "--output", "json"]), 0);
        let fates = || ledger.sent.iter().flat_map(|sent| &sent.sample.fates);
        let events = fates().filter(|fate| matches!(fate, Fate::Event { .. })).count() as u64;
        let letters = fates().count() as u64 - events;
        let told =
            ["records", "expected_events", "expected_dead_letters", "found_once"].map(|name| number(&report, name));
        assert_eq!(told, [2_500, events, letters, events + letters], "{report:#}");
        assert_eq!(report["result"], "clean");
        assert_eq!(scene.cluster.committed(&scene.group, &scene.input), before, "nothing is committed");
    }
}

#[test]
fn an_event_that_is_not_there_is_missing() {
    let stage = Stage::shared();
    let mut records = stage.output.clone();
    let gone = [records.remove(1_200), records.remove(40)];
    let ended = stage.audit_with(Topic::Output, "audit-missing", &records, &[]);
    ended.assert_code(3);
    let mut expected: Vec<String> = gone.iter().map(|found| format!("event of {}", source(found))).collect();
    let mut told = lines(&ended, "missing");
    expected.sort_unstable();
    told.sort_unstable();
    assert_eq!(told, expected, "{}", ended.stdout);
}

#[test]
fn an_event_that_is_there_twice_is_repeated_wherever_it_stands() {
    let stage = Stage::shared();
    let mut records = stage.output.clone();
    let mut again = records[700].clone();
    again.partition = (again.partition + 1) % PARTITIONS;
    let source = source(&again).to_owned();
    records.push(again);
    let ended = stage.audit_with(Topic::Output, "audit-repeated", &records, &[]);
    ended.assert_code(3);
    let mut places = [place("audit-repeated", &records, 700), place("audit-repeated", &records, records.len() - 1)];
    places.sort_unstable();
    assert_eq!(lines(&ended, "repeated"), [format!("event of {source} at {}", places.join(", "))], "{}", ended.stdout);
}

#[test]
fn a_dead_letter_that_is_not_there_is_missing() {
    let stage = Stage::shared();
    let mut records = stage.dead_letters.clone();
    let gone = records.remove(17);
    let header = |name| letter::last(&gone.record.headers, name);
    let index = header("dlq.source.index").map(|index| format!("/{index}")).unwrap_or_default();
    let [partition, offset] = ["dlq.source.partition", "dlq.source.offset"].map(|name| header(name).expect("a letter"));
    let ended = stage.audit_with(Topic::DeadLetters, "audit-letter", &records, &[]);
    ended.assert_code(3);
    let expected = format!("dead letter of {}/{partition}/{offset}{index}", stage.scene.input);
    assert_eq!(lines(&ended, "missing"), [expected], "{}", ended.stdout);
}

#[test]
fn an_offset_that_was_committed_too_far_leaves_records_behind() {
    let scene = Scene::new(Cluster::shared(), ExactlyOnce, 1);
    let mut driver = Driver::new(&scene, 62);
    driver.send(300);
    driver.settle();
    Call::run_until_end(&scene).ended().assert_code(0);
    let (record, sample) = driver.maker.plain();
    driver.send_one(record, sample);
    driver.finish();
    audit(&scene, &[]).assert_code(0);
    commit(&scene, 0, 301);
    let ended = audit(&scene, &[]);
    ended.assert_code(3);
    assert_eq!(lines(&ended, "missing"), [format!("event of {}/0/300", scene.input)], "{}", ended.stdout);
}

#[test]
fn a_changed_event_is_named_by_its_key_and_never_by_its_value() {
    let stage = Stage::shared();
    let mut records = stage.output.clone();
    let mut event: Value = serde_json::from_slice(records[99].record.value.as_ref().expect("an event")).expect("JSON");
    event["event"]["kind"] = Value::from("a-value-nobody-may-see");
    records[99].record.value = Some(event.to_string().into_bytes());
    let ended = stage.audit_with(Topic::Output, "audit-changed", &records, &["--content"]);
    ended.assert_code(3);
    let at = place("audit-changed", &records, 99);
    let expected = format!("event of {} at {at} in event.kind", source(&records[99]));
    assert_eq!(lines(&ended, "differs"), [expected], "{}", ended.stdout);
    assert!(!ended.stdout.contains("nobody-may-see"), "{}", ended.stdout);
    audit_call(&stage.scene, &[]).set("output.topic=audit-changed").ended().assert_code(0);
}

#[test]
fn an_output_that_no_record_gives_is_unexpected() {
    let stage = Stage::shared();
    let mut records = stage.output.clone();
    let poisoned = stage.ledger.sent.iter().find(|sent| matches!(sent.sample.fates[..], [Fate::Letter { .. }]));
    let poisoned = poisoned.expect("one in seven is poison");
    let index = if poisoned.sample.page { "/0" } else { "" };
    let named = format!("{}/{}/{}{index}", stage.scene.input, poisoned.partition, poisoned.offset);
    let mut stray = records[0].clone();
    stray.record.headers.push(letter::header(letter::SOURCE, &named));
    records.push(stray);
    let ended = stage.audit_with(Topic::Output, "audit-unexpected", &records, &[]);
    ended.assert_code(3);
    let at = place("audit-unexpected", &records, records.len() - 1);
    let expected = format!("event of {named} at {at}: a dead letter is expected there");
    assert_eq!(lines(&ended, "unexpected"), [expected], "{}", ended.stdout);
}

#[test]
fn what_an_output_topic_has_lost_at_its_beginning_cannot_be_told() {
    let stage = Stage::shared();
    let cluster = stage.scene.cluster;
    copy(cluster, "audit-cut", &stage.output);
    cluster.delete_before("audit-cut", 1, 50);
    let ended = audit_call(&stage.scene, &["--output", "json"]).set("output.topic=audit-cut").ended();
    let report = report(&ended, 1);
    assert_eq!((number(&report, "missing"), number(&report, "untold")), (0, 50), "{report:#}");
    let doubts = report["could_not_tell"].as_array().expect("a list");
    assert!(doubts.iter().all(|doubt| doubt["reason"] == "output_gone"), "{report:#}");
    assert!(doubts[0]["message"].as_str().expect("text").contains("audit-cut/1 had offsets below 50"), "{report:#}");
    // Later records, of which nothing is gone, are clean.
    let later = stage.ledger.sent.iter().map(|sent| sent.offset).max().expect("records") - 20;
    for partition in 0..PARTITIONS {
        let from = format!("--from-offset={later}");
        let arguments = ["--partition", &partition.to_string(), &from];
        audit_call(&stage.scene, &arguments).set("output.topic=audit-cut").ended().assert_code(0);
    }
}

#[test]
fn events_that_name_no_source_cannot_be_told() {
    let stage = Stage::shared();
    let mut records = stage.output.clone();
    records[5].record.headers.retain(|(name, _)| name != letter::SOURCE.as_bytes());
    let ended = stage.audit_with(Topic::Output, "audit-sourceless", &records, &[]);
    ended.assert_code(1);
    let at = place("audit-sourceless", &records, 5);
    let told = lines(&ended, "could not tell");
    let expected = format!("{at}, and from there on: 1 event does not say where it comes from");
    assert_eq!((told.len(), told[1]), (2, expected.as_str()), "{}", ended.stdout);
    assert!(told[0].contains("1 trace is missing, but may be among the outputs"), "{}", ended.stdout);
    assert_eq!(lines(&ended, "missing"), [""; 0]);
    let off = audit_call(&stage.scene, &[]).set("output.source_header=false").ended();
    off.assert_code(1);
    assert!(off.stderr.contains("output.source_header is off"), "{}", off.stderr);
}

#[test]
fn records_that_retention_took_from_the_input_cannot_be_told() {
    let scene = Scene::new(Cluster::shared(), ExactlyOnce, 1);
    let mut driver = Driver::new(&scene, 63);
    driver.send(300);
    driver.finish();
    Call::run_until_end(&scene).ended().assert_code(0);
    scene.cluster.delete_before(&scene.input, 0, 100);
    let ended = audit(&scene, &[]);
    ended.assert_code(1);
    let told = lines(&ended, "could not tell");
    assert!(told.len() == 1 && told[0].contains("offsets 0 to 99: the records are gone"), "{}", ended.stdout);
    audit(&scene, &["--partition", "0", "--from-offset", "100"]).assert_code(0);
    audit(&scene, &["--from", "2000-01-01T00:00:00Z"]).assert_code(1);
}

#[test]
fn a_topic_that_was_made_anew_cannot_be_told() {
    let scene = Scene::new(Cluster::shared(), ExactlyOnce, 1);
    let mut driver = Driver::new(&scene, 64);
    driver.send(300);
    driver.finish();
    Call::run_until_end(&scene).ended().assert_code(0);
    // The same topic, shorter, with the offset of the longer one.
    scene.cluster.delete_topic(&scene.input);
    scene.cluster.create_topic(&scene.input, 1, &[]);
    let mut driver = Driver::new(&scene, 65);
    driver.send(100);
    driver.finish();
    commit(&scene, 0, 300);
    let report = report(&audit(&scene, &["--output", "json"]), 1);
    let reasons: Vec<&str> = report["could_not_tell"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|doubt| doubt["reason"].as_str())
        .collect();
    assert_eq!(reasons, ["committed_past_end", "source_past_end"], "{report:#}");
}

#[test]
fn a_group_that_committed_nothing_cannot_be_told() {
    let stage = Stage::shared();
    let ended = audit_call(&stage.scene, &[]).set("input.group=nobody").ended();
    ended.assert_code(1);
    assert_eq!(lines(&ended, "could not tell").len(), PARTITIONS as usize, "{}", ended.stdout);
    assert!(ended.stdout.contains("is input.group the service's?"), "{}", ended.stdout);
}

#[test]
fn a_limit_that_was_raised_since_is_no_finding() {
    let scene = Scene::new(Cluster::shared(), ExactlyOnce, PARTITIONS);
    let mut driver = Driver::new(&scene, 66);
    driver.send(1_000);
    driver.finish();
    Call::run_until_end(&scene).set("input.max_payload_bytes=1KiB").set("input.max_traces=2").ended().assert_code(0);
    let kinds = read(scene.cluster, &scene.dead_letters, View::Committed);
    let by_limit = |found: &&Found| {
        let kind = letter::last(&found.record.headers, "dlq.error.kind");
        matches!(kind, Some("payload_too_large" | "expands_too_far"))
    };
    assert!(kinds.iter().filter(by_limit).count() > 50, "the small limits bite");
    audit(&scene, &["--content"]).assert_code(0);
}

#[test]
fn beside_a_service_under_load_it_never_cries_wolf() {
    for guarantee in [ExactlyOnce, AtLeastOnce] {
        let scene = Scene::new(Cluster::shared(), guarantee, PARTITIONS);
        let written = scene.cluster.gauge(&scene.output, View::Uncommitted);
        let mut service = Call::run(&scene).set("pipeline.commit_interval=100ms").start();
        service.until_ready();
        let mut audited = Vec::new();
        Driver::new(&scene, 67).under_load(10_000, 2_000, || {
            for round in 1..=6 {
                written.until(round * 1_000, LIMIT);
                let report = report(&audit(&scene, &["--content", "--output", "json"]), 0);
                audited.push(number(&report, "records"));
            }
        });
        assert!(audited.is_sorted() && audited[5] > audited[0], "{audited:?}");
        assert_eq!(service.metric("messagetrace_ecs_client_rebuilds_total"), Some(0.0), "it was not disturbed");
        service.stopped().assert_code(0);
        let report = report(&audit(&scene, &["--output", "json"]), 0);
        assert_eq!(number(&report, "not_committed"), 0);
    }
}

#[test]
fn what_is_replayed_is_a_record_of_its_own() {
    let scene = Scene::new(Cluster::shared(), ExactlyOnce, 1);
    let mut driver = Driver::new(&scene, 68);
    driver.send(300);
    driver.finish();
    Call::run_until_end(&scene).ended().assert_code(0);
    let letters = read(scene.cluster, &scene.dead_letters, View::Committed);
    let writer = Writer::new(scene.cluster, &scene.input);
    for found in &letters {
        let mut headers = letter::foreign(&found.record.headers);
        let from = format!("{}/{}/{}", found.topic, found.partition, found.offset);
        headers.push(letter::header("dlq.replayed.from", &from));
        headers.push(letter::header("dlq.attempts", "1"));
        writer.send(0, &Record { headers, ..found.record.clone() });
    }
    writer.settle();
    Call::run_until_end(&scene).ended().assert_code(0);
    let report = report(&audit(&scene, &["--output", "json"]), 0);
    assert_eq!(number(&report, "records"), 300 + letters.len() as u64);
}

#[test]
fn dead_letters_of_others_are_passed_over() {
    let stage = Stage::shared();
    let mut records = stage.dead_letters.clone();
    let mut other = records[0].clone();
    other.record.headers.push(letter::header("dlq.consumer.group", "another"));
    records.push(other);
    let mut foreign = records[1].clone();
    foreign.record.headers = vec![letter::header("x-original-topic", &stage.scene.input)];
    records.push(foreign.clone());
    // One that the commands about dead letters can read.
    foreign.record.headers = ["topic", "partition", "offset"]
        .map(|name| {
            letter::header(&format!("__connect.errors.{name}"), if name == "topic" { &stage.scene.input } else { "0" })
        })
        .to_vec();
    records.push(foreign);
    let ended = stage.audit_with(Topic::DeadLetters, "audit-others", &records, &[]);
    ended.assert_code(0);
    let expected = ["1 dead letter of other groups", "2 dead letters of other tools"];
    assert_eq!(lines(&ended, "passed over"), expected, "{}", ended.stdout);
}

#[test]
fn a_part_that_does_not_exist_is_told_in_one_line() {
    let stage = Stage::shared();
    let cases: [(&[&str], i32, &str); 3] = [
        (&["--topic", "nowhere"], 2, "--topic nowhere is none of the input topics"),
        (&["--partition", "7"], 1, "has no partition 7"),
        (&["--set", "output.topic=nowhere"], 1, "topic nowhere does not exist"),
    ];
    for (arguments, code, told) in cases {
        let ended = audit(&stage.scene, arguments);
        ended.assert_code(code);
        assert!(ended.stderr.lines().count() == 1 && ended.stderr.contains(told), "{}", ended.stderr);
        assert_eq!(ended.stdout, "");
    }
}
