//! From the value of a record to its traces: encodings, lines, envelopes, wrappers and pages. Which row of the contract's table
//! an object matches is decided in `rows`; here it is followed.

mod lines;
mod rows;
mod unknown;

use std::borrow::Cow;
use std::mem;
use std::ops::ControlFlow;

use self::lines::Lines;
use self::rows::{Rows, Step};
use super::json::{Elements, Flaw, Members, Type, Value};
use super::outcomes::{Mark, Outcomes};
use super::profile::Mapping;
use super::trace::{Candidate, Shape};
use super::{Kind, Record, Rejection, Settings, decode, json};

/// Levels of wrapping that a trace may lie under.
const MAX_LEVELS: u8 = 4;

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Appends the outcomes of one record, without ending it.
pub(super) fn record(settings: &Settings, mapping: &Mapping, record: Record<'_>, outcomes: &mut Outcomes) {
    let _ = record_wanting(settings, mapping, record, None, outcomes);
}

/// The same, and a copy of the text of the trace at an index of a page.
pub(super) fn record_wanting(
    settings: &Settings,
    mapping: &Mapping,
    record: Record<'_>,
    wanted: Option<u32>,
    outcomes: &mut Outcomes,
) -> Option<Vec<u8>> {
    let unwrapped = match value(settings, record.value) {
        Ok(value) if decode::is_encoded(value) => encoded(settings, mapping, record, value, wanted, outcomes),
        Ok(value) => unwrapped(settings, mapping, record, value, wanted, outcomes),
        Err(rejection) => Err(rejection),
    };
    unwrapped.unwrap_or_else(|rejection| {
        outcomes.rejection(None, rejection, None);
        None
    })
}

/// The same for a value that has to be unpacked or decoded first.
#[cold]
#[inline(never)]
fn encoded(
    settings: &Settings,
    mapping: &Mapping,
    record: Record<'_>,
    value: &[u8],
    wanted: Option<u32>,
    outcomes: &mut Outcomes,
) -> Result<Option<Vec<u8>>, Rejection> {
    let mut room = mem::take(&mut outcomes.buffers().decoding);
    let unwrapped = decode::text(value, settings.max_payload_bytes, &mut room)
        .and_then(|text| unwrapped(settings, mapping, record, text, wanted, outcomes));
    room.clear();
    outcomes.buffers().decoding = room;
    unwrapped
}

/// The value, when it may be looked into.
fn value<'a>(settings: &Settings, value: Option<&'a [u8]>) -> Result<&'a [u8], Rejection> {
    let value = value.ok_or_else(|| Rejection::new(Kind::EmptyPayload, "the value is null"))?;
    if value.len() > settings.max_payload_bytes {
        return Err(Rejection::payload_too_large(value.len() as u64, settings.max_payload_bytes as u64));
    }
    Ok(value)
}

/// Appends the outcomes of a text; the error is what the record is rejected for as a whole.
#[inline(always)]
fn unwrapped(
    settings: &Settings,
    mapping: &Mapping,
    record: Record<'_>,
    decoded: &[u8],
    wanted: Option<u32>,
    outcomes: &mut Outcomes,
) -> Result<Option<Vec<u8>>, Rejection> {
    let text = payload(decoded)?;
    let mark = outcomes.mark();
    outcomes.expect_events_of(text.len());
    let source = Source {
        text,
        marked: text,
        offset: Some(decoded.len() - text.len()),
        key: "",
        origin: Origin::Value,
        line: 1,
    };
    let mut unwrapping = Unwrapping {
        settings,
        mapping,
        timestamp_ms: record.timestamp_ms,
        outcomes,
        mark,
        page: false,
        events_bytes: 0,
        wanted,
        found: None,
    };
    let flow = unwrapping.text(source, 0);
    let found = unwrapping.found;
    if let ControlFlow::Break(TooFar(rejection)) = flow {
        outcomes.rewind(mark);
        return Err(rejection);
    }
    Ok(found)
}

