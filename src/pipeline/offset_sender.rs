//! Carries offsets into a transaction, on a thread of its own.
//!
//! librdkafka's `send_offsets_to_transaction` keeps no timeout: it waits until the coordinator of the group has
//! answered. When that broker stands still, that takes a minute; when it has left the cluster, the client waits for a
//! change of its connection that cannot come any more, and asks nobody for its successor. The engine must not wait for
//! that, so the call is made here, and has a time after which nobody listens for its answer any more. Its producer is
//! then replaced: the transactional id's next owner ends the transaction, so that a call that comes to life later has
//! nothing left to add to.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, SyncSender, TryRecvError};
use std::thread::{self, JoinHandle, Thread};
use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::KafkaResult;
use rdkafka::producer::Producer as _;

use crate::kafka::clients::Producer;
use crate::kafka::clients::out::Out;
use crate::mutants::{self, Mutant};

/// How long an answer is waited for. A broker that died is found out after 9 s by the default of Kafka's controller, so
/// that most deaths are over before.
const LONGEST_WAIT: Duration = Duration::from_secs(15);

/// One call to be made.
struct Request {
    offsets: TopicPartitionList,
    group: ConsumerGroupMetadata,
    timeout: Duration,
}

/// What has become of a request.
#[derive(Debug)]
pub enum Answer {
    Here(KafkaResult<()>),
    /// The engine is woken when it comes.
    Awaited,
    /// Nobody waits for it any more: the producer has to be replaced.
    Overdue,
}

/// The thread, and the request that is out.
#[derive(Debug)]
pub struct OffsetSender {
    /// One place: there is one request at a time.
    requests: Option<SyncSender<Request>>,
    answers: Receiver<KafkaResult<()>>,
    thread: Option<JoinHandle<()>>,
    sent_at: Option<Instant>,
    patience: Duration,
}

impl OffsetSender {
    /// `engine` is unparked when an answer has come.
    pub fn new(producer: &Arc<Producer>, transaction_timeout: Duration, engine: Thread) -> io::Result<Self> {
        let (requests, to_do) = mpsc::sync_channel::<Request>(1);
        let (answer, answers) = mpsc::sync_channel(1);
        let producer = Arc::clone(producer);
        let thread = thread::Builder::new().name("offset-sender".to_owned()).spawn(move || {
            let mut first = None;
            while let Ok(Request { offsets, group, timeout }) = to_do.recv() {
                let group = if mutants::is(Mutant::OldGroupMetadata) { first.get_or_insert(group) } else { &group };
                let out = Out::begin();
                let result = producer.send_offsets_to_transaction(&offsets, group, timeout);
                drop(out);
                if answer.send(result).is_err() {
                    return;
                }
                engine.unpark();
            }
        })?;
        // Past its timeout the broker aborts the transaction itself, and takes us for somebody who is fenced.
        let patience = LONGEST_WAIT.min(transaction_timeout / 2);
        Ok(Self { requests: Some(requests), answers, thread: Some(thread), sent_at: None, patience })
    }

    pub fn is_out(&self) -> bool {
        self.sent_at.is_some()
    }

    /// Sends offsets off; to be called again only after the answer.
    pub fn send(&mut self, offsets: TopicPartitionList, group: ConsumerGroupMetadata) {
        // The client tries again by itself for as long as that, and fails in time to be heard.
        let request = Request { offsets, group, timeout: self.patience * 2 / 3 };
        let sent = self.requests.as_ref().map(|requests| requests.try_send(request));
        debug_assert!(matches!(sent, Some(Ok(()))), "one request at a time");
        self.sent_at = Some(Instant::now());
    }

    /// Looks for the answer, without waiting.
    pub fn answer(&mut self) -> Answer {
        match self.answers.try_recv() {
            Ok(result) => {
                self.sent_at = None;
                Answer::Here(result)
            }
            Err(TryRecvError::Empty) if self.sent_at.is_some_and(|at| at.elapsed() < self.patience) => Answer::Awaited,
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => Answer::Overdue,
        }
    }
}

/// Joins the thread, unless it is out: then it is left behind on purpose, with its producer, as nothing can call it
/// back. It ends when its call does, or with the process.
impl Drop for OffsetSender {
    fn drop(&mut self) {
        drop(self.requests.take());
        if self.is_out() {
            tracing::warn!("a call to the group's coordinator never came back; it is left behind");
        } else if let Some(thread) = self.thread.take() {
            // A panic of it has been told already.
            let _ = thread.join();
        }
    }
}
