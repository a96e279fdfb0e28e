//! A file as a sequence of record values, in memory that does not grow with the file: the buffer is never larger than
//! the largest value that would be looked at.

use std::io::{self, Read};

/// How a file becomes records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// Each line is one; the LF is no part of it, and a final one begins no further record.
    Lines,
    /// The file is one.
    Whole,
}

/// One record, as far as it was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    Kept(&'a [u8]),
    /// Longer than the limit; it was read past and only counted.
    TooLong {
        bytes: u64,
    },
}

/// Bytes asked for at once.
const CHUNK_BYTES: usize = 256 * 1024;

/// Reads records of at most `limit_bytes`.
#[derive(Debug)]
pub struct Records<R> {
    reader: R,
    split: Split,
    limit_bytes: usize,
    buffer: Vec<u8>,
    /// The current record begins here.
    start: usize,
    /// Up to here no end of it was found.
    searched: usize,
    /// Up to here the buffer is filled.
    filled: usize,
    /// Bytes of a record over the limit that were dropped so far.
    dropped_bytes: u64,
    ended: bool,
}

impl<R: Read> Records<R> {
    pub fn new(reader: R, split: Split, limit_bytes: usize) -> Self {
        let buffer = vec![0; CHUNK_BYTES];
        Self { reader, split, limit_bytes, buffer, start: 0, searched: 0, filled: 0, dropped_bytes: 0, ended: false }
    }

    /// How the file becomes records.
    pub fn split(&self) -> Split {
        self.split
    }

    /// The next record that can be had without reading.
    pub fn next(&mut self) -> Option<Value<'_>> {
        let unsearched = &self.buffer[self.searched..self.filled];
        let end = match self.split {
            Split::Lines => memchr::memchr(b'\n', unsearched).map(|at| self.searched + at),
            Split::Whole => None,
        };
        let (end, next_start) = match end {
            Some(end) => (end, end + 1),
            None if self.ended && self.has_rest() => {
                // The one record of a whole file is given once.
                self.split = Split::Lines;
                (self.filled, self.filled)
            }
            None => {
                self.searched = self.filled;
                return None;
            }
        };
        let kept = self.start..end;
        let bytes = self.dropped_bytes + kept.len() as u64;
        (self.start, self.searched, self.dropped_bytes) = (next_start, next_start, 0);
        if bytes > self.limit_bytes as u64 {
            return Some(Value::TooLong { bytes });
        }
        Some(Value::Kept(&self.buffer[kept]))
    }

    /// Reads more. At the end of the file `next` gives what was left.
    pub fn fill(&mut self) -> io::Result<()> {
        self.make_room();
        let read = loop {
            match self.reader.read(&mut self.buffer[self.filled..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other?,
            }
        };
        self.filled += read;
        self.ended = read == 0;
        Ok(())
    }

    /// The end of the file was met: once `next` gives nothing more, there is nothing more.
    pub fn ended(&self) -> bool {
        self.ended
    }

    /// True when the end of the file ends a record, too.
    fn has_rest(&self) -> bool {
        self.split == Split::Whole || self.filled > self.start || self.dropped_bytes > 0
    }

    /// Makes room for reading: by moving what is kept to the front, by growing, or by dropping what is over the limit.
    fn make_room(&mut self) {
        let kept = self.filled - self.start;
        if self.dropped_bytes > 0 || kept > self.limit_bytes {
            self.dropped_bytes += kept as u64;
            (self.start, self.searched, self.filled) = (0, 0, 0);
            return;
        }
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.filled, 0);
            self.searched -= self.start;
            (self.start, self.filled) = (0, kept);
        }
        if self.buffer.len() - kept < CHUNK_BYTES / 2 {
            // One byte over the limit is enough to know that a record is too long.
            let enough = self.limit_bytes.saturating_add(1).max(CHUNK_BYTES);
            self.buffer.resize((self.buffer.len() * 2).min(enough.max(kept + 1)), 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives a few bytes at a time.
    struct Trickle<'a>(&'a [u8], usize);

    impl Read for Trickle<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = self.1.min(self.0.len()).min(buffer.len());
            buffer[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    fn all<R: Read>(mut records: Records<R>) -> Vec<String> {
        let mut found = Vec::new();
        loop {
            while let Some(value) = records.next() {
                found.push(match value {
                    Value::Kept(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
                    Value::TooLong { bytes } => format!("{bytes} bytes"),
                });
            }
            assert!(records.buffer.len() <= CHUNK_BYTES.max(records.limit_bytes + 1));
            if records.ended {
                return found;
            }
            records.fill().unwrap();
        }
    }

    #[test]
    fn lines_end_with_a_line_feed_or_the_file() {
        for (text, expected) in [
            ("", &[][..]),
            ("\n", &[""]),
            ("a", &["a"]),
            ("a\n", &["a"]),
            ("a\r\n\r\nb", &["a\r", "\r", "b"]),
            ("\n\na\n", &["", "", "a"]),
            ("12345\n123456\n1\n1234567", &["12345", "6 bytes", "1", "7 bytes"]),
            ("123456\n", &["6 bytes"]),
        ] {
            for step in [1, 2, 3, 100] {
                assert_eq!(all(Records::new(Trickle(text.as_bytes(), step), Split::Lines, 5)), expected, "{text:?}");
            }
        }
    }

    #[test]
    fn a_whole_file_is_one_record_even_when_empty() {
        for (text, expected) in [("", ""), ("a\n\nb\n", "a\n\nb\n"), ("123456", "6 bytes"), ("12345", "12345")] {
            for step in [1, 4, 100] {
                assert_eq!(all(Records::new(Trickle(text.as_bytes(), step), Split::Whole, 5)), [expected], "{text:?}");
            }
        }
    }

    #[test]
    fn long_lines_are_kept_up_to_the_limit_and_read_past_beyond_it() {
        let limit_bytes = 3 * CHUNK_BYTES;
        for over in [0, 1, 10 * CHUNK_BYTES] {
            let long = "x".repeat(limit_bytes + over);
            let text = format!("a\n{long}\nb\n{long}");
            let expected = if over == 0 { long.clone() } else { format!("{} bytes", long.len()) };
            for step in [1000, CHUNK_BYTES - 1, usize::MAX] {
                let found = all(Records::new(Trickle(text.as_bytes(), step), Split::Lines, limit_bytes));
                assert!(found == ["a", &expected, "b", &expected], "{over} over, {step} at a time");
            }
        }
    }
}
