//! The writer: appends an event's JSON text to the arena, piece by piece, escaping what has to be.

use super::blocks;
use super::blocks::{BLOCK, Windows};
use super::escape;
use super::text::{Part, Text};

/// Bytes of content escaped between two looks at the ceiling, which also bounds the room asked for in advance.
const PIECE_BYTES: usize = 4096;

/// Appends to a buffer. Past its ceiling it may stop in the middle: what was written is then of no use to anybody,
/// because the record takes too much.
#[derive(Debug)]
pub(in crate::normalize) struct Writer<'o> {
    out: &'o mut Vec<u8>,
    ceiling: usize,
}

impl<'o> Writer<'o> {
    /// A writer at the end of `out` that needs not go on when `out` has grown past `ceiling`.
    pub fn new(out: &'o mut Vec<u8>, ceiling: usize) -> Self {
        Self { out, ceiling }
    }

    /// JSON as it is.
    #[inline(always)]
    pub fn raw(&mut self, json: &str) {
        self.out.extend_from_slice(json.as_bytes());
    }

    /// JSON as it is, of a length that varies.
    pub fn bytes(&mut self, json: &[u8]) {
        if self.out.len() <= self.ceiling {
            self.out.extend_from_slice(json);
        }
    }

    /// A string with its quotes.
    pub fn string(&mut self, content: Text<'_>) {
        self.raw("\"");
        match content.verbatim() {
            Some(raw) => self.bytes(raw),
            None => self.recoded(content),
        }
        self.raw("\"");
    }

    /// A string with its quotes, from text that has not been escaped.
    pub fn escaped(&mut self, content: &[u8]) {
        self.raw("\"");
        self.escape(content);
        self.raw("\"");
    }

    /// A string with its quotes, from a part of `whole`'s decoded content: where that had no escapes, none are needed.
    pub fn part(&mut self, content: &[u8], whole: Text<'_>) {
        if whole.verbatim().is_none() {
            return self.escaped(content);
        }
        self.raw("\"");
        self.bytes(content);
        self.raw("\"");
    }

