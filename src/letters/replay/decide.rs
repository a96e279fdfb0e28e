//! What becomes of one letter: the record that is sent, or why none is. Pure.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};

use clap::ValueEnum;

use super::times::{Misfit, TimeLimits, stays};
use crate::dead_letter::{ATTEMPTS, Decoded, Fit, REPAIRED, REPLAYED_FROM, is_ours, sha256_hex};
use crate::letters::coordinates::Place;
use crate::letters::held::Held;
use crate::letters::read::Letter;
use crate::letters::repair::Repairs;
use crate::letters::topics::Topics;
use crate::record::{Header, wire_size};

/// A topic that letters may be sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    pub partitions: usize,
    /// Its `max.message.bytes`.
    pub limit_bytes: usize,
    pub times: TimeLimits,
    /// What a partition keeps at least, in bytes; `None`: everything.
    pub kept_bytes: Option<u64>,
}

/// Which time a record has that is sent back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Timestamp {
    /// The record's own.
    #[default]
    Source,
    /// That of the sending.
    Now,
}

/// What is asked for, and what the cluster has.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// Those that are looked at.
    pub topics: &'a Topics,
    /// The configured one.
    pub dead_letters: &'a str,
    pub output: &'a str,
    pub to_topic: Option<&'a str>,
    pub max_attempts: u64,
    /// By name.
    pub targets: &'a BTreeMap<String, Target>,
    /// Letters that were sent back and failed again, each with the letter that came of it.
    pub failed_again: &'a HashMap<Place, Place>,
    pub timestamp: Timestamp,
    pub now_ms: i64,
    /// How long the output keeps events that bear the times of their records.
    pub output_kept_ms: Option<i64>,
    /// Letters that a topic has refused for good.
    pub refused: &'a HashSet<Place>,
    pub repairs: &'a Repairs,
}

/// Why a letter is not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Skip {
    Attempts,
    FailedAgain,
    NoLetter,
    NoSource,
    OwnTopic,
    TopicMissing,
    PartitionMissing,
    OriginalGone,
    OriginalDiffers,
    CutInPage,
    UnknownFit,
    TooLarge,
    TooOld,
    TooNew,
    TooMuch,
    Refused,
    RepairFailed,
    Vanished,
}

impl Skip {
    /// In JSON.
    pub fn key(self) -> &'static str {
        match self {
            Self::Attempts => "max_attempts",
            Self::FailedAgain => "failed_again",
            Self::NoLetter => "no_dead_letter",
            Self::NoSource => "no_source",
            Self::OwnTopic => "own_topic",
            Self::TopicMissing => "topic_missing",
            Self::PartitionMissing => "partition_missing",
            Self::OriginalGone => "original_gone",
            Self::OriginalDiffers => "original_differs",
            Self::CutInPage => "cut_in_page",
            Self::UnknownFit => "unknown_fit",
            Self::TooLarge => "too_large",
            Self::TooOld => "too_old",
            Self::TooNew => "too_new",
            Self::TooMuch => "too_much",
            Self::Refused => "refused",
            Self::RepairFailed => "repair_failed",
            Self::Vanished => "vanished",
        }
    }

    pub fn words(self) -> &'static str {
        match self {
            Self::Attempts => "failed too often already (--max-attempts)",
            Self::FailedAgain => "was sent back before and failed again: a later letter stands for it",
            Self::NoLetter => "no dead letter: its headers do not say where it was read",
            Self::NoSource => "comes from no record: its tool names a cause and no source",
            Self::OwnTopic => "comes from the output or a dead-letter topic",
            Self::TopicMissing => "its topic does not exist (--to-topic sends it elsewhere)",
            Self::PartitionMissing => "its partition does not exist (--to-topic sends it elsewhere)",
            Self::OriginalGone => "is not whole, and its source does not have the record any more",
            Self::OriginalDiffers => "was cut, and its source has another record at its offset",
            Self::CutInPage => "was cut, and is a part of its record: sending all of that would repeat the others",
            Self::UnknownFit => "was changed to fit its topic in a way that this version does not know",
            Self::TooLarge => "is too large for the topic with the headers that a replay adds",
            Self::TooOld => {
                "is so old that its topic or the output would delete or refuse it (--timestamp now sends it, and once it was \
                 skipped with a selection of its own)"
            }
            Self::TooNew => {
                "has a time so far ahead that its topic would refuse it (--timestamp now sends it, and once it was skipped \
                 with a selection of its own)"
            }
            Self::TooMuch => {
                "would push out what was sent before it: its topic keeps too little (retention.bytes; select it later)"
            }
            Self::RepairFailed => {
                "cannot be repaired: its value is no JSON text, or has nothing of the kind at the path"
            }
            Self::Refused => "its topic refuses it for good",
            Self::Vanished => "was deleted from its dead-letter topic meanwhile",
        }
    }
}

