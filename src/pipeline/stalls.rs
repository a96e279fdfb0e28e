//! What stops progress at the moment: one log line when it starts, one when it ends, a metric and a health reason in
//! between.
//!
//! What holds is kept in the process's health, not here: engines come and go, and what began under one ends under
//! another, with its line.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::telemetry::health::Health;
use crate::telemetry::metrics::{Metrics, Stall};

/// What keeps clients from being made. Clients that are made show that none of it holds; an engine that goes on with an open
/// breaker says so itself.
const OVER_WITH_NEW_CLIENTS: [Stall; 4] = [Stall::Brokers, Stall::Authorization, Stall::TopicMissing, Stall::Breaker];

/// What cannot be waited for by an engine that has nothing in hand.
const OVER_WHEN_IDLE: [Stall; 3] = [Stall::Output, Stall::DeadLetters, Stall::Commit];

/// One speaker about what holds: an engine, or who makes its clients anew.
#[derive(Debug)]
pub struct Stalls {
    /// What its times are counted from.
    began: Instant,
    metrics: Arc<Metrics>,
    health: Arc<Health>,
}

impl Stalls {
    pub fn new(metrics: Arc<Metrics>, health: Arc<Health>, began: Instant) -> Self {
        Self { began, metrics, health }
    }

    /// The time by which this speaker counts.
    pub fn now(&self) -> Duration {
        self.began.elapsed()
    }

    pub fn holds(&self, cause: Stall) -> bool {
        self.health.stalled_since(cause).is_some()
    }

    /// A cause holds; said once.
    pub fn begin(&self, cause: Stall, reason: &str, now: Duration) {
        if self.holds(cause) {
            return;
        }
        self.health.stall(cause, Some(self.began + now));
        self.metrics.stalled(cause, true);
        tracing::warn!(cause = cause.name(), "stalled: {reason}");
    }

    /// A cause does not hold any more.
    pub fn end(&self, cause: Stall, now: Duration) {
        let Some(since) = self.health.stalled_since(cause) else { return };
        self.health.stall(cause, None);
        self.metrics.stalled(cause, false);
        let lasted = (self.began + now).saturating_duration_since(since);
        tracing::info!(cause = cause.name(), seconds = lasted.as_secs_f64(), "no longer stalled");
    }

    /// A cause of which each case has lines of its own, said elsewhere, holds or does not.
    pub fn hold(&self, cause: Stall, holds: bool, now: Duration) {
        if holds == self.health.stalled_since(cause).is_some() {
            return;
        }
        self.metrics.stalled(cause, holds);
        self.health.stall(cause, holds.then(|| self.began + now));
    }

    /// Something was sealed: nothing stops all progress. An open breaker lets a little through, and a missing topic or an
    /// open transaction may be one of several: their ends are found out elsewhere.
    pub fn sealed(&self, now: Duration) {
        let lasts = |cause: &Stall| matches!(cause, Stall::Breaker | Stall::TopicMissing | Stall::InputOpen);
        self.end_all(Stall::ALL.iter().copied().filter(|cause| !lasts(cause)), now);
    }

    /// Nothing has been in hand for a while: a stall is true only while something waits for it.
    pub fn idle(&self, now: Duration) {
        self.end_all(OVER_WHEN_IDLE, now);
    }

    /// Clients cannot be made, for this cause and no other.
    pub fn waits_for(&self, cause: Stall, reason: &str, now: Duration) {
        self.end_all(OVER_WITH_NEW_CLIENTS.into_iter().filter(|other| *other != cause), now);
        self.begin(cause, reason, now);
    }

    /// Clients were made. Whether what they are for goes on shows later.
    pub fn clients_made(&self, now: Duration) {
        self.end_all(OVER_WITH_NEW_CLIENTS, now);
        self.metrics.breaker_open(false);
        self.health.breaker(false);
    }

    fn end_all(&self, causes: impl IntoIterator<Item = Stall>, now: Duration) {
        for cause in causes {
            self.end(cause, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn speakers() -> (Arc<Health>, impl Fn() -> Stalls) {
        let (metrics, health) = (Arc::new(Metrics::new()), Arc::new(Health::new()));
        let of_one = Arc::clone(&health);
        (health, move || Stalls::new(Arc::clone(&metrics), Arc::clone(&of_one), Instant::now()))
    }

    #[test]
    fn what_begins_under_one_engine_holds_until_it_ends_under_another() {
        let (health, engine) = speakers();
        let first = engine();
        first.begin(Stall::Output, "no record is acknowledged", Duration::from_secs(7));
        drop(first);
        let second = engine();
        second.clients_made(Duration::ZERO);
        assert!(health.stalled_since(Stall::Output).is_some(), "new clients alone acknowledge nothing");
        second.sealed(Duration::from_secs(9));
        assert_eq!(health.stalled_since(Stall::Output), None);
    }

    #[test]
    fn clients_that_are_made_show_that_brokers_let_us_in() {
        let (health, engine) = speakers();
        let life = engine();
        life.waits_for(Stall::Brokers, "no broker answers", Duration::ZERO);
        life.waits_for(Stall::Authorization, "the login is refused", Duration::ZERO);
        assert_eq!(health.stalled_since(Stall::Brokers), None, "one cause at a time");
        assert!(health.stalled_since(Stall::Authorization).is_some());
        life.clients_made(Duration::ZERO);
        assert_eq!(health.stalled_since(Stall::Authorization), None);
    }

    #[test]
    fn an_engine_with_nothing_in_hand_waits_neither_for_the_output_nor_for_a_commit() {
        let (health, engine) = speakers();
        let idle = engine();
        for cause in [Stall::Output, Stall::DeadLetters, Stall::Commit, Stall::Brokers] {
            idle.begin(cause, "", Duration::ZERO);
        }
        idle.idle(Duration::ZERO);
        let left: Vec<_> = Stall::ALL.iter().filter(|cause| health.stalled_since(**cause).is_some()).collect();
        assert_eq!(left, [&Stall::Brokers]);
    }
}
