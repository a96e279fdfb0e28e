//! What several pages show. Pure.

use crate::letters::json::time;
use crate::letters::web::html::Html;

/// What retention took away while it was to be read, and what the filters leave out.
pub fn notes(html: &mut Html, notes: &[String]) {
    for note in notes {
        html.raw("<p class=\"note\">").text(note).raw("</p>");
    }
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