/// Where the content of a parcel is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    Letter,
    /// At least a part was fetched from the source.
    Source,
    /// The letter lost its own headers and the source does not have them any more.
    WithoutHeaders,
}

/// A record on its way back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parcel<'a> {
    pub topic: &'a str,
    /// `None`: by the key.
    pub partition: Option<i32>,
    pub key: Option<&'a [u8]>,
    pub value: Option<Cow<'a, [u8]>>,
    /// `None`: now.
    pub timestamp_ms: Option<i64>,
    pub origin: Origin,
    own: Vec<Header<'a>>,
    attempts: String,
    from: String,
    repaired: Option<String>,
}

impl Parcel<'_> {
    /// The record's own headers, then ours.
    pub fn headers(&self) -> impl Iterator<Item = Header<'_>> {
        let repaired = self.repaired.as_ref().map(|repaired| (REPAIRED, repaired));
        let ours = [(ATTEMPTS, &self.attempts), (REPLAYED_FROM, &self.from)].into_iter().chain(repaired);
        let ours = ours.map(|(name, value)| Header { name: name.as_bytes(), value: Some(value.as_bytes()) });
        self.own.iter().copied().chain(ours)
    }

    /// Of the record as it is written, without compression.
    pub fn wire_size(&self) -> usize {
        wire_size(self.key, self.value.as_deref(), self.headers())
    }
}

/// Whether something is missing from a letter that its source may still have.
pub fn is_cut(fit: Fit<'_>) -> bool {
    match fit {
        Fit::HeadersDropped | Fit::ValueTruncated | Fit::KeyDropped => true,
        Fit::Whole | Fit::Unknown(_) => false,
    }
}

/// `original` is the record that the letter's source has now, for a letter that lacks something.
pub fn judge<'a>(letter: &'a Letter<'a>, original: Option<&'a Held>, terms: &Terms<'a>) -> Result<Parcel<'a>, Skip> {
    let decoded = letter.decoded.as_ref().map_err(|_| Skip::NoLetter)?;
    let source = decoded.source.ok_or(Skip::NoSource)?;
    // What a tool has not copied stands at the source, the history of the record too.
    let lacks_record = letter.lacks_record();
    let record = original.filter(|found| lacks_record && found.is_record_of(letter));
    let failures = match record {
        Some(found) => found.failures(),
        None => decoded.failures,
    };
    if failures >= terms.max_attempts {
        return Err(Skip::Attempts);
    }
    let place = letter.place();
    if terms.failed_again.contains_key(&place) {
        return Err(Skip::FailedAgain);
    }
    let (topic, partition) = match terms.to_topic {
        Some(topic) => (topic, None),
        None => (source.topic, Some(source.partition)),
    };
    if topic == terms.dead_letters || topic == terms.output || terms.topics.number(topic).is_some() {
        return Err(Skip::OwnTopic);
    }
    let target = terms.targets.get(topic).ok_or(Skip::TopicMissing)?;
    if partition.is_some_and(|partition| usize::try_from(partition).is_ok_and(|at| at >= target.partitions)) {
        return Err(Skip::PartitionMissing);
    }
    let (content, own_time_ms) = match record {
        Some(found) => (Content::of(found), found.timestamp_ms),
        None if letter.lacks_content() => return Err(Skip::OriginalGone),
        None => (content(letter, decoded, original)?, decoded.source_timestamp_ms),
    };
    let timestamp_ms = own_time_ms.filter(|_| terms.timestamp == Timestamp::Source);
    if let Some(time_ms) = timestamp_ms {
        terms.fits_in_time(target, time_ms)?;
    }
    let value = match terms.repairs.is_empty() {
        true => content.value.map(Cow::Borrowed),
        false => Some(Cow::Owned(terms.repairs.apply(content.value).map_err(|_| Skip::RepairFailed)?)),
    };
    let repaired_before = match record {
        Some(found) => found.repaired(),
        None => decoded.repaired.map(str::to_owned),
    };
    let repaired = match terms.repairs.is_empty() {
        true => repaired_before,
        false => Some(terms.repairs.header_behind(repaired_before.as_deref())),
    };
    let from = letter.record.at;
    let parcel = Parcel {
        topic,
        partition,
        key: content.key,
        value,
        timestamp_ms,
        origin: content.origin,
        own: content.headers,
        attempts: failures.to_string(),
        from: from.to_string(),
        repaired,
    };
    if parcel.wire_size() > target.limit_bytes {
        return Err(Skip::TooLarge);
    }
    if terms.refused.contains(&place) { Err(Skip::Refused) } else { Ok(parcel) }
}

