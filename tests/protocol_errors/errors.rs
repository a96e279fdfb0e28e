//! What a broker can answer, request by request, after Kafka's protocol and the errors that its handlers give.

use rdkafka::types::RDKafkaApiKey as Api;
use rdkafka::types::RDKafkaRespErr;
use rdkafka::types::RDKafkaRespErr::*;

use crate::support::scene::Guarantee;

/// When the request is answered so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The first of a process that starts.
    Start,
    /// One of a process that has sealed something.
    AtWork,
}

impl Step {
    pub fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::AtWork => "at work",
        }
    }
}

/// What makes the service send the request while it is at work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    WithRecords,
    AllTheTime,
}

#[derive(Clone, Copy, Debug)]
pub struct Cell {
    pub request: Api,
    pub error: RDKafkaRespErr,
    pub step: Step,
    pub asked: Asked,
    under: Under,
}

/// Which guarantee sends the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Under {
    Both,
    ExactlyOnce,
    AtLeastOnce,
}

impl Cell {
    pub fn is_asked_under(&self, guarantee: Guarantee) -> bool {
        match self.under {
            Under::Both => true,
            Under::ExactlyOnce => guarantee == Guarantee::ExactlyOnce,
            Under::AtLeastOnce => guarantee == Guarantee::AtLeastOnce,
        }
    }

    pub fn request_name(&self) -> String {
        format!("{:?}", self.request)
    }

    /// As Kafka's documentation writes it, but for the few that the client library calls otherwise.
    pub fn error_name(&self) -> String {
        format!("{:?}", self.error).replace("RD_KAFKA_RESP_ERR_", "")
    }
}

const PRODUCE: &[RDKafkaRespErr] = &[
    RD_KAFKA_RESP_ERR_UNKNOWN,
    RD_KAFKA_RESP_ERR_INVALID_MSG,
    RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART,
    RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE,
    RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
    RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
    RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE,
    RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION,
    RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE,
    RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
    RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND,
    RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
    RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED,
    RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP,
    RD_KAFKA_RESP_ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT,
    RD_KAFKA_RESP_ERR_POLICY_VIOLATION,
    RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER,
    RD_KAFKA_RESP_ERR_DUPLICATE_SEQUENCE_NUMBER,
    RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH,
    RD_KAFKA_RESP_ERR_INVALID_TXN_STATE,
    RD_KAFKA_RESP_ERR_INVALID_PRODUCER_ID_MAPPING,
    RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS,
    RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR,
    RD_KAFKA_RESP_ERR_UNKNOWN_PRODUCER_ID,
    RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH,
    RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH,
    RD_KAFKA_RESP_ERR_UNSUPPORTED_COMPRESSION_TYPE,
    RD_KAFKA_RESP_ERR_INVALID_RECORD,
    RD_KAFKA_RESP_ERR_THROTTLING_QUOTA_EXCEEDED,
    RD_KAFKA_RESP_ERR_PRODUCER_FENCED,
];

const FETCH: &[RDKafkaRespErr] = &[
    RD_KAFKA_RESP_ERR_UNKNOWN,
    RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART,
    RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE,
    RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
    RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE,
    RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
    RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR,
    RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH,
    RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH,
    RD_KAFKA_RESP_ERR_OFFSET_NOT_AVAILABLE,
];

const COMMIT: &[RDKafkaRespErr] = &[
    RD_KAFKA_RESP_ERR_UNKNOWN,
    RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART,
    RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
    RD_KAFKA_RESP_ERR_OFFSET_METADATA_TOO_LARGE,
    RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS,
    RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE,
    RD_KAFKA_RESP_ERR_NOT_COORDINATOR,
    RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION,
    RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID,
    RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS,
    RD_KAFKA_RESP_ERR_INVALID_COMMIT_OFFSET_SIZE,
    RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
    RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED,
];

const COMMIT_IN_TRANSACTION: &[RDKafkaRespErr] = &[
    RD_KAFKA_RESP_ERR_UNKNOWN,
    RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART,
    RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
    RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS,
    RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE,
    RD_KAFKA_RESP_ERR_NOT_COORDINATOR,
    RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION,
    RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID,
    RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID,
    RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED,
    RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH,
    RD_KAFKA_RESP_ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT,
    RD_KAFKA_RESP_ERR_PRODUCER_FENCED,
];

