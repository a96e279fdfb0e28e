//! The ends of partitions, asked for on a thread of its own: the engine has no time to wait for an answer, and a client
//! that does not fetch (its queue is full, the partitions are paused) does not learn by itself how far a topic has grown.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rdkafka::consumer::Consumer as _;
use rdkafka::error::KafkaResult;
use rdkafka::{Offset, TopicPartitionList};

use crate::kafka::clients::Consumer;

/// The longest that one question may take; the next is asked when this one was answered.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Topic, partition and the first offset that a reader of committed records does not see.
pub type End = (String, i32, i64);

struct Question {
    consumer: Arc<Consumer>,
    partitions: TopicPartitionList,
}

/// One question at a time. Dropped, it waits for the answer that is under way.
#[derive(Default)]
pub struct EndLookup {
    asking: Option<Asking>,
    is_open: bool,
}

struct Asking {
    questions: SyncSender<Question>,
    answers: Receiver<Vec<End>>,
    thread: JoinHandle<()>,
}

impl EndLookup {
    /// Asks, unless an answer is still awaited. The thread holds the consumer for as long as it asks.
    pub fn ask<'p>(&mut self, consumer: &Arc<Consumer>, partitions: impl Iterator<Item = (&'p str, i32)>) {
        if self.is_open {
            return;
        }
        let mut list = TopicPartitionList::new();
        for (topic, partition) in partitions {
            // Fails for no offset but an invalid one.
            let _ = list.add_partition_offset(topic, partition, Offset::End);
        }
        if self.asking.is_none() {
            self.asking = Asking::start();
        }
        let Some(asking) = &self.asking else { return };
        let question = Question { consumer: Arc::clone(consumer), partitions: list };
        self.is_open = asking.questions.try_send(question).is_ok();
    }

    /// The answer, when it has come; empty when the cluster did not tell.
    pub fn answer(&mut self) -> Option<Vec<End>> {
        let answer = self.asking.as_ref()?.answers.try_recv().ok()?;
        self.is_open = false;
        Some(answer)
    }
}

impl Asking {
    fn start() -> Option<Self> {
        let (questions, asked) = sync_channel::<Question>(1);
        let (answered, answers) = sync_channel(1);
        let work = move || {
            while let Ok(Question { consumer, partitions }) = asked.recv() {
                let ends = ends(&consumer, partitions).unwrap_or_else(|error| {
                    tracing::debug!(%error, "cannot look up the ends of partitions");
                    Vec::new()
                });
                drop(consumer);
                if answered.send(ends).is_err() {
                    return;
                }
            }
        };
        match thread::Builder::new().name("ends".to_owned()).spawn(work) {
            Ok(thread) => Some(Self { questions, answers, thread }),
            Err(error) => {
                tracing::warn!(%error, "no thread to look up the ends of partitions: lag will stand still");
                None
            }
        }
    }
}

impl Drop for EndLookup {
    fn drop(&mut self) {
        if let Some(Asking { questions, answers, thread }) = self.asking.take() {
            drop((questions, answers));
            // A panic has said so already.
            let _ = thread.join();
        }
    }
}

/// The client is one for committed records, so that the last stable offset is what a look-up of the end gives.
fn ends(consumer: &Consumer, partitions: TopicPartitionList) -> KafkaResult<Vec<End>> {
    let answer = consumer.offsets_for_times(partitions, TIMEOUT)?;
    let known = |(topic, partition, offset)| match offset {
        Offset::Offset(offset) => Some((topic, partition, offset)),
        _ => None,
    };
    let elements = answer.elements();
    let told = elements.iter().filter(|element| element.error().is_ok());
    Ok(told
        .map(|element| (element.topic().to_owned(), element.partition(), element.offset()))
        .filter_map(known)
        .collect())
}
