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

const SDK: Keys = Keys {
    id: "Id",
    received: "ReceivedDateTime",
    organization: None,
    message_id: "MessageId",
    sender: "SenderAddress",
    recipient: "RecipientAddress",
    subject: "Subject",
    status: "Status",
    to_ip: "ToIP",
    from_ip: "FromIP",
    size: "Size",
};

/// What the SDK's numbers stand for, from 1 on.
const SDK_STATUSES: [&str; 7] =
    ["gettingStatus", "pending", "failed", "delivered", "expanded", "quarantined", "filteredAsSpam"];

pub fn is_detail_row(tree: &Tree, node: Id) -> bool {
    let has = |key| tree.has(node, key);
    has("Event") && has("Detail") && !has("Received") || has("event") && has("dateTime") && !has("receivedDateTime")
}

/// The keys of the shape that a trace has; `None` when the value is no trace.
fn shape(tree: &Tree, node: Id) -> Option<&'static Keys> {
    let has = |key| tree.has(node, key);
    if is_detail_row(tree, node) {
        None
    } else if has("MessageTraceId") {
        Some(&REPORTING)
    } else if has("id") && (has("receivedDateTime") || has("senderAddress") || has("recipientAddress")) {
        Some(&GRAPH)
    } else if has("Id") && (has("ReceivedDateTime") || has("SenderAddress") || has("RecipientAddress")) {
        Some(&SDK)
    } else {
        None
    }
}

pub fn is_trace(tree: &Tree, node: Id) -> bool {
    shape(tree, node).is_some()
}

/// `None` when the value is no trace; otherwise the trace or what is wrong with it.
pub fn read(tree: &Tree, node: Id) -> Option<Result<Trace, Blame<'static>>> {
    shape(tree, node).map(|keys| fields(tree, node, keys))
}

fn fields(tree: &Tree, node: Id, keys: &Keys) -> Result<Trace, Blame<'static>> {
    let text = |key| -> Result<Option<String>, Blame<'static>> {
        let Some(id) = tree.get(node, key) else { return Ok(None) };
        if *tree.value(id) == Value::Null {
            return Ok(None);
        }
        let text = string(tree, id).ok_or(("invalid_field", key))?;
        Ok((!text.is_empty()).then(|| text.to_owned()))
    };
    // The order of these lines is the order in which problems are found.
    Ok(Trace {
        id: text(keys.id)?.ok_or(("missing_field", keys.id))?,
        received_us: received(tree, tree.get(node, keys.received), keys.received)?,
        organization: keys.organization.map_or(Ok(None), text)?,
        message_id: text(keys.message_id)?,
        sender: text(keys.sender)?,
        recipient: text(keys.recipient)?,
        subject: text(keys.subject)?,
        status: match tree.get(node, keys.status).filter(|id| *tree.value(*id) == Value::Number) {
            Some(number) if keys.id == SDK.id => {
                Some(sdk_status(tree, number).ok_or(("invalid_field", keys.status))?.to_owned())
            }
            _ => text(keys.status)?,
        },
        to_ip: text(keys.to_ip)?,
        from_ip: text(keys.from_ip)?,
        size: match tree.get(node, keys.size).filter(|id| *tree.value(*id) == Value::Number) {
            Some(number) => Some(whole_number(tree.verbatim(number)).ok_or(("invalid_field", keys.size))?),
            None => text(keys.size)?
                .map(|digits| {
                    let are_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
                    digits.parse().ok().filter(|_| are_digits).ok_or(("invalid_field", keys.size))
                })
                .transpose()?,
        },
    })
}

/// A string, or the one that PowerShell put into an object.
fn string<'a>(tree: &'a Tree, id: Id) -> Option<&'a str> {
    tree.string(id).or_else(|| tree.string(tree.get(id, "value")?))
}

fn received(tree: &Tree, value: Option<Id>, key: &'static str) -> Result<i64, Blame<'static>> {
    let missing = Err(("missing_field", key));
    let Some(value) = value else { return missing };
    let instant = |id: Id| match tree.value(id) {
        Value::String(text) => time::read(text),
        Value::Number => time::read_number(tree.verbatim(id)),
        Value::Null | Value::Bool | Value::Array(_) | Value::Object(_) => None,
    };
    let instant = match tree.value(value) {
        Value::Null => return missing,
        Value::String(text) if text.is_empty() => return missing,
        Value::Bool | Value::Array(_) => return Err(("invalid_field", key)),
        // PowerShell 5 wraps a time in an object.
        Value::Object(_) => tree.get(value, "value").and_then(instant),
        Value::String(_) | Value::Number => instant(value),
    };
    instant.ok_or(("invalid_timestamp", key))
}

fn sdk_status(tree: &Tree, number: Id) -> Option<&'static str> {
    let number = whole_number(tree.verbatim(number))?;
    SDK_STATUSES.get(usize::try_from(number).ok()?.checked_sub(1)?).copied()
}

/// From 0 to 2^63 - 1, in any notation.
fn whole_number(number: &str) -> Option<i64> {
    if number.contains(['.', 'e', 'E']) {
        let number: f64 = number.parse().ok()?;
        // 2^63 is the first double past the range; the cast is exact below it.
        (number.fract() == 0.0 && (0.0..9_223_372_036_854_775_808.0).contains(&number)).then_some(number as i64)
    } else {
        number.parse().ok().filter(|number| *number >= 0)
    }
}
