//! What holds for every record: both mappings agree, and every output keeps its promises. Shown on random records of all
//! shapes (`PROPTEST_CASES` says how many), on the seeds of the fuzz targets, and on depths and sizes that no file holds.

use crate::plain;
use crate::referee;
use crate::shapes;
use crate::targets;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use proptest::collection::vec;
use proptest::prelude::any;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, TestRunner};
use referee::Input;

/// Random strings of bytes to try, of at most so many bytes. `PROPTEST_CASES` overrides the number.
fn hold_for_random_bytes(cases: u32, longest: usize, property: impl Fn(&[u8])) {
    let config = match std::env::var_os("PROPTEST_CASES") {
        Some(_) => Config::default(),
        None => Config::with_cases(cases),
    };
    let config = Config { failure_persistence: None, max_shrink_iters: 2000, ..config };
    // Past the capture of the test runner: the number belongs into every log.
    let _ = writeln!(std::io::stdout(), "{} random cases a property", config.cases);
    let result = TestRunner::new(config).run(&vec(any::<u8>(), 0..longest), |bytes| {
        property(&bytes);
        Ok(())
    });
    result.unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn both_mappings_agree_on_records_of_all_shapes() {
    hold_for_random_bytes(100_000, 1500, targets::structured);
}

#[test]
fn both_mappings_agree_on_damaged_records_of_the_corpus() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut inputs: Vec<Vec<u8>> = files(&corpus)
        .iter()
        .flat_map(|folder| files(folder))
        .filter(|file| file.to_str().is_some_and(|name| name.ends_with(".input") && !name.contains("-bound-")))
        .map(|file| fs::read(file).expect("was just listed"))
        .collect();
    // The deep ones, and those that unpack to the limit, take long, and damage makes nothing else of them.
    inputs.retain(|input| input.len() < 2000);
    assert!(inputs.len() > 1600, "the corpus is there");
    hold_for_random_bytes(100_000, 16, |bytes| {
        let Some(([options, high, low], damage)) = bytes.split_first_chunk() else { return };
        let choice = usize::from(u16::from_be_bytes([*high, *low])) % inputs.len();
        let damaged = shapes::damaged(inputs[choice].clone(), damage);
        targets::fast_equals_plain(&[&[options & 0x8f], &damaged[..]].concat());
    });
}

#[test]
fn both_mappings_agree_on_scraps_of_json() {
    hold_for_random_bytes(100_000, 24, |bytes| {
        let scraps = shapes::scraps(bytes);
        targets::any_bytes(&scraps);
        targets::fast_equals_plain(&[&[0x80], &scraps[..]].concat());
    });
}

#[test]
fn every_dead_letter_can_be_read_back() {
    hold_for_random_bytes(50_000, 60, targets::dead_letter_round_trip);
}

/// A generator that has gone blind would let everything pass.
#[test]
fn the_shapes_reach_every_fate() {
    let mut seen = BTreeMap::<&str, usize>::new();
    let mut runner = TestRunner::deterministic();
    for _ in 0..4000 {
        let bytes = vec(any::<u8>(), 0..1500).new_tree(&mut runner).expect("has no filter").current();
        let shape = shapes::shape(&bytes);
        let outcomes = plain::normalize(shape.value.as_deref(), shape.timestamp_ms, &shape.options);
        let names = outcomes.iter().map(|outcome| match outcome.verdict {
            plain::Verdict::Event { .. } => "event",
            plain::Verdict::Rejection { kind, .. } => kind,
        });
        for name in names.chain(outcomes.is_empty().then_some("skipped")) {
            *seen.entry(name).or_default() += 1;
        }
    }
    println!("{seen:?}");
    let fates = [
        "event",
        "skipped",
        "empty_payload",
        "payload_too_large",
        "invalid_encoding",
        "invalid_utf8",
        "invalid_json",
        "unknown_shape",
        "message_trace_detail",
        "api_error",
        "missing_field",
        "invalid_field",
        "invalid_timestamp",
        "expands_too_far",
    ];
    assert_eq!(fates.iter().filter(|fate| !seen.contains_key(**fate)).collect::<Vec<_>>(), Vec::<&&str>::new());
    assert!(seen["event"] > 1000, "most shapes are nearly right");
}

