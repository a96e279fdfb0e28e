//! `--rate`: so many letters a second, and no more.

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use crate::record::parse_decimal;

/// Letters a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate(NonZeroU32);

impl Rate {
    /// `100/s`; the unit may be left out.
    pub fn parse(text: &str) -> Result<Self, String> {
        let number = parse_decimal(text.strip_suffix("/s").unwrap_or(text));
        let rate = number.and_then(|number| NonZeroU32::new(u32::try_from(number).ok()?));
        rate.map(Self).ok_or_else(|| "write letters a second, like 100/s".to_owned())
    }

    /// The most letters of one transaction: what takes about a second, so that none is held open for long.
    pub fn batch(self) -> usize {
        usize::try_from(self.0.get()).unwrap_or(usize::MAX)
    }

    /// How long after the first letter the one behind `letters` is due.
    pub fn due(self, letters: u64) -> Duration {
        Duration::from_secs_f64(letters as f64 / f64::from(self.0.get()))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_read_with_and_without_its_unit() {
        let cases =
            [("100/s", Some("100/s")), ("7", Some("7/s")), ("0/s", None), ("-1/s", None), ("1/m", None), ("", None)];
        for (text, expected) in cases {
            assert_eq!(Rate::parse(text).ok().map(|rate| rate.to_string()).as_deref(), expected, "{text}");
        }
        assert!(Rate::parse("+5").is_err());
    }

    #[test]
    fn letters_are_due_one_after_the_other() {
        let rate = Rate::parse("4/s").unwrap();
        assert_eq!((rate.due(0), rate.due(6), rate.batch()), (Duration::ZERO, Duration::from_millis(1500), 4));
    }
}
