//! The pure state machine, driven through seeded random schedules: a small world of partitions, a producer, a broker
//! with transactions and a group takes the place of Kafka, and does what it likes with timing, failures and rebalances; with
//! leaders, clean and unclean, retention, transactions of others and topics made anew. A client of that world finds a topic
//! made anew before it reads of it, which the real one may not.
//!
//! What must hold in every one of them: each record that is there in the end has its outcome in the committed output exactly
//! once and in order per partition, and none that was ever there has it twice; nothing is committed that was not acknowledged, nor past a record without a fate, though markers and aborted
//! records are passed; partitions leave only when nothing of them is on the way;
//! the account balances; and once the world calms down, everything gets done.

mod log;
mod partition;
mod random;
mod world;

use std::collections::{HashSet, VecDeque};
use std::io::Write as _;
use std::panic::{self, AssertUnwindSafe};
use std::time::Duration;

use messagetrace_ecs::pipeline::breaker;
use messagetrace_ecs::pipeline::decide::{Asked, Decider, End, Policy, Seen, Step, Take, Turn};
use messagetrace_ecs::telemetry::metrics::Abort;

use self::log::Written;
use self::world::World;

/// Schedules of one run; `SCHEDULES=1000000` for a long one.
const SCHEDULES: u64 = 100_000;

/// Turns after which a schedule that has not ended is stuck.
const MAX_TURNS: u32 = 20_000;

/// Turns in which the world is unkind.
const UNKIND_TURNS: u32 = 300;

/// Turns of a schedule that fails, of which it says what happened.
const SHOWN: usize = 8;

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

/// Every other schedule has a breaker.
fn policy(seed: u64) -> Policy {
    Policy { breaker: (seed % 2 == 1).then_some(BREAKER), ..POLICY }
}

/// What a schedule came to.
#[derive(Default)]
struct Past {
    turns: u64,
    /// How often the breaker opened.
    opened: u64,
    /// Positions that were there no more.
    replaced: u64,
}

/// Runs one schedule to its end, and shows each turn.
fn run(seed: u64, look: impl FnMut(&Seen, &Turn)) -> Past {
    run_unkind(seed, UNKIND_TURNS, look)
}

fn run_unkind(seed: u64, unkind_turns: u32, mut look: impl FnMut(&Seen, &Turn)) -> Past {
    let mut world = World::new(seed);
    let mut decider = Decider::new(policy(seed));
    for turn in 0..MAX_TURNS {
        world.kind = turn >= unkind_turns;
        world.happen(&mut decider);
        let seen = world.seen();
        let decided = decider.next(&seen);
        look(&seen, &decided);
        if let Step::End(end) = decided.step {
            assert_eq!(end, End::Finished, "nobody asked to stop");
            judge(&world);
            return Past { turns: turn.into(), opened: world.breaker.opened, replaced: world.replaced };
        }
        world.act(decided.step, &mut decider);
        world.take(decided.take, &decider);
        world.produce(decided.produce, &mut decider);
        world.balance();
    }
    panic!("stuck: {decider:?}");
}

/// A schedule that fails, cut down: how few unkind turns are enough, and what the last turns were.
fn smallest(seed: u64) -> String {
    for unkind_turns in 0..=UNKIND_TURNS {
        let mut turns = VecDeque::new();
        let failed = panic::catch_unwind(AssertUnwindSafe(|| {
            run_unkind(seed, unkind_turns, |seen, turn| {
                turns.push_back(format!("{seen:?}\n    {turn:?}"));
                if turns.len() > SHOWN {
                    turns.pop_front();
                }
            });
        }));
        if failed.is_err() {
            let turns: Vec<String> = turns.into();
            return format!("{unkind_turns} unkind turns are enough; at last\n{}", turns.join("\n"));
        }
    }
    "it does not fail again".to_owned()
}

fn judge(world: &World) {
    for partition in &world.partitions {
        let there: Vec<Written> = partition.log.records().collect();
        let found: HashSet<Written> = partition.output.iter().copied().collect();
        assert_eq!(found.len(), partition.output.len(), "no record twice, those of logs that are gone neither");
        let is_there: HashSet<Written> = there.iter().copied().collect();
        let output: Vec<Written> =
            partition.output.iter().copied().filter(|record| is_there.contains(record)).collect();
        assert_eq!(output, there, "every record that is there once and in order");
        let committed = partition.committed.as_ref().map_or(0, |kept| kept.offset);
        assert_eq!(committed, partition.log.end, "the markers behind the last record are passed as well");
    }
}

