//! Carry out what the group asks for: partitions taken over, partitions let go.

use std::collections::HashMap;

use rdkafka::error::KafkaError;

use super::{Engine, Failure};
use crate::config::show_duration;
use crate::kafka::admin::fresh;
use crate::kafka::clients::Change;
use crate::kafka::errors;
use crate::kafka::errors::Class;
use crate::pipeline::decide::Retry;
use crate::pipeline::positions::{Gone, Look, PositionError};
use crate::pipeline::{marks, positions};
use crate::telemetry::metrics;
use crate::telemetry::metrics::{Abort, OffsetReset};

impl Engine<'_> {
    /// Carries out the oldest change of the assignment.
    pub(super) fn reassign(&mut self) -> Result<bool, Failure> {
        if self.now < self.retry_at {
            return Ok(false);
        }
        let Some((rebalance, since)) = self.rebalances.front().cloned() else {
            self.decider.reassigned();
            return Ok(true);
        };
        let partitions = rebalance.partitions.len();
        let kind = match rebalance.change {
            Change::Assign => {
                self.joined();
                let began = self.began.elapsed();
                if let Err(error) = self.assign(&rebalance.partitions) {
                    match error {
                        PositionError::NoOffset { .. }
                        | PositionError::Gone { .. }
                        | PositionError::Recreated { .. } => return Err(error.into()),
                        PositionError::Kafka { error: ref kafka, .. } => {
                            self.positions_unknown(kafka, &error, &rebalance.partitions);
                            tracing::warn!("cannot take over partitions yet: {error}");
                            self.asked_in_vain(began);
                            return Ok(false);
                        }
                    }
                }
                metrics::Rebalance::Assigned
            }
            change @ (Change::Revoke | Change::Lose) => {
                self.release(&rebalance.partitions);
                if self.intake.assigned() > 0 {
                    self.forget_series();
                }
                if change == Change::Lose { metrics::Rebalance::Lost } else { metrics::Rebalance::Revoked }
            }
        };
        self.rebalances.pop_front();
        self.guard.moved.reassigned += 1;
        self.decider.reassigned();
        self.drained = false;
        if let Some(ends) = &mut self.ends {
            ends.forget();
        }
        self.telemetry.health.joined();
        self.joined();
        self.stalls.end(metrics::Stall::Group, self.now);
        let series = &self.telemetry.metrics;
        series.rebalance(kind);
        series.rebalance_duration_seconds.observe((self.began.elapsed() - since).as_secs_f64());
        series.assigned_partitions.set(self.intake.assigned() as i64);
        tracing::info!(change = kind.name(), partitions, assigned = self.intake.assigned(), "rebalanced");
        Ok(true)
    }

    /// The group has let us in; what else it may be waited for is another stall.
    fn joined(&mut self) {
        self.guard.hear(self.now);
        if !self.watch.joined {
            self.watch.joined = true;
            self.stalls.end(metrics::Stall::Group, self.now);
        }
    }

    /// Partitions are ours, and the group does not tell where they stand.
    fn positions_unknown(&mut self, error: &KafkaError, what: &PositionError, partitions: &[(String, i32)]) {
        let class = errors::class(errors::code(error));
        if matches!(class, Class::Authorization | Class::TopicMissing) {
            return self.trouble(class, what.to_string());
        }
        if self.stalls.holds(metrics::Stall::Group) {
            return;
        }
        // The client asks on by itself while an open transaction holds offsets back, and tells only that it took long.
        let asked = errors::is_unanswered(errors::code(error)).then(|| partitions.first()).flatten();
        let held_back =
            asked.filter(|(topic, partition)| fresh::tells_unstable_offsets(self.config, topic, *partition));
        let reason = match held_back {
            Some((topic, partition)) => {
                let more = match partitions.len() {
                    1 => String::new(),
                    many => format!(" or one of {} more partitions", many - 1),
                };
                let timeout = show_duration(self.config.pipeline.transaction_timeout);
                format!(
                    "the group's offset of {topic}/{partition}{more} is part of a transaction that another process began and \
                     has not ended (its broker ends it after the pipeline.transaction_timeout of that process, {timeout} \
                     by ours; the same process started again ends it at once)"
                )
            }
            None => format!("{what} ({})", self.coordinators()),
        };
        self.stalls.begin(metrics::Stall::Group, &reason, self.now);
    }

    fn assign(&mut self, partitions: &[(String, i32)]) -> Result<(), PositionError> {
        let mut resets = HashMap::new();
        // Asked afresh: the partitions may be those of another topic than the ones before.
        self.intake.topic_ids = marks::topic_ids(&self.intake.consumer, self.config)?;
        let positions = positions::positions(&self.position_look(), partitions, &self.partitions_of, &mut resets)?;
        for position in positions.iter().filter(|position| !position.committed) {
            let key = (position.topic.clone(), position.partition);
            if let Some(offset) = self.once_ours.remove(&key)
                && !resets.contains_key(&key)
            {
                // A group forgets what it has committed when the topic is deleted.
                let (reason, new_offset, epoch) = (OffsetReset::Recreated, position.offset, position.epoch);
                let gone = Gone { reason, new_offset, epoch };
                gone.tell(&key.0, key.1, offset);
                resets.insert(key, gone.reason);
            }
        }
        for reason in resets.into_values() {
            self.telemetry.metrics.offset_reset(reason);
        }
        match self.intake.assign(&positions, &mut self.account) {
            Ok(true) => {}
            // Going back holds them against their leader epochs; until then nothing is taken.
            Ok(false) => self.decider.failed(Retry::AtOnce, Abort::Lost),
            Err(trouble) => self.fatal(trouble),
        }
        Ok(())
    }

    /// What positions are looked at with.
    pub(super) fn position_look(&self) -> Look<'_> {
        Look { consumer: &self.intake.consumer, config: self.config, topic_ids: &self.intake.topic_ids }
    }

    fn release(&mut self, partitions: &[(String, i32)]) {
        let never_sealed: Vec<_> = self.account.to_commit().map(|(slot, _)| slot).collect();
        for (topic, partition, slot) in self.intake.partitions() {
            if let Some(offset) = self.account.sealed_offset(slot).filter(|_| !never_sealed.contains(&slot)) {
                self.once_ours.insert((topic.to_owned(), partition), offset);
            }
        }
        match self.intake.release(partitions, &mut self.account) {
            Ok(abandoned) => {
                self.telemetry.metrics.records_abandoned.inc_by(abandoned);
            }
            Err(trouble) => self.fatal(trouble),
        }
    }
}
