//! The records that letters came from, read at their source: for letters that were cut to fit their topic, and for those
//! whose tool copies nothing of a record into them, or no headers.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

use super::coordinates::Place;
use super::held::Held;
pub use super::letter::RecordAt;
use super::letter::{Content, Letter};
use super::shelf::Shelf;
use crate::config::Config;
use crate::dead_letter::{History, is_ours};
use crate::kafka::scan;
use crate::kafka::scan::{Progress, Range, Record, Scan, ScanError, Stretch};
use crate::record::Header;

/// For whoever has to correct the name of a source topic.
const KEY: &str = "--topic";

/// Offsets between two wanted records that are read along: looking for the second one anew takes longer.
const MAX_GAP: i64 = 100;

/// A source partition.
pub type Source = (Arc<str>, i32);

/// What sources still have: offsets from..to, by topic and partition.
pub type Available = HashMap<Source, std::ops::Range<i64>>;

/// Asks for it.
pub fn available<'t>(config: &Config, topics: impl Iterator<Item = &'t str>) -> Result<Available, ScanError> {
    let stretches: Vec<_> = topics.map(|topic| Stretch::whole(topic, KEY)).collect();
    let found = scan::ranges(config, &stretches)?.into_iter().flatten();
    Ok(found.map(|found| ((found.range.topic, found.range.partition), found.low..found.end)).collect())
}

/// What the record of a letter says of its way so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// The letter that it is the replay of, if that lies in a topic that is looked at.
    pub from: Option<Place>,
    /// How often it failed, the letter's failure included.
    pub failures: u64,
}

