//! `dlq show`: one letter whole, and what the mapping says about it now.

use std::io::Write as _;

use crate::cli::Output;
use crate::cli::dlq::ShowArgs;
use crate::commands::Exit;
use crate::config::Config;
use crate::letters::read::read_one;
use crate::letters::show::{WithNow, write};
use crate::letters::value::Extent;
use crate::letters::verdict::Mapping;
use crate::letters::view::View;
use crate::normalize::Outcomes;
use crate::terminal::Stdout;
use crate::terminal::escaped_json::write_json;

pub fn run(args: &ShowArgs, config: &Config) -> anyhow::Result<Exit> {
    let mapping = Mapping::new(config);
    let extent = if args.full { Extent::All } else { Extent::Surroundings };
    let shown = read_one(config, args.place, |letter| {
        let judgement = mapping.judge(letter, &mut Outcomes::default());
        let mut shown = Vec::new();
        match args.output {
            Output::Json => write_json(&mut shown, &WithNow::of(letter, &judgement)),
            Output::Table => write(&mut shown, &View::of(letter, &judgement, &config.dead_letters.topic, extent)),
        }
        .map(|()| shown)
    })?;
    let mut out = Stdout::lock();
    out.write_all(&shown?)?;
    out.flush()?;
    Ok(Exit::Done)
}
