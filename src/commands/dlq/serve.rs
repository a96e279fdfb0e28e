//! `dlq serve`: web pages that show what the other commands print.

use crate::cli::dlq::ServeArgs;
use crate::commands::Exit;
use crate::config::Config;
use crate::letters::topics::Pattern;
use crate::letters::web;

pub fn run(args: &ServeArgs, config: &Config, names: &[Pattern]) -> anyhow::Result<Exit> {
    web::serve(args.listen, config, names)?;
    Ok(Exit::Done)
}
