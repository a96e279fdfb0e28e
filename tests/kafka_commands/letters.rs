//! Letters of other tools, and replays that may not end as they should, on a real Kafka: where a record goes, with which
//! time, that a second failure is known, and that "sent" means that a reader finds it.

use crate::support;

use std::collections::BTreeMap;

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

type Headers = Vec<(Vec<u8>, Option<Vec<u8>>)>;

fn headers(named: &[(&str, &[u8])]) -> Headers {
    named.iter().map(|(name, value)| (name.as_bytes().to_vec(), Some(value.to_vec()))).collect()
}

/// Topics that keep old times, with one partition each.
fn named<'c>(cluster: &'c Cluster, name: &str, input: &[(&str, &str)]) -> Scene<'c> {
    let mut scene = Scene::empty(cluster, ExactlyOnce, 1);
    scene.input = format!("{name}.raw");
    scene.output = format!("{name}.ecs");
    scene.dead_letters = format!("{name}.dlq");
    scene.group = name.to_owned();
    cluster.create_topic(&scene.input, 1, input);
    for topic in [&scene.output, &scene.dead_letters] {
        cluster.create_topic(topic, 1, &[("retention.ms", "-1")]);
    }
    scene
}

fn dlq(scene: &Scene<'_>, words: &[&str]) -> Ended {
    let words: Vec<&str> = ["dlq"].iter().chain(words).copied().collect();
    scene.settings().iter().fold(Call::of(&words), |call, setting| call.set(setting)).ended()
}

fn json(ended: &Ended) -> Value {
    serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {}{}", ended.stdout, ended.stderr))
}

/// Sends, and says how many went and what was skipped.
fn replay(scene: &Scene<'_>, more: &[&str]) -> (u64, BTreeMap<String, u64>) {
    let words: Vec<&str> = ["replay", "--output", "json", "--execute"].iter().chain(more).copied().collect();
    let ended = dlq(scene, &words);
    let told = json(&ended);
    let skipped = told["skipped_by"].as_array().expect("a list").iter();
    let skipped: BTreeMap<String, u64> = skipped
        .map(|skip| {
            (skip["reason"].as_str().expect("a reason").to_owned(), skip["letters"].as_u64().expect("a number"))
        })
        .collect();
    ended.assert_code(if skipped.is_empty() { 0 } else { 3 });
    (told["sent"].as_u64().expect("a number"), skipped)
}

fn skipped(reasons: &[(&str, u64)]) -> BTreeMap<String, u64> {
    reasons.iter().map(|(reason, letters)| ((*reason).to_owned(), *letters)).collect()
}

fn input(scene: &Scene<'_>) -> Vec<Found> {
    read(scene.cluster, &scene.input, View::Committed)
}

fn record(value: Option<&str>, headers: Headers, timestamp_ms: i64) -> Record {
    Record { key: Some(b"key".to_vec()), value: value.map(|value| value.as_bytes().to_vec()), headers, timestamp_ms }
}

/// What each tool writes beside a record of `topic`, partition 0, offset 5; and whether the letter has the record's time.
fn tools(topic: &str) -> Vec<(&'static str, Headers, bool)> {
    let (partition, offset) = (0_i32.to_be_bytes(), 5_i64.to_be_bytes());
    let (time, digits) = (START_MS.to_be_bytes(), START_MS.to_string());
    let first_read = ("delayed-retry-original-timestamp", digits.as_bytes());
    let topic = topic.as_bytes();
    let spring = |prefix: &str| -> Headers {
        let named: [(&str, &[u8]); 4] =
            [("topic", topic), ("partition", &partition), ("offset", &offset), ("timestamp", &time)];
        named.iter().map(|(name, value)| (format!("{prefix}{name}").into_bytes(), Some(value.to_vec()))).collect()
    };
    let text = |prefix: &str| -> Headers {
        let named: [(&str, &[u8]); 3] = [("topic", topic), ("partition", b"0"), ("offset", b"5")];
        named.iter().map(|(name, value)| (format!("{prefix}{name}").into_bytes(), Some(value.to_vec()))).collect()
    };
    vec![
        ("connect", text("__connect.errors."), true),
        ("streams", text("__streams.errors."), true),
        ("spring", spring("kafka_dlt-original-"), true),
        ("spring_retry", spring("kafka_original-"), true),
        ("spring_cloud", spring("x-original-"), true),
        ("smallrye", text("dead-letter-"), false),
        ("smallrye_retry", [text("delayed-retry-"), headers(&[first_read])].concat(), true),
    ]
}

