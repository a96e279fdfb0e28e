//! The two clients and what their callbacks note.
//!
//! Every callback runs on the thread that polls, the engine's, and only writes down what happened. What follows from
//! it is decided elsewhere, in turn.

pub mod clock;
pub mod cut;
pub mod out;
pub mod queues;
pub mod settings;
mod standalone;

use std::error::Error;
use std::mem;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::{FromClientConfigAndContext as _, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, DeliveryResult, ProducerContext};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientConfig, TopicPartitionList};

use self::cut::Cuts;
pub use self::standalone::Standalone;
use super::credentials::oidc::NotIssued;
use super::credentials::token::Tokens;
use crate::config::{Config, Delivery};
use crate::kafka::admin::limits::SizeLimits;
use crate::kafka::ffi::Login;

pub type Consumer = BaseConsumer<ConsumerEvents>;
pub type Producer = BaseProducer<ProducerEvents>;

/// The word by which librdkafka says that a connection was closed by the other side.
pub const CLOSED: &str = "Disconnected";

/// A change of the assignment that the group asks for and the engine has not carried out yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rebalance {
    pub change: Change,
    pub partitions: Vec<(String, i32)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    Assign,
    Revoke,
    /// Revoked too late: somebody else may own the partitions already.
    Lose,
}

/// What a client said beside its data.
#[derive(Clone, Debug)]
pub struct ClientError {
    pub code: RDKafkaErrorCode,
    pub reason: String,
}

#[derive(Debug, Default)]
struct ConsumerNotes {
    rebalances: Vec<Rebalance>,
    errors: Vec<ClientError>,
    statistics: Option<Vec<u8>>,
}

/// The consumer's side of the callbacks.
#[derive(Debug)]
pub struct ConsumerEvents {
    tokens: Tokens,
    pub(in crate::kafka) login: Login,
    notes: Mutex<ConsumerNotes>,
    noted: AtomicBool,
    logged: AtomicBool,
    closing: AtomicBool,
}

/// Everything noted since the last look.
#[derive(Debug, Default)]
pub struct Noted {
    pub rebalances: Vec<Rebalance>,
    pub errors: Vec<ClientError>,
    /// librdkafka's statistics, the newest, as JSON.
    pub statistics: Option<Vec<u8>>,
}

impl ConsumerEvents {
    /// For a client as the operator has set it.
    pub fn new(config: &Config, client: &ClientConfig) -> Self {
        Self {
            tokens: Tokens::of(config),
            login: Login::of(client),
            notes: Mutex::default(),
            noted: AtomicBool::new(false),
            logged: AtomicBool::new(false),
            closing: AtomicBool::new(false),
        }
    }

    /// Waits for the token that the client will ask for, where one is on its way; `stop` ends the waiting.
    pub fn await_token(&self, stop: &AtomicBool) -> Result<(), NotIssued> {
        self.tokens.await_first(stop)
    }

    /// Takes what was noted; cheap when nothing was.
    pub fn take(&self) -> Option<Noted> {
        if !self.noted.swap(false, Ordering::Relaxed) {
            return None;
        }
        // Not by the way of those that note.
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        Some(Noted {
            rebalances: mem::take(&mut notes.rebalances),
            errors: mem::take(&mut notes.errors),
            statistics: notes.statistics.take(),
        })
    }

    /// Whether a line of the log came since the last call: a poll that served one comes back empty, and there may be
    /// more behind it.
    pub fn take_logged(&self) -> bool {
        self.logged.swap(false, Ordering::Relaxed)
    }

    /// From here on a revocation is carried out in the callback: closing waits for it, and the engine turns no more.
    pub fn closing(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    fn notes(&self) -> MutexGuard<'_, ConsumerNotes> {
        self.noted.store(true, Ordering::Relaxed);
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for ConsumerEvents {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        self.tokens.now()
    }

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.logged.store(true, Ordering::Relaxed);
        log(level, "consumer", facility, message);
        if facility == "FAIL" && message.contains(CLOSED) {
            // No error comes of it, however soon after our first words it happens.
            let (code, reason) = (RDKafkaErrorCode::BrokerTransportFailure, message.to_owned());
            self.notes().errors.push(ClientError { code, reason });
        }
    }

    fn stats_raw(&self, statistics: &[u8]) {
        self.notes().statistics = Some(statistics.to_vec());
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.notes().errors.extend(client_error(&error, reason));
    }
}

impl ConsumerContext for ConsumerEvents {
    fn rebalance(&self, consumer: &Consumer, error: RDKafkaRespErr, partitions: &mut TopicPartitionList) {
        if self.closing.load(Ordering::Relaxed) {
            // Nothing can be done about a failure here: the client is about to be gone.
            let _ = match consumer.rebalance_protocol() {
                RebalanceProtocol::Cooperative => consumer.incremental_unassign(partitions),
                RebalanceProtocol::Eager | RebalanceProtocol::None => consumer.unassign(),
            };
            return;
        }
        let change = match error {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => Change::Assign,
            _ if consumer.assignment_lost() => Change::Lose,
            _ => Change::Revoke,
        };
        let partitions = partitions.elements().iter().map(|p| (p.topic().to_owned(), p.partition())).collect();
        self.notes().rebalances.push(Rebalance { change, partitions });
    }
}

/// Serves a client that asks now and then and reads nothing: by being polled it takes a token in place of one that runs out, and
/// gets rid of what it has to say, which nobody waits to hear.
pub fn serve(consumer: &Consumer) {
    let events = consumer.context();
    // A poll that served something comes back empty, and there may be more behind it.
    while consumer.poll(Duration::ZERO).is_some() || events.take().is_some() || events.take_logged() {}
}

/// A record that was not delivered, by the tag it was produced with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Undelivered {
    pub tag: usize,
    pub code: RDKafkaErrorCode,
}