/// Of the transaction's coordinator, whatever it is asked for.
const TRANSACTION: &[RDKafkaRespErr] = &[
    RD_KAFKA_RESP_ERR_UNKNOWN,
    RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
    RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS,
    RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE,
    RD_KAFKA_RESP_ERR_NOT_COORDINATOR,
    RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH,
    RD_KAFKA_RESP_ERR_INVALID_TXN_STATE,
    RD_KAFKA_RESP_ERR_INVALID_PRODUCER_ID_MAPPING,
    RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS,
    RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    RD_KAFKA_RESP_ERR_PRODUCER_FENCED,
];

const NEW_PRODUCER: &[RDKafkaRespErr] = &[
    RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
    RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS,
    RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE,
    RD_KAFKA_RESP_ERR_NOT_COORDINATOR,
    RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS,
    RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT,
    RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED,
];

const COORDINATOR: &[RDKafkaRespErr] = &[
    RD_KAFKA_RESP_ERR_UNKNOWN,
    RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
    RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS,
    RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE,
];

const JOIN: &[RDKafkaRespErr] = &[
    RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
    RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS,
    RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE,
    RD_KAFKA_RESP_ERR_NOT_COORDINATOR,
    RD_KAFKA_RESP_ERR_INCONSISTENT_GROUP_PROTOCOL,
    RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID,
    RD_KAFKA_RESP_ERR_INVALID_SESSION_TIMEOUT,
    RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED,
    RD_KAFKA_RESP_ERR_GROUP_MAX_SIZE_REACHED,
];

/// Of a member that has joined.
const MEMBER: &[RDKafkaRespErr] = &[
    RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
    RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE,
    RD_KAFKA_RESP_ERR_NOT_COORDINATOR,
    RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION,
    RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID,
    RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS,
];

const COMMITTED: &[RDKafkaRespErr] = &[
    RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
    RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS,
    RD_KAFKA_RESP_ERR_NOT_COORDINATOR,
    RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT,
    RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED,
];

const ENDS: &[RDKafkaRespErr] = &[
    RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE,
    RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
    RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
    RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH,
    RD_KAFKA_RESP_ERR_OFFSET_NOT_AVAILABLE,
];

/// Every cell of the table, in its order.
pub fn cells() -> Vec<Cell> {
    use Asked::{AllTheTime, WithRecords};
    use Step::{AtWork, Start};
    use Under::{AtLeastOnce, Both, ExactlyOnce};
    let requests = [
        (Api::Produce, PRODUCE, AtWork, WithRecords, Both),
        (Api::Fetch, FETCH, AtWork, AllTheTime, Both),
        (Api::OffsetCommit, COMMIT, AtWork, WithRecords, AtLeastOnce),
        (Api::AddPartitionsToTxn, TRANSACTION, AtWork, WithRecords, ExactlyOnce),
        (Api::AddOffsetsToTxn, TRANSACTION, AtWork, WithRecords, ExactlyOnce),
        (Api::TxnOffsetCommit, COMMIT_IN_TRANSACTION, AtWork, WithRecords, ExactlyOnce),
        (Api::EndTxn, TRANSACTION, AtWork, WithRecords, ExactlyOnce),
        (Api::Heartbeat, MEMBER, AtWork, AllTheTime, Both),
        (Api::InitProducerId, NEW_PRODUCER, Start, WithRecords, Both),
        (Api::FindCoordinator, COORDINATOR, Start, WithRecords, Both),
        (Api::JoinGroup, JOIN, Start, WithRecords, Both),
        (Api::SyncGroup, MEMBER, Start, WithRecords, Both),
        (Api::OffsetFetch, COMMITTED, Start, WithRecords, Both),
        (Api::ListOffsets, ENDS, Start, WithRecords, Both),
    ];
    let of = |(request, errors, step, asked, under): (Api, &'static [RDKafkaRespErr], Step, Asked, Under)| {
        errors.iter().map(move |error| Cell { request, error: *error, step, asked, under })
    };
    requests.into_iter().flat_map(of).collect()
}
