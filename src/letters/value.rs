//! A value for people: JSON laid out, text as it stands, anything else as hex beside text, with a caret below the byte to
//! blame or an arrow beside the key. Pure, and harmless whatever the bytes are.

use std::fmt;

use serde::de::IgnoredAny;

use crate::terminal::table::{Align, pad};
use crate::text::harmless;

/// The place that matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Focus<'a> {
    Nothing,
    Byte(usize),
    Key(&'a str),
}

/// How much of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// What surrounds the focus, or the beginning.
    Surroundings,
    All,
}

/// A line of a value, and what it is there for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub role: Role,
    pub text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Plain,
    /// The key to blame stands in it.
    Blamed,
    /// Points at the byte to blame in the line above.
    Caret,
    /// Says what is not shown.
    LeftOut,
}

impl Line {
    pub fn plain(text: String) -> Self {
        Role::Plain.of(text)
    }
}

impl Role {
    fn of(self, text: String) -> Line {
        Line { role: self, text }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", if self.role == Role::Blamed { '>' } else { ' ' }, self.text)
    }
}

/// Without a wish for all of it: lines before and behind the focus, characters of a line, rows of a dump.
const LINES_BEFORE: usize = 20;
const LINES_BEHIND: usize = 40;
const CHARS: usize = 160;
const ROWS_AROUND: usize = 8;

/// Deeper levels are not moved to the right any more.
const MAX_INDENT: usize = 20;

/// Bytes in a row of a dump.
const ROW: usize = 16;

/// What kind of value this is, in a word.
pub fn form(value: &[u8]) -> &'static str {
    match std::str::from_utf8(value) {
        Err(_) => "not text",
        Ok(text) if is_json(text) => "JSON",
        Ok(_) => "text, no JSON",
    }
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
}

/// The lines to show.
pub fn lines(value: &[u8], focus: Focus<'_>, extent: Extent) -> Vec<Line> {
    match (std::str::from_utf8(value), focus) {
        (Err(_), Focus::Byte(at)) => dump(value, Some(at.min(value.len())), extent),
        (Err(_), _) => dump(value, None, extent),
        (Ok(text), Focus::Byte(at)) => with_caret(text, text.floor_char_boundary(at), extent),
        (Ok(text), Focus::Nothing | Focus::Key(_)) => {
            let laid_out = if is_json(text) { layout(text) } else { text.lines().map(str::to_owned).collect() };
            let key = match focus {
                Focus::Key(key) => Some(format!("\"{key}\"")),
                Focus::Nothing | Focus::Byte(_) => None,
            };
            around_key(&laid_out, key.as_deref(), extent)
        }
    }
}

