//! Whether our clock agrees with those that stamp the records. No answer of a broker tells its time, so what is looked
//! for are records that are ahead of us: a producer's time, or the broker's in the end of a transaction. A clock of ours
//! that is ahead of everybody cannot be told from a topic where nothing happens.

use rdkafka::topic_partition_list::Offset;

use super::Consumer;
use crate::kafka::scan::{ScanError, offsets};

/// How far a record may be ahead of us, in milliseconds: clocks that are kept agree within a second, and this leaves
/// room for brokers that are slow to answer.
const TOLERANCE_MS: i64 = 60_000;

/// The finding on a topic with records ahead of our clock.
pub fn finding(consumer: &Consumer, topic: &str, partitions: usize, now_ms: i64) -> Result<Option<String>, ScanError> {
    let partitions: Vec<i32> = (0..i32::try_from(partitions).unwrap_or(i32::MAX)).collect();
    let late = offsets(consumer, topic, &partitions, Offset::Offset(now_ms.saturating_add(TOLERANCE_MS)))?;
    let first = partitions.iter().zip(late).find_map(|(partition, offset)| Some((partition, offset?)));
    Ok(first.map(|(partition, offset)| {
        format!(
            "topic {topic} has a record at {partition}/{offset} that is more than {} s ahead of this machine's clock (set \
             the clocks right, this one or that of whoever stamped it: lag, ages and the times of dead letters go by them)",
            TOLERANCE_MS / 1000
        )
    }))
}
