//! The first page: what is failing and why, over time.

use std::ops::ControlFlow;

use super::chart::chart;
use super::parts::{moment, notes};
use crate::letters::read::{Letters, Order, Reading};
use crate::letters::select::Selection;
use crate::letters::tally::{Group, MAX_GROUPS, MAX_KIND_BYTES, NO_LETTER, Tally};
use crate::letters::topics::Topics;
use crate::letters::web::filter::Filter;
use crate::letters::web::html::Html;
use crate::letters::web::look::{Context, Found, Left};
use crate::terminal::table::{counted, grouped};
use crate::time_range::now_ms;

pub fn page(context: &Context, filter: &Filter, left: &Left) -> anyhow::Result<Found> {
    let selection = Selection::new(&filter.selection, now_ms());
    let shelf = context.shelf()?;
    let letters = Letters::new(&shelf, &selection, None, Order::Any);
    let Reading { states, notes: told } = letters.read_watched(
        |progress| left.watch(progress),
        Tally::default,
        |tally, letter| {
            tally.count(letter);
            ControlFlow::Continue(())
        },
    )?;
    let tally = states.into_iter().reduce(Tally::with).unwrap_or_default();
    let mut html = Html::new();
    html.raw("<h1>").text(&counted(tally.letters, "dead letter", "dead letters")).raw("</h1>");
    filter.form(&mut html, "/");
    notes(&mut html, &told);
    chart(&mut html, &tally, filter);
    groups(&mut html, &tally, filter, &shelf.topics);
    Ok(Found::Page { title: "overview".to_owned(), content: html })
}

fn groups(html: &mut Html, tally: &Tally, filter: &Filter, topics: &Topics) {
    if tally.letters == 0 {
        html.raw("<p>None. That is as it should be.</p>");
        return;
    }
    html.raw("<h2>By cause</h2><div class=\"scroll\"><table class=\"rows\"><thead><tr><th scope=\"col\" class=\"number\">Letters</th>");
    html.raw("<th scope=\"col\">Kind</th><th scope=\"col\">Fingerprint</th><th scope=\"col\">First seen</th>");
    html.raw("<th scope=\"col\">Last seen</th><th scope=\"col\">Newest</th><th scope=\"col\">It says</th></tr></thead><tbody>");
    for (kind, fingerprint, group) in tally.sorted() {
        row(html, (kind, fingerprint, group), filter, topics);
    }
    html.raw("</tbody></table></div>");
    if tally.ungrouped > 0 {
        let note = format!("{} more of other kinds: only {MAX_GROUPS} are told apart.", grouped(tally.ungrouped));
        html.raw("<p class=\"note\">").text(&note).raw("</p>");
    }
}

fn row(html: &mut Html, (kind, fingerprint, group): (&str, &str, &Group), filter: &Filter, topics: &Topics) {
    // What was cut, or is no letter, cannot be asked for.
    let can_be_asked = kind != NO_LETTER && kind.len() < MAX_KIND_BYTES && fingerprint.len() < MAX_KIND_BYTES;
    html.raw("<tr><td class=\"number\">").text(&grouped(group.letters)).raw("</td><td>");
    if can_be_asked {
        let address = filter.address("/letters", &[("kind", kind), ("fingerprint", fingerprint)]);
        html.raw("<a class=\"row\"").attribute("href", &address).raw(">").text(kind).raw("</a>");
    } else {
        html.text(kind);
    }
    html.raw("</td><td><code>").text(fingerprint).raw("</code></td>");
    for ms in [group.first_ms, group.last_ms] {
        html.raw("<td>");
        moment(html, ms);
        html.raw("</td>");
    }
    let place = topics.shown(group.example.1);
    html.raw("<td><a").attribute("href", &format!("/letters/{place}")).raw(">").text(&place).raw("</a></td><td>");
    html.text(&group.message).raw("</td></tr>");
}
