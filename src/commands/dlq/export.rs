//! `dlq export`: everything of every letter, one JSON object a line.

use crate::cli::dlq::ExportArgs;
use crate::commands::Exit;
use crate::letters::json::Whole;
use crate::letters::read::{Letters, Order};
use crate::letters::select::Selection;
use crate::letters::shelf::Shelf;
use crate::letters::sink::{Depth, write_each};
use crate::terminal::escaped_json::write_json;
use crate::time_range::now_ms;

pub fn run(args: &ExportArgs, shelf: &Shelf<'_>) -> anyhow::Result<Exit> {
    let selection = Selection::new(&args.selection, now_ms());
    let letters = Letters::new(shelf, &selection, args.selection.limit, Order::ByPlace);
    write_each(&letters, Depth::Whole, "", &|out, letter| write_json(out, &Whole::of(letter)))?;
    Ok(Exit::Done)
}