#[test]
fn letters_of_other_tools_go_home_with_their_time_and_a_second_failure_is_known() {
    let scene = named(Cluster::shared(), "letters-tools", &[("retention.ms", "-1")]);
    let tools = tools(&scene.input);
    let own = headers(&[("own", b"1")]);
    let writer = Writer::new(scene.cluster, &scene.dead_letters);
    let write = |name: &str, theirs: &Headers, own: &Headers| {
        let (before, behind) = theirs.split_at(match name {
            "smallrye" => theirs.len(),
            "smallrye_retry" => 3,
            _ => 0,
        });
        writer.send(0, &record(Some(GOOD), [before, own, behind].concat(), START_MS));
    };
    tools.iter().for_each(|(name, theirs, _)| write(name, theirs, &own));
    writer.settle();
    let count = u64::try_from(tools.len()).unwrap();
    assert_eq!(replay(&scene, &[]), (count, skipped(&[])));
    let back = input(&scene);
    for ((name, _, has_time), found) in tools.iter().zip(&back) {
        let record = &found.record;
        assert_eq!(
            (record.key.as_deref(), record.value.as_deref()),
            (Some(&b"key"[..]), Some(GOOD.as_bytes())),
            "{name}"
        );
        assert_eq!(record.timestamp_ms == START_MS, *has_time, "{name}: {}", record.timestamp_ms);
        let names: Vec<_> = record.headers.iter().map(|(name, _)| String::from_utf8_lossy(name).into_owned()).collect();
        assert_eq!(names, ["own", "dlq.attempts", "dlq.replayed.from"], "{name}");
    }

    // They fail again, each for its tool, which copies the record's headers.
    for ((name, theirs, _), found) in tools.iter().zip(&back) {
        write(name, theirs, &found.record.headers);
    }
    writer.settle();
    // Another selection is another replay: what failed again stands for what it came from.
    let of_topic = ["--topic", scene.input.as_str()];
    assert_eq!(replay(&scene, &of_topic), (count, skipped(&[("failed_again", count)])));
    let twice = input(&scene).split_off(back.len());
    assert!(twice.iter().all(|found| last(&found.record.headers, "dlq.attempts") == Some("2")), "{twice:?}");
    for ((name, theirs, _), found) in tools.iter().zip(&twice) {
        write(name, theirs, &found.record.headers);
    }
    writer.settle();
    // And it ends.
    let rest = replay(&scene, &["--topic", scene.input.as_str(), "--partition", "0"]);
    assert_eq!(rest, (0, skipped(&[("failed_again", 2 * count), ("max_attempts", count)])));
    assert_eq!(input(&scene).len(), 2 * tools.len());
}

/// The letter of a share group for a record of the input's first partition, with a key and what it has copied.
fn of_a_share_group(scene: &Scene<'_>, offset: i64, value: Option<&str>) -> Record {
    let offset = offset.to_string();
    let theirs: [(&str, &[u8]); 5] = [
        ("__dlq.errors.topic", scene.input.as_bytes()),
        ("__dlq.errors.partition", b"0"),
        ("__dlq.errors.offset", offset.as_bytes()),
        ("__dlq.errors.group", b"billing"),
        ("__dlq.errors.delivery.count", b"5"),
    ];
    record(value, headers(&theirs), START_MS + 60_000)
}

#[test]
fn letters_that_hold_nothing_are_those_of_their_source() {
    let scene = named(Cluster::shared(), "letters-shared", &[("retention.ms", "-1")]);
    let source = Writer::new(scene.cluster, &scene.input);
    for number in 0..4 {
        let own = number.to_string();
        source.send(0, &record(Some(GOOD), headers(&[("own", own.as_bytes())]), START_MS + number));
    }
    source.settle();
    scene.cluster.delete_before(&scene.input, 0, 1);
    let letter = |offset: i64| Record { key: None, ..of_a_share_group(&scene, offset, None) };
    let writer = Writer::new(scene.cluster, &scene.dead_letters);
    (0..4).for_each(|offset| writer.send(0, &letter(offset)));
    writer.settle();

    let shown = dlq(&scene, &["show", "0:1"]);
    assert!(
        shown.stdout.contains(&format!("value, {} bytes, JSON, fetched from its source", GOOD.len())),
        "{}",
        shown.stdout
    );
    let gone = dlq(&scene, &["show", "0:0"]);
    assert!(gone.stdout.contains("the source does not have the record any more"), "{}", gone.stdout);
    let diff = json(&dlq(&scene, &["diff", "--output", "json"]));
    assert_eq!((&diff["fixed"], &diff["cannot_tell"]), (&3.into(), &1.into()), "{diff}");
    let exported = dlq(&scene, &["export"]).stdout;
    let exported: Vec<Value> = exported.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let content: Vec<_> = exported.iter().map(|letter| letter["content"].as_str().expect("a word")).collect();
    assert_eq!(content, ["gone", "source", "source", "source"]);
    assert!(exported[1..].iter().all(|letter| letter["value"]["text"] == GOOD && letter["key"]["text"] == "key"));

    assert_eq!(replay(&scene, &[]), (3, skipped(&[("original_gone", 1)])));
    let back = input(&scene).split_off(3);
    for (number, found) in (1..).zip(&back) {
        assert_eq!(found.record.value.as_deref(), Some(GOOD.as_bytes()), "no tombstone");
        assert_eq!(found.record.timestamp_ms, START_MS + number);
        assert_eq!(last(&found.record.headers, "own"), Some(number.to_string().as_str()));
    }
    // One of them fails again: its history lies at the source alone.
    writer.send(0, &letter(back[0].offset));
    writer.settle();
    let again = replay(&scene, &["--topic", scene.input.as_str()]);
    assert_eq!(again, (3, skipped(&[("original_gone", 1), ("failed_again", 1)])));
    let last_one = input(&scene);
    let attempts: Vec<_> =
        last_one[6..].iter().filter_map(|found| last(&found.record.headers, "dlq.attempts")).collect();
    assert_eq!(attempts, ["1", "1", "2"]);
}

