//! Records of all shapes, made from a string of bytes: each byte decides one thing, and when they run out the simplest
//! choice is taken. So a property test that draws bytes and a fuzzer that mutates them walk the same space, and a shorter
//! string is a simpler record.
//!
//! Half of what comes out is right or has a single mistake: those are calm. The others have several, which tells whether
//! the first is the one that counts.

mod dice;
mod encodings;
mod numbers;
mod words;
mod wrappers;

pub use dice::Dice;

use crate::plain::{self, Options, Profile};

#[derive(Debug)]
pub struct Shape {
    pub value: Option<Vec<u8>>,
    pub timestamp_ms: Option<i64>,
    pub options: Options,
}

pub fn shape(bytes: &[u8]) -> Shape {
    let mut dice = Dice::new(bytes);
    dice.calm = !dice.one_in(3);
    let options = dice.options();
    let timestamp_ms = dice.pick(&[None, Some(0), Some(1_662_401_413_005), Some(-1), Some(253_402_300_800_000)]);
    let mut text = String::new();
    if dice.one_in(16) {
        text.push('\u{feff}');
    }
    if dice.one_in(6) {
        dice.lines(&mut text);
    } else {
        dice.white_space(&mut text);
        dice.value_in_wrappers(&mut text);
        dice.white_space(&mut text);
    }
    let mut value = text.into_bytes();
    if dice.mistake(8) {
        dice.damage(&mut value);
    }
    if dice.one_in(4) {
        value = dice.encoded(value);
        if dice.mistake(4) {
            dice.damage(&mut value);
        }
    }
    let tombstone = dice.one_in(200);
    Shape { value: (!tombstone).then_some(value), timestamp_ms, options }
}

/// Scraps of JSON in a row.
pub fn scraps(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().flat_map(|&byte| words::TOKENS[usize::from(byte) % words::TOKENS.len()]).copied().collect()
}

/// A record with a few bytes changed, lost, repeated or added.
pub fn damaged(mut value: Vec<u8>, bytes: &[u8]) -> Vec<u8> {
    Dice::new(bytes).damage(&mut value);
    value
}

/// Options from one byte: what a fuzzer of raw bytes spends on them.
pub fn options(byte: u8) -> Options {
    let bit = |position: u8| byte >> position & 1 == 1;
    let domains: &[&str] = if bit(2) { &["example.com", "*.Example.org"] } else { &[] };
    Options {
        profile: if bit(0) { Profile::Ecs } else { Profile::Sekoia },
        organization: bit(1).then(|| "optional \"é\"".to_owned()),
        local_domains: domains.iter().map(|&domain| domain.to_owned()).collect(),
        include_original: !bit(3),
        max_payload_bytes: if bit(4) { 2000 } else { 8 << 20 },
        max_traces: if bit(5) { 3 } else { 20_000 },
        max_events_bytes: if bit(6) { 1500 } else { 32 << 20 },
        wrapper_keys: plain::WRAPPER_KEYS.map(str::to_owned).to_vec(),
    }
}

