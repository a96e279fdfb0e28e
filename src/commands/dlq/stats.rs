//! `dlq stats`: what is failing and why, at a glance. Memory is bounded by the number of kinds and fingerprints, which are
//! capped, and of hours.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write as _};
use std::ops::ControlFlow;

use serde::Serialize;

use super::json::time;
use super::letters::{Letter, Letters, Order, Results, bar};
use super::select::{Place, Selection};
use super::table::{self, Align, counted, cut, grouped, terminal_width};
use super::{now_ms, safe};
use crate::cli::dlq::{Output, ReadArgs};
use crate::commands::{Exit, Stdout};
use crate::config::Config;
use crate::text::harmless;

/// Groups that are told apart. Ours are some dozens; other tools' have no bound.
const MAX_GROUPS: usize = 1000;

/// Hours that are told apart: a year and more.
const MAX_HOURS: usize = 10_000;

/// What of a foreign kind tells groups apart, in bytes.
const MAX_KIND_BYTES: usize = 256;

/// Bars on the screen; above it they are days.
const MAX_BARS: usize = 72;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// The kind of records that are no dead letters.
const NO_LETTER: &str = "(no dead letter)";

/// Letters of one kind and fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Group {
    letters: u64,
    first_ms: Option<i64>,
    last_ms: Option<i64>,
    /// The newest, and where it stands.
    example: (Option<i64>, Place),
}

#[derive(Debug, Default)]
struct Tally {
    letters: u64,
    groups: HashMap<Box<str>, HashMap<Box<str>, Group>>,
    distinct: usize,
    /// Letters of groups beyond the cap.
    ungrouped: u64,
    hours: BTreeMap<i64, u64>,
    /// Letters without a time, or of hours beyond the cap.
    untimed: u64,
}

pub fn run(args: &ReadArgs, config: &Config) -> anyhow::Result<Exit> {
    let selection = Selection::new(&args.selection, now_ms());
    let letters = Letters { config, selection: &selection, limit: args.selection.limit, order: Order::Any };
    let tallies = letters.read(&bar(Results::AtTheEnd), Tally::default, |tally, letter| {
        tally.count(letter);
        ControlFlow::Continue(())
    })?;
    let tally = tallies.into_iter().reduce(Tally::with).unwrap_or_default();
    let mut out = Stdout::lock();
    match args.output {
        Output::Table => tally.print(&mut out, &config.dead_letters.topic, terminal_width())?,
        Output::Json => safe::write_json(&mut out, &tally.as_json(&config.dead_letters.topic))?,
    }
    out.flush()?;
    Ok(Exit::Done)
}

impl Tally {
    fn count(&mut self, letter: &Letter<'_>) {
        let timestamp_ms = letter.record.timestamp_ms;
        let (kind, fingerprint) = match &letter.decoded {
            Ok(decoded) => (decoded.kind, decoded.fingerprint.unwrap_or_default()),
            Err(_) => (NO_LETTER, ""),
        };
        let bounded = |text: &'_ str| text.floor_char_boundary(MAX_KIND_BYTES);
        let (kind, fingerprint) = (&kind[..bounded(kind)], &fingerprint[..bounded(fingerprint)]);
        let one = Group {
            letters: 1,
            first_ms: timestamp_ms,
            last_ms: timestamp_ms,
            example: (timestamp_ms, letter.place()),
        };
        self.letters += 1;
        self.add(kind, fingerprint, one);
        self.add_hour(timestamp_ms.map(|ms| ms.div_euclid(HOUR_MS)), 1);
    }

    fn add(&mut self, kind: &str, fingerprint: &str, more: Group) {
        if let Some(group) = self.groups.get_mut(kind).and_then(|groups| groups.get_mut(fingerprint)) {
            group.letters += more.letters;
            group.first_ms = [group.first_ms, more.first_ms].into_iter().flatten().min();
            group.last_ms = group.last_ms.max(more.last_ms);
            group.example = group.example.max(more.example);
        } else if self.distinct < MAX_GROUPS {
            self.distinct += 1;
            self.groups.entry(kind.into()).or_default().insert(fingerprint.into(), more);
        } else {
            self.ungrouped += more.letters;
        }
    }

    fn add_hour(&mut self, hour: Option<i64>, letters: u64) {
        match hour {
            Some(hour) if self.hours.len() < MAX_HOURS || self.hours.contains_key(&hour) => {
                *self.hours.entry(hour).or_default() += letters;
            }
            _ => self.untimed += letters,
        }
    }

    /// Both together.
    fn with(mut self, other: Self) -> Self {
        self.letters += other.letters;
        self.ungrouped += other.ungrouped;
        self.untimed += other.untimed;
        for (kind, groups) in other.groups {
            for (fingerprint, group) in groups {
                self.add(&kind, &fingerprint, group);
            }
        }
        for (hour, letters) in other.hours {
            self.add_hour(Some(hour), letters);
        }
        self
    }

