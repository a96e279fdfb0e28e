//! A value for people: JSON laid out, text as it stands, anything else as hex beside text, with a caret below the byte to
//! blame or an arrow beside the key. Pure, and harmless whatever the bytes are.

use std::fmt;

use serde::de::IgnoredAny;

use super::lines::Lines;
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
    /// The same, further around: what a page bears, whatever the size of the value is.
    Wide,
    All,
}

/// What an extent means: lines before and behind the focus, characters of a line, rows of a dump before the focus, and
/// characters of a text that stands for itself.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    before: usize,
    behind: usize,
    line_chars: usize,
    rows: usize,
    text_chars: usize,
}

impl Extent {
    fn bounds(self) -> Bounds {
        match self {
            Self::Surroundings => Bounds { before: 20, behind: 40, line_chars: 160, rows: 8, text_chars: 300 },
            Self::Wide => Bounds { before: 200, behind: 400, line_chars: 400, rows: 128, text_chars: 2000 },
            Self::All => {
                let all = usize::MAX / 4;
                Bounds { before: all, behind: all, line_chars: usize::MAX, rows: all, text_chars: usize::MAX }
            }
        }
    }

    /// How much of a text that stands for itself.
    pub fn text_chars(self) -> usize {
        self.bounds().text_chars
    }
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
    /// The byte to blame stands in it: from here to there; nothing, when it is the one behind the end.
    Failing {
        from: usize,
        to: usize,
    },
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

/// A line with the byte to blame that is no longer can be overlooked, and the line and column that the message names are
/// those of the value as it is: so it is laid out only when it is longer, in bytes.
const CLEAR_BYTES: usize = 80;

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
    let bounds = extent.bounds();
    match (std::str::from_utf8(value), focus) {
        (Err(_), Focus::Byte(at)) => dump(value, Some(at.min(value.len())), bounds),
        (Err(_), _) => dump(value, None, bounds),
        (Ok(text), Focus::Byte(at)) => {
            let at = text.floor_char_boundary(at);
            around(
                &if is_clear(text, at) { Lines::as_they_stand(text) } else { laid_out(text, at, extent) }.with(at),
                None,
                bounds,
            )
        }
        (Ok(text), Focus::Nothing | Focus::Key(_)) => {
            let lines = if is_json(text) { Lines::laid_out(text) } else { Lines::as_they_stand(text) };
            let key = match focus {
                Focus::Key(key) => Some(format!("\"{key}\"")),
                Focus::Nothing | Focus::Byte(_) => None,
            };
            around(&lines, key.as_deref(), bounds)
        }
    }
}

/// Whether the line with the byte to blame is easily taken in as it is.
fn is_clear(text: &str, at: usize) -> bool {
    let (before, behind) = text.split_at(at);
    let left = before.rfind('\n').map_or(at, |newline| at - newline - 1);
    left + behind.find('\n').unwrap_or(behind.len()) <= CLEAR_BYTES
}

/// What is JSON up to the byte to blame is laid out up to it. That leaves out the space between its tokens, so whoever
/// wishes for all of what is no JSON gets it as it stands.
fn laid_out(text: &str, at: usize, extent: Extent) -> Lines<'_> {
    if !text.trim_start().starts_with(['{', '[']) {
        Lines::as_they_stand(text)
    } else if is_json(text) {
        Lines::laid_out(text)
    } else if extent == Extent::All {
        Lines::as_they_stand(text)
    } else {
        Lines::laid_out_to(text, at)
    }
}

/// The lines around the byte to blame, or around the first that begins with the key.
fn around(lines: &Lines<'_>, key: Option<&str>, bounds: Bounds) -> Vec<Line> {
    let (mut count, mut focus): (usize, Option<usize>) = (0, None);
    lines.each(&mut |line, mark| {
        if mark.is_some() || focus.is_none() && key.is_some_and(|key| line.trim_start().starts_with(key)) {
            focus = Some(count);
        }
        count += 1;
    });
    let from = focus.unwrap_or(0).saturating_sub(bounds.before);
    let to = count.min(from + bounds.before + bounds.behind);
    let mut shown = Vec::new();
    shown.extend((from > 0).then(|| Role::LeftOut.of(format!("… {from} lines before"))));
    let mut at = 0;
    lines.each(&mut |line, mark| {
        if (from..to).contains(&at) {
            match mark {
                Some(mark) => shown.extend(with_caret(line, mark, bounds.line_chars)),
                None => {
                    let role = if focus == Some(at) { Role::Blamed } else { Role::Plain };
                    shown.push(role.of(harmless(line.as_bytes(), bounds.line_chars)));
                }
            }
        }
        at += 1;
    });
    shown.extend((to < count).then(|| Role::LeftOut.of(format!("… {} lines behind", count - to))));
    shown
}

