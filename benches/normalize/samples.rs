//! Records for the tables: ordinary ones, and the worst that fit into a size.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use messagetrace_ecs::normalize::{Outcomes, Verdict, WRAPPER_KEYS};
use serde_json::json;

use crate::packers::gzip;
use crate::reporting;

pub fn reporting() -> Vec<String> {
    (0..256).map(reporting::trace).collect()
}

/// Traces as Microsoft Graph gives them.
pub fn graph() -> Vec<String> {
    let trace = |number: usize| {
        json!({
            "id": format!("{number:08x}-180d-4c2f-60c9-08da6e38dd10"),
            "senderAddress": format!("person{number}@mail.fabrikam.co.uk"),
            "recipientAddress": format!("someone.else{number}@contoso.example"),
            "messageId": format!("<{number:08x}-cd65-4335-96ec-5f6934f0fb10@mail.fabrikam.example>"),
            "receivedDateTime": "2026-04-12T09:41:27.1234567Z",
            "subject": "Minutes of the meeting on the new warehouse, draft for comments",
            "status": "delivered",
            "toIP": null,
            "fromIP": format!("2001:db8::{number:x}"),
            "size": 20_000 + number,
        })
        .to_string()
    };
    (0..256).map(trace).collect()
}

/// A trace as log shippers wrap it.
pub fn in_a_string(trace: &str) -> String {
    json!({"@timestamp": "2026-04-12T09:41:28.000Z", "host": {"name": "collector-1"}, "message": trace}).to_string()
}

/// What became of the first record, in a few words.
pub fn summary(outcomes: &Outcomes) -> String {
    let (mut events, mut rejections) = (0, 0);
    let mut kind = "";
    for outcome in outcomes.of_record(0) {
        match outcome.verdict {
            Verdict::Event { .. } => events += 1,
            Verdict::Rejection { rejection, .. } => {
                rejections += 1;
                kind = rejection.kind.name();
            }
        }
    }
    format!("{events} events, {rejections} rejections {kind}")
}

type Shape = fn(usize) -> Vec<u8>;

