//! What this program and configuration would make of the letters if they were sent back as they are.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;
use std::ops::ControlFlow;
use std::sync::{Mutex, PoisonError};

use indicatif::ProgressBar;
use serde::Serialize;

use super::coordinates::Place;
use super::json::place;
use super::read::{Letter, Letters};
use super::repair::Repairs;
use super::shelf::Shelf;
use super::tally::{MAX_GROUPS, MAX_KIND_BYTES};
use super::topics::Topics;
use super::verdict::{Judgement, Mapping, Verdict};
use crate::normalize::Outcomes;
use crate::terminal::table;
use crate::terminal::table::{Align, at_most, counted, cut, grouped};
use crate::text::harmless;

/// Characters of a foreign kind that are shown on a terminal.
const MAX_CHARS: usize = 60;

/// What letters have in common.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Common {
    verdict: Verdict,
    /// The kind that the letter names; `None`: it is no dead letter.
    was: Option<String>,
    /// The kind now and the key to blame.
    now: Option<(&'static str, Cow<'static, str>)>,
    /// Why it cannot be told.
    reason: Option<&'static str>,
}

#[derive(Clone, Debug)]
struct Group {
    letters: u64,
    example: Place,
    /// The example's.
    message: Option<String>,
}

/// Letters by what became of them.
#[derive(Debug, Default)]
pub struct Comparison {
    letters: BTreeMap<Verdict, u64>,
    groups: BTreeMap<Common, Group>,
    /// Letters of groups beyond the cap.
    ungrouped: u64,
}

impl Comparison {
    /// Judges all of them, as they would be after the repairs.
    pub fn of(letters: &Letters<'_>, mapping: &Mapping, repairs: &Repairs, bar: &ProgressBar) -> anyhow::Result<Self> {
        // Working room for as many letters as are judged at a time; a room for each partition would add up.
        let rooms: Mutex<Vec<Outcomes>> = Mutex::new(Vec::new());
        let rooms = || rooms.lock().unwrap_or_else(PoisonError::into_inner);
        let parts = letters.read_whole(bar, Self::default, |comparison, letter| {
            let mut room = rooms().pop().unwrap_or_default();
            comparison.count(letter, &mapping.judge_repaired(letter, repairs, &mut room));
            rooms().push(room);
            ControlFlow::Continue(())
        })?;
        Ok(parts.into_iter().reduce(Self::with).unwrap_or_default())
    }

    fn count(&mut self, letter: &Letter<'_>, judgement: &Judgement) {
        let (rejection, reason) = match judgement {
            Judgement::Fixed { .. } => (None, None),
            Judgement::Still(rejection) | Judgement::Differently(rejection) => (Some(rejection), None),
            Judgement::Unknown(unknown) => (None, Some(unknown.reason())),
        };
        let was = letter.decoded.as_ref().ok().map(|decoded| decoded.kind);
        let common = Common {
            verdict: judgement.into(),
            was: was.map(|was| was[..was.floor_char_boundary(MAX_KIND_BYTES)].to_owned()),
            now: rejection.map(|rejection| (rejection.kind.name(), rejection.key.clone())),
            reason,
        };
        *self.letters.entry(common.verdict).or_default() += 1;
        let message = rejection.map(|rejection| rejection.message.clone());
        self.add(common, Group { letters: 1, example: letter.place(), message });
    }

    fn add(&mut self, common: Common, more: Group) {
        if let Some(group) = self.groups.get_mut(&common) {
            group.letters += more.letters;
            // The first in the order of places, whoever was read first.
            if more.example < group.example {
                (group.example, group.message) = (more.example, more.message);
            }
        } else if self.groups.len() < MAX_GROUPS {
            self.groups.insert(common, more);
        } else {
            self.ungrouped += more.letters;
        }
    }

    fn with(mut self, other: Self) -> Self {
        self.ungrouped += other.ungrouped;
        for (verdict, letters) in other.letters {
            *self.letters.entry(verdict).or_default() += letters;
        }
        for (common, group) in other.groups {
            self.add(common, group);
        }
        self
    }

    fn letters_of(&self, verdict: Verdict) -> u64 {
        self.letters.get(&verdict).copied().unwrap_or(0)
    }

    pub fn print(&self, out: &mut impl io::Write, shelf: &Shelf<'_>, width: Option<usize>) -> io::Result<()> {
        let all = counted(self.letters.values().sum(), "dead letter", "dead letters");
        let counts =
            Verdict::ALL.map(|verdict| format!("{} {}", grouped(self.letters_of(verdict)), verdict.words())).join(", ");
        let (profile, topics) = (shelf.config.normalize.profile.name(), &shelf.topics);
        writeln!(out, "{all} in {topics}, through the mapping {profile}: {counts}")?;
        if self.groups.is_empty() {
            return Ok(());
        }
        writeln!(out)?;
        let head = ["letters", "verdict", "example", "was", "now"].map(str::to_owned).to_vec();
        let rows = self.groups.iter().map(|(common, group)| {
            let now = match (&common.now, common.reason, &group.message) {
                (Some((kind, _)), _, Some(message)) => format!("{kind}: {message}"),
                (Some((kind, _)), _, None) => (*kind).to_owned(),
                (None, Some(reason), _) => reason.to_owned(),
                (None, None, _) => "-".to_owned(),
            };
            let was = common
                .was
                .as_ref()
                .map_or_else(|| "-".to_owned(), |was| harmless(was.as_bytes(), at_most(MAX_CHARS, width)));
            vec![grouped(group.letters), common.verdict.words().to_owned(), topics.shown(group.example), was, now]
        });
        let rows: Vec<_> = [head].into_iter().chain(rows).collect();
        let columns = [Align::Right, Align::Left, Align::Left, Align::Left, Align::Left];
        for line in table::lines(&columns, &rows) {
            writeln!(out, "{}", cut(&line, width))?;
        }
        if self.ungrouped > 0 {
            writeln!(out, "{} more of other kinds: only {MAX_GROUPS} are told apart", grouped(self.ungrouped))?;
        }
        Ok(())
    }

    pub fn as_json(&self, topics: &Topics) -> impl Serialize {
        let groups = self.groups.iter().map(|(common, group)| {
            serde_json::json!({
                "verdict": common.verdict.key(),
                "letters": group.letters,
                "was": common.was,
                "now": common.now.as_ref().map(|(kind, key)| serde_json::json!({
                    "kind": kind,
                    "key": Some(key).filter(|key| !key.is_empty()),
                    "message": group.message,
                })),
                "reason": common.reason,
                "example": place(topics, group.example),
            })
        });
        let mut json = serde_json::json!({
            "letters": self.letters.values().sum::<u64>(),
            "groups": groups.collect::<Vec<_>>(),
            "letters_of_other_groups": self.ungrouped,
        });
        for verdict in Verdict::ALL {
            json[verdict.key()] = self.letters_of(verdict).into();
        }
        json
    }
}
