//! From the configuration to clients that are ready: everything that can be found out before a record is moved is
//! found out here, and ends the program with a clear line.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer as _;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::Producer as _;
use thiserror::Error;

use super::Options;
use super::delivery::{Delivery, Trouble};
use super::ends::Ends;
use super::outlet::{Outlet, Output};
use super::positions::PositionError;
use super::stalls::Stalls;
use crate::config::Config;
use crate::kafka::admin::admission::admitted;
use crate::kafka::admin::cluster::Cluster;
use crate::kafka::admin::inspection::Inspection;
use crate::kafka::admin::limits::SizeLimits;
use crate::kafka::admin::refusal::{Refusal, Resource};
use crate::kafka::admin::topics::Partitions;
use crate::kafka::admin::{probe, topics};
use crate::kafka::clients::{self, Consumer, Producer};
use crate::kafka::errors;
use crate::kafka::errors::Class;
use crate::kafka::ffi::Operation;
use crate::normalize::{Normalizer, Settings};
use crate::telemetry::health::Health;
use crate::telemetry::metrics::Stall;

/// And for how long in silence.
const STALLED_AFTER: Duration = Duration::from_secs(5);

/// How long the coordinator of our transactions may take to answer.
const PREPARE_TIMEOUT: Duration = Duration::from_secs(60);

/// Why the pipeline did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// Each is a line of its own where people read it.
    #[error("{}", joined(.0))]
    Refused(Vec<Refusal>),
    #[error("a client cannot be made: {0}")]
    Client(KafkaError),
    #[error("a thread cannot be started: {0}")]
    Thread(#[from] io::Error),
    #[error("{reason} (check the credentials and the permissions of this service)")]
    Authorization { reason: String },
    #[error(transparent)]
    Trouble(#[from] Trouble),
    #[error(transparent)]
    Position(#[from] PositionError),
    #[error(
        "the coordinator of transactional id {id} did not answer within {} s (look at the brokers that hold \
         __transaction_state)",
        PREPARE_TIMEOUT.as_secs()
    )]
    NoCoordinator { id: String },
    #[error(
        "the broker does not allow transactions to stay open for pipeline.transaction_timeout (lower it, or raise the \
         broker's transaction.max.timeout.ms)"
    )]
    TransactionTimeout,
    #[error("stopped while starting")]
    Stopped,
}

impl StartError {
    /// What a service waits for that has worked before and cannot start again.
    pub fn stall(&self) -> Stall {
        match self {
            Self::Refused(refusals) => refusals.first().map_or(Stall::Brokers, waits_for),
            Self::Authorization { .. } => Stall::Authorization,
            Self::Trouble(Trouble { class: Class::Authorization, .. }) => Stall::Authorization,
            Self::Trouble(Trouble { class: Class::TopicMissing, .. }) => Stall::TopicMissing,
            Self::Client(_)
            | Self::Thread(_)
            | Self::Trouble(_)
            | Self::Position(_)
            | Self::NoCoordinator { .. }
            | Self::TransactionTimeout
            | Self::Stopped => Stall::Brokers,
        }
    }
}

fn waits_for(refusal: &Refusal) -> Stall {
    match refusal {
        Refusal::Unreachable { .. } | Refusal::Closed { .. } => Stall::Brokers,
        Refusal::LoginRefused { .. } | Refusal::NoTls { .. } | Refusal::NoToken(_) | Refusal::Denied { .. } => {
            Stall::Authorization
        }
        Refusal::TopicMissing { .. } => Stall::TopicMissing,
        Refusal::TopicUnusable { .. } | Refusal::TooFewPartitions { .. } | Refusal::Unsupported { .. } => Stall::Output,
    }
}

fn joined(refusals: &[Refusal]) -> String {
    refusals.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// Clients that are ready to work, and what was learned on the way.
pub struct Clients {
    pub consumer: Arc<Consumer>,
    pub outlet: Outlet,
    pub delivery: Delivery,
    pub normalizer: Arc<Normalizer>,
    /// Number of partitions of each input topic.
    pub partitions: HashMap<String, usize>,
    /// Where a bounded run ends.
    pub ends: Option<Ends>,
}

/// How a start that takes long stays in touch: whether it is still wanted, and who is told that it goes on.
#[derive(Clone, Copy, Debug)]
pub struct Watch<'a> {
    pub stop: &'a AtomicBool,
    pub health: &'a Health,
    pub stalls: &'a Stalls,
    /// Whether this is the start of the process, when a person still watches and nothing has been committed yet.
    pub first: bool,
}

/// Makes the clients and looks at the cluster. To be called on the thread that will run the engine: it is the one that
/// is woken.
pub fn clients(config: &Config, options: Options, settings: Settings, watch: Watch<'_>) -> Result<Clients, StartError> {
    let consumer = consumer(config)?;
    let cluster = Cluster::enter(&consumer, config, watch.stop).map_err(|refusal| refused(refusal, watch.stop))?;
    watch.health.turned();
    let found = admitted(&cluster, config).map_err(StartError::Refused)?;
    watch.health.turned();
    if watch.first {
        look(&consumer, &cluster, config, &found)?;
        watch.health.turned();
    }
    let limits = topics::size_limits(&cluster, config, None);
    let output = output(config, limits)?;
    let mut delivery = Delivery::new(&config.pipeline, &consumer, &output.producer)?;
    prepare(&mut delivery, &output.producer, config, watch)?;
    let ends = options.until_end.then(|| Ends::look_up(&consumer, &found.input)).transpose()?;
    let names: Vec<_> = config.input.topics.iter().map(String::as_str).collect();
    consumer.subscribe(&names).map_err(StartError::Client)?;
    let normalizer = Arc::new(Normalizer::new(settings));
    Ok(Clients {
        outlet: Outlet::new(output, limits, config, Arc::clone(&normalizer)),
        consumer,
        delivery,
        normalizer,
        partitions: found.input.into_iter().collect(),
        ends,
    })
}

