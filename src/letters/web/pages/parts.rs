//! What several pages show. Pure.

use crate::letters::json::time;
use crate::letters::web::filter::Filter;
use crate::letters::web::html::Html;

/// How often a page is asked for again, for whoever wishes it, in seconds.
const REFRESH: &str = "60";

/// What retention took away while it was to be read, and what the filters leave out.
pub fn notes(html: &mut Html, notes: &[String]) {
    for note in notes {
        html.raw("<p class=\"note\">").text(note).raw("</p>");
    }
}

/// When the topic was looked at, and how to look again.
pub fn looked(html: &mut Html, filter: &Filter, path: &'static str, now_ms: i64) {
    html.raw("<p class=\"looked\">Looked at ");
    moment(html, Some(now_ms));
    html.raw(" <a class=\"refresh\"").attribute("href", &filter.address(path, &[])).raw(">Refresh</a> ");
    match filter.refresh {
        None => {
            html.raw("<a").attribute("href", &filter.address(path, &[("refresh", REFRESH)])).raw(">every minute</a>")
        }
        Some(seconds) => {
            html.text(&format!("every {seconds} s: "));
            html.raw("<a").attribute("href", &filter.address(path, &[("refresh", "")])).raw(">stop</a>")
        }
    };
    html.raw("</p>");
}

/// A table of letters, of which `rows` writes the first cell of each row and has [`cells`] write the others.
pub fn letters(html: &mut Html, rows: impl FnOnce(&mut Html)) {
    html.raw("<table class=\"rows\"><thead><tr><th scope=\"col\">Letter</th><th scope=\"col\">Time</th>");
    html.raw("<th scope=\"col\">Source</th><th scope=\"col\">Kind, and what it says</th></tr></thead><tbody>");
    rows(html);
    html.raw("</tbody></table>");
}

/// What stands behind a letter's place.
pub fn cells(html: &mut Html, time_ms: Option<i64>, source: &str, (kind, message): (&str, &str)) {
    html.raw("<td>");
    moment(html, time_ms);
    html.raw("</td><td class=\"source\" data-label=\"source\">").text(source);
    html.raw("</td><td class=\"message\">").text(kind).raw("<p>").text(message).raw("</p></td>");
}

/// A time that the browser can say in its own zone too.
pub fn moment(html: &mut Html, ms: Option<i64>) {
    match ms.and_then(time) {
        None => html.raw("-"),
        Some(time) => {
            let shown = time.replace('T', " ");
            let shown = shown.split('.').next().unwrap_or_default();
            html.raw("<time").attribute("datetime", &time).raw(">").text(shown).raw("</time>")
        }
    };
}
