//! How a topic lies on its broker's disk: the batches in which its records came.

use std::fs;
use std::path::{Path, PathBuf};

/// Bytes of a batch before those that its length counts, and before the first record.
const BEFORE_LENGTH: usize = 12;
const HEADER: usize = 61;

/// Where a batch of the second version says what it is, and the flag of one that holds a transaction's end.
const ATTRIBUTES: usize = 21;
const CONTROL: u8 = 0x20;

/// Batches of records in all partitions of a topic, in the segments in `data`.
pub fn batches(data: &Path, topic: &str) -> usize {
    let is_partition = |path: &Path| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.strip_prefix(topic).and_then(|rest| rest.strip_prefix('-')).is_some_and(|rest| rest.parse::<u32>().is_ok())
    };
    let partitions = entries(data).filter(|path| is_partition(path));
    let segments = partitions
        .flat_map(|path| entries(&path))
        .filter(|path| path.extension().is_some_and(|extension| extension == "log"));
    segments.map(|path| in_segment(&fs::read(path).expect("a segment"))).sum()
}

fn entries(directory: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("an entry").path())
}

fn in_segment(mut bytes: &[u8]) -> usize {
    let mut batches = 0;
    while bytes.len() >= HEADER {
        let length: [u8; 4] = bytes[8..BEFORE_LENGTH].try_into().expect("four bytes");
        // A segment may be longer than what was written to it.
        let Some(rest) = bytes.get(BEFORE_LENGTH + u32::from_be_bytes(length) as usize..).filter(|_| length != [0; 4])
        else {
            break;
        };
        // The second byte of two.
        batches += usize::from(bytes[ATTRIBUTES + 1] & CONTROL == 0);
        bytes = rest;
    }
    batches
}
