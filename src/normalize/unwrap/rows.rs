//! The rows of the contract's table: what a value stands for, decided by the first row that it matches.

use super::super::json::{Key, Members, Type, Value};
use super::super::trace::{Shape, is_detail};
use super::super::{Kind, json};
use super::MAX_LEVELS;

/// What the first row that matches makes of a value.
#[derive(Debug)]
pub(super) enum Step<'k> {
    Trace(&'static Shape),
    Elements(Value),
    /// A string with JSON text in it, and its key; empty when it stands under none.
    Text(&'k str, Value),
    /// The same in Base64.
    Base64(&'static str, Value),
    Inner(Value),
    Nothing(Kind, &'static str),
    Unknown,
}

/// Row 8: keys whose string is Base64.
const BASE64_KEYS: [&str; 2] = ["$content", "data_base64"];

/// The table over one text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rows<'t, 'k> {
    pub text: &'t [u8],
    pub wrapper_keys: &'k [String],
}

impl<'k> Rows<'_, 'k> {
    /// What a value at a level stands for.
    #[inline]
    pub fn step(self, value: Value, members: &Members, level: u8) -> Step<'k> {
        match value.kind() {
            Type::Object => {}
            Type::Array => return Step::Elements(value),
            Type::String => return Step::Text("", value),
            Type::Number | Type::Boolean | Type::Null => return Step::Unknown,
        }
        if let Some(shape) = Shape::of(members) {
            return Step::Trace(shape);
        }
        if let Some(step) = by_fixed_key(members) {
            return step;
        }
        if is_detail(members) {
            let message = "a row of the message trace detail report, no message trace";
            return Step::Nothing(Kind::MessageTraceDetail, message);
        }
        if is_error(members) {
            return Step::Nothing(Kind::ApiError, "an error answer of the API, no message trace");
        }
        self.by_wrapper_key(value, level).unwrap_or(Step::Unknown)
    }

    /// Rows 7 and 8, for an object that is no detail row and no error body.
    #[cold]
    fn by_wrapper_key(self, object: Value, level: u8) -> Option<Step<'k>> {
        let names: Vec<&str> = self.wrapper_keys.iter().map(String::as_str).chain(BASE64_KEYS).collect();
        let found = json::named(self.text, object, &names);
        let (wrapped, base64) = found.split_at_checked(self.wrapper_keys.len())?;
        for (key, value) in self.wrapper_keys.iter().zip(wrapped) {
            let Some(value) = value else { continue };
            match value.kind() {
                Type::Array => return Some(Step::Elements(*value)),
                Type::String if value.content(self.text).looks_like_json() => return Some(Step::Text(key, *value)),
                Type::Object if self.leads_on(*value, level + 1) => return Some(Step::Inner(*value)),
                Type::Object | Type::String | Type::Number | Type::Boolean | Type::Null => {}
            }
        }
        BASE64_KEYS.into_iter().zip(base64).find_map(|(key, value)| {
            value.filter(|value| value.kind() == Type::String).map(|value| Step::Base64(key, value))
        })
    }

    /// Whether an object at a level is one that the table has a name for. Never deeper than the levels that are left.
    fn leads_on(self, object: Value, level: u8) -> bool {
        if level > MAX_LEVELS {
            return false;
        }
        let Ok(members) = json::object(self.text, object) else { return false };
        Shape::of(&members).is_some()
            || is_detail(&members)
            || is_error(&members)
            || level < MAX_LEVELS && (by_fixed_key(&members).is_some() || self.by_wrapper_key(object, level).is_some())
    }
}

/// Rows 2 to 6.
#[inline]
fn by_fixed_key(members: &Members) -> Option<Step<'static>> {
    if let Some(array) = page(members) {
        return Some(Step::Elements(array));
    }
    if let Some((key, string)) = string(members) {
        return Some(Step::Text(key.name(), string));
    }
    let inner = |key| of_type(members, key, Type::Object).or_else(|| of_type(members, key, Type::Array));
    inner(Key::Message).or_else(|| inner(Key::Payload)).map(Step::Inner)
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

fn is_error(members: &Members) -> bool {
    let error = |key| of_type(members, key, Type::Object).is_some();
    error(Key::Error) || error(Key::ODataError) || members.has(Key::ErrorCode)
}

fn of_type(members: &Members, key: Key, kind: Type) -> Option<Value> {
    members.get(key).filter(|value| value.kind() == kind)
}
