//! Carry out what the group asks for: partitions taken over, partitions let go.

use std::collections::HashMap;
use std::time::Duration;

use super::{Engine, Failure};
use crate::config::show_duration;
use crate::kafka::clients::Change;
use crate::kafka::errors;
use crate::kafka::errors::Class;
use crate::pipeline::positions;
use crate::pipeline::positions::{Gone, PositionError};
use crate::telemetry::metrics;
use crate::telemetry::metrics::OffsetReset;

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
                if let Err(error) = self.assign(&rebalance.partitions) {
                    match error {
                        PositionError::NoOffset { .. } | PositionError::Gone { .. } => return Err(error.into()),
                        PositionError::Kafka { .. } | PositionError::Pending { .. } => {
                            self.positions_unknown(&error);
                            tracing::warn!("cannot take over partitions yet: {error}");
                            self.retry_at = self.now + Duration::from_secs(1);
                            return Ok(false);
                        }
                    }
                }
                metrics::Rebalance::Assigned
            }
            change @ (Change::Revoke | Change::Lose) => {
                self.release(&rebalance.partitions);
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
        self.watch.joined = true;
        self.stalls.end(metrics::Stall::Group, self.now);
        let series = &self.telemetry.metrics;
        series.rebalance(kind);
        series.rebalance_duration_seconds.observe((self.began.elapsed() - since).as_secs_f64());
        series.assigned_partitions.set(self.intake.assigned() as i64);
        tracing::info!(change = kind.name(), partitions, assigned = self.intake.assigned(), "rebalanced");
        Ok(true)
    }

    /// Partitions are ours, and the group does not tell where they stand.
    fn positions_unknown(&mut self, error: &PositionError) {
        let reason = match error {
            PositionError::Kafka { error: kafka, .. } => {
                let class = errors::class(errors::code(kafka));
                if matches!(class, Class::Authorization | Class::TopicMissing) {
                    return self.trouble(class, error.to_string());
                }
                format!("{error} ({})", self.coordinators())
            }
            PositionError::Pending { .. } => {
                let timeout = show_duration(self.config.pipeline.transaction_timeout);
                format!(
                    "{error} (its broker ends it after the pipeline.transaction_timeout of that process, {timeout} by ours; \
                     the same process started again ends it at once)"
                )
            }
            PositionError::NoOffset { .. } | PositionError::Gone { .. } => error.to_string(),
        };
        self.stalls.begin(metrics::Stall::Group, &reason, self.now);
    }

    fn assign(&mut self, partitions: &[(String, i32)]) -> Result<(), PositionError> {
        let start = self.config.input.start;
        let mut resets = HashMap::new();
        let positions =
            positions::positions(&self.intake.consumer, partitions, &self.partitions_of, start, &mut resets)?;
        for position in positions.iter().filter(|position| !position.committed) {
            let key = (position.topic.clone(), position.partition);
            if let Some(offset) = self.once_ours.remove(&key)
                && !resets.contains_key(&key)
            {
                // A group forgets what it has committed when the topic is deleted.
                let gone = Gone { reason: OffsetReset::Recreated, new_offset: position.offset };
                gone.tell(&key.0, key.1, offset);
                resets.insert(key, gone.reason);
            }
        }
        for reason in resets.into_values() {
            self.telemetry.metrics.offset_reset(reason);
        }
        if let Err(trouble) = self.intake.assign(&positions, &mut self.account) {
            self.fatal(trouble);
        }
        Ok(())
    }

    fn release(&mut self, partitions: &[(String, i32)]) {
        let never_sealed: Vec<_> = self.account.to_commit().map(|(slot, _)| slot).collect();
        for (topic, partition, slot) in self.intake.partitions() {
            if let Some(offset) = self.account.sealed_offset(slot).filter(|_| !never_sealed.contains(&slot)) {
                self.once_ours.insert((topic.to_owned(), partition), offset);
            }
        }
        for (topic, partition) in partitions {
            self.telemetry.metrics.forget_partition(topic, *partition);
        }
        match self.intake.release(partitions, &mut self.account) {
            Ok(abandoned) => {
                self.telemetry.metrics.records_abandoned.inc_by(abandoned);
            }
            Err(trouble) => self.fatal(trouble),
        }
    }
}
