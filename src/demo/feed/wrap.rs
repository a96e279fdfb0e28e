//! What shippers make of a trace before it reaches Kafka: envelopes around one, pages of many, pages of none.

use std::io::Write as _;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};

use super::dice::Dice;
use super::text;

/// Opening and closing of a page: OData v2 to v4, Event Hubs, plain arrays.
const PAGES: [(&str, &str); 8] = [
    ("{\"@odata.context\":\"https://graph.example.com/v1.0/$metadata#messageTraces\",\"value\":[", "]}"),
    ("{\"value\":[", "],\"@odata.nextLink\":\"https://graph.example.com/v1.0/messageTraces?$skiptoken=x\"}"),
    ("{\"odata.metadata\":\"https://reports.example.com/$metadata#MessageTrace\",\"value\":[", "]}"),
    ("{\"d\":{\"results\":[", "],\"__next\":\"https://reports.example.com/MessageTrace?$skip=2000\"}}"),
    ("{\"d\":[", "]}"),
    ("{\"results\":[", "]}"),
    ("{\"records\":[", "]}"),
    ("[\n  ", "\n]\n"),
];

/// Objects of Splunk's HEC, CloudEvents, Azure's diagnostic export and a split that left an element under its array's key.
const SHIPPERS: [(&str, &str); 4] = [
    ("{\"time\":1780000000.25,\"host\":\"collector-1\",\"event\":", "}"),
    ("{\"specversion\":\"1.0\",\"type\":\"mail.trace\",\"source\":\"/collector\",\"id\":\"7\",\"data\":", "}"),
    ("{\"records\":[{\"category\":\"MessageTrace\",\"properties\":", "}]}"),
    ("{\"@odata.context\":\"https://graph.example.com/v1.0/$metadata#messageTraces\",\"value\":", "}"),
];

/// Logic Apps and CloudEvents, which keep a document as Base64.
const BASE64: [(&str, &str); 2] = [
    ("{\"$content-type\":\"application/json\",\"$content\":\"", "\"}"),
    (
        "{\"specversion\":\"1.0\",\"type\":\"mail.trace\",\"source\":\"/collector\",\"id\":\"7\",\"data_base64\":\"",
        "\"}",
    ),
];

const EMPTY: [&str; 6] = [
    "[]",
    "{\"value\":[]}",
    "{\"d\":{\"results\":[]}}",
    "{\"records\":[ ]}",
    "[[],[]]",
    "{\"message\":\"{\\\"value\\\":[]}\"}",
];

/// `trace` in an envelope, as text inside a string or as the value itself.
pub fn envelope(dice: &mut Dice, trace: &str, out: &mut String) {
    let (open, close) = match dice.below(10) {
        0..3 => {
            out.push_str("{\"@version\":\"1\",\"agent\":{\"type\":\"shipper\",\"version\":\"8.2.1\"},\"host\":{\"name\":\"collector-");
            text::number(out, 1 + dice.below(6));
            out.push_str("\"},\"tags\":[\"o365\",\"trace\"],\"message\":\"");
            (None, "\"}")
        }
        3 => (Some("{\"log\":{\"offset\":4096},\"event.original\":\""), "\"}"),
        4 => (Some("{\"event\":{\"dataset\":\"mail\",\"original\":\""), "\"}}"),
        5 => (Some("{\"payload\":\""), "\"}"),
        6 => (Some("{\"schema\":{\"type\":\"string\",\"optional\":false},\"payload\":\""), "\"}"),
        7 => (Some("{\"event\":{\"kind\":\"event\"},\"message\":\"\\uFEFF"), "\\n\"}"),
        8 if dice.one_in(2) => {
            let (open, close) =
                dice.pick(&[("{\"log\":\"", "\\n\",\"stream\":\"stdout\"}"), ("{\"_raw\":\"", "\"}"), ("\"", "\"")]);
            out.push_str(open);
            text::escaped(out, trace);
            return out.push_str(close);
        }
        8 => return around(out, "{\"topic\":\"mail\",\"payload\":", trace, "}"),
        _ if dice.one_in(2) => return around(out, "{\"message\":", trace, "}"),
        _ if dice.one_in(4) => {
            let (open, close) = dice.pick(&BASE64);
            return around(out, open, &BASE64_STANDARD.encode(trace), close);
        }
        _ => {
            let (open, close) = dice.pick(&SHIPPERS);
            return around(out, open, trace, close);
        }
    };
    out.push_str(open.unwrap_or_default());
    text::escaped(out, trace);
    out.push_str(close);
}

