//! One line a letter, in columns.

use std::io::{self, Write};

use super::json::time;
use super::read::Letter;
use super::topics::Topics;
use crate::terminal::table::{Align, at_most, cut, kept_end, pad, wrapped};
use crate::text::harmless;

/// Columns before the message. Of a longer kind or source the end is shown, and all of it where there is no terminal; a longer place
/// pushes the rest to the right.
/// Where there are several topics their names take columns too, at most so many.
const PLACE: usize = 9;
const TOPIC: usize = 40;
const TIME: usize = 24;
const KIND: usize = 28;
const SOURCE: usize = 32;

/// Below this width a letter takes more than one line.
const NARROW: usize = 120;

/// What of a foreign text is shown on one line of a terminal.
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
                let text = |text: &str| harmless(text.as_bytes(), at_most(MAX_CHARS, self.width));
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
        let [kind, source] = match self.width {
            Some(_) => [kept_end(kind, KIND), kept_end(source, SOURCE)],
            None => [kind.into(), source.into()],
        };
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
    use crate::kafka::scan::Record;
    use crate::record::{Coordinates, Header};

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
        assert_eq!(List::new(&Topics::new(["dlq"]), Some(200)).line(CELLS), whole);
    }

    #[test]
    fn where_there_is_no_terminal_nothing_is_cut() {
        let message = "why ".repeat(MAX_CHARS) + "at the end";
        let named = [
            ("dlq.error.kind", CELLS[2]),
            ("dlq.error.message", &message),
            ("dlq.source.topic", "a-topic-with-a-name-that-is-longer-than-its-column"),
            ("dlq.source.partition", "0"),
            ("dlq.source.offset", "7"),
        ];
        let headers = named.map(|(name, value)| Header { name: name.as_bytes(), value: Some(value.as_bytes()) });
        let at = Coordinates { topic: "dlq", partition: 0, offset: 5 };
        let letter = Letter::new(Record { at, timestamp_ms: None, key: None, value: None, headers: &headers }, 0);
        let mut shown = Vec::new();
        List::new(&Topics::new(["dlq"]), None).write(&mut shown, &letter).unwrap();
        let shown = String::from_utf8(shown).unwrap();
        for whole in [CELLS[2], "a-topic-with-a-name-that-is-longer-than-its-column/0/7", &message] {
            assert!(shown.contains(whole), "{shown}");
        }
        assert!(!shown.contains('…'), "{shown}");
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
