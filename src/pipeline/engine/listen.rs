//! Observe: serve both clients, read what their callbacks noted, and sort what went wrong.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rdkafka::consumer::Consumer as _;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::Producer as _;

use super::{Engine, Failure};
use crate::config::{Delivery as Guarantee, GroupProtocol};
use crate::kafka::clients::{Change, Rebalance};
use crate::kafka::errors;
use crate::kafka::errors::Class;
use crate::pipeline::decide::{Asked, Retry};
use crate::pipeline::delivery::Trouble;
use crate::pipeline::refusals::Blame;
use crate::pipeline::start;
use crate::telemetry::metrics::{Abort, Stall};

/// How long the output or a commit may keep us waiting before it is called a stall.
const STALLED_AFTER: Duration = Duration::from_secs(5);

impl Engine<'_> {
    /// Serves the producer and reads what the callbacks noted.
    pub(super) fn listen(&mut self) {
        self.serve_producer();
        self.watch();
        self.watch_damage();
        self.look_for_topics();
        self.look_for_permission();
        if let Some(noted) = self.intake.consumer.context().take() {
            for rebalance in noted.rebalances {
                self.note(rebalance);
            }
            // Statistics that came before an error must not take back what it says.
            if let Some(statistics) = &noted.statistics {
                self.consumer_statistics(statistics);
            }
            for error in noted.errors {
                self.client_error(error.code, &error.reason);
            }
            if let (Some(ends), Some(statistics)) = (&mut self.ends, &noted.statistics) {
                ends.statistics(statistics);
            }
        }
        let asked = self.stop.load(Ordering::Relaxed);
        if asked {
            self.telemetry.health.stopping();
        }
        // Other secrets need other clients: this engine ends as if stopped, with everything sealed, and another begins.
        if asked || self.renewed.load(Ordering::Relaxed) {
            self.decider.stop(self.now + self.config.pipeline.shutdown_timeout);
        }
    }

    /// Nothing stops in silence: what takes this long is said, whether the client complains or not.
    fn watch(&mut self) {
        if self.now >= self.last_report + STALLED_AFTER && !self.stalls.holds(Stall::Output) {
            let reason = format!("no record was acknowledged for a while by {}", self.written_topics());
            self.stalls.begin(Stall::Output, &reason, self.now);
        }
        let late = |since: Option<Duration>| since.is_some_and(|since| self.now >= since + STALLED_AFTER);
        let unanswered = late(self.seal_began).then_some("a commit has not been answered");
        let unended = || late(self.purging_since).then_some("a transaction has not been ended");
        if let Some(what) = unanswered.or_else(unended).filter(|_| !self.stalls.holds(Stall::Commit)) {
            let reason = format!("{what} for a while ({})", self.coordinators());
            self.stalls.begin(Stall::Commit, &reason, self.now);
        }
        if !self.watch.joined && self.now >= STALLED_AFTER && !self.stalls.holds(Stall::Group) {
            let group = &self.config.input.group;
            let session = match self.config.input.group_protocol {
                GroupProtocol::Classic => "their input.session_timeout",
                GroupProtocol::Consumer => "the brokers' group.consumer.session.timeout.ms",
            };
            let reason = format!(
                "group {group} gives us no partitions yet (it waits for members that died or hang, for as long as \
                 {session}; for longer than that: look at the group's coordinator)"
            );
            self.stalls.begin(Stall::Group, &reason, self.now);
        }
    }

    /// Where records go, and who can tell why they do not get there.
    fn written_topics(&self) -> String {
        let (output, dead_letters) = (&self.config.output.topic, &self.config.dead_letters.topic);
        format!(
            "topic {output} or {dead_letters} (look at the brokers that lead their partitions: disk, quotas, replicas \
             below min.insync.replicas)"
        )
    }

    /// Whom a commit waits for.
    pub(super) fn coordinators(&self) -> String {
        let group = &self.config.input.group;
        match self.config.pipeline.delivery {
            Guarantee::ExactlyOnce => {
                let id = start::transactional_id(self.config);
                format!("look at the brokers that coordinate group {group} and transactional id {id}")
            }
            Guarantee::AtLeastOnce => format!("look at the broker that coordinates group {group}"),
        }
    }

    fn note(&mut self, rebalance: Rebalance) {
        let asked = match rebalance.change {
            Change::Assign => Asked::Assign,
            Change::Revoke => Asked::Revoke,
            Change::Lose => Asked::Lose,
        };
        self.decider.asked(asked, self.now);
        self.rebalances.push_back((rebalance, self.now));
    }

    /// Polls the producer until it has nothing more to report.
    pub(super) fn serve_producer(&mut self) {
        let producer = Arc::clone(&self.outlet.output.producer);
        let mut empty_polls = 0;
        // A poll serves one event, and may serve one that is none of ours.
        while empty_polls < 2 {
            producer.poll(Duration::ZERO);
            let reported = producer.context().take_reported() as u64;
            self.outlet.unacknowledged = self.outlet.unacknowledged.saturating_sub(reported);
            self.guard.settled |= self.outlet.unacknowledged == 0;
            if reported > 0 || self.outlet.unacknowledged == 0 {
                self.last_report = self.now;
            }
            let troubles = producer.context().take_troubles();
            let failed = troubles.as_ref().map_or(0, |troubles| troubles.undelivered.len() as u64);
            self.outlet.acknowledged |= reported > failed;
            self.guard.moved.acknowledged += reported.saturating_sub(failed);
            let served = producer.context().take_served();
            if reported == 0 && troubles.is_none() && !served {
                empty_polls += 1;
                if self.outlet.unacknowledged == 0 {
                    return;
                }
                continue;
            }
            let Some(troubles) = troubles else { continue };
            if !troubles.undelivered.is_empty() {
                self.doubt_limits(&troubles.undelivered);
                self.count_refusals(&troubles.undelivered);
                let blame = self.outlet.blame(&troubles.undelivered);
                self.undelivered(blame);
            }
            for error in troubles.errors {
                self.client_error(error.code, &error.reason);
            }
            if let Some(statistics) = &troubles.statistics {
                self.producer_statistics(statistics);
            }
        }
    }

    fn undelivered(&mut self, blame: Blame) {
        let recovering = self.decider.is_recovering();
        let retry = match blame {
            Blame::Nobody if recovering => return,
            // The client's transaction has failed, so it threw away what it had, and sends nothing that comes later: that
            // would be waited for until its time is up.
            Blame::Nobody => {
                self.given_up = true;
                Retry::Later
            }
            Blame::Refused => Retry::AtOnce,
            Blame::DeadLetterRefused => {
                let reason = format!(
                    "topic {} refuses a dead letter (its limits of size and time: max.message.bytes, \
                     message.timestamp.before.max.ms, or a cleanup.policy that wants keys; the log of its brokers says \
                     which)",
                    self.config.dead_letters.topic
                );
                self.stalls.begin(Stall::DeadLetters, &reason, self.now);
                Retry::Later
            }
            // What lay behind a refused batch, and may be told of before it.
            Blame::Class(Class::Fatal, _) if self.is_gapless() => Retry::AtOnce,
            Blame::Class(class, code) => {
                // What comes while everything is thrown away already tells nothing new.
                if !recovering {
                    self.trouble_with_output(class, code);
                }
                Retry::Later
            }
        };
        self.decider.failed(retry, Abort::Produce);
    }

    pub(super) fn trouble_with_output(&mut self, class: Class, code: RDKafkaErrorCode) {
        self.telemetry.metrics.produce_error(&errors::name(code));
        let (output, dead_letters) = (&self.config.output.topic, &self.config.dead_letters.topic);
        self.trouble(class, format!("records cannot be produced to topic {output} or {dead_letters}: {code}"));
    }

    /// Something that may last: ends the program before the first commit, is waited out after it.
    pub(super) fn trouble(&mut self, class: Class, reason: String) {
        let (cause, remedy) = match class {
            Class::Authorization => (Stall::Authorization, "check the credentials and the permissions of this service"),
            Class::TopicMissing => (Stall::TopicMissing, "create the topic, or correct its name"),
            Class::Codec => {
                (Stall::Output, "set output.compression to a codec that these brokers take, or to \"none\"")
            }
            Class::Session => (
                Stall::Group,
                "set input.session_timeout to what these brokers take: from group.min.session.timeout.ms, 6 s by default, \
                 to group.max.session.timeout.ms",
            ),
            Class::Membership => (
                Stall::Group,
                "look at the members that input.group has: they are of another kind, too many, or one has our \
                 input.group_instance_id",
            ),
            Class::Fatal | Class::Refused | Class::Neighbour | Class::Purged | Class::Passing => {
                (Stall::Output, "it is tried again; for longer than minutes: look at the brokers")
            }
        };
        let is_waited_out = match class {
            // A start alone may have been committed. While the brokers have taken nothing of this process, it is a setting
            // that is wrong from the beginning, and no bad day of theirs.
            Class::Codec => self.telemetry.metrics.produced_bytes.get() > 0,
            // The members that are in our way may leave.
            Class::Membership => true,
            _ => self.committed || cause == Stall::Output,
        };
        if is_waited_out {
            self.stalls.begin(cause, &format!("{reason} ({remedy})"), self.now);
            if cause == Stall::TopicMissing {
                self.look_for_topics_at.get_or_insert(self.now);
            }
        } else {
            self.refused.get_or_insert(Failure::Refused { reason, remedy });
        }
    }

    pub(super) fn client_error(&mut self, code: RDKafkaErrorCode, reason: &str) {
        match (code, errors::class(code)) {
            // Whether anybody misses them is told by the statistics.
            (RDKafkaErrorCode::AllBrokersDown, _) => {
                tracing::debug!("client: {reason}");
                self.watch.all_down = true;
            }
            // It may be there again: a look tells.
            (_, Class::TopicMissing) if self.committed => {
                self.look_for_topics_at.get_or_insert(self.now);
            }
            (_, class @ (Class::Authorization | Class::TopicMissing | Class::Session | Class::Membership)) => {
                self.trouble(class, reason.to_owned());
            }
            (RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange, _) => {
                self.position_gone = true;
                self.decider.failed(Retry::Later, Abort::Lost);
            }
            // Our own wish (see the client's settings): records behind a refused one must not overtake it.
            (RDKafkaErrorCode::GaplessGuarantee, _) => {}
            (RDKafkaErrorCode::Fatal, _) if self.is_gapless() => self.decider.failed(Retry::AtOnce, Abort::Produce),
            (_, Class::Fatal) => {
                let cause = self.outlet.output.producer.client().fatal_error().map_or(code, |(cause, _)| cause);
                // An abort that came too early: it asks for another producer itself.
                if cause != RDKafkaErrorCode::InvalidTransactionalState || self.purging_since.is_none() {
                    self.fatal(Trouble::new("use the client", KafkaError::Global(cause)));
                }
            }
            (RDKafkaErrorCode::BadCompression | RDKafkaErrorCode::BadMessage, _) => self.damaged(reason),
            _ => tracing::debug!(%code, "client: {reason}"),
        }
    }

    pub(super) fn is_gapless(&self) -> bool {
        let fatal = self.outlet.output.producer.client().fatal_error();
        matches!(fatal, Some((RDKafkaErrorCode::GaplessGuarantee, _)))
    }

    pub(super) fn fatal(&mut self, mut trouble: Trouble) {
        // Once the client has failed for good, its calls fail with that alone.
        if trouble.code == RDKafkaErrorCode::Fatal
            && let Some((cause, _)) = self.outlet.output.producer.client().fatal_error()
        {
            trouble.code = cause;
        }
        self.fatal.get_or_insert(trouble);
    }
}
