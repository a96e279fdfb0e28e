//! What stands in a dead letter. How it is made to fit and whether it comes back from the wire have files of their own.

mod both_ways;
mod ladder;

use super::*;
use crate::normalize::{Kind, Rejection};
use crate::record::Coordinates;

const SOURCE: Coordinates<'_> = Coordinates { topic: "mail.raw", partition: 7, offset: 1_234_567 };
const NO_LIMIT: usize = usize::MAX;

fn header<'a>(name: &'a str, value: &'a str) -> Header<'a> {
    Header { name: name.as_bytes(), value: Some(value.as_bytes()) }
}

fn rejection(message: &str) -> Rejection {
    Rejection { kind: Kind::MissingField, message: message.to_owned(), key: "Received", position: None }
}

fn rejected<'a>(rejection: &'a Rejection, value: Option<&'a [u8]>, headers: &'a [Header<'a>]) -> Rejected<'a> {
    Rejected { source: SOURCE, index: None, timestamp_ms: None, key: Some(b"the key"), value, headers, rejection }
}

fn stamp(limit_bytes: usize) -> Stamp<'static> {
    Stamp { group: "siem", processor: "messagetrace-ecs/0.1.0 sekoia", failed_at_ms: 1_662_401_413_007, limit_bytes }
}

fn printed(letter: &DeadLetter<'_>) -> Vec<String> {
    let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
    letter
        .headers()
        .map(|header| format!("{}={}", text(header.name), header.value.map_or("null".into(), text)))
        .collect()
}

fn value_of(letter: &DeadLetter<'_>, name: &str) -> Option<String> {
    let header = letter.headers().find(|header| header.name == name.as_bytes())?;
    Some(String::from_utf8(header.value?.to_vec()).unwrap())
}

#[test]
fn a_dead_letter_is_the_record_with_our_headers_behind_its_own() {
    let headers = [
        header("traceparent", "00-1"),
        Header { name: b"\xff", value: None },
        header("messagetrace.source", "elsewhere/0/1"),
        Header { name: b"traceparent", value: Some(b"\xfe") },
    ];
    let rejection = rejection("Received is missing");
    let page = Rejected { index: Some(12), timestamp_ms: Some(0), ..rejected(&rejection, Some(b"{}"), &headers) };
    let letter = encode(&page, &stamp(NO_LIMIT));
    assert_eq!((letter.key, letter.value, letter.timestamp_ms), (page.key, page.value, 1_662_401_413_007));
    assert_eq!(
        printed(&letter),
        [
            "traceparent=00-1",
            "\\xff=null",
            "messagetrace.source=elsewhere/0/1",
            "traceparent=\\xfe",
            "dlq.error.kind=missing_field",
            "dlq.error.message=Received is missing",
            &format!("dlq.error.fingerprint={}", rejection.fingerprint()),
            "dlq.source.topic=mail.raw",
            "dlq.source.partition=7",
            "dlq.source.offset=1234567",
            "dlq.source.index=12",
            "dlq.source.timestamp=1970-01-01T00:00:00.000Z",
            "dlq.consumer.group=siem",
            "dlq.processor=messagetrace-ecs/0.1.0 sekoia",
            "dlq.failed.at=2022-09-05T18:10:13.007Z",
            "dlq.attempts=1",
        ]
    );
}

#[test]
fn a_tombstone_stays_a_tombstone() {
    let rejection = rejection("");
    let letter = encode(&Rejected { key: None, ..rejected(&rejection, None, &[]) }, &stamp(NO_LIMIT));
    assert_eq!((letter.key, letter.value), (None, None));
}

#[test]
fn only_a_printable_original_time_is_written() {
    let cases = [
        (None, None),
        (Some(-1), None),
        (Some(1_658_751_973_240), Some("2022-07-25T12:26:13.240Z")),
        (Some(253_402_300_799_999), Some("9999-12-31T23:59:59.999Z")),
        (Some(253_402_300_800_000), None),
        (Some(i64::MIN), None),
        (Some(i64::MAX), None),
    ];
    let rejection = rejection("");
    for (timestamp_ms, expected) in cases {
        let letter = encode(&Rejected { timestamp_ms, ..rejected(&rejection, None, &[]) }, &stamp(NO_LIMIT));
        assert_eq!(value_of(&letter, "dlq.source.timestamp").as_deref(), expected, "{timestamp_ms:?}");
    }
}

#[test]
fn what_an_earlier_failure_wrote_is_replaced_and_its_attempts_are_counted() {
    let text = |value| Header { name: b"dlq.attempts", value };
    let cases: [(&[Header<'_>], &str); 9] = [
        (&[], "1"),
        (&[text(Some(b"1"))], "2"),
        (&[text(Some(b"7")), text(Some(b"2"))], "3"),
        (&[text(Some(b"2")), text(Some(b"two"))], "1"),
        (&[text(Some(b"2")), text(None)], "1"),
        (&[text(Some(b"\xff"))], "1"),
        (&[text(Some(b"-1"))], "1"),
        (&[text(Some(b""))], "1"),
        (&[text(Some(b"18446744073709551615"))], "18446744073709551615"),
    ];
    let rejection = rejection("");
    for (headers, expected) in cases {
        let letter = encode(&rejected(&rejection, None, headers), &stamp(NO_LIMIT));
        let written: Vec<_> = printed(&letter).into_iter().filter(|line| line.starts_with("dlq.attempts=")).collect();
        assert_eq!(written, [format!("dlq.attempts={expected}")], "{headers:?}");
    }
}

#[test]
fn the_letter_that_was_replayed_stays_named_but_only_as_coordinates() {
    let long = format!("{}/0/1", "t".repeat(1000));
    let cases = [
        ("mail.dlq/0/99", Some("mail.dlq/0/99")),
        ("mail.dlq/00/099", Some("mail.dlq/0/99")),
        ("mail.dlq/0", None),
        ("", None),
        (&long, None),
    ];
    let rejection = rejection("");
    for (came, expected) in cases {
        let headers = [header("dlq.replayed.from", came), header("dlq.fit", "value_truncated")];
        let letter = encode(&rejected(&rejection, None, &headers), &stamp(NO_LIMIT));
        assert_eq!(value_of(&letter, "dlq.replayed.from").as_deref(), expected, "{came}");
        assert_eq!(value_of(&letter, "dlq.fit"), None);
    }
}

#[test]
fn a_message_is_one_line_of_bounded_length() {
    let cases = [
        ("a\r\nb\tc\u{2028}d\u{0}".to_owned(), "a  b c d ".to_owned()),
        ("x".repeat(513), "x".repeat(512)),
        (format!("{}é", "x".repeat(511)), "x".repeat(511)),
        (format!("{}é", "x".repeat(510)), format!("{}é", "x".repeat(510))),
    ];
    for (message, expected) in cases {
        let rejection = rejection(&message);
        let letter = encode(&rejected(&rejection, None, &[]), &stamp(NO_LIMIT));
        assert_eq!(value_of(&letter, "dlq.error.message"), Some(expected));
    }
}
