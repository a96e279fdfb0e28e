//! What only a try can tell: whether the transactional id may be used, and how much of the protocol the brokers speak.
//! Neither changes anything in the cluster.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::{FromClientConfigAndContext as _, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, DeliveryResult, Producer as _, ProducerContext};

use super::limits::{DEFAULT_MAX_MESSAGE_BYTES, SizeLimits};
use super::refusal::{Refusal, Resource};
use crate::config::{Compression, Config, Delivery, GroupProtocol};
use crate::kafka::clients::settings;
use crate::kafka::credentials::token::Tokens;
use crate::kafka::errors;
use crate::kafka::ffi::Operation;

const TIMEOUT: Duration = Duration::from_secs(10);

/// For a client to say what it has to say: it is there already, and comes in turn.
const LOG_POLL: Duration = Duration::from_millis(20);

/// How often that is waited for at most.
const LOG_POLLS: usize = 50;

/// Longer than brokers allow, in milliseconds. A broker looks at the permission first, then at this, and only then at
/// the id: so a service that works with the same id is not fenced.
const REFUSED_TIMEOUT_MS: i32 = i32::MAX;

/// Kafka's numbers of the requests without which there is no idempotent producer, and no transaction.
const INIT_PRODUCER_ID: i16 = 22;
const OF_TRANSACTIONS: [i16; 5] = [INIT_PRODUCER_ID, 24, 25, 26, TXN_OFFSET_COMMIT.0];

/// The same of those that need a minimum version, with it.
const TXN_OFFSET_COMMIT: (i16, i16) = (28, 3);
const PRODUCE_ZSTD: (i16, i16) = (0, 7);
/// Brokers of 3.7 to 3.9 tell of the first version of this one, as a preview that is switched off, and refuse whoever uses it.
const CONSUMER_GROUP_HEARTBEAT: (i16, i16) = (68, 1);

/// Whether the transactional id may be used; with the reason when not.
pub fn transactional_id(config: &Config) -> Result<(), String> {
    let id = config.transactional_id(&gethostname::gethostname().to_string_lossy());
    let limits = SizeLimits::new(DEFAULT_MAX_MESSAGE_BYTES, DEFAULT_MAX_MESSAGE_BYTES);
    let mut client = settings::producer(config, &id, limits);
    client.set("transaction.timeout.ms", REFUSED_TIMEOUT_MS.to_string());
    let tried =
        BaseProducer::from_config_and_context(&client, Quiet::new(config)).and_then(|producer: BaseProducer<Quiet>| {
            // Gives it the token that it may have asked for.
            producer.poll(LOG_POLL);
            producer.init_transactions(TIMEOUT)
        });
    match tried.as_ref().map_err(errors::code) {
        Ok(()) | Err(RDKafkaErrorCode::InvalidTransactionTimeout) => Ok(()),
        Err(RDKafkaErrorCode::TransactionalIdAuthorizationFailed) => {
            let (resource, key) = (Resource::TransactionalId(id), "pipeline.transactional_id");
            Err(Refusal::Denied { resource, operation: Operation::Write, key }.to_string())
        }
        Err(code) => Err(format!(
            "transactional id {id} cannot be used: {code} (look at the brokers that hold __transaction_state)"
        )),
    }
}

/// What the configuration needs and the brokers do not have. Services that speak Kafka have a part of it, old brokers
/// too.
pub fn unsupported(config: &Config) -> Result<Vec<Refusal>, KafkaError> {
    versions(config).map(|versions| judge(config, &versions))
}

fn judge(config: &Config, versions: &Versions) -> Vec<Refusal> {
    // A broker that told nothing proves nothing.
    if versions.is_empty() {
        return Vec::new();
    }
    let has = |request: i16| versions.contains_key(&request);
    let lacks = |(request, version): (i16, i16)| versions.get(&request).is_none_or(|newest| *newest < version);
    let mut refusals = Vec::new();
    let mut add = |what, remedy| refusals.push(Refusal::Unsupported { what, remedy });
    match config.pipeline.delivery {
        Delivery::ExactlyOnce if !OF_TRANSACTIONS.into_iter().all(has) => add(
            "have no transactions, which pipeline.delivery = \"exactly_once\" needs",
            "set pipeline.delivery to \"at_least_once\"",
        ),
        Delivery::ExactlyOnce if lacks(TXN_OFFSET_COMMIT) => add(
            "are too old for pipeline.delivery = \"exactly_once\"",
            "it needs Kafka 2.5; set pipeline.delivery to \"at_least_once\"",
        ),
        Delivery::AtLeastOnce if !has(INIT_PRODUCER_ID) => add(
            "have no idempotent producer, which either pipeline.delivery needs",
            "it needs Kafka 0.11, or a service that has it",
        ),
        Delivery::ExactlyOnce | Delivery::AtLeastOnce => {}
    }
    if config.input.group_protocol == GroupProtocol::Consumer && lacks(CONSUMER_GROUP_HEARTBEAT) {
        add(
            "are too old for input.group_protocol = \"consumer\"",
            "it needs Kafka 4.0; set input.group_protocol to \"classic\"",
        );
    }
    if config.output.compression == Compression::Zstd && lacks(PRODUCE_ZSTD) {
        add(
            "do not take the codec of output.compression = \"zstd\"",
            "it needs Kafka 2.1; set output.compression to \"lz4\" or \"gzip\"",
        );
    }
    refusals
}

/// The newest version of each request that a broker understands, by the request's number.
type Versions = BTreeMap<i16, i16>;

