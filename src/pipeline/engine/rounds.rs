//! The engine's rounds: what the cluster has to be asked again now and then, because nobody tells when it changes.

use std::time::Duration;

use rdkafka::consumer::Consumer as _;
use rdkafka::error::RDKafkaErrorCode;

use super::Engine;
use crate::kafka::admin::cluster::Cluster;
use crate::kafka::admin::topics;
use crate::kafka::clients::Undelivered;
use crate::pipeline::decide::Retry;
use crate::telemetry::metrics::{Abort, Stall};

/// How soon a raised `max.message.bytes` is seen at the latest.
const LIMITS_EVERY: Duration = Duration::from_secs(300);

/// And how soon while records are too large for it.
const LIMITS_EVERY_WHEN_TOO_SMALL: Duration = Duration::from_secs(30);

/// Between two looks for topics that are not there.
const TOPICS_EVERY: Duration = Duration::from_secs(2);

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
        if self.look_for_topics_at.is_none_or(|at| self.now < at) {
            return;
        }
        self.look_for_topics_at = Some(self.now + TOPICS_EVERY);
        let names: Vec<_> = topics::uses(self.config).iter().map(|used| used.topic).collect();
        let Ok(cluster) = Cluster::reach(&self.intake.consumer, self.config) else { return };
        let Ok(found) = cluster.topics(&names) else { return };
        let missing: Vec<_> = found.iter().filter(|topic| topic.error.is_some()).map(|t| t.name.as_str()).collect();
        if !missing.is_empty() {
            let reason =
                format!("a topic is missing: {} (create it: messagetrace-ecs topics --create)", missing.join(", "));
            self.stalls.begin(Stall::TopicMissing, &reason, self.now);
            self.were_missing = missing.into_iter().map(str::to_owned).collect();
            return;
        }
        self.look_for_topics_at = None;
        self.stalls.end(Stall::TopicMissing, self.now);
        if self.intake.partitions().any(|(topic, _, _)| self.were_missing.iter().any(|missing| missing == topic)) {
            // Still ours, but what an offset meant there is gone.
            self.position_gone = true;
            self.decider.failed(Retry::AtOnce, Abort::Lost);
        }
        let input: Vec<_> = self.config.input.topics.iter().map(String::as_str).collect();
        if let Err(error) = self.intake.consumer.subscribe(&input) {
            tracing::warn!(%error, "cannot subscribe again");
        }
    }
}
