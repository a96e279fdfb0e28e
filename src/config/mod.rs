//! Settings as the program runs on them: parsed, validated, typed. The files, in the order in which a value passes them:
//!
//! 1. what can be set: `settings` is the table, `choice`, `syntax` and `units` are the forms of its values;
//! 2. what was set where: `layers`, out of a `file`, the environment and flags, each with its `origin`; `nearest` guesses at
//!    keys that nobody knows;
//! 3. each value by itself: `values` makes `typed` ones; those with rules of their own are in `types`;
//! 4. all of them together: `build`, `checks`, `refused` (raw properties), `pem` (what TLS needs), `container` (memory);
//! 5. `load` calls them in this order; whatever is wrong is a `problem`, with its remedy;
//! 6. back to people: `show`, `reference` (docs/configuration.md), `schema` (for editors); to the mapping: `mapping`.
//!
//! ```
//! use messagetrace_ecs::config::{Config, Layers};
//!
//! let layers = Layers { sets: vec!["pipeline.memory_budget=256MiB".to_owned()], ..Layers::default() };
//! let environment = [("MESSAGETRACE_ECS_INPUT__TOPICS".into(), "mail.a,mail.b".into())];
//! let loaded = Config::load_from(&layers, environment)?;
//! assert_eq!(loaded.config.input.topics, ["mail.a", "mail.b"]);
//!
//! // All problems at once, each with its place and its remedy.
//! let layers = Layers { sets: vec!["input.group=".to_owned(), "log.levels=debug".to_owned()], ..Layers::default() };
//! let problems = Config::load_from(&layers, []).expect_err("two are wrong").to_string();
//! assert_eq!(problems.lines().count(), 2, "{problems}");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod build;
mod checks;
mod choice;
mod container;
mod file;
mod layers;
mod load;
pub mod mapping;
mod nearest;
mod origin;
mod pem;
mod problem;
mod reference;
mod refused;
mod schema;
pub mod settings;
mod show;
mod syntax;
mod typed;
mod types;
mod units;
mod values;

use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};

pub use choice::Choice;
pub use file::{read_pem, read_secret};
pub use layers::{Flag, Layers};
pub use load::{Effective, Loaded};
pub use pem::Pem;
pub use problem::{Fault, Problem, Problems, Warning};
pub use reference::markdown;
pub use schema::schema;
pub use syntax::{is_topic, listen as listen_address};
pub use types::{ByteSize, Properties, REDACTED, Secret};
pub use units::{parse_duration, parse_size, show_duration, show_size};

pub use crate::dead_letter::Dialect;
use crate::normalize::Profile;

#[derive(Clone, Debug)]
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
    pub properties: Properties,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Security {
    #[default]
    Plaintext,
    Tls,
    SaslPlaintext,
    SaslTls,
}

impl Security {
    pub fn is_encrypted(self) -> bool {
        matches!(self, Self::Tls | Self::SaslTls)
    }

    pub fn logs_in(self) -> bool {
        matches!(self, Self::SaslPlaintext | Self::SaslTls)
    }
}

#[derive(Clone, Debug, Default)]
pub struct Tls {
    pub ca_file: Option<PathBuf>,
    pub certificate_file: Option<PathBuf>,
    pub key_file: Option<PathBuf>,
    pub key_password: Option<Secret>,
    /// What these files held when they were last read; nothing where no TLS is used.
    pub pem: Pem,
}

#[derive(Clone, Debug, Default)]
pub struct Sasl {
    pub mechanism: Option<Mechanism>,
    pub username: Option<String>,
    pub password: Option<Secret>,
    /// A token for `OAUTHBEARER`, as it was at start; one from a file is read again before it expires.
    pub token: Option<Secret>,
    pub oidc: Oidc,
}

/// Client credentials for `OAUTHBEARER`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Oidc {
    pub token_url: Option<String>,
    pub client_id: Option<String>,
    pub client_secret: Option<Secret>,
    pub scope: Option<String>,
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
    pub wrapper_keys: Vec<String>,
    pub properties: Properties,
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
    pub key: Key,
    pub partition: Partition,
    pub timestamp: Timestamp,
    pub source_header: bool,
    pub compression: Compression,
    pub properties: Properties,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Key {
    #[default]
    Input,
    EventId,
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
    /// Whose headers are written beside ours.
    pub dialect: Option<Dialect>,
    /// The share of rejected records above which the pipeline pauses; `None`: never.
    pub breaker_ratio: Option<f64>,
    /// Records that the share is taken over.
    pub breaker_window: u32,
}

