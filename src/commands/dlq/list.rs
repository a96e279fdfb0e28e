//! `dlq list`: one line a letter, partition by partition in the order of their offsets; as they come.

use crate::cli::Output;
use crate::cli::dlq::ReadArgs;
use crate::commands::Exit;
use crate::config::Config;
use crate::letters::json::Summary;
use crate::letters::list;
use crate::letters::read::{Letters, Order};
use crate::letters::select::Selection;
use crate::letters::sink::write_each;
use crate::terminal::escaped_json::write_json;
use crate::terminal::table::terminal_width;
use crate::time_range::now_ms;

pub fn run(args: &ReadArgs, config: &Config) -> anyhow::Result<Exit> {
    let selection = Selection::new(&args.selection, now_ms());
    let letters = Letters::new(config, &selection, args.selection.limit, Order::ByPlace);
    let width = terminal_width();
    match args.output {
        Output::Json => write_each(&letters, "", |out, letter| write_json(out, &Summary::of(letter)))?,
        Output::Table => write_each(&letters, &list::head(width), |out, letter| list::write(out, letter, width))?,
    }
    Ok(Exit::Done)
}
