//! What to do next: a pure state machine over what the engine sees.
//!
//! It knows no client, no record and no clock; the engine tells it what happened, asks once a turn, and does what it is
//! told. So it can be driven through any schedule of failures, rebalances and delays, which the tests do by the
//! hundred thousand (`tests/schedules/`).
//!
//! The rules, in the order in which they win:
//!
//! 1. After a failure nothing is handed over: the transaction is aborted, everything not sealed is given back, and the
//!    road is taken again from the last seal, after a pause that grows while failures repeat.
//! 2. Partitions that were lost are treated like a failure and then let go, nothing committed.
//! 3. A seal holds back producing until every report is in, and then commits. Taking and normalizing go on.
//! 4. Partitions that are asked back: nothing more is taken, what is on the way is finished and sealed, then they go.
//!    When that takes too long, it is given back unsealed.
//! 5. A stop is the same without a way back.
//! 6. When the [`breaker`](super::breaker) opens, where one is asked for, what was handed over is sealed, the rest is given
//!    back, and from then on it says how much may be taken.

use std::collections::VecDeque;
use std::time::Duration;

use super::breaker::{Breaker, Verdict};
pub use super::turn::{Asked, End, Policy, Produce, Retry, Seen, Step, Take, Turn};
use crate::mutants::{self, Mutant};
use crate::telemetry::metrics::Abort;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Flowing,
    /// Producing is held back until everything is acknowledged and committed; `not_before` after a postponed seal.
    Sealing {
        not_before: Duration,
    },
    Aborting(Abort),
    Rewinding,
    BackingOff {
        until: Duration,
    },
}

/// The state between two turns.
#[derive(Clone, Debug)]
pub struct Decider {
    policy: Policy,
    phase: Phase,
    asked: VecDeque<(Asked, Duration)>,
    last_seal: Duration,
    /// Failures since the last seal.
    failures: u32,
    retry: Retry,
    /// Since when nothing is taken.
    held_since: Option<Duration>,
    stop_deadline: Option<Duration>,
    breaker: Option<Breaker>,
    /// After the seal that is due, everything on the way is given back.
    give_back: bool,
}

impl Decider {
    pub fn new(policy: Policy) -> Self {
        Self {
            policy,
            phase: Phase::Flowing,
            asked: VecDeque::new(),
            last_seal: Duration::ZERO,
            failures: 0,
            retry: Retry::Later,
            held_since: None,
            stop_deadline: None,
            breaker: policy.breaker.map(Breaker::new),
            give_back: false,
        }
    }

    /// The group asks for a change of the assignment.
    pub fn asked(&mut self, change: Asked, now: Duration) {
        let change =
            if mutants::is(Mutant::CommitWhatIsLost) && change == Asked::Lose { Asked::Revoke } else { change };
        self.asked.push_back((change, now));
    }

    /// The process is asked to stop; a second call changes nothing.
    pub fn stop(&mut self, deadline: Duration) {
        self.stop_deadline.get_or_insert(deadline);
    }

    /// All of a record was handed over. What the breaker says of it; after [`Verdict::Opened`] nothing more may be.
    pub fn handed(&mut self, rejected: bool, now: Duration) -> Verdict {
        let Some(breaker) = &mut self.breaker else { return Verdict::Unchanged };
        let verdict = breaker.handed(rejected, now);
        if verdict == Verdict::Opened {
            self.phase = Phase::Sealing { not_before: now };
            self.give_back = true;
        }
        verdict
    }

    /// The breaker of an engine before this one, whose work comes again.
    pub fn inherit(&mut self, breaker: Option<Breaker>) {
        if breaker.is_some() {
            self.breaker = breaker;
        }
    }

    pub fn breaker(&self) -> Option<&Breaker> {
        self.breaker.as_ref()
    }

    /// Until when the open breaker holds everything.
    pub fn breaker_holds_until(&self, now: Duration) -> Option<Duration> {
        self.breaker.as_ref()?.holds_until(now)
    }

    /// Something that was handed over, or a seal, went wrong. A failure on top of a failure changes nothing.
    pub fn failed(&mut self, retry: Retry, reason: Abort) {
        if matches!(self.phase, Phase::Flowing | Phase::Sealing { .. } | Phase::BackingOff { .. }) {
            self.phase = Phase::Aborting(reason);
            self.retry = retry;
            self.failures = self.failures.saturating_add(1);
        }
    }

