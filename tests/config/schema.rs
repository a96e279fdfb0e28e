//! The JSON schema and the loader, held against each other: the schema refuses nothing that a file may say, and sees
//! every mistake that a schema can see.

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use jsonschema::Validator;
use messagetrace_ecs::config;
use messagetrace_ecs::config::settings::{Form, SETTINGS, Setting};
use proptest::prelude::*;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::given::{file, set};

/// Values for any setting, in JSON, each fit for some and a mistake for most.
const VALUES: &[&str] = &[
    // Texts of every form, and the same with something wrong.
    "\"\"",
    "\"  \"",
    "\"a\"",
    "\" a \"",
    "\"a\\nb\"",
    "\"a b\"",
    "\"ä\"",
    "\"a/b\"",
    "\"a,b\"",
    "\"a, b\"",
    "\"a,,b\"",
    "\"localhost:9092\"",
    "\"a:9092,b:9092\"",
    "\"a:x\"",
    "\"a:+1\"",
    "\"[::1]:9092\"",
    "\"[::1]9092\"",
    "\"ssl://a:9092\"",
    "\"https://issuer.example/token\"",
    "\"https://user:pw@a/\"",
    "\"example.com\"",
    "\"*.example.com,corp\"",
    "\"bücher.example.\"",
    "\"a..b\"",
    "\"{group}-{hostname}-{port}\"",
    "\"{pod}\"",
    "\"a{\"",
    "\"auto\"",
    "\"Auto\"",
    "\"true\"",
    "\"false\"",
    "\"yes\"",
    "\"PLAIN\"",
    "\"plain\"",
    "\"plaintext\"",
    "\"tls\"",
    "\"classic\"",
    "\"consumer\"",
    "\"key\"",
    "\"source\"",
    "\"now\"",
    "\"none\"",
    "\"zstd\"",
    "\"lzma\"",
    "\"kip1191\"",
    "\"ecs\"",
    "\"sekoia\"",
    "\"exactly_once\"",
    "\"at_least_once\"",
    "\"json\"",
    "\"earliest\"",
    "\"Earliest\"",
    "\"2026-01-31T00:00:00Z\"",
    "\"2026-01-31 01:00:00.5+01:00\"",
    "\"2026-01-31T00:00:00\"",
    "\"info\"",
    "\"INFO,librdkafka=debug\"",
    "\"inof\"",
    "\"a=trace\"",
    "\"info,\"",
    "\"0.0.0.0:8080\"",
    "\"[::]:0\"",
    "\"fd00::1:8080\"",
    "\"fd00::1\"",
    "\"[fe80::1%3]:80\"",
    "\"localhost:8080\"",
    "\"0.0.0.0\"",
    "\"20\"",
    "\" 20 \"",
    "\"+20\"",
    "\"-20\"",
    "\"20s\"",
    "\" 20 s \"",
    "\"500ms\"",
    "\"1h\"",
    "\"20 seconds\"",
    "\"20S\"",
    "\"8MiB\"",
    "\" 9 MiB\"",
    "\"10000kB\"",
    "\"10000KB\"",
    "\"9000000B\"",
    "\"8mib\"",
    "\"8M\"",
    "\"1.5MiB\"",
    "\"0.5\"",
    "\".5\"",
    "\"5e-1\"",
    "\" +0.5 \"",
    "\"1.5\"",
    "\"half\"",
    "\"{}\"",
    "\"{\\\"linger.ms\\\"=5}\"",
    "\"{\"",
    "\"[]\"",
    "\"[\\\"a\\\", \\\"b\\\"]\"",
    "\"[\\\"a\\\"\"",
    "\"[1]\"",
    // Numbers and switches.
    "0",
    "1",
    "20",
    "1000",
    "20000",
    "1000001",
    "-1",
    "0.5",
    "1.5",
    "20.5",
    "true",
    "false",
    // Lists.
    "[]",
    "[\"a\"]",
    "[\" a \", \"b\"]",
    "[\"a\", \"a\"]",
    "[\"a:9092\"]",
    "[\"\"]",
    "[1]",
    "[[\"a\"]]",
    "[true]",
    "[\"example.com\", \"*.example.com\"]",
    "[\"user@example.com\"]",
    "[\"SSL://a\"]",
    // Tables.
    "{}",
    "{\"linger.ms\": 5}",
    "{\"linger.ms\": \"5\"}",
    "{\"linger\": {\"ms\": 5}}",
    "{\"socket.keepalive.enable\": true}",
    "{\"linger.ms\": [5]}",
    "{\"acks\": 1}",
    "{\"group.id\": \"g\"}",
    "{\"no.such.thing\": 1}",
];