#[test]
fn letters_whose_tool_copies_no_headers_have_them_and_their_history_from_the_source() {
    let scene = named(Cluster::shared(), "letters-copied", &[("retention.ms", "-1")]);
    let source = Writer::new(scene.cluster, &scene.input);
    (0..2).for_each(|number| source.send(0, &record(Some(GOOD), headers(&[("own", b"1")]), START_MS + number)));
    source.settle();
    let letter = |offset: i64| of_a_share_group(&scene, offset, Some(GOOD));
    let writer = Writer::new(scene.cluster, &scene.dead_letters);
    (0..2).for_each(|offset| writer.send(0, &letter(offset)));
    writer.settle();
    let shown = dlq(&scene, &["show", "0:0"]).stdout;
    assert!(shown.contains("/0/0, of 2026-03-01T10:00:00.000Z") && !shown.contains("fetched"), "{shown}");

    assert_eq!(replay(&scene, &[]), (2, skipped(&[])));
    let back = input(&scene).split_off(2);
    for (number, found) in (0..).zip(&back) {
        assert_eq!((found.record.timestamp_ms, last(&found.record.headers, "own")), (START_MS + number, Some("1")));
    }
    // Both fail again: another selection sends each once, and then never.
    back.iter().for_each(|found| writer.send(0, &letter(found.offset)));
    writer.settle();
    assert_eq!(replay(&scene, &["--topic", &scene.input]), (2, skipped(&[("failed_again", 2)])));
    let twice = input(&scene).split_off(4);
    assert!(twice.iter().all(|found| last(&found.record.headers, "dlq.attempts") == Some("2")), "{twice:?}");
    twice.iter().for_each(|found| writer.send(0, &letter(found.offset)));
    writer.settle();
    let rest = replay(&scene, &["--topic", &scene.input, "--partition", "0"]);
    assert_eq!(rest, (0, skipped(&[("failed_again", 4), ("max_attempts", 2)])));

    let history = json(&dlq(&scene, &["show", "0:2", "--output", "json"]))["history"].clone();
    let told = history.as_array().expect("a list").iter();
    let told: Vec<_> = told.map(|one| (one["offset"].as_i64(), one["failures"].as_u64())).collect();
    assert_eq!(told, [(Some(0), Some(1)), (Some(2), Some(2)), (Some(4), Some(3))], "{history}");
}

fn ours(scene: &Scene<'_>, offset: i64, time: &str) -> Record {
    let offset = offset.to_string();
    let named: [(&str, &[u8]); 6] = [
        ("dlq.error.kind", b"payload_too_large"),
        ("dlq.source.topic", scene.input.as_bytes()),
        ("dlq.source.partition", b"0"),
        ("dlq.source.offset", offset.as_bytes()),
        ("dlq.source.timestamp", time.as_bytes()),
        ("dlq.attempts", b"1"),
    ];
    record(Some(GOOD), headers(&named), START_MS)
}

