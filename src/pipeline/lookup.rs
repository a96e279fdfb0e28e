//! What is asked of the cluster now and then, on a thread of its own, as the engine has no time to wait for an answer: the
//! ends of partitions, because a client that does not fetch (its queue is full, the partitions are paused) does not learn
//! by itself how far a topic has grown; and the ids of topics, because a client goes on reading a topic that was made anew
//! at the offset at which it was.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rdkafka::consumer::Consumer as _;
use rdkafka::error::RDKafkaErrorCode;

use super::marks;
use crate::config::Config;
use crate::kafka::clients::Consumer;
use crate::kafka::ffi::{Ask, Marked, Which};

/// The longest that one question may take; the next is asked when this one was answered.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Where a partition ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    pub topic: String,
    pub partition: i32,
    /// The first offset that a reader of committed records does not see.
    pub stable: i64,
    /// The high watermark.
    pub high: i64,
}

/// What the cluster told.
#[derive(Debug, Default)]
pub struct Answer {
    /// Only of partitions whose leaders answered.
    pub ends: Vec<End>,
    /// The ids of the input topics that are there, when they were asked for and told.
    pub topic_ids: Option<HashMap<String, String>>,
}

/// Whether the topics' ids are asked for, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ids {
    Asked,
    NotAsked,
}

struct Question {
    consumer: Arc<Consumer>,
    partitions: Vec<(String, i32)>,
    ids: Ids,
}

/// One question at a time. Dropped, it waits for the answer that is under way.
#[derive(Default)]
pub struct Lookup {
    asking: Option<Asking>,
    is_open: bool,
}

struct Asking {
    questions: SyncSender<Question>,
    answers: Receiver<Answer>,
    thread: JoinHandle<()>,
}

impl Lookup {
    /// Asks, unless an answer is still awaited: `false`. The thread holds the consumer for as long as it asks.
    pub fn ask(&mut self, consumer: &Arc<Consumer>, config: &Config, partitions: Vec<(String, i32)>, ids: Ids) -> bool {
        if self.is_open {
            return false;
        }
        if self.asking.is_none() {
            self.asking = Asking::start(config.clone());
        }
        // Said already; the question is as good as asked, and is asked again in its time.
        let Some(asking) = &self.asking else { return true };
        let question = Question { consumer: Arc::clone(consumer), partitions, ids };
        self.is_open = asking.questions.try_send(question).is_ok();
        self.is_open
    }

    /// The answer, when it has come; empty when the cluster did not tell.
    pub fn answer(&mut self) -> Option<Answer> {
        let answer = self.asking.as_ref()?.answers.try_recv().ok()?;
        self.is_open = false;
        Some(answer)
    }
}

impl Asking {
    fn start(config: Config) -> Option<Self> {
        let (questions, asked) = sync_channel::<Question>(1);
        let (answered, answers) = sync_channel(1);
        let work = move || {
            while let Ok(Question { consumer, partitions, ids }) = asked.recv() {
                let ends = ends(&consumer, &partitions).unwrap_or_else(|code| {
                    tracing::debug!(%code, "cannot look up the ends of partitions");
                    Vec::new()
                });
                let topic_ids = match ids {
                    Ids::Asked => topic_ids(&consumer, &config),
                    Ids::NotAsked => None,
                };
                drop(consumer);
                if answered.send(Answer { ends, topic_ids }).is_err() {
                    return;
                }
            }
        };
        match thread::Builder::new().name("look-up".to_owned()).spawn(work) {
            Ok(thread) => Some(Self { questions, answers, thread }),
            Err(error) => {
                tracing::warn!(%error, "no thread to look things up: lag will stand still, and a topic that is made anew may go unseen");
                None
            }
        }
    }
}

impl Drop for Lookup {
    fn drop(&mut self) {
        if let Some(Asking { questions, answers, thread }) = self.asking.take() {
            drop((questions, answers));
            // A panic has said so already.
            let _ = thread.join();
        }
    }
}

fn ends(consumer: &Consumer, partitions: &[(String, i32)]) -> Result<Vec<End>, RDKafkaErrorCode> {
    let ask = Ask { client: consumer.client(), broker: None, timeout: TIMEOUT };
    let all = || partitions.iter().map(|(topic, partition)| (topic.as_str(), *partition));
    // In this order: what was stable once is below every later end.
    let stable = ask.offsets(all(), Which::Stable)?;
    let highs = ask.offsets(all(), Which::High)?;
    let known = stable.into_iter().filter_map(|Marked { topic, partition, mark }| {
        let high = highs.iter().find(|high| high.topic == topic && high.partition == partition)?;
        let (stable, high) = (mark.ok()?.0, high.mark.ok()?.0);
        Some(End { topic, partition, stable, high })
    });
    Ok(known.collect())
}

fn topic_ids(consumer: &Consumer, config: &Config) -> Option<HashMap<String, String>> {
    marks::topic_ids(consumer, config).inspect_err(|error| tracing::debug!("{error}")).ok()
}
