//! The pure state machine, driven through seeded random schedules: a small world of partitions, a producer, a broker
//! with transactions and a group takes the place of Kafka, and does what it likes with timing, failures and rebalances.
//!
//! What must hold in every one of them: each record's outcome is in the committed output exactly once and in order per
//! partition; nothing is committed that was not acknowledged; partitions leave only when nothing of them is on the way;
//! the account balances; and once the world calms down, everything gets done.

use std::collections::VecDeque;
use std::io::Write as _;
use std::time::Duration;

use messagetrace_ecs::pipeline::account::{Account, Fate, Slot};
use messagetrace_ecs::pipeline::breaker::{self, Verdict};
use messagetrace_ecs::pipeline::decide::{Asked, Decider, End, Policy, Produce, Retry, Seen, Step, Take};
use messagetrace_ecs::telemetry::metrics::Abort;

/// Schedules of one run; `SCHEDULES=1000000` for a long one.
const SCHEDULES: u64 = 100_000;

/// Turns after which a schedule that has not ended is stuck.
const MAX_TURNS: u32 = 20_000;

/// Turns in which the world is unkind.
const UNKIND_TURNS: u32 = 300;

const POLICY: Policy = Policy {
    commit_interval: Duration::from_millis(500),
    idle_commit_interval: Duration::from_millis(50),
    pause_after: Duration::from_secs(1),
    revoke_deadline: Duration::from_secs(10),
    first_backoff: Duration::from_millis(100),
    last_backoff: Duration::from_secs(10),
    breaker: None,
};

const BREAKER: breaker::Limits = breaker::Limits {
    ratio: 0.5,
    window: 20,
    first_pause: Duration::from_millis(500),
    last_pause: Duration::from_secs(5),
};

/// A tenth of the window.
const TRIAL: u64 = 2;

/// Every other schedule has a breaker.
fn policy(seed: u64) -> Policy {
    Policy { breaker: (seed % 2 == 1).then_some(BREAKER), ..POLICY }
}

/// Offsets of a partition are good and bad by turns, whoever looks, and however often.
fn is_bad(offset: i64) -> bool {
    offset % 60 >= 20
}

/// SplitMix64: a few lines, and every seed gives the same schedule everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }
}

/// One partition as the cluster knows it.
struct Log {
    end: i64,
    committed: i64,
    /// Offsets whose outcome is in the committed output, in the order in which they got there.
    output: Vec<i64>,
    /// Ours, as far as the group knows.
    granted: bool,
    /// Ours, as far as the engine knows.
    slot: Option<Slot>,
}

#[derive(Clone, Copy)]
struct Record {
    partition: usize,
    slot: Slot,
    offset: i64,
    /// Outputs of the record that are not handed over yet.
    parts: u64,
}

struct World {
    random: Random,
    now: Duration,
    logs: Vec<Log>,
    account: Account,
    /// Polled, in order; not handed over.
    on_the_way: VecDeque<Record>,
    begun: bool,
    unacknowledged: u64,
    /// Handed over in the open transaction: which record, once its last part was.
    open: Vec<(usize, i64)>,
    /// A record in the open transaction was not delivered: it can only be aborted.
    broken: bool,
    asked: VecDeque<(Asked, usize)>,
    /// The commit was sent; its answer is still to come.
    committing: bool,
    kind: bool,
    breaker: BreakerSeen,
}

/// What the breaker said, and what became of bad records since it opened.
#[derive(Default)]
struct BreakerSeen {
    open: bool,
    opened: u64,
    /// Dead letters that may come through: those handed over when it opened, and those of each trial.
    allowed: u64,
    dead_letters: u64,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        let logs = (0..1 + random.below(3))
            .map(|_| Log {
                end: random.below(100) as i64,
                committed: 0,
                output: Vec::new(),
                granted: false,
                slot: None,
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
            committing: false,
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

    fn seen(&mut self) -> Seen {
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
            full: self.on_the_way.len() > 10 || !self.kind && self.random.once_in(10),
            crowded: self.open.len() > 20 || !self.kind && self.random.once_in(50),
            drained: drained || !self.kind && self.random.once_in(5),
            at_end: self.kind && self.on_the_way.is_empty() && self.everything_polled(),
        }
    }

    /// What happens without anybody asking: time, reports, failures, rebalances, other members.
    fn happen(&mut self, decider: &mut Decider) {
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
            log.output.push(log.committed);
            log.committed += 1;
        }
    }

