//! A record of our own, for whoever looks at it after the client has given it back. Pure.

use super::coordinates::Place;
use super::letter::Letter;
use crate::dead_letter::History;
use crate::kafka::scan::Record;
use crate::record::{Coordinates, Header};

/// A record of our own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub timestamp_ms: Option<i64>,
    headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

impl Held {
    pub fn of(record: &Record<'_>) -> Self {
        Self {
            key: record.key.map(<[u8]>::to_vec),
            value: record.value.map(<[u8]>::to_vec),
            timestamp_ms: record.timestamp_ms,
            headers: record.headers.iter().map(|h| (h.name.to_vec(), h.value.map(<[u8]>::to_vec))).collect(),
        }
    }

    pub fn headers(&self) -> impl Iterator<Item = Header<'_>> {
        self.headers.iter().map(|(name, value)| Header { name, value: value.as_deref() })
    }

    /// How often the record failed, its letter's failure included.
    pub fn failures(&self) -> u64 {
        let headers: Vec<_> = self.headers().collect();
        History::of(&headers).failures()
    }

    /// The repairs that were made when it was sent back.
    pub fn repaired(&self) -> Option<String> {
        let headers: Vec<_> = self.headers().collect();
        History::of(&headers).repaired.map(str::to_owned)
    }

    /// In memory, without the struct itself.
    pub fn bytes(&self) -> usize {
        let length = |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or(0, Vec::len);
        let headers = self.headers.iter().map(|(name, value)| 64 + name.len() + length(value));
        length(&self.key) + length(&self.value) + headers.sum::<usize>()
    }

    /// Whether this, found at a letter's source, is the letter's record: what the letter has of it has to be the same.
    pub fn is_record_of(&self, letter: &Letter<'_>) -> bool {
        letter.lacks_content()
            || (letter.record.key, letter.record.value) == (self.key.as_deref(), self.value.as_deref())
    }

    /// The letter that this is, at its place. `headers` are its own.
    pub fn letter<'a>(&'a self, topic: &'a str, place: Place, headers: &'a [Header<'a>]) -> Letter<'a> {
        let record = Record {
            at: Coordinates { topic, partition: place.partition, offset: place.offset },
            timestamp_ms: self.timestamp_ms,
            key: self.key.as_deref(),
            value: self.value.as_deref(),
            headers,
        };
        Letter::new(record, place.topic)
    }
}
