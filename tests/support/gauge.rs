//! How far topics are written and groups have read them, asked as often as one likes.

use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::topic_partition_list::TopicPartitionListElem;

use super::cluster::REQUEST_LIMIT;
use super::wait;

/// For the transaction of a process that was killed to time out, after which the broker looks every 10 s: until then the
/// offsets in it are none.
const PENDING_LIMIT: Duration = Duration::from_secs(60);

/// How far a group has read a topic.
pub struct Progress {
    consumer: BaseConsumer,
    asked: TopicPartitionList,
}

impl Progress {
    /// With a consumer of the group.
    pub fn new(consumer: BaseConsumer, topic: &str, partitions: i32) -> Self {
        let mut asked = TopicPartitionList::new();
        for partition in 0..partitions {
            asked.add_partition(topic, partition);
        }
        Self { consumer, asked }
    }

    /// What is committed of each partition.
    pub fn committed(&self) -> Vec<Option<i64>> {
        // Asked again: the coordinator may just have moved to another node.
        wait::until("the group tells how far it has come", PENDING_LIMIT, || self.told(PENDING_LIMIT))
    }

    /// The same, asked once; `None`: it is not told of each partition within this time.
    pub fn told(&self, patience: Duration) -> Option<Vec<Option<i64>>> {
        let answer = self.consumer.committed_offsets(self.asked.clone(), patience).ok()?;
        let mut elements = answer.elements();
        elements.sort_unstable_by_key(TopicPartitionListElem::partition);
        let offset = |element: &TopicPartitionListElem<'_>| {
            element.error().ok()?;
            Some(element.offset().to_raw().filter(|offset| *offset >= 0))
        };
        elements.iter().map(offset).collect()
    }
}

/// How far a topic has been written.
pub struct Gauge {
    look: BaseConsumer,
    topic: String,
    partitions: i32,
}

impl Gauge {
    pub fn new(look: BaseConsumer, topic: &str, partitions: i32) -> Self {
        Self { look, topic: topic.to_owned(), partitions }
    }

    /// For each partition one past the last record, transaction markers included.
    pub fn ends(&self) -> Vec<i64> {
        // Asked again while a partition moves from one node to another.
        let end = |partition| wait::until("a partition tells its end", REQUEST_LIMIT, || self.end(partition));
        (0..self.partitions).map(end).collect()
    }

    fn end(&self, partition: i32) -> Option<i64> {
        end(&self.look, &self.topic, partition, Duration::from_secs(2))
    }

    pub fn total(&self) -> i64 {
        self.ends().iter().sum()
    }

    /// Waits until the topic holds `offsets` in all its partitions together.
    pub fn until(&self, offsets: i64, limit: Duration) {
        wait::until("the topic has grown enough", limit, || (self.total() >= offsets).then_some(()));
    }
}

/// One past the last record of a partition, asked once.
pub fn end(look: &BaseConsumer, topic: &str, partition: i32, patience: Duration) -> Option<i64> {
    let marks = look.fetch_watermarks(topic, partition, patience);
    if marks.is_err() {
        // The client would go on asking the node that led the partition when it last looked.
        let _ = look.fetch_metadata(Some(topic), patience);
    }
    marks.ok().map(|(_, end)| end)
}
