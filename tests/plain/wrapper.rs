//! What a value that is no trace stands for, and why it is rejected when it stands for nothing. Section 2, rules 5 and 6.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD;

use super::json::{Id, Tree, Value};
use super::{BYTE_ORDER_MARK, Blame, WHITE_SPACE, Wrapper, is_container, trace};

/// The first row that matches. `levels` may still be taken off, the value's own among them.
pub fn find(tree: &Tree, node: Id, levels: usize, wrapper_keys: &[String]) -> Option<Wrapper> {
    if let Value::String(content) = tree.value(node) {
        return Some(Wrapper::Text(String::new(), content.clone()));
    }
    if let Some(elements) = tree.array(node) {
        return Some(Wrapper::Elements(elements.to_vec()));
    }
    in_object(tree, node).or_else(|| by_chosen_key(tree, node, levels, wrapper_keys)).or_else(|| in_base64(tree, node))
}

/// Rows 2 to 6.
fn in_object(tree: &Tree, node: Id) -> Option<Wrapper> {
    let get = |key| tree.get(node, key);
    let array = |id: Option<Id>| id.and_then(|id| tree.array(id));
    let string = |id: Option<Id>| id.and_then(|id| tree.string(id));

    let elements = array(get("d"))
        .or_else(|| array(get("d").and_then(|d| tree.get(d, "results"))))
        .or_else(|| array(get("results")))
        .or_else(|| array(get("value")))
        .or_else(|| array(get("records")));
    if let Some(elements) = elements {
        return Some(Wrapper::Elements(elements.to_vec()));
    }
    let strings = [
        ("message", get("message")),
        ("event.original", get("event.original")),
        ("event.original", get("event").and_then(|event| tree.get(event, "original"))),
        ("payload", get("payload")),
    ];
    if let Some((key, content)) = strings.into_iter().find_map(|(key, id)| Some((key, string(id)?))) {
        return Some(Wrapper::Text(key.to_owned(), content.to_owned()));
    }
    ["message", "payload"].into_iter().find_map(|key| get(key).filter(|id| is_container(tree, *id))).map(Wrapper::Value)
}

/// Row 7.
fn by_chosen_key(tree: &Tree, node: Id, levels: usize, wrapper_keys: &[String]) -> Option<Wrapper> {
    if trace::is_detail_row(tree, node) || is_error_body(tree, node) {
        return None;
    }
    wrapper_keys.iter().find_map(|key| {
        let id = tree.get(node, key)?;
        match tree.value(id) {
            Value::Array(elements) => Some(Wrapper::Elements(elements.clone())),
            Value::String(content) => {
                let text = content.strip_prefix(BYTE_ORDER_MARK).unwrap_or(content);
                let looks_like_json = text.trim_start_matches(WHITE_SPACE).starts_with(['{', '[']);
                looks_like_json.then(|| Wrapper::Text(key.clone(), content.clone()))
            }
            Value::Object(_) => {
                // One level is for this wrapper.
                let leads_on = levels > 0 && leads_on(tree, id, levels - 1, wrapper_keys);
                leads_on.then_some(Wrapper::Value(id))
            }
            Value::Null | Value::Bool | Value::Number => None,
        }
    })
}

/// Whether an object is something, or a wrapper that may still be taken off.
fn leads_on(tree: &Tree, node: Id, levels: usize, wrapper_keys: &[String]) -> bool {
    trace::is_trace(tree, node)
        || trace::is_detail_row(tree, node)
        || is_error_body(tree, node)
        || levels > 0 && find(tree, node, levels, wrapper_keys).is_some()
}

/// Row 8.
fn in_base64(tree: &Tree, node: Id) -> Option<Wrapper> {
    if trace::is_detail_row(tree, node) || is_error_body(tree, node) {
        return None;
    }
    ["$content", "data_base64"].into_iter().find_map(|key| {
        let content = tree.get(node, key).and_then(|id| tree.string(id))?;
        Some(Wrapper::Base64(key.to_owned(), content.to_owned()))
    })
}

/// `None` when it is no Base64 or no text.
pub fn from_base64(content: &str) -> Option<String> {
    let content = content.replace(WHITE_SPACE, "");
    let digits = content.trim_end_matches('=');
    // Groups of four; what is missing of the last one may be filled, wholly or in part.
    let padding = (4 - digits.len() % 4) % 4;
    if content.len() - digits.len() > padding {
        return None;
    }
    String::from_utf8(BASE64_STANDARD_NO_PAD.decode(digits).ok()?).ok()
}

/// By the keys that an object has, in this order, an `unknown_shape` is told from another.
const TELLING_KEYS: [&str; 15] = [
    "resourceLogs",
    "MessageTraceId_g",
    "MessageTraceId_s",
    "network_message_id",
    "origin_timestamp_utc",
    "recipients",
    "schema",
    "specversion",
    "records",
    "value",
    "data",
    "body",
    "message",
    "payload",
    "event",
];

/// Why a value that is neither trace nor wrapper is rejected.
pub fn what_else(tree: &Tree, node: Id) -> Blame<'static> {
    if trace::is_detail_row(tree, node) {
        ("message_trace_detail", "")
    } else if is_error_body(tree, node) {
        ("api_error", "")
    } else {
        ("unknown_shape", TELLING_KEYS.into_iter().find(|key| tree.has(node, key)).unwrap_or_default())
    }
}

fn is_error_body(tree: &Tree, node: Id) -> bool {
    let is_object = |key| tree.get(node, key).is_some_and(|id| tree.is_object(id));
    is_object("error") || is_object("odata.error") || tree.has(node, "ErrorCode")
}
