//! The small world: partitions, a client, a producer, a broker with transactions, a group and a breaker's records, each as
//! unkind as the seed says. It carries out what was decided and checks what can be checked on the way.

use std::collections::VecDeque;
use std::time::Duration;

use messagetrace_ecs::pipeline::account::{Account, Fate, Slot};
use messagetrace_ecs::pipeline::breaker::Verdict;
use messagetrace_ecs::pipeline::decide::{Asked, Decider, Produce, Retry, Seen, Step, Take};
use messagetrace_ecs::telemetry::metrics::Abort;

use crate::log::{Written, is_hidden, is_marker};
use crate::partition::Partition;
use crate::random::Random;

/// What an open breaker lets through at a time: a tenth of the window.
const TRIAL: u64 = 2;

/// Offsets of a partition are good and bad by turns, whoever looks, and however often.
fn is_bad(offset: i64) -> bool {
    offset % 60 >= 20
}

#[derive(Clone, Copy)]
pub struct Record {
    partition: usize,
    slot: Slot,
    written: Written,
    /// Outputs of the record that are not handed over yet.
    parts: u64,
}

pub struct World {
    pub random: Random,
    pub now: Duration,
    pub partitions: Vec<Partition>,
    account: Account,
    /// Polled, in order; not handed over.
    pub on_the_way: VecDeque<Record>,
    begun: bool,
    unacknowledged: u64,
    /// Handed over in the open transaction: which record, once its last part was.
    pub open: Vec<(usize, Written)>,
    /// A record in the open transaction was not delivered: it can only be aborted.
    broken: bool,
    asked: VecDeque<(Asked, usize)>,
    /// What was sent with the commit, whose answer is still to come.
    committing: Option<Vec<(Slot, i64)>>,
    /// A position was found to be there no more.
    position_gone: bool,
    /// Positions that were replaced.
    pub replaced: u64,
    pub kind: bool,
    pub breaker: BreakerSeen,
}

/// What the breaker said, and what became of bad records since it opened.
#[derive(Default)]
pub struct BreakerSeen {
    open: bool,
    pub opened: u64,
    /// Dead letters that may come through: those handed over when it opened, and those of each trial.
    allowed: u64,
    dead_letters: u64,
}

