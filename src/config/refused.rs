//! Raw librdkafka properties: those that would break a promise of ours, and those that librdkafka does not take.

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaConfRes;

use super::problem::{Fault, Problem, Problems, Warning, sentence, short};
use super::show;
use super::typed::Typed;
use super::types::{Properties, REDACTED};
use super::values::Values;
use super::{Config, GroupProtocol, STATISTICS_MAX_MS};

const INPUT: &str = "input.properties";

/// The settings that hold raw properties.
const MAPS: [&str; 3] = ["kafka.properties", INPUT, "output.properties"];

/// librdkafka takes the settings of a topic under their names with this before them, too.
const OF_TOPIC: &str = "topic.";

/// Brokers keep the order of an idempotent producer's batches only up to this many at once.
const IN_FLIGHT_MAX: u64 = 5;

/// The partitioners that put a key where a Java producer puts it.
const PARTITIONERS: [&str; 2] = ["murmur2", "murmur2_random"];

const OFFSETS: &str = "offsets are committed only once their records are delivered";
const IDENTITY: &str = "offsets and transactions are kept under the name that our own setting gives";
const TIME: &str = "how long to wait decides between a repeat, a gap and a hung reader";
const DURABLE: &str = "nothing may count as delivered before all in-sync replicas have it, once and in order";
const RETRIES: &str = "a record is sent until it is there: giving it up tears a gap, or repeats what came with it";

/// What librdkafka calls it (its own second names included), why it is refused, and what to do instead.
const REFUSED: [(&str, &str, &str); 19] = [
    ("enable.auto.commit", OFFSETS, "leave it out"),
    ("auto.commit.enable", OFFSETS, "leave it out"),
    ("enable.auto.offset.store", OFFSETS, "leave it out"),
    ("auto.offset.reset", "a position that is gone is told, and never passed over in silence", "set input.start"),
    ("isolation.level", "records of aborted transactions must not be read", "leave it out"),
    ("acks", DURABLE, "leave it out"),
    ("request.required.acks", DURABLE, "leave it out"),
    ("enable.idempotence", DURABLE, "leave it out; pipeline.delivery chooses the guarantee"),
    ("enable.gapless.guarantee", "what stands behind a refused record must not overtake it", "leave it out"),
    ("retries", RETRIES, "leave it out"),
    ("message.send.max.retries", RETRIES, "leave it out"),
    ("delivery.report.only.error", "what is delivered is known by its report alone", "leave it out"),
    ("transactional.id", IDENTITY, "set pipeline.transactional_id"),
    ("group.id", IDENTITY, "set input.group"),
    ("plugin.library.paths", "foreign code in this process could break any promise", "leave it out"),
    ("message.timeout.ms", TIME, "leave it out"),
    ("delivery.timeout.ms", TIME, "leave it out"),
    ("transaction.timeout.ms", TIME, "set pipeline.transaction_timeout"),
    // It asks for the damaged batch again from the wrong place, and for nothing else meanwhile.
    ("check.crcs", "the client library would let one damaged batch stop every partition", "leave it out"),
];

const OVERTAKEN: &str = "above 5 the order of records may change";
const SCATTERED: &str = "a key's events belong where a Java producer puts the key, beside those that are there";
const BLIND: &str = "by the statistics the lag is known, and what stands still";

/// What is refused for its value.
const BY_VALUE: [(&str, &str, &str); 3] = [
    ("max.in.flight", OVERTAKEN, "use 1 to 5"),
    ("partitioner", SCATTERED, "use murmur2 or murmur2_random, or set output.partition"),
    ("statistics.interval.ms", BLIND, "use 1 to 5000, for the producer at most a quarter of pipeline.stuck_after"),
];

/// Property, reason and remedy of all that is refused, for the documentation.
pub fn table() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    REFUSED.into_iter().chain(BY_VALUE)
}

/// The names that are refused whatever their value.
pub fn names() -> impl Iterator<Item = &'static str> {
    REFUSED.iter().map(|(property, ..)| *property)
}

/// What librdkafka refuses to hear of when the broker rules the group (KIP-848).
const CLASSIC_ONLY: [&str; 4] =
    ["group.protocol.type", "heartbeat.interval.ms", "partition.assignment.strategy", "session.timeout.ms"];

/// Judges every raw property of every map.
pub fn check(config: &Config, values: &Values, problems: &mut Problems) {
    for map in MAPS {
        for (name, value) in entries(values, map) {
            let Err(Refused { fault, is_known }) = judge(config, map, name, value) else { continue };
            let origin = origin(values, map, name);
            // A name that nobody knows may be that of a secret, misspelt.
            let value = is_known.then(|| quoted(name, value));
            problems.add(Problem { key: format!("{map}.\"{}\"", short(name)), value, origin, fault });
        }
    }
}

/// What is wrong with a property, and whether there is one of its name.
struct Refused {
    fault: Fault,
    is_known: bool,
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        Self { fault, is_known: true }
    }
}