/// The text, less a byte order mark.
fn payload(decoded: &[u8]) -> Result<&[u8], Rejection> {
    let text = decoded.strip_prefix(BYTE_ORDER_MARK).unwrap_or(decoded);
    if text.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')) {
        return Err(Rejection::new(Kind::EmptyPayload, "the value is empty"));
    }
    if simdutf8::basic::from_utf8(text).is_err() {
        let valid = str::from_utf8(decoded).map_or_else(|error| error.valid_up_to(), str::len);
        let message = format!("the value is no UTF-8 text: byte {} of {}", valid + 1, decoded.len());
        return Err(Rejection::new(Kind::InvalidUtf8, message).at(Some(valid)));
    }
    Ok(text)
}

/// Why a record is rejected as a whole.
struct TooFar(Rejection);

type Flow = ControlFlow<TooFar>;

/// A whole JSON text: the record's, a line of it, or one that stood in a string.
#[derive(Clone, Copy)]
struct Source<'t> {
    text: &'t [u8],
    /// All that stood in the string, a byte order mark before the text included: the dead letter of a string without JSON.
    /// Less its mark, a string with two would be JSON when it is replayed.
    marked: &'t [u8],
    /// Where the text begins in the record's value; `None` for what was decoded from a string.
    offset: Option<usize>,
    /// The key of the string it stood in; empty when it stood under none.
    key: &'t str,
    origin: Origin,
    /// The number of its first line in the record.
    line: usize,
}

/// Where a text comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// The whole of it, which may be lines.
    Value,
    Line,
    InString,
}

impl<'t> Source<'t> {
    /// What a value looks like to those who get it: the whole text for its outermost value, else exactly its bytes.
    fn verbatim(self, value: Value, place: Place) -> Verbatim<'t> {
        match place {
            Place::Outermost => Verbatim { text: self.text, start: 0 },
            Place::Inside => Verbatim { text: value.slice(self.text), start: value.start },
        }
    }
}

#[derive(Clone, Copy)]
enum Place {
    Outermost,
    Inside,
}

#[derive(Clone, Copy)]
struct Verbatim<'t> {
    text: &'t [u8],
    /// Where it begins in its source.
    start: usize,
}

/// One record on its way to outcomes.
struct Unwrapping<'n, 'o> {
    settings: &'n Settings,
    mapping: &'n Mapping,
    timestamp_ms: Option<i64>,
    outcomes: &'o mut Outcomes,
    mark: Mark,
    /// An array was passed: all outcomes are numbered. Until then there can be but one.
    page: bool,
    events_bytes: usize,
    /// The index whose text is asked for, and that text.
    wanted: Option<u32>,
    found: Option<Vec<u8>>,
}

impl Unwrapping<'_, '_> {
    fn text(&mut self, source: Source<'_>, level: u8) -> Flow {
        let mut members = self.outcomes.buffers().members.pop().unwrap_or_default();
        let flow = match json::document(source.text, &mut members) {
            Ok(root) => self.value(source, root, Place::Outermost, &members, level),
            Err(flaw) => self.no_document(source, flaw, level),
        };
        self.outcomes.buffers().members.push(members);
        flow
    }

    #[cold]
    #[inline(never)]
    fn no_document(&mut self, source: Source<'_>, flaw: Flaw, level: u8) -> Flow {
        match Lines::of(source.text) {
            Some(lines) if source.origin == Origin::Value => self.lines(source, lines, level + 1),
            _ => self.reject_flaw(source, flaw),
        }
    }

    /// Each line is a value of its own, as if they stood in an array.
    fn lines(&mut self, source: Source<'_>, lines: Lines<'_>, level: u8) -> Flow {
        self.page = true;
        let mut members = Members::default();
        for line in lines {
            let offset = source.offset.map(|offset| offset + line.start);
            let source =
                Source { text: line.text, marked: line.text, offset, key: "", origin: Origin::Line, line: line.number };
            match json::document(line.text, &mut members) {
                Ok(root) => self.value(source, root, Place::Inside, &members, level)?,
                Err(flaw) => self.reject_flaw(source, flaw)?,
            }
        }
        ControlFlow::Continue(())
    }

