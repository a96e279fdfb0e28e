//! The audit: whether the output and dead-letter topics hold the fate of every input record, once each.
//!
//! Pure, the arithmetic of the proof. The input's records come first, in order, with what the mapping makes of them
//! ([`Account::expect`]); then whatever the other two topics hold, in any order ([`Ledger::sight`]); then the account is
//! closed. Where records come from, and how a finding is printed, is the command's affair.
//!
//! An expected trace costs 8 bytes (`slots`), whatever its event takes. So the ledger knows of every trace whether it
//! was found, and of no trace where: the command reads once more for the places of the few problems that it shows.

mod account;
mod difference;
mod first;
mod ledger;
mod report;
mod slots;

#[cfg(test)]
mod tests;

pub use account::{Account, Bounds, Excuses, Prints};
pub use difference::{MAX_KEYS, differing_keys};
pub use first::SHOWN;
pub use ledger::{Closed, Ledger, Output, Stray};
pub use report::{Doubt, Problem, ProblemKind, Reason, Tally};

use crate::normalize::Kind;

/// What stands, or has to stand, in one of the two topics that are written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum What {
    Event,
    DeadLetter,
}

impl What {
    /// As people read it and as it stands in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::DeadLetter => "dead_letter",
        }
    }
}

/// A trace by its place in an input partition; without an index also a whole record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Trace {
    pub offset: i64,
    /// Only for what came out of a page.
    pub index: Option<u32>,
}

/// Where an output stands: in the topic of events or in that of dead letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    pub topic: What,
    pub partition: i32,
    pub offset: i64,
}

/// A dead letter of these kinds stands where the mapping alone would have an event: the output topic did not take it.
const IN_PLACE_OF_AN_EVENT: [Kind; 2] = [Kind::EventTooLarge, Kind::EventRefused];

/// A dead letter of these kinds seals a whole record, and a limit that was raised since explains it.
const BY_A_LIMIT: [Kind; 2] = [Kind::PayloadTooLarge, Kind::ExpandsTooFar];

/// Whether a dead letter's kind, as it stands there, is one of these.
fn is_one_of(kinds: &[Kind], name: &str) -> bool {
    kinds.iter().any(|kind| kind.name() == name)
}
