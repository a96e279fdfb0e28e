//! Our judgement of a record's size against librdkafka's own: it may never refuse what we allow. No broker is needed, a record is
//! judged before it is queued.

use messagetrace_ecs::record::{Header, wire_size};
use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::message::{Header as KafkaHeader, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord};
use rdkafka::types::RDKafkaErrorCode;

struct Case {
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(&'static str, Option<Vec<u8>>)>,
}

fn cases() -> Vec<Case> {
    let case = |key, value, headers| Case { key, value, headers };
    vec![
        case(None, Some(vec![b'v'; 2_000]), vec![]),
        case(Some(vec![b'k'; 2_000]), None, vec![]),
        case(Some(vec![]), Some(vec![b'v'; 100_000]), vec![("", None), ("a", Some(vec![]))]),
        case(None, None, (0..400).map(|_| ("name", None)).collect()),
        case(Some(vec![b'k'; 64]), Some(vec![b'v'; 3_000_000]), vec![("h", Some(vec![b'h'; 70_000]))]),
    ]
}

fn send(case: &Case, message_max_bytes: usize) -> Result<(), KafkaError> {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", "127.0.0.1:1")
        .set("message.max.bytes", message_max_bytes.to_string())
        .create()?;
    let mut record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to("topic").partition(0);
    record.key = case.key.as_deref();
    record.payload = case.value.as_deref();
    let headers = case.headers.iter().fold(OwnedHeaders::new(), |headers, (key, value)| {
        headers.insert(KafkaHeader { key, value: value.as_deref() })
    });
    producer.send(record.headers(headers)).map_err(|(error, _)| error)
}

#[test]
fn librdkafka_never_refuses_what_we_allow() {
    for case in cases() {
        let headers =
            case.headers.iter().map(|(name, value)| Header { name: name.as_bytes(), value: value.as_deref() });
        let limit = wire_size(case.key.as_deref(), case.value.as_deref(), headers);
        send(&case, limit).expect("a record as large as the limit is taken");
        send(&case, limit - 32).expect("we count at least 32 bytes more than librdkafka");
        let error = send(&case, limit - 100).expect_err("librdkafka judges by the same bytes");
        assert_eq!(error.rdkafka_error_code(), Some(RDKafkaErrorCode::MessageSizeTooLarge));
    }
}
