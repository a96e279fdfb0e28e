//! Letters as documents of the Elastic Common Schema, for those who search failures where they search mail. Pure; the keys
//! are part of the contract, and docs/index-template.json knows them.

use serde::Serialize;

use super::json::time;
use super::read::Letter;
use crate::dead_letter::{Decoded, sha256_hex};
use crate::normalize::ECS_VERSION;

/// A longer value is left out: an index keeps it beside every document.
const MAX_ORIGINAL_BYTES: usize = 32 * 1024;

/// Hex digits of an id.
const ID_DIGITS: usize = 32;

#[derive(Debug, Serialize)]
pub struct Document<'a> {
    #[serde(rename = "@timestamp", skip_serializing_if = "Option::is_none")]
    timestamp: Option<String>,
    message: String,
    ecs: Ecs,
    event: Event<'a>,
    error: Error<'a>,
    #[serde(skip_serializing_if = "Labels::are_none")]
    labels: Labels<'a>,
}

#[derive(Debug, Serialize)]
struct Ecs {
    version: &'static str,
}

#[derive(Debug, Serialize)]
struct Event<'a> {
    kind: &'static str,
    dataset: &'static str,
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    created: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    original: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct Error<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
}

/// Keywords, as ECS has it: numbers too are text.
#[derive(Debug, Default, Serialize)]
struct Labels<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    source_topic: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_partition: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_offset: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_index: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempts: Option<String>,
}

impl<'a> Document<'a> {
    pub fn of(letter: &'a Letter<'a>) -> Self {
        let decoded = letter.decoded.as_ref().ok();
        let original = letter.record.value.filter(|value| value.len() <= MAX_ORIGINAL_BYTES);
        let rejected_ms = decoded.and_then(|decoded| decoded.failed_at_ms).or(letter.record.timestamp_ms);
        let told = match &letter.decoded {
            Ok(decoded) => decoded.message.unwrap_or("nothing more is said").to_owned(),
            Err(problem) => format!("no dead letter: {problem}"),
        };
        let kind = decoded.map(|decoded| decoded.kind);
        Self {
            timestamp: rejected_ms.and_then(printable),
            message: match kind {
                Some(kind) => format!("{kind}: {told} ({})", letter.source_text()),
                None => told.clone(),
            },
            ecs: Ecs { version: ECS_VERSION },
            event: Event {
                kind: "pipeline_error",
                dataset: "office365.message_trace",
                id: sha256_hex(letter.record.at.to_string().as_bytes()).chars().take(ID_DIGITS).collect(),
                created: decoded.and_then(|decoded| printable(decoded.source_timestamp_ms?)),
                original: original.and_then(|value| simdutf8::basic::from_utf8(value).ok()),
            },
            error: Error { code: kind, message: told, id: decoded.and_then(|decoded| decoded.fingerprint) },
            labels: decoded.map(Labels::of).unwrap_or_default(),
        }
    }
}

impl<'a> Labels<'a> {
    fn of(decoded: &Decoded<'a>) -> Self {
        let number = |number: i64| number.to_string();
        Self {
            source_topic: decoded.source.map(|source| source.topic),
            source_partition: decoded.source.map(|source| number(source.partition.into())),
            source_offset: decoded.source.map(|source| number(source.offset)),
            source_index: decoded.index.map(|index| number(index.into())),
            group: decoded.group,
            attempts: Some(decoded.attempts).filter(|attempts| *attempts > 0).map(|attempts| attempts.to_string()),
        }
    }

    fn are_none(&self) -> bool {
        let Self { source_topic, source_partition, source_offset, source_index, group, attempts } = self;
        let numbers = [source_partition, source_offset, source_index, attempts];
        source_topic.is_none() && group.is_none() && numbers.into_iter().all(Option::is_none)
    }
}

/// A time that an index takes; a year has four digits there.
fn printable(ms: i64) -> Option<String> {
    time(ms)
        .filter(|text| text.len() == "2026-03-01T12:00:00.000Z".len() && text.starts_with(|c: char| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::scan::Record;
    use crate::record::{Coordinates, Header};

    fn document(headers: &[(&'static str, &'static str)], value: &[u8], timestamp_ms: i64) -> serde_json::Value {
        let headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| Header { name: name.as_bytes(), value: Some(value.as_bytes()) })
            .collect();
        let at = Coordinates { topic: "dlq", partition: 1, offset: 7 };
        let record = Record { at, timestamp_ms: Some(timestamp_ms), key: None, value: Some(value), headers: &headers };
        serde_json::to_value(Document::of(&Letter::new(record, 0))).unwrap()
    }

    #[test]
    fn a_letter_is_a_document_of_its_cause() {
        let headers = [
            ("dlq.error.kind", "missing_field"),
            ("dlq.error.message", "`Received` is missing"),
            ("dlq.error.fingerprint", "e4501980dc423063"),
            ("dlq.source.topic", "mail"),
            ("dlq.source.partition", "3"),
            ("dlq.source.offset", "70"),
            ("dlq.source.index", "2"),
            ("dlq.source.timestamp", "2026-03-01T10:00:00.000Z"),
            ("dlq.consumer.group", "siem"),
            ("dlq.attempts", "2"),
        ];
        let expected = serde_json::json!({
            "@timestamp": "2026-03-01T12:00:00.000Z",
            "message": "missing_field: `Received` is missing (mail/3/70/2)",
            "ecs": {"version": "9.4.0"},
            "event": {
                "kind": "pipeline_error",
                "dataset": "office365.message_trace",
                "id": &sha256_hex(b"dlq/1/7")[..32],
                "created": "2026-03-01T10:00:00.000Z",
                "original": "{}",
            },
            "error": {"code": "missing_field", "message": "`Received` is missing", "id": "e4501980dc423063"},
            "labels": {
                "source_topic": "mail", "source_partition": "3", "source_offset": "70", "source_index": "2",
                "group": "siem", "attempts": "2",
            },
        });
        assert_eq!(document(&headers, b"{}", 1_772_366_400_000), expected);
    }

    #[test]
    fn what_an_index_would_refuse_or_choke_on_is_left_out() {
        let no_letter = document(&[], b"\xff", i64::MAX);
        assert_eq!(no_letter["error"]["code"], serde_json::Value::Null);
        assert_eq!(no_letter["error"]["message"].as_str().map(|text| text.starts_with("no dead letter: ")), Some(true));
        for absent in ["@timestamp", "labels"] {
            assert_eq!(no_letter.get(absent), None, "{absent}");
        }
        assert_eq!(no_letter["event"].get("original"), None);
        let whole = document(&[], &vec![b'x'; MAX_ORIGINAL_BYTES], 253_402_300_800_000);
        assert!(whole["event"]["original"].is_string() && whole.get("@timestamp").is_none());
        assert_eq!(document(&[], &vec![b'x'; MAX_ORIGINAL_BYTES + 1], 0)["event"].get("original"), None);
    }
}