    fn value(&mut self, source: Source<'_>, value: Value, place: Place, members: &Members, level: u8) -> Flow {
        let verbatim = source.verbatim(value, place);
        let rows = Rows { text: source.text, wrapper_keys: &self.settings.wrapper_keys };
        match rows.step(value, members, level) {
            Step::Trace(shape) => self.trace(source, verbatim, members, shape),
            Step::Nothing(kind, message) => self.reject(source, verbatim, Rejection::new(kind, message)),
            Step::Unknown => self.reject(source, verbatim, unknown::shape(source.text, value)),
            Step::Elements(_) | Step::Text(..) | Step::Base64(..) | Step::Inner(_) if level == MAX_LEVELS => {
                self.reject(source, verbatim, unknown::too_deep())
            }
            Step::Elements(array) => self.elements(source, array, level + 1),
            Step::Text(key, string) => self.string(source, key, string, level + 1),
            Step::Base64(key, string) => self.base64(source, verbatim, key, string, level + 1),
            Step::Inner(inner) => match self.members(source, inner) {
                Ok(members) => self.value(source, inner, Place::Inside, &members, level + 1),
                Err(flaw) => self.reject_flaw(source, flaw),
            },
        }
    }

    fn members(&self, source: Source<'_>, value: Value) -> Result<Members, Flaw> {
        if value.kind() == Type::Object { json::object(source.text, value) } else { Ok(Members::default()) }
    }

    fn elements(&mut self, source: Source<'_>, array: Value, level: u8) -> Flow {
        self.page = true;
        let mut members = Members::default();
        let mut elements = Elements::of(source.text, array);
        while let Some(element) = elements.next(&mut members) {
            match element {
                Ok(element) => self.value(source, element, Place::Inside, &members, level)?,
                Err(flaw) => return self.reject_flaw(source, flaw),
            }
        }
        ControlFlow::Continue(())
    }

    fn string(&mut self, source: Source<'_>, key: &str, string: Value, level: u8) -> Flow {
        let mut decoded = self.outcomes.buffers().texts.pop().unwrap_or_default();
        decoded.clear();
        string.content(source.text).decode_into(&mut decoded);
        let flow = self.text_in_string(&decoded, key, level);
        self.outcomes.buffers().texts.push(decoded);
        flow
    }

    fn text_in_string(&mut self, marked: &[u8], key: &str, level: u8) -> Flow {
        let text = marked.strip_prefix(BYTE_ORDER_MARK).unwrap_or(marked);
        self.text(Source { text, marked, offset: None, key, origin: Origin::InString, line: 1 }, level)
    }

    fn base64(
        &mut self,
        source: Source<'_>,
        verbatim: Verbatim<'_>,
        key: &'static str,
        string: Value,
        level: u8,
    ) -> Flow {
        let mut decoded = self.outcomes.buffers().texts.pop().unwrap_or_default();
        decoded.clear();
        string.content(source.text).decode_into(&mut decoded);
        let flow = if decode::base64(&mut decoded).is_none() {
            let message = format!("the string in `{key}` is no Base64");
            let rejection = Rejection::new(Kind::InvalidEncoding, message).blaming(key);
            self.reject(source, verbatim, rejection.at(Some(string.start)))
        } else if simdutf8::basic::from_utf8(&decoded).is_err() {
            let message = format!("the Base64 in `{key}` holds no UTF-8 text");
            let rejection = Rejection::new(Kind::InvalidEncoding, message).blaming(key);
            self.reject(source, verbatim, rejection.at(Some(string.start)))
        } else {
            self.text_in_string(&decoded, key, level)
        };
        self.outcomes.buffers().texts.push(decoded);
        flow
    }

