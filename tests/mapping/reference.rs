//! The contract's own samples and examples, held against the mapping.

use std::path::Path;

use messagetrace_ecs::normalize::{Kind, Normalizer, Outcomes, Profile, Record, Settings, Verdict, WRAPPER_KEYS};
use serde_json::{Value, json};

fn fixture(name: &str) -> String {
    read(&format!("tests/fixtures/{name}"))
}

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("read {}: {error}", path.display()))
}

fn settings(profile: Profile) -> Settings {
    Settings {
        profile,
        organization: None,
        local_domains: Vec::new(),
        include_original: true,
        max_payload_bytes: 8 << 20,
        wrapper_keys: WRAPPER_KEYS.map(str::to_owned).to_vec(),
        max_traces: 20_000,
        max_events_bytes: 32 << 20,
        event_ids: false,
    }
}

/// What became of a value, in the form of the examples.
fn outcomes(settings: Settings, value: &str) -> Value {
    let mut outcomes = Outcomes::default();
    Normalizer::new(settings).normalize(Record { value: Some(value.as_bytes()), timestamp_ms: None }, &mut outcomes);
    let mut found: Vec<Value> = Vec::new();
    for outcome in outcomes.of_record(0) {
        let index = outcome.index.unwrap_or(0);
        found.push(match outcome.verdict {
            Verdict::Event { json, .. } => {
                json!({"event": serde_json::from_slice::<Value>(json).expect("an event is JSON"), "index": index})
            }
            Verdict::Rejection { rejection, .. } => json!({"rejection": rejection.kind.name(), "index": index}),
        });
    }
    if found.is_empty() { json!([{"skipped": true}]) } else { Value::Array(found) }
}

#[test]
fn both_reference_samples_come_out_as_published() {
    for name in ["messagetrace", "messagetrace2"] {
        let input = fixture(&format!("sekoia/{name}.input.json"));
        let expected: Value = serde_json::from_str(&fixture(&format!("sekoia/{name}.expected.json"))).unwrap();
        assert_eq!(outcomes(settings(Profile::Sekoia), &input), json!([{"event": expected, "index": 0}]), "{name}");
    }
}

#[test]
fn the_example_in_the_documentation_comes_out_as_printed() {
    let text = read("docs/mapping.md");
    let blocks: Vec<&str> =
        text.split("```json\n").skip(1).filter_map(|rest| Some(rest.split_once("\n```")?.0)).collect();
    let [input, sekoia, ecs] = blocks[..] else { panic!("{} blocks of JSON", blocks.len()) };
    let event = |settings: Settings| outcomes(settings, input)[0]["event"].take();
    let mut found = event(settings(Profile::Sekoia));
    assert_eq!(found.as_object_mut().unwrap().remove("message"), Some(input.into()));
    assert_eq!(found, serde_json::from_str::<Value>(sekoia).unwrap());
    let local_domains = vec!["contoso.com".to_owned()];
    let found = event(Settings { local_domains, include_original: false, ..settings(Profile::Ecs) });
    assert_eq!(found, serde_json::from_str::<Value>(ecs).unwrap());
}

#[test]
fn the_documentation_names_every_kind_and_the_version_of_the_suffix_list() {
    let text = read("docs/mapping.md");
    for kind in Kind::ALL {
        assert!(text.contains(&format!("`{}`", kind.name())), "{kind}");
    }
    let list = read("src/normalize/public_suffixes.dat");
    let version = list.split_once("// VERSION: ").and_then(|(_, rest)| rest.split_once('_')).unwrap().0;
    assert!(text.contains(&format!("version {version}")), "{version}");
}

#[test]
fn the_same_input_gives_the_same_bytes_whatever_came_before() {
    let page = format!("[{}]", fixture("sekoia/messagetrace.input.json"));
    for profile in [Profile::Sekoia, Profile::Ecs] {
        let normalizer = Normalizer::new(settings(profile));
        let mut outcomes = Outcomes::default();
        for value in [&page, "{\"message\":\"\\u0000\"}", &page] {
            let record = Record { value: Some(value.as_bytes()), timestamp_ms: Some(1_700_000_000_000) };
            normalizer.normalize(record, &mut outcomes);
        }
        let event = |record| match outcomes.of_record(record).next().unwrap().verdict {
            Verdict::Event { json, .. } => json,
            Verdict::Rejection { rejection, .. } => panic!("{rejection:?}"),
        };
        assert_eq!(event(0), event(2));
        assert!(!event(0).contains(&b'\n'));
    }
}