#[derive(Debug, Default)]
struct ProducerNotes {
    undelivered: Vec<Undelivered>,
    errors: Vec<ClientError>,
    statistics: Option<Vec<u8>>,
}

/// The producer's side of the callbacks.
#[derive(Debug)]
pub struct ProducerEvents {
    tokens: Tokens,
    reported: AtomicUsize,
    notes: Mutex<ProducerNotes>,
    noted: AtomicBool,
    served: AtomicBool,
    cuts: Cuts,
    cut: AtomicBool,
    /// Somebody wants to read what is told in detail.
    detailed: bool,
}

/// The consumer, which notes what becomes of its assignment and its connections. As a member of the group when it subscribes,
/// and a client to ask with until then.
pub fn consumer(config: &Config) -> KafkaResult<Consumer> {
    consumer_with(&settings::consumer(config), config)
}

/// One that is set otherwise, and logs in as `config` says.
pub fn consumer_with(client: &ClientConfig, config: &Config) -> KafkaResult<Consumer> {
    Consumer::from_config_and_context(client, ConsumerEvents::new(config, client))
}

/// The producer, which notes what becomes of its records and its connections.
pub fn producer(config: &Config, transactional_id: &str, limits: SizeLimits) -> KafkaResult<Producer> {
    let mut client = settings::producer(config, transactional_id, limits);
    let events = ProducerEvents::new(config, &client);
    if config.pipeline.delivery == Delivery::ExactlyOnce {
        Cuts::ask_for(&mut client);
    }
    Producer::from_config_and_context(&client, events)
}

/// Everything that went wrong since the last look.
#[derive(Debug, Default)]
pub struct Troubles {
    pub undelivered: Vec<Undelivered>,
    pub errors: Vec<ClientError>,
    /// librdkafka's statistics, the newest, as JSON.
    pub statistics: Option<Vec<u8>>,
}

impl ProducerEvents {
    /// For a client as the operator has set it.
    pub fn new(config: &Config, client: &ClientConfig) -> Self {
        Self {
            tokens: Tokens::of(config),
            reported: AtomicUsize::new(0),
            notes: Mutex::default(),
            noted: AtomicBool::new(false),
            served: AtomicBool::new(false),
            cuts: Cuts::of(client),
            cut: AtomicBool::new(false),
            detailed: client.get("debug").is_some(),
        }
    }

    /// Whether requests of ours may still be on their way over a connection that has ended.
    pub fn was_cut(&self) -> bool {
        self.cut.load(Ordering::Relaxed)
    }

    /// The brokers know this producer from here on: nothing that was sent before can do harm.
    pub fn introduced(&self) {
        self.cut.store(false, Ordering::Relaxed);
    }

    /// How many records got their delivery report, good or bad, since the last call.
    pub fn take_reported(&self) -> usize {
        self.reported.swap(0, Ordering::Relaxed)
    }

    /// Whether a poll since the last call served something that is no delivery report: it comes back empty, and there may
    /// be more behind it.
    pub fn take_served(&self) -> bool {
        self.served.swap(false, Ordering::Relaxed)
    }

    /// Takes what went wrong; cheap when nothing did.
    pub fn take_troubles(&self) -> Option<Troubles> {
        if !self.noted.swap(false, Ordering::Relaxed) {
            return None;
        }
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        Some(Troubles {
            undelivered: mem::take(&mut notes.undelivered),
            errors: mem::take(&mut notes.errors),
            statistics: notes.statistics.take(),
        })
    }

    fn notes(&self) -> MutexGuard<'_, ProducerNotes> {
        self.noted.store(true, Ordering::Relaxed);
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for ProducerEvents {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        self.served.store(true, Ordering::Relaxed);
        self.tokens.now()
    }

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.served.store(true, Ordering::Relaxed);
        if self.cuts.tells_of_one(level, facility, message) {
            self.cut.store(true, Ordering::Relaxed);
        }
        if self.detailed || !matches!(level, RDKafkaLogLevel::Debug) {
            log(level, "producer", facility, message);
        }
    }

    fn stats_raw(&self, statistics: &[u8]) {
        self.served.store(true, Ordering::Relaxed);
        self.notes().statistics = Some(statistics.to_vec());
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.served.store(true, Ordering::Relaxed);
        self.notes().errors.extend(client_error(&error, reason));
    }
}

impl ProducerContext for ProducerEvents {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, tag: usize) {
        self.reported.fetch_add(1, Ordering::Relaxed);
        if let Err((error, _)) = result {
            let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown);
            self.notes().undelivered.push(Undelivered { tag, code });
        }
    }
}

fn client_error(error: &KafkaError, reason: &str) -> Option<ClientError> {
    let code = match error.rdkafka_error_code()? {
        // Since TLS 1.3 a broker refuses our certificate only after the handshake: it looks like a lost connection.
        RDKafkaErrorCode::BrokerTransportFailure if reason.contains("SSL alert number") => RDKafkaErrorCode::SSL,
        code => code,
    };
    Some(ClientError { code, reason: reason.to_owned() })
}

/// In ECS `client` is an object, and `kafka_client` nothing.
fn log(level: RDKafkaLogLevel, kafka_client: &'static str, facility: &str, message: &str) {
    match level {
        RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical | RDKafkaLogLevel::Error => {
            tracing::error!(target: "librdkafka", kafka_client, facility, "{message}");
        }
        RDKafkaLogLevel::Warning => tracing::warn!(target: "librdkafka", kafka_client, facility, "{message}"),
        RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => {
            tracing::info!(target: "librdkafka", kafka_client, facility, "{message}");
        }
        RDKafkaLogLevel::Debug => tracing::debug!(target: "librdkafka", kafka_client, facility, "{message}"),
    }
}
