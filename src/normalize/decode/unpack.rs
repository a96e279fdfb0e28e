//! gzip, zlib and Zstandard, unpacked into memory that never grows past the limit for values: a bomb is known as soon as it has
//! given one byte more, whatever it claims and whatever comes behind.

use std::io::Cursor;
use std::mem;

use flate2::{Decompress, FlushDecompress, Status};
use zstd::zstd_safe::{DCtx, InBuffer, OutBuffer, ResetDirective, find_frame_compressed_size, get_error_name};

use super::super::{Kind, Rejection};
use super::Encoding;

/// How a value or a file is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    Gzip,
    Zlib,
    Zstandard,
}

const GZIP: [u8; 3] = [0x1f, 0x8b, 8];
const ZSTANDARD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// The largest window that a frame may ask for: 128 MiB, which is what other decoders allow unless they are told.
const MAX_WINDOW_BYTES: u64 = 128 << 20;

/// Packed values up to this size get room step by step, larger ones room for all that is allowed at once: it is not touched before
/// it is filled, and so the old and the new room of a step never lie side by side at full size.
const SMALL_BYTES: usize = 64 << 10;

impl Packing {
    /// By its first bytes, four of which are enough.
    pub fn of(value: &[u8]) -> Option<Self> {
        if value.starts_with(&GZIP) {
            Some(Self::Gzip)
        } else if matches!(value, [0x78, 0x01 | 0x5e | 0x9c | 0xda, ..]) {
            Some(Self::Zlib)
        } else if value.starts_with(&ZSTANDARD) {
            Some(Self::Zstandard)
        } else {
            None
        }
    }

    pub(super) fn encoding(self) -> Encoding {
        match self {
            Self::Gzip => Encoding::Gzip,
            Self::Zlib => Encoding::Zlib,
            Self::Zstandard => Encoding::Zstandard,
        }
    }

    /// Unpacks all of a value.
    pub(super) fn unpack(self, value: &[u8], max_bytes: usize, out: &mut Vec<u8>) -> Result<(), Rejection> {
        out.clear();
        let mut unpacked = Unpacked { out, max_bytes, most_bytes: 0, packing: self };
        match self {
            Self::Gzip | Self::Zlib => unpacked.inflate(value),
            Self::Zstandard => unpacked.frames(value),
        }
    }

    /// The beginning of a stream of Deflate, in gzip's frame or in zlib's.
    pub fn stream(self) -> Decompress {
        if self == Self::Gzip { Decompress::new_gzip(WINDOW_BITS) } else { Decompress::new(true) }
    }
}

/// Deflate gives at most so many bytes for one.
const MOST_TIMES: usize = 1032;

/// Room for a stream that has next to nothing in it, or nothing left but its end, in bytes.
const LEAST_ROOM: usize = 64;

/// The largest window of Deflate, as a power of two: 32 KiB.
const WINDOW_BITS: u8 = 15;

const NO_MEMORY: &str = "there is no memory for it";

/// Why a frame could not be unpacked.
enum Problem {
    TooFar,
    Damaged(&'static str),
}

/// Frames that decoders pass over (RFC 8878, section 3.1.2).
fn is_skippable(frame: &[u8]) -> bool {
    matches!(frame, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..])
}

/// The window that a frame asks for (RFC 8878, section 3.1.1.1); `None` when its header is cut short or it has none.
fn window_bytes(frame: &[u8]) -> Option<u64> {
    let (descriptor, rest) = frame.strip_prefix(&ZSTANDARD)?.split_first()?;
    let single_segment = descriptor >> 5 & 1 == 1;
    if !single_segment {
        let window = rest.first()?;
        let base = 1_u64 << (10 + (window >> 3));
        return Some(base + base / 8 * u64::from(window & 7));
    }
    // The window is all of the content, whose size stands behind the id of a dictionary.
    let dictionary_bytes = [0, 1, 2, 4].get(usize::from(descriptor & 3))?;
    let (size_bytes, at_least) = match descriptor >> 6 {
        0 => (1, 0),
        1 => (2, 256),
        2 => (4, 0),
        _ => (8, 0),
    };
    let size = rest.get(*dictionary_bytes..)?.get(..size_bytes)?;
    let size = size.iter().rev().fold(0_u64, |size, byte| size << 8 | u64::from(*byte));
    Some(size.saturating_add(at_least))
}

/// What a frame unpacks to, in bytes, when that is no more than `max_bytes`.
fn content_bytes(context: &mut DCtx<'_>, frame: &[u8], max_bytes: usize) -> Result<usize, Problem> {
    let failed = |code| Problem::Damaged(get_error_name(code));
    context.reset(ResetDirective::SessionOnly).map_err(failed)?;
    let mut room = [0; 16 << 10];
    // With all of it at once, a small frame would be unpacked without a look at the sizes of its blocks.
    let (ahead, _) = frame.split_at_checked(frame.len().saturating_sub(1)).unwrap_or_default();
    let (mut eaten, mut content_bytes) = (0, 0);
    loop {
        let mut input = InBuffer::around(if eaten < ahead.len() { ahead } else { frame });
        input.set_pos(eaten);
        let mut output = OutBuffer::around(&mut room[..]);
        let left = context.decompress_stream(&mut output, &mut input).map_err(failed)?;
        let (progress, written) = (input.pos() > eaten, output.pos());
        eaten = input.pos();
        content_bytes += written;
        if content_bytes > max_bytes {
            return Err(Problem::TooFar);
        }
        if left == 0 {
            return Ok(content_bytes);
        }
        if !progress && written == 0 && eaten == frame.len() {
            return Err(Problem::Damaged("it is cut short"));
        }
    }
}

