//! From a record of the dead-letter topic back to the rejection. Anybody can write to that topic, so nothing is taken for granted:
//! what cannot be read is named, and never fatal.

use chrono::DateTime;

use super::dialect::{Dialect, Numbers, Place, RecordTime, Tool};
use super::names::place;
use super::{fit, is_ours, names};
use crate::record::{Coordinates, Header, parse_decimal};

/// A dead letter, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded<'a> {
    /// Whose letter it is; `None`: ours.
    pub tool: Option<Tool>,
    /// The kind's name as it stands there: a later version may know more of them than this one. Of another tool's letter
    /// the exception's name, or the dialect's where it names none.
    pub kind: &'a str,
    pub message: Option<&'a str>,
    pub fingerprint: Option<&'a str>,
    /// The record that was rejected. `None`: another tool's letter that comes from none, like a timer's.
    pub source: Option<Coordinates<'a>>,
    /// Position inside that record; `None` when it was no page.
    pub index: Option<u32>,
    pub source_timestamp_ms: Option<i64>,
    pub group: Option<&'a str>,
    pub processor: Option<&'a str>,
    pub failed_at_ms: Option<i64>,
    /// How often the record failed so far, or was delivered, as the letter says; 0 when it does not.
    pub attempts: u64,
    /// How often it failed by our own count, which goes on when a record that we sent back fails for another tool.
    pub failures: u64,
    /// The dead letter whose replay the record was.
    pub replayed_from: Option<Coordinates<'a>>,
    /// The repairs that were made when it was sent back.
    pub repaired: Option<&'a str>,
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

impl<'a> Fit<'a> {
    /// What had to go, in the header's words; `None`: nothing.
    pub fn name(self) -> Option<&'a str> {
        match self {
            Self::Whole => None,
            Self::HeadersDropped => Some(fit::HEADERS_DROPPED),
            Self::ValueTruncated => Some(fit::VALUE_TRUNCATED),
            Self::KeyDropped => Some(fit::KEY_DROPPED),
            Self::Unknown(other) => Some(other),
        }
    }
}

/// Why a record of the dead-letter topic is no dead letter, of ours or of any tool we know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotOurs {
    #[error("no header {0}")]
    Missing(&'static str),
    #[error("header {0} cannot be read")]
    Unreadable(&'static str),
    #[error("headers of {0} and {1} name its source, and nobody knows which were written last")]
    Ambiguous(&'static str, &'static str),
}

/// Reads the headers of a dead letter, ours first. Of a repeated header the last one counts; kind and coordinates are required.
pub fn decode<'a>(headers: &[Header<'a>]) -> Result<Decoded<'a>, NotOurs> {
    if headers.iter().any(|header| header.name == names::KIND.as_bytes()) {
        return decode_ours(headers);
    }
    match writer(headers)? {
        Some(tool) => decode_foreign(headers, tool),
        None => Err(NotOurs::Missing(names::KIND)),
    }
}

/// Whose letter it is. A record that failed for one tool and then for another bears the headers of both; the last ones
/// were written last.
fn writer(headers: &[Header<'_>]) -> Result<Option<Tool>, NotOurs> {
    let mut last: Option<(usize, Tool)> = None;
    let mut before: Option<Tool> = None;
    for tool in Tool::ALL {
        let names = tool.names();
        let tells = |header: &Header<'_>| {
            let is_one = |name: &&'static str| name.as_bytes() == header.name;
            header.value.is_some() && [names.topic].iter().chain(names.kind).any(is_one)
        };
        let Some(at) = headers.iter().rposition(tells) else { continue };
        let at = match names.place {
            Place::BeforeOwn => {
                before = Some(tool);
                continue;
            }
            Place::BehindOwn => at,
            Place::Around => {
                let time = headers.iter().rposition(|header| names.time.is(header.name));
                time.map_or(at, |time| at.max(time))
            }
        };
        if last.is_none_or(|(other, _)| at > other) {
            last = Some((at, tool));
        }
    }
    match (before, last) {
        (Some(one), Some((_, other))) => Err(NotOurs::Ambiguous(one.name(), other.name())),
        (Some(tool), None) | (None, Some((_, tool))) => Ok(Some(tool)),
        (None, None) => Ok(None),
    }
}

