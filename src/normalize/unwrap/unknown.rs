//! What a value is that cannot be understood, for the person who runs the collector: what to change there.

use super::super::json::{Flaw, Type, Value};
use super::super::{Kind, Rejection, json};
use super::MAX_LEVELS;

/// The first of these keys that an object has tells what it is.
const SHAPES: [(&str, &str); 15] = [
    ("resourceLogs", "an OTLP export; let the exporter write raw bodies (in the Collector: encoding raw)"),
    ("MessageTraceId_g", "a row of a Log Analytics table; send what was collected, before it goes into the table"),
    ("MessageTraceId_s", "a row of a Log Analytics table; send what was collected, before it goes into the table"),
    ("network_message_id", "a row of a historical search; collect message traces instead"),
    ("origin_timestamp_utc", "a row of a historical search; collect message traces instead"),
    ("recipients", "a message with its many recipients; send a trace for each recipient"),
    ("schema", "a Connect envelope without a document; set schemas.enable=false or send the document as its payload"),
    ("specversion", "a CloudEvent without a document; send the trace as its data"),
    ("records", "an object whose records is no array, no document and no trace"),
    ("value", "an object whose value is no array, no document and no trace"),
    ("data", "an object whose data is no array, no document and no trace"),
    ("body", "an object whose body is no array, no document and no trace"),
    ("message", "an object whose message is no string, no document and no trace"),
    ("payload", "an object whose payload is no string, no document and no trace"),
    ("event", "an object whose event is no document and no trace"),
];

/// A value that matches no row.
#[cold]
pub(super) fn shape(text: &[u8], value: Value) -> Rejection {
    match blamed(text, value) {
        Some((key, what)) => {
            Rejection::new(Kind::UnknownShape, format!("{what} (it has the key `{key}`)")).blaming(key)
        }
        None if value.kind() == Type::Object => {
            let message = "an object that is neither a trace nor a known wrapper of one; if it wraps one under a key of its own, \
                           set input.wrapper_keys";
            Rejection::new(Kind::UnknownShape, message)
        }
        None => Rejection::new(Kind::UnknownShape, "neither an object nor an array"),
    }
}

/// A value that would need one level more than there are: it is the wrapping that is to blame, and no key.
#[cold]
pub(super) fn too_deep() -> Rejection {
    Rejection::new(Kind::UnknownShape, format!("no trace within {MAX_LEVELS} levels of wrapping"))
}

fn blamed(text: &[u8], value: Value) -> Option<(&'static str, &'static str)> {
    if value.kind() != Type::Object {
        return None;
    }
    let found = json::named(text, value, &SHAPES.map(|(key, _)| key));
    SHAPES.into_iter().zip(found).find_map(|(shape, value)| value.map(|_| shape))
}

/// What to change when a text is no JSON, where more can be said than what was expected.
pub(super) fn flaw(text: &[u8], flaw: Flaw) -> Option<&'static str> {
    if text.starts_with(b"@{") {
        return Some("PowerShell's text for an object that was cut; raise -Depth of ConvertTo-Json");
    }
    let begins = matches!(text.get(flaw.at), Some(b'{' | b'[' | b'"'));
    (begins && flaw.expected == json::NOTHING_MORE)
        .then_some("a second JSON text begins here; write one a record, or one a line, or all in an array")
}
