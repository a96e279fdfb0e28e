//! Bytes that anybody may have written, made fit for a terminal: nothing that a terminal obeys, that turns the direction
//! of text or that cannot be seen comes through; as JSON or as text.

use std::fmt::Write as _;
use std::io;

use serde::Serialize;
use serde_json::ser::{CharEscape, CompactFormatter, Formatter, Serializer};

/// Whether a terminal does something with the character other than to show it.
fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// The text with everything escaped that acts, and what is no text as `\xff`; cut after `max_chars`, with an ellipsis.
pub fn text(bytes: &[u8], max_chars: usize) -> String {
    let mut shown = String::with_capacity(bytes.len().min(max_chars));
    let mut chars = 0;
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if chars == max_chars {
                shown.push('…');
                return shown;
            }
            chars += 1;
            match c {
                '\n' => shown.push_str("\\n"),
                '\r' => shown.push_str("\\r"),
                '\t' => shown.push_str("\\t"),
                c if acts(c) => {
                    let _ = write!(shown, "\\u{{{:x}}}", u32::from(c));
                }
                c => shown.push(c),
            }
        }
        for byte in chunk.invalid() {
            if chars == max_chars {
                shown.push('…');
                return shown;
            }
            chars += 1;
            let _ = write!(shown, "\\x{byte:02x}");
        }
    }
    shown
}

/// One line of JSON, with everything escaped that acts: the same value for a program, harmless on a terminal.
pub fn write_json(out: &mut impl io::Write, value: &impl Serialize) -> io::Result<()> {
    let mut serializer = Serializer::with_formatter(&mut *out, Harmless);
    value.serialize(&mut serializer).map_err(io::Error::from)?;
    out.write_all(b"\n")
}

struct Harmless;

impl Formatter for Harmless {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(at) = rest.find(acts) {
            let (before, after) = rest.split_at(at);
            writer.write_all(before.as_bytes())?;
            let mut chars = after.chars();
            if let Some(c) = chars.next() {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    write!(writer, "\\u{unit:04x}")?;
                }
            }
            rest = chars.as_str();
        }
        writer.write_all(rest.as_bytes())
    }

    fn write_char_escape<W: ?Sized + io::Write>(&mut self, writer: &mut W, escape: CharEscape) -> io::Result<()> {
        CompactFormatter.write_char_escape(writer, escape)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_acts_is_escaped_and_what_is_long_is_cut() {
        let cases: [(&[u8], usize, &str); 9] = [
            (b"plain", 99, "plain"),
            (b"\x1b[31mred\x07", 99, "\\u{1b}[31mred\\u{7}"),
            ("\u{9b}31m".as_bytes(), 99, "\\u{9b}31m"),
            ("a\u{202e}b\u{200b}c".as_bytes(), 99, "a\\u{202e}b\\u{200b}c"),
            (b"a\r\n\tb", 99, "a\\r\\n\\tb"),
            (b"\xff\xfea", 99, "\\xff\\xfea"),
            ("grüße €".as_bytes(), 99, "grüße €"),
            ("grüße".as_bytes(), 3, "grü…"),
            (b"", 0, ""),
        ];
        for (bytes, max_chars, expected) in cases {
            assert_eq!(text(bytes, max_chars), expected);
        }
    }

    proptest! {
        #[test]
        fn nothing_that_acts_comes_through(bytes: Vec<u8>, string in "\\PC*|[\\x00-\\u{ff}\\u{2000}-\\u{20ff}]*") {
            prop_assert!(!text(&bytes, 1000).contains(acts));
            prop_assert!(!text(string.as_bytes(), 1000).contains(acts));
            let mut json = Vec::new();
            write_json(&mut json, &string).unwrap();
            let json = String::from_utf8(json).unwrap();
            prop_assert!(!json.trim_end_matches('\n').contains(acts), "{json}");
            prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), string);
        }
    }
}
