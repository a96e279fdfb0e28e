//! Encodings undone, bounded and to the last byte.
