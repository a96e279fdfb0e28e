//! The dead letter: the record that a rejection becomes, in both directions.
//!
//! [`encode()`] is what the pipeline writes, [`decode()`] is what the `dlq` commands, the audit and the tests read; nobody else spells a
//! header's name. Letters of other tools are read too, and their headers written beside ours when a [`Dialect`] is switched on. Pure: time, identity and limits are arguments. Producing, and what to do when the broker refuses, is no concern of
//! this module.
//!
//! ```
//! use messagetrace_ecs::dead_letter::{Rejected, Stamp, decode, encode};
//! use messagetrace_ecs::normalize::Rejection;
//! use messagetrace_ecs::record::{Coordinates, Header};
//!
//! let rejected = Rejected {
//!     source: Coordinates { topic: "messagetrace.raw", partition: 3, offset: 1042 },
//!     index: None,
//!     timestamp_ms: Some(1_788_631_813_000),
//!     key: None,
//!     value: Some(b"{}"),
//!     headers: &[],
//!     rejection: &Rejection::payload_too_large(2, 1),
//! };
//! let stamp = Stamp {
//!     group: "messagetrace-ecs",
//!     processor: "messagetrace-ecs/0.1.0 ecs",
//!     failed_at_ms: 1_788_631_814_000,
//!     limit_bytes: 1_048_588,
//!     dialect: None,
//! };
//! let letter = encode(&rejected, &stamp);
//! assert!(letter.wire_size() <= stamp.limit_bytes);
//! let headers: Vec<Header> = letter.headers().collect();
//! let decoded = decode(&headers).expect("what was encoded is ours");
//! assert_eq!(decoded.kind, "payload_too_large");
//! assert_eq!(decoded.source, Some(rejected.source));
//! ```

mod decode;
mod dialect;
mod encode;
mod fit;
mod names;

#[cfg(test)]
mod tests;

pub use decode::{Decoded, Fit, History, NotOurs, decode};
pub use dialect::{Dialect, Tool};
pub use encode::{MAX_MESSAGE_BYTES, MAX_REPAIRED_BYTES, Rejected, Stamp, encode};
pub use fit::{ALWAYS_FITS_BYTES, sha256_hex};
pub use names::{ATTEMPTS, EVENT_SOURCE, OURS, REPAIRED, REPLAYED_FROM, event_source, is_dropped_from_events, is_ours};

use std::fmt;
use std::io::Write as _;

use crate::record::{Header, wire_size};

/// Milliseconds from 1970 to the end of 9999: the instants that RFC 3339 can write.
const PRINTABLE_MS: std::ops::RangeInclusive<i64> = 0..=253_402_300_799_999;

/// A dead letter, ready to be produced. What came with the record is borrowed, what we add stands in [`Ours`].
#[derive(Clone, Debug)]
pub struct DeadLetter<'a> {
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    /// The time of the rejection: the original one could be past the topic's retention already.
    pub timestamp_ms: i64,
    /// The record's headers as they came; those that are ours are passed over when they are read.
    original: &'a [Header<'a>],
    ours: Ours,
    /// Whose headers stand beside ours, and are passed over among the original ones like ours.
    dialect: Option<Dialect>,
}

impl DeadLetter<'_> {
    /// All headers in the order in which they are written: the original ones, then ours.
    pub fn headers(&self) -> impl Iterator<Item = Header<'_>> {
        let is_replaced = |name: &[u8]| is_ours(name) || self.dialect.is_some_and(|dialect| dialect.owns(name));
        self.original.iter().copied().filter(move |header| !is_replaced(header.name)).chain(self.ours.iter())
    }

    /// What the topic's `max.message.bytes` is compared with.
    pub fn wire_size(&self) -> usize {
        wire_size(self.key, self.value, self.headers())
    }
}

/// The headers we add. Their values share one buffer, so that a dead letter costs two allocations and not one a header.
#[derive(Clone, Debug)]
struct Ours {
    bytes: Vec<u8>,
    /// Each name with the end of its value.
    entries: Vec<(&'static str, usize)>,
}

impl Ours {
    fn new() -> Self {
        // Room for usual values; a long topic name or message makes it grow once.
        Self { bytes: Vec::with_capacity(384), entries: Vec::with_capacity(OURS.len()) }
    }

    fn push(&mut self, name: &'static str, value: impl fmt::Display) {
        write!(self.bytes, "{value}").expect("writing to a Vec does not fail");
        self.entries.push((name, self.bytes.len()));
    }

    /// A value that is no text.
    fn push_bytes(&mut self, name: &'static str, value: &[u8]) {
        self.bytes.extend_from_slice(value);
        self.entries.push((name, self.bytes.len()));
    }

    fn len(&self) -> usize {
        self.entries.len()
    }

    /// Takes back what was pushed after the first `len`.
    fn truncate(&mut self, len: usize) {
        self.entries.truncate(len);
        self.bytes.truncate(self.entries.last().map_or(0, |(_, end)| *end));
    }

    fn iter(&self) -> impl Iterator<Item = Header<'_>> {
        let mut start = 0;
        self.entries.iter().map(move |(name, end)| {
            let value = self.bytes.get(start..*end);
            start = *end;
            Header { name: name.as_bytes(), value }
        })
    }
}