fn quoted(name: &str, value: &str) -> String {
    if Properties::is_secret(name) { REDACTED.to_owned() } else { show::quoted(&Properties::shown(name, value)) }
}

fn judge(config: &Config, map: &str, name: &str, value: &str) -> Result<(), Refused> {
    let broker_rules = config.input.group_protocol == GroupProtocol::Consumer;
    if broker_rules && CLASSIC_ONLY.contains(&name) {
        let what = "has no meaning under input.group_protocol = \"consumer\"";
        return Err(Fault::new(what, "leave it out").into());
    }
    // Under either spelling.
    let plain = name.strip_prefix(OF_TOPIC).unwrap_or(name);
    if let Some((_, reason, remedy)) = REFUSED.iter().find(|(refused, ..)| *refused == plain) {
        return Err(Fault::new(format!("is refused: {reason}"), *remedy).into());
    }
    by_value(config, map, plain, value)?;
    taken(name, value)
}

fn by_value(config: &Config, map: &str, name: &str, value: &str) -> Result<(), Fault> {
    let (reason, is_fine, remedy) = match name {
        "max.in.flight" | "max.in.flight.requests.per.connection" => {
            (OVERTAKEN, is_within(value, IN_FLIGHT_MAX), format!("use 1 to {IN_FLIGHT_MAX}"))
        }
        "partitioner" => {
            let remedy = format!("use {}, or set output.partition", PARTITIONERS.join(" or "));
            (SCATTERED, PARTITIONERS.contains(&value), remedy)
        }
        "statistics.interval.ms" => {
            let (most, why) = match map {
                INPUT => (STATISTICS_MAX_MS, ""),
                // Both clients have it, and the producer's is the shorter one.
                _ => (config.pipeline.statistics_ms(), ", at most a quarter of pipeline.stuck_after"),
            };
            (BLIND, is_within(value, most), format!("use 1 to {most}{why}"))
        }
        _ => return Ok(()),
    };
    if is_fine { Ok(()) } else { Err(Fault::new(format!("is refused: {reason}"), remedy)) }
}

fn is_within(value: &str, most: u64) -> bool {
    value.trim().parse::<u64>().is_ok_and(|number| (1..=most).contains(&number))
}

/// librdkafka itself is asked for the rest: it alone knows its names and ranges.
fn taken(name: &str, value: &str) -> Result<(), Refused> {
    let Err(error) = ClientConfig::new().set(name, value).create_native_config() else { return Ok(()) };
    let (is_known, said) = match error {
        KafkaError::ClientConfig(result, said, ..) => (result != RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN, said),
        _ => (true, String::new()),
    };
    // It may quote the value.
    let is_open = Properties::shown(name, value) == value;
    let what = match said.trim_end() {
        said if is_open && !said.is_empty() => format!("is not taken by librdkafka: {}", sentence(said)),
        _ => "is not taken by librdkafka".to_owned(),
    };
    Err(Refused { fault: Fault::new(what, "see CONFIGURATION.md of librdkafka for names and ranges"), is_known })
}

/// What weakens security: checks of the brokers' certificates that a raw property switches off, and a password that
/// anybody may read on its way.
pub fn warnings(config: &Config, values: &Values) -> Vec<Warning> {
    let is_encrypted = config.kafka.security.is_encrypted();
    let mut warnings = Vec::new();
    for map in MAPS {
        for (name, value) in entries(values, map) {
            let is_off = match name.as_str() {
                "enable.ssl.certificate.verification" => {
                    !matches!(value.to_ascii_lowercase().as_str(), "true" | "t" | "1")
                }
                "ssl.endpoint.identification.algorithm" => value.eq_ignore_ascii_case("none"),
                _ => false,
            };
            let text = if is_off {
                format!("{name} = {} switches off a TLS check: anyone may pose as a broker", short(value))
            } else if name == "sasl.password" && !is_encrypted {
                "holds sasl.password, but nothing is encrypted; use kafka.security = \"sasl_tls\"".to_owned()
            } else {
                continue;
            };
            warnings.push(Warning { key: map, origin: origin(values, map, name), text });
        }
    }
    warnings
}

/// Whether a raw property with this name, or beginning with it, is set for all clients.
pub fn is_set(values: &Values, name: &str) -> bool {
    entries(values, "kafka.properties").any(|(property, _)| property.starts_with(name))
}

fn entries<'a>(values: &'a Values, map: &str) -> impl Iterator<Item = (&'a String, &'a String)> {
    let properties = match values.typed(map) {
        Some(Typed::Properties(properties)) => Some(properties),
        _ => None,
    };
    properties.into_iter().flatten()
}

fn origin(values: &Values, map: &str, name: &str) -> String {
    let read = values.get(map);
    read.properties.get(name).unwrap_or(&read.origin).clone()
}
