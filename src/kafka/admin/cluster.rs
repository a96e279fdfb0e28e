//! The cluster, asked over the consumer's own connections: which broker answers, what our topics, group and settings
//! are. It judges nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer as _;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::metadata::{Metadata, MetadataBroker};

use super::refusal::Refusal;
use crate::config::Config;
use crate::kafka::clients::{Consumer, ConsumerEvents};
use crate::kafka::credentials::diagnosis;
use crate::kafka::ffi::{Ask, Group, Made, NewTopic, Settings, Topic};
use crate::kafka::patience::until_settled;

/// How long one question may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// How long the first question of a new client may take; doubles from there. In between the client is served.
const FIRST_TIMEOUT: Duration = Duration::from_millis(250);

/// For a new client to say what it has to say, its wish for a token included.
const SERVE: Duration = Duration::from_millis(20);

/// How long the group's coordinator may take to be there, and how long one broker may take to say whether it is that.
const COORDINATOR_TIMEOUT: Duration = Duration::from_secs(5);
const BROKER_TIMEOUT: Duration = Duration::from_secs(2);

/// Between two questions to a coordinator that is not ready.
const PAUSE: Duration = Duration::from_millis(100);

/// A cluster of which a broker has answered.
pub struct Cluster<'c> {
    consumer: &'c Consumer,
    servers: String,
    /// The questions go to this one, not to the controller, which may be away or, in the demo's embedded broker, not
    /// exist at all.
    broker: Option<i32>,
    brokers: Vec<i32>,
}

impl<'c> Cluster<'c> {
    /// Enters with a client that is new: it is polled meanwhile, so it must not have subscribed to anything. Why nobody
    /// lets us in is told as precisely as it can be learned; `stop` ends the waiting early.
    pub fn enter(consumer: &'c Consumer, config: &Config, stop: &AtomicBool) -> Result<Self, Refusal> {
        // Without one no broker would answer, and what is wrong with it is known better here.
        consumer.context().await_token(stop)?;
        let deadline = Instant::now() + TIMEOUT;
        let mut timeout = FIRST_TIMEOUT;
        let mut said = Vec::new();
        loop {
            while consumer.poll(SERVE).is_some() && Instant::now() < deadline {}
            let asked = ask(consumer, config, timeout);
            said.extend(consumer.context().take().unwrap_or_default().errors);
            match asked {
                Ok(metadata) => return Ok(Self::of(consumer, config, &metadata)),
                Err(source)
                    if diagnosis::is_final(&said) || Instant::now() >= deadline || stop.load(Ordering::Relaxed) =>
                {
                    return Err(diagnosis::refusal(config, &said, &source));
                }
                Err(_) => timeout = (timeout * 2).min(deadline.saturating_duration_since(Instant::now())),
            }
        }
    }

    /// Finds a broker that answers, with a client that is at work.
    pub fn reach(consumer: &'c Consumer, config: &Config) -> Result<Self, KafkaError> {
        ask(consumer, config, TIMEOUT).map(|metadata| Self::of(consumer, config, &metadata))
    }

    fn of(consumer: &'c Consumer, config: &Config, metadata: &Metadata) -> Self {
        let servers = config.kafka.bootstrap_servers.join(",");
        let known = |id: i32| metadata.brokers().iter().any(|broker| broker.id() == id);
        let answered = Some(metadata.orig_broker_id()).filter(|id| known(*id));
        let broker = answered.or_else(|| metadata.brokers().first().map(MetadataBroker::id));
        let brokers = metadata.brokers().iter().map(MetadataBroker::id).collect();
        Self { consumer, servers, broker, brokers }
    }

    /// How many brokers there are.
    pub fn brokers(&self) -> i32 {
        i32::try_from(self.brokers.len()).unwrap_or(i32::MAX)
    }

