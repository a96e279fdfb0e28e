//! Why a trace or a record gives no event: a stable kind, one line for people, a fingerprint for grouping.

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

    pub fn name(self) -> &'static str {
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
}

/// One trace or record that gives no event. The message never quotes the payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    pub kind: Kind,
    pub message: String,
    /// The key to blame, as it stands in the tables of the mapping; empty when there is none.
    pub key: &'static str,
}
