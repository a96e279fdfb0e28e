//! The scanner: checks a text against RFC 8259 from its first to its last byte, in one pass and without recursion, and
//! notes on the way where the values of an object stand.

use super::keys::{Key, LONGEST, Members};
use super::nesting::{Container, Nesting};
use super::text::Text;
use super::{Value, blocks};

/// Why a text is no JSON: the position of the byte that is wrong, and what was expected in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::normalize) struct Flaw {
    pub at: usize,
    pub expected: &'static str,
}

/// Expected behind the value.
pub(in crate::normalize) const NOTHING_MORE: &str = "nothing more was expected after the value";

/// A failed step. What is wrong stands in the scanner, so that the steps that do not fail, which are nearly all, hand back
/// their results in registers.
#[derive(Debug)]
struct Failed;

type Scanned<T> = Result<T, Failed>;

/// What was met on the way past a value.
#[derive(Clone, Copy, Debug)]
enum Content {
    Plain,
    /// A string with an escape in it.
    Escaped,
}

/// Checks a whole text. The members of its value are noted when that is an object.
#[inline]
pub(in crate::normalize) fn document(text: &[u8], members: &mut Members) -> Result<Value, Flaw> {
    let mut scanner = Scanner::new(text, 0);
    scanner.document(members).map_err(|Failed| scanner.flaw)
}

/// The members of an object inside a checked text.
pub(in crate::normalize) fn object(text: &[u8], object: Value) -> Result<Members, Flaw> {
    let mut members = Members::default();
    let mut scanner = Scanner::new(text, object.start);
    match scanner.object(&mut members) {
        Ok(_) => Ok(members),
        Err(Failed) => Err(scanner.flaw),
    }
}

/// The values that an object inside a checked text has under any names; of repeated keys the last.
pub(in crate::normalize) fn named(text: &[u8], object: Value, names: &[&str]) -> Vec<Option<Value>> {
    let mut found = vec![None; names.len()];
    let longest = names.iter().map(|name| name.len()).max().unwrap_or(0);
    let mut scanner = Scanner::new(text, object.start);
    let opening = scanner.each_member_by_name(&mut |key, value| {
        // Longer than the longest with every letter escaped.
        if key.end - key.start > 2 + 6 * longest {
            return;
        }
        let key = key.content(text).decoded();
        for (_, slot) in names.iter().zip(&mut found).filter(|(name, _)| name.as_bytes() == &*key) {
            *slot = Some(value);
        }
    });
    // The text was checked before, so there is no flaw to tell of.
    debug_assert!(opening.is_ok(), "the text is checked");
    found
}

/// Walks over the elements of an array inside a checked text.
#[derive(Debug)]
pub(in crate::normalize) struct Elements<'a> {
    scanner: Scanner<'a>,
    started: bool,
}

impl<'a> Elements<'a> {
    pub fn of(text: &'a [u8], array: Value) -> Self {
        Self { scanner: Scanner::new(text, array.start), started: false }
    }

    /// The next element, and the members of it when it is an object.
    pub fn next(&mut self, members: &mut Members) -> Option<Result<Value, Flaw>> {
        let scanner = &mut self.scanner;
        scanner.space();
        let opening = if self.started { b',' } else { b'[' };
        self.started = true;
        if scanner.peek() != opening {
            return None;
        }
        scanner.at += 1;
        scanner.space();
        (scanner.peek() != b']').then(|| scanner.noted_value(members).map_err(|Failed| scanner.flaw))
    }
}

#[derive(Debug)]
struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
    /// Of the step that failed.
    flaw: Flaw,
}

impl<'a> Scanner<'a> {
    fn new(text: &'a [u8], at: usize) -> Self {
        Self { text, at, flaw: Flaw { at, expected: "" } }
    }

    /// The byte at hand; NUL, which JSON has no place for outside strings, past the end.
    #[inline(always)]
    fn peek(&self) -> u8 {
        self.text.get(self.at).copied().unwrap_or(0)
    }

    #[inline(always)]
    fn space(&mut self) {
        while matches!(self.peek(), b' ' | b'\n' | b'\r' | b'\t') {
            self.at += 1;
        }
    }

    /// The byte at hand is not what was expected.
    #[cold]
    fn fail<T>(&mut self, expected: &'static str) -> Scanned<T> {
        self.flaw = Flaw { at: self.at, expected };
        Err(Failed)
    }

