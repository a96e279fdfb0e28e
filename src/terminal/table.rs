//! Columns and bars for people. As wide as the terminal at most; where there is none, as wide as it takes.

use std::borrow::Cow;
use std::io::{self, IsTerminal as _};

use console::{Term, measure_text_width, truncate_str};

pub use crate::text::grouped;

/// How many columns there are; `None`: nobody counts them.
pub fn terminal_width() -> Option<usize> {
    if !io::stdout().is_terminal() {
        return None;
    }
    Term::stdout().size_checked().map(|(_, columns)| usize::from(columns))
}

/// The line, cut to the width.
pub fn cut(line: &str, width: Option<usize>) -> Cow<'_, str> {
    match width {
        Some(width) => truncate_str(line, width, "…"),
        None => line.into(),
    }
}

/// How much of a text is shown: so many characters on a terminal, and all of it where there is none, since whoever reads there
/// looks for something in it.
pub fn at_most(chars: usize, width: Option<usize>) -> usize {
    width.map_or(usize::MAX, |_| chars)
}

/// The text in at most so many columns, its end kept: what tells names apart stands there as a rule.
pub fn kept_end(text: &str, width: usize) -> Cow<'_, str> {
    if measure_text_width(text) <= width {
        return text.into();
    }
    let fits = |(at, _): &(usize, char)| measure_text_width(&text[*at..]) < width;
    let start = text.char_indices().find(fits).map_or(text.len(), |(at, _)| at);
    format!("…{}", &text[start..]).into()
}

/// The text on lines of at most so many columns, broken between words where there are any.
pub fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("there is one from the beginning");
        let room = width.saturating_sub(measure_text_width(line) + usize::from(!line.is_empty()));
        if measure_text_width(word) <= room {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
            continue;
        }
        if !line.is_empty() {
            lines.push(String::new());
        }
        for character in word.chars() {
            let line = lines.last_mut().expect("there is one from the beginning");
            line.push(character);
            if measure_text_width(line) > width.max(2) {
                line.pop();
                lines.push(character.to_string());
            }
        }
    }
    lines
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    Left,
    Right,
}

/// Pads a cell to a width, as a terminal counts it.
pub fn pad(cell: &str, width: usize, align: Align) -> String {
    let spaces = " ".repeat(width.saturating_sub(measure_text_width(cell)));
    match align {
        Align::Left => format!("{cell}{spaces}"),
        Align::Right => format!("{spaces}{cell}"),
    }
}

/// Lines of equal columns, two spaces apart, nothing behind the last one.
pub fn lines(columns: &[Align], rows: &[Vec<String>]) -> Vec<String> {
    let width = |at: usize| rows.iter().filter_map(|row| row.get(at)).map(|cell| measure_text_width(cell)).max();
    let widths: Vec<usize> = (0..columns.len()).map(|at| width(at).unwrap_or(0)).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(columns).zip(&widths).map(|((cell, align), width)| pad(cell, *width, *align));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// A bar as long as its share of the largest one; whatever is not nothing can be seen.
pub fn bar(value: u64, largest: u64, width: usize) -> String {
    let length = (u128::from(value) * width as u128).div_ceil(u128::from(largest.max(1)));
    "█".repeat(usize::try_from(length).unwrap_or(width).min(width))
}

/// `1 letter`, `2 letters`.
pub fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(number), if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let rows = [row(["kind", "n", "x"]), row(["größe", "1,000", ""]), row(["日本", "7", "y"])];
        let shown = lines(&[Align::Left, Align::Right, Align::Left], &rows);
        assert_eq!(shown, ["kind       n  x", "größe  1,000", "日本       7  y"]);
    }

    #[test]
    fn a_line_is_cut_where_a_terminal_ends() {
        assert_eq!(cut("0123456789", Some(5)), "0123…");
        assert_eq!(cut("日本語", Some(5)), "日本…");
        assert_eq!(cut("01234", Some(5)), "01234");
        assert_eq!(cut("0123456789", None), "0123456789");
    }

    #[test]
    fn a_long_name_keeps_its_end_and_a_long_text_goes_on_below() {
        assert_eq!(kept_end("org.apache.kafka.DataException", 16), "…a.DataException");
        assert_eq!(kept_end("日本語日本語", 5), "…本語");
        assert_eq!(kept_end("short", 5), "short");
        assert_eq!(wrapped("the value has 15 bytes", 10), ["the value", "has 15", "bytes"]);
        assert_eq!(wrapped("0123456789abc d", 5), ["01234", "56789", "abc d"]);
        assert_eq!(wrapped("", 5), [""]);
    }

    #[test]
    fn a_bar_shows_its_share_and_the_smallest_is_seen() {
        let cases =
            [(0, 100, 0), (1, 1_000_000, 1), (50, 100, 5), (51, 100, 6), (100, 100, 10), (u64::MAX, u64::MAX, 10)];
        for (value, largest, expected) in cases {
            assert_eq!(bar(value, largest, 10).chars().count(), expected, "{value} of {largest}");
        }
    }

    #[test]
    fn numbers_are_grouped_by_thousands() {
        let numbers = [0, 999, 1000, 1_234_567].map(grouped);
        assert_eq!(numbers, ["0", "999", "1,000", "1,234,567"]);
    }
}
