//! From the value of a Kafka record to ECS events and rejections.
//!
//! Everything here is pure: bytes in, outcomes out. No Kafka, no clock, no environment, no logging. Bytes from outside
//! arrive here first, so nothing in this tree may panic on them: no unwrap, no indexing, no recursion over the input.
//!
//! A record gives as many outcomes as it holds traces, in order: each an event, as JSON text, or a [`Rejection`]. None: there was no trace
//! in it, and it is skipped.
//!
//! ```
//! use messagetrace_ecs::normalize::{Kind, Normalizer, Outcomes, Profile, Record, Settings, Verdict, WRAPPER_KEYS};
//!
//! let normalizer = Normalizer::new(Settings {
//!     profile: Profile::Ecs,
//!     organization: None,
//!     local_domains: vec!["contoso.example".to_owned()],
//!     include_original: false,
//!     max_payload_bytes: 8 << 20,
//!     wrapper_keys: WRAPPER_KEYS.map(str::to_owned).to_vec(),
//!     max_traces: 20_000,
//!     max_events_bytes: 32 << 20,
//!     event_ids: false,
//! });
//! // A page of two, the second of which has a time that is none.
//! let page = br#"{"value":[{"MessageTraceId":"b9c1","Received":"2026-09-05T18:10:13"},{"MessageTraceId":"b9c2","Received":"soon"}]}"#;
//! let mut outcomes = Outcomes::default();
//! normalizer.normalize(Record { value: Some(page), timestamp_ms: None }, &mut outcomes);
//! let verdicts: Vec<Verdict> = outcomes.of_record(0).map(|outcome| outcome.verdict).collect();
//! let [Verdict::Event { json, received_us, .. }, Verdict::Rejection { rejection, .. }] = verdicts[..] else { panic!() };
//! assert!(json.starts_with(b"{\"@timestamp\":\"2026-09-05T18:10:13Z\""));
//! assert_eq!(received_us, 1_788_631_813_000_000);
//! assert_eq!(rejection.kind, Kind::InvalidTimestamp);
//! ```

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unreachable)
)]

mod decode;
mod domains;
mod event_id;
mod json;
mod outcomes;
#[cfg(test)]
#[path = "../../tests/packers/mod.rs"]
pub mod packers;
mod profile;
mod public_suffixes;
mod punycode;
mod rejection;
mod time;
mod trace;
mod unwrap;

pub use decode::{ByteOrder, Decoded, Encoding, Packing, decoded};
pub use event_id::EventId;
pub use outcomes::{Outcome, Outcomes, Verdict};
pub use rejection::{Kind, Rejection};

/// The version of ECS whose field names are written, in events and wherever else.
pub const ECS_VERSION: &str = "9.4.0";

/// Which mapping turns a trace into an event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    #[default]
    Sekoia,
    Ecs,
}

impl Profile {
    /// The name under which settings and headers know it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sekoia => "sekoia",
            Self::Ecs => "ecs",
        }
    }
}

/// What the mapping may be told. Validated where it is read (configuration), used as it stands here.
#[derive(Clone, Debug)]
pub struct Settings {
    pub profile: Profile,
    /// Used as organization where a trace names none.
    pub organization: Option<String>,
    /// Profile `ecs`: our own mail domains, `example.com` or `*.example.com`.
    pub local_domains: Vec<String>,
    /// Profile `ecs`: whether `event.original` is emitted.
    pub include_original: bool,
    /// Longer values are rejected without a look inside, and compressed ones that unpack to more, in bytes.
    pub max_payload_bytes: usize,
    /// Keys under which collectors put a document, in the order in which they are looked for.
    pub wrapper_keys: Vec<String>,
    /// Traces and rejections that one record may hold.
    pub max_traces: usize,
    /// What the events of one record may take together, in bytes.
    pub max_events_bytes: usize,
    /// Whether somebody asks for the ids of events in a profile that does not write them.
    pub event_ids: bool,
}

/// The keys under which Logstash, Beats, Fluentd, Fluent Bit, Cribl, Splunk's HEC, CloudEvents, Azure's diagnostic export and HTTP
/// source connectors put a document.
pub const WRAPPER_KEYS: [&str; 13] = [
    "value",
    "data",
    "body",
    "log",
    "_raw",
    "raw",
    "event",
    "json",
    "properties",
    "content",
    "results",
    "records",
    "d",
];

/// The parts of a Kafka record that the mapping looks at.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    pub value: Option<&'a [u8]>,
    /// Milliseconds since 1970; `None` when the record has none.
    pub timestamp_ms: Option<i64>,
}

/// The mapping with its settings prepared. Cheap to share between workers, no state of its own.
#[derive(Debug)]
pub struct Normalizer {
    settings: Settings,
    mapping: profile::Mapping,
}

impl Normalizer {
    pub fn new(settings: Settings) -> Self {
        let mapping = profile::Mapping::new(&settings);
        Self { settings, mapping }
    }

    /// What the mapping was told.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Appends the outcomes of one record to `outcomes`; a skipped record adds none, but is counted as a record.
    pub fn normalize(&self, record: Record<'_>, outcomes: &mut Outcomes) {
        unwrap::record(&self.settings, &self.mapping, record, outcomes);
        outcomes.end_record();
    }

    /// The text of one trace out of a page, for the rare event that turns out not to be wanted: found by mapping the
    /// record once more, so that it need not be kept for every event.
    pub fn trace_text(&self, record: Record<'_>, index: u32) -> Option<Vec<u8>> {
        unwrap::record_wanting(&self.settings, &self.mapping, record, Some(index), &mut Outcomes::default())
    }
}
