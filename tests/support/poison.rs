//! Everything that gives a dead letter, each kind in several guises.

use fastrand::Rng;

use super::page::{MAX_LEVELS, Piece, in_string_of};
use super::trace::{Draft, quoted};

/// What cannot even stand in a page: the value of a whole record and the kind of its rejection.
#[derive(Clone, Debug)]
pub struct BadValue {
    pub kind: &'static str,
    pub value: Option<Vec<u8>>,
}

/// Limits that the service under test is given, low enough to be passed now and then.
pub const MAX_PAYLOAD_BYTES: usize = 64 * 1024;
pub const MAX_TRACES: usize = 100;

/// A record's value that is rejected as a whole before or at its first level.
pub fn bad_value(rng: &mut Rng, id: String) -> BadValue {
    let trace = Piece::trace(rng, id).text;
    let (kind, value) = match rng.u8(..40) {
        0 => ("payload_too_large", format!("{trace}{}", " ".repeat(MAX_PAYLOAD_BYTES + 1 - trace.len())).into_bytes()),
        1 | 2 => ("expands_too_far", format!("[{}]", vec!["7"; MAX_TRACES + 1].join(",")).into_bytes()),
        3..=8 => return BadValue { kind: "empty_payload", value: None },
        9..=16 => ("empty_payload", one_of(rng, &["", " ", "\u{feff}", "\u{feff} \t\r\n"]).into()),
        17..=26 => {
            let cut = rng.usize(..trace.len());
            let bytes = trace.into_bytes();
            let broken = rng.choice([&b"\xff"[..], b"\xc3\x28", b"\xed\xa0\x80", b"\xf8\x88\x80\x80\x80"]);
            ("invalid_utf8", [&bytes[..cut], broken.expect("not empty"), &bytes[cut..]].concat())
        }
        _ => ("invalid_json", invalid_json(rng, &trace).into_bytes()),
    };
    BadValue { kind, value: Some(value) }
}

/// A piece of valid JSON that gives exactly one rejection; it may stand alone, wrapped or in a page.
pub fn bad_piece(rng: &mut Rng, id: String) -> Piece {
    match rng.u8(..7) {
        0 => unknown_shape(rng, id),
        1 => Piece::letter(
            "message_trace_detail",
            "",
            one_of(
                rng,
                &[
                    r#"{"MessageTraceId":"a","Event":"Receive","Detail":"","Date":"2026-01-01T00:00:00"}"#,
                    r#"{"id":"a","event":"Receive","dateTime":"2026-01-01T00:00:00Z","senderAddress":"a@b.example"}"#,
                ],
            ),
        ),
        2 => Piece::letter(
            "api_error",
            "",
            one_of(
                rng,
                &[
                    r#"{"error":{"code":"TooManyRequests","message":"later"}}"#,
                    r#"{"odata.error":{"code":"","message":{"lang":"en-US","value":"gone"}}}"#,
                    r#"{"ErrorCode":"InternalServerError"}"#,
                ],
            ),
        ),
        3 => string_without_json(rng),
        4 => missing_field(rng, id),
        5 => invalid_field(rng, id),
        _ => invalid_timestamp(rng, id),
    }
}

fn unknown_shape(rng: &mut Rng, id: String) -> Piece {
    let text = one_of(rng, &["42", "null", "true", "{}", r#"{"a":[1,2]}"#, r#"{"Received":"2026-01-01"}"#]);
    if rng.u8(..4) > 0 {
        return Piece::letter("unknown_shape", "", text);
    }
    // A trace one level too deep: what is left after the levels that are taken off is the rest, as it stands.
    let trace = Piece::trace(rng, id).text;
    let rest = format!("{{\"payload\":{trace}}}");
    let mut piece = Piece::letter("unknown_shape", "", rest);
    for _ in 0..MAX_LEVELS {
        piece = piece.in_payload();
    }
    piece
}

fn string_without_json(rng: &mut Rng) -> Piece {
    let content = one_of(rng, &["", " ", "plain text", "{\"a\":", "{'a':1}", "1 2"]);
    if rng.u8(..4) == 0 {
        // A string stands for the JSON text inside it, and names no key.
        let text = quoted(rng, &content);
        return Piece::letter("invalid_json", "", content).written_as(text);
    }
    let (key, text) = in_string_of(rng, &content);
    Piece::letter("invalid_json", key, content).written_as(text)
}

fn missing_field(rng: &mut Rng, id: String) -> Piece {
    let mut draft = Draft::make(rng, id);
    let key = if rng.bool() { draft.names().id } else { draft.names().received };
    draft.set(key, &one_of(rng, &["null", "\"\""]));
    Piece::letter("missing_field", key, draft.text(rng))
}

fn invalid_field(rng: &mut Rng, id: String) -> Piece {
    let mut draft = Draft::make(rng, id);
    let names = draft.names();
    let (key, values): (_, &[&str]) = match rng.u8(..4) {
        0 => (names.size, &["-1", "1.5", "9223372036854775808", "\"12a\"", "true", "[]", "\" 1\""]),
        1 => (names.subject, &["42", "[\"a\"]", "{}", "false"]),
        2 => (names.id, &["42", "[]"]),
        _ => (names.received, &["true", "[\"2022-09-05T18:10:13Z\"]"]),
    };
    draft.set(key, &one_of(rng, values));
    Piece::letter("invalid_field", key, draft.text(rng))
}

fn invalid_timestamp(rng: &mut Rng, id: String) -> Piece {
    let mut draft = Draft::make(rng, id);
    let key = draft.names().received;
    draft.set(
        key,
        &one_of(
            rng,
            &[
                "\"yesterday\"",
                "\"2022-02-30T00:00:00Z\"",
                "\"2022-09-05T24:00:00Z\"",
                "\"2022-09-05\"",
                "\"1969-12-31T23:59:59Z\"",
                "\"/Date()/\"",
                "\"/Date(1658751973240+00)/\"",
                "{\"value\":\"x\"}",
                "{\"DateTime\":\"Monday\"}",
                "165875197",
                "\"05/09/2022\"",
            ],
        ),
    );
    Piece::letter("invalid_timestamp", key, draft.text(rng))
}

fn invalid_json(rng: &mut Rng, trace: &str) -> String {
    match rng.u8(..5) {
        0 => "plain text, no JSON".to_owned(),
        1 => trace[..trace.len() - 1].to_owned(),
        2 => format!("{trace}{trace}"),
        3 => format!("{{\"raw control\":\"\u{1}\",\"value\":[{trace}]}}"),
        _ => format!("{trace},"),
    }
}

fn one_of(rng: &mut Rng, values: &[&str]) -> String {
    values[rng.usize(..values.len())].to_owned()
}
