//! Where two logs part: the first offset at which a partition holds something else than what was read of it, because a
//! leader was elected that had not got all of it.
//!
//! The brokers tell by the leader epoch, and the client asks them when it is sought in a partition with one. Our own
//! consumer stops with an error there, as it must never start anywhere by itself, and does not say where the logs part.
//! So this one is made for the question: it goes there and shows what it finds first. It belongs to no group and sees
//! uncommitted records too. Beginning at the end where the brokers know nothing of the epoch, it finds no cut then.

use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer as _;
use rdkafka::error::KafkaError;
use rdkafka::{Message as _, Offset, TopicPartitionList};

use crate::config::Config;
use crate::kafka::clients::{Standalone, settings};
use crate::kafka::ffi;

/// How long all questions may take together: the engine waits.
const TIMEOUT: Duration = Duration::from_secs(20);

const POLL: Duration = Duration::from_millis(50);
const SEEK_TIMEOUT: Duration = Duration::from_secs(2);

/// One question: a position, and the leader epoch of what was read before it.
#[derive(Clone, Copy, Debug)]
pub struct Read<'a> {
    pub topic: &'a str,
    pub partition: i32,
    pub offset: i64,
    pub epoch: i32,
    /// The end of the partition.
    pub high: i64,
}

/// Who asks. One client for all questions of an occasion, made with the first.
pub struct Asker<'c> {
    config: &'c Config,
    consumer: Option<Standalone>,
    deadline: Instant,
}

impl<'c> Asker<'c> {
    pub fn new(config: &'c Config) -> Self {
        Self { config, consumer: None, deadline: Instant::now() + TIMEOUT }
    }

    /// Where the logs part, when that is before the position. An error: nobody told in time.
    pub fn parting(&mut self, read: &Read<'_>) -> Result<Option<i64>, KafkaError> {
        let consumer = match &mut self.consumer {
            Some(consumer) => consumer,
            None => self.consumer.insert(client(self.config)?),
        };
        let mut place = TopicPartitionList::new();
        place.add_partition_offset(read.topic, read.partition, Offset::Offset(read.offset))?;
        ffi::set_leader_epoch(&mut place, read.epoch);
        consumer.assign(&place)?;
        let late = || KafkaError::Seek("nobody told where the logs part".to_owned());
        let mut is_sought = false;
        while Instant::now() < self.deadline {
            if !is_sought {
                // Not while the client has yet to begin. What it has fetched before the seek it throws away.
                let answer = consumer.seek_partitions(place.clone(), SEEK_TIMEOUT)?;
                is_sought = answer.elements().iter().all(|element| element.error().is_ok());
                if !is_sought {
                    std::thread::sleep(POLL);
                    continue;
                }
            }
            let first = match consumer.poll(POLL) {
                Some(Ok(message)) if message.topic() == read.topic && message.partition() == read.partition => {
                    message.offset()
                }
                // Nothing lies between where it went and the end.
                Some(Err(KafkaError::PartitionEOF(partition))) if partition == read.partition => read.high,
                // It goes on trying by itself.
                Some(_) | None => continue,
            };
            return Ok((first < read.offset).then_some(first));
        }
        Err(late())
    }
}

fn client(config: &Config) -> Result<Standalone, KafkaError> {
    let mut client = settings::reader(config);
    client.set("isolation.level", "read_uncommitted").set("auto.offset.reset", "latest").set("fetch.wait.max.ms", "20");
    Standalone::new(&client, config)
}