    fn trace(&mut self, source: Source<'_>, verbatim: Verbatim<'_>, members: &Members, shape: &'static Shape) -> Flow {
        let candidate = Candidate { text: source.text, members, shape, verbatim: verbatim.text };
        let trace = match candidate.judge(&mut self.outcomes.buffers().field) {
            Ok(trace) => trace,
            Err(rejection) => return self.reject(source, verbatim, rejection),
        };
        let index = self.next_index()?;
        if index.is_some() && index == self.wanted {
            self.found = Some(verbatim.text.to_vec());
        }
        let left_bytes = self.settings.max_events_bytes - self.events_bytes;
        let (mapping, timestamp_ms) = (self.mapping, self.timestamp_ms);
        let event_bytes = self
            .outcomes
            .event(index, trace.received_us, left_bytes, |writer| mapping.write(&trace, timestamp_ms, writer));
        if event_bytes > left_bytes {
            let limit_bytes = self.settings.max_events_bytes;
            let message =
                format!("the record's events take more than {limit_bytes} bytes, a quarter of the memory budget");
            return ControlFlow::Break(TooFar(Rejection::new(Kind::ExpandsTooFar, message)));
        }
        self.events_bytes += event_bytes;
        ControlFlow::Continue(())
    }

    #[cold]
    fn reject_flaw(&mut self, source: Source<'_>, flaw: Flaw) -> Flow {
        let (line, column) = line_and_column(source.text, flaw.at);
        let subject = match source.key {
            "" => Cow::Borrowed("no JSON"),
            key => Cow::Owned(format!("the string in `{key}` is no JSON")),
        };
        let advice = unknown::flaw(source.text, flaw);
        let line = source.line - 1 + line;
        let message = format!("{subject} at line {line}, column {column}: {}", advice.unwrap_or(flaw.expected));
        let rejection = Rejection::new(Kind::InvalidJson, message).blaming(source.key.to_owned());
        let position = source.marked.len() - source.text.len() + flaw.at;
        let verbatim = match source.origin {
            Origin::Line => lines::trimmed(source.text),
            Origin::Value | Origin::InString => Verbatim { text: source.marked, start: 0 },
        };
        self.reject(source, verbatim, rejection.at(Some(position)))
    }

    /// Appends a rejection whose position, if it has one, counts from the start of its source.
    fn reject(&mut self, source: Source<'_>, verbatim: Verbatim<'_>, rejection: Rejection) -> Flow {
        let index = self.next_index()?;
        let position = rejection.position.and_then(|position| {
            if self.page {
                position.checked_sub(verbatim.start).map(|position| position.min(verbatim.text.len()))
            } else {
                source.offset.map(|offset| offset + position)
            }
        });
        self.outcomes.rejection(index, rejection.at(position), self.page.then_some(verbatim.text));
        ControlFlow::Continue(())
    }

    /// The index of the outcome that is about to be appended, unless there are too many already.
    fn next_index(&self) -> ControlFlow<TooFar, Option<u32>> {
        let before = self.outcomes.since(self.mark);
        let limit = self.settings.max_traces;
        if before >= limit {
            let message = format!("the record holds more than {limit} traces (input.max_traces)");
            return ControlFlow::Break(TooFar(Rejection::new(Kind::ExpandsTooFar, message)));
        }
        ControlFlow::Continue(if self.page { u32::try_from(before).ok() } else { None })
    }
}

/// 1-based, columns in characters.
fn line_and_column(text: &[u8], at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = memchr::memchr_iter(b'\n', before).count() + 1;
    let start = memchr::memrchr(b'\n', before).map_or(0, |end| end + 1);
    let characters = before.iter().skip(start).filter(|byte| **byte & 0xc0 != 0x80).count();
    (line, characters + 1)
}

#[cfg(test)]
mod tests;
