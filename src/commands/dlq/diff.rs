//! `dlq diff`: what this program and configuration would make of the letters if they were sent back as they are.

use std::io::Write as _;

use crate::cli::Output;
use crate::cli::dlq::DiffArgs;
use crate::commands::Exit;
use crate::config::Config;
use crate::letters::diff::Comparison;
use crate::letters::read::{Letters, Order, Results, bar};
use crate::letters::select::Selection;
use crate::letters::verdict::Mapping;
use crate::terminal::Stdout;
use crate::terminal::escaped_json::write_json;
use crate::terminal::table::terminal_width;
use crate::time_range::now_ms;

pub fn run(args: &DiffArgs, config: &Config) -> anyhow::Result<Exit> {
    let selection = Selection::new(&args.selection, now_ms());
    let letters = Letters::new(config, &selection, args.selection.limit, Order::Any);
    let comparison = Comparison::of(&letters, &Mapping::new(config), &bar(Results::AtTheEnd))?;
    let mut out = Stdout::lock();
    match args.output {
        Output::Table => comparison.print(&mut out, config, terminal_width())?,
        Output::Json => write_json(&mut out, &comparison.as_json())?,
    }
    out.flush()?;
    Ok(Exit::Done)
}
