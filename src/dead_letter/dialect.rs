//! Other tools' words for what we say in ours: a table for each, read as well as written.
//!
//! Each list is closed, like ours. Facts from the tools' own sources and proposals: Kafka Connect's
//! `DeadLetterQueueReporter`, KIP-1034 for Kafka Streams, `KafkaHeaders` and `RetryTopicHeaders` of Spring for Apache
//! Kafka, `KafkaMessageChannelBinder` of Spring Cloud Stream, `KafkaDeadLetterQueue` and `KafkaDelayedRetryTopic` of
//! SmallRye, KIP-1191 for share groups.

/// A tool whose words can be written beside ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dialect {
    Connect,
    Streams,
    Spring,
    Kip1191,
}

/// A tool that writes dead letters which are understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tool {
    Connect,
    Streams,
    Spring,
    /// `@RetryableTopic`, which has header names of its own.
    SpringRetry,
    SpringCloud,
    SmallRye,
    /// Its `delayed-retry-topic`, which has header names of its own.
    SmallRyeRetry,
    Kip1191,
}

/// Where a letter of this tool has the time of its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RecordTime {
    Header(&'static str),
    /// The letter's own timestamp, which the tool takes from the record.
    Letter,
    Nowhere,
}

/// Where a tool puts its headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    BehindOwn,
    BeforeOwn,
    /// Before them at each try, the newest one first, with the time behind them.
    Around,
}

/// How a tool writes what is no text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Numbers {
    /// Decimal digits.
    Text,
    /// Big-endian, of as many bytes as Java's type has.
    Binary,
}

/// What a tool copies of a record into its letter, as far as it copies anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Copied {
    All,
    /// No header: they stand at the source alone.
    KeyAndValue,
}

/// A tool's header names. What it has no name for is not written, and not there when read.
#[derive(Debug)]
pub(super) struct Names {
    /// Under which the `dlq` commands know the tool; the kind of a letter that names no exception.
    name: &'static str,
    pub topic: &'static str,
    pub partition: &'static str,
    pub offset: &'static str,
    /// Where the name of an exception stands and we write the kind; of several that are there the first tells more.
    pub kind: &'static [&'static str],
    /// Read where none of those is there, never written.
    pub kind_else: Option<&'static str>,
    pub message: &'static str,
    /// What lies deeper; read where the message says nothing.
    pub message_else: Option<&'static str>,
    pub group: Option<&'static str>,
    pub time: RecordTime,
    pub attempts: Option<&'static str>,
    pub processor: Option<&'static str>,
    /// The rest of the list: replaced when they come in, never written.
    pub others: &'static [&'static str],
    pub numbers: Numbers,
    pub place: Place,
    pub copied: Copied,
    /// With what they begin: all of them with one of these.
    prefixes: &'static [&'static str],
}

/// Numbers of `@RetryableTopic` whose times are as short as they can be: as many bytes as the number needs.
const RETRIES: &str = "retry_topic-";

/// What most tools have: text behind the record's own headers, and no more than that.
const PLAIN: Names = Names {
    name: "",
    topic: "",
    partition: "",
    offset: "",
    kind: &[],
    kind_else: None,
    message: "",
    message_else: None,
    group: None,
    time: RecordTime::Nowhere,
    attempts: None,
    processor: None,
    others: &[],
    numbers: Numbers::Text,
    place: Place::BehindOwn,
    copied: Copied::All,
    prefixes: &[],
};

const CONNECT: Names = Names {
    name: "connect",
    topic: "__connect.errors.topic",
    partition: "__connect.errors.partition",
    offset: "__connect.errors.offset",
    kind: &["__connect.errors.exception.class.name"],
    message: "__connect.errors.exception.message",
    group: Some("__connect.errors.connector.name"),
    time: RecordTime::Letter,
    processor: Some("__connect.errors.class.name"),
    others: &["__connect.errors.task.id", "__connect.errors.stage", "__connect.errors.exception.stacktrace"],
    prefixes: &["__connect.errors."],
    ..PLAIN
};

const STREAMS: Names = Names {
    name: "streams",
    topic: "__streams.errors.topic",
    partition: "__streams.errors.partition",
    offset: "__streams.errors.offset",
    kind: &["__streams.errors.exception"],
    message: "__streams.errors.message",
    time: RecordTime::Letter,
    others: &["__streams.errors.stacktrace"],
    prefixes: &["__streams.errors."],
    ..PLAIN
};

const SPRING: Names = Names {
    name: "spring",
    topic: "kafka_dlt-original-topic",
    partition: "kafka_dlt-original-partition",
    offset: "kafka_dlt-original-offset",
    // The exception is the container's own as a rule, and the same for all; its cause is what went wrong.
    kind: &["kafka_dlt-exception-cause-fqcn", "kafka_dlt-exception-fqcn"],
    kind_else: Some("kafka_dlt-key-exception-fqcn"),
    message: "kafka_dlt-exception-message",
    group: Some("kafka_dlt-original-consumer-group"),
    time: RecordTime::Header("kafka_dlt-original-timestamp"),
    others: &[
        "kafka_dlt-original-timestamp-type",
        "kafka_dlt-exception-stacktrace",
        "kafka_dlt-key-exception-message",
        "kafka_dlt-key-exception-stacktrace",
    ],
    numbers: Numbers::Binary,
    prefixes: &["kafka_dlt-"],
    ..PLAIN
};

