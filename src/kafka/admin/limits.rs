//! How large a record may be, for each of the two topics that we write to.

/// What a broker allows unless told otherwise (`message.max.bytes`), in bytes.
pub const DEFAULT_MAX_MESSAGE_BYTES: usize = 1_048_588;

/// The range that librdkafka accepts for its own `message.max.bytes`.
const CLIENT_MIN_BYTES: usize = 1_000;
const CLIENT_MAX_BYTES: usize = 1_000_000_000;

/// `max.message.bytes` of both topics: the uncompressed wire size by which a record is judged before it is produced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SizeLimits {
    pub output: usize,
    pub dead_letters: usize,
}

impl SizeLimits {
    pub fn new(output: usize, dead_letters: usize) -> Self {
        Self { output: output.min(CLIENT_MAX_BYTES), dead_letters: dead_letters.min(CLIENT_MAX_BYTES) }
    }

    /// A batch of this many bytes fits both topics.
    pub fn smallest(&self) -> usize {
        self.output.min(self.dead_letters).max(1)
    }

    /// The client must not refuse what we allow: its limit holds for both topics together.
    pub fn client_max_bytes(&self) -> usize {
        self.output.max(self.dead_letters).max(CLIENT_MIN_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_allows_the_larger_topic_and_batches_for_the_smaller() {
        let limits = SizeLimits::new(2_000, 5_000_000);
        assert_eq!((limits.smallest(), limits.client_max_bytes()), (2_000, 5_000_000));
    }

    #[test]
    fn limits_stay_in_the_clients_range() {
        assert_eq!(SizeLimits::new(usize::MAX, 1).client_max_bytes(), CLIENT_MAX_BYTES);
        assert_eq!(SizeLimits::new(10, 10).client_max_bytes(), CLIENT_MIN_BYTES);
    }
}
