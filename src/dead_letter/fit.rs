//! It always fits: a dead letter is larger than its record, so one whose record filled its topic is made smaller, step by step, until
//! the dead-letter topic takes it. What goes is named in `dlq.fit`; the coordinates stay, so the original can be fetched.

use std::fmt::Write;

use sha2::{Digest, Sha256};

use super::{DeadLetter, names};

pub(super) const HEADERS_DROPPED: &str = "headers_dropped";
pub(super) const VALUE_TRUNCATED: &str = "value_truncated";
pub(super) const KEY_DROPPED: &str = "key_dropped";

/// A limit of this many bytes or more holds every dead letter, in any dialect, with a consumer group and a processor of up to 1 KiB
/// together: what we write beside key, value and original headers is bounded. Kafka's default is 1 MiB.
///
/// Below it a letter may come out over the limit: in its smallest form, with our headers, an empty value and no key. The broker then
/// refuses it, which is loud; leaving the coordinates out would be silent loss.
pub const ALWAYS_FITS_BYTES: usize = 6144;

/// The largest form of the letter that takes no more than `limit_bytes` on the wire.
pub(super) fn fit(mut letter: DeadLetter<'_>, limit_bytes: usize) -> DeadLetter<'_> {
    if letter.wire_size() <= limit_bytes {
        return letter;
    }
    let unmarked = letter.ours.len();

    letter.original = &[];
    letter.ours.push(names::FIT, HEADERS_DROPPED);
    if letter.wire_size() <= limit_bytes {
        return letter;
    }

    let value = letter.value;
    let value_sha256 = value.map(sha256_hex);
    let mark_value = |letter: &mut DeadLetter<'_>, fit| {
        letter.ours.truncate(unmarked);
        letter.ours.push(names::FIT, fit);
        if let (Some(value), Some(sha256)) = (value, &value_sha256) {
            letter.ours.push(names::VALUE_BYTES, value.len());
            letter.ours.push(names::VALUE_SHA256, sha256);
        }
    };
    // A tombstone has nothing to cut.
    if let Some(value) = value {
        mark_value(&mut letter, VALUE_TRUNCATED);
        if cut_to(&mut letter, value, limit_bytes) == Cut::Fits {
            return letter;
        }
    }

    if let Some(key) = letter.key.take() {
        mark_value(&mut letter, KEY_DROPPED);
        letter.ours.push(names::KEY_BYTES, key.len());
        if let Some(value) = value {
            cut_to(&mut letter, value, limit_bytes);
        }
    }
    letter
}

#[derive(PartialEq, Eq)]
enum Cut {
    Fits,
    TooLarge,
}

/// Gives the letter the longest beginning of `value` with which it fits, or an empty one when none does.
fn cut_to<'a>(letter: &mut DeadLetter<'a>, value: &'a [u8], limit_bytes: usize) -> Cut {
    let mut size_with = |bytes: usize| {
        letter.value = value.get(..bytes);
        letter.wire_size()
    };
    let Some(spare) = limit_bytes.checked_sub(size_with(0)) else { return Cut::TooLarge };
    let mut bytes = spare.min(value.len());
    // The lengths written before value and record grow with them, by some bytes at most.
    while size_with(bytes) > limit_bytes {
        bytes -= 1;
    }
    if let Ok(text) = simdutf8::basic::from_utf8(value) {
        bytes = text.floor_char_boundary(bytes);
    }
    letter.value = value.get(..bytes);
    Cut::Fits
}

/// As `dlq.value.sha256` has it.
pub fn sha256_hex(bytes: &[u8]) -> String {
    let mut hex = String::with_capacity(64);
    for byte in Sha256::digest(bytes) {
        write!(hex, "{byte:02x}").expect("writing to a String does not fail");
    }
    hex
}
