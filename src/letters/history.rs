//! The history of a letter: every letter of the same record, and of the replays of it that failed again.
//!
//! A replay gives a record another place in its topic, so coordinates alone do not hold a history together: the letter of
//! a replay names the letter that was sent back (`dlq.replayed.from`), and that chain is followed to both sides.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use super::coordinates::Place;
use super::json;
use super::letter::RecordAt;
use super::origin;
use super::origin::Told;
use super::read::{Letter, Letters, Order, Reading};
use super::select::Selection;
use super::shelf::Shelf;
use super::topics::Topics;
use crate::kafka::scan::{Progress, Record};
use crate::record::Coordinates;

/// Letters that are told at most: anybody may write any number of them.
pub const MAX_ATTEMPTS: usize = 1000;

/// What of a foreign text is kept, in bytes.
const MAX_TEXT: usize = 300;

/// Where a history begins to be looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seed {
    place: Place,
    source: Option<(RecordAt, Option<u32>)>,
    from: Option<Place>,
}

/// One letter of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    pub place: Place,
    pub time_ms: Option<i64>,
    /// Of what is no dead letter, nothing.
    pub kind: String,
    pub message: String,
    pub source: String,
    /// How often the record had failed by then.
    pub failures: u64,
}

#[derive(Clone, Debug, Default)]
pub struct History {
    /// In the order of their times, the letter itself among them.
    pub attempts: Vec<Attempt>,
    /// Those beyond the cap.
    pub more: u64,
    /// What whoever asked has to know beside it.
    pub notes: Vec<String>,
}

/// What one partition gives.
#[derive(Debug, Default)]
struct Part {
    attempts: Vec<Attempt>,
    more: u64,
    /// Letters of replays, and the letters that were sent back.
    links: Vec<(Place, Place)>,
    /// Letters of which their record says whose replay it was, and where that record is.
    untold: Vec<(Place, RecordAt)>,
}

impl Seed {
    pub fn of(letter: &Letter<'_>, topics: &Topics) -> Self {
        let decoded = letter.decoded.as_ref().ok();
        let source = decoded.and_then(|decoded| Some((decoded.source?, decoded.index)));
        Self {
            place: letter.place(),
            source: source.map(|(at, index)| ((Arc::from(at.topic), at.partition, at.offset), index)),
            from: letter.sent_back(topics),
        }
    }

    /// Whether it is of the same record, and of the same trace of it as far as both say which one.
    fn is_same(&self, letter: &Letter<'_>) -> bool {
        let Some(((topic, partition, offset), index)) = &self.source else { return false };
        let Ok(decoded) = &letter.decoded else { return false };
        let Some(source) = decoded.source else { return false };
        let at = Coordinates { topic, partition: *partition, offset: *offset };
        source == at && (index.is_none() || decoded.index.is_none() || *index == decoded.index)
    }
}

impl Attempt {
    fn of(letter: &Letter<'_>) -> Self {
        let kept = |text: &str| text[..text.floor_char_boundary(MAX_TEXT)].to_owned();
        let decoded = letter.decoded.as_ref().ok();
        Self {
            place: letter.place(),
            time_ms: letter.record.timestamp_ms,
            kind: decoded.map(|decoded| kept(decoded.kind)).unwrap_or_default(),
            message: decoded.and_then(|decoded| decoded.message).map(kept).unwrap_or_default(),
            source: kept(&letter.source_text()),
            failures: decoded.map_or(0, |decoded| decoded.failures),
        }
    }
}

/// Reads all topics through once, and what the chain of replays names beside that.
pub fn history(shelf: &Shelf<'_>, seed: &Seed, mut watch: impl FnMut(&Progress)) -> anyhow::Result<History> {
    let all = Selection::default();
    let letters = Letters::new(shelf, &all, None, Order::Any);
    let Reading { states, notes } = letters.read_watched(&mut watch, Part::default, |part: &mut Part, letter| {
        part.take(letter, seed, &shelf.topics);
        ControlFlow::Continue(())
    })?;
    let mut history = History { notes, ..History::default() };
    let mut links: HashMap<Place, Vec<Place>> = HashMap::new();
    let mut link = |one: Place, other: Place| {
        links.entry(one).or_default().push(other);
        links.entry(other).or_default().push(one);
    };
    seed.from.into_iter().for_each(|from| link(seed.place, from));
    let mut untold = Vec::new();
    for part in states {
        part.links.iter().for_each(|(place, from)| link(*place, *from));
        untold.extend(part.untold);
        history.attempts.extend(part.attempts);
        history.more += part.more;
    }
    let told: HashMap<Place, Told> = origin::told(shelf, &untold, &mut watch)?.into_iter().collect();
    told.iter().for_each(|(place, told)| told.from.into_iter().for_each(|from| link(*place, from)));
    let found: Vec<Place> = history.attempts.iter().map(|attempt| attempt.place).collect();
    let chain: Vec<Place> = linked(&found, seed.place, &links).into_iter().take(MAX_ATTEMPTS).collect();
    history.attempts.extend(fetched(shelf, &chain)?);
    for attempt in &mut history.attempts {
        attempt.failures = told.get(&attempt.place).map_or(attempt.failures, |told| told.failures);
    }
    history.attempts.sort_unstable_by_key(|attempt| (attempt.time_ms, attempt.place));
    let beyond = history.attempts.len().saturating_sub(MAX_ATTEMPTS);
    history.attempts.truncate(MAX_ATTEMPTS);
    history.more += beyond as u64;
    Ok(history)
}

