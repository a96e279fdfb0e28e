//! One letter as it is read: a record of the dead-letter topic, what it says about itself, and whether its content is in it.
//! Pure.

use std::sync::Arc;

use super::coordinates::Place;
use super::topics::Topics;
use crate::dead_letter;
use crate::dead_letter::{Decoded, NotOurs, Tool};
use crate::kafka::scan::Record;

/// Topic, partition and offset of a record.
pub type RecordAt = (Arc<str>, i32, i64);

/// A record of the dead-letter topic, and what it says about itself.
#[derive(Clone, Debug)]
pub struct Letter<'a> {
    pub record: Record<'a>,
    /// The number of its topic.
    topic: u16,
    pub decoded: Result<Decoded<'a>, NotOurs>,
    pub content: Content,
}

/// Where key and value are from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    Letter,
    /// The tool copies none: from the record that failed.
    Source,
    /// The tool copies none, and the source has none any more.
    Gone,
}

impl Content {
    /// In JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Letter => "letter",
            Self::Source => "source",
            Self::Gone => "gone",
        }
    }
}

impl<'a> Letter<'a> {
    /// `topic` is the number of the one that it lies in.
    pub fn new(record: Record<'a>, topic: u16) -> Self {
        let mut decoded = dead_letter::decode(record.headers);
        if let Ok(letter) = &mut decoded
            && letter.tool.is_some_and(Tool::keeps_time)
            && letter.source.is_some()
        {
            letter.source_timestamp_ms = record.timestamp_ms.filter(|ms| *ms >= 0);
        }
        Self { record, topic, decoded, content: Content::Letter }
    }

    /// Whether its tool has copied nothing into it: what a tombstone without a key looks like may be a record whose value
    /// lies at its source.
    pub fn lacks_content(&self) -> bool {
        let is_empty = self.record.key.is_none() && self.record.value.is_none();
        is_empty && self.decoded.as_ref().is_ok_and(|decoded| decoded.tool.is_some() && decoded.source.is_some())
    }

    /// Whether something of its record stands at the source alone: all of it, or what its tool never copies, which is the
    /// record's headers, its time and its history.
    pub fn lacks_record(&self) -> bool {
        let Ok(Decoded { tool: Some(tool), source: Some(_), .. }) = &self.decoded else { return false };
        self.lacks_content() || !tool.copies_headers()
    }

    /// Where what it lacks is to be had.
    pub fn lacking(&self) -> Option<RecordAt> {
        let source = self.decoded.as_ref().ok()?.source?;
        self.lacks_record().then(|| (source.topic.into(), source.partition, source.offset))
    }

    /// The record that was rejected, and which trace of it.
    pub fn source_text(&self) -> String {
        match &self.decoded {
            Ok(Decoded { source: Some(source), index: Some(index), .. }) => format!("{source}/{index}"),
            Ok(Decoded { source: Some(source), .. }) => source.to_string(),
            Ok(_) => "unknown".to_owned(),
            Err(_) => "-".to_owned(),
        }
    }

    /// The letter that was sent back and came again as this one, if it lies in a topic that is looked at.
    pub fn sent_back(&self, topics: &Topics) -> Option<Place> {
        topics.place(self.decoded.as_ref().ok()?.replayed_from?)
    }

    /// Its own place.
    pub fn place(&self) -> Place {
        Place { topic: self.topic, partition: self.record.at.partition, offset: self.record.at.offset }
    }
}
