//! The letters of a page: those that fit its filters, and of which kinds the others are that fit all filters but this one, so
//! that a person has a choice.

use std::collections::HashMap;
use std::ops::ControlFlow;

use super::filter::Filter;
use super::look::Left;
use crate::letters::read::{Letter, Letters, Order};
use crate::letters::select::Selection;
use crate::letters::shelf::Shelf;
use crate::letters::tally::{MAX_KIND_BYTES, NO_LETTER};

/// Kinds that are counted; other tools' have no bound.
const MAX_KINDS: usize = 1000;

/// What a page is made of.
#[derive(Debug)]
pub struct Sifted<S> {
    /// One for each partition.
    pub states: Vec<S>,
    pub kinds: Kinds,
    /// What whoever asked has to know beside it.
    pub notes: Vec<String>,
}

/// How many letters of each kind there are.
#[derive(Debug, Default)]
pub struct Kinds(HashMap<Box<str>, u64>);

/// Calls `each` for every letter that fits.
pub fn sift<S: Send>(
    shelf: &Shelf<'_>,
    filter: &Filter,
    left: &Left,
    now_ms: i64,
    make_state: impl Fn() -> S + Sync,
    each: impl Fn(&mut S, &Letter<'_>) + Sync,
) -> anyhow::Result<Sifted<S>> {
    let of_any_kind = Selection { kinds: Vec::new(), ..Selection::new(&filter.selection, now_ms) };
    let letters = Letters::new(shelf, &of_any_kind, None, Order::Any);
    let reading = letters.read_watched(
        |progress| left.watch(progress),
        || (make_state(), Kinds::default()),
        |(state, kinds), letter| {
            if filter.search.as_ref().is_none_or(|search| search.takes(letter)) {
                let kind = kind(letter);
                kinds.add(kind, 1);
                if filter.takes_kind(kind) {
                    each(state, letter);
                }
            }
            ControlFlow::Continue(())
        },
    )?;
    let (states, kinds): (Vec<S>, Vec<Kinds>) = reading.states.into_iter().unzip();
    Ok(Sifted { states, kinds: kinds.into_iter().fold(Kinds::default(), Kinds::with), notes: reading.notes })
}

/// Of what is no dead letter, a word for that.
fn kind<'l>(letter: &'l Letter<'_>) -> &'l str {
    letter.decoded.as_ref().map_or(NO_LETTER, |decoded| decoded.kind)
}

impl Kinds {
    fn add(&mut self, kind: &str, letters: u64) {
        if let Some(count) = self.0.get_mut(kind) {
            *count += letters;
        } else if self.0.len() < MAX_KINDS && kind.len() <= MAX_KIND_BYTES {
            self.0.insert(kind.into(), letters);
        }
    }

    fn with(mut self, other: Self) -> Self {
        other.0.iter().for_each(|(kind, letters)| self.add(kind, *letters));
        self
    }

    pub fn letters(&self, kind: &str) -> u64 {
        self.0.get(kind).copied().unwrap_or(0)
    }

    /// The most letters first.
    pub fn sorted(&self) -> Vec<&str> {
        let mut kinds: Vec<_> = self.0.iter().map(|(kind, letters)| (std::cmp::Reverse(*letters), &**kind)).collect();
        kinds.sort_unstable();
        kinds.into_iter().map(|(_, kind)| kind).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_add_up_and_are_bounded() {
        let of = |counts: &[(&str, u64)]| {
            let mut kinds = Kinds::default();
            counts.iter().for_each(|(kind, letters)| kinds.add(kind, *letters));
            kinds
        };
        let both = of(&[("a", 2), ("b", 1)]).with(of(&[("c", 1), ("b", 4)]));
        assert_eq!((both.sorted(), both.letters("b"), both.letters("x")), (vec!["b", "a", "c"], 5, 0));
        let many: Vec<String> = (0..2 * MAX_KINDS).map(|number| number.to_string()).collect();
        let many: Vec<(&str, u64)> = many.iter().map(|kind| (kind.as_str(), 1)).collect();
        assert_eq!(of(&many).with(of(&many)).sorted().len(), MAX_KINDS);
        assert_eq!(of(&[(&"x".repeat(MAX_KIND_BYTES + 1), 1)]).sorted(), [""; 0]);
    }
}
