//! What is failing and why, at a glance: a count for people and as JSON.

use std::io;

use serde::Serialize;

use super::json::{place, time};
use super::tally::{Bars, MAX_GROUPS, NO_LETTER, Tally, Unit};
use super::topics::Topics;
use crate::terminal::table;
use crate::terminal::table::{Align, at_most, counted, cut, grouped, kept_end, wrapped};
use crate::text::harmless;

/// Below this width a cause does not fit on one line.
const NARROW: usize = 120;

/// On a terminal: columns of a kind, and characters of a message and of a fingerprint.
const KIND: usize = 46;
const MESSAGE: usize = 200;
const FINGERPRINT: usize = 16;

/// Columns of a bar.
const BAR: usize = 40;

fn or_dash(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}

/// `2026-03-01 10:00:00`.
fn short_time(ms: i64) -> Option<String> {
    Some(time(ms)?.get(..19)?.replace('T', " "))
}

impl Tally {
    pub fn print(&self, out: &mut impl io::Write, topics: &Topics, width: Option<usize>) -> io::Result<()> {
        writeln!(out, "{} in {topics}", counted(self.letters, "dead letter", "dead letters"))?;
        if self.letters == 0 {
            return Ok(());
        }
        writeln!(out)?;
        for line in self.group_lines(topics, width) {
            writeln!(out, "{}", cut(&line, width))?;
        }
        if self.ungrouped > 0 {
            writeln!(out, "{} more of other kinds: only {MAX_GROUPS} are told apart", grouped(self.ungrouped))?;
        }
        let lines = self.hour_lines(width);
        if !lines.is_empty() {
            writeln!(out)?;
        }
        for line in lines {
            writeln!(out, "{}", cut(&line, width))?;
        }
        if self.untimed > 0 {
            writeln!(out, "{} without a time, or of too many different hours", grouped(self.untimed))?;
        }
        Ok(())
    }

    /// A line a cause; where the terminal is too narrow for that, a line for each of the things there are to say.
    fn group_lines(&self, topics: &Topics, width: Option<usize>) -> Vec<String> {
        let columns = [Align::Right, Align::Left, Align::Left, Align::Left, Align::Left, Align::Left, Align::Left];
        let head = ["letters", "kind", "fingerprint", "example", "first seen", "last seen", "newest says"];
        let rows = self.sorted().into_iter().map(|(kind, fingerprint, group)| {
            let shown = |ms: Option<i64>| ms.and_then(short_time).unwrap_or_else(|| "-".to_owned());
            let text = |text: &str, chars| harmless(text.as_bytes(), at_most(chars, width));
            vec![
                grouped(group.letters),
                kept_end(&text(kind, usize::MAX), at_most(KIND, width)).into_owned(),
                text(or_dash(fingerprint), FINGERPRINT),
                topics.shown(group.example.1),
                shown(group.first_ms),
                shown(group.last_ms),
                text(or_dash(&group.message), MESSAGE),
            ]
        });
        let rows: Vec<Vec<String>> = [head.map(str::to_owned).to_vec()].into_iter().chain(rows).collect();
        if width.is_none_or(|width| width >= NARROW) {
            return table::lines(&columns, &rows);
        }
        let width = width.unwrap_or(NARROW);
        let mut lines = Vec::new();
        for row in rows.iter().skip(1) {
            let [letters, kind, fingerprint, example, first, last, message] = &row[..] else { continue };
            lines.push(format!("{letters} × {kind}"));
            let rest = [format!("{example}  {fingerprint}"), format!("{first} to {last}"), message.clone()];
            lines.extend(
                rest.iter().flat_map(|text| wrapped(text, width.saturating_sub(2))).map(|line| format!("  {line}")),
            );
        }
        lines
    }

    /// With bars on a terminal alone.
    fn hour_lines(&self, width: Option<usize>) -> Vec<String> {
        let Some(Bars { unit, bars, left_out }) = self.bars() else { return Vec::new() };
        let largest = bars.iter().map(|(_, letters)| *letters).max().unwrap_or(0);
        let mut rows = vec![vec![unit.name().to_owned(), "letters".to_owned(), String::new()]];
        let room = width.map_or(0, |width| width.saturating_sub(16 + 2 + 9 + 2).min(BAR));
        rows.extend(
            bars.iter()
                .map(|(at, letters)| vec![unit.label(*at), grouped(*letters), table::bar(*letters, largest, room)]),
        );
        let mut lines = table::lines(&[Align::Left, Align::Right, Align::Left], &rows);
        if left_out > 0 {
            lines.push(format!("{} before that", counted(left_out, "letter", "letters")));
        }
        lines
    }

