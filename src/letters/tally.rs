//! Counting letters by kind and fingerprint, and by hour. Memory is bounded by the number of kinds and fingerprints, which
//! are capped, and of hours.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;

use indicatif::ProgressBar;

use super::coordinates::Place;
use super::json::time;
use super::read::{Letter, Letters};

/// Groups that are told apart. Ours are some dozens; other tools' have no bound.
pub const MAX_GROUPS: usize = 1000;

/// Hours that are told apart: a year and more.
const MAX_HOURS: usize = 10_000;

/// Hours of the groups, over all groups.
const MAX_CELLS: usize = 20_000;

/// Bars that are shown; where they were more hours, they are days.
const MAX_BARS: i64 = 72;

/// What of a foreign kind tells groups apart, in bytes.
pub const MAX_KIND_BYTES: usize = 256;

const HOUR_MS: i64 = 3_600_000;

/// The kind of records that are no dead letters.
pub const NO_LETTER: &str = "(no dead letter)";

/// Letters of one kind and fingerprint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    pub letters: u64,
    pub first_ms: Option<i64>,
    pub last_ms: Option<i64>,
    /// The newest, and where it stands.
    pub example: (Option<i64>, Place),
    /// What the newest says.
    pub message: String,
}

/// What of a message is kept, in bytes.
const MAX_MESSAGE_BYTES: usize = 300;

impl Group {
    fn add(&mut self, more: &One<'_>) {
        self.letters += more.letters;
        self.first_ms = [self.first_ms, more.first_ms].into_iter().flatten().min();
        self.last_ms = self.last_ms.max(more.last_ms);
        if more.example > self.example {
            self.example = more.example;
            // Of nearly every letter: the room is used again.
            self.message.clear();
            self.message.push_str(more.message);
        }
    }
}

/// What is added to a group.
#[derive(Clone, Copy, Debug)]
struct One<'a> {
    letters: u64,
    first_ms: Option<i64>,
    last_ms: Option<i64>,
    example: (Option<i64>, Place),
    message: &'a str,
}

impl Group {
    fn as_one(&self) -> One<'_> {
        let Self { letters, first_ms, last_ms, example, ref message } = *self;
        One { letters, first_ms, last_ms, example, message }
    }
}

#[derive(Debug)]
struct Counted {
    group: Group,
    hours: BTreeMap<i64, u64>,
}

#[derive(Debug, Default)]
pub struct Tally {
    pub letters: u64,
    /// By kind, then by fingerprint.
    kinds: HashMap<Box<str>, HashMap<Box<str>, Counted>>,
    distinct: usize,
    /// Letters of groups beyond the cap.
    pub ungrouped: u64,
    /// By hours since 1970, all kinds together.
    pub hours: BTreeMap<i64, u64>,
    /// Hours of the groups.
    cells: usize,
    /// Letters without a time, or of hours beyond the cap.
    pub untimed: u64,
}

impl Tally {
    /// Counts all of them.
    pub fn of(letters: &Letters<'_>, bar: &ProgressBar) -> anyhow::Result<Self> {
        let tallies = letters.read(bar, Self::default, |tally, letter| {
            tally.count(letter);
            ControlFlow::Continue(())
        })?;
        Ok(tallies.into_iter().reduce(Self::with).unwrap_or_default())
    }

    pub fn count(&mut self, letter: &Letter<'_>) {
        let timestamp_ms = letter.record.timestamp_ms;
        let (kind, fingerprint, message) = match &letter.decoded {
            Ok(decoded) => (decoded.kind, decoded.fingerprint.unwrap_or_default(), decoded.message.unwrap_or_default()),
            Err(_) => (NO_LETTER, "", ""),
        };
        let bounded = |text: &'_ str| text.floor_char_boundary(MAX_KIND_BYTES);
        let (kind, fingerprint) = (&kind[..bounded(kind)], &fingerprint[..bounded(fingerprint)]);
        let one = One {
            letters: 1,
            first_ms: timestamp_ms,
            last_ms: timestamp_ms,
            example: (timestamp_ms, letter.place()),
            message: &message[..message.floor_char_boundary(MAX_MESSAGE_BYTES)],
        };
        let hour = timestamp_ms.map(|ms| ms.div_euclid(HOUR_MS));
        self.letters += 1;
        self.add(kind, fingerprint, one);
        self.add_hour(hour, 1);
        if let Some(hour) = hour {
            self.add_hour_of(kind, fingerprint, hour, 1);
        }
    }

