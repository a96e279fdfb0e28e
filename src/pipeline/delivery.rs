//! The two guarantees behind one small type: how what was handed over becomes sealed, and how it is undone.
//!
//! `exactly_once`: events, dead letters and offsets are one transaction. `at_least_once`: offsets are committed once
//! everything is acknowledged. Either way the caller has drained the producer first, and each call does a bounded slice
//! of work, so that the clients are served in between.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::consumer::Consumer as _;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{Producer as _, PurgeConfig};

use super::offset_sender::{Answer, OffsetSender};
use crate::config;
use crate::kafka::clients::{Consumer, Producer};
use crate::kafka::errors;
use crate::kafka::errors::Class;
use crate::kafka::ffi::CommitQueue;
use crate::mutants::{self, Mutant};

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
    /// Ask again when there was a wake-up, or after a while.
    Waiting,
    /// The commit failed or its result is unknown: nothing is lost by asking again after a while.
    Postponed(Trouble),
    /// What was handed over has to be undone.
    Failed(Trouble),
}

/// How far undoing has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undone {
    Done,
    /// The commit was on its way already, and has come through: what was handed over is sealed.
    Committed,
    /// Ask again at the next turn.
    Pending,
    /// Ask again when there was a wake-up, or after a while.
    Waiting,
    /// Only the end of the producer makes sure that nothing more comes of it: put a new one in its place, with a new
    /// delivery, and ask that.
    Replace,
}

/// What the client says of a transaction that it has given up by itself.
#[derive(Debug)]
pub enum Reason {
    Told(Trouble),
    /// There is no more to be learned.
    Untold,
    /// Ask again when there was a wake-up, or after a while.
    Awaited,
}

/// The guarantee, and where it stands.
#[derive(Debug)]
pub enum Delivery {
    ExactlyOnce(Transaction),
    AtLeastOnce { commits: CommitQueue, asked: bool },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The producer has not introduced itself yet.
    New,
    /// Nothing handed over, nothing asked.
    Closed,
    Open,
    SendingOffsets,
    OffsetsSent,
    /// Only the commit itself can tell what has become of it.
    Committing,
}

/// Where a transaction stands; closed to the outside.
#[derive(Debug)]
pub struct Transaction {
    stage: Stage,
    sender: OffsetSender,
}

impl Delivery {
    /// What belongs to one producer. To be called on the thread that is to be woken.
    pub fn new(config: &config::Pipeline, consumer: &Arc<Consumer>, producer: &Arc<Producer>) -> io::Result<Self> {
        Ok(match config.delivery {
            config::Delivery::ExactlyOnce => {
                let sender = OffsetSender::new(producer, config.transaction_timeout, thread::current())?;
                Self::ExactlyOnce(Transaction { stage: Stage::New, sender })
            }
            config::Delivery::AtLeastOnce => Self::AtLeastOnce { commits: CommitQueue::new(consumer), asked: false },
        })
    }

    /// Makes the producer ready; with transactions this ends what an earlier one with the same id left open.
    /// `false`: ask again.
    pub fn prepare(&mut self, producer: &Producer) -> Result<bool, Trouble> {
        match self {
            Self::ExactlyOnce(transaction) if transaction.stage == Stage::New => {
                match producer.init_transactions(SLICE) {
                    Ok(()) => {
                        // What happened to its connections before the brokers knew it is of no account.
                        hear_out(producer);
                        producer.context().introduced();
                        transaction.stage = Stage::Closed;
                        Ok(true)
                    }
                    Err(error) if is_retriable(&error) => Ok(false),
                    Err(error) => Err(Trouble::new("prepare the transactional producer", error)),
                }
            }
            Self::ExactlyOnce(_) | Self::AtLeastOnce { .. } => Ok(true),
        }
    }

