//! From a rejection to the record that keeps it: everything needed to understand it, fix the cause and replay it.

use chrono::{DateTime, Utc};

use super::dialect::{Numbers, RecordTime};
use super::{DeadLetter, Dialect, Ours, PRINTABLE_MS, fit, names};
use crate::normalize::Rejection;
use crate::record::{Coordinates, Header, parse_decimal};

/// What of the repairs that were made on the way back travels with a record that fails again.
pub const MAX_REPAIRED_BYTES: usize = 512;

/// Longest `dlq.error.message`. Ours are one short sentence; a broker's error text that is quoted may be anything.
pub const MAX_MESSAGE_BYTES: usize = 512;

/// A rejection and the record it came from.
#[derive(Clone, Copy, Debug)]
pub struct Rejected<'a> {
    /// Where the record was read.
    pub source: Coordinates<'a>,
    /// Position inside the record; `None` when the record is no page.
    pub index: Option<u32>,
    /// The record's own timestamp, when it has one.
    pub timestamp_ms: Option<i64>,
    pub key: Option<&'a [u8]>,
    /// What the letter carries: the record's value, or out of a page the text that was reached.
    pub value: Option<&'a [u8]>,
    /// The record's headers, all of them, in order.
    pub headers: &'a [Header<'a>],
    pub rejection: &'a Rejection,
}

/// Who rejects, when, and how large a letter may be.
#[derive(Clone, Copy, Debug)]
pub struct Stamp<'a> {
    pub group: &'a str,
    /// Name, version and profile: `messagetrace-ecs/0.1.0 sekoia`.
    pub processor: &'a str,
    pub failed_at_ms: i64,
    /// `max.message.bytes` of the dead-letter topic.
    pub limit_bytes: usize,
    /// The tool whose headers are written beside ours.
    pub dialect: Option<Dialect>,
}

/// The dead letter of one rejection. It fits `limit_bytes` when that is [`ALWAYS_FITS_BYTES`](super::ALWAYS_FITS_BYTES) or more.
pub fn encode<'a>(rejected: &Rejected<'a>, stamp: &Stamp<'_>) -> DeadLetter<'a> {
    let whole = DeadLetter {
        key: rejected.key,
        value: rejected.value,
        timestamp_ms: stamp.failed_at_ms,
        original: rejected.headers,
        ours: our_headers(rejected, stamp),
        dialect: stamp.dialect,
    };
    fit::fit(whole, stamp.limit_bytes)
}

fn our_headers(rejected: &Rejected<'_>, stamp: &Stamp<'_>) -> Ours {
    let Rejected { source, rejection, headers, .. } = rejected;
    let mut ours = Ours::new();
    ours.push(names::KIND, rejection.kind.name());
    ours.push(names::MESSAGE, OneLine(&rejection.message));
    ours.push(names::FINGERPRINT, rejection.fingerprint());
    ours.push(names::TOPIC, source.topic);
    ours.push(names::PARTITION, source.partition);
    ours.push(names::OFFSET, source.offset);
    if let Some(index) = rejected.index {
        ours.push(names::INDEX, index);
    }
    if let Some(timestamp_ms) = rejected.timestamp_ms.filter(|ms| PRINTABLE_MS.contains(ms)) {
        ours.push(names::TIMESTAMP, rfc3339(timestamp_ms));
    }
    ours.push(names::GROUP, stamp.group);
    ours.push(names::PROCESSOR, stamp.processor);
    ours.push(names::FAILED_AT, rfc3339(stamp.failed_at_ms));
    let attempts = attempts_so_far(headers).saturating_add(1);
    ours.push(names::ATTEMPTS, attempts);
    if let Some(dead_letter) = replayed_from(headers) {
        ours.push(names::REPLAYED_FROM, dead_letter);
    }
    if let Some(repairs) = last_text(headers, names::REPAIRED) {
        let bounded = repairs.get(..repairs.floor_char_boundary(MAX_REPAIRED_BYTES)).unwrap_or_default();
        ours.push(names::REPAIRED, OneLine(bounded));
    }
    if let Some(dialect) = stamp.dialect {
        translate(&mut ours, dialect, rejected, stamp.group, attempts);
    }
    ours
}

/// The same in another tool's words, behind ours: a reader tells by this order that they did not come with the record.
fn translate(ours: &mut Ours, dialect: Dialect, rejected: &Rejected<'_>, group: &str, attempts: u64) {
    let Rejected { source, rejection, .. } = rejected;
    let names = dialect.tool().names();
    ours.push(names.topic, source.topic);
    match names.numbers {
        Numbers::Text => {
            ours.push(names.partition, source.partition);
            ours.push(names.offset, source.offset);
        }
        Numbers::Binary => {
            ours.push_bytes(names.partition, &source.partition.to_be_bytes());
            ours.push_bytes(names.offset, &source.offset.to_be_bytes());
        }
    }
    for name in names.kind {
        ours.push(name, rejection.kind.name());
    }
    ours.push(names.message, OneLine(&rejection.message));
    if let Some(name) = names.group {
        ours.push(name, group);
    }
    if let (RecordTime::Header(name), Some(timestamp_ms)) = (names.time, rejected.timestamp_ms) {
        ours.push_bytes(name, &timestamp_ms.to_be_bytes());
    }
    if let Some(name) = names.attempts {
        ours.push(name, attempts);
    }
}

/// How often the record failed before, as the letter it was replayed from said.
fn attempts_so_far(headers: &[Header<'_>]) -> u64 {
    last_text(headers, names::ATTEMPTS).and_then(parse_decimal).unwrap_or(0)
}

/// The dead letter whose replay the record is. Read and written anew, so that nothing but coordinates travels under this name: a
/// foreign value of any length would break the promise that a dead letter fits.
fn replayed_from<'a>(headers: &[Header<'a>]) -> Option<Coordinates<'a>> {
    last_text(headers, names::REPLAYED_FROM).and_then(Coordinates::parse)
}

fn last_text<'a>(headers: &[Header<'a>], name: &str) -> Option<&'a str> {
    let header = headers.iter().rfind(|header| header.name == name.as_bytes())?;
    std::str::from_utf8(header.value?).ok()
}

fn rfc3339(timestamp_ms: i64) -> impl std::fmt::Display {
    let printable_ms = timestamp_ms.clamp(*PRINTABLE_MS.start(), *PRINTABLE_MS.end());
    DateTime::<Utc>::from_timestamp_millis(printable_ms).unwrap_or_default().format("%Y-%m-%dT%H:%M:%S%.3fZ")
}

/// A message on one line and of bounded length, whatever the broker's error text it quotes looks like.
struct OneLine<'a>(&'a str);

impl std::fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Some(bounded) = self.0.get(..self.0.floor_char_boundary(MAX_MESSAGE_BYTES)) else { return Ok(()) };
        let breaks_a_line = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
        for (nth, piece) in bounded.split(breaks_a_line).enumerate() {
            if nth > 0 {
                f.write_str(" ")?;
            }
            f.write_str(piece)?;
        }
        Ok(())
    }
}