    fn add(&mut self, kind: &str, fingerprint: &str, more: One<'_>) {
        if let Some(Counted { group, .. }) = self.kinds.get_mut(kind).and_then(|groups| groups.get_mut(fingerprint)) {
            group.add(&more);
        } else if self.distinct < MAX_GROUPS {
            self.distinct += 1;
            let One { letters, first_ms, last_ms, example, message } = more;
            let group = Group { letters, first_ms, last_ms, example, message: message.to_owned() };
            let counted = Counted { group, hours: BTreeMap::new() };
            self.kinds.entry(kind.into()).or_default().insert(fingerprint.into(), counted);
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

    /// Beyond the caps they are of the hour, and of no group.
    fn add_hour_of(&mut self, kind: &str, fingerprint: &str, hour: i64, letters: u64) {
        let Some(Counted { hours, .. }) = self.kinds.get_mut(kind).and_then(|groups| groups.get_mut(fingerprint))
        else {
            return;
        };
        if let Some(so_far) = hours.get_mut(&hour) {
            *so_far += letters;
        } else if self.cells < MAX_CELLS {
            self.cells += 1;
            hours.insert(hour, letters);
        }
    }

    /// Both together.
    pub fn with(mut self, other: Self) -> Self {
        self.letters += other.letters;
        self.ungrouped += other.ungrouped;
        self.untimed += other.untimed;
        for (kind, groups) in other.kinds {
            for (fingerprint, Counted { group, hours }) in groups {
                self.add(&kind, &fingerprint, group.as_one());
                for (hour, letters) in hours {
                    self.add_hour_of(&kind, &fingerprint, hour, letters);
                }
            }
        }
        for (hour, letters) in other.hours {
            self.add_hour(Some(hour), letters);
        }
        self
    }

    /// Kind, fingerprint and group, the most letters first.
    pub fn sorted(&self) -> Vec<(&str, &str, &Group)> {
        let groups = self.kinds.iter().flat_map(|(kind, groups)| {
            groups.iter().map(|(fingerprint, counted)| (&**kind, &**fingerprint, &counted.group))
        });
        let mut sorted: Vec<_> = groups.collect();
        sorted.sort_unstable_by(|a, b| b.2.letters.cmp(&a.2.letters).then_with(|| (a.0, a.1).cmp(&(b.0, b.1))));
        sorted
    }

    /// A bar an hour; a bar a day when there are too many. `None`: no letter has a time.
    pub fn bars(&self) -> Option<Bars> {
        let (first, last) = (*self.hours.first_key_value()?.0, *self.hours.last_key_value()?.0);
        let unit = if last - first < MAX_BARS { Unit::Hour } else { Unit::Day };
        let mut bars = unit.sums(&self.hours);
        let (first, last) = (*bars.first_key_value()?.0, *bars.last_key_value()?.0);
        if last - first < MAX_BARS {
            // Quiet ones between others are part of the picture.
            (first..=last).for_each(|at| _ = bars.entry(at).or_default());
        }
        // The newest are what somebody looks for; foreign times may lie anywhere.
        let earlier = bars.len().saturating_sub(usize::try_from(MAX_BARS).unwrap_or(usize::MAX));
        let left_out = bars.values().take(earlier).sum();
        Some(Bars { unit, bars: bars.into_iter().skip(earlier).collect(), left_out })
    }

    /// Causes and their hours, the most letters first: kinds, or the fingerprints of the only one.
    pub fn causes_by_hour(&self) -> Vec<(&str, BTreeMap<i64, u64>)> {
        let is_only = self.kinds.len() == 1;
        let mut causes: BTreeMap<&str, BTreeMap<i64, u64>> = BTreeMap::new();
        for (kind, groups) in &self.kinds {
            for (fingerprint, counted) in groups {
                let cause = if is_only && !fingerprint.is_empty() { fingerprint } else { kind };
                let hours = causes.entry(cause).or_default();
                counted.hours.iter().for_each(|(hour, letters)| *hours.entry(*hour).or_default() += letters);
            }
        }
        let mut causes: Vec<_> = causes.into_iter().collect();
        causes.sort_by_key(|(_, hours)| std::cmp::Reverse(hours.values().sum::<u64>()));
        causes
    }
}

/// Letters over time.
#[derive(Debug)]
pub struct Bars {
    pub unit: Unit,
    /// By units since 1970, in order.
    pub bars: Vec<(i64, u64)>,
    /// Letters of earlier ones than are shown.
    pub left_out: u64,
}

/// What a bar stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Hour,
    Day,
}

impl Unit {
    pub fn name(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }

    fn hours(self) -> i64 {
        match self {
            Self::Hour => 1,
            Self::Day => 24,
        }
    }

    /// When one begins, in milliseconds since 1970; as near as there are milliseconds, since letters may be of any time.
    pub fn begin_ms(self, at: i64) -> i64 {
        at.saturating_mul(self.hours() * HOUR_MS)
    }

    /// Hours put together.
    pub fn sums(self, hours: &BTreeMap<i64, u64>) -> BTreeMap<i64, u64> {
        let mut sums = BTreeMap::new();
        for (hour, letters) in hours {
            *sums.entry(hour.div_euclid(self.hours())).or_default() += letters;
        }
        sums
    }

