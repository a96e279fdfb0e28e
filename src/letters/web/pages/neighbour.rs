//! The next letter of the same cause, newer or older: it is looked for when somebody wants it, since that takes a look at
//! every letter.

use std::ops::ControlFlow;

use crate::letters::coordinates::{Place, Written};
use crate::letters::read::{Letters, Order as Reading, read_one};
use crate::letters::select::Selection;
use crate::letters::web::html::Html;
use crate::letters::web::look::{Context, Found, Left};
use crate::letters::web::rank::{Order, Rank};
use crate::time_range::now_ms;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Newer,
    Older,
}

/// Leads to the letter, or says that there is none.
pub fn page(context: &Context, written: &Written, side: Side, left: &Left) -> anyhow::Result<Found> {
    let shelf = context.shelf()?;
    let place = shelf.topics.find(written).map_err(anyhow::Error::msg)?;
    let name = shelf.topics.shown(place);
    // Each is the next one in a list that begins at the other end.
    let order = match side {
        Side::Newer => Order::Oldest,
        Side::Older => Order::Newest,
    };
    let now_ms = now_ms();
    let (own, cause) = read_one(&shelf, place, |letter| {
        let cause = letter.decoded.as_ref().ok();
        let cause = cause.map(|decoded| (decoded.kind.to_owned(), decoded.fingerprint.map(str::to_owned)));
        (Rank::of(order, letter.record.timestamp_ms, place, now_ms), cause)
    })?;
    let Some((kind, fingerprint)) = cause else { anyhow::bail!("{name} is no dead letter and has no cause") };
    let selection = Selection { kinds: vec![kind], ..Selection::default() };
    let letters = Letters::new(&shelf, &selection, None, Reading::Any);
    let reading = letters.read_watched(
        |progress| left.watch(progress),
        || None,
        |nearest: &mut Option<(Rank, Place)>, letter| {
            let is_same = letter.decoded.as_ref().is_ok_and(|decoded| decoded.fingerprint == fingerprint.as_deref());
            let rank = Rank::of(order, letter.record.timestamp_ms, letter.place(), now_ms);
            if is_same && rank > own && nearest.is_none_or(|(so_far, _)| rank < so_far) {
                *nearest = Some((rank, letter.place()));
            }
            ControlFlow::Continue(())
        },
    )?;
    let nearest = reading.states.into_iter().flatten().min();
    if let Some((_, nearest)) = nearest {
        return Ok(Found::Elsewhere(format!("/letters/{}", shelf.topics.shown(nearest))));
    }
    let mut html = Html::new();
    html.raw("<h1>No ").raw(side.word()).raw(" letter of this cause</h1><p class=\"pages\"><a");
    html.attribute("href", &format!("/letters/{name}")).raw(">Back to letter ").text(&name);
    html.raw("</a></p>");
    Ok(Found::Page { title: format!("letter {name}"), content: html, refresh: None })
}

impl Side {
    fn word(self) -> &'static str {
        match self {
            Self::Newer => "newer",
            Self::Older => "older",
        }
    }
}