    pub fn sealed(&mut self, now: Duration) {
        self.last_seal = now;
        self.failures = 0;
        self.sealing_is_over();
        if let Some(breaker) = &mut self.breaker {
            breaker.sealed();
        }
    }

    fn sealing_is_over(&mut self) {
        self.phase = Phase::Flowing;
        if self.give_back {
            self.phase = Phase::Rewinding;
            self.retry = Retry::AtOnce;
        }
    }

    /// The commit has no lasting result yet, and nothing speaks against asking again.
    pub fn seal_postponed(&mut self, now: Duration) {
        self.failures = self.failures.saturating_add(1);
        self.phase = Phase::Sealing { not_before: now + self.backoff() };
    }

    pub fn aborted(&mut self) {
        self.phase = Phase::Rewinding;
    }

    pub fn rewound(&mut self, now: Duration) {
        let pause = match self.retry {
            Retry::AtOnce => Duration::ZERO,
            Retry::Later => self.backoff(),
        };
        if let Some(breaker) = &mut self.breaker {
            breaker.rewound();
        }
        self.give_back = false;
        self.phase = Phase::BackingOff { until: now + pause };
    }

    /// The oldest change of the assignment was carried out.
    pub fn reassigned(&mut self) {
        self.asked.pop_front();
    }

    pub fn is_stopping(&self) -> bool {
        self.stop_deadline.is_some()
    }

    /// Whether the road is open: neither recovering from a failure nor waiting after one.
    pub fn is_recovering(&self) -> bool {
        matches!(self.phase, Phase::Aborting(_) | Phase::Rewinding | Phase::BackingOff { .. })
    }

    /// Failures since the last seal.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// Whether a seal is due because nothing more is there, unless more is on its way: over a distance there is nothing between two
    /// fetches, and a seal costs several round trips.
    pub fn asks_for_more(&self, seen: &Seen) -> bool {
        self.is_flowing() && seen.drained && seen.handed > 0 && self.seal_is_due(seen)
    }

    /// Neither sealing nor recovering: what a seal would commit may still change.
    pub fn is_flowing(&self) -> bool {
        self.phase == Phase::Flowing
    }

    fn backoff(&self) -> Duration {
        // The first failure after a seal is tried again at once: most pass.
        let doublings = self.failures.saturating_sub(2).min(16);
        if self.failures < 2 {
            return Duration::ZERO;
        }
        (self.policy.first_backoff * (1 << doublings)).min(self.policy.last_backoff)
    }

    /// Decides one turn.
    pub fn next(&mut self, seen: &Seen) -> Turn {
        let step = self.step(seen);
        let leaving = self.is_stopping() || matches!(self.asked.front(), Some((Asked::Revoke | Asked::Lose, _)));
        let recovering = self.is_recovering();
        let hold = seen.full || leaving || recovering || seen.at_end || matches!(step, Step::End(_));
        let take = if hold { Take::Nothing } else { self.room(seen) };
        let produce = match self.phase {
            _ if matches!(step, Step::End(_)) => Produce::Nothing,
            Phase::Flowing => Produce::Everything,
            Phase::Sealing { .. } if seen.mid_record => Produce::RestOfRecord,
            Phase::Sealing { .. } | Phase::Aborting(_) | Phase::Rewinding | Phase::BackingOff { .. } => {
                Produce::Nothing
            }
        };
        if take == Take::Nothing {
            self.held_since.get_or_insert(seen.now);
        } else {
            self.held_since = None;
        }
        let paused = self.held_since.is_some_and(|since| seen.now >= since + self.policy.pause_after);
        Turn { step, take, produce, paused, wake: self.wake(seen) }
    }

    /// What the breaker leaves room for.
    fn room(&self, seen: &Seen) -> Take {
        match self.breaker.as_ref().and_then(|breaker| breaker.room(seen.now)) {
            None => Take::Everything,
            Some(room) if room > seen.in_flight => Take::AtMost(room - seen.in_flight),
            Some(_) => Take::Nothing,
        }
    }

