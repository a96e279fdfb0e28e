//! Whether the cluster lets us work: our topics and the group, what cannot be used or is not allowed all at once.

use rdkafka::error::RDKafkaErrorCode;

use super::cluster::Cluster;
use super::permissions;
use super::refusal::Refusal;
use super::topics;
use super::topics::Partitions;
use crate::config::Config;
use crate::kafka::ffi::Group;

/// What was asked, and what the cluster did not tell.
#[derive(Debug)]
pub struct Admission {
    pub outcome: Result<Partitions, Vec<Refusal>>,
    /// Whoever does not tell is believed to allow it.
    pub unchecked: Option<String>,
}

pub fn admission(cluster: &Cluster<'_>, config: &Config) -> Admission {
    let topics = match cluster.topics(&topics::names(config)) {
        Ok(topics) => topics,
        Err(refusal) => return Admission { outcome: Err(vec![refusal]), unchecked: None },
    };
    let mut denied = permissions::missing_on_topics(config, &topics);
    let group = cluster.group(&config.input.group);
    if let Ok(group) = &group {
        denied.extend(permissions::missing_on_group(config, group));
    }
    let unchecked = untold(&group).map(|why| {
        format!(
            "whether group {} may be used is not checked: {why} (see that Read on it is granted)",
            config.input.group
        )
    });
    let outcome = match topics::partitions(config, &topics) {
        Ok(partitions) if denied.is_empty() => Ok(partitions),
        Ok(_) => Err(denied),
        Err(refusals) => Err(refusals.into_iter().chain(denied).collect()),
    };
    Admission { outcome, unchecked }
}

/// The same for whoever cannot do anything about what is not told.
pub fn admitted(cluster: &Cluster<'_>, config: &Config) -> Result<Partitions, Vec<Refusal>> {
    let Admission { outcome, unchecked } = admission(cluster, config);
    if let Some(unchecked) = unchecked {
        tracing::debug!("{unchecked}");
    }
    outcome
}

/// Why it is not known what is allowed with the group.
fn untold(group: &Result<Group, RDKafkaErrorCode>) -> Option<String> {
    match group {
        Ok(Group { error: Some(RDKafkaErrorCode::GroupAuthorizationFailed), .. }) => None,
        Err(code) | Ok(Group { error: Some(code), .. }) => Some(code.to_string()),
        Ok(Group { error: None, allowed: None }) => {
            Some("the brokers do not tell (those before 2.3 cannot)".to_owned())
        }
        Ok(Group { error: None, allowed: Some(_) }) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_not_told_of_the_group_is_unchecked() {
        use RDKafkaErrorCode as Code;
        let told = |error| Ok(Group { error, allowed: Some([].into()) });
        let cases = [
            (told(None), false),
            // That is a finding.
            (told(Some(Code::GroupAuthorizationFailed)), false),
            (told(Some(Code::CoordinatorNotAvailable)), true),
            (Ok(Group { error: None, allowed: None }), true),
            (Err(Code::UnsupportedFeature), true),
        ];
        for (group, unchecked) in cases {
            assert_eq!(untold(&group).is_some(), unchecked, "{group:?}");
        }
    }
}
