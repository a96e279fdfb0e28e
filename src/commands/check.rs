//! `check`: a configuration that was loaded has no problems; what is left are warnings. With `--connect` the brokers
//! are asked whether they fit it.

use std::io::Write;
use std::sync::atomic::AtomicBool;

use anyhow::Context as _;
use chrono::Utc;
use rdkafka::config::FromClientConfigAndContext as _;
use rdkafka::error::RDKafkaErrorCode;

use super::Exit;
use crate::cli::CheckArgs;
use crate::config::{Config, Delivery, Loaded};
use crate::kafka::admin::cluster::Cluster;
use crate::kafka::admin::fitness;
use crate::kafka::admin::fitness::TopicSettings;
use crate::kafka::admin::topics::Partitions;
use crate::kafka::admin::{admission, probe, topics};
use crate::kafka::clients::{Consumer, ConsumerEvents};
use crate::kafka::clients::{clock, settings};
use crate::terminal::Stdout;

pub fn run(args: &CheckArgs, loaded: &Loaded) -> anyhow::Result<Exit> {
    for warning in &loaded.warnings {
        warn(&warning.to_string());
    }
    let mut out = Stdout::lock();
    match loaded.warnings.len() {
        0 => writeln!(out, "the configuration is valid")?,
        1 => writeln!(out, "the configuration is valid, with 1 warning")?,
        many => writeln!(out, "the configuration is valid, with {many} warnings")?,
    }
    out.flush()?;
    if !args.connect {
        return Ok(Exit::Done);
    }
    let findings = connect(&loaded.config)?;
    for finding in &findings {
        writeln!(out, "finding: {finding}")?;
    }
    match findings.len() {
        0 => writeln!(out, "the cluster fits it")?,
        1 => writeln!(out, "the cluster does not fit it: 1 finding")?,
        many => writeln!(out, "the cluster does not fit it: {many} findings")?,
    }
    out.flush()?;
    Ok(if findings.is_empty() { Exit::Done } else { Exit::Failed })
}

/// What the brokers have to say against the configuration, one line each.
fn connect(config: &Config) -> anyhow::Result<Vec<String>> {
    let consumer = Consumer::from_config_and_context(&settings::consumer(config), ConsumerEvents::new(config))
        .context("make a client")?;
    let cluster = match Cluster::enter(&consumer, config, &AtomicBool::new(false)) {
        Ok(cluster) => cluster,
        Err(refusal) => return Ok(vec![refusal.to_string()]),
    };
    let mut findings = match admission::admitted(&cluster, config) {
        Ok(partitions) => ahead(&consumer, config, &partitions),
        Err(refusals) => refusals.iter().map(ToString::to_string).collect(),
    };
    findings.extend(fitness::findings(config, &topic_settings(&cluster, config)));
    match probe::too_old(config) {
        Ok(too_old) => findings.extend(too_old.into_iter().map(str::to_owned)),
        Err(error) => warn(&format!("the versions of the brokers are not checked: {error}")),
    }
    if config.pipeline.delivery == Delivery::ExactlyOnce {
        findings.extend(probe::transactional_id(config).err());
    }
    Ok(findings)
}

/// Records that are ahead of our clock, in topics that are known to be there.
fn ahead(consumer: &Consumer, config: &Config, partitions: &Partitions) -> Vec<String> {
    let inputs = partitions.input.iter().map(|(topic, partitions)| (topic.as_str(), *partitions));
    let written = [
        (config.output.topic.as_str(), partitions.output),
        (config.dead_letters.topic.as_str(), partitions.dead_letters),
    ];
    let now_ms = Utc::now().timestamp_millis();
    let judge = |(topic, partitions)| {
        clock::finding(consumer, topic, partitions, now_ms).unwrap_or_else(|error| {
            warn(&format!("the times in topic {topic} are not checked: {error}"));
            None
        })
    };
    inputs.chain(written).filter_map(judge).collect()
}

/// The settings of our topics. The service works without the permission to read them, so that is no finding.
pub(super) fn topic_settings(cluster: &Cluster<'_>, config: &Config) -> TopicSettings {
    let names: Vec<_> = topics::uses(config).iter().map(|used| used.topic).collect();
    let found = cluster.settings(&names).unwrap_or_else(|code| {
        warn(&format!("the settings of the topics are not checked: {code}"));
        Vec::new()
    });
    let mut settings = TopicSettings::new();
    for (topic, found) in names.into_iter().zip(found) {
        match found.error {
            None => {
                settings.insert(topic.to_owned(), found.values);
            }
            // A finding already.
            Some(RDKafkaErrorCode::UnknownTopicOrPartition) => {}
            Some(code) => {
                warn(&format!("the settings of topic {topic} are not checked (it needs DescribeConfigs): {code}"));
            }
        }
    }
    settings
}

/// A closed standard error is no reason to stop.
fn warn(text: &str) {
    let _ = writeln!(std::io::stderr(), "warning: {text}");
}
