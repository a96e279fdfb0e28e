//! Whether the cluster fits a configuration, everything that can be asked for asked at once: access, topics and their settings,
//! the times of records, the brokers' versions, the transactional id. Changes nothing.

use std::sync::atomic::AtomicBool;

use chrono::Utc;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::admission::{Admission, admission};
use super::cluster::Cluster;
use super::fitness::TopicSettings;
use super::refusal::Refusal;
use super::topics::Partitions;
use super::{fitness, permissions, probe, topics};
use crate::config::{Config, Delivery};
use crate::kafka::clients::{self, Consumer, clock};
use crate::kafka::ffi::Topic;

/// What was found, each in one line.
#[derive(Clone, Debug, Default)]
pub struct Inspection {
    /// What does not fit.
    pub findings: Vec<String>,
    /// What could not be looked at.
    pub unchecked: Vec<String>,
}

/// Whether a topic can be written to, or why not: asked before anything is, so that nobody waits for what cannot come.
pub fn found_writable(config: &Config, topic: &str, key: &'static str) -> anyhow::Result<()> {
    let consumer = clients::consumer(config)?;
    let cluster = Cluster::enter(&consumer, config, &AtomicBool::new(false))?;
    let found = cluster.topics(&[topic])?;
    match found.iter().find(|found| found.name == topic && !topics::is_missing(Some(found))) {
        Some(found) => Ok(topics::writable(found, key)?),
        None => Err(Refusal::TopicMissing { topic: topic.to_owned(), key }.into()),
    }
}

/// Looks at everything that the service will need.
pub fn inspect(config: &Config) -> Result<Inspection, KafkaError> {
    let mut seen = Inspection::default();
    let consumer = clients::consumer(config)?;
    let cluster = match Cluster::enter(&consumer, config, &AtomicBool::new(false)) {
        Ok(cluster) => cluster,
        Err(refusal) => {
            seen.findings.push(refusal.to_string());
            return Ok(seen);
        }
    };
    let Admission { outcome, unchecked } = admission(&cluster, config);
    seen.unchecked.extend(unchecked);
    let partitions = match outcome {
        Ok(partitions) => Some(partitions),
        Err(refusals) => {
            seen.findings.extend(lines(&refusals));
            None
        }
    };
    seen.look(&consumer, &cluster, config, partitions.as_ref());
    match cluster.broker_settings() {
        Ok(broker) => seen.findings.extend(fitness::session(config, &broker)),
        // Nearly all clusters have the bounds that Kafka comes with, and few give this permission: not worth a word.
        Err(code) => tracing::debug!(%code, "the brokers' settings are not read"),
    }
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

impl Inspection {
    /// Looks at what forbids nobody to work: the settings of our topics, and their records where it is known how many
    /// partitions there are.
    pub fn look(
        &mut self,
        consumer: &Consumer,
        cluster: &Cluster<'_>,
        config: &Config,
        partitions: Option<&Partitions>,
    ) {
        if let Some(partitions) = partitions {
            self.look_for_records_ahead_of_our_clock(consumer, config, partitions);
        }
        let settings = topic_settings(cluster, config, &mut self.unchecked);
        self.findings.extend(fitness::findings(config, &settings));
    }

    /// In topics that are known to be there.
    fn look_for_records_ahead_of_our_clock(&mut self, consumer: &Consumer, config: &Config, partitions: &Partitions) {
        let inputs = partitions.input.iter().map(|(topic, partitions)| (topic.as_str(), *partitions));
        let written = [
            (config.output.topic.as_str(), partitions.output),
            (config.dead_letters.topic.as_str(), partitions.dead_letters),
        ];
        let now_ms = Utc::now().timestamp_millis();
        for (topic, partitions) in inputs.chain(written) {
            match clock::finding(consumer, topic, partitions, now_ms) {
                Ok(finding) => self.findings.extend(finding),
                // The others would be waited for as long, and somebody waits for us.
                Err(error) => {
                    return self.unchecked.push(format!("the times in topic {topic} are not checked: {error}"));
                }
            }
        }
    }
}

/// What is wrong with the topics alone, in the words of [`inspect`].
pub fn topic_findings(config: &Config, found: &[Topic], settings: &TopicSettings) -> Vec<String> {
    let mut refusals = topics::partitions(config, found).err().unwrap_or_default();
    refusals.extend(permissions::missing_on_topics(config, found));
    let mut findings: Vec<_> = refusals.iter().map(ToString::to_string).collect();
    findings.extend(fitness::findings(config, settings));
    findings
}

/// The settings of our topics. The service works without the permission to read them, so that is no finding.
pub fn topic_settings(cluster: &Cluster<'_>, config: &Config, unchecked: &mut Vec<String>) -> TopicSettings {
    let names = topics::names(config);
    let found = cluster.settings(&names).unwrap_or_else(|code| {
        unchecked.push(format!("the settings of the topics are not checked: {code}"));
        Vec::new()
    });
    let mut settings = TopicSettings::new();
    for (topic, found) in names.into_iter().zip(found) {
        match found.error {
            None => {
                settings.insert(topic.to_owned(), found.values);
            }
            // A finding already.
            Some(RDKafkaErrorCode::UnknownTopicOrPartition) => {}
            Some(code) => unchecked
                .push(format!("the settings of topic {topic} are not checked (it needs DescribeConfigs): {code}")),
        }
    }
    settings
}
