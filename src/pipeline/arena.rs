//! Many records copied into one stretch of memory, so that none of them costs an allocation. Pure.

use std::mem::size_of;
use std::ops::Range;

use crate::record::Header;

/// A header, as ranges of the bytes.
type Place = (Range<usize>, Option<Range<usize>>);

/// What a header takes beside its bytes.
pub const BESIDE_HEADER: usize = size_of::<Place>();

#[derive(Debug, Default)]
pub struct Arena {
    bytes: Vec<u8>,
    headers: Vec<Place>,
}

impl Arena {
    pub fn copy(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        start..self.bytes.len()
    }

    pub fn copy_header(&mut self, header: Header<'_>) {
        let name = self.copy(header.name);
        let value = header.value.map(|value| self.copy(value));
        self.headers.push((name, value));
    }

    /// How many headers were copied in.
    pub fn headers_len(&self) -> usize {
        self.headers.len()
    }

    /// Bytes copied in.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    pub fn bytes(&self, range: Option<&Range<usize>>) -> Option<&[u8]> {
        range.map(|range| &self.bytes[range.clone()])
    }

    /// Headers by their numbers, in order, as they came.
    pub fn headers(&self, numbers: Range<usize>) -> impl ExactSizeIterator<Item = Header<'_>> {
        self.headers[numbers]
            .iter()
            .map(|(name, value)| Header { name: &self.bytes[name.clone()], value: self.bytes(value.as_ref()) })
    }

    /// Empties it, and gives memory for bytes beyond so many back.
    pub fn clear(&mut self, keep_bytes: usize) {
        self.bytes.clear();
        self.bytes.shrink_to(keep_bytes);
        self.headers.clear();
    }

    /// Memory that it holds, used or not.
    pub fn held_bytes(&self) -> usize {
        self.bytes.capacity() + self.headers.capacity() * BESIDE_HEADER
    }
}