    pub fn number(&mut self, number: u64) {
        let mut digits = [0; 20];
        let mut start = digits.len();
        let mut rest = number;
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
            start -= 1;
            if rest == 0 {
                break;
            }
        }
        self.out.extend_from_slice(digits.get(start..).unwrap_or_default());
    }

    fn recoded(&mut self, content: Text<'_>) {
        for part in content.parts() {
            match part {
                Part::Plain(bytes) => self.bytes(bytes),
                Part::Escaped(character) => self.character(character),
            }
        }
    }

    /// One character inside a string.
    fn character(&mut self, character: char) {
        match u8::try_from(character) {
            Ok(byte) if byte.is_ascii() => {
                let escape = escape::of(byte);
                self.bytes(escape.bytes().get(..escape.length()).unwrap_or_default());
            }
            _ => self.bytes(character.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }

    fn escape(&mut self, mut content: &[u8]) {
        while !content.is_empty() && self.out.len() <= self.ceiling {
            let start = self.out.len();
            let piece = content.len().min(PIECE_BYTES);
            self.out.resize(start + piece + piece / 4 + ROOM, 0);
            let mut windows = Windows::of(content);
            let written = escape_into(&mut windows, self.out.get_mut(start..).unwrap_or_default());
            self.out.truncate(start + written);
            content = windows.rest();
        }
    }
}

/// Room that one block may need: each of its bytes the longest escape, and a block behind the last of them.
const ROOM: usize = BLOCK * 6 + 2 * BLOCK;

/// Escapes as much as there is room for; gives the bytes written.
///
/// Each step stores whole blocks and escapes and then counts only what was meant: to store sixteen bytes costs less than
/// to find out how many to store.
#[inline]
fn escape_into(windows: &mut Windows<'_>, room: &mut [u8]) -> usize {
    let mut written = 0;
    while let Some(place) = room.get_mut(written..).and_then(|rest| rest.first_chunk_mut::<ROOM>()) {
        let Some((window, own)) = windows.window() else { break };
        let block = blocks::first(window);
        put(place, 0, block);
        let mut marks = blocks::special(block);
        let (mut from, mut to) = (0, 0);
        while marks != 0 {
            let at = marks.trailing_zeros() as usize % BLOCK;
            marks &= marks - 1;
            let escape = block.get(at).map(|byte| escape::of(*byte)).unwrap_or_default();
            to += at - from;
            put(place, to, &escape.bytes());
            to += escape.length();
            from = at + 1;
            if let Some(rest) = blocks::from(window, from) {
                put(place, to, rest);
            }
        }
        written += to + own - from;
        windows.pass(own);
    }
    written
}

#[inline(always)]
fn put<const N: usize>(room: &mut [u8; ROOM], at: usize, bytes: &[u8; N]) {
    if let Some(place) = room.get_mut(at..).and_then(|rest| rest.first_chunk_mut()) {
        *place = *bytes;
    }
}

/// An object that is only opened when it gets its first key, so that an empty one leaves nothing behind.
#[derive(Debug)]
pub(in crate::normalize) struct Group<'w, 'o> {
    pub writer: &'w mut Writer<'o>,
    opening: &'static str,
    open: bool,
}

impl<'w, 'o> Group<'w, 'o> {
    /// `opening` is written before the first key; it ends with a brace.
    pub fn new(writer: &'w mut Writer<'o>, opening: &'static str) -> Self {
        Self { writer, opening, open: false }
    }

    /// Goes to the value of `key`, which is given with quotes and colon.
    #[inline(always)]
    pub fn key(&mut self, key: &'static str) -> &mut Writer<'o> {
        if self.open {
            self.writer.raw(",");
        } else {
            self.writer.raw(self.opening);
            self.open = true;
        }
        self.writer.raw(key);
        self.writer
    }

    /// A member whose value is a string, when there is one.
    #[inline]
    pub fn string(&mut self, key: &'static str, content: Option<Text<'_>>) {
        if let Some(content) = content {
            self.key(key).string(content);
        }
    }

    #[inline]
    pub fn close(self) {
        if self.open {
            self.writer.raw("}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json_string(content: &str) -> String {
        let mut out = Vec::new();
        Writer::new(&mut out, usize::MAX).escaped(content.as_bytes());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_string_is_escaped_as_little_as_json_allows() {
        for (content, expected) in [
            ("", r#""""#),
            ("plain", r#""plain""#),
            ("é 😀 \u{7f} \u{fffd}", "\"é 😀 \u{7f} \u{fffd}\""),
            ("\"quoted\" \\ /", r#""\"quoted\" \\ /""#),
            ("\u{8}\u{c}\n\r\t", r#""\b\f\n\r\t""#),
            ("\0\u{1}\u{1f}", r#""\u0000\u0001\u001f""#),
        ] {
            assert_eq!(json_string(content), expected);
        }
    }

    #[test]
    fn strings_of_every_length_and_density_read_back_the_same() {
        for unit in ["x", "\"", "\u{1}", "ab\"", "aaaaaaa\n", "1234567890\\", "é\u{0}"] {
            for times in (0..70).chain([1_000, 4_095, 4_096, 4_097, 20_000]) {
                let content = unit.repeat(times);
                assert_eq!(serde_json::from_str::<String>(&json_string(&content)).unwrap(), content);
            }
        }
    }

    #[test]
    fn a_string_from_a_text_loses_its_own_escapes_and_keeps_its_meaning() {
        for (raw, expected) in [
            (r"\/\u0041\u00e9", r#""/Aé""#),
            (r"a\u000ab\u0001\u0022\\", r#""a\nb\u0001\"\\""#),
            (r"\ud83d\ude00 \ud83d", "\"😀 \u{fffd}\""),
        ] {
            let mut out = Vec::new();
            Writer::new(&mut out, usize::MAX).string(Text::new(raw.as_bytes(), true));
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }

    #[test]
    fn numbers_are_plain_digits() {
        for number in [0, 7, 10, 87_680, u64::MAX] {
            let mut out = Vec::new();
            Writer::new(&mut out, usize::MAX).number(number);
            assert_eq!(String::from_utf8(out).unwrap(), number.to_string());
        }
    }

    #[test]
    fn writing_stops_soon_after_the_ceiling() {
        let mut out = Vec::new();
        Writer::new(&mut out, 10_000).escaped(&vec![1; 10_000_000]);
        assert!(out.len() > 10_000 && out.len() < 10_000 + 6 * PIECE_BYTES + 100, "{}", out.len());
    }

    #[test]
    fn a_group_without_members_leaves_nothing() {
        let mut out = Vec::new();
        let mut writer = Writer::new(&mut out, usize::MAX);
        Group::new(&mut writer, "{").close();
        let mut group = Group::new(&mut writer, "{");
        group.string("\"a\":", Some(Text::new(b"x", false)));
        group.string("\"b\":", None);
        group.key("\"c\":").number(1);
        group.close();
        assert_eq!(out, br#"{"a":"x","c":1}"#);
    }
}
