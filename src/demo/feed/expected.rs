//! What has to become of the feed, so that whoever reads the other end can be checked.

use crate::normalize::Kind;

/// What has to become of one record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    pub events: u32,
    /// One dead letter each, in order.
    pub dead_letters: Vec<Kind>,
}

/// A record's fate, counted once a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Delivered,
    DeadLettered,
    Skipped,
}

impl Expected {
    pub fn fate(&self) -> Fate {
        match (self.events, self.dead_letters.is_empty()) {
            (_, false) => Fate::DeadLettered,
            (0, true) => Fate::Skipped,
            (_, true) => Fate::Delivered,
        }
    }
}

/// What has to become of many records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub records: u64,
    pub delivered: u64,
    pub dead_lettered: u64,
    pub skipped: u64,
    pub events: u64,
    dead_letters: [u64; Kind::ALL.len()],
}

impl Totals {
    pub fn add(&mut self, expected: &Expected) {
        self.records += 1;
        self.events += u64::from(expected.events);
        for kind in &expected.dead_letters {
            self.dead_letters[*kind as usize] += 1;
        }
        *match expected.fate() {
            Fate::Delivered => &mut self.delivered,
            Fate::DeadLettered => &mut self.dead_lettered,
            Fate::Skipped => &mut self.skipped,
        } += 1;
    }

    /// Dead letters of each kind that there are any of.
    pub fn dead_letters(&self) -> impl Iterator<Item = (Kind, u64)> {
        Kind::ALL.into_iter().zip(self.dead_letters).filter(|(_, count)| *count > 0)
    }
}
