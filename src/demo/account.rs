//! What the reader saw at the other end, held against what the feed says has to be there. Each output names the record it was made
//! from, so the account can be drawn up again from the outputs alone.

use std::collections::HashSet;

use super::feed::Totals;
use crate::dead_letter::Decoded;
use crate::normalize::Kind;
use crate::record::Coordinates;

/// An account in records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    pub polled: u64,
    pub delivered: u64,
    pub dead_lettered: u64,
    pub skipped: u64,
}

impl From<&Totals> for Account {
    fn from(totals: &Totals) -> Self {
        Self {
            polled: totals.records,
            delivered: totals.delivered,
            dead_lettered: totals.dead_lettered,
            skipped: totals.skipped,
        }
    }
}

/// Bits of what was seen of one record.
const EVENT: u8 = 1;
const DEAD_LETTER: u8 = 2;

/// Samples that are kept to be shown, the dead letters of different kinds.
const EVENT_SAMPLES: usize = 2;
const DEAD_LETTER_SAMPLES: usize = 3;

/// An output as it was read, to be shown.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Where it was read.
    pub at: String,
    pub headers: Vec<(String, String)>,
    pub value: Option<Vec<u8>>,
}

#[derive(Debug, Default)]
pub struct Sightings {
    pub events: u64,
    /// Outputs that were seen before, and such that name no record.
    pub repeated: u64,
    pub strange: u64,
    pub event_samples: Vec<Sample>,
    pub dead_letter_samples: Vec<(Kind, Sample)>,
    dead_letters: [u64; Kind::ALL.len()],
    /// For each input partition, for each offset, what was seen.
    records: Vec<Vec<u8>>,
    /// Partition, offset and index of what came out of pages.
    pages: HashSet<(i32, i64, u32)>,
}

impl Sightings {
    /// An event, by its `messagetrace.source`.
    pub fn event(&mut self, source: Option<&str>, sample: impl FnOnce() -> Sample) {
        let Some((record, index)) = source.and_then(Coordinates::parse_indexed) else {
            self.strange += 1;
            return;
        };
        self.events += 1;
        self.see(record, index, EVENT);
        if self.event_samples.len() < EVENT_SAMPLES {
            self.event_samples.push(sample());
        }
    }

    /// A dead letter, by its headers.
    pub fn dead_letter(&mut self, letter: Option<&Decoded<'_>>, sample: impl FnOnce() -> Sample) {
        let known = letter.and_then(|letter| Some((letter, Kind::from_name(letter.kind)?)));
        let Some((letter, kind)) = known.filter(|(letter, _)| letter.unreadable.is_empty()) else {
            self.strange += 1;
            return;
        };
        self.dead_letters[kind as usize] += 1;
        if let Some(source) = letter.source {
            self.see(source, letter.index, DEAD_LETTER);
        }
        let shown = &mut self.dead_letter_samples;
        if shown.len() < DEAD_LETTER_SAMPLES && shown.iter().all(|(other, _)| *other != kind) {
            shown.push((kind, sample()));
        }
    }

    /// Outputs seen so far.
    pub fn outputs(&self) -> u64 {
        self.events + self.dead_letters.iter().sum::<u64>() + self.strange
    }

    pub fn dead_letters(&self) -> impl Iterator<Item = (Kind, u64)> {
        Kind::ALL.into_iter().zip(self.dead_letters).filter(|(_, count)| *count > 0)
    }

    /// The account as the outputs tell it. A record that was committed without any output was skipped.
    pub fn account(&self, committed: u64) -> Account {
        let mut account = Account { polled: committed, ..Account::default() };
        for seen in self.records.iter().flatten() {
            account.delivered += u64::from(*seen == EVENT);
            account.dead_lettered += u64::from(seen & DEAD_LETTER != 0);
        }
        account.skipped = committed.saturating_sub(account.delivered + account.dead_lettered);
        account
    }

