//! Transactions of others that are open in the input and do not end: which hold us up, and since when. Pure.
//!
//! A reader of committed records is given nothing from the last stable offset on, and that does not move before the
//! oldest open transaction has ended. For a moment that is so whenever somebody writes a transaction; so nothing is said
//! before the offset has stood still for a while, with all before it read.

use std::collections::HashMap;
use std::time::Duration;

use super::account::Slot;

/// How long the last stable offset may stand still below the end: most transactions end within a second.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// What is seen of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// The last stable offset.
    pub stable: i64,
    /// The high watermark.
    pub high: i64,
    /// Everything below was fetched.
    pub fetched: i64,
}

/// What is to be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The transaction that begins here was first seen at this time.
    Began {
        offset: i64,
        since: Duration,
    },
    Ended {
        offset: i64,
        since: Duration,
    },
}

#[derive(Clone, Copy, Debug)]
struct Open {
    offset: i64,
    since: Duration,
    is_told: bool,
}

#[derive(Debug, Default)]
pub struct OpenInputs {
    open: HashMap<usize, Open>,
}

impl OpenInputs {
    /// Looks at one partition. At most two things are to be said: that one has ended, and that another one holds us up.
    pub fn look(&mut self, slot: Slot, ends: Ends, now: Duration) -> [Option<Change>; 2] {
        let is_held = ends.stable >= 0 && ends.stable < ends.high && ends.fetched >= ends.stable;
        let known = self.open.get(&slot.0).copied();
        let ended = known.filter(|known| !is_held || known.offset != ends.stable);
        if ended.is_some() {
            self.open.remove(&slot.0);
        }
        let mut began = None;
        if is_held {
            let open = self.open.entry(slot.0).or_insert(Open { offset: ends.stable, since: now, is_told: false });
            if !open.is_told && now >= open.since + PATIENCE {
                open.is_told = true;
                began = Some(Change::Began { offset: open.offset, since: open.since });
            }
        }
        let ended = ended.filter(|open| open.is_told).map(|Open { offset, since, .. }| Change::Ended { offset, since });
        [ended, began]
    }

    /// Forgets partitions that are not ours any more. Gives those of which something was said, with their offsets.
    pub fn retain(&mut self, ours: impl Fn(Slot) -> bool) -> Vec<(Slot, i64)> {
        let gone: Vec<_> =
            self.open.iter().filter(|(slot, _)| !ours(Slot(**slot))).map(|(slot, open)| (*slot, *open)).collect();
        for (slot, _) in &gone {
            self.open.remove(slot);
        }
        gone.into_iter().filter(|(_, open)| open.is_told).map(|(slot, open)| (Slot(slot), open.offset)).collect()
    }

    /// Whether anything holds us up that was said.
    pub fn hold(&self) -> bool {
        self.open.values().any(|open| open.is_told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOT: Slot = Slot(0);

    fn held(stable: i64) -> Ends {
        Ends { stable, high: 50, fetched: stable }
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_transaction_that_does_not_end_is_told_once_and_so_is_its_end() {
        let mut inputs = OpenInputs::default();
        assert_eq!(inputs.look(SLOT, held(7), at(1)), [None, None]);
        assert_eq!(inputs.look(SLOT, held(7), at(10)), [None, None]);
        assert!(!inputs.hold());
        let began = Change::Began { offset: 7, since: at(1) };
        assert_eq!(inputs.look(SLOT, held(7), at(11)), [None, Some(began)]);
        assert_eq!(inputs.look(SLOT, held(7), at(12)), [None, None]);
        assert!(inputs.hold());
        let ended = Change::Ended { offset: 7, since: at(1) };
        assert_eq!(inputs.look(SLOT, held(20), at(13)), [Some(ended), None], "another one begins behind it");
        assert!(!inputs.hold());
    }

    #[test]
    fn transactions_that_end_one_after_another_are_nothing_to_be_told() {
        let mut inputs = OpenInputs::default();
        for second in 0..100 {
            assert_eq!(inputs.look(SLOT, held(second as i64 / 5), at(second)), [None, None]);
        }
    }

    #[test]
    fn it_waits_only_who_has_read_what_lies_before() {
        let mut inputs = OpenInputs::default();
        let behind = Ends { fetched: 3, ..held(7) };
        assert_eq!((inputs.look(SLOT, behind, at(0)), inputs.look(SLOT, behind, at(60))), ([None; 2], [None; 2]));
        assert_eq!(inputs.look(SLOT, Ends { stable: -1001, high: 50, fetched: 0 }, at(70)), [None, None]);
    }

    #[test]
    fn a_partition_that_is_let_go_holds_nobody_up() {
        let mut inputs = OpenInputs::default();
        inputs.look(SLOT, held(7), at(0));
        inputs.look(SLOT, held(7), at(20));
        assert_eq!(inputs.retain(|_| false), [(SLOT, 7)]);
        assert!(!inputs.hold());
    }
}
