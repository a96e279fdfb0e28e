//! The pipeline as a whole: a thread for the engine, a runtime for the workers, and what happens when the engine's
//! clients cannot go on.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use chrono::{SecondsFormat, Utc};
use rdkafka::error::RDKafkaErrorCode;
use tokio::runtime::Runtime;

use super::account::Counts;
use super::decide::End;
use super::engine::{Engine, Failure, Inheritance};
use super::stalls::Stalls;
use super::start;
use super::start::StartError;
use super::watchdog::Patience;
use crate::config::{Config, show_duration};
use crate::kafka::credentials::token::Tokens;
use crate::kafka::credentials::watch::Watch;
use crate::kafka::errors;
use crate::normalize::Settings;
use crate::telemetry::health::Health;
use crate::telemetry::metrics::{Metrics, Rebuild};

/// Fenced twice within this: another process uses our transactional id, and taking turns helps nobody.
const FENCED_AGAIN: Duration = Duration::from_secs(60);

/// The longest pause between attempts to start again.
const LAST_BACKOFF: Duration = Duration::from_secs(30);

/// How a run differs from the service.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Stop once everything that was there at the start is sealed.
    pub until_end: bool,
}

/// Where the pipeline tells how it is.
#[derive(Clone, Debug)]
pub struct Telemetry {
    pub metrics: Arc<Metrics>,
    pub health: Arc<Health>,
}

/// What a run came to.
#[derive(Clone, Copy, Debug)]
pub struct Summary {
    pub counts: Counts,
    /// How it ended, when nothing went wrong.
    pub end: End,
    /// Records that were handed over and not sealed: with at-least-once they will be repeated.
    pub unsealed: u64,
    /// Partitions of a bounded run whose end lies behind an open transaction.
    pub held_back: usize,
    pub elapsed: Duration,
}

/// A running pipeline.
#[derive(Debug)]
pub struct Service {
    stop: Arc<AtomicBool>,
    engine: JoinHandle<anyhow::Result<Summary>>,
}

impl Service {
    /// Starts the engine's thread. Whether it can do its work shows in [`Service::join`].
    pub fn start(config: &Config, settings: Settings, options: Options, telemetry: Telemetry) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let life = Life { config: config.clone(), settings, options, telemetry, stop: Arc::clone(&stop) };
        let engine = thread::Builder::new().name("engine".to_owned()).spawn(move || life.live())?;
        Ok(Self { stop, engine })
    }

    /// Asks for a graceful stop.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
        self.engine.thread().unpark();
    }

    pub fn is_finished(&self) -> bool {
        self.engine.is_finished()
    }

    /// Waits for the end.
    pub fn join(self) -> anyhow::Result<Summary> {
        self.engine
            .join()
            .unwrap_or_else(|_| anyhow::bail!("the engine panicked; what was not sealed will be repeated"))
    }
}

/// What the engine's thread works with, over all the engines of its life.
struct Life {
    config: Config,
    settings: Settings,
    options: Options,
    telemetry: Telemetry,
    stop: Arc<AtomicBool>,
}

