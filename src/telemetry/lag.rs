//! How far behind each partition is, in records and in seconds. Pure: offsets, statistics and times come in, numbers
//! come out.
//!
//! In records: from the first offset that is not sealed to the end that a reader of committed records sees; while an open
//! transaction holds that back, to the high watermark, as records wait behind it.
//!
//! Compaction leaves offsets without a record, and so do transactions until the seal has passed their markers. That is
//! told from a record that waits by two statistics: the first says that everything up to the end was put into the
//! consumer's queue, and when the second comes what was in the queue then has been polled.
//!
//! In seconds: the age of the oldest record that is not sealed. Its time is known when it was polled, also when it was
//! given back since. Of one that was never polled only the wait is known: since when it is seen that there is one, or,
//! in the middle of a backlog, the time of the record before it.

use std::collections::{HashMap, VecDeque};

use super::statistics::Fetched;

/// Times of records that are remembered by partition. Beyond it the newest are not taken down: the oldest are what counts.
const SAMPLES_MAX: usize = 4096;

/// Times as close as this to the one before tell nothing new, in milliseconds.
const SAMPLE_EVERY_MS: u64 = 100;

/// Where a partition of ours stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Everything below is sealed.
    pub sealed: i64,
    /// The next offset to poll.
    pub next: i64,
}

/// How far behind a partition is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Behind {
    pub records: i64,
    pub seconds: f64,
}

/// Whether the consumer fetches at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fetching {
    Going,
    /// The partitions are paused: what the client had fetched ahead it throws away.
    Paused,
}

/// Everything fetched up to an offset, some of it still in the consumer's queue.
#[derive(Clone, Copy, Debug)]
struct Fetch {
    through: i64,
    /// The queue was empty again when so many records were polled in all, or when it was found empty once more.
    polled: u64,
    drains: u64,
}

#[derive(Debug, Default)]
struct Partition {
    end: Option<i64>,
    /// The end in the last statistics: it stands still while the client does not fetch.
    told_end: Option<i64>,
    /// The high watermark, while an open transaction holds back the end.
    open_to: Option<i64>,
    fetch: Option<Fetch>,
    /// Every record below was polled.
    read_through: i64,
    /// Offsets with their times, the first at or below what is sealed.
    samples: VecDeque<(i64, i64)>,
    /// One past the last record that was ever polled.
    seen: i64,
    last_time_ms: Option<i64>,
    sealed: i64,
    waiting_since_ms: Option<i64>,
}

/// The books, by any number that stands for a partition while it is ours.
#[derive(Debug, Default)]
pub struct Lag {
    partitions: HashMap<usize, Partition>,
    polled: u64,
    drains: u64,
}

impl Lag {
    /// Records were polled, given as offset and time, in order.
    pub fn polled(&mut self, partition: usize, records: impl Iterator<Item = (i64, Option<i64>)>) {
        let books = self.partitions.entry(partition).or_default();
        for (offset, time_ms) in records {
            self.polled += 1;
            books.seen = books.seen.max(offset + 1);
            let Some(time_ms) = time_ms else { continue };
            books.last_time_ms = Some(time_ms);
            let known = books.samples.back().is_some_and(|(last, at)| {
                // What comes again after it was given back is known, too.
                offset <= *last || time_ms.abs_diff(*at) < SAMPLE_EVERY_MS
            });
            if !known && books.samples.len() < SAMPLES_MAX {
                books.samples.push_back((offset, time_ms));
            }
        }
    }

    /// The consumer's queue was found empty.
    pub fn drained(&mut self) {
        self.drains += 1;
    }

    /// Positions have changed, or fetching was stopped: what was fetched may be fetched again.
    pub fn forget_fetched(&mut self) {
        for books in self.partitions.values_mut() {
            books.fetch = None;
            books.read_through = 0;
        }
    }

    /// Forgets partitions that are not ours any more.
    pub fn retain(&mut self, ours: impl Fn(usize) -> bool) {
        self.partitions.retain(|partition, _| ours(*partition));
    }

    /// What the statistics say about a partition. `true`: they do not tell its end, it has to be looked up.
    pub fn fetched(&mut self, partition: usize, now: Fetched, fetching: Fetching, position: Position) -> bool {
        let (polled, drains) = (self.polled, self.drains);
        let books = self.partitions.entry(partition).or_default();
        let told_again = books.told_end.replace(now.end) == Some(now.end);
        if now.end >= 0 && !told_again {
            books.end = Some(now.end);
        }
        if now.end >= 0 && fetching == Fetching::Going {
            books.open_to = (now.high > now.end).then_some(now.high);
        }
        if fetching == Fetching::Paused {
            books.fetch = None;
            return true;
        }
        if let Some(fetch) = books.fetch
            && now.next_offset >= fetch.through
            && (polled >= fetch.polled || drains > fetch.drains)
        {
            books.read_through = fetch.through;
        }
        books.fetch = Some(Fetch { through: now.next_offset, polled: polled + now.queued, drains });
        let at_end = books.end.is_some_and(|end| position.next.max(books.read_through) >= end);
        !at_end && told_again
    }

