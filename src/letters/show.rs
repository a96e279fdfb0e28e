//! `dlq show`: one letter whole, and what the mapping says about it now.

use std::io::{self, Write as _};

use serde::Serialize;

use super::diff::Verdict;
use super::json::Whole;
use super::read::read_one;
use super::value::Extent;
use super::verdict::{Judgement, Mapping};
use super::view::View;
use crate::cli::Output;
use crate::cli::dlq::ShowArgs;
use crate::commands::Exit;
use crate::config::Config;
use crate::normalize::Outcomes;
use crate::terminal::Stdout;
use crate::terminal::escaped_json;
use crate::terminal::table::{Align, counted, pad};

/// Width of the names of facts.
const NAMES: usize = 13;

pub fn run(args: &ShowArgs, config: &Config) -> anyhow::Result<Exit> {
    let mapping = Mapping::new(config);
    let shown = read_one(config, args.place, |letter| {
        let judgement = mapping.judge(letter, &mut Outcomes::default());
        let mut shown = Vec::new();
        match args.output {
            Output::Json => {
                escaped_json::write_json(&mut shown, &WithNow { whole: Whole::of(letter), now: (&judgement).into() })
            }
            Output::Table => {
                let extent = if args.full { Extent::All } else { Extent::Surroundings };
                write(&mut shown, &View::of(letter, &judgement, &config.dead_letters.topic, extent))
            }
        }
        .map(|()| shown)
    })?;
    let mut out = Stdout::lock();
    out.write_all(&shown?)?;
    out.flush()?;
    Ok(Exit::Done)
}

#[derive(Serialize)]
struct WithNow<'a> {
    #[serde(flatten)]
    whole: Whole<'a>,
    now: Now<'a>,
}

/// What the mapping says.
#[derive(Debug, Default, Serialize)]
struct Now<'a> {
    verdict: &'static str,
    events: Option<usize>,
    kind: Option<&'static str>,
    message: Option<&'a str>,
    key: Option<&'a str>,
    position: Option<usize>,
    reason: Option<&'static str>,
}

impl<'a> From<&'a Judgement> for Now<'a> {
    fn from(judgement: &'a Judgement) -> Self {
        let now = Self { verdict: Verdict::from(judgement).key(), ..Self::default() };
        match judgement {
            Judgement::Fixed { events } => Self { events: Some(*events), ..now },
            Judgement::Unknown(unknown) => Self { reason: Some(unknown.reason()), ..now },
            Judgement::Still(rejection) | Judgement::Differently(rejection) => Self {
                kind: Some(rejection.kind.name()),
                message: Some(&rejection.message),
                key: Some(&*rejection.key).filter(|key| !key.is_empty()),
                position: rejection.position,
                ..now
            },
        }
    }
}

/// A letter on the screen.
fn write(out: &mut Vec<u8>, view: &View) -> io::Result<()> {
    let (_, now) = &view.now;
    for (name, fact) in view.facts.iter().map(|(name, fact)| (*name, fact)).chain([("now", now)]) {
        writeln!(out, "{}  {fact}", pad(name, NAMES, Align::Left))?;
    }
    writeln!(out, "\n{}", counted(view.headers.len() as u64, "header", "headers"))?;
    for (name, value) in &view.headers {
        writeln!(out, "  {name}: {value}")?;
    }
    for part in [&view.key, &view.value] {
        writeln!(out, "\n{}", part.heading)?;
        for line in &part.lines {
            writeln!(out, "{line}")?;
        }
    }
    Ok(())
}
