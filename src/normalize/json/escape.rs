//! The two directions of a JSON escape: what `\…` stands for, and how a byte that needs one is written.

/// U+FFFD, which stands in for half of a surrogate pair.
const REPLACEMENT: char = char::REPLACEMENT_CHARACTER;

/// The character that the escape at the start of `raw` stands for, and the length of the escape. `raw` was checked
/// before; a text that was not gives U+FFFD.
pub(super) fn decode(raw: &[u8]) -> (char, usize) {
    let Some(letter) = raw.get(1) else { return (REPLACEMENT, 1) };
    let plain = match letter {
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return decode_unit(raw),
        other => char::from(*other),
    };
    (plain, 2)
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

/// How a byte is written inside a string: up to six bytes, then their number in the last place.
pub(super) type Escape = [u8; 8];

/// The escape of each byte up to the backslash; those that need none stand for themselves.
#[expect(clippy::indexing_slicing, reason = "the compiler fills the table, and would stop at a wrong index")]
static ESCAPES: [Escape; 0x5d] = {
    let mut table = [[0; 8]; 0x5d];
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
            return [b'\\', b'u', b'0', b'0', b'0' + (byte >> 4), digit, 0, 6];
        }
        _ => return [byte, 0, 0, 0, 0, 0, 0, 1],
    };
    [b'\\', letter, 0, 0, 0, 0, 0, 2]
}

/// How `byte` is written inside a string.
#[inline(always)]
pub(super) fn of(byte: u8) -> Escape {
    ESCAPES.get(usize::from(byte)).copied().unwrap_or([byte, 0, 0, 0, 0, 0, 0, 1])
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
            let raw = &escape[..usize::from(escape[7])];
            if raw.len() > 1 {
                assert_eq!(decode(raw), (char::from(byte), raw.len()));
            } else {
                assert_eq!(raw, [byte]);
                assert!(byte >= 0x20 && byte != b'"' && byte != b'\\');
            }
        }
    }
}
