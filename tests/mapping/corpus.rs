//! The mapping by example: `tests/corpus/` holds a folder for each section of the contract, in it a pair of files a case.
//!
//! `name.input` is the record's value to the byte; `name.expected.json` says why the case is there, with which profile and
//! options, and what must come out. A case is added by adding the two files. Each is held against the production mapping
//! and against the plain one in `tests/plain`, and each event against the Elastic Common Schema.

use crate::ecs_fields;
use crate::fixtures;
use crate::plain;
use crate::referee;

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use plain::{Options, Outcome, Profile, Verdict};
use referee::Input;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// Fewer than this and somebody has lost a folder.
const AT_LEAST: usize = 1700;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    why: String,
    profile: String,
    #[serde(default)]
    options: Given,
    outcomes: Vec<ExpectedOutcome>,
}

/// What differs from the defaults.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    /// The input file is empty and stands for a record without a value.
    #[serde(default)]
    tombstone: bool,
    timestamp_ms: Option<i64>,
    organization: Option<String>,
    #[serde(default)]
    local_domains: Vec<String>,
    include_original: Option<bool>,
    max_payload_bytes: Option<usize>,
    max_traces: Option<usize>,
    max_events_bytes: Option<usize>,
    wrapper_keys: Option<Vec<String>>,
}

/// Either an event, in profile `sekoia` exactly the bytes it must have, or a rejection.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectedOutcome {
    /// Only in a page.
    index: Option<usize>,
    event: Option<Box<RawValue>>,
    rejection: Option<String>,
    #[serde(default)]
    key: String,
    /// What the dead letter holds; only in a page.
    text: Option<String>,
}

struct Case {
    name: String,
    value: Vec<u8>,
    expected: Expected,
}

impl Case {
    fn load(root: &Path, expected_file: &Path) -> Self {
        let stem =
            expected_file.to_str().and_then(|path| path.strip_suffix(".expected.json")).expect("its name ends so");
        let input_file = PathBuf::from(format!("{stem}.input"));
        let value = fs::read(&input_file).unwrap_or_else(|error| panic!("{}: {error}", input_file.display()));
        let expected = serde_json::from_slice(&fs::read(expected_file).expect("was just listed"))
            .unwrap_or_else(|error| panic!("{}: {error}", expected_file.display()));
        let name = input_file.strip_prefix(root).expect("lies below").display().to_string();
        Self { name, value, expected }
    }

    fn options(&self) -> Options {
        let given = &self.expected.options;
        let defaults = defaults(&self.expected.profile);
        Options {
            organization: given.organization.clone(),
            local_domains: given.local_domains.clone(),
            include_original: given.include_original.unwrap_or(defaults.include_original),
            max_payload_bytes: given.max_payload_bytes.unwrap_or(defaults.max_payload_bytes),
            max_traces: given.max_traces.unwrap_or(defaults.max_traces),
            max_events_bytes: given.max_events_bytes.unwrap_or(defaults.max_events_bytes),
            wrapper_keys: given.wrapper_keys.clone().unwrap_or(defaults.wrapper_keys),
            ..defaults
        }
    }

    fn input<'a>(&'a self, options: &'a Options) -> Input<'a> {
        let value = (!self.expected.options.tombstone).then_some(self.value.as_slice());
        Input { value, timestamp_ms: self.expected.options.timestamp_ms, options }
    }

    /// What came out otherwise than expected; empty when nothing did.
    fn complaints(&self) -> Vec<String> {
        let options = self.options();
        let input = self.input(&options);
        let mut complaints = Vec::new();
        for (mapping, outcomes) in [("production", referee::fast(&input)), ("plain", referee::plain(&input))] {
            if !self.is_expected(&outcomes) {
                let Expected { why, outcomes: expected, .. } = &self.expected;
                complaints.push(format!("{}: {why}\n  {mapping} gives {outcomes:#?}\n  not {expected:#?}", self.name));
            }
        }
        complaints
    }

