//! Move records: from the consumer to the workers, from the workers to the producer.

use super::{Engine, Failure};
use crate::kafka::errors;
use crate::kafka::errors::Class;
use crate::normalize::Kind;
use crate::pipeline::account::{Fate, Slot};
use crate::pipeline::batch::Batch;
use crate::pipeline::breaker::{Breaker, Verdict};
use crate::pipeline::decide::{Produce, Retry, Take};
use crate::pipeline::delivery::Trouble;
use crate::pipeline::intake::Filled;
use crate::pipeline::outlet::{Current, Handed};
use crate::telemetry::metrics::{Abort, Stall};

impl Engine<'_> {
    /// Takes one batch from the consumer. `true`: there may be more.
    pub(super) fn take(&mut self, allowed: Take) -> bool {
        let filled = self.intake.fill(&mut self.filling, &mut self.account, allowed);
        self.drained = filled.drained;
        self.watch.polled_until_empty(filled.drained);
        let full = filled.full;
        self.taken(filled);
        full
    }

    /// Serves the consumer while its partitions are paused. `true`: something came all the same.
    pub(super) fn serve_consumer(&mut self) -> bool {
        let filled = self.intake.serve(&mut self.filling, &mut self.account);
        let came = filled.records > 0;
        self.taken(filled);
        came
    }

    fn taken(&mut self, filled: Filled) {
        if filled.records > 0 {
            self.last_taken = self.now;
            self.telemetry.metrics.records_polled.inc_by(filled.records);
            self.telemetry.metrics.consumed_bytes.inc_by(filled.bytes);
        }
        for error in filled.errors {
            let code = errors::code(&error);
            self.client_error(code, &error.to_string());
        }
    }

    /// Deals out what was taken, when a worker has a place for it.
    pub(super) fn deal(&mut self) {
        if self.filling.is_empty() || !self.workers.has_place() {
            return;
        }
        let mut batch = std::mem::replace(&mut self.filling, self.pool.take());
        batch.epoch = self.epoch;
        self.watch.polled(&batch);
        let mut census: Vec<(Slot, u64)> = Vec::new();
        for slot in batch.slots_from(0) {
            match census.iter_mut().find(|(known, _)| *known == slot) {
                Some((_, records)) => *records += 1,
                None => census.push((slot, 1)),
            }
        }
        self.dealt.push_back(census);
        self.dealt_records += batch.len() as u64;
        self.dealt_bytes += batch.input_bytes();
        self.workers.deal(batch);
    }

    /// Hands finished batches to the producer, in the order in which they were polled. `true`: something moved.
    pub(super) fn hand_over(&mut self, allowed: Produce) -> Result<bool, Failure> {
        let mut moved = false;
        // Letters go when a seal waits for them, too.
        if allowed != Produce::Everything || self.outlet.is_release_due(self.now) {
            match self.outlet.release() {
                Ok(released) => moved = released,
                Err(trouble) => {
                    self.not_taken(trouble);
                    return Ok(true);
                }
            }
        }
        if allowed == Produce::Nothing {
            return Ok(moved);
        }
        loop {
            let Some(mut current) = self.next_batch()? else { break };
            let may_begin = self.may_begin();
            if !matches!(may_begin, Ok(true)) {
                self.current = Some(current);
                if let Err(trouble) = may_begin {
                    self.fatal(trouble);
                }
                return Ok(true);
            }
            let blocked = self.hand_over_batch(&mut current, allowed, &mut moved);
            if current.is_done() {
                self.recycle(current.batch);
            } else {
                self.current = Some(current);
            }
            if blocked {
                break;
            }
        }
        Ok(moved)
    }

    fn next_batch(&mut self) -> Result<Option<Current>, Failure> {
        if let Some(current) = self.current.take() {
            return Ok(Some(current));
        }
        while let Some(batch) = self.workers.take()? {
            self.dealt.pop_front();
            self.dealt_bytes -= batch.input_bytes();
            if batch.epoch != self.epoch {
                self.recycle(batch);
                continue;
            }
            self.dealt_records -= batch.len() as u64;
            self.outlet.tally.batch(batch.record(0).timestamp_ms);
            return Ok(Some(Current::new(batch)));
        }
        Ok(None)
    }

    /// `true`: the producer takes no more at the moment.
    fn hand_over_batch(&mut self, current: &mut Current, allowed: Produce, moved: &mut bool) -> bool {
        while !current.is_done() {
            if allowed == Produce::RestOfRecord && !current.mid_record() {
                return true;
            }
            let (slot, offset) = current.batch.place(current.record);
            let handed = self
                .delivery
                .open(&self.outlet.output.producer)
                .and_then(|()| self.outlet.hand_over(current, self.intake.source(slot)));
            match handed {
                Ok(Handed::All(fate)) => {
                    self.account.handed(slot, offset, fate);
                    *moved = true;
                    let verdict = self.decider.handed(fate == Fate::DeadLettered, self.now);
                    if self.follow_breaker(verdict) {
                        return true;
                    }
                }
                Ok(Handed::Blocked) => return true,
                Err(trouble) => {
                    self.not_taken(trouble);
                    return true;
                }
            }
        }
        false
    }

    /// The producer has refused to take a record.
    fn not_taken(&mut self, trouble: Trouble) {
        match trouble.class {
            // Its report says whom it was about.
            Class::Fatal if self.is_gapless() => self.decider.failed(Retry::AtOnce, Abort::Produce),
            Class::Fatal => self.fatal(trouble),
            Class::Purged => {
                self.given_up = true;
                self.decider.failed(Retry::Later, Abort::Produce);
            }
            class => {
                self.trouble_with_output(class, trouble.code);
                self.decider.failed(Retry::Later, Abort::Produce);
            }
        }
    }

    /// Says what the breaker did. `true`: nothing more may be handed over.
    fn follow_breaker(&mut self, verdict: Verdict) -> bool {
        let pause = self.decider.breaker_holds_until(self.now).map_or(0, |until| (until - self.now).as_secs());
        let (ratio, window) = (self.config.dead_letters.breaker_ratio, self.config.dead_letters.breaker_window);
        match verdict {
            Verdict::Unchanged => return false,
            Verdict::Opened => {
                let share = ratio.unwrap_or_default() * 100.0;
                let kind = self.outlet.tally.most_rejected().map_or("", Kind::name);
                let reason = format!(
                    "the breaker opened: more than {share} % of the last {window} records were rejected, most of late \
                     {kind}; nothing more is taken, a small batch is tried in {pause} s"
                );
                self.stalls.begin(Stall::Breaker, &reason, self.now);
            }
            Verdict::StaysOpen => {
                let reason = "the breaker stays open: most of a small batch was rejected";
                tracing::info!(next_try_seconds = pause, "{reason}");
                // When nothing came for a while, nothing waited.
                self.stalls.begin(Stall::Breaker, reason, self.now);
            }
            Verdict::Closed => self.stalls.end(Stall::Breaker, self.now),
        }
        let open = verdict != Verdict::Closed;
        self.show_breaker(open);
        open
    }

    fn show_breaker(&self, open: bool) {
        self.telemetry.metrics.breaker_open(open);
        self.telemetry.health.breaker(open);
    }

    /// The clients are new, and what opened the breaker is as it was.
    pub(super) fn show_inherited_breaker(&self) {
        if self.decider.breaker().is_some_and(Breaker::is_open) {
            self.stalls.begin(
                Stall::Breaker,
                "the breaker is open as it was before the clients were made anew",
                self.now,
            );
            self.show_breaker(true);
        }
    }

    pub(super) fn recycle(&mut self, batch: Box<Batch>) {
        self.pool.keep(batch);
    }
}
