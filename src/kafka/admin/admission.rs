//! Whether the cluster lets us work: our topics and the group, what cannot be used or is not allowed all at once.

use super::cluster::Cluster;
use super::permissions;
use super::refusal::Refusal;
use super::topics;
use super::topics::Partitions;
use crate::config::Config;

pub fn admitted(cluster: &Cluster<'_>, config: &Config) -> Result<Partitions, Vec<Refusal>> {
    let topics = cluster.topics(&topics::names(config)).map_err(|refusal| vec![refusal])?;
    let mut denied = permissions::missing_on_topics(config, &topics);
    match cluster.group(&config.input.group) {
        Ok(group) => {
            if let Some(code) = group.error {
                tracing::debug!(%code, "the cluster does not tell what is allowed with the group");
            }
            denied.extend(permissions::missing_on_group(config, &group));
        }
        Err(code) => tracing::debug!(%code, "cannot ask what is allowed with the group"),
    }
    match topics::partitions(config, &topics) {
        Ok(partitions) if denied.is_empty() => Ok(partitions),
        Ok(_) => Err(denied),
        Err(refusals) => Err(refusals.into_iter().chain(denied).collect()),
    }
}