struct Unpacked<'a> {
    out: &'a mut Vec<u8>,
    max_bytes: usize,
    /// What is made room for at most.
    most_bytes: usize,
    packing: Packing,
}

impl Unpacked<'_> {
    fn make_room(&mut self, packed_bytes: usize) {
        // One byte more than is allowed is enough to know.
        self.most_bytes = self.max_bytes.saturating_add(1).min(packed_bytes.saturating_mul(MOST_TIMES).max(LEAST_ROOM));
        let first = if packed_bytes > SMALL_BYTES { self.most_bytes } else { self.most_bytes.min(8 * SMALL_BYTES) };
        self.out.reserve_exact(first);
    }

    /// More room after all of it was used up, and no more was unpacked than is allowed.
    fn more_room(&mut self) {
        self.out.reserve_exact(self.most_bytes.saturating_sub(self.out.len()).max(LEAST_ROOM));
    }

    /// All members of gzip, or the one stream of zlib.
    fn inflate(&mut self, value: &[u8]) -> Result<(), Rejection> {
        self.make_room(value.len());
        let mut rest = value;
        let mut stream = self.packing.stream();
        loop {
            let (before, out_before) = (stream.total_in(), self.out.len());
            let step = stream.decompress_vec(rest, self.out, FlushDecompress::None);
            if self.out.len() > self.max_bytes {
                return Err(self.too_far());
            }
            let eaten = usize::try_from(stream.total_in() - before).unwrap_or(usize::MAX);
            rest = rest.get(eaten..).unwrap_or_default();
            let written = self.out.len() - out_before;
            let filled = self.out.len() == self.out.capacity();
            match step {
                Ok(Status::StreamEnd) if rest.is_empty() => return Ok(()),
                Ok(Status::StreamEnd) if self.packing == Packing::Gzip && rest.starts_with(&GZIP) => {
                    stream = self.packing.stream();
                }
                Ok(Status::StreamEnd) => return Err(self.damaged("there are other bytes behind it", value, rest)),
                Ok(Status::Ok | Status::BufError) if filled => self.more_room(),
                Ok(Status::Ok | Status::BufError) if eaten > 0 || written > 0 => {}
                Ok(Status::Ok | Status::BufError) => return Err(self.damaged("it is cut short", value, rest)),
                Err(_) => return Err(self.damaged("it is damaged", value, rest)),
            }
        }
    }

    /// All frames of Zstandard.
    fn frames(&mut self, value: &[u8]) -> Result<(), Rejection> {
        let mut rest = value;
        let mut context = DCtx::try_create().ok_or_else(|| self.damaged(NO_MEMORY, value, rest))?;
        while !rest.is_empty() {
            if !rest.starts_with(&ZSTANDARD) && !is_skippable(rest) {
                return Err(self.damaged("there are other bytes behind it", value, rest));
            }
            if window_bytes(rest).is_some_and(|bytes| bytes > MAX_WINDOW_BYTES) {
                return Err(self.damaged("it asks for a window of more than 128 MiB", value, rest));
            }
            if is_skippable(rest) && find_frame_compressed_size(rest).is_err() {
                return Err(self.damaged("it is cut short", value, rest));
            }
            // A frame whose end cannot be found is one that fails, at a place that only unpacking tells.
            let frame_bytes = find_frame_compressed_size(rest).unwrap_or(rest.len());
            let (frame, behind) = rest.split_at_checked(frame_bytes).unwrap_or((rest, &[]));
            if is_skippable(frame) {
                rest = behind;
                continue;
            }
            self.frame(&mut context, frame).map_err(|problem| match problem {
                Problem::TooFar => self.too_far(),
                Problem::Damaged(name) => self.damaged(name, value, rest),
            })?;
            rest = behind;
        }
        Ok(())
    }

    /// Reads a frame through once, to know whether it is whole and how large it is, and only then unpacks it: so neither its
    /// window nor a wrong claim ever costs more than what is allowed, and a block is never taken for less damaged than it is.
    fn frame(&mut self, context: &mut DCtx<'_>, frame: &[u8]) -> Result<(), Problem> {
        let before = self.out.len();
        let content_bytes = content_bytes(context, frame, self.max_bytes - before)?;
        if content_bytes > SMALL_BYTES {
            // Gives back the window first.
            *context = DCtx::try_create().ok_or(Problem::Damaged(NO_MEMORY))?;
        }
        self.out.reserve(content_bytes);
        let mut place = Cursor::new(mem::take(self.out));
        place.set_position(before as u64);
        let result = context.decompress(&mut place, frame);
        *self.out = place.into_inner();
        match result {
            Ok(_) => Ok(()),
            Err(code) => Err(Problem::Damaged(get_error_name(code))),
        }
    }

    fn too_far(&self) -> Rejection {
        let message = format!(
            "the value is {} and unpacks to more than {} bytes (input.max_payload_bytes)",
            self.packing.encoding(),
            self.max_bytes
        );
        Rejection::new(Kind::ExpandsTooFar, message)
    }

    #[cold]
    fn damaged(&self, problem: &str, value: &[u8], rest: &[u8]) -> Rejection {
        let place = (value.len() - rest.len() + 1).min(value.len());
        let encoding = self.packing.encoding();
        let message = format!("the value begins like {encoding}, but {problem}: byte {place} of {}", value.len());
        Rejection::new(Kind::InvalidEncoding, message)
    }
}
