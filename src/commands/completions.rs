//! `completions SHELL`: a script that completes our command line.

use std::io::Write;

use clap::CommandFactory;

use super::Exit;
use crate::cli::{Cli, CompletionsArgs};
use crate::terminal::Stdout;

pub fn run(args: &CompletionsArgs) -> anyhow::Result<Exit> {
    // The generator panics when its writer fails, so it gets one that cannot.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "messagetrace-ecs", &mut script);
    let mut out = Stdout::lock();
    out.write_all(&script)?;
    out.flush()?;
    Ok(Exit::Done)
}
