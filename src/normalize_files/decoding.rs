//! A file as the text in it: gzip, zlib and Zstandard are unpacked and UTF-16 with a mark is decoded while it is read, so memory
//! does not grow with what comes out.

use std::io::{self, BufRead as _, BufReader, Chain, Cursor, ErrorKind, Read};

use flate2::{Decompress, FlushDecompress, Status};

use crate::normalize::{ByteOrder, Packing};

/// Bytes read at once.
const CHUNK_BYTES: usize = 64 * 1024;

/// The text of a file. Waits for its first bytes.
pub fn text<'a>(file: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
    let file = peeked(file)?;
    let unpacked: Box<dyn Read + 'a> = match Packing::of(first_bytes(&file)) {
        Some(packing @ (Packing::Gzip | Packing::Zlib)) => Box::new(Inflated::new(file, packing)),
        Some(Packing::Zstandard) => Box::new(zstd::Decoder::new(file)?),
        None => Box::new(file),
    };
    let text = peeked(unpacked)?;
    Ok(match ByteOrder::of_mark(first_bytes(&text)) {
        Some(order) => Box::new(Utf16::new(text, order)),
        None => Box::new(text),
    })
}

/// A stream from its beginning, of which the first bytes are read.
type Peeked<R> = Chain<Cursor<Vec<u8>>, R>;

fn first_bytes<R>(stream: &Peeked<R>) -> &[u8] {
    stream.get_ref().0.get_ref()
}