    fn is_expected(&self, outcomes: &[Outcome]) -> bool {
        let expected = &self.expected.outcomes;
        expected.len() == outcomes.len()
            && expected.iter().zip(outcomes).all(|(expected, outcome)| {
                expected.index == outcome.index
                    && match &outcome.verdict {
                        Verdict::Event { json, .. } => {
                            expected.event.as_ref().is_some_and(|raw| self.is_event(raw, json))
                        }
                        Verdict::Rejection { kind, key, text } => {
                            expected.rejection.as_deref() == Some(kind)
                                && expected.key == *key
                                && expected.text == *text
                        }
                    }
            })
    }

    fn is_event(&self, expected: &RawValue, json: &str) -> bool {
        let value = |text: &str| serde_json::from_str::<Value>(text).ok();
        match self.expected.profile.as_str() {
            "sekoia" => expected.get() == json,
            _ => value(json).is_some() && value(json) == value(expected.get()),
        }
    }
}

fn defaults(profile: &str) -> Options {
    Options {
        profile: match profile {
            "sekoia" => Profile::Sekoia,
            "ecs" => Profile::Ecs,
            other => panic!("no such profile: {other}"),
        },
        organization: None,
        local_domains: Vec::new(),
        include_original: true,
        max_payload_bytes: 8 << 20,
        max_traces: 20_000,
        max_events_bytes: 32 << 20,
        wrapper_keys: plain::WRAPPER_KEYS.map(str::to_owned).to_vec(),
    }
}

/// Every case, in the order of the names of its files.
fn cases() -> Vec<Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut files: Vec<PathBuf> = fs::read_dir(&root)
        .expect("open the corpus")
        .flat_map(|folder| fs::read_dir(folder.expect("list the corpus").path()).expect("a folder for each section"))
        .map(|file| file.expect("list a folder of the corpus").path())
        .collect();
    files.sort();
    let is_expected = |file: &&PathBuf| file.to_str().is_some_and(|name| name.ends_with(".expected.json"));
    let cases: Vec<Case> = files.iter().filter(is_expected).map(|file| Case::load(&root, file)).collect();
    assert_eq!(cases.len() * 2, files.len(), "a case is two files: an input and what is expected of it");
    cases
}

#[test]
fn every_case_comes_out_as_expected_from_both_mappings() {
    let cases = cases();
    let complaints: Vec<String> = cases.iter().flat_map(Case::complaints).collect();
    // Past the capture of the test runner: the number belongs into every log.
    let _ = writeln!(std::io::stdout(), "{} cases in the corpus", cases.len());
    assert!(complaints.is_empty(), "{} complaints:\n{}", complaints.len(), complaints.join("\n"));
    assert!(cases.len() >= AT_LEAST, "only {} cases", cases.len());
}

#[test]
fn every_case_keeps_what_is_promised_of_any_output() {
    for case in cases() {
        let options = case.options();
        referee::check(&case.input(&options));
    }
}

#[test]
fn every_event_and_every_exported_letter_keeps_to_the_schema_and_every_field_of_the_table_is_emitted() {
    let mut emitted = BTreeSet::new();
    for Case { name, expected, .. } in cases() {
        for event in expected.outcomes.iter().filter_map(|outcome| outcome.event.as_ref()) {
            let event: Value = serde_json::from_str(event.get()).expect("the file is JSON");
            let event = event.as_object().expect("an event is an object");
            assert_eq!(ecs_fields::complaints(event), Vec::<String>::new(), "{name}");
            emitted.extend(ecs_fields::flatten(event).into_iter().map(|(field, _)| field));
        }
    }
    for letter in include_str!("../golden/dlq/export-ecs.jsonl").lines() {
        let letter: Value = serde_json::from_str(letter).expect("a line is JSON");
        let letter = letter.as_object().expect("a document is an object");
        assert_eq!(ecs_fields::complaints(letter), Vec::<String>::new(), "{letter:?}");
        emitted.extend(ecs_fields::flatten(letter).into_iter().map(|(field, _)| field));
    }
    let table = include_str!("../ecs_fields/fields.csv").lines().skip(1).filter_map(|line| line.split(',').next());
    assert_eq!(table.filter(|field| !emitted.contains(*field)).collect::<Vec<_>>(), Vec::<&str>::new());
}

