//! What goes wrong, one example for each kind of rejection that does not depend on the broker.

use super::dice::Dice;
use super::mail::{Mail, Stage};
use super::{Limits, text};
use crate::normalize::Kind;

/// The key of a trace that is spoiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spoiled {
    Id,
    Received,
    Subject,
    Size,
}

const TRACES: [(Kind, Spoiled, &str); 22] = [
    (Kind::MissingField, Spoiled::Id, "null"),
    (Kind::MissingField, Spoiled::Id, "\"\""),
    (Kind::MissingField, Spoiled::Received, "null"),
    (Kind::MissingField, Spoiled::Received, "\"\""),
    (Kind::InvalidField, Spoiled::Id, "12"),
    (Kind::InvalidTimestamp, Spoiled::Received, "178000000000"),
    (Kind::InvalidField, Spoiled::Received, "true"),
    (Kind::InvalidField, Spoiled::Subject, "7"),
    (Kind::InvalidField, Spoiled::Subject, "{\"text\":\"\"}"),
    (Kind::InvalidField, Spoiled::Size, "-1"),
    (Kind::InvalidField, Spoiled::Size, "12.5"),
    (Kind::InvalidField, Spoiled::Size, "1e19"),
    (Kind::InvalidField, Spoiled::Size, "\"12 KB\""),
    (Kind::InvalidField, Spoiled::Size, "[]"),
    (Kind::InvalidTimestamp, Spoiled::Received, "\"yesterday\""),
    (Kind::InvalidTimestamp, Spoiled::Received, "\"28/05/2026 08:00\""),
    (Kind::InvalidTimestamp, Spoiled::Received, "\"2026-02-30T08:00:00Z\""),
    (Kind::InvalidTimestamp, Spoiled::Received, "\"2026-05-28T24:00:00Z\""),
    (Kind::InvalidTimestamp, Spoiled::Received, "\"2026-05-28T08:00:00 Europe/Paris\""),
    (Kind::InvalidTimestamp, Spoiled::Received, "\"1969-12-31T23:59:59Z\""),
    (Kind::InvalidTimestamp, Spoiled::Received, "\"/Date()/\""),
    (Kind::InvalidTimestamp, Spoiled::Received, "{\"DateTime\":\"Thursday\"}"),
];

const API_ERRORS: [&str; 3] = [
    "{\"error\":{\"code\":\"TooManyRequests\",\"message\":\"Slow down.\",\"innerError\":{\"request-id\":\"7\"}}}",
    "{\"odata.error\":{\"code\":\"\",\"message\":{\"lang\":\"en-US\",\"value\":\"The query timed out.\"}}}",
    "{\"ErrorCode\":\"AccessDenied\",\"Description\":\"The role is missing.\"}",
];

const STRANGERS: [&str; 9] = [
    "{\"resourceLogs\":[{\"scopeLogs\":[]}]}",
    "{\"TimeGenerated\":\"2026-05-28T08:00:00Z\",\"MessageTraceId_g\":\"5f0c6f0e-8a57-4d1e-9d4b-08de0c1a7b42\"}",
    "{\"specversion\":\"1.0\",\"type\":\"mail.trace\",\"source\":\"/collector\",\"id\":\"7\"}",
    "{\"heartbeat\":true,\"sequence\":118}",
    "{}",
    "42",
    "null",
    "true",
    "{\"level\":\"info\",\"event\":{\"kind\":\"metric\"},\"payload\":17}",
];

/// What begins like an encoding and is damaged: gzip and Zstandard that were cut short, Avro behind a schema id, half a unit of
/// UTF-16.
const NO_ENCODING: [&[u8]; 4] = [
    b"\x1f\x8b\x08\0\0\0\0\0\0\x03\xab\x56\xf2\x4d",
    b"\x28\xb5\x2f\xfd\x24\x37",
    b"\0\0\0\x01\xc8\x02\x06abc",
    b"\xff\xfe{\0}",
];

const NO_JSON: [&str; 8] = [
    "\"mail flow is healthy\"",
    "[\"@{MessageTraceId=1; Received=28/05/2026}\"",
    "collector restarted, 3 files left",
    "{'MessageTraceId':'1'}",
    "{\"MessageTraceId\":\"1\",}",
    "{\"MessageTraceId\":\"1\",\"Subject\":\"two\nlines\"}",
    "{\"message\":\"\"}",
    "{\"message\":\"collector restarted\",\"payload\":{}}",
];

