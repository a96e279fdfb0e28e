//! The breaker: a bad deploy must not turn a topic into dead letters.
//!
//! Pure, like [`decide`](super::decide), which consults it. Closed, it looks back on the last records; when more than
//! the allowed share of them was rejected it opens, and nothing is taken for a while. Then a small batch is let
//! through for real: nothing else can tell whether the records have become good again, as the same record comes out the
//! same however often it is tried. A batch that passes closes the breaker; one that does not makes the next pause
//! longer.

use std::collections::VecDeque;
use std::time::Duration;

/// When it opens, and how it tries again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// More than this share of `window` opens it.
    pub ratio: f64,
    /// Records that are looked back on.
    pub window: u32,
    /// The first pause; doubles from there.
    pub first_pause: Duration,
    pub last_pause: Duration,
}

/// The share of the window that a trial is, as a divisor.
const TRIAL_SHARE: u32 = 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed,
    /// Nothing is taken until then.
    Open {
        until: Duration,
    },
    /// So many records of the trial were handed over, so many of them rejected.
    Trying {
        handed: u32,
        rejected: u32,
    },
}

/// What a record's fate led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Unchanged,
    /// It opened: what was not handed over yet is to be given back.
    Opened,
    /// The trial passed.
    Closed,
    /// The trial did not pass: the next one comes after a longer pause.
    StaysOpen,
}

#[derive(Clone, Debug)]
pub struct Breaker {
    limits: Limits,
    state: State,
    /// Whether each of the last records was rejected, the oldest first.
    window: VecDeque<bool>,
    rejected: u32,
    /// The newest records of the window that are not sealed: they will come again when they are given back.
    unsealed: usize,
    /// What of a trial is sealed: handed over, rejected.
    trial_sealed: (u32, u32),
    /// Pauses since it was last closed.
    pauses: u32,
}

