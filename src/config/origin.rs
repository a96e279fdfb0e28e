//! Where a value was set, in the words that a person reads.

/// The place of a value that nobody set.
pub const DEFAULT: &str = "default";
