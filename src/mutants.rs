//! Planted bugs: with the feature `mutants`, which no build for use has, `MESSAGETRACE_ECS_MUTANT` names one, and the tests
//! must find it. Without the feature each question has a constant answer, and the compiler leaves nothing of it.
//!
//! A mutant is one line where the bug would be. It stands in pure modules too: what it is, is known before anything runs.
//!
//! ```
//! use messagetrace_ecs::mutants::{self, Mutant};
//!
//! assert!(!mutants::is(Mutant::NoRewind), "nothing is planted unless somebody asks for it");
//! ```

/// One bug each. `tests/stress_mutants.rs` says which check finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// Offsets are committed before the reports of what lies below them.
    CommitBeforeAcknowledgement,
    /// Of several partitions a seal commits the first alone.
    ForgetAPartition,
    /// Of two batches the second is handed over first.
    SwapTwoBatches,
    /// What is done again after an abort is done without its first dead letter.
    DropADeadLetter,
    /// Partitions that were lost are finished like those that are asked back.
    CommitWhatIsLost,
    /// The group's generation is asked for once.
    OldGroupMetadata,
    /// After an abort the next record is taken instead of the last seal's.
    NoRewind,
    /// What is given back is counted twice.
    CountARetryTwice,
    /// Positions have no leader epoch.
    NoLeaderEpoch,
    /// After a connection was cut the same producer begins the next transaction.
    GoOnAfterACut,
    /// Whatever stands still, nobody is asked and nothing made anew.
    WatchdogAsleep,
}

#[cfg(not(feature = "mutants"))]
mod planted {
    use super::Mutant;

    pub const fn is(_: Mutant) -> bool {
        false
    }

    pub const fn arm(_: Mutant) {}

    pub const fn fires(_: Mutant) -> bool {
        false
    }
}

#[cfg(feature = "mutants")]
mod planted {
    use std::env;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::Mutant;

    static ARMED: AtomicBool = AtomicBool::new(false);

    pub fn is(mutant: Mutant) -> bool {
        static NAMED: OnceLock<Option<String>> = OnceLock::new();
        let named = NAMED.get_or_init(|| env::var("MESSAGETRACE_ECS_MUTANT").ok());
        named.as_ref().is_some_and(|named| *named == format!("{mutant:?}"))
    }

    pub fn arm(mutant: Mutant) {
        ARMED.fetch_or(is(mutant), Ordering::Relaxed);
    }

    pub fn fires(mutant: Mutant) -> bool {
        is(mutant) && ARMED.swap(false, Ordering::Relaxed)
    }
}

/// Whether this bug is planted.
pub use planted::is;

/// Something has happened after which the bug shows.
pub use planted::arm;

/// Whether it shows now; then not again before it is armed once more.
pub use planted::fires;