    /// What topics there are under these names.
    pub fn topics(&self, names: &[&str]) -> Result<Vec<Topic>, Refusal> {
        // A topic without leaders was made a moment ago.
        let leaderless = |topics: &Vec<Topic>| {
            topics.iter().find_map(|topic| topic.error.filter(|code| *code == RDKafkaErrorCode::LeaderNotAvailable))
        };
        let ask = || self.ask(self.broker, TIMEOUT).topics(names);
        let code = |answer: &Result<Vec<Topic>, RDKafkaErrorCode>| match answer {
            Ok(topics) => leaderless(topics),
            Err(code) => Some(*code),
        };
        until_settled(ask, code).map_err(|code| Refusal::Unreachable {
            servers: self.servers.clone(),
            reason: KafkaError::MetadataFetch(code).to_string(),
        })
    }

    /// The names of all topics that we may know of.
    pub fn names(&self) -> Result<Vec<String>, KafkaError> {
        let metadata = self.consumer.fetch_metadata(None, TIMEOUT)?;
        Ok(metadata.topics().iter().map(|topic| topic.name().to_owned()).collect())
    }

    /// The group, known or not. Its coordinator is found by asking each broker: a question to "the coordinator" of which
    /// the time is up ends the process when the coordinator answers later after all (librdkafka's issue 4605). A client
    /// that may not know of the group would get none anyway, while any broker says at once that it is not allowed.
    pub fn group(&self, name: &str) -> Result<Group, RDKafkaErrorCode> {
        let deadline = Instant::now() + COORDINATOR_TIMEOUT;
        loop {
            let mut outcome = Err(RDKafkaErrorCode::OperationTimedOut);
            for broker in self.brokers_by_turn() {
                let left = deadline.saturating_duration_since(Instant::now()).max(PAUSE);
                outcome = self.ask(Some(broker), left.min(BROKER_TIMEOUT)).group(name);
                match &outcome {
                    Ok(group) if group.error.is_none_or(|code| !is_passing(code)) => return outcome,
                    _ => {}
                }
            }
            if Instant::now() >= deadline {
                return outcome;
            }
            thread::sleep(PAUSE);
        }
    }

    /// All brokers, the one that answered first.
    fn brokers_by_turn(&self) -> impl Iterator<Item = i32> {
        let others = self.brokers.iter().copied().filter(|id| Some(*id) != self.broker);
        self.broker.into_iter().chain(others)
    }

    /// The settings of these topics, in their order.
    pub fn settings(&self, topics: &[&str]) -> Result<Vec<Settings>, RDKafkaErrorCode> {
        self.ask(self.broker, TIMEOUT).settings(topics)
    }

    /// The settings of the broker that answered first.
    pub fn broker_settings(&self) -> Result<BTreeMap<String, String>, RDKafkaErrorCode> {
        let broker = self.broker.ok_or(RDKafkaErrorCode::BrokerNotAvailable)?;
        self.ask(None, TIMEOUT).broker_settings(broker)
    }

    /// How many replicas the partition has that has the fewest; `None`: it could not be asked.
    pub fn replication(&self, topic: &str) -> Option<usize> {
        let metadata = self.consumer.fetch_metadata(Some(topic), TIMEOUT).ok()?;
        let partitions = metadata.topics().first()?.partitions();
        partitions.iter().map(|partition| partition.replicas().len()).min()
    }

    /// Makes topics; only the controller can.
    pub fn create(&self, topics: &[NewTopic]) -> Result<Vec<Made>, RDKafkaErrorCode> {
        self.ask(None, TIMEOUT).create(topics)
    }

    fn ask(&self, broker: Option<i32>, timeout: Duration) -> Ask<'c, ConsumerEvents> {
        Ask { client: self.consumer.client(), broker, timeout }
    }
}

/// Any topic would do: the brokers come with the answer. Without a topic it would be that of all topics.
fn ask(consumer: &Consumer, config: &Config, timeout: Duration) -> Result<Metadata, KafkaError> {
    let topic = config.input.topics.first().map_or(config.output.topic.as_str(), String::as_str);
    consumer.fetch_metadata(Some(topic), timeout)
}

impl fmt::Debug for Cluster<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster").field("servers", &self.servers).field("broker", &self.broker).finish_non_exhaustive()
    }
}

/// A coordinator is being elected, or made for the first group of a new cluster.
fn is_passing(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        code,
        Code::NotCoordinator
            | Code::CoordinatorNotAvailable
            | Code::CoordinatorLoadInProgress
            | Code::OperationTimedOut
    )
}
