//! The pipeline as a whole: a thread for the engine, a runtime for the workers, and what happens when the engine's
//! clients cannot go on.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use tokio::runtime::Runtime;

use super::account::Counts;
use super::decide::End;
use super::engine::{Engine, Failure};
use super::stalls::Stalls;
use super::start;
use super::start::StartError;
use crate::config::Config;
use crate::kafka::credentials::token::Tokens;
use crate::kafka::credentials::watch::Watch;
use crate::normalize::Settings;
use crate::telemetry::health::Health;
use crate::telemetry::metrics::{Metrics, Stall};

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
        let mut ever_committed = false;
        // What is waited for between two engines, which know their own causes alone.
        let mut waiting: Option<(Stall, Stalls)> = None;
        // One source of tokens for all engines of this life: a new one would begin without a token.
        let _tokens = Tokens::of(&self.config);
        let secrets = Watch::start(&self.config, thread::current()).context("watch the files of secrets")?;
        loop {
            if let Some(kafka) = secrets.take() {
                self.config.kafka = kafka;
            }
            let watch = start::Watch { stop: &self.stop, health: &self.telemetry.health };
            let clients = match start::clients(&self.config, self.options, self.settings.clone(), watch) {
                Ok(clients) => clients,
                Err(StartError::Stopped) => return Ok(summary(End::Stopped, counts, 0, began)),
                // A service does not die of a broker's bad day, once it has worked.
                Err(error) if ever_committed && !self.stop.load(Ordering::Relaxed) => {
                    tracing::error!("cannot start again yet: {error}");
                    let cause = error.stall();
                    if waiting.as_ref().is_none_or(|(known, _)| *known != cause) {
                        let mut stalls = self.stalls();
                        stalls.begin(cause, "the clients cannot be made anew", began.elapsed());
                        waiting = Some((cause, stalls));
                    }
                    self.pause(backoff);
                    backoff = (backoff * 2).min(LAST_BACKOFF);
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            backoff = Duration::from_secs(1);
            if let Some((cause, mut stalls)) = waiting.take() {
                stalls.end(cause, began.elapsed());
            }
            self.telemetry.health.clients_made();
            let (config, telemetry, stop) = (&self.config, &self.telemetry, &*self.stop);
            let engine =
                Engine::new(config, telemetry, stop, secrets.renewed(), clients, ever_committed, runtime.handle());
            let ran = engine.run(runtime.handle());
            counts.add(&ran.counts);
            ever_committed |= ran.committed;
            let failure = match ran.end {
                // Nobody asked it to stop but the watch.
                Ok(End::Stopped | End::TimedOut) if !self.stop.load(Ordering::Relaxed) => {
                    tracing::info!(unsealed = ran.unsealed, "secrets were renewed: the clients are made anew");
                    self.telemetry.metrics.client_rebuilt();
                    continue;
                }
                Ok(end) => {
                    let held_back = ran.held_back;
                    return Ok(Summary { held_back, ..summary(end, counts, ran.unsealed, began) });
                }
                Err(failure) => failure,
            };
            if let Failure::LimitsChanged(_) = &failure {
                tracing::warn!("the clients are made anew: {failure}");
                self.telemetry.metrics.client_rebuilt();
                continue;
            }
            if let Failure::Fatal(trouble) = &failure
                && fenced_at.is_none_or(|at| at.elapsed() > FENCED_AGAIN)
            {
                tracing::error!(code = %trouble.code, "the clients cannot go on and are made anew: {trouble}");
                self.telemetry.metrics.client_rebuilt();
                fenced_at = Some(Instant::now());
                self.pause(between_one_and_five_seconds());
                continue;
            }
            return Err(failure).context(match fenced_at {
                Some(_) => {
                    "the clients failed again within a minute (does another process use pipeline.transactional_id?)"
                }
                None => "the pipeline stopped",
            });
        }
    }

    fn stalls(&self) -> Stalls {
        Stalls::new(Arc::clone(&self.telemetry.metrics), Arc::clone(&self.telemetry.health))
    }

    fn runtime(&self) -> anyhow::Result<Runtime> {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(self.config.pipeline.worker_count())
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

fn summary(end: End, counts: Counts, unsealed: u64, began: Instant) -> Summary {
    Summary { counts, end, unsealed, held_back: 0, elapsed: began.elapsed() }
}

/// Two that fence each other must not do it in step. The clock's last digits are random enough for that.
fn between_one_and_five_seconds() -> Duration {
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.subsec_nanos());
    Duration::from_secs(1) + Duration::from_millis(u64::from(nanos) / 1000 % 4000)
}