    /// What is not as the feed says it has to be, one line each; nothing when all is well.
    pub fn differences(&self, committed: u64, service: Account, totals: &Totals) -> Vec<String> {
        let expected = Account::from(totals);
        let mut lines = Vec::new();
        let mut compare = |what: &str, found: u64, expected: u64| {
            if found != expected {
                lines.push(format!("{what}: {found} instead of {expected}"));
            }
        };
        for (who, account) in [("service", service), ("reader", self.account(committed))] {
            compare(&format!("{who}, records polled"), account.polled, expected.polled);
            compare(&format!("{who}, records delivered"), account.delivered, expected.delivered);
            compare(&format!("{who}, records dead-lettered"), account.dead_lettered, expected.dead_lettered);
            compare(&format!("{who}, records skipped"), account.skipped, expected.skipped);
        }
        compare("events", self.events, totals.events);
        let count = |found: Option<(Kind, u64)>| found.map_or(0, |(_, count)| count);
        for kind in Kind::ALL {
            let found = count(self.dead_letters().find(|(other, _)| *other == kind));
            let expected = count(totals.dead_letters().find(|(other, _)| *other == kind));
            compare(&format!("dead letters {}", kind.name()), found, expected);
        }
        compare("outputs seen twice", self.repeated, 0);
        compare("outputs that name no record", self.strange, 0);
        lines
    }

    fn see(&mut self, record: Coordinates<'_>, index: Option<u32>, bit: u8) {
        let (Ok(partition), Ok(offset)) = (usize::try_from(record.partition), usize::try_from(record.offset)) else {
            self.strange += 1;
            return;
        };
        if self.records.len() <= partition {
            self.records.resize_with(partition + 1, Vec::new);
        }
        let offsets = &mut self.records[partition];
        if offsets.len() <= offset {
            offsets.resize(offset + 1, 0);
        }
        let first = match index {
            None => offsets[offset] == 0,
            Some(index) => self.pages.insert((record.partition, record.offset, index)),
        };
        self.repeated += u64::from(!first);
        offsets[offset] |= bit;
    }
}

#[cfg(test)]
mod tests {
    use super::super::feed::Expected;
    use super::*;
    use crate::record::Header;

    fn sample() -> Sample {
        Sample { at: String::new(), headers: Vec::new(), value: None }
    }

    fn letter(sightings: &mut Sightings, offset: &str, index: Option<&str>) {
        let header = |name: &'static str, value| Header { name: name.as_bytes(), value: Some(str::as_bytes(value)) };
        let mut headers = vec![
            header("dlq.error.kind", "invalid_json"),
            header("dlq.source.topic", "t"),
            header("dlq.source.partition", "1"),
            header("dlq.source.offset", offset),
        ];
        headers.extend(index.map(|index| header("dlq.source.index", index)));
        sightings.dead_letter(crate::dead_letter::decode(&headers).ok().as_ref(), sample);
    }

    fn expected(records: &[(u32, usize)]) -> Totals {
        let mut totals = Totals::default();
        for (events, letters) in records {
            totals.add(&Expected { events: *events, dead_letters: vec![Kind::InvalidJson; *letters] });
        }
        totals
    }

    #[test]
    fn the_account_is_drawn_up_from_the_outputs_alone() {
        let mut seen = Sightings::default();
        for source in ["t/0/0", "t/0/1/0", "t/0/1/1", "t/1/7/0"] {
            seen.event(Some(source), sample);
        }
        letter(&mut seen, "6", None);
        letter(&mut seen, "7", Some("1"));
        let account = Account { polled: 5, delivered: 2, dead_lettered: 2, skipped: 1 };
        assert_eq!(seen.account(5), account);
        let totals = expected(&[(1, 0), (2, 0), (1, 1), (0, 1), (0, 0)]);
        assert_eq!(seen.differences(5, account, &totals), Vec::<String>::new());
    }

    #[test]
    fn a_missing_a_repeated_and_a_strange_output_are_differences() {
        let mut seen = Sightings::default();
        for source in [Some("t/0/0"), Some("t/0/0"), Some("t/0/1/4"), Some("t/0/1/4"), Some("nowhere"), None] {
            seen.event(source, sample);
        }
        assert_eq!((seen.events, seen.repeated, seen.strange, seen.outputs()), (4, 2, 2, 6));
        let totals = expected(&[(1, 0), (1, 0), (0, 1)]);
        assert_eq!(
            seen.differences(3, Account::from(&totals), &totals),
            [
                "reader, records dead-lettered: 0 instead of 1",
                "reader, records skipped: 1 instead of 0",
                "events: 4 instead of 2",
                "dead letters invalid_json: 0 instead of 1",
                "outputs seen twice: 2 instead of 0",
                "outputs that name no record: 2 instead of 0",
            ]
        );
    }
}