impl Dice<'_> {
    /// Once in `n`, and ten times rarer when calm.
    fn mistake(&mut self, n: usize) -> bool {
        self.one_in(n) && (!self.calm || self.one_in(10))
    }

    fn options(&mut self) -> Options {
        // Limits that cut are for one record in eight: they would hide everything else.
        let mask = if self.one_in(8) { 0xff } else { 0x0f };
        let options = options((self.byte() & mask) as u8);
        if !self.one_in(12) {
            return options;
        }
        let keys = self.pick(&words::CHOSEN_KEYS);
        Options { wrapper_keys: keys.iter().map(|&key| key.to_owned()).collect(), ..options }
    }

    fn white_space(&mut self, out: &mut String) {
        while self.one_in(12) {
            out.push(self.pick(&[' ', '\n', '\t', '\r']));
        }
    }

    fn trace(&mut self, keys: &[(&str, words::Pool)], out: &mut String) {
        let mut members = Vec::new();
        for &(key, pool) in keys {
            let keep = matches!(pool, words::Pool::Id | words::Pool::Time) || self.below(3) > 0;
            if keep && !self.mistake(20) {
                members.push((key.to_owned(), self.field(pool)));
            }
            if self.mistake(10) {
                members.push((key.to_owned(), self.field(pool)));
            }
        }
        while self.mistake(3) {
            let member = self.stray_member(&words::OTHER_KEYS);
            let place = self.below(members.len() + 1);
            members.insert(place, member);
        }
        if self.one_in(4) {
            members.reverse();
        }
        self.object(members, out);
    }

    /// Now and then in the object that PowerShell puts around it.
    fn field(&mut self, pool: words::Pool) -> String {
        let inner = self.bare_field(pool);
        if !self.one_in(10) {
            return inner;
        }
        let key = if self.mistake(10) { self.pick(&["Value", "x"]) } else { "value" };
        let mut members = vec![(key.to_owned(), inner)];
        if self.one_in(3) {
            members.insert(0, self.stray_member(&["DisplayHint", "Length", "value"]));
        }
        let mut out = String::new();
        self.object(members, &mut out);
        out
    }

    fn bare_field(&mut self, pool: words::Pool) -> String {
        let mut out = String::new();
        if self.mistake(10) {
            self.any(2, &mut out);
            return out;
        }
        match pool {
            words::Pool::Size if self.below(3) > 0 => {
                let literal = self.word(&numbers::NUMBERS, numbers::SIZES_FIRST);
                out.push_str(&self.nudge(literal, "0123456789.eE+-"));
            }
            words::Pool::Time if self.one_in(6) => {
                let literal = self.word(&numbers::NUMBER_TIMES, numbers::NUMBER_TIMES_FIRST);
                out.push_str(&self.nudge(literal, "0123456789.eE+-"));
            }
            words::Pool::NumberedStatus if self.one_in(3) => {
                out.push_str(self.word(&numbers::STATUS_NUMBERS, numbers::STATUS_NUMBERS_FIRST));
            }
            words::Pool::Id => self.string_from(&words::IDS, 2, &mut out),
            words::Pool::Time => self.string_from(&numbers::TIMES, numbers::TIMES_FIRST, &mut out),
            words::Pool::Text => self.string_from(&words::TEXTS, words::TEXTS.len(), &mut out),
            words::Pool::Address => self.string_from(&words::ADDRESSES, words::ADDRESSES.len(), &mut out),
            words::Pool::Status | words::Pool::NumberedStatus => {
                self.string_from(&words::STATUSES, words::STATUSES.len(), &mut out);
            }
            words::Pool::Ip => self.string_from(&words::IPS, words::IPS.len(), &mut out),
            words::Pool::Size => self.string_from(&numbers::NUMBERS, 2, &mut out),
        }
        out
    }

    /// A string of one of the words, of which the first `good` are no mistake.
    fn string_from(&mut self, pool: &[&'static str], good: usize, out: &mut String) {
        let word = self.word(pool, good);
        let text = self.nudge(word, words::NUDGES);
        self.quote(&text, out);
    }

    fn word(&mut self, pool: &[&'static str], good: usize) -> &'static str {
        let choices = if self.mistake(2) { pool } else { &pool[..good] };
        self.pick(choices)
    }

    /// The text, or now and then one character beside it.
    fn nudge(&mut self, text: &str, alphabet: &str) -> String {
        let mut characters: Vec<char> = text.chars().collect();
        if self.mistake(6) {
            let alphabet: Vec<char> = alphabet.chars().collect();
            let character = self.pick(&alphabet);
            let place = self.below(characters.len() + 1);
            match self.below(3) {
                0 if place < characters.len() => characters[place] = character,
                1 if place < characters.len() => drop(characters.remove(place)),
                _ => characters.insert(place, character),
            }
        }
        characters.into_iter().collect()
    }

    fn stray_member(&mut self, keys: &[&str]) -> (String, String) {
        let mut value = String::new();
        self.any(2, &mut value);
        (self.pick(keys).to_owned(), value)
    }

    fn object(&mut self, members: Vec<(String, String)>, out: &mut String) {
        out.push('{');
        for (position, (key, value)) in members.into_iter().enumerate() {
            if position > 0 {
                out.push(',');
            }
            self.white_space(out);
            self.quote(&key, out);
            self.white_space(out);
            out.push(':');
            self.white_space(out);
            out.push_str(&value);
            self.white_space(out);
        }
        out.push('}');
    }

    fn any(&mut self, depth: usize, out: &mut String) {
        match self.below(if depth == 0 { 6 } else { 9 }) {
            0 => out.push_str("null"),
            1 => out.push_str("true"),
            2 | 3 => out.push_str(self.pick(&numbers::NUMBERS)),
            4 | 5 => self.string_from(&words::TEXTS, words::TEXTS.len(), out),
            6 => {
                let mut inner = String::new();
                self.any(depth - 1, &mut inner);
                out.push_str(&format!("[{inner}]"));
            }
            7 => out.push_str("{}"),
            _ => {
                let mut value = String::new();
                self.any(depth - 1, &mut value);
                let key = self.pick(&words::OTHER_KEYS).to_owned();
                self.object(vec![(key, value)], out);
            }
        }
    }

    /// A JSON string of the content, some of it in escapes that need not be.
    fn quote(&mut self, content: &str, out: &mut String) {
        let odd = self.one_in(5);
        out.push('"');
        for character in content.chars() {
            match character {
                '"' | '\\' => out.extend(['\\', character]),
                '\n' => out.push_str("\\n"),
                '\0'..='\u{1f}' => out.push_str(&format!("\\u{:04x}", u32::from(character))),
                _ if odd && self.one_in(8) => {
                    let mut units = [0; 2];
                    for unit in character.encode_utf16(&mut units) {
                        out.push_str(&format!("\\u{unit:04X}"));
                    }
                }
                _ => out.push(character),
            }
            if odd && self.one_in(60) {
                out.push_str(self.word(&words::ODD_ESCAPES, words::ESCAPES_FIRST));
            }
        }
        out.push('"');
    }

    fn damage(&mut self, value: &mut Vec<u8>) {
        for _ in 0..=self.below(3) {
            let (one, other) = (self.below(value.len() + 1), self.below(value.len() + 1));
            let (start, end) = (one.min(other), one.max(other));
            match self.below(6) {
                0 if start < value.len() => value[start] ^= 1 << self.below(8),
                1 => value.truncate(start),
                2 => drop(value.drain(start..end.min(start + 8))),
                3 => {
                    let copy = value[start..end].to_vec();
                    value.splice(end..end, copy);
                }
                _ => {
                    let token = self.pick(&words::TOKENS);
                    value.splice(start..start, token.iter().copied());
                }
            }
        }
    }
}