/// JSON on lines of its own, token by token: nothing is parsed into values that could change it.
fn layout(json: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut depth = 0_usize;
    let mut rest = json.trim_start();
    let mut end_line = |line: &mut String, depth: usize| {
        lines.push(std::mem::take(line));
        line.push_str(&"  ".repeat(depth.min(MAX_INDENT)));
    };
    while let Some(first) = rest.chars().next() {
        let token = token(rest);
        rest = rest.get(token.len()..).unwrap_or_default().trim_start();
        match first {
            '{' | '[' => {
                line.push_str(token);
                if rest.starts_with(['}', ']']) {
                    // Nothing in it: the end stays on the same line.
                    line.push_str(rest.get(..1).unwrap_or_default());
                    rest = rest.get(1..).unwrap_or_default().trim_start();
                } else {
                    depth += 1;
                    end_line(&mut line, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                end_line(&mut line, depth);
                line.push_str(token);
            }
            ',' => {
                line.push_str(token);
                end_line(&mut line, depth);
            }
            ':' => line.push_str(": "),
            _ => line.push_str(token),
        }
    }
    lines.push(line);
    lines
}

/// The first token of valid JSON.
fn token(json: &str) -> &str {
    let bytes = json.as_bytes();
    let end = match bytes.first() {
        Some(b'"') => {
            let mut at = 1;
            while let Some(byte) = bytes.get(at) {
                match byte {
                    b'\\' => at += 2,
                    b'"' => break,
                    _ => at += 1,
                }
            }
            at + 1
        }
        Some(b'{' | b'}' | b'[' | b']' | b',' | b':') | None => 1,
        Some(_) => bytes
            .iter()
            .position(|byte| matches!(byte, b',' | b'}' | b']' | b':') || byte.is_ascii_whitespace())
            .unwrap_or(bytes.len()),
    };
    json.get(..end).unwrap_or(json)
}

/// The lines around the first that begins with the key, an arrow beside it.
fn around_key(lines: &[String], key: Option<&str>, extent: Extent) -> Vec<Line> {
    let marked = key.and_then(|key| lines.iter().position(|line| line.trim_start().starts_with(key)));
    let (from, to) = match extent {
        Extent::All => (0, lines.len()),
        Extent::Surroundings => {
            let from = marked.unwrap_or(0).saturating_sub(LINES_BEFORE);
            (from, lines.len().min(from + LINES_BEFORE + LINES_BEHIND))
        }
    };
    let max_chars = if extent == Extent::All { usize::MAX } else { CHARS };
    let mut shown = Vec::new();
    shown.extend((from > 0).then(|| Role::LeftOut.of(format!("… {from} lines before"))));
    for (at, line) in lines.iter().enumerate().take(to).skip(from) {
        let role = if marked == Some(at) { Role::Blamed } else { Role::Plain };
        shown.push(role.of(harmless(line.as_bytes(), max_chars)));
    }
    shown.extend((to < lines.len()).then(|| Role::LeftOut.of(format!("… {} lines behind", lines.len() - to))));
    shown
}

/// The text as it stands, with a caret below the byte; `at` lies on a character's border.
fn with_caret(text: &str, at: usize, extent: Extent) -> Vec<Line> {
    let (before, behind) = text.split_at(at);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line_end = behind.find('\n').map_or(text.len(), |newline| at + newline);
    let (left, right) = (&text[line_start..at], &text[at..line_end]);
    let (left, cut, right) = match extent {
        Extent::All => (harmless(left.as_bytes(), usize::MAX), "", harmless(right.as_bytes(), usize::MAX)),
        Extent::Surroundings => {
            let start = left.char_indices().rev().nth(CHARS / 2 - 1).map_or(0, |(start, _)| start);
            let cut = if start > 0 { "…" } else { "" };
            (harmless(&left.as_bytes()[start..], CHARS), cut, harmless(right.as_bytes(), CHARS / 2))
        }
    };
    let max_chars = if extent == Extent::All { usize::MAX } else { CHARS };
    let plain = |line: &str| Line::plain(harmless(line.as_bytes(), max_chars));
    let earlier: Vec<&str> = text[..line_start].lines().collect();
    let later: Vec<&str> = text.get(line_end + 1..).unwrap_or_default().lines().collect();
    let (skipped, kept) = match extent {
        Extent::All => (0, later.len()),
        Extent::Surroundings => (earlier.len().saturating_sub(LINES_BEFORE), later.len().min(LINES_BEFORE)),
    };
    let mut shown = Vec::new();
    let width = console::measure_text_width(cut) + console::measure_text_width(&left);
    shown.extend((skipped > 0).then(|| Role::LeftOut.of(format!("… {skipped} lines before"))));
    shown.extend(earlier.iter().skip(skipped).map(|line| plain(line)));
    shown.push(Line::plain(format!("{cut}{left}{right}")));
    shown.push(Role::Caret.of(format!("{}^", " ".repeat(width))));
    shown.extend(later.iter().take(kept).map(|line| plain(line)));
    shown.extend((kept < later.len()).then(|| Role::LeftOut.of(format!("… {} lines behind", later.len() - kept))));
    shown
}

/// Hex beside text, a caret below the byte.
fn dump(value: &[u8], at: Option<usize>, extent: Extent) -> Vec<Line> {
    let rows = value.len().div_ceil(ROW);
    let focus = at.map_or(0, |at| at / ROW);
    let (from, to) = match extent {
        Extent::All => (0, rows),
        Extent::Surroundings => (focus.saturating_sub(ROWS_AROUND), rows.min(focus + 2 * ROWS_AROUND)),
    };
    let mut shown = Vec::new();
    shown.extend((from > 0).then(|| Role::LeftOut.of(format!("… {} bytes before", from * ROW))));
    for (number, row) in value.chunks(ROW).enumerate().take(to).skip(from) {
        let hex: Vec<String> = row.iter().map(|byte| format!("{byte:02x}")).collect();
        let text: String =
            row.iter().map(|byte| if (0x20..0x7f).contains(byte) { char::from(*byte) } else { '.' }).collect();
        let hex = pad(&hex.join(" "), 3 * ROW - 1, Align::Left);
        shown.push(Line::plain(format!("{:08x}  {hex}  {text}", number * ROW)));
        if let Some(at) = at.filter(|at| at / ROW == number) {
            shown.push(Role::Caret.of(format!("{}^^", " ".repeat(8 + 2 + 3 * (at % ROW)))));
        }
    }
    shown.extend((to < rows).then(|| Role::LeftOut.of(format!("… {} bytes behind", value.len() - to * ROW))));
    shown
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(value: &str, focus: Focus<'_>) -> Vec<String> {
        printed(value.as_bytes(), focus, Extent::Surroundings)
    }

    fn printed(value: &[u8], focus: Focus<'_>, extent: Extent) -> Vec<String> {
        lines(value, focus, extent).iter().map(Line::to_string).collect()
    }

    #[test]
    fn json_is_laid_out_without_a_change_and_its_key_is_pointed_at() {
        let json = r#" {"a":1.50,"b":[],"c":{"d":[{"Received" : 1e400},"x\",}"]},"a":null} "#;
        let expected = [
            "  {",
            "    \"a\": 1.50,",
            "    \"b\": [],",
            "    \"c\": {",
            "      \"d\": [",
            "        {",
            ">         \"Received\": 1e400",
            "        },",
            "        \"x\\\",}\"",
            "      ]",
            "    },",
            "    \"a\": null",
            "  }",
        ];
        // A number beyond a double is JSON all the same.
        assert_eq!(form(json.as_bytes()), "JSON");
        assert_eq!(shown(json, Focus::Key("Received")), expected);
    }

    #[test]
    fn a_caret_stands_below_the_byte_to_blame() {
        assert_eq!(shown("{\"a\": tru}", Focus::Byte(9)), ["  {\"a\": tru}", "           ^"]);
        assert_eq!(shown("日\u{7}x", Focus::Byte(4)), ["  日\\u{7}x", "         ^"]);
        assert_eq!(shown("one\ntwo\nthree", Focus::Byte(5)), ["  one", "  two", "   ^", "  three"]);
        assert_eq!(shown("", Focus::Byte(7)), ["  ", "  ^"]);
        let long = format!("{}!{}", "a".repeat(5000), "b".repeat(5000));
        let cut = shown(&long, Focus::Byte(5000));
        assert_eq!(cut[0], format!("  …{}!{}…", "a".repeat(80), "b".repeat(79)));
        assert_eq!(cut[1].find('^'), Some(2 + 1 + 80));
        assert_eq!(printed(long.as_bytes(), Focus::Byte(5000), Extent::All)[0].len(), long.len() + 2);
    }

    #[test]
    fn what_is_no_text_is_shown_as_hex_beside_text() {
        let mut bytes = b"MessageTrace \x1b[31m".to_vec();
        bytes.push(0xff);
        let expected = [
            "  00000000  4d 65 73 73 61 67 65 54 72 61 63 65 20 1b 5b 33  MessageTrace .[3",
            "  00000010  31 6d ff                                         1m.",
            "                  ^^",
        ];
        assert_eq!(printed(&bytes, Focus::Byte(18), Extent::Surroundings), expected);
        bytes.resize(10_000, 0xff);
        let cut = printed(&bytes, Focus::Byte(5000), Extent::Surroundings);
        assert!(cut.len() < 30 && cut[0].contains("bytes before") && cut.last().unwrap().contains("bytes behind"));
    }

    proptest! {
        #[test]
        fn nothing_panics_and_nothing_acts(
            bytes: Vec<u8>,
            text in "[\\{\\}\\[\\],:\"\\\\a\\n\\x1b\\u{9b}\u{202e}0]{0,200}",
            at in 0_usize..300,
            all: bool,
        ) {
            let extent = if all { Extent::All } else { Extent::Surroundings };
            for value in [bytes.as_slice(), text.as_bytes()] {
                for focus in [Focus::Nothing, Focus::Byte(at), Focus::Key("a")] {
                    for line in printed(value, focus, extent) {
                        prop_assert!(!line.contains(char::is_control) && !line.contains('\u{202e}'), "{line:?}");
                    }
                }
            }
        }
    }
}
