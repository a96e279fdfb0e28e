//! What a selection leaves out, for whoever asked for something that is not there: of how many letters none matched, which
//! kind was probably meant, and which letters have times that cannot be true. Pure.

use std::collections::BTreeSet;

use super::letter::Letter;
use super::select::Selection;
use crate::normalize::Kind;
use crate::text::{grouped, harmless};

/// The year 2000: mail was traced later than that.
const FIRST_MS: i64 = 946_684_800_000;

/// Clocks differ, but by no more than a day.
const AHEAD_MS: i64 = 86_400_000;

/// Kinds that are remembered, in number and in bytes; other tools' have no bound.
const MAX_KINDS: usize = 1000;
const MAX_KIND_BYTES: usize = 256;

/// Less alike is not what was meant.
const ALIKE: f64 = 0.75;

/// Whether a letter can be of this time.
pub fn is_possible(time_ms: i64, now_ms: i64) -> bool {
    (FIRST_MS..=now_ms.saturating_add(AHEAD_MS)).contains(&time_ms)
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    pub taken: u64,
    pub letters: u64,
    /// Those that only their impossible time leaves out.
    pub impossible: u64,
    /// Only when kinds were asked for.
    kinds: BTreeSet<Box<str>>,
}

impl LeftOut {
    /// A letter that is not selected.
    pub fn add(&mut self, letter: &Letter<'_>, selection: &Selection, now_ms: i64) {
        self.letters += 1;
        let is_impossible = |ms: Option<i64>| !ms.is_some_and(|ms| is_possible(ms, now_ms));
        if selection.is_lost_by_its_time(letter.record.timestamp_ms, letter.decoded.as_ref(), is_impossible) {
            self.impossible += 1;
        }
        if let Ok(decoded) = &letter.decoded
            && !selection.kinds.is_empty()
            && self.kinds.len() < MAX_KINDS
            && !self.kinds.contains(decoded.kind)
            && decoded.kind.len() <= MAX_KIND_BYTES
        {
            self.kinds.insert(decoded.kind.into());
        }
    }

    /// Both together.
    pub fn with(mut self, other: Self) -> Self {
        self.taken += other.taken;
        self.letters += other.letters;
        self.impossible += other.impossible;
        self.kinds.extend(other.kinds);
        self
    }

    /// What is to be said, a line each.
    pub fn notes(&self, selection: &Selection) -> Vec<String> {
        let mut notes = Vec::new();
        let nearest: String = selection.kinds.iter().filter_map(|kind| self.nearest(kind)).collect::<Vec<_>>().join("");
        if self.taken == 0 && (self.letters > 0 || !nearest.is_empty()) {
            notes.push(format!("0 of {} match{nearest}", grouped(self.letters)));
        }
        if self.impossible > 0 {
            notes.push(format!(
                "{} left out because of an impossible time (none, before 2000, or more than a day ahead): without a selection \
                 by time they are there",
                grouped(self.impossible)
            ));
        }
        notes
    }

    /// Of a kind that no letter has and we do not know, the one that was probably meant.
    fn nearest(&self, asked: &str) -> Option<String> {
        if Kind::from_name(asked).is_some() || self.kinds.contains(asked) {
            return None;
        }
        let ours = Kind::ALL.into_iter().map(|kind| -> &str { kind.name() });
        let known = self.kinds.iter().map(|kind| -> &str { kind }).chain(ours);
        let alike = known.map(|kind| (strsim::jaro_winkler(asked, kind), kind));
        let (score, nearest) = alike.max_by(|one, other| one.0.total_cmp(&other.0))?;
        let text = |kind: &str| harmless(kind.as_bytes(), 80);
        Some(match score >= ALIKE {
            true => format!("; there is no kind {}: {} is the nearest", text(asked), text(nearest)),
            false => format!("; there is no kind {}", text(asked)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::scan;
    use crate::record::{Coordinates, Header, Section};

    const NOW_MS: i64 = 1_772_359_200_000;

    fn notes(selection: &Selection, letters: &[(&str, i64)]) -> Vec<String> {
        let mut left_out = LeftOut::default();
        for (kind, time_ms) in letters {
            let header = |name: &'static str, value| Header { name: name.as_bytes(), value: Some(value) };
            let headers = [
                header("dlq.error.kind", kind.as_bytes()),
                header("dlq.source.topic", b"mail"),
                header("dlq.source.partition", b"0"),
                header("dlq.source.offset", b"1"),
            ];
            let at = Coordinates { topic: "dlq", partition: 0, offset: 0 };
            let record = scan::Record { at, timestamp_ms: Some(*time_ms), key: None, value: None, headers: &headers };
            let letter = Letter::new(record, 0);
            if selection.takes(Some(*time_ms), letter.decoded.as_ref()) {
                left_out.taken += 1;
            } else {
                left_out.add(&letter, selection, NOW_MS);
            }
        }
        left_out.notes(selection)
    }

    #[test]
    fn whoever_misspells_a_kind_is_told_which_one_there_is() {
        let kinds = |kind: &str| Selection { kinds: vec![kind.to_owned()], ..Selection::default() };
        let letters = [("missing_field", NOW_MS), ("java.io.IOException", NOW_MS)];
        let cases = [
            ("missing_feild", "0 of 2 match; there is no kind missing_feild: missing_field is the nearest"),
            (
                "java.io.IoException",
                "0 of 2 match; there is no kind java.io.IoException: java.io.IOException is the nearest",
            ),
            ("\u{1b}[2J", "0 of 2 match; there is no kind \\u{1b}[2J"),
            // It exists, and no letter has it.
            ("invalid_json", "0 of 2 match"),
        ];
        for (kind, expected) in cases {
            assert_eq!(notes(&kinds(kind), &letters), [expected]);
        }
        assert!(notes(&kinds("missing_field"), &letters).is_empty());
        // A topic without a letter is no reason to keep it back.
        assert!(notes(&kinds("missing_field"), &[]).is_empty());
        assert_eq!(
            notes(&kinds("missing_feild"), &[]),
            ["0 of 0 match; there is no kind missing_feild: missing_field is the nearest"]
        );
    }

    #[test]
    fn letters_with_impossible_times_are_not_left_out_in_silence() {
        let week = Selection {
            section: Section { from_ms: Some(NOW_MS - 604_800_000), ..Section::default() },
            ..Selection::default()
        };
        let letters = [("a", 0), ("a", NOW_MS), ("b", 5), ("a", NOW_MS - 704_800_000)];
        let told = notes(&week, &letters);
        assert!(told.len() == 1 && told[0].starts_with("2 left out because of an impossible time"), "{told:?}");
        let of_kind = Selection { kinds: vec!["a".to_owned()], ..week };
        assert!(notes(&of_kind, &letters)[0].starts_with("1 left out"));
        let far_ahead =
            Selection { section: Section { to_ms: Some(NOW_MS), ..Section::default() }, ..Selection::default() };
        assert!(
            notes(&far_ahead, &[("a", NOW_MS + 2 * AHEAD_MS), ("a", 946_684_800_000)])[0].starts_with("1 left out")
        );
        assert!(notes(&Selection::default(), &letters).is_empty());
    }
}