/// Asks the sources of letters that do not say it themselves. Of what is gone or may not be read there is nothing.
pub fn told(
    shelf: &Shelf<'_>,
    untold: &[(Place, RecordAt)],
    watch: impl FnMut(&Progress),
) -> anyhow::Result<Vec<(Place, Told)>> {
    let wanted: Vec<RecordAt> = untold.iter().map(|(_, at)| at.clone()).collect();
    let topics: BTreeSet<&str> = wanted.iter().map(|(topic, ..)| &**topic).collect();
    let mut there = Available::new();
    for topic in topics {
        match available(shelf.config, [topic].into_iter()) {
            Ok(has) => there.extend(has),
            Err(ScanError::Refused(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let tell = |record: &Record<'_>| {
        let history = History::of(record.headers);
        let from = history.replayed_from.and_then(|from| shelf.topics.place(from));
        Told { from, failures: history.failures() }
    };
    let found = fetch_watched(shelf.config, &wanted, &there, tell, watch)?;
    Ok(untold.iter().filter_map(|(place, at)| Some((*place, *found.get(at)?))).collect())
}

/// Reads the wanted records that are still there; `make` takes from each what is needed.
pub fn fetch<T: Send>(
    config: &Config,
    wanted: &[RecordAt],
    available: &Available,
    make: impl Fn(&Record<'_>) -> T + Sync,
) -> Result<HashMap<RecordAt, T>, ScanError> {
    fetch_watched(config, wanted, available, make, |_| {})
}

/// The same for somebody who watches, and may end it.
fn fetch_watched<T: Send>(
    config: &Config,
    wanted: &[RecordAt],
    available: &Available,
    make: impl Fn(&Record<'_>) -> T + Sync,
    watch: impl FnMut(&Progress),
) -> Result<HashMap<RecordAt, T>, ScanError> {
    let ranges = ranges(wanted, available);
    if ranges.is_empty() {
        return Ok(HashMap::new());
    }
    let is_wanted: HashSet<(&str, i32, i64)> =
        wanted.iter().map(|(topic, at, offset)| (&**topic, *at, *offset)).collect();
    let read = |found: &mut Vec<(i64, T)>, record: Record<'_>| {
        if is_wanted.contains(&(record.at.topic, record.at.partition, record.at.offset)) {
            found.push((record.at.offset, make(&record)));
        }
        ControlFlow::Continue(())
    };
    let found = Scan::new(config).run(&ranges, |_| Vec::new(), read, watch)?;
    let with_range = ranges.iter().zip(found);
    Ok(with_range
        .flat_map(|(range, (found, _))| {
            found.into_iter().map(|(offset, made)| ((Arc::clone(&range.topic), range.partition, offset), made))
        })
        .collect())
}

/// What has to be read for them, near ones together.
fn ranges(wanted: &[RecordAt], available: &Available) -> Vec<Range> {
    let mut wanted: Vec<&RecordAt> = wanted.iter().collect();
    wanted.sort_unstable();
    let mut ranges: Vec<Range> = Vec::new();
    for (topic, partition, offset) in wanted {
        let is_there = available.get(&(Arc::clone(topic), *partition)).is_some_and(|there| there.contains(offset));
        if !is_there {
            continue;
        }
        match ranges.last_mut() {
            Some(last) if last.topic == *topic && last.partition == *partition && offset - last.to <= MAX_GAP => {
                last.to = offset + 1;
            }
            _ => ranges.push(Range {
                topic: Arc::clone(topic),
                key: KEY,
                partition: *partition,
                from: *offset,
                to: offset + 1,
            }),
        }
    }
    ranges
}

/// The letter with what its record has, or with the word that it is gone. `headers` are the record's own.
pub fn complete<'a>(letter: &Letter<'a>, original: Option<&'a Held>, headers: &[Header<'a>]) -> Letter<'a> {
    let mut whole = letter.clone();
    let Some(original) = original.filter(|original| original.is_record_of(letter)) else {
        if letter.lacks_content() {
            whole.content = Content::Gone;
        }
        return whole;
    };
    if letter.lacks_content() {
        whole.content = Content::Source;
    }
    whole.record.key = original.key.as_deref();
    whole.record.value = original.value.as_deref();
    if let Ok(decoded) = &mut whole.decoded {
        let history = History::of(headers);
        decoded.source_timestamp_ms = original.timestamp_ms;
        decoded.failures = history.failures();
        decoded.replayed_from = history.replayed_from;
        decoded.repaired = history.repaired;
        decoded.headers = headers.iter().copied().filter(|header| !is_ours(header.name)).collect();
    }
    whole
}

/// Completes letters a batch at a time: each look at a source takes a while.
#[derive(Debug)]
pub struct Completion<'c> {
    config: &'c Config,
    /// Nothing may pass those that wait.
    keeps_order: bool,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    letters: Vec<(Arc<str>, Place, Held)>,
    bytes: usize,
    /// Letters that were taken and not passed on: those that wait, and those that somebody who had enough did not get.
    owed: usize,
    /// What sources have; of a topic that is not there or may not be read, nothing.
    available: HashMap<Arc<str>, Available>,
}

/// Letters that wait at most, and their bytes.
const BATCH_LETTERS: usize = 500;
const BATCH_BYTES: usize = 8 * 1024 * 1024;

impl<'c> Completion<'c> {
    pub fn new(config: &'c Config, keeps_order: bool) -> Self {
        Self { config, keeps_order, waiting: Mutex::default() }
    }

