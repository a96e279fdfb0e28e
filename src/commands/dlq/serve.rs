//! `dlq serve`: web pages that show what the other commands print.

use crate::cli::dlq::ServeArgs;
use crate::commands::Exit;
use crate::config::Config;
use crate::letters::web;

pub fn run(args: &ServeArgs, config: &Config) -> anyhow::Result<Exit> {
    web::serve(args.listen, config)?;
    Ok(Exit::Done)
}
