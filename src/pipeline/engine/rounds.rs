//! The engine's rounds: what the cluster has to be asked again now and then, because nobody tells when it changes.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rdkafka::consumer::Consumer as _;
use rdkafka::error::RDKafkaErrorCode;

use super::Engine;
use crate::kafka::admin::cluster::Cluster;
use crate::kafka::admin::fresh::Fresh;
use crate::kafka::admin::topics;
use crate::kafka::clients::Undelivered;
use crate::kafka::ffi::Topic;
use crate::pipeline::decide::Retry;
use crate::pipeline::inquiry::Inquiry;
use crate::telemetry::metrics::{Abort, Stall};

/// How soon a raised `max.message.bytes` is seen at the latest.
const LIMITS_EVERY: Duration = Duration::from_secs(300);

/// And how soon while records are too large for it.
const LIMITS_EVERY_WHEN_TOO_SMALL: Duration = Duration::from_secs(30);

/// Between two looks for topics that are not there.
const TOPICS_EVERY: Duration = Duration::from_secs(2);

/// Between two looks for a permission that is missing.
const PERMISSION_EVERY: Duration = Duration::from_secs(5);

/// What is asked beside the engine at the moment.
#[derive(Default)]
pub(super) struct Rounds {
    /// Empty: the cluster did not tell.
    topics: Option<Inquiry<Vec<Topic>>>,
    permission: Option<Inquiry<bool>>,
    permission_at: Duration,
}

impl Rounds {
    /// The question that holds no client of ours, so that they need not wait for its answer.
    pub(super) fn take_inquiry(&mut self) -> Option<impl Send + use<>> {
        self.permission.take()
    }
}

impl Engine<'_> {
    /// Reads the size limits again when that is due. To be called after a seal: a broker answers then, and nothing has
    /// to be undone for new clients.
    pub(super) fn review_limits(&mut self) {
        let every = if self.outlet.judged_too_large { LIMITS_EVERY_WHEN_TOO_SMALL } else { LIMITS_EVERY };
        if self.now >= self.limits_read_at + every {
            self.read_limits();
        }
    }

    /// A broker that calls a record too large which we did not may have been told another limit since the start.
    pub(super) fn doubt_limits(&mut self, undelivered: &[Undelivered]) {
        let too_large = |one: &Undelivered| one.code == RDKafkaErrorCode::MessageSizeTooLarge;
        if !self.decider.is_recovering() && undelivered.iter().any(too_large) {
            self.read_limits();
        }
    }

    fn read_limits(&mut self) {
        self.limits_read_at = self.now;
        self.outlet.judged_too_large = false;
        let Ok(cluster) = Cluster::reach(&self.intake.consumer, self.config) else { return };
        let limits = topics::size_limits(&cluster, self.config, Some(self.outlet.limits));
        if limits != self.outlet.limits {
            self.changed_limits = Some(limits);
        }
    }

    /// Looks whether topics that were missing are there again, and tells the consumer: by itself it would find out
    /// minutes later.
    pub(super) fn look_for_topics(&mut self) {
        if let Some(found) = self.rounds.topics.as_ref().and_then(Inquiry::answer) {
            self.rounds.topics = None;
            self.found_topics(&found);
        }
        if self.rounds.topics.is_some() || self.look_for_topics_at.is_none_or(|at| self.now < at) {
            return;
        }
        // Whoever doubts while the question is out sets it again.
        self.look_for_topics_at = None;
        let (config, consumer) = (self.config.clone(), Arc::clone(&self.intake.consumer));
        let look = move || {
            let names: Vec<_> = topics::uses(&config).iter().map(|used| used.topic).collect();
            let cluster = Cluster::reach(&consumer, &config).ok();
            cluster.and_then(|cluster| cluster.topics(&names).ok()).unwrap_or_default()
        };
        match Inquiry::start("topics", thread::current(), look) {
            Ok(inquiry) => self.rounds.topics = Some(inquiry),
            Err(_) => self.look_for_topics_at = Some(self.now + TOPICS_EVERY),
        }
    }

    fn found_topics(&mut self, found: &[Topic]) {
        let missing = found.iter().filter(|topic| topics::is_missing(Some(topic)));
        let missing: Vec<_> = missing.map(|topic| topic.name.as_str()).collect();
        let all_are_there = !found.is_empty() && missing.is_empty() && found.iter().all(|topic| topic.error.is_none());
        if !all_are_there {
            self.look_for_topics_at.get_or_insert(self.now + TOPICS_EVERY);
        }
        if !missing.is_empty() {
            let reason =
                format!("a topic is missing: {} (create it: messagetrace-ecs topics --create)", missing.join(", "));
            self.stalls.begin(Stall::TopicMissing, &reason, self.now);
            self.guard.missed = true;
            self.were_missing = missing.into_iter().map(str::to_owned).collect();
        }
        if !all_are_there {
            return;
        }
        self.stalls.end(Stall::TopicMissing, self.now);
        if self.intake.partitions().any(|(topic, _, _)| self.were_missing.iter().any(|missing| missing == topic)) {
            // Still ours, but what an offset meant there is gone.
            self.position_gone = true;
            self.decider.failed(Retry::AtOnce, Abort::Lost);
        } else {
            // Whoever takes them over from here on looks at them anew.
            self.were_missing.clear();
        }
        let input: Vec<_> = self.config.input.topics.iter().map(String::as_str).collect();
        if let Err(error) = self.intake.consumer.subscribe(&input) {
            tracing::warn!(%error, "cannot subscribe again");
        }
    }

    /// While nothing is in hand, no seal would ever show that a permission is there again.
    pub(super) fn look_for_permission(&mut self) {
        if let Some(admitted) = self.rounds.permission.as_ref().and_then(Inquiry::answer) {
            self.rounds.permission = None;
            if admitted {
                self.stalls.end(Stall::Authorization, self.now);
            }
        }
        let is_due = self.now >= self.rounds.permission_at && self.rounds.permission.is_none();
        if !is_due || self.watch.idle_since.is_none() || !self.stalls.holds(Stall::Authorization) {
            return;
        }
        self.rounds.permission_at = self.now + PERMISSION_EVERY;
        let config = self.config.clone();
        let look = move || Fresh::connect(&config).is_some_and(|fresh| fresh.is_admitted());
        // Without a thread there is another look before long.
        self.rounds.permission = Inquiry::start("permission", thread::current(), look).ok();
    }
}
