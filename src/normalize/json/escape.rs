//! The two directions of a JSON escape: what `\…` stands for, and how a byte that needs one is written.

/// U+FFFD, which stands in for half of a surrogate pair.
const REPLACEMENT: char = char::REPLACEMENT_CHARACTER;

/// The byte that a two-byte escape with this letter stands for; `None` for `\u`, which is longer.
#[inline(always)]
pub(super) fn short(letter: u8) -> Option<u8> {
    match letter {
        b'"' | b'\\' | b'/' => Some(letter),
        b'n' => Some(b'\n'),
        b't' => Some(b'\t'),
        b'r' => Some(b'\r'),
        b'b' => Some(0x08),
        b'f' => Some(0x0c),
        _ => None,
    }
}

/// The character that the escape at the start of `raw` stands for, and the length of the escape. `raw` was checked
/// before; a text that was not gives U+FFFD.
pub(super) fn decode(raw: &[u8]) -> (char, usize) {
    let Some(letter) = raw.get(1) else { return (REPLACEMENT, 1) };
    match short(*letter) {
        Some(byte) => (char::from(byte), 2),
        None => decode_unit(raw),
    }
}

fn decode_unit(raw: &[u8]) -> (char, usize) {
    let Some(unit) = hex(raw.get(2..6)) else { return (REPLACEMENT, 6) };
    if let Some(character) = char::from_u32(unit) {
        return (character, 6);
    }
    let low = match raw.get(6..8) {
        Some(b"\\u") => hex(raw.get(8..12)),
        _ => None,
    };
    match (unit, low) {
        (0xd800..=0xdbff, Some(low @ 0xdc00..=0xdfff)) => {
            let code = 0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
            (char::from_u32(code).unwrap_or(REPLACEMENT), 12)
        }
        _ => (REPLACEMENT, 6),
    }
}

fn hex(digits: Option<&[u8]>) -> Option<u32> {
    digits?.iter().try_fold(0, |code, digit| Some(code << 4 | char::from(*digit).to_digit(16)?))
}

/// How a byte is written inside a string: up to six bytes from the lowest on, and their number in the highest. One word,
/// because it is read and stored as one.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Escape(u64);

impl Escape {
    const fn new(bytes: [u8; 6], length: u8) -> Self {
        let [a, b, c, d, e, f] = bytes;
        Self(u64::from_le_bytes([a, b, c, d, e, f, 0, length]))
    }

    /// The bytes, followed by others that mean nothing.
    #[inline(always)]
    pub fn bytes(self) -> [u8; 8] {
        self.0.to_le_bytes()
    }

    #[inline(always)]
    pub fn length(self) -> usize {
        (self.0 >> 56) as usize
    }
}

/// The escape of each byte; those that need none stand for themselves.
#[expect(clippy::indexing_slicing, reason = "the compiler fills the table, and would stop at a wrong index")]
static ESCAPES: [Escape; 256] = {
    let mut table = [Escape(0); 256];
    let mut byte = 0;
    while byte < table.len() {
        table[byte] = escape(byte as u8);
        byte += 1;
    }
    table
};

const fn escape(byte: u8) -> Escape {
    let letter = match byte {
        b'"' | b'\\' => byte,
        0x08 => b'b',
        0x0c => b'f',
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0..0x20 => {
            let low = byte & 15;
            let digit = if low < 10 { b'0' + low } else { b'a' + low - 10 };
            return Escape::new([b'\\', b'u', b'0', b'0', b'0' + (byte >> 4), digit], 6);
        }
        _ => return Escape::new([byte, 0, 0, 0, 0, 0], 1),
    };
    Escape::new([b'\\', letter, 0, 0, 0, 0], 2)
}

/// How `byte` is written inside a string.
#[inline(always)]
pub(super) fn of(byte: u8) -> Escape {
    ESCAPES.get(usize::from(byte)).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_escape_stands_for_its_character() {
        for (raw, character, length) in [
            (r#"\""#, '"', 2),
            (r"\\", '\\', 2),
            (r"\/", '/', 2),
            (r"\b", '\u{8}', 2),
            (r"\f", '\u{c}', 2),
            (r"\n", '\n', 2),
            (r"\r", '\r', 2),
            (r"\t", '\t', 2),
            (r"\u0000", '\0', 6),
            (r"\u00e9x", 'é', 6),
            (r"\u20AC", '€', 6),
            (r"\ud83d\ude00", '😀', 12),
            (r"\uD83D\uDE00", '😀', 12),
            (r"\udbff\udfff", '\u{10ffff}', 12),
        ] {
            assert_eq!(decode(raw.as_bytes()), (character, length), "{raw}");
        }
    }

    #[test]
    fn half_a_pair_is_a_replacement_character_and_takes_nothing_from_its_neighbour() {
        for raw in [r"\ud83d", r"\ude00", r"\ud83dx", r"\ud83d\n", r"\ud83d\u0041", r"\ud83d\ud83d", r"\ude00\ud83d"] {
            assert_eq!(decode(raw.as_bytes()), ('\u{fffd}', 6), "{raw}");
        }
    }

    #[test]
    fn what_is_escaped_decodes_to_itself() {
        for byte in 0..0x80_u8 {
            let escape = of(byte);
            let raw = &escape.bytes()[..escape.length()];
            if raw.len() > 1 {
                assert_eq!(decode(raw), (char::from(byte), raw.len()));
            } else {
                assert_eq!(raw, [byte]);
                assert!(byte >= 0x20 && byte != b'"' && byte != b'\\');
            }
        }
    }
}
