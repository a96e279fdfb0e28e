//! The headers that are ours: the only place where they are spelled.
//!
//! A closed list, not a prefix: somebody else's `dlq.note` is none of our business. The header sets of other tools, read
//! and written beside ours, stand in `dialect.rs`.

use crate::record::Header;

pub const KIND: &str = "dlq.error.kind";
pub const MESSAGE: &str = "dlq.error.message";
pub const FINGERPRINT: &str = "dlq.error.fingerprint";
pub const TOPIC: &str = "dlq.source.topic";
pub const PARTITION: &str = "dlq.source.partition";
pub const OFFSET: &str = "dlq.source.offset";
pub const INDEX: &str = "dlq.source.index";
pub const TIMESTAMP: &str = "dlq.source.timestamp";
pub const GROUP: &str = "dlq.consumer.group";
pub const PROCESSOR: &str = "dlq.processor";
pub const FAILED_AT: &str = "dlq.failed.at";
pub const ATTEMPTS: &str = "dlq.attempts";
pub const REPLAYED_FROM: &str = "dlq.replayed.from";
pub const REPAIRED: &str = "dlq.repaired";
pub const FIT: &str = "dlq.fit";
pub const VALUE_BYTES: &str = "dlq.value.bytes";
pub const VALUE_SHA256: &str = "dlq.value.sha256";
pub const KEY_BYTES: &str = "dlq.key.bytes";

/// Ours on a dead letter, in the order in which they are written.
pub const OURS: [&str; 18] = [
    KIND,
    MESSAGE,
    FINGERPRINT,
    TOPIC,
    PARTITION,
    OFFSET,
    INDEX,
    TIMESTAMP,
    GROUP,
    PROCESSOR,
    FAILED_AT,
    ATTEMPTS,
    REPLAYED_FROM,
    REPAIRED,
    FIT,
    VALUE_BYTES,
    VALUE_SHA256,
    KEY_BYTES,
];

/// Ours on an event: `topic/partition/offset`, with `/index` for a trace out of a page.
pub const EVENT_SOURCE: &str = "messagetrace.source";

/// What an event says it comes from: the last header of the name is ours.
pub fn event_source<'a>(headers: &[Header<'a>]) -> Option<&'a str> {
    let header = headers.iter().rfind(|header| header.name == EVENT_SOURCE.as_bytes())?;
    std::str::from_utf8(header.value?).ok()
}

/// Whether a header that came in is replaced on a dead letter. [`EVENT_SOURCE`] is not: a dead letter keeps it as it came.
pub fn is_ours(name: &[u8]) -> bool {
    place_of(name).is_some()
}

/// Where a name stands among [`OURS`].
pub fn place_of(name: &[u8]) -> Option<usize> {
    // Asked for every header of every record; nearly all fail at the first bytes.
    if !name.starts_with(b"dlq.") {
        return None;
    }
    OURS.iter().position(|ours| ours.as_bytes() == name)
}

/// As [`place_of`], of a name that is one of ours, while the program is built.
pub const fn place(name: &str) -> usize {
    let mut place = 0;
    while !is_same(OURS[place].as_bytes(), name.as_bytes()) {
        place += 1;
    }
    place
}

const fn is_same(one: &[u8], other: &[u8]) -> bool {
    let mut at = 0;
    while at < one.len() && at < other.len() && one[at] == other[at] {
        at += 1;
    }
    at == one.len() && at == other.len()
}

/// Whether a header that came in is left out of the events made from its record.
pub fn is_dropped_from_events(name: &[u8]) -> bool {
    name == EVENT_SOURCE.as_bytes() || is_ours(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_closed_and_the_event_source_stays_on_a_dead_letter() {
        let cases: [(&[u8], bool, bool); 8] = [
            (b"dlq.error.kind", true, true),
            (b"dlq.key.bytes", true, true),
            (b"messagetrace.source", false, true),
            (b"dlq.note", false, false),
            (b"dlq.error.kind ", false, false),
            (b"DLQ.error.kind", false, false),
            (b"dlq.error.kin\xff", false, false),
            (b"", false, false),
        ];
        for (name, ours, dropped) in cases {
            assert_eq!(is_ours(name), ours, "{}", name.escape_ascii());
            assert_eq!(is_dropped_from_events(name), dropped, "{}", name.escape_ascii());
        }
        assert!(OURS.iter().all(|name| is_ours(name.as_bytes())));
    }
}