    fn document(&mut self, members: &mut Members) -> Scanned<Value> {
        self.space();
        let root = self.noted_value(members)?;
        self.space();
        if self.at < self.text.len() { self.fail(NOTHING_MORE) } else { Ok(root) }
    }

    /// Goes past any value and notes its members when it is an object.
    fn noted_value(&mut self, members: &mut Members) -> Scanned<Value> {
        members.clear();
        let (start, first) = (self.at, self.peek());
        let content = if first == b'{' { self.object(members)? } else { self.value()? };
        Ok(self.since(start, first, content))
    }

    /// The value that was gone past, from `start` to here.
    #[inline(always)]
    fn since(&self, start: usize, first: u8, content: Content) -> Value {
        Value { start, end: self.at, escaped: matches!(content, Content::Escaped), first }
    }

    fn object(&mut self, members: &mut Members) -> Scanned<Content> {
        self.each_member(&mut |scanner, key| {
            let (start, first) = (scanner.at, scanner.peek());
            let mut inner = None;
            let content = match key.and_then(Key::inner) {
                Some(wanted) if first == b'{' => scanner.object_with(wanted, &mut inner)?,
                _ => scanner.value()?,
            };
            if let Some(key) = key {
                members.put(key, scanner.since(start, first, content), inner);
            }
            Ok(())
        })
    }

    /// Goes past an object of which one key alone is asked for.
    fn object_with(&mut self, wanted: Key, found: &mut Option<Value>) -> Scanned<Content> {
        self.each_member(&mut |scanner, key| {
            let (start, first) = (scanner.at, scanner.peek());
            let content = scanner.value()?;
            if key == Some(wanted) {
                *found = Some(scanner.since(start, first, content));
            }
            Ok(())
        })
    }

    /// Goes past an object; `member` is called at each value, with the key when it is one of ours, and goes past it.
    #[inline(always)]
    fn each_member(&mut self, member: &mut impl FnMut(&mut Self, Option<Key>) -> Scanned<()>) -> Scanned<Content> {
        self.at += 1;
        self.space();
        if self.peek() == b'}' {
            self.at += 1;
            return Ok(Content::Plain);
        }
        loop {
            let start = self.at;
            let content = self.key()?;
            let key = self.known(self.since(start, b'"', content));
            self.colon()?;
            member(self, key)?;
            self.space();
            match self.peek() {
                b',' => self.at += 1,
                b'}' => {
                    self.at += 1;
                    return Ok(Content::Plain);
                }
                _ => return self.fail("a comma or a closing brace was expected"),
            }
            self.space();
        }
    }

    /// Goes past an object and tells of each member, whatever its key.
    #[cold]
    fn each_member_by_name(&mut self, member: &mut impl FnMut(Value, Value)) -> Scanned<()> {
        self.at += 1;
        self.space();
        while self.peek() != b'}' {
            let start = self.at;
            let content = self.key()?;
            let key = self.since(start, b'"', content);
            self.colon()?;
            let (start, first) = (self.at, self.peek());
            let content = self.value()?;
            member(key, self.since(start, first, content));
            self.space();
            if self.peek() == b',' {
                self.at += 1;
                self.space();
            }
        }
        Ok(())
    }

    #[inline(always)]
    fn key(&mut self) -> Scanned<Content> {
        if self.peek() != b'"' {
            return self.fail("a key in quotes was expected");
        }
        self.string()
    }

    /// Goes past the colon behind a key, to the value.
    #[inline(always)]
    fn colon(&mut self) -> Scanned<()> {
        self.space();
        if self.peek() != b':' {
            return self.fail("a colon was expected");
        }
        self.at += 1;
        self.space();
        Ok(())
    }

    #[inline]
    fn known(&self, key: Value) -> Option<Key> {
        match key.content(self.text) {
            content if !key.escaped => Key::of(content.verbatim()?),
            content => Self::known_decoded(content, key.end - key.start),
        }
    }

    /// A key with escapes may be one of ours too, unless it is longer than all of them with every letter escaped.
    #[cold]
    fn known_decoded(content: Text<'_>, raw_bytes: usize) -> Option<Key> {
        if raw_bytes > 2 + 6 * LONGEST { None } else { Key::of(&content.decoded()) }
    }

