//! `run`: the service, until it is stopped or, with `--until-end`, done.

use std::io::{self, IsTerminal as _, Write as _};
use std::panic;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::interval;

use super::Exit;
use crate::cli::RunArgs;
use crate::config::{Config, mapping};
use crate::kafka::ffi;
use crate::pipeline::{End, Options, Service, Summary, Telemetry};
use crate::telemetry::health::Health;
use crate::telemetry::metrics::Metrics;
use crate::telemetry::summary;
use crate::telemetry::summary::Audience;
use crate::telemetry::{http, logs};

/// How often the end of the engine is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What the engine may take beyond its deadline for undoing and leaving.
const LEAVING: Duration = Duration::from_secs(12);

pub fn run(args: &RunArgs, config: &Config) -> anyhow::Result<Exit> {
    end_when_a_vital_thread_panics();
    let telemetry = Telemetry { metrics: Arc::new(Metrics::new()), health: Arc::new(Health::new()) };
    telemetry.metrics.memory_budget_bytes.set(config.pipeline.memory_budget.bytes().cast_signed());
    let server = http::serve(config.http.listen, Arc::clone(&telemetry.health), Arc::clone(&telemetry.metrics))
        .with_context(|| {
            format!("listen on http.listen = {} (set http.listen to another address or port)", config.http.listen)
        })?;
    tracing::info!(listen = %server.local_addr(), delivery = ?config.pipeline.delivery, "starting");
    let options = Options { until_end: args.until_end };
    let reporter = Reporter::new(&telemetry);
    let service =
        Service::start(config, mapping::settings(config), options, telemetry).context("start the engine thread")?;
    let summary = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("start listening for signals")?
        .block_on(until_end(service, reporter, config.pipeline.shutdown_timeout + LEAVING));
    server.stop();
    let summary = summary?;
    tell(&summary);
    Ok(match summary.end {
        // Each was told in a line of its own.
        End::Finished if summary.held_back > 0 => Exit::Findings,
        End::Finished | End::Stopped => Exit::Done,
        End::TimedOut => Exit::Failed,
    })
}

/// Tells how it goes while the engine is at work: the probes by the health, people by summaries.
struct Reporter {
    health: Arc<Health>,
    summary: summary::Summary,
}

impl Reporter {
    fn new(telemetry: &Telemetry) -> Self {
        let audience = if logs::has_status_line() { Audience::Terminal } else { Audience::Log };
        let health = Arc::clone(&telemetry.health);
        Self { summary: summary::Summary::new(Arc::clone(&telemetry.metrics), Arc::clone(&health), audience), health }
    }
}

/// Ends the process with nothing more sealed, but with its last lines said.
fn end_at_once(code: i32) -> ! {
    logs::status(None);
    logs::flush();
    ffi::leave_process(code)
}

/// The threads without which nothing is done any more, by their names.
const VITAL: [&str; 3] = ["engine", "worker", "offset-sender"];

/// Once the engine or a worker has panicked, nothing of the process is worth keeping, and whoever unwinds may wait for
/// what never comes: it ends with the line that says why, and is started again.
pub fn end_when_a_vital_thread_panics() {
    let say = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        say(panic);
        if thread::current().name().is_some_and(|name| VITAL.contains(&name)) {
            tracing::error!("a part of the service has panicked: it ends; what was not sealed will be repeated");
            end_at_once(1);
        }
    }));
}

/// Waits for the engine. The first signal asks it to stop, the second ends the process on the spot.
async fn until_end(service: Service, mut reporter: Reporter, patience: Duration) -> anyhow::Result<Summary> {
    let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
    let mut looks = interval(LOOK_EVERY);
    let mut asked = None;
    while !service.is_finished() {
        let code = tokio::select! {
            _ = terminate.recv() => 143,
            _ = interrupt.recv() => 130,
            _ = looks.tick() => {
                reporter.summary.look();
                logs::tell_counts();
                // The engine keeps the deadline itself, unless a call into the client does not come back.
                if asked.is_some_and(|at: Instant| at.elapsed() > patience) {
                    tracing::error!("shutdown_timeout passed and the client does not answer: ending unsealed");
                    end_at_once(1);
                }
                continue;
            }
        };
        if asked.is_some() {
            tracing::warn!("second signal: ending at once, nothing more is sealed");
            end_at_once(code);
        }
        asked = Some(Instant::now());
        tracing::info!("asked to stop: finishing what was taken");
        // At once, whatever the engine is waiting for: nobody should be sent here any more.
        reporter.health.stopping();
        service.stop();
    }
    service.join()
}

/// The account at the end of a run.
fn tell(summary: &Summary) {
    let Summary { counts, end, unsealed, elapsed, .. } = summary;
    tracing::info!(
        polled = counts.polled,
        delivered = counts.delivered,
        dead_lettered = counts.dead_lettered,
        skipped = counts.skipped,
        abandoned = counts.abandoned,
        seconds = elapsed.as_secs_f64(),
        "account at the end"
    );
    if *end == End::TimedOut {
        tracing::error!(to_be_repeated = unsealed, "shutdown_timeout passed before everything was sealed");
    }
    if io::stdout().is_terminal() {
        logs::flush();
        // A terminal that is gone is no reason to fail.
        let _ = writeln!(io::stdout(), "{}", account(summary));
    }
}

/// One line: `polled = delivered + dead-lettered + skipped`, and what was given back.
fn account(summary: &Summary) -> String {
    let counts = &summary.counts;
    let seconds = summary.elapsed.as_secs_f64();
    format!(
        "polled {} = delivered {} + dead-lettered {} + skipped {} (+ abandoned {}) in {seconds:.1} s",
        counts.polled, counts.delivered, counts.dead_lettered, counts.skipped, counts.abandoned
    )
}