    /// Calls `each` for the letter, now or with those that waited before it.
    pub fn take(
        &self,
        letter: &Letter<'_>,
        each: &mut impl FnMut(&Letter<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, ScanError> {
        let lacks = letter.lacks_record();
        if !lacks && !self.keeps_order {
            return Ok(each(letter));
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if !lacks && waiting.letters.is_empty() {
            drop(waiting);
            return Ok(each(letter));
        }
        let held = Held::of(&letter.record);
        waiting.bytes += held.bytes();
        waiting.owed += 1;
        waiting.letters.push((letter.record.at.topic.into(), letter.place(), held));
        if waiting.letters.len() < BATCH_LETTERS && waiting.bytes < BATCH_BYTES {
            return Ok(ControlFlow::Continue(()));
        }
        waiting.empty(self.config, each)
    }

    /// Calls `each` for those that still wait.
    pub fn finish(&self, each: &mut impl FnMut(&Letter<'_>) -> ControlFlow<()>) -> Result<ControlFlow<()>, ScanError> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).empty(self.config, each)
    }

    /// Whether every letter that was taken was passed on.
    pub fn is_through(&self) -> bool {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).owed == 0
    }
}

impl Waiting {
    fn empty(
        &mut self,
        config: &Config,
        each: &mut impl FnMut(&Letter<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, ScanError> {
        self.bytes = 0;
        let letters = std::mem::take(&mut self.letters);
        let mut wanted = Vec::new();
        for (topic, place, held) in &letters {
            let headers: Vec<_> = held.headers().collect();
            wanted.extend(held.letter(topic, *place, &headers).lacking());
        }
        for (topic, ..) in &wanted {
            self.ask(config, topic)?;
        }
        let available: Available =
            self.available.values().flatten().map(|(at, has)| (at.clone(), has.clone())).collect();
        let found = fetch(config, &wanted, &available, Held::of)?;
        for (topic, place, held) in &letters {
            let headers: Vec<_> = held.headers().collect();
            let letter = held.letter(topic, *place, &headers);
            self.owed -= 1;
            let flow = match letter.lacking() {
                None => each(&letter),
                Some(at) => {
                    let original = found.get(&at);
                    let own: Vec<_> = original.into_iter().flat_map(Held::headers).collect();
                    each(&complete(&letter, original, &own))
                }
            };
            if flow.is_break() {
                return Ok(flow);
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn ask(&mut self, config: &Config, topic: &Arc<str>) -> Result<(), ScanError> {
        if self.available.contains_key(topic) {
            return Ok(());
        }
        let has = match available(config, [&**topic].into_iter()) {
            Ok(has) => has,
            // Whatever the reason: its records cannot be had.
            Err(ScanError::Refused(_)) => Available::new(),
            Err(error) => return Err(error),
        };
        self.available.insert(Arc::clone(topic), has);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Coordinates;

    #[test]
    fn near_records_are_read_together_and_what_is_gone_is_not_looked_for() {
        let topic: Arc<str> = "mail".into();
        let at = |partition, offset| (Arc::clone(&topic), partition, offset);
        let available = Available::from([((Arc::clone(&topic), 0), 10..5000), ((Arc::clone(&topic), 1), 0..3)]);
        let wanted = [at(0, 12), at(0, 9), at(0, 11), at(0, 112), at(0, 4000), at(0, 5000), at(1, 2), at(2, 0)];
        let found: Vec<_> =
            ranges(&wanted, &available).into_iter().map(|range| (range.partition, range.from, range.to)).collect();
        assert_eq!(found, [(0, 11, 113), (0, 4000, 4001), (1, 2, 3)]);
    }

    #[test]
    fn whoever_has_enough_of_letters_that_waited_is_told_that_others_did() {
        let named = [("topic", "mail"), ("partition", "0"), ("offset", "7")];
        let named = named.map(|(name, value)| (format!("__dlq.errors.{name}").into_bytes(), value.as_bytes()));
        let headers: Vec<_> = named.iter().map(|(name, value)| Header { name, value: Some(value) }).collect();
        let letter = |offset| {
            let at = Coordinates { topic: "dlq", partition: 0, offset };
            Letter::new(Record { at, timestamp_ms: None, key: None, value: None, headers: &headers }, 0)
        };
        for (enough, passed, is_through) in [(2, 2, false), (3, 3, true), (9, 3, true)] {
            let config = Config::default();
            let completion = Completion::new(&config, true);
            // Its source is not there: nobody is asked.
            completion.waiting.lock().unwrap().available.insert("mail".into(), Available::new());
            let mut seen = Vec::new();
            let mut each = |letter: &Letter<'_>| {
                seen.push((letter.place().offset, letter.content));
                if seen.len() == enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            };
            for offset in 0..3 {
                assert!(completion.take(&letter(offset), &mut each).unwrap().is_continue());
                assert!(!completion.is_through(), "it waits");
            }
            assert_eq!(completion.finish(&mut each).unwrap().is_break(), enough <= 3);
            assert_eq!(seen, [0, 1, 2].map(|offset| (offset, Content::Gone))[..passed]);
            assert_eq!(completion.is_through(), is_through, "enough after {enough}");
        }
    }
}
