//! One letter whole, and what the mapping says about it now: on a screen and as JSON.

use std::io::{self, Write as _};

use serde::Serialize;

use super::coordinates::Place;
use super::history::History;
use super::json::{Whole, time};
use super::read::Letter;
use super::topics::Topics;
use super::verdict::{Judgement, Verdict};
use super::view::View;
use crate::terminal::table;
use crate::terminal::table::{Align, counted, cut, pad, wrapped};
use crate::text::harmless;

/// Width of the names of facts.
const NAMES: usize = 13;

/// A letter, what the mapping says, and its history, as JSON.
#[derive(Debug, Serialize)]
pub struct Shown<'a, H> {
    #[serde(flatten)]
    whole: Whole<'a>,
    now: Now<'a>,
    history: H,
}

impl<'a, H> Shown<'a, H> {
    pub fn of(letter: &'a Letter<'a>, judgement: &'a Judgement, history: H) -> Self {
        Self { whole: Whole::of(letter), now: judgement.into(), history }
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

/// Below this width a letter of the history takes more than one line.
const NARROW: usize = 120;

/// What of a foreign text is shown on one line.
const MAX_CHARS: usize = 200;

/// The history of the letter at `place`, below it.
pub fn write_history(
    out: &mut impl io::Write,
    history: &History,
    (topics, place): (&Topics, Place),
    width: Option<usize>,
) -> io::Result<()> {
    if history.attempts.len() < 2 {
        return writeln!(out, "\nno other letter of this record");
    }
    writeln!(out, "\nhistory, {}", counted(history.attempts.len() as u64 + history.more, "letter", "letters"))?;
    let text = |text: &str| harmless(text.as_bytes(), MAX_CHARS);
    let or_dash = |text: String| if text.is_empty() { "-".to_owned() } else { text };
    let rows = history.attempts.iter().map(|attempt| {
        let mark = if attempt.place == place { "→" } else { " " };
        let time = attempt.time_ms.and_then(time).unwrap_or_else(|| "-".to_owned());
        let cells = [topics.shown(attempt.place), time, or_dash(text(&attempt.kind)), text(&attempt.source)];
        [vec![mark.to_owned()], cells.to_vec(), vec![or_dash(text(&attempt.message))]].concat()
    });
    let rows: Vec<Vec<String>> = rows.collect();
    match width.filter(|width| *width < NARROW) {
        None => {
            for line in table::lines(&[Align::Left; 6], &rows) {
                writeln!(out, "{}", cut(&line, width))?;
            }
        }
        Some(width) => {
            for line in rows.iter().flat_map(|row| wrapped(&row.join("  "), width)) {
                writeln!(out, "{line}")?;
            }
        }
    }
    if history.more > 0 {
        writeln!(out, "  {} more", table::grouped(history.more))?;
    }
    Ok(())
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
