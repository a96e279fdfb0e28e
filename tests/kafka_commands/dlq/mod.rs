//! `dlq` on a real Kafka: what each command prints, held against files in `tests/golden/dlq`. The letters are written here
//! header by header, hostile ones among them, with fixed times. `dlq serve` is asked by a client and by a browser.
//!
//! `REGENERATE=1` writes the files anew; what changed is then for a person to judge.

mod browser;
mod letters;
mod markup;
mod packed;
mod serve;

use crate::support;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use self::letters::{others, ours, usual};
use support::broker::Plan;
use support::cluster::{Cluster, Rule};
use support::raw::Record;
use support::service::{Call, Ended};
use support::writer::Writer;

const TOPIC: &str = "letters";

/// A cluster whose letters nobody changes.
fn cluster() -> &'static Cluster {
    static WRITTEN: OnceLock<&'static Cluster> = OnceLock::new();
    WRITTEN.get_or_init(|| {
        let cluster = Cluster::shared();
        // The times are old; no retention may take them.
        cluster.create_topic(TOPIC, 3, &[("retention.ms", "-1")]);
        let writer = Writer::transactional(cluster, TOPIC);
        for (partition, letters) in [(0, usual()), (1, others())] {
            letters.iter().for_each(|letter| writer.send(partition, letter));
            writer.commit();
        }
        cluster
    })
}

fn call(arguments: &[&str]) -> Ended {
    let servers = format!("kafka.bootstrap_servers={}", cluster().bootstrap());
    let all: Vec<&str> = ["dlq"].iter().chain(arguments).copied().collect();
    Call::of(&all).set(&servers).set(&format!("dead_letters.topic={TOPIC}")).ended()
}

/// What the command printed; nothing that acts on a terminal is in it.
fn printed(arguments: &[&str]) -> String {
    let ended = call(arguments);
    ended.assert_code(0);
    assert_eq!(ended.stderr, "", "{arguments:?}");
    let acts = |c: char| c != '\n' && (c.is_control() || matches!(c, '\u{202a}'..='\u{202e}'));
    assert!(!ended.stdout.contains(acts), "{arguments:?} lets through what acts on a terminal: {:?}", ended.stdout);
    ended.stdout
}

fn assert_golden(name: &str, printed: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/dlq").join(name);
    if std::env::var_os("REGENERATE").is_some() {
        fs::create_dir_all(path.parent().expect("a folder")).expect("make the folder");
        fs::write(&path, printed).expect("write the golden file");
    }
    let golden = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_eq!(printed, golden, "{name}");
}

#[test]
fn each_command_prints_what_its_golden_file_holds() {
    let json = ["--output", "json"];
    let calls: [(&str, &[&str]); 8] = [
        ("stats.txt", &["stats"]),
        ("list.txt", &["list"]),
        ("diff.txt", &["diff"]),
        ("export.jsonl", &["export"]),
        ("export-ecs.jsonl", &["export", "--format", "ecs"]),
        ("stats.json", &["stats", json[0], json[1]]),
        ("list.jsonl", &["list", json[0], json[1]]),
        ("diff.json", &["diff", json[0], json[1]]),
    ];
    for (name, arguments) in calls {
        assert_golden(name, &printed(arguments));
    }
}

#[test]
fn each_letter_is_shown_as_its_golden_file_holds() {
    let places = [(0, usual().len()), (1, others().len())];
    let mut pages = String::new();
    let mut lines = String::new();
    for (partition, letters) in places {
        for offset in 0..letters {
            let place = format!("{partition}:{offset}");
            pages.push_str(&format!("===== {place}\n{}", printed(&["show", &place])));
            lines.push_str(&printed(&["show", &place, "--output", "json"]));
        }
    }
    assert_golden("show.txt", &pages);
    assert_golden("show.jsonl", &lines);
}

#[test]
fn json_is_json_and_says_every_byte() {
    for line in printed(&["export"]).lines() {
        let letter: serde_json::Value = serde_json::from_str(line).expect("a JSON object");
        let number = |key: &str| usize::try_from(letter[key].as_u64().expect("a number")).expect("small");
        let written = if number("partition") == 0 { usual() } else { others() }.remove(number("offset"));
        let bytes = |value: &serde_json::Value| match value {
            serde_json::Value::Null => None,
            value => Some(value["text"].as_str().map_or_else(
                || from_base64(value["base64"].as_str().expect("text or base64")),
                |text| text.as_bytes().to_vec(),
            )),
        };
        assert_eq!((bytes(&letter["key"]), bytes(&letter["value"])), (written.key, written.value));
        let headers = letter["headers"].as_array().expect("a list").iter();
        let headers: Vec<_> = headers.map(|h| (bytes(&h["name"]).expect("a name"), bytes(&h["value"]))).collect();
        assert_eq!(headers, written.headers);
    }
}

