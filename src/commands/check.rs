//! `check`: a configuration that was loaded has no problems; what is left are warnings. With `--connect` the brokers
//! are asked whether they fit it.

use std::io::Write;
use std::sync::atomic::AtomicBool;

use anyhow::Context as _;
use rdkafka::config::FromClientConfigAndContext as _;

use super::Exit;
use crate::cli::CheckArgs;
use crate::config::{Config, Delivery, Loaded};
use crate::kafka::admin::cluster::Cluster;
use crate::kafka::admin::findings::Findings;
use crate::kafka::admin::fitness::TopicSettings;
use crate::kafka::admin::refusal::Refusal;
use crate::kafka::admin::{admission, probe};
use crate::kafka::clients::settings;
use crate::kafka::clients::{Consumer, ConsumerEvents};
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
    let (partitions, mut findings) = match admission::admitted(&cluster, config) {
        Ok(partitions) => (Some(partitions), Vec::new()),
        Err(refusals) => (None, lines(&refusals)),
    };
    let found = Findings::look(&consumer, &cluster, config, partitions.as_ref());
    findings.extend(found.findings);
    found.unchecked.iter().for_each(|text| warn(text));
    let unsupported = probe::unsupported(config).unwrap_or_else(|error| {
        warn(&format!("what the brokers can do is not checked: {error}"));
        Vec::new()
    });
    // An id of transactions that there are not would be waited for in vain.
    if config.pipeline.delivery == Delivery::ExactlyOnce && unsupported.is_empty() {
        findings.extend(probe::transactional_id(config).err());
    }
    findings.extend(lines(&unsupported));
    Ok(findings)
}

fn lines(refusals: &[Refusal]) -> Vec<String> {
    refusals.iter().map(ToString::to_string).collect()
}

/// The settings of our topics; what may not be read is worth a word.
pub(super) fn topic_settings(cluster: &Cluster<'_>, config: &Config) -> TopicSettings {
    let mut found = Findings::default();
    let settings = found.topic_settings(cluster, config);
    found.unchecked.iter().for_each(|text| warn(text));
    settings
}

/// A closed standard error is no reason to stop.
fn warn(text: &str) {
    let _ = writeln!(std::io::stderr(), "warning: {text}");
}
