//! Follows the output and the dead-letter topic and notes what it sees.

use std::time::{Duration, Instant};

use anyhow::Context;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::account::{Sample, Sightings};
use super::broker::{Broker, DEAD_LETTERS, OUTPUT, PARTITIONS};
use crate::dead_letter;
use crate::record::Header;

const POLL: Duration = Duration::from_millis(50);
const LOOK_UP: Duration = Duration::from_secs(5);
/// How long the rest may take to come once the service has stopped.
const REST: Duration = Duration::from_secs(10);

pub struct Reader {
    consumer: BaseConsumer,
    seen: Sightings,
    /// The next offset of each partition of the output and of the dead-letter topic.
    positions: [[i64; PARTITIONS as usize]; 2],
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").field("positions", &self.positions).finish_non_exhaustive()
    }
}

impl Reader {
    pub fn new(broker: &Broker) -> anyhow::Result<Self> {
        let consumer: BaseConsumer = broker.consumer("demo-reader").create().context("create the reader")?;
        let mut partitions = TopicPartitionList::new();
        for (topic, partition) in [OUTPUT, DEAD_LETTERS].into_iter().flat_map(|t| (0..PARTITIONS).map(move |p| (t, p)))
        {
            partitions.add_partition_offset(topic, partition, Offset::Beginning).context("choose what to read")?;
        }
        consumer.assign(&partitions).context("read the output and dead-letter topics")?;
        Ok(Self { consumer, seen: Sightings::default(), positions: Default::default() })
    }

    /// Reads what is there, or waits a moment for more.
    pub fn read(&mut self) -> anyhow::Result<()> {
        let Some(message) = self.consumer.poll(POLL) else { return Ok(()) };
        let message = message.context("read an output")?;
        note(&mut self.seen, &message);
        let topic = usize::from(message.topic() == DEAD_LETTERS);
        if let Some(position) = self.positions[topic].get_mut(message.partition().unsigned_abs() as usize) {
            *position = message.offset() + 1;
        }
        Ok(())
    }

    pub fn outputs(&self) -> u64 {
        self.seen.outputs()
    }

    /// Reads to the end of both topics, which nobody writes to any more.
    pub fn finish(mut self) -> anyhow::Result<Sightings> {
        let mut ends = self.positions;
        for (topic, ends) in [OUTPUT, DEAD_LETTERS].into_iter().zip(&mut ends) {
            for (partition, end) in (0..).zip(ends) {
                *end = self.consumer.fetch_watermarks(topic, partition, LOOK_UP).context("find a topic's end")?.1;
            }
        }
        let deadline = Instant::now() + REST;
        while self.positions.iter().flatten().zip(ends.iter().flatten()).any(|(position, end)| position < end) {
            anyhow::ensure!(Instant::now() < deadline, "the end of the outputs did not come within {REST:?}");
            self.read()?;
        }
        Ok(self.seen)
    }
}

fn note(seen: &mut Sightings, message: &BorrowedMessage<'_>) {
    // The feed's header names are text, so the client's own reading of them is good enough here.
    let headers: Vec<Header<'_>> = message
        .headers()
        .into_iter()
        .flat_map(Headers::iter)
        .map(|header| Header { name: header.key.as_bytes(), value: header.value })
        .collect();
    if message.topic() == DEAD_LETTERS {
        let letter = dead_letter::decode(&headers).ok();
        seen.dead_letter(letter.as_ref(), || sample(message, &headers));
        return;
    }
    seen.event(dead_letter::event_source(&headers), || sample(message, &headers));
}

fn sample(message: &BorrowedMessage<'_>, headers: &[Header<'_>]) -> Sample {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    Sample {
        at: format!("{}/{}/{}", message.topic(), message.partition(), message.offset()),
        headers: headers.iter().map(|h| (text(h.name), h.value.map_or_else(|| "null".to_owned(), text))).collect(),
        value: message.payload().map(<[u8]>::to_vec),
    }
}