#[test]
fn what_was_sent_is_what_a_reader_finds_after_the_next_check() {
    let day = chrono::Duration::days(1);
    let now = chrono::Utc::now();
    let times = [now - day * 400, now - day * 8, now - day * 2, now - chrono::Duration::minutes(1), now + day];
    let in_the_past = [("segment.ms", "100"), ("message.timestamp.after.max.ms", "9223372036854775807")];
    type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], u64, &'a [(&'a str, u64)]);
    let cases: [Case<'_>; 5] = [
        ("kept for ever", &[("retention.ms", "-1"), in_the_past[1]], 5, &[]),
        ("kept a week", &[("retention.ms", "604800000"), in_the_past[1]], 3, &[("too_old", 2)]),
        (
            "nothing from tomorrow",
            &[("retention.ms", "-1"), ("message.timestamp.after.max.ms", "60000")],
            4,
            &[("too_new", 1)],
        ),
        (
            "nothing that is older than a day",
            &[("retention.ms", "-1"), ("message.timestamp.before.max.ms", "86400000"), in_the_past[1]],
            2,
            &[("too_old", 3)],
        ),
        (
            "by the time of arrival",
            &[("retention.ms", "604800000"), ("message.timestamp.type", "LogAppendTime")],
            5,
            &[],
        ),
    ];
    for (number, (what, settings, sent, reasons)) in cases.into_iter().enumerate() {
        let scene = named(Cluster::shared(), &format!("letters-times-{number}"), settings);
        let writer = Writer::new(scene.cluster, &scene.dead_letters);
        for (offset, time) in (0..).zip(times) {
            writer.send(0, &ours(&scene, offset, &time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)));
        }
        writer.settle();
        let dry = json(&dlq(&scene, &["replay", "--output", "json"]));
        assert_eq!(dry["sent"].as_u64(), Some(sent), "{what}: {dry}");
        assert_eq!(replay(&scene, &[]), (sent, skipped(reasons)), "{what}");
        assert_eq!(input(&scene).len() as u64, sent, "{what}");
        let with_now = replay(&scene, &["--topic", scene.input.as_str(), "--timestamp", "now"]);
        assert_eq!(with_now, (5, skipped(&[])), "{what}: with the time of sending all of them go");
    }

    // It keeps a number of bytes, and what is sent behind them would push them out.
    let scene = named(Cluster::shared(), "letters-times-bytes", &[("retention.ms", "-1"), ("retention.bytes", "1000")]);
    let writer = Writer::new(scene.cluster, &scene.dead_letters);
    for (offset, time) in (0..).zip(times) {
        writer.send(0, &ours(&scene, offset, &time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)));
    }
    writer.settle();
    let (sent, reasons) = replay(&scene, &["--timestamp", "now"]);
    assert_eq!((sent + reasons["too_much"], reasons.len()), (5, 1), "{reasons:?}");
    let bytes = |found: &Found| 61 + found.record.value.as_ref().map_or(0, Vec::len);
    assert!(sent > 1 && input(&scene).iter().map(bytes).sum::<usize>() <= 1000, "{sent} of 5");

    // The output bears the records' times, and keeps events for a day.
    let scene = named(Cluster::shared(), "letters-times-output", &[("retention.ms", "-1"), in_the_past[1]]);
    scene.cluster.alter_topic(&scene.output, &[("retention.ms", "86400000")]);
    let writer = Writer::new(scene.cluster, &scene.dead_letters);
    for (offset, time) in (0..).zip(times) {
        writer.send(0, &ours(&scene, offset, &time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)));
    }
    writer.settle();
    assert_eq!(replay(&scene, &[]), (2, skipped(&[("too_old", 3)])));
}

#[test]
fn a_letter_that_its_topic_refuses_does_not_hold_up_the_others() {
    // A compacted topic refuses records without a key, and all that share their batch.
    let scene = named(Cluster::shared(), "letters-refused", &[("cleanup.policy", "compact")]);
    let writer = Writer::new(scene.cluster, &scene.dead_letters);
    for offset in 0..30 {
        let letter = ours(&scene, offset, "2026-02-28T10:00:00.000Z");
        let key = letter.key.clone().filter(|_| !matches!(offset, 4 | 5 | 20));
        writer.send(0, &Record { key, ..letter });
    }
    writer.settle();
    assert_eq!(replay(&scene, &[]), (27, skipped(&[("refused", 3)])));
    let sent: Vec<_> = input(&scene)
        .iter()
        .map(|found| last(&found.record.headers, "dlq.replayed.from").expect("a replay").to_owned())
        .collect();
    let expected: Vec<_> = (0..30)
        .filter(|offset| !matches!(offset, 4 | 5 | 20))
        .map(|offset| format!("{}/0/{offset}", scene.dead_letters))
        .collect();
    assert_eq!(sent, expected, "each once, in order");
    assert_eq!(replay(&scene, &[]), (0, skipped(&[])), "the replay is through");
}
