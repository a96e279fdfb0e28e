//! The ends of partitions. Why not the crate: its look-ups know one isolation level, that of the consumer, so that a
//! consumer of committed records could not learn how far a partition goes behind an open transaction; and they leave out
//! the leader epoch.

use std::ffi::CString;
use std::ptr;

use rdkafka::TopicPartitionList;
use rdkafka::bindings as rd;
use rdkafka::client::ClientContext;
use rdkafka::consumer::Consumer as _;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::topic_partition_list::Offset;

use super::admin::{Ask, Question, checked, elements, error, list, text};
use crate::kafka::clients::Consumer;

/// Which offset of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// The first that is still there.
    Low,
    /// The last stable offset: a reader of committed records sees nothing from here on.
    Stable,
    /// The high watermark: open transactions lie before it.
    High,
}

/// One partition's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marked {
    pub topic: String,
    pub partition: i32,
    /// The offset, and the epoch of the leader that the log had there.
    pub mark: Result<(i64, Option<i32>), RDKafkaErrorCode>,
}

impl<C: ClientContext> Ask<'_, C> {
    /// One kind of offset of each of these partitions, asked of their leaders.
    pub fn offsets<'p>(
        &self,
        partitions: impl Iterator<Item = (&'p str, i32)>,
        which: Which,
    ) -> Result<Vec<Marked>, RDKafkaErrorCode> {
        let place = if which == Which::Low { Offset::Beginning } else { Offset::End };
        let mut asked = TopicPartitionList::new();
        for (topic, partition) in partitions {
            asked.add_partition_offset(topic, partition, place).map_err(|_| RDKafkaErrorCode::InvalidArgument)?;
        }
        if asked.count() == 0 {
            return Ok(Vec::new());
        }
        let question = Question::new(self, rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_LISTOFFSETS)?;
        let level = match which {
            Which::Stable => rd::rd_kafka_IsolationLevel_t::RD_KAFKA_ISOLATION_LEVEL_READ_COMMITTED,
            Which::Low | Which::High => rd::rd_kafka_IsolationLevel_t::RD_KAFKA_ISOLATION_LEVEL_READ_UNCOMMITTED,
        };
        // SAFETY: the options are alive, an error belongs to the caller and is destroyed once, for which null is allowed;
        // the call copies the list; client, options and queue live as long as `self` and `question`.
        unsafe {
            let refused = rd::rd_kafka_AdminOptions_set_isolation_level(question.options, level);
            let code = rd::rd_kafka_error_code(refused);
            rd::rd_kafka_error_destroy(refused);
            checked(code)?;
            rd::rd_kafka_ListOffsets(self.client.native_ptr(), asked.ptr(), question.options, question.queue);
        }
        let answer = question.answer(self.timeout)?;
        // SAFETY: the result and everything read from it belong to the answer, which outlives the reading; what is
        // returned was copied out of it.
        unsafe {
            let result = rd::rd_kafka_event_ListOffsets_result(answer.0);
            let mut count = 0;
            let infos = list(result, |result| rd::rd_kafka_ListOffsets_result_infos(result, &raw mut count))?;
            Ok(elements(infos, count).filter_map(|info| marked(info)).collect())
        }
    }
}

/// The high watermark of a partition by the last fetch that had it, nobody being asked. `None`: there was none yet.
pub fn fetched_high(consumer: &Consumer, topic: &str, partition: i32) -> Option<i64> {
    let name = CString::new(topic).ok()?;
    let (mut low, mut high) = (-1, -1);
    // SAFETY: client and name are alive, the name ends with NUL, and both offsets are ours to be written to; when the call
    // fails they stay what they are.
    unsafe {
        let client = consumer.client().native_ptr();
        rd::rd_kafka_get_watermark_offsets(client, name.as_ptr(), partition, &raw mut low, &raw mut high)
    };
    // It counts down from zero what is no offset.
    (high >= 0).then_some(high)
}

/// # Safety
///
/// `info` is alive.
unsafe fn marked(info: *const rd::rd_kafka_ListOffsetsResultInfo_t) -> Option<Marked> {
    // SAFETY: the partition belongs to the info, its topic to the partition.
    unsafe {
        let partition = rd::rd_kafka_ListOffsetsResultInfo_topic_partition(info).as_ref()?;
        let epoch = rd::rd_kafka_topic_partition_get_leader_epoch(ptr::from_ref(partition));
        let mark = match error(partition.err) {
            Some(code) => Err(code),
            None => Ok((partition.offset, (epoch >= 0).then_some(epoch))),
        };
        Some(Marked { topic: text(partition.topic)?, partition: partition.partition, mark })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::kafka::{clients, embedded};

    #[test]
    fn a_fetch_tells_how_far_its_partition_goes() {
        let (_broker, config) = embedded::broker();
        embedded::write(&config, 7);
        let consumer = clients::consumer(&config).expect("a consumer");
        assert_eq!(fetched_high(&consumer, embedded::TOPIC, 0), None, "nothing was fetched yet");
        embedded::assign(&consumer);
        while consumer.poll(Duration::from_millis(20)).is_none() {}
        assert_eq!(fetched_high(&consumer, embedded::TOPIC, 0), Some(7), "one was polled");
    }
}
