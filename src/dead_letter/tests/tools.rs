//! Letters of other tools, header by header in the order and the encoding in which each writes them.

use super::*;

fn bytes<'a>(name: &'a str, value: &'a [u8]) -> Header<'a> {
    Header { name: name.as_bytes(), value: Some(value) }
}

fn null(name: &str) -> Header<'_> {
    Header { name: name.as_bytes(), value: None }
}

const PARTITION_2: &[u8] = &[0, 0, 0, 2];
const OFFSET_256: &[u8] = &[0, 0, 0, 0, 0, 0, 1, 0];
/// 2022-07-25T12:19:16.104Z.
const TIME: &[u8] = &[0, 0, 1, 0x82, 0x35, 0x52, 0x34, 0x88];
const TIME_MS: i64 = 1_658_751_956_104;

/// Spring for Apache Kafka, `@RetryableTopic`, after its retries.
fn spring_retry() -> Vec<Header<'static>> {
    vec![
        header("mine", "1"),
        header("kafka_original-topic", "orders"),
        bytes("kafka_original-partition", PARTITION_2),
        bytes("kafka_original-offset", OFFSET_256),
        bytes("kafka_original-timestamp", TIME),
        header("kafka_original-timestamp-type", "CreateTime"),
        header("kafka_dlt-original-consumer-group", "billing"),
        header("kafka_exception-fqcn", "org.springframework.kafka.listener.ListenerExecutionFailedException"),
        header("kafka_exception-cause-fqcn", "java.lang.IllegalStateException"),
        header("kafka_exception-message", "no"),
        header("kafka_exception-stacktrace", "at com.example"),
        bytes("retry_topic-attempts", &[0, 0, 0, 3]),
        bytes("retry_topic-original-timestamp", TIME),
        bytes("retry_topic-backoff-timestamp", TIME),
    ]
}

fn spring_cloud() -> Vec<Header<'static>> {
    vec![
        header("mine", "1"),
        header("x-original-topic", "orders"),
        bytes("x-original-partition", PARTITION_2),
        bytes("x-original-offset", OFFSET_256),
        bytes("x-original-timestamp", TIME),
        header("x-original-timestamp-type", "CreateTime"),
        header("x-exception-fqcn", "java.lang.IllegalStateException"),
        header("x-exception-message", "no"),
        header("x-exception-stacktrace", "at com.example"),
    ]
}

/// SmallRye writes before the record's own headers.
fn smallrye() -> Vec<Header<'static>> {
    vec![
        header("dead-letter-exception-class-name", "jakarta.enterprise.inject.CreationException"),
        header("dead-letter-cause-class-name", "java.lang.IllegalStateException"),
        header("dead-letter-reason", "no"),
        header("dead-letter-cause", "deeper"),
        header("dead-letter-topic", "orders"),
        header("dead-letter-partition", "2"),
        header("dead-letter-offset", "256"),
        header("mine", "1"),
    ]
}

/// Kafka Streams, KIP-1034.
fn streams() -> Vec<Header<'static>> {
    vec![
        header("mine", "1"),
        header("__streams.errors.exception", "java.lang.IllegalStateException"),
        header("__streams.errors.stacktrace", "at com.example"),
        header("__streams.errors.message", "no"),
        header("__streams.errors.topic", "orders"),
        header("__streams.errors.partition", "2"),
        header("__streams.errors.offset", "256"),
    ]
}