/// A record that is rejected, whole.
pub fn record(dice: &mut Dice, mail: Mail, limits: Limits) -> (Option<Vec<u8>>, Kind) {
    // The two large ones are rare, or they would be most of the stream's bytes.
    let (text, kind) = match dice.below(160) {
        0 => (too_many(limits.max_traces), Kind::ExpandsTooFar),
        1 => match limits.max_payload_bytes {
            Some(bytes) => ("x".repeat(bytes + 1), Kind::PayloadTooLarge),
            None => (too_many(limits.max_traces), Kind::ExpandsTooFar),
        },
        2..10 => return (None, Kind::EmptyPayload),
        10..18 => (dice.pick(&["", " \r\n", "\u{feff}", "\u{feff}\t"]).to_owned(), Kind::EmptyPayload),
        18..28 => return (Some(latin_1(mail)), Kind::InvalidUtf8),
        28..33 => return (Some(dice.pick(&NO_ENCODING).to_vec()), Kind::InvalidEncoding),
        33..48 => (cut_off(dice, mail), Kind::InvalidJson),
        48..60 => (dice.pick(&NO_JSON).to_owned(), Kind::InvalidJson),
        60..64 => (two_in_one(mail), Kind::InvalidJson),
        64..78 => (dice.pick(&STRANGERS).to_owned(), Kind::UnknownShape),
        78..86 => (too_deep(dice), Kind::UnknownShape),
        86..100 => (dice.pick(&API_ERRORS).to_owned(), Kind::ApiError),
        _ => {
            let mut text = String::with_capacity(512);
            let kind = trace(dice, mail, &mut text);
            (text, kind)
        }
    };
    (Some(text.into_bytes()), kind)
}

/// A value that is rejected where a trace could stand: alone or among good ones in a page.
pub fn trace(dice: &mut Dice, mail: Mail, out: &mut String) -> Kind {
    if dice.one_in(5) {
        detail_row(dice, mail, out);
        return Kind::MessageTraceDetail;
    }
    let (kind, spoiled, json) = dice.pick(&TRACES);
    let keys = dice.pick(&[
        ["MessageTraceId", "Received", "SenderAddress", "Subject", "Size"],
        ["id", "receivedDateTime", "senderAddress", "subject", "size"],
    ]);
    let [id, received, sender, subject, size] = keys;
    let or = |key, good| if key == spoiled { json } else { good };
    for (open, key, value) in [
        ("{\"", id, or(Spoiled::Id, "\"5f0c6f0e-8a57-4d1e-9d4b-08de0c1a7b42\"")),
        (",\"", received, or(Spoiled::Received, "\"2026-05-28T08:00:00Z\"")),
        (",\"", sender, "\"tom.whitfield@blue-heron.example\""),
        (",\"", subject, or(Spoiled::Subject, "\"Minutes of the steering committee\"")),
        (",\"", size, or(Spoiled::Size, "48211")),
    ] {
        out.push_str(open);
        out.push_str(key);
        out.push_str("\":");
        out.push_str(value);
    }
    out.push('}');
    kind
}

/// A row of the detail report, sent to the wrong topic.
fn detail_row(dice: &mut Dice, mail: Mail, out: &mut String) {
    if dice.one_in(2) {
        out.push_str("{\"Organization\":\"pinecone.example\",\"MessageTraceId\":\"");
        text::guid(out, dice);
        out.push_str("\",\"Date\":\"");
        text::ticks(out, mail.received_ms);
        out.push_str(
            "\",\"Event\":\"RECEIVE\",\"Action\":\"\",\"Detail\":\"Received by a transport server.\",\"Data\":\"\"}",
        );
    } else {
        out.push_str("{\"id\":\"");
        text::guid(out, dice);
        out.push_str("\",\"dateTime\":\"");
        text::iso(out, mail.received_ms);
        out.push_str("Z\",\"event\":\"Send external\",\"action\":\"\",\"description\":\"Sent to the next hop.\"}");
    }
}

/// More values than one record may hold; none of them has to be a trace.
fn too_many(max_traces: usize) -> String {
    let mut text = String::with_capacity(2 * max_traces + 4);
    text.push('[');
    for _ in 0..max_traces {
        text.push_str("0,");
    }
    text.push_str("0]");
    text
}

/// Written with another character set than UTF-8.
fn latin_1(mail: Mail) -> Vec<u8> {
    let mut text = String::with_capacity(1024);
    mail.write(Stage::First, &mut text);
    let mut bytes = text.into_bytes();
    let end = bytes.len().saturating_sub(2);
    bytes.splice(end..end, *b"r\xe9sum\xe9");
    bytes
}

/// The producer's buffer was too short, either around the trace or around the record.
fn cut_off(dice: &mut Dice, mail: Mail) -> String {
    let mut text = String::with_capacity(1024);
    mail.write(Stage::First, &mut text);
    let quarter = text.len() / 4;
    text.truncate(text.floor_char_boundary(quarter + dice.below(2 * quarter as u64) as usize));
    if dice.one_in(2) {
        return text;
    }
    let mut wrapped = String::with_capacity(1024);
    wrapped.push_str("{\"message\":\"");
    text::escaped(&mut wrapped, &text);
    wrapped.push_str("\"}");
    wrapped
}

fn two_in_one(mail: Mail) -> String {
    let mut text = String::with_capacity(2048);
    mail.write(Stage::First, &mut text);
    mail.write(Stage::Final, &mut text);
    text
}

/// Wrapped more often than anybody does on purpose.
fn too_deep(dice: &mut Dice) -> String {
    let depth = dice.pick(&[5, 6, 12, 3000]);
    let (open, close) = dice.pick(&[("[", "]"), ("{\"message\":", "}"), ("{\"value\":[", "]}")]);
    format!("{}{{\"MessageTraceId\":\"1\"}}{}", open.repeat(depth), close.repeat(depth))
}