impl Terms<'_> {
    /// "Sent" means that a reader will find it: in its topic, and its event in the output.
    fn fits_in_time(&self, target: &Target, time_ms: i64) -> Result<(), Skip> {
        match target.times.misfit(time_ms, self.now_ms) {
            Some(Misfit::TooOld) => return Err(Skip::TooOld),
            Some(Misfit::TooNew) => return Err(Skip::TooNew),
            None => {}
        }
        let age_ms = self.now_ms.saturating_sub(time_ms);
        if self.output_kept_ms.is_some_and(|kept_ms| !stays(kept_ms, age_ms)) { Err(Skip::TooOld) } else { Ok(()) }
    }
}

struct Content<'a> {
    key: Option<&'a [u8]>,
    value: Option<&'a [u8]>,
    headers: Vec<Header<'a>>,
    origin: Origin,
}

impl<'a> Content<'a> {
    /// All of the record.
    fn of(found: &'a Held) -> Self {
        let (key, value) = (found.key.as_deref(), found.value.as_deref());
        Self { key, value, headers: foreign(found), origin: Origin::Source }
    }
}

fn content<'a>(letter: &'a Letter<'a>, decoded: &Decoded<'a>, original: Option<&'a Held>) -> Result<Content<'a>, Skip> {
    let (key, value) = (letter.record.key, letter.record.value);
    let length = |bytes: Option<&[u8]>| bytes.map(|bytes| bytes.len() as u64);
    let is_cut = decoded.value_bytes.is_some_and(|bytes| length(value) != Some(bytes));
    let is_page = decoded.index.is_some();
    match decoded.fit {
        Fit::Whole => {
            // Its tool copies no headers, and the source does not have the record any more.
            let origin = if letter.lacks_record() { Origin::WithoutHeaders } else { Origin::Letter };
            Ok(Content { key, value, headers: decoded.headers.clone(), origin })
        }
        Fit::Unknown(_) => Err(Skip::UnknownFit),
        Fit::HeadersDropped => {
            let original =
                original.filter(|found| found.key.as_deref() == key && (is_page || found.value.as_deref() == value));
            Ok(match original {
                Some(found) => Content { key, value, headers: foreign(found), origin: Origin::Source },
                None => Content { key, value, headers: decoded.headers.clone(), origin: Origin::WithoutHeaders },
            })
        }
        Fit::ValueTruncated | Fit::KeyDropped => {
            if is_cut && is_page {
                return Err(Skip::CutInPage);
            }
            let found = original.ok_or(Skip::OriginalGone)?;
            let same_key = match decoded.fit {
                Fit::KeyDropped => length(found.key.as_deref()) == decoded.key_bytes,
                _ => found.key.as_deref() == key,
            };
            let same_value = is_page || is_value_of(decoded, value, found);
            if !same_key || !same_value {
                return Err(Skip::OriginalDiffers);
            }
            let value = if is_page { value } else { found.value.as_deref() };
            Ok(Content { key: found.key.as_deref(), value, headers: foreign(found), origin: Origin::Source })
        }
    }
}

/// Whether the record found at the source has the value that the letter had before it was cut.
fn is_value_of(decoded: &Decoded<'_>, left: Option<&[u8]>, found: &Held) -> bool {
    match (&found.value, decoded.value_bytes, decoded.value_sha256) {
        (None, None, None) => left.is_none(),
        (Some(value), Some(bytes), Some(sha256)) => {
            value.len() as u64 == bytes && sha256_hex(value).eq_ignore_ascii_case(sha256)
        }
        _ => false,
    }
}

/// A record's headers without ours: those of an earlier replay are written anew.
fn foreign(found: &Held) -> Vec<Header<'_>> {
    found.headers().filter(|header| !is_ours(header.name)).collect()
}

#[cfg(test)]
mod tests;