fn decode_ours<'a>(headers: &[Header<'a>]) -> Result<Decoded<'a>, NotOurs> {
    let mut ours = Ours::of(headers);
    let attempts = ours.optional(const { place(names::ATTEMPTS) }, parse_decimal).unwrap_or(0);
    Ok(Decoded {
        tool: None,
        kind: ours.required(const { place(names::KIND) }, Some)?,
        source: Some(Coordinates {
            topic: ours.required(const { place(names::TOPIC) }, Some)?,
            partition: ours.required(const { place(names::PARTITION) }, number)?,
            offset: ours.required(const { place(names::OFFSET) }, number)?,
        }),
        message: ours.optional(const { place(names::MESSAGE) }, Some),
        fingerprint: ours.optional(const { place(names::FINGERPRINT) }, Some),
        index: ours.optional(const { place(names::INDEX) }, number),
        source_timestamp_ms: ours.optional(const { place(names::TIMESTAMP) }, instant_ms),
        group: ours.optional(const { place(names::GROUP) }, Some),
        processor: ours.optional(const { place(names::PROCESSOR) }, Some),
        failed_at_ms: ours.optional(const { place(names::FAILED_AT) }, instant_ms),
        attempts,
        failures: attempts,
        replayed_from: ours.optional(const { place(names::REPLAYED_FROM) }, Coordinates::parse),
        repaired: ours.optional(const { place(names::REPAIRED) }, Some),
        fit: ours.fit(),
        value_bytes: ours.optional(const { place(names::VALUE_BYTES) }, parse_decimal),
        value_sha256: ours.optional(const { place(names::VALUE_SHA256) }, sha256),
        key_bytes: ours.optional(const { place(names::KEY_BYTES) }, parse_decimal),
        headers: ours.own,
        unreadable: ours.unreadable,
    })
}

/// The headers of a letter of ours, looked at once: a topic may hold millions.
struct Ours<'a> {
    /// By the name's place among ours: not there, null, or its bytes.
    values: [Option<Option<&'a [u8]>>; names::OURS.len()],
    own: Vec<Header<'a>>,
    unreadable: Vec<&'static str>,
}

impl<'a> Ours<'a> {
    /// What came with the record stands before ours, what a dialect adds behind.
    fn of(headers: &[Header<'a>]) -> Self {
        let mut ours = Self { values: [None; names::OURS.len()], own: Vec::new(), unreadable: Vec::new() };
        let mut is_behind = false;
        for header in headers {
            if let Some(place) = names::place_of(header.name) {
                ours.values[place] = Some(header.value);
                is_behind = true;
            } else if !(is_behind && Dialect::ALL.into_iter().any(|dialect| dialect.owns(header.name))) {
                ours.own.push(*header);
            }
        }
        ours
    }

    fn required<T>(&self, place: usize, parse: impl Fn(&'a str) -> Option<T>) -> Result<T, NotOurs> {
        let value = self.values[place].ok_or(NotOurs::Missing(names::OURS[place]))?;
        read(value, parse).ok_or(NotOurs::Unreadable(names::OURS[place]))
    }

    fn optional<T>(&mut self, place: usize, parse: impl Fn(&'a str) -> Option<T>) -> Option<T> {
        let value = read(self.values[place]?, parse);
        if value.is_none() {
            self.unreadable.push(names::OURS[place]);
        }
        value
    }

    /// A letter that does not say is whole; one that says something unreadable must not be taken for whole.
    fn fit(&mut self) -> Fit<'a> {
        const PLACE: usize = place(names::FIT);
        let Some(value) = self.values[PLACE] else { return Fit::Whole };
        match read(value, Some) {
            Some(fit::HEADERS_DROPPED) => Fit::HeadersDropped,
            Some(fit::VALUE_TRUNCATED) => Fit::ValueTruncated,
            Some(fit::KEY_DROPPED) => Fit::KeyDropped,
            other => {
                self.unreadable.push(names::FIT);
                Fit::Unknown(other.unwrap_or_default())
            }
        }
    }
}

fn decode_foreign<'a>(headers: &[Header<'a>], tool: Tool) -> Result<Decoded<'a>, NotOurs> {
    let names = tool.names();
    // A header that is there and null says nothing.
    let mut telling: Vec<Header<'a>> = headers.iter().copied().filter(|header| header.value.is_some()).collect();
    let history = History::of(&telling);
    // Of several tries the oldest one read the record itself, the later ones a copy of it.
    let oldest_last = (names.place == Place::Around).then(|| telling.clone());
    match names.place {
        // The tool's own stand first, and behind them may be those of an earlier failure.
        Place::BeforeOwn | Place::Around => telling.reverse(),
        Place::BehindOwn => {}
    }
    let mut theirs = Reader { headers: &telling, unreadable: Vec::new() };
    let sources = Reader { headers: oldest_last.as_ref().unwrap_or(&telling), unreadable: Vec::new() };
    let mut texts = names.kind.iter().copied().chain(names.kind_else);
    let kind = texts.find_map(|name| theirs.optional(name, Some).filter(|kind| !kind.is_empty()));
    let source = match sources.coordinates(tool) {
        Ok(source) => Some(source),
        // What names its kind is a letter all the same.
        Err(NotOurs::Missing(_)) if kind.is_some() => None,
        Err(problem) => return Err(problem),
    };
    let timestamp = match names.time {
        RecordTime::Header(name) => match names.numbers {
            Numbers::Binary => theirs.optional_bytes(name, any_big_endian),
            Numbers::Text => theirs.optional(name, number),
        },
        RecordTime::Letter | RecordTime::Nowhere => None,
    };
    let mut text = |name: Option<&'static str>| name.and_then(|name| theirs.optional(name, Some));
    let message = match text(Some(names.message)) {
        Some("") | None if names.message_else.is_some() => text(names.message_else),
        message => message,
    };
    let (group, processor) = (text(names.group), text(names.processor));
    let attempts = names.attempts.and_then(|name| theirs.optional(name, parse_decimal));
    Ok(Decoded {
        tool: Some(tool),
        kind: kind.unwrap_or(tool.name()),
        source,
        message,
        fingerprint: None,
        index: None,
        // Java's word for no timestamp is -1.
        source_timestamp_ms: timestamp.filter(|ms| *ms >= 0),
        group,
        processor,
        failed_at_ms: None,
        attempts: attempts.or(history.attempts).unwrap_or(0),
        failures: history.failures(),
        replayed_from: history.replayed_from,
        repaired: history.repaired,
        fit: Fit::Whole,
        value_bytes: None,
        value_sha256: None,
        key_bytes: None,
        headers: headers.iter().copied().filter(|header| !is_ours(header.name) && !tool.owns(header.name)).collect(),
        unreadable: theirs.unreadable,
    })
}

