//! What was handed over since the last seal, counted for the metrics: it becomes true when it is sealed, and nothing
//! when it is undone.

use crate::normalize::{Kind, Rejection};

/// Counts of one window between two seals.
#[derive(Debug, Default)]
pub struct Tally {
    pub events: u64,
    pub produced_bytes: u64,
    /// Dead letters by kind, in the order of [`Kind::ALL`].
    pub dead_letters: [u64; Kind::ALL.len()],
    pub fingerprints: Vec<String>,
    /// Samples, one a batch: input timestamp in milliseconds, received time in microseconds.
    pub timestamps_ms: Vec<i64>,
    pub received_us: Vec<i64>,
    sample_due: bool,
}

impl Tally {
    /// A batch begins: its first event is the sample.
    pub fn batch(&mut self, timestamp_ms: Option<i64>) {
        self.timestamps_ms.extend(timestamp_ms);
        self.sample_due = true;
    }

    pub fn event(&mut self, bytes: usize, received_us: i64) {
        self.events += 1;
        self.produced_bytes += bytes as u64;
        if self.sample_due {
            self.received_us.push(received_us);
            self.sample_due = false;
        }
    }

    /// The kind of most dead letters.
    pub fn most_rejected(&self) -> Option<Kind> {
        let counts = Kind::ALL.into_iter().zip(self.dead_letters);
        counts.filter(|(_, letters)| *letters > 0).max_by_key(|(_, letters)| *letters).map(|(kind, _)| kind)
    }

    pub fn dead_letter(&mut self, rejection: &Rejection, bytes: usize) {
        self.produced_bytes += bytes as u64;
        if let Some(at) = Kind::ALL.iter().position(|kind| *kind == rejection.kind) {
            self.dead_letters[at] += 1;
        }
        let fingerprint = rejection.fingerprint();
        if !self.fingerprints.contains(&fingerprint) {
            self.fingerprints.push(fingerprint);
        }
    }
}
