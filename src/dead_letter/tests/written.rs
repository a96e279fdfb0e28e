//! Letters as the tools themselves wrote them: `written.jsonl` has one a line, read out of a topic of a real Kafka, with what
//! is to be read from it. Of a stack trace the first line is kept.

use serde_json::Value;

use super::*;

type Owned = Vec<(String, Option<Vec<u8>>)>;

fn letters() -> Vec<Value> {
    let lines = include_str!("written.jsonl").lines();
    lines.map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
}

fn hex(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).expect("hex digits"));
    bytes.map(|pair| u8::from_str_radix(pair, 16).expect("hex digits")).collect()
}

/// Names and values; a value is a text, `{"hex": …}`, or null.
fn headers(letter: &Value) -> Owned {
    let value = |value: &Value| match (value.as_str(), value["hex"].as_str()) {
        (Some(text), _) => Some(text.as_bytes().to_vec()),
        (None, Some(digits)) => Some(hex(digits)),
        (None, None) => None,
    };
    let pairs = letter["headers"].as_array().expect("a list").iter();
    pairs.map(|pair| (pair[0].as_str().expect("a name").to_owned(), value(&pair[1]))).collect()
}

fn borrowed(headers: &Owned) -> Vec<Header<'_>> {
    headers.iter().map(|(name, value)| Header { name: name.as_bytes(), value: value.as_deref() }).collect()
}

#[test]
fn what_the_tools_themselves_wrote_is_read_whole() {
    let letters = letters();
    for letter in &letters {
        let writer = letter["writer"].as_str().expect("a name");
        let headers = headers(letter);
        let headers = borrowed(&headers);
        let decoded = decode(&headers).unwrap_or_else(|problem| panic!("{writer}: {problem}"));
        let tool = decoded.tool.expect("another tool's");
        let of_letter = letter["timestamp"].as_i64().filter(|_| tool.keeps_time() && decoded.source.is_some());
        let source = decoded.source.map(|source| {
            serde_json::json!({ "topic": source.topic, "partition": source.partition, "offset": source.offset })
        });
        let read = serde_json::json!({
            "kind": decoded.kind,
            "message": decoded.message,
            "source": source,
            "group": decoded.group,
            "attempts": decoded.attempts,
            "time": decoded.source_timestamp_ms.or(of_letter),
            "own": decoded.headers.len(),
        });
        assert_eq!((tool.name(), &read), (letter["dialect"].as_str().expect("a name"), &letter["read"]), "{writer}");
        assert!(decoded.unreadable.is_empty(), "{writer}: {:?}", decoded.unreadable);
        assert_eq!((decoded.failures, decoded.fit), (1, Fit::Whole), "{writer}");
    }
    for tool in Tool::ALL {
        assert!(letters.iter().any(|letter| letter["dialect"] == tool.name()), "none of {}", tool.name());
    }
}

#[test]
fn every_header_that_a_tool_wrote_is_on_its_list_and_shown_as_text_or_a_number() {
    for letter in letters() {
        let (writer, headers) = (&letter["writer"], headers(&letter));
        let tool = decode(&borrowed(&headers)).expect("a letter").tool.expect("another tool's");
        for (name, value) in headers.iter().filter(|(name, _)| !matches!(name.as_str(), "own" | "bin" | "null")) {
            assert!(tool.owns(name.as_bytes()), "{writer}: {name}");
            let is_text =
                |value: &Vec<u8>| std::str::from_utf8(value).is_ok_and(|text| !text.contains(char::is_control));
            let is_readable = |value| is_text(value) || Tool::number(name.as_bytes(), value).is_some();
            assert!(value.as_ref().is_none_or(is_readable), "{writer}: {name} is {value:?}");
        }
    }
}

#[test]
fn one_that_was_sent_back_and_failed_again_says_so_whoever_wrote_it() {
    let history = [header("dlq.attempts", "1"), header("dlq.replayed.from", "dlq/0/7")];
    for letter in letters() {
        let headers = headers(&letter);
        let headers = borrowed(&headers);
        let tool = decode(&headers).expect("a letter").tool.expect("another tool's");
        // Where a tool has copied the record's own headers, ours are the last of them.
        let Some(at) = headers.iter().rposition(|header| !tool.owns(header.name)) else { continue };
        let again = [&headers[..=at], &history, &headers[at + 1..]].concat();
        let decoded = decode(&again).expect("a letter");
        assert_eq!(decoded.failures, 2, "{}", letter["writer"]);
        assert_eq!(decoded.replayed_from, Some(Coordinates { topic: "dlq", partition: 0, offset: 7 }));
    }
}