const SPRING_RETRY: Names = Names {
    name: "spring_retry",
    topic: "kafka_original-topic",
    partition: "kafka_original-partition",
    offset: "kafka_original-offset",
    kind: &["kafka_exception-cause-fqcn", "kafka_exception-fqcn"],
    kind_else: Some("kafka_key-exception-fqcn"),
    message: "kafka_exception-message",
    // The only one that keeps the name of the other dead letters.
    group: Some("kafka_dlt-original-consumer-group"),
    time: RecordTime::Header("kafka_original-timestamp"),
    others: &[
        "kafka_original-timestamp-type",
        "kafka_original-consumer-group",
        "kafka_exception-stacktrace",
        "kafka_key-exception-message",
        "kafka_key-exception-stacktrace",
        "kafka_value-exception-fqcn",
        "kafka_value-exception-message",
        "kafka_value-exception-stacktrace",
        // Left on a record that goes back, they would count its attempts on and hold it until a time that has passed.
        "retry_topic-attempts",
        "retry_topic-backoff-timestamp",
        "retry_topic-original-timestamp",
    ],
    numbers: Numbers::Binary,
    prefixes: &["kafka_", "retry_topic-"],
    ..PLAIN
};

const SPRING_CLOUD: Names = Names {
    name: "spring_cloud",
    topic: "x-original-topic",
    partition: "x-original-partition",
    offset: "x-original-offset",
    kind: &["x-exception-fqcn"],
    message: "x-exception-message",
    time: RecordTime::Header("x-original-timestamp"),
    others: &["x-original-timestamp-type", "x-exception-stacktrace"],
    numbers: Numbers::Binary,
    prefixes: &["x-original-", "x-exception-"],
    ..PLAIN
};

const SMALLRYE: Names = Names {
    name: "smallrye",
    topic: "dead-letter-topic",
    partition: "dead-letter-partition",
    offset: "dead-letter-offset",
    kind: &["dead-letter-cause-class-name", "dead-letter-exception-class-name"],
    message: "dead-letter-reason",
    message_else: Some("dead-letter-cause"),
    place: Place::BeforeOwn,
    prefixes: &["dead-letter-"],
    ..PLAIN
};

const SMALLRYE_RETRY: Names = Names {
    name: "smallrye_retry",
    topic: "delayed-retry-topic",
    partition: "delayed-retry-partition",
    offset: "delayed-retry-offset",
    kind: &["delayed-retry-cause-class-name", "delayed-retry-exception-class-name"],
    message: "delayed-retry-reason",
    message_else: Some("delayed-retry-cause"),
    time: RecordTime::Header("delayed-retry-original-timestamp"),
    // Left on a record that goes back, they would count its tries on.
    others: &["delayed-retry-count", "delayed-retry-first-processing-timestamp"],
    place: Place::Around,
    prefixes: &["delayed-retry-"],
    ..PLAIN
};

const KIP_1191: Names = Names {
    name: "kip1191",
    topic: "__dlq.errors.topic",
    partition: "__dlq.errors.partition",
    offset: "__dlq.errors.offset",
    message: "__dlq.errors.message",
    group: Some("__dlq.errors.group"),
    attempts: Some("__dlq.errors.delivery.count"),
    copied: Copied::KeyAndValue,
    prefixes: &["__dlq.errors."],
    ..PLAIN
};

impl RecordTime {
    pub(super) fn is(self, header: &[u8]) -> bool {
        matches!(self, Self::Header(name) if name.as_bytes() == header)
    }
}

impl Dialect {
    pub const ALL: [Self; 4] = [Self::Connect, Self::Streams, Self::Spring, Self::Kip1191];

    /// Whose words they are.
    pub const fn tool(self) -> Tool {
        match self {
            Self::Connect => Tool::Connect,
            Self::Streams => Tool::Streams,
            Self::Spring => Tool::Spring,
            Self::Kip1191 => Tool::Kip1191,
        }
    }

    /// Whether a header belongs to this tool's list.
    pub fn owns(self, name: &[u8]) -> bool {
        self.tool().owns(name)
    }
}

impl Tool {
    pub const ALL: [Self; 8] = [
        Self::Connect,
        Self::Streams,
        Self::Spring,
        Self::SpringRetry,
        Self::SpringCloud,
        Self::SmallRye,
        Self::SmallRyeRetry,
        Self::Kip1191,
    ];

