//! The account: what became of every record that was polled, per partition.
//!
//! `polled = sealed + in flight + abandoned` and `sealed = delivered + dead-lettered + skipped`, at all times. It also
//! holds the positions, because they are the same fact seen as offsets: a commit says "everything below is sealed".
//! Pure; the engine and the random schedules in the tests keep their books with the same code.
//!
//! **Why a commit may pass markers.** The offset that a seal commits is the first that is not handed over. While nothing
//! of a partition is between polling and handing over, that is the consumer's own position, which lies past the markers
//! of transactions and aborted records behind the last record ([`Account::passed`]). The consumer moves its position only
//! while it is polled, in the order of the log, and gives every record that a reader of committed records may see. So
//! below a position that it has at this moment there is none that was not polled, and of those that were polled none is
//! on the way. Two things could make that untrue, and are kept out. A position from before a rewind or a takeover may
//! show for a while, as the client goes back on a thread of its own: none counts until the client was seen without one,
//! or has given a record since. And a record that is polled while a seal is under way must not change what that seal
//! commits: positions are only noted while nothing is being sealed or undone
//! ([`Decider::is_flowing`](super::decide::Decider::is_flowing)).

use thiserror::Error;

pub use super::counts::{Counts, Fate};
use super::epochs::Epochs;
use crate::mutants::{self, Mutant};

/// A partition while it is ours. Never used again after it was released, so that a record of an earlier assignment
/// cannot be taken for one of this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Slot(pub usize);

/// Records that are neither sealed nor abandoned, counted by looking, do not agree with the books.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{polled} records were polled, but {sealed} sealed + {in_flight} in flight + {abandoned} abandoned are {sum}")]
pub struct Imbalance {
    pub slot: Slot,
    pub polled: u64,
    pub sealed: u64,
    pub in_flight: u64,
    pub abandoned: u64,
    pub sum: u64,
}

#[derive(Clone, Debug)]
struct Partition {
    /// The next offset to poll.
    position: i64,
    /// Everything below was handed to the producer.
    handed: i64,
    /// Everything below is sealed.
    sealed: i64,
    /// Whether the group has a committed offset here.
    committed: bool,
    /// Whether the client was seen to have gone where we are; what it had before means nothing.
    is_placed: bool,
    epochs: Epochs,
    counts: Counts,
    /// Handed over since the last seal.
    window: Counts,
}

impl Partition {
    fn unsettled(&self) -> u64 {
        self.counts.polled - self.counts.sealed() - self.counts.abandoned
    }

    /// Whether a record lies between polling and handing over.
    fn is_on_the_way(&self) -> bool {
        self.unsettled() > self.window.sealed()
    }

    /// Everything polled was handed over: so was all below the position.
    fn catch_up(&mut self) {
        if !self.is_on_the_way() {
            self.handed = self.position;
        }
    }

    fn give_back(&mut self) -> u64 {
        let abandoned = self.unsettled();
        self.counts.abandoned += if mutants::is(Mutant::CountARetryTwice) { 2 * abandoned } else { abandoned };
        self.window = Counts::default();
        self.go_to(if mutants::is(Mutant::NoRewind) { self.position } else { self.sealed });
        self.epochs.forget_from(self.sealed);
        abandoned
    }

    fn go_to(&mut self, offset: i64) {
        self.position = offset;
        self.handed = offset;
        self.sealed = offset;
        self.is_placed = false;
    }
}

/// The books of all partitions, those of today and those of earlier assignments.
#[derive(Clone, Debug, Default)]
pub struct Account {
    partitions: Vec<Option<Partition>>,
    released: Counts,
    /// Records handed over and not sealed, of all partitions. Kept, as this is asked for at each turn.
    unsealed: u64,
    /// Not all partitions were seen to be placed; as well.
    may_be_unplaced: bool,
}

impl Account {
    /// Opens the books of a partition that starts at `start`, before which lie records of this leader `epoch`; an offset
    /// that is not `committed` yet waits to be sealed.
    pub fn open(&mut self, start: i64, epoch: Option<i32>, committed: bool) -> Slot {
        self.may_be_unplaced = true;
        self.partitions.push(Some(Partition {
            position: start,
            handed: start,
            sealed: start,
            committed,
            is_placed: false,
            epochs: Epochs::before(start, epoch),
            counts: Counts::default(),
            window: Counts::default(),
        }));
        Slot(self.partitions.len() - 1)
    }

