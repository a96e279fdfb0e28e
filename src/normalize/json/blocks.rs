//! Sixteen bytes at a time: where in a text is the next byte that a JSON string cannot hold as it is.

use wide::u8x16;

/// Bytes looked at in one step.
pub(super) const BLOCK: usize = 16;

/// One bit for each byte of the block, set where it is a quote, a backslash or a control character.
#[inline(always)]
pub(super) fn special(block: &[u8; BLOCK]) -> u32 {
    let bytes = u8x16::new(*block);
    let quote = bytes.simd_eq(u8x16::splat(b'"'));
    let backslash = bytes.simd_eq(u8x16::splat(b'\\'));
    let control = bytes.simd_eq(bytes.min(u8x16::splat(0x1f)));
    (quote | backslash | control).to_bitmask()
}

/// One bit for each byte of the block, set where it is a backslash.
#[inline(always)]
pub(super) fn backslash(block: &[u8; BLOCK]) -> u32 {
    u8x16::new(*block).simd_eq(u8x16::splat(b'\\')).to_bitmask()
}

/// The block that begins at `at`, when the text has that many bytes left.
#[inline(always)]
pub(super) fn block_at(text: &[u8], at: usize) -> Option<&[u8; BLOCK]> {
    text.get(at..)?.first_chunk()
}

/// A block and what follows it, so that sixteen bytes can be had from any place in the block.
pub(super) type Window = [u8; 2 * BLOCK];

/// The first block of a window.
#[inline(always)]
pub(super) fn first(window: &Window) -> &[u8; BLOCK] {
    let (block, _) = window.as_chunks::<BLOCK>().0.split_first().unwrap_or((&[0; BLOCK], &[]));
    block
}

/// The block at a place of the window no farther than its middle.
#[inline(always)]
pub(super) fn from(window: &Window, place: usize) -> Option<&[u8; BLOCK]> {
    window.get(place..)?.first_chunk()
}

/// The windows of a text, one for each block of it, the last ones filled up with spaces.
#[derive(Debug)]
pub(super) struct Windows<'a> {
    rest: &'a [u8],
    padded: Window,
}

impl<'a> Windows<'a> {
    pub fn of(rest: &'a [u8]) -> Self {
        Self { rest, padded: [b' '; 2 * BLOCK] }
    }

    /// What has not been passed.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Goes on by so many bytes.
    #[inline(always)]
    pub fn pass(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
    }

    /// The window at hand, and how many bytes of its first block belong to the text; `None` at the end.
    #[inline(always)]
    pub fn window(&mut self) -> Option<(&Window, usize)> {
        match self.rest.first_chunk() {
            Some(window) => Some((window, BLOCK)),
            None => self.pad(),
        }
    }

    fn pad(&mut self) -> Option<(&Window, usize)> {
        if self.rest.is_empty() {
            return None;
        }
        self.padded = [b' '; 2 * BLOCK];
        for (place, byte) in self.padded.iter_mut().zip(self.rest) {
            *place = *byte;
        }
        Some((&self.padded, self.rest.len().min(BLOCK)))
    }
}

/// Position of the next quote, backslash or control character at or after `at`; the length of the text if there is none.
#[inline]
pub(super) fn next_special(text: &[u8], mut at: usize) -> usize {
    while let Some(block) = block_at(text, at) {
        let marks = special(block);
        if marks != 0 {
            return at + marks.trailing_zeros() as usize;
        }
        at += BLOCK;
    }
    while text.get(at).is_some_and(|byte| !is_special(*byte)) {
        at += 1;
    }
    at
}

fn is_special(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_judged_alike_at_every_place_of_a_block() {
        for byte in 0..=u8::MAX {
            for place in 0..BLOCK {
                for around in [b'a', 0x21, 0x7f, 0x80, 0xff] {
                    let mut block = [around; BLOCK];
                    block[place] = byte;
                    let expected = if is_special(byte) { 1 << place } else { 0 };
                    assert_eq!(special(&block), expected, "{byte:#x} at {place} among {around:#x}");
                }
            }
        }
    }

    #[test]
    fn the_first_special_byte_is_found_wherever_it_stands() {
        for length in 0..70 {
            for place in 0..length {
                let mut text = vec![b'x'; length];
                text[place] = b'"';
                assert_eq!(next_special(&text, 0), place);
                assert_eq!(next_special(&text, place + 1), length);
            }
        }
    }

    #[test]
    fn a_text_is_passed_block_by_block_and_filled_up_with_spaces() {
        for length in 0..100_u8 {
            let text: Vec<u8> = (1..=length).map(|byte| byte + 100).collect();
            let mut windows = Windows::of(&text);
            let mut passed = Vec::new();
            while let Some((window, own)) = windows.window() {
                let padded: Vec<u8> = text[passed.len()..].iter().copied().chain([b' '; 32]).take(32).collect();
                assert_eq!(window[..], padded);
                passed.extend_from_slice(&window[..own]);
                windows.pass(own);
            }
            assert_eq!(passed, text);
        }
    }
}