    /// Whether the next transaction has to be another producer's: requests of the last one may still arrive, and would
    /// be taken for requests of the next.
    pub fn is_spent(&self, producer: &Producer) -> bool {
        if !matches!(self, Self::ExactlyOnce(Transaction { stage: Stage::Closed, .. })) {
            return false;
        }
        // It may have come to its end before what happened on the way was told.
        hear_out(producer);
        producer.context().was_cut() && !mutants::is(Mutant::GoOnAfterACut)
    }

    /// To be called before records are handed to the producer.
    pub fn open(&mut self, producer: &Producer) -> Result<(), Trouble> {
        match self {
            Self::ExactlyOnce(transaction) => transaction.open(producer),
            Self::AtLeastOnce { .. } => Ok(()),
        }
    }

    /// Commits `offsets` with what was handed over. The producer has nothing in flight; `offsets` are the same at each
    /// call until it is done.
    pub fn seal(&mut self, producer: &Producer, consumer: &Consumer, offsets: &TopicPartitionList) -> Seal {
        match self {
            Self::ExactlyOnce(transaction) => {
                let sealed = transaction.seal(producer, consumer, offsets);
                sealed.unwrap_or_else(|trouble| match is_retriable(&trouble.error) {
                    true => Seal::Waiting,
                    false => Seal::Failed(trouble),
                })
            }
            Self::AtLeastOnce { commits, asked } => seal_offsets(commits, asked, offsets),
        }
    }

    /// Why the client has given up what was handed over. It tells whoever asks for more, so the offsets are added to a
    /// transaction that is undone in any case.
    pub fn reason(&mut self, consumer: &Consumer, offsets: &TopicPartitionList) -> Reason {
        match self {
            Self::ExactlyOnce(transaction) => transaction.reason(consumer, offsets),
            Self::AtLeastOnce { .. } => Reason::Untold,
        }
    }

    /// Undoes what was handed over and not sealed. At-least-once cannot undo anything, but replace the producer; and waits
    /// until a commit that is out has its answer. The client keeps one that finds no coordinator, and sends it again as
    /// whatever member of the group it is by then; it joins anew only when a loss was carried out here.
    pub fn abandon(&mut self, producer: &Producer) -> Result<Undone, Trouble> {
        match self {
            Self::ExactlyOnce(Transaction { stage: Stage::New, .. }) => {
                Ok(if self.prepare(producer)? { Undone::Done } else { Undone::Pending })
            }
            Self::ExactlyOnce(transaction) => transaction.abandon(producer),
            Self::AtLeastOnce { asked: false, .. } => Ok(Undone::Replace),
            Self::AtLeastOnce { commits, asked } => Ok(match answer(commits, asked) {
                None => Undone::Pending,
                Some(Ok(())) => Undone::Committed,
                Some(Err(_)) => Undone::Replace,
            }),
        }
    }

    /// Whether a transaction has begun that would have to be given up.
    pub fn is_open(&self) -> bool {
        matches!(self, Self::ExactlyOnce(Transaction { stage, .. }) if !matches!(stage, Stage::New | Stage::Closed))
    }

    /// Whether a commit was asked for that has no answer yet.
    pub fn is_asked(&self) -> bool {
        match self {
            Self::ExactlyOnce(transaction) => transaction.stage == Stage::Committing,
            Self::AtLeastOnce { asked, .. } => *asked,
        }
    }

    /// Throws away what still waits in the producer's queue; the reports come with the next polls. With transactions the
    /// abort does that, and closes the gap in the sequence numbers; done before, the gap would cost a second abort.
    pub fn purge(&self, producer: &Producer) {
        match self {
            Self::ExactlyOnce(_) => {}
            Self::AtLeastOnce { .. } => producer.purge(PurgeConfig::default().queue().inflight()),
        }
    }
}

impl Transaction {
    fn open(&mut self, producer: &Producer) -> Result<(), Trouble> {
        if self.stage == Stage::Closed {
            producer.begin_transaction().map_err(|error| Trouble::new("begin a transaction", error))?;
            self.stage = Stage::Open;
        }
        Ok(())
    }

