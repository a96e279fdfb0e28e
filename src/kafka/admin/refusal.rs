//! Why the service cannot work with the cluster as it is: one line each, naming what is wrong and the remedy.

use std::fmt;

use rdkafka::error::RDKafkaErrorCode;
use thiserror::Error;

use crate::kafka::credentials::oidc::NotIssued;
use crate::kafka::ffi::Operation;

#[derive(Clone, Debug, Error)]
pub enum Refusal {
    #[error(
        "no broker of {servers} answered: {reason} (check kafka.bootstrap_servers, kafka.security and the network)"
    )]
    Unreachable { servers: String, reason: String },
    #[error("the brokers at {servers} close the connection: {reason} ({remedy})")]
    Closed { servers: String, reason: String, remedy: &'static str },
    #[error("the brokers at {servers} refuse the login: {reason} ({remedy})")]
    LoginRefused { servers: String, reason: String, remedy: &'static str },
    #[error("no TLS with the brokers at {servers}: {reason} ({remedy})")]
    NoTls { servers: String, reason: String, remedy: &'static str },
    #[error(transparent)]
    NoToken(#[from] NotIssued),
    #[error("topic {topic} does not exist ({}, or correct {key})", creation(key))]
    TopicMissing { topic: String, key: &'static str },
    #[error("topic {topic} cannot be used: {code} (look at the brokers that hold it, and try again)")]
    TopicUnusable { topic: String, code: RDKafkaErrorCode },
    #[error(
        "topic {topic} has {found} partitions, fewer than the {needed} of {input} (output.partition = \"source\" writes to \
         the partition it read from: add partitions, or use \"key\")"
    )]
    TooFewPartitions { topic: String, found: usize, needed: usize, input: String },
    #[error("the brokers {what} ({remedy})")]
    Unsupported { what: &'static str, remedy: &'static str },
    #[error("no permission: {operation} on {resource} (grant it to this service's user, or correct {key})")]
    Denied { resource: Resource, operation: Operation, key: &'static str },
}

/// How to make a topic that is missing: those of the configuration we make ourselves.
fn creation(key: &str) -> &'static str {
    if key.starts_with("--") { "create it" } else { "create it: messagetrace-ecs topics --create" }
}

impl Refusal {
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "unreachable",
            Self::Closed { .. } => "closed",
            Self::LoginRefused { .. } => "login_refused",
            Self::NoTls { .. } => "no_tls",
            Self::NoToken(_) => "no_token",
            Self::TopicMissing { .. } => "topic_missing",
            Self::TopicUnusable { .. } => "topic_unusable",
            Self::TooFewPartitions { .. } => "too_few_partitions",
            Self::Unsupported { .. } => "unsupported",
            Self::Denied { .. } => "denied",
        }
    }
}

/// All that was wrong with the topics, at once.
#[derive(Clone, Debug)]
pub struct Refusals(pub Vec<Refusal>);

impl fmt::Display for Refusals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let refusals: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&refusals.join("; "))
    }
}

impl std::error::Error for Refusals {}

/// What access rules are about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resource {
    Topic(String),
    Group(String),
    TransactionalId(String),
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Topic(name) => write!(f, "topic {name}"),
            Self::Group(name) => write!(f, "group {name}"),
            Self::TransactionalId(id) => write!(f, "transactional id {id}"),
        }
    }
}
