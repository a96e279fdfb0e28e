//! The received time: text in, microseconds since 1970 out, and the printed form. Section 4.

use chrono::{DateTime, NaiveDate};

/// 9999-12-31T23:59:59.999999Z.
const LAST_US: i64 = 253_402_300_799_999_999;

/// `None` is `invalid_timestamp`.
pub fn read(text: &str) -> Option<i64> {
    let text = text.trim_matches(super::WHITE_SPACE);
    if is_plain_decimal(text) {
        return read_number(text);
    }
    let us = ticks(text).or_else(|| iso_8601(text))?;
    (0..=LAST_US).contains(&us).then_some(us)
}

/// A number of seconds or of milliseconds, as the exact decimal that is written, in any notation of JSON.
pub fn read_number(number: &str) -> Option<i64> {
    if number.starts_with('-') {
        return None;
    }
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let leading_zeros = digits.len() - digits.trim_start_matches('0').len();
    // The number is 0.DIGITS times ten to the power of `point`, and no digit before the others is a zero.
    let digits = &digits[leading_zeros..];
    let point = power_of_ten(exponent).saturating_add(whole.len() as i64 - leading_zeros as i64);
    let decimals = match point {
        _ if digits.is_empty() => return None,
        // From 10^9 to below 10^11: seconds.
        10 | 11 => 6,
        // From 10^12 on, with no more digits than the year 9999 has: milliseconds.
        13..=15 => 3,
        _ => return None,
    };
    let length = point as usize + decimals;
    let us: i64 = format!("{digits:0<length$}")[..length].parse().ok()?;
    (0..=LAST_US).contains(&us).then_some(us)
}

/// The exponent of a number; one that fits nowhere is as good as the largest.
fn power_of_ten(exponent: &str) -> i64 {
    let (sign, digits) = exponent.strip_prefix('-').map_or((1, exponent), |digits| (-1, digits));
    sign * digits.strip_prefix('+').unwrap_or(digits).parse().unwrap_or(i64::MAX)
}

/// Digits, and perhaps a point and digits.
fn is_plain_decimal(text: &str) -> bool {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    [whole, fraction].iter().all(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

/// A Kafka timestamp, when it lies between 1970 and 9999.
pub fn from_kafka(timestamp_ms: i64) -> Option<i64> {
    let us = timestamp_ms.checked_mul(1000)?;
    (0..=LAST_US).contains(&us).then_some(us)
}

pub fn print(us: i64) -> String {
    let time = DateTime::from_timestamp_micros(us).expect("years 1970 to 9999 only");
    let format = if us % 1_000_000 == 0 { "%Y-%m-%dT%H:%M:%SZ" } else { "%Y-%m-%dT%H:%M:%S%.6fZ" };
    time.format(format).to_string()
}

/// `/Date(1658751973240+0000)/`
fn ticks(text: &str) -> Option<i64> {
    let text = text.strip_prefix('\\').unwrap_or(text).strip_prefix("/Date(")?;
    let text = text.strip_suffix(")/").or_else(|| text.strip_suffix(")\\/"))?;
    let (sign, text) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let digits = leading_digits(text);
    let zone = &text[digits.len()..];
    let zone_fits = zone.is_empty() || zone.strip_prefix(['+', '-']).is_some_and(|hhmm| all_digits(hhmm, 4..=4));
    if digits.is_empty() || !zone_fits {
        return None;
    }
    let ms: i64 = digits.parse().ok()?;
    ms.checked_mul(1000)?.checked_mul(sign)
}

/// `2022-09-05T18:10:13.240+02:00`, or `2022-09-05T18:10+02:00`
fn iso_8601(text: &str) -> Option<i64> {
    let (head, rest) = text.split_at_checked(16)?;
    let shape = |byte: u8| if byte.is_ascii_digit() { b'0' } else { byte };
    let pattern: Vec<u8> = head.bytes().map(shape).collect();
    if !["0000-00-00T00:00", "0000-00-00t00:00", "0000-00-00 00:00"].iter().any(|known| known.as_bytes() == pattern) {
        return None;
    }
    let has_seconds = rest.starts_with(':');
    let (seconds, rest) = if has_seconds { rest[1..].split_at_checked(2)? } else { ("00", rest) };
    if !all_digits(seconds, 2..=2) || !has_seconds && rest.starts_with('.') {
        return None;
    }
    let part = |range: std::ops::Range<usize>| head[range].parse::<u32>().ok();
    let date = NaiveDate::from_ymd_opt(head[..4].parse().ok()?, part(5..7)?, part(8..10)?)?;
    let time = date.and_hms_opt(part(11..13)?, part(14..16)?, seconds.parse().ok()?)?;
    let seconds = time.and_utc().timestamp();

    let (fraction, zone) = match rest.strip_prefix('.') {
        None => ("", rest),
        Some(rest) => {
            let digits = leading_digits(rest);
            if !all_digits(digits, 1..=9) {
                return None;
            }
            (digits, &rest[digits.len()..])
        }
    };
    let micros: i64 = format!("{fraction:0<6}")[..6].parse().ok()?;
    Some((seconds - offset_seconds(zone)?) * 1_000_000 + micros)
}

fn offset_seconds(zone: &str) -> Option<i64> {
    if ["", "Z", "z"].contains(&zone) {
        return Some(0);
    }
    let (sign, digits) = match zone.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let (hh, mm) = match digits.len() {
        2 => (digits, "00"),
        4 => digits.split_at_checked(2)?,
        5 => digits.split_once(':')?,
        _ => return None,
    };
    if !all_digits(hh, 2..=2) || !all_digits(mm, 2..=2) || hh > "23" || mm > "59" {
        return None;
    }
    let (hours, minutes): (i64, i64) = (hh.parse().ok()?, mm.parse().ok()?);
    Some(sign * (hours * 3600 + minutes * 60))
}

fn leading_digits(text: &str) -> &str {
    &text[..text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len())]
}

fn all_digits(text: &str, length: std::ops::RangeInclusive<usize>) -> bool {
    length.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}
