//! What a trace is, and its typed fields. Section 3.

use super::json::{Id, Tree, Value};
use super::{Blame, time};

/// The trace's fields; an absent one is `None`.
#[derive(Debug)]
pub struct Trace {
    pub id: String,
    pub received_us: i64,
    pub organization: Option<String>,
    pub message_id: Option<String>,
    pub sender: Option<String>,
    pub recipient: Option<String>,
    pub subject: Option<String>,
    pub status: Option<String>,
    pub to_ip: Option<String>,
    pub from_ip: Option<String>,
    pub size: Option<i64>,
}

/// The key of each field, in the order in which they are looked at.
struct Keys {
    id: &'static str,
    received: &'static str,
    organization: Option<&'static str>,
    message_id: &'static str,
    sender: &'static str,
    recipient: &'static str,
    subject: &'static str,
    status: &'static str,
    to_ip: &'static str,
    from_ip: &'static str,
    size: &'static str,
}

const REPORTING: Keys = Keys {
    id: "MessageTraceId",
    received: "Received",
    organization: Some("Organization"),
    message_id: "MessageId",
    sender: "SenderAddress",
    recipient: "RecipientAddress",
    subject: "Subject",
    status: "Status",
    to_ip: "ToIP",
    from_ip: "FromIP",
    size: "Size",
};

const GRAPH: Keys = Keys {
    id: "id",
    received: "receivedDateTime",
    organization: None,
    message_id: "messageId",
    sender: "senderAddress",
    recipient: "recipientAddress",
    subject: "subject",
    status: "status",
    to_ip: "toIP",
    from_ip: "fromIP",
    size: "size",
};

pub fn is_detail_row(tree: &Tree, node: Id) -> bool {
    let has = |key| tree.has(node, key);
    has("Event") && has("Detail") && !has("Received") || has("event") && has("dateTime") && !has("receivedDateTime")
}

/// `None` when the value is no trace; otherwise the trace or what is wrong with it.
pub fn read(tree: &Tree, node: Id) -> Option<Result<Trace, Blame>> {
    let has = |key| tree.has(node, key);
    if is_detail_row(tree, node) {
        None
    } else if has("MessageTraceId") {
        Some(fields(tree, node, &REPORTING))
    } else if has("id") && (has("receivedDateTime") || has("senderAddress") || has("recipientAddress")) {
        Some(fields(tree, node, &GRAPH))
    } else {
        None
    }
}

fn fields(tree: &Tree, node: Id, keys: &Keys) -> Result<Trace, Blame> {
    let field = |key| present(tree, node, key);
    let text = |key| {
        let Some(id) = field(key) else { return Ok(None) };
        tree.string(id).map(|text| Some(text.to_owned())).ok_or(("invalid_field", key))
    };
    // The order of these lines is the order in which problems are found.
    Ok(Trace {
        id: text(keys.id)?.ok_or(("missing_field", keys.id))?,
        received_us: received(tree, field(keys.received), keys.received)?,
        organization: keys.organization.map_or(Ok(None), text)?,
        message_id: text(keys.message_id)?,
        sender: text(keys.sender)?,
        recipient: text(keys.recipient)?,
        subject: text(keys.subject)?,
        status: text(keys.status)?,
        to_ip: text(keys.to_ip)?,
        from_ip: text(keys.from_ip)?,
        size: field(keys.size).map(|id| size(tree, id).ok_or(("invalid_field", keys.size))).transpose()?,
    })
}

/// A missing key, `null` and `""` all mean absent.
fn present(tree: &Tree, node: Id, key: &str) -> Option<Id> {
    tree.get(node, key).filter(|id| match tree.value(*id) {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        _ => true,
    })
}

fn received(tree: &Tree, value: Option<Id>, key: &'static str) -> Result<i64, Blame> {
    let value = value.ok_or(("missing_field", key))?;
    let text = match tree.value(value) {
        Value::String(text) => Some(text.as_str()),
        // PowerShell 5 wraps a time in an object.
        Value::Object(_) => tree.get(value, "value").and_then(|inner| tree.string(inner)),
        _ => return Err(("invalid_field", key)),
    };
    text.and_then(time::read).ok_or(("invalid_timestamp", key))
}

fn size(tree: &Tree, id: Id) -> Option<i64> {
    match tree.value(id) {
        Value::String(digits) => digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?,
        Value::Number if tree.verbatim(id).contains(['.', 'e', 'E']) => {
            let number: f64 = tree.verbatim(id).parse().ok()?;
            // 2^63 is the first double past the range; the cast is exact below it.
            (number.fract() == 0.0 && (0.0..9_223_372_036_854_775_808.0).contains(&number)).then_some(number as i64)
        }
        Value::Number => tree.verbatim(id).parse().ok().filter(|number| *number >= 0),
        _ => None,
    }
}
