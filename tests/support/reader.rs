//! Reads whole topics back, bit for bit.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::{Message, Offset, TopicPartitionList};

use super::cluster::{Cluster, View};
use super::raw::{self, Record};
use super::wait;

/// For an open transaction to end, and from one record to the next: a large topic takes as long as it takes.
const READ_LIMIT: Duration = Duration::from_secs(60);

/// A record and where it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
    pub record: Record,
}

/// Everything in a topic, partition by partition, in order.
///
/// A committed view first waits until no open transaction holds anything back: what is missing afterwards is missing for good.
/// What is written meanwhile may be in it or not: its end may never be told while records keep coming.
pub fn read(cluster: &Cluster, topic: &str, view: View) -> Vec<Found> {
    if view == View::Committed {
        let (seen, written) = (cluster.gauge(topic, view), cluster.gauge(topic, View::Uncommitted));
        wait::until("no open transaction holds readers back", READ_LIMIT, || {
            (seen.ends() == written.ends()).then_some(())
        });
    }
    let partitions = cluster.partitions(topic);
    let ends = cluster.gauge(topic, view).ends();
    let consumer = at_the_beginning(cluster, topic, partitions, view);
    let mut found: Vec<Vec<Found>> = vec![Vec::new(); usize::try_from(partitions).expect("a count")];
    let mut at_end = vec![false; found.len()];
    let mut deadline = Instant::now() + READ_LIMIT;
    while at_end.contains(&false) {
        assert!(Instant::now() < deadline, "nothing more of {topic} came within {READ_LIMIT:?}");
        match consumer.poll(Duration::from_millis(100)) {
            // Brokers that are restarted on a busy machine: the client connects again by itself.
            None | Some(Err(KafkaError::MessageConsumption(Code::BrokerTransportFailure | Code::AllBrokersDown))) => {}
            Some(Ok(message)) => {
                deadline = Instant::now() + READ_LIMIT;
                let at = place(message.partition());
                at_end[at] |= message.offset() + 1 >= ends[at];
                found[at].push(Found {
                    topic: topic.to_owned(),
                    partition: message.partition(),
                    offset: message.offset(),
                    record: Record {
                        key: message.key().map(<[u8]>::to_vec),
                        value: message.payload().map(<[u8]>::to_vec),
                        headers: raw::headers(&message),
                        timestamp_ms: message.timestamp().to_millis().unwrap_or(-1),
                    },
                });
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => at_end[place(partition)] = true,
            Some(Err(error)) => panic!("read {topic}: {error}"),
        }
    }
    found.into_iter().flatten().collect()
}

fn at_the_beginning(cluster: &Cluster, topic: &str, partitions: i32, view: View) -> BaseConsumer {
    let mut client = cluster.client();
    client
        .set("group.id", "reader")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("isolation.level", view.isolation_level());
    let consumer: BaseConsumer = client.create().expect("make a consumer");
    let mut start = TopicPartitionList::new();
    for partition in 0..partitions {
        start.add_partition_offset(topic, partition, Offset::Beginning).expect("a valid offset");
    }
    consumer.assign(&start).expect("assign all partitions");
    consumer
}

fn place(partition: i32) -> usize {
    usize::try_from(partition).expect("a partition's number is not negative")
}
