//! From the value of a record to its traces: envelopes, wrappers and pages, in the order of the contract's table.

use std::ops::ControlFlow;

use super::json;
use super::json::{Elements, Flaw, Key, Members, Type, Value};
use super::outcomes::{Mark, Outcomes};
use super::profile::Mapping;
use super::trace;
use super::trace::{Candidate, Shape};
use super::{Kind, Record, Rejection, Settings};

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
    let text = match payload(settings, record.value) {
        Ok(text) => text,
        Err(rejection) => {
            outcomes.rejection(None, rejection, None);
            return None;
        }
    };
    let mark = outcomes.mark();
    outcomes.expect_events_of(text.len());
    let value_bytes = record.value.map_or(0, <[u8]>::len);
    let source = Source { text, marked: text, offset: Some(value_bytes - text.len()), key: None };
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
        outcomes.rejection(None, rejection, None);
        return None;
    }
    found
}

/// The value as text, less a byte order mark.
fn payload<'a>(settings: &Settings, value: Option<&'a [u8]>) -> Result<&'a [u8], Rejection> {
    let value = value.ok_or_else(|| Rejection::new(Kind::EmptyPayload, "the value is null"))?;
    if value.len() > settings.max_payload_bytes {
        return Err(Rejection::payload_too_large(value.len() as u64, settings.max_payload_bytes as u64));
    }
    let text = value.strip_prefix(BYTE_ORDER_MARK).unwrap_or(value);
    if text.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')) {
        return Err(Rejection::new(Kind::EmptyPayload, "the value is empty"));
    }
    if simdutf8::basic::from_utf8(text).is_err() {
        let valid = str::from_utf8(value).map_or_else(|error| error.valid_up_to(), str::len);
        let message = format!("the value is no UTF-8 text: byte {} of {}", valid + 1, value.len());
        return Err(Rejection::new(Kind::InvalidUtf8, message).at(Some(valid)));
    }
    Ok(text)
}

/// Why a record is rejected as a whole.
struct TooFar(Rejection);

type Flow = ControlFlow<TooFar>;

/// A whole JSON text: the record's, or one that stood in a string.
#[derive(Clone, Copy)]
struct Source<'t> {
    text: &'t [u8],
    /// All that stood in the string, a byte order mark before the text included: the dead letter of a string without JSON.
    /// Less its mark, a string with two would be JSON when it is replayed.
    marked: &'t [u8],
    /// Where the text begins in the record's value; `None` for what was decoded from a string.
    offset: Option<usize>,
    /// The key of the string it stood in.
    key: Option<Key>,
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

