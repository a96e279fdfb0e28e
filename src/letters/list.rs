//! One line a letter, in columns.

use std::io::{self, Write};

use super::json::time;
use super::read::Letter;
use crate::terminal::table::{Align, cut, pad};
use crate::text::harmless;

/// Columns before the message; longer cells push it to the right.
const PLACE: usize = 9;
const TIME: usize = 24;
const KIND: usize = 20;
const SOURCE: usize = 28;

/// What of a foreign text is shown on one line.
const MAX_CHARS: usize = 512;

/// The line above them.
pub fn head(width: Option<usize>) -> String {
    line(["letter", "time", "kind", "source", "message"], width) + "\n"
}

pub fn write(out: &mut Vec<u8>, letter: &Letter<'_>, width: Option<usize>) -> io::Result<()> {
    let place = letter.place().to_string();
    let time = letter.record.timestamp_ms.and_then(time).unwrap_or_default();
    let shown = match &letter.decoded {
        Ok(decoded) => {
            let index = decoded.index.map(|index| format!("/{index}")).unwrap_or_default();
            let source = format!("{}{index}", decoded.source);
            let text = |text: &str| harmless(text.as_bytes(), MAX_CHARS);
            line([&place, &time, &text(decoded.kind), &text(&source), &text(decoded.message.unwrap_or("-"))], width)
        }
        Err(problem) => line([&place, &time, "-", "-", &format!("no dead letter: {problem}")], width),
    };
    writeln!(out, "{shown}")
}

fn line([place, time, kind, source, message]: [&str; 5], width: Option<usize>) -> String {
    let cells = [(place, PLACE), (time, TIME), (kind, KIND), (source, SOURCE)];
    let cells = cells.map(|(cell, width)| pad(cell, width, Align::Left) + "  ").concat();
    cut(&(cells + message), width).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_keeps_to_the_terminal_and_long_cells_push_what_follows() {
        let cells = ["0:12345678901", "2026-03-01T12:00:00.000Z", "kind", "mail/0/1", "why"];
        let whole = "0:12345678901  2026-03-01T12:00:00.000Z  kind                  mail/0/1                      why";
        assert_eq!(line(cells, None), whole);
        assert_eq!(line(cells, Some(44)), "0:12345678901  2026-03-01T12:00:00.000Z  ki…");
    }
}
