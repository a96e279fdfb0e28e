//! Profile `sekoia` as one would write it on `serde_json::Value`, for reporting traces and their pages alone: the yard
//! stick for what the hand-written mapping gains.

use std::net::IpAddr;

use chrono::{DateTime, SecondsFormat};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

#[derive(serde::Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    d: Results<'a>,
}

#[derive(serde::Deserialize)]
struct Results<'a> {
    #[serde(borrow)]
    results: Vec<&'a RawValue>,
}

/// The events of a trace or a page of traces.
pub fn events(value: &[u8]) -> Vec<Vec<u8>> {
    let text = str::from_utf8(value).expect("samples are text");
    match serde_json::from_str::<Page<'_>>(text) {
        Ok(page) => page.d.results.iter().map(|trace| event(trace.get())).collect(),
        Err(_) => vec![event(text)],
    }
}

fn event(text: &str) -> Vec<u8> {
    let trace: Value = serde_json::from_str(text).expect("samples are JSON");
    let string = |key: &str| trace[key].as_str().filter(|text| !text.is_empty());
    let mut kind = json!({"kind": "event", "category": ["email"], "type": ["info"]});
    if let Some(status) = string("Status") {
        kind["action"] = status.into();
    }
    let mut message_trace = json!({"MessageTraceId": string("MessageTraceId")});
    if let Some(size) = trace["Size"].as_u64() {
        message_trace["Size"] = size.into();
    }
    let mut email = Map::new();
    for (key, value) in [
        ("message_id", string("MessageId").map(Value::from)),
        ("from", string("SenderAddress").map(|address| json!({"address": [address]}))),
        ("to", string("RecipientAddress").map(|address| json!({"address": [address]}))),
        ("subject", string("Subject").map(Value::from)),
    ] {
        if let Some(value) = value {
            email.insert(key.to_owned(), value);
        }
    }
    let mut event = json!({
        "message": text,
        "event": kind,
        "@timestamp": string("Received").and_then(time),
        "office365": {"message_trace": message_trace},
    });
    if !email.is_empty() {
        event["email"] = email.into();
    }
    if let Some(organization) = string("Organization") {
        event["organization"] = json!({"name": organization});
    }
    if let Some(ip) = string("FromIP").filter(|ip| ip.parse::<IpAddr>().is_ok()) {
        event["source"] = json!({"ip": ip, "address": ip});
        event["related"] = json!({"ip": [ip]});
    }
    serde_json::to_vec(&event).expect("a value can be written")
}

fn time(text: &str) -> Option<String> {
    let ticks = text.strip_prefix("/Date(")?.strip_suffix(")/")?.parse().ok()?;
    Some(DateTime::from_timestamp_millis(ticks)?.to_rfc3339_opts(SecondsFormat::Micros, true))
}
