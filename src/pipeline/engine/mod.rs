//! The loop: observe ([`listen`], [`rounds`]), decide, act ([`seal`], [`rebalance`]), and move records ([`flow`]).
//!
//! One thread owns both clients. Each turn it looks at what happened, asks [`decide`](super::decide) what follows, does
//! one step of that, moves records, and sleeps when there is nothing to move. What wakes it: the consumer's queue, a
//! worker, a delivery report, a stop, or the time.

mod brokers;
mod damage;
mod flow;
mod guard;
mod listen;
mod rebalance;
mod rounds;
mod seal;
mod watch;

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use thiserror::Error;
use tokio::runtime::Handle;

use super::Telemetry;
use super::account::{Account, Counts, Imbalance, Slot};
use super::batch::{Batch, BatchPool};
use super::breaker;
use super::breaker::Breaker;
use super::decide::{Decider, End, Policy, Seen, Step, Take};
use super::delivery::{Delivery, Trouble};
use super::ends::{Ends, HeldBack};
use super::intake::Intake;
use super::outlet::{Current, Outlet};
use super::positions::PositionError;
use super::stalls::Stalls;
use super::start::Clients;
use super::watchdog::{Patience, Road};
use super::workers::{WorkerGone, Workers};
use crate::config::Config;
use crate::kafka::admin::limits::SizeLimits;
use crate::kafka::clients::out::Out;
use crate::kafka::clients::{Consumer, Rebalance};
use crate::kafka::ffi;

/// The longest sleep: `/livez` wants a sign of life, and a wake-up that was missed costs no more than this.
const LONGEST_SLEEP: Duration = Duration::from_millis(100);

/// How long records that are there may not come until nobody waits for them with a seal: they lie behind an open transaction, or
/// their broker is away.
const STILL_COMING: Duration = Duration::from_millis(100);

/// Between two looks at how far the consumer is: nobody waits for a marker.
const POSITIONS_EVERY: Duration = Duration::from_millis(50);

/// The share of the memory budget that records with the workers may take, as a divisor. What they become takes several
/// times as much.
const RECORDS_SHARE: u64 = 32;

/// The same for batches that wait for their next round.
const POOL_SHARE: u64 = 32;

/// The same for what is remembered of produced records until they are sealed.
const REMEMBERED_SHARE: u64 = 16;

