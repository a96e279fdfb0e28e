//! Client settings: the operator's words in librdkafka's.
//!
//! Raw properties are laid over ours: those of all clients, over them those of one. What would break a promise was refused when
//! the configuration was read.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;

use super::queues::Queues;
use crate::config::{Compression, Config, Delivery, GroupProtocol, Mechanism, Security, Tls};
use crate::kafka::admin::limits::SizeLimits;

/// How often librdkafka reports its statistics, in milliseconds: the accuracy of lag.
pub const STATISTICS_INTERVAL_MS: u32 = 1000;

/// A pause before asking the broker again while the local queue is full, in milliseconds. librdkafka's own second
/// leaves a partition idle for most of the time once the engine has caught up.
const FETCH_BACKOFF_MS: u32 = 10;

/// How long a batch waits for more records, in milliseconds: above it, latency grows and throughput does not.
const LINGER_MS: u32 = 5;

/// Largest batch in bytes; smaller ones cost the broker and us a multiple.
const BATCH_BYTES: usize = 1_000_000;

/// What both clients share: where the cluster is and how to be let in.
pub fn common(config: &Config) -> ClientConfig {
    let mut client = ClientConfig::new();
    client.set_log_level(RDKafkaLogLevel::Info);
    client.set("bootstrap.servers", config.kafka.bootstrap_servers.join(","));
    client.set("client.id", &config.kafka.client_id);
    client.set("socket.keepalive.enable", "true");
    client.set("reconnect.backoff.ms", "100");
    client.set("reconnect.backoff.max.ms", "5000");
    security(config, &mut client);
    apply(&mut client, &config.kafka.properties);
    if client.get("debug").is_some() {
        // Whoever asks for it is to hear it; our own log level decides what is written.
        client.set_log_level(RDKafkaLogLevel::Debug);
    }
    client
}

fn security(config: &Config, client: &mut ClientConfig) {
    let protocol = match config.kafka.security {
        Security::Plaintext => "plaintext",
        Security::Tls => "ssl",
        Security::SaslPlaintext => "sasl_plaintext",
        Security::SaslTls => "sasl_ssl",
    };
    client.set("security.protocol", protocol);
    if config.kafka.security.is_encrypted() {
        let Tls { pem, key_password, .. } = &config.kafka.tls;
        match &pem.ca {
            Some(ca) => client.set("ssl.ca.pem", ca.reveal()),
            // OpenSSL is linked in and knows no system paths of its own.
            None => client.set("ssl.ca.location", "probe"),
        };
        if let Some(certificate) = &pem.certificate {
            client.set("ssl.certificate.pem", certificate.reveal());
        }
        if let Some(key) = &pem.key {
            client.set("ssl.key.pem", key.reveal());
        }
        if let Some(password) = key_password {
            client.set("ssl.key.password", password.reveal());
        }
    }
    if config.kafka.security.logs_in() {
        let sasl = &config.kafka.sasl;
        let mechanism = match sasl.mechanism {
            Some(Mechanism::ScramSha256) => "SCRAM-SHA-256",
            Some(Mechanism::ScramSha512) => "SCRAM-SHA-512",
            Some(Mechanism::OauthBearer) => "OAUTHBEARER",
            Some(Mechanism::Plain) | None => "PLAIN",
        };
        client.set("sasl.mechanism", mechanism);
        if let Some(username) = &sasl.username {
            client.set("sasl.username", username);
        }
        if let Some(password) = &sasl.password {
            client.set("sasl.password", password.reveal());
        }
    }
}

/// A member that is not heard of for so long has left, as Kafka has it.
const POLL_INTERVAL: Duration = Duration::from_secs(300);

/// The longest pause between two heartbeats, in milliseconds. By a heartbeat a member learns that another has come or gone,
/// and partitions that move stand still until all have learned it.
const HEARTBEAT_MS: u128 = 1000;

