//! Other tools' words for what we say in ours: a table for each, read as well as written.
//!
//! Each list is closed, like ours. Facts from the tools' own sources and proposals: Kafka Connect's
//! `DeadLetterQueueReporter`, KIP-1034 for Kafka Streams, `KafkaHeaders` of Spring for Apache Kafka, KIP-1191 for share
//! groups.

/// A tool that writes dead letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dialect {
    Connect,
    Streams,
    Spring,
    Kip1191,
}

/// How a tool writes what is no text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Numbers {
    /// Decimal digits.
    Text,
    /// Big-endian, of as many bytes as Java's type has.
    Binary,
}

/// A tool's header names. What it has no name for is not written, and not there when read.
#[derive(Debug)]
pub(super) struct Names {
    pub topic: &'static str,
    pub partition: &'static str,
    pub offset: &'static str,
    /// Where the name of an exception stands and we write the kind; of several that are there the first tells more.
    pub kind: &'static [&'static str],
    /// Read where none of those is there, never written.
    pub kind_else: Option<&'static str>,
    pub message: &'static str,
    pub group: Option<&'static str>,
    pub timestamp: Option<&'static str>,
    pub attempts: Option<&'static str>,
    pub processor: Option<&'static str>,
    /// The rest of the list: replaced when they come in, never written.
    pub others: &'static [&'static str],
    pub numbers: Numbers,
    /// With what all of them begin.
    prefix: &'static str,
}

const CONNECT: Names = Names {
    topic: "__connect.errors.topic",
    partition: "__connect.errors.partition",
    offset: "__connect.errors.offset",
    kind: &["__connect.errors.exception.class.name"],
    kind_else: None,
    message: "__connect.errors.exception.message",
    group: Some("__connect.errors.connector.name"),
    timestamp: None,
    attempts: None,
    processor: Some("__connect.errors.class.name"),
    others: &["__connect.errors.task.id", "__connect.errors.stage", "__connect.errors.exception.stacktrace"],
    numbers: Numbers::Text,
    prefix: "__connect.errors.",
};

const STREAMS: Names = Names {
    topic: "__streams.errors.topic",
    partition: "__streams.errors.partition",
    offset: "__streams.errors.offset",
    kind: &["__streams.errors.exception"],
    kind_else: None,
    message: "__streams.errors.message",
    group: None,
    timestamp: None,
    attempts: None,
    processor: None,
    others: &["__streams.errors.stacktrace"],
    numbers: Numbers::Text,
    prefix: "__streams.errors.",
};

const SPRING: Names = Names {
    topic: "kafka_dlt-original-topic",
    partition: "kafka_dlt-original-partition",
    offset: "kafka_dlt-original-offset",
    // The exception is the container's own as a rule, and the same for all; its cause is what went wrong.
    kind: &["kafka_dlt-exception-cause-fqcn", "kafka_dlt-exception-fqcn"],
    kind_else: Some("kafka_dlt-key-exception-fqcn"),
    message: "kafka_dlt-exception-message",
    group: Some("kafka_dlt-original-consumer-group"),
    timestamp: Some("kafka_dlt-original-timestamp"),
    attempts: None,
    processor: None,
    others: &[
        "kafka_dlt-original-timestamp-type",
        "kafka_dlt-exception-stacktrace",
        "kafka_dlt-key-exception-message",
        "kafka_dlt-key-exception-stacktrace",
    ],
    numbers: Numbers::Binary,
    prefix: "kafka_dlt-",
};

const KIP_1191: Names = Names {
    topic: "__dlq.errors.topic",
    partition: "__dlq.errors.partition",
    offset: "__dlq.errors.offset",
    kind: &[],
    kind_else: None,
    message: "__dlq.errors.message",
    group: Some("__dlq.errors.group"),
    timestamp: None,
    attempts: Some("__dlq.errors.delivery.count"),
    processor: None,
    others: &[],
    numbers: Numbers::Text,
    prefix: "__dlq.errors.",
};

impl Dialect {
    pub const ALL: [Self; 4] = [Self::Connect, Self::Streams, Self::Spring, Self::Kip1191];

    /// The name under which settings and the `dlq` commands know it; the kind of a letter that names no exception.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Streams => "streams",
            Self::Spring => "spring",
            Self::Kip1191 => "kip1191",
        }
    }

    pub(super) const fn names(self) -> &'static Names {
        match self {
            Self::Connect => &CONNECT,
            Self::Streams => &STREAMS,
            Self::Spring => &SPRING,
            Self::Kip1191 => &KIP_1191,
        }
    }

    /// Whether a header belongs to this tool's list.
    pub fn owns(self, name: &[u8]) -> bool {
        let names = self.names();
        // Asked for every header of every dead letter; nearly all fail at the first bytes.
        name.starts_with(names.prefix.as_bytes()) && names.all().any(|own| own.as_bytes() == name)
    }
}

impl Names {
    pub(super) fn all(&self) -> impl Iterator<Item = &'static str> {
        let optional = [self.kind_else, self.group, self.timestamp, self.attempts, self.processor];
        [self.topic, self.partition, self.offset, self.message]
            .into_iter()
            .chain(self.kind.iter().copied())
            .chain(optional.into_iter().flatten())
            .chain(self.others.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_list_is_closed_and_belongs_to_one_tool() {
        for dialect in Dialect::ALL {
            for name in dialect.names().all() {
                assert!(name.starts_with(dialect.names().prefix), "{name}");
                let owners: Vec<_> = Dialect::ALL.into_iter().filter(|other| other.owns(name.as_bytes())).collect();
                assert_eq!(owners, [dialect], "{name}");
                assert!(!super::super::is_ours(name.as_bytes()), "{name}");
            }
            let more = format!("{}note", dialect.names().prefix);
            assert!(!dialect.owns(more.as_bytes()), "{more}");
        }
    }
}
