//! When a reader of committed records got something of each partition.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::{Message as _, Offset, TopicPartitionList};

use super::PARTITIONS;
use super::support::cluster::{Cluster, View};
use super::support::wait;

#[derive(Default)]
pub struct Watcher {
    arrivals: Mutex<BTreeMap<i32, Vec<Instant>>>,
}

impl Watcher {
    /// Reads a topic until it is told to stop.
    pub fn watch(&self, cluster: &Cluster, topic: &str, over: &AtomicBool) {
        let mut client = cluster.client();
        client.set("group.id", "watcher").set("fetch.queue.backoff.ms", "10");
        client.set("isolation.level", View::Committed.isolation_level());
        let reader: BaseConsumer = client.create().expect("a consumer");
        let mut all = TopicPartitionList::new();
        for partition in 0..PARTITIONS {
            all.add_partition_offset(topic, partition, Offset::Beginning).expect("an offset");
        }
        reader.assign(&all).expect("the partitions");
        while !over.load(Ordering::Relaxed) {
            if let Some(message) = reader.poll(Duration::from_millis(10)) {
                let partition = message.expect("an event").partition();
                self.arrivals().entry(partition).or_default().push(Instant::now());
            }
        }
    }

    /// Waits until something has come of each of these that was not on its way when it began.
    pub fn until_all_flow(&self, partitions: &[i32], began: Instant, limit: Duration) {
        let on_its_way = Duration::from_secs(1);
        wait::until("each partition flows again", limit, || {
            let arrivals = self.arrivals();
            let last = |partition| arrivals.get(partition)?.last().copied();
            partitions.iter().all(|partition| last(partition) > Some(began + on_its_way)).then_some(())
        });
    }

    /// The longest pauses since then, of those that moved and of the others.
    pub fn tell(&self, what: &str, began: Instant, moved: &[i32]) {
        let (moved, stayed): (Vec<i32>, Vec<i32>) = (0..PARTITIONS).partition(|partition| moved.contains(partition));
        let told = |partitions: &[i32]| {
            let longest = partitions.iter().map(|partition| self.longest_pause(*partition, began)).max();
            longest.map_or_else(|| "-".to_owned(), |pause| pause.as_millis().to_string())
        };
        println!("{what:<40} {:>14} {:>14}", told(&moved), told(&stayed));
    }

    fn longest_pause(&self, partition: i32, began: Instant) -> Duration {
        let arrivals = self.arrivals();
        let all = arrivals.get(&partition).map(Vec::as_slice).unwrap_or_default();
        // From the last before it began.
        let first = all.partition_point(|at| *at < began).saturating_sub(1);
        let end = Instant::now();
        let times = all[first..].iter().copied().chain([end]);
        times.clone().zip(times.skip(1)).map(|(one, next)| next - one).max().unwrap_or(end - began)
    }

    fn arrivals(&self) -> std::sync::MutexGuard<'_, BTreeMap<i32, Vec<Instant>>> {
        self.arrivals.lock().expect("nobody panics with it")
    }
}
