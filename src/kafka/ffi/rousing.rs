//! A call that wakes the threads of a client that talk to brokers.

use std::ffi::CString;

use rdkafka::ClientConfig;
use rdkafka::bindings as rd;
use rdkafka::consumer::Consumer as _;

use crate::config::Secret;
use crate::kafka::clients::Consumer;

/// What a client logs in with by name and password, or nothing.
#[derive(Debug)]
pub struct Login {
    username: Secret,
    password: Secret,
}

impl Login {
    pub fn of(client: &ClientConfig) -> Self {
        let told = |name| Secret::new(client.get(name).unwrap_or_default());
        Self { username: told("sasl.username"), password: told("sasl.password") }
    }
}

/// Has the threads that fetch look at once for what there is to fetch. To be called after partitions were paused and go on, be it
/// that the library paused them itself until a rebalance was carried out: it wakes nobody for that, and without a call like
/// this they stand still until the thread of their broker wakes up by itself, which is within a second.
///
/// Why not the crate: neither it nor librdkafka has a call for just that. When the login changes, all threads are woken; here
/// it stays what it is.
pub fn rouse(consumer: &Consumer) {
    // What goes on does so on the client's main thread, in the order in which it was asked to. An answer of that thread tells
    // that it has; it cannot fail for a member of a group, and matters to nobody.
    let _ = consumer.assignment();
    let Login { username, password } = &consumer.context().login;
    let of = |secret: &Secret| CString::new(secret.reveal());
    // With a NUL byte in them the client could not have been made.
    let (Ok(username), Ok(password)) = (of(username), of(password)) else { return };
    let client = consumer.client().native_ptr();
    // SAFETY: the client lives as long as `consumer`; both words are NUL-terminated and copied by the call. The error, which it
    // gives for null pointers alone, is owned here; destroying none is allowed.
    unsafe {
        rd::rd_kafka_error_destroy(rd::rd_kafka_sasl_set_credentials(client, username.as_ptr(), password.as_ptr()));
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::kafka::{clients, embedded};

    const PAUSES: usize = 25;

    /// Less than half of what as many pauses last when nobody is woken.
    const LIMIT: Duration = Duration::from_secs(10);

    #[test]
    fn a_partition_that_goes_on_after_a_pause_is_fetched_at_once() {
        let (_broker, mut config) = embedded::broker();
        // So that there is always more to fetch.
        embedded::write(&config, PAUSES * 20);
        let small = [("fetch.message.max.bytes", "500"), ("queued.min.messages", "1")];
        config.input.properties = small.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect();
        let consumer = clients::consumer(&config).expect("a consumer");
        let partition = embedded::assign(&consumer);
        let next = |until: Instant| {
            while consumer.poll(Duration::from_millis(20)).is_none() {
                assert!(Instant::now() < until, "partitions that go on are not fetched at once");
            }
        };
        next(Instant::now() + LIMIT);
        let until = Instant::now() + LIMIT;
        for _ in 0..PAUSES {
            consumer.pause(&partition).expect("a partition that pauses");
            while consumer.poll(Duration::from_millis(20)).is_some() {}
            consumer.resume(&partition).expect("a partition that goes on");
            rouse(&consumer);
            next(until);
        }
    }
}
