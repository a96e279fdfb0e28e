//! `dlq export`: every letter as JSON, one object a line; as they lie there, or as they come.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::cli::dlq::{ExportArgs, Format};
use crate::commands::Exit;
use crate::config::Config;
use crate::letters::ecs::Document;
use crate::letters::follow::{Followed, follow};
use crate::letters::json::Whole;
use crate::letters::progress::Group;
use crate::letters::read::{Letters, Order};
use crate::letters::select::Selection;
use crate::letters::shelf::Shelf;
use crate::letters::sink::{Depth, Write, write_each};
use crate::letters::stop;
use crate::letters::topics::Pattern;
use crate::terminal::escaped_json::write_json;
use crate::terminal::tell;
use crate::time_range::now_ms;

pub fn run(args: &ExportArgs, config: &Config, names: &[Pattern]) -> anyhow::Result<Exit> {
    let selection = Selection::new(&args.selection, now_ms());
    let limit = args.selection.limit;
    let write: &Write<'_> = match args.format {
        Format::Json => &|out, letter| write_json(out, &Whole::of(letter)),
        Format::Ecs => &|out, letter| write_json(out, &Document::of(letter)),
    };
    if !args.follow {
        let shelf = Shelf::of(config, names, &AtomicBool::new(false))?;
        write_each(&Letters::new(&shelf, &selection, limit, Order::ByPlace), Depth::Whole, "", write)?;
        return Ok(Exit::Done);
    }
    let own = config.input.group.as_str();
    if let Some(group) = args.group.as_deref().filter(|group| *group == own) {
        tell(&format!("error: --group {group} is the service's own (input.group): name another one"));
        return Ok(Exit::Usage);
    }
    let group = args.group.as_deref().map(|name| Group { name, key: "--group" });
    // Before anything is asked of the cluster: who asks to stop meanwhile has asked for no failure.
    let stop = stop::listen("stopping; once more ends at once")?;
    let shelf = match Shelf::of(config, names, &stop) {
        Err(_) if stop.load(Ordering::Relaxed) => return Ok(Exit::Done),
        shelf => shelf?,
    };
    follow(Followed { shelf: &shelf, selection: &selection, limit, group }, &stop, write)?;
    Ok(Exit::Done)
}
