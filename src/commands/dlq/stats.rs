//! `dlq stats`: what is failing and why, at a glance.

use std::io::Write as _;

use crate::cli::Output;
use crate::cli::dlq::ReadArgs;
use crate::commands::Exit;
use crate::letters::read::{Letters, Order, Results, bar};
use crate::letters::select::Selection;
use crate::letters::shelf::Shelf;
use crate::letters::tally::Tally;
use crate::terminal::Stdout;
use crate::terminal::escaped_json::write_json;
use crate::terminal::table::terminal_width;
use crate::time_range::now_ms;

pub fn run(args: &ReadArgs, shelf: &Shelf<'_>) -> anyhow::Result<Exit> {
    let selection = Selection::new(&args.selection, now_ms());
    let letters = Letters::new(shelf, &selection, args.selection.limit, Order::Any);
    let tally = Tally::of(&letters, &bar(Results::AtTheEnd))?;
    let mut out = Stdout::lock();
    match args.output {
        Output::Table => tally.print(&mut out, &shelf.topics, terminal_width())?,
        Output::Json => write_json(&mut out, &tally.as_json(&shelf.topics))?,
    }
    out.flush()?;
    Ok(Exit::Done)
}
