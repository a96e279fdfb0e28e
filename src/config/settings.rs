//! The table of settings: the one place that says which keys there are, what they hold and what they mean.
//!
//! Known keys, defaults, the output of `config`, its JSON schema and docs/configuration.md all come from here.

use std::time::Duration;

use super::choice::Choice;
use super::syntax::Syntax;
use super::types::ByteSize;
use super::{
    Compression, Delivery, Dialect, GroupProtocol, Key, LogFormat, Mechanism, Partition, Security, Timestamp, syntax,
};
use crate::normalize::Profile;

/// One setting.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    pub key: &'static str,
    pub form: Form,
    /// As it would stand in a file, strings without their quotes; empty: not set.
    pub default: &'static str,
    /// For the person on call.
    pub doc: &'static str,
}

/// What a setting holds.
#[derive(Clone, Copy, Debug)]
pub enum Form {
    Text(Syntax),
    Secret,
    /// A file to be read by the program or by librdkafka.
    Path,
    List(Syntax),
    /// Raw librdkafka properties.
    Properties,
    Flag,
    Count {
        least: u64,
        most: u64,
    },
    /// A count, or `auto`.
    Workers {
        most: u64,
    },
    Size {
        least: ByteSize,
        most: ByteSize,
    },
    Duration {
        least: Duration,
        most: Duration,
    },
    /// Above 0 and below 1.
    Ratio,
    Choice(&'static [&'static str]),
    /// `earliest`, `latest`, `error` or a time.
    Start,
    /// An IP address and a port.
    Listen,
}

impl Setting {
    pub fn is_secret(&self) -> bool {
        matches!(self.form, Form::Secret)
    }

    pub fn is_list(&self) -> bool {
        matches!(self.form, Form::List(_))
    }

    pub fn is_map(&self) -> bool {
        matches!(self.form, Form::Properties)
    }

    /// What the value looks like, in a word or two.
    pub fn type_name(&self) -> String {
        match self.form {
            Form::Text(_) => "text".to_owned(),
            Form::Secret => "secret".to_owned(),
            Form::Path => "file".to_owned(),
            Form::List(_) => "list".to_owned(),
            Form::Properties => "map".to_owned(),
            Form::Flag => "`true`, `false`".to_owned(),
            Form::Count { least, most } => format!("{least} to {most}"),
            Form::Workers { most } => format!("`auto`, 1 to {most}"),
            Form::Size { least, most } => {
                format!("size, {} to {}", super::units::show_size(least), super::units::show_size(most))
            }
            Form::Duration { least, most } => {
                format!("duration, {} to {}", super::units::show_duration(least), super::units::show_duration(most))
            }
            Form::Ratio => "above 0, below 1".to_owned(),
            Form::Choice(names) => names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
            Form::Start => "`earliest`, `latest`, `error`, time".to_owned(),
            Form::Listen => "address:port".to_owned(),
        }
    }
}

/// The setting with this key; the `_file` twin of a secret is not a setting of its own.
pub fn find(key: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.key == key)
}

/// The secret that `key`, ending in `_file`, is the twin of.
pub fn find_by_twin(key: &str) -> Option<&'static Setting> {
    key.strip_suffix("_file").and_then(find).filter(|setting| setting.is_secret())
}

const fn setting(key: &'static str, form: Form, default: &'static str, doc: &'static str) -> Setting {
    Setting { key, form, default, doc }
}

const fn duration(least_ms: u64, most_s: u64) -> Form {
    Form::Duration { least: Duration::from_millis(least_ms), most: Duration::from_secs(most_s) }
}

const fn choice<T: Choice>() -> Form {
    Form::Choice(T::NAMES)
}