/// Kafka asks for at most a third of the session timeout.
fn heartbeat_ms(session: Duration) -> u128 {
    (session.as_millis() / 4).clamp(1, HEARTBEAT_MS)
}

/// The consumer: commits nothing by itself, starts nowhere by itself, sees committed records only.
pub fn consumer(config: &Config) -> ClientConfig {
    let mut client = common(config);
    let queues = Queues::within(config.pipeline.memory_budget.bytes());
    client.set("group.id", &config.input.group);
    client.set("enable.auto.commit", "false");
    client.set("enable.auto.offset.store", "false");
    client.set("auto.offset.reset", "error");
    client.set("isolation.level", "read_committed");
    client.set("fetch.queue.backoff.ms", FETCH_BACKOFF_MS.to_string());
    client.set("queued.max.messages.kbytes", queues.fetched_kib.to_string());
    client.set("queued.min.messages", queues.fetched_records.to_string());
    client.set("fetch.message.max.bytes", queues.partition_bytes.to_string());
    client.set("fetch.max.bytes", queues.fetch_bytes.to_string());
    client.set("statistics.interval.ms", STATISTICS_INTERVAL_MS.to_string());
    match config.input.group_protocol {
        GroupProtocol::Classic => {
            client.set("partition.assignment.strategy", "cooperative-sticky");
            let session = config.input.session_timeout;
            client.set("session.timeout.ms", session.as_millis().to_string());
            // The client takes no shorter one than the session.
            client.set("max.poll.interval.ms", session.max(POLL_INTERVAL).as_millis().to_string());
            client.set("heartbeat.interval.ms", heartbeat_ms(session).to_string());
        }
        GroupProtocol::Consumer => {
            client.set("group.protocol", "consumer");
        }
    }
    if let Some(id) = &config.input.group_instance_id {
        client.set("group.instance.id", id);
    }
    apply(&mut client, &config.kafka.properties);
    apply(&mut client, &config.input.properties);
    // librdkafka takes no smaller fetch than this, which means little else to a consumer: for all clients it is meant for
    // the producer.
    if !config.input.properties.contains_key("message.max.bytes") {
        let fetch_bytes = client.get("fetch.max.bytes").unwrap_or_default().to_owned();
        client.set("message.max.bytes", fetch_bytes);
    }
    client
}

/// What a reader that only looks may hold in memory, in KiB and bytes: fetched and waiting, and in one answer. Larger
/// records still come, one at a time. An answer is as small as that because it counts compressed: records that compress a
/// hundredfold took 320 MB at 1 MiB, 100 MB now, and no more time.
const LOOK_QUEUED_KIB: u32 = 4096;
const LOOK_FETCH_BYTES: u32 = 128 * 1024;
const LOOK_FETCH_MAX_BYTES: u32 = 4 * 1024 * 1024;

/// A consumer for a look at a topic: it belongs to no group, commits nothing and sees committed records only. The
/// library wants a group's name all the same; this one is never joined, and never the service's.
pub fn reader(config: &Config) -> ClientConfig {
    let mut client = common(config);
    apply(&mut client, &config.input.properties);
    client.set("group.id", format!("{}.reader", config.input.group));
    client.set("enable.auto.commit", "false");
    client.set("enable.auto.offset.store", "false");
    client.set("auto.offset.reset", "error");
    client.set("isolation.level", "read_committed");
    client.set("enable.partition.eof", "true");
    client.set("fetch.queue.backoff.ms", FETCH_BACKOFF_MS.to_string());
    client.set("queued.max.messages.kbytes", LOOK_QUEUED_KIB.to_string());
    client.set("fetch.message.max.bytes", LOOK_FETCH_BYTES.to_string());
    client.set("fetch.max.bytes", LOOK_FETCH_MAX_BYTES.to_string());
    // Meant for the producer, and librdkafka takes no smaller fetch than this.
    client.set("message.max.bytes", LOOK_FETCH_MAX_BYTES.to_string());
    client
}

