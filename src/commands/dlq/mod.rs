//! `dlq`: work on the dead letters with the service's own configuration. Nothing but `replay --execute` commits or writes
//! to a topic, and nothing joins the service's group.

mod diff;
mod export;
mod list;
mod replay;
mod serve;
mod show;
mod stats;

use std::sync::atomic::AtomicBool;

use super::Exit;
use crate::cli::dlq::{DlqArgs, DlqCommand};
use crate::config::Config;
use crate::kafka::credentials::token::Tokens;
use crate::letters::shelf::Shelf;
use crate::letters::topics::Pattern;

pub fn run(args: &DlqArgs, config: &Config) -> anyhow::Result<Exit> {
    // One source of tokens for all clients of the command, which come and go.
    let _tokens = Tokens::of(config);
    // Nothing is half done while it is made: a signal may end the program.
    let shelf = |names: &[Pattern]| Shelf::of(config, names, &AtomicBool::new(false));
    let names = &args.dead_letters;
    match &args.command {
        DlqCommand::Stats(args) => stats::run(args, &shelf(names)?),
        DlqCommand::List(args) => list::run(args, &shelf(names)?),
        DlqCommand::Show(args) => show::run(args, &shelf(names)?),
        DlqCommand::Diff(args) => diff::run(args, &shelf(names)?),
        DlqCommand::Export(args) => export::run(args, config, names),
        DlqCommand::Replay(args) => replay::run(args, &shelf(names)?),
        DlqCommand::Serve(args) => serve::run(args, config, names),
    }
}
