//! `dlq list`: one line a letter; partition by partition in the order of their offsets, as they come, or the newest first.

use std::io::Write as _;

use crate::cli::Output;
use crate::cli::dlq::ListArgs;
use crate::commands::Exit;
use crate::letters::json::Summary;
use crate::letters::list::List;
use crate::letters::newest::{Newest, SHOWN};
use crate::letters::read::{Letters, Order, Results, bar, tell};
use crate::letters::select::Selection;
use crate::letters::shelf::Shelf;
use crate::letters::sink::{Depth, Write, write_each};
use crate::terminal::Stdout;
use crate::terminal::escaped_json::write_json;
use crate::terminal::table::{grouped, terminal_width};
use crate::time_range::now_ms;

pub fn run(args: &ListArgs, shelf: &Shelf<'_>) -> anyhow::Result<Exit> {
    let asked = &args.read.selection;
    let selection = Selection::new(asked, now_ms());
    let list = List::new(&shelf.topics, terminal_width());
    let (head, write): (String, &Write<'_>) = match args.read.output {
        Output::Json => (String::new(), &|out, letter| write_json(out, &Summary::of(letter))),
        Output::Table => (list.head(), &|out, letter| list.write(out, letter)),
    };
    if !args.newest_first {
        let letters = Letters::new(shelf, &selection, asked.limit, Order::ByPlace);
        write_each(&letters, Depth::AsTheyLie, &head, write)?;
        return Ok(Exit::Done);
    }
    let most = asked.limit.map_or(SHOWN, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let letters = Letters::new(shelf, &selection, None, Order::Any);
    let newest = Newest::of(&letters, most, &bar(Results::AtTheEnd), write)?;
    let mut out = Stdout::lock();
    out.write_all(head.as_bytes())?;
    newest.written().try_for_each(|line| out.write_all(line))?;
    out.flush()?;
    if newest.more > 0 && asked.limit.is_none() {
        tell(&format!("{} older ones are not shown (--limit N shows more)", grouped(newest.more)));
    }
    Ok(Exit::Done)
}
