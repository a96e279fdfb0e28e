//! The outcomes of many records in one arena: reused batch after batch, one growing buffer, no allocation an event.

use std::ops::Range;

use super::Rejection;

/// What became of one trace.
#[derive(Clone, Copy, Debug)]
pub enum Verdict<'a> {
    Event {
        /// The event's JSON text.
        json: &'a [u8],
        /// Received time, microseconds since 1970.
        received_us: i64,
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
    Event { json: Range<usize>, received_us: i64 },
    Rejection { rejection: Rejection, text: Option<Range<usize>> },
}

/// Outcomes of records, in order.
#[derive(Debug, Default)]
pub struct Outcomes {
    text: Vec<u8>,
    entries: Vec<(Option<u32>, Entry)>,
    /// For each record the number of entries up to its end.
    ends: Vec<usize>,
}

impl Outcomes {
    pub fn clear(&mut self) {
        self.text.clear();
        self.entries.clear();
        self.ends.clear();
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
                Entry::Event { json, received_us } => {
                    Verdict::Event { json: self.slice(json), received_us: *received_us }
                }
                Entry::Rejection { rejection, text } => {
                    Verdict::Rejection { rejection, text: text.as_ref().map(|range| self.slice(range)) }
                }
            },
        })
    }

    /// Bytes held by the arena, for the memory budget.
    pub fn bytes(&self) -> usize {
        self.text.capacity()
    }

    pub(super) fn end_record(&mut self) {
        self.ends.push(self.entries.len());
    }

    fn slice(&self, range: &Range<usize>) -> &[u8] {
        self.text.get(range.clone()).unwrap_or_default()
    }
}
