//! From a record of the dead-letter topic back to the rejection. Anybody can write to that topic, so nothing is taken for granted:
//! what cannot be read is named, and never fatal.

use chrono::DateTime;

use super::dialect::{Dialect, Numbers};
use super::{fit, is_ours, names};
use crate::record::{Coordinates, Header, parse_decimal};

/// A dead letter, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded<'a> {
    /// Whose letter it is; `None`: ours.
    pub dialect: Option<Dialect>,
    /// The kind's name as it stands there: a later version may know more of them than this one. Of another tool's letter
    /// the exception's name, or the dialect's where it names none.
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
    /// The record's own headers, in order: without ours, and without those that a tool wrote beside ours or instead.
    pub headers: Vec<Header<'a>>,
    /// Headers of ours, or of the other tool, that are there but cannot be read; their fields are empty.
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

/// Why a record of the dead-letter topic is no dead letter, of ours or of any tool we know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotOurs {
    #[error("no header {0}")]
    Missing(&'static str),
    #[error("header {0} cannot be read")]
    Unreadable(&'static str),
}

/// Reads the headers of a dead letter, ours first. Of a repeated header the last one counts; kind and coordinates are required.
pub fn decode<'a>(headers: &[Header<'a>]) -> Result<Decoded<'a>, NotOurs> {
    let has = |name: &str| headers.iter().any(|header| header.name == name.as_bytes());
    if has(names::KIND) {
        return decode_ours(headers);
    }
    match Dialect::ALL.into_iter().find(|dialect| has(dialect.names().topic)) {
        Some(dialect) => decode_foreign(headers, dialect),
        None => Err(NotOurs::Missing(names::KIND)),
    }
}

fn decode_ours<'a>(headers: &[Header<'a>]) -> Result<Decoded<'a>, NotOurs> {
    let mut ours = Reader { headers, unreadable: Vec::new() };
    Ok(Decoded {
        dialect: None,
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
        headers: own_headers(headers),
        unreadable: ours.unreadable,
    })
}

/// What came with the record stands before ours, what a dialect adds behind.
fn own_headers<'a>(headers: &[Header<'a>]) -> Vec<Header<'a>> {
    let first_of_ours = headers.iter().position(|header| is_ours(header.name)).unwrap_or(headers.len());
    let is_beside = |at: usize, name| at > first_of_ours && Dialect::ALL.into_iter().any(|dialect| dialect.owns(name));
    let own = headers.iter().enumerate().filter(|(at, header)| !is_ours(header.name) && !is_beside(*at, header.name));
    own.map(|(_, header)| *header).collect()
}

fn decode_foreign<'a>(headers: &[Header<'a>], dialect: Dialect) -> Result<Decoded<'a>, NotOurs> {
    let names = dialect.names();
    let mut theirs = Reader { headers, unreadable: Vec::new() };
    let (partition, offset) = match names.numbers {
        Numbers::Text => (theirs.required(names.partition, number)?, theirs.required(names.offset, number)?),
        Numbers::Binary => {
            (theirs.required_bytes(names.partition, big_endian_i32)?, theirs.required_bytes(names.offset, big_endian)?)
        }
    };
    let source = Coordinates { topic: theirs.required(names.topic, Some)?, partition, offset };
    let kind = names
        .kind
        .iter()
        .chain(&names.kind_else)
        .find_map(|name| theirs.optional(name, Some).filter(|kind| !kind.is_empty()));
    let timestamp = names.timestamp.and_then(|name| match theirs.read_bytes(name, any_big_endian)? {
        Some(ms) => Some(ms),
        None => {
            theirs.unreadable.push(name);
            None
        }
    });
    let mut text = |name: Option<&'static str>| name.and_then(|name| theirs.optional(name, Some));
    let (message, group, processor) = (text(Some(names.message)), text(names.group), text(names.processor));
    let attempts = names.attempts.and_then(|name| theirs.optional(name, parse_decimal));
    Ok(Decoded {
        dialect: Some(dialect),
        kind: kind.unwrap_or(dialect.name()),
        source,
        message,
        fingerprint: None,
        index: None,
        // Java's word for no timestamp is -1.
        source_timestamp_ms: timestamp.filter(|ms| *ms >= 0),
        group,
        processor,
        failed_at_ms: None,
        attempts: attempts.unwrap_or(0),
        replayed_from: None,
        fit: Fit::Whole,
        value_bytes: None,
        value_sha256: None,
        key_bytes: None,
        headers: headers.iter().copied().filter(|header| !is_ours(header.name) && !dialect.owns(header.name)).collect(),
        unreadable: theirs.unreadable,
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

    fn required_bytes<T>(&self, name: &'static str, parse: impl Fn(&'a [u8]) -> Option<T>) -> Result<T, NotOurs> {
        self.read_bytes(name, parse).ok_or(NotOurs::Missing(name))?.ok_or(NotOurs::Unreadable(name))
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
        self.read_bytes(name, |value| std::str::from_utf8(value).ok().and_then(&parse))
    }

    fn read_bytes<T>(&self, name: &str, parse: impl Fn(&'a [u8]) -> Option<T>) -> Option<Option<T>> {
        let header = self.headers.iter().rfind(|header| header.name == name.as_bytes())?;
        Some(header.value.and_then(parse))
    }
}

fn number<T: TryFrom<u64>>(text: &str) -> Option<T> {
    T::try_from(parse_decimal(text)?).ok()
}

/// No partition and no offset is negative.
fn big_endian_i32(bytes: &[u8]) -> Option<i32> {
    Some(i32::from_be_bytes(bytes.try_into().ok()?)).filter(|number| *number >= 0)
}

fn big_endian(bytes: &[u8]) -> Option<i64> {
    any_big_endian(bytes).filter(|number| *number >= 0)
}

fn any_big_endian(bytes: &[u8]) -> Option<i64> {
    Some(i64::from_be_bytes(bytes.try_into().ok()?))
}

fn instant_ms(text: &str) -> Option<i64> {
    Some(DateTime::parse_from_rfc3339(text).ok()?.timestamp_millis())
}

fn sha256(text: &str) -> Option<&str> {
    (text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(text)
}
