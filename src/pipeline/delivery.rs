//! The two guarantees behind one small type: how what was handed over becomes sealed, and how it is undone.
//!
//! `exactly_once`: events, dead letters and offsets are one transaction. `at_least_once`: offsets are committed once
//! everything is acknowledged. Either way the caller has drained the producer first, and each call does a bounded slice
//! of work, so that the clients are served in between. With one exception that is not ours: librdkafka 2.12 does not
//! keep the timeout of `send_offsets_to_transaction` while it waits for a group coordinator that has died.

use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::consumer::Consumer as _;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{Producer as _, PurgeConfig};

use crate::config;
use crate::kafka::clients::{Consumer, Producer};
use crate::kafka::errors::{self, Class};
use crate::kafka::ffi::CommitQueue;

/// The longest a call to librdkafka may block the engine.
const SLICE: Duration = Duration::from_millis(100);

/// What went wrong, and how badly.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{action}: {error}")]
pub struct Trouble {
    /// What was being done.
    pub action: &'static str,
    pub class: Class,
    pub code: RDKafkaErrorCode,
    pub error: KafkaError,
}

impl Trouble {
    pub fn new(action: &'static str, error: KafkaError) -> Self {
        let code = errors::code(&error);
        let fatal = matches!(&error, KafkaError::Transaction(error) if error.is_fatal());
        let class = if fatal { Class::Fatal } else { errors::class(code) };
        Self { action, class, code, error }
    }
}

/// How far a seal has come.
#[derive(Debug)]
pub enum Seal {
    Done,
    /// Ask again at the next turn.
    Pending,
    /// The commit failed or its result is unknown: nothing is lost by asking again after a while.
    Postponed(Trouble),
    /// What was handed over has to be undone.
    Failed(Trouble),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Nothing handed over, nothing asked.
    Closed,
    Open,
    OffsetsSent,
}

/// The guarantee, and where it stands.
#[derive(Debug)]
pub enum Delivery {
    ExactlyOnce { stage: StageCell },
    AtLeastOnce { commits: CommitQueue, asked: bool },
}

/// Where a transaction stands; closed to the outside.
#[derive(Debug)]
pub struct StageCell(Stage);

impl Delivery {
    pub fn new(guarantee: config::Delivery, consumer: &std::sync::Arc<Consumer>) -> Self {
        match guarantee {
            config::Delivery::ExactlyOnce => Self::ExactlyOnce { stage: StageCell(Stage::Closed) },
            config::Delivery::AtLeastOnce => Self::AtLeastOnce { commits: CommitQueue::new(consumer), asked: false },
        }
    }

    /// Makes the producer ready; with transactions this ends what an earlier process with the same id left open.
    /// `false`: ask again.
    pub fn prepare(&self, producer: &Producer) -> Result<bool, Trouble> {
        match self {
            Self::AtLeastOnce { .. } => Ok(true),
            Self::ExactlyOnce { .. } => match producer.init_transactions(SLICE) {
                Ok(()) => Ok(true),
                Err(error) if is_retriable(&error) => Ok(false),
                Err(error) => Err(Trouble::new("prepare the transactional producer", error)),
            },
        }
    }

    /// To be called before records are handed to the producer.
    pub fn open(&mut self, producer: &Producer) -> Result<(), Trouble> {
        match self {
            Self::ExactlyOnce { stage } if stage.0 == Stage::Closed => {
                producer.begin_transaction().map_err(|error| Trouble::new("begin a transaction", error))?;
                stage.0 = Stage::Open;
                Ok(())
            }
            Self::ExactlyOnce { .. } | Self::AtLeastOnce { .. } => Ok(()),
        }
    }