/// A line with a caret below one of its bytes, the first of a character; cut on both sides where it is long.
fn with_caret(line: &str, at: usize, max_chars: usize) -> [Line; 2] {
    let (left, right) = line.split_at(at);
    let start = left.char_indices().rev().nth((max_chars / 2).saturating_sub(1)).map_or(0, |(start, _)| start);
    let cut = if start > 0 { "…" } else { "" };
    let left = format!("{cut}{}", harmless(&left.as_bytes()[start..], usize::MAX));
    let width = console::measure_text_width(&left);
    let failing = right.chars().next().map_or(0, |first| harmless(first.encode_utf8(&mut [0; 4]).as_bytes(), 1).len());
    let role = Role::Failing { from: left.len(), to: left.len() + failing };
    [role.of(left + &harmless(right.as_bytes(), max_chars / 2)), Role::Caret.of(format!("{}^", " ".repeat(width)))]
}

/// Hex beside text, a caret below the byte.
fn dump(value: &[u8], at: Option<usize>, bounds: Bounds) -> Vec<Line> {
    let rows = value.len().div_ceil(ROW);
    let focus = at.map_or(0, |at| at / ROW);
    let (from, to) = (focus.saturating_sub(bounds.rows), rows.min(focus + 2 * bounds.rows));
    let mut shown = Vec::new();
    shown.extend((from > 0).then(|| Role::LeftOut.of(format!("… {} bytes before", from * ROW))));
    for (number, row) in value.chunks(ROW).enumerate().take(to).skip(from) {
        let hex: Vec<String> = row.iter().map(|byte| format!("{byte:02x}")).collect();
        let text: String =
            row.iter().map(|byte| if (0x20..0x7f).contains(byte) { char::from(*byte) } else { '.' }).collect();
        let hex = pad(&hex.join(" "), 3 * ROW - 1, Align::Left);
        let column = at.filter(|at| at / ROW == number).map(|at| 8 + 2 + 3 * (at % ROW));
        let role = column.map_or(Role::Plain, |from| Role::Failing { from, to: from + 2 });
        shown.push(role.of(format!("{:08x}  {hex}  {text}", number * ROW)));
        shown.extend(column.map(|column| Role::Caret.of(format!("{}^^", " ".repeat(column)))));
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
        let byte_of = |value: &str, at| match lines(value.as_bytes(), Focus::Byte(at), Extent::Wide)[0] {
            Line { role: Role::Failing { from, to }, ref text } => text[from..to].to_owned(),
            ref line => panic!("{line:?}"),
        };
        assert_eq!(
            (byte_of(&long, 5000), byte_of("日\u{7}x", 3), byte_of("", 0)),
            ("!".into(), "\\u{7}".into(), "".into())
        );
        assert_eq!(printed(long.as_bytes(), Focus::Byte(5000), Extent::All)[0].len(), long.len() + 2);
    }

    #[test]
    fn a_long_line_that_fails_is_laid_out_up_to_there() {
        let json = format!(r#"{{"a":"{}","b":[1,tru],"c":2}}"#, "x".repeat(100));
        let expected = ["  {", &format!("    \"a\": \"{}\",", "x".repeat(100)), "    \"b\": [", "      1,"];
        let cut = shown(&json, Focus::Byte(json.find("],").unwrap()));
        assert_eq!(cut[..4], expected);
        assert_eq!(cut[4..], ["      tru],\"c\":2}", "         ^"]);
        // All of it is every byte, space too, since it is no JSON.
        let at = json.find("],").unwrap();
        let spaced = format!("{}{json}{}", " ".repeat(90), " ".repeat(90));
        let all = printed(spaced.as_bytes(), Focus::Byte(90 + at), Extent::All);
        assert_eq!(all, [format!("  {spaced}"), format!("{}^", " ".repeat(2 + 90 + at))]);
    }

    #[test]
    fn a_byte_is_found_in_eight_mebibytes_and_little_is_shown() {
        let json = format!("[{}tru]", "0,".repeat(4 << 20));
        for (extent, most) in [(Extent::Surroundings, 64), (Extent::Wide, 604)] {
            let shown = printed(json.as_bytes(), Focus::Byte(json.len() - 1), extent);
            assert!(shown.len() <= most && shown.last().unwrap().ends_with('^'), "{}", shown.len());
        }
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
