//! The value of one made-up record together with everything that must become of it.

use std::mem;

use fastrand::Rng;

use super::page::{Fate, MAX_LEVELS, Piece};
use super::poison::{bad_piece, bad_value};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    pub value: Option<Vec<u8>>,
    /// In order; none when the record is skipped.
    pub fates: Vec<Fate>,
    /// Whether the fates carry an index.
    pub page: bool,
}

impl Sample {
    /// A record of any kind, in the proportions of a bad day: about one in seven is poison.
    pub fn mixed(rng: &mut Rng, id: &str) -> Self {
        let piece = match rng.u8(..100) {
            0..=54 => Piece::trace(rng, id.to_owned()),
            55..=69 => {
                let levels = rng.usize(1..=MAX_LEVELS);
                Piece::trace(rng, id.to_owned()).wrapped_to(rng, levels)
            }
            70..=81 => page(rng, id),
            82..=84 => {
                let levels = rng.usize(1..=MAX_LEVELS);
                Piece::array(rng, Vec::new()).in_envelope(rng).wrapped_to(rng, levels)
            }
            85..=92 => {
                let piece = bad_piece(rng, id.to_owned());
                let levels = rng.usize(..=MAX_LEVELS);
                if piece.levels == MAX_LEVELS { piece } else { piece.wrapped_to(rng, levels) }
            }
            _ => return Self::whole(rng, id),
        };
        Self::of(piece.aired(rng))
    }

    /// One plain trace, nothing around it.
    pub fn plain(rng: &mut Rng, id: &str) -> Self {
        Self::of(Piece::trace(rng, id.to_owned()))
    }

    /// The same record where the output topic does not take its events.
    pub fn refused(mut self) -> Self {
        for fate in &mut self.fates {
            if let Fate::Event { message, .. } = fate {
                *fate = Fate::Letter { kind: "event_refused", key: "", text: mem::take(message) };
            }
        }
        self
    }

    pub fn of(piece: Piece) -> Self {
        Self { value: Some(piece.text.into_bytes()), fates: piece.fates, page: piece.page }
    }

    fn whole(rng: &mut Rng, id: &str) -> Self {
        let bad = bad_value(rng, id.to_owned());
        let fate = Fate::Letter { kind: bad.kind, key: "", text: String::new() };
        Self { value: bad.value, fates: vec![fate], page: false }
    }
}

/// Good and bad traces, empty pages and wrapped ones side by side.
fn page(rng: &mut Rng, id: &str) -> Piece {
    let count = rng.usize(1..=12);
    let elements = (0..count).map(|at| element(rng, &format!("{id}.{at}"))).collect();
    Piece::array(rng, elements).in_envelope(rng)
}

fn element(rng: &mut Rng, id: &str) -> Piece {
    match rng.u8(..10) {
        0 => Piece::array(rng, Vec::new()).in_envelope(rng),
        1 | 2 => {
            let piece = bad_piece(rng, id.to_owned());
            // Too deep already: in a page its levels would be counted from one further out.
            if piece.levels == MAX_LEVELS { Piece::letter("unknown_shape", "", "17".to_owned()) } else { piece }
        }
        3 => Piece::trace(rng, id.to_owned()).wrapped_to(rng, MAX_LEVELS - 1),
        _ => Piece::trace(rng, id.to_owned()),
    }
}
