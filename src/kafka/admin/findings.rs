//! What a cluster that lets us work has to say against the configuration all the same: `check --connect` prints it, `run`
//! logs it when it starts.

use chrono::Utc;
use rdkafka::error::RDKafkaErrorCode;

use super::cluster::Cluster;
use super::fitness;
use super::fitness::TopicSettings;
use super::topics;
use super::topics::Partitions;
use crate::config::Config;
use crate::kafka::clients::{Consumer, clock};

/// What was found, a line each.
#[derive(Debug, Default)]
pub struct Findings {
    pub findings: Vec<String>,
    /// What could not be looked at. The service works without, so that is no finding.
    pub unchecked: Vec<String>,
}

impl Findings {
    /// Looks at the settings of our topics, and at their records where it is known how many partitions there are.
    pub fn look(consumer: &Consumer, cluster: &Cluster<'_>, config: &Config, partitions: Option<&Partitions>) -> Self {
        let mut found = Self::default();
        if let Some(partitions) = partitions {
            found.ahead(consumer, config, partitions);
        }
        let settings = found.topic_settings(cluster, config);
        found.findings.extend(fitness::findings(config, &settings));
        found
    }

    /// Records that are ahead of our clock.
    fn ahead(&mut self, consumer: &Consumer, config: &Config, partitions: &Partitions) {
        let inputs = partitions.input.iter().map(|(topic, partitions)| (topic.as_str(), *partitions));
        let written = [
            (config.output.topic.as_str(), partitions.output),
            (config.dead_letters.topic.as_str(), partitions.dead_letters),
        ];
        let now_ms = Utc::now().timestamp_millis();
        for (topic, partitions) in inputs.chain(written) {
            match clock::finding(consumer, topic, partitions, now_ms) {
                Ok(finding) => self.findings.extend(finding),
                Err(error) => self.unchecked.push(format!("the times in topic {topic} are not checked: {error}")),
            }
        }
    }

    /// The settings of our topics, as far as they may be read.
    pub fn topic_settings(&mut self, cluster: &Cluster<'_>, config: &Config) -> TopicSettings {
        let names: Vec<_> = topics::uses(config).iter().map(|used| used.topic).collect();
        let found = cluster.settings(&names).unwrap_or_else(|code| {
            self.unchecked.push(format!("the settings of the topics are not checked: {code}"));
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
                Some(code) => self
                    .unchecked
                    .push(format!("the settings of topic {topic} are not checked (it needs DescribeConfigs): {code}")),
            }
        }
        settings
    }
}