    fn seal(
        &mut self,
        producer: &Producer,
        consumer: &Consumer,
        offsets: &TopicPartitionList,
    ) -> Result<Seal, Trouble> {
        // Nothing may be open: offsets alone are sealed when records were skipped, or a start is committed.
        self.open(producer)?;
        if self.stage == Stage::Open {
            // Freshly asked for each commit: the generation in it is what fences a zombie.
            let is_ours = !consumer.assignment_lost() || mutants::is(Mutant::CommitWhatIsLost);
            let group = consumer.group_metadata().filter(|_| is_ours).ok_or_else(|| {
                Trouble::new("commit offsets", KafkaError::ConsumerCommit(RDKafkaErrorCode::AssignmentLost))
            })?;
            self.sender.send(offsets.clone(), group);
            self.stage = Stage::SendingOffsets;
        }
        if self.stage == Stage::SendingOffsets {
            match self.answer() {
                Answer::Here(result) => {
                    result.map_err(unsent)?;
                    self.stage = Stage::OffsetsSent;
                }
                Answer::Awaited => return Ok(Seal::Waiting),
                Answer::Overdue => {
                    return Err(unsent(KafkaError::ConsumerCommit(RDKafkaErrorCode::OperationTimedOut)));
                }
            }
        }
        Ok(if self.commit(producer)? { Seal::Done } else { Seal::Pending })
    }

    fn reason(&mut self, consumer: &Consumer, offsets: &TopicPartitionList) -> Reason {
        if self.stage == Stage::Open
            && let Some(group) = consumer.group_metadata()
        {
            self.sender.send(offsets.clone(), group);
            self.stage = Stage::SendingOffsets;
        }
        if self.stage != Stage::SendingOffsets {
            return Reason::Untold;
        }
        match self.answer() {
            Answer::Here(result) => result.map_or_else(|error| Reason::Told(unsent(error)), |()| Reason::Untold),
            Answer::Awaited => Reason::Awaited,
            // Whoever undoes it meets that too.
            Answer::Overdue => Reason::Untold,
        }
    }

    /// What became of the offsets. With an answer, good or bad, the client takes another call.
    fn answer(&mut self) -> Answer {
        let answer = self.sender.answer();
        if matches!(answer, Answer::Here(_)) {
            self.stage = Stage::Open;
        }
        answer
    }

    /// `false`: ask again.
    fn commit(&mut self, producer: &Producer) -> Result<bool, Trouble> {
        self.stage = Stage::Committing;
        match producer.commit_transaction(SLICE) {
            Ok(()) => {
                self.stage = Stage::Closed;
                Ok(true)
            }
            Err(error) if is_retriable(&error) => Ok(false),
            Err(error) => {
                self.stage = Stage::Open;
                Err(Trouble::new("commit the transaction", error))
            }
        }
    }

    fn abandon(&mut self, producer: &Producer) -> Result<Undone, Trouble> {
        if self.stage == Stage::Closed {
            return Ok(Undone::Done);
        }
        if self.sender.is_out() {
            // The client does one of these calls at a time.
            match self.answer() {
                Answer::Here(_) => {}
                Answer::Awaited => return Ok(Undone::Waiting),
                Answer::Overdue => return Ok(Undone::Replace),
            }
        }
        if self.stage == Stage::Committing {
            match self.commit(producer) {
                Ok(true) => return Ok(Undone::Committed),
                Ok(false) => return Ok(Undone::Pending),
                Err(trouble) if trouble.class == Class::Fatal => return Err(trouble),
                // Refused: then it can be undone.
                Err(_) => {}
            }
        }
        match producer.abort_transaction(SLICE) {
            Ok(()) => {
                self.stage = Stage::Closed;
                Ok(Undone::Done)
            }
            Err(error) if is_retriable(&error) => Ok(Undone::Pending),
            // The coordinator has not heard of the transaction yet. A client that was told so is of no use any more.
            Err(error) if errors::code(&error) == RDKafkaErrorCode::InvalidTransactionalState => Ok(Undone::Replace),
            Err(error) => Err(Trouble::new("abort the transaction", error)),
        }
    }
}

