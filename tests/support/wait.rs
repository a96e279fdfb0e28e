//! Waiting for a condition with a deadline, the only kind of waiting there is in these tests.

use std::thread;
use std::time::{Duration, Instant};

/// Between two looks: short beside everything that is waited for, long beside what a look costs.
const PAUSE: Duration = Duration::from_millis(10);

/// Looks until there is something to see and gives it back; panics when that takes longer than `limit`.
pub fn until<T>(what: &str, limit: Duration, look: impl FnMut() -> Option<T>) -> T {
    within(limit, look).unwrap_or_else(|| panic!("waited {limit:?} in vain until {what}"))
}

/// As [`until`], but gives `None` at the deadline.
pub fn within<T>(limit: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(seen) = look() {
            return Some(seen);
        }
        if Instant::now() >= deadline {
            return None;
        }
        thread::sleep(PAUSE);
    }
}

/// Lets something last: what is done to others takes its time.
pub fn lasting(time: Duration) {
    within(time, || None::<()>);
}
