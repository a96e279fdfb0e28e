//! Whether the service lives and whether it is ready, as the engine tells and the probes ask. Atomics only: neither side
//! ever waits for the other.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::metrics::Stall;

/// An engine that did not turn for so long hangs. Waiting for a broker is turning, so no broker's trouble gets here.
const TURN_MAX: Duration = Duration::from_secs(60);

/// The state that probes are answered from.
#[derive(Debug)]
pub struct Health {
    started: Instant,
    /// Milliseconds from `started` to the engine's last turn.
    turned_ms: AtomicU64,
    clients_made: AtomicBool,
    joined: AtomicBool,
    stopping: AtomicBool,
    breaker: AtomicBool,
    paused: AtomicBool,
    /// Milliseconds from `started` to when each cause began, and one more; 0: it does not hold.
    stalled: [AtomicU64; Stall::ALL.len()],
}

/// What a probe is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub ok: bool,
    /// JSON text.
    pub body: String,
}

impl Default for Health {
    fn default() -> Self {
        Self::new()
    }
}

impl Health {
    pub fn new() -> Self {
        Self {
            started: Instant::now(),
            turned_ms: AtomicU64::new(0),
            clients_made: AtomicBool::new(false),
            joined: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            breaker: AtomicBool::new(false),
            paused: AtomicBool::new(false),
            stalled: std::array::from_fn(|_| AtomicU64::new(0)),
        }
    }

    /// The engine thread is at work.
    pub fn turned(&self) {
        self.turned_at(Instant::now());
    }

    /// The same for an engine that has read the clock already.
    pub fn turned_at(&self, now: Instant) {
        let since = now.saturating_duration_since(self.started).as_millis();
        self.turned_ms.store(u64::try_from(since).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Both Kafka clients exist.
    pub fn clients_made(&self) {
        self.clients_made.store(true, Ordering::Relaxed);
    }

    /// The group was joined. A later rebalance takes nothing back.
    pub fn joined(&self) {
        self.joined.store(true, Ordering::Relaxed);
    }

    /// The process was asked to stop.
    pub fn stopping(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// The breaker opened or closed.
    pub fn breaker(&self, open: bool) {
        self.breaker.store(open, Ordering::Relaxed);
    }

    /// The partitions were paused, because nothing more fits in, or go on.
    pub fn paused(&self, paused: bool) {
        self.paused.store(paused, Ordering::Relaxed);
    }

    /// Something has stopped all progress since then, or does so no more.
    pub fn stall(&self, cause: Stall, since: Option<Instant>) {
        let ms = |since: Instant| since.saturating_duration_since(self.started).as_millis();
        let began = since.map_or(0, |since| u64::try_from(ms(since)).unwrap_or(u64::MAX).saturating_add(1));
        self.stalled[cause as usize].store(began, Ordering::Relaxed);
    }

    /// Since when a cause has stopped all progress, if it does.
    pub fn stalled_since(&self, cause: Stall) -> Option<Instant> {
        let ms = self.stalled[cause as usize].load(Ordering::Relaxed).checked_sub(1)?;
        Some(self.started + Duration::from_millis(ms))
    }

    /// Whether the engine turned within the last minute.
    pub fn livez(&self) -> Answer {
        self.livez_at(Instant::now())
    }

    fn livez_at(&self, now: Instant) -> Answer {
        let turned = self.started + Duration::from_millis(self.turned_ms.load(Ordering::Relaxed));
        let quiet = now.saturating_duration_since(turned);
        let ok = quiet <= TURN_MAX;
        let reasons = if ok { Vec::new() } else { vec!["the engine has not turned within the last 60 s"] };
        let body = serde_json::json!({ "live": ok, "reasons": reasons, "last_turn_seconds": quiet.as_secs() });
        Answer { ok, body: body.to_string() }
    }

    /// In a word or two, for people.
    pub fn state(&self) -> String {
        let is = |flag: &AtomicBool| flag.load(Ordering::Relaxed);
        let stalled = self.causes();
        match () {
            () if is(&self.stopping) => "stopping".to_owned(),
            () if !is(&self.clients_made) => "starting".to_owned(),
            () if !is(&self.joined) => "joining the group".to_owned(),
            () if is(&self.breaker) => "breaker open".to_owned(),
            () if !stalled.is_empty() => format!("stalled: {}", stalled.join(", ")),
            () if is(&self.paused) => "paused: nothing more fits in".to_owned(),
            () => "working".to_owned(),
        }
    }

    fn causes(&self) -> Vec<&'static str> {
        let holds = |cause: &&Stall| self.stalled_since(**cause).is_some();
        Stall::ALL.iter().filter(holds).map(|cause| cause.name()).collect()
    }

    /// Whether the service is at work. What it waits for is told, but changes nothing: a broker's bad day is no reason
    /// to take the pod out.
    pub fn readyz(&self) -> Answer {
        let is = |flag: &AtomicBool| flag.load(Ordering::Relaxed);
        let reasons: Vec<&str> = [
            (!is(&self.clients_made), "the Kafka clients are not made yet"),
            (!is(&self.joined), "the consumer group has not been joined yet"),
            (is(&self.stopping), "the service is stopping"),
        ]
        .into_iter()
        .filter_map(|(applies, reason)| applies.then_some(reason))
        .collect();
        let stalled = self.causes();
        let ok = reasons.is_empty();
        let body = serde_json::json!({
            "ready": ok, "reasons": reasons, "stalled": stalled, "breaker_open": is(&self.breaker),
        });
        Answer { ok, body: body.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_service_lives_as_long_as_the_engine_turned_within_a_minute() {
        let health = Health::new();
        let at = |seconds| health.started + Duration::from_secs(seconds);
        assert!(health.livez_at(at(60)).ok);
        assert!(!health.livez_at(at(61)).ok);
        health.turned_at(at(61));
        assert!(health.livez_at(at(121)).ok);
        let answer = health.livez_at(at(200));
        assert!(!answer.ok);
        assert!(answer.body.contains("has not turned"), "{}", answer.body);
    }

    #[test]
    fn the_service_is_ready_between_joining_its_group_and_being_asked_to_stop() {
        let health = Health::new();
        assert!(!health.readyz().ok);
        health.clients_made();
        assert!(!health.readyz().ok);
        health.joined();
        assert!(health.readyz().ok);
        health.stopping();
        assert!(!health.readyz().ok);
        assert!(health.readyz().body.contains("stopping"));
    }

    #[test]
    fn the_state_in_a_word_is_the_worst_that_holds() {
        let health = Health::new();
        assert_eq!(health.state(), "starting");
        health.clients_made();
        assert_eq!(health.state(), "joining the group");
        health.joined();
        assert_eq!(health.state(), "working");
        health.paused(true);
        assert!(health.state().starts_with("paused"));
        health.stall(Stall::Output, Some(Instant::now()));
        health.stall(Stall::Commit, Some(Instant::now()));
        assert_eq!(health.state(), "stalled: output, commit");
        health.stopping();
        assert_eq!(health.state(), "stopping");
    }

    #[test]
    fn what_the_service_waits_for_is_told_and_changes_no_answer() {
        let health = Health::new();
        health.clients_made();
        health.joined();
        health.stall(Stall::Brokers, Some(Instant::now()));
        health.breaker(true);
        let answer = health.readyz();
        assert!(answer.ok);
        assert!(
            answer.body.contains("\"brokers\"") && answer.body.contains("\"breaker_open\":true"),
            "{}",
            answer.body
        );
        health.stall(Stall::Brokers, None);
        assert!(!health.readyz().body.contains("brokers"));
    }
}
