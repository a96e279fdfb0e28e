//! One partition as the group, the client and the engine know it, and what became of its records.

use std::ops::Range;

use messagetrace_ecs::pipeline::account::Slot;
use messagetrace_ecs::pipeline::kept;
use messagetrace_ecs::pipeline::kept::Kept;

use crate::log::{Log, Written};

pub struct Partition {
    pub log: Log,
    /// By the group.
    pub committed: Option<Kept>,
    /// Whose outcome is in the committed output, in the order in which they got there.
    pub output: Vec<Written>,
    /// Ours, as far as the group knows.
    pub granted: bool,
    /// Ours, as far as the engine knows.
    pub slot: Option<Slot>,
    /// The id that the engine takes the topic for.
    pub topic_id: String,
    pub client: Client,
}

/// What the client keeps of a partition.
#[derive(Default)]
pub struct Client {
    /// Where it goes on reading.
    pub reading: i64,
    /// Its own position, and the epoch of what lies before it. After a rewind it may show that of before for a while.
    pub position: Option<(i64, Option<i32>)>,
    /// It has not gone back yet.
    pub stale: bool,
    /// The epoch of what lies before the place where it reads, when it was told or has read it.
    pub epoch: Option<i32>,
    /// The leader that it has held that epoch against.
    pub validated: Option<i32>,
}

impl Client {
    /// Goes to an offset; the engine may still see where it was.
    pub fn go_to(&mut self, offset: i64, epoch: Option<i32>, stale: bool) {
        *self = Self {
            reading: offset,
            position: self.position.filter(|_| stale),
            stale: stale && self.position.is_some(),
            epoch,
            validated: None,
        };
    }

    pub fn is_back(&mut self) {
        (self.stale, self.position) = (false, None);
    }
}

impl Partition {
    pub fn new(end: u64) -> Self {
        let log = Log::new(end as i64);
        let topic_id = log.id();
        let (committed, output, client) = (None, Vec::new(), Client::default());
        Self { log, committed, output, granted: false, slot: None, topic_id, client }
    }

    /// Whether the client finds that what it is to read next is not there, or not what it was.
    pub fn finds_nothing(&mut self) -> bool {
        let Self { log, client, topic_id, .. } = self;
        if client.stale {
            return false;
        }
        if *topic_id != log.id() || !(log.low..=log.end).contains(&client.reading) {
            return true;
        }
        let Some(epoch) = client.epoch.filter(|_| client.validated != Some(log.epoch())) else { return false };
        let is_cut = log.end_of(epoch) < client.reading;
        client.validated = (!is_cut).then_some(log.epoch());
        is_cut
    }

    /// What stands in for a position that is there no more, when it is asked for with its epoch.
    pub fn replacement(&self, kept: &Kept) -> Option<i64> {
        let marks = self.log.marks();
        let parting = kept.epoch.map(|epoch| self.log.end_of(epoch)).filter(|end| *end < kept.offset);
        match kept::Fate::of(kept, &marks, Some(&self.log.id())) {
            kept::Fate::There => parting,
            kept::Fate::Cut => Some(parting.unwrap_or(marks.high).clamp(marks.low, marks.high)),
            kept::Fate::OutOfRange | kept::Fate::Recreated => Some(marks.low),
        }
    }

    /// Where a member begins, and whether the group knows that.
    pub fn start(&self) -> (i64, Option<i32>, bool) {
        let marks = self.log.marks();
        let Some(kept) = &self.committed else { return (marks.low, marks.epoch, false) };
        match kept::Fate::of(kept, &marks, Some(&self.log.id())) {
            // The client holds it against the leader's epoch.
            kept::Fate::There => (kept.offset, kept.epoch, true),
            _ => (self.replacement(kept).unwrap_or(kept.offset), marks.epoch, false),
        }
    }

    pub fn keeps(&self, offset: i64, epoch: Option<i32>) -> Kept {
        Kept { offset, epoch, topic_id: Some(self.topic_id.clone()) }
    }

    /// Everything between two offsets that is there still, and was when somebody read it in this epoch, has its outcome.
    pub fn is_done(&self, offsets: Range<i64>, epoch: Option<i32>) -> bool {
        let was_read = |record: &Written| offsets.contains(&record.offset) && Some(record.epoch) <= epoch;
        *self.topic_id != self.log.id()
            || self.log.records().filter(was_read).all(|record| self.output.contains(&record))
    }
}