/// A value as it is now and then packed or encoded on its way: by gzip, zlib or Zstandard, in UTF-16, behind the prefix of a
/// schema registry.
pub fn encoded(dice: &mut Dice, value: String) -> Vec<u8> {
    const MEMORY: &str = "memory takes what is written";
    match dice.below(300) {
        0 => {
            let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
            let packed = packer.write_all(value.as_bytes()).and_then(|()| packer.finish());
            packed.expect(MEMORY)
        }
        1 => {
            ['\u{feff}'].into_iter().chain(value.trim_start_matches('\u{feff}').chars()).flat_map(utf16_bytes).collect()
        }
        2 if value.starts_with(['{', '[', '"']) => [&b"\0\0\0\x01\xc8"[..], value.as_bytes()].concat(),
        3 => {
            let mut packer = ZlibEncoder::new(Vec::new(), Compression::fast());
            let packed = packer.write_all(value.as_bytes()).and_then(|()| packer.finish());
            packed.expect(MEMORY)
        }
        4 => zstd::bulk::compress(value.as_bytes(), 1).expect(MEMORY),
        _ => value.into_bytes(),
    }
}

fn utf16_bytes(character: char) -> Vec<u8> {
    character.encode_utf16(&mut [0; 2]).iter().flat_map(|unit| unit.to_le_bytes()).collect()
}

/// What stands between the elements of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Between {
    Comma,
    /// Each is a line of its own, as a shipper writes a batch.
    LineFeed,
}

impl Between {
    pub fn of(dice: &mut Dice) -> Self {
        if dice.one_in(8) { Self::LineFeed } else { Self::Comma }
    }

    pub fn character(self) -> char {
        match self {
            Self::Comma => ',',
            Self::LineFeed => '\n',
        }
    }
}

/// A page of elements that are already put together.
pub fn page(dice: &mut Dice, elements: &str, between: Between, out: &mut String) {
    if between == Between::LineFeed {
        return around(out, "", elements, "\n");
    }
    let (open, close) = dice.pick(&PAGES);
    if dice.one_in(5) {
        let mut page = String::with_capacity(elements.len() + 256);
        around(&mut page, open, elements, close);
        envelope(dice, &page, out);
    } else {
        around(out, open, elements, close);
    }
}

/// A page of nothing.
pub fn empty(dice: &mut Dice) -> &'static str {
    dice.pick(&EMPTY)
}

/// A lone trace as it stands, now and then with what real files have about it.
pub fn plain(dice: &mut Dice, trace: &str, out: &mut String) {
    match dice.below(200) {
        0..4 => around(out, "", trace, "\n"),
        4 => around(out, "\u{feff}", trace, ""),
        5 => around(out, " ", trace, "\r\n"),
        // An ignored part may be nested as deeply as it likes.
        6 => {
            out.push_str(trace.strip_suffix('}').unwrap_or(trace));
            let depth = 200;
            around(out, ",\"extra\":", &"[".repeat(depth), "");
            around(out, "", &"]".repeat(depth), "}");
        }
        _ => out.push_str(trace),
    }
}

fn around(out: &mut String, open: &str, inside: &str, close: &str) {
    out.push_str(open);
    out.push_str(inside);
    out.push_str(close);
}
