//! One letter: what it says about itself, whether the mapping would take it now, its value with the place to blame, its key
//! and headers, the way to others of the same cause, and the call that sends them back.

use super::calls::{Call, calls};
use super::content::{headers, part};
use super::past::{Past, past};
use crate::letters::coordinates::Written;
use crate::letters::history::Seed;
use crate::letters::read::read_one;
use crate::letters::topics::Topics;
use crate::letters::value::Extent;
use crate::letters::verdict::Verdict;
use crate::letters::view::View;
use crate::letters::web::filter::Filter;
use crate::letters::web::html::Html;
use crate::letters::web::look::{Context, Found, Left, Wish};
use crate::normalize::Outcomes;
use crate::terminal::table::grouped;

struct Shown {
    view: View,
    calls: Vec<Call>,
    /// The list of its cause.
    cause: Option<String>,
    value_bytes: usize,
    seed: Seed,
}

pub fn page(context: &Context, written: &Written, wish: Wish, left: &Left) -> anyhow::Result<Found> {
    let shelf = context.shelf()?;
    let place = shelf.topics.find(written).map_err(anyhow::Error::msg)?;
    let extent = match wish {
        Wish::Surroundings => Extent::Surroundings,
        Wish::More => Extent::Wide,
    };
    let shown = read_one(&shelf, place, |letter| {
        let judgement = context.mapping.judge(letter, &mut Outcomes::default());
        let cause = letter.decoded.as_ref().ok().map(|decoded| {
            let filters = [("kind", decoded.kind), ("fingerprint", decoded.fingerprint.unwrap_or_default())];
            Filter::default().address("/letters", &filters)
        });
        Shown {
            view: View::of(letter, &judgement, extent),
            calls: calls(letter, &shelf.asked),
            cause,
            value_bytes: letter.record.value.map_or(0, <[u8]>::len),
            seed: Seed::of(letter, &shelf.topics),
        }
    })?;
    let mut html = Html::new();
    let name = shelf.topics.shown(place);
    let past = past(&shelf, &shown.seed, wish, left)?;
    write(&mut html, (&shown, &past), (&name, &shelf.topics), wish);
    Ok(Found::Page { title: format!("letter {name}"), content: html, refresh: None })
}

/// The value as it is; of a tombstone, nothing.
pub fn value(context: &Context, written: &Written) -> anyhow::Result<Found> {
    let shelf = context.shelf()?;
    let place = shelf.topics.find(written).map_err(anyhow::Error::msg)?;
    let bytes = read_one(&shelf, place, |letter| letter.record.value.unwrap_or_default().to_vec())?;
    Ok(Found::Bytes { name: format!("letter-{}-{}.bin", place.partition, place.offset), bytes })
}

fn write(html: &mut Html, (shown, past): (&Shown, &Past), (place, topics): (&str, &Topics), wish: Wish) {
    let Shown { view, calls, cause, value_bytes, .. } = shown;
    let (verdict, now) = &view.now;
    let address = format!("/letters/{place}");
    html.raw("<h1>Letter ").text(place).raw("</h1>");
    if let Some(cause) = cause {
        html.raw("<nav class=\"pages\" aria-label=\"letters of the same cause\">Same cause: <a class=\"newer\"");
        html.attribute("href", &format!("{address}/newer")).raw(">newer</a> <a class=\"older\"");
        html.attribute("href", &format!("{address}/older")).raw(">older</a> <a").attribute("href", cause);
        html.raw(">all</a></nav>");
    }
    html.raw("<p class=\"now ").raw(class(*verdict)).raw("\"><strong>Today’s mapping:</strong> ").text(now);
    html.raw("</p><dl>");
    for (name, fact) in &view.facts {
        html.raw("<dt>").raw(name).raw("</dt><dd>").text(fact).raw("</dd>");
    }
    html.raw("</dl>");
    part(html, &view.value);
    html.raw("<p class=\"pages\"><a").attribute("href", &format!("{address}/value")).raw(">Download the value</a> ");
    html.text(&format!("as it came, {} B", grouped(*value_bytes as u64)));
    match wish {
        Wish::More => html.raw(" <a").attribute("href", &address).raw(">Show less</a>"),
        Wish::Surroundings => {
            html.raw(" <a").attribute("href", &format!("{address}?full=1")).raw(">Show more of everything</a>")
        }
    };
    html.raw("</p>");
    if !calls.is_empty() {
        html.raw(
            "<h2>Send it back</h2><p class=\"hint\">Says what would be sent; <code>--execute</code> sends it.</p>",
        );
        for call in calls {
            html.raw("<p>")
                .raw(call.what)
                .raw("</p><pre class=\"copy\" tabindex=\"0\">")
                .text(&call.line)
                .raw("</pre>");
        }
    }
    past.write(html, topics, place);
    part(html, &view.key);
    headers(html, &view.headers);
}

fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Fixed => "fixed",
        Verdict::Differently | Verdict::Still => "failing",
        Verdict::Unknown => "unknown",
    }
}
