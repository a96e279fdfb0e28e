//! Whether the cluster fits a configuration, everything that can be asked for asked at once: access, topics and their settings,
//! the times of records, the brokers' versions, the transactional id. Changes nothing.

use std::sync::atomic::AtomicBool;

use rdkafka::config::FromClientConfigAndContext as _;
use rdkafka::error::KafkaError;

use super::cluster::Cluster;
use super::findings::Findings;
use super::fitness::TopicSettings;
use super::refusal::Refusal;
use super::{admission, fitness, permissions, probe, topics};
use crate::config::{Config, Delivery};
use crate::kafka::clients::{Consumer, ConsumerEvents, settings};
use crate::kafka::ffi::Topic;

/// What was found, each in one line.
#[derive(Clone, Debug, Default)]
pub struct Inspection {
    /// What does not fit.
    pub findings: Vec<String>,
    /// What could not be looked at.
    pub unchecked: Vec<String>,
}

/// A client to ask with. It joins no group.
pub fn client(config: &Config) -> Result<Consumer, KafkaError> {
    Consumer::from_config_and_context(&settings::consumer(config), ConsumerEvents::new(config))
}

/// Looks at everything that the service will need.
pub fn inspect(config: &Config) -> Result<Inspection, KafkaError> {
    let mut seen = Inspection::default();
    let consumer = client(config)?;
    let cluster = match Cluster::enter(&consumer, config, &AtomicBool::new(false)) {
        Ok(cluster) => cluster,
        Err(refusal) => {
            seen.findings.push(refusal.to_string());
            return Ok(seen);
        }
    };
    let partitions = match admission::admitted(&cluster, config) {
        Ok(partitions) => Some(partitions),
        Err(refusals) => {
            seen.findings.extend(lines(&refusals));
            None
        }
    };
    let found = Findings::look(&consumer, &cluster, config, partitions.as_ref());
    seen.findings.extend(found.findings);
    seen.unchecked.extend(found.unchecked);
    let unsupported = probe::unsupported(config).unwrap_or_else(|error| {
        seen.unchecked.push(format!("what the brokers can do is not checked: {error}"));
        Vec::new()
    });
    // An id of transactions that there are not would be waited for in vain.
    if config.pipeline.delivery == Delivery::ExactlyOnce && unsupported.is_empty() {
        seen.findings.extend(probe::transactional_id(config).err());
    }
    seen.findings.extend(lines(&unsupported));
    Ok(seen)
}

fn lines(refusals: &[Refusal]) -> impl Iterator<Item = String> {
    refusals.iter().map(ToString::to_string)
}

/// What is wrong with the topics alone, in the words of [`inspect`].
pub fn topic_findings(config: &Config, found: &[Topic], settings: &TopicSettings) -> Vec<String> {
    let mut refusals = topics::partitions(config, found).err().unwrap_or_default();
    refusals.extend(permissions::missing_on_topics(config, found));
    let mut findings: Vec<_> = refusals.iter().map(ToString::to_string).collect();
    findings.extend(fitness::findings(config, settings));
    findings
}
