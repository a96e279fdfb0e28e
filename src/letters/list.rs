//! One line a letter, in columns.

use std::io::{self, Write};

use super::json::time;
use super::read::Letter;
use super::topics::Topics;
use crate::terminal::table::{Align, cut, kept_end, pad, wrapped};
use crate::text::harmless;

/// Columns before the message. Of a longer kind or source the end is shown; a longer place pushes the rest to the right.
/// Where there are several topics their names take columns too, at most so many.
const PLACE: usize = 9;
const TOPIC: usize = 40;
const TIME: usize = 24;
const KIND: usize = 28;
const SOURCE: usize = 32;

/// Below this width a letter takes more than one line.
const NARROW: usize = 120;

/// What of a foreign text is shown on one line.
const MAX_CHARS: usize = 512;

/// A list of letters of these topics.
#[derive(Clone, Copy, Debug)]
pub struct List<'t> {
    topics: &'t Topics,
    place_width: usize,
    /// Of the terminal.
    width: Option<usize>,
}

impl<'t> List<'t> {
    pub fn new(topics: &'t Topics, width: Option<usize>) -> Self {
        let longest = topics.names().map(|name| name.len() + 1).max().filter(|_| topics.are_several());
        Self { topics, place_width: PLACE + longest.unwrap_or(0).min(TOPIC), width }
    }

    /// The line above them.
    pub fn head(&self) -> String {
        self.line(["letter", "time", "kind", "source", "message"]) + "\n"
    }

    pub fn write(&self, out: &mut Vec<u8>, letter: &Letter<'_>) -> io::Result<()> {
        let place = self.topics.shown(letter.place());
        let time = letter.record.timestamp_ms.and_then(time).unwrap_or_default();
        let shown = match &letter.decoded {
            Ok(decoded) => {
                let source = letter.source_text();
                let text = |text: &str| harmless(text.as_bytes(), MAX_CHARS);
                self.line([&place, &time, &text(decoded.kind), &text(&source), &text(decoded.message.unwrap_or("-"))])
            }
            Err(problem) => self.line([&place, &time, "-", "-", &format!("no dead letter: {problem}")]),
        };
        writeln!(out, "{shown}")
    }

    fn line(&self, cells: [&str; 5]) -> String {
        let [place, time, kind, source, message] = cells;
        if let Some(width) = self.width.filter(|width| *width < NARROW) {
            return narrow(cells, width);
        }
        let (kind, source) = (kept_end(kind, KIND), kept_end(source, SOURCE));
        let cells = [(place, self.place_width), (time, TIME), (&*kind, KIND), (&*source, SOURCE)];
        let cells = cells.map(|(cell, width)| pad(cell, width, Align::Left) + "  ").concat();
        cut(&(cells + message), self.width).into_owned()
    }
}

/// Nothing of it is left out.
fn narrow([place, time, kind, source, message]: [&str; 5], width: usize) -> String {
    let time = time.get(..19).unwrap_or(time).replace('T', " ");
    let first = format!("{}  {time}  {kind}", pad(place, PLACE, Align::Left));
    let mut lines = wrapped(&first, width);
    let room = width.saturating_sub(2);
    lines.extend([source, message].iter().flat_map(|text| wrapped(text, room)).map(|line| format!("  {line}")));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const CELLS: [&str; 5] = [
        "0:12345678901",
        "2026-03-01T12:00:00.000Z",
        "org.apache.kafka.connect.errors.DataException",
        "mail/0/1",
        "why it is so",
    ];

    #[test]
    fn a_long_kind_does_not_push_the_columns_apart() {
        let whole = "0:12345678901  2026-03-01T12:00:00.000Z  …onnect.errors.DataException  mail/0/1                          why it is so";
        assert_eq!(List::new(&Topics::new(["dlq"]), None).line(CELLS), whole);
    }

    #[test]
    fn at_sixty_columns_nothing_is_cut() {
        let shown = List::new(&Topics::new(["dlq"]), Some(60)).line(CELLS);
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines[2..], ["  mail/0/1", "  why it is so"]);
        assert!(lines.iter().all(|line| console::measure_text_width(line) <= 60), "{shown}");
        assert!(lines.concat().contains("org.apache.kafka.connect.errors.DataException"), "{shown}");
    }
}
