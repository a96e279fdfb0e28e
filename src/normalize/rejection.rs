//! Why a trace or a record gives no event: a stable kind, one line for people, a fingerprint for grouping.
//!
//! A message may name keys, places, lengths and limits; it never quotes the payload.

use std::borrow::Cow;
use std::fmt::Write as _;

use sha2::{Digest, Sha256};

/// The closed set of reasons. Names are metric labels and header values: they never change meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    EmptyPayload,
    PayloadTooLarge,
    InvalidEncoding,
    InvalidUtf8,
    InvalidJson,
    UnknownShape,
    MessageTraceDetail,
    ApiError,
    MissingField,
    InvalidField,
    InvalidTimestamp,
    ExpandsTooFar,
    EventTooLarge,
    EventRefused,
}

impl Kind {
    /// All of them, in the order of the contract.
    pub const ALL: [Self; 14] = [
        Self::EmptyPayload,
        Self::PayloadTooLarge,
        Self::InvalidEncoding,
        Self::InvalidUtf8,
        Self::InvalidJson,
        Self::UnknownShape,
        Self::MessageTraceDetail,
        Self::ApiError,
        Self::MissingField,
        Self::InvalidField,
        Self::InvalidTimestamp,
        Self::ExpandsTooFar,
        Self::EventTooLarge,
        Self::EventRefused,
    ];

    /// The name under which metrics, headers and people know it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::EmptyPayload => "empty_payload",
            Self::PayloadTooLarge => "payload_too_large",
            Self::InvalidEncoding => "invalid_encoding",
            Self::InvalidUtf8 => "invalid_utf8",
            Self::InvalidJson => "invalid_json",
            Self::UnknownShape => "unknown_shape",
            Self::MessageTraceDetail => "message_trace_detail",
            Self::ApiError => "api_error",
            Self::MissingField => "missing_field",
            Self::InvalidField => "invalid_field",
            Self::InvalidTimestamp => "invalid_timestamp",
            Self::ExpandsTooFar => "expands_too_far",
            Self::EventTooLarge => "event_too_large",
            Self::EventRefused => "event_refused",
        }
    }

    /// The kind of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// One trace or record that gives no event. The message never quotes the payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    pub kind: Kind,
    pub message: String,
    /// The key to blame, as it stands in the tables of the mapping or among the wrapper keys that were set; empty when there is
    /// none.
    pub key: Cow<'static, str>,
    /// The byte to blame, counted from the start of the text that a dead letter shows (the record's value, unpacked and decoded,
    /// or out of a page the rejected text); `None` when no single byte is, or when it lies inside a string of the record.
    pub position: Option<usize>,
}

impl Rejection {
    /// A value over the size limit, both in bytes; it was not looked at.
    pub fn payload_too_large(payload_bytes: u64, limit_bytes: u64) -> Self {
        let message = format!("the value has {payload_bytes} bytes; input.max_payload_bytes allows {limit_bytes}");
        Self::new(Kind::PayloadTooLarge, message)
    }

    /// An event over what the output topic accepts, both in bytes.
    pub fn event_too_large(event_bytes: u64, limit_bytes: u64) -> Self {
        let message = format!("the event takes {event_bytes} bytes; the output topic accepts {limit_bytes}");
        Self::new(Kind::EventTooLarge, message)
    }

    /// An event that the broker refuses for good, with the broker's name for the reason.
    pub fn event_refused(error_name: &str) -> Self {
        Self::new(Kind::EventRefused, format!("the broker refuses this record for good: {error_name}"))
    }

    /// The first 16 hex digits of SHA-256 over kind and key: equal for the same cause, bounded in number.
    pub fn fingerprint(&self) -> String {
        let digest =
            Sha256::new().chain_update(self.kind.name()).chain_update([0]).chain_update(self.key.as_bytes()).finalize();
        digest.iter().take(8).fold(String::with_capacity(16), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }

    pub(super) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), key: Cow::Borrowed(""), position: None }
    }

    pub(super) fn blaming(self, key: impl Into<Cow<'static, str>>) -> Self {
        Self { key: key.into(), ..self }
    }

    pub(super) fn at(self, position: Option<usize>) -> Self {
        Self { position, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_contract_s_and_lead_back() {
        let names = Kind::ALL.map(Kind::name).join(" ");
        assert_eq!(
            names,
            "empty_payload payload_too_large invalid_encoding invalid_utf8 invalid_json unknown_shape message_trace_detail api_error \
             missing_field invalid_field invalid_timestamp expands_too_far event_too_large event_refused"
        );
        for kind in Kind::ALL {
            assert_eq!(Kind::from_name(kind.name()), Some(kind));
        }
        assert_eq!(Kind::from_name("no_such_kind"), None);
    }

    /// The digits come from another implementation: `printf 'missing_field\0Received' | sha256sum`.
    #[test]
    fn a_fingerprint_is_made_of_kind_and_key_alone() {
        for (kind, key, expected) in [
            (Kind::MissingField, "Received", "e4501980dc423063"),
            (Kind::InvalidJson, "", "f80484cc50f2e34f"),
            (Kind::InvalidJson, "event.original", "acd001ede5c91e6b"),
        ] {
            let rejection = Rejection::new(kind, "whatever").blaming(key).at(Some(7));
            assert_eq!(rejection.fingerprint(), expected);
        }
    }

    #[test]
    fn the_engine_s_own_rejections_name_lengths_limits_and_the_broker_s_error() {
        let too_large = Rejection::event_too_large(1_048_700, 1_048_588);
        assert_eq!(too_large.kind, Kind::EventTooLarge);
        assert_eq!(too_large.message, "the event takes 1048700 bytes; the output topic accepts 1048588");
        let refused = Rejection::event_refused("INVALID_TIMESTAMP");
        assert_eq!(refused.kind, Kind::EventRefused);
        assert_eq!(refused.message, "the broker refuses this record for good: INVALID_TIMESTAMP");
    }
}
