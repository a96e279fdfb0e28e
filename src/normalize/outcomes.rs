//! The outcomes of many records in one arena: reused batch after batch, one growing buffer, no allocation an event.

use std::ops::Range;

use super::decode::Room;
use super::json::{Members, Writer};
use super::{EventId, Rejection};

/// What became of one trace.
#[derive(Clone, Copy, Debug)]
pub enum Verdict<'a> {
    Event {
        /// The event's JSON text.
        json: &'a [u8],
        /// Received time, microseconds since 1970.
        received_us: i64,
        /// Where it was asked for, or is a part of the event.
        id: Option<&'a EventId>,
    },
    Rejection {
        rejection: &'a Rejection,
        /// Out of a page: the text of the trace, or the string that held no JSON. `None`: the record's whole value.
        text: Option<&'a [u8]>,
    },
}

/// One verdict and where in its record it stands.
#[derive(Clone, Copy, Debug)]
pub struct Outcome<'a> {
    /// Position inside the record; `None` when the record is no page (the position is 0).
    pub index: Option<u32>,
    pub verdict: Verdict<'a>,
}

#[derive(Debug)]
enum Entry {
    Event { json: Range<usize>, received_us: i64, id: Option<EventId> },
    Rejection { rejection: Rejection, text: Option<Range<usize>> },
}

/// Outcomes of records, in order.
#[derive(Debug, Default)]
pub struct Outcomes {
    text: Vec<u8>,
    entries: Vec<(Option<u32>, Entry)>,
    /// For each record the number of entries up to its end.
    ends: Vec<usize>,
    buffers: Buffers,
}

/// Where strings are decoded to; kept here because the arena is what lives from record to record.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    /// A field that has to be looked at.
    pub field: Vec<u8>,
    /// Texts that stood in strings, one for each such level.
    pub texts: Vec<Vec<u8>>,
    /// The members of their outermost objects; to zero room for them anew costs an ordinary trace a hundredth of its time.
    #[expect(clippy::vec_box, reason = "a kilobyte each, which is handed out and back")]
    pub members: Vec<Box<Members>>,
    /// A value that was packed or encoded.
    pub decoding: Room,
}

/// What a cleared arena keeps, in bytes: enough for ordinary batches, little enough that the expansion of one large
/// page is given back at once.
const KEPT_BYTES: usize = 1 << 20;

/// The same for the list of outcomes, in entries.
const KEPT_ENTRIES: usize = 8 * 1024;

impl Outcomes {
    /// Forgets all records. Memory of ordinary size stays for the next ones, more than that is given back.
    pub fn clear(&mut self) {
        self.text.clear();
        self.text.shrink_to(KEPT_BYTES);
        self.entries.clear();
        self.entries.shrink_to(KEPT_ENTRIES);
        self.ends.clear();
        self.ends.shrink_to(KEPT_ENTRIES);
        self.buffers.field.clear();
        self.buffers.field.shrink_to(KEPT_BYTES);
        for buffer in &mut self.buffers.texts {
            buffer.clear();
            buffer.shrink_to(KEPT_BYTES);
        }
    }

    /// Number of records whose outcomes are complete.
    pub fn records(&self) -> usize {
        self.ends.len()
    }

