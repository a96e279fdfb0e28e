//! What each fuzz target does with its bytes. Here and not in `fuzz/`, so that the tests replay every seed too.

mod dead_letter;

use crate::referee::{self, Input};
use crate::shapes;

pub type Target = fn(&[u8]);

/// By the name of the fuzz target and of its folder of seeds.
pub const ALL: [(&str, Target); 4] = [
    ("any_bytes", any_bytes),
    ("fast_equals_plain", fast_equals_plain),
    ("structured", structured),
    ("dead_letter_round_trip", dead_letter_round_trip),
];

/// Nothing that arrives can make the mapping panic or break what it promises of any output.
pub fn any_bytes(bytes: &[u8]) {
    for byte in [0, 1] {
        let options = shapes::options(byte);
        let input = Input { value: Some(bytes), timestamp_ms: None, options: &options };
        referee::check_promises(&input, &referee::fast(&input));
    }
}

/// The first byte chooses the options; the rest is the record.
pub fn fast_equals_plain(bytes: &[u8]) {
    let Some((&first, value)) = bytes.split_first() else { return };
    let options = shapes::options(first);
    let timestamp_ms = (first >> 7 == 1).then_some(1_662_401_413_005);
    referee::check(&Input { value: Some(value), timestamp_ms, options: &options });
}

/// The bytes are choices, of which a record is made that is nearly right.
pub fn structured(bytes: &[u8]) {
    let shape = shapes::shape(bytes);
    referee::check(&Input { value: shape.value.as_deref(), timestamp_ms: shape.timestamp_ms, options: &shape.options });
}

/// What becomes a dead letter can be read back, at any limit of its topic.
pub fn dead_letter_round_trip(bytes: &[u8]) {
    dead_letter::round_trip(bytes);
}
