//! How large librdkafka's queues may be, out of the memory budget.
//!
//! Its limits count the bytes of keys and values alone. What it keeps beside each record comes on top and is the larger
//! part of a small one, so the number of records is bounded as well. Pure.

/// The share of the budget for the bytes that are fetched, that are produced, and for what is kept beside those that are
/// fetched, as a divisor. More is not faster: a seal waits until all that is produced is acknowledged, and takes no longer than
/// what was fetched lasts.
const SHARE: u64 = 16;

/// The same for what is kept beside those that are produced.
const BESIDE_PRODUCED_SHARE: u64 = 8;

/// What librdkafka keeps beside a record that was fetched: its operation, the message in it, their allocations.
const BESIDE_FETCHED: u64 = 320;

/// The same for a record that is produced: the message, its list of headers and each header in it.
const BESIDE_PRODUCED: u64 = 512;

/// The share of the budget that one answer to a fetch may hold, compressed, as a divisor. Every broker may have one on
/// the way when the queue fills up, and each becomes several times as large when it is unpacked.
const FETCH_SHARE: u64 = 208;

/// The range of a fetch in bytes: below, the distance to the broker shows; above, nothing is gained.
const LEAST_FETCH: u64 = 64 * 1024;
const MOST_FETCH: u64 = 4 * 1024 * 1024;

/// The part of an answer that one partition may have, as a divisor. What is fetched of one partition goes to one partition
/// as a rule, which has one request on the way: the larger the pieces, the longer the others have nothing to send.
const FETCH_PIECES: u64 = 5;

/// The limits of both clients' queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queues {
    pub fetched_kib: u64,
    pub fetched_records: u64,
    /// Of one fetch, and of one partition in it. A larger batch comes all the same, alone.
    pub fetch_bytes: u64,
    pub partition_bytes: u64,
    pub produced_kib: u64,
    pub produced_records: u64,
}

impl Queues {
    pub fn within(budget_bytes: u64) -> Self {
        let share = budget_bytes / SHARE;
        let share_kib = (share / 1024).clamp(1024, KIB_LIMIT);
        let fetch_bytes = (budget_bytes / FETCH_SHARE).clamp(LEAST_FETCH, MOST_FETCH);
        Self {
            fetched_kib: share_kib,
            fetched_records: (share / BESIDE_FETCHED).clamp(1_000, RECORDS_LIMIT),
            fetch_bytes,
            partition_bytes: (fetch_bytes / FETCH_PIECES).max(LEAST_FETCH),
            produced_kib: share_kib,
            produced_records: (budget_bytes / BESIDE_PRODUCED_SHARE / BESIDE_PRODUCED).clamp(1_000, RECORDS_LIMIT),
        }
    }

    /// With room for a record of so many bytes: one that is larger than the whole queue would never be taken.
    #[must_use]
    pub fn with_room_for(self, record_bytes: usize) -> Self {
        let record_kib = u64::try_from(record_bytes).map_or(KIB_LIMIT, |bytes| bytes / 1024 + 1);
        Self { produced_kib: self.produced_kib.max(record_kib).min(KIB_LIMIT), ..self }
    }
}

/// What librdkafka takes at most for these settings.
const KIB_LIMIT: u64 = i32::MAX as u64 / 1024;
const RECORDS_LIMIT: u64 = 10_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_queues_with_all_that_is_kept_beside_them_take_a_third_of_the_budget() {
        for mib in [16, 64, 128, 256, 4096] {
            let budget: u64 = mib << 20;
            let queues = Queues::within(budget);
            let fetched = queues.fetched_kib * 1024 + queues.fetched_records * BESIDE_FETCHED;
            let produced = queues.produced_kib * 1024 + queues.produced_records * BESIDE_PRODUCED;
            assert!(fetched + produced <= budget / 3, "{mib} MiB: {queues:?}");
        }
    }

    #[test]
    fn the_largest_record_has_room_in_the_queue() {
        let queues = Queues::within(8 << 20);
        assert_eq!(queues.produced_kib, 1024);
        assert_eq!(queues.with_room_for(1_048_588).produced_kib, 1025);
        assert_eq!(queues.with_room_for(1000), queues);
        assert_eq!(queues.with_room_for(usize::MAX).produced_kib, KIB_LIMIT);
    }

    #[test]
    fn any_budget_gives_limits_that_librdkafka_takes() {
        for budget in [0, 1, 1 << 20, u64::MAX] {
            let queues = Queues::within(budget);
            let mut consumer = rdkafka::ClientConfig::new();
            consumer.set("group.id", "g").set("message.max.bytes", queues.fetch_bytes.to_string());
            consumer.set("queued.max.messages.kbytes", queues.fetched_kib.to_string());
            consumer.set("queued.min.messages", queues.fetched_records.to_string());
            consumer.set("fetch.message.max.bytes", queues.partition_bytes.to_string());
            consumer.set("fetch.max.bytes", queues.fetch_bytes.to_string());
            let mut producer = rdkafka::ClientConfig::new();
            producer.set("queue.buffering.max.kbytes", queues.produced_kib.to_string());
            producer.set("queue.buffering.max.messages", queues.produced_records.to_string());
            consumer.create::<rdkafka::consumer::BaseConsumer>().expect("a consumer");
            producer.create::<rdkafka::producer::BaseProducer>().expect("a producer");
        }
    }
}
