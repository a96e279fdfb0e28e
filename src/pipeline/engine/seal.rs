//! Seal what was handed over, or undo it and go back.

use std::collections::HashMap;
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::error::KafkaError;

use super::{Engine, Failure, LEAVE_TIMEOUT};
use crate::kafka::errors;
use crate::kafka::errors::Class;
use crate::mutants::{self, Mutant};
use crate::pipeline::account::Slot;
use crate::pipeline::decide::{End, Retry};
use crate::pipeline::delivery::{Delivery, Reason, Seal, Trouble, Undone};
use crate::pipeline::kept::Kept;
use crate::pipeline::parting::Asker;
use crate::pipeline::positions::{Gone, PositionError};
use crate::pipeline::{marks, report, start};
use crate::telemetry::metrics::{Abort, CommitResult, OffsetReset, Stall};

/// How long the reports of records that were thrown away are waited for, before the producer is given up.
const PURGE_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a transaction may take to begin, before it is aborted all the same.
const FIRST_REPORT_TIMEOUT: Duration = Duration::from_secs(1);

impl Engine<'_> {
    pub(super) fn seal(&mut self) -> Result<bool, Failure> {
        let began = *self.seal_began.get_or_insert(self.now);
        self.account.check(|slot| self.on_the_way(slot))?;
        let sealed = match (self.may_begin(), self.intake.commit_list(&self.account)) {
            (Ok(false), _) => Seal::Pending,
            (Ok(true), Ok(offsets)) => {
                self.delivery.seal(&self.outlet.output.producer, &self.intake.consumer, &offsets)
            }
            (Err(trouble), _) | (_, Err(trouble)) => Seal::Failed(trouble),
        };
        match sealed {
            Seal::Pending => return Ok(true),
            Seal::Waiting => return Ok(false),
            Seal::Done => self.sealed(began),
            Seal::Postponed(trouble) => {
                let unanswered = errors::is_unanswered(trouble.code);
                self.telemetry.metrics.commit(if unanswered { CommitResult::Unknown } else { CommitResult::Failed });
                self.commit_trouble(&trouble);
                self.decider.seal_postponed(self.now);
            }
            Seal::Failed(trouble) => {
                self.telemetry.metrics.commit(CommitResult::Failed);
                if trouble.class == Class::Fatal {
                    self.fatal(trouble);
                } else {
                    self.commit_trouble(&trouble);
                    let unanswered = errors::is_unanswered(trouble.code);
                    self.decider.failed(Retry::Later, if unanswered { Abort::Timeout } else { Abort::Commit });
                }
            }
        }
        self.seal_began = None;
        Ok(true)
    }

    fn commit_trouble(&mut self, trouble: &Trouble) {
        tracing::warn!(code = %trouble.code, "cannot commit: {trouble}");
        match trouble.class {
            Class::Authorization | Class::TopicMissing => self.trouble(trouble.class, trouble.to_string()),
            _ => self.stalls.begin(Stall::Commit, &format!("{trouble} ({})", self.coordinators()), self.now),
        }
    }

    fn sealed(&mut self, began: Duration) {
        let metrics = &self.telemetry.metrics;
        for (slot, offset) in self.account.to_commit() {
            let source = self.intake.source(slot);
            metrics.committed_offset(&source.topic, source.partition, offset);
        }
        let counts = self.account.sealed();
        report::sealed(metrics, &counts, &self.outlet.tally);
        metrics.commit(CommitResult::Ok);
        self.now = self.began.elapsed();
        metrics.commit_duration_seconds.observe((self.now - began).as_secs_f64());
        self.outlet.start_over();
        self.outlet.forget_refusals(|slot| self.account.sealed_offset(slot));
        self.guard.hear(self.now);
        self.decider.sealed(self.now);
        self.stalls.sealed(self.now);
        self.committed = true;
        self.guard.moved.seals += 1;
        self.review_limits();
    }

    /// Records of a partition between the consumer and the producer, counted by looking.
    fn on_the_way(&self, slot: Slot) -> u64 {
        let current = self.current.iter().flat_map(|current| current.batch.slots_from(current.record));
        let here = self.filling.slots_from(0).chain(current).filter(|other| *other == slot).count() as u64;
        let dealt = self.dealt.iter().flatten().filter(|(other, _)| *other == slot).map(|(_, records)| records);
        here + dealt.sum::<u64>()
    }

    /// Makes void what was handed over and not sealed.
    pub(super) fn abort(&mut self, reason: Abort) -> bool {
        let since = match self.purging_since {
            Some(since) => since,
            None => {
                self.count_abort(reason);
                self.purge();
                *self.purging_since.insert(self.now)
            }
        };
        if self.outlet.unacknowledged > 0 && self.now < since + self.patience_for_reports() {
            return false;
        }
        if self.given_up && !self.explain() {
            return false;
        }
        match self.delivery.abandon(&self.outlet.output.producer) {
            // The reports of what the abort has thrown away are still to come.
            Ok(Undone::Done) if self.outlet.unacknowledged > 0 && self.now < since + PURGE_TIMEOUT => return true,
            Ok(Undone::Done) => {}
            Ok(Undone::Committed) => self.sealed(self.seal_began.unwrap_or(self.now)),
            Ok(Undone::Pending) => return true,
            Ok(Undone::Waiting) => return false,
            Ok(Undone::Replace) => match self.replace_producer() {
                Ok(true) => {}
                Ok(false) => return true,
                Err(trouble) => {
                    self.fatal(trouble);
                    return true;
                }
            },
            Err(trouble) => {
                self.fatal(trouble);
                return true;
            }
        }
        self.purging_since = None;
        self.seal_began = None;
        self.decider.aborted();
        true
    }

    /// Says why the client has given the transaction up: it throws away what it has and names no cause. `false`: that is
    /// still to come.
    fn explain(&mut self) -> bool {
        if let Ok(offsets) = self.intake.commit_list(&self.account) {
            match self.delivery.reason(&self.intake.consumer, &offsets) {
                Reason::Told(trouble) if trouble.class == Class::Fatal => self.fatal(trouble),
                Reason::Told(trouble) => self.commit_trouble(&trouble),
                Reason::Untold => {}
                Reason::Awaited => return false,
            }
        }
        self.given_up = false;
        true
    }

    /// Throws away what was handed over and has no report yet.
    fn purge(&mut self) {
        self.outlet.forget_held();
        self.delivery.purge(&self.outlet.output.producer);
    }

    /// How long reports are waited for before something is undone. librdkafka may ask for the end of a transaction
    /// before the coordinator has heard of its beginning, and takes the refusal for fatal; an acknowledgement proves
    /// that it has heard.
    fn patience_for_reports(&self) -> Duration {
        match (self.delivery.is_open(), self.outlet.acknowledged) {
            (true, true) => Duration::ZERO,
            (true, false) => FIRST_REPORT_TIMEOUT,
            (false, _) => PURGE_TIMEOUT,
        }
    }

    fn count_abort(&self, reason: Abort) {
        if self.delivery.is_open() {
            self.telemetry.metrics.transaction_aborted(reason);
        }
    }

    /// Undoes what is open when the engine ends: a transaction left so would hold readers back until it times out.
    /// Gives the number of records that were handed over and will come again.
    pub(super) fn undo(&mut self, end: &Result<End, Failure>) -> u64 {
        self.count_abort(match end {
            Err(Failure::Fatal(trouble)) if errors::is_fenced(trouble.code) => Abort::Fenced,
            Err(Failure::Fatal(_)) => Abort::Commit,
            Err(Failure::LimitsChanged(_) | Failure::OutputMadeAnew { .. }) => Abort::Produce,
            Err(Failure::Stuck { .. }) => Abort::Timeout,
            Ok(_) | Err(_) => Abort::Shutdown,
        });
        self.purge();
        let began = Instant::now();
        // What stands still does not end in time, and the next producer of this name ends the transaction.
        let in_vain =
            matches!(end, Err(Failure::Stuck { .. } | Failure::OutputMadeAnew { .. } | Failure::LeftBehind(_)));
        let deadline = if in_vain { began } else { began + LEAVE_TIMEOUT };
        while self.outlet.unacknowledged > 0 && Instant::now() < deadline.min(began + self.patience_for_reports()) {
            self.serve_producer();
            thread::park_timeout(Duration::from_millis(10));
        }
        loop {
            match self.delivery.abandon(&self.outlet.output.producer) {
                Ok(Undone::Committed) => self.sealed(self.seal_began.unwrap_or(self.now)),
                Ok(Undone::Pending) if Instant::now() < deadline => self.serve_producer(),
                Ok(Undone::Waiting) if Instant::now() < deadline => thread::park_timeout(Duration::from_millis(10)),
                Ok(_) | Err(_) => break,
            }
        }
        if self.delivery.is_asked() {
            self.telemetry.metrics.commit(CommitResult::Unknown);
        }
        let unsealed = self.account.unsealed();
        self.give_back();
        unsealed
    }

    /// Makes sure that the next transaction may begin. `false`: ask again.
    pub(super) fn may_begin(&mut self) -> Result<bool, Trouble> {
        if self.delivery.is_spent(&self.outlet.output.producer) {
            tracing::info!("a connection of the producer was cut: the next transaction is a new producer's");
            return self.replace_producer();
        }
        self.delivery.prepare(&self.outlet.output.producer)
    }

    /// Puts a new producer in the place of one of which more might come: at least once, an old producer may still send
    /// what it was given; exactly once, this one does not answer any more. `false`: the new one has to be asked to end
    /// what the old one left open.
    fn replace_producer(&mut self) -> Result<bool, Trouble> {
        self.outlet.output = start::output(self.config, self.outlet.limits)?;
        self.outlet.unacknowledged = 0;
        let producer = &self.outlet.output.producer;
        self.delivery = Delivery::new(&self.config.pipeline, &self.intake.consumer, producer)
            .map_err(|_| Trouble::new("start a thread", KafkaError::Canceled))?;
        self.delivery.prepare(producer)
    }

    /// Gives back what is not sealed, and goes back to where that begins.
    pub(super) fn rewind(&mut self) -> Result<bool, Failure> {
        if self.now < self.retry_at {
            return Ok(false);
        }
        let abandoned = self.give_back();
        let began = self.began.elapsed();
        if self.position_gone && !self.replace_positions()? {
            self.asked_in_vain(began);
            return Ok(false);
        }
        match self.intake.seek(&self.account) {
            Ok(true) => {
                tracing::info!(abandoned, "went back to the last seal");
                self.drained = false;
                if let Some(ends) = &mut self.ends {
                    ends.forget();
                }
                self.decider.rewound(self.now);
            }
            Ok(false) => {
                self.asked_in_vain(began);
                return Ok(false);
            }
            Err(trouble) => self.fatal(trouble),
        }
        Ok(true)
    }

    /// Replaces positions that their partitions do not have any more (retention was faster, a topic was made anew, a log
    /// was cut back). `false`: the cluster did not tell.
    fn replace_positions(&mut self) -> Result<bool, Failure> {
        match self.replacements() {
            Ok(()) => {}
            Err(error @ PositionError::Kafka { .. }) => {
                tracing::warn!("cannot look up a position yet: {error}");
                return Ok(false);
            }
            Err(
                error @ (PositionError::Gone { .. } | PositionError::NoOffset { .. } | PositionError::Recreated { .. }),
            ) => return Err(error.into()),
        }
        self.position_gone = false;
        self.were_missing.clear();
        Ok(true)
    }

    fn replacements(&mut self) -> Result<(), PositionError> {
        let ids = marks::topic_ids(&self.intake.consumer, self.config)?;
        let known = std::mem::replace(&mut self.intake.topic_ids, ids);
        let replaced = self.replace_each(&known);
        if replaced.is_err() {
            // Asked again: what was known then has to be known still.
            self.intake.topic_ids = known;
        }
        replaced
    }

    /// `known`: the ids of the topics that the positions are positions in.
    fn replace_each(&mut self, known: &HashMap<String, String>) -> Result<(), PositionError> {
        let mut positions = Vec::new();
        for (slot, offset) in self.account.positions() {
            let source = self.intake.source(slot);
            let topic = source.topic.as_ref();
            let kept = Kept { offset, epoch: self.account.epoch_at(slot, offset), topic_id: known.get(topic).cloned() };
            positions.push((slot, (topic.to_owned(), source.partition), kept));
        }
        let keys: Vec<_> = positions.iter().map(|(_, key, _)| key.clone()).collect();
        let marks = marks::marks(&self.intake.consumer, &keys)?;
        let mut asker = Asker::new(self.config);
        for (slot, key, kept) in positions {
            let Some(marks) = marks.get(&key) else { continue };
            let look = self.position_look();
            // Where the brokers give no ids: what was missing and is there again is taken for another topic.
            let was_missing = kept.topic_id.is_none() && self.were_missing.contains(&key.0);
            let gone = match was_missing {
                true => Some(look.anew(&key, &kept, marks, OffsetReset::Recreated)?),
                false => match look.replacement(&key, &kept, marks, &mut asker)? {
                    Some(gone) => Some(gone),
                    None => {
                        look.parting(&key, &kept, marks, &mut asker)?.map(|new_offset| Gone::cut(new_offset, marks))
                    }
                },
            };
            match gone {
                None => self.account.same_log(slot, marks.epoch),
                Some(gone) => {
                    gone.tell(&key.0, key.1, kept.offset);
                    self.telemetry.metrics.offset_reset(gone.reason);
                    self.account.reset(slot, gone.new_offset, gone.epoch);
                }
            }
        }
        Ok(())
    }

    pub(super) fn give_back(&mut self) -> u64 {
        self.epoch += 1;
        self.dealt.iter_mut().for_each(Vec::clear);
        self.dealt_records = 0;
        self.filling.clear();
        if let Some(current) = self.current.take() {
            self.recycle(current.batch);
        }
        self.outlet.start_over();
        mutants::arm(Mutant::DropADeadLetter);
        let abandoned = self.account.rewind();
        self.telemetry.metrics.records_abandoned.inc_by(abandoned);
        abandoned
    }
}
