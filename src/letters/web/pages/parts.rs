//! What several pages show. Pure.

use crate::letters::json::time;
use crate::letters::web::html::Html;

/// What retention took away while it was to be read, and what the filters leave out.
pub fn notes(html: &mut Html, gone: &[(i32, std::ops::Range<i64>)], left_out: &[String]) {
    for (partition, gone) in gone {
        let (from, to) = (gone.start, gone.end - 1);
        let note = format!(
            "Offsets {from} to {to} of partition {partition} were deleted while they were to be read (retention)."
        );
        html.raw("<p class=\"note\">").text(&note).raw("</p>");
    }
    for note in left_out {
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
