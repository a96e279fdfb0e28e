//! Repeated log lines: one line, then a count. Pure: time is passed in.

use std::collections::HashMap;
use std::collections::hash_map::{DefaultHasher, Entry};
use std::hash::Hash;
use std::mem;
use std::time::{Duration, Instant};

/// Lines that are remembered; a text with something endless in it must not grow the table for ever.
const LINES_MAX: usize = 256;

/// Lets a line through once an interval, and says how often it was held back since.
#[derive(Debug)]
pub struct Repeats<L> {
    interval: Duration,
    seen: HashMap<u64, Seen<L>>,
    forgotten: Vec<Held<L>>,
}

#[derive(Debug)]
struct Seen<L> {
    since: Instant,
    last: Instant,
    held_back: u64,
    line: L,
}

/// A line, how often it was held back, and when it came last.
#[derive(Debug, PartialEq, Eq)]
pub struct Held<L> {
    pub line: L,
    pub times: u64,
    pub last: Instant,
}

impl<L> Held<L> {
    fn of(seen: Seen<L>) -> Option<Self> {
        (seen.held_back > 0).then_some(Self { line: seen.line, times: seen.held_back, last: seen.last })
    }
}

impl<L: Clone> Repeats<L> {
    pub fn new(interval: Duration) -> Self {
        Self { interval, seen: HashMap::new(), forgotten: Vec::new() }
    }

    /// `true`: say it. `false`: it was said already, and is counted. To be called after [`Repeats::due`].
    pub fn allow(&mut self, key: u64, line: impl FnOnce() -> L, now: Instant) -> bool {
        if !self.seen.contains_key(&key) && self.seen.len() >= LINES_MAX {
            self.make_room();
        }
        match self.seen.entry(key) {
            Entry::Occupied(mut seen) => {
                let seen = seen.get_mut();
                seen.last = now;
                seen.held_back += 1;
                false
            }
            Entry::Vacant(place) => {
                place.insert(Seen { since: now, last: now, held_back: 0, line: line() });
                true
            }
        }
    }

    /// The lines whose interval is over and that were held back in it. Those that were not are forgotten: they are said
    /// again when they come again.
    pub fn due(&mut self, now: Instant) -> Vec<Held<L>> {
        let mut due = mem::take(&mut self.forgotten);
        let interval = self.interval;
        self.seen.retain(|_, seen| {
            if now.saturating_duration_since(seen.since) < interval {
                return true;
            }
            if seen.held_back == 0 {
                return false;
            }
            due.push(Held { line: seen.line.clone(), times: mem::take(&mut seen.held_back), last: seen.last });
            seen.since = now;
            true
        });
        due
    }

    /// Everything that was held back and not said yet.
    pub fn rest(&mut self) -> Vec<Held<L>> {
        let held = mem::take(&mut self.seen).into_values().filter_map(Held::of);
        mem::take(&mut self.forgotten).into_iter().chain(held).collect()
    }

    /// Forgets the line that was quiet for longest.
    fn make_room(&mut self) {
        let oldest = self.seen.iter().min_by_key(|(_, seen)| seen.last).map(|(key, _)| *key);
        self.forgotten.extend(oldest.and_then(|key| self.seen.remove(&key)).and_then(Held::of));
    }
}

/// A hash by which lines are the same that differ in nothing but numbers of their own: librdkafka tells with each
/// repeat how many milliseconds it waited. Numbers that are part of a name (`10.0.0.1:9092/3`) count.
pub fn hash_of_text(text: &str, hasher: &mut DefaultHasher) {
    for word in text.split(|character: char| character.is_whitespace() || matches!(character, '(' | ')' | ',' | '#')) {
        let is_number = word.strip_suffix("ms").unwrap_or(word).bytes().all(|byte| byte.is_ascii_digit());
        if !is_number {
            word.hash(hasher);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::hash::Hasher as _;

    use super::*;

    #[test]
    fn a_repeated_line_is_said_once_and_then_counted_with_the_time_it_came_last() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let held = |line, times, last| Held { line, times, last: at(last) };
        let mut repeats = Repeats::new(Duration::from_secs(30));
        let mut hear = |key, line, seconds| {
            let due = repeats.due(at(seconds));
            (repeats.allow(key, || line, at(seconds)), due)
        };
        assert_eq!(hear(1, "broker down", 0), (true, vec![]));
        assert_eq!(hear(1, "broker down", 1), (false, vec![]));
        assert_eq!(hear(2, "something else", 29), (true, vec![]));
        // The count comes with any line when the time is over.
        assert_eq!(hear(3, "a third", 30), (true, vec![held("broker down", 1, 1)]));
        // It goes on: a count an interval, no line.
        assert_eq!(hear(1, "broker down", 31), (false, vec![]));
        assert_eq!(hear(1, "broker down", 59), (false, vec![]));
        assert_eq!(hear(1, "broker down", 60), (false, vec![held("broker down", 2, 59)]));
        // It ceased for an interval: when it comes again it is news.
        assert_eq!(hear(4, "a fourth", 90), (true, vec![held("broker down", 1, 60)]));
        assert_eq!(hear(1, "broker down", 120), (true, vec![]));
        assert_eq!(hear(1, "broker down", 121), (false, vec![]));
        assert_eq!(repeats.rest(), [held("broker down", 1, 121)]);
        assert_eq!(repeats.rest(), []);
    }

    #[test]
    fn endlessly_many_different_lines_take_no_more_room_and_no_count_is_lost() {
        let start = Instant::now();
        let mut repeats = Repeats::new(Duration::from_secs(30));
        repeats.allow(0, || "first", start);
        repeats.allow(0, || "first", start);
        for number in 1..10_000 {
            assert!(repeats.allow(number, || "another", start + Duration::from_millis(number)));
        }
        assert_eq!(repeats.seen.len(), LINES_MAX);
        assert_eq!(repeats.due(start), [Held { line: "first", times: 1, last: start }]);
    }

    #[test]
    fn a_clock_that_goes_back_holds_nothing_back_for_ever() {
        let start = Instant::now() + Duration::from_secs(100);
        let mut repeats = Repeats::new(Duration::from_secs(30));
        assert!(repeats.allow(1, || "a", start));
        let earlier = start - Duration::from_secs(50);
        assert!(!repeats.allow(1, || "a", earlier));
        assert_eq!(repeats.due(start + Duration::from_secs(30)), [Held { line: "a", times: 1, last: earlier }]);
    }

    #[test]
    fn lines_that_differ_in_how_long_it_took_are_the_same_and_those_about_two_brokers_are_not() {
        let hash = |text: &str| {
            let mut hasher = DefaultHasher::new();
            hash_of_text(text, &mut hasher);
            hasher.finish()
        };
        let line = |broker: &str, ms: u32| {
            format!(
                "[thrd:{broker}]: {broker}: Connect to ipv4#127.0.0.1:9092 failed: refused (after {ms}ms in state CONNECT, {ms} identical error(s) suppressed)"
            )
        };
        assert_eq!(hash(&line("127.0.0.1:9092/1", 1)), hash(&line("127.0.0.1:9092/1", 977)));
        assert_ne!(hash(&line("127.0.0.1:9092/1", 1)), hash(&line("127.0.0.1:9092/2", 1)));
    }
}