    /// Closes a partition's books; what was not sealed is abandoned. Returns how many records that were.
    pub fn release(&mut self, slot: Slot) -> u64 {
        let Some(mut partition) = self.partitions.get_mut(slot.0).and_then(Option::take) else { return 0 };
        self.unsealed -= partition.window.sealed();
        let abandoned = partition.give_back();
        self.released.add(&partition.counts);
        abandoned
    }

    pub fn is_open(&self, slot: Slot) -> bool {
        self.partition(slot).is_some()
    }

    /// Takes a record down as polled. `false`: it is not ours to take, or was taken before.
    pub fn polled(&mut self, slot: Slot, offset: i64, epoch: Option<i32>) -> bool {
        let Some(partition) = self.partition_mut(slot) else { return false };
        if offset < partition.position {
            return false;
        }
        partition.position = offset + 1;
        partition.is_placed = true;
        partition.epochs.note(offset, epoch);
        partition.counts.polled += 1;
        true
    }

    /// Takes down the client's own position, and the epoch of what lies before it; `None`: it has none. But for `None`, only
    /// while nothing is being sealed or undone.
    pub fn passed(&mut self, slot: Slot, at: Option<(i64, Option<i32>)>) {
        let Some(partition) = self.partition_mut(slot) else { return };
        match at {
            None => partition.is_placed = true,
            Some((offset, epoch)) if partition.is_placed && offset > partition.position => {
                partition.position = offset;
                partition.epochs.note(offset - 1, epoch);
                partition.catch_up();
            }
            Some(_) => {}
        }
    }

    /// Takes down that all of a record was handed to the producer.
    pub fn handed(&mut self, slot: Slot, offset: i64, fate: Fate) {
        let Some(partition) = self.partition_mut(slot) else { return };
        partition.handed = offset + 1;
        match fate {
            Fate::Delivered => partition.window.delivered += 1,
            Fate::DeadLettered => partition.window.dead_lettered += 1,
            Fate::Skipped => partition.window.skipped += 1,
        }
        partition.catch_up();
        self.unsealed += 1;
    }

    /// The partitions of which the client was not seen to have gone where we are. To be looked at before polling, as
    /// only that can give it a position again.
    pub fn unplaced(&mut self) -> Vec<Slot> {
        let mut unplaced = Vec::new();
        if self.may_be_unplaced {
            unplaced.extend(self.open_partitions().filter(|(_, one)| !one.is_placed).map(|(slot, _)| slot));
            self.may_be_unplaced = !unplaced.is_empty();
        }
        unplaced
    }

    /// Whether a seal would commit anything.
    pub fn has_to_commit(&self) -> bool {
        self.unsealed > 0 || self.to_commit().next().is_some()
    }

    /// The offsets that a seal has to commit now: for each partition the first that is not handed over.
    pub fn to_commit(&self) -> impl Iterator<Item = (Slot, i64)> {
        self.open_partitions()
            .filter(|(_, partition)| partition.handed != partition.sealed || !partition.committed)
            .map(|(slot, partition)| (slot, partition.handed))
            .take(if mutants::is(Mutant::ForgetAPartition) { 1 } else { usize::MAX })
    }

    /// Everything handed over is sealed. Returns what that adds to the counts.
    pub fn sealed(&mut self) -> Counts {
        let mut sum = Counts::default();
        for partition in self.partitions.iter_mut().flatten() {
            partition.sealed = partition.handed;
            partition.epochs.forget_below(partition.sealed);
            partition.committed = true;
            partition.counts.add(&partition.window);
            sum.add(&partition.window);
            partition.window = Counts::default();
        }
        self.unsealed = 0;
        sum
    }

    /// Gives everything back that is not sealed. Returns the number of records; the positions say where to go on.
    pub fn rewind(&mut self) -> u64 {
        self.unsealed = 0;
        self.may_be_unplaced = true;
        self.partitions.iter_mut().flatten().map(Partition::give_back).sum()
    }

    /// The records below `offset` are gone, or never were there: goes on at it, and commits that. Only after a rewind. `epoch` is
    /// that of the leader who was asked.
    pub fn reset(&mut self, slot: Slot, offset: i64, epoch: Option<i32>) {
        let Some(partition) = self.partition_mut(slot) else { return };
        debug_assert_eq!(partition.unsettled(), 0, "a position is given up after everything was given back");
        partition.go_to(offset);
        partition.epochs = Epochs::before(offset, epoch);
        partition.committed = false;
        self.may_be_unplaced = true;
    }