/// The producer: idempotent, in the guarantee's mode, sized so that only our own judgement refuses a record.
pub fn producer(config: &Config, transactional_id: &str, limits: SizeLimits) -> ClientConfig {
    let mut client = common(config);
    let queues = Queues::within(config.pipeline.memory_budget.bytes()).with_room_for(limits.client_max_bytes());
    client.set("enable.idempotence", "true");
    client.set("acks", "all");
    client.set("partitioner", "murmur2_random");
    client.set("linger.ms", LINGER_MS.to_string());
    client.set("batch.size", BATCH_BYTES.min(limits.smallest()).to_string());
    client.set("batch.num.messages", "10000");
    client.set("message.max.bytes", limits.client_max_bytes().to_string());
    client.set("queue.buffering.max.kbytes", queues.produced_kib.to_string());
    client.set("queue.buffering.max.messages", queues.produced_records.to_string());
    client.set("statistics.interval.ms", config.pipeline.statistics_ms().to_string());
    let compression = match config.output.compression {
        Compression::Lz4 => "lz4",
        Compression::Zstd => "zstd",
        Compression::Snappy => "snappy",
        Compression::Gzip => "gzip",
        Compression::None => "none",
    };
    client.set("compression.type", compression);
    match config.pipeline.delivery {
        Delivery::ExactlyOnce => {
            client.set("transactional.id", transactional_id);
            client.set("transaction.timeout.ms", config.pipeline.transaction_timeout.as_millis().to_string());
        }
        Delivery::AtLeastOnce => {
            // A record that times out and is produced again would land behind later ones of its key.
            client.set("message.timeout.ms", "0");
            // A refused record must stop the ones behind it, or they would overtake its neighbours.
            client.set("enable.gapless.guarantee", "true");
        }
    }
    apply(&mut client, &config.kafka.properties);
    apply(&mut client, &config.output.properties);
    client
}

fn apply<'a>(client: &mut ClientConfig, properties: impl IntoIterator<Item = (&'a String, &'a String)>) {
    for (name, value) in properties {
        client.set(first_name(name), value);
    }
}

/// Second names of librdkafka for what we set ourselves, with those that we use. Under both it would get both, in no order.
const SECOND_NAMES: [(&str, &str); 5] = [
    ("metadata.broker.list", "bootstrap.servers"),
    ("queue.buffering.max.ms", "linger.ms"),
    ("compression.codec", "compression.type"),
    ("max.partition.fetch.bytes", "fetch.message.max.bytes"),
    ("sasl.mechanisms", "sasl.mechanism"),
];

/// What we call a property, the settings of a topic by their second spelling included.
fn first_name(name: &str) -> &str {
    let plain = match name.strip_prefix("topic.") {
        Some(plain @ ("partitioner" | "compression.type" | "compression.codec")) => plain,
        _ => name,
    };
    SECOND_NAMES.iter().find(|(second, _)| *second == plain).map_or(plain, |(_, first)| *first)
}

#[cfg(test)]
mod tests {
    use rdkafka::consumer::BaseConsumer;
    use rdkafka::producer::BaseProducer;

    use super::*;