/// By a hand of its own.
fn from_base64(text: &str) -> Vec<u8> {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = text.bytes().filter_map(|byte| alphabet.iter().position(|digit| *digit == byte));
    let bits: Vec<bool> = digits.flat_map(|digit| (0..6).rev().map(move |bit| digit >> bit & 1 == 1)).collect();
    bits.chunks_exact(8).map(|byte| byte.iter().fold(0, |byte, bit| byte << 1 | u8::from(*bit))).collect()
}

#[test]
fn a_selection_takes_what_it_names() {
    let places = |arguments: &[&str]| {
        let all: Vec<&str> = ["list"].iter().chain(arguments).copied().collect();
        let ended = call(&all);
        ended.assert_code(0);
        let places = ended.stdout.lines().skip(1).filter_map(|line| line.split(' ').next().map(str::to_owned));
        places.collect::<Vec<_>>().join(" ")
    };
    let cases: [(&[&str], &str); 15] = [
        (&["--kind", "missing_field"], "0:0 0:1 0:9"),
        (&["--kind", "empty_payload", "--kind", "kip1191"], "0:7 1:4"),
        (&["--fingerprint", "acd001ede5c91e6b"], "0:6"),
        (&["--topic", "orders"], "1:1 1:2 1:3 1:4"),
        (&["--topic", "orders", "--partition", "1", "--from-offset", "78", "--to-offset", "80"], "1:2 1:3"),
        (&["--partition", "3", "--from-offset", "1067"], "0:7 0:8 0:9"),
        (&["--from", "2026-03-01T11:05:00Z", "--to", "2026-03-01T11:07:00Z"], "0:5 0:6"),
        // Times out of order: the second partition ends earlier than the first begins.
        (&["--to", "2026-03-01T10:12:00Z"], "0:0 0:1 0:2 1:0 1:1"),
        (&["--from", "2h"], ""),
        (&["--limit", "2"], "0:0 0:1"),
        (&["--kind", "missing_field", "--limit", "2"], "0:0 0:1"),
        (&["--kind", "no_such_kind"], ""),
        (&["--newest-first", "--limit", "3"], "0:9 0:8 0:7"),
        (&["--newest-first", "--topic", "orders"], "1:4 1:3 1:2 1:1"),
        (&["--source-from", "2026-03-01T09:00:00Z", "--topic", "orders"], "1:1 1:2 1:3"),
    ];
    for (arguments, expected) in cases {
        assert_eq!(places(arguments), expected, "{arguments:?}");
    }
}

#[test]
fn a_selection_that_takes_nothing_says_of_how_many_and_what_was_probably_meant() {
    let cluster = Cluster::shared();
    cluster.create_topic("letters-old", 1, &[("retention.ms", "-1")]);
    let writer = Writer::new(cluster, "letters-old");
    let old = Record { timestamp_ms: 1, ..usual().remove(0) };
    (0..3).for_each(|_| writer.send(0, &old));
    writer.settle();
    let stats = |more: &[&str]| {
        let servers = format!("kafka.bootstrap_servers={}", cluster.bootstrap());
        let all: Vec<&str> = ["dlq", "stats"].iter().chain(more).copied().collect();
        let ended = Call::of(&all).set(&servers).set("dead_letters.topic=letters-old").ended();
        ended.assert_code(0);
        ended.stderr
    };
    assert_eq!(
        stats(&["--kind", "missing_feild"]),
        "note: 0 of 3 match; there is no kind missing_feild: missing_field is the nearest\n"
    );
    let told = stats(&["--from", "7d"]);
    assert!(told.contains("0 of 3 match") && told.contains("3 left out because of an impossible time"), "{told}");
    assert_eq!(stats(&[]), "");
}

#[test]
fn what_cannot_be_shown_is_one_line_and_says_what_to_do() {
    let last = usual().len();
    let cases: [(&[&str], i32, &str); 6] = [
        (&["show", "0:9999"], 1, "there is no letter 0:9999: partition 0 of letters ends at 11 (`dlq list`"),
        // The marker of the transaction.
        (&["show", &format!("0:{last}")], 1, "there is no letter 0:10: nothing can be read at this offset of letters"),
        (&["show", "7:0"], 1, "topic letters has no partition 7: they are 0 to 2"),
        (&["show", "somewhere"], 2, "write partition and offset in the dead-letter topic, like 3:1234"),
        (&["list", "--from", "yesterday"], 2, "write a time like 2026-03-01T12:00:00Z, or how long ago"),
        (&["list", "--from-offset", "3"], 2, "--partition <P>"),
    ];
    for (arguments, code, expected) in cases {
        let ended = call(arguments);
        ended.assert_code(code);
        assert!(ended.stderr.contains(expected), "{arguments:?}: {}", ended.stderr);
        assert!(code == 2 || ended.stderr.lines().count() == 1, "{arguments:?}: {}", ended.stderr);
    }
    let servers = format!("kafka.bootstrap_servers={}", cluster().bootstrap());
    let missing = Call::of(&["dlq", "stats"]).set(&servers).set("dead_letters.topic=missing").ended();
    missing.assert_code(1);
    let expected = "error: topic missing does not exist (create it: messagetrace-ecs topics --create, or correct dead_letters.topic)\n";
    assert_eq!(missing.stderr, expected);
    let nobody = Call::of(&["dlq", "stats"]).set("kafka.bootstrap_servers=127.0.0.1:1").ended();
    nobody.assert_code(1);
    assert!(nobody.stderr.starts_with("error: no broker of 127.0.0.1:1 answered: "), "{}", nobody.stderr);
    assert_eq!(nobody.stderr.lines().count(), 1, "{}", nobody.stderr);
}

