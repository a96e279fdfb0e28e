//! The account of one input partition: what its records have to give, and what was found of it.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::ops::Range;

use super::first::First;
use super::report::{Doubt, Problem, ProblemKind, Reason, Tally};
use super::slots::{Expected, Seen, Slot, Slots};
use super::{BY_A_LIMIT, IN_PLACE_OF_AN_EVENT, Place, Trace, What, is_one_of};
use crate::normalize::{EventId, Kind, Outcome, Verdict};

/// Up to where an input partition is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The offsets that are audited; all of them committed, and still there.
    pub range: Range<i64>,
    /// The group's offset: what comes of later records may be there already, or not.
    pub committed: i64,
    /// The partition's end, taken after the ends of the topics in which outputs are looked for.
    pub end: i64,
}

/// An output that was found.
#[derive(Clone, Copy, Debug)]
pub struct Sighting<'a> {
    pub place: Place,
    /// What it says it comes from.
    pub trace: Trace,
    /// Of a dead letter: its kind, as it stands there.
    pub letter: &'a str,
    /// Of an event: its value, and its record's key.
    pub value: Option<&'a [u8]>,
    pub key: Option<&'a [u8]>,
}

/// What could explain that something is missing, beside that it was never there.
#[derive(Clone, Debug, Default)]
pub struct Excuses {
    /// Partitions whose beginning is gone, and in which outputs of this input partition may have stood.
    pub cut: Vec<(What, i32)>,
    /// What may have hidden any of them.
    pub anything: Option<Reason>,
    /// The input keeps only the last record of a key.
    pub input_compacted: bool,
    /// Nobody knows where the group began.
    pub start_unknown: bool,
}

/// The account of one input partition.
#[derive(Debug)]
pub struct Account {
    bounds: Bounds,
    slots: Slots,
    tally: Tally,
    unexpected: First<Problem>,
    differing: First<Problem>,
    past_end: Option<Doubt>,
    /// Outputs of records that are not there, or hold nothing.
    recordless: First<Problem>,
    without_record: Option<Doubt>,
    /// For each partition whose beginning is gone, the source of the first of our outputs that is left there: offset, and
    /// index within a page, which may have been cut in two.
    heads: HashMap<(What, i32), (i64, u32)>,
    /// Without them contents are not compared.
    prints: Option<Prints>,
}

impl Account {
    pub fn new(bounds: Bounds, prints: Option<Prints>) -> Self {
        Self {
            bounds,
            slots: Slots::default(),
            tally: Tally::default(),
            unexpected: First::default(),
            differing: First::default(),
            past_end: None,
            recordless: First::default(),
            without_record: None,
            heads: HashMap::new(),
            prints,
        }
    }

