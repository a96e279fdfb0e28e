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
    let now_ms = now_ms();
    // One order for both ways, that of the list. The oldest first is not the same turned round: in both, impossible times
    // come last and, of the same time, the first partition comes first.
    let rank = |time_ms: Option<i64>, place: Place| Rank::of(Order::Newest, time_ms, place, now_ms);
    let (own, cause) = read_one(&shelf, place, |letter| {
        let cause = letter.decoded.as_ref().ok();
        let cause = cause.map(|decoded| (decoded.kind.to_owned(), decoded.fingerprint.map(str::to_owned)));
        (rank(letter.record.timestamp_ms, place), cause)
    })?;
    let Some((kind, fingerprint)) = cause else { anyhow::bail!("{name} is no dead letter and has no cause") };
    let selection = Selection { kinds: vec![kind], ..Selection::default() };
    let letters = Letters::new(&shelf, &selection, None, Reading::Any);
    let reading = letters.read_watched(
        |progress| left.watch(progress),
        || None,
        |nearest: &mut Option<(Rank, Place)>, letter| {
            let is_same = letter.decoded.as_ref().is_ok_and(|decoded| decoded.fingerprint == fingerprint.as_deref());
            let rank = rank(letter.record.timestamp_ms, letter.place());
            if is_same && side.is_nearer(own, rank, nearest.map(|(so_far, _)| so_far)) {
                *nearest = Some((rank, letter.place()));
            }
            ControlFlow::Continue(())
        },
    )?;
    let of_partitions = reading.states.into_iter().flatten();
    let nearest = match side {
        Side::Newer => of_partitions.max(),
        Side::Older => of_partitions.min(),
    };
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
    /// Whether a letter of this rank stands on this side of one's own, and nearer than what was found so far.
    fn is_nearer(self, own: Rank, rank: Rank, so_far: Option<Rank>) -> bool {
        match self {
            Self::Newer => rank < own && so_far.is_none_or(|so_far| so_far < rank),
            Self::Older => own < rank && so_far.is_none_or(|so_far| rank < so_far),
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Newer => "newer",
            Self::Older => "older",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_goes_through_a_list_both_ways_and_misses_none() {
        let now = 1_772_359_200_000;
        // Of two partitions, some of the same time, some of none that can be.
        let letters = (0..2).flat_map(|partition| (0..12).map(move |offset| Place { topic: 0, partition, offset }));
        let time_ms = |offset: i64| if offset % 4 == 3 { 1 } else { now - offset % 3 };
        let mut ranks: Vec<Rank> =
            letters.map(|place| Rank::of(Order::Newest, Some(time_ms(place.offset)), place, now)).collect();
        let next = |side: Side, own: Rank| {
            ranks
                .iter()
                .fold(None, |so_far, rank| if side.is_nearer(own, *rank, so_far) { Some(*rank) } else { so_far })
        };
        let walk = |side, from| std::iter::successors(Some(from), |own| next(side, *own)).collect::<Vec<_>>();
        let (first, last) = (ranks.iter().min().copied().unwrap(), ranks.iter().max().copied().unwrap());
        let (older, mut newer) = (walk(Side::Older, first), walk(Side::Newer, last));
        newer.reverse();
        ranks.sort_unstable();
        assert_eq!((&older, &newer), (&ranks, &ranks));
    }
}