    fn step(&mut self, seen: &Seen) -> Step {
        if self.stop_deadline.is_some_and(|deadline| seen.now >= deadline) {
            return Step::End(End::TimedOut);
        }
        self.give_up_late_revocation(seen);
        match self.phase {
            Phase::Aborting(reason) => return Step::Abort(reason),
            Phase::Rewinding => return Step::Rewind,
            Phase::BackingOff { until } if seen.now >= until => self.phase = Phase::Flowing,
            Phase::Flowing | Phase::Sealing { .. } | Phase::BackingOff { .. } => {}
        }
        let settled = seen.nothing_to_undo() && !seen.to_seal;
        // Nothing new is taken over by one who leaves, and with nothing in hand there is nothing to let go in order.
        if self.is_stopping() && settled && !matches!(self.asked.front(), Some((Asked::Revoke | Asked::Lose, _))) {
            return Step::End(End::Stopped);
        }
        let reassign = match self.asked.front() {
            // Whatever waits before them goes first, and unsealed: a seal would commit what is lost as well.
            Some(_) if self.has_lost() => seen.nothing_to_undo(),
            Some((Asked::Revoke, since)) => settled || seen.nothing_to_undo() && self.is_late(*since, seen),
            // The group may not tell for a while where they stand, and what we have goes on meanwhile.
            Some((Asked::Assign | Asked::Lose, _)) => {
                !self.is_stopping() && !matches!(self.phase, Phase::Sealing { .. }) && !self.seal_is_due(seen)
            }
            None => false,
        };
        if reassign {
            return Step::Reassign;
        }
        if seen.at_end && self.asked.is_empty() && settled {
            return Step::End(End::Finished);
        }
        if self.phase == Phase::Flowing && self.seal_is_due(seen) {
            self.phase = Phase::Sealing { not_before: seen.now };
        }
        match self.phase {
            Phase::Sealing { .. } if !seen.to_seal && !seen.mid_record => {
                // Everything that was to be sealed is gone with its partitions.
                self.sealing_is_over();
                Step::None
            }
            Phase::Sealing { not_before } if self.is_settled(seen) && !seen.mid_record && seen.now >= not_before => {
                Step::Seal
            }
            _ => Step::None,
        }
    }

    /// Lost partitions cannot be finished, late ones must not be waited for: both are given back unsealed.
    fn give_up_late_revocation(&mut self, seen: &Seen) {
        let Some((_, since)) = self.asked.iter().find(|(asked, _)| *asked != Asked::Assign).copied() else {
            return;
        };
        let lost = self.has_lost();
        if (lost || self.is_late(since, seen)) && !seen.nothing_to_undo() {
            self.failed(Retry::AtOnce, if lost { Abort::Lost } else { Abort::Revoked });
        }
    }

    /// Partitions of ours are asked for.
    fn is_asked_back(&self) -> bool {
        self.asked.iter().any(|(asked, _)| *asked != Asked::Assign)
    }

    /// Partitions were lost, and are still among ours.
    fn has_lost(&self) -> bool {
        self.asked.iter().any(|(asked, _)| *asked == Asked::Lose)
    }

    /// Everything that was handed over has its report.
    fn is_settled(&self, seen: &Seen) -> bool {
        seen.unacknowledged == 0 || mutants::is(Mutant::CommitBeforeAcknowledgement)
    }

    fn is_late(&self, since: Duration, seen: &Seen) -> bool {
        seen.now >= since + self.policy.revoke_deadline
    }

    fn seal_is_due(&self, seen: &Seen) -> bool {
        seen.to_seal && seen.now >= self.seal_due(seen)
    }

    fn seal_due(&self, seen: &Seen) -> Duration {
        if seen.crowded {
            return seen.now;
        }
        let waiting = self.is_stopping() || seen.at_end || self.is_asked_back();
        match (seen.in_flight == 0, seen.drained || waiting) {
            (true, true) if waiting => seen.now,
            (true, true) if !seen.only_passed && !seen.behind => self.last_seal + self.policy.idle_commit_interval,
            _ => self.last_seal + self.policy.commit_interval,
        }
    }

    fn wake(&self, seen: &Seen) -> Option<Duration> {
        let phase = match self.phase {
            Phase::Flowing if seen.to_seal => Some(self.seal_due(seen)),
            Phase::Sealing { not_before } => Some(not_before).filter(|at| *at > seen.now),
            Phase::BackingOff { until } => Some(until),
            Phase::Flowing | Phase::Aborting(_) | Phase::Rewinding => None,
        };
        let revoke = self
            .asked
            .iter()
            .find(|(asked, _)| *asked != Asked::Assign)
            .map(|(_, since)| *since + self.policy.revoke_deadline)
            .filter(|at| *at > seen.now);
        let pause = self.held_since.map(|since| since + self.policy.pause_after).filter(|at| *at > seen.now);
        let breaker = self.breaker_holds_until(seen.now);
        [phase, revoke, pause, breaker, self.stop_deadline].into_iter().flatten().min()
    }
}
