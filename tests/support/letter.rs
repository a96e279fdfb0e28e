//! The headers of an event and of a dead letter, as the contract lists them.

use chrono::{DateTime, SecondsFormat};
use sha2::{Digest, Sha256};

use super::driver::Sent;
use super::oracle::{Source, Trial};
use super::raw::Headers;

pub const SOURCE: &str = "messagetrace.source";

/// Everything that a dead letter may carry of ours; never seen on an event.
pub const CLOSED_LIST: [&str; 18] = [
    "dlq.error.kind",
    "dlq.error.message",
    "dlq.error.fingerprint",
    "dlq.source.topic",
    "dlq.source.partition",
    "dlq.source.offset",
    "dlq.source.index",
    "dlq.source.timestamp",
    "dlq.consumer.group",
    "dlq.processor",
    "dlq.failed.at",
    "dlq.attempts",
    "dlq.replayed.from",
    "dlq.repaired",
    "dlq.fit",
    "dlq.value.bytes",
    "dlq.value.sha256",
    "dlq.key.bytes",
];

/// An event's headers, all of them.
pub fn event_headers(sent: &Sent, source: &Source, trial: &Trial) -> Headers {
    let mut headers = foreign(&sent.record.headers);
    headers.retain(|(name, _)| name != SOURCE.as_bytes());
    headers.push(header(SOURCE, &source.path(&trial.input)));
    headers
}

/// What came in and is not of the closed list, in order.
pub fn foreign(headers: &Headers) -> Headers {
    let own = |name: &[u8]| CLOSED_LIST.iter().any(|own| own.as_bytes() == name);
    headers.iter().filter(|(name, _)| !own(name)).cloned().collect()
}

/// Our headers on a dead letter, apart from the message and the time, which only have a form.
pub fn own_headers(sent: &Sent, source: &Source, kind: &str, key: &str, trial: &Trial) -> Headers {
    let mut headers = vec![
        header("dlq.error.kind", kind),
        header("dlq.error.fingerprint", &fingerprint(kind, key)),
        header("dlq.source.topic", &trial.input),
        header("dlq.source.partition", &source.partition.to_string()),
        header("dlq.source.offset", &source.offset.to_string()),
        header("dlq.source.timestamp", &rfc3339(sent.record.timestamp_ms)),
        header("dlq.consumer.group", &trial.group),
        header("dlq.processor", concat!("messagetrace-ecs/", env!("CARGO_PKG_VERSION"), " sekoia")),
        header("dlq.attempts", &attempts(&sent.record.headers).to_string()),
    ];
    if let Some(index) = source.index {
        headers.push(header("dlq.source.index", &index.to_string()));
    }
    if let Some(from) = last(&sent.record.headers, "dlq.replayed.from") {
        headers.push(header("dlq.replayed.from", from));
    }
    headers
}

/// The last value of a name, when it is text.
pub fn last<'h>(headers: &'h Headers, name: &str) -> Option<&'h str> {
    let found = headers.iter().rev().find(|(found, _)| found == name.as_bytes())?;
    str::from_utf8(found.1.as_deref()?).ok()
}

pub fn header(name: &str, value: &str) -> (Vec<u8>, Option<Vec<u8>>) {
    (name.as_bytes().to_vec(), Some(value.as_bytes().to_vec()))
}

pub fn rfc3339(millis: i64) -> String {
    let time = DateTime::from_timestamp_millis(millis).expect("a time of this century");
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// One more than came in; what cannot be read counts as none.
fn attempts(headers: &Headers) -> u32 {
    last(headers, "dlq.attempts").and_then(|text| text.parse().ok()).unwrap_or(0) + 1
}

fn fingerprint(kind: &str, key: &str) -> String {
    let hash = Sha256::digest([kind.as_bytes(), b"\0", key.as_bytes()].concat());
    hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
