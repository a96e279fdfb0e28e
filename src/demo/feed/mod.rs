//! A realistic stream of input records: traffic of two dozen tenants in all shapes that sources and shippers write, with poison among
//! it, and what has to become of each record. For the demo, for trying out a real cluster, and for benchmarks.
//!
//! Pure and seeded: the same seed gives the same records byte for byte.

mod dice;
mod expected;
mod mail;
mod poison;
mod text;
mod words;
mod wrap;

#[cfg(test)]
mod tests;

pub use expected::{Expected, Fate, Totals};

use dice::Dice;
use mail::{Mail, Stage};

/// Mails whose final trace is still to come.
const UNDER_WAY: usize = 256;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedRecord {
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(&'static str, Option<Vec<u8>>)>,
    pub timestamp_ms: i64,
    pub expected: Expected,
}

/// The service's limits that some of the poison has to exceed.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// `input.max_traces`.
    pub max_traces: usize,
    /// `input.max_payload_bytes`, when the topic takes records larger than that; otherwise none is made.
    pub max_payload_bytes: Option<usize>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_traces: 20_000, max_payload_bytes: None }
    }
}

/// The stream. In a thousand records 15 are poison, 3 hold nothing, 15 are pages (a tenth of them with a bad trace), 200 are in an
/// envelope, and the rest are traces as they stand.
#[derive(Clone, Debug)]
pub struct Feed {
    dice: Dice,
    records: u64,
    limits: Limits,
    timestamp_ms: i64,
    under_way: Vec<Mail>,
    /// One trace, reused.
    trace: String,
}

impl Feed {
    pub fn new(seed: u64, records: u64) -> Self {
        Self {
            dice: Dice::new(seed),
            records,
            limits: Limits::default(),
            timestamp_ms: 1_780_000_000_000,
            under_way: Vec::with_capacity(UNDER_WAY),
            trace: String::with_capacity(2048),
        }
    }

    /// The time of the first record. The others follow within a millisecond of each other.
    pub fn starting_at(self, timestamp_ms: i64) -> Self {
        Self { timestamp_ms, ..self }
    }

    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    fn record(&mut self) -> FeedRecord {
        match self.dice.below(1000) {
            0..15 => {
                let mail = self.new_mail();
                let (value, kind) = poison::record(&mut self.dice, mail, self.limits);
                self.finish(mail.key(), value, Expected { events: 0, dead_letters: vec![kind] })
            }
            15..18 => {
                let value = wrap::empty(&mut self.dice).as_bytes().to_vec();
                self.finish(None, Some(value), Expected::default())
            }
            18..33 => self.page(),
            percent => {
                let (mail, stage) = self.next_mail();
                self.trace.clear();
                mail.write(stage, &mut self.trace);
                let mut value = String::with_capacity(self.trace.len() * 5 / 4 + 256);
                if percent < 233 {
                    wrap::envelope(&mut self.dice, &self.trace, &mut value);
                } else {
                    wrap::plain(&mut self.dice, &self.trace, &mut value);
                }
                let value = wrap::encoded(&mut self.dice, value);
                self.finish(mail.key(), Some(value), Expected { events: 1, dead_letters: Vec::new() })
            }
        }
    }

    fn page(&mut self) -> FeedRecord {
        let mut expected = Expected::default();
        let count = 1 + self.dice.below(24);
        let bad = self.dice.one_in(10).then(|| self.dice.below(count));
        let between = wrap::Between::of(&mut self.dice);
        self.trace.clear();
        for nth in 0..count {
            if nth > 0 {
                self.trace.push(between.character());
            }
            if bad == Some(nth) {
                let mail = self.new_mail();
                expected.dead_letters.push(poison::trace(&mut self.dice, mail, &mut self.trace));
            } else {
                let (mail, stage) = self.next_mail();
                mail.write(stage, &mut self.trace);
                expected.events += 1;
            }
        }
        let mut value = String::with_capacity(self.trace.len() * 5 / 4 + 512);
        wrap::page(&mut self.dice, &self.trace, between, &mut value);
        let value = wrap::encoded(&mut self.dice, value);
        self.finish(None, Some(value), expected)
    }

    /// A mail that was not seen before, or the end of one that was.
    fn next_mail(&mut self) -> (Mail, Stage) {
        if !self.under_way.is_empty() && self.dice.one_in(6) {
            let which = self.dice.below(self.under_way.len() as u64) as usize;
            return (self.under_way.swap_remove(which), Stage::Final);
        }
        let mail = self.new_mail();
        if mail.is_under_way() && self.under_way.len() < UNDER_WAY {
            self.under_way.push(mail);
        }
        (mail, Stage::First)
    }

    fn new_mail(&mut self) -> Mail {
        let age_ms = self.dice.below(90_000) as i64;
        Mail { seed: self.dice.roll(), received_ms: self.timestamp_ms - age_ms }
    }

    fn finish(&mut self, key: Option<Vec<u8>>, value: Option<Vec<u8>>, expected: Expected) -> FeedRecord {
        self.timestamp_ms += self.dice.below(2) as i64;
        let headers = headers(&mut self.dice);
        FeedRecord { key, value, headers, timestamp_ms: self.timestamp_ms, expected }
    }
}

impl Iterator for Feed {
    type Item = FeedRecord;

    fn next(&mut self) -> Option<FeedRecord> {
        self.records = self.records.checked_sub(1)?;
        Some(self.record())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = usize::try_from(self.records);
        (left.unwrap_or(usize::MAX), left.ok())
    }
}

/// Most records have no headers; some carry a trace context, a few what has to be passed on although it is odd, or replaced.
fn headers(dice: &mut Dice) -> Vec<(&'static str, Option<Vec<u8>>)> {
    match dice.below(100) {
        0..15 => {
            let mut traceparent = String::with_capacity(55);
            traceparent.push_str("00-");
            text::hex(&mut traceparent, dice, 32);
            traceparent.push('-');
            text::hex(&mut traceparent, dice, 16);
            traceparent.push_str("-01");
            vec![("traceparent", Some(traceparent.into_bytes()))]
        }
        15..20 => vec![("content-type", Some(b"application/json".to_vec()))],
        20 => vec![("hop", Some(b"relay-1".to_vec())), ("hop", Some(b"relay-2".to_vec())), ("note", None)],
        21 => vec![("site", Some(b"Mus\xe9e".to_vec())), ("messagetrace.source", Some(b"mail.archive/0/17".to_vec()))],
        _ => Vec::new(),
    }
}
