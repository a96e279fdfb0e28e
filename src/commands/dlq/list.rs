//! `dlq list`: one line a letter, partition by partition in the order of their offsets; as they come.

use crate::cli::Output;
use crate::cli::dlq::ReadArgs;
use crate::commands::Exit;
use crate::letters::json::Summary;
use crate::letters::list::List;
use crate::letters::read::{Letters, Order};
use crate::letters::select::Selection;
use crate::letters::shelf::Shelf;
use crate::letters::sink::{Depth, write_each};
use crate::terminal::escaped_json::write_json;
use crate::terminal::table::terminal_width;
use crate::time_range::now_ms;

pub fn run(args: &ReadArgs, shelf: &Shelf<'_>) -> anyhow::Result<Exit> {
    let selection = Selection::new(&args.selection, now_ms());
    let letters = Letters::new(shelf, &selection, args.selection.limit, Order::ByPlace);
    match args.output {
        Output::Json => {
            write_each(&letters, Depth::AsTheyLie, "", &|out, letter| write_json(out, &Summary::of(letter)))?;
        }
        Output::Table => {
            let list = List::new(&shelf.topics, terminal_width());
            write_each(&letters, Depth::AsTheyLie, &list.head(), &|out, letter| list.write(out, letter))?;
        }
    }
    Ok(Exit::Done)
}