#[rustfmt::skip]
pub const SETTINGS: &[Setting] = &[
    setting("kafka.bootstrap_servers", Form::List(syntax::SERVER), "localhost:9092",
        "Where the cluster is first asked, `host:port`; two or three of its brokers are enough."),
    setting("kafka.client_id", Form::Text(syntax::LINE), "messagetrace-ecs",
        "Shows up in broker logs and quotas."),
    setting("kafka.security", choice::<Security>(), "plaintext",
        "How to talk to the brokers: with TLS or without, with a login (SASL) or without."),
    setting("kafka.tls.ca_file", Form::Path, "",
        "PEM with the authorities that may vouch for the brokers; without it the system's store is used. Those of \
         `kafka.sasl.oidc.token_url` may be in it or in the system's store."),
    setting("kafka.tls.certificate_file", Form::Path, "",
        "PEM with our certificate, for brokers that ask for one; together with `kafka.tls.key_file`."),
    setting("kafka.tls.key_file", Form::Path, "",
        "PEM with the certificate's private key."),
    setting("kafka.tls.key_password", Form::Secret, "",
        "Opens an encrypted `kafka.tls.key_file`."),
    setting("kafka.sasl.mechanism", choice::<Mechanism>(), "",
        "How to log in; needed with `sasl_plaintext` and `sasl_tls`."),
    setting("kafka.sasl.username", Form::Text(syntax::LINE), "",
        "For `PLAIN` and `SCRAM`."),
    setting("kafka.sasl.password", Form::Secret, "",
        "For `PLAIN` and `SCRAM`."),
    setting("kafka.sasl.token", Form::Secret, "",
        "For `OAUTHBEARER`: a JWT. Given as a file it is read again before it expires."),
    setting("kafka.sasl.oidc.token_url", Form::Text(syntax::URL), "",
        "For `OAUTHBEARER` with client credentials, instead of `kafka.sasl.token`: the token endpoint, asked at start and \
         again before a token expires. Its certificate is vouched for by the system's store or `kafka.tls.ca_file`; \
         `HTTPS_PROXY` and `NO_PROXY` are minded. `http://` beyond this machine is a warning at every start."),
    setting("kafka.sasl.oidc.client_id", Form::Text(syntax::LINE), "",
        "For `OAUTHBEARER` with client credentials: who we are to the token endpoint."),
    setting("kafka.sasl.oidc.client_secret", Form::Secret, "",
        "For `OAUTHBEARER` with client credentials: proves it, by HTTP Basic. Given as a file it is read again within \
         2 s of its renewal."),
    setting("kafka.sasl.oidc.scope", Form::Text(syntax::LINE), "",
        "For `OAUTHBEARER` with client credentials: the scope to ask for, where the issuer wants one."),
    setting("kafka.properties", Form::Properties, "{}",
        "Raw librdkafka properties for all clients, over ours. Those that would break a promise are refused; see below."),
    setting("input.topics", Form::List(syntax::TOPIC), "messagetrace.raw",
        "Where the records come from; one topic or more."),
    setting("input.group", Form::Text(syntax::LINE), "messagetrace-ecs",
        "The consumer group whose offsets say how far we are. A new name starts over at `input.start`."),
    setting("input.group_protocol", choice::<GroupProtocol>(), "classic",
        "`classic` assigns cooperative-sticky; `consumer` is KIP-848, for brokers from 4.0."),
    setting("input.group_instance_id", Form::Text(syntax::INSTANCE), "",
        "Static membership: a restart within `input.session_timeout` moves no partition. Must differ between \
         members, so StatefulSets only, from the pod's name."),
    setting("input.start", Form::Start, "earliest",
        "Where a group without offsets begins, and one whose offsets are out of range: `earliest`, `latest`, `error` \
         (stop instead) or a time (RFC 3339, `2026-01-31T00:00:00Z`)."),
    setting("input.session_timeout", duration(1_000, 1_800), "20s",
        "How soon the partitions of a dead member move. Only for the classic protocol: under `consumer` the broker's \
         `group.consumer.session.timeout.ms` decides."),
    setting("input.max_traces", Form::Count { least: 1, most: 1_000_000 }, "20000",
        "Traces in one record; a record with more is a dead letter."),
    setting("input.max_payload_bytes", Form::Size { least: ByteSize(1_000), most: ByteSize::mib(512) }, "8MiB",
        "A larger record is a dead letter, without a look inside, and so is a compressed one that unpacks to more."),
    setting("input.wrapper_keys", Form::List(syntax::KEY), "value,data,body,log,_raw,raw,event,json,properties,content,results,records,d",
        "Keys under which collectors and shippers put a document, in the order in which they are looked for; see \
         [mapping.md](mapping.md)."),
    setting("input.properties", Form::Properties, "{}",
        "Raw librdkafka properties for the consumer, over `kafka.properties`."),
    setting("output.topic", Form::Text(syntax::TOPIC), "messagetrace.ecs",
        "Where the events go."),
    setting("output.key", choice::<Key>(), "input",
        "`input`: an event has the key of its input record; `event_id`: the event's `event.id`, in either profile, so that \
         all copies of one event lie in one partition, and an index takes the key as its document id."),
    setting("output.partition", choice::<Partition>(), "key",
        "`key`: by the record's key, as a Java producer would; `source`: the input's partition number, which keeps \
         keyless streams in order too."),
    setting("output.timestamp", choice::<Timestamp>(), "source",
        "`source`: an event has the time of its input record; `now`: the time of processing, for archives that the \
         topic's retention would delete at once."),
    setting("output.source_header", Form::Flag, "true",
        "Whether an event says in the header `messagetrace.source` which record it came from. `audit` needs it."),
    setting("output.compression", choice::<Compression>(), "lz4",
        "How events and dead letters travel and are stored."),
    setting("output.properties", Form::Properties, "{}",
        "Raw librdkafka properties for the producer, over `kafka.properties`."),
    setting("dead_letters.topic", Form::Text(syntax::TOPIC), "messagetrace.dlq",
        "Where rejected records go, with the reason."),
    setting("dead_letters.dialect", choice::<Dialect>(), "",
        "Writes the headers of another tool beside ours, so that its commands understand our dead letters."),
    setting("dead_letters.breaker_ratio", Form::Ratio, "",
        "Pauses when more than this share of the last `dead_letters.breaker_window` records was rejected: a bad \
         deploy must not turn a topic into dead letters. Not set: never."),
    setting("dead_letters.breaker_window", Form::Count { least: 10, most: 1_000_000 }, "1000",
        "Records that `dead_letters.breaker_ratio` looks back on."),
    setting("normalize.profile", choice::<Profile>(), "sekoia",
        "The mapping: `sekoia` as Sekoia's own parser has it, or full `ecs`."),
    setting("normalize.organization", Form::Text(syntax::LINE), "",
        "The organization of traces that name none."),
    setting("ecs.local_domains", Form::List(syntax::DOMAIN), "",
        "Our own mail domains, `example.com` or `*.example.com` (every subdomain, not the apex); they tell inbound \
         from outbound. Profile `ecs` only."),
    setting("ecs.include_original", Form::Flag, "true",
        "Whether an event carries the trace's text in `event.original`. Profile `ecs` only."),
    setting("pipeline.delivery", choice::<Delivery>(), "exactly_once",
        "`exactly_once`: events, dead letters and offsets in one Kafka transaction; `at_least_once`: a crash may \
         repeat records."),
    setting("pipeline.workers", Form::Workers { most: 256 }, "auto",
        "Normalizing tasks. `auto`: one fewer than the CPUs the container may use, at least 1."),
    setting("pipeline.memory_budget", Form::Size { least: ByteSize::mib(8), most: ByteSize(1 << 40) }, "128MiB",
        "Bounds everything in flight, librdkafka's queues and fetches included; resident memory stays below it plus \
         64 MiB, unless many brokers send batches of many MB at once. A container that allows less is a warning on every \
         start."),
    setting("pipeline.commit_interval", duration(10, 60), "500ms",
        "How often to commit under load; what is read downstream under `read_committed` is at most this much late."),
    setting("pipeline.transactional_id", Form::Text(syntax::TRANSACTIONAL_ID), "{group}-{hostname}-{port}",
        "A template with `{group}`, `{hostname}` and `{port}` (of `http.listen`). Must differ between processes, and \
         had better be the same after a restart."),
    setting("pipeline.transaction_timeout", duration(1_000, 900), "30s",
        "How long a dead member's open transaction can hold back readers; under `exactly_once` at least three times \
         `pipeline.commit_interval`, at most the broker's `transaction.max.timeout.ms`."),
    setting("pipeline.shutdown_timeout", duration(1_000, 3_600), "25s",
        "How long to finish what is in flight when asked to stop; below the pod's termination grace."),
    setting("pipeline.stuck_after", duration(1_000, 3_600), "60s",
        "No progress for as long as this though records wait and the brokers answer: the clients are made anew. Twice as \
         long each time that it does not help."),
    setting("http.listen", Form::Listen, "[::]:8080",
        "Where `/livez`, `/readyz` and `/metrics` are served. `[::]` is every address of both families, and of IPv4 alone on a \
         host without IPv6. Port 0 takes any free one."),
    setting("log.format", choice::<LogFormat>(), "auto",
        "`json` is ECS logging; `auto`: text on a terminal, json otherwise."),
    setting("log.level", Form::Text(syntax::LOG_LEVEL), "info",
        "`error`, `warn`, `info`, `debug` or `trace`, and `target=level` for parts, after commas: \
         `info,librdkafka=debug`."),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_there_once_and_no_setting_is_another_ones_twin() {
        for (index, setting) in SETTINGS.iter().enumerate() {
            assert!(SETTINGS[..index].iter().all(|earlier| earlier.key != setting.key), "{}", setting.key);
            assert!(find_by_twin(setting.key).is_none(), "{}", setting.key);
        }
    }
}