    /// The most letters first.
    fn sorted(&self) -> Vec<(&str, &str, &Group)> {
        let mut sorted: Vec<_> = self
            .groups
            .iter()
            .flat_map(|(kind, groups)| groups.iter().map(|(print, group)| (&**kind, &**print, group)))
            .collect();
        sorted.sort_unstable_by(|a, b| b.2.letters.cmp(&a.2.letters).then_with(|| (a.0, a.1).cmp(&(b.0, b.1))));
        sorted
    }

    fn print(&self, out: &mut impl io::Write, topic: &str, width: Option<usize>) -> io::Result<()> {
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

    /// A bar an hour; a bar a day when there are too many.
    fn hour_lines(&self, width: Option<usize>) -> Vec<String> {
        let (Some((first, _)), Some((last, _))) = (self.hours.first_key_value(), self.hours.last_key_value()) else {
            return Vec::new();
        };
        let by_hour = last - first < MAX_BARS.cast_signed() as i64;
        let step = if by_hour { HOUR_MS } else { DAY_MS };
        let mut bars: BTreeMap<i64, u64> = BTreeMap::new();
        for (hour, letters) in &self.hours {
            *bars.entry((hour * HOUR_MS).div_euclid(step)).or_default() += letters;
        }
        if let (true, Some(first), Some(last)) = (by_hour, bars.keys().next().copied(), bars.keys().last().copied()) {
            // Quiet hours between others are part of the picture.
            (first..=last).for_each(|hour| _ = bars.entry(hour).or_default());
        }
        // The newest are what somebody looks for; foreign times may lie anywhere.
        let earlier = bars.len().saturating_sub(MAX_BARS);
        let left_out: u64 = bars.values().take(earlier).sum();
        let bars: Vec<(i64, u64)> = bars.into_iter().skip(earlier).collect();
        let largest = bars.iter().map(|(_, letters)| *letters).max().unwrap_or(0);
        let label = |at: i64| {
            let text = time(at * step).unwrap_or_default();
            if by_hour {
                text.get(..16).unwrap_or_default().replace('T', " ")
            } else {
                text.get(..10).unwrap_or_default().to_owned()
            }
        };
        let mut rows = vec![vec![if by_hour { "hour" } else { "day" }.to_owned(), "letters".to_owned(), String::new()]];
        let room = width.map_or(40, |width| width.saturating_sub(16 + 2 + 9 + 2).min(40));
        rows.extend(
            bars.iter().map(|(at, letters)| vec![label(*at), grouped(*letters), table::bar(*letters, largest, room)]),
        );
        let mut lines = table::lines(&[Align::Left, Align::Right, Align::Left], &rows);
        if left_out > 0 {
            lines.push(format!("{} before that", counted(left_out, "letter", "letters")));
        }
        lines
    }

    fn as_json<'a>(&'a self, topic: &'a str) -> impl Serialize + 'a {
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
    use super::*;

    fn tally(letters: impl IntoIterator<Item = (u64, i64)>) -> Tally {
        let mut tally = Tally::default();
        for (kind, hour) in letters {
            let time_ms = Some(hour * HOUR_MS);
            let place = Place { partition: 0, offset: hour };
            tally.letters += 1;
            let one = Group { letters: 1, first_ms: time_ms, last_ms: time_ms, example: (time_ms, place) };
            tally.add(&kind.to_string(), "", one);
            tally.add_hour(Some(hour), 1);
        }
        tally
    }

    #[test]
    fn partitions_add_up_whatever_their_order() {
        let (a, b) = ([(1, 5), (1, 9), (2, 7)], [(1, 2), (3, 7)]);
        let whole = tally(a.into_iter().chain(b));
        for together in [tally(a).with(tally(b)), tally(b).with(tally(a))] {
            assert_eq!(together.letters, 5);
            assert_eq!(together.hours, whole.hours);
            assert_eq!(together.sorted(), whole.sorted());
        }
        let (kind, _, group) = whole.sorted()[0];
        let hour = |hour: i64| Some(hour * HOUR_MS);
        assert_eq!((kind, group.letters, group.first_ms, group.last_ms), ("1", 3, hour(2), hour(9)));
        assert_eq!(group.example.1.offset, 9, "the newest is most likely still there");
    }

    #[test]
    fn what_is_beyond_the_caps_is_counted_and_said() {
        let many = i64::try_from(MAX_HOURS).unwrap() + 50;
        let tally = tally((0..many).map(|number| (u64::try_from(number).unwrap() % 1100, number * 30)));
        let grouped_letters: u64 = tally.sorted().iter().map(|(.., group)| group.letters).sum();
        assert_eq!((tally.sorted().len(), tally.untimed), (MAX_GROUPS, 50));
        assert_eq!(grouped_letters + tally.ungrouped, tally.letters);
        let mut printed = Vec::new();
        tally.print(&mut printed, "t", Some(80)).unwrap();
        let printed = String::from_utf8(printed).unwrap();
        assert!(printed.contains("more of other kinds") && printed.contains("before that"), "{printed}");
        assert!(printed.lines().all(|line| console::measure_text_width(line) <= 80), "{printed}");
    }
}