fn with<'a>(letter: &[Header<'a>], more: &[Header<'a>]) -> Vec<Header<'a>> {
    letter.iter().chain(more).copied().collect()
}

#[test]
fn each_tool_s_letter_says_where_it_comes_from_and_keeps_the_record_s_own_headers_alone() {
    let cases = [
        (Tool::SpringRetry, spring_retry(), Some(TIME_MS)),
        (Tool::SpringCloud, spring_cloud(), Some(TIME_MS)),
        (Tool::SmallRye, smallrye(), None),
        (Tool::Streams, streams(), None),
    ];
    for (tool, headers, time_ms) in cases {
        let decoded = decode(&headers).unwrap();
        assert_eq!(decoded.tool, Some(tool));
        assert_eq!(decoded.source, Some(Coordinates { topic: "orders", partition: 2, offset: 256 }), "{tool:?}");
        assert_eq!((decoded.kind, decoded.message), ("java.lang.IllegalStateException", Some("no")), "{tool:?}");
        assert_eq!(decoded.source_timestamp_ms, time_ms, "{tool:?}");
        assert_eq!((decoded.headers, decoded.failures), (vec![header("mine", "1")], 1), "{tool:?}");
        assert!(decoded.unreadable.is_empty(), "{tool:?}: {:?}", decoded.unreadable);
    }
    assert!(Tool::Connect.keeps_time() && Tool::Streams.keeps_time() && !Tool::SmallRye.keeps_time());
}

#[test]
fn a_record_that_was_sent_back_and_failed_for_another_tool_has_failed_again() {
    let history = [header("dlq.attempts", "1"), header("dlq.replayed.from", "dlq/0/7"), header("dlq.repaired", "cast")];
    for headers in [spring_retry(), spring_cloud(), streams()] {
        let headers = with(&history, &headers);
        let decoded = decode(&headers).unwrap();
        assert_eq!((decoded.failures, decoded.repaired), (2, Some("cast")));
        assert_eq!(decoded.replayed_from, Some(Coordinates { topic: "dlq", partition: 0, offset: 7 }));
        assert_eq!(decoded.headers, [header("mine", "1")]);
    }
}

#[test]
fn a_header_that_is_there_and_null_says_nothing() {
    let headers = with(&streams(), &[null("__streams.errors.message"), null("__streams.errors.topic")]);
    let decoded = decode(&headers).unwrap();
    assert_eq!((decoded.message, decoded.unreadable.len()), (Some("no"), 0));
    assert!(decoded.source.is_some());
}

#[test]
fn a_timer_s_letter_names_its_cause_and_comes_from_no_record() {
    let timer = [
        header("__streams.errors.exception", "java.lang.IllegalStateException"),
        null("__streams.errors.message"),
        header("__streams.errors.stacktrace", "at com.example"),
        null("__streams.errors.topic"),
        header("__streams.errors.partition", "2"),
        header("__streams.errors.offset", "-1"),
    ];
    let decoded = decode(&timer).unwrap();
    assert_eq!((decoded.tool, decoded.kind), (Some(Tool::Streams), "java.lang.IllegalStateException"));
    assert_eq!((decoded.source, decoded.message), (None, None));
    assert!(decoded.unreadable.is_empty());
}

#[test]
fn of_several_tools_the_one_counts_that_wrote_last() {
    let later = with(&spring_cloud(), &streams());
    assert_eq!(decode(&later).unwrap().tool, Some(Tool::Streams));
    let earlier = with(&streams(), &spring_cloud());
    assert_eq!(decode(&earlier).unwrap().tool, Some(Tool::SpringCloud));
    // Its headers stand first whenever it wrote them.
    let nobody_knows = with(&smallrye(), &streams());
    assert_eq!(decode(&nobody_knows), Err(NotOurs::Ambiguous("smallrye", "streams")));
    let twice = with(&smallrye(), &[header("dead-letter-topic", "older"), header("dead-letter-offset", "1")]);
    assert_eq!(decode(&twice).unwrap().source, Some(Coordinates { topic: "orders", partition: 2, offset: 256 }));
}

#[test]
fn a_number_of_odd_length_is_no_number() {
    let letters = [(spring_retry(), "kafka_original-"), (spring_cloud(), "x-original-")];
    for (headers, prefix) in letters {
        for (name, value) in [("partition", OFFSET_256), ("offset", &[1, 2, 3]), ("offset", b"")] {
            let name = format!("{prefix}{name}");
            let broken = with(&headers, &[bytes(&name, value)]);
            let told = decode(&broken).unwrap_err().to_string();
            assert_eq!(told, format!("header {name} cannot be read"));
        }
        let name = format!("{prefix}timestamp");
        let broken = with(&headers, &[bytes(&name, b"12345")]);
        let decoded = decode(&broken).unwrap();
        assert_eq!((decoded.source_timestamp_ms, decoded.unreadable), (None, vec![name.as_str()]));
    }
}
