//! Settings as the program runs on them: parsed, validated, typed. How they are read is no concern of this file's readers.

mod types;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};

pub use types::{ByteSize, Secret};

use crate::normalize::Profile;

#[derive(Clone, Debug, Default)]
pub struct Config {
    pub kafka: Kafka,
    pub input: Input,
    pub output: Output,
    pub dead_letters: DeadLetters,
    pub normalize: Normalize,
    pub ecs: Ecs,
    pub pipeline: Pipeline,
    pub http: Http,
    pub log: Log,
}

#[derive(Clone, Debug)]
pub struct Kafka {
    pub bootstrap_servers: Vec<String>,
    pub client_id: String,
    pub security: Security,
    pub tls: Tls,
    pub sasl: Sasl,
    pub properties: BTreeMap<String, String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Security {
    #[default]
    Plaintext,
    Tls,
    SaslPlaintext,
    SaslTls,
}

#[derive(Clone, Debug, Default)]
pub struct Tls {
    pub ca_file: Option<PathBuf>,
    pub certificate_file: Option<PathBuf>,
    pub key_file: Option<PathBuf>,
    pub key_password: Option<Secret>,
}

#[derive(Clone, Debug, Default)]
pub struct Sasl {
    pub mechanism: Option<Mechanism>,
    pub username: Option<String>,
    pub password: Option<Secret>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    Plain,
    ScramSha256,
    ScramSha512,
    OauthBearer,
}

#[derive(Clone, Debug)]
pub struct Input {
    pub topics: Vec<String>,
    pub group: String,
    pub group_protocol: GroupProtocol,
    pub group_instance_id: Option<String>,
    pub start: Start,
    pub session_timeout: Duration,
    pub max_traces: u32,
    pub max_payload_bytes: ByteSize,
    pub properties: BTreeMap<String, String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GroupProtocol {
    #[default]
    Classic,
    Consumer,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    #[default]
    Earliest,
    Latest,
    Error,
    At(DateTime<Utc>),
}

#[derive(Clone, Debug)]
pub struct Output {
    pub topic: String,
    pub partition: Partition,
    pub timestamp: Timestamp,
    pub source_header: bool,
    pub compression: Compression,
    pub properties: BTreeMap<String, String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Partition {
    #[default]
    Key,
    Source,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Timestamp {
    #[default]
    Source,
    Now,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    #[default]
    Lz4,
    Zstd,
    Snappy,
    Gzip,
    None,
}

#[derive(Clone, Debug)]
pub struct DeadLetters {
    pub topic: String,
}

#[derive(Clone, Debug, Default)]
pub struct Normalize {
    pub profile: Profile,
    pub organization: Option<String>,
}

#[derive(Clone, Debug)]
pub struct Ecs {
    pub local_domains: Vec<String>,
    pub include_original: bool,
}

#[derive(Clone, Debug)]
pub struct Pipeline {
    pub delivery: Delivery,
    /// `None`: chosen from the CPUs that the process may use.
    pub workers: Option<u32>,
    pub memory_budget: ByteSize,
    pub commit_interval: Duration,
    pub transactional_id: String,
    pub transaction_timeout: Duration,
    pub shutdown_timeout: Duration,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Delivery {
    #[default]
    ExactlyOnce,
    AtLeastOnce,
}

#[derive(Clone, Debug)]
pub struct Http {
    pub listen: std::net::SocketAddr,
}

#[derive(Clone, Debug, Default)]
pub struct Log {
    pub format: LogFormat,
    pub level: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    #[default]
    Auto,
    Text,
    Json,
}

impl Default for Kafka {
    fn default() -> Self {
        Self {
            bootstrap_servers: vec!["localhost:9092".to_owned()],
            client_id: "messagetrace-ecs".to_owned(),
            security: Security::default(),
            tls: Tls::default(),
            sasl: Sasl::default(),
            properties: BTreeMap::new(),
        }
    }
}

impl Default for Input {
    fn default() -> Self {
        Self {
            topics: vec!["messagetrace.raw".to_owned()],
            group: "messagetrace-ecs".to_owned(),
            group_protocol: GroupProtocol::default(),
            group_instance_id: None,
            start: Start::default(),
            session_timeout: Duration::from_secs(20),
            max_traces: 20_000,
            max_payload_bytes: ByteSize::mib(8),
            properties: BTreeMap::new(),
        }
    }
}

impl Default for Output {
    fn default() -> Self {
        Self {
            topic: "messagetrace.ecs".to_owned(),
            partition: Partition::default(),
            timestamp: Timestamp::default(),
            source_header: true,
            compression: Compression::default(),
            properties: BTreeMap::new(),
        }
    }
}

impl Default for DeadLetters {
    fn default() -> Self {
        Self { topic: "messagetrace.dlq".to_owned() }
    }
}

impl Default for Ecs {
    fn default() -> Self {
        Self { local_domains: Vec::new(), include_original: true }
    }
}

impl Default for Pipeline {
    fn default() -> Self {
        Self {
            delivery: Delivery::default(),
            workers: None,
            memory_budget: ByteSize::mib(128),
            commit_interval: Duration::from_millis(500),
            transactional_id: "{group}-{hostname}-{port}".to_owned(),
            transaction_timeout: Duration::from_secs(30),
            shutdown_timeout: Duration::from_secs(25),
        }
    }
}

impl Default for Http {
    fn default() -> Self {
        Self { listen: ([0, 0, 0, 0], 8080).into() }
    }
}
