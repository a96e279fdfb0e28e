//! `check`: a configuration that was loaded has no problems; what is left are warnings. With `--connect` the brokers
//! are asked whether they fit it.

use std::io::Write;

use anyhow::Context as _;

use super::Exit;
use crate::cli::CheckArgs;
use crate::config::Loaded;
use crate::kafka::admin::inspection;
use crate::terminal::{Stdout, tell};

pub fn run(args: &CheckArgs, loaded: &Loaded) -> anyhow::Result<Exit> {
    for warning in &loaded.warnings {
        tell(&format!("warning: {warning}"));
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
    let seen = inspection::inspect(&loaded.config).context("make a client")?;
    for unchecked in &seen.unchecked {
        tell(&format!("warning: {unchecked}"));
    }
    for finding in &seen.findings {
        writeln!(out, "finding: {finding}")?;
    }
    match seen.findings.len() {
        0 => writeln!(out, "the cluster fits it")?,
        1 => writeln!(out, "the cluster does not fit it: 1 finding")?,
        many => writeln!(out, "the cluster does not fit it: {many} findings")?,
    }
    out.flush()?;
    Ok(if seen.findings.is_empty() { Exit::Done } else { Exit::Failed })
}
