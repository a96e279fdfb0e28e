//! The list: one row a letter, the newest first or the oldest, a page at a time.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::parts::{cells, letters, looked, notes};
use crate::letters::coordinates::Place;
use crate::letters::read::Letter;
use crate::letters::topics::Topics;
use crate::letters::web::filter::Filter;
use crate::letters::web::form::form;
use crate::letters::web::html::Html;
use crate::letters::web::look::{Context, Found, Left};
use crate::letters::web::rank::{Order, Rank};
use crate::letters::web::sift::{Sifted, sift};
use crate::terminal::table::{counted, grouped};
use crate::text::harmless;
use crate::time_range::now_ms;

/// Rows of a page.
const ROWS: usize = 100;

/// What of a foreign text is shown on one row.
const MAX_CHARS: usize = 300;

/// What is kept of a letter until it is known whether it is on the page.
struct Row {
    place: Place,
    time_ms: Option<i64>,
    kind: String,
    source: String,
    message: String,
}

/// The rows of a page so far, in order, and one more that says whether there is another page. Nothing grows with the
/// number of letters.
#[derive(Default)]
struct Rows {
    behind: Option<Rank>,
    rows: BTreeMap<Rank, Row>,
    /// All that fit, on whatever page.
    letters: u64,
}

pub fn page(context: &Context, filter: &Filter, left: &Left) -> anyhow::Result<Found> {
    let now_ms = now_ms();
    let shelf = context.shelf()?;
    let behind = match &filter.behind {
        None => None,
        Some(behind) => {
            let place = shelf.topics.find(&behind.place).map_err(anyhow::Error::msg)?;
            Some(Rank::of(filter.order, behind.time_ms, place, now_ms))
        }
    };
    let rows = Mutex::new(Rows { behind, ..Rows::default() });
    let Sifted { kinds, notes: told, .. } = sift(
        &shelf,
        filter,
        left,
        now_ms,
        || (),
        |(), letter| {
            let rank = Rank::of(filter.order, letter.record.timestamp_ms, letter.place(), now_ms);
            rows.lock().unwrap_or_else(PoisonError::into_inner).take(rank, || Row::of(letter));
        },
    )?;
    let Rows { rows, letters, .. } = rows.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut html = Html::new();
    html.raw("<h1>").text(&counted(letters, "letter", "letters")).raw("</h1>");
    looked(&mut html, filter, "/letters", now_ms);
    form(&mut html, filter, &kinds, "/letters");
    notes(&mut html, &told);
    order(&mut html, filter);
    table(&mut html, rows.values().take(ROWS), &shelf.topics);
    html.raw("<p class=\"pages\">");
    if filter.behind.is_some() {
        html.raw("<a").attribute("href", &filter.address("/letters", &[])).raw(">First page</a> ");
    }
    match rows.values().nth(ROWS - 1) {
        Some(last) if rows.len() > ROWS => {
            let next = filter.further("/letters", last.time_ms, &shelf.topics.shown(last.place));
            html.raw("<a rel=\"next\"").attribute("href", &next).raw(">Next page</a>")
        }
        _ if rows.is_empty() && filter.behind.is_none() => html.raw("None that fits."),
        _ => html.raw("No more behind these."),
    };
    html.raw("</p>");
    Ok(Found::Page { title: "letters".to_owned(), content: html, refresh: filter.refresh })
}

impl Rows {
    fn take(&mut self, rank: Rank, row: impl FnOnce() -> Row) {
        self.letters += 1;
        let is_before = |other: &Rank| rank <= *other;
        let is_full = self.rows.len() > ROWS;
        if self.behind.as_ref().is_some_and(is_before)
            || is_full && self.rows.last_key_value().is_some_and(|(last, _)| !is_before(last))
        {
            return;
        }
        self.rows.insert(rank, row());
        if self.rows.len() > ROWS + 1 {
            self.rows.pop_last();
        }
    }
}

impl Row {
    fn of(letter: &Letter<'_>) -> Self {
        let text = |text: &str| harmless(text.as_bytes(), MAX_CHARS);
        let (kind, message) = match &letter.decoded {
            Ok(decoded) => (text(decoded.kind), text(decoded.message.unwrap_or("-"))),
            Err(problem) => ("-".to_owned(), format!("no dead letter: {problem}")),
        };
        let source = text(&letter.source_text());
        Self { place: letter.place(), time_ms: letter.record.timestamp_ms, kind, source, message }
    }
}

fn order(html: &mut Html, filter: &Filter) {
    html.raw("<p class=\"order\">").raw(filter.order.words()).raw(" · <a");
    let (other, words) = match filter.order {
        Order::Newest => ("oldest", Order::Oldest.words()),
        Order::Oldest => ("", Order::Newest.words()),
    };
    html.attribute("href", &filter.address("/letters", &[("order", other)])).raw(">").raw(words).raw("</a> · ");
    html.text(&grouped(ROWS as u64)).raw(" a page</p>");
}

fn table<'r>(html: &mut Html, rows: impl Iterator<Item = &'r Row>, topics: &Topics) {
    letters(html, |html| {
        for Row { place, time_ms, kind, source, message } in rows {
            let place = topics.shown(*place);
            html.raw("<tr><td><a class=\"row\"").attribute("href", &format!("/letters/{place}")).raw(">").text(&place);
            html.raw("</a></td>");
            cells(html, *time_ms, source, (kind, message));
            html.raw("</tr>");
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: i64 = 1_772_359_200_000;

    fn taken(behind: Option<Rank>, letters: &[i64]) -> (Vec<i64>, u64, usize) {
        let mut rows = Rows { behind, ..Rows::default() };
        let mut made = 0;
        for (offset, ago) in (0..).zip(letters) {
            let (place, time_ms) = (Place { topic: 0, partition: 0, offset }, Some(NOW_MS - ago));
            rows.take(Rank::of(Order::Newest, time_ms, place, NOW_MS), || {
                made += 1;
                let text = String::new;
                Row { place, time_ms, kind: text(), source: text(), message: text() }
            });
        }
        (rows.rows.values().map(|row| NOW_MS - row.time_ms.unwrap()).collect(), rows.letters, made)
    }

    #[test]
    fn the_newest_are_kept_whatever_their_number_and_order() {
        let count = i64::try_from(ROWS).unwrap() + 1;
        let shuffled: Vec<i64> = (0..10_000).map(|number| number * 7919 % 10_000).collect();
        assert_eq!(taken(None, &shuffled), ((0..count).collect(), 10_000, taken(None, &shuffled).2));
        // The newest written last, as a rule; written first, the others cost nothing.
        let newest_first: Vec<i64> = (0..10_000).collect();
        assert_eq!(taken(None, &newest_first).2, ROWS + 1);
        let last = Rank::of(Order::Newest, Some(NOW_MS - 50), Place { topic: 0, partition: 0, offset: 50 }, NOW_MS);
        assert_eq!(taken(Some(last), &newest_first).0, (51..51 + count).collect::<Vec<_>>());
    }
}
