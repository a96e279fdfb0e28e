//! What is failing and why, at a glance: a count for people and as JSON.

use std::io;

use serde::Serialize;

use super::json::time;
use super::tally::{Bars, HOUR_MS, MAX_GROUPS, NO_LETTER, Tally};
use crate::terminal::table;
use crate::terminal::table::{Align, counted, cut, grouped};
use crate::text::harmless;

impl Tally {
    pub fn print(&self, out: &mut impl io::Write, topic: &str, width: Option<usize>) -> io::Result<()> {
        writeln!(out, "{} in {topic}", counted(self.letters, "dead letter", "dead letters"))?;
        if self.letters == 0 {
            return Ok(());
        }
        writeln!(out)?;
        for line in self.group_lines(width) {
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

    fn group_lines(&self, width: Option<usize>) -> Vec<String> {
        let columns = [Align::Right, Align::Left, Align::Left, Align::Left, Align::Left, Align::Left];
        let head = ["letters", "kind", "fingerprint", "example", "first seen", "last seen"].map(str::to_owned).to_vec();
        let lines = |time: fn(i64) -> Option<String>| {
            let rows = self.sorted().into_iter().map(|(kind, fingerprint, group)| {
                let shown = |ms: Option<i64>| ms.and_then(time).unwrap_or_else(|| "-".to_owned());
                let fingerprint = if fingerprint.is_empty() { "-" } else { fingerprint };
                vec![
                    grouped(group.letters),
                    harmless(kind.as_bytes(), 60),
                    harmless(fingerprint.as_bytes(), 16),
                    group.example.1.to_string(),
                    shown(group.first_ms),
                    shown(group.last_ms),
                ]
            });
            let rows: Vec<_> = [head.clone()].into_iter().chain(rows).collect();
            table::lines(&columns, &rows)
        };
        let long =
            lines(|ms| time(ms).map(|time| time.replace('T', " ").split('.').next().unwrap_or_default().to_owned()));
        let fits = |line: &String| width.is_none_or(|width| console::measure_text_width(line) <= width);
        if long.iter().all(fits) { long } else { lines(|ms| Some(time(ms)?.get(5..16)?.replace('T', " "))) }
    }

    fn hour_lines(&self, width: Option<usize>) -> Vec<String> {
        let Some(Bars { unit, bars, left_out }) = self.bars() else { return Vec::new() };
        let largest = bars.iter().map(|(_, letters)| *letters).max().unwrap_or(0);
        let mut rows = vec![vec![unit.name().to_owned(), "letters".to_owned(), String::new()]];
        let room = width.map_or(40, |width| width.saturating_sub(16 + 2 + 9 + 2).min(40));
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

    pub fn as_json<'a>(&'a self, topic: &'a str) -> impl Serialize + 'a {
        let groups = self.sorted().into_iter().map(|(kind, fingerprint, group)| {
            serde_json::json!({
                "kind": Some(kind).filter(|kind| *kind != NO_LETTER),
                "fingerprint": Some(fingerprint).filter(|fingerprint| !fingerprint.is_empty()),
                "letters": group.letters,
                "first": group.first_ms.and_then(time),
                "last": group.last_ms.and_then(time),
                "example": { "partition": group.example.1.partition, "offset": group.example.1.offset },
            })
        });
        let hours = self
            .hours
            .iter()
            .map(|(hour, letters)| serde_json::json!({ "hour": time(hour * HOUR_MS), "letters": letters }));
        serde_json::json!({
            "topic": topic,
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
    use super::super::tally::tests::tally;

    #[test]
    fn what_is_beyond_the_caps_is_said_and_lines_keep_to_the_terminal() {
        let tally = tally((0..1_500).map(|number| (number, i64::try_from(number * 30).unwrap())));
        let mut printed = Vec::new();
        tally.print(&mut printed, "t", Some(80)).unwrap();
        let printed = String::from_utf8(printed).unwrap();
        assert!(printed.contains("more of other kinds") && printed.contains("before that"), "{printed}");
        assert!(printed.lines().all(|line| console::measure_text_width(line) <= 80), "{printed}");
    }
}
