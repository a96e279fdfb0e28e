//! A text of several lines, of which the first is a JSON object or array by itself: each line stands for itself.

use super::super::json;
use super::super::json::{Members, Type};
use super::Verbatim;

#[derive(Clone, Copy, Debug)]
pub(super) struct Line<'t> {
    /// Without its line feed.
    pub text: &'t [u8],
    /// Where it begins in its text.
    pub start: usize,
    /// 1-based, blank lines counted.
    pub number: usize,
}

/// The lines of a text that are not blank.
#[derive(Clone, Debug)]
pub(super) struct Lines<'t> {
    rest: &'t [u8],
    start: usize,
    number: usize,
}

impl<'t> Lines<'t> {
    /// The lines of a text that is no JSON text as a whole; `None` when it is not made of lines.
    #[cold]
    pub fn of(text: &'t [u8]) -> Option<Self> {
        let lines = Self { rest: text, start: 0, number: 0 };
        let mut ahead = lines.clone();
        let first = json::document(ahead.next()?.text, &mut Members::default()).ok()?;
        ahead.next()?;
        matches!(first.kind(), Type::Object | Type::Array).then_some(lines)
    }
}

impl<'t> Iterator for Lines<'t> {
    type Item = Line<'t>;

    fn next(&mut self) -> Option<Line<'t>> {
        while !self.rest.is_empty() {
            let end = memchr::memchr(b'\n', self.rest).unwrap_or(self.rest.len());
            let text = self.rest.get(..end)?;
            let start = self.start;
            self.rest = self.rest.get(end + 1..).unwrap_or_default();
            self.start += end + 1;
            self.number += 1;
            if !text.iter().all(is_space) {
                return Some(Line { text, start, number: self.number });
            }
        }
        None
    }
}

/// A line less the white space around it, which is none of its value.
pub(super) fn trimmed(line: &[u8]) -> Verbatim<'_> {
    let start = line.iter().position(|byte| !is_space(byte)).unwrap_or(line.len());
    let end = line.iter().rposition(|byte| !is_space(byte)).map_or(start, |last| last + 1);
    Verbatim { text: line.get(start..end).unwrap_or_default(), start }
}

fn is_space(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}
