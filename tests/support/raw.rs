//! Records with any bytes in them, in and out, through librdkafka's C API: rust-rdkafka takes header names only as UTF-8 and
//! panics when it reads one that is not.

#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_char, c_void};
use std::{ptr, slice};

use rdkafka::bindings::{
    RD_KAFKA_MSG_F_COPY, rd_kafka_error_code, rd_kafka_error_destroy, rd_kafka_header_add, rd_kafka_header_get_all,
    rd_kafka_headers_destroy, rd_kafka_headers_new, rd_kafka_headers_t, rd_kafka_message_headers, rd_kafka_produceva,
    rd_kafka_resp_err_t, rd_kafka_vtype_t, rd_kafka_vu_s, rd_kafka_vu_s__bindgen_ty_1,
    rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_1,
};
use rdkafka::message::BorrowedMessage;
use rdkafka::producer::{BaseProducer, Producer, ProducerContext};
use rdkafka::types::RDKafkaErrorCode;

/// Name and value, both any bytes (a name without zeros), in order, repeats included.
pub type Headers = Vec<(Vec<u8>, Option<Vec<u8>>)>;

/// What a producer may say about a record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Record {
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Headers,
    /// Milliseconds since 1970; librdkafka takes 0 for now.
    pub timestamp_ms: i64,
}

/// Hands a copy of the record to the producer; `tag` comes back with its delivery report.
pub fn produce<C: ProducerContext<DeliveryOpaque = usize>>(
    producer: &BaseProducer<C>,
    topic: &str,
    partition: i32,
    record: &Record,
    tag: usize,
) -> Result<(), RDKafkaErrorCode> {
    let topic = CString::new(topic).expect("a topic's name has no zero byte");
    let headers = native_headers(&record.headers);
    let what = [
        field(rd_kafka_vtype_t::RD_KAFKA_VTYPE_TOPIC, rd_kafka_vu_s__bindgen_ty_1 { cstr: topic.as_ptr() }),
        field(rd_kafka_vtype_t::RD_KAFKA_VTYPE_PARTITION, rd_kafka_vu_s__bindgen_ty_1 { i32_: partition }),
        field(rd_kafka_vtype_t::RD_KAFKA_VTYPE_MSGFLAGS, rd_kafka_vu_s__bindgen_ty_1 { i: RD_KAFKA_MSG_F_COPY }),
        field(rd_kafka_vtype_t::RD_KAFKA_VTYPE_KEY, memory(record.key.as_deref())),
        field(rd_kafka_vtype_t::RD_KAFKA_VTYPE_VALUE, memory(record.value.as_deref())),
        field(rd_kafka_vtype_t::RD_KAFKA_VTYPE_TIMESTAMP, rd_kafka_vu_s__bindgen_ty_1 { i64_: record.timestamp_ms }),
        field(rd_kafka_vtype_t::RD_KAFKA_VTYPE_HEADERS, rd_kafka_vu_s__bindgen_ty_1 { headers }),
        field(rd_kafka_vtype_t::RD_KAFKA_VTYPE_OPAQUE, rd_kafka_vu_s__bindgen_ty_1 { ptr: tag as *mut c_void }),
    ];
    // SAFETY: every pointer in `what` lives until the call returns, and the call copies key and value (MSG_F_COPY). The headers
    // become the library's own when it takes the record and stay ours when it does not. An error is freed after it is read.
    unsafe {
        let error = rd_kafka_produceva(producer.client().native_ptr(), what.as_ptr(), what.len());
        if error.is_null() {
            return Ok(());
        }
        rd_kafka_headers_destroy(headers);
        let code = rd_kafka_error_code(error);
        rd_kafka_error_destroy(error);
        Err(code.into())
    }
}

/// The headers of a received message.
pub fn headers(message: &BorrowedMessage<'_>) -> Headers {
    let mut native: *mut rd_kafka_headers_t = ptr::null_mut();
    // SAFETY: the message is alive, and so are the headers it owns until this function returns.
    let answer = unsafe { rd_kafka_message_headers(message.ptr(), &raw mut native) };
    if answer != rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
        return Headers::new();
    }
    let mut headers = Headers::new();
    loop {
        let (mut name, mut value, mut size): (*const c_char, *const c_void, usize) = (ptr::null(), ptr::null(), 0);
        // SAFETY: as above; the three places are written only when there is a header of that index.
        let answer =
            unsafe { rd_kafka_header_get_all(native, headers.len(), &raw mut name, &raw mut value, &raw mut size) };
        if answer != rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            return headers;
        }
        // SAFETY: a name ends with a zero; a value is null or `size` bytes. Both are copied before the message can go.
        headers.push(unsafe {
            let name = CStr::from_ptr(name).to_bytes().to_vec();
            (name, (!value.is_null()).then(|| slice::from_raw_parts(value.cast::<u8>(), size).to_vec()))
        });
    }
}

fn native_headers(headers: &Headers) -> *mut rd_kafka_headers_t {
    // SAFETY: the list is new; names and values are copied with their explicit lengths; a null value is a null pointer.
    unsafe {
        let native = rd_kafka_headers_new(headers.len());
        for (name, value) in headers {
            let (value, size) = value.as_ref().map_or((ptr::null(), 0), |value| (value.as_ptr(), value.len()));
            rd_kafka_header_add(native, name.as_ptr().cast(), length(name.len()), value.cast(), length(size));
        }
        native
    }
}

/// `None` is a null pointer; an empty slice is not.
fn memory(bytes: Option<&[u8]>) -> rd_kafka_vu_s__bindgen_ty_1 {
    let (ptr, size) = bytes.map_or((ptr::null(), 0), |bytes| (bytes.as_ptr(), bytes.len()));
    rd_kafka_vu_s__bindgen_ty_1 { mem: rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_1 { ptr: ptr.cast_mut().cast(), size } }
}

fn field(vtype: rd_kafka_vtype_t, u: rd_kafka_vu_s__bindgen_ty_1) -> rd_kafka_vu_s {
    rd_kafka_vu_s { vtype, u }
}

fn length(bytes: usize) -> isize {
    isize::try_from(bytes).expect("a slice is no longer than that")
}
