//! The small world: partitions, a producer, a broker with transactions, a group and a breaker's records, each as unkind
//! as the seed says. It carries out what was decided and checks what can be checked on the way.

use std::collections::VecDeque;
use std::time::Duration;

use messagetrace_ecs::pipeline::account::{Account, Fate, Slot};
use messagetrace_ecs::pipeline::breaker::Verdict;
use messagetrace_ecs::pipeline::decide::{Asked, Decider, Produce, Retry, Seen, Step, Take};
use messagetrace_ecs::telemetry::metrics::Abort;

use crate::random::Random;

/// What an open breaker lets through at a time: a tenth of the window.
const TRIAL: u64 = 2;

/// Offsets of a partition are good and bad by turns, whoever looks, and however often.
fn is_bad(offset: i64) -> bool {
    offset % 60 >= 20
}

/// Markers of transactions and aborted records: offsets that no reader of committed records is given, whoever looks, and
/// however often.
pub fn is_hidden(offset: i64) -> bool {
    is_marker(offset) || offset % 11 == 6
}

/// A marker is passed by the consumer when it is polled; aborted records only together with the next marker or record.
fn is_marker(offset: i64) -> bool {
    offset % 7 == 3 || offset % 11 == 7
}

/// One partition as the cluster knows it.
pub struct Log {
    pub end: i64,
    pub committed: i64,
    /// Offsets whose outcome is in the committed output, in the order in which they got there.
    pub output: Vec<i64>,
    /// Ours, as far as the group knows.
    granted: bool,
    /// Ours, as far as the engine knows.
    slot: Option<Slot>,
    /// Where the client goes on reading.
    reading: i64,
    /// The client's own position. After a rewind it may show that of before for a while.
    position: Option<i64>,
    /// The client has not gone back yet.
    stale: bool,
}

impl Log {
    /// The client goes to an offset; the engine may still see where it was.
    fn go_to(&mut self, offset: i64, stale: bool) {
        self.reading = offset;
        self.stale = stale && self.position.is_some();
        if !self.stale {
            self.position = None;
        }
    }
}

#[derive(Clone, Copy)]
pub struct Record {
    partition: usize,
    slot: Slot,
    offset: i64,
    /// Outputs of the record that are not handed over yet.
    parts: u64,
}