/// Values of about a given length in bytes, those of gzip once they are unpacked, that are hard on one part of the mapping each.
pub const WORST: [(&str, Shape); 28] = [
    ("opening brackets", |bytes| b"[".repeat(bytes)),
    ("brackets, closed again", |bytes| [b"[".repeat(bytes / 2), b"]".repeat(bytes / 2)].concat()),
    ("objects in objects", |bytes| [b"{\"d\":".repeat(bytes / 6), b"0".to_vec(), b"}".repeat(bytes / 6)].concat()),
    ("array of digits", |bytes| list(bytes, |_| "0".to_owned())),
    ("array of empty arrays", |bytes| list(bytes, |_| "[]".to_owned())),
    ("page, every second trace broken", |bytes| {
        list(bytes, |at| if at % 2 == 0 { reporting::trace(at) } else { broken(at) })
    }),
    ("page of traces in strings", |bytes| list(bytes, |at| in_a_string(&reporting::trace(at)))),
    ("subject of backslashes", |bytes| trace("Subject", "\\\\", bytes)),
    ("subject of control characters", |bytes| trace("Subject", "\\u0001", bytes)),
    ("sender of dots", |bytes| trace("SenderAddress", "a@.", bytes)),
    ("sender of labels", |bytes| trace("SenderAddress", "a.", bytes)),
    ("sender of at signs", |bytes| trace("SenderAddress", "@", bytes)),
    ("received of digits", |bytes| trace("Received", "1", bytes)),
    ("size of digits", |bytes| {
        let digits = "1".repeat(bytes);
        format!("{{\"MessageTraceId\":\"a\",\"Received\":\"2022-09-05T18:10:13\",\"Size\":{digits}.5}}").into_bytes()
    }),
    ("keys repeated, each with an escape", |bytes| {
        let members = "\"Stat\\u0075s\":\"\",".repeat(bytes / 18);
        format!("{{{members}\"MessageTraceId\":\"a\",\"Received\":\"2022-09-05T18:10:13\"}}").into_bytes()
    }),
    ("a page under four levels of wrappers", |bytes| {
        let page = String::from_utf8(list(bytes, reporting::trace)).expect("samples are text");
        format!("{{\"payload\":{{\"payload\":{{\"event\":{{}},\"d\":{{\"results\":[{{\"value\":{page}}}]}}}}}}}}")
            .into_bytes()
    }),
    ("page in gzip", |bytes| gzip(&list(bytes, reporting::trace))),
    ("spaces in gzip", |bytes| gzip(&b" ".repeat(bytes))),
    ("Zstandard that unpacks 32,768 times", zstandard_bomb),
    ("page in UTF-16", |bytes| {
        let page = String::from_utf8(list(bytes / 2, reporting::trace)).expect("samples are text");
        page.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }),
    ("lines of traces", |bytes| {
        (0..bytes / 850).flat_map(|number| (reporting::trace(number) + "\n").into_bytes()).collect()
    }),
    ("lines of one byte", |bytes| [b"{}\n".to_vec(), b"1\n".repeat(bytes / 2)].concat()),
    ("blank lines", |bytes| [b"{}\n".to_vec(), b"\n".repeat(bytes), b"[]".to_vec()].concat()),
    ("a line of brackets behind an object", |bytes| [b"{}\n".to_vec(), b"[".repeat(bytes)].concat()),
    ("wrapper keys in wrapper keys, no trace", |bytes| under_all_wrapper_keys(bytes).into_bytes()),
    ("page in Base64", |bytes| {
        format!("{{\"$content\":\"{}\"}}", BASE64_STANDARD.encode(list(bytes / 4 * 3, reporting::trace))).into_bytes()
    }),
    ("page in a string in a string", |bytes| {
        let page = String::from_utf8(list(bytes / 2, reporting::trace)).expect("samples are text");
        json!(json!(page).to_string()).to_string().into_bytes()
    }),
    ("received, a number of digits", |bytes| {
        format!("{{\"MessageTraceId\":\"a\",\"Received\":1.{}}}", "1".repeat(bytes)).into_bytes()
    }),
];

/// One frame of blocks that hold a byte and how often it comes: 128 KiB out of 4 bytes each.
fn zstandard_bomb(bytes: usize) -> Vec<u8> {
    let block = |last: u32| {
        let [a, b, c, _] = ((128 << 10) << 3 | 1 << 1 | last).to_le_bytes();
        [a, b, c, b' ']
    };
    // A window of 128 KiB, no size of the content.
    [&[0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x38], &block(0).repeat(bytes / 4)[..], &block(1)].concat()
}

/// Objects with all wrapper keys, four levels of them, around objects that are too deep to lead on.
fn under_all_wrapper_keys(bytes: usize) -> String {
    let filler = "x".repeat(bytes / WRAPPER_KEYS.len().pow(3));
    (0..3).fold(json!({"x": filler}).to_string(), |inner, _| {
        let members: Vec<String> = WRAPPER_KEYS.iter().map(|key| format!("\"{key}\":{inner}")).collect();
        format!("{{{}}}", members.join(","))
    })
}

fn list(bytes: usize, element: impl Fn(usize) -> String) -> Vec<u8> {
    let mut list = String::from("[");
    for at in 0.. {
        list += &element(at);
        if list.len() >= bytes {
            break;
        }
        list.push(',');
    }
    list.push(']');
    list.into_bytes()
}

fn broken(number: usize) -> String {
    reporting::trace(number).replace("\"Status\":", "\"Status\":5,\"Status2\":")
}

/// A trace with one field that is long.
fn trace(key: &str, unit: &str, bytes: usize) -> Vec<u8> {
    let long = unit.repeat(bytes / unit.len());
    format!("{{\"MessageTraceId\":\"a\",\"Received\":\"2022-09-05T18:10:13\",\"{key}\":\"{long}\"}}").into_bytes()
}
