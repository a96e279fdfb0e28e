//! What is recognized as a trace, and which problem of one is told.

use super::super::json::document;
use super::*;

fn judged(text: &str, and: impl FnOnce(Trace<'_>)) -> Result<(), (Kind, String)> {
    let mut members = Members::default();
    document(text.as_bytes(), &mut members).unwrap();
    let shape = Shape::of(&members).unwrap();
    let candidate = Candidate { text: text.as_bytes(), members: &members, shape, verbatim: text.as_bytes() };
    candidate.judge(&mut Vec::new()).map(and).map_err(|rejection| (rejection.kind, rejection.key.into_owned()))
}

fn shape(text: &str) -> Option<Key> {
    let mut members = Members::default();
    document(text.as_bytes(), &mut members).unwrap();
    Shape::of(&members).map(|shape| shape.id)
}

#[test]
fn a_trace_is_recognized_by_its_keys_whatever_their_values() {
    for (text, expected) in [
        (r#"{"MessageTraceId":null}"#, Some(Key::MessageTraceId)),
        (r#"{"MessageTraceId":1,"id":2,"senderAddress":3}"#, Some(Key::MessageTraceId)),
        (r#"{"id":[],"receivedDateTime":{}}"#, Some(Key::GraphId)),
        (r#"{"id":1,"senderAddress":null}"#, Some(Key::GraphId)),
        (r#"{"id":1,"recipientAddress":null}"#, Some(Key::GraphId)),
        (r#"{"id":1,"subject":"x"}"#, None),
        (r#"{"receivedDateTime":1}"#, None),
        (r#"{"messagetraceid":1}"#, None),
        (r#"{"MessageTraceId":1,"Event":1,"Detail":1}"#, None),
        (r#"{"MessageTraceId":1,"Event":1,"Detail":1,"Received":1}"#, Some(Key::MessageTraceId)),
        (r#"{"MessageTraceId":1,"event":1,"dateTime":1}"#, None),
        (r#"{"id":1,"senderAddress":1,"event":1,"dateTime":1}"#, None),
        (r#"{"id":1,"event":1,"dateTime":1,"receivedDateTime":1}"#, Some(Key::GraphId)),
        (r#"{"id":1,"senderAddress":1,"Event":1,"dateTime":1}"#, Some(Key::GraphId)),
        (r#"{"Id":1,"ReceivedDateTime":1}"#, Some(Key::SdkId)),
        (r#"{"Id":1,"SenderAddress":1}"#, Some(Key::SdkId)),
        (r#"{"Id":1,"RecipientAddress":1}"#, Some(Key::SdkId)),
        (r#"{"Id":1,"id":1,"senderAddress":1,"SenderAddress":1}"#, Some(Key::GraphId)),
        (r#"{"Id":1,"senderAddress":1}"#, None),
        (r#"{"Id":1,"Received":1}"#, None),
        (r#"{"Id":1,"SenderAddress":1,"Event":1,"Detail":1}"#, None),
    ] {
        assert_eq!(shape(text), expected, "{text}");
    }
}

#[test]
fn the_first_problem_in_the_order_of_the_table_decides() {
    let head = r#"{"MessageTraceId":"a","Received":"2022-09-05T18:10:13""#;
    for (text, kind, key) in [
        (r#"{"MessageTraceId":""}"#.to_owned(), Kind::MissingField, "MessageTraceId"),
        (r#"{"MessageTraceId":5,"Received":5}"#.to_owned(), Kind::InvalidField, "MessageTraceId"),
        (r#"{"MessageTraceId":"a","Status":5}"#.to_owned(), Kind::MissingField, "Received"),
        (r#"{"MessageTraceId":"a","Received":null}"#.to_owned(), Kind::MissingField, "Received"),
        (r#"{"MessageTraceId":"a","Received":""}"#.to_owned(), Kind::MissingField, "Received"),
        (r#"{"MessageTraceId":"a","Received":" "}"#.to_owned(), Kind::InvalidTimestamp, "Received"),
        (r#"{"MessageTraceId":"a","Received":true}"#.to_owned(), Kind::InvalidField, "Received"),
        (r#"{"MessageTraceId":"a","Received":["x"]}"#.to_owned(), Kind::InvalidField, "Received"),
        (r#"{"MessageTraceId":"a","Received":{}}"#.to_owned(), Kind::InvalidTimestamp, "Received"),
        (r#"{"MessageTraceId":"a","Received":5}"#.to_owned(), Kind::InvalidTimestamp, "Received"),
        (
            r#"{"MessageTraceId":"a","Received":{"value":{"value":1658751973240}}}"#.to_owned(),
            Kind::InvalidTimestamp,
            "Received",
        ),
        (r#"{"MessageTraceId":{"value":""},"Received":"x"}"#.to_owned(), Kind::MissingField, "MessageTraceId"),
        (r#"{"MessageTraceId":{"value":5},"Received":"x"}"#.to_owned(), Kind::InvalidField, "MessageTraceId"),
        (r#"{"MessageTraceId":"a","Received":{"value":5}}"#.to_owned(), Kind::InvalidTimestamp, "Received"),
        (r#"{"MessageTraceId":"a","Received":{"value":""}}"#.to_owned(), Kind::InvalidTimestamp, "Received"),
        (r#"{"id":"a","receivedDateTime":"x"}"#.to_owned(), Kind::InvalidTimestamp, "receivedDateTime"),
        (format!(r#"{head},"Size":"x","Organization":1}}"#), Kind::InvalidField, "Organization"),
        (format!(r#"{head},"Size":"x","MessageId":[]}}"#), Kind::InvalidField, "MessageId"),
        (format!(r#"{head},"Subject":1,"SenderAddress":{{}}}}"#), Kind::InvalidField, "SenderAddress"),
        (format!(r#"{head},"Subject":1,"RecipientAddress":false}}"#), Kind::InvalidField, "RecipientAddress"),
        (format!(r#"{head},"Status":1,"Subject":1}}"#), Kind::InvalidField, "Subject"),
        (format!(r#"{head},"FromIP":1,"ToIP":1}}"#), Kind::InvalidField, "ToIP"),
        (format!(r#"{head},"FromIP":1,"Size":"x"}}"#), Kind::InvalidField, "FromIP"),
        (format!(r#"{head},"Size":" 1"}}"#), Kind::InvalidField, "Size"),
    ] {
        assert_eq!(judged(&text, |_| ()), Err((kind, key.to_owned())), "{text}");
    }
}

#[test]
fn a_status_of_the_sdk_may_be_a_number_in_any_notation() {
    for (status, expected) in [
        ("1", Ok(Some("gettingStatus"))),
        ("7", Ok(Some("filteredAsSpam"))),
        ("4.0", Ok(Some("delivered"))),
        ("0.4e1", Ok(Some("delivered"))),
        (r#""4""#, Ok(Some("4"))),
        (r#"{"value":"Delivered","Value":4}"#, Ok(Some("Delivered"))),
        ("null", Ok(None)),
        ("0", Err(())),
        ("8", Err(())),
        ("-1", Err(())),
        ("1.5", Err(())),
        (r#"{"value":4}"#, Err(())),
    ] {
        let text = format!(r#"{{"Id":"a","ReceivedDateTime":"2022-09-05T18:10:13","Status":{status}}}"#);
        let found = judged(&text, |trace| {
            let status = trace.status.map(|status| String::from_utf8(status.decoded().into_owned()).unwrap());
            assert_eq!(Ok(status.as_deref()), expected, "{text}");
        });
        assert_eq!(found, expected.map(|_| ()).map_err(|()| (Kind::InvalidField, "Status".to_owned())), "{text}");
    }
    let graph = r#"{"id":"a","receivedDateTime":"2022-09-05T18:10:13","status":4}"#;
    assert_eq!(judged(graph, |_| ()), Err((Kind::InvalidField, "status".to_owned())));
}

#[test]
fn graph_has_no_organization() {
    let text = r#"{"id":"a","receivedDateTime":"2022-09-05T18:10:13Z","Organization":5,"organization":5}"#;
    assert_eq!(judged(text, |trace| assert!(trace.organization.is_none())), Ok(()));
}

#[test]
fn a_size_is_a_whole_number_in_any_notation() {
    for (size, expected) in [
        ("0", Some(0)),
        ("-0", Some(0)),
        ("-0.0", Some(0)),
        ("-0e5", Some(0)),
        ("87680", Some(87_680)),
        ("87680.0", Some(87_680)),
        ("8.768e4", Some(87_680)),
        ("876800e-1", Some(87_680)),
        ("9223372036854775807", Some(LARGEST)),
        ("9223372036854774784.0", Some(9_223_372_036_854_774_784)),
        ("1e-400", Some(0)),
        ("-1e-400", Some(0)),
        (r#""0""#, Some(0)),
        (r#""007""#, Some(7)),
        (r#""\u0035""#, Some(5)),
        (r#""9223372036854775807""#, Some(LARGEST)),
        ("9223372036854775808", None),
        ("18446744073709551616", None),
        ("9223372036854775807.0", None),
        ("1e19", None),
        ("1e400", None),
        ("-1", None),
        ("-1.0", None),
        ("1.5", None),
        ("0.1", None),
        (r#""-1""#, None),
        (r#""+1""#, None),
        (r#""1.0""#, None),
        (r#"{"value":"87680","Length":5}"#, Some(87_680)),
        (r#"{"value":87680}"#, None),
        (r#""1 ""#, None),
        (r#""1e3""#, None),
        (r#""٣""#, None),
        (r#""9223372036854775808""#, None),
        ("true", None),
        ("[1]", None),
        ("{}", None),
    ] {
        let text = format!(r#"{{"MessageTraceId":"a","Received":"2022-09-05T18:10:13","Size":{size}}}"#);
        let found = judged(&text, |trace| assert_eq!(trace.size_bytes, expected, "{size}"));
        assert_eq!(
            found,
            if expected.is_some() { Ok(()) } else { Err((Kind::InvalidField, "Size".to_owned())) },
            "{size}"
        );
    }
    for absent in ["null", r#""""#] {
        let text = format!(r#"{{"MessageTraceId":"a","Received":"2022-09-05T18:10:13","Size":{absent}}}"#);
        assert_eq!(judged(&text, |trace| assert_eq!(trace.size_bytes, None)), Ok(()));
    }
}