/// What a schema can see, in the loader's words.
const SEEN: &[&str] = &[
    "is no setting",
    "is a group of settings",
    "is none of the choices",
    "has no unit",
    "does not begin with a whole number",
    "is no text",
    "is no list of texts",
    "is an empty list",
    "is no table",
    "is neither true nor false",
    "is no whole number",
    "is no number",
    "is empty",
    "names a protocol",
    "holds a control character",
    "is no mail domain",
    "placeholder that does not exist",
    "names a level that does not exist",
    "is neither a place to start",
    "is no address to listen on",
    "is no address of a token endpoint",
    "is there twice",
    "is no name for a static member",
    "is refused: ",
    "is set together with",
];

fn validator() -> &'static Validator {
    static VALIDATOR: LazyLock<Validator> =
        LazyLock::new(|| jsonschema::draft7::new(&config::schema()).expect("the schema is one of draft 7"));
    &VALIDATOR
}

/// A file that sets `key` alone, as TOML and as the JSON that a validator gets to see.
fn document(key: &str, value: &Value) -> (String, Value) {
    let toml = format!("{key} = {}\n", inline(value));
    let json = key.rsplit('.').fold(value.clone(), |inner, name| json!({ name: inner }));
    (toml, json)
}

/// TOML on one line; JSON's texts are TOML's, as long as nothing beyond `\n`, `"` and `\` is escaped.
fn inline(value: &Value) -> String {
    match value {
        Value::Array(entries) => format!("[{}]", entries.iter().map(inline).collect::<Vec<_>>().join(", ")),
        Value::Object(entries) => {
            let entries = entries.iter().map(|(name, value)| format!("{} = {}", json!(name), inline(value)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
        value => value.to_string(),
    }
}

/// Whether the schema takes one setting with one value, and what the loader has to say of it. It takes what the loader
/// does.
fn judge(validator: &Validator, key: &str, value: &Value) -> (bool, Result<(), String>) {
    let (toml, json) = document(key, value);
    let complaints: Vec<_> = validator.iter_errors(&json).map(|error| error.to_string()).collect();
    let loaded = file(&toml).map(drop).map_err(|problems| problems.join("\n"));
    assert!(complaints.is_empty() || loaded.is_err(), "the loader takes {toml}the schema does not: {complaints:?}");
    (complaints.is_empty(), loaded)
}

/// The same, and the schema sees what a schema can see.
fn hold(validator: &Validator, key: &str, value: &Value) -> Result<(), String> {
    let (accepted, loaded) = judge(validator, key, value);
    // A table or a list of TOML inside a text is nothing that an expression could read.
    let nested = value.as_str().is_some_and(|text| text.starts_with(['{', '[']));
    if let Err(problems) = &loaded {
        let seen = SEEN.iter().any(|words| problems.contains(words));
        assert!(!(accepted && seen && !nested), "the schema takes {key} = {value}, the loader does not: {problems}");
    }
    loaded
}

fn keys(setting: &Setting) -> Vec<String> {
    let twin = setting.is_secret().then(|| format!("{}_file", setting.key));
    std::iter::once(setting.key.to_owned()).chain(twin).collect()
}

#[test]
fn the_schema_takes_what_the_loader_takes_and_sees_what_a_schema_can_see() {
    let validator = validator();
    let (mut taken, mut refused) = (0, 0);
    for key in SETTINGS.iter().flat_map(keys) {
        for text in VALUES {
            let value: Value = serde_json::from_str(text).unwrap();
            match hold(validator, &key, &value) {
                Ok(()) => taken += 1,
                Err(_) => refused += 1,
            }
        }
    }
    eprintln!("{taken} values taken by both, {refused} refused by the loader");
    assert!(taken > 1_000 && refused > 1_000, "{taken} {refused}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_is_refused_by_the_schema_alone(
        index in 0..SETTINGS.len(),
        text in "[ a-z0-9.:,_*{}\\[\\]/@=+%TZäB-]{0,12}|[ \t]*[0-9]{1,5} ?(ms|s|m|h|B|kB|KB|MB|KiB|MiB)[ \t]*|[a-z*.ä]{1,6}(, ?[a-z.]{1,6}){0,2}",
    ) {
        let _ = judge(validator(), SETTINGS[index].key, &json!(text));
        let _ = judge(validator(), SETTINGS[index].key, &json!([text]));
    }
}

#[test]
fn keys_that_do_not_exist_are_refused_on_every_level() {
    let validator = validator();
    for key in
        ["pipelines.workers", "kafka.bootstrap_server", "kafka.tls.ca", "kafka.sasl.oidc.secret", "input.group_file"]
    {
        let problem = hold(validator, key, &json!("x")).unwrap_err();
        assert!(problem.contains("is no setting"), "{problem}");
    }
    let group = hold(validator, "kafka.sasl", &json!("x")).unwrap_err();
    assert!(group.contains("is a group of settings"), "{group}");
}

#[test]
fn a_secret_and_its_file_at_once_are_refused() {
    let validator = validator();
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("secret");
    fs::write(&path, "x").unwrap();
    let path = path.to_str().unwrap();
    for secret in SETTINGS.iter().filter(|setting| setting.is_secret()) {
        let (group, name) = secret.key.rsplit_once('.').unwrap();
        let twin = format!("{name}_file");
        let problem = hold(validator, group, &json!({ name: "x", twin.clone(): "/dev/null" })).unwrap_err();
        assert!(problem.contains("is set together with"), "{problem}");
        hold(validator, group, &json!({ name: "x", twin.clone(): "" })).unwrap();
        hold(validator, group, &json!({ name: " ", twin: path })).unwrap();
    }
}

#[test]
fn every_default_stands_in_the_schema_and_keeps_to_it() {
    let (validator, schema) = (validator(), config::schema());
    for setting in SETTINGS {
        let path = format!("/properties/{}", setting.key.replace('.', "/properties/"));
        let property = schema.pointer(&path).unwrap_or_else(|| panic!("{path}"));
        assert!(property["description"].as_str().unwrap().starts_with(setting.doc), "{path}");
        assert_eq!(property["writeOnly"] == json!(true), setting.is_secret(), "{path}");
        match &property["default"] {
            Value::Null => {
                assert!(setting.default.is_empty() && !matches!(setting.form, Form::List(_) | Form::Properties));
            }
            default => hold(validator, setting.key, default).unwrap(),
        }
        // In the spelling of the table as well.
        if !setting.default.is_empty() && !setting.is_map() {
            hold(validator, setting.key, &json!(setting.default)).unwrap();
        }
    }
}

#[test]
fn what_config_prints_keeps_to_the_schema() {
    let loaded =
        set(&["kafka.properties.linger.ms=5", "input.start=2026-01-31T00:00:00Z", "ecs.local_domains=a,b"]).unwrap();
    let lines = loaded.effective().into_iter().filter_map(|line| Some(format!("{} = {}\n", line.key, line.value?)));
    let printed: toml::Table = lines.collect::<String>().parse().unwrap();
    let json = serde_json::to_value(printed).unwrap();
    let complaints: Vec<_> = validator().iter_errors(&json).map(|error| error.to_string()).collect();
    assert!(complaints.is_empty(), "{complaints:?}");
}

#[test]
fn the_schema_on_file_is_in_step_with_the_table_of_settings() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/config/schema.json");
    let schema = format!("{:#}\n", config::schema());
    if std::env::var_os("REGENERATE").is_some() {
        fs::write(&path, &schema).unwrap();
    }
    let on_file = fs::read_to_string(&path).unwrap_or_default();
    assert!(on_file == schema, "tests/config/schema.json is behind: REGENERATE=1 cargo test --test config");
}
