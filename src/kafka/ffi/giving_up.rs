//! Ends that ask nobody: of a consumer whose coordinator is away, and of a process in which calls are still out.

use std::ffi::c_int;
use std::mem;

use rdkafka::bindings as rd;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};

/// Leave the group to find out by itself, instead of closing.
const NO_CLOSE: c_int = rd::RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE as c_int;

/// Ends a consumer without leaving its group. May take a while, as its threads are joined.
///
/// Why not the crate: it always closes, which waits for a coordinator for ever, and in librdkafka before 2.14.2 can crash
/// the process when there is none.
pub fn give_up<C: ConsumerContext>(consumer: BaseConsumer<C>) {
    let client = consumer.client().native_ptr();
    // It would close itself. What is lost by that is its context and the closure that wakes the engine, of which the
    // library may make use until it is gone: a few hundred bytes each time.
    mem::forget(consumer);
    // SAFETY: this was the only owner, and nothing of it can be reached any more, so that the client is destroyed once.
    unsafe { rd::rd_kafka_destroy_flags(client, NO_CLOSE) }
}

unsafe extern "C" {
    fn _exit(code: c_int) -> !;
}

/// Ends the process without running what was registered for its end: the library's threads may still be at work, and
/// must not find OpenSSL taken down under them.
pub fn leave_process(code: i32) -> ! {
    // SAFETY: takes no pointer and does not come back.
    unsafe { _exit(code) }
}
