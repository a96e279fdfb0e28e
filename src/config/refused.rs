//! Raw librdkafka properties: those that would break a promise of ours, and those that librdkafka does not take.

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaConfRes;

use super::problem::{Fault, Problem, Problems, Warning, sentence, short};
use super::show;
use super::typed::Typed;
use super::types::{Properties, REDACTED};
use super::values::Values;
use super::{Config, GroupProtocol};

/// The settings that hold raw properties.
const MAPS: [&str; 3] = ["kafka.properties", "input.properties", "output.properties"];

/// Brokers keep the order of an idempotent producer's batches only up to this many at once.
const IN_FLIGHT_MAX: u64 = 5;

const OFFSETS: &str = "offsets are committed only once their records are delivered";
const IDENTITY: &str = "offsets and transactions are kept under the name that our own setting gives";
const TIME: &str = "how long to wait decides between a repeat, a gap and a hung reader";
const DURABLE: &str = "nothing may count as delivered before all in-sync replicas have it, once and in order";

/// What librdkafka calls it (its own second names included), why it is refused, and what to do instead.
const REFUSED: [(&str, &str, &str); 14] = [
    ("enable.auto.commit", OFFSETS, "leave it out"),
    ("auto.commit.enable", OFFSETS, "leave it out"),
    ("enable.auto.offset.store", OFFSETS, "leave it out"),
    ("isolation.level", "records of aborted transactions must not be read", "leave it out"),
    ("acks", DURABLE, "leave it out"),
    ("request.required.acks", DURABLE, "leave it out"),
    ("enable.idempotence", DURABLE, "leave it out; pipeline.delivery chooses the guarantee"),
    ("transactional.id", IDENTITY, "set pipeline.transactional_id"),
    ("group.id", IDENTITY, "set input.group"),
    ("plugin.library.paths", "foreign code in this process could break any promise", "leave it out"),
    ("message.timeout.ms", TIME, "leave it out"),
    ("delivery.timeout.ms", TIME, "leave it out"),
    ("transaction.timeout.ms", TIME, "set pipeline.transaction_timeout"),
    // It asks for the damaged batch again from the wrong place, and for nothing else meanwhile.
    ("check.crcs", "the client library would let one damaged batch stop every partition", "leave it out"),
];

/// Property, reason and remedy of all that is refused, for the documentation.
pub fn table() -> impl Iterator<Item = (&'static str, String, &'static str)> {
    let always = REFUSED.iter().map(|(property, reason, remedy)| (*property, (*reason).to_owned(), *remedy));
    always.chain([("max.in.flight", format!("above {IN_FLIGHT_MAX} the order of records may change"), "use 1 to 5")])
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
    let broker_rules = config.input.group_protocol == GroupProtocol::Consumer;
    for map in MAPS {
        for (name, value) in entries(values, map) {
            let classic_only = broker_rules && CLASSIC_ONLY.contains(&name.as_str());
            let judgement = if classic_only {
                Err(Fault::new("has no meaning under input.group_protocol = \"consumer\"", "leave it out").into())
            } else {
                judge(name, value)
            };
            let Err(Refused { fault, is_known }) = judgement else { continue };
            // A name that nobody knows may be that of a secret, misspelt.
            let value = is_known.then(|| quoted(name, value));
            let origin = origin(values, map, name);
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

fn judge(name: &str, value: &str) -> Result<(), Refused> {
    if let Some((_, reason, remedy)) = REFUSED.iter().find(|(refused, ..)| *refused == name) {
        return Err(Fault::new(format!("is refused: {reason}"), *remedy).into());
    }
    if matches!(name, "max.in.flight" | "max.in.flight.requests.per.connection")
        && !value.trim().parse::<u64>().is_ok_and(|number| number <= IN_FLIGHT_MAX)
    {
        return Err(Fault::new(
            format!("is refused: above {IN_FLIGHT_MAX} the order of records may change"),
            "use 1 to 5",
        )
        .into());
    }
    taken(name, value)
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

/// Checks of the brokers' certificates that a raw property switches off.
pub fn warnings(values: &Values) -> Vec<Warning> {
    let mut warnings = Vec::new();
    for map in MAPS {
        for (name, value) in entries(values, map) {
            let off = match name.as_str() {
                "enable.ssl.certificate.verification" => {
                    !matches!(value.to_ascii_lowercase().as_str(), "true" | "t" | "1")
                }
                "ssl.endpoint.identification.algorithm" => value.eq_ignore_ascii_case("none"),
                _ => false,
            };
            if off {
                let text = format!("{name} = {} switches off a TLS check: anyone may pose as a broker", short(value));
                warnings.push(Warning { key: map, origin: origin(values, map, name), text });
            }
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
