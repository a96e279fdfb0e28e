//! Error codes by what follows from them.

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// What an error means for the road from input to output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The broker refuses this record for good, whoever sends it.
    Refused,
    /// Refused only because it shared a batch with a refused one.
    Neighbour,
    /// Thrown away or not even taken: by us (an abort, a client being closed), or by the client, whose transaction has
    /// failed of something that it tells elsewhere.
    Purged,
    /// Somebody has to grant a permission, correct a password or renew a certificate.
    Authorization,
    /// A topic is not there.
    TopicMissing,
    /// The brokers do not take the codec of `output.compression`.
    Codec,
    /// The brokers do not take `input.session_timeout`.
    Session,
    /// The group does not take us in beside the members that it has.
    Membership,
    /// The client cannot go on: a new one may.
    Fatal,
    /// Anything else: trying again is the right answer.
    Passing,
}

/// Sorts an error code.
pub fn class(code: RDKafkaErrorCode) -> Class {
    use RDKafkaErrorCode as Code;
    match code {
        Code::InvalidTimestamp
        | Code::InvalidRecord
        | Code::InvalidMessage
        | Code::InvalidMessageSize
        | Code::MessageSizeTooLarge
        | Code::PolicyViolation => Class::Refused,
        Code::InvalidDifferentRecord => Class::Neighbour,
        Code::PurgeQueue | Code::PurgeInflight | Code::State => Class::Purged,
        Code::TopicAuthorizationFailed
        | Code::GroupAuthorizationFailed
        | Code::ClusterAuthorizationFailed
        | Code::TransactionalIdAuthorizationFailed
        | Code::SaslAuthenticationFailed
        | Code::Authentication
        | Code::SSL => Class::Authorization,
        Code::UnsupportedCompressionType => Class::Codec,
        Code::InvalidSessionTimeout => Class::Session,
        Code::InconsistentGroupProtocol | Code::GroupMaxSizeReached | Code::UnreleasedInstanceId => Class::Membership,
        Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition => Class::TopicMissing,
        Code::Fatal
        | Code::Fenced
        | Code::ProducerFenced
        | Code::InvalidProducerEpoch
        | Code::GaplessGuarantee
        | Code::FencedInstanceId => Class::Fatal,
        _ => Class::Passing,
    }
}

/// Whether somebody else has taken our place: a producer with our transactional id, or a member with our name.
pub fn is_fenced(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(code, Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch | Code::FencedInstanceId)
}

/// Whether a partition is between two leaders, its topic so new or a broker so newly back that the one does not know the
/// other, or the client about to let go of a broker that has left and come back: asked again a moment later, it answers.
pub fn is_settling(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        code,
        Code::NotLeaderForPartition
            | Code::LeaderNotAvailable
            | Code::UnknownTopicOrPartition
            | Code::UnknownPartition
            | Code::ReplicaNotAvailable
            | Code::OffsetNotAvailable
            | Code::FencedLeaderEpoch
            | Code::UnknownLeaderEpoch
            | Code::KafkaStorageError
            | Code::DestroyBroker
    )
}

/// Whether nobody knows what became of the request: it may have been carried out.
pub fn is_unanswered(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(code, Code::OperationTimedOut | Code::RequestTimedOut | Code::BrokerTransportFailure)
}

/// The code of any client error; `Unknown` for those that carry none.
pub fn code(error: &KafkaError) -> RDKafkaErrorCode {
    error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown)
}

/// The broker's name of an error, as Kafka's documentation lists it (`INVALID_TIMESTAMP`).
pub fn name(code: RDKafkaErrorCode) -> String {
    let mut name = String::new();
    for (at, letter) in format!("{code:?}").char_indices() {
        if letter.is_ascii_uppercase() && at > 0 {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}