#[test]
fn the_schema_is_enforced() {
    for (event, complaint) in [
        (r#"{"event":{"kind":"email"}}"#, "event.kind cannot be"),
        (r#"{"event":{"category":"email"}}"#, "event.category is an array"),
        (r#"{"event":{"type":[]}}"#, "event.type is an array"),
        (r#"{"event":{"category":["email"],"type":["start"]}}"#, "does not go with"),
        (r#"{"event":{"action":["x"]}}"#, "event.action cannot be"),
        (r#"{"event":{"outcome":"Success"}}"#, "event.outcome cannot be"),
        (r#"{"source":{"ip":"192.0.2.1:25"}}"#, "source.ip cannot be"),
        (r#"{"related":{"ip":["192.0.2.1","x"]}}"#, "related.ip cannot be"),
        (r#"{"@timestamp":"2022-09-05T18:10:13"}"#, "@timestamp cannot be"),
        (r#"{"email":{"size":5}}"#, "no field that we know"),
        (r#"{"organization":{"name":null}}"#, "organization.name cannot be"),
    ] {
        let event: Value = serde_json::from_str(event).expect("is JSON");
        let complaints = ecs_fields::complaints(event.as_object().expect("is an object"));
        assert!(matches!(&complaints[..], [one] if one.contains(complaint)), "{event}: {complaints:?}");
    }
}

type Mapping = fn(&Input) -> Vec<Outcome>;

#[test]
fn the_examples_of_the_contract_come_out_of_the_plain_mapping_as_told() {
    hold_the_fixtures(&fixtures::examples(), referee::plain);
}

#[test]
fn the_examples_of_the_contract_come_out_of_the_production_mapping_as_told() {
    hold_the_fixtures(&fixtures::examples(), referee::fast);
}

#[test]
fn the_values_of_the_field_come_out_of_the_plain_mapping_as_told() {
    hold_the_fixtures(&fixtures::field(), referee::plain);
}

#[test]
fn the_values_of_the_field_come_out_of_the_production_mapping_as_told() {
    hold_the_fixtures(&fixtures::field(), referee::fast);
}

/// They came with the contract, and are held as they came: an index of 0 there stands for no page too.
fn hold_the_fixtures(fixtures: &[fixtures::Fixture], mapping: Mapping) {
    let mut complaints = Vec::new();
    for fixture in fixtures {
        let options = Options { local_domains: fixture.local_domains.clone(), ..defaults(&fixture.profile) };
        let seen = mapping(&Input { value: Some(&fixture.value), timestamp_ms: None, options: &options });
        let seen: Vec<Value> =
            if seen.is_empty() { vec![json!({"skipped": true})] } else { seen.iter().map(as_example).collect() };
        if seen != fixture.outcomes {
            complaints.push(format!("{}\n  gives {seen:?}\n  not {:?}", fixture.name, fixture.outcomes));
        }
    }
    assert!(complaints.is_empty(), "{} complaints:\n{}", complaints.len(), complaints.join("\n"));
}

fn as_example(outcome: &Outcome) -> Value {
    let index = outcome.index.unwrap_or(0);
    match &outcome.verdict {
        Verdict::Event { json, .. } => {
            json!({"index": index, "event": serde_json::from_str::<Value>(json).expect("an event is JSON")})
        }
        Verdict::Rejection { kind, .. } => json!({"index": index, "rejection": kind}),
    }
}
