//! The topics that letters go to, as the cluster has them.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::bail;

use super::decide::Target;
use super::times::{TimeLimits, kept_bytes};
use crate::config;
use crate::config::{Config, is_topic};
use crate::kafka::admin::cluster::Cluster;
use crate::kafka::admin::limits::DEFAULT_MAX_MESSAGE_BYTES;
use crate::kafka::admin::refusal::Refusal;
use crate::kafka::admin::topics::{is_missing, writable};
use crate::kafka::ffi::Topic;

/// Source topics that one replay may have: a hostile letter may name any.
const MAX_TOPICS: usize = 1000;

/// Those of the topics that letters name, or the one that takes them all. One that may not be written to ends the replay
/// before it begins; a source that does not exist is left out.
pub fn targets(
    cluster: &Cluster<'_>,
    names: &BTreeSet<&str>,
    to_topic: Option<&str>,
) -> anyhow::Result<BTreeMap<String, Target>> {
    let (found, key) = match to_topic {
        Some(topic) => (existing(cluster, &BTreeSet::from([topic]))?, "--to-topic"),
        None => (existing(cluster, names)?, "--topic"),
    };
    if let Some(topic) = to_topic.filter(|_| found.is_empty()) {
        return Err(Refusal::TopicMissing { topic: topic.to_owned(), key }.into());
    }
    for topic in &found {
        writable(topic, key)?;
    }
    // Where the settings may not be read (that needs DescribeConfigs) the broker's default is assumed.
    let names: Vec<&str> = found.iter().map(|topic| topic.name.as_str()).collect();
    let settings = if names.is_empty() { Vec::new() } else { cluster.settings(&names).unwrap_or_default() };
    let target = |(at, topic): (usize, &Topic)| {
        let values = settings.get(at).map(|settings| &settings.values);
        let limit = values.and_then(|values| values.get("max.message.bytes")?.parse().ok());
        let limit_bytes = limit.unwrap_or(DEFAULT_MAX_MESSAGE_BYTES);
        let times = values.map(TimeLimits::new).unwrap_or_default();
        let kept_bytes = values.and_then(kept_bytes);
        (topic.name.clone(), Target { partitions: topic.partitions, limit_bytes, times, kept_bytes })
    };
    Ok(found.iter().enumerate().map(target).collect())
}

/// How long events that bear the times of their records are kept; `None`: for ever, or nobody may know.
pub fn kept_in_output(cluster: &Cluster<'_>, config: &Config) -> Option<i64> {
    let topic = config.output.topic.as_str();
    let settings = cluster.settings(&[topic]).ok()?;
    let limits = TimeLimits::new(&settings.first()?.values);
    limits.kept_ms.filter(|_| config.output.timestamp == config::Timestamp::Source)
}

/// What the cluster has under these names. Anybody can write a letter, with anything for a topic's name.
pub fn existing(cluster: &Cluster<'_>, names: &BTreeSet<&str>) -> anyhow::Result<Vec<Topic>> {
    let names: Vec<&str> = names.iter().copied().filter(|name| is_topic(name)).collect();
    if names.len() > MAX_TOPICS {
        bail!("the letters come from {} topics, more than {MAX_TOPICS} (select some: --topic)", names.len());
    }
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let mut found = cluster.topics(&names)?;
    found.retain(|topic| !is_missing(Some(topic)));
    Ok(found)
}
