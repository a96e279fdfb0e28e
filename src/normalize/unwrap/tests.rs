//! The rows of the unwrapping table, what a rejection says and shows, and the limits on expansion.

use super::*;
use crate::normalize::{Normalizer, Outcome, Profile, Verdict, WRAPPER_KEYS};

const TRACE: &str = r#"{"MessageTraceId":"a","Received":"2022-09-05T18:10:13"}"#;

fn settings() -> Settings {
    Settings {
        profile: Profile::Sekoia,
        organization: None,
        local_domains: Vec::new(),
        include_original: true,
        max_payload_bytes: 8 << 20,
        wrapper_keys: WRAPPER_KEYS.map(str::to_owned).to_vec(),
        max_traces: 20_000,
        max_events_bytes: 32 << 20,
        event_ids: false,
    }
}

fn normalized_by(settings: Settings, value: Option<&[u8]>) -> Outcomes {
    let mut outcomes = Outcomes::default();
    Normalizer::new(settings).normalize(Record { value, timestamp_ms: None }, &mut outcomes);
    outcomes
}

fn normalized(value: impl AsRef<[u8]>) -> Outcomes {
    normalized_by(settings(), Some(value.as_ref()))
}

/// `event MESSAGE` or `kind TEXT`, with the index before it when the record is a page.
fn lines(outcomes: &Outcomes) -> Vec<String> {
    let line = |outcome: Outcome<'_>| {
        let index = outcome.index.map(|index| format!("{index} ")).unwrap_or_default();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        match outcome.verdict {
            Verdict::Event { json, .. } => {
                let event: serde_json::Value = serde_json::from_slice(json).unwrap();
                format!("{index}event {}", event["message"].as_str().unwrap())
            }
            Verdict::Rejection { rejection, text: shown } => {
                let shown = shown.map(|shown| format!(" {}", text(shown))).unwrap_or_default();
                format!("{index}{}{shown}", rejection.kind)
            }
        }
    };
    outcomes.of_record(0).map(line).collect()
}

