//! From the configuration to clients that are ready: everything that can be found out before a record is moved is
//! found out here, and ends the program with a clear line.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::Consumer as _;
use rdkafka::error::KafkaError;
use rdkafka::producer::Producer as _;
use thiserror::Error;
use tokio::runtime::Handle;

use super::Options;
use super::delivery::{Delivery, Trouble};
use super::ends::Ends;
use super::outlet::{Outlet, Output};
use super::positions::PositionError;
use crate::config::{Config, Partition};
use crate::kafka::clients::{Consumer, ConsumerEvents, Producer, ProducerEvents};
use crate::kafka::errors::{self, Class};
use crate::kafka::limits::SizeLimits;
use crate::kafka::settings;
use crate::kafka::topics::{self, TopicError};
use crate::normalize::{Normalizer, Settings};

/// How long the coordinator of our transactions may take to answer.
const PREPARE_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a consumer that got no answer is asked for the reason.
const REASON_TIMEOUT: Duration = Duration::from_secs(1);

/// Why the pipeline did not start.
#[derive(Debug, Error)]
pub enum StartError {
    #[error("{}", lines(.0))]
    Topics(Vec<TopicError>),
    #[error("a client cannot be made: {0}")]
    Client(KafkaError),
    #[error("{reason} (check the credentials and the permissions of this service)")]
    Authorization { reason: String },
    #[error("{0}")]
    Trouble(#[from] Trouble),
    #[error("{0}")]
    Position(#[from] PositionError),
    #[error("the transaction coordinator did not answer within {} s (is the cluster healthy?)", PREPARE_TIMEOUT.as_secs())]
    NoCoordinator,
    #[error("stopped while starting")]
    Stopped,
}

fn lines(errors: &[TopicError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
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

/// Makes the clients and looks at the cluster. To be called on the thread that will run the engine: it is the one that
/// is woken.
pub fn clients(
    config: &Config,
    options: Options,
    settings: Settings,
    stop: &AtomicBool,
    runtime: &Handle,
) -> Result<Clients, StartError> {
    let consumer = consumer(config)?;
    let found = topics::look_up(&consumer, config).map_err(|errors| explain(&consumer, errors))?;
    if config.output.partition == Partition::Source {
        found.carry_over(config).map_err(StartError::Topics)?;
    }
    let limits = topics::size_limits(config, runtime);
    let output = output(config, limits)?;
    let delivery = Delivery::new(config.pipeline.delivery, &consumer);
    prepare(&delivery, &output.producer, stop)?;
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

fn consumer(config: &Config) -> Result<Arc<Consumer>, StartError> {
    let mut consumer = Consumer::from_config_and_context(&settings::consumer(config), ConsumerEvents::default())
        .map_err(StartError::Client)?;
    let engine = std::thread::current();
    consumer.set_nonempty_callback(move || engine.unpark());
    Ok(Arc::new(consumer))
}

/// The producer with its topics, in the mode of the guarantee; not prepared yet.
pub fn output(config: &Config, limits: SizeLimits) -> Result<Output, Trouble> {
    let hostname = gethostname::gethostname();
    let id = settings::transactional_id(config, &hostname.to_string_lossy());
    let settings = settings::producer(config, &id, limits);
    let producer = Producer::from_config_and_context(&settings, ProducerEvents::default())
        .map_err(|error| Trouble::new("make the producer", error))?;
    Output::new(producer, config, &std::thread::current())
        .ok_or_else(|| Trouble::new("make the producer", KafkaError::Canceled))
}

/// Ends what an earlier process with our transactional id left open.
fn prepare(delivery: &Delivery, producer: &Producer, stop: &AtomicBool) -> Result<(), StartError> {
    let deadline = Instant::now() + PREPARE_TIMEOUT;
    while !delivery.prepare(producer)? {
        producer.poll(Duration::ZERO);
        let errors = producer.context().take_troubles().unwrap_or_default().errors;
        if let Some(error) = errors.into_iter().find(|error| errors::class(error.code) == Class::Authorization) {
            return Err(StartError::Authorization { reason: error.reason });
        }
        if stop.load(Ordering::Relaxed) {
            return Err(StartError::Stopped);
        }
        if Instant::now() >= deadline {
            return Err(StartError::NoCoordinator);
        }
    }
    Ok(())
}

/// A client that is not let in sees brokers that do not answer; the reason comes by another way.
fn explain(consumer: &Consumer, errors: Vec<TopicError>) -> StartError {
    if errors.iter().any(|error| matches!(error, TopicError::Unreachable { .. })) {
        // What comes back is nothing: no partition is assigned yet.
        let _ = consumer.poll(REASON_TIMEOUT);
        let noted = consumer.context().take().unwrap_or_default();
        if let Some(error) = noted.errors.into_iter().find(|error| errors::class(error.code) == Class::Authorization) {
            return StartError::Authorization { reason: error.reason };
        }
    }
    StartError::Topics(errors)
}