#[test]
fn a_letter_that_retention_took_is_said_to_be_gone() {
    let cluster = Cluster::shared();
    cluster.create_topic("letters-gone", 1, &[]);
    let writer = Writer::new(cluster, "letters-gone");
    let letter = Record { timestamp_ms: 0, ..usual().remove(0) };
    (0..5).for_each(|_| writer.send(0, &letter));
    writer.settle();
    cluster.delete_before("letters-gone", 0, 3);
    let servers = format!("kafka.bootstrap_servers={}", cluster.bootstrap());
    let ended = Call::of(&["dlq", "show", "0:1"]).set(&servers).set("dead_letters.topic=letters-gone").ended();
    ended.assert_code(1);
    assert_eq!(
        ended.stderr,
        "error: letter 0:1 is gone: partition 0 of letters-gone begins at 3 now (retention took it)\n"
    );
}

#[test]
fn without_permission_it_is_one_line_and_with_it_no_group_is_needed() {
    let cluster = Plan::nodes(1).guarded().start();
    cluster.create_topic("letters", 1, &[]);
    let list = || {
        let servers = format!("kafka.bootstrap_servers={}", cluster.bootstrap());
        Call::of(&["dlq", "list"]).set(&servers).set("dead_letters.topic=letters").ended()
    };
    let refused = list();
    refused.assert_code(1);
    let expected = "error: no permission: Read on topic letters (grant it to this service's user, or correct dead_letters.topic)\n";
    assert_eq!(refused.stderr, expected);
    cluster.rule(Rule::Allow, "Read", &["--topic", "letters"]);
    let allowed = list();
    allowed.assert_code(0);
    assert_eq!(allowed.stderr, "");
}

#[test]
fn ten_megabytes_are_cut_around_the_failing_place_unless_all_is_wished_for() {
    let cluster = Cluster::shared();
    cluster.create_topic("letters-large", 1, &[("max.message.bytes", "20000000"), ("retention.ms", "-1")]);
    let writer = Writer::new(cluster, "letters-large");
    let mut value = vec![b' '; 5_000_000];
    value.extend(b"{\"MessageTraceId\": nothing}");
    value.resize(10_000_000, b' ');
    writer.send(0, &ours(0, Some(&value), ["invalid_json", "f80484cc50f2e34f", "no JSON"], &[]));
    writer.settle();
    let show = |more: &[&str]| {
        let servers = format!("kafka.bootstrap_servers={}", cluster.bootstrap());
        let all: Vec<&str> = ["dlq", "show", "0:0"].iter().chain(more).copied().collect();
        let call = Call::of(&all).set(&servers).set("dead_letters.topic=letters-large");
        let ended = call.set("input.max_payload_bytes=16MiB").ended();
        ended.assert_code(0);
        ended.stdout
    };
    let cut = show(&[]);
    assert!(cut.len() < 5000 && cut.contains("value, 10,000,000 bytes, text, no JSON"), "{cut}");
    let lines: Vec<&str> = cut.lines().collect();
    let caret = lines.iter().position(|line| line.trim() == "^").expect("a caret");
    // In columns: the ellipsis before it is one, of three bytes.
    let word = lines[caret - 1].find("nothing").expect("the word to blame") - 2;
    assert!(lines[caret].find('^').is_some_and(|column| (word..word + 7).contains(&column)), "{cut}");
    assert!(show(&["--full"]).len() > 10_000_000);
}

#[test]
fn a_reader_who_leaves_ends_it_quietly() {
    let program = env!("CARGO_BIN_EXE_messagetrace-ecs");
    let settings = format!("--set kafka.bootstrap_servers={} --set dead_letters.topic={TOPIC}", cluster().bootstrap());
    for command in ["list", "export", "stats"] {
        let script = format!("{program} dlq {command} {settings} | true; exit ${{PIPESTATUS[0]}}");
        let ended = Command::new("bash").args(["-c", &script]).output().expect("start bash");
        assert_eq!((ended.status.code(), String::from_utf8_lossy(&ended.stderr).as_ref()), (Some(0), ""), "{command}");
    }
}