    pub fn as_json<'a>(&'a self, topics: &'a Topics) -> impl Serialize + 'a {
        let groups = self.sorted().into_iter().map(|(kind, fingerprint, group)| {
            serde_json::json!({
                "kind": Some(kind).filter(|kind| *kind != NO_LETTER),
                "fingerprint": Some(fingerprint).filter(|fingerprint| !fingerprint.is_empty()),
                "letters": group.letters,
                "first": group.first_ms.and_then(time),
                "last": group.last_ms.and_then(time),
                "message": Some(&group.message).filter(|message| !message.is_empty()),
                "example": place(topics, group.example.1),
            })
        });
        let hours = self
            .hours
            .iter()
            .map(|(hour, letters)| serde_json::json!({ "hour": time(Unit::Hour.begin_ms(*hour)), "letters": letters }));
        serde_json::json!({
            "topic": topics.only(),
            "topics": topics.names().collect::<Vec<_>>(),
            "letters": self.letters,
            "groups": groups.collect::<Vec<_>>(),
            "letters_of_other_groups": self.ungrouped,
            "hours": hours.collect::<Vec<_>>(),
            "letters_of_no_hour": self.untimed,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tally::tests::{of_one, tally};
    use super::*;

    #[test]
    fn what_is_beyond_the_caps_is_said_and_lines_keep_to_the_terminal() {
        let tally = tally((0..1_500).map(|number| (number, i64::try_from(number * 30).unwrap())));
        let mut printed = Vec::new();
        tally.print(&mut printed, &Topics::new(["t"]), Some(80)).unwrap();
        let printed = String::from_utf8(printed).unwrap();
        assert!(printed.contains("more of other kinds") && printed.contains("before that"), "{printed}");
        assert!(printed.lines().all(|line| console::measure_text_width(line) <= 80), "{printed}");
    }

    #[test]
    fn bars_are_for_terminals_and_elsewhere_nothing_is_cut() {
        let kind = format!("{}.DataException", "org.apache.kafka".repeat(5));
        let tally = tally([(7, 5), (7, 6)]).with(of_one(&kind, 0));
        let printed = |width| {
            let mut printed = Vec::new();
            tally.print(&mut printed, &Topics::new(["t"]), width).unwrap();
            String::from_utf8(printed).unwrap()
        };
        let (plain, wide) = (printed(None), printed(Some(200)));
        assert!(plain.contains(&kind) && plain.contains("1970-01-01 05:00        1\n"), "{plain}");
        assert!(!plain.contains(['█', '…']) && plain.lines().all(|line| line == line.trim_end()), "{plain}");
        assert!(wide.contains("1970-01-01 05:00        1  █") && wide.contains('…') && !wide.contains(&kind), "{wide}");
    }

    #[test]
    fn a_letter_of_an_impossible_time_is_counted_like_any_other() {
        for ms in [i64::MIN, i64::MAX] {
            let tally = tally([(7, 5)]).with(of_one("8", ms));
            let mut printed = Vec::new();
            tally.print(&mut printed, &Topics::new(["t"]), Some(80)).unwrap();
            assert!(String::from_utf8(printed).unwrap().starts_with("2 dead letters in t\n"));
            assert!(serde_json::to_value(tally.as_json(&Topics::new(["t"]))).unwrap()["letters"] == 2);
        }
    }

    #[test]
    fn at_sixty_columns_a_cause_is_told_whole() {
        let mut printed = Vec::new();
        tally([(7, 5)]).print(&mut printed, &Topics::new(["t"]), Some(60)).unwrap();
        let printed = String::from_utf8(printed).unwrap();
        for told in ["1 × 7\n", "  0:5  -\n", "  1970-01-01 05:00:00 to 1970-01-01 05:00:00\n", "  why\n"] {
            assert!(printed.contains(told), "{printed}");
        }
    }
}