/// One address below each rule of the list, and below each rule outside ASCII in A-labels too. Those stand in a file of their
/// own, made with another implementation of Punycode than either mapping's.
#[test]
fn both_mappings_divide_alike_below_every_public_suffix() {
    let list = include_str!("../../src/normalize/public_suffixes.dat");
    let a_labels = include_str!("../suffixes/a_labels.csv");
    let rules = list.lines().filter(|line| !line.is_empty() && !line.starts_with("//"));
    let rules: Vec<&str> = rules.chain(a_labels.lines().skip(1).flat_map(|line| line.split(','))).collect();
    let trace = |rule: &&str| {
        format!(r#"{{"id":"a","receivedDateTime":"2022-09-05T18:10:13Z","senderAddress":"a@x.y.{rule}"}}"#)
    };
    let page = format!("[{}]", rules.iter().map(trace).collect::<Vec<_>>().join(","));
    let options = plain::Options { include_original: false, ..shapes::options(1) };
    let input = Input { value: Some(page.as_bytes()), timestamp_ms: None, options: &options };
    referee::check(&input);

    let outside_ascii = a_labels.lines().count() * 2 - 2;
    let outcomes = referee::fast(&input);
    for (rule, outcome) in rules.iter().zip(&outcomes).skip(rules.len() - outside_ascii) {
        let plain::Verdict::Event { json, .. } = &outcome.verdict else { panic!("{rule} gives an event") };
        assert!(json.contains(&format!("\"registered_domain\":\"y.{rule}\"")), "{rule}: {json}");
    }
}

#[test]
fn every_seed_of_the_fuzz_targets_holds() {
    for (name, target) in targets::ALL {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(name);
        let seeds = files(&folder);
        println!("{name}: {} seeds", seeds.len());
        assert!(!seeds.is_empty(), "{name} has seeds");
        for seed in seeds {
            target(&fs::read(seed).expect("was just listed"));
        }
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries.map(|entry| entry.expect("list a folder").path()).collect()
}

#[test]
fn no_depth_overflows_the_stack() {
    let depth = 1_000_000;
    let trace = r#""MessageTraceId":"a","Received":"2022-09-05T18:10:13""#;
    let (open, close) = ("[".repeat(depth), "]".repeat(depth));
    let (open_objects, close_objects) = (r#"{"a":"#.repeat(depth), "}".repeat(depth));
    for value in [
        format!("{open}{close}"),
        open.clone(),
        format!("{{{trace},\"x\":{open}{close}}}"),
        format!("{{{trace},\"x\":{open_objects}1{close_objects}}}"),
        format!("{open_objects}1{close_objects}"),
        open_objects.clone(),
        format!("{}1{close_objects}", r#"{"message":"#.repeat(depth)),
        format!("{{\"message\":\"{open}{close}\"}}"),
        format!("[{{{trace}}},{open}{close}]"),
        format!("{{\"error\":{open_objects}1{close_objects}}}"),
    ] {
        for byte in [0, 1] {
            let options = plain::Options { max_payload_bytes: usize::MAX, ..shapes::options(byte) };
            referee::check(&Input { value: Some(value.as_bytes()), timestamp_ms: None, options: &options });
        }
    }
}

#[test]
fn a_page_at_the_limits_agrees_to_the_last_trace() {
    let options = plain::Options { max_events_bytes: usize::MAX, ..shapes::options(0) };
    for (traces, outcomes) in [(20_000, 20_000), (20_001, 1)] {
        let page: Vec<String> = (0..traces).map(|id| format!(r#"{{"id":"{id}","receivedDateTime":"x"}}"#)).collect();
        let page = format!("{{\"value\":[{}]}}", page.join(","));
        let input = Input { value: Some(page.as_bytes()), timestamp_ms: None, options: &options };
        referee::check(&input);
        assert_eq!(referee::fast(&input).len(), outcomes);
    }
}