impl Part {
    fn take(&mut self, letter: &Letter<'_>, seed: &Seed, topics: &Topics) {
        self.links.extend(letter.sent_back(topics).map(|from| (letter.place(), from)));
        self.untold.extend(letter.lacking().map(|at| (letter.place(), at)));
        if letter.place() != seed.place && !seed.is_same(letter) {
            return;
        }
        if self.attempts.len() < MAX_ATTEMPTS {
            self.attempts.push(Attempt::of(letter));
        } else {
            self.more += 1;
        }
    }
}

/// Everything that hangs together with those that were found, without them.
fn linked(found: &[Place], seed: Place, links: &HashMap<Place, Vec<Place>>) -> Vec<Place> {
    let mut known: HashSet<Place> = found.iter().copied().chain([seed]).collect();
    let mut open: Vec<Place> = known.iter().copied().collect();
    let mut beside = Vec::new();
    while let Some(place) = open.pop() {
        for next in links.get(&place).into_iter().flatten() {
            if known.insert(*next) {
                open.push(*next);
                beside.push(*next);
            }
        }
    }
    beside.sort_unstable();
    beside
}

/// Those of them that are still there.
fn fetched(shelf: &Shelf<'_>, places: &[Place]) -> anyhow::Result<Vec<Attempt>> {
    if places.is_empty() {
        return Ok(Vec::new());
    }
    let available = origin::available(shelf.config, shelf.topics.names())?;
    let wanted: Vec<RecordAt> =
        places.iter().map(|place| (shelf.topics.name(place.topic).into(), place.partition, place.offset)).collect();
    let make = |record: &Record<'_>| {
        let topic = shelf.topics.number(record.at.topic).unwrap_or_default();
        Attempt::of(&Letter::new(*record, topic))
    };
    Ok(origin::fetch(shelf.config, &wanted, &available, make)?.into_values().collect())
}

impl History {
    pub fn as_json(&self, topics: &Topics) -> Vec<serde_json::Value> {
        let attempt = |attempt: &Attempt| {
            let mut json = json::place(topics, attempt.place);
            json["timestamp"] = attempt.time_ms.and_then(json::time).into();
            json["kind"] = Some(attempt.kind.as_str()).filter(|kind| !kind.is_empty()).into();
            json["message"] = Some(attempt.message.as_str()).filter(|message| !message.is_empty()).into();
            json["source"] = attempt.source.as_str().into();
            json["failures"] = attempt.failures.into();
            json
        };
        self.attempts.iter().map(attempt).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(offset: i64) -> Place {
        Place { topic: 0, partition: 0, offset }
    }

    #[test]
    fn a_chain_of_replays_is_followed_to_both_sides_and_a_circle_ends() {
        let pairs = [(1, 2), (2, 3), (3, 1), (3, 4), (8, 9)];
        let mut links: HashMap<Place, Vec<Place>> = HashMap::new();
        for (one, other) in pairs {
            links.entry(place(one)).or_default().push(place(other));
            links.entry(place(other)).or_default().push(place(one));
        }
        let offsets = |found: &[i64], seed| -> Vec<i64> {
            let found: Vec<Place> = found.iter().copied().map(place).collect();
            linked(&found, place(seed), &links).iter().map(|place| place.offset).collect()
        };
        assert_eq!(offsets(&[2], 2), [1, 3, 4]);
        assert_eq!(offsets(&[2, 9], 2), [1, 3, 4, 8]);
        assert_eq!(offsets(&[7], 7), [0; 0]);
    }
}
