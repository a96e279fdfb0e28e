//! `dlq`: work on the dead letters with the service's own configuration. Nothing but `replay --execute` commits or writes
//! to a topic, and nothing joins the service's group.

mod diff;
mod export;
mod list;
mod replay;
mod serve;
mod show;
mod stats;

use super::Exit;
use crate::cli::dlq::{DlqArgs, DlqCommand};
use crate::config::Config;
use crate::kafka::credentials::token::Tokens;

pub fn run(args: &DlqArgs, config: &Config) -> anyhow::Result<Exit> {
    // One source of tokens for all clients of the command, which come and go.
    let _tokens = Tokens::of(config);
    match &args.command {
        DlqCommand::Stats(args) => stats::run(args, config),
        DlqCommand::List(args) => list::run(args, config),
        DlqCommand::Show(args) => show::run(args, config),
        DlqCommand::Diff(args) => diff::run(args, config),
        DlqCommand::Export(args) => export::run(args, config),
        DlqCommand::Replay(args) => replay::run(args, config),
        DlqCommand::Serve(args) => serve::run(args, config),
    }
}
