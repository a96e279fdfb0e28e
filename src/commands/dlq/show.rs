//! `dlq show`: one letter whole, what the mapping says about it now, and its history.

use std::io::{self, Write as _};

use crate::cli::Output;
use crate::cli::dlq::ShowArgs;
use crate::commands::Exit;
use crate::letters::history::{History, Seed, history};
use crate::letters::read::{Letter, Results, bar, read_one, tell};
use crate::letters::shelf::Shelf;
use crate::letters::show::{Shown, write, write_history};
use crate::letters::value::Extent;
use crate::letters::verdict::Mapping;
use crate::letters::view::View;
use crate::normalize::Outcomes;
use crate::terminal;
use crate::terminal::Stdout;
use crate::terminal::escaped_json::write_json;
use crate::terminal::table::terminal_width;

pub fn run(args: &ShowArgs, shelf: &Shelf<'_>) -> anyhow::Result<Exit> {
    let place = match shelf.topics.find(&args.place) {
        Ok(place) => place,
        Err(problem) => {
            terminal::tell(&format!("error: {problem}"));
            return Ok(Exit::Usage);
        }
    };
    let mapping = Mapping::new(shelf.config);
    read_one(shelf, place, |letter| {
        let judgement = mapping.judge(letter, &mut Outcomes::default());
        match args.output {
            Output::Json => {
                let history = past(letter, shelf)?.as_json(&shelf.topics);
                print(|out| write_json(out, &Shown::of(letter, &judgement, history)))
            }
            Output::Table => {
                let extent = if args.full { Extent::All } else { Extent::Surroundings };
                // Whoever looks at it need not wait for its history.
                print(|out| write(out, &View::of(letter, &judgement, extent)))?;
                let history = past(letter, shelf)?;
                print(|out| write_history(out, &history, (&shelf.topics, place), terminal_width()))
            }
        }
    })??;
    Ok(Exit::Done)
}

fn past(letter: &Letter<'_>, shelf: &Shelf<'_>) -> anyhow::Result<History> {
    let bar = bar(Results::AtTheEnd);
    let history = history(shelf, &Seed::of(letter, &shelf.topics), |progress| {
        bar.set_length(progress.offsets_total());
        bar.set_position(progress.offsets());
    });
    bar.finish_and_clear();
    let history = history?;
    history.notes.iter().for_each(|note| tell(note));
    Ok(history)
}

fn print(write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> anyhow::Result<()> {
    let mut text = Vec::new();
    write(&mut text)?;
    let mut out = Stdout::lock();
    out.write_all(&text)?;
    out.flush()?;
    Ok(())
}
