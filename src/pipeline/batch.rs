//! A batch: records copied once out of the client's buffers into one arena, and beside them what they became.
//!
//! The unit of everything behind the consumer. Batches are recycled, so that in the steady state no record and no
//! event costs an allocation.

use std::mem;
use std::ops::Range;

use rdkafka::message::{BorrowedMessage, Message as _};

use super::account::Slot;
use super::arena::Arena;
use crate::kafka::ffi;
use crate::normalize;
use crate::normalize::{Normalizer, Outcomes};
use crate::record::Header;

/// A batch that grew beyond this for the sake of a few large records gives the memory back, in bytes.
const KEEP_BYTES: usize = 1 << 20;

/// One polled record, as ranges of its batch's arena.
#[derive(Debug)]
struct Entry {
    slot: Slot,
    offset: i64,
    timestamp_ms: Option<i64>,
    key: Option<Range<usize>>,
    value: Option<Range<usize>>,
    headers: Range<usize>,
}

/// One record of a batch, readable.
#[derive(Clone, Copy, Debug)]
pub struct Polled<'a> {
    pub slot: Slot,
    pub offset: i64,
    /// Milliseconds since 1970; `None` when the record has none.
    pub timestamp_ms: Option<i64>,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
}

impl<'a> From<Polled<'a>> for normalize::Record<'a> {
    fn from(record: Polled<'a>) -> Self {
        Self { value: record.value, timestamp_ms: record.timestamp_ms }
    }
}

/// Records on their way, in the order in which they were polled.
#[derive(Debug, Default)]
pub struct Batch {
    arena: Arena,
    entries: Vec<Entry>,
    outcomes: Outcomes,
    /// Batches of an earlier epoch were given back while a worker had them.
    pub epoch: u64,
}

impl Batch {
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bytes copied in so far.
    pub fn input_bytes(&self) -> usize {
        self.arena.len()
    }

    /// Copies a record in.
    pub fn push(&mut self, slot: Slot, message: &BorrowedMessage<'_>) {
        let key = message.key().map(|key| self.arena.copy(key));
        let value = message.payload().map(|value| self.arena.copy(value));
        let first_header = self.arena.headers_len();
        ffi::for_each_header(message, |header| self.arena.copy_header(header));
        self.entries.push(Entry {
            slot,
            offset: message.offset(),
            timestamp_ms: message.timestamp().to_millis(),
            key,
            value,
            headers: first_header..self.arena.headers_len(),
        });
    }

    /// Turns every record into its outcomes. The worker's whole work.
    pub fn normalize(&mut self, normalizer: &Normalizer) {
        // Taken out for the duration: the records are read while the outcomes are written.
        let mut outcomes = mem::take(&mut self.outcomes);
        for entry in &self.entries {
            let record =
                normalize::Record { value: self.arena.bytes(entry.value.as_ref()), timestamp_ms: entry.timestamp_ms };
            normalizer.normalize(record, &mut outcomes);
        }
        self.outcomes = outcomes;
    }

    pub fn record(&self, at: usize) -> Polled<'_> {
        let entry = &self.entries[at];
        Polled {
            slot: entry.slot,
            offset: entry.offset,
            timestamp_ms: entry.timestamp_ms,
            key: self.arena.bytes(entry.key.as_ref()),
            value: self.arena.bytes(entry.value.as_ref()),
        }
    }

    /// Where a record came from.
    pub fn place(&self, at: usize) -> (Slot, i64) {
        (self.entries[at].slot, self.entries[at].offset)
    }

    /// The headers of a record, in order, as they came.
    pub fn headers(&self, at: usize) -> impl ExactSizeIterator<Item = Header<'_>> {
        self.arena.headers(self.entries[at].headers.clone())
    }

    pub fn outcomes(&self) -> &Outcomes {
        &self.outcomes
    }

    /// Records from `from` on, by partition, for the account.
    pub fn slots_from(&self, from: usize) -> impl Iterator<Item = Slot> {
        self.entries.iter().skip(from).map(|entry| entry.slot)
    }

    /// Makes the batch empty for its next round.
    pub fn clear(&mut self) {
        self.arena.clear(KEEP_BYTES);
        self.entries.clear();
        self.outcomes.clear();
    }

    /// Memory that it holds, used or not.
    fn held_bytes(&self) -> usize {
        self.arena.held_bytes() + self.entries.capacity() * size_of::<Entry>() + self.outcomes.bytes()
    }
}

/// Batches that wait for their next round, as many as fit a limit: many workers would hoard many arenas otherwise.
#[derive(Debug)]
pub struct BatchPool {
    #[expect(clippy::vec_box, reason = "batches travel through queues as boxes, and come back as such")]
    batches: Vec<Box<Batch>>,
    held_bytes: usize,
    most_bytes: usize,
}

impl BatchPool {
    pub fn new(most_bytes: usize) -> Self {
        Self { batches: Vec::new(), held_bytes: 0, most_bytes }
    }

    /// An empty batch.
    pub fn take(&mut self) -> Box<Batch> {
        let batch = self.batches.pop().unwrap_or_default();
        self.held_bytes = self.held_bytes.saturating_sub(batch.held_bytes());
        batch
    }

    /// Empties a batch and keeps it, or lets it go when there are enough.
    pub fn keep(&mut self, mut batch: Box<Batch>) {
        batch.clear();
        let held_bytes = self.held_bytes + batch.held_bytes();
        if held_bytes <= self.most_bytes {
            self.held_bytes = held_bytes;
            self.batches.push(batch);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch_of(bytes: usize) -> Box<Batch> {
        let mut batch = Box::<Batch>::default();
        batch.arena.copy(&vec![0; bytes]);
        batch
    }

    #[test]
    fn spare_batches_are_kept_as_long_as_they_fit_the_limit() {
        let mut pool = BatchPool::new(1000);
        for (bytes, kept) in [(600, 1), (500, 1), (400, 2), (1, 2)] {
            pool.keep(batch_of(bytes));
            assert_eq!(pool.batches.len(), kept, "{bytes}");
        }
        pool.take();
        pool.take();
        assert_eq!((pool.held_bytes, pool.take().held_bytes()), (0, 0));
        pool.keep(batch_of(1000));
        assert_eq!(pool.batches.len(), 1);
    }
}
