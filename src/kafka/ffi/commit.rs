//! Commits of group offsets that tell how they ended.

use std::fmt;
use std::ptr;
use std::slice;
use std::sync::Arc;

use rdkafka::TopicPartitionList;
use rdkafka::bindings as rd;
use rdkafka::consumer::Consumer as _;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::types::RDKafkaRespErr;

use crate::kafka::clients::Consumer;

/// Commits whose result is always known, without blocking.
///
/// Why not the crate: its asynchronous commits never report, its synchronous ones may wait for ever.
pub struct CommitQueue {
    queue: *mut rd::rd_kafka_queue_t,
    consumer: Arc<Consumer>,
}

impl CommitQueue {
    pub fn new(consumer: &Arc<Consumer>) -> Self {
        // SAFETY: the client lives as long as `consumer`; the queue is destroyed in drop, before it.
        let queue = unsafe { rd::rd_kafka_queue_new(consumer.client().native_ptr()) };
        Self { queue, consumer: Arc::clone(consumer) }
    }

    /// Sends the offsets; the result comes with [`CommitQueue::poll`].
    pub fn send(&self, offsets: &TopicPartitionList) -> Result<(), RDKafkaErrorCode> {
        let client = self.consumer.client().native_ptr();
        // SAFETY: the list is copied by the call; without a callback the result becomes an event on our queue.
        let result = unsafe { rd::rd_kafka_commit_queue(client, offsets.ptr(), self.queue, None, ptr::null_mut()) };
        if result == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR { Ok(()) } else { Err(result.into()) }
    }

    /// Waits up to `timeout_ms` for a result. A partition's own error counts as the whole commit's.
    pub fn poll(&self, timeout_ms: i32) -> Option<Result<(), RDKafkaErrorCode>> {
        // SAFETY: the event is owned here and destroyed after its last use; the list belongs to it.
        unsafe {
            let event = rd::rd_kafka_queue_poll(self.queue, timeout_ms);
            if event.is_null() {
                return None;
            }
            let mut result = None;
            if rd::rd_kafka_event_type(event) == rd::RD_KAFKA_EVENT_OFFSET_COMMIT {
                let error = commit_error(event);
                let ok = error == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR;
                result = Some(if ok { Ok(()) } else { Err(error.into()) });
            }
            rd::rd_kafka_event_destroy(event);
            result
        }
    }
}

/// The first error of a commit: its own, or that of one of its partitions.
///
/// # Safety
///
/// `event` is a living commit event.
unsafe fn commit_error(event: *mut rd::rd_kafka_event_t) -> RDKafkaRespErr {
    // SAFETY: the list belongs to the event and holds `cnt` elements.
    unsafe {
        let error = rd::rd_kafka_event_error(event);
        let list = rd::rd_kafka_event_topic_partition_list(event);
        if error != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR || list.is_null() || (*list).elems.is_null() {
            return error;
        }
        let partitions = slice::from_raw_parts((*list).elems, usize::try_from((*list).cnt).unwrap_or(0));
        partitions
            .iter()
            .map(|partition| partition.err)
            .find(|error| *error != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR)
            .unwrap_or(error)
    }
}

impl fmt::Debug for CommitQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommitQueue").finish_non_exhaustive()
    }
}

impl Drop for CommitQueue {
    fn drop(&mut self) {
        // SAFETY: created in `new`, destroyed once.
        unsafe { rd::rd_kafka_queue_destroy(self.queue) }
    }
}
