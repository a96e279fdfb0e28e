//! Records on their way out, and the bell that rings when something is to be told about them.

use std::ffi::{CString, c_void};
use std::fmt;
use std::ptr;
use std::sync::Arc;
use std::thread::Thread;

use rdkafka::bindings as rd;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::Producer as _;
use rdkafka::types::RDKafkaRespErr;

use super::headers::{native, parts};
use crate::kafka::clients::Producer;
use crate::record::Header;

/// rdkafka.h's RD_KAFKA_PARTITION_UA, which the bindings leave out: let the partitioner decide.
const PARTITION_UNASSIGNED: i32 = -1;

/// A topic resolved once, so that a record is produced without looking its name up. Keeps its producer alive.
///
/// Why not the crate: `BaseProducer::send` takes the name and allocates a C string for every record.
pub struct TopicHandle {
    topic: *mut rd::rd_kafka_topic_t,
    producer: Arc<Producer>,
}

impl TopicHandle {
    /// `None` when the name holds a NUL byte or librdkafka refuses the topic's settings.
    pub fn new(producer: &Arc<Producer>, name: &str) -> Option<Self> {
        let name = CString::new(name).ok()?;
        // SAFETY: the client lives as long as `producer`; the name is NUL-terminated and copied by the call; a null
        // configuration means the client's defaults.
        let topic = unsafe { rd::rd_kafka_topic_new(producer.client().native_ptr(), name.as_ptr(), ptr::null_mut()) };
        (!topic.is_null()).then(|| Self { topic, producer: Arc::clone(producer) })
    }
}

impl fmt::Debug for TopicHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TopicHandle").finish_non_exhaustive()
    }
}

impl Drop for TopicHandle {
    fn drop(&mut self) {
        // SAFETY: the pointer came from rd_kafka_topic_new and is destroyed once, before the client it belongs to.
        unsafe { rd::rd_kafka_topic_destroy(self.topic) }
    }
}

/// One record on its way out.
#[derive(Debug)]
pub struct Outgoing<'a, H> {
    pub topic: &'a TopicHandle,
    /// `None`: the client's partitioner decides.
    pub partition: Option<i32>,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    pub headers: H,
    /// Milliseconds since 1970; `None`: the time of the call.
    pub timestamp_ms: Option<i64>,
    /// Comes back with the delivery report.
    pub tag: usize,
}

/// Hands one record to the queue of its topic's producer, which copies it.
///
/// Why not the crate: header names are bytes on the wire, `OwnedHeaders` takes only `&str`.
pub fn produce<'h, H>(record: Outgoing<'_, H>) -> Result<(), RDKafkaErrorCode>
where
    H: Iterator<Item = Header<'h>>,
{
    let headers = native(record.headers)?;
    // librdkafka takes 0 for "now": the epoch itself goes out one millisecond late.
    let timestamp_ms = record.timestamp_ms.map_or(0, |timestamp| if timestamp == 0 { 1 } else { timestamp });
    let (key, key_len) = parts(record.key);
    let (value, value_len) = parts(record.value);
    // SAFETY: each tag is followed by the arguments that rdkafka.h names for it, in their C types; key and value
    // are copied by the call (MSG_F_COPY); the headers are owned by librdkafka from here on unless the call fails.
    let result = unsafe {
        rd::rd_kafka_producev(
            record.topic.producer.client().native_ptr(),
            rd::rd_kafka_vtype_t::RD_KAFKA_VTYPE_RKT,
            record.topic.topic,
            rd::rd_kafka_vtype_t::RD_KAFKA_VTYPE_PARTITION,
            record.partition.unwrap_or(PARTITION_UNASSIGNED),
            rd::rd_kafka_vtype_t::RD_KAFKA_VTYPE_MSGFLAGS,
            rd::RD_KAFKA_MSG_F_COPY,
            rd::rd_kafka_vtype_t::RD_KAFKA_VTYPE_VALUE,
            value,
            value_len,
            rd::rd_kafka_vtype_t::RD_KAFKA_VTYPE_KEY,
            key,
            key_len,
            rd::rd_kafka_vtype_t::RD_KAFKA_VTYPE_OPAQUE,
            record.tag as *mut c_void,
            rd::rd_kafka_vtype_t::RD_KAFKA_VTYPE_TIMESTAMP,
            timestamp_ms,
            rd::rd_kafka_vtype_t::RD_KAFKA_VTYPE_HEADERS,
            headers,
            rd::rd_kafka_vtype_t::RD_KAFKA_VTYPE_END,
        )
    };
    if result == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
        return Ok(());
    }
    if !headers.is_null() {
        // SAFETY: a failed produce leaves the headers with the caller.
        unsafe { rd::rd_kafka_headers_destroy(headers) }
    }
    Err(result.into())
}

/// Unparks a thread whenever the producer has something to report, until it is dropped.
///
/// Why not the crate: it offers this for consumers only, and without it delivery reports have to be polled for.
pub struct ReportBell {
    queue: *mut rd::rd_kafka_queue_t,
    thread: *mut Thread,
    _producer: Arc<Producer>,
}

impl ReportBell {
    pub fn new(producer: &Arc<Producer>, thread: Thread) -> Self {
        let thread = Box::into_raw(Box::new(thread));
        // SAFETY: the queue is a counted reference, given back in drop. The callback only unparks, which is allowed
        // from any thread; the thread handle outlives it, because drop clears the callback first.
        let queue = unsafe {
            let queue = rd::rd_kafka_queue_get_main(producer.client().native_ptr());
            rd::rd_kafka_queue_cb_event_enable(queue, Some(unpark), thread.cast());
            queue
        };
        Self { queue, thread, _producer: Arc::clone(producer) }
    }
}

unsafe extern "C" fn unpark(_: *mut rd::rd_kafka_t, thread: *mut c_void) {
    // SAFETY: the pointer is the one given in `ReportBell::new`, alive until the callback has been cleared.
    unsafe { &*thread.cast::<Thread>() }.unpark();
}

impl Drop for ReportBell {
    fn drop(&mut self) {
        // SAFETY: clearing the callback takes the queue's lock, under which it is called, so it is not running
        // afterwards; then the thread handle is freed and the queue reference given back, once each.
        unsafe {
            rd::rd_kafka_queue_cb_event_enable(self.queue, None, ptr::null_mut());
            drop(Box::from_raw(self.thread));
            rd::rd_kafka_queue_destroy(self.queue);
        }
    }
}

impl fmt::Debug for ReportBell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReportBell").finish_non_exhaustive()
    }
}
