//! The content of a JSON string, decoded only when somebody has to look at it.

use std::borrow::Cow;

use memchr::memchr;

use super::blocks;
use super::blocks::{BLOCK, Windows};
use super::escape;

/// What stands between the quotes of a string in a checked text.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::normalize) struct Text<'a> {
    raw: &'a [u8],
    escaped: bool,
}

impl<'a> Text<'a> {
    pub(super) fn new(raw: &'a [u8], escaped: bool) -> Self {
        Self { raw, escaped }
    }

    /// A text of our own, without escapes.
    pub fn plain(text: &'a [u8]) -> Self {
        Self { raw: text, escaped: false }
    }

    /// Whether the content, behind a byte order mark and then white space, begins with a brace or a bracket.
    pub fn looks_like_json(self) -> bool {
        let mut rest = self.raw;
        let mut first = true;
        loop {
            let Some(byte) = rest.first() else { return false };
            let (character, length) = match byte {
                b'\\' => escape::decode(rest),
                _ if first && rest.starts_with("\u{feff}".as_bytes()) => ('\u{feff}', 3),
                byte => (char::from(*byte), 1),
            };
            match character {
                '{' | '[' => return true,
                '\u{feff}' if first => {}
                ' ' | '\t' | '\n' | '\r' => {}
                _ => return false,
            }
            first = false;
            rest = rest.get(length..).unwrap_or_default();
        }
    }

    /// The content as it stands in the text, for copying into a string of ours; `None` when it has escapes, which we
    /// write our own way.
    pub(super) fn verbatim(self) -> Option<&'a [u8]> {
        (!self.escaped).then_some(self.raw)
    }

    /// True for `""`, whether or not escapes are looked at: each stands for at least one character.
    pub fn is_empty(self) -> bool {
        self.raw.is_empty()
    }

    /// The decoded content: borrowed when nothing had to be decoded.
    pub fn decoded(self) -> Cow<'a, [u8]> {
        if !self.escaped {
            return Cow::Borrowed(self.raw);
        }
        let mut decoded = Vec::new();
        self.decode_into(&mut decoded);
        Cow::Owned(decoded)
    }

    /// The decoded content, with the caller's buffer as the place to decode to.
    pub fn decoded_in<'s>(self, buffer: &'s mut Vec<u8>) -> &'s [u8]
    where
        'a: 's,
    {
        if !self.escaped {
            return self.raw;
        }
        buffer.clear();
        self.decode_into(buffer);
        buffer
    }

    /// Appends the decoded content, which is never longer than the raw one.
    pub fn decode_into(self, out: &mut Vec<u8>) {
        let start = out.len();
        out.resize(start + self.raw.len() + BLOCK, 0);
        let written = decode(self.raw, out.get_mut(start..).unwrap_or_default());
        out.truncate(start + written);
    }

    /// Runs without escapes, and the escapes between them, in order.
    pub(super) fn parts(self) -> Parts<'a> {
        Parts { rest: self.raw }
    }
}

/// Decodes `raw` into room for a block more than its own length; gives the bytes written.
///
/// Each step stores a whole block and then counts only its part before the first escape.
fn decode(raw: &[u8], room: &mut [u8]) -> usize {
    let mut windows = Windows::of(raw);
    let mut written = 0;
    while let Some((window, own)) = windows.window() {
        let Some(place) = room.get_mut(written..).and_then(|rest| rest.first_chunk_mut::<BLOCK>()) else { break };
        let block = blocks::first(window);
        *place = *block;
        let marks = blocks::backslash(block);
        if marks == 0 {
            written += own;
            windows.pass(own);
            continue;
        }
        let plain = marks.trailing_zeros() as usize % BLOCK;
        let letter = window.get(plain + 1).copied().unwrap_or_default();
        let length = match escape::short(letter) {
            Some(byte) => {
                if let Some(place) = place.get_mut(plain) {
                    *place = byte;
                }
                written += plain + 1;
                2
            }
            None => {
                let (character, length) = escape::decode(windows.rest().get(plain..).unwrap_or_default());
                written += plain;
                if let Some(place) = room.get_mut(written..written + character.len_utf8()) {
                    character.encode_utf8(place);
                }
                written += character.len_utf8();
                length
            }
        };
        windows.pass(plain + length);
    }
    written
}

pub(super) enum Part<'a> {
    Plain(&'a [u8]),
    Escaped(char),
}

pub(super) struct Parts<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Parts<'a> {
    type Item = Part<'a>;

    fn next(&mut self) -> Option<Part<'a>> {
        let (part, length) = match self.rest.first()? {
            b'\\' => {
                let (character, length) = escape::decode(self.rest);
                (Part::Escaped(character), length)
            }
            _ => {
                let length = memchr(b'\\', self.rest).unwrap_or(self.rest.len());
                (Part::Plain(self.rest.get(..length).unwrap_or_default()), length)
            }
        };
        self.rest = self.rest.get(length..).unwrap_or_default();
        Some(part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(raw: &str) -> String {
        let mut buffer = b"left over".to_vec();
        let text = Text::new(raw.as_bytes(), raw.contains('\\'));
        assert_eq!(text.decoded(), text.decoded_in(&mut buffer));
        String::from_utf8(text.decoded().into_owned()).unwrap()
    }

    #[test]
    fn content_is_decoded_run_by_run() {
        for (raw, expected) in [
            ("", ""),
            ("plain é", "plain é"),
            (r"\/Date(1)\/", "/Date(1)/"),
            (r#"{\"a\":\"\\u0041\"}"#, r#"{"a":"\u0041"}"#),
            (r"\u0041\u00e9\ud83d\ude00!", "Aé😀!"),
            (r"x\ud83d\ud83d\ude00\ude00y", "x\u{fffd}😀\u{fffd}y"),
            (
                r"0123456789abcde\n0123456789abcd\u00e9 and 16 more bytes",
                "0123456789abcde\n0123456789abcdé and 16 more bytes",
            ),
        ] {
            assert_eq!(decoded(raw), expected, "{raw}");
        }
    }

    #[test]
    fn what_looks_like_json_is_told_by_its_first_character() {
        for (raw, expected) in [
            ("{x", true),
            (" \\n\\t\\r [", true),
            ("\u{feff} {", true),
            ("\\ufeff\\u0020\\u007b", true),
            ("", false),
            (" ", false),
            ("x{", false),
            (" \u{feff}{", false),
            ("\u{feff}\u{feff}{", false),
            ("\\ufeff\\ufeff{", false),
            ("\\\"{", false),
        ] {
            let text = Text::new(raw.as_bytes(), raw.contains('\\'));
            assert_eq!(text.looks_like_json(), expected, "{raw}");
        }
    }

    #[test]
    fn content_of_every_length_and_density_is_decoded_as_serde_json_does() {
        for unit in ["x", r"\n", r"\\", r#"ab\""#, r"\u00e9", r"\ud83d\ude00!", r"123456789012345\/", "é\\t"] {
            for times in 0..70 {
                for lead in ["", "a", "0123456789abcd"] {
                    let raw = lead.to_owned() + &unit.repeat(times);
                    let expected: String = serde_json::from_str(&format!("\"{raw}\"")).unwrap();
                    assert_eq!(decoded(&raw), expected, "{raw}");
                }
            }
        }
    }
}