impl Breaker {
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            state: State::Closed,
            window: VecDeque::new(),
            rejected: 0,
            unsealed: 0,
            trial_sealed: (0, 0),
            pauses: 0,
        }
    }

    pub fn is_open(&self) -> bool {
        self.state != State::Closed
    }

    /// Until when nothing is taken, when that is not over yet.
    pub fn holds_until(&self, now: Duration) -> Option<Duration> {
        match self.state {
            State::Open { until } if now < until => Some(until),
            State::Open { .. } | State::Closed | State::Trying { .. } => None,
        }
    }

    /// How many records may be on the way beyond those that were handed over; `None`: any number.
    pub fn room(&self, now: Duration) -> Option<u64> {
        match self.state {
            State::Closed => None,
            State::Open { until } if now < until => Some(0),
            State::Open { .. } => Some(self.trial().into()),
            State::Trying { handed, .. } => Some(self.trial().saturating_sub(handed).into()),
        }
    }

    /// A record was handed over.
    pub fn handed(&mut self, rejected: bool, now: Duration) -> Verdict {
        match self.state {
            State::Closed => {
                self.remember(rejected);
                if !self.is_too_much(self.rejected, self.limits.window) {
                    return Verdict::Unchanged;
                }
                self.open(now);
                Verdict::Opened
            }
            // What was on the way already: it is given back, and judged when it comes again.
            State::Open { until } if now < until => Verdict::Unchanged,
            State::Open { .. } => self.tried(1, rejected.into(), now),
            State::Trying { handed, rejected: before } => self.tried(handed + 1, before + u32::from(rejected), now),
        }
    }

    fn tried(&mut self, handed: u32, rejected: u32, now: Duration) -> Verdict {
        self.state = State::Trying { handed, rejected };
        if handed < self.trial() {
            return Verdict::Unchanged;
        }
        if self.is_too_much(rejected, handed) {
            self.open(now);
            return Verdict::StaysOpen;
        }
        self.state = State::Closed;
        self.pauses = 0;
        Verdict::Closed
    }

    pub fn sealed(&mut self) {
        self.unsealed = 0;
        if let State::Trying { handed, rejected } = self.state {
            self.trial_sealed = (handed, rejected);
        }
    }

    /// What was not sealed will come again: it must not be judged twice.
    pub fn rewound(&mut self) {
        for _ in 0..self.unsealed {
            self.rejected -= u32::from(self.window.pop_back().unwrap_or_default());
        }
        self.unsealed = 0;
        if matches!(self.state, State::Trying { .. }) {
            let (handed, rejected) = self.trial_sealed;
            self.state = State::Trying { handed, rejected };
        }
    }

    /// For an engine whose time begins at `now`, and to which all that was not sealed comes again.
    #[must_use]
    pub fn handed_on(mut self, now: Duration) -> Self {
        self.rewound();
        if let State::Open { until } = &mut self.state {
            *until = until.saturating_sub(now);
        }
        self
    }

    fn remember(&mut self, rejected: bool) {
        if self.window.len() == self.limits.window as usize {
            self.rejected -= u32::from(self.window.pop_front().unwrap_or_default());
            self.unsealed = self.unsealed.min(self.window.len());
        }
        self.window.push_back(rejected);
        self.rejected += u32::from(rejected);
        self.unsealed += 1;
    }

    fn open(&mut self, now: Duration) {
        let pause = self.limits.first_pause * (1 << self.pauses.min(16));
        self.pauses = self.pauses.saturating_add(1);
        self.state = State::Open { until: now + pause.min(self.limits.last_pause) };
        // What went before says nothing about what comes after.
        self.window.clear();
        self.rejected = 0;
        self.unsealed = 0;
        self.trial_sealed = (0, 0);
    }

    /// Records of one trial.
    fn trial(&self) -> u32 {
        self.limits.window.div_ceil(TRIAL_SHARE)
    }

    fn is_too_much(&self, rejected: u32, of: u32) -> bool {
        f64::from(rejected) > self.limits.ratio * f64::from(of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits =
        Limits { ratio: 0.5, window: 100, first_pause: Duration::from_secs(1), last_pause: Duration::from_secs(300) };
    const TRIAL: u32 = 10;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Hands over records until something changes.
    fn until_changed(breaker: &mut Breaker, rejected: bool, now: Duration) -> (u32, Verdict) {
        let mut handed = 0;
        loop {
            handed += 1;
            match breaker.handed(rejected, now) {
                Verdict::Unchanged if handed < 10_000 => {}
                verdict => return (handed, verdict),
            }
        }
    }

    #[test]
    fn it_opens_at_the_first_record_above_the_share_of_the_window() {
        let mut breaker = Breaker::new(LIMITS);
        assert_eq!(until_changed(&mut breaker, true, at(0)), (51, Verdict::Opened));
        assert_eq!((breaker.is_open(), breaker.room(at(0)), breaker.room(at(1))), (true, Some(0), Some(10)));
    }

    #[test]
    fn it_looks_back_no_further_than_its_window() {
        let mut breaker = Breaker::new(LIMITS);
        for round in 0..50 {
            for _ in 0..40 {
                assert_eq!(breaker.handed(true, at(0)), Verdict::Unchanged, "round {round}");
            }
            for _ in 0..60 {
                assert_eq!(breaker.handed(false, at(0)), Verdict::Unchanged, "round {round}");
            }
            breaker.sealed();
        }
    }

    #[test]
    fn a_record_that_comes_again_is_not_counted_twice() {
        let mut breaker = Breaker::new(LIMITS);
        for _ in 0..1_000 {
            for _ in 0..50 {
                assert_eq!(breaker.handed(true, at(0)), Verdict::Unchanged);
            }
            breaker.rewound();
        }
        assert!(!breaker.is_open());
    }

    #[test]
    fn a_trial_that_passes_closes_it_and_forgets_what_was() {
        let mut breaker = Breaker::new(LIMITS);
        until_changed(&mut breaker, true, at(0));
        assert_eq!(until_changed(&mut breaker, false, at(1)), (TRIAL, Verdict::Closed));
        assert_eq!(breaker.room(at(1)), None);
        assert_eq!(until_changed(&mut breaker, true, at(2)), (51, Verdict::Opened));
    }

    #[test]
    fn each_trial_that_does_not_pass_makes_the_pause_longer_up_to_the_longest() {
        let mut breaker = Breaker::new(LIMITS);
        let mut now = at(0);
        until_changed(&mut breaker, true, now);
        let mut pauses = Vec::new();
        for _ in 0..11 {
            let until = breaker.holds_until(now).expect("it has just opened");
            pauses.push((until - now).as_secs());
            now = until;
            assert_eq!(breaker.holds_until(now), None);
            assert_eq!(until_changed(&mut breaker, true, now), (TRIAL, Verdict::StaysOpen));
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
    }

    #[test]
    fn one_that_is_handed_on_is_as_open_as_it_was_and_pauses_longer_the_next_time() {
        let mut breaker = Breaker::new(LIMITS);
        until_changed(&mut breaker, true, at(100));
        let mut breaker = breaker.handed_on(at(100));
        assert_eq!((breaker.holds_until(at(0)), breaker.room(at(1))), (Some(at(1)), Some(10)));
        assert_eq!(breaker.handed(true, at(1)), Verdict::Unchanged);
        let mut breaker = breaker.handed_on(at(5));
        assert_eq!(breaker.room(at(0)), Some(10), "what was not sealed comes again");
        assert_eq!(until_changed(&mut breaker, true, at(0)), (TRIAL, Verdict::StaysOpen));
        assert_eq!(breaker.holds_until(at(0)), Some(at(2)));
    }

    #[test]
    fn what_was_given_back_of_a_trial_is_tried_again_and_what_was_sealed_is_not() {
        let mut breaker = Breaker::new(LIMITS);
        until_changed(&mut breaker, true, at(0));
        assert_eq!(breaker.handed(true, at(1)), Verdict::Unchanged);
        breaker.sealed();
        assert_eq!(breaker.handed(true, at(1)), Verdict::Unchanged);
        assert_eq!(breaker.room(at(1)), Some(8));
        breaker.rewound();
        assert_eq!(breaker.room(at(1)), Some(9));
        assert_eq!(until_changed(&mut breaker, false, at(1)), (TRIAL - 1, Verdict::Closed));
    }

    #[test]
    fn a_ratio_of_one_never_opens_it() {
        let mut breaker = Breaker::new(Limits { ratio: 1.0, ..LIMITS });
        assert_eq!(until_changed(&mut breaker, true, at(0)).1, Verdict::Unchanged);
    }
}
