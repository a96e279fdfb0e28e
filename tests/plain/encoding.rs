//! From the bytes of a record to the bytes of a text: unpacked, without a registry's prefix, in UTF-8. Section 2, rule 1a.
//!
//! What is unpacked is read a byte at a time, so that nothing that came before a damage is lost.

use std::borrow::Cow;
use std::io::{self, Read};

use flate2::bufread::MultiGzDecoder;
use flate2::{Decompress, FlushDecompress, Status};
use zstd::zstd_safe::find_frame_compressed_size;

const ZSTANDARD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// The largest window that a frame of Zstandard may ask for.
const MAX_WINDOW_BYTES: u64 = 128 << 20;

/// The text, or the kind of the rejection.
pub fn decode(value: &[u8], max_bytes: usize) -> Result<Cow<'_, [u8]>, &'static str> {
    let value = unpack(value, max_bytes)?;
    let value = match value {
        Cow::Borrowed(value) => Cow::Borrowed(without_schema_id(value)?),
        Cow::Owned(value) => Cow::Owned(without_schema_id(&value)?.to_vec()),
    };
    Ok(match from_utf16(&value)? {
        Some(text) => Cow::Owned(text.into_bytes()),
        None => value,
    })
}

fn unpack(value: &[u8], max_bytes: usize) -> Result<Cow<'_, [u8]>, &'static str> {
    let mut unpacked = Unpacked { bytes: Vec::new(), max_bytes };
    let whole = match value {
        [0x1f, 0x8b, 0x08, ..] => unpacked.read(MultiGzDecoder::new(value))?,
        [0x78, 0x01 | 0x5e | 0x9c | 0xda, ..] => unpacked.read_zlib(value)?,
        _ if value.starts_with(ZSTANDARD) => unpacked.read_zstandard(value)?,
        _ => return Ok(Cow::Borrowed(value)),
    };
    if whole { Ok(Cow::Owned(unpacked.bytes)) } else { Err("invalid_encoding") }
}

struct Unpacked {
    bytes: Vec<u8>,
    max_bytes: usize,
}

/// Whether the stream was whole; an error as soon as it is too much.
type IsWhole = Result<bool, &'static str>;

impl Unpacked {
    fn push(&mut self, byte: u8) -> Result<(), &'static str> {
        self.bytes.push(byte);
        if self.bytes.len() > self.max_bytes { Err("expands_too_far") } else { Ok(()) }
    }

    fn read(&mut self, mut stream: impl Read) -> IsWhole {
        let mut byte = [0];
        loop {
            match stream.read(&mut byte) {
                Ok(0) => return Ok(true),
                Ok(_) => self.push(byte[0])?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Ok(false),
            }
        }
    }

    /// Not with `read`: the end of the input would be taken for the end of the stream.
    fn read_zlib(&mut self, value: &[u8]) -> IsWhole {
        let mut stream = Decompress::new(true);
        let mut byte = [0];
        loop {
            let (consumed, produced) = (stream.total_in(), stream.total_out());
            let status = stream.decompress(&value[consumed as usize..], &mut byte, FlushDecompress::None);
            if stream.total_out() > produced {
                self.push(byte[0])?;
            }
            match status {
                Ok(Status::StreamEnd) => return Ok(stream.total_in() == value.len() as u64),
                Ok(Status::Ok | Status::BufError)
                    if (stream.total_in(), stream.total_out()) != (consumed, produced) => {}
                Ok(Status::Ok | Status::BufError) | Err(_) => return Ok(false),
            }
        }
    }

    /// Frame by frame, since each has a window of its own.
    fn read_zstandard(&mut self, mut value: &[u8]) -> IsWhole {
        while !value.is_empty() {
            let is_skippable = matches!(value, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..]);
            if !is_skippable && window_bytes(value).is_none_or(|window| window > MAX_WINDOW_BYTES) {
                return Ok(false);
            }
            let length = find_frame_compressed_size(value);
            let frame = &value[..length.unwrap_or(value.len()).min(value.len())];
            if !is_skippable {
                let stream = zstd::stream::read::Decoder::with_buffer(frame).expect("a context is made");
                if !self.read(stream.single_frame())? {
                    return Ok(false);
                }
            }
            if length.is_err() {
                return Ok(false);
            }
            value = &value[frame.len()..];
        }
        Ok(true)
    }
}

/// What the header of a frame asks for: RFC 8878, section 3.1.1.1. `None` when it is no header.
fn window_bytes(frame: &[u8]) -> Option<u64> {
    let header = frame.strip_prefix(ZSTANDARD)?;
    let (&descriptor, header) = header.split_first()?;
    let is_single_segment = descriptor & 0x20 != 0;
    if !is_single_segment {
        let window = *header.first()?;
        let base = 1_u64 << (10 + (window >> 3));
        return Some(base + base / 8 * u64::from(window & 7));
    }
    // The window is as large as the content, whose size stands behind the id of a dictionary.
    let dictionary_bytes = [0, 1, 2, 4][usize::from(descriptor & 3)];
    let content_size_bytes = [1, 2, 4, 8][usize::from(descriptor >> 6)];
    let content_size = header.get(dictionary_bytes..dictionary_bytes + content_size_bytes)?;
    let size = content_size.iter().rev().fold(0, |size, byte| size << 8 | u64::from(*byte));
    Some(if content_size_bytes == 2 { size + 256 } else { size })
}

/// A zero byte, four bytes, and then JSON or an error.
fn without_schema_id(value: &[u8]) -> Result<&[u8], &'static str> {
    match value {
        [0, b'{' | b'[', ..] => Ok(value),
        [0, _, _, _, _, rest @ ..] if !rest.is_empty() => {
            let first = rest.iter().find(|byte| !b" \t\n\r".contains(byte));
            if matches!(first, Some(b'{' | b'[' | b'"')) { Ok(rest) } else { Err("invalid_encoding") }
        }
        _ => Ok(value),
    }
}

/// `None` when the value is not in UTF-16.
fn from_utf16(value: &[u8]) -> Result<Option<String>, &'static str> {
    let unit: fn([u8; 2]) -> u16 = match value {
        [0xff, 0xfe, ..] | [b'{' | b'[', 0, ..] => u16::from_le_bytes,
        [0xfe, 0xff, ..] | [0, b'{' | b'[', ..] => u16::from_be_bytes,
        _ => return Ok(None),
    };
    let (pairs, []) = value.as_chunks() else { return Err("invalid_encoding") };
    let units = pairs.iter().map(|pair| unit(*pair));
    Ok(Some(char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()))
}