/// Reads as many bytes as it takes to know what a stream is.
fn peeked<R: Read>(mut stream: R) -> io::Result<Peeked<R>> {
    let mut first = vec![0; CHUNK_BYTES];
    let mut filled = 0;
    while filled < 4 && first[..filled].first().is_none_or(|byte| matches!(byte, 0x1f | 0x28 | 0x78 | 0xfe | 0xff)) {
        match stream.read(&mut first[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    first.truncate(filled);
    Ok(Cursor::new(first).chain(stream))
}

/// All members of gzip, or the one stream of zlib.
struct Inflated<R> {
    packed: BufReader<R>,
    packing: Packing,
    stream: Decompress,
    /// The stream has ended; what comes behind is another one or damage.
    ended: bool,
}

impl<R: Read> Inflated<R> {
    fn new(packed: R, packing: Packing) -> Self {
        Self { packed: BufReader::with_capacity(CHUNK_BYTES, packed), packing, stream: packing.stream(), ended: false }
    }
}

impl<R: Read> Read for Inflated<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while !out.is_empty() {
            let input = self.packed.fill_buf()?;
            let cut = input.is_empty();
            if self.ended {
                match self.packing {
                    _ if cut => break,
                    Packing::Gzip => (self.stream, self.ended) = (self.packing.stream(), false),
                    Packing::Zlib | Packing::Zstandard => {
                        return Err(damaged("there are other bytes behind the stream"));
                    }
                }
            }
            let before = (self.stream.total_in(), self.stream.total_out());
            let status = self.stream.decompress(input, out, FlushDecompress::None);
            let status = status.map_err(|_| damaged("its stream is damaged, or other bytes stand behind it"))?;
            let eaten = (self.stream.total_in() - before.0) as usize;
            let written = (self.stream.total_out() - before.1) as usize;
            self.packed.consume(eaten);
            self.ended = status == Status::StreamEnd;
            if written > 0 {
                return Ok(written);
            }
            if cut && !self.ended {
                return Err(io::Error::new(ErrorKind::UnexpectedEof, "its stream is cut short"));
            }
        }
        Ok(0)
    }
}

fn damaged(problem: &'static str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, problem)
}

/// UTF-16 as UTF-8, its mark included.
struct Utf16<R> {
    encoded: R,
    order: ByteOrder,
    /// Bytes that are not decoded yet: the last ones of a chunk, when their character goes on.
    waiting: Vec<u8>,
    /// Decoded, and given up to `given`.
    text: Vec<u8>,
    given: usize,
    ended: bool,
}

impl<R: Read> Utf16<R> {
    fn new(encoded: R, order: ByteOrder) -> Self {
        Self { encoded, order, waiting: Vec::new(), text: Vec::new(), given: 0, ended: false }
    }

    fn refill(&mut self) -> io::Result<()> {
        let kept = self.waiting.len();
        self.waiting.resize(kept + CHUNK_BYTES, 0);
        let read = self.encoded.read(&mut self.waiting[kept..]);
        self.waiting.truncate(kept + *read.as_ref().unwrap_or(&0));
        self.ended = read? == 0;
        let (units, odd) = self.waiting.as_chunks::<2>();
        if self.ended && !odd.is_empty() {
            return Err(damaged("its UTF-16 has an odd number of bytes"));
        }
        let goes_on = |last: &[u8; 2]| (0xd800..0xdc00).contains(&self.order.unit(*last));
        let whole = units.len() - usize::from(!self.ended && units.last().is_some_and(goes_on));
        (self.given, self.text) = (0, Vec::new());
        self.order.decode_into(&units[..whole], &mut self.text);
        self.waiting.drain(..2 * whole);
        Ok(())
    }
}

impl<R: Read> Read for Utf16<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.given == self.text.len() && !self.ended {
            self.refill()?;
        }
        let read = (&self.text[self.given..]).read(out)?;
        self.given += read;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::normalize::packers::{gzip, zlib, zstandard};

    /// Gives a few bytes at a time.
    struct Trickle<'a>(&'a [u8], usize);

    impl Read for Trickle<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let step = self.1.min(buffer.len());
            self.0.read(&mut buffer[..step])
        }
    }

    fn all(bytes: &[u8], step: usize) -> io::Result<String> {
        let mut found = String::new();
        text(Trickle(bytes, step))?.read_to_string(&mut found)?;
        Ok(found)
    }

    fn utf16(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    #[test]
    fn a_file_is_read_as_the_text_in_it_whatever_was_done_to_it() {
        let text = "\u{feff}grüße 😀 \u{10348}".repeat(20_000);
        let big_end_first: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        let (first, second) = text.split_at(text.floor_char_boundary(100_001));
        for packed in [
            text.as_bytes().to_vec(),
            utf16(&text),
            big_end_first,
            gzip(text.as_bytes()),
            [gzip(first.as_bytes()), gzip(second.as_bytes())].concat(),
            zlib(text.as_bytes()),
            zstandard(text.as_bytes()),
            [zstandard(first.as_bytes()), zstandard(second.as_bytes())].concat(),
            gzip(&utf16(&text)),
            zstandard(&utf16(&text)),
        ] {
            for step in [1, 3, 65_537] {
                assert!(all(&packed, step).unwrap() == text, "{step}: {}", packed[..9].escape_ascii());
            }
        }
        for short in ["", "\n", "x", "x^", "(", "(\n"] {
            let found = all(short.as_bytes(), 1);
            assert!(found.as_ref().is_ok_and(|found| found == short) != (short == "x^"), "{short:?}: {found:?}");
        }
    }

    #[test]
    fn half_a_character_is_replaced_and_half_a_unit_told() {
        let lone: Vec<u8> = [0xfeff, 0xd83d, 0x61, 0xde00, 0xd83d_u16].into_iter().flat_map(u16::to_le_bytes).collect();
        for step in [1, 2, 100] {
            assert_eq!(all(&lone, step).unwrap(), "\u{feff}\u{fffd}a\u{fffd}\u{fffd}");
            assert_eq!(all(&lone[..9], step).unwrap_err().to_string(), "its UTF-16 has an odd number of bytes");
        }
    }

    #[test]
    fn what_is_damaged_cut_or_followed_by_other_bytes_is_an_error() {
        for packed in [gzip(b"{}\n"), zlib(b"{}\n"), zstandard(&b"{}\n".repeat(100))] {
            for step in [1, 100] {
                let mut damaged = packed.clone();
                *damaged.last_mut().unwrap() ^= 1;
                // A checksum that nothing holds is none: frames of Zstandard need not have one.
                let checked = !packed.starts_with(b"\x28");
                assert!(all(&damaged, step).is_err() || !checked, "{}", packed.escape_ascii());
                assert!(all(&packed[..packed.len() - 1], step).is_err(), "{}", packed.escape_ascii());
                assert!(all(&[&packed[..], b"x"].concat(), step).is_err(), "{}", packed.escape_ascii());
            }
        }
    }
}
