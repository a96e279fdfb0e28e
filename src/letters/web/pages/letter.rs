//! One letter: what it says about itself, whether the mapping would take it now, its headers, its key, and its value with
//! the place to blame.

use crate::letters::coordinates::Written;
use crate::letters::read::read_one;
use crate::letters::value::{Extent, Role};
use crate::letters::verdict::Verdict;
use crate::letters::view::{Part, View};
use crate::letters::web::html::Html;
use crate::letters::web::look::{Context, Found};
use crate::normalize::Outcomes;
use crate::terminal::table::counted;

pub fn page(context: &Context, written: &Written, is_whole: bool) -> anyhow::Result<Found> {
    let shelf = context.shelf()?;
    let place = shelf.topics.find(written).map_err(anyhow::Error::msg)?;
    let extent = if is_whole { Extent::All } else { Extent::Surroundings };
    let view = read_one(&shelf, place, |letter| {
        View::of(letter, &context.mapping.judge(letter, &mut Outcomes::default()), extent)
    })?;
    let mut html = Html::new();
    let shown = shelf.topics.shown(place);
    write(&mut html, &view, &shown, is_whole);
    Ok(Found::Page { title: format!("letter {shown}"), content: html })
}

/// The value as it is; of a tombstone, nothing.
pub fn value(context: &Context, written: &Written) -> anyhow::Result<Found> {
    let shelf = context.shelf()?;
    let place = shelf.topics.find(written).map_err(anyhow::Error::msg)?;
    Ok(Found::Bytes(read_one(&shelf, place, |letter| letter.record.value.unwrap_or_default().to_vec())?))
}

fn write(html: &mut Html, view: &View, place: &str, is_whole: bool) {
    let (verdict, now) = &view.now;
    html.raw("<h1>Letter ").text(place).raw("</h1><p class=\"now ").raw(class(*verdict)).raw("\">");
    html.raw("<strong>Today’s mapping:</strong> ").text(now).raw("</p><dl>");
    for (name, fact) in &view.facts {
        html.raw("<dt>").raw(name).raw("</dt><dd>").text(fact).raw("</dd>");
    }
    html.raw("</dl><h2>").text(&counted(view.headers.len() as u64, "header", "headers"));
    html.raw("</h2><div class=\"scroll\"><table class=\"headers\"><tbody>");
    for (name, value) in &view.headers {
        html.raw("<tr><th scope=\"row\">").text(name).raw("</th><td>").text(value).raw("</td></tr>");
    }
    html.raw("</tbody></table></div>");
    part(html, &view.key);
    part(html, &view.value);
    let address = format!("/letters/{place}");
    html.raw("<p class=\"pages\"><a").attribute("href", &format!("{address}/value")).raw(">Download the value</a> ");
    if is_whole {
        html.raw("<a").attribute("href", &address).raw(">What surrounds the place only</a>");
    } else {
        html.raw("<a").attribute("href", &format!("{address}?full=1")).raw(">All of it</a>");
    }
    html.raw("</p>");
}

fn part(html: &mut Html, part: &Part) {
    html.raw("<h2>").text(&part.heading).raw("</h2>");
    if part.lines.is_empty() {
        return;
    }
    html.raw("<pre tabindex=\"0\">");
    for line in &part.lines {
        let text = line.to_string();
        match line.role {
            Role::Plain => html.text(&text),
            Role::Blamed => html.raw("<mark>").text(&text).raw("</mark>"),
            Role::Caret => html.raw("<span class=\"caret\">").text(&text).raw("</span>"),
            Role::LeftOut => html.raw("<span class=\"left-out\">").text(&text).raw("</span>"),
        };
        html.raw("\n");
    }
    html.raw("</pre>");
}

fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Fixed => "fixed",
        Verdict::Differently | Verdict::Still => "failing",
        Verdict::Unknown => "unknown",
    }
}
