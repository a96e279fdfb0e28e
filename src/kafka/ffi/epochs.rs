//! What stands beside offsets: leader epochs and metadata; and the client's own position.
//!
//! Why not the crate: its lists of partitions and its messages do not show the leader epoch, it takes anybody's metadata
//! for UTF-8 and panics when they are not, and its position asks the client's main thread for the assignment first.

use std::slice;

use rdkafka::TopicPartitionList;
use rdkafka::bindings as rd;
use rdkafka::consumer::Consumer as _;
use rdkafka::message::BorrowedMessage;

use crate::kafka::clients::Consumer;

/// The leader epoch of each element, in the list's order; `None`: not known.
pub fn leader_epochs(list: &TopicPartitionList) -> Vec<Option<i32>> {
    // SAFETY: each element is alive.
    let epoch = |element| unsafe { rd::rd_kafka_topic_partition_get_leader_epoch(element) };
    elements(list).iter().map(|element| known(epoch(element))).collect()
}

/// What was committed beside the offset of each element, in the list's order.
pub fn metadata(list: &TopicPartitionList) -> Vec<Vec<u8>> {
    let bytes = |element: &rd::rd_kafka_topic_partition_t| match element.metadata.is_null() {
        true => Vec::new(),
        // SAFETY: so many bytes belong to the element; they are copied.
        false => unsafe { slice::from_raw_parts(element.metadata.cast::<u8>(), element.metadata_size) }.to_vec(),
    };
    elements(list).iter().map(bytes).collect()
}

/// Cuts a byte off an element's metadata, in the midst of a letter for one: the crate sets nothing but text.
#[cfg(test)]
pub fn cut_metadata(list: &mut TopicPartitionList, at: usize) {
    assert!(at < list.count());
    // SAFETY: the list is alive, nobody else holds it, and the element lies within it; what is freed later is the same.
    unsafe { (*(*list.ptr()).elems.add(at)).metadata_size -= 1 };
}

/// Gives the last element of a list a leader epoch.
pub fn set_leader_epoch(list: &mut TopicPartitionList, epoch: i32) {
    let Some(last) = list.count().checked_sub(1) else { return };
    // SAFETY: the list is alive, nobody else holds it, and the element lies within it.
    unsafe { rd::rd_kafka_topic_partition_set_leader_epoch((*list.ptr()).elems.add(last), epoch) };
}

/// The epoch of the leader that wrote the batch of this record.
pub fn leader_epoch(message: &BorrowedMessage<'_>) -> Option<i32> {
    // SAFETY: the message is alive and was consumed.
    known(unsafe { rd::rd_kafka_message_leader_epoch(message.ptr()) })
}

/// Writes into each element how far this consumer has been polled: past the last record that it gave, and past markers
/// of transactions behind that. No offset: it gave nothing since the partition was taken over or sought in.
pub fn positions(consumer: &Consumer, list: &mut TopicPartitionList) {
    // SAFETY: client and list are alive; the call writes offset, epoch and error of each element, and fails for no list.
    unsafe { rd::rd_kafka_position(consumer.client().native_ptr(), list.ptr()) };
}

fn elements(list: &TopicPartitionList) -> &[rd::rd_kafka_topic_partition_t] {
    // SAFETY: a list has `cnt` elements, which live as long as it is borrowed; without any the pointer may be null.
    unsafe {
        let list = &*list.ptr();
        match list.elems.is_null() {
            true => &[],
            false => slice::from_raw_parts(list.elems, usize::try_from(list.cnt).unwrap_or(0)),
        }
    }
}

fn known(epoch: i32) -> Option<i32> {
    (epoch >= 0).then_some(epoch)
}
