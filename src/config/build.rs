//! Values by key into the typed configuration: each field and the key that fills it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::choice::Choice;
use super::typed::Typed;
use super::types::{ByteSize, Properties, Secret};
use super::values::Values;
use super::{
    Config, DeadLetters, Ecs, Http, Input, Kafka, Log, Normalize, Oidc, Output, Pem, Pipeline, Sasl, Start, Tls,
};

/// The configuration out of values by key. A setting with a problem gets any value: nothing runs on it.
pub fn config(values: &Values) -> Config {
    let source = Source { values };
    Config {
        kafka: Kafka {
            bootstrap_servers: source.list("kafka.bootstrap_servers"),
            client_id: source.text("kafka.client_id"),
            security: source.choice("kafka.security"),
            tls: Tls {
                ca_file: source.path("kafka.tls.ca_file"),
                certificate_file: source.path("kafka.tls.certificate_file"),
                key_file: source.path("kafka.tls.key_file"),
                key_password: source.secret("kafka.tls.key_password"),
                pem: Pem::default(),
            },
            sasl: Sasl {
                mechanism: source.choice_if_set("kafka.sasl.mechanism"),
                username: source.text_if_set("kafka.sasl.username"),
                password: source.secret("kafka.sasl.password"),
                token: source.secret("kafka.sasl.token"),
                oidc: Oidc {
                    token_url: source.text_if_set("kafka.sasl.oidc.token_url"),
                    client_id: source.text_if_set("kafka.sasl.oidc.client_id"),
                    client_secret: source.secret("kafka.sasl.oidc.client_secret"),
                    scope: source.text_if_set("kafka.sasl.oidc.scope"),
                },
            },
            properties: source.properties("kafka.properties"),
        },
        input: Input {
            topics: source.list("input.topics"),
            group: source.text("input.group"),
            group_protocol: source.choice("input.group_protocol"),
            group_instance_id: source.text_if_set("input.group_instance_id"),
            start: source.start("input.start"),
            session_timeout: source.duration("input.session_timeout"),
            max_traces: source.count("input.max_traces").unwrap_or_default(),
            max_payload_bytes: source.size("input.max_payload_bytes"),
            wrapper_keys: source.list("input.wrapper_keys"),
            properties: source.properties("input.properties"),
        },
        output: Output {
            topic: source.text("output.topic"),
            key: source.choice("output.key"),
            partition: source.choice("output.partition"),
            timestamp: source.choice("output.timestamp"),
            source_header: source.flag("output.source_header"),
            compression: source.choice("output.compression"),
            properties: source.properties("output.properties"),
        },
        dead_letters: DeadLetters {
            topic: source.text("dead_letters.topic"),
            dialect: source.choice_if_set("dead_letters.dialect"),
            breaker_ratio: source.ratio("dead_letters.breaker_ratio"),
            breaker_window: source.count("dead_letters.breaker_window").unwrap_or_default(),
        },
        normalize: Normalize {
            profile: source.choice("normalize.profile"),
            organization: source.text_if_set("normalize.organization"),
        },
        ecs: Ecs {
            local_domains: source.list("ecs.local_domains"),
            include_original: source.flag("ecs.include_original"),
        },
        pipeline: Pipeline {
            delivery: source.choice("pipeline.delivery"),
            workers: source.count("pipeline.workers"),
            memory_budget: source.size("pipeline.memory_budget"),
            commit_interval: source.duration("pipeline.commit_interval"),
            transactional_id: source.text("pipeline.transactional_id"),
            transaction_timeout: source.duration("pipeline.transaction_timeout"),
            shutdown_timeout: source.duration("pipeline.shutdown_timeout"),
            stuck_after: source.duration("pipeline.stuck_after"),
        },
        http: Http { listen: source.listen("http.listen") },
        log: Log { format: source.choice("log.format"), level: source.text("log.level") },
    }
}

/// Values under the types that the fields have.
struct Source<'a> {
    values: &'a Values,
}

impl Source<'_> {
    fn text(&self, key: &str) -> String {
        self.text_if_set(key).unwrap_or_default()
    }

    fn text_if_set(&self, key: &str) -> Option<String> {
        match self.values.typed(key) {
            Some(Typed::Text(text)) => Some(text.clone()),
            _ => None,
        }
    }

    fn secret(&self, key: &str) -> Option<Secret> {
        match self.values.typed(key) {
            Some(Typed::Secret(secret)) => Some(secret.clone()),
            _ => None,
        }
    }

    fn path(&self, key: &str) -> Option<PathBuf> {
        match self.values.typed(key) {
            Some(Typed::Path(path)) => Some(path.clone()),
            _ => None,
        }
    }

    fn list(&self, key: &str) -> Vec<String> {
        match self.values.typed(key) {
            Some(Typed::List(entries)) => entries.clone(),
            _ => Vec::new(),
        }
    }

    fn properties(&self, key: &str) -> Properties {
        match self.values.typed(key) {
            Some(Typed::Properties(properties)) => properties.clone(),
            _ => Properties::default(),
        }
    }

    fn flag(&self, key: &str) -> bool {
        matches!(self.values.typed(key), Some(Typed::Flag(true)))
    }

    /// `None` for `auto`. The table's ranges end below what 32 bits hold.
    fn count(&self, key: &str) -> Option<u32> {
        match self.values.typed(key) {
            Some(Typed::Count(count)) => count.map(|count| u32::try_from(count).unwrap_or(u32::MAX)),
            _ => None,
        }
    }

    fn size(&self, key: &str) -> ByteSize {
        match self.values.typed(key) {
            Some(Typed::Size(size)) => *size,
            _ => ByteSize(0),
        }
    }

    fn duration(&self, key: &str) -> Duration {
        match self.values.typed(key) {
            Some(Typed::Duration(duration)) => *duration,
            _ => Duration::ZERO,
        }
    }

    fn ratio(&self, key: &str) -> Option<f64> {
        match self.values.typed(key) {
            Some(Typed::Ratio(ratio)) => Some(*ratio),
            _ => None,
        }
    }

    fn choice<T: Choice + Default>(&self, key: &str) -> T {
        self.choice_if_set(key).unwrap_or_default()
    }

    fn choice_if_set<T: Choice>(&self, key: &str) -> Option<T> {
        match self.values.typed(key) {
            Some(Typed::Choice(position, _)) => T::ALL.get(*position).copied(),
            _ => None,
        }
    }

    fn start(&self, key: &str) -> Start {
        match self.values.typed(key) {
            Some(Typed::Start(start)) => *start,
            _ => Start::default(),
        }
    }

    fn listen(&self, key: &str) -> SocketAddr {
        match self.values.typed(key) {
            Some(Typed::Listen(address)) => *address,
            _ => ([0, 0, 0, 0], 0).into(),
        }
    }
}