    /// When a bar begins, in UTC.
    pub fn label(self, at: i64) -> String {
        let text = time(self.begin_ms(at)).unwrap_or_default();
        match self {
            Self::Hour => text.get(..16).unwrap_or_default().replace('T', " "),
            Self::Day => text.get(..10).unwrap_or_default().to_owned(),
        }
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::kafka::scan::Record;
    use crate::record::{Coordinates, Header};

    pub fn tally(letters: impl IntoIterator<Item = (u64, i64)>) -> Tally {
        let mut tally = Tally::default();
        for (kind, hour) in letters {
            let (kind, time_ms) = (kind.to_string(), Some(hour * HOUR_MS));
            let place = Place { topic: 0, partition: 0, offset: hour };
            tally.letters += 1;
            let one =
                One { letters: 1, first_ms: time_ms, last_ms: time_ms, example: (time_ms, place), message: "why" };
            tally.add(&kind, "", one);
            tally.add_hour(Some(hour), 1);
            tally.add_hour_of(&kind, "", hour, 1);
        }
        tally
    }

    /// As it is read.
    pub fn of_one(kind: &str, time_ms: i64) -> Tally {
        let named = [
            ("dlq.error.kind", kind),
            ("dlq.source.topic", "mail"),
            ("dlq.source.partition", "0"),
            ("dlq.source.offset", "7"),
        ];
        let headers = named.map(|(name, value)| Header { name: name.as_bytes(), value: Some(value.as_bytes()) });
        let at = Coordinates { topic: "dlq", partition: 0, offset: 0 };
        let record = Record { at, timestamp_ms: Some(time_ms), key: None, value: None, headers: &headers };
        let mut tally = Tally::default();
        tally.count(&Letter::new(record, 0));
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
            assert_eq!(together.causes_by_hour(), whole.causes_by_hour());
        }
        let (kind, _, group) = whole.sorted()[0];
        let hour = |hour: i64| Some(hour * HOUR_MS);
        assert_eq!((kind, group.letters, group.first_ms, group.last_ms), ("1", 3, hour(2), hour(9)));
        assert_eq!(group.example.1.offset, 9, "the newest is most likely still there");
        assert_eq!(whole.causes_by_hour()[0], ("1", BTreeMap::from([(2, 1), (5, 1), (9, 1)])));
    }

    #[test]
    fn a_group_says_what_its_newest_letter_says_whatever_was_read_first() {
        let of = |letters: &[(i64, &str)]| {
            let mut tally = Tally::default();
            for (offset, message) in letters {
                let example = (Some(*offset), Place { topic: 0, partition: 0, offset: *offset });
                tally.add("kind", "", One { letters: 1, first_ms: None, last_ms: None, example, message });
            }
            tally
        };
        let (older, newer) = ([(1, "old"), (5, "newest"), (2, "old")], [(3, "old")]);
        for together in [of(&older).with(of(&newer)), of(&newer).with(of(&older))] {
            assert_eq!(together.sorted()[0].2.message, "newest");
        }
    }

    #[test]
    fn the_only_kind_is_told_apart_by_its_fingerprints() {
        let mut tally = Tally::default();
        let mut count = |kind, fingerprint, hour| {
            let place = Place { topic: 0, partition: 0, offset: 0 };
            tally.add(
                kind,
                fingerprint,
                One { letters: 1, first_ms: None, last_ms: None, example: (None, place), message: "" },
            );
            tally.add_hour_of(kind, fingerprint, hour, 1);
            tally.causes_by_hour().into_iter().map(|(cause, hours)| format!("{cause} {hours:?}")).collect::<Vec<_>>()
        };
        count("kind", "a", 1);
        count("kind", "b", 1);
        assert_eq!(count("kind", "b", 2), ["b {1: 1, 2: 1}", "a {1: 1}"]);
        assert_eq!(count("other", "b", 1), ["kind {1: 2, 2: 1}", "other {1: 1}"]);
    }

    #[test]
    fn what_is_beyond_the_caps_is_counted() {
        let many = i64::try_from(MAX_HOURS).unwrap() + 50;
        let tally = tally((0..many).map(|number| (u64::try_from(number).unwrap() % 1100, number * 30)));
        let of_groups: u64 = tally.sorted().iter().map(|(.., group)| group.letters).sum();
        assert_eq!((tally.sorted().len(), tally.untimed), (MAX_GROUPS, 50));
        assert_eq!(of_groups + tally.ungrouped, tally.letters);
        let causes = tally.causes_by_hour();
        let of_kinds: u64 = causes.iter().flat_map(|(_, hours)| hours.values()).sum();
        assert!(of_kinds > 0 && of_kinds <= tally.letters - tally.ungrouped);
    }
}