impl World {
    pub fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        let partitions = (0..1 + random.below(3)).map(|_| Partition::new(random.below(100))).collect();
        Self {
            random,
            now: Duration::ZERO,
            partitions,
            account: Account::default(),
            on_the_way: VecDeque::new(),
            begun: false,
            unacknowledged: 0,
            open: Vec::new(),
            broken: false,
            asked: VecDeque::new(),
            committing: None,
            position_gone: false,
            replaced: 0,
            kind: false,
            breaker: BreakerSeen::default(),
        }
    }

    /// Whether all that readers see of the partitions that are ours was polled, and `all` are.
    fn is_read(&self, all: bool) -> bool {
        let positions: Vec<_> = self.account.positions().collect();
        self.partitions.iter().all(|partition| {
            let ours = partition.slot.and_then(|slot| positions.iter().find(|(other, _)| *other == slot));
            ours.map_or(!all, |(_, position)| *position >= partition.log.stable())
        })
    }

    pub fn seen(&mut self) -> Seen {
        let drained = self.is_read(false);
        Seen {
            now: self.now,
            in_flight: self.on_the_way.len() as u64,
            mid_record: self.begun,
            unacknowledged: self.unacknowledged,
            handed: self.account.unsealed(),
            to_seal: self.account.has_to_commit(),
            only_passed: self.account.only_passed(),
            sealing: self.committing.is_some(),
            full: self.on_the_way.len() > 10 || !self.kind && self.random.once_in(10),
            crowded: self.open.len() > 20 || !self.kind && self.random.once_in(50),
            drained: drained || !self.kind && self.random.once_in(5),
            behind: !self.kind && self.random.once_in(3),
            at_end: self.kind && self.on_the_way.is_empty() && self.is_read(true),
        }
    }

    /// What happens without anybody asking: time, reports, failures, rebalances, other members.
    pub fn happen(&mut self, decider: &mut Decider) {
        let step = if self.kind { 20 } else { self.random.below(200) };
        self.now += Duration::from_millis(step);
        if self.unacknowledged > 0 && (self.kind || self.random.once_in(2)) {
            let reports = if self.kind { self.unacknowledged } else { 1 + self.random.below(self.unacknowledged) };
            self.unacknowledged -= reports;
            if !self.kind && self.random.once_in(25) {
                self.broken = true;
                let retry = if self.random.once_in(2) { Retry::AtOnce } else { Retry::Later };
                decider.failed(retry, Abort::Produce);
            }
        }
        for at in 0..self.partitions.len() {
            self.rebalance(at, decider);
            self.other_member(at);
            let partition = &mut self.partitions[at];
            if self.kind {
                partition.log.calm_down();
            } else {
                partition.log.happen(&mut self.random);
            }
            if partition.client.stale && (self.kind || self.random.once_in(3)) {
                partition.client.is_back();
            }
            if partition.slot.is_some() && (self.kind || self.random.once_in(2)) && partition.finds_nothing() {
                self.position_gone = true;
                decider.failed(Retry::Later, Abort::Lost);
            }
        }
        self.look_at_positions(decider);
    }

    /// The engine asks the client for its positions, now and then.
    fn look_at_positions(&mut self, decider: &Decider) {
        if !decider.is_flowing() || !self.kind && self.random.once_in(3) {
            return;
        }
        for partition in &self.partitions {
            if let Some(slot) = partition.slot {
                self.account.passed(slot, partition.client.position);
            }
        }
    }

    fn rebalance(&mut self, partition: usize, decider: &mut Decider) {
        let pending = self.asked.iter().any(|(_, other)| *other == partition);
        let Partition { slot, granted, .. } = &self.partitions[partition];
        if pending || slot.is_some() != *granted {
            return;
        }
        let asked = match (*granted, self.kind) {
            (false, true) => Asked::Assign,
            (true, true) => return,
            (false, false) if self.random.once_in(10) => Asked::Assign,
            (true, false) if self.random.once_in(60) => Asked::Revoke,
            (true, false) if self.random.once_in(120) => Asked::Lose,
            _ => return,
        };
        // A lost partition belongs to somebody else from here on; one asked back does when we let it go.
        if asked != Asked::Revoke {
            self.partitions[partition].granted = asked == Asked::Assign;
        }
        self.asked.push_back((asked, partition));
        decider.asked(asked, self.now);
    }

    /// A partition that is not ours is somebody else's, who goes on from the committed offset.
    fn other_member(&mut self, at: usize) {
        let random = &mut self.random;
        let partition = &mut self.partitions[at];
        if self.kind || partition.granted || !random.once_in(4) {
            return;
        }
        let (start, epoch, _) = partition.start();
        partition.topic_id = partition.log.id();
        let start = partition.replacement(&partition.keeps(start, epoch)).unwrap_or(start);
        if start >= partition.log.stable() {
            return;
        }
        let record = partition.log.record(start);
        if !is_hidden(start) {
            partition.output.push(record);
        }
        partition.committed = Some(partition.keeps(start + 1, Some(record.epoch)));
    }

    pub fn act(&mut self, step: Step, decider: &mut Decider) {
        match step {
            Step::None | Step::End(_) => {}
            Step::Seal => self.seal(decider),
            Step::Abort(_) => self.abort(decider),
            Step::Rewind => self.rewind(decider),
            Step::Reassign => self.reassign(decider),
        }
    }

    fn rewind(&mut self, decider: &mut Decider) {
        self.on_the_way.clear();
        self.begun = false;
        self.account.rewind();
        if self.position_gone {
            if !self.kind && self.random.once_in(3) {
                // The cluster did not tell.
                return;
            }
            self.position_gone = false;
            self.replace_positions();
        }
        for partition in &mut self.partitions {
            if let Some(slot) = partition.slot
                && let Some(offset) = self.account.position(slot)
            {
                partition.client.go_to(offset, self.account.epoch_at(slot, offset), self.random.once_in(2));
            }
        }
        decider.rewound(self.now);
    }

    /// As the engine does it, which has to ask.
    fn replace_positions(&mut self) {
        for partition in &mut self.partitions {
            let Some(slot) = partition.slot else { continue };
            let Some(offset) = self.account.position(slot) else { continue };
            let kept = partition.keeps(offset, self.account.epoch_at(slot, offset));
            partition.topic_id = partition.log.id();
            match partition.replacement(&kept) {
                None => self.account.same_log(slot, Some(partition.log.epoch())),
                Some(new_offset) => {
                    self.account.reset(slot, new_offset, Some(partition.log.epoch()));
                    self.replaced += 1;
                }
            }
        }
    }

    fn seal(&mut self, decider: &mut Decider) {
        assert_eq!(self.unacknowledged, 0, "a seal commits what was not acknowledged");
        assert!(!self.begun, "a seal cuts through a record");
        assert!(self.account.to_commit().next().is_some(), "a transaction with nothing in it is ended");
        self.balance();
        let is_lost = |(slot, _)| self.is_lost(slot);
        assert!(!self.account.to_commit().any(is_lost), "what was lost is committed");
        let commits: Vec<_> = self.account.to_commit().collect();
        if let Some(sent) = &self.committing {
            assert_eq!(*sent, commits, "what is committed changes while it is committed");
        } else if !self.kind && self.random.once_in(3) {
            // Asked, and not answered yet: the next turn asks again.
            self.committing = self.random.once_in(2).then_some(commits);
            return;
        }
        self.committing = None;
        if self.broken || !self.kind && self.random.once_in(12) {
            decider.failed(Retry::Later, Abort::Commit);
            return;
        }
        if !self.kind && self.random.once_in(12) {
            decider.seal_postponed(self.now);
            return;
        }
        self.commit();
        decider.sealed(self.now);
    }

    fn is_lost(&self, slot: Slot) -> bool {
        self.partitions.iter().any(|partition| partition.slot == Some(slot) && !partition.granted)
    }

    fn commit(&mut self) {
        for (partition, written) in self.open.drain(..) {
            self.partitions[partition].output.push(written);
            self.breaker.dead_letters += u64::from(self.breaker.open && is_bad(written.offset));
        }
        let commits: Vec<_> = self.account.to_commit().collect();
        for (slot, offset) in commits {
            let ours = self.partitions.iter_mut().find(|partition| partition.slot == Some(slot));
            let partition = ours.expect("commits only for what is ours");
            let epoch = self.account.epoch_at(slot, offset);
            let passed = self.account.sealed_offset(slot).unwrap_or(0)..offset;
            assert!(partition.is_done(passed.clone(), epoch), "committed past records without a fate: {passed:?}");
            partition.committed = Some(partition.keeps(offset, epoch));
        }
        self.account.sealed();
    }

    fn abort(&mut self, decider: &mut Decider) {
        if !self.kind && self.random.once_in(2) {
            return;
        }
        let fenced = self.account.to_commit().any(|(slot, _)| self.is_lost(slot));
        if self.committing.is_some() && !fenced && self.random.once_in(2) {
            // Too late: it comes through.
            self.commit();
            decider.sealed(self.now);
        }
        self.open.clear();
        self.broken = false;
        self.begun = false;
        self.committing = None;
        self.unacknowledged = 0;
        decider.aborted();
    }

    fn reassign(&mut self, decider: &mut Decider) {
        if !self.kind && matches!(self.asked.front(), Some((Asked::Assign, _))) && self.random.once_in(2) {
            // The group does not tell where the partition stands.
            return;
        }
        let (asked, partition) = self.asked.pop_front().expect("only what was asked is carried out");
        match asked {
            Asked::Assign => {
                let partition = &mut self.partitions[partition];
                let (start, epoch, committed) = partition.start();
                partition.topic_id = partition.log.id();
                partition.client.go_to(start, epoch, self.random.once_in(2));
                partition.slot = Some(self.account.open(start, epoch, committed));
            }
            Asked::Revoke | Asked::Lose => {
                let slot = self.partitions[partition].slot.take().expect("only what is ours is taken");
                assert!(self.on_the_way.iter().all(|record| record.slot != slot), "let go with records on the way");
                assert!(self.open.iter().all(|(other, _)| *other != partition), "let go in an open transaction");
                assert_eq!(self.unacknowledged, 0, "let go with records unacknowledged");
                self.account.release(slot);
                self.partitions[partition].granted = false;
            }
        }
        decider.reassigned();
    }

    pub fn take(&mut self, allowed: Take, decider: &Decider) {
        let most = match allowed {
            Take::Nothing => return,
            Take::AtMost(most) => most,
            Take::Everything => u64::MAX,
        };
        assert_eq!(decider.breaker_holds_until(self.now), None, "taken while the breaker holds");
        let unplaced = self.account.unplaced();
        for partition in self.partitions.iter().filter(|partition| partition.client.position.is_none()) {
            if let Some(slot) = partition.slot.filter(|slot| unplaced.contains(slot)) {
                self.account.passed(slot, None);
            }
        }
        for _ in 0..(1 + self.random.below(8)).min(most) {
            let at = self.random.below(self.partitions.len() as u64) as usize;
            let partition = &mut self.partitions[at];
            let Some(slot) = partition.slot else { continue };
            // Nothing new comes before the client has gone back, nor from a place that is there no more.
            if partition.client.stale || self.position_gone || partition.finds_nothing() {
                continue;
            }
            let Partition { client, log, .. } = partition;
            let offset = client.reading;
            if offset >= log.stable() {
                continue;
            }
            let written = log.record(offset);
            client.reading = offset + 1;
            client.epoch = Some(written.epoch);
            if !is_hidden(offset) || is_marker(offset) {
                client.position = Some((client.reading, Some(written.epoch)));
            }
            if is_hidden(offset) {
                continue;
            }
            assert!(self.account.polled(slot, offset, Some(written.epoch)), "a record is polled once");
            let parts = self.random.below(4);
            self.on_the_way.push_back(Record { partition: at, slot, written, parts });
        }
    }

    pub fn produce(&mut self, allowed: Produce, decider: &mut Decider) {
        while let Some(mut record) = self.on_the_way.front().copied() {
            let full = !self.kind && self.random.once_in(6);
            let allowed = match allowed {
                Produce::Nothing => false,
                Produce::RestOfRecord => self.begun,
                Produce::Everything => true,
            };
            if full || !allowed {
                return;
            }
            if record.parts > 0 {
                record.parts -= 1;
                self.unacknowledged += 1;
                self.begun = record.parts > 0;
                self.on_the_way[0] = record;
                if self.begun {
                    continue;
                }
            }
            self.on_the_way.pop_front();
            let offset = record.written.offset;
            self.open.push((record.partition, record.written));
            let bad = is_bad(offset);
            self.account.handed(record.slot, offset, if bad { Fate::DeadLettered } else { Fate::Delivered });
            let verdict = decider.handed(bad, self.now);
            if self.breaker_said(verdict) {
                return;
            }
        }
    }

    /// `true`: nothing more may be handed over.
    fn breaker_said(&mut self, verdict: Verdict) -> bool {
        match verdict {
            Verdict::Unchanged => {}
            Verdict::Opened => {
                let opened = self.breaker.opened + 1;
                let handed = self.open.iter().filter(|(_, written)| is_bad(written.offset)).count() as u64;
                self.breaker = BreakerSeen { open: true, opened, allowed: handed + TRIAL, dead_letters: 0 };
            }
            Verdict::StaysOpen => self.breaker.allowed += TRIAL,
            Verdict::Closed => self.breaker.open = false,
        }
        matches!(verdict, Verdict::Opened | Verdict::StaysOpen)
    }

    pub fn balance(&self) {
        let BreakerSeen { allowed, dead_letters, .. } = self.breaker;
        assert!(dead_letters <= allowed, "an open breaker let {dead_letters} through instead of {allowed}");
        let on_the_way = |slot| self.on_the_way.iter().filter(|record| record.slot == slot).count() as u64;
        self.account.check(on_the_way).expect("the account balances");
    }
}
