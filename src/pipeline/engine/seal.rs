//! Seal what was handed over, or undo it and go back.

use std::time::Duration;

use rdkafka::error::KafkaError;

use super::{Engine, Failure};
use crate::kafka::errors::Class;
use crate::pipeline::account::Slot;
use crate::pipeline::decide::Retry;
use crate::pipeline::delivery::{Delivery, Seal, Trouble, Undone};
use crate::pipeline::positions::{self, PositionError};
use crate::pipeline::{report, start};
use crate::telemetry::metrics::{Abort, CommitResult, Stall};

/// How long the reports of records that were thrown away are waited for, before the producer is given up.
const PURGE_TIMEOUT: Duration = Duration::from_secs(30);

/// Between two questions that the cluster did not answer.
const RETRY_AFTER: Duration = Duration::from_secs(1);

impl Engine<'_> {
    pub(super) fn seal(&mut self) -> Result<bool, Failure> {
        let began = *self.seal_began.get_or_insert(self.now);
        self.account.check(|slot| self.on_the_way(slot))?;
        let sealed = match self.intake.commit_list(&self.account) {
            Ok(offsets) => self.delivery.seal(&self.outlet.output.producer, &self.intake.consumer, &offsets),
            Err(trouble) => Seal::Failed(trouble),
        };
        match sealed {
            Seal::Pending => return Ok(true),
            Seal::Waiting => return Ok(false),
            Seal::Done => self.sealed(began),
            Seal::Postponed(trouble) => {
                self.telemetry.metrics.commit(CommitResult::Failed);
                self.commit_trouble(&trouble);
                self.decider.seal_postponed(self.now);
            }
            Seal::Failed(trouble) => {
                self.telemetry.metrics.commit(CommitResult::Failed);
                self.telemetry.metrics.transaction_aborted(Abort::Commit);
                if trouble.class == Class::Fatal {
                    self.fatal(trouble);
                } else {
                    self.commit_trouble(&trouble);
                    self.decider.failed(Retry::Later);
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
            _ => self.stalls.begin(Stall::Commit, &trouble.to_string(), self.now),
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
        self.decider.sealed(self.now);
        self.stalls.end_all(self.now);
        self.committed = true;
    }

    /// Records of a partition between the consumer and the producer, counted by looking.
    fn on_the_way(&self, slot: Slot) -> u64 {
        let current = self.current.iter().flat_map(|current| current.batch.slots_from(current.record));
        let here = self.filling.slots_from(0).chain(current).filter(|other| *other == slot).count() as u64;
        let dealt = self.dealt.iter().flatten().filter(|(other, _)| *other == slot).map(|(_, records)| records);
        here + dealt.sum::<u64>()
    }

    /// Makes void what was handed over and not sealed.
    pub(super) fn abort(&mut self) -> bool {
        let since = match self.purging_since {
            Some(since) => since,
            None => {
                self.delivery.purge(&self.outlet.output.producer);
                *self.purging_since.insert(self.now)
            }
        };
        if self.outlet.unacknowledged > 0 && self.now < since + PURGE_TIMEOUT {
            return false;
        }
        match self.delivery.abandon(&self.outlet.output.producer) {
            Ok(Undone::Done) => {}
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
        self.decider.aborted();
        true
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
        if self.position_gone && !self.replace_positions()? {
            self.retry_at = self.now + RETRY_AFTER;
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
            Ok(false) => {}
            Err(trouble) => self.fatal(trouble),
        }
        Ok(true)
    }

    /// Replaces positions that their partitions do not have any more (retention was faster, a topic was made anew), by
    /// what `input.start` says. `false`: the cluster did not tell.
    fn replace_positions(&mut self) -> Result<bool, Failure> {
        let positions: Vec<_> = self.account.positions().collect();
        for (slot, offset) in positions {
            let source = self.intake.source(slot);
            let (topic, partition) = (source.topic.as_ref(), source.partition);
            match positions::gone(&self.intake.consumer, topic, partition, offset, self.config.input.start) {
                Ok(None) => {}
                Ok(Some(gone)) => {
                    gone.tell(topic, partition, offset);
                    self.telemetry.metrics.offset_reset(gone.reason);
                    self.account.reset(slot, gone.new_offset);
                }
                Err(error @ (PositionError::Gone { .. } | PositionError::NoOffset { .. })) => return Err(error.into()),
                Err(error @ PositionError::Kafka { .. }) => {
                    tracing::warn!("cannot look up a position yet: {error}");
                    return Ok(false);
                }
            }
        }
        self.position_gone = false;
        Ok(true)
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
        let abandoned = self.account.rewind();
        self.telemetry.metrics.records_abandoned.inc_by(abandoned);
        abandoned
    }
}
