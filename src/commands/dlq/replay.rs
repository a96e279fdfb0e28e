//! `dlq replay`: sends dead letters back to where their records were read, exactly once. A dry run unless `--execute`.

use std::io::Write as _;

use crate::cli::Output;
use crate::cli::dlq::ReplayArgs;
use crate::commands::Exit;
use crate::letters::repair::Repairs;
use crate::letters::replay::{Mode, Request, replay};
use crate::letters::select::Selection;
use crate::letters::shelf::Shelf;
use crate::terminal::escaped_json::write_json;
use crate::terminal::table::terminal_width;
use crate::terminal::{Stdout, tell};
use crate::time_range::{TimeBound, now_ms};

pub fn run(args: &ReplayArgs, shelf: &Shelf<'_>) -> anyhow::Result<Exit> {
    let repairs = match Repairs::new(&args.repairs) {
        Ok(repairs) => repairs,
        Err(problem) => {
            tell(&format!("error: {problem}"));
            return Ok(Exit::Usage);
        }
    };
    let request = request(args, repairs);
    let times = [
        ("--from", args.selection.from),
        ("--to", args.selection.to),
        ("--source-from", args.selection.source_from),
        ("--source-to", args.selection.source_to),
    ];
    let relative = times.into_iter().find(|(_, time)| matches!(time, Some(TimeBound::Ago(_))));
    if let Some((flag, _)) = relative.filter(|_| args.execute) {
        // Each call would mean other letters, and none would go on where another was killed.
        tell(&format!(
            "error: {flag} says how long ago: with --execute write the time, so that the same call means the same letters:\n  {}",
            request.call(shelf)
        ));
        return Ok(Exit::Usage);
    }
    let report = replay(&request, shelf)?;
    let mut out = Stdout::lock();
    match args.output {
        Output::Table => report.print(&mut out, terminal_width())?,
        Output::Json => write_json(&mut out, &report.as_json())?,
    }
    out.flush()?;
    Ok(if report.tally.skipped > 0 { Exit::Findings } else { Exit::Done })
}

fn request(args: &ReplayArgs, repairs: Repairs) -> Request {
    Request {
        selection: Selection::new(&args.selection, now_ms()),
        limit: args.selection.limit,
        to_topic: args.to_topic.clone(),
        mode: if args.execute { Mode::Execute } else { Mode::DryRun },
        max_attempts: args.max_attempts,
        rate: args.rate,
        timestamp: args.timestamp,
        repairs,
    }
}