    /// The end of a partition was looked up: the last stable offset and the high watermark.
    pub fn end(&mut self, partition: usize, end: i64, high: i64) {
        if let Some(books) = self.partitions.get_mut(&partition) {
            books.end = Some(end);
            books.open_to = (high > end).then_some(high);
        }
    }

    /// How far behind a partition is; `None` until its end is known.
    pub fn behind(&mut self, partition: usize, position: Position, now_ms: i64) -> Option<Behind> {
        let books = self.partitions.get_mut(&partition)?;
        let end = books.end?;
        let Position { sealed, next } = position;
        let moved = sealed != books.sealed;
        books.sealed = sealed;
        while books.samples.get(1).is_some_and(|(offset, _)| *offset <= sealed) {
            books.samples.pop_front();
        }
        let is_read = books.open_to.is_none() && next == sealed && books.read_through >= end;
        let end = books.open_to.unwrap_or(end);
        if sealed >= end || is_read {
            books.waiting_since_ms = None;
            return Some(Behind::default());
        }
        let since_ms = books.oldest_ms(sealed).unwrap_or_else(|| {
            let before = books.last_time_ms.filter(|_| moved);
            *books.waiting_since_ms.insert(before.or(books.waiting_since_ms).unwrap_or(now_ms))
        });
        Some(Behind { records: end - sealed, seconds: now_ms.saturating_sub(since_ms).max(0) as f64 / 1e3 })
    }
}