impl Life {
    fn live(mut self) -> anyhow::Result<Summary> {
        let began = Instant::now();
        let runtime = self.runtime()?;
        let mut counts = Counts::default();
        let mut fenced_at: Option<Instant> = None;
        let mut backoff = Duration::from_secs(1);
        // A commit takes as long as its interval to be due.
        let patience = Patience::new(self.config.pipeline.stuck_after.max(self.config.pipeline.commit_interval * 2));
        let mut ours = Inheritance { committed: false, patience, output_ids: HashMap::new(), breaker: None };
        let stalls = self.stalls(began);
        // One source of tokens for all engines of this life: a new one would begin without a token.
        let _tokens = Tokens::of(&self.config);
        let secrets = Watch::start(&self.config, thread::current()).context("watch the files of secrets")?;
        loop {
            if let Some(kafka) = secrets.take() {
                self.config.kafka = kafka;
            }
            let watch = start::Watch {
                stop: &self.stop,
                health: &self.telemetry.health,
                stalls: &stalls,
                first: !ours.committed,
            };
            let clients = match start::clients(&self.config, self.options, self.settings.clone(), watch) {
                Ok(clients) => clients,
                Err(StartError::Stopped) => return Ok(summary(End::Stopped, counts, 0, began)),
                // A service does not die of a broker's bad day, once it has worked.
                Err(error) if ours.committed && !self.stop.load(Ordering::Relaxed) => {
                    tracing::error!("cannot start again yet: {error}");
                    let reason = format!("the clients cannot be made anew: {error}");
                    stalls.waits_for(error.stall(), &reason, began.elapsed());
                    self.pause(backoff);
                    backoff = (backoff * 2).min(LAST_BACKOFF);
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            backoff = Duration::from_secs(1);
            stalls.clients_made(began.elapsed());
            self.telemetry.health.clients_made();
            let (config, telemetry, stop) = (&self.config, &self.telemetry, &*self.stop);
            let engine =
                Engine::new(config, telemetry, stop, secrets.renewed(), clients, ours.clone(), runtime.handle());
            let ran = engine.run(runtime.handle());
            counts.add(&ran.counts);
            let committed = ours.committed || ran.committed;
            ours = Inheritance { committed, patience: ran.patience, output_ids: ran.output_ids, breaker: ran.breaker };
            let failure = match ran.end {
                // Nobody asked it to stop but the watch.
                Ok(End::Stopped | End::TimedOut) if !self.stop.load(Ordering::Relaxed) => {
                    tracing::info!(unsealed = ran.unsealed, "secrets were renewed: the clients are made anew");
                    self.telemetry.metrics.client_rebuilt(Rebuild::Secrets);
                    continue;
                }
                Ok(end) => {
                    let held_back = ran.held_back;
                    return Ok(Summary { held_back, ..summary(end, counts, ran.unsealed, began) });
                }
                Err(failure) => failure,
            };
            match self.rebuild(&failure, &mut fenced_at) {
                Some(pause) => self.pause(pause),
                None => {
                    let told = self.why_not_again(&failure, fenced_at);
                    return Err(failure).context(told);
                }
            }
        }
    }

    /// Says what the clients are made anew for, and gives the pause before it. `None`: new ones are of no use.
    fn rebuild(&self, failure: &Failure, fenced_at: &mut Option<Instant>) -> Option<Duration> {
        let (reason, pause) = match failure {
            Failure::LimitsChanged(_) => {
                tracing::warn!("the clients are made anew: {failure}");
                (Rebuild::Limits, Duration::ZERO)
            }
            Failure::OutputMadeAnew { topic } => {
                tracing::warn!(topic, "the clients are made anew: {failure}");
                (Rebuild::Stuck, Duration::ZERO)
            }
            Failure::Stuck { road, stood } => {
                let since = (Utc::now() - *stood).to_rfc3339_opts(SecondsFormat::Secs, true);
                let (topic, partition) = road.partition().unzip();
                tracing::warn!(topic, partition, since, "the clients are made anew: {failure}");
                (Rebuild::Stuck, Duration::ZERO)
            }
            // A topic made anew is one of many causes: new clients mend it however often it comes.
            Failure::Fatal(trouble) if !errors::is_fenced(trouble.code) => {
                tracing::error!(code = %trouble.code, "the clients cannot go on and are made anew: {trouble}");
                (Rebuild::Fatal, between_one_and_five_seconds())
            }
            Failure::Fatal(trouble) if fenced_at.is_none_or(|at| at.elapsed() > FENCED_AGAIN) => {
                *fenced_at = Some(Instant::now());
                let why = self.who_fences(trouble.code);
                tracing::error!(code = %trouble.code, "the clients cannot go on and are made anew: {trouble}{why}");
                (Rebuild::Fenced, between_one_and_five_seconds())
            }
            Failure::Fatal(_)
            | Failure::LeftBehind(_)
            | Failure::Account(_)
            | Failure::Worker(_)
            | Failure::Position(_)
            | Failure::Refused { .. } => return None,
        };
        self.telemetry.metrics.client_rebuilt(reason);
        Some(pause)
    }

    /// Why the process ends instead.
    fn why_not_again(&self, failure: &Failure, fenced_at: Option<Instant>) -> String {
        match (failure, fenced_at) {
            (Failure::Fatal(trouble), Some(_)) if errors::is_fenced(trouble.code) => {
                format!("fenced again within a minute{}", self.who_fences(trouble.code))
            }
            _ => "the pipeline stopped".to_owned(),
        }
    }

    /// Who may have taken our place, and the cure. A transaction that the broker has timed out looks the same.
    fn who_fences(&self, code: RDKafkaErrorCode) -> String {
        if code == RDKafkaErrorCode::FencedInstanceId {
            return " (another process uses our input.group_instance_id: give each its own)".to_owned();
        }
        let id = start::transactional_id(&self.config);
        let timeout = show_duration(self.config.pipeline.transaction_timeout);
        format!(
            " (another process uses the transactional id {id}: give each deployment a prefix of its own in \
             pipeline.transactional_id; or the broker ended our transaction, which was open for longer than \
             pipeline.transaction_timeout, {timeout}, while it could not be reached)"
        )
    }

    fn stalls(&self, began: Instant) -> Stalls {
        Stalls::new(Arc::clone(&self.telemetry.metrics), Arc::clone(&self.telemetry.health), began)
    }

    fn runtime(&self) -> anyhow::Result<Runtime> {
        let workers = self.config.pipeline.worker_count();
        // The runtime panics when it gets no thread, which tells nobody what to change.
        threads_can_be_had(workers).with_context(|| {
            format!("start {workers} worker threads (lower pipeline.workers, or raise the limit of processes)")
        })?;
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(workers)
            .thread_name("worker")
            .build()
            .context("start the worker threads")
    }

    /// Waits, unless a stop is asked for.
    fn pause(&self, pause: Duration) {
        let until = Instant::now() + pause;
        while Instant::now() < until && !self.stop.load(Ordering::Relaxed) {
            // Waiting for a broker is turning.
            self.telemetry.health.turned();
            thread::park_timeout(until.saturating_duration_since(Instant::now()));
        }
    }
}

/// Whether so many threads can be started beside those that there are.
fn threads_can_be_had(count: usize) -> io::Result<()> {
    let (release, wait) = mpsc::channel::<()>();
    let wait = Arc::new(Mutex::new(wait));
    let mut started = Vec::with_capacity(count);
    let mut outcome = Ok(());
    for _ in 0..count {
        let wait = Arc::clone(&wait);
        let stay = move || drop(wait.lock().map(|wait| wait.recv()));
        match thread::Builder::new().name("worker".to_owned()).spawn(stay) {
            Ok(thread) => started.push(thread),
            Err(error) => {
                outcome = Err(error);
                break;
            }
        }
    }
    drop(release);
    for thread in started {
        // It does nothing that could panic.
        let _ = thread.join();
    }
    outcome
}

fn summary(end: End, counts: Counts, unsealed: u64, began: Instant) -> Summary {
    Summary { counts, end, unsealed, held_back: 0, elapsed: began.elapsed() }
}

/// Two that fence each other must not do it in step. The clock's last digits are random enough for that.
fn between_one_and_five_seconds() -> Duration {
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.subsec_nanos());
    Duration::from_secs(1) + Duration::from_millis(u64::from(nanos) / 1000 % 4000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_threads_as_can_be_had_are_had() {
        assert!(threads_can_be_had(8).is_ok());
    }
}
