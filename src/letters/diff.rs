//! `dlq diff`: what this program and configuration would make of the letters if they were sent back as they are.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::ops::ControlFlow;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use super::coordinates::Place;
use super::read::{Letter, Letters, Order, Results, bar};
use super::select::Selection;
use super::verdict::{Judgement, Mapping};
use crate::cli::Output;
use crate::cli::dlq::DiffArgs;
use crate::commands::Exit;
use crate::config::Config;
use crate::normalize::Outcomes;
use crate::terminal::Stdout;
use crate::terminal::escaped_json;
use crate::terminal::table;
use crate::terminal::table::{Align, counted, cut, grouped, terminal_width};
use crate::text::harmless;
use crate::time_range::now_ms;

/// Groups that are told apart; other tools' kinds have no bound.
const MAX_GROUPS: usize = 1000;

/// What of a foreign kind tells groups apart, in bytes.
const MAX_KIND_BYTES: usize = 256;

/// In the order in which they are shown: what can be replayed comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    Fixed,
    Differently,
    Still,
    Unknown,
}

impl Verdict {
    const ALL: [Self; 4] = [Self::Fixed, Self::Differently, Self::Still, Self::Unknown];

    fn words(self) -> &'static str {
        match self {
            Self::Fixed => "now fixed",
            Self::Differently => "failing differently",
            Self::Still => "still failing",
            Self::Unknown => "cannot tell",
        }
    }

    /// The key in JSON.
    pub fn key(self) -> &'static str {
        match self {
            Self::Fixed => "fixed",
            Self::Differently => "failing_differently",
            Self::Still => "still_failing",
            Self::Unknown => "cannot_tell",
        }
    }
}

impl From<&Judgement> for Verdict {
    fn from(judgement: &Judgement) -> Self {
        match judgement {
            Judgement::Fixed { .. } => Self::Fixed,
            Judgement::Differently(_) => Self::Differently,
            Judgement::Still(_) => Self::Still,
            Judgement::Unknown(_) => Self::Unknown,
        }
    }
}

/// What letters have in common.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Common {
    verdict: Verdict,
    /// The kind that the letter names; `None`: it is no dead letter.
    was: Option<String>,
    /// The kind now and the key to blame.
    now: Option<(&'static str, &'static str)>,
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

#[derive(Debug, Default)]
struct Tally {
    letters: BTreeMap<Verdict, u64>,
    groups: BTreeMap<Common, Group>,
    /// Letters of groups beyond the cap.
    ungrouped: u64,
}

pub fn run(args: &DiffArgs, config: &Config) -> anyhow::Result<Exit> {
    let selection = Selection::new(&args.selection, now_ms());
    let letters = Letters::new(config, &selection, args.selection.limit, Order::Any);
    let mapping = Mapping::new(config);
    // Working room for as many letters as are judged at a time; a room for each partition would add up.
    let rooms: Mutex<Vec<Outcomes>> = Mutex::new(Vec::new());
    let rooms = || rooms.lock().unwrap_or_else(PoisonError::into_inner);
    let tallies = letters.read(&bar(Results::AtTheEnd), Tally::default, |tally, letter| {
        let mut room = rooms().pop().unwrap_or_default();
        tally.count(letter, &mapping.judge(letter, &mut room));
        rooms().push(room);
        ControlFlow::Continue(())
    })?;
    let tally = tallies.into_iter().reduce(Tally::with).unwrap_or_default();
    let mut out = Stdout::lock();
    match args.output {
        Output::Table => tally.print(&mut out, config, terminal_width())?,
        Output::Json => escaped_json::write_json(&mut out, &tally.as_json())?,
    }
    out.flush()?;
    Ok(Exit::Done)
}

impl Tally {
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

    fn of(&self, verdict: Verdict) -> u64 {
        self.letters.get(&verdict).copied().unwrap_or(0)
    }

    fn print(&self, out: &mut impl io::Write, config: &Config, width: Option<usize>) -> io::Result<()> {
        let all = counted(self.letters.values().sum(), "dead letter", "dead letters");
        let counts =
            Verdict::ALL.map(|verdict| format!("{} {}", grouped(self.of(verdict)), verdict.words())).join(", ");
        let profile = config.normalize.profile.name();
        writeln!(out, "{all} in {}, through the mapping {profile}: {counts}", config.dead_letters.topic)?;
        if self.groups.is_empty() {
            return Ok(());
        }
        writeln!(out)?;
        let head = ["letters", "verdict", "example", "was", "now"].map(str::to_owned).to_vec();
        let rows = self.groups.iter().map(|(common, group)| {
            let now = match (common.now, common.reason, &group.message) {
                (Some((kind, _)), _, Some(message)) => format!("{kind}: {message}"),
                (Some((kind, _)), _, None) => kind.to_owned(),
                (None, Some(reason), _) => reason.to_owned(),
                (None, None, _) => "-".to_owned(),
            };
            let was = common.was.as_ref().map_or_else(|| "-".to_owned(), |was| harmless(was.as_bytes(), 60));
            vec![grouped(group.letters), common.verdict.words().to_owned(), group.example.to_string(), was, now]
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

    fn as_json(&self) -> impl Serialize {
        let groups = self.groups.iter().map(|(common, group)| {
            serde_json::json!({
                "verdict": common.verdict.key(),
                "letters": group.letters,
                "was": common.was,
                "now": common.now.map(|(kind, key)| serde_json::json!({
                    "kind": kind,
                    "key": Some(key).filter(|key| !key.is_empty()),
                    "message": group.message,
                })),
                "reason": common.reason,
                "example": { "partition": group.example.partition, "offset": group.example.offset },
            })
        });
        let mut json = serde_json::json!({
            "letters": self.letters.values().sum::<u64>(),
            "groups": groups.collect::<Vec<_>>(),
            "letters_of_other_groups": self.ungrouped,
        });
        for verdict in Verdict::ALL {
            json[verdict.key()] = self.of(verdict).into();
        }
        json
    }
}
