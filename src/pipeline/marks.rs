//! What the cluster says about partitions, asked for many at once: where they begin and end, and which topics they are of.

use std::collections::HashMap;
use std::time::Duration;

use rdkafka::consumer::Consumer as _;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::kept::Marks;
use super::position_error::PositionError;
use crate::config::Config;
use crate::kafka::admin::cluster::Cluster;
use crate::kafka::clients::Consumer;
use crate::kafka::ffi::{Ask, Marked, Which};

/// The longest that one question may block the engine.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The beginnings and ends of these partitions.
pub fn marks(
    consumer: &Consumer,
    partitions: &[(String, i32)],
) -> Result<HashMap<(String, i32), Marks>, PositionError> {
    let failed = |code| PositionError::Kafka {
        action: "look up the ends of partitions",
        error: KafkaError::MetadataFetch(code),
    };
    let ask = Ask { client: consumer.client(), broker: None, timeout: TIMEOUT };
    let all = || partitions.iter().map(|(topic, partition)| (topic.as_str(), *partition));
    let lows = ask.offsets(all(), Which::Low).map_err(failed)?;
    let highs = ask.offsets(all(), Which::High).map_err(failed)?;
    let mut found = HashMap::new();
    for low in lows {
        let same = |high: &&Marked| high.topic == low.topic && high.partition == low.partition;
        let high = highs.iter().find(same).ok_or_else(|| failed(RDKafkaErrorCode::UnknownPartition))?;
        let (low_offset, _) = low.mark.map_err(failed)?;
        let (high, epoch) = high.mark.map_err(failed)?;
        found.insert((low.topic, low.partition), Marks { low: low_offset, high, epoch });
    }
    Ok(found)
}

/// The ids of the input topics, where the brokers give them. A topic that cannot be looked at has none here.
pub fn topic_ids(consumer: &Consumer, config: &Config) -> Result<HashMap<String, String>, PositionError> {
    let action = "look up the ids of topics";
    let cluster = Cluster::reach(consumer, config).map_err(|error| PositionError::Kafka { action, error })?;
    let names: Vec<_> = config.input.topics.iter().map(String::as_str).collect();
    let found = cluster.topics(&names).map_err(|_| PositionError::Kafka {
        action,
        error: KafkaError::MetadataFetch(RDKafkaErrorCode::OperationTimedOut),
    })?;
    let known = found.into_iter().filter(|topic| topic.error.is_none());
    Ok(known.filter_map(|topic| Some((topic.name, topic.id?))).collect())
}