#[test]
fn every_schedule_seals_every_record_once_and_in_order() {
    let schedules = std::env::var("SCHEDULES").ok().and_then(|number| number.parse().ok()).unwrap_or(SCHEDULES);
    let mut sum = Past::default();
    for seed in 0..schedules {
        let result = panic::catch_unwind(|| run(seed, |_, _| {}));
        let past = result.unwrap_or_else(|_| panic!("schedule with seed {seed}: {}", smallest(seed)));
        sum.turns += past.turns;
        sum.opened += past.opened;
        sum.replaced += past.replaced;
    }
    let Past { turns, opened, replaced } = sum;
    assert!(opened >= schedules / 10, "the breaker opened only {opened} times");
    assert!(replaced >= schedules / 10, "only {replaced} positions were gone");
    // Past the capture of the test runner: the number belongs into every log.
    let _ = writeln!(
        std::io::stdout(),
        "{schedules} random schedules, {turns} turns, {opened} openings of the breaker, {replaced} positions replaced"
    );
}

/// Otherwise the seed of a failure would be worth nothing.
#[test]
fn a_seed_gives_the_same_history_twice_and_another_one_another() {
    let history = |seed| {
        let mut turns = Vec::new();
        run(seed, |seen, turn| turns.push(format!("{seen:?} {turn:?}")));
        turns
    };
    for seed in 0..200 {
        assert_eq!(history(seed), history(seed), "seed {seed}");
    }
    assert_ne!(history(1), history(3));
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

#[test]
fn while_more_is_on_its_way_a_seal_has_its_time() {
    let at = |millis| {
        let now = Duration::from_millis(millis);
        Seen { now, handed: 9, to_seal: true, drained: true, ..Seen::default() }
    };
    let mut decider = Decider::new(POLICY);
    assert!(!decider.asks_for_more(&at(49)) && decider.asks_for_more(&at(50)));
    assert_eq!(decider.next(&Seen { behind: true, ..at(50) }).step, Step::None);
    assert_eq!(decider.next(&at(60)).step, Step::Seal);
    decider.sealed(Duration::from_millis(70));
    assert_eq!(decider.next(&Seen { behind: true, ..at(569) }).step, Step::None);
    assert_eq!(decider.next(&Seen { behind: true, ..at(570) }).step, Step::Seal);
    decider.sealed(Duration::from_millis(580));
    // Somebody waits for what is there.
    decider.stop(Duration::from_secs(30));
    assert_eq!(decider.next(&Seen { behind: true, ..at(590) }).step, Step::Seal);
}

/// The group does not tell where they stand: a transaction of the member before us has the offsets.
#[test]
fn partitions_that_cannot_be_taken_over_hold_up_neither_seals_nor_a_stop() {
    let mut decider = Decider::new(POLICY);
    decider.asked(Asked::Assign, Duration::ZERO);
    let at =
        |millis| Seen { now: Duration::from_millis(millis), in_flight: 1, handed: 9, to_seal: true, ..Seen::default() };
    assert_eq!(decider.next(&at(499)).step, Step::Reassign);
    assert_eq!(decider.next(&at(500)).step, Step::Seal);
    decider.sealed(Duration::from_millis(510));
    assert_eq!(decider.next(&at(520)).step, Step::Reassign);
    decider.stop(Duration::from_secs(30));
    assert_eq!(decider.next(&Seen { in_flight: 0, ..at(600) }).step, Step::Seal);
    decider.sealed(Duration::from_millis(610));
    let nothing = Seen { now: Duration::from_millis(620), ..Seen::default() };
    assert_eq!(decider.next(&nothing).step, Step::End(End::Stopped));
}

#[test]
fn partitions_that_are_asked_back_late_are_not_looked_at_all_the_time() {
    let mut decider = Decider::new(POLICY);
    decider.asked(Asked::Revoke, Duration::ZERO);
    let late = Seen { now: POLICY.revoke_deadline, in_flight: 1, handed: 1, unacknowledged: 1, ..Seen::default() };
    let turn = decider.next(&late);
    assert_eq!((turn.step, turn.wake.filter(|at| *at <= late.now)), (Step::Abort(Abort::Revoked), None));
}
