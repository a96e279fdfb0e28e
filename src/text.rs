//! PURE: foreign text made fit to be read: what a broker, a file or a record says must neither forge a line, nor fill a
//! screen, nor do anything to a terminal.
//!
//! ```
//! use messagetrace_ecs::text;
//!
//! assert_eq!(text::one_line("two\nlines"), "two lines");
//! assert_eq!(text::escaped("a\u{1b}[2Jb"), r"a\u{1b}[2Jb");
//! assert_eq!(text::grouped(1_234_567), "1,234,567");
//! ```

use std::fmt::{self, Write as _};

/// Characters of one piece of text in a line of the log.
pub const TEXT_MAX: usize = 2_000;

/// Whether a reader gets something else than the character to see: control characters, those that break a line or turn
/// the direction of writing, and those that cannot be seen.
pub fn acts(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// The text on one line, each control character replaced by the mark of one that cannot be shown.
pub fn without_controls(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { '\u{fffd}' } else { character }).collect()
}

/// The text on one line, with everything escaped that acts.
pub fn escaped(text: &str) -> String {
    harmless(text.as_bytes(), usize::MAX)
}

/// The same for bytes, what is no text as `\xff`; cut after `max_chars`, with an ellipsis.
pub fn harmless(bytes: &[u8], max_chars: usize) -> String {
    let mut shown = String::with_capacity(bytes.len().min(max_chars));
    let mut chars = 0;
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            if chars == max_chars {
                shown.push('…');
                return shown;
            }
            chars += 1;
            if acts(character) {
                shown.extend(character.escape_default());
            } else {
                shown.push(character);
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

/// The beginning of a text, with a mark where it was cut.
pub fn cut(text: &str) -> String {
    match text.char_indices().nth(TEXT_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// `1234567` as `1,234,567`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A text on one line, whatever others put into it: escaped and cut.
pub fn one_line(text: &str) -> String {
    escaped(&cut(&text.split_whitespace().collect::<Vec<_>>().join(" ")))
}

/// What a value's `Debug` says, cut. A huge one is not even written to its end.
pub fn debug(value: &dyn fmt::Debug) -> String {
    let mut text = Bounded(String::new());
    // Ends early when the bound is reached; what is there is what we show.
    let _ = write!(text, "{value:?}");
    cut(&text.0)
}

/// Takes text up to a little more than is shown.
struct Bounded(String);

impl fmt::Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.0.len() > TEXT_MAX * 4 {
            return Err(fmt::Error);
        }
        self.0.extend(text.chars().take(TEXT_MAX + 1));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_text_has_a_bounded_length() {
        assert_eq!(cut(&"ä".repeat(TEXT_MAX)), "ä".repeat(TEXT_MAX));
        assert_eq!(cut(&"ä".repeat(1 << 20)).chars().count(), TEXT_MAX + 1);
        assert_eq!(debug(&vec!["x".repeat(1 << 20); 100]).chars().count(), TEXT_MAX + 1);
        let mut text = Bounded(String::new());
        let _ = write!(text, "{:?}", vec!["x".repeat(1 << 20); 100]);
        assert!(text.0.len() < TEXT_MAX * 12);
    }

    #[test]
    fn what_acts_is_escaped_and_what_is_long_is_cut() {
        let cases: [(&[u8], usize, &str); 10] = [
            (b"plain", 99, "plain"),
            (b"\x1b[31mred\x07", 99, "\\u{1b}[31mred\\u{7}"),
            ("\u{9b}31m".as_bytes(), 99, "\\u{9b}31m"),
            ("a\u{202e}b\u{200b}c".as_bytes(), 99, "a\\u{202e}b\\u{200b}c"),
            (
                "\u{0}\u{7f}\u{85}\u{2028}\u{2066}\u{200f}".as_bytes(),
                99,
                "\\u{0}\\u{7f}\\u{85}\\u{2028}\\u{2066}\\u{200f}",
            ),
            (b"a\r\n\tb", 99, "a\\r\\n\\tb"),
            (b"\xff\xfea", 99, "\\xff\\xfea"),
            ("grüße €".as_bytes(), 99, "grüße €"),
            ("grüße".as_bytes(), 3, "grü…"),
            (b"", 0, ""),
        ];
        for (bytes, max_chars, expected) in cases {
            assert_eq!(harmless(bytes, max_chars), expected);
        }
    }

    proptest! {
        #[test]
        fn nothing_that_acts_comes_through(bytes: Vec<u8>, string in "\\PC*|[\\x00-\\u{ff}\\u{2000}-\\u{20ff}]*") {
            prop_assert!(!harmless(&bytes, 1000).contains(acts));
            prop_assert!(!escaped(&string).contains(acts));
        }
    }
}
