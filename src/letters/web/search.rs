//! Letters that hold a text: in the record that they come from, in their key or in their value, as it stands there and as it is
//! unpacked. Pure.
//!
//! However long a value is and whatever stands in it: the time grows with its length alone, and beside it a search takes
//! a few kilobytes, and of a packed value a mebibyte.

use memchr::memmem::Finder;

use crate::letters::read::Letter;
use crate::normalize;

/// Longer texts are not searched for, in bytes.
const MAX_BYTES: usize = 200;

/// Bytes that are looked at together.
const PIECE: usize = 8192;

/// What a packed value is unpacked to at most, in bytes: there may be a bomb in every letter. What becomes larger is
/// searched as it lies there.
const MAX_UNPACKED_BYTES: usize = 1 << 20;

#[derive(Clone, Debug)]
pub struct Search {
    /// Of small letters.
    finder: Finder<'static>,
}

impl Search {
    /// Letters of the Latin alphabet are the same whether they are small or capital.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.len() {
            0 => Err("write what is searched for".to_owned()),
            1..=MAX_BYTES => Ok(Self { finder: Finder::new(&text.to_ascii_lowercase()).into_owned() }),
            bytes => Err(format!("{bytes} bytes are searched for, more than {MAX_BYTES}")),
        }
    }

    pub fn takes(&self, letter: &Letter<'_>) -> bool {
        let record = &letter.record;
        self.is_in(letter.source_text().as_bytes())
            || record.key.is_some_and(|key| self.is_in(key))
            || record.value.is_some_and(|value| self.is_in(value) || self.is_packed_in(value))
    }

    fn is_packed_in(&self, value: &[u8]) -> bool {
        let unpacked = normalize::decoded(value, MAX_UNPACKED_BYTES);
        unpacked.is_ok_and(|unpacked| !unpacked.undone.is_empty() && self.is_in(&unpacked.text))
    }

    fn is_in(&self, text: &[u8]) -> bool {
        let mut small = [0; PIECE];
        // Pieces overlap: what is searched for may lie across an end.
        let step = PIECE - (self.finder.needle().len() - 1);
        let mut rest = text;
        loop {
            let length = rest.len().min(PIECE);
            small.iter_mut().zip(rest).for_each(|(small, byte)| *small = byte.to_ascii_lowercase());
            if self.finder.find(&small[..length]).is_some() {
                return true;
            }
            if rest.len() <= PIECE {
                return false;
            }
            rest = &rest[step..];
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_text_is_found_wherever_it_lies_and_however_it_is_written() {
        let search = Search::parse("Anna@Contoso").unwrap();
        for before in [0, 1, PIECE - 12, PIECE - 11, PIECE - 1, PIECE, 3 * PIECE - 40] {
            let mut text = vec![b'a'; before];
            assert!(!search.is_in(&text));
            text.extend(b"ANNA@contoso.example");
            assert!(search.is_in(&text), "{before}");
        }
        assert!(Search::parse("").is_err() && Search::parse(&"a".repeat(MAX_BYTES + 1)).is_err());
        assert!(Search::parse(&"a".repeat(MAX_BYTES)).unwrap().is_in(&[b'a'; 2 * PIECE]));
    }

    proptest! {
        #[test]
        fn it_agrees_with_the_standard_library(text in "[aAbB]{0,40}", wanted in "[aAbB]{1,4}", pad in 8170_usize..8200) {
            let text = "-".repeat(pad) + &text;
            let expected = text.to_ascii_lowercase().contains(&wanted.to_ascii_lowercase());
            prop_assert_eq!(Search::parse(&wanted).unwrap().is_in(text.as_bytes()), expected);
        }
    }
}
