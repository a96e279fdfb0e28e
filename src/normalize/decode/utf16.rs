//! UTF-16 in either order of bytes, recognized by its mark or by the zero byte beside a first brace or bracket.

use super::super::{Kind, Rejection};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    LittleEndFirst,
    BigEndFirst,
}

impl Order {
    pub fn of(text: &[u8]) -> Option<Self> {
        match text {
            [0xff, 0xfe, ..] | [b'{' | b'[', 0, ..] => Some(Self::LittleEndFirst),
            [0xfe, 0xff, ..] | [0, b'{' | b'[', ..] => Some(Self::BigEndFirst),
            _ => None,
        }
    }

    /// Decodes to UTF-8, a mark included; half a surrogate pair becomes U+FFFD.
    pub fn decode(self, text: &[u8], out: &mut Vec<u8>) -> Result<(), Rejection> {
        let (units, odd) = text.as_chunks::<2>();
        if !odd.is_empty() {
            let message = format!("UTF-16 of {} bytes, an odd number: a byte is missing or too many", text.len());
            return Err(Rejection::new(Kind::InvalidEncoding, message));
        }
        // Nearly all of it is ASCII; three bytes a unit are the most.
        out.clear();
        out.reserve_exact(units.len() + units.len() / 8);
        let unit = |bytes: &[u8; 2]| match self {
            Self::LittleEndFirst => u16::from_le_bytes(*bytes),
            Self::BigEndFirst => u16::from_be_bytes(*bytes),
        };
        for character in char::decode_utf16(units.iter().map(unit)) {
            let character = character.unwrap_or(char::REPLACEMENT_CHARACTER);
            match u8::try_from(character) {
                Ok(byte) if byte.is_ascii() => out.push(byte),
                _ => out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        Ok(())
    }
}
