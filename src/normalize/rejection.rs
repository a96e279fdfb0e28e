//! Why a trace or a record gives no event: a stable kind, one line for people, a fingerprint for grouping.

use sha2::{Digest, Sha256};

/// The closed set of reasons. Names are metric labels and header values: they never change meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    EmptyPayload,
    PayloadTooLarge,
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
    pub const ALL: [Self; 13] = [
        Self::EmptyPayload,
        Self::PayloadTooLarge,
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

    pub const fn name(self) -> &'static str {
        match self {
            Self::EmptyPayload => "empty_payload",
            Self::PayloadTooLarge => "payload_too_large",
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

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// One trace or record that gives no event. The message never quotes the payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    pub kind: Kind,
    pub message: String,
    /// The key to blame, as it stands in the tables of the mapping; empty when there is none.
    pub key: &'static str,
}

impl Rejection {
    /// Equal for the same cause, so that a thousand dead letters of one bug count as one problem: 16 hex digits.
    pub fn fingerprint(&self) -> String {
        let digest = Sha256::new().chain_update(self.kind.name()).chain_update([0]).chain_update(self.key).finalize();
        digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_found_by_its_name() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_name(kind.name()), Some(kind));
        }
        assert_eq!(Kind::from_name("no_such_kind"), None);
    }

    #[test]
    fn a_fingerprint_is_the_hash_of_kind_and_key_alone() {
        // printf 'missing_field\0Received' | sha256sum, printf 'invalid_json\0' | sha256sum
        for (kind, key, expected) in
            [(Kind::MissingField, "Received", "e4501980dc423063"), (Kind::InvalidJson, "", "f80484cc50f2e34f")]
        {
            for message in ["one", "another"] {
                let rejection = Rejection { kind, message: message.to_owned(), key };
                assert_eq!(rejection.fingerprint(), expected);
            }
        }
    }
}
