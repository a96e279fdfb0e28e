//! From the bytes of a value to the text that the mapping looks at: unpacked, without a serializer's prefix, in UTF-8.
//!
//! Each encoding is known by first bytes that no JSON text in UTF-8 begins with, so an ordinary value costs a look at two bytes.
//! Each is looked for once; what is found is undone while memory stays below the limit for values.

mod base64;
mod unpack;
mod utf16;

use std::borrow::Cow;
use std::fmt;

pub(super) use self::base64::decode as base64;
pub use self::unpack::Packing;
pub use self::utf16::ByteOrder;
use super::{Kind, Rejection};

/// What was undone to get from a value to its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    Gzip,
    Zlib,
    Zstandard,
    /// The prefix of a schema registry's serializer.
    SchemaId(u32),
    Utf16,
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gzip => f.write_str("gzip"),
            Self::Zlib => f.write_str("zlib"),
            Self::Zstandard => f.write_str("Zstandard"),
            Self::SchemaId(id) => write!(f, "schema id {id}"),
            Self::Utf16 => f.write_str("UTF-16"),
        }
    }
}

/// A value as the mapping sees it.
#[derive(Clone, Debug)]
pub struct Decoded<'a> {
    pub text: Cow<'a, [u8]>,
    /// In the order in which it was undone; nothing for a value that stands for itself.
    pub undone: Vec<Encoding>,
}

/// The text of a value of at most `max_bytes`, for those who show it; the rejection when it cannot be had.
pub fn decoded(value: &[u8], max_bytes: usize) -> Result<Decoded<'_>, Rejection> {
    if !is_encoded(value) {
        return Ok(Decoded { text: Cow::Borrowed(value), undone: Vec::new() });
    }
    let mut room = Room::default();
    let text = text(value, max_bytes, &mut room)?.to_vec();
    Ok(Decoded { text: Cow::Owned(text), undone: room.undone })
}

/// Where a value is unpacked and decoded to.
#[derive(Debug, Default)]
pub(super) struct Room {
    unpacked: Vec<u8>,
    utf8: Vec<u8>,
    undone: Vec<Encoding>,
}

/// What is kept for the next value, in bytes: most are smaller.
const KEPT_BYTES: usize = 1 << 18;

impl Room {
    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.unpacked.capacity() + self.utf8.capacity()
    }

    /// Forgets the value, and gives back what is more than an ordinary one takes.
    pub fn clear(&mut self) {
        for buffer in [&mut self.unpacked, &mut self.utf8] {
            buffer.clear();
            if buffer.capacity() > KEPT_BYTES {
                *buffer = Vec::new();
            }
        }
        self.undone.clear();
    }
}

/// Whether a value begins like none of ours in UTF-8, so that a closer look has to tell.
#[inline]
pub(super) fn is_encoded(value: &[u8]) -> bool {
    match value {
        [0x1f | 0x28 | 0x78 | 0x00 | 0xff | 0xfe, ..] => true,
        [b'{' | b'[', second, ..] => *second == 0,
        _ => false,
    }
}

/// The text of a value.
pub(super) fn text<'a>(value: &'a [u8], max_bytes: usize, room: &'a mut Room) -> Result<&'a [u8], Rejection> {
    let Room { unpacked, utf8, undone } = room;
    let mut text = value;
    if let Some(packing) = Packing::of(text) {
        packing.unpack(text, max_bytes, unpacked)?;
        undone.push(packing.encoding());
        text = unpacked;
    }
    if let Some((id, rest)) = schema_id(text)? {
        undone.push(Encoding::SchemaId(id));
        text = rest;
    }
    if let Some(order) = ByteOrder::of(text) {
        order.decode(text, utf8)?;
        undone.push(Encoding::Utf16);
        text = utf8;
    }
    Ok(text)
}

/// The id in a serializer's prefix and the JSON text behind it.
fn schema_id(text: &[u8]) -> Result<Option<(u32, &[u8])>, Rejection> {
    let [0, a, b, c, d, rest @ ..] = text else { return Ok(None) };
    if rest.is_empty() || matches!(a, b'{' | b'[') {
        return Ok(None);
    }
    let id = u32::from_be_bytes([*a, *b, *c, *d]);
    let first = rest.iter().find(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
    if matches!(first, Some(b'{' | b'[' | b'"')) {
        return Ok(Some((id, rest)));
    }
    let message = format!("what follows the schema id {id} is no JSON (Avro, Protobuf?); let the producer write JSON");
    Err(Rejection::new(Kind::InvalidEncoding, message))
}

#[cfg(test)]
mod tests;