    pub fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    /// One record of the range, behind all before it, with what the mapping makes of it.
    pub fn expect<'o>(&mut self, offset: i64, outcomes: impl ExactSizeIterator<Item = Outcome<'o>>) {
        self.tally.records += 1;
        let mut outcomes = outcomes.peekable();
        let page = outcomes.peek().is_some_and(|outcome| outcome.index.is_some());
        let (tally, prints) = (&mut self.tally, &self.prints);
        let expected = outcomes.map(|outcome| match outcome.verdict {
            Verdict::Event { json, id, .. } => {
                tally.expected_events += 1;
                let id = id.map(EventId::as_slice);
                Expected::Event { print: prints.as_ref().map_or(0, |prints| prints.event(json, id)) }
            }
            Verdict::Rejection { rejection, .. } => {
                tally.expected_dead_letters += 1;
                let kind = rejection.kind.name();
                Expected::DeadLetter { print: prints.as_ref().map_or(0, |prints| prints.letter(kind)) }
            }
        });
        self.slots.push(offset, page, expected);
    }

    /// One output that names a record of this partition.
    pub fn sight(&mut self, sighting: &Sighting<'_>) {
        let offset = sighting.trace.offset;
        let Bounds { range, committed, end } = &self.bounds;
        if offset >= *end {
            return note(&mut self.past_end, Reason::SourcePastEnd, offset);
        }
        let place = sighting.place;
        self.heads.entry((place.topic, place.partition)).or_insert((offset, sighting.trace.index.unwrap_or(0)));
        if offset >= *committed {
            self.tally.not_committed += 1;
        } else if range.contains(&offset) {
            self.judge(sighting);
        }
    }

    fn judge(&mut self, sighting: &Sighting<'_>) {
        let slots = self.slots.record(sighting.trace.offset);
        let Some(first) = slots.first_mut() else {
            note(&mut self.without_record, Reason::InputCompacted, sighting.trace.offset);
            let note = "its record holds no trace, or is none";
            return self.recordless.insert(problem(ProblemKind::Unexpected, sighting, note));
        };
        let page = first.is_of_page();
        let (what, index) = (sighting.place.topic, sighting.trace.index);
        let is_letter = what == What::DeadLetter;
        let is_whole = is_letter && index.is_none() && is_one_of(&BY_A_LIMIT, sighting.letter);
        if is_whole && (page || !first.expects_letter()) {
            return first.saw_whole();
        }
        let slot = match (page, index) {
            (false, None) => Some(first),
            (true, Some(index)) => slots.get_mut(index as usize),
            (false, Some(_)) | (true, None) => None,
        };
        let Some(slot) = slot else { return self.unexpected(sighting, "its record holds no trace of that index") };
        match (slot.expects_letter(), is_letter) {
            (false, true) if is_one_of(&IN_PLACE_OF_AN_EVENT, sighting.letter) => slot.saw_fate(),
            (false, true) => self.unexpected(sighting, "an event is expected there"),
            (true, false) => self.unexpected(sighting, "a dead letter is expected there"),
            (false, false) | (true, true) => {
                slot.saw_fate();
                let slot = *slot;
                self.compare(slot, sighting);
            }
        }
    }

    fn compare(&mut self, slot: Slot, sighting: &Sighting<'_>) {
        let Some(prints) = &self.prints else { return };
        let by_a_limit = sighting.place.topic == What::DeadLetter && is_one_of(&BY_A_LIMIT, sighting.letter);
        if by_a_limit {
            // It was not looked at any further, and the limit may have been raised since.
            return;
        }
        let found = match sighting.place.topic {
            What::Event => sighting.value.map(|value| prints.event(value, sighting.key)),
            What::DeadLetter => Some(prints.letter(sighting.letter)),
        };
        if !found.is_some_and(|found| slot.has_print(found)) {
            self.tally.differing += 1;
            self.differing.insert(problem(ProblemKind::Differs, sighting, ""));
        }
    }

    fn unexpected(&mut self, sighting: &Sighting<'_>, note: &'static str) {
        self.tally.unexpected += 1;
        self.unexpected.insert(problem(ProblemKind::Unexpected, sighting, note));
    }

    /// The account, once everything was seen.
    pub fn close(mut self, excuses: &Excuses) -> Tally {
        let gone = |what| {
            let cut = excuses.cut.iter().filter(|(topic, _)| *topic == what);
            cut.map(|cut| self.heads.get(cut).copied().unwrap_or((i64::MAX, 0))).max().unwrap_or((0, 0))
        };
        // An event may have been a dead letter, because its topic did not take it; the other way round never.
        let gone_letters = gone(What::DeadLetter);
        let gone_events = gone(What::Event).max(gone_letters);
        let began = self.slots.records().find(|(_, slots)| was_seen(slots)).map_or(i64::MAX, |(offset, _)| offset);
        let excuse = |slot: Slot, (offset, index): (i64, u32)| {
            let gone = if slot.expects_letter() { gone_letters } else { gone_events };
            match () {
                () if excuses.anything.is_some() => excuses.anything,
                () if (offset, index) < gone => Some(Reason::OutputGone),
                () if excuses.start_unknown && offset < began => Some(Reason::StartUnknown),
                () => None,
            }
        };
        let mut closing = Closing::default();
        for (offset, slots) in self.slots.records() {
            closing.record(&mut self.tally, offset, slots, excuse);
        }
        let mut recordless = First::default();
        match self.without_record {
            None => {}
            // Which of them had a record cannot be told, so none is held against the service.
            Some(doubt) if excuses.input_compacted => drop(closing.doubts.insert(doubt.reason, doubt)),
            Some(doubt) => {
                self.tally.unexpected += doubt.count;
                recordless = self.recordless;
            }
        }
        let Closing { missing, repeated, unexpected, doubts } = closing;
        self.tally.problems.extend(missing.into_iter().chain(repeated.into_iter()));
        for problem in unexpected.into_iter().chain(recordless.into_iter()) {
            self.unexpected.insert(problem);
        }
        self.tally.problems.extend(self.unexpected.into_iter().chain(self.differing.into_iter()));
        self.tally.doubts.extend(self.past_end.into_iter().chain(doubts.into_values()));
        self.tally
    }
}

