//! The scanner: checks a text against RFC 8259 from its first to its last byte, in one pass and without recursion, and
//! notes on the way where the values of an object stand.

use super::keys::{Key, LONGEST, Members};
use super::text::Text;
use super::{Value, words};

/// Why a text is no JSON: the position of the byte that is wrong, and what was expected in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::normalize) struct Flaw {
    pub at: usize,
    pub expected: &'static str,
}

type Scanned<T> = Result<T, Flaw>;

/// Checks a whole text. The members of its value are noted when that is an object.
pub(in crate::normalize) fn document(text: &[u8], members: &mut Members) -> Scanned<Value> {
    let mut scanner = Scanner::new(text, 0);
    scanner.space();
    let root = scanner.noted_value(members)?;
    scanner.space();
    if scanner.at < text.len() {
        return Err(scanner.flaw("nothing more was expected after the value"));
    }
    Ok(root)
}

/// The members of an object inside a checked text.
pub(in crate::normalize) fn object(text: &[u8], object: Value) -> Scanned<Members> {
    let mut members = Members::default();
    Scanner::new(text, object.start).object(&mut members)?;
    Ok(members)
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
    pub fn next(&mut self, members: &mut Members) -> Option<Scanned<Value>> {
        let scanner = &mut self.scanner;
        scanner.space();
        let opening = if self.started { b',' } else { b'[' };
        self.started = true;
        if scanner.peek() != opening {
            return None;
        }
        scanner.at += 1;
        scanner.space();
        (scanner.peek() != b']').then(|| scanner.noted_value(members))
    }
}

#[derive(Debug)]
struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Scanner<'a> {
    fn new(text: &'a [u8], at: usize) -> Self {
        Self { text, at }
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

    #[cold]
    fn flaw(&self, expected: &'static str) -> Flaw {
        Flaw { at: self.at, expected }
    }

    /// Goes past any value and notes its members when it is an object.
    fn noted_value(&mut self, members: &mut Members) -> Scanned<Value> {
        members.clear();
        if self.peek() != b'{' {
            return self.value();
        }
        let start = self.at;
        self.object(members)?;
        Ok(Value { start, end: self.at, escaped: false, first: b'{' })
    }

    fn object(&mut self, members: &mut Members) -> Scanned<()> {
        self.at += 1;
        self.space();
        if self.peek() == b'}' {
            self.at += 1;
            return Ok(());
        }
        loop {
            let key = self.key()?;
            let value = self.value()?;
            if let Some(key) = self.known(key) {
                members.put(key, value);
            }
            self.space();
            match self.peek() {
                b',' => self.at += 1,
                b'}' => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(self.flaw("a comma or a closing brace was expected")),
            }
            self.space();
        }
    }

    /// Goes past a key and its colon, to the value.
    #[inline]
    fn key(&mut self) -> Scanned<Value> {
        if self.peek() != b'"' {
            return Err(self.flaw("a key in quotes was expected"));
        }
        let key = self.string()?;
        self.space();
        if self.peek() != b':' {
            return Err(self.flaw("a colon was expected"));
        }
        self.at += 1;
        self.space();
        Ok(key)
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
    fn value(&mut self) -> Scanned<Value> {
        match self.peek() {
            b'{' | b'[' => self.nested(),
            _ => self.scalar(),
        }
    }

    #[inline]
    fn scalar(&mut self) -> Scanned<Value> {
        match self.peek() {
            b'"' => self.string(),
            b'-' | b'0'..=b'9' => self.number(),
            b't' => self.word(b"true"),
            b'f' => self.word(b"false"),
            b'n' => self.word(b"null"),
            _ => Err(self.flaw("a value was expected")),
        }
    }

    #[inline]
    fn string(&mut self) -> Scanned<Value> {
        let start = self.at;
        let mut escaped = false;
        self.at += 1;
        loop {
            self.at = words::next_special(self.text, self.at);
            match self.peek() {
                b'"' => {
                    self.at += 1;
                    return Ok(Value { start, end: self.at, escaped, first: b'"' });
                }
                b'\\' => {
                    escaped = true;
                    self.escape()?;
                }
                _ if self.at >= self.text.len() => return Err(self.flaw("a closing quote was expected")),
                _ => return Err(self.flaw("a control character must be escaped in a string")),
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
                        return Err(self.flaw("four hexadecimal digits were expected"));
                    }
                }
                self.at += 1;
            }
            _ => return Err(self.flaw("an escape that JSON knows was expected")),
        }
        Ok(())
    }

    fn number(&mut self) -> Scanned<Value> {
        let start = self.at;
        let first = self.peek();
        if first == b'-' {
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
        Ok(Value { start, end: self.at, escaped: false, first })
    }

    #[inline]
    fn digits(&mut self) -> Scanned<()> {
        let start = self.at;
        while self.peek().is_ascii_digit() {
            self.at += 1;
        }
        if self.at == start { Err(self.flaw("a digit was expected")) } else { Ok(()) }
    }

    #[inline]
    fn word(&mut self, word: &'static [u8]) -> Scanned<Value> {
        let start = self.at;
        for letter in word {
            if self.peek() != *letter {
                return Err(self.flaw("true, false or null was expected"));
            }
            self.at += 1;
        }
        Ok(Value { start, end: self.at, escaped: false, first: word.first().copied().unwrap_or_default() })
    }

    /// Goes past an object or array of any depth.
    fn nested(&mut self) -> Scanned<Value> {
        let (start, first) = (self.at, self.peek());
        let mut open = Nesting::default();
        'value: loop {
            match self.peek() {
                b'{' => {
                    self.at += 1;
                    self.space();
                    if self.peek() != b'}' {
                        open.push(Container::Object);
                        self.key()?;
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
                        continue 'value;
                    }
                    (Container::Array, b']') | (Container::Object, b'}') => {
                        self.at += 1;
                        open.pop();
                    }
                    (Container::Array, _) => return Err(self.flaw("a comma or a closing bracket was expected")),
                    (Container::Object, _) => return Err(self.flaw("a comma or a closing brace was expected")),
                }
            }
            return Ok(Value { start, end: self.at, escaped: false, first });
        }
    }
}

#[derive(Clone, Copy)]
enum Container {
    Array,
    Object,
}

/// What is open around a value: one bit a level, so that a text made of brackets takes an eighth of its own length, and
/// ordinary depths no allocation.
#[derive(Default)]
struct Nesting {
    depth: usize,
    /// The innermost levels, the last one in the lowest bit.
    top: u64,
    /// Full words of the levels around them.
    below: Vec<u64>,
}

impl Nesting {
    #[inline]
    fn push(&mut self, container: Container) {
        if self.depth != 0 && self.depth.is_multiple_of(64) {
            self.below.push(self.top);
        }
        self.top = self.top << 1 | u64::from(matches!(container, Container::Object));
        self.depth += 1;
    }

    #[inline]
    fn pop(&mut self) {
        self.depth -= 1;
        self.top >>= 1;
        if self.depth != 0 && self.depth.is_multiple_of(64) {
            self.top = self.below.pop().unwrap_or_default();
        }
    }

    #[inline]
    fn last(&self) -> Option<Container> {
        match (self.depth, self.top & 1) {
            (0, _) => None,
            (_, 0) => Some(Container::Array),
            _ => Some(Container::Object),
        }
    }
}

#[cfg(test)]
mod tests;
