//! The history of a letter on its page: what else became of its record. That takes a look at every letter, and a page whose
//! reader wants the letter does not wait for a long one.

use std::time::{Duration, Instant};

use super::parts::{cells, letters, notes};
use crate::letters::history::{Attempt, History, Seed, history};
use crate::letters::shelf::Shelf;
use crate::letters::topics::Topics;
use crate::letters::web::html::Html;
use crate::letters::web::look::{Left, Wish};
use crate::terminal::table::grouped;
use crate::text::harmless;

/// How long a page waits for it, unless more is wished for.
const PATIENCE: Duration = Duration::from_secs(5);

/// Letters that are shown.
const MAX_ROWS: usize = 100;

/// What of a foreign text is shown on one row.
const MAX_CHARS: usize = 300;

pub enum Past {
    Known(History),
    /// There are too many letters to look through while somebody waits.
    TooLong,
}

pub fn past(shelf: &Shelf<'_>, seed: &Seed, wish: Wish, left: &Left) -> anyhow::Result<Past> {
    let begun = Instant::now();
    let mut is_known = true;
    let history = history(shelf, seed, |progress| {
        left.watch(progress);
        let is_at_its_end = progress.offsets() >= progress.offsets_total();
        if wish == Wish::Surroundings && !is_at_its_end && begun.elapsed() >= PATIENCE {
            is_known = false;
            progress.stop();
        }
    })?;
    Ok(if is_known { Past::Known(history) } else { Past::TooLong })
}

impl Past {
    /// Below the letter at `place`.
    pub fn write(&self, html: &mut Html, topics: &Topics, place: &str) {
        html.raw("<h2>History of its record</h2>");
        let history = match self {
            Self::Known(history) => history,
            Self::TooLong => {
                html.raw("<p>To find it, all letters are read, which takes long here: ");
                html.raw("<a").attribute("href", &format!("/letters/{place}?full=1")).raw(">read them</a>.</p>");
                return;
            }
        };
        notes(html, &history.notes);
        if history.attempts.len() < 2 {
            html.raw("<p>No other letter of this record.</p>");
            return;
        }
        letters(html, |html| {
            for attempt in history.attempts.iter().take(MAX_ROWS) {
                row(html, attempt, &topics.shown(attempt.place), place);
            }
        });
        let more = history.more + history.attempts.len().saturating_sub(MAX_ROWS) as u64;
        if more > 0 {
            html.raw("<p class=\"note\">").text(&format!("{} more.", grouped(more))).raw("</p>");
        }
    }
}

fn row(html: &mut Html, attempt: &Attempt, place: &str, own: &str) {
    let text = |text: &str| harmless(text.as_bytes(), MAX_CHARS);
    html.raw("<tr><td>");
    if place == own {
        html.raw("<strong>").text(place).raw("</strong>");
    } else {
        html.raw("<a").attribute("href", &format!("/letters/{place}")).raw(">").text(place).raw("</a>");
    }
    html.raw("</td>");
    cells(html, attempt.time_ms, &text(&attempt.source), (&text(&attempt.kind), &text(&attempt.message)));
    html.raw("</tr>");
}