pub struct World {
    pub random: Random,
    pub now: Duration,
    pub logs: Vec<Log>,
    account: Account,
    /// Polled, in order; not handed over.
    pub on_the_way: VecDeque<Record>,
    begun: bool,
    unacknowledged: u64,
    /// Handed over in the open transaction: which record, once its last part was.
    pub open: Vec<(usize, i64)>,
    /// A record in the open transaction was not delivered: it can only be aborted.
    broken: bool,
    asked: VecDeque<(Asked, usize)>,
    /// What was sent with the commit, whose answer is still to come.
    committing: Option<Vec<(Slot, i64)>>,
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
        let logs = (0..1 + random.below(3))
            .map(|_| {
                let mut end = random.below(100) as i64;
                // Whatever is aborted has a marker behind it.
                while end > 0 && is_hidden(end - 1) && !is_marker(end - 1) {
                    end += 1;
                }
                Log {
                    end,
                    committed: 0,
                    output: Vec::new(),
                    granted: false,
                    slot: None,
                    reading: 0,
                    position: None,
                    stale: false,
                }
            })
            .collect();
        Self {
            random,
            now: Duration::ZERO,
            logs,
            account: Account::default(),
            on_the_way: VecDeque::new(),
            begun: false,
            unacknowledged: 0,
            open: Vec::new(),
            broken: false,
            asked: VecDeque::new(),
            committing: None,
            kind: false,
            breaker: BreakerSeen::default(),
        }
    }

    fn everything_polled(&self) -> bool {
        let positions: Vec<_> = self.account.positions().collect();
        self.logs.iter().all(|log| {
            let ours = log.slot.and_then(|slot| positions.iter().find(|(other, _)| *other == slot));
            ours.map_or(log.committed, |(_, position)| *position) >= log.end
        })
    }

    pub fn seen(&mut self) -> Seen {
        let drained = self.logs.iter().all(|log| {
            log.slot.is_none() || self.account.positions().all(|(slot, at)| Some(slot) != log.slot || at >= log.end)
        });
        Seen {
            now: self.now,
            in_flight: self.on_the_way.len() as u64,
            mid_record: self.begun,
            unacknowledged: self.unacknowledged,
            handed: self.account.unsealed(),
            to_seal: self.account.to_commit().next().is_some(),
            only_passed: self.account.only_passed(),
            sealing: self.committing.is_some(),
            full: self.on_the_way.len() > 10 || !self.kind && self.random.once_in(10),
            crowded: self.open.len() > 20 || !self.kind && self.random.once_in(50),
            drained: drained || !self.kind && self.random.once_in(5),
            at_end: self.kind && self.on_the_way.is_empty() && self.everything_polled(),
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
        for partition in 0..self.logs.len() {
            self.rebalance(partition, decider);
            self.other_member(partition);
            let log = &mut self.logs[partition];
            if log.stale && (self.kind || self.random.once_in(3)) {
                log.go_to(log.reading, false);
            }
        }
        self.look_at_positions(decider);
    }

    /// The engine asks the client for its positions, now and then.
    fn look_at_positions(&mut self, decider: &Decider) {
        if !decider.is_flowing() || !self.kind && self.random.once_in(3) {
            return;
        }
        for log in &self.logs {
            if let Some(slot) = log.slot {
                self.account.passed(slot, log.position.map(|offset| (offset, None)));
            }
        }
    }

    fn rebalance(&mut self, partition: usize, decider: &mut Decider) {
        let pending = self.asked.iter().any(|(_, other)| *other == partition);
        if pending || self.logs[partition].slot.is_some() != self.logs[partition].granted {
            return;
        }
        let asked = match (self.logs[partition].granted, self.kind) {
            (false, true) => Asked::Assign,
            (true, true) => return,
            (false, false) if self.random.once_in(10) => Asked::Assign,
            (true, false) if self.random.once_in(60) => Asked::Revoke,
            (true, false) if self.random.once_in(120) => Asked::Lose,
            _ => return,
        };
        // A lost partition belongs to somebody else from here on; one asked back does when we let it go.
        if asked != Asked::Revoke {
            self.logs[partition].granted = asked == Asked::Assign;
        }
        self.asked.push_back((asked, partition));
        decider.asked(asked, self.now);
    }

    /// A partition that is not ours is somebody else's, who goes on from the committed offset.
    fn other_member(&mut self, partition: usize) {
        let random = &mut self.random;
        let log = &mut self.logs[partition];
        if !self.kind && !log.granted && log.committed < log.end && random.once_in(4) {
            if !is_hidden(log.committed) {
                log.output.push(log.committed);
            }
            log.committed += 1;
        }
    }

    pub fn act(&mut self, step: Step, decider: &mut Decider) {
        match step {
            Step::None | Step::End(_) => {}
            Step::Seal => self.seal(decider),
            Step::Abort(_) => self.abort(decider),
            Step::Rewind => {
                self.on_the_way.clear();
                self.begun = false;
                self.account.rewind();
                let positions: Vec<_> = self.account.positions().collect();
                for log in &mut self.logs {
                    if let Some((_, offset)) = positions.iter().find(|(slot, _)| log.slot == Some(*slot)) {
                        log.go_to(*offset, self.random.once_in(2));
                    }
                }
                decider.rewound(self.now);
            }
            Step::Reassign => self.reassign(decider),
        }
    }

    fn seal(&mut self, decider: &mut Decider) {
        assert_eq!(self.unacknowledged, 0, "a seal commits what was not acknowledged");
        assert!(!self.begun, "a seal cuts through a record");
        assert!(self.account.to_commit().next().is_some(), "a transaction with nothing in it is ended");
        self.balance();
        let lost = |log: &Log, slot| log.slot == Some(slot) && !log.granted;
        let is_lost = |(slot, _)| self.logs.iter().any(|log| lost(log, slot));
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

    fn commit(&mut self) {
        for (partition, offset) in self.open.drain(..) {
            self.logs[partition].output.push(offset);
            self.breaker.dead_letters += u64::from(self.breaker.open && is_bad(offset));
        }
        let commits: Vec<_> = self.account.to_commit().collect();
        for (slot, offset) in commits {
            let log = self.logs.iter_mut().find(|log| log.slot == Some(slot)).expect("commits only for what is ours");
            let passed = log.output.last().map_or(0, |last| last + 1)..offset;
            assert!(passed.clone().all(is_hidden), "committed past records without a fate: {passed:?}");
            log.committed = offset;
        }
        self.account.sealed();
    }

    fn abort(&mut self, decider: &mut Decider) {
        if !self.kind && self.random.once_in(2) {
            return;
        }
        let lost = |log: &Log, slot| log.slot == Some(slot) && !log.granted;
        let fenced = self.account.to_commit().any(|(slot, _)| self.logs.iter().any(|log| lost(log, slot)));
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
        let (asked, partition) = self.asked.pop_front().expect("only what was asked is carried out");
        match asked {
            Asked::Assign => {
                let start = self.logs[partition].committed;
                let stale = self.random.once_in(2);
                self.logs[partition].go_to(start, stale);
                self.logs[partition].slot = Some(self.account.open(start, None, start > 0));
            }
            Asked::Revoke | Asked::Lose => {
                let slot = self.logs[partition].slot.take().expect("only what is ours is taken");
                assert!(self.on_the_way.iter().all(|record| record.slot != slot), "let go with records on the way");
                assert!(self.open.iter().all(|(other, _)| *other != partition), "let go in an open transaction");
                assert_eq!(self.unacknowledged, 0, "let go with records unacknowledged");
                self.account.release(slot);
                self.logs[partition].granted = false;
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
        let unplaced: Vec<_> = self.account.unplaced().collect();
        for log in self.logs.iter().filter(|log| log.position.is_none()) {
            if let Some(slot) = log.slot.filter(|slot| unplaced.contains(slot)) {
                self.account.passed(slot, None);
            }
        }
        for _ in 0..(1 + self.random.below(8)).min(most) {
            let partition = self.random.below(self.logs.len() as u64) as usize;
            let log = &mut self.logs[partition];
            let Some(slot) = log.slot else { continue };
            if log.reading >= log.end {
                continue;
            }
            // Nothing new comes before the client has gone back.
            if log.stale {
                continue;
            }
            let offset = log.reading;
            log.reading = offset + 1;
            if !is_hidden(offset) || is_marker(offset) {
                log.position = Some(log.reading);
            }
            if is_hidden(offset) {
                continue;
            }
            assert!(self.account.polled(slot, offset, None), "a record is polled once");
            let parts = self.random.below(4);
            self.on_the_way.push_back(Record { partition, slot, offset, parts });
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
            self.open.push((record.partition, record.offset));
            let bad = is_bad(record.offset);
            self.account.handed(record.slot, record.offset, if bad { Fate::DeadLettered } else { Fate::Delivered });
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
                let handed = self.open.iter().filter(|(_, offset)| is_bad(*offset)).count() as u64;
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