    fn act(&mut self, step: Step, decider: &mut Decider) {
        match step {
            Step::None | Step::End(_) => {}
            Step::Seal => self.seal(decider),
            Step::Abort(_) => self.abort(decider),
            Step::Rewind => {
                self.on_the_way.clear();
                self.begun = false;
                self.account.rewind();
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
        if !self.kind && self.random.once_in(3) && !self.committing {
            // Asked, and not answered yet: the next turn asks again.
            self.committing = self.random.once_in(2);
            return;
        }
        self.committing = false;
        let lost = |log: &Log, slot| log.slot == Some(slot) && !log.granted;
        let fenced = self.account.to_commit().any(|(slot, _)| self.logs.iter().any(|log| lost(log, slot)));
        if fenced || self.broken || !self.kind && self.random.once_in(12) {
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
        if self.committing && !fenced && self.random.once_in(2) {
            // Too late: it comes through.
            self.commit();
            decider.sealed(self.now);
        }
        self.open.clear();
        self.broken = false;
        self.begun = false;
        self.committing = false;
        self.unacknowledged = 0;
        decider.aborted();
    }

    fn reassign(&mut self, decider: &mut Decider) {
        let (asked, partition) = self.asked.pop_front().expect("only what was asked is carried out");
        match asked {
            Asked::Assign => {
                let start = self.logs[partition].committed;
                self.logs[partition].slot = Some(self.account.open(start, start > 0));
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

    fn take(&mut self, allowed: Take, decider: &Decider) {
        let most = match allowed {
            Take::Nothing => return,
            Take::AtMost(most) => most,
            Take::Everything => u64::MAX,
        };
        assert_eq!(decider.breaker_holds_until(self.now), None, "taken while the breaker holds");
        for _ in 0..(1 + self.random.below(8)).min(most) {
            let partition = self.random.below(self.logs.len() as u64) as usize;
            let Some(slot) = self.logs[partition].slot else { continue };
            let Some((_, offset)) = self.account.positions().find(|(other, _)| *other == slot) else { continue };
            if offset < self.logs[partition].end && self.account.polled(slot, offset) {
                let parts = self.random.below(4);
                self.on_the_way.push_back(Record { partition, slot, offset, parts });
            }
        }
    }

    fn produce(&mut self, allowed: Produce, decider: &mut Decider) {
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

    fn balance(&self) {
        let BreakerSeen { allowed, dead_letters, .. } = self.breaker;
        assert!(dead_letters <= allowed, "an open breaker let {dead_letters} through instead of {allowed}");
        let on_the_way = |slot| self.on_the_way.iter().filter(|record| record.slot == slot).count() as u64;
        self.account.check(on_the_way).expect("the account balances");
    }
}

/// Runs one schedule to its end. Gives the number of turns, and how often the breaker opened.
fn run(seed: u64) -> (u32, u64) {
    let mut world = World::new(seed);
    let mut decider = Decider::new(policy(seed));
    for turn in 0..MAX_TURNS {
        world.kind = turn >= UNKIND_TURNS;
        world.happen(&mut decider);
        let seen = world.seen();
        let decided = decider.next(&seen);
        if let Step::End(end) = decided.step {
            assert_eq!(end, End::Finished, "nobody asked to stop");
            judge(&world);
            return (turn, world.breaker.opened);
        }
        world.act(decided.step, &mut decider);
        world.take(decided.take, &decider);
        world.produce(decided.produce, &mut decider);
        world.balance();
    }
    panic!("stuck: {decider:?}");
}

fn judge(world: &World) {
    for log in &world.logs {
        assert_eq!(log.output, (0..log.end).collect::<Vec<_>>(), "every record once and in order");
        assert_eq!(log.committed, log.end);
    }
}

#[test]
fn every_schedule_seals_every_record_once_and_in_order() {
    let schedules = std::env::var("SCHEDULES").ok().and_then(|number| number.parse().ok()).unwrap_or(SCHEDULES);
    let (mut turns, mut opened) = (0, 0);
    for seed in 0..schedules {
        let result = std::panic::catch_unwind(|| run(seed));
        let (took, openings) = result.unwrap_or_else(|_| panic!("schedule with seed {seed}"));
        turns += u64::from(took);
        opened += openings;
    }
    assert!(opened >= schedules / 10, "the breaker opened only {opened} times");
    // Past the capture of the test runner: the number belongs into every log.
    let _ =
        writeln!(std::io::stdout(), "{schedules} random schedules, {turns} turns, {opened} openings of the breaker");
}

#[test]
fn a_stop_ends_when_everything_taken_is_sealed_or_at_its_deadline() {
    let (mut stopped, mut timed_out) = (0, 0);
    for seed in 0..2_000 {
        let mut world = World::new(seed);
        let mut decider = Decider::new(policy(seed / 2));
        let stop_at = 20 + seed as u32 % 200;
        for turn in 0..MAX_TURNS {
            world.happen(&mut decider);
            if turn == stop_at {
                let patience = if seed % 2 == 0 { 5_000 } else { world.random.below(1_000) };
                decider.stop(world.now + Duration::from_millis(patience));
            }
            let seen = world.seen();
            let decided = decider.next(&seen);
            match decided.step {
                Step::End(End::Stopped) => {
                    assert!(world.on_the_way.is_empty() && world.open.is_empty(), "stopped with records on the way");
                    stopped += 1;
                    break;
                }
                Step::End(End::TimedOut) => {
                    timed_out += 1;
                    break;
                }
                Step::End(End::Finished) => panic!("the run has no end"),
                step => world.act(step, &mut decider),
            }
            assert!(turn < stop_at || decided.take == Take::Nothing, "taken after the stop");
            world.take(decided.take, &decider);
            world.produce(decided.produce, &mut decider);
        }
    }
    println!("{stopped} stopped in time, {timed_out} at the deadline");
    assert!(stopped >= 1_000 && timed_out > 0 && stopped + timed_out == 2_000);
}

#[test]
fn what_is_remembered_calls_for_a_seal_before_its_time() {
    let handed = Seen { in_flight: 1, handed: 9, to_seal: true, ..Seen::default() };
    let mut decider = Decider::new(POLICY);
    assert_eq!(decider.next(&handed).step, Step::None);
    assert_eq!(decider.next(&Seen { crowded: true, ..handed }).step, Step::Seal);
}