impl Partition {
    /// The time of the first record that is not sealed, when it was ever polled.
    fn oldest_ms(&mut self, sealed: i64) -> Option<i64> {
        if self.seen <= sealed {
            return None;
        }
        self.waiting_since_ms = None;
        // Records between two samples have about the time of the first.
        self.samples.front().map(|(_, time_ms)| *time_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_000_000;

    fn at(sealed: i64, next: i64) -> Position {
        Position { sealed, next }
    }

    fn told(end: i64, next_offset: i64, queued: u64) -> Fetched {
        Fetched { end, high: end, next_offset, queued }
    }

    fn behind(records: i64, seconds: f64) -> Option<Behind> {
        Some(Behind { records, seconds })
    }

    #[test]
    fn the_oldest_unsealed_record_gives_the_age() {
        let mut lag = Lag::default();
        lag.fetched(0, told(10, 10, 0), Fetching::Going, at(0, 0));
        lag.polled(0, (0..10).map(|offset| (offset, Some(NOW - 10_000 + offset * 1_000))));
        assert_eq!(lag.behind(0, at(0, 10), NOW), behind(10, 10.0));
        assert_eq!(lag.behind(0, at(4, 10), NOW), behind(6, 6.0));
        assert_eq!(lag.behind(0, at(4, 10), NOW + 500), behind(6, 6.5));
        assert_eq!(lag.behind(0, at(10, 10), NOW), behind(0, 0.0));
    }

    #[test]
    fn a_record_that_was_given_back_keeps_its_age() {
        let mut lag = Lag::default();
        lag.fetched(0, told(5, 5, 0), Fetching::Going, at(0, 0));
        lag.polled(0, (0..5).map(|offset| (offset, Some(NOW - 60_000 + offset * 1_000))));
        lag.behind(0, at(2, 5), NOW);
        lag.forget_fetched();
        assert_eq!(lag.behind(0, at(2, 2), NOW), behind(3, 58.0));
        lag.polled(0, (2..5).map(|offset| (offset, Some(NOW - 60_000 + offset * 1_000))));
        assert_eq!(lag.behind(0, at(3, 5), NOW), behind(2, 57.0));
    }

    #[test]
    fn a_trailing_marker_is_no_lag_once_two_statistics_say_so() {
        let mut lag = Lag::default();
        lag.polled(0, (0..10).map(|offset| (offset, Some(NOW))));
        // The end is 11 because of the marker at 10.
        assert!(!lag.fetched(0, told(11, 11, 3), Fetching::Going, at(10, 10)));
        assert_eq!(lag.behind(0, at(10, 10), NOW), behind(1, 0.0));
        lag.fetched(0, told(11, 11, 3), Fetching::Going, at(10, 10));
        assert_eq!(lag.behind(0, at(10, 10), NOW).map(|behind| behind.records), Some(1), "three records were queued");
        lag.drained();
        lag.fetched(0, told(11, 11, 0), Fetching::Going, at(10, 10));
        assert_eq!(lag.behind(0, at(10, 10), NOW), behind(0, 0.0));
        // A record behind it counts again.
        lag.fetched(0, told(12, 11, 0), Fetching::Going, at(10, 10));
        assert_eq!(lag.behind(0, at(10, 10), NOW).map(|behind| behind.records), Some(2));
    }

    #[test]
    fn under_load_of_others_a_trailing_marker_is_seen_through_by_counting() {
        let mut lag = Lag::default();
        lag.fetched(0, told(11, 11, 300), Fetching::Going, at(10, 10));
        lag.polled(1, (0..299).map(|offset| (offset, None)));
        lag.fetched(0, told(11, 11, 300), Fetching::Going, at(10, 10));
        assert_ne!(lag.behind(0, at(10, 10), NOW), behind(0, 0.0));
        lag.polled(1, (299..600).map(|offset| (offset, None)));
        lag.fetched(0, told(11, 11, 300), Fetching::Going, at(10, 10));
        assert_eq!(lag.behind(0, at(10, 10), NOW), behind(0, 0.0));
    }

    #[test]
    fn what_was_fetched_before_a_pause_or_a_rewind_was_not_read() {
        let mut lag = Lag::default();
        lag.fetched(0, told(11, 11, 0), Fetching::Going, at(5, 5));
        lag.drained();
        assert!(lag.fetched(0, told(11, 11, 0), Fetching::Paused, at(5, 5)), "the end has to be looked up");
        lag.drained();
        lag.fetched(0, told(11, 11, 0), Fetching::Going, at(5, 5));
        assert_eq!(lag.behind(0, at(5, 5), NOW).map(|behind| behind.records), Some(6));
        lag.drained();
        lag.forget_fetched();
        lag.fetched(0, told(11, 5, 0), Fetching::Going, at(5, 5));
        assert_eq!(lag.behind(0, at(5, 5), NOW).map(|behind| behind.records), Some(6));
    }

    #[test]
    fn an_end_that_stands_still_before_it_is_reached_is_looked_up() {
        let mut lag = Lag::default();
        assert!(!lag.fetched(0, told(10, 3, 3), Fetching::Going, at(0, 0)));
        assert!(lag.fetched(0, told(10, 3, 3), Fetching::Going, at(0, 0)));
        lag.end(0, 25, 25);
        assert_eq!(lag.behind(0, at(0, 0), NOW).map(|behind| behind.records), Some(25));
        assert!(lag.fetched(0, told(10, 3, 3), Fetching::Going, at(0, 0)));
        assert_eq!(lag.behind(0, at(0, 0), NOW).map(|behind| behind.records), Some(25), "old news change nothing");
    }

    #[test]
    fn of_a_record_that_was_never_polled_the_wait_is_known() {
        let mut lag = Lag::default();
        lag.polled(0, [(0, Some(NOW - 86_400_000))].into_iter());
        lag.fetched(0, told(1, 1, 0), Fetching::Going, at(1, 1));
        assert_eq!(lag.behind(0, at(1, 1), NOW), behind(0, 0.0));
        lag.end(0, 2, 2);
        assert_eq!(lag.behind(0, at(1, 1), NOW), behind(1, 0.0), "the topic was idle for a day, the record is new");
        assert_eq!(lag.behind(0, at(1, 1), NOW + 7_000), behind(1, 7.0));
        // In the middle of a backlog the record before it tells the time.
        lag.polled(0, [(1, Some(NOW - 5_000_000))].into_iter());
        lag.end(0, 100, 100);
        assert_eq!(lag.behind(0, at(2, 2), NOW), behind(98, 5_000.0));
        assert_eq!(lag.behind(0, at(2, 2), NOW + 1_000), behind(98, 5_001.0));
    }

    #[test]
    fn records_of_impossible_times_wait_like_any_other() {
        for times in [[i64::MIN, i64::MAX], [i64::MAX, i64::MIN]] {
            let mut lag = Lag::default();
            lag.polled(0, (0..).zip(times.map(Some)));
            lag.fetched(0, told(2, 2, 0), Fetching::Going, at(0, 2));
            for sealed in [0, 1] {
                assert_eq!(lag.behind(0, at(sealed, 2), NOW).map(|behind| behind.records), Some(2 - sealed));
            }
        }
    }

    #[test]
    fn endlessly_many_unsealed_records_take_bounded_room() {
        let mut lag = Lag::default();
        lag.polled(0, (0..1_000_000).map(|offset| (offset, Some(offset * 1_000))));
        assert_eq!(lag.partitions[&0].samples.len(), SAMPLES_MAX);
        lag.polled(1, (0..1_000_000).map(|offset| (offset, Some(NOW))));
        assert_eq!(lag.partitions[&1].samples.len(), 1);
    }

    #[test]
    fn behind_an_open_transaction_lag_goes_to_the_high_watermark() {
        let mut lag = Lag::default();
        let open = Fetched { end: 10, high: 300, next_offset: 10, queued: 0 };
        lag.polled(0, (0..10).map(|offset| (offset, Some(NOW))));
        for _ in 0..3 {
            lag.fetched(0, open, Fetching::Going, at(10, 10));
            lag.drained();
        }
        assert_eq!(lag.behind(0, at(10, 10), NOW), behind(290, 0.0));
        assert_eq!(lag.behind(0, at(10, 10), NOW + 60_000), behind(290, 60.0));
        // It ends, and nothing of it was for us.
        let ended = Fetched { end: 301, high: 301, next_offset: 301, ..open };
        lag.fetched(0, ended, Fetching::Going, at(301, 301));
        assert_eq!(lag.behind(0, at(301, 301), NOW), behind(0, 0.0));
        lag.end(0, 301, 400);
        assert_eq!(lag.behind(0, at(301, 301), NOW).map(|behind| behind.records), Some(99), "looked up");
    }
}