    /// Commits `offsets` with what was handed over. The producer has nothing in flight; `offsets` are the same at each
    /// call until it is done.
    pub fn seal(&mut self, producer: &Producer, consumer: &Consumer, offsets: &TopicPartitionList) -> Seal {
        let result = match self {
            Self::ExactlyOnce { stage } => seal_transaction(stage, producer, consumer, offsets),
            Self::AtLeastOnce { commits, asked } => return seal_offsets(commits, asked, offsets),
        };
        match result {
            Ok(()) => Seal::Done,
            Err(trouble) if is_retriable(&trouble.error) && trouble.class != Class::Fatal => Seal::Pending,
            Err(trouble) => Seal::Failed(trouble),
        }
    }

    /// Undoes what was handed over and not sealed. `false`: ask again. At-least-once cannot undo anything: there the
    /// caller replaces the producer, so that nothing of it is sent any more.
    pub fn abandon(&mut self, producer: &Producer) -> Result<bool, Trouble> {
        match self {
            Self::AtLeastOnce { asked, .. } => {
                *asked = false;
                Ok(true)
            }
            Self::ExactlyOnce { stage } if stage.0 == Stage::Closed => Ok(true),
            Self::ExactlyOnce { stage } => match producer.abort_transaction(SLICE) {
                Ok(()) => {
                    stage.0 = Stage::Closed;
                    Ok(true)
                }
                Err(error) => {
                    let trouble = Trouble::new("abort the transaction", error);
                    let again = is_retriable(&trouble.error) && trouble.class != Class::Fatal;
                    if again { Ok(false) } else { Err(trouble) }
                }
            },
        }
    }

    /// Throws away what still waits in the producer's queue; the reports come with the next polls.
    pub fn purge(&self, producer: &Producer) {
        let what = PurgeConfig::default().queue();
        producer.purge(match self {
            // In flight inside a transaction: the abort waits for the answers and makes them void.
            Self::ExactlyOnce { .. } => what,
            Self::AtLeastOnce { .. } => what.inflight(),
        });
    }
}

fn seal_transaction(
    stage: &mut StageCell,
    producer: &Producer,
    consumer: &Consumer,
    offsets: &TopicPartitionList,
) -> Result<(), Trouble> {
    if stage.0 == Stage::Closed {
        // Offsets alone: records that were skipped, or a start that is committed.
        producer.begin_transaction().map_err(|error| Trouble::new("begin a transaction", error))?;
        stage.0 = Stage::Open;
    }
    if stage.0 == Stage::Open {
        // Freshly asked for each commit: the generation in it is what fences a zombie.
        let group = consumer.group_metadata().filter(|_| !consumer.assignment_lost()).ok_or_else(|| {
            Trouble::new("commit offsets", KafkaError::ConsumerCommit(RDKafkaErrorCode::AssignmentLost))
        })?;
        producer
            .send_offsets_to_transaction(offsets, &group, SLICE)
            .map_err(|error| Trouble::new("send offsets to the transaction", error))?;
        stage.0 = Stage::OffsetsSent;
    }
    producer.commit_transaction(SLICE).map_err(|error| Trouble::new("commit the transaction", error))?;
    stage.0 = Stage::Closed;
    Ok(())
}

fn seal_offsets(commits: &CommitQueue, asked: &mut bool, offsets: &TopicPartitionList) -> Seal {
    if !*asked {
        if let Err(code) = commits.send(offsets) {
            return Seal::Postponed(Trouble::new("commit offsets", KafkaError::ConsumerCommit(code)));
        }
        *asked = true;
    }
    let Some(result) = commits.poll(i32::try_from(SLICE.as_millis()).unwrap_or(i32::MAX)) else { return Seal::Pending };
    *asked = false;
    match result {
        Ok(()) => Seal::Done,
        Err(code) => Seal::Postponed(Trouble::new("commit offsets", KafkaError::ConsumerCommit(code))),
    }
}

fn is_retriable(error: &KafkaError) -> bool {
    match error {
        KafkaError::Transaction(error) => error.is_retriable() && !error.is_fatal() && !error.txn_requires_abort(),
        // The crate's own flush before a commit: something was still in flight.
        KafkaError::Flush(_) => true,
        _ => false,
    }
}
