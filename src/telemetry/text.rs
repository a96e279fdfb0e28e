//! Foreign text made fit to be read: what a broker, a file or a record says must neither forge a line nor fill a screen.

use std::fmt::{self, Write as _};

/// Characters of one piece of text.
pub const TEXT_MAX: usize = 2_000;

/// The beginning of a text, with a mark where it was cut.
pub fn cut(text: &str) -> String {
    match text.char_indices().nth(TEXT_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// What a value's `Debug` says, cut. A huge one is not even written to its end.
pub fn debug(value: &dyn fmt::Debug) -> String {
    let mut text = Bounded(String::new());
    // Ends early when the bound is reached; what is there is what we show.
    let _ = write!(text, "{value:?}");
    cut(&text.0)
}

/// The text on one line, with nothing in it that a terminal obeys.
pub fn escaped(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        if is_unprintable(character) {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
    }
    line
}

/// Control characters, and those that turn the direction of writing or break a line: they forge what a person reads.
pub fn is_unprintable(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
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
    fn nothing_that_a_terminal_obeys_is_left() {
        let nasty = "a\r\n\u{1b}[2J\u{9b}31m\u{0}\u{7f}\u{85}\u{2028}\u{202e}\u{2066}\u{200f}b";
        let escaped = escaped(nasty);
        assert!(!escaped.chars().any(is_unprintable), "{escaped}");
        assert!(escaped.starts_with(r"a\r\n\u{1b}[2J") && escaped.ends_with('b'), "{escaped}");
    }
}
