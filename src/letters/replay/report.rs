//! What a replay did, or would do: for people, and as JSON whose keys docs/replay.md names.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use serde::Serialize;

use super::decide::{Origin, Parcel, Skip};
use crate::letters::coordinates::Place;
use crate::letters::json::place;
use crate::letters::tally::{MAX_GROUPS, MAX_KIND_BYTES};
use crate::letters::topics::Topics;
use crate::letters::verdict::Judgement;
use crate::terminal::table::{Align, counted, cut, grouped, lines, wrapped};
use crate::text::{escaped, harmless};

/// Columns of a kind on a terminal.
const KIND: usize = 60;

/// Skipped letters that are named, for each reason.
const MAX_NAMED: usize = 100;

#[derive(Clone, Debug, Default)]
struct Skipped {
    letters: u64,
    /// The first ones.
    places: BTreeSet<Place>,
}

/// A letter as the repairs leave it.
#[derive(Clone, Debug)]
pub struct Mended {
    place: Place,
    before: String,
    after: String,
    now: String,
    becomes_event: bool,
}

/// What of a value is shown.
const MAX_VALUE: usize = 2_000;

impl Mended {
    pub fn new(place: Place, before: Option<&[u8]>, after: Option<&[u8]>, judgement: &Judgement) -> Self {
        let text = |value: Option<&[u8]>| value.map_or_else(|| "null".to_owned(), |value| harmless(value, MAX_VALUE));
        let becomes_event = matches!(judgement, Judgement::Fixed { events } if *events > 0);
        Self { place, before: text(before), after: text(after), now: judgement.to_string(), becomes_event }
    }
}

/// What was decided so far.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    pub sent: u64,
    pub skipped: u64,
    /// By kind and target.
    groups: BTreeMap<(String, String), u64>,
    other_groups: u64,
    reasons: BTreeMap<Skip, Skipped>,
    from_source: u64,
    without_headers: u64,
    /// Bytes sent to each topic and partition; of a partition that the key decides, to all of them.
    bytes: BTreeMap<(String, Option<i32>), u64>,
    /// Of the repaired ones, those that would become events, and the first of all.
    would_become_events: u64,
    repaired: Option<Mended>,
}

impl Tally {
    /// Whether all that was sent there so far stays when this is sent too, in a partition that keeps so many bytes.
    pub fn has_room(&self, parcel: &Parcel<'_>, kept_bytes: u64) -> bool {
        let sent = self.bytes.get(&(parcel.topic.to_owned(), parcel.partition)).copied().unwrap_or(0);
        sent == 0 || sent.saturating_add(parcel.wire_size() as u64) <= kept_bytes
    }

    pub fn send(&mut self, kind: &str, parcel: &Parcel<'_>) {
        self.sent += 1;
        *self.bytes.entry((parcel.topic.to_owned(), parcel.partition)).or_default() += parcel.wire_size() as u64;
        match parcel.origin {
            Origin::Letter => {}
            Origin::Source => self.from_source += 1,
            Origin::WithoutHeaders => self.without_headers += 1,
        }
        let kind = &kind[..kind.floor_char_boundary(MAX_KIND_BYTES)];
        let group = (escaped(kind), parcel.topic.to_owned());
        if let Some(letters) = self.groups.get_mut(&group) {
            *letters += 1;
        } else if self.groups.len() < MAX_GROUPS {
            self.groups.insert(group, 1);
        } else {
            self.other_groups += 1;
        }
    }

    /// What the repairs made of one that would be sent.
    pub fn mend(&mut self, mended: Mended) {
        self.would_become_events += u64::from(mended.becomes_event);
        if self.repaired.as_ref().is_none_or(|first| mended.place < first.place) {
            self.repaired = Some(mended);
        }
    }

    pub fn skip(&mut self, why: Skip, place: Place) {
        self.skipped += 1;
        let skipped = self.reasons.entry(why).or_default();
        skipped.letters += 1;
        skipped.places.insert(place);
        if skipped.places.len() > MAX_NAMED {
            skipped.places.pop_last();
        }
    }
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    DryRun,
    Through,
    /// Somebody asked for it.
    Stopped,
}

/// All there is to say.
#[derive(Debug)]
pub struct Report {
    pub outcome: Outcome,
    pub tally: Tally,
    pub topics: Topics,
    pub group: String,
    /// Of this round.
    pub selected: u64,
    /// Selected ones that earlier calls of the same replay are through with.
    pub done: u64,
    pub resumed: bool,
    /// What does it.
    pub call: String,
}

