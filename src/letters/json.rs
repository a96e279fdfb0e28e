//! Letters as JSON. The keys are part of the contract: docs/dead-letters.md names them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, SecondsFormat};
use serde::Serialize;

use super::coordinates::Place;
use super::read::Letter;
use super::topics::Topics;
use crate::dead_letter::Decoded;
use crate::record::Header;

/// What a letter says about itself, without its content.
#[derive(Debug, Serialize)]
pub struct Summary<'a> {
    topic: &'a str,
    partition: i32,
    offset: i64,
    timestamp: Option<String>,
    /// `null` for ours.
    dialect: Option<&'static str>,
    kind: Option<&'a str>,
    fingerprint: Option<&'a str>,
    message: Option<&'a str>,
    source: Option<Source<'a>>,
    group: Option<&'a str>,
    processor: Option<&'a str>,
    failed_at: Option<String>,
    attempts: Option<u64>,
    replayed_from: Option<String>,
    repaired: Option<&'a str>,
    fit: Option<&'a str>,
    value_bytes: Option<u64>,
    value_sha256: Option<&'a str>,
    key_bytes: Option<u64>,
    unreadable: &'a [&'static str],
    /// Why this is no dead letter.
    problem: Option<String>,
}

#[derive(Debug, Serialize)]
struct Source<'a> {
    topic: &'a str,
    partition: i32,
    offset: i64,
    index: Option<u32>,
    timestamp: Option<String>,
}

/// Everything.
#[derive(Debug, Serialize)]
pub struct Whole<'a> {
    #[serde(flatten)]
    pub summary: Summary<'a>,
    /// Where key and value are from: `letter`, `source`, or `gone` when they are nowhere any more.
    pub content: &'static str,
    pub headers: Vec<NamedHeader<'a>>,
    pub key: Option<Bytes<'a>>,
    pub value: Option<Bytes<'a>>,
}

#[derive(Debug, Serialize)]
pub struct NamedHeader<'a> {
    name: Bytes<'a>,
    value: Option<Bytes<'a>>,
}

/// Bytes that are text as text, others in base64.
#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Bytes<'a> {
    Text(&'a str),
    Base64(String),
}

impl<'a> From<&'a [u8]> for Bytes<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        match simdutf8::basic::from_utf8(bytes) {
            Ok(text) => Self::Text(text),
            Err(_) => Self::Base64(STANDARD.encode(bytes)),
        }
    }
}

impl<'a> Summary<'a> {
    pub fn of(letter: &'a Letter<'a>) -> Self {
        let decoded = letter.decoded.as_ref().ok();
        Self {
            topic: letter.record.at.topic,
            partition: letter.record.at.partition,
            offset: letter.record.at.offset,
            timestamp: letter.record.timestamp_ms.and_then(time),
            dialect: decoded.and_then(|decoded| decoded.tool).map(crate::dead_letter::Tool::name),
            kind: decoded.map(|decoded| decoded.kind),
            fingerprint: decoded.and_then(|decoded| decoded.fingerprint),
            message: decoded.and_then(|decoded| decoded.message),
            source: decoded.and_then(Source::of),
            group: decoded.and_then(|decoded| decoded.group),
            processor: decoded.and_then(|decoded| decoded.processor),
            failed_at: decoded.and_then(|decoded| time(decoded.failed_at_ms?)),
            attempts: decoded.map(|decoded| decoded.attempts),
            replayed_from: decoded.and_then(|decoded| Some(decoded.replayed_from?.to_string())),
            repaired: decoded.and_then(|decoded| decoded.repaired),
            fit: decoded.and_then(|decoded| decoded.fit.name()),
            value_bytes: decoded.and_then(|decoded| decoded.value_bytes),
            value_sha256: decoded.and_then(|decoded| decoded.value_sha256),
            key_bytes: decoded.and_then(|decoded| decoded.key_bytes),
            unreadable: decoded.map_or(&[], |decoded| decoded.unreadable.as_slice()),
            problem: letter.decoded.as_ref().err().map(ToString::to_string),
        }
    }
}

impl<'a> Source<'a> {
    fn of(decoded: &Decoded<'a>) -> Option<Self> {
        let source = decoded.source?;
        Some(Self {
            topic: source.topic,
            partition: source.partition,
            offset: source.offset,
            index: decoded.index,
            timestamp: decoded.source_timestamp_ms.and_then(time),
        })
    }
}

impl<'a> Whole<'a> {
    pub fn of(letter: &'a Letter<'a>) -> Self {
        let header =
            |header: &Header<'a>| NamedHeader { name: header.name.into(), value: header.value.map(Bytes::from) };
        Self {
            summary: Summary::of(letter),
            content: letter.content.name(),
            headers: letter.record.headers.iter().map(header).collect(),
            key: letter.record.key.map(Bytes::from),
            value: letter.record.value.map(Bytes::from),
        }
    }
}

/// Where a letter lies.
pub fn place(topics: &Topics, place: Place) -> serde_json::Value {
    serde_json::json!({ "topic": topics.name(place.topic), "partition": place.partition, "offset": place.offset })
}

/// RFC 3339 with milliseconds, UTC.
pub fn time(ms: i64) -> Option<String> {
    Some(DateTime::from_timestamp_millis(ms)?.to_rfc3339_opts(SecondsFormat::Millis, true))
}
