//! `completions SHELL`: a script that completes our command line.

use std::io::Write;

use clap::CommandFactory;
use clap_complete::Shell;

use super::Exit;
use crate::cli::{Cli, CompletionsArgs};
use crate::terminal::Stdout;

pub fn run(args: &CompletionsArgs) -> anyhow::Result<Exit> {
    let mut out = Stdout::lock();
    out.write_all(&script(args.shell))?;
    out.flush()?;
    Ok(Exit::Done)
}

fn script(shell: Shell) -> Vec<u8> {
    // The generator panics when its writer fails, so it gets one that cannot.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "messagetrace-ecs", &mut script);
    match (shell, String::from_utf8(script)) {
        // In bash the generator finds a command under one name and looks up its words under another: it takes the hyphen in
        // ours for the end of a command in the one place and not in the other, so that nothing below the first word is found.
        (Shell::Bash, Ok(text)) => text.replace("messagetrace__subcmd__ecs", "messagetrace__ecs").into_bytes(),
        (_, Ok(text)) => text.into_bytes(),
        (_, Err(other)) => other.into_bytes(),
    }
}