/// What comes to light when the slots are looked through.
#[derive(Default)]
struct Closing {
    missing: First<Problem>,
    repeated: First<Problem>,
    unexpected: First<Problem>,
    doubts: BTreeMap<Reason, Doubt>,
}

impl Closing {
    fn record(
        &mut self,
        tally: &mut Tally,
        offset: i64,
        slots: &[Slot],
        excuse: impl Fn(Slot, (i64, u32)) -> Option<Reason>,
    ) {
        let whole = slots.first().map_or(Seen::Never, |first| first.whole());
        let record = Trace { offset, index: None };
        if whole != Seen::Never && slots.iter().all(|slot| slot.fates() == Seen::Never) {
            // A limit was lower once, and one letter sealed the record with all its traces.
            if whole == Seen::Once {
                tally.found_once += slots.len() as u64;
            } else {
                tally.repeated += slots.len() as u64;
                self.repeated.insert(Problem::new(ProblemKind::Repeated, What::DeadLetter, record));
            }
            return;
        }
        if whole != Seen::Never {
            tally.unexpected += 1;
            let note = "the traces of its record were found beside it";
            let problem = Problem::new(ProblemKind::Unexpected, What::DeadLetter, record);
            self.unexpected.insert(Problem { note, ..problem });
        }
        for (index, slot) in (0..).zip(slots) {
            let trace = Trace { offset, index: slot.is_of_page().then_some(index) };
            let what = if slot.expects_letter() { What::DeadLetter } else { What::Event };
            match (slot.fates(), excuse(*slot, (offset, index))) {
                (Seen::Once, _) => tally.found_once += 1,
                (Seen::Repeatedly, _) => {
                    tally.repeated += 1;
                    self.repeated.insert(Problem::new(ProblemKind::Repeated, what, trace));
                }
                (Seen::Never, Some(reason)) => {
                    tally.untold += 1;
                    let doubt = self.doubts.entry(reason).and_modify(|doubt| doubt.widen(offset));
                    doubt.or_insert_with(|| Doubt::at(reason, offset));
                }
                (Seen::Never, None) => {
                    tally.missing += 1;
                    self.missing.insert(Problem::new(ProblemKind::Missing, what, trace));
                }
            }
        }
    }
}

fn was_seen(slots: &[Slot]) -> bool {
    slots.iter().any(|slot| slot.fates() != Seen::Never || slot.whole() != Seen::Never)
}

fn problem(kind: ProblemKind, sighting: &Sighting<'_>, note: &'static str) -> Problem {
    let letter = Kind::from_name(sighting.letter);
    let places = vec![sighting.place];
    Problem { places, letter, note, ..Problem::new(kind, sighting.place.topic, sighting.trace) }
}

fn note(doubt: &mut Option<Doubt>, reason: Reason, offset: i64) {
    match doubt {
        Some(doubt) => doubt.widen(offset),
        None => *doubt = Some(Doubt::at(reason, offset)),
    }
}

/// Makes fingerprints; a slot keeps as much of one as it has room for. The keys are new for each run, so that nobody can
/// make a value for a fingerprint.
#[derive(Clone, Debug)]
pub struct Prints {
    keys: RandomState,
    /// Whether the key of an event's record is its id.
    keyed_by_id: bool,
}

impl Prints {
    pub fn new(keyed_by_id: bool) -> Self {
        Self { keys: RandomState::new(), keyed_by_id }
    }

    fn event(&self, value: &[u8], key: Option<&[u8]>) -> u32 {
        self.keys.hash_one((value, key.filter(|_| self.keyed_by_id))) as u32
    }

    fn letter(&self, kind: &str) -> u32 {
        self.keys.hash_one(kind) as u32
    }
}
