//! The content of a JSON string, decoded only when somebody has to look at it.

use std::borrow::Cow;

use memchr::memchr;

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
        out.reserve(self.raw.len());
        for part in self.parts() {
            match part {
                Part::Plain(bytes) => out.extend_from_slice(bytes),
                Part::Escaped(character) => {
                    out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                }
            }
        }
    }

    /// Runs without escapes, and the escapes between them, in order.
    pub(super) fn parts(self) -> Parts<'a> {
        Parts { rest: self.raw }
    }
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
        ] {
            assert_eq!(decoded(raw), expected, "{raw}");
        }
    }
}
