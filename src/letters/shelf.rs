//! What every look at letters needs: the dead-letter topics, and the settings of the cluster that has them.

use std::sync::atomic::AtomicBool;

use anyhow::{Context as _, bail};

use super::coordinates::Log;
use super::topics::{MAX_TOPICS, Pattern, Topics};
use crate::config::Config;
use crate::kafka::admin::cluster::Cluster;
use crate::kafka::clients::{Standalone, settings};
use crate::kafka::scan::{Range, Stretch};

/// The setting that names the topic.
const KEY: &str = "dead_letters.topic";

/// The flag that names others.
const FLAG: &str = "--dead-letters";

#[derive(Clone, Debug)]
pub struct Shelf<'c> {
    pub config: &'c Config,
    pub topics: Topics,
    /// As they were asked for; nothing: the configured one.
    pub asked: Vec<Pattern>,
    /// What names the topics, for whoever has to correct it.
    pub key: &'static str,
}

impl<'c> Shelf<'c> {
    /// The topics that were asked for; without any, the configured one. Patterns are held against what the cluster has;
    /// `stop` ends the waiting for it early.
    pub fn of(config: &'c Config, asked: &[Pattern], stop: &AtomicBool) -> anyhow::Result<Self> {
        if asked.is_empty() {
            let topics = Topics::new([config.dead_letters.topic.as_str()]);
            return Ok(Self { config, topics, asked: Vec::new(), key: KEY });
        }
        let there =
            if asked.iter().all(|pattern| pattern.name().is_some()) { Vec::new() } else { there(config, stop)? };
        let mut names: Vec<&str> = Vec::new();
        for pattern in asked {
            let before = names.len();
            match pattern.name() {
                Some(name) => names.push(name),
                None => names.extend(there.iter().map(String::as_str).filter(|name| is_meant(pattern, name, config))),
            }
            if names.len() == before {
                bail!(
                    "no topic fits {FLAG} {pattern} (correct it, or have this user allowed to Describe them; the topics of \
                     the service itself are left out)"
                );
            }
        }
        if names.len() > MAX_TOPICS {
            bail!("{} topics fit, more than {MAX_TOPICS} ({FLAG} with a narrower pattern)", names.len());
        }
        Ok(Self { config, topics: Topics::new(names), asked: asked.to_vec(), key: FLAG })
    }

    /// The number of a range's topic.
    pub fn number(&self, range: &Range) -> u16 {
        self.topics.number(&range.topic).unwrap_or_default()
    }

    /// The partition that a range lies in.
    pub fn log(&self, range: &Range) -> Log {
        Log { topic: self.number(range), partition: range.partition }
    }

    /// All of each topic.
    pub fn stretches(&self) -> Vec<Stretch<'_>> {
        self.topics.names().map(|topic| Stretch::whole(topic, self.key)).collect()
    }
}

/// What the service reads and writes holds no letters, and neither does what Kafka keeps for itself.
fn is_meant(pattern: &Pattern, name: &str, config: &Config) -> bool {
    let is_ours = config.output.topic == name || config.input.topics.iter().any(|topic| topic == name);
    pattern.fits(name) && !is_ours && (pattern.is_of_kafka() || !name.starts_with("__"))
}

/// The names of all topics that we may know of.
fn there(config: &Config, stop: &AtomicBool) -> anyhow::Result<Vec<String>> {
    let consumer = Standalone::new(&settings::reader(config), config).context("make a client")?;
    let cluster = Cluster::enter(&consumer, config, stop)?;
    cluster.names().context("the topics of the cluster cannot be listed (try again)")
}
