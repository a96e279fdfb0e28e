//! One letter whole, and what the mapping says about it now: on a screen and as JSON.

use std::io::{self, Write as _};

use serde::Serialize;

use super::json::Whole;
use super::read::Letter;
use super::verdict::{Judgement, Verdict};
use super::view::View;
use crate::terminal::table::{Align, counted, pad};

/// Width of the names of facts.
const NAMES: usize = 13;

/// A letter and what the mapping says, as JSON.
#[derive(Debug, Serialize)]
pub struct WithNow<'a> {
    #[serde(flatten)]
    whole: Whole<'a>,
    now: Now<'a>,
}

impl<'a> WithNow<'a> {
    pub fn of(letter: &'a Letter<'a>, judgement: &'a Judgement) -> Self {
        Self { whole: Whole::of(letter), now: judgement.into() }
    }
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
pub fn write(out: &mut Vec<u8>, view: &View) -> io::Result<()> {
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
