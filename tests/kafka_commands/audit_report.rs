//! The audit's report, word for word: what people read, what programs read, and what docs/audit.md shows.

use super::audit::commit;
use crate::support;

use std::fs;
use std::path::Path;

use support::cluster::{Cluster, View};
use support::raw::Record;
use support::reader::{Found, read};
use support::scene::Guarantee::AtLeastOnce;
use support::scene::Scene;
use support::service::{Call, Ended};
use support::writer::Writer;

/// The reports are here; `UPDATE_GOLDEN=1` writes them anew.
const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/audit");

const TRACE: &str = r#"{"MessageTraceId":"b9c1","Received":"2022-09-05T18:10:13","Status":"Delivered"}"#;

fn value(text: &str) -> Record {
    Record { value: Some(text.as_bytes().to_vec()), timestamp_ms: 1_700_000_000_000, ..Record::default() }
}

/// Topics with the names of the defaults, and one fault of each kind in what was written.
fn spoiled(cluster: &Cluster) -> Scene<'_> {
    let mut scene = Scene::empty(cluster, AtLeastOnce, 1);
    scene.input = "messagetrace.raw".to_owned();
    scene.output = "messagetrace.unspoiled".to_owned();
    scene.dead_letters = "messagetrace.dlq".to_owned();
    scene.group = "messagetrace-ecs".to_owned();
    for topic in [&scene.input, &scene.output, &scene.dead_letters] {
        cluster.create_topic(topic, 1, &[]);
    }
    let input = Writer::new(cluster, &scene.input);
    let page = format!("[{TRACE},{TRACE},{{}}]");
    for text in [TRACE, "{", &page, TRACE, "[]", TRACE, TRACE] {
        input.send(0, &value(text));
    }
    input.settle();
    Call::run_until_end(&scene).ended().assert_code(0);

    let mut events: Vec<Record> =
        read(cluster, &scene.output, View::Committed).into_iter().map(|Found { record, .. }| record).collect();
    // Record 0 is missing, the second trace of the page in record 2 is there twice, record 3 has another text and the
    // empty page of record 4 an event.
    let [first, second, third] = [events.remove(0), events[1].clone(), events[2].clone()];
    drop(first);
    events.push(second);
    let text = String::from_utf8(events[2].value.take().expect("an event")).expect("text");
    events[2].value = Some(text.replace("Delivered", "Filtered").into_bytes());
    let source = (b"messagetrace.source".to_vec(), Some(b"messagetrace.raw/0/4".to_vec()));
    events.push(Record { headers: vec![source], ..third });
    scene.output = "messagetrace.ecs".to_owned();
    cluster.create_topic(&scene.output, 1, &[]);
    let output = Writer::new(cluster, &scene.output);
    events.iter().for_each(|event| output.send(0, event));
    output.settle();
    scene
}

fn audit(scene: &Scene<'_>, arguments: &[&str]) -> Ended {
    let call = scene.settings().iter().fold(Call::of(&["audit"]), |call, setting| call.set(setting));
    arguments.iter().fold(call, |call, argument| call.with(argument)).ended()
}

fn golden(name: &str, found: &str) {
    let path = Path::new(GOLDEN).join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::create_dir_all(GOLDEN).expect("the folder of the reports");
        fs::write(&path, found).expect("write a report");
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(found, expected, "{name} (UPDATE_GOLDEN=1 writes it anew)");
}

#[test]
fn the_reports_are_those_in_the_tree_and_in_the_documentation() {
    let scene = spoiled(Cluster::shared());
    let table = audit(&scene, &["--content"]);
    table.assert_code(3);
    golden("findings.txt", &table.stdout);
    let json = audit(&scene, &["--content", "--output", "json"]);
    json.assert_code(3);
    golden("findings.json", &json.stdout);

    let clean = audit(&scene, &["--content", "--set", "output.topic=messagetrace.unspoiled"]);
    clean.assert_code(0);
    golden("clean.txt", &clean.stdout);

    scene.cluster.delete_before(&scene.output, 0, 2);
    let untold = audit(&scene, &[]);
    untold.assert_code(1);
    golden("could-not-tell.txt", &untold.stdout);

    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/audit.md")).expect("docs/audit.md");
    for report in [&table, &clean, &untold] {
        assert!(page.contains(report.stdout.trim_end()), "docs/audit.md shows:\n{}", report.stdout);
    }
}

#[test]
fn an_end_that_was_asked_for_is_held_against_what_is_committed() {
    let scene = Scene::new(Cluster::shared(), AtLeastOnce, 2);
    let writer = Writer::new(scene.cluster, &scene.input);
    (0..20).for_each(|number| writer.send(number % 2, &value("[]")));
    writer.settle();
    commit(&scene, 0, 5);
    let told = |arguments: &[&str], code| -> Vec<String> {
        let ended = audit(&scene, arguments);
        ended.assert_code(code);
        ended.stdout.lines().filter_map(|line| line.strip_prefix("could not tell: ")).map(str::to_owned).collect()
    };
    let (asked, group) = ("asked for, but not audited", &scene.group);
    let first = |last: i64| {
        let why = format!("group {group} has committed 5, and what comes of later records may be there or not");
        format!("{}/0, offsets 5 to {last}: {asked}: {why}", scene.input)
    };
    let second = |last: i64| {
        let why = format!(
            "group {group} has committed nothing of this partition, and what comes of its records may be there or not"
        );
        format!("{}/1, offsets 0 to {last}: {asked}: {why}", scene.input)
    };
    assert_eq!(told(&[], 0), [""; 0]);
    assert_eq!(told(&["--to", "2100-01-01T00:00:00Z"], 1), [first(9), second(9)]);
    assert_eq!(told(&["--partition", "0", "--to-offset", "7"], 1), [first(6)]);
    assert_eq!(told(&["--partition", "0", "--to-offset", "5"], 0), [""; 0]);
    assert_eq!(told(&["--partition", "1", "--from-offset", "0", "--to-offset", "5"], 1), [second(4)]);
}
