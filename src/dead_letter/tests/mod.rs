//! What stands in a dead letter. How it is made to fit and whether it comes back from the wire have files of their own.

mod both_ways;
mod ladder;
mod tools;
mod written;

use super::*;
use crate::normalize::{Kind, Rejection};
use crate::record::Coordinates;

const SOURCE: Coordinates<'_> = Coordinates { topic: "mail.raw", partition: 7, offset: 1_234_567 };
const NO_LIMIT: usize = usize::MAX;

fn header<'a>(name: &'a str, value: &'a str) -> Header<'a> {
    Header { name: name.as_bytes(), value: Some(value.as_bytes()) }
}

fn rejection(message: &str) -> Rejection {
    Rejection { kind: Kind::MissingField, message: message.to_owned(), key: "Received".into(), position: None }
}

fn rejected<'a>(rejection: &'a Rejection, value: Option<&'a [u8]>, headers: &'a [Header<'a>]) -> Rejected<'a> {
    Rejected { source: SOURCE, index: None, timestamp_ms: None, key: Some(b"the key"), value, headers, rejection }
}

fn stamp(limit_bytes: usize) -> Stamp<'static> {
    Stamp {
        group: "siem",
        processor: "messagetrace-ecs/0.1.0 sekoia",
        failed_at_ms: 1_662_401_413_007,
        limit_bytes,
        dialect: None,
    }
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

/// A rejection in the words of each tool, bit for bit.
#[test]
fn a_dialect_stands_behind_our_headers_in_its_own_words() {
    let cases: [(Dialect, &[&str]); 4] = [
        (
            Dialect::Connect,
            &[
                "__connect.errors.topic=mail.raw",
                "__connect.errors.partition=7",
                "__connect.errors.offset=1234567",
                "__connect.errors.exception.class.name=missing_field",
                "__connect.errors.exception.message=why",
                "__connect.errors.connector.name=siem",
            ],
        ),
        (
            Dialect::Streams,
            &[
                "__streams.errors.topic=mail.raw",
                "__streams.errors.partition=7",
                "__streams.errors.offset=1234567",
                "__streams.errors.exception=missing_field",
                "__streams.errors.message=why",
            ],
        ),
        (
            Dialect::Spring,
            &[
                "kafka_dlt-original-topic=mail.raw",
                "kafka_dlt-original-partition=\\x00\\x00\\x00\\x07",
                "kafka_dlt-original-offset=\\x00\\x00\\x00\\x00\\x00\\x12\\xd6\\x87",
                "kafka_dlt-exception-cause-fqcn=missing_field",
                "kafka_dlt-exception-fqcn=missing_field",
                "kafka_dlt-exception-message=why",
                "kafka_dlt-original-consumer-group=siem",
                "kafka_dlt-original-timestamp=\\x00\\x00\\x01\\x825R4\\x88",
            ],
        ),
        (
            Dialect::Kip1191,
            &[
                "__dlq.errors.topic=mail.raw",
                "__dlq.errors.partition=7",
                "__dlq.errors.offset=1234567",
                "__dlq.errors.message=why",
                "__dlq.errors.group=siem",
                "__dlq.errors.delivery.count=1",
            ],
        ),
    ];
    let rejection = rejection("why");
    for (dialect, expected) in cases {
        let came = dialect.tool().names().all().next().unwrap_or_default();
        let headers = [header(came, "somebody else's"), header("kept", "1")];
        let record = Rejected { timestamp_ms: Some(1_658_751_956_104), ..rejected(&rejection, Some(b"{}"), &headers) };
        let letter = encode(&record, &Stamp { dialect: Some(dialect), ..stamp(NO_LIMIT) });
        let printed = printed(&letter);
        assert_eq!(printed.first().map(String::as_str), Some("kept=1"), "{dialect:?}");
        assert_eq!(printed.get(printed.len() - expected.len()..).unwrap(), expected, "{dialect:?}");
        let headers: Vec<_> = letter.headers().collect();
        let decoded = decode(&headers).unwrap();
        assert_eq!((decoded.tool, decoded.headers), (None, vec![header("kept", "1")]), "ours win");
    }
}

#[test]
fn letters_of_other_tools_are_read_as_they_write_them() {
    let bytes = |name: &'static str, value: &'static [u8]| Header { name: name.as_bytes(), value: Some(value) };
    let spring = [
        header("kafka_dlt-exception-fqcn", "org.springframework.kafka.listener.ListenerExecutionFailedException"),
        header("kafka_dlt-exception-cause-fqcn", "java.lang.IllegalStateException"),
        header("kafka_dlt-exception-message", "no"),
        header("kafka_dlt-exception-stacktrace", "at com.example"),
        bytes("kafka_dlt-original-partition", &[0, 0, 0, 2]),
        bytes("kafka_dlt-original-offset", &[0, 0, 0, 0, 0, 0, 1, 0]),
        bytes("kafka_dlt-original-timestamp", &[0xff; 8]),
        header("kafka_dlt-original-topic", "orders"),
        header("mine", "1"),
    ];
    let decoded = decode(&spring).unwrap();
    assert_eq!(decoded.tool, Some(Tool::Spring));
    assert_eq!((decoded.kind, decoded.message), ("java.lang.IllegalStateException", Some("no")));
    assert_eq!(decoded.source, Some(Coordinates { topic: "orders", partition: 2, offset: 256 }));
    assert_eq!((decoded.source_timestamp_ms, decoded.headers), (None, vec![header("mine", "1")]));
    assert!(decoded.unreadable.is_empty());

    let broken: [(&str, &[u8]); 4] = [
        ("kafka_dlt-original-partition", b"2"),
        ("kafka_dlt-original-partition", &[0xff, 0, 0, 0]),
        ("kafka_dlt-original-offset", b"256"),
        ("kafka_dlt-original-topic", b"\xff"),
    ];
    for (name, value) in broken {
        let with: Vec<_> = spring.into_iter().chain([Header { name: name.as_bytes(), value: Some(value) }]).collect();
        assert_eq!(decode(&with), Err(NotOurs::Unreadable(name)));
    }

    let share_group = [
        header("__dlq.errors.topic", "orders"),
        header("__dlq.errors.partition", "2"),
        header("__dlq.errors.offset", "41"),
        header("__dlq.errors.group", "billing"),
        header("__dlq.errors.delivery.count", "5"),
    ];
    let decoded = decode(&share_group).unwrap();
    assert_eq!((decoded.kind, decoded.group, decoded.attempts), ("kip1191", Some("billing"), 5));
    assert_eq!(decode(share_group.get(..2).unwrap()), Err(NotOurs::Missing("__dlq.errors.offset")));
}
