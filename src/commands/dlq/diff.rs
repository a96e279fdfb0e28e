//! `dlq diff`: what this program and configuration would make of the letters if they were sent back as they are.

use std::io::Write as _;

use crate::cli::Output;
use crate::cli::dlq::DiffArgs;
use crate::commands::Exit;
use crate::letters::diff::Comparison;
use crate::letters::read::{Letters, Order, Results, bar};
use crate::letters::repair::Repairs;
use crate::letters::select::Selection;
use crate::letters::shelf::Shelf;
use crate::letters::verdict::Mapping;
use crate::terminal::escaped_json::write_json;
use crate::terminal::table::terminal_width;
use crate::terminal::{Stdout, tell};
use crate::time_range::now_ms;

pub fn run(args: &DiffArgs, shelf: &Shelf<'_>) -> anyhow::Result<Exit> {
    let selection = Selection::new(&args.selection, now_ms());
    let repairs = match Repairs::new(&args.repairs) {
        Ok(repairs) => repairs,
        Err(problem) => {
            tell(&format!("error: {problem}"));
            return Ok(Exit::Usage);
        }
    };
    let letters = Letters::new(shelf, &selection, args.selection.limit, Order::Any);
    let comparison = Comparison::of(&letters, &Mapping::new(shelf.config), &repairs, &bar(Results::AtTheEnd))?;
    let mut out = Stdout::lock();
    match args.output {
        Output::Table => comparison.print(&mut out, shelf, terminal_width())?,
        Output::Json => write_json(&mut out, &comparison.as_json(&shelf.topics))?,
    }
    out.flush()?;
    Ok(Exit::Done)
}
