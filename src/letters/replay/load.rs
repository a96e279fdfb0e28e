//! Reads the letters of one batch whole, and the records that cut ones came from.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use super::order::{Known, NO_SOURCE};
use crate::config::Config;
use crate::kafka::scan;
use crate::kafka::scan::{Range, Record, Scan, Stretch};
use crate::letters::coordinates::Place;
use crate::letters::read::{KEY, Letter};
use crate::record::{Coordinates, Header};

/// What is held of a batch at most, in letters and bytes. A larger letter is a batch of its own.
const BATCH_LETTERS: usize = 5_000;
const BATCH_BYTES: u64 = 16 * 1024 * 1024;

/// A record of our own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub timestamp_ms: Option<i64>,
    headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

impl Held {
    pub fn of(record: &Record<'_>) -> Self {
        Self {
            key: record.key.map(<[u8]>::to_vec),
            value: record.value.map(<[u8]>::to_vec),
            timestamp_ms: record.timestamp_ms,
            headers: record.headers.iter().map(|h| (h.name.to_vec(), h.value.map(<[u8]>::to_vec))).collect(),
        }
    }

    pub fn headers(&self) -> impl Iterator<Item = Header<'_>> {
        self.headers.iter().map(|(name, value)| Header { name, value: value.as_deref() })
    }

    /// The letter that this is, at its place. `headers` are its own.
    pub fn letter<'a>(&'a self, topic: &'a str, place: Place, headers: &'a [Header<'a>]) -> Letter<'a> {
        Letter::new(Record {
            at: Coordinates { topic, partition: place.partition, offset: place.offset },
            timestamp_ms: self.timestamp_ms,
            key: self.key.as_deref(),
            value: self.value.as_deref(),
            headers,
        })
    }
}

/// How many of the letters go together.
pub fn batch(letters: &[Known], at_most: Option<usize>) -> usize {
    let mut bytes = 0;
    let fits = |letter: &&Known| {
        bytes += letter.bytes;
        bytes <= BATCH_BYTES
    };
    letters.iter().take(at_most.unwrap_or(usize::MAX).min(BATCH_LETTERS)).take_while(fits).count().max(1)
}

/// A source partition, by its number in [`Known::source`].
pub type Source = (Arc<str>, i32);

/// What the sources of cut letters still have: offsets from..to, by topic and partition.
pub type Available = HashMap<(Arc<str>, i32), std::ops::Range<i64>>;

/// Asks for it.
pub fn available<'t>(config: &Config, topics: impl Iterator<Item = &'t str>) -> anyhow::Result<Available> {
    let stretches: Vec<_> = topics.map(|topic| Stretch::whole(topic, "--topic")).collect();
    let found = scan::ranges(config, &stretches)?.into_iter().flatten();
    Ok(found.map(|found| ((found.range.topic, found.range.partition), found.low..found.end)).collect())
}

/// A batch, read.
#[derive(Debug, Default)]
pub struct Loaded {
    pub letters: HashMap<Place, Held>,
    /// By the place of the letter that came of it.
    pub originals: HashMap<Place, Held>,
}

pub fn load(config: &Config, batch: &[Known], sources: &[Source], available: &Available) -> anyhow::Result<Loaded> {
    Ok(Loaded { letters: letters(config, batch)?, originals: originals(config, batch, sources, available)? })
}

fn letters(config: &Config, batch: &[Known]) -> anyhow::Result<HashMap<Place, Held>> {
    let wanted: HashSet<Place> = batch.iter().map(|letter| letter.place).collect();
    let mut spans: BTreeMap<i32, (i64, i64)> = BTreeMap::new();
    for Place { partition, offset } in &wanted {
        let span = spans.entry(*partition).or_insert((*offset, *offset));
        *span = (span.0.min(*offset), span.1.max(*offset));
    }
    let topic: Arc<str> = config.dead_letters.topic.as_str().into();
    let range = |(partition, (first, last))| Range {
        topic: Arc::clone(&topic),
        key: KEY,
        partition,
        from: first,
        to: last + 1,
    };
    let ranges: Vec<Range> = spans.into_iter().map(range).collect();
    let read = |held: &mut Vec<(Place, Held)>, record: Record<'_>| {
        let place = Place { partition: record.at.partition, offset: record.at.offset };
        if wanted.contains(&place) {
            held.push((place, Held::of(&record)));
        }
        ControlFlow::Continue(())
    };
    let found = Scan::new(config).run(&ranges, |_| Vec::new(), read, |_| {})?;
    Ok(found.into_iter().flat_map(|(held, _)| held).collect())
}

fn originals(
    config: &Config,
    batch: &[Known],
    sources: &[Source],
    available: &Available,
) -> anyhow::Result<HashMap<Place, Held>> {
    let cut = batch.iter().filter(|letter| letter.cut && letter.source != NO_SOURCE);
    let (mut places, mut ranges) = (Vec::new(), Vec::new());
    for letter in cut {
        let Some(source) = sources.get(letter.source as usize) else { continue };
        if available.get(source).is_some_and(|offsets| offsets.contains(&letter.offset)) {
            let (topic, partition) = source.clone();
            ranges.push(Range { topic, key: "--topic", partition, from: letter.offset, to: letter.offset + 1 });
            places.push(letter.place);
        }
    }
    let read = |held: &mut Option<Held>, record: Record<'_>| {
        *held = Some(Held::of(&record));
        ControlFlow::Continue(())
    };
    let found = Scan::new(config).run(&ranges, |_| None, read, |_| {})?;
    Ok(places.into_iter().zip(found).filter_map(|(place, (held, _))| Some((place, held?))).collect())
}
