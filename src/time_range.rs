//! A time as people write it: a date with a time, or how long ago.
//!
//! ```
//! use messagetrace_ecs::time_range::TimeBound;
//!
//! assert_eq!(TimeBound::parse("1970-01-01T00:01:00Z"), Ok(TimeBound::At(60_000)));
//! assert_eq!(TimeBound::parse("2h")?.resolve(8_000_000), 800_000);
//! # Ok::<(), String>(())
//! ```

use chrono::{DateTime, Utc};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeBound {
    /// Milliseconds since 1970.
    At(i64),
    /// Milliseconds before now.
    Ago(i64),
}

const UNITS: [(char, i64); 5] = [('s', 1000), ('m', 60_000), ('h', 3_600_000), ('d', 86_400_000), ('w', 604_800_000)];

impl TimeBound {
    /// `2026-03-01T12:00:00Z`, or `2h`.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Ok(time) = DateTime::parse_from_rfc3339(text) {
            return Ok(Self::At(time.with_timezone(&Utc).timestamp_millis()));
        }
        let ago = UNITS.iter().find_map(|(unit, ms)| {
            let number: u32 = text.strip_suffix(*unit)?.parse().ok()?;
            i64::from(number).checked_mul(*ms)
        });
        ago.map(Self::Ago)
            .ok_or_else(|| "write a time like 2026-03-01T12:00:00Z, or how long ago: 90s, 30m, 2h, 7d".to_owned())
    }

    /// Milliseconds since 1970.
    pub fn resolve(self, now_ms: i64) -> i64 {
        match self {
            Self::At(ms) => ms,
            Self::Ago(ms) => now_ms - ms,
        }
    }
}

/// Milliseconds since 1970: what "2h ago" counts from.
pub fn now_ms() -> i64 {
    Utc::now().timestamp_millis()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        let cases = [
            ("1970-01-01T00:00:01Z", Some(1_000)),
            ("1970-01-01T02:00:00.250+02:00", Some(250)),
            ("90s", Some(999_910_000)),
            ("30m", Some(998_200_000)),
            ("2h", Some(992_800_000)),
            ("1d", Some(913_600_000)),
            ("1w", Some(395_200_000)),
            ("", None),
            ("h", None),
            ("-2h", None),
            ("2", None),
            ("2 h", None),
            ("2022-02-30T00:00:00Z", None),
            ("99999999999h", None),
        ];
        for (text, expected) in cases {
            let read = TimeBound::parse(text).ok().map(|moment| moment.resolve(1_000_000_000));
            assert_eq!(read, expected, "{text}");
        }
    }
}
