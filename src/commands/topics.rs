//! `topics`: the topics of the configuration as the cluster has them, with the settings that matter, and what is wrong
//! with them. With `--create` those that are missing are made first; those that are there are never touched.

use std::io::Write;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rdkafka::config::FromClientConfigAndContext as _;
use rdkafka::error::RDKafkaErrorCode;

use super::Exit;
use super::check::topic_settings;
use super::config::printable;
use crate::cli::TopicsArgs;
use crate::config::Config;
use crate::kafka::admin::cluster::Cluster;
use crate::kafka::admin::creation;
use crate::kafka::admin::creation::Wishes;
use crate::kafka::admin::fitness;
use crate::kafka::admin::fitness::TopicSettings;
use crate::kafka::admin::permissions;
use crate::kafka::admin::topics;
use crate::kafka::admin::topics::Use;
use crate::kafka::clients::settings;
use crate::kafka::clients::{Consumer, ConsumerEvents};
use crate::kafka::ffi::{NewTopic, Topic};
use crate::terminal::Stdout;

/// The settings that decide whether records stay, fit and come in time.
const SHOWN: [&str; 9] = [
    "min.insync.replicas",
    "max.message.bytes",
    "retention.ms",
    "retention.bytes",
    "cleanup.policy",
    "compression.type",
    "message.timestamp.type",
    "message.timestamp.before.max.ms",
    "unclean.leader.election.enable",
];

/// How long a topic that was made may take to be known to the broker that is asked.
const SEEN_WITHIN: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(100);

pub fn run(args: &TopicsArgs, config: &Config) -> anyhow::Result<Exit> {
    let consumer = Consumer::from_config_and_context(&settings::consumer(config), ConsumerEvents::new(config))
        .context("make a client")?;
    let cluster = Cluster::enter(&consumer, config, &AtomicBool::new(false))?;
    let mut out = Stdout::lock();
    let mut failed = false;
    if args.create {
        let wishes =
            Wishes { partitions: args.partitions, replication: args.replication_factor, brokers: cluster.brokers() };
        failed = !create(&cluster, config, wishes, &mut out)?;
    }
    let found = cluster.topics(&names(config))?;
    let settings = topic_settings(&cluster, config);
    for used in topics::uses(config) {
        show(&cluster, used, &found, &settings, &mut out)?;
    }
    let findings = findings(config, &found, &settings);
    for finding in &findings {
        writeln!(out, "finding: {finding}")?;
    }
    match findings.len() {
        0 => writeln!(out, "the topics fit the configuration")?,
        1 => writeln!(out, "the topics do not fit the configuration: 1 finding")?,
        many => writeln!(out, "the topics do not fit the configuration: {many} findings")?,
    }
    out.flush()?;
    Ok(if findings.is_empty() && !failed { Exit::Done } else { Exit::Failed })
}

fn names(config: &Config) -> Vec<&str> {
    topics::uses(config).iter().map(|used| used.topic).collect()
}

/// What `check --connect` says of the topics, in the same words.
fn findings(config: &Config, found: &[Topic], settings: &TopicSettings) -> Vec<String> {
    let mut refusals = topics::partitions(config, found).err().unwrap_or_default();
    refusals.extend(permissions::missing_on_topics(config, found));
    let mut findings: Vec<_> = refusals.iter().map(ToString::to_string).collect();
    findings.extend(fitness::findings(config, settings));
    findings
}

/// Makes what is missing and says so. Whether all of it could be made.
fn create(cluster: &Cluster<'_>, config: &Config, wishes: Wishes, out: &mut Stdout) -> anyhow::Result<bool> {
    let found = cluster.topics(&names(config))?;
    let wanted = creation::missing(config, wishes, &found, &topic_settings(cluster, config));
    if wanted.is_empty() {
        writeln!(out, "no topic is missing: nothing created")?;
        return Ok(true);
    }
    let made = cluster.create(&wanted).context("create the topics")?;
    let mut all = true;
    for topic in &made {
        match (topic.error, wanted.iter().find(|wanted| wanted.name == topic.name)) {
            (None, Some(wanted)) => writeln!(out, "created: {}", described(wanted))?,
            (Some(RDKafkaErrorCode::TopicAlreadyExists), _) => {
                writeln!(out, "not created: topic {} is there by now", topic.name)?;
            }
            (error, _) => {
                all = false;
                let what = match error {
                    Some(RDKafkaErrorCode::TopicAuthorizationFailed | RDKafkaErrorCode::ClusterAuthorizationFailed) => {
                        "no permission: Create on it, or on the cluster (grant it, or have it created)".to_owned()
                    }
                    _ => printable(&topic.reason),
                };
                writeln!(out, "not created: topic {}: {what}", topic.name)?;
            }
        }
    }
    let made: Vec<_> = made.iter().filter(|topic| topic.error.is_none()).map(|topic| topic.name.as_str()).collect();
    until_seen(cluster, &made)?;
    Ok(all)
}

fn described(topic: &NewTopic) -> String {
    let settings: Vec<_> = topic.settings.iter().map(|(name, value)| format!("{name}={value}")).collect();
    format!(
        "topic {}, {} partitions, replication factor {}, {}",
        topic.name,
        topic.partitions,
        topic.replication,
        settings.join(", ")
    )
}

/// The controller has made them; the broker that is asked may hear of it a moment later.
fn until_seen(cluster: &Cluster<'_>, names: &[&str]) -> anyhow::Result<()> {
    let deadline = Instant::now() + SEEN_WITHIN;
    while !names.is_empty() && cluster.topics(names)?.iter().any(|topic| topics::is_missing(Some(topic))) {
        if Instant::now() >= deadline {
            bail!("topics were created and are still unknown to a broker (call it again to look)");
        }
        thread::sleep(PAUSE);
    }
    Ok(())
}

/// One topic: a line, and below it a line for each setting that could be read.
fn show(
    cluster: &Cluster<'_>,
    used: Use<'_>,
    found: &[Topic],
    settings: &TopicSettings,
    out: &mut Stdout,
) -> anyhow::Result<()> {
    let Some(topic) = found.iter().find(|topic| topic.name == used.topic && topic.partitions > 0) else {
        return Ok(writeln!(out, "{} ({}): not there\n", used.topic, used.key)?);
    };
    let replication = match cluster.replication(used.topic) {
        Some(least) => format!("replication factor {least}"),
        None => "replication factor unknown".to_owned(),
    };
    writeln!(out, "{} ({}): {} partitions, {replication}", used.topic, used.key, topic.partitions)?;
    for name in SHOWN {
        if let Some(value) = settings.get(used.topic).and_then(|values| values.get(name)) {
            writeln!(out, "  {name} = {}", printable(value))?;
        }
    }
    Ok(writeln!(out)?)
}
