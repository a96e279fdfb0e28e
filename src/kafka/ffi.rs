//! The calls into librdkafka that the rdkafka crate does not offer, each with the reason why it is needed.
//!
//! This is the only file with `unsafe`. Nothing here decides anything: it moves bytes across the border, with
//! explicit lengths, and turns C's error codes into values.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_char, c_void};
use std::fmt;
use std::ptr;
use std::slice;
use std::sync::Arc;
use std::thread::Thread;

use rdkafka::TopicPartitionList;
use rdkafka::bindings as rd;
use rdkafka::consumer::Consumer as _;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::BorrowedMessage;
use rdkafka::producer::Producer as _;
use rdkafka::types::RDKafkaRespErr;

use super::clients::{Consumer, Producer};
use crate::record::Header;

/// rdkafka.h's RD_KAFKA_PARTITION_UA, which the bindings leave out: let the partitioner decide.
const PARTITION_UNASSIGNED: i32 = -1;

/// Places in a new list of headers; it grows when there are more.
const HEADERS_HINT: usize = 4;

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
    let headers = headers(record.headers)?;
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

fn parts(bytes: Option<&[u8]>) -> (*const c_void, usize) {
    bytes.map_or((ptr::null(), 0), |bytes| (bytes.as_ptr().cast(), bytes.len()))
}

/// A native list of headers, null when there is none.
fn headers<'h>(list: impl Iterator<Item = Header<'h>>) -> Result<*mut rd::rd_kafka_headers_t, RDKafkaErrorCode> {
    let mut native: *mut rd::rd_kafka_headers_t = ptr::null_mut();
    for header in list {
        let (value, value_len) = parts(header.value);
        // SAFETY: the list is owned here until it is returned; name and value are copied with their explicit lengths,
        // a null value is a header without one.
        unsafe {
            if native.is_null() {
                native = rd::rd_kafka_headers_new(HEADERS_HINT);
            }
            let result = rd::rd_kafka_header_add(
                native,
                header.name.as_ptr().cast::<c_char>(),
                header.name.len().cast_signed(),
                value,
                value_len.cast_signed(),
            );
            if result != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
                rd::rd_kafka_headers_destroy(native);
                return Err(result.into());
            }
        }
    }
    Ok(native)
}

/// Calls `each` for every header of a consumed message, in order.
///
/// Why not the crate: `BorrowedHeaders::try_get` panics at a header name that is not UTF-8, which anyone who may
/// write to the input topic could send.
pub fn for_each_header(message: &BorrowedMessage<'_>, mut each: impl FnMut(Header<'_>)) {
    let mut headers = ptr::null_mut();
    // SAFETY: the message lives while it is borrowed, and owns the headers it returns.
    if unsafe { rd::rd_kafka_message_headers(message.ptr(), &raw mut headers) }
        != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR
    {
        return;
    }
    for index in 0.. {
        let (mut name, mut value, mut value_len) = (ptr::null(), ptr::null(), 0);
        // SAFETY: as above; the call fails past the last header. The name is NUL-terminated by librdkafka, the value
        // has the length it says; both live as long as the message.
        unsafe {
            if rd::rd_kafka_header_get_all(headers, index, &raw mut name, &raw mut value, &raw mut value_len)
                != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR
            {
                return;
            }
            each(Header {
                name: CStr::from_ptr(name).to_bytes(),
                value: (!value.is_null()).then(|| slice::from_raw_parts(value.cast(), value_len)),
            });
        }
    }
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
