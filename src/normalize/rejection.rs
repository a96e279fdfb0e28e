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

/// One trace or record that gives no event. The message never quotes the payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    pub kind: Kind,
    pub message: String,
    /// The key to blame, as it stands in the tables of the mapping; empty when there is none.
    pub key: &'static str,
}
