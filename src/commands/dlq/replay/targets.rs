//! The topics that letters go to, as the cluster has them.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::bail;
use rdkafka::error::RDKafkaErrorCode;

use super::decide::Target;
use crate::kafka::cluster::Cluster;
use crate::kafka::ffi::{Operation, Topic};
use crate::kafka::limits::DEFAULT_MAX_MESSAGE_BYTES;
use crate::kafka::refusal::{Refusal, Resource};
use crate::kafka::topics::is_missing;

/// Source topics that one replay may have: a hostile letter may name any.
const MAX_TOPICS: usize = 1000;

/// Those of the topics that exist. One that may not be written to ends the replay before it begins.
pub fn targets(
    cluster: &Cluster<'_>,
    names: &BTreeSet<&str>,
    to_topic: Option<&str>,
) -> anyhow::Result<BTreeMap<String, Target>> {
    // Anybody can write a letter, with anything for a topic's name.
    let names: Vec<&str> = match to_topic {
        Some(topic) => vec![topic],
        None => names.iter().copied().filter(|name| is_name(name)).collect(),
    };
    if names.len() > MAX_TOPICS {
        bail!("the letters come from {} topics, more than {MAX_TOPICS} (select some: --topic)", names.len());
    }
    if names.is_empty() {
        return Ok(BTreeMap::new());
    }
    let found = cluster.topics(&names)?;
    let key = if to_topic.is_some() { "--to-topic" } else { "--topic" };
    let mut targets = BTreeMap::new();
    for name in names {
        let Some(topic) = found.iter().find(|found| found.name == name).filter(|found| !is_missing(Some(found))) else {
            match to_topic {
                Some(topic) => return Err(Refusal::TopicMissing { topic: topic.to_owned(), key }.into()),
                None => continue,
            }
        };
        usable(topic, key)?;
        targets
            .insert(name.to_owned(), Target { partitions: topic.partitions, limit_bytes: DEFAULT_MAX_MESSAGE_BYTES });
    }
    let names: Vec<&str> = targets.keys().map(String::as_str).collect();
    // Where the settings may not be read (that needs DescribeConfigs) the broker's default is assumed.
    let settings = cluster.settings(&names).unwrap_or_default();
    let limits = settings.iter().map(|settings| settings.values.get("max.message.bytes")?.parse().ok());
    let limits: Vec<Option<usize>> = limits.collect();
    for (target, limit) in targets.values_mut().zip(limits) {
        target.limit_bytes = limit.unwrap_or(target.limit_bytes);
    }
    Ok(targets)
}

fn usable(topic: &Topic, key: &'static str) -> Result<(), Refusal> {
    let name = topic.name.clone();
    let may_write = topic.allowed.as_ref().is_none_or(|allowed| allowed.contains(&Operation::Write));
    match topic.error {
        Some(RDKafkaErrorCode::TopicAuthorizationFailed) => Err(denied(name, key)),
        Some(code) => Err(Refusal::TopicUnusable { topic: name, code }),
        None if !may_write => Err(denied(name, key)),
        None => Ok(()),
    }
}

fn denied(topic: String, key: &'static str) -> Refusal {
    Refusal::Denied { resource: Resource::Topic(topic), operation: Operation::Write, key }
}

/// Kafka's own rule.
fn is_name(name: &str) -> bool {
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=249).contains(&name.len()) && name.bytes().all(is_legal) && name != "." && name != ".."
}
