//! UTF-16 in either order of bytes, recognized by its mark or by the zero byte beside a first brace or bracket.

use super::super::{Kind, Rejection};

/// Which byte of a unit comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByteOrder {
    LittleEndFirst,
    BigEndFirst,
}

impl ByteOrder {
    /// The order that a mark at the beginning tells.
    pub fn of_mark(text: &[u8]) -> Option<Self> {
        match text {
            [0xff, 0xfe, ..] => Some(Self::LittleEndFirst),
            [0xfe, 0xff, ..] => Some(Self::BigEndFirst),
            _ => None,
        }
    }

    pub(super) fn of(text: &[u8]) -> Option<Self> {
        Self::of_mark(text).or(match text {
            [b'{' | b'[', 0, ..] => Some(Self::LittleEndFirst),
            [0, b'{' | b'[', ..] => Some(Self::BigEndFirst),
            _ => None,
        })
    }

    /// The unit that two bytes are.
    pub fn unit(self, bytes: [u8; 2]) -> u16 {
        match self {
            Self::LittleEndFirst => u16::from_le_bytes(bytes),
            Self::BigEndFirst => u16::from_be_bytes(bytes),
        }
    }

    /// Appends what units stand for in UTF-8, a mark included; half a surrogate pair becomes U+FFFD.
    pub fn decode_into(self, units: &[[u8; 2]], out: &mut Vec<u8>) {
        for character in char::decode_utf16(units.iter().map(|bytes| self.unit(*bytes))) {
            let character = character.unwrap_or(char::REPLACEMENT_CHARACTER);
            match u8::try_from(character) {
                Ok(byte) if byte.is_ascii() => out.push(byte),
                _ => out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
    }

    /// Decodes all of a value.
    pub(super) fn decode(self, text: &[u8], out: &mut Vec<u8>) -> Result<(), Rejection> {
        let (units, odd) = text.as_chunks::<2>();
        if !odd.is_empty() {
            let message = format!("UTF-16 of {} bytes, an odd number: a byte is missing or too many", text.len());
            return Err(Rejection::new(Kind::InvalidEncoding, message));
        }
        // Nearly all of it is ASCII; three bytes a unit are the most.
        out.clear();
        out.reserve_exact(units.len() + units.len() / 8);
        self.decode_into(units, out);
        Ok(())
    }
}
