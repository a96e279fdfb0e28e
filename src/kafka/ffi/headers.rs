//! Header lists, both ways: names and values are bytes of any kind.

use std::ffi::{CStr, c_char, c_void};
use std::ptr;
use std::slice;

use rdkafka::bindings as rd;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::BorrowedMessage;
use rdkafka::types::RDKafkaRespErr;

use crate::record::Header;

/// Places in a new list of headers; it grows when there are more.
const HEADERS_HINT: usize = 4;

/// A native list of headers, null when there is none.
pub(super) fn native<'h>(
    list: impl Iterator<Item = Header<'h>>,
) -> Result<*mut rd::rd_kafka_headers_t, RDKafkaErrorCode> {
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

/// Calls `each` for every header of a consumed message, in order; they are the message's, and live as long.
///
/// Why not the crate: `BorrowedHeaders::try_get` panics at a header name that is not UTF-8, which anyone who may
/// write to the input topic could send.
pub fn for_each_header<'m>(message: &'m BorrowedMessage<'_>, mut each: impl FnMut(Header<'m>)) {
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

/// Address and length; null for nothing at all.
pub(super) fn parts(bytes: Option<&[u8]>) -> (*const c_void, usize) {
    bytes.map_or((ptr::null(), 0), |bytes| (bytes.as_ptr().cast(), bytes.len()))
}
