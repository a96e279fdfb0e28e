//! Reads the letters of one batch whole, and the records of those that lack something.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use super::order::{Known, NO_SOURCE};
use crate::config::Config;
use crate::kafka::scan::{Range, Record, Scan};
use crate::letters::coordinates::{Log, Place};
use crate::letters::held::Held;
use crate::letters::origin::{Available, RecordAt, Source, fetch};
use crate::letters::shelf::Shelf;

/// What is held of a batch at most, in letters and bytes. A larger letter is a batch of its own.
const BATCH_LETTERS: usize = 5_000;
const BATCH_BYTES: u64 = 16 * 1024 * 1024;

/// How many of the letters go together.
pub fn batch(letters: &[Known], at_most: Option<usize>) -> usize {
    let mut bytes = 0;
    let fits = |letter: &&Known| {
        bytes += letter.bytes;
        bytes <= BATCH_BYTES
    };
    letters.iter().take(at_most.unwrap_or(usize::MAX).min(BATCH_LETTERS)).take_while(fits).count().max(1)
}

/// A batch, read.
#[derive(Debug, Default)]
pub struct Loaded {
    pub letters: HashMap<Place, Held>,
    /// By the place of the letter that came of it.
    pub originals: HashMap<Place, Held>,
}

pub fn load(shelf: &Shelf<'_>, batch: &[Known], sources: &[Source], available: &Available) -> anyhow::Result<Loaded> {
    Ok(Loaded { letters: letters(shelf, batch)?, originals: originals(shelf.config, batch, sources, available)? })
}

fn letters(shelf: &Shelf<'_>, batch: &[Known]) -> anyhow::Result<HashMap<Place, Held>> {
    let wanted: HashSet<Place> = batch.iter().map(|letter| letter.place).collect();
    let mut spans: BTreeMap<Log, (i64, i64)> = BTreeMap::new();
    for place in &wanted {
        let span = spans.entry(place.log()).or_insert((place.offset, place.offset));
        *span = (span.0.min(place.offset), span.1.max(place.offset));
    }
    let range = |(log, (first, last)): (Log, (i64, i64))| Range {
        topic: shelf.topics.name(log.topic).into(),
        key: shelf.key,
        partition: log.partition,
        from: first,
        to: last + 1,
    };
    let ranges: Vec<Range> = spans.into_iter().map(range).collect();
    let read = |held: &mut Vec<(Place, Held)>, record: Record<'_>| {
        if let Some(place) = shelf.topics.place(record.at).filter(|place| wanted.contains(place)) {
            held.push((place, Held::of(&record)));
        }
        ControlFlow::Continue(())
    };
    let found = Scan::new(shelf.config).run(&ranges, |_| Vec::new(), read, |_| {})?;
    Ok(found.into_iter().flat_map(|(held, _)| held).collect())
}

/// The records of those that lack something.
fn originals(
    config: &Config,
    batch: &[Known],
    sources: &[Source],
    available: &Available,
) -> anyhow::Result<HashMap<Place, Held>> {
    let lacking = batch.iter().filter(|letter| letter.lacks && letter.source != NO_SOURCE);
    let place_of = |letter: &Known| {
        let (topic, partition) = sources.get(letter.source as usize)?;
        Some((letter.place, (Arc::clone(topic), *partition, letter.offset)))
    };
    let places: Vec<(Place, RecordAt)> = lacking.filter_map(place_of).collect();
    let wanted: Vec<RecordAt> = places.iter().map(|(_, at)| at.clone()).collect();
    let found = fetch(config, &wanted, available, Held::of)?;
    Ok(places.into_iter().filter_map(|(place, at)| Some((place, found.get(&at)?.clone()))).collect())
}
