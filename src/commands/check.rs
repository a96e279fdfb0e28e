//! `check`: a configuration that was loaded has no problems; what is left are warnings.

use std::io::Write;

use super::{Exit, Stdout};
use crate::config::Loaded;

pub fn run(loaded: &Loaded) -> anyhow::Result<Exit> {
    for warning in &loaded.warnings {
        eprint_line(&format!("warning: {warning}"));
    }
    let mut out = Stdout::lock();
    match loaded.warnings.len() {
        0 => writeln!(out, "the configuration is valid")?,
        1 => writeln!(out, "the configuration is valid, with 1 warning")?,
        many => writeln!(out, "the configuration is valid, with {many} warnings")?,
    }
    out.flush()?;
    Ok(Exit::Done)
}

/// A closed standard error is no reason to stop.
fn eprint_line(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