    /// The name under which the `dlq` commands know it; the kind of a letter that names no exception.
    pub const fn name(self) -> &'static str {
        self.names().name
    }

    pub(super) const fn names(self) -> &'static Names {
        match self {
            Self::Connect => &CONNECT,
            Self::Streams => &STREAMS,
            Self::Spring => &SPRING,
            Self::SpringRetry => &SPRING_RETRY,
            Self::SpringCloud => &SPRING_CLOUD,
            Self::SmallRye => &SMALLRYE,
            Self::SmallRyeRetry => &SMALLRYE_RETRY,
            Self::Kip1191 => &KIP_1191,
        }
    }

    /// Whether the tool takes the timestamp of a letter from its record.
    pub fn keeps_time(self) -> bool {
        self.names().time == RecordTime::Letter
    }

    /// Whether the tool copies a record's headers, if it copies anything of it.
    pub fn copies_headers(self) -> bool {
        self.names().copied == Copied::All
    }

    /// The number in a header whose value is not text but a number in bytes, for people.
    pub fn number(name: &[u8], value: &[u8]) -> Option<i64> {
        let tool = Self::ALL.into_iter().find(|tool| tool.owns(name))?;
        let is_number = tool.names().binaries().any(|binary| binary.as_bytes() == name);
        let has_any_length = name.starts_with(RETRIES.as_bytes());
        match value.len() {
            4 if is_number => Some(i32::from_be_bytes(value.try_into().ok()?).into()),
            8 if is_number => Some(i64::from_be_bytes(value.try_into().ok()?)),
            1..=8 if is_number && has_any_length => {
                let sign = if value.first()? < &0x80 { 0 } else { -1 };
                Some(value.iter().fold(sign, |number: i64, byte| (number << 8) | i64::from(*byte)))
            }
            _ => None,
        }
    }

    /// Whether a header belongs to this tool's list.
    pub fn owns(self, name: &[u8]) -> bool {
        let names = self.names();
        // Asked for every header of every dead letter; nearly all fail at the first bytes.
        names.prefixes.iter().any(|prefix| name.starts_with(prefix.as_bytes()))
            && names.all().any(|own| own.as_bytes() == name)
    }
}

impl Names {
    pub(super) fn all(&self) -> impl Iterator<Item = &'static str> {
        let time = match self.time {
            RecordTime::Header(name) => Some(name),
            RecordTime::Letter | RecordTime::Nowhere => None,
        };
        let optional = [self.kind_else, self.message_else, self.group, time, self.attempts, self.processor];
        [self.topic, self.partition, self.offset, self.message]
            .into_iter()
            .chain(self.kind.iter().copied())
            .chain(optional.into_iter().flatten())
            .chain(self.others.iter().copied())
    }

    /// Those whose values are numbers in bytes.
    fn binaries(&self) -> impl Iterator<Item = &'static str> {
        let numbers = [self.partition, self.offset].into_iter().filter(|_| self.numbers == Numbers::Binary);
        let time = match self.time {
            RecordTime::Header(name) if self.numbers == Numbers::Binary => Some(name),
            RecordTime::Header(_) | RecordTime::Letter | RecordTime::Nowhere => None,
        };
        numbers.chain(time).chain(self.others.iter().copied().filter(|name| name.starts_with(RETRIES)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_list_is_closed_and_belongs_to_one_tool() {
        for tool in Tool::ALL {
            for name in tool.names().all() {
                let owners: Vec<_> = Tool::ALL.into_iter().filter(|other| other.owns(name.as_bytes())).collect();
                let both_of_spring = name == "kafka_dlt-original-consumer-group";
                assert!(owners.contains(&tool) && (owners.len() == 1 || both_of_spring), "{name}: {owners:?}");
                assert!(!super::super::is_ours(name.as_bytes()), "{name}");
            }
            for prefix in tool.names().prefixes {
                let more = format!("{prefix}note");
                assert!(!tool.owns(more.as_bytes()), "{more}");
            }
        }
    }

    #[test]
    fn a_number_in_bytes_is_read_where_a_tool_writes_one_and_nowhere_else() {
        let cases: [(&str, &[u8], Option<i64>); 11] = [
            ("kafka_dlt-original-partition", &[0, 0, 0, 2], Some(2)),
            ("x-original-offset", &[0, 0, 0, 0, 0, 0, 1, 0], Some(256)),
            ("kafka_original-timestamp", &[0, 0, 1, 0x82, 0x35, 0x52, 0x34, 0x88], Some(1_658_751_956_104)),
            ("retry_topic-attempts", &[0, 0, 0, 3], Some(3)),
            ("retry_topic-original-timestamp", &[1, 0x9c, 0xa8, 0xd7, 0x2d, 0], Some(1_772_359_200_000)),
            ("retry_topic-original-timestamp", &[0xff], Some(-1)),
            ("retry_topic-original-timestamp", b"", None),
            ("retry_topic-backoff-timestamp", &[1; 9], None),
            ("x-original-offset", &[0, 1, 0], None),
            ("dead-letter-offset", b"1234", None),
            ("mine", &[0, 0, 0, 2], None),
        ];
        for (name, value, expected) in cases {
            assert_eq!(Tool::number(name.as_bytes(), value), expected, "{name}");
        }
    }
}
