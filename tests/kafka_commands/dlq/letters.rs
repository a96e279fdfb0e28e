//! Letters for a dead-letter topic, written header by header with fixed times: ours, other tools', nobody's, and hostile ones.

use crate::support::raw::Record;

/// 2026-03-01T10:00:00Z.
pub const START_MS: i64 = 1_772_359_200_000;

pub const GOOD: &str = r#"{"MessageTraceId":"6b1f","Received":"2022-09-05T18:10:13","SenderAddress":"a@example.com"}"#;

pub fn header(name: &str, value: &[u8]) -> (Vec<u8>, Option<Vec<u8>>) {
    (name.into(), Some(value.to_vec()))
}

/// A letter of ours: kind, fingerprint, message, then any more headers.
pub fn ours(minute: i64, value: Option<&[u8]>, [kind, print, message]: [&str; 3], more: &[(&str, &str)]) -> Record {
    let given = [
        ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        ("dlq.error.kind", kind),
        ("dlq.error.message", message),
        ("dlq.error.fingerprint", print),
        ("dlq.source.topic", "messagetrace.raw"),
        ("dlq.source.partition", "3"),
        ("dlq.source.offset", &format!("{}", 1000 + minute)),
        ("dlq.consumer.group", "messagetrace-ecs"),
        ("dlq.processor", "messagetrace-ecs/0.1.0 sekoia"),
        ("dlq.failed.at", "2026-03-01T10:00:00.000Z"),
        ("dlq.attempts", "1"),
    ];
    let headers = given.iter().chain(more).map(|(name, value)| header(name, value.as_bytes())).collect();
    Record {
        key: Some(b"key".to_vec()),
        value: value.map(<[u8]>::to_vec),
        headers,
        timestamp_ms: START_MS + minute * 60_000,
    }
}

pub fn foreign(minute: i64, headers: &[(&str, &[u8])]) -> Record {
    let headers = headers.iter().map(|(name, value)| header(name, value)).collect();
    Record { key: None, value: Some(b"{}".to_vec()), headers, timestamp_ms: START_MS + minute * 60_000 }
}

/// Partition 0: ours, as they come.
pub fn usual() -> Vec<Record> {
    let no_time = br#"{"MessageTraceId":"6b1f","Subject":"Invoice","Size":17,"ToIP":null}"#;
    let broken = br#"{"MessageTraceId": "6b1f", "Received": tru}"#;
    let mut not_text = br#"{"MessageTraceId":"6b1f","Subject":""#.to_vec();
    not_text.extend([0xff, 0xfe, 0x1b]);
    let missing = ["missing_field", "e4501980dc423063", "Received is missing"];
    let json = ["invalid_json", "f80484cc50f2e34f", "no JSON: line 1, column 43"];
    vec![
        ours(0, Some(no_time), missing, &[]),
        ours(1, Some(no_time), missing, &[("dlq.attempts", "3"), ("dlq.replayed.from", "letters/0/0")]),
        ours(2, Some(broken), json, &[]),
        ours(63, Some(&not_text), ["invalid_utf8", "40940d4b11537fd5", "not UTF-8 from byte 36"], &[]),
        ours(
            64,
            Some(GOOD.as_bytes()),
            ["payload_too_large", "3919d15b88dbbb69", "the value has 92 bytes; input.max_payload_bytes allows 10"],
            &[],
        ),
        ours(
            65,
            Some(&GOOD.as_bytes()[..40]),
            ["payload_too_large", "3919d15b88dbbb69", "too large"],
            &[("dlq.fit", "value_truncated"), ("dlq.value.bytes", "92"), ("dlq.value.sha256", &"ab".repeat(32))],
        ),
        // Out of a page: the content of a string that held no JSON.
        ours(
            66,
            Some(b"no JSON at all"),
            ["invalid_json", "acd001ede5c91e6b", "event.original holds no JSON"],
            &[("dlq.source.index", "3")],
        ),
        ours(67, None, ["empty_payload", "d0dc93aec70812e0", "the value is null"], &[]),
        ours(
            68,
            Some(GOOD.as_bytes()),
            ["event_too_large", "a58e7d3467e8e517", "the event takes 99 bytes; the output topic accepts 10"],
            &[],
        ),
        ours(69, Some(GOOD.as_bytes()), missing, &[]),
    ]
}

/// Partition 1: other people's, and nobody's.
pub fn others() -> Vec<Record> {
    let mut hostile = ours(
        10,
        Some(b"{\"a\":\"\x1b]0;title\x07\xc2\x9b31m\"}"),
        ["\u{1b}[31mred", "\u{202e}fp", "two\nlines\u{7}"],
        &[("dlq.attempts", "many"), ("dlq.fit", "squeezed\u{1b}[2J")],
    );
    hostile.key = Some(b"\x1b[2J\xff".to_vec());
    hostile.headers.push((b"\x1b]52;c;\x07name".to_vec(), Some(b"\x1b[1mvalue\x9b".to_vec())));
    hostile.headers.push((b"null".to_vec(), None));
    hostile.headers.push((b"\xff\xfe".to_vec(), Some(Vec::new())));
    vec![
        hostile,
        foreign(
            11,
            &[
                ("__connect.errors.topic", b"orders"),
                ("__connect.errors.partition", b"1"),
                ("__connect.errors.offset", b"77"),
                ("__connect.errors.connector.name", b"warehouse"),
                ("__connect.errors.exception.class.name", b"org.apache.kafka.connect.errors.DataException"),
                ("__connect.errors.exception.message", b"cannot convert"),
                ("__connect.errors.exception.stacktrace", b"org.apache.kafka...\n\tat com.example.A\n"),
            ],
        ),
        foreign(
            12,
            &[
                ("__streams.errors.exception", b"java.lang.NullPointerException"),
                ("__streams.errors.message", b"null"),
                ("__streams.errors.topic", b"orders"),
                ("__streams.errors.partition", b"1"),
                ("__streams.errors.offset", b"78"),
            ],
        ),
        foreign(
            13,
            &[
                ("kafka_dlt-original-topic", b"orders"),
                ("kafka_dlt-original-partition", &1_i32.to_be_bytes()),
                ("kafka_dlt-original-offset", &79_i64.to_be_bytes()),
                ("kafka_dlt-original-timestamp", &START_MS.to_be_bytes()),
                ("kafka_dlt-exception-fqcn", b"org.springframework.kafka.listener.ListenerExecutionFailedException"),
                ("kafka_dlt-exception-cause-fqcn", b"java.io.IOException"),
                ("kafka_dlt-exception-message", b"disk full"),
            ],
        ),
        foreign(
            14,
            &[
                ("__dlq.errors.topic", b"orders"),
                ("__dlq.errors.partition", b"1"),
                ("__dlq.errors.offset", b"80"),
                ("__dlq.errors.group", b"billing"),
                ("__dlq.errors.delivery.count", b"5"),
            ],
        ),
        foreign(15, &[("x-custom", b"1")]),
        foreign(16, &[("dlq.error.kind", b"api_error"), ("dlq.source.topic", b"t"), ("dlq.source.partition", b"-1")]),
    ]
}
