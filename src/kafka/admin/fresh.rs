//! The cluster as a client sees it that was not there before: connections of its own, nothing remembered. What it can do,
//! new clients of ours could do too.

use std::fmt;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::consumer::Consumer as _;
use rdkafka::metadata::{Metadata, MetadataTopic};

use super::admission::admitted;
use super::cluster::Cluster;
use super::probe;
use crate::config::{Config, Delivery};
use crate::kafka::clients::{self, Consumer, settings};
use crate::kafka::ffi;

/// How long one question may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A client for a few questions. It never joins the group.
pub struct Fresh<'c> {
    config: &'c Config,
    /// Taken when it is given up.
    consumer: Option<Consumer>,
}

impl<'c> Fresh<'c> {
    /// `None`: no broker answers.
    pub fn connect(config: &'c Config) -> Option<Self> {
        let fresh = Self { config, consumer: Some(clients::consumer(config).ok()?) };
        Cluster::enter(fresh.consumer()?, config, &AtomicBool::new(false)).ok()?;
        Some(fresh)
    }

    /// Whether we may do what we have to, as far as brokers tell.
    pub fn is_admitted(&self) -> bool {
        let cluster = self.consumer().and_then(|consumer| Cluster::reach(consumer, self.config).ok());
        cluster.is_some_and(|cluster| admitted(&cluster, self.config).is_ok())
    }

    /// The end that a reader of committed records sees of a partition, told by its leader.
    pub fn end(&self, topic: &str, partition: i32) -> Option<i64> {
        let (_, end) = self.consumer()?.fetch_watermarks(topic, partition, TIMEOUT).ok()?;
        Some(end)
    }

    /// Whether every partition of a topic has a leader that answers.
    pub fn has_leaders(&self, topic: &str) -> bool {
        let metadata = self.consumer().and_then(|consumer| consumer.fetch_metadata(Some(topic), TIMEOUT).ok());
        let partitions = metadata.iter().flat_map(Metadata::topics).flat_map(MetadataTopic::partitions);
        let mut by_leader: Vec<_> = partitions.map(|partition| (partition.leader(), partition.id())).collect();
        if by_leader.is_empty() || by_leader.iter().any(|(leader, _)| *leader < 0) {
            return false;
        }
        by_leader.sort_unstable();
        by_leader.dedup_by_key(|(leader, _)| *leader);
        by_leader.into_iter().all(|(_, partition)| self.end(topic, partition).is_some())
    }

    /// Whether the coordinator of our group answers.
    pub fn has_group_coordinator(&self) -> bool {
        let cluster = self.consumer().and_then(|consumer| Cluster::reach(consumer, self.config).ok());
        let group = cluster.and_then(|cluster| cluster.group(&self.config.input.group).ok());
        group.is_some_and(|group| group.error.is_none())
    }

    /// The same for our transactions, where there are any.
    pub fn has_transaction_coordinator(&self) -> bool {
        self.config.pipeline.delivery == Delivery::AtLeastOnce || probe::transactional_id(self.config).is_ok()
    }

    fn consumer(&self) -> Option<&Consumer> {
        self.consumer.as_ref()
    }
}

/// Whether the group tells the offset of a partition to a client that does not mind open transactions. Where it does, and
/// not to one that does mind, somebody's transaction holds that offset back.
pub fn tells_unstable_offsets(config: &Config, topic: &str, partition: i32) -> bool {
    let mut client = settings::consumer(config);
    client.set("isolation.level", "read_uncommitted");
    let Ok(consumer) = clients::consumer_with(&client, config) else { return false };
    let mut asked = TopicPartitionList::new();
    asked.add_partition(topic, partition);
    let answers = Cluster::enter(&consumer, config, &AtomicBool::new(false)).is_ok();
    let told = answers && consumer.committed_offsets(asked, TIMEOUT).is_ok();
    ffi::give_up(consumer);
    told
}

impl Drop for Fresh<'_> {
    fn drop(&mut self) {
        if let Some(consumer) = self.consumer.take() {
            ffi::give_up(consumer);
        }
    }
}

impl fmt::Debug for Fresh<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fresh").finish_non_exhaustive()
    }
}
