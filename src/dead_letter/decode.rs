//! From a record of the dead-letter topic back to the rejection. Anybody can write to that topic, so nothing is taken for granted:
//! what cannot be read is named, and never fatal.

use chrono::DateTime;

use super::{fit, names};
use crate::record::{Coordinates, Header, parse_decimal};

/// A dead letter, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded<'a> {
    /// The kind's name as it stands there: a later version may know more of them than this one.
    pub kind: &'a str,
    pub message: Option<&'a str>,
    pub fingerprint: Option<&'a str>,
    /// The record that was rejected.
    pub source: Coordinates<'a>,
    /// Position inside that record; `None` when it was no page.
    pub index: Option<u32>,
    pub source_timestamp_ms: Option<i64>,
    pub group: Option<&'a str>,
    pub processor: Option<&'a str>,
    pub failed_at_ms: Option<i64>,
    /// How often the record failed so far; 0 when the letter does not say.
    pub attempts: u64,
    /// The dead letter whose replay the record was.
    pub replayed_from: Option<Coordinates<'a>>,
    pub fit: Fit<'a>,
    /// Length and SHA-256 (64 hex digits) of the value before it was cut.
    pub value_bytes: Option<u64>,
    pub value_sha256: Option<&'a str>,
    /// Length of the key that was dropped.
    pub key_bytes: Option<u64>,
    /// The record's own headers, in order.
    pub headers: Vec<Header<'a>>,
    /// Headers of ours that are there but cannot be read; their fields are empty.
    pub unreadable: Vec<&'static str>,
}

/// What had to go so that the letter fits its topic. Each step includes the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit<'a> {
    Whole,
    HeadersDropped,
    ValueTruncated,
    KeyDropped,
    /// Something that this version does not know, or cannot read.
    Unknown(&'a str),
}

/// Why a record of the dead-letter topic is no dead letter of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotOurs {
    #[error("no header {0}")]
    Missing(&'static str),
    #[error("header {0} cannot be read")]
    Unreadable(&'static str),
}

/// Reads the headers of a dead letter. Of a repeated header the last one counts; kind and coordinates are required.
pub fn decode<'a>(headers: &[Header<'a>]) -> Result<Decoded<'a>, NotOurs> {
    let mut ours = Reader { headers, unreadable: Vec::new() };
    Ok(Decoded {
        kind: ours.required(names::KIND, Some)?,
        source: Coordinates {
            topic: ours.required(names::TOPIC, Some)?,
            partition: ours.required(names::PARTITION, number)?,
            offset: ours.required(names::OFFSET, number)?,
        },
        message: ours.optional(names::MESSAGE, Some),
        fingerprint: ours.optional(names::FINGERPRINT, Some),
        index: ours.optional(names::INDEX, number),
        source_timestamp_ms: ours.optional(names::TIMESTAMP, instant_ms),
        group: ours.optional(names::GROUP, Some),
        processor: ours.optional(names::PROCESSOR, Some),
        failed_at_ms: ours.optional(names::FAILED_AT, instant_ms),
        attempts: ours.optional(names::ATTEMPTS, parse_decimal).unwrap_or(0),
        replayed_from: ours.optional(names::REPLAYED_FROM, Coordinates::parse),
        fit: ours.fit(),
        value_bytes: ours.optional(names::VALUE_BYTES, parse_decimal),
        value_sha256: ours.optional(names::VALUE_SHA256, sha256),
        key_bytes: ours.optional(names::KEY_BYTES, parse_decimal),
        headers: headers.iter().copied().filter(|header| !names::is_ours(header.name)).collect(),
        unreadable: ours.unreadable,
    })
}

struct Reader<'h, 'a> {
    headers: &'h [Header<'a>],
    unreadable: Vec<&'static str>,
}

impl<'a> Reader<'_, 'a> {
    fn required<T>(&self, name: &'static str, parse: impl Fn(&'a str) -> Option<T>) -> Result<T, NotOurs> {
        self.read(name, parse).ok_or(NotOurs::Missing(name))?.ok_or(NotOurs::Unreadable(name))
    }

    fn optional<T>(&mut self, name: &'static str, parse: impl Fn(&'a str) -> Option<T>) -> Option<T> {
        let value = self.read(name, parse)?;
        if value.is_none() {
            self.unreadable.push(name);
        }
        value
    }

    /// A letter that does not say is whole; one that says something unreadable must not be taken for whole.
    fn fit(&mut self) -> Fit<'a> {
        match self.read(names::FIT, Some) {
            None => Fit::Whole,
            Some(Some(fit::HEADERS_DROPPED)) => Fit::HeadersDropped,
            Some(Some(fit::VALUE_TRUNCATED)) => Fit::ValueTruncated,
            Some(Some(fit::KEY_DROPPED)) => Fit::KeyDropped,
            Some(other) => {
                self.unreadable.push(names::FIT);
                Fit::Unknown(other.unwrap_or_default())
            }
        }
    }

    /// `None`: not there. `Some(None)`: there, but null, not UTF-8 or not what it should be.
    fn read<T>(&self, name: &str, parse: impl Fn(&'a str) -> Option<T>) -> Option<Option<T>> {
        let header = self.headers.iter().rfind(|header| header.name == name.as_bytes())?;
        Some(header.value.and_then(|value| std::str::from_utf8(value).ok()).and_then(parse))
    }
}

fn number<T: TryFrom<u64>>(text: &str) -> Option<T> {
    T::try_from(parse_decimal(text)?).ok()
}

fn instant_ms(text: &str) -> Option<i64> {
    Some(DateTime::parse_from_rfc3339(text).ok()?.timestamp_millis())
}

fn sha256(text: &str) -> Option<&str> {
    (text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(text)
}