/// What the first row that matches makes of an object.
enum Step {
    Trace(&'static Shape),
    Elements(Value),
    Text(Key, Value),
    Inner(Value),
    Nothing(Kind, &'static str),
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
        let mut members = Members::default();
        match json::document(source.text, &mut members) {
            Ok(root) => self.value(source, root, Place::Outermost, &members, level),
            Err(flaw) => self.reject_flaw(source, flaw),
        }
    }

    fn value(&mut self, source: Source<'_>, value: Value, place: Place, members: &Members, level: u8) -> Flow {
        let verbatim = source.verbatim(value, place);
        match step(value, members) {
            Step::Trace(shape) => self.trace(source, verbatim, members, shape),
            Step::Nothing(kind, message) => self.reject(source, verbatim, Rejection::new(kind, message)),
            Step::Elements(_) | Step::Text(..) | Step::Inner(_) if level == MAX_LEVELS => {
                let message = format!("no trace within {MAX_LEVELS} levels of wrapping");
                self.reject(source, verbatim, Rejection::new(Kind::UnknownShape, message))
            }
            Step::Elements(array) => self.elements(source, array, level + 1),
            Step::Text(key, string) => self.string(source, key, string, level + 1),
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

    fn string(&mut self, source: Source<'_>, key: Key, string: Value, level: u8) -> Flow {
        let mut decoded = self.outcomes.buffers().texts.pop().unwrap_or_default();
        decoded.clear();
        string.content(source.text).decode_into(&mut decoded);
        let text = decoded.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&decoded);
        let flow = self.text(Source { text, marked: &decoded, offset: None, key: Some(key) }, level);
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
        let event_bytes = self.outcomes.event(index, trace.received_us, left_bytes, |writer| {
            mapping.write(&trace, timestamp_ms, writer);
        });
        if event_bytes > left_bytes {
            let limit_bytes = self.settings.max_events_bytes;
            let message =
                format!("the record's events take more than {limit_bytes} bytes, a quarter of the memory budget");
            return ControlFlow::Break(TooFar(Rejection::new(Kind::ExpandsTooFar, message)));
        }
        self.events_bytes += event_bytes;
        ControlFlow::Continue(())
    }

    fn reject_flaw(&mut self, source: Source<'_>, flaw: Flaw) -> Flow {
        let (line, column) = line_and_column(source.text, flaw.at);
        let place = format!("line {line}, column {column}: {}", flaw.expected);
        let rejection = match source.key {
            None => Rejection::new(Kind::InvalidJson, format!("no JSON at {place}")),
            Some(key) => {
                let key = key.name();
                Rejection::new(Kind::InvalidJson, format!("the string in `{key}` is no JSON at {place}")).blaming(key)
            }
        };
        let position = source.marked.len() - source.text.len() + flaw.at;
        self.reject(source, Verbatim { text: source.marked, start: 0 }, rejection.at(Some(position)))
    }

    /// Appends a rejection whose position, if it has one, counts from the start of its source.
    fn reject(&mut self, source: Source<'_>, verbatim: Verbatim<'_>, rejection: Rejection) -> Flow {
        let index = self.next_index()?;
        let position = rejection.position.and_then(|position| {
            if self.page { position.checked_sub(verbatim.start) } else { source.offset.map(|offset| offset + position) }
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

/// The first row of the table that matches.
fn step(value: Value, members: &Members) -> Step {
    match value.kind() {
        Type::Object => {}
        Type::Array => return Step::Elements(value),
        Type::String | Type::Number | Type::Boolean | Type::Null => {
            return Step::Nothing(Kind::UnknownShape, "neither an object nor an array");
        }
    }
    if let Some(shape) = Shape::of(members) {
        return Step::Trace(shape);
    }
    if let Some(array) = page(members) {
        return Step::Elements(array);
    }
    if let Some((key, string)) = string(members) {
        return Step::Text(key, string);
    }
    let inner = |key| of_type(members, key, Type::Object).or_else(|| of_type(members, key, Type::Array));
    if let Some(inner) = inner(Key::Message).or_else(|| inner(Key::Payload)) {
        return Step::Inner(inner);
    }
    if trace::is_detail(members) {
        return Step::Nothing(Kind::MessageTraceDetail, "a row of the message trace detail report, no message trace");
    }
    let error = |key| of_type(members, key, Type::Object).is_some();
    if error(Key::Error) || error(Key::ODataError) || members.has(Key::ErrorCode) {
        return Step::Nothing(Kind::ApiError, "an error answer of the API, no message trace");
    }
    Step::Nothing(Kind::UnknownShape, "an object that is neither a trace nor a known wrapper of one")
}

/// Rows 2 to 4: the array that a page keeps its traces in.
fn page(members: &Members) -> Option<Value> {
    of_type(members, Key::D, Type::Array)
        .or_else(|| members.d_results().filter(|results| results.kind() == Type::Array))
        .or_else(|| of_type(members, Key::Results, Type::Array))
        .or_else(|| of_type(members, Key::Value, Type::Array))
        .or_else(|| of_type(members, Key::Records, Type::Array))
}

/// Row 5: the string that holds the JSON text, and its key.
fn string(members: &Members) -> Option<(Key, Value)> {
    let plain = |key| of_type(members, key, Type::String).map(|string| (key, string));
    plain(Key::Message)
        .or_else(|| plain(Key::EventOriginal))
        .or_else(|| {
            let original = members.event_original().filter(|original| original.kind() == Type::String);
            original.map(|original| (Key::EventOriginal, original))
        })
        .or_else(|| plain(Key::Payload))
}

fn of_type(members: &Members, key: Key, kind: Type) -> Option<Value> {
    members.get(key).filter(|value| value.kind() == kind)
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
