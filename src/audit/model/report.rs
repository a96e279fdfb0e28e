//! What the audit says of one input partition.

use std::ops::Range;

use super::{Place, Trace, What};
use crate::normalize::Kind;

/// The account of one input partition. Of the expected traces each is found once, missing, repeated or untold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Records that were read.
    pub records: u64,
    /// Events and dead letters that the mapping makes of them.
    pub expected_events: u64,
    pub expected_dead_letters: u64,
    pub found_once: u64,
    pub missing: u64,
    pub repeated: u64,
    /// Missing, but that may have another reason than that it was never there.
    pub untold: u64,
    /// Outputs whose source is a record of the range, but that this record does not give.
    pub unexpected: u64,
    /// Outputs of records that the group has not committed: a service is at work.
    pub not_committed: u64,
    /// Outputs that are not what this binary makes of the record; only looked for when asked.
    pub differing: u64,
    /// The first few of each kind.
    pub problems: Vec<Problem>,
    pub doubts: Vec<Doubt>,
}

impl Tally {
    pub fn findings(&self) -> u64 {
        self.missing + self.repeated + self.unexpected + self.differing
    }

    /// Adds the numbers of another partition.
    pub fn add(&mut self, other: &Self) {
        self.records += other.records;
        self.expected_events += other.expected_events;
        self.expected_dead_letters += other.expected_dead_letters;
        self.found_once += other.found_once;
        self.missing += other.missing;
        self.repeated += other.repeated;
        self.untold += other.untold;
        self.unexpected += other.unexpected;
        self.not_committed += other.not_committed;
        self.differing += other.differing;
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProblemKind {
    Missing,
    Repeated,
    Unexpected,
    Differs,
}

impl ProblemKind {
    /// As it stands in JSON, and before the line that people read.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Repeated => "repeated",
            Self::Unexpected => "unexpected",
            Self::Differs => "differs",
        }
    }
}

/// Something wrong with one trace. Ordered by the trace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    pub trace: Trace,
    pub kind: ProblemKind,
    /// What is missing, repeated, there without reason, or other than it should be.
    pub what: What,
    /// Where it stands. Of what is repeated the ledger itself does not know.
    pub places: Vec<Place>,
    /// Of a dead letter: its kind, when it is one that we know.
    pub letter: Option<Kind>,
    /// Why it is unexpected, in a few words.
    pub note: &'static str,
    /// Names what differs; the ledger itself does not know.
    pub keys: Vec<String>,
}

impl Problem {
    pub(super) fn new(kind: ProblemKind, what: What, trace: Trace) -> Self {
        Self { trace, kind, what, places: Vec::new(), letter: None, note: "", keys: Vec::new() }
    }
}

/// Why something cannot be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// Records of the range are not in the input any more.
    InputGone,
    /// A transaction of somebody else is open in the input: nobody can read what lies behind it.
    InputOpen,
    /// What was asked for lies behind the group's offset.
    NotCommitted,
    /// The group's offset lies behind the partition's end.
    CommittedPastEnd,
    /// No partition of the topic has a committed offset.
    NothingCommitted,
    /// Outputs name records that the input does not have yet.
    SourcePastEnd,
    /// What is missing may have stood where the output or the dead-letter topic begins no more.
    OutputGone,
    /// What is missing may stand behind a transaction that does not end.
    OutputOpen,
    /// What is missing may have given way to a later record of its key.
    OutputCompacted,
    /// What is unexpected may have come of a record that gave way to a later one of its key.
    InputCompacted,
    /// The group may have begun behind it.
    StartUnknown,
    /// Outputs that do not say where they come from.
    NoSource,
}

impl Reason {
    /// As it stands in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::InputGone => "input_gone",
            Self::InputOpen => "input_open",
            Self::NotCommitted => "not_committed",
            Self::CommittedPastEnd => "committed_past_end",
            Self::NothingCommitted => "nothing_committed",
            Self::SourcePastEnd => "source_past_end",
            Self::OutputGone => "output_gone",
            Self::OutputOpen => "output_open",
            Self::OutputCompacted => "output_compacted",
            Self::InputCompacted => "input_compacted",
            Self::StartUnknown => "start_unknown",
            Self::NoSource => "no_source",
        }
    }
}

/// Something that cannot be told, and the offsets that it concerns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt {
    pub reason: Reason,
    /// In the partition that the doubt is about.
    pub offsets: Range<i64>,
    /// Traces or outputs that it concerns; 0: unknown.
    pub count: u64,
}

impl Doubt {
    pub fn new(reason: Reason, offsets: Range<i64>) -> Self {
        Self { reason, offsets, count: 0 }
    }

    /// A doubt about one trace or output; anybody may have written any offset.
    pub(super) fn at(reason: Reason, offset: i64) -> Self {
        Self { reason, offsets: offset..offset.saturating_add(1), count: 1 }
    }

    /// Takes one more in.
    pub(super) fn widen(&mut self, offset: i64) {
        self.offsets.start = self.offsets.start.min(offset);
        self.offsets.end = self.offsets.end.max(offset.saturating_add(1));
        self.count += 1;
    }
}