/// What a record that we sent back says of its way so far, also where it failed for another tool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct History<'a> {
    pub attempts: Option<u64>,
    pub replayed_from: Option<Coordinates<'a>>,
    pub repaired: Option<&'a str>,
}

impl<'a> History<'a> {
    pub fn of(headers: &[Header<'a>]) -> Self {
        let mut ours = Reader { headers, unreadable: Vec::new() };
        Self {
            attempts: ours.optional(names::ATTEMPTS, parse_decimal),
            replayed_from: ours.optional(names::REPLAYED_FROM, Coordinates::parse),
            repaired: ours.optional(names::REPAIRED, Some),
        }
    }

    /// The failure that the letter is for is one more.
    pub fn failures(&self) -> u64 {
        self.attempts.unwrap_or(0).saturating_add(1)
    }
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

    fn optional_bytes<T>(&mut self, name: &'static str, parse: impl Fn(&'a [u8]) -> Option<T>) -> Option<T> {
        let value = self.read_bytes(name, parse)?;
        if value.is_none() {
            self.unreadable.push(name);
        }
        value
    }

    /// Where another tool's record was read; a number below zero is its word for none.
    fn coordinates(&self, tool: Tool) -> Result<Coordinates<'a>, NotOurs> {
        let names = tool.names();
        let topic = self.required(names.topic, Some)?;
        let (partition, offset) = match names.numbers {
            Numbers::Text => (self.text_number(names.partition)?, self.text_number(names.offset)?),
            Numbers::Binary => (
                self.required_bytes(names.partition, big_endian_i32)?.into(),
                self.required_bytes(names.offset, big_endian)?,
            ),
        };
        let partition = i32::try_from(partition).map_err(|_| NotOurs::Unreadable(names.partition))?;
        Ok(Coordinates { topic, partition, offset })
    }

    fn text_number(&self, name: &'static str) -> Result<i64, NotOurs> {
        if self.read(name, Some) == Some(Some("-1")) {
            return Err(NotOurs::Missing(name));
        }
        self.required(name, number)
    }

    /// `None`: not there. `Some(None)`: there, but null, not UTF-8 or not what it should be.
    fn read<T>(&self, name: &str, parse: impl Fn(&'a str) -> Option<T>) -> Option<Option<T>> {
        self.read_bytes(name, |value| read(Some(value), &parse))
    }

    fn read_bytes<T>(&self, name: &str, parse: impl Fn(&'a [u8]) -> Option<T>) -> Option<Option<T>> {
        let header = self.headers.iter().rfind(|header| header.name == name.as_bytes())?;
        Some(header.value.and_then(parse))
    }
}

/// `None`: null, not UTF-8 or not what it should be.
fn read<'a, T>(value: Option<&'a [u8]>, parse: impl Fn(&'a str) -> Option<T>) -> Option<T> {
    std::str::from_utf8(value?).ok().and_then(parse)
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
