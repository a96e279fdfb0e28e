//! JSON with what anybody may have written in it, fit for a terminal too: nothing in it acts.

use std::io;

use serde::Serialize;
use serde_json::ser::{CharEscape, CompactFormatter, Formatter, Serializer};

use crate::text::acts;

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

    proptest! {
        #[test]
        fn nothing_that_acts_comes_through(string in "\\PC*|[\\x00-\\u{ff}\\u{2000}-\\u{20ff}]*") {
            let mut json = Vec::new();
            write_json(&mut json, &string).unwrap();
            let json = String::from_utf8(json).unwrap();
            prop_assert!(!json.trim_end_matches('\n').contains(acts), "{json}");
            prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), string);
        }
    }
}
