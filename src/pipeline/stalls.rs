//! What stops progress at the moment: one log line when it starts, one when it ends, a metric and a health reason in
//! between.

use std::sync::Arc;
use std::time::Duration;

use crate::telemetry::health::Health;
use crate::telemetry::metrics::{Metrics, Stall};

/// The causes that hold at the moment, and since when.
#[derive(Debug)]
pub struct Stalls {
    since: Vec<(Stall, Duration)>,
    metrics: Arc<Metrics>,
    health: Arc<Health>,
}

impl Stalls {
    pub fn new(metrics: Arc<Metrics>, health: Arc<Health>) -> Self {
        Self { since: Vec::new(), metrics, health }
    }

    /// A cause holds; said once.
    pub fn begin(&mut self, cause: Stall, reason: &str, now: Duration) {
        if self.since.iter().any(|(known, _)| *known == cause) {
            return;
        }
        self.since.push((cause, now));
        self.metrics.stalled(cause, true);
        self.health.stalled(cause, true);
        tracing::warn!(cause = cause.name(), "stalled: {reason}");
    }

    /// A cause does not hold any more.
    pub fn end(&mut self, cause: Stall, now: Duration) {
        let Some(at) = self.since.iter().position(|(known, _)| *known == cause) else { return };
        let (_, since) = self.since.swap_remove(at);
        self.metrics.stalled(cause, false);
        self.health.stalled(cause, false);
        tracing::info!(cause = cause.name(), seconds = (now - since).as_secs_f64(), "no longer stalled");
    }

    /// A cause of which each case has lines of its own, said elsewhere, holds or does not.
    pub fn hold(&mut self, cause: Stall, holds: bool, now: Duration) {
        let known = self.since.iter().position(|(known, _)| *known == cause);
        match (known, holds) {
            (None, true) => self.since.push((cause, now)),
            (Some(at), false) => drop(self.since.swap_remove(at)),
            (None, false) | (Some(_), true) => return,
        }
        self.metrics.stalled(cause, holds);
        self.health.stalled(cause, holds);
    }

    /// Something was sealed: nothing stops all progress. An open breaker lets a little through, and a missing topic or an
    /// open transaction may be one of several: their ends are found out elsewhere.
    pub fn sealed(&mut self, now: Duration) {
        let lasts = |cause: &Stall| matches!(cause, Stall::Breaker | Stall::TopicMissing | Stall::InputOpen);
        let over: Vec<_> = self.since.iter().map(|(cause, _)| *cause).filter(|cause| !lasts(cause)).collect();
        for cause in over {
            self.end(cause, now);
        }
    }
}

/// An engine that comes after finds out for itself what stops it.
impl Drop for Stalls {
    fn drop(&mut self) {
        for (cause, _) in &self.since {
            self.metrics.stalled(*cause, false);
            self.health.stalled(*cause, false);
        }
        self.metrics.breaker_open(false);
        self.health.breaker(false);
    }
}
