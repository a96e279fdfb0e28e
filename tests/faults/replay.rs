//! Dead letters that are sent back meanwhile: what was rejected as a whole is the same record again, and is rejected again.

use std::collections::HashMap;

use crate::support::letter;
use crate::support::page::Fate;
use crate::support::raw::Record;
use crate::support::reader::Found;
use crate::support::sample::Sample;
use crate::support::scene::Scene;
use crate::support::service::{Call, Service};

/// Kinds that only a whole record can have: its letter holds the record's own value.
const OF_WHOLE_RECORDS: [&str; 3] = ["empty_payload", "invalid_utf8", "expands_too_far"];

pub fn start(scene: &Scene<'_>) -> Service {
    let call =
        scene.settings().iter().fold(Call::of(&["dlq", "replay", "--execute"]), |call, setting| call.set(setting));
    OF_WHOLE_RECORDS.iter().fold(call, |call, kind| call.with("--kind").with(kind)).start()
}

/// What becomes of a value that was sent back, by the value.
pub fn samples<'r>(written: impl Iterator<Item = (&'r Record, &'r Sample)>) -> HashMap<Option<Vec<u8>>, Sample> {
    let is_whole = |fate: &Fate| matches!(fate, Fate::Letter { kind, .. } if OF_WHOLE_RECORDS.contains(kind));
    let whole = written.filter(|(_, sample)| !sample.page && sample.fates.iter().all(is_whole));
    whole.map(|(record, sample)| (record.value.clone(), sample.clone())).collect()
}

/// Which letter of this scene a record of the input was, when it was one.
pub fn letter_of<'f>(scene: &Scene<'_>, found: &'f Found) -> Option<&'f str> {
    let from = letter::last(&found.record.headers, "dlq.replayed.from")?;
    from.strip_prefix(scene.dead_letters.as_str())?.starts_with('/').then_some(from)
}

/// No letter is sent back twice by one call.
pub fn sent_twice(scene: &Scene<'_>, input: &[Found]) -> Option<String> {
    // One record may have been looked at twice, when retention is among the faults: it has one place.
    let mut seen = HashMap::new();
    let mut letters =
        input.iter().filter_map(|found| Some((letter_of(scene, found)?, (found.partition, found.offset))));
    let (twice, _) = letters.find(|&(letter, place)| *seen.entry(letter).or_insert(place) != place)?;
    Some(format!("letter {twice} was sent back twice"))
}
