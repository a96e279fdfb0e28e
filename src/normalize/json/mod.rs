//! JSON read in place: RFC 8259 checked to the last byte, values kept as spans of the text, nothing built in between.
//!
//! A scanner of our own, because the contract asks for what the usual parsers refuse or lose: lone surrogates pass as
//! U+FFFD, of duplicate keys the last one counts, ignored parts are checked in full at any depth, and a trace is handed
//! on with exactly the bytes it came in. It is also several times faster than building a tree.

mod blocks;
mod escape;
mod keys;
mod nesting;
mod scan;
mod text;
mod write;

pub(super) use keys::{Key, Members};
pub(super) use scan::{Elements, Flaw, NOTHING_MORE, document, named, object};
pub(super) use text::Text;
pub(super) use write::{Group, Writer};

/// Where a value stands in its text, and what it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Value {
    pub start: usize,
    pub end: usize,
    /// A string with at least one escape in it.
    pub escaped: bool,
    first: u8,
}

/// What a value is, as far as its first byte tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Object,
    Array,
    String,
    Number,
    Boolean,
    Null,
}

impl Value {
    pub fn kind(self) -> Type {
        match self.first {
            b'{' => Type::Object,
            b'[' => Type::Array,
            b'"' => Type::String,
            b'n' => Type::Null,
            b't' | b'f' => Type::Boolean,
            _ => Type::Number,
        }
    }

    /// The value's bytes in the text it was found in.
    pub fn slice(self, text: &[u8]) -> &[u8] {
        text.get(self.start..self.end).unwrap_or_default()
    }

    /// What stands between the quotes of a string.
    pub fn content(self, text: &[u8]) -> Text<'_> {
        Text::new(text.get(self.start + 1..self.end - 1).unwrap_or_default(), self.escaped)
    }
}