fn rejection(outcomes: &Outcomes, at: usize) -> Rejection {
    match outcomes.of_record(0).nth(at).unwrap().verdict {
        Verdict::Rejection { rejection, .. } => rejection.clone(),
        Verdict::Event { .. } => panic!("an event"),
    }
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

#[test]
fn what_is_no_text_of_json_is_rejected_whole() {
    for (value, expected) in [
        (None, "empty_payload"),
        (Some(&b""[..]), "empty_payload"),
        (Some(b" \t\r\n"), "empty_payload"),
        (Some(b"\xef\xbb\xbf \n"), "empty_payload"),
        (Some(b"\x0b"), "invalid_json"),
        (Some(b"\xef\xbb\xbf\xef\xbb\xbf{}"), "invalid_json"),
        (Some(b"{\"a\":\"\xff\"}"), "invalid_utf8"),
        (Some(b"{\"a\":\"\xed\xa0\x80\"}"), "invalid_utf8"),
        (Some(b"[\xff"), "invalid_utf8"),
        (Some(b"{\"value\":[]} x"), "invalid_json"),
        (Some(b"5"), "unknown_shape"),
        (Some(b"\"{}\""), "unknown_shape"),
        (Some(b"\"x\""), "invalid_json"),
        (Some(b"{}"), "unknown_shape"),
    ] {
        assert_eq!(lines(&normalized_by(settings(), value)), [expected], "{value:?}");
    }
}

#[test]
fn a_value_over_the_limit_is_not_looked_into() {
    let limited = || Settings { max_payload_bytes: 4, ..settings() };
    assert_eq!(lines(&normalized_by(limited(), Some(b"    "))), ["empty_payload"]);
    let outcomes = normalized_by(limited(), Some(b"     "));
    assert_eq!(rejection(&outcomes, 0), Rejection::payload_too_large(5, 4));
}

#[test]
fn each_row_leads_to_its_traces() {
    let text = quoted(TRACE);
    for (value, expected) in [
        (TRACE.to_owned(), vec![format!("event {TRACE}")]),
        (format!("\u{feff} {TRACE}\r\n"), vec![format!("event  {TRACE}\r\n")]),
        (format!("[{TRACE} , {TRACE}]"), vec![format!("0 event {TRACE}"), format!("1 event {TRACE}")]),
        (format!(r#"{{"d":[{TRACE}],"results":[]}}"#), vec![format!("0 event {TRACE}")]),
        (format!(r#"{{"d":{{"results":[{TRACE}]}},"results":[]}}"#), vec![format!("0 event {TRACE}")]),
        (format!(r#"{{"d":{{"results":{{}}}},"results":[{TRACE}],"value":[]}}"#), vec![format!("0 event {TRACE}")]),
        (format!(r#"{{"value":[{TRACE}],"records":[]}}"#), vec![format!("0 event {TRACE}")]),
        (format!(r#"{{"value":{{}},"records":[{TRACE}],"message":"x"}}"#), vec![format!("0 event {TRACE}")]),
        (format!(r#"{{"message":{text},"event.original":"x"}}"#), vec![format!("event {TRACE}")]),
        (
            format!(r#"{{"message":1,"event.original":{text},"event":{{"original":"x"}}}}"#),
            vec![format!("event {TRACE}")],
        ),
        (format!(r#"{{"event":{{"original":{text}}},"payload":"x"}}"#), vec![format!("event {TRACE}")]),
        (format!(r#"{{"event":{{"original":1}},"payload":{text}}}"#), vec![format!("event {TRACE}")]),
        (format!(r#"{{"message":[{TRACE}],"payload":[]}}"#), vec![format!("0 event {TRACE}")]),
        (format!(r#"{{"message":1,"payload":{TRACE}}}"#), vec![format!("event {TRACE}")]),
        (format!(r#"{{"payload":{}}}"#, quoted(&format!("\u{feff} {TRACE}\n"))), vec![format!("event  {TRACE}\n")]),
        ("[]".to_owned(), vec![]),
        (r#"{"message":"[[],[]]"}"#.to_owned(), vec![]),
    ] {
        assert_eq!(lines(&normalized(&value)), expected, "{value}");
    }
}

#[test]
fn of_repeated_wrapper_keys_the_last_counts() {
    for (value, expected) in [
        (format!(r#"{{"value":5,"valu\u0065":[{TRACE}]}}"#), vec![format!("0 event {TRACE}")]),
        (format!(r#"{{"value":[{TRACE}],"value":5}}"#), vec!["unknown_shape".to_owned()]),
        (format!(r#"{{"d":{{"results":5,"results":[{TRACE}]}}}}"#), vec![format!("0 event {TRACE}")]),
        (format!(r#"{{"d":{{"results":[{TRACE}]}},"d":{{}}}}"#), vec!["unknown_shape".to_owned()]),
        (format!(r#"{{"d":{{"results":[{TRACE}]}},"d":5}}"#), vec!["unknown_shape".to_owned()]),
        (format!(r#"{{"event":{{"original":"x","original":{}}}}}"#, quoted(TRACE)), vec![format!("event {TRACE}")]),
        (r#"[{"d":{"results":[]}},{"d":{}}]"#.to_owned(), vec![r#"0 unknown_shape {"d":{}}"#.to_owned()]),
        (format!(r#"{{"message":{},"message":null}}"#, quoted(TRACE)), vec!["unknown_shape".to_owned()]),
    ] {
        assert_eq!(lines(&normalized(&value)), expected, "{value}");
    }
}

#[test]
fn four_levels_are_enough_and_five_too_many_whatever_they_are_made_of() {
    let wrap = |text: &str, level: usize| match level % 4 {
        0 => format!("[{text}]"),
        1 => format!(r#"{{"d":{{"results":[{text}]}}}}"#),
        2 => format!(r#"{{"message":{}}}"#, quoted(text)),
        _ => format!(r#"{{"payload":{text}}}"#),
    };
    for first in 0..4 {
        let four = (0..4).fold(TRACE.to_owned(), |text, level| wrap(&text, first + level));
        assert_eq!(lines(&normalized(&four)), [format!("0 event {TRACE}")], "{four}");
        let five = wrap(&four, first);
        assert_eq!(lines(&normalized(&five)).len(), 1);
        assert!(lines(&normalized(&five))[0].starts_with("0 unknown_shape"), "{five}");
    }
    for empty in ["[[[[[]]]]]", r#"{"message":{"message":{"message":{"message":{"message":"no json"}}}}}"#] {
        let found = rejection(&normalized(empty), 0).message;
        assert!(found.starts_with("no trace within 4 levels of wrapping"), "{empty}: {found}");
    }
    assert_eq!(lines(&normalized("[[[[]]]]")), [""; 0]);
    assert_eq!(lines(&normalized(r#"[[[[{"error":{}}]]]]"#)), [r#"0 api_error {"error":{}}"#]);
}

#[test]
fn what_matches_no_row_is_named_as_well_as_may_be() {
    for (value, expected) in [
        (r#"{"Event":1,"Detail":1}"#, "message_trace_detail"),
        (r#"{"Event":1,"Detail":1,"Received":1}"#, "unknown_shape"),
        (r#"{"event":1,"dateTime":1,"error":{}}"#, "message_trace_detail"),
        (r#"{"event":1,"dateTime":1,"receivedDateTime":1}"#, "unknown_shape"),
        (r#"{"MessageTraceId":1,"Event":1,"Detail":1,"value":[]}"#, ""),
        (r#"{"error":{}}"#, "api_error"),
        (r#"{"odata.error":{}}"#, "api_error"),
        (r#"{"odata.error":[]}"#, "unknown_shape"),
        (r#"{"error":"x"}"#, "unknown_shape"),
        (r#"{"ErrorCode":null}"#, "api_error"),
        (r#"{"errorcode":null}"#, "unknown_shape"),
    ] {
        assert_eq!(lines(&normalized(value)).join(","), expected, "{value}");
    }
}

#[test]
fn out_of_a_page_a_rejection_shows_the_innermost_value_that_was_reached() {
    let bad = r#"{"id":"b","receivedDateTime":"x"}"#;
    for (value, expected) in [
        (format!("[ {bad} ]"), format!("0 invalid_timestamp {bad}")),
        (format!(r#"[{{"payload": {bad} }}]"#), format!("0 invalid_timestamp {bad}")),
        (format!(r#"[{{"message":{}}}]"#, quoted(&format!(" {bad}\n"))), format!("0 invalid_timestamp  {bad}\n")),
        (format!(r#"{{"message":{}}}"#, quoted(&format!("[{bad}]"))), format!("0 invalid_timestamp {bad}")),
        (r#"[{"message":" {] "}]"#.to_owned(), "0 invalid_json  {] ".to_owned()),
        (r#"[{"message":""}]"#.to_owned(), "0 invalid_json ".to_owned()),
        (r#"[{"message":"\ufeff{"}]"#.to_owned(), "0 invalid_json \u{feff}{".to_owned()),
        (r#"[{"message":"\ufeff5 "}]"#.to_owned(), "0 unknown_shape 5 ".to_owned()),
        ("[ 5 ]".to_owned(), "0 unknown_shape 5".to_owned()),
        ("[[[[ [ ] ]]]]".to_owned(), "0 unknown_shape [ ]".to_owned()),
        (format!(r#"{{"message":{}}}"#, quoted(bad)), "invalid_timestamp".to_owned()),
        (r#"{"message":"{]"}"#.to_owned(), "invalid_json".to_owned()),
    ] {
        assert_eq!(lines(&normalized(&value)), [expected], "{value}");
    }
}

#[test]
fn a_bad_trace_never_costs_its_neighbours() {
    let value = format!(r#"[{TRACE},{{"MessageTraceId":"b"}},[],{{"message":"x"}},7,{TRACE}]"#);
    let kinds = lines(&normalized(value)).iter().map(|line| line[..9].to_owned()).collect::<Vec<_>>();
    assert_eq!(kinds, ["0 event {", "1 missing", "2 invalid", "3 unknown", "4 event {"]);
}

#[test]
fn a_message_names_key_line_and_column_and_quotes_nothing() {
    for (value, message, key, position) in [
        ("\n{\"é\": tru}", "no JSON at line 2, column 10: true, false or null was expected", "", Some(11)),
        ("\u{feff}{", "no JSON at line 1, column 2: a key in quotes was expected", "", Some(4)),
        (
            r#"{"message":"secret"}"#,
            "the string in `message` is no JSON at line 1, column 1: a value was expected",
            "message",
            None,
        ),
        (
            r#"[{"event":{"original":"[1\n,secret]"}}]"#,
            "the string in `event.original` is no JSON at line 2, column 2: a value was expected",
            "event.original",
            Some(4),
        ),
        (r#"{"MessageTraceId":"secret"}"#, "`Received` is missing, null or empty", "Received", None),
        (
            r#"{"MessageTraceId":"a","Received":"secret"}"#,
            "`Received` is no time of a known notation between 1970 and 9999",
            "Received",
            Some(33),
        ),
        (r#"[ {"id":5,"senderAddress":"secret"}]"#, "`id` must be a string or null", "id", Some(6)),
        (
            r#"{"secret":1}"#,
            "an object that is neither a trace nor a known wrapper of one; if it wraps one under a key of its own, set input.wrapper_keys",
            "",
            None,
        ),
    ] {
        let found = rejection(&normalized(value), 0);
        assert_eq!((found.message.as_str(), &*found.key, found.position), (message, key, position), "{value}");
    }
    let found = rejection(&normalized(b"{\"a\":\"\xff\"}"), 0);
    assert_eq!((found.message.as_str(), found.position), ("the value is no UTF-8 text: byte 7 of 9", Some(6)));
}

#[test]
fn one_trace_too_many_rejects_the_record_as_a_whole() {
    let page = |traces: usize| format!("[{},5]", vec![TRACE; traces - 1].join(","));
    let limited = || Settings { max_traces: 3, ..settings() };
    assert_eq!(normalized_by(limited(), Some(page(3).as_bytes())).of_record(0).len(), 3);
    let outcomes = normalized_by(limited(), Some(page(4).as_bytes()));
    assert_eq!(lines(&outcomes), ["expands_too_far"]);
    assert_eq!(rejection(&outcomes, 0).message, "the record holds more than 3 traces (input.max_traces)");
}

#[test]
fn events_larger_than_their_share_of_memory_reject_the_record_as_a_whole() {
    let event_bytes = match normalized(TRACE).of_record(0).next().unwrap().verdict {
        Verdict::Event { json, .. } => json.len(),
        Verdict::Rejection { .. } => panic!("a rejection"),
    };
    let page = format!("[{TRACE},5,{TRACE}]");
    let limited = |max_events_bytes| Settings { max_events_bytes, ..settings() };
    assert_eq!(normalized_by(limited(2 * event_bytes), Some(page.as_bytes())).of_record(0).len(), 3);
    let outcomes = normalized_by(limited(2 * event_bytes - 1), Some(page.as_bytes()));
    assert_eq!(lines(&outcomes), ["expands_too_far"]);
    assert!(rejection(&outcomes, 0).message.contains("quarter of the memory budget"));
}

#[test]
fn a_broken_end_beats_everything_before_it() {
    let many = format!("[{}5", "{\"a\":1},".repeat(30_000));
    assert_eq!(lines(&normalized(many)), ["invalid_json"]);
    let error = rejection(&normalized(r#"{"MessageTraceId":"","x":[1,{"y":"\x"}]}"#), 0);
    assert_eq!(error.kind, Kind::InvalidJson);
}

#[test]
fn records_share_an_arena_without_touching_each_other() {
    let normalizer = Normalizer::new(Settings { max_traces: 2, ..settings() });
    let mut outcomes = Outcomes::default();
    for value in [TRACE.to_owned(), "[1,2,3]".to_owned(), "[]".to_owned(), format!("[{TRACE}]")] {
        normalizer.normalize(Record { value: Some(value.as_bytes()), timestamp_ms: None }, &mut outcomes);
    }
    let counts: Vec<usize> = (0..outcomes.records()).map(|record| outcomes.of_record(record).len()).collect();
    assert_eq!(counts, [1, 1, 0, 1]);
}
