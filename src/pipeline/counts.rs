//! What became of records, in numbers. Pure.

/// What became of a record, once all of it has been handed to the producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Delivered,
    DeadLettered,
    Skipped,
}

/// Records by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub polled: u64,
    pub delivered: u64,
    pub dead_lettered: u64,
    pub skipped: u64,
    pub abandoned: u64,
}

impl Counts {
    pub fn sealed(&self) -> u64 {
        self.delivered + self.dead_lettered + self.skipped
    }

    pub fn add(&mut self, other: &Self) {
        self.polled += other.polled;
        self.delivered += other.delivered;
        self.dead_lettered += other.dead_lettered;
        self.skipped += other.skipped;
        self.abandoned += other.abandoned;
    }
}
