//! A JSON text as a tree that remembers where each value stood. RFC 8259 to the letter, with the two liberties that the
//! mapping takes: a lone surrogate decodes to U+FFFD, and of equal keys the last one counts.
//!
//! The values live in one list and name each other by position, so no depth of nesting can overflow the stack, neither
//! in parsing nor in dropping.

use std::ops::Range;

/// Position of a value in its tree.
pub type Id = usize;

#[derive(Debug, PartialEq)]
pub enum Value {
    Null,
    Bool,
    /// As written: see its text.
    Number,
    String(String),
    Array(Vec<Id>),
    Object(Vec<(String, Id)>),
}

#[derive(Debug)]
pub struct Tree<'a> {
    text: &'a str,
    nodes: Vec<(Range<usize>, Value)>,
    pub root: Id,
}

impl<'a> Tree<'a> {
    /// `None` when the text is not exactly one JSON text.
    pub fn parse(text: &'a str) -> Option<Self> {
        let mut parser = Parser { text, at: 0, nodes: Vec::new() };
        let root = parser.document()?;
        Some(Tree { text, nodes: parser.nodes, root })
    }

    pub fn value(&self, id: Id) -> &Value {
        &self.nodes[id].1
    }

    /// The value exactly as it stands in the text.
    pub fn verbatim(&self, id: Id) -> &'a str {
        &self.text[self.nodes[id].0.clone()]
    }

    /// What an object has under a key; `None` also for a value that is no object.
    pub fn get(&self, id: Id, key: &str) -> Option<Id> {
        let Value::Object(members) = self.value(id) else { return None };
        members.iter().rev().find(|(name, _)| name == key).map(|(_, value)| *value)
    }

    pub fn has(&self, id: Id, key: &str) -> bool {
        self.get(id, key).is_some()
    }

    pub fn string(&self, id: Id) -> Option<&str> {
        if let Value::String(content) = self.value(id) { Some(content) } else { None }
    }

    pub fn array(&self, id: Id) -> Option<&[Id]> {
        if let Value::Array(items) = self.value(id) { Some(items) } else { None }
    }

    pub fn is_object(&self, id: Id) -> bool {
        matches!(self.value(id), Value::Object(_))
    }
}

/// A container whose end has not been seen.
enum Open {
    Array { start: usize, items: Vec<Id> },
    Object { start: usize, members: Vec<(String, Id)>, key: String },
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    nodes: Vec<(Range<usize>, Value)>,
}

impl Parser<'_> {
    fn document(&mut self) -> Option<Id> {
        let mut open = Vec::new();
        loop {
            let mut done = match self.begin(&mut open)? {
                Some(done) => done,
                None => continue,
            };
            // A value is complete: hand it to its container, which may be complete by that too.
            loop {
                self.white_space();
                match open.pop() {
                    None => return (self.at == self.text.len()).then_some(done),
                    Some(Open::Array { start, mut items }) => {
                        items.push(done);
                        if self.eat(b',') {
                            open.push(Open::Array { start, items });
                            break;
                        }
                        self.expect(b']')?;
                        done = self.node(start, Value::Array(items));
                    }
                    Some(Open::Object { start, mut members, key }) => {
                        members.push((key, done));
                        if self.eat(b',') {
                            let key = self.key()?;
                            open.push(Open::Object { start, members, key });
                            break;
                        }
                        self.expect(b'}')?;
                        done = self.node(start, Value::Object(members));
                    }
                }
            }
        }
    }

    /// Reads up to the end of a scalar or an empty container (`Some`), or into a container with members (`None`).
    fn begin(&mut self, open: &mut Vec<Open>) -> Option<Option<Id>> {
        self.white_space();
        let start = self.at;
        let value = match self.peek()? {
            b'[' => {
                self.at += 1;
                self.white_space();
                if !self.eat(b']') {
                    open.push(Open::Array { start, items: Vec::new() });
                    return Some(None);
                }
                Value::Array(Vec::new())
            }
            b'{' => {
                self.at += 1;
                self.white_space();
                if !self.eat(b'}') {
                    let key = self.key()?;
                    open.push(Open::Object { start, members: Vec::new(), key });
                    return Some(None);
                }
                Value::Object(Vec::new())
            }
            b'"' => Value::String(self.quoted()?),
            b'n' => self.word("null", Value::Null)?,
            b't' => self.word("true", Value::Bool)?,
            b'f' => self.word("false", Value::Bool)?,
            _ => self.number()?,
        };
        Some(Some(self.node(start, value)))
    }

    fn node(&mut self, start: usize, value: Value) -> Id {
        self.nodes.push((start..self.at, value));
        self.nodes.len() - 1
    }

    fn key(&mut self) -> Option<String> {
        self.white_space();
        let key = self.quoted()?;
        self.white_space();
        self.expect(b':')?;
        Some(key)
    }

    fn word(&mut self, word: &str, value: Value) -> Option<Value> {
        self.text[self.at..].starts_with(word).then(|| self.at += word.len()).map(|()| value)
    }

    fn number(&mut self) -> Option<Value> {
        self.eat(b'-');
        if !self.eat(b'0') {
            self.digits()?;
        }
        if self.eat(b'.') {
            self.digits()?;
        }
        if self.eat(b'e') || self.eat(b'E') {
            let _ = self.eat(b'+') || self.eat(b'-');
            self.digits()?;
        }
        Some(Value::Number)
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }

    fn quoted(&mut self) -> Option<String> {
        self.expect(b'"')?;
        let mut content = String::new();
        loop {
            let character = self.text[self.at..].chars().next()?;
            self.at += character.len_utf8();
            match character {
                '"' => return Some(content),
                '\\' => content.push(self.escape()?),
                '\0'..='\u{1f}' => return None,
                _ => content.push(character),
            }
        }
    }

    fn escape(&mut self) -> Option<char> {
        let letter = self.peek()?;
        self.at += 1;
        Some(match letter {
            b'"' | b'\\' | b'/' => char::from(letter),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => self.unicode()?,
            _ => return None,
        })
    }

    /// After `\u`: one code unit, and its other half where it has one. A half without the other stands for U+FFFD.
    fn unicode(&mut self) -> Option<char> {
        let unit = self.hex()?;
        if (0xd800..0xdc00).contains(&unit) && self.text[self.at..].starts_with("\\u") {
            let second = self.at;
            self.at += 2;
            let low = self.hex()?;
            if (0xdc00..0xe000).contains(&low) {
                return char::from_u32(0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00));
            }
            // The escape after it is a character of its own.
            self.at = second;
        }
        Some(char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn hex(&mut self) -> Option<u32> {
        let digits = self.text.get(self.at..self.at + 4)?;
        self.at += 4;
        digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u32::from_str_radix(digits, 16).ok())?
    }

    fn white_space(&mut self) {
        while self.peek().is_some_and(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let here = self.peek() == Some(byte);
        self.at += usize::from(here);
        here
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        self.eat(byte).then_some(())
    }
}