    fn with(kafka: &[(&str, &str)], input: &[(&str, &str)], output: &[(&str, &str)]) -> Config {
        let properties = |given: &[(&str, &str)]| {
            given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let mut config = Config::default();
        config.kafka.properties = properties(kafka);
        config.input.properties = properties(input);
        config.output.properties = properties(output);
        config
    }

    fn producing(config: &Config) -> ClientConfig {
        producer(config, "id", SizeLimits::new(1_000_000, 1_000_000))
    }

    #[test]
    fn raw_properties_of_all_clients_lie_over_our_own_and_under_those_of_one() {
        let ours = [
            ("fetch.max.bytes", "4000000"),
            ("fetch.queue.backoff.ms", "77"),
            ("linger.ms", "77"),
            ("statistics.interval.ms", "777"),
            ("session.timeout.ms", "77000"),
            ("batch.num.messages", "777"),
        ];
        let config = with(&ours, &[("fetch.queue.backoff.ms", "88")], &[("linger.ms", "88")]);
        let (consuming, producing) = (consumer(&config), producing(&config));
        for (name, consumed, produced) in [
            ("fetch.max.bytes", "4000000", "4000000"),
            ("fetch.queue.backoff.ms", "88", "77"),
            ("linger.ms", "77", "88"),
            ("statistics.interval.ms", "777", "777"),
            ("session.timeout.ms", "77000", "77000"),
            ("batch.num.messages", "777", "777"),
        ] {
            assert_eq!((consuming.get(name), producing.get(name)), (Some(consumed), Some(produced)), "{name}");
        }
        // What is meant for the other kind of client is none of its business.
        consuming.create::<BaseConsumer>().unwrap();
        producing.create::<BaseProducer>().unwrap();
        assert_eq!(reader(&config).get("fetch.max.bytes"), Some("4194304"));
    }

    #[test]
    fn what_a_producer_may_send_at_most_is_no_bound_for_what_is_fetched() {
        let config = with(&[("message.max.bytes", "200000000")], &[], &[]);
        consumer(&config).create::<BaseConsumer>().unwrap();
        reader(&config).create::<BaseConsumer>().unwrap();
        assert_eq!(producing(&config).get("message.max.bytes"), Some("200000000"));
    }

    /// librdkafka takes both, in no order: one of them may win one time and the other the next.
    #[test]
    fn a_second_name_of_a_property_replaces_the_first() {
        let pairs = [
            ("queue.buffering.max.ms", "linger.ms"),
            ("compression.codec", "compression.type"),
            ("topic.compression.codec", "compression.type"),
            ("topic.partitioner", "partitioner"),
            ("max.partition.fetch.bytes", "fetch.message.max.bytes"),
            ("metadata.broker.list", "bootstrap.servers"),
            ("sasl.mechanisms", "sasl.mechanism"),
        ];
        for (second, first) in pairs {
            let config = with(&[(second, "5555")], &[], &[]);
            for client in [consumer(&config), producing(&config), reader(&config)] {
                let named = [client.get(second), client.get(first)];
                assert_eq!(named.iter().flatten().count(), 1, "{second}: {named:?}");
            }
            let told = [consumer(&config), producing(&config)].map(|client| client.get(first) == Some("5555"));
            assert_eq!(told, [true; 2], "{second}");
        }
    }

    #[test]
    fn a_consumer_can_be_made_with_any_session_that_may_be_set() {
        for seconds in [1, 20, 300, 301, 1_800] {
            let mut config = Config::default();
            config.input.session_timeout = Duration::from_secs(seconds);
            let made = consumer(&config).create::<BaseConsumer>();
            assert!(made.is_ok(), "{seconds} s: {:?}", made.err());
        }
    }

    #[test]
    fn a_member_hears_of_a_rebalance_within_a_second_and_in_time_for_its_session() {
        let of = |seconds| {
            let mut config = Config::default();
            config.input.session_timeout = Duration::from_secs(seconds);
            consumer(&config).get("heartbeat.interval.ms").map(str::to_owned)
        };
        assert_eq!([1, 4, 20, 1_800].map(of), ["250", "1000", "1000", "1000"].map(|ms| Some(ms.to_owned())));
    }

    #[test]
    fn a_consumer_can_be_made_with_any_size_of_a_fetch() {
        for properties in [
            vec![],
            vec![("fetch.max.bytes", "4096")],
            vec![("fetch.max.bytes", "52428800")],
            vec![("fetch.message.max.bytes", "1")],
            vec![("message.max.bytes", "2000000"), ("fetch.max.bytes", "2000000")],
        ] {
            let mut config = Config::default();
            config.input.properties =
                properties.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            let made = consumer(&config).create::<BaseConsumer>();
            assert!(made.is_ok(), "{properties:?}: {:?}", made.err());
        }
    }
}
