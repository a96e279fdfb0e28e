//! What profile `ecs` adds to the examples of the contract: options, repeats, and text that needs care.

use serde_json::{Value, json};

use crate::normalize::{Normalizer, Outcomes, Profile, Record, Settings, Verdict};

fn event_by(settings: Settings, trace: &Value, timestamp_ms: Option<i64>) -> Value {
    let mut trace = trace.clone();
    trace["id"] = "a".into();
    trace["receivedDateTime"] = "2022-09-05T18:10:13Z".into();
    let mut outcomes = Outcomes::default();
    let value = trace.to_string();
    Normalizer::new(settings).normalize(Record { value: Some(value.as_bytes()), timestamp_ms }, &mut outcomes);
    match outcomes.of_record(0).next().unwrap().verdict {
        Verdict::Event { json, .. } => serde_json::from_slice(json).unwrap(),
        Verdict::Rejection { rejection, .. } => panic!("{rejection:?}"),
    }
}

fn event(trace: Value) -> Value {
    event_by(settings(), &trace, None)
}

fn settings() -> Settings {
    Settings {
        wrapper_keys: Vec::new(),
        profile: Profile::Ecs,
        organization: None,
        local_domains: Vec::new(),
        include_original: true,
        max_payload_bytes: 8 << 20,
        max_traces: 20_000,
        max_events_bytes: 32 << 20,
        event_ids: false,
    }
}

#[test]
fn an_outcome_follows_from_the_status_in_any_case() {
    for (status, expected) in [
        ("Delivered", "success"),
        ("DELIVERED", "success"),
        ("failed", "failure"),
        ("Quarantined", "failure"),
        ("FilteredAsSpam", "failure"),
        ("Expanded", "unknown"),
        ("Getting\u{212a}tatus", "unknown"),
    ] {
        assert_eq!(event(json!({"status": status}))["event"]["outcome"], expected, "{status}");
    }
    assert_eq!(event(json!({"status": ""}))["event"].get("outcome"), None);
}

#[test]
fn created_is_the_record_s_timestamp_when_it_can_be_one() {
    for (timestamp_ms, expected) in [
        (Some(1_658_751_973_240), json!("2022-07-25T12:26:13.240000Z")),
        (Some(0), json!("1970-01-01T00:00:00Z")),
        (Some(-1), Value::Null),
        (Some(253_402_300_800_000), Value::Null),
        (None, Value::Null),
    ] {
        assert_eq!(event_by(settings(), &json!({}), timestamp_ms)["event"]["created"], expected);
    }
}

#[test]
fn options_leave_out_the_original_and_fill_in_the_organization() {
    let settings = Settings { include_original: false, organization: Some("Ac\"me".to_owned()), ..settings() };
    let event = event_by(settings, &json!({}), None);
    assert_eq!(event["event"].get("original"), None);
    assert_eq!(event["organization"], json!({"name": "Ac\"me"}));
}

#[test]
fn related_names_each_thing_once() {
    for (trace, expected) in [
        (json!({"fromIP": "192.0.2.1", "toIP": "192.0.2.1"}), json!({"ip": ["192.0.2.1"]})),
        (json!({"fromIP": "x", "toIP": "::0"}), json!({"ip": ["::"]})),
        (json!({"senderAddress": "a", "recipientAddress": "a"}), json!({"user": ["a"]})),
        (
            json!({"senderAddress": "a@B.example", "recipientAddress": "A@b.example"}),
            json!({"user": ["a@B.example", "A@b.example"], "hosts": ["b.example"]}),
        ),
        (json!({"senderAddress": "<>", "recipientAddress": "<>"}), Value::Null),
    ] {
        assert_eq!(event(trace.clone())["related"], expected, "{trace}");
    }
}

#[test]
fn text_with_quotes_in_an_address_stays_text() {
    let sender = "\"a\\\" b\"@Bücher\u{1}.EXAMPLE";
    let event = event(json!({"senderAddress": sender}));
    assert_eq!(event["email"]["from"]["address"], json!([sender]));
    let user = json!({"email": sender, "name": "\"a\\\" b\"", "domain": "bücher\u{1}.example"});
    assert_eq!(event["source"], json!({"domain": "bücher\u{1}.example", "user": user}));
}

#[test]
fn the_id_is_that_of_another_implementation_of_sha_256() {
    let event = event(json!({"recipientAddress": "ÄB@x", "status": "Failed"}));
    assert_eq!(event["event"]["id"], "018fa8cea41ac02c4abe43fb33c2b2be");
}
