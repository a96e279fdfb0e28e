//! `topics`: the topics of the configuration as the cluster has them, with the settings that matter, and what is wrong
//! with them. With `--create` those that are missing are made first; those that are there are never touched.

use std::io::Write;
use std::sync::atomic::AtomicBool;

use anyhow::Context as _;

use super::Exit;
use crate::cli::TopicsArgs;
use crate::config::Config;
use crate::kafka::admin::cluster::Cluster;
use crate::kafka::admin::creation::Wishes;
use crate::kafka::admin::fitness::TopicSettings;
use crate::kafka::admin::provision::Made;
use crate::kafka::admin::topics::Use;
use crate::kafka::admin::{inspection, provision, topics};
use crate::kafka::clients;
use crate::kafka::ffi::{NewTopic, Topic};
use crate::terminal::{Stdout, tell};
use crate::text::without_controls;

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

pub fn run(args: &TopicsArgs, config: &Config) -> anyhow::Result<Exit> {
    let consumer = clients::consumer(config).context("make a client")?;
    let cluster = Cluster::enter(&consumer, config, &AtomicBool::new(false))?;
    let mut out = Stdout::lock();
    let mut failed = false;
    if args.create {
        let wishes =
            Wishes { partitions: args.partitions, replication: args.replication_factor, brokers: cluster.brokers() };
        // What cannot be read is told below.
        let settings = inspection::topic_settings(&cluster, config, &mut Vec::new());
        let made = provision::make_missing(&cluster, config, wishes, &settings)?;
        report(&made, &mut out)?;
        provision::until_seen(&cluster, &made)?;
        failed = made.iter().any(|made| matches!(made, Made::NotAllowed { .. } | Made::Failed { .. }));
    }
    let found = cluster.topics(&topics::names(config))?;
    let mut unchecked = Vec::new();
    let settings = inspection::topic_settings(&cluster, config, &mut unchecked);
    for unchecked in &unchecked {
        tell(&format!("warning: {unchecked}"));
    }
    for used in topics::uses(config) {
        show(&cluster, used, &found, &settings, &mut out)?;
    }
    let findings = inspection::topic_findings(config, &found, &settings);
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

/// What became of the topics that were missing.
fn report(made: &[Made], out: &mut Stdout) -> anyhow::Result<()> {
    if made.is_empty() {
        writeln!(out, "no topic is missing: nothing created")?;
    }
    for made in made {
        match made {
            Made::Created(topic) => writeln!(out, "created: {}", described(topic))?,
            Made::ThereByNow { name } => writeln!(out, "not created: topic {name} is there by now")?,
            Made::NotAllowed { name } => writeln!(
                out,
                "not created: topic {name}: no permission: Create on it, or on the cluster (grant it, or have it created)"
            )?,
            Made::Failed { name, reason } => {
                writeln!(out, "not created: topic {name}: {}", without_controls(reason))?;
            }
        }
    }
    Ok(())
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
            writeln!(out, "  {name} = {}", without_controls(value))?;
        }
    }
    Ok(writeln!(out)?)
}
