//! How it goes, in one line: for the log every 30 s, and on a terminal four times a second under it. Told from the
//! metrics alone, by whoever has the time, so that it also comes when the engine does not turn.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::health::Health;
use super::logs;
use super::metrics::Metrics;
use crate::normalize::Kind;
use crate::text::grouped;

/// Between two lines in the log.
const LOG_EVERY: Duration = Duration::from_secs(30);

/// Between two looks of the status line, which shows the rates of the last [`SHOWN`].
const SHOW_EVERY: Duration = Duration::from_millis(250);

/// Over how many looks a rate is taken that people watch: a commit every half second would make it jump.
const SHOWN: usize = 8;

/// What the counters said at a time.
#[derive(Clone, Debug)]
struct Counts {
    at: Instant,
    polled: u64,
    events: u64,
    letters: [u64; Kind::ALL.len()],
}

impl Counts {
    fn of(metrics: &Metrics, at: Instant) -> Self {
        Self {
            at,
            polled: metrics.records_polled.get(),
            events: metrics.events_produced.get(),
            letters: Kind::ALL.map(|kind| metrics.dead_letters_so_far(kind)),
        }
    }

    /// What came since.
    fn since(&self, before: &Self) -> Pace {
        let seconds = self.at.saturating_duration_since(before.at).as_secs_f64().max(1e-3);
        let rate = |now: u64, then: u64| (now.saturating_sub(then) as f64 / seconds).round();
        let mut letters = self.letters;
        for (now, then) in letters.iter_mut().zip(before.letters) {
            *now = now.saturating_sub(then);
        }
        Pace { records_in: rate(self.polled, before.polled), events_out: rate(self.events, before.events), letters }
    }
}

/// What moved, a second.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Pace {
    records_in: f64,
    events_out: f64,
    /// Dead letters in the whole time, by kind.
    letters: [u64; Kind::ALL.len()],
}

/// Whether somebody watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    Log,
    Terminal,
}

/// Tells how it goes when it is time to.
#[derive(Debug)]
pub struct Summary {
    metrics: Arc<Metrics>,
    health: Arc<Health>,
    audience: Audience,
    logged: Counts,
    shown: Vec<Counts>,
}

impl Summary {
    pub fn new(metrics: Arc<Metrics>, health: Arc<Health>, audience: Audience) -> Self {
        let now = Counts::of(&metrics, Instant::now());
        Self { metrics, health, audience, logged: now.clone(), shown: vec![now] }
    }

    /// To be called often.
    pub fn look(&mut self) {
        let now = Instant::now();
        if now >= self.logged.at + LOG_EVERY {
            self.log(now);
        }
        let shown = self.shown.last().map_or(now, |counts| counts.at + SHOW_EVERY);
        if self.audience == Audience::Terminal && now >= shown {
            let counts = Counts::of(&self.metrics, now);
            self.shown.push(counts.clone());
            let pace = counts.since(&self.shown[0]);
            if self.shown.len() > SHOWN {
                self.shown.remove(0);
            }
            let state = self.health.state();
            logs::status(Some(status_line(&state, pace, &counts.letters, self.metrics.lag(), logs::colour_wanted())));
        }
    }

    fn log(&mut self, now: Instant) {
        let counts = Counts::of(&self.metrics, now);
        let Pace { records_in, events_out, letters } = counts.since(&self.logged);
        let (lag_records, lag_seconds) = self.metrics.lag();
        tracing::info!(
            state = self.health.state().as_str(),
            records_in_per_second = records_in as u64,
            events_out_per_second = events_out as u64,
            dead_letters = letters.iter().sum::<u64>(),
            dead_letters_by_kind = by_kind(&letters, usize::MAX),
            lag_records,
            lag_seconds,
            "at work"
        );
        self.logged = counts;
    }
}

impl Drop for Summary {
    /// Whatever comes next on the terminal stands where the status line stood.
    fn drop(&mut self) {
        if self.audience == Audience::Terminal {
            logs::status(None);
        }
    }
}

/// `working  12,345 records/s in  12,001 events/s out  lag 17 (0.2 s)  9 dead letters: invalid_json 7, missing_field 2`
fn status_line(
    state: &str,
    pace: Pace,
    letters: &[u64; Kind::ALL.len()],
    (lag_records, lag_seconds): (i64, f64),
    colour: bool,
) -> String {
    let paint = if state == "working" { 32 } else { 33 };
    let mut line = if colour { format!("\u{1b}[{paint}m{state}\u{1b}[0m") } else { state.to_owned() };
    let (records_in, events_out) = (grouped(pace.records_in as u64), grouped(pace.events_out as u64));
    let lag = grouped(lag_records.unsigned_abs());
    let _ = write!(line, "  {records_in} records/s in  {events_out} events/s out  lag {lag} ({lag_seconds:.1} s)");
    let sum = letters.iter().sum::<u64>();
    if sum > 0 {
        let _ = write!(line, "  {} dead letters: {}", grouped(sum), by_kind(letters, 3));
    }
    line
}

/// The most frequent kinds first.
fn by_kind(letters: &[u64; Kind::ALL.len()], most: usize) -> String {
    let mut kinds: Vec<_> = Kind::ALL.into_iter().zip(letters).filter(|(_, count)| **count > 0).collect();
    kinds.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let more = kinds.len() > most;
    let mut texts: Vec<_> =
        kinds.into_iter().take(most).map(|(kind, count)| format!("{} {}", kind.name(), grouped(*count))).collect();
    if more {
        texts.push("…".to_owned());
    }
    texts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letters(some: &[(Kind, u64)]) -> [u64; Kind::ALL.len()] {
        Kind::ALL.map(|kind| some.iter().find(|(known, _)| *known == kind).map_or(0, |(_, count)| *count))
    }

    #[test]
    fn a_pace_is_what_came_in_between() {
        let start = Instant::now();
        let counts = |seconds, polled, events, failed| Counts {
            at: start + Duration::from_secs(seconds),
            polled,
            events,
            letters: letters(&[(Kind::InvalidJson, failed)]),
        };
        let pace = counts(30, 61_000, 31_000, 5).since(&counts(0, 1_000, 1_000, 2));
        let expected = Pace { records_in: 2_000.0, events_out: 1_000.0, letters: letters(&[(Kind::InvalidJson, 3)]) };
        assert_eq!(pace, expected);
    }

    #[test]
    fn the_status_line_says_what_a_person_wants_to_know() {
        let pace = Pace { records_in: 12_345.0, events_out: 999.0, letters: letters(&[]) };
        let failed = letters(&[(Kind::InvalidJson, 7), (Kind::MissingField, 1_200)]);
        let (none, line) = (letters(&[]), |letters, colour| status_line("working", pace, letters, (17, 0.25), colour));
        let plain = "working  12,345 records/s in  999 events/s out  lag 17 (0.2 s)";
        assert_eq!(line(&none, false), plain);
        let with_letters = format!("{plain}  1,207 dead letters: missing_field 1,200, invalid_json 7");
        assert_eq!(line(&failed, false), with_letters);
        assert!(line(&failed, true).starts_with("\u{1b}[32mworking\u{1b}[0m  "));
    }
}