    /// The outcomes of one record, in order; none when it was skipped.
    pub fn of_record(&self, record: usize) -> impl ExactSizeIterator<Item = Outcome<'_>> {
        let end = self.ends.get(record).copied().unwrap_or(0);
        let start = if record == 0 { 0 } else { self.ends.get(record - 1).copied().unwrap_or(0) };
        self.entries.get(start..end).unwrap_or_default().iter().map(|(index, entry)| Outcome {
            index: *index,
            verdict: match entry {
                Entry::Event { json, received_us, id } => {
                    Verdict::Event { json: self.slice(json), received_us: *received_us, id: id.as_ref() }
                }
                Entry::Rejection { rejection, text } => {
                    Verdict::Rejection { rejection, text: text.as_ref().map(|range| self.slice(range)) }
                }
            },
        })
    }

    /// Bytes held by the arena, for the memory budget.
    pub fn bytes(&self) -> usize {
        let texts: usize = self.buffers.texts.iter().map(Vec::capacity).sum();
        self.text.capacity()
            + self.entries.capacity() * size_of::<(Option<u32>, Entry)>()
            + self.ends.capacity() * size_of::<usize>()
            + self.buffers.field.capacity()
            + self.buffers.decoding.bytes()
            + texts
    }

    /// Makes room for the events of a large value at once, instead of by repeated doubling that could end at twice of what
    /// is needed. Behind other records doubling is right: exact steps would copy all of them each time.
    pub(super) fn expect_events_of(&mut self, value_bytes: usize) {
        if self.text.is_empty() && value_bytes > KEPT_BYTES / 4 {
            self.text.reserve_exact(value_bytes * 2);
        }
    }

    /// Where the next record's outcomes begin.
    pub(super) fn mark(&self) -> Mark {
        Mark { text: self.text.len(), entries: self.entries.len() }
    }

    /// Takes back everything since the mark.
    pub(super) fn rewind(&mut self, mark: Mark) {
        self.text.truncate(mark.text);
        self.entries.truncate(mark.entries);
    }

    /// Outcomes since the mark.
    pub(super) fn since(&self, mark: Mark) -> usize {
        self.entries.len() - mark.entries
    }

    /// Appends an event of at most `limit_bytes`, with the id that `write` gives; a longer one is cut short, to be taken back. Gives its length.
    pub(super) fn event(
        &mut self,
        index: Option<u32>,
        received_us: i64,
        limit_bytes: usize,
        write: impl FnOnce(&mut Writer<'_>) -> Option<EventId>,
    ) -> usize {
        let start = self.text.len();
        let id = write(&mut Writer::new(&mut self.text, start.saturating_add(limit_bytes)));
        let json = start..self.text.len();
        let event_bytes = json.len();
        self.entries.push((index, Entry::Event { json, received_us, id }));
        event_bytes
    }

    /// Appends a rejection, with a copy of the rejected text when it is only a part of its record.
    pub(super) fn rejection(&mut self, index: Option<u32>, rejection: Rejection, text: Option<&[u8]>) {
        let text = text.map(|text| {
            let start = self.text.len();
            self.text.extend_from_slice(text);
            start..self.text.len()
        });
        self.entries.push((index, Entry::Rejection { rejection, text }));
    }

    pub(super) fn end_record(&mut self) {
        self.ends.push(self.entries.len());
    }

    pub(super) fn buffers(&mut self) -> &mut Buffers {
        &mut self.buffers
    }

    fn slice(&self, range: &Range<usize>) -> &[u8] {
        self.text.get(range.clone()).unwrap_or_default()
    }
}

/// A point in the arena to come back to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    text: usize,
    entries: usize,
}

#[cfg(test)]
mod tests {
    use super::super::Kind;
    use super::*;

    fn add(outcomes: &mut Outcomes, index: Option<u32>, received_us: i64, text: &[u8]) {
        outcomes.event(index, received_us, usize::MAX, |writer| {
            writer.bytes(text);
            None
        });
    }

    fn events(outcomes: &Outcomes, record: usize) -> Vec<(Option<u32>, Vec<u8>)> {
        let of = |outcome: Outcome<'_>| match outcome.verdict {
            Verdict::Event { json, .. } => (outcome.index, json.to_vec()),
            Verdict::Rejection { rejection, .. } => (outcome.index, rejection.message.clone().into_bytes()),
        };
        outcomes.of_record(record).map(of).collect()
    }

    #[test]
    fn each_record_has_its_own_outcomes() {
        let mut outcomes = Outcomes::default();
        add(&mut outcomes, None, 1, b"one");
        outcomes.end_record();
        outcomes.end_record();
        add(&mut outcomes, Some(0), 2, b"two");
        outcomes.rejection(Some(1), Rejection::new(Kind::ApiError, "no"), Some(b"text"));
        outcomes.end_record();
        assert_eq!(outcomes.records(), 3);
        assert_eq!(events(&outcomes, 0), [(None, b"one".to_vec())]);
        assert_eq!(events(&outcomes, 1), []);
        assert_eq!(events(&outcomes, 2), [(Some(0), b"two".to_vec()), (Some(1), b"no".to_vec())]);
        assert_eq!(events(&outcomes, 3), []);
    }

    #[test]
    fn a_record_that_is_taken_back_leaves_its_neighbours_alone() {
        let mut outcomes = Outcomes::default();
        add(&mut outcomes, None, 1, b"one");
        outcomes.end_record();
        let mark = outcomes.mark();
        add(&mut outcomes, Some(0), 2, b"two");
        outcomes.rejection(Some(1), Rejection::new(Kind::ApiError, "no"), Some(b"text"));
        assert_eq!(outcomes.since(mark), 2);
        outcomes.rewind(mark);
        outcomes.rejection(None, Rejection::new(Kind::ExpandsTooFar, "whole"), None);
        outcomes.end_record();
        assert_eq!(events(&outcomes, 0), [(None, b"one".to_vec())]);
        assert_eq!(events(&outcomes, 1), [(None, b"whole".to_vec())]);
    }

    #[test]
    fn a_large_expansion_does_not_stay_for_ever() {
        let mut outcomes = Outcomes::default();
        outcomes.event(None, 1, usize::MAX, |writer| {
            writer.escaped(&vec![0; 5 << 20]);
            None
        });
        outcomes.end_record();
        assert!(outcomes.bytes() > 30 << 20);
        outcomes.clear();
        assert!(outcomes.bytes() <= 2 * KEPT_BYTES, "{}", outcomes.bytes());
        assert_eq!(outcomes.records(), 0);
    }
}