    #[inline]
    fn value(&mut self) -> Scanned<Content> {
        match self.peek() {
            b'{' | b'[' => self.nested(),
            _ => self.scalar(),
        }
    }

    #[inline]
    fn scalar(&mut self) -> Scanned<Content> {
        match self.peek() {
            b'"' => self.string(),
            b'-' | b'0'..=b'9' => self.number(),
            b't' => self.word(b"true"),
            b'f' => self.word(b"false"),
            b'n' => self.word(b"null"),
            _ => self.fail("a value was expected"),
        }
    }

    /// Goes past a string. Most are short and plain: they end within one block.
    #[inline(always)]
    fn string(&mut self) -> Scanned<Content> {
        let content = self.at + 1;
        if let Some(block) = blocks::block_at(self.text, content) {
            let marks = blocks::special(block);
            let plain = marks.trailing_zeros() as usize % blocks::BLOCK;
            if marks != 0 && block.get(plain) == Some(&b'"') {
                self.at = content + plain + 1;
                return Ok(Content::Plain);
            }
        }
        self.any_string()
    }

    #[inline(never)]
    fn any_string(&mut self) -> Scanned<Content> {
        let mut content = Content::Plain;
        self.at += 1;
        loop {
            self.at = blocks::next_special(self.text, self.at);
            match self.peek() {
                b'"' => {
                    self.at += 1;
                    return Ok(content);
                }
                b'\\' => {
                    content = Content::Escaped;
                    self.escape()?;
                }
                _ if self.at >= self.text.len() => return self.fail("a closing quote was expected"),
                _ => return self.fail("a control character must be escaped in a string"),
            }
        }
    }

    #[inline]
    fn escape(&mut self) -> Scanned<()> {
        self.at += 1;
        match self.peek() {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => self.at += 1,
            b'u' => {
                for _ in 0..4 {
                    self.at += 1;
                    if !self.peek().is_ascii_hexdigit() {
                        return self.fail("four hexadecimal digits were expected");
                    }
                }
                self.at += 1;
            }
            _ => return self.fail("an escape that JSON knows was expected"),
        }
        Ok(())
    }

    fn number(&mut self) -> Scanned<Content> {
        if self.peek() == b'-' {
            self.at += 1;
        }
        if self.peek() == b'0' {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == b'.' {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), b'e' | b'E') {
            self.at += 1;
            if matches!(self.peek(), b'+' | b'-') {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(Content::Plain)
    }

    #[inline]
    fn digits(&mut self) -> Scanned<()> {
        let start = self.at;
        while self.peek().is_ascii_digit() {
            self.at += 1;
        }
        if self.at == start { self.fail("a digit was expected") } else { Ok(()) }
    }

    #[inline]
    fn word(&mut self, word: &'static [u8]) -> Scanned<Content> {
        for letter in word {
            if self.peek() != *letter {
                return self.fail("true, false or null was expected");
            }
            self.at += 1;
        }
        Ok(Content::Plain)
    }

    /// Goes past an object or array of any depth.
    fn nested(&mut self) -> Scanned<Content> {
        let mut open = Nesting::default();
        'value: loop {
            match self.peek() {
                b'{' => {
                    self.at += 1;
                    self.space();
                    if self.peek() != b'}' {
                        open.push(Container::Object);
                        self.key()?;
                        self.colon()?;
                        continue 'value;
                    }
                    self.at += 1;
                }
                b'[' => {
                    self.at += 1;
                    self.space();
                    if self.peek() != b']' {
                        open.push(Container::Array);
                        continue 'value;
                    }
                    self.at += 1;
                }
                _ => {
                    self.scalar()?;
                }
            }
            while let Some(container) = open.last() {
                self.space();
                match (container, self.peek()) {
                    (Container::Array, b',') => {
                        self.at += 1;
                        self.space();
                        continue 'value;
                    }
                    (Container::Object, b',') => {
                        self.at += 1;
                        self.space();
                        self.key()?;
                        self.colon()?;
                        continue 'value;
                    }
                    (Container::Array, b']') | (Container::Object, b'}') => {
                        self.at += 1;
                        open.pop();
                    }
                    (Container::Array, _) => return self.fail("a comma or a closing bracket was expected"),
                    (Container::Object, _) => return self.fail("a comma or a closing brace was expected"),
                }
            }
            return Ok(Content::Plain);
        }
    }
}

#[cfg(test)]
mod tests;
