//! Repeated log lines: one line, then a count. Pure: time is passed in.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Keys that are remembered; a text with something endless in it must not grow the table for ever.
const KEYS_MAX: usize = 256;

/// Lets a line through once an interval, and says how many were held back since.
#[derive(Debug)]
pub struct Repeats {
    interval: Duration,
    seen: HashMap<String, Seen>,
}

#[derive(Debug)]
struct Seen {
    last: Instant,
    suppressed: u64,
}

impl Repeats {
    pub fn new(interval: Duration) -> Self {
        Self { interval, seen: HashMap::new() }
    }

    /// `Some`: say it, and that so many of the same were not said since the last time. `None`: do not.
    pub fn allow(&mut self, key: &str, now: Instant) -> Option<u64> {
        if let Some(seen) = self.seen.get_mut(key) {
            if now.saturating_duration_since(seen.last) < self.interval {
                seen.suppressed += 1;
                return None;
            }
            seen.last = now;
            return Some(std::mem::take(&mut seen.suppressed));
        }
        if self.seen.len() >= KEYS_MAX {
            self.make_room();
        }
        self.seen.insert(key.to_owned(), Seen { last: now, suppressed: 0 });
        Some(0)
    }

    /// Forgets the key that was quiet for longest.
    fn make_room(&mut self) {
        let oldest = self.seen.iter().min_by_key(|(_, seen)| seen.last).map(|(key, _)| key.clone());
        if let Some(key) = oldest {
            self.seen.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_line_is_said_once_an_interval_with_the_number_that_was_not() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut repeats = Repeats::new(Duration::from_secs(30));
        assert_eq!(repeats.allow("broker down", at(0)), Some(0));
        assert_eq!(repeats.allow("broker down", at(1)), None);
        assert_eq!(repeats.allow("broker down", at(29)), None);
        assert_eq!(repeats.allow("something else", at(29)), Some(0));
        assert_eq!(repeats.allow("broker down", at(30)), Some(2));
        assert_eq!(repeats.allow("broker down", at(60)), Some(0));
    }

    #[test]
    fn endlessly_many_different_lines_take_no_more_room() {
        let start = Instant::now();
        let mut repeats = Repeats::new(Duration::from_secs(30));
        for number in 0..10_000 {
            assert_eq!(repeats.allow(&number.to_string(), start + Duration::from_millis(number)), Some(0));
        }
        assert_eq!(repeats.seen.len(), KEYS_MAX);
    }

    #[test]
    fn a_clock_that_goes_back_suppresses_nothing_for_ever() {
        let start = Instant::now() + Duration::from_secs(100);
        let mut repeats = Repeats::new(Duration::from_secs(30));
        assert_eq!(repeats.allow("a", start), Some(0));
        assert_eq!(repeats.allow("a", start - Duration::from_secs(50)), None);
        assert_eq!(repeats.allow("a", start + Duration::from_secs(30)), Some(1));
    }
}