/// Polls a producer that has no records on the way until it has nothing more to tell.
fn hear_out(producer: &Producer) {
    loop {
        // It serves one event.
        producer.poll(Duration::ZERO);
        if !producer.context().take_served() {
            return;
        }
    }
}

fn unsent(error: KafkaError) -> Trouble {
    Trouble::new("send offsets to the transaction", error)
}

fn seal_offsets(commits: &CommitQueue, asked: &mut bool, offsets: &TopicPartitionList) -> Seal {
    if !*asked {
        if let Err(code) = commits.send(offsets) {
            return Seal::Postponed(Trouble::new("commit offsets", KafkaError::ConsumerCommit(code)));
        }
        *asked = true;
    }
    match answer(commits, asked) {
        None => Seal::Pending,
        Some(Ok(())) => Seal::Done,
        Some(Err(code)) => Seal::Postponed(Trouble::new("commit offsets", KafkaError::ConsumerCommit(code))),
    }
}

/// What has become of the commit that is out, when that is known within a slice.
fn answer(commits: &CommitQueue, asked: &mut bool) -> Option<Result<(), RDKafkaErrorCode>> {
    let answer = commits.poll(i32::try_from(SLICE.as_millis()).unwrap_or(i32::MAX))?;
    *asked = false;
    Some(answer)
}

fn is_retriable(error: &KafkaError) -> bool {
    match error {
        KafkaError::Transaction(told) => {
            let asks_for_more = told.is_fatal() || told.txn_requires_abort();
            told.is_retriable() && !asks_for_more && errors::class(errors::code(error)) != Class::Fatal
        }
        // The crate's own flush before a commit: something was still in flight.
        KafkaError::Flush(_) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::Offset;
    use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

    use super::*;
    use crate::kafka::admin::limits::SizeLimits;
    use crate::kafka::{clients, embedded};

    /// A commit is sent off to a broker that takes its time, and given up before its answer is there; with what comes of
    /// that.
    fn given_up(answers: &[RDKafkaRespErr]) -> Undone {
        let (cluster, mut config) = embedded::broker();
        cluster.broker_round_trip_time(1, Duration::from_millis(400)).expect("a broker that takes its time");
        cluster.request_errors(RDKafkaApiKey::OffsetCommit, answers);
        config.pipeline.delivery = config::Delivery::AtLeastOnce;
        let consumer = Arc::new(clients::consumer(&config).expect("a consumer"));
        let limits = SizeLimits::new(1_000_000, 1_000_000);
        let producer = Arc::new(clients::producer(&config, "id", limits).expect("a producer"));
        let mut delivery = Delivery::new(&config.pipeline, &consumer, &producer).expect("a delivery");
        let mut offsets = TopicPartitionList::new();
        offsets.add_partition_offset(embedded::TOPIC, 0, Offset::Offset(5)).expect("an offset");
        assert!(matches!(delivery.seal(&producer, &consumer, &offsets), Seal::Pending));
        let mut asked_again = 0;
        loop {
            match delivery.abandon(&producer).expect("nothing else goes wrong") {
                Undone::Pending => asked_again += 1,
                undone => {
                    assert!(asked_again > 0 && !delivery.is_asked(), "{undone:?} before the answer was there");
                    return undone;
                }
            }
        }
    }

    #[test]
    fn a_commit_that_is_out_is_not_given_up_before_its_answer_is_there() {
        assert_eq!(given_up(&[]), Undone::Committed);
        assert_eq!(given_up(&[RDKafkaRespErr::RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION]), Undone::Replace);
    }
}