/// What the brokers cannot do ends the start. What else they have to say against the configuration is said.
fn look(
    consumer: &Consumer,
    cluster: &Cluster<'_>,
    config: &Config,
    partitions: &Partitions,
) -> Result<(), StartError> {
    match probe::unsupported(config) {
        Ok(unsupported) if unsupported.is_empty() => {}
        Ok(unsupported) => return Err(StartError::Refused(unsupported)),
        Err(error) => tracing::info!("what the brokers can do is not checked: {error}"),
    }
    let mut found = Inspection::default();
    found.look(consumer, cluster, config, Some(partitions));
    for finding in &found.findings {
        tracing::warn!("{finding}");
    }
    for unchecked in &found.unchecked {
        tracing::info!("{unchecked}");
    }
    Ok(())
}

fn consumer(config: &Config) -> Result<Arc<Consumer>, StartError> {
    let mut consumer = clients::consumer(config).map_err(StartError::Client)?;
    let engine = std::thread::current();
    consumer.set_nonempty_callback(move || engine.unpark());
    Ok(Arc::new(consumer))
}

/// The producer with its topics, in the mode of the guarantee; not prepared yet.
pub fn output(config: &Config, limits: SizeLimits) -> Result<Output, Trouble> {
    let producer = clients::producer(config, &transactional_id(config), limits)
        .map_err(|error| Trouble::new("make the producer", error))?;
    Output::new(producer, config, &std::thread::current())
        .ok_or_else(|| Trouble::new("make the producer", KafkaError::Canceled))
}

pub fn transactional_id(config: &Config) -> String {
    config.transactional_id(&gethostname::gethostname().to_string_lossy())
}

/// Ends what an earlier process with our transactional id left open.
fn prepare(delivery: &mut Delivery, producer: &Producer, config: &Config, watch: Watch<'_>) -> Result<(), StartError> {
    let began = Instant::now();
    let deadline = began + PREPARE_TIMEOUT;
    while !delivery.prepare(producer).map_err(|trouble| unprepared(trouble, config))? {
        producer.poll(Duration::ZERO);
        let errors = producer.context().take_troubles().unwrap_or_default().errors;
        if let Some(error) = errors.into_iter().find(|error| errors::class(error.code) == Class::Authorization) {
            return Err(denied(error.code, config).unwrap_or(StartError::Authorization { reason: error.reason }));
        }
        // Waiting for a broker is turning.
        watch.health.turned();
        if began.elapsed() >= STALLED_AFTER && !watch.stalls.holds(Stall::Commit) {
            let reason = format!(
                "transactional id {} is not ready yet (what an earlier process with it left open is ended first; for \
                 longer than that: look at the brokers that hold __transaction_state)",
                transactional_id(config)
            );
            watch.stalls.begin(Stall::Commit, &reason, watch.stalls.now());
        }
        if watch.stop.load(Ordering::Relaxed) {
            return Err(StartError::Stopped);
        }
        if Instant::now() >= deadline {
            return Err(StartError::NoCoordinator { id: transactional_id(config) });
        }
    }
    watch.stalls.end(Stall::Commit, watch.stalls.now());
    Ok(())
}

/// The refusals that name no setting, in words that do.
fn unprepared(trouble: Trouble, config: &Config) -> StartError {
    match trouble.code {
        RDKafkaErrorCode::InvalidTransactionTimeout => StartError::TransactionTimeout,
        code => denied(code, config).unwrap_or(StartError::Trouble(trouble)),
    }
}

fn denied(code: RDKafkaErrorCode, config: &Config) -> Option<StartError> {
    (code == RDKafkaErrorCode::TransactionalIdAuthorizationFailed).then(|| {
        StartError::Refused(vec![Refusal::Denied {
            resource: Resource::TransactionalId(transactional_id(config)),
            operation: Operation::Write,
            key: "pipeline.transactional_id",
        }])
    })
}

/// Whoever is asked to stop has nothing more to explain.
fn refused(refusal: Refusal, stop: &AtomicBool) -> StartError {
    if stop.load(Ordering::Relaxed) { StartError::Stopped } else { StartError::Refused(vec![refusal]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_keeps_a_service_from_starting_again_has_its_cause() {
        let refused = |refusal| StartError::Refused(vec![refusal]).stall();
        let text = || "text".to_owned();
        let unreachable = Refusal::Unreachable { servers: text(), reason: text() };
        let no_tls = Refusal::NoTls { servers: text(), reason: text(), remedy: "" };
        assert_eq!(refused(unreachable), Stall::Brokers);
        assert_eq!(refused(no_tls), Stall::Authorization);
        assert_eq!(refused(Refusal::TopicMissing { topic: text(), key: "" }), Stall::TopicMissing);
        assert_eq!(StartError::Authorization { reason: text() }.stall(), Stall::Authorization);
        let denied = KafkaError::Global(RDKafkaErrorCode::Authentication);
        assert_eq!(StartError::Trouble(Trouble::new("commit", denied)).stall(), Stall::Authorization);
        assert_eq!(StartError::NoCoordinator { id: text() }.stall(), Stall::Brokers);
    }
}
