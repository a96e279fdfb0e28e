//! The life of the process: parse the command line, load the configuration, start logging, call one command.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let _cli = messagetrace_ecs::cli::Cli::parse();
    ExitCode::SUCCESS
}
