//! The list: one row a letter, in the order of `dlq list`, a page at a time.

use std::ops::ControlFlow;
use std::sync::{Mutex, PoisonError};

use super::parts::{moment, notes};
use crate::letters::read::{Letter, Letters, Order};
use crate::letters::select::Selection;
use crate::letters::topics::Topics;
use crate::letters::web::filter::Filter;
use crate::letters::web::html::Html;
use crate::letters::web::look::{Context, Found, Left};
use crate::text::harmless;
use crate::time_range::now_ms;

/// Rows of a page.
const ROWS: usize = 100;

/// What of a foreign text is shown on one row.
const MAX_CHARS: usize = 300;

struct Rows {
    html: Html,
    places: Vec<String>,
    /// Whether one was left for another page.
    has_more: bool,
}

pub fn page(context: &Context, filter: &Filter, left: &Left) -> anyhow::Result<Found> {
    let selection = Selection::new(&filter.selection, now_ms());
    let shelf = context.shelf()?;
    let behind = filter.behind.as_ref().map(|behind| shelf.topics.find(behind));
    let behind = behind.transpose().map_err(anyhow::Error::msg)?;
    let letters = Letters::new(&shelf, &selection, None, Order::ByPlace).behind(behind);
    let rows = Mutex::new(Rows { html: Html::new(), places: Vec::new(), has_more: false });
    let reading = letters.read_watched(
        |progress| left.watch(progress),
        || (),
        |(), letter| rows.lock().unwrap_or_else(PoisonError::into_inner).take(letter, &shelf.topics),
    )?;
    let Rows { html: rows, places, has_more } = rows.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut html = Html::new();
    html.raw("<h1>Letters</h1>");
    filter.form(&mut html, "/letters");
    notes(&mut html, &reading.notes);
    match places.last() {
        None if filter.behind.is_some() => html.raw("<p>No more of them.</p>"),
        None => html.raw("<p>None that fits.</p>"),
        Some(last) => {
            html.raw("<div class=\"scroll\"><table class=\"rows\"><thead><tr><th scope=\"col\">Letter</th>");
            html.raw("<th scope=\"col\">Time</th><th scope=\"col\">Kind</th><th scope=\"col\">Source</th>");
            html.raw("<th scope=\"col\">Message</th></tr></thead><tbody>").part(&rows).raw("</tbody></table></div>");
            html.raw("<p class=\"pages\">");
            if filter.behind.is_some() {
                html.raw("<a").attribute("href", &filter.address("/letters", &[])).raw(">From the beginning</a> ");
            }
            if has_more {
                html.raw("<a rel=\"next\"").attribute("href", &filter.further("/letters", last)).raw(">Next page</a>");
            } else {
                html.raw("No more behind these.");
            }
            html.raw("</p>")
        }
    };
    Ok(Found::Page { title: "letters".to_owned(), content: html })
}

impl Rows {
    fn take(&mut self, letter: &Letter<'_>, topics: &Topics) -> ControlFlow<()> {
        if self.places.len() == ROWS {
            self.has_more = true;
            return ControlFlow::Break(());
        }
        let place = topics.shown(letter.place());
        row(&mut self.html, letter, &place);
        self.places.push(place);
        ControlFlow::Continue(())
    }
}

fn row(html: &mut Html, letter: &Letter<'_>, place: &str) {
    let text = |text: &str| harmless(text.as_bytes(), MAX_CHARS);
    html.raw("<tr><td><a class=\"row\"").attribute("href", &format!("/letters/{place}")).raw(">").text(place);
    html.raw("</a></td><td>");
    moment(html, letter.record.timestamp_ms);
    html.raw("</td>");
    match &letter.decoded {
        Ok(decoded) => {
            html.raw("<td>").text(&text(decoded.kind)).raw("</td><td>");
            html.text(&text(&letter.source_text())).raw("</td><td>");
            html.text(&text(decoded.message.unwrap_or("-")))
        }
        Err(problem) => html.raw("<td>-</td><td>-</td><td>no dead letter: ").text(&problem.to_string()),
    };
    html.raw("</td></tr>");
}
