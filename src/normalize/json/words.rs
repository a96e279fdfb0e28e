//! Eight bytes at a time: where in a text is the next byte that a JSON string cannot hold as it is.
//!
//! Plain integer arithmetic, so that it is equally fast on every machine and needs no `unsafe`.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

const fn each(byte: u8) -> u64 {
    ONES * byte as u64
}

/// The high bit of each byte that is a quote, a backslash or a control character; bits above the lowest one set may be
/// wrong, because subtraction borrows from the next byte.
#[inline(always)]
pub(super) fn special(word: u64) -> u64 {
    let quote = (word ^ each(b'"')).wrapping_sub(ONES);
    let backslash = (word ^ each(b'\\')).wrapping_sub(ONES);
    let control = word.wrapping_sub(each(0x20));
    // None of the three is reached by a byte of 0x80 or above, so one look at the word's own high bits serves all.
    (quote | backslash | control) & !word & HIGH
}

/// The position of the lowest marked byte.
#[inline(always)]
pub(super) fn lowest(marks: u64) -> usize {
    (marks.trailing_zeros() / 8) as usize
}

/// Position of the next quote, backslash or control character at or after `at`; the length of the text if there is none.
#[inline]
pub(super) fn next_special(text: &[u8], mut at: usize) -> usize {
    while let Some(word) = word_at(text, at) {
        let marks = special(word);
        if marks != 0 {
            return at + lowest(marks);
        }
        at += 8;
    }
    while text.get(at).is_some_and(|byte| !is_special(*byte)) {
        at += 1;
    }
    at
}

/// Eight bytes of the text as one word, the first of them lowest.
#[inline(always)]
pub(super) fn word_at(text: &[u8], at: usize) -> Option<u64> {
    text.get(at..)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
}

pub(super) fn is_special(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_judged_alike_at_every_place_of_a_word() {
        for byte in 0..=u8::MAX {
            for place in 0..8 {
                for around in [b'a', 0x21, 0x7f, 0x80, 0xff] {
                    let mut bytes = [around; 8];
                    bytes[place] = byte;
                    let marks = special(u64::from_le_bytes(bytes));
                    let found = (marks != 0).then(|| lowest(marks));
                    assert_eq!(found, is_special(byte).then_some(place), "{byte:#x} at {place} among {around:#x}");
                }
            }
        }
    }

    #[test]
    fn the_first_special_byte_is_found_wherever_it_stands() {
        for length in 0..40 {
            for place in 0..length {
                let mut text = vec![b'x'; length];
                text[place] = b'"';
                assert_eq!(next_special(&text, 0), place);
                assert_eq!(next_special(&text, place + 1), length);
            }
        }
    }
}