impl Report {
    pub fn print(&self, out: &mut impl io::Write, width: Option<usize>) -> io::Result<()> {
        let tally = &self.tally;
        let (sent, skipped) = match self.outcome {
            Outcome::DryRun => ("would be sent", "would be skipped"),
            Outcome::Through | Outcome::Stopped => ("sent", "skipped"),
        };
        let selected = counted(self.selected, "dead letter", "dead letters");
        let mut line = |text: String| writeln!(out, "{}", cut(&text, width));
        line(format!(
            "{selected} of {}: {} {sent}, {} {skipped}",
            self.topics,
            grouped(tally.sent),
            grouped(tally.skipped)
        ))?;
        if self.done > 0 {
            line(format!("{} more were sent or skipped by earlier calls of this replay", grouped(self.done)))?;
        }
        if !tally.groups.is_empty() {
            line(String::new())?;
            let head = [sent, "kind", "to"].map(str::to_owned).to_vec();
            let room = width.map(|_| KIND);
            let rows = tally
                .groups
                .iter()
                .map(|((kind, to), letters)| vec![grouped(*letters), cut(kind, room).into_owned(), to.clone()]);
            let rows: Vec<_> = [head].into_iter().chain(rows).collect();
            lines(&[Align::Right, Align::Left, Align::Left], &rows).into_iter().try_for_each(&mut line)?;
        }
        if tally.other_groups > 0 {
            line(format!("{} of other kinds: only {MAX_GROUPS} are told apart", grouped(tally.other_groups)))?;
        }
        if !tally.reasons.is_empty() {
            line(String::new())?;
            let head = [skipped, "example", "why"].map(str::to_owned).to_vec();
            let rows = tally
                .reasons
                .iter()
                .map(|(why, skip)| vec![grouped(skip.letters), self.example(skip), why.words().to_owned()]);
            let rows: Vec<_> = [head].into_iter().chain(rows).collect();
            lines(&[Align::Right, Align::Left, Align::Left], &rows).into_iter().try_for_each(&mut line)?;
        }
        let notes = [
            (tally.from_source, "not whole in the dead-letter topic: fetched again from the source"),
            (tally.without_headers, "without the headers they once had: the source does not have them any more"),
        ];
        if notes.iter().any(|(letters, _)| *letters > 0) {
            line(String::new())?;
        }
        for (letters, what) in notes.into_iter().filter(|(letters, _)| *letters > 0) {
            line(format!("{} {what}", grouped(letters)))?;
        }
        if let Some(mended) = &tally.repaired {
            let events = grouped(tally.would_become_events);
            line(String::new())?;
            line(format!(
                "repaired: {events} would become events; {} before, after, and what the mapping says:",
                self.topics.shown(mended.place)
            ))?;
            [&mended.before, &mended.after, &mended.now].into_iter().try_for_each(|text| {
                wrapped(text, width.map_or(usize::MAX, |width| width.saturating_sub(2)))
                    .into_iter()
                    .try_for_each(|part| line(format!("  {part}")))
            })?;
        }
        match self.outcome {
            Outcome::DryRun if self.selected == 0 => line("nothing to do".to_owned()),
            Outcome::DryRun => {
                let what = if self.resumed { "to go on where it was left" } else { "to send them" };
                // Whole, whatever the width: it is there to be copied.
                writeln!(out, "\nnothing was written; {what}, with the same settings:\n  {}", self.call)
            }
            Outcome::Through => Ok(()),
            Outcome::Stopped => line("\nstopped between two transactions: the same call goes on there".to_owned()),
        }
    }

    fn example(&self, skipped: &Skipped) -> String {
        skipped.places.first().map_or_else(String::new, |place| self.topics.shown(*place))
    }

    pub fn as_json(&self) -> impl Serialize {
        let tally = &self.tally;
        let sent = tally
            .groups
            .iter()
            .map(|((kind, to), letters)| serde_json::json!({ "kind": kind, "to": to, "letters": letters }));
        let skipped = tally.reasons.iter().map(|(why, skip)| {
            let named: Vec<_> = skip.places.iter().map(|named| place(&self.topics, *named)).collect();
            serde_json::json!({ "reason": why.key(), "letters": skip.letters, "example": named.first(), "first": named })
        });
        serde_json::json!({
            "executed": self.outcome != Outcome::DryRun,
            "stopped": self.outcome == Outcome::Stopped,
            "resumed": self.resumed,
            "topic": self.topics.only(),
            "topics": self.topics.names().collect::<Vec<_>>(),
            "group": self.group,
            "selected": self.selected,
            "done_before": self.done,
            "sent": tally.sent,
            "skipped": tally.skipped,
            "sent_by": sent.collect::<Vec<_>>(),
            "sent_of_other_kinds": tally.other_groups,
            "skipped_by": skipped.collect::<Vec<_>>(),
            "fetched_from_source": tally.from_source,
            "without_headers": tally.without_headers,
            "repaired": tally.repaired.as_ref().map(|mended| serde_json::json!({
                "would_become_events": tally.would_become_events,
                "example": {
                    "topic": self.topics.name(mended.place.topic),
                    "partition": mended.place.partition,
                    "offset": mended.place.offset,
                    "before": mended.before,
                    "after": mended.after,
                    "now": mended.now,
                },
            })),
        })
    }
}
