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