/// How long leaving may take. A consumer cannot be closed while its coordinator is away; the group then finds out by
/// the session timeout.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a run ended early.
#[derive(Debug, Error)]
pub enum Failure {
    #[error(transparent)]
    Account(#[from] Imbalance),
    #[error(transparent)]
    Worker(#[from] WorkerGone),
    #[error(transparent)]
    Position(#[from] PositionError),
    /// Before the first commit, when a person still watches.
    #[error("{reason} ({remedy})")]
    Refused { reason: String, remedy: &'static str },
    /// The clients cannot go on; new ones may.
    #[error("{0}")]
    Fatal(Trouble),
    /// The clients were made for other limits than the topics have now.
    #[error("max.message.bytes has changed: now {} for events, {} for dead letters", .0.output, .0.dead_letters)]
    LimitsChanged(SizeLimits),
    /// New clients may do what these do not any more.
    #[error("{road} has stood still for {} s though the brokers answer", .stood.as_secs())]
    Stuck { road: Road, stood: Duration },
    /// The producer would take what it is told of the new topic for outdated.
    #[error("topic {topic} was made anew")]
    OutputMadeAnew { topic: String },
    /// A new process begins with all its threads.
    #[error("{0} calls of the client library have never come back")]
    LeftBehind(usize),
}

/// What a run came to.
#[derive(Debug)]
pub struct Ran {
    pub end: Result<End, Failure>,
    pub counts: Counts,
    /// Whether anything was ever committed.
    pub committed: bool,
    /// Records that were handed over and not sealed.
    pub unsealed: u64,
    /// How long the next clients may stand still.
    pub patience: Patience,
    pub output_ids: HashMap<String, String>,
    pub breaker: Option<Breaker>,
    /// Partitions of a bounded run whose end lies behind an open transaction.
    pub held_back: usize,
}

/// Everything the loop works with.
pub struct Engine<'a> {
    config: &'a Config,
    telemetry: &'a Telemetry,
    stop: &'a AtomicBool,
    /// Set when the clients are to be made anew with other secrets.
    renewed: &'a AtomicBool,
    intake: Intake,
    outlet: Outlet,
    delivery: Delivery,
    workers: Workers,
    account: Account,
    decider: Decider,
    stalls: Stalls,
    ends: Option<Ends>,
    partitions_of: HashMap<String, usize>,
    began: Instant,
    now: Duration,
    rebalances: VecDeque<(Rebalance, Duration)>,
    filling: Box<Batch>,
    current: Option<Current>,
    pool: BatchPool,
    /// Batches out with the workers: how many records of which partition.
    dealt: VecDeque<Vec<(Slot, u64)>>,
    dealt_records: u64,
    dealt_bytes: usize,
    /// Raised at each rewind: batches of an earlier one are not handed over.
    epoch: u64,
    drained: bool,
    /// When the consumer last gave records.
    last_taken: Duration,
    purging_since: Option<Duration>,
    /// The client has given up by itself what was handed over, and nobody knows why yet.
    given_up: bool,
    /// The consumer was told that a position does not exist any more.
    position_gone: bool,
    /// When the client's own positions are looked at again.
    positions_at: Duration,
    retry_at: Duration,
    seal_began: Option<Duration>,
    /// When the producer last had a report, or nothing to report.
    last_report: Duration,
    /// Whether anything was ever committed: before that, troubles end the program.
    committed: bool,
    fatal: Option<Trouble>,
    /// The topics take records of another size than the clients were made for.
    changed_limits: Option<SizeLimits>,
    limits_read_at: Duration,
    /// Some of our topics were missing when last looked for.
    look_for_topics_at: Option<Duration>,
    /// Topics that were missing, and whose positions were not replaced since.
    were_missing: Vec<String>,
    /// Partitions that were ours, with the offset that the group had committed then.
    once_ours: HashMap<(String, i32), i64>,
    refused: Option<Failure>,
    watch: watch::Watch,
    guard: guard::Guard,
    rounds: rounds::Rounds,
}

/// What an engine takes over from those before it in this process.
#[derive(Clone, Debug)]
pub struct Inheritance {
    /// One of them has committed already.
    pub committed: bool,
    pub patience: Patience,
    /// The ids of the topics that we write to, by name: what was deleted is told, whatever new clients are made for.
    pub output_ids: HashMap<String, String>,
    /// Whatever new clients are made for says nothing about the records.
    pub breaker: Option<Breaker>,
}

impl<'a> Engine<'a> {
    /// Takes over clients that are ready. To be called on the thread that runs the loop.
    pub fn new(
        config: &'a Config,
        telemetry: &'a Telemetry,
        stop: &'a AtomicBool,
        renewed: &'a AtomicBool,
        clients: Clients,
        inheritance: Inheritance,
        runtime: &Handle,
    ) -> Self {
        let Clients { consumer, outlet, delivery, normalizer, partitions, ends } = clients;
        let workers = Workers::start(
            config.pipeline.worker_count(),
            &normalizer,
            &telemetry.metrics,
            runtime,
            &thread::current(),
        );
        let policy = Policy {
            commit_interval: config.pipeline.commit_interval,
            idle_commit_interval: Duration::from_millis(50).min(config.pipeline.commit_interval),
            pause_after: Duration::from_secs(1),
            revoke_deadline: Duration::from_secs(10),
            first_backoff: Duration::from_millis(100),
            last_backoff: Duration::from_secs(10),
            breaker: config.dead_letters.breaker_ratio.map(|ratio| breaker::Limits {
                ratio,
                window: config.dead_letters.breaker_window,
                first_pause: Duration::from_secs(1),
                last_pause: Duration::from_secs(300),
            }),
        };
        let began = Instant::now();
        let mut decider = Decider::new(policy);
        decider.inherit(inheritance.breaker);
        Self {
            config,
            telemetry,
            stop,
            renewed,
            intake: Intake::new(consumer),
            outlet,
            delivery,
            workers,
            account: Account::default(),
            decider,
            stalls: Stalls::new(Arc::clone(&telemetry.metrics), Arc::clone(&telemetry.health), began),
            ends,
            partitions_of: partitions,
            began,
            now: Duration::ZERO,
            rebalances: VecDeque::new(),
            filling: Box::default(),
            current: None,
            pool: BatchPool::new(config.pipeline.memory_share(POOL_SHARE)),
            dealt: VecDeque::new(),
            dealt_records: 0,
            dealt_bytes: 0,
            epoch: 0,
            drained: false,
            last_taken: Duration::ZERO,
            purging_since: None,
            given_up: false,
            position_gone: false,
            positions_at: Duration::ZERO,
            retry_at: Duration::ZERO,
            seal_began: None,
            last_report: Duration::ZERO,
            committed: inheritance.committed,
            fatal: None,
            changed_limits: None,
            limits_read_at: Duration::ZERO,
            look_for_topics_at: None,
            were_missing: Vec::new(),
            once_ours: HashMap::new(),
            refused: None,
            watch: watch::Watch::default(),
            guard: guard::Guard::new(inheritance.patience, inheritance.output_ids),
            rounds: rounds::Rounds::default(),
        }
    }

    /// Turns until the end; then the workers are joined and the consumer leaves its group.
    pub fn run(mut self, runtime: &Handle) -> Ran {
        self.show_inherited_breaker();
        let end = self.turn_until_end();
        let held_back = if matches!(end, Ok(End::Finished)) { self.tell_held_back() } else { 0 };
        let unsealed = self.undo(&end);
        let patience = self.guard.patience_after(end.as_ref().err());
        let counts = self.account.totals();
        let output_ids = self.guard.output_ids();
        let breaker = self.decider.breaker().map(|breaker| breaker.clone().handed_on(self.began.elapsed()));
        let ran = Ran { end, counts, committed: self.committed, unsealed, patience, output_ids, breaker, held_back };
        self.leave(runtime);
        ran
    }

    fn turn_until_end(&mut self) -> Result<End, Failure> {
        loop {
            self.now = self.began.elapsed();
            self.telemetry.health.turned();
            self.listen();
            self.watch_time();
            self.guard()?;
            if let Some(failure) = self.refused.take() {
                return Err(failure);
            }
            if let Some(trouble) = self.fatal.take() {
                return Err(Failure::Fatal(trouble));
            }
            if let Some(limits) = self.changed_limits.take() {
                return Err(Failure::LimitsChanged(limits));
            }
            self.look_at_positions();
            let mut seen = self.look();
            seen.behind = self.decider.asks_for_more(&seen) && self.is_behind();
            self.notice_idleness(&seen);
            let turn = self.decider.next(&seen);
            let mut busy = self.act(turn.step)?;
            if let Step::End(end) = turn.step {
                return self.stopped_as_stuck().map_or(Ok(end), Err);
            }
            self.intake.pause(turn.paused);
            if turn.take != Take::Nothing {
                busy |= self.take(turn.take);
            } else if self.intake.is_paused() {
                busy |= self.serve_consumer();
            }
            self.deal();
            busy |= self.hand_over(turn.produce)?;
            if !busy {
                self.sleep(turn.wake);
            }
        }
    }

    /// Says what a bounded run leaves behind open transactions. Gives the number of such partitions.
    fn tell_held_back(&self) -> usize {
        let held = self.ends.as_ref().map(|ends| ends.held_back(&self.intake, &self.account)).unwrap_or_default();
        for HeldBack { topic, partition, offset, end } in &held {
            tracing::warn!(
                topic,
                partition,
                offset,
                end,
                "the run ends before an open transaction: what lies behind it was not read (its producer has to end it, or \
                 somebody with kafka-transactions.sh abort)"
            );
        }
        held.len()
    }

    /// Takes down how far the consumer is past markers, which is then committed as well.
    fn look_at_positions(&mut self) {
        if self.decider.is_flowing() && self.now >= self.positions_at {
            self.positions_at = self.now + POSITIONS_EVERY;
            self.intake.look_at_positions(&mut self.account);
        }
    }

    fn look(&mut self) -> Seen {
        let current = self.current.as_ref();
        let waiting = current.map_or(0, |current| (current.batch.len() - current.record) as u64);
        let in_flight = self.filling.len() as u64 + self.dealt_records + waiting;
        let at_end = self.drained
            && in_flight == 0
            && self.ends.as_mut().is_some_and(|ends| ends.reached(&self.intake, &self.account, self.now));
        Seen {
            now: self.now,
            in_flight,
            mid_record: current.is_some_and(Current::mid_record),
            unacknowledged: self.outlet.unacknowledged,
            handed: self.account.unsealed(),
            to_seal: self.account.has_to_commit(),
            only_passed: self.account.only_passed(),
            sealing: self.seal_began.is_some(),
            full: !self.workers.has_place() || self.dealt_bytes >= self.config.pipeline.memory_share(RECORDS_SHARE),
            crowded: self.outlet.remembered_bytes() >= self.config.pipeline.memory_share(REMEMBERED_SHARE),
            drained: self.drained,
            behind: false,
            at_end,
        }
    }

    /// Whether records that are known to be there are still coming.
    fn is_behind(&mut self) -> bool {
        self.now < self.last_taken + STILL_COMING && self.intake.is_behind(&self.account)
    }

    /// Does one step. `true`: something was done, look again before sleeping.
    fn act(&mut self, step: Step) -> Result<bool, Failure> {
        match step {
            Step::None | Step::End(_) => Ok(false),
            Step::Seal => self.seal(),
            Step::Abort(reason) => Ok(self.abort(reason)),
            Step::Rewind => self.rewind(),
            Step::Reassign => self.reassign(),
        }
    }

    fn sleep(&self, wake: Option<Duration>) {
        let until = wake.map_or(LONGEST_SLEEP, |wake| wake.saturating_sub(self.now)).min(LONGEST_SLEEP);
        thread::park_timeout(until);
    }

    /// Ends the clients, on a thread of its own so that one that does not end holds nobody up.
    fn leave(self, runtime: &Handle) {
        let has_coordinator = self.guard.has_coordinator(self.began.elapsed());
        let Self { intake, outlet, delivery, workers, ends, watch, mut guard, mut rounds, .. } = self;
        workers.stop(runtime);
        let (consumer, producer) = (Arc::clone(&intake.consumer), Arc::clone(&outlet.output.producer));
        drop((delivery, ends, intake, outlet));
        let (closed, wait) = mpsc::channel();
        let end = move || {
            let out = Out::begin();
            let inquiries = (guard.take_inquiry(), rounds.take_inquiry());
            // Before the clients: they may still ask one of them something.
            drop((watch, guard, rounds));
            drop(producer);
            close(consumer, has_coordinator);
            drop(out);
            // Nobody waits any more once the time is up.
            let _ = closed.send(());
            drop(inquiries);
        };
        if thread::Builder::new().name("closing".to_owned()).spawn(end).is_err() {
            tracing::warn!("no thread to close the clients from: they were closed here");
        } else if wait.recv_timeout(LEAVE_TIMEOUT).is_err() {
            tracing::warn!("the clients did not close in time; the group will notice by the session timeout");
        }
    }
}

/// Closes a consumer, which leaves its group. Where no coordinator is known that would wait for one, and can crash the
/// process in librdkafka before 2.14.2: then it ends without, and the group finds out by the session timeout.
fn close(consumer: Arc<Consumer>, has_coordinator: bool) {
    match Arc::try_unwrap(consumer) {
        Ok(consumer) if !has_coordinator => ffi::give_up(consumer),
        // Whoever else holds it closes it.
        Ok(_) | Err(_) => {}
    }
}
