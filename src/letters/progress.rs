//! How far something has come in the dead-letter topics, kept in a group without members: a commit without one is what
//! Kafka calls a standalone consumer's.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use rdkafka::consumer::{CommitMode, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};

use super::coordinates::Log;
use super::topics::Topics;
use crate::config::Config;
use crate::kafka::admin::cluster::Cluster;
use crate::kafka::admin::refusal::{Refusal, Resource};
use crate::kafka::clients::{self, Consumer, settings};
use crate::kafka::errors;
use crate::kafka::ffi;
use crate::kafka::ffi::Operation;

/// How long the group's coordinator may keep us waiting.
const PATIENCE: Duration = Duration::from_secs(30);

/// A group, and what named it, for whoever has to correct it.
#[derive(Clone, Copy, Debug)]
pub struct Group<'g> {
    pub name: &'g str,
    pub key: &'static str,
}

/// A client that belongs to the group without joining it.
pub fn member(config: &Config, group: Group<'_>) -> anyhow::Result<Arc<Consumer>> {
    let mut client = settings::reader(config);
    client.set("group.id", group.name);
    let consumer = clients::consumer_with(&client, config).context("make a client")?;
    Ok(Arc::new(consumer))
}

/// Offsets and metadata that the group has committed of these partitions.
pub fn committed(
    consumer: &Consumer,
    topics: &Topics,
    logs: impl Iterator<Item = Log>,
    group: Group<'_>,
) -> anyhow::Result<BTreeMap<Log, (i64, String)>> {
    let mut asked = TopicPartitionList::new();
    logs.for_each(|log| {
        asked.add_partition(topics.name(log.topic), log.partition);
    });
    let failed = |error: KafkaError| match errors::code(&error) {
        RDKafkaErrorCode::GroupAuthorizationFailed => group.denied(),
        RDKafkaErrorCode::OperationTimedOut => anyhow!(
            "the progress of group {} cannot be read: {error} (is the same at work elsewhere, or a broker away? try again)",
            group.name
        ),
        _ => anyhow!("the progress of group {} cannot be read: {error} (try again)", group.name),
    };
    let answer = consumer.committed_offsets(asked, PATIENCE).map_err(failed)?;
    answered(&answer, topics).map_err(failed)
}

/// What stands in an answer. Anybody may commit anything beside an offset: what is no text is nothing of ours.
fn answered(answer: &TopicPartitionList, topics: &Topics) -> Result<BTreeMap<Log, (i64, String)>, KafkaError> {
    let mut committed = BTreeMap::new();
    for (element, metadata) in answer.elements().iter().zip(ffi::metadata(answer)) {
        element.error()?;
        if let Some(offset) = element.offset().to_raw().filter(|offset| *offset >= 0)
            && let Some(topic) = topics.number(element.topic())
        {
            let log = Log { topic, partition: element.partition() };
            committed.insert(log, (offset, String::from_utf8(metadata).unwrap_or_default()));
        }
    }
    Ok(committed)
}

/// Keeps these offsets.
pub fn commit(
    consumer: &Consumer,
    topics: &Topics,
    positions: &BTreeMap<Log, i64>,
    group: Group<'_>,
) -> anyhow::Result<()> {
    let mut offsets = TopicPartitionList::with_capacity(positions.len());
    for (log, offset) in positions {
        let mut element = offsets.add_partition(topics.name(log.topic), log.partition);
        element.set_offset(Offset::Offset(*offset)).context("note the progress")?;
    }
    consumer.commit(&offsets, CommitMode::Sync).map_err(|error| match errors::code(&error) {
        RDKafkaErrorCode::GroupAuthorizationFailed => group.denied(),
        _ => anyhow!("the progress of group {} cannot be kept: {error}", group.name),
    })
}

/// Asks first: a client that may not know of its group waits for the group's coordinator in vain.
pub fn may_commit(cluster: &Cluster<'_>, group: Group<'_>) -> anyhow::Result<()> {
    let is_denied = match cluster.group(group.name) {
        Ok(found) if found.error.is_none() => found.allowed.is_some_and(|allowed| !allowed.contains(&Operation::Read)),
        Ok(found) => found.error == Some(RDKafkaErrorCode::GroupAuthorizationFailed),
        // A broker that does not tell is believed to allow it.
        Err(_) => false,
    };
    if is_denied { Err(group.denied()) } else { Ok(()) }
}

impl Group<'_> {
    fn denied(&self) -> anyhow::Error {
        let resource = Resource::Group(self.name.to_owned());
        Refusal::Denied { resource, operation: Operation::Read, key: self.key }.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_have_committed_beside_an_offset_does_no_harm() {
        let topics = Topics::new(["dlq"]);
        let mut answer = TopicPartitionList::new();
        for (partition, offset, metadata) in [(0, 7, "to=12"), (1, 8, "to=12\u{e4}")] {
            let mut element = answer.add_partition("dlq", partition);
            element.set_offset(Offset::Offset(offset)).unwrap();
            element.set_metadata(metadata);
        }
        answer.add_partition("dlq", 2);
        ffi::cut_metadata(&mut answer, 1);
        let log = |partition| Log { topic: 0, partition };
        let expected = [(log(0), (7, "to=12".to_owned())), (log(1), (8, String::new()))];
        assert_eq!(answered(&answer, &topics).unwrap(), expected.into());
    }
}
