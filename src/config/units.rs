//! Durations and sizes as people write them: a whole number and its unit, nothing implied.

use std::time::Duration;

use super::problem::Fault;
use super::types::ByteSize;

const DURATIONS: [(&str, u64); 4] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];

const SIZES: [(&str, u64); 8] = [
    ("B", 1),
    ("KB", 1_000),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];

pub fn parse_duration(text: &str) -> Result<Duration, Fault> {
    let remedy = "write a whole number with ms, s, m or h, like \"500ms\" or \"30s\"";
    parse(text, &DURATIONS, remedy).map(Duration::from_millis)
}

pub fn parse_size(text: &str) -> Result<ByteSize, Fault> {
    let remedy = "write a whole number with B, kB, MB, GB, KiB, MiB or GiB, like \"64MiB\"";
    parse(text, &SIZES, remedy).map(ByteSize)
}

/// The form of a duration as a regular expression without anchors.
pub fn duration_pattern() -> String {
    pattern(&DURATIONS)
}

/// The form of a size as a regular expression without anchors.
pub fn size_pattern() -> String {
    pattern(&SIZES)
}

fn pattern(units: &[(&str, u64)]) -> String {
    format!("[0-9]+ *({})", units.iter().map(|(name, _)| *name).collect::<Vec<_>>().join("|"))
}

fn parse(text: &str, units: &[(&str, u64)], remedy: &str) -> Result<u64, Fault> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = unit.trim_start_matches(' ');
    let Ok(number) = number.parse::<u64>() else {
        let what = if number.is_empty() { "does not begin with a whole number" } else { "is too large" };
        return Err(Fault::new(what, remedy));
    };
    if unit.is_empty() {
        return Err(Fault::new("has no unit", remedy));
    }
    let Some((_, factor)) = units.iter().find(|(name, _)| *name == unit) else {
        return Err(Fault::new("has no unit that is known", remedy));
    };
    number.checked_mul(*factor).ok_or_else(|| Fault::new("is too large", remedy))
}

/// The shortest text that reads back as the same duration, to the millisecond.
pub fn show_duration(duration: Duration) -> String {
    show(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX), &DURATIONS)
}

/// The shortest text that reads back as the same size.
pub fn show_size(size: ByteSize) -> String {
    show(size.bytes(), &SIZES)
}

fn show(number: u64, units: &[(&str, u64)]) -> String {
    let largest = units.iter().filter(|(_, factor)| number >= *factor && number.is_multiple_of(*factor));
    let (unit, factor) = largest.max_by_key(|(_, factor)| *factor).unwrap_or(&units[0]);
    format!("{}{unit}", number / factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_a_whole_number_with_its_unit() {
        for (text, ms) in [
            ("500ms", Some(500)),
            ("30s", Some(30_000)),
            ("5m", Some(300_000)),
            ("1h", Some(3_600_000)),
            ("0s", Some(0)),
            ("30 s", Some(30_000)),
        ] {
            assert_eq!(parse_duration(text).ok().map(|d| d.as_millis()), ms, "{text}");
        }
        for text in
            ["", "5", "s", "-5s", "1.5s", "5S", "5 seconds", "5s ", "99999999999999999999s", "18446744073709551615h"]
        {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_size_is_a_whole_number_with_its_unit() {
        for (text, bytes) in [("64MiB", 64 << 20), ("10MB", 10_000_000), ("1KiB", 1024), ("7B", 7), ("1kB", 1000)] {
            assert_eq!(parse_size(text).map(ByteSize::bytes), Ok(bytes), "{text}");
        }
        for text in ["", "64", "64M", "64mib", "1.5MiB", "MiB", "99999999999GiB"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_shown_reads_back_as_the_same() {
        for ms in [1, 500, 999, 1_000, 1_500, 60_000, 90_000, 3_600_000] {
            let duration = Duration::from_millis(ms);
            assert_eq!(parse_duration(&show_duration(duration)), Ok(duration));
        }
        for bytes in [1, 1_000, 1_024, 10_000_000, 64 << 20, (64 << 20) + 1] {
            assert_eq!(parse_size(&show_size(ByteSize(bytes))), Ok(ByteSize(bytes)));
        }
        assert_eq!(show_duration(Duration::from_millis(1_500)), "1500ms");
        assert_eq!(show_size(ByteSize::mib(64)), "64MiB");
    }
}
