//! The order of a list: the newest letters first, or the oldest. Pure.
//!
//! A time that cannot be true says nothing about an order: such letters come last, whatever else is asked for, so that one
//! of the year 9999 does not stand above the letters of tonight.

use crate::letters::coordinates::{Log, Place};
use crate::letters::left_out::is_possible;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    #[default]
    Newest,
    Oldest,
}

impl Order {
    pub fn parse(text: &str) -> Result<Self, String> {
        match text {
            "newest" => Ok(Self::Newest),
            "oldest" => Ok(Self::Oldest),
            _ => Err("write newest or oldest".to_owned()),
        }
    }

    pub fn words(self) -> &'static str {
        match self {
            Self::Newest => "newest first",
            Self::Oldest => "oldest first",
        }
    }
}

/// Where a letter stands in a list; the smallest is first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    is_impossible: bool,
    time: i64,
    log: Log,
    offset: i64,
}

impl Rank {
    pub fn of(order: Order, time_ms: Option<i64>, place: Place, now_ms: i64) -> Self {
        let time_ms = time_ms.filter(|ms| is_possible(*ms, now_ms));
        let log = place.log();
        let (time, offset) = (time_ms.unwrap_or_default(), place.offset);
        let is_impossible = time_ms.is_none();
        match order {
            Order::Oldest => Self { is_impossible, time, log, offset },
            // Turned round, without an overflow.
            Order::Newest => Self { is_impossible, time: !time, log, offset: !offset },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn impossible_times_are_last_in_either_order() {
        let now = 1_772_359_200_000;
        let times = [Some(now - 5), Some(i64::MAX), Some(now), None, Some(0), Some(now - 9), Some(i64::MIN)];
        for (order, expected) in [(Order::Newest, [2, 0, 5, 6, 4, 3, 1]), (Order::Oldest, [5, 0, 2, 1, 3, 4, 6])] {
            let mut letters: Vec<usize> = (0..times.len()).collect();
            letters.sort_by_key(|at| {
                let place = Place { topic: 0, partition: 0, offset: i64::try_from(*at).unwrap() };
                Rank::of(order, times[*at], place, now)
            });
            assert_eq!(letters, expected, "{order:?}");
        }
    }
}