    /// The leader epoch of what lies before an offset, when it is known.
    pub fn epoch_at(&self, slot: Slot, offset: i64) -> Option<i32> {
        self.partition(slot)?.epochs.at(offset)
    }

    /// The log of the leader of this epoch was found to be the one that was read: what comes is held against that. Only after a
    /// rewind.
    pub fn same_log(&mut self, slot: Slot, epoch: Option<i32>) {
        if let Some(partition) = self.partition_mut(slot) {
            partition.epochs = Epochs::before(partition.position, epoch);
        }
    }

    /// Whether a seal would commit nothing but positions that lie past markers: there is no hurry.
    pub fn only_passed(&self) -> bool {
        self.unsealed() == 0 && self.open_partitions().all(|(_, partition)| partition.committed)
    }

    /// Records handed over and not sealed: what would be repeated if the process went away now.
    pub fn unsealed(&self) -> u64 {
        self.unsealed
    }

    /// The next offset to poll of every partition that is ours.
    pub fn positions(&self) -> impl Iterator<Item = (Slot, i64)> {
        self.open_partitions().map(|(slot, partition)| (slot, partition.position))
    }

    /// The next offset to poll.
    pub fn position(&self, slot: Slot) -> Option<i64> {
        self.partition(slot).map(|partition| partition.position)
    }

    pub fn sealed_offset(&self, slot: Slot) -> Option<i64> {
        self.partition(slot).map(|partition| partition.sealed)
    }

    /// Holds the books against the records that are really on the way: `in_flight` counts those of a partition that
    /// were polled and not yet handed over.
    pub fn check(&self, in_flight: impl Fn(Slot) -> u64) -> Result<(), Imbalance> {
        let mut unsealed = 0;
        for (slot, partition) in self.open_partitions() {
            unsealed += partition.window.sealed();
            let on_the_way = in_flight(slot) + partition.window.sealed();
            let Counts { polled, abandoned, .. } = partition.counts;
            let sealed = partition.counts.sealed();
            let sum = sealed + on_the_way + abandoned;
            if polled != sum {
                return Err(Imbalance { slot, polled, sealed, in_flight: on_the_way, abandoned, sum });
            }
        }
        debug_assert_eq!(self.unsealed, unsealed);
        Ok(())
    }

    /// The sums over all partitions, earlier ones included.
    pub fn totals(&self) -> Counts {
        let mut sum = self.released;
        for (_, partition) in self.open_partitions() {
            sum.add(&partition.counts);
        }
        sum
    }

    fn open_partitions(&self) -> impl Iterator<Item = (Slot, &Partition)> {
        self.partitions.iter().enumerate().filter_map(|(slot, partition)| Some((Slot(slot), partition.as_ref()?)))
    }

    fn partition(&self, slot: Slot) -> Option<&Partition> {
        self.partitions.get(slot.0)?.as_ref()
    }