/// Asks for them. librdkafka is told when it connects, and tells it in its log only.
fn versions(config: &Config) -> Result<Versions, KafkaError> {
    let mut client = settings::consumer(config);
    client.set("debug", "feature").set_log_level(RDKafkaLogLevel::Debug);
    let consumer = BaseConsumer::from_config_and_context(&client, Quiet::new(config))?;
    // Gives it the token that it may have asked for; the log of the way in is read below.
    let _ = consumer.poll(LOG_POLL);
    consumer.fetch_metadata(config.input.topics.first().map(String::as_str), TIMEOUT)?;
    // The log waits in the client's queue until it is polled. It is read to its end when a poll brings nothing more.
    let told = || consumer.context().versions.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let mut known = told();
    for _ in 0..LOG_POLLS {
        let _ = consumer.poll(LOG_POLL);
        let now = told();
        if !now.is_empty() && now.len() == known.len() {
            break;
        }
        known = now;
    }
    Ok(told())
}

/// `[…]:   ApiKey Produce (0) Versions 0..12`
fn version(line: &str) -> Option<(i16, i16)> {
    let (_, told) = line.split_once("ApiKey ")?;
    let (_, number) = told.split_once('(')?;
    let (request, versions) = number.split_once(") Versions ")?;
    let (_, newest) = versions.split_once("..")?;
    Some((request.parse().ok()?, newest.trim().parse().ok()?))
}

/// A client that says nothing but notes the versions it is told.
struct Quiet {
    tokens: Tokens,
    versions: Mutex<Versions>,
}

impl Quiet {
    fn new(config: &Config) -> Self {
        Self { tokens: Tokens::of(config), versions: Mutex::default() }
    }
}

impl ClientContext for Quiet {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        self.tokens.now()
    }

    fn log(&self, _: RDKafkaLogLevel, facility: &str, message: &str) {
        if let Some((request, newest)) = version(message) {
            let mut versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
            // Of several brokers the oldest counts.
            versions.entry(request).and_modify(|known| *known = newest.min(*known)).or_insert(newest);
        } else {
            tracing::debug!(target: "librdkafka", kafka_client = "probe", facility, "{message}");
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: "librdkafka", kafka_client = "probe", %error, "{reason}");
    }
}

impl ConsumerContext for Quiet {}

impl ProducerContext for Quiet {
    type DeliveryOpaque = ();

    fn delivery(&self, _: &DeliveryResult<'_>, (): Self::DeliveryOpaque) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::embedded;

    #[test]
    fn a_broker_tells_its_versions() {
        let (_broker, config) = embedded::broker();
        let versions = versions(&config).expect("ask the embedded broker");
        let (request, version) = TXN_OFFSET_COMMIT;
        assert_eq!(versions.get(&request), Some(&version), "{versions:?}");
    }

    #[test]
    fn what_the_brokers_do_not_have_is_named_with_the_setting() {
        use {Compression::Lz4, Compression::Zstd, Delivery::AtLeastOnce, Delivery::ExactlyOnce};
        use {GroupProtocol::Classic, GroupProtocol::Consumer};
        let all: Versions = [(0, 13), (22, 5), (24, 5), (25, 4), (26, 5), (28, 5), (68, 1)].into();
        let without = |requests: &[i16]| {
            let mut versions = all.clone();
            versions.retain(|request, _| !requests.contains(request));
            versions
        };
        let with = |(request, version)| {
            let mut versions = all.clone();
            versions.insert(request, version);
            versions
        };
        let (delivery, codec, group) = ("pipeline.delivery", "output.compression", "input.group_protocol");
        let cases = [
            (ExactlyOnce, Zstd, Consumer, all.clone(), vec![]),
            (ExactlyOnce, Lz4, Classic, without(&[22, 24, 25, 26, 28, 68]), vec![delivery]),
            (ExactlyOnce, Lz4, Classic, without(&[25]), vec![delivery]),
            (ExactlyOnce, Lz4, Classic, with((28, 2)), vec![delivery]),
            (AtLeastOnce, Lz4, Classic, without(&[24, 25, 26, 28, 68]), vec![]),
            (AtLeastOnce, Lz4, Classic, without(&[22]), vec![delivery]),
            (AtLeastOnce, Zstd, Consumer, with((0, 6)), vec![codec]),
            (ExactlyOnce, Zstd, Consumer, [(0, 6)].into(), vec![delivery, group, codec]),
            (ExactlyOnce, Zstd, Consumer, Versions::new(), vec![]),
        ];
        for (guarantee, compression, protocol, versions, named) in cases {
            let mut config = Config::default();
            config.pipeline.delivery = guarantee;
            config.output.compression = compression;
            config.input.group_protocol = protocol;
            let lines: Vec<_> = judge(&config, &versions).iter().map(ToString::to_string).collect();
            assert_eq!(lines.len(), named.len(), "{guarantee:?} {versions:?}: {lines:?}");
            assert!(lines.iter().zip(named).all(|(line, named)| line.contains(named)), "{lines:?}");
        }
    }

    #[test]
    fn versions_are_read_from_the_librarys_log() {
        let cases = [
            ("[thrd:a/bootstrap]: a/1:   ApiKey TxnOffsetCommit (28) Versions 0..5", Some((28, 5))),
            ("[thrd:main]: ApiKey Unknown-99? (99) Versions 0..0", Some((99, 0))),
            ("[thrd:main]:  Feature ApiVersion: ApiVersion (0..0) supported by broker", None),
            ("", None),
        ];
        for (line, expected) in cases {
            assert_eq!(version(line), expected, "{line}");
        }
    }
}