#[derive(Clone, Debug)]
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
    /// No progress for as long as this though records wait: the clients are made anew.
    pub stuck_after: Duration,
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

#[derive(Clone, Debug)]
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

/// The slowest that statistics may come, in milliseconds: lag is as accurate as they are, and a consumer of which nothing was
/// heard for three times as long counts as one that does nothing any more.
const STATISTICS_MAX_MS: u64 = 5000;

impl Pipeline {
    /// A part of the memory budget, in bytes.
    pub fn memory_share(&self, divisor: u64) -> usize {
        usize::try_from(self.memory_budget.bytes() / divisor).unwrap_or(usize::MAX)
    }

    /// How often the producer reports its statistics, in milliseconds: the watchdog has to see several while it waits.
    pub fn statistics_ms(&self) -> u64 {
        u64::try_from(self.stuck_after.as_millis() / 4).unwrap_or(u64::MAX).clamp(250, STATISTICS_MAX_MS)
    }

    /// Normalizing tasks to run. Automatic: by the CPUs that the process may use; the standard library minds its affinity
    /// and the quota of its control groups, of either version. In any case no more than the container has threads for.
    pub fn worker_count(&self) -> usize {
        let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let workers = self.workers.map_or_else(|| workers_beside_the_engine(cpus), |workers| workers as usize);
        workers.min(container::thread_limit().map_or(usize::MAX, workers_among))
    }
}

/// The larger part of the threads that the container allows is for the Kafka clients, which take one for each broker and
/// three beside, and for clients that are made anew while the old ones end.
fn workers_among(threads: u64) -> usize {
    usize::try_from(threads / 4).unwrap_or(usize::MAX).max(1)
}

/// One CPU is for the engine thread.
fn workers_beside_the_engine(cpus: usize) -> usize {
    cpus.saturating_sub(1).max(1)
}

impl Config {
    /// `pipeline.transactional_id` with its placeholders filled in.
    pub fn transactional_id(&self, hostname: &str) -> String {
        let template = &self.pipeline.transactional_id;
        let mut id = String::with_capacity(template.len() + hostname.len() + self.input.group.len());
        let mut rest = template.as_str();
        // In one pass, so that a brace in a group's name is no placeholder.
        while let Some((before, placeholder)) = rest.split_once('{') {
            let (name, after) = placeholder.split_once('}').unwrap_or((placeholder, ""));
            id.push_str(before);
            match name {
                "group" => id.push_str(&self.input.group),
                "hostname" => id.push_str(hostname),
                _ => id.push_str(&self.http.listen.port().to_string()),
            }
            rest = after;
        }
        id + rest
    }
}

/// The defaults stand in the table of settings and nowhere else.
impl Default for Config {
    fn default() -> Self {
        load::defaults()
    }
}

macro_rules! default_is_part_of_config {
    ($($part:ident: $type:ident),+ $(,)?) => {$(
        impl Default for $type {
            fn default() -> Self {
                Config::default().$part
            }
        }
    )+};
}

default_is_part_of_config! {
    kafka: Kafka,
    input: Input,
    output: Output,
    dead_letters: DeadLetters,
    normalize: Normalize,
    ecs: Ecs,
    pipeline: Pipeline,
    http: Http,
    log: Log,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_transactional_id_is_the_template_filled_in() {
        let mut config = Config::default();
        assert_eq!(config.transactional_id("pod-0"), "messagetrace-ecs-pod-0-8080");
        config.input.group = "{port}".to_owned();
        config.pipeline.transactional_id = "a{group}b{hostname}".to_owned();
        assert_eq!(config.transactional_id("h"), "a{port}bh");
    }

    #[test]
    fn one_cpu_is_for_the_engine_and_there_is_at_least_one_worker() {
        for (cpus, workers) in [(1, 1), (2, 1), (3, 2), (64, 63)] {
            assert_eq!(workers_beside_the_engine(cpus), workers, "{cpus} CPUs");
        }
        let pipeline = Pipeline { workers: Some(7), ..Pipeline::default() };
        assert_eq!(pipeline.worker_count(), 7);
        assert_eq!([3, 64, u64::MAX].map(workers_among)[..2], [1, 16]);
    }
}