    fn partition_mut(&mut self, slot: Slot) -> Option<&mut Partition> {
        self.partitions.get_mut(slot.0)?.as_mut()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_sealed_after_it_was_handed_over() {
        let mut account = Account::default();
        let slot = account.open(5, None, true);
        assert!(account.polled(slot, 5, None) && account.polled(slot, 7, None));
        account.handed(slot, 5, Fate::Delivered);
        assert_eq!(account.to_commit().collect::<Vec<_>>(), [(slot, 6)]);
        assert_eq!(account.unsealed(), 1);
        let sealed = account.sealed();
        assert_eq!((sealed.delivered, account.unsealed(), account.sealed_offset(slot)), (1, 0, Some(6)));
        assert_eq!(account.to_commit().count(), 0);
    }

    #[test]
    fn a_record_seen_before_is_not_taken_again() {
        let mut account = Account::default();
        let slot = account.open(0, None, true);
        assert!(account.polled(slot, 3, None));
        assert!(!account.polled(slot, 3, None) && !account.polled(slot, 2, None));
        assert_eq!(account.totals().polled, 1);
    }

    #[test]
    fn a_rewind_abandons_what_is_not_sealed_and_goes_back_to_the_seal() {
        let mut account = Account::default();
        let slot = account.open(0, None, true);
        for offset in 0..4 {
            assert!(account.polled(slot, offset, None));
        }
        account.handed(slot, 0, Fate::Skipped);
        account.sealed();
        account.handed(slot, 1, Fate::DeadLettered);
        assert_eq!(account.rewind(), 3);
        assert_eq!(account.positions().collect::<Vec<_>>(), [(slot, 1)]);
        assert_eq!(account.check(|_| 0), Ok(()));
        assert!(account.polled(slot, 1, None));
        assert_eq!(account.check(|_| 1), Ok(()));
    }

    #[test]
    fn a_start_that_was_never_committed_waits_to_be_sealed() {
        let mut account = Account::default();
        let slot = account.open(42, None, false);
        assert_eq!(account.to_commit().collect::<Vec<_>>(), [(slot, 42)]);
        account.sealed();
        assert_eq!(account.to_commit().count(), 0);
    }

    #[test]
    fn a_position_that_is_gone_is_replaced_and_the_new_one_waits_to_be_sealed() {
        let mut account = Account::default();
        let slot = account.open(5, None, true);
        account.polled(slot, 5, None);
        account.rewind();
        account.reset(slot, 2, None);
        assert_eq!(account.to_commit().collect::<Vec<_>>(), [(slot, 2)]);
        assert!(account.polled(slot, 2, None));
        assert_eq!(account.check(|_| 1), Ok(()));
    }

    #[test]
    fn a_lost_record_does_not_balance() {
        let mut account = Account::default();
        let slot = account.open(0, None, true);
        account.polled(slot, 0, None);
        assert!(account.check(|_| 0).is_err());
        assert!(account.check(|_| 1).is_ok());
    }

    #[test]
    fn a_released_partition_takes_nothing_more_and_stays_in_the_totals() {
        let mut account = Account::default();
        let slot = account.open(0, None, true);
        account.polled(slot, 0, None);
        account.polled(slot, 1, None);
        account.handed(slot, 0, Fate::Delivered);
        account.sealed();
        account.handed(slot, 1, Fate::Delivered);
        assert_eq!((account.release(slot), account.unsealed()), (1, 0));
        assert!(!account.polled(slot, 2, None));
        let totals = account.totals();
        assert_eq!((totals.polled, totals.delivered, totals.abandoned), (2, 1, 1));
    }

    /// What a seal would commit of the only partition.
    fn to_commit(account: &Account) -> Option<i64> {
        account.to_commit().next().map(|(_, offset)| offset)
    }

    #[test]
    fn a_marker_is_passed_once_everything_polled_before_it_is_handed_over() {
        let mut account = Account::default();
        let slot = account.open(0, None, true);
        account.polled(slot, 0, None);
        account.polled(slot, 1, None);
        account.handed(slot, 0, Fate::Delivered);
        account.passed(slot, Some((4, Some(7))));
        assert_eq!(to_commit(&account), Some(1), "the record at 1 is on the way");
        account.handed(slot, 1, Fate::Delivered);
        assert_eq!((to_commit(&account), account.epoch_at(slot, 4)), (Some(4), Some(7)));
        assert!(!account.only_passed());
        account.sealed();
        account.passed(slot, Some((6, None)));
        assert_eq!(to_commit(&account), Some(6));
        assert!(account.only_passed());
        assert_eq!(account.check(|_| 0), Ok(()));
    }

    #[test]
    fn a_position_from_before_a_rewind_is_not_taken_for_one_of_now() {
        let mut account = Account::default();
        let slot = account.open(0, None, true);
        account.polled(slot, 0, None);
        account.rewind();
        account.passed(slot, Some((1, None)));
        assert_eq!(to_commit(&account), None, "the record at 0 was given back");
        account.passed(slot, None);
        account.passed(slot, Some((1, None)));
        assert_eq!(to_commit(&account), Some(1), "the client went back, and there was no record");
    }

    #[test]
    fn a_partition_is_unplaced_until_the_client_was_seen_there_and_after_each_going_back() {
        let mut account = Account::default();
        let [one, other] = [0, 7].map(|start| account.open(start, None, true));
        assert_eq!(account.unplaced(), [one, other]);
        account.passed(one, None);
        account.polled(other, 7, None);
        assert_eq!((account.unplaced(), account.unplaced()), (vec![], vec![]));
        account.rewind();
        assert_eq!(account.unplaced(), [one, other]);
        [one, other].into_iter().for_each(|slot| account.passed(slot, None));
        assert_eq!(account.unplaced(), []);
        account.reset(one, 3, None);
        assert_eq!(account.unplaced(), [one]);
    }
}
