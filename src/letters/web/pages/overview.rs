//! The first page: what is failing and why, over time.

use super::chart::chart;
use super::parts::{looked, moment, notes};
use crate::letters::tally::{Group, MAX_GROUPS, MAX_KIND_BYTES, NO_LETTER, Tally};
use crate::letters::topics::Topics;
use crate::letters::web::filter::Filter;
use crate::letters::web::form::form;
use crate::letters::web::html::Html;
use crate::letters::web::look::{Context, Found, Left};
use crate::letters::web::sift::{Sifted, sift};
use crate::terminal::table::{counted, grouped};
use crate::text::harmless;
use crate::time_range::now_ms;

/// What of a foreign text is shown in one row.
const MAX_CHARS: usize = 300;

pub fn page(context: &Context, filter: &Filter, left: &Left) -> anyhow::Result<Found> {
    let now_ms = now_ms();
    let shelf = context.shelf()?;
    let Sifted { states, kinds, notes: told } = sift(&shelf, filter, left, now_ms, Tally::default, Tally::count)?;
    let tally = states.into_iter().reduce(Tally::with).unwrap_or_default();
    let mut html = Html::new();
    html.raw("<h1>").text(&counted(tally.letters, "dead letter", "dead letters")).raw("</h1>");
    looked(&mut html, filter, "/", now_ms);
    form(&mut html, filter, &kinds, "/");
    notes(&mut html, &told);
    chart(&mut html, &tally, filter);
    groups(&mut html, &tally, filter, &shelf.topics);
    Ok(Found::Page { title: "overview".to_owned(), content: html, refresh: filter.refresh })
}

fn groups(html: &mut Html, tally: &Tally, filter: &Filter, topics: &Topics) {
    if tally.letters == 0 {
        html.raw(if filter.count() > 0 { "<p>None that fits.</p>" } else { "<p>None. That is as it should be.</p>" });
        return;
    }
    html.raw("<h2>By cause</h2><table class=\"rows\"><thead><tr><th scope=\"col\" class=\"number\">Letters</th>");
    html.raw("<th scope=\"col\">Cause, and what its newest letter says</th><th scope=\"col\">Fingerprint</th>");
    html.raw("<th scope=\"col\">First seen</th><th scope=\"col\">Last seen</th><th scope=\"col\">Newest</th>");
    html.raw("</tr></thead><tbody>");
    for (kind, fingerprint, group) in tally.sorted() {
        row(html, (kind, fingerprint), group, filter, topics);
    }
    html.raw("</tbody></table>");
    if tally.ungrouped > 0 {
        let note = format!("{} more of other kinds: only {MAX_GROUPS} are told apart.", grouped(tally.ungrouped));
        html.raw("<p class=\"note\">").text(&note).raw("</p>");
    }
}

fn row(html: &mut Html, (kind, fingerprint): (&str, &str), group: &Group, filter: &Filter, topics: &Topics) {
    let text = |text: &str| harmless(text.as_bytes(), MAX_CHARS);
    // What was cut, or is no letter, cannot be asked for.
    let can_be_asked = kind != NO_LETTER && kind.len() < MAX_KIND_BYTES && fingerprint.len() < MAX_KIND_BYTES;
    html.raw("<tr><td class=\"number\">").text(&grouped(group.letters)).raw("</td><td class=\"message\">");
    if can_be_asked {
        let address = filter.address("/letters", &[("kind", kind), ("fingerprint", fingerprint)]);
        html.raw("<a class=\"row\"").attribute("href", &address).raw(">").text(&text(kind)).raw("</a>");
    } else {
        html.text(&text(kind));
    }
    html.raw("<p>").text(&text(&group.message)).raw("</p></td><td data-label=\"fingerprint\"><code>");
    html.text(&text(fingerprint)).raw("</code></td>");
    html.raw("<td data-label=\"first\">");
    moment(html, group.first_ms);
    html.raw("</td><td data-label=\"last\">");
    moment(html, group.last_ms);
    html.raw("</td>");
    let place = topics.shown(group.example.1);
    html.raw("<td data-label=\"newest\"><a").attribute("href", &format!("/letters/{place}")).raw(">").text(&place);
    html.raw("</a></td></tr>");
}
