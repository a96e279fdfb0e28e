//! Topics that are missing are made; those that are there are never touched. What they should be like is decided by
//! [`creation`].

use std::thread;
use std::time::{Duration, Instant};

use rdkafka::error::RDKafkaErrorCode;
use thiserror::Error;

use super::cluster::Cluster;
use super::creation;
use super::creation::Wishes;
use super::fitness::TopicSettings;
use super::refusal::Refusal;
use super::topics;
use crate::config::Config;
use crate::kafka::ffi::NewTopic;

/// How long a topic that was made may take to be known to the broker that is asked.
const SEEN_WITHIN: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(100);

/// What became of the wish for one topic.
#[derive(Clone, Debug)]
pub enum Made {
    Created(NewTopic),
    /// Somebody else was faster.
    ThereByNow {
        name: String,
    },
    NotAllowed {
        name: String,
    },
    /// With the broker's words.
    Failed {
        name: String,
        reason: String,
    },
}

impl Made {
    fn created(&self) -> Option<&str> {
        match self {
            Self::Created(topic) => Some(&topic.name),
            Self::ThereByNow { .. } | Self::NotAllowed { .. } | Self::Failed { .. } => None,
        }
    }
}

#[derive(Clone, Debug, Error)]
pub enum ProvisionError {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("create the topics: {0}")]
    NotAsked(RDKafkaErrorCode),
    #[error("topics were created and are still unknown to a broker (call it again to look)")]
    NotSeen,
}

/// Makes what is missing. Empty: nothing was.
pub fn make_missing(
    cluster: &Cluster<'_>,
    config: &Config,
    wishes: Wishes,
    settings: &TopicSettings,
) -> Result<Vec<Made>, ProvisionError> {
    let found = cluster.topics(&topics::names(config))?;
    let wanted = creation::missing(config, wishes, &found, settings);
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let answers = cluster.create(&wanted).map_err(ProvisionError::NotAsked)?;
    let made = answers.into_iter().map(|answer| {
        let (name, reason) = (answer.name, answer.reason);
        match (answer.error, wanted.iter().find(|wanted| wanted.name == name)) {
            (None, Some(wanted)) => Made::Created(wanted.clone()),
            (Some(RDKafkaErrorCode::TopicAlreadyExists), _) => Made::ThereByNow { name },
            (Some(RDKafkaErrorCode::TopicAuthorizationFailed | RDKafkaErrorCode::ClusterAuthorizationFailed), _) => {
                Made::NotAllowed { name }
            }
            (_, _) => Made::Failed { name, reason },
        }
    });
    Ok(made.collect())
}

/// The controller has made them; the broker that is asked may hear of it a moment later.
pub fn until_seen(cluster: &Cluster<'_>, made: &[Made]) -> Result<(), ProvisionError> {
    let names: Vec<_> = made.iter().filter_map(Made::created).collect();
    let deadline = Instant::now() + SEEN_WITHIN;
    while !names.is_empty() && cluster.topics(&names)?.iter().any(|topic| topics::is_missing(Some(topic))) {
        if Instant::now() >= deadline {
            return Err(ProvisionError::NotSeen);
        }
        thread::sleep(PAUSE);
    }
    Ok(())
}
