//! `config`: what is in effect and where it was set, as TOML that can be used as a configuration again; or the schema
//! of what can be set, which looks at no setting.

use std::io::Write;

use super::Exit;
use crate::config;
use crate::config::{Effective, Loaded};
use crate::terminal::Stdout;
use crate::text::without_controls;

/// Column at which the places begin, as long as the values leave room.
const PLACES: usize = 64;

pub fn run(loaded: &Loaded) -> anyhow::Result<Exit> {
    let mut out = Stdout::lock();
    let mut group = String::new();
    for setting in loaded.effective() {
        let of = setting.key.split('.').next().unwrap_or_default();
        if !group.is_empty() && of != group {
            writeln!(out)?;
        }
        group = of.to_owned();
        writeln!(out, "{:PLACES$} # {}", line(&setting), place(&setting))?;
    }
    for warning in &loaded.warnings {
        writeln!(out, "\n# warning: {}", without_controls(&warning.to_string()))?;
    }
    out.flush()?;
    Ok(Exit::Done)
}

pub fn schema() -> anyhow::Result<Exit> {
    let mut out = Stdout::lock();
    writeln!(out, "{:#}", config::schema())?;
    out.flush()?;
    Ok(Exit::Done)
}

/// What has no value, and what must not be shown, is a comment.
fn line(setting: &Effective) -> String {
    match &setting.value {
        None => format!("# {}", setting.key),
        Some(value) if setting.hides_a_secret => format!("# {} = {value}", setting.key),
        Some(value) => format!("{} = {value}", setting.key),
    }
}

fn place(setting: &Effective) -> String {
    match setting.value {
        None if setting.origin == "default" => "not set".to_owned(),
        _ => without_controls(&setting.origin),
    }
}
