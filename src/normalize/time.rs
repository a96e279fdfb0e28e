//! The received time: each notation that is understood, and one out. Calendar arithmetic is chrono's; no clock is read here.

use chrono::{DateTime, Datelike, NaiveDate, Timelike};

use super::json::Text;

/// The last microsecond of the year 9999.
const LAST_US: i64 = 253_402_300_799_999_999;

/// A received time as microseconds since 1970; `None` when it is none of the known notations, or outside 1970 to 9999.
pub(super) fn parse(text: &[u8]) -> Option<i64> {
    let text = trim(text);
    let us = match text.first()? {
        b'/' | b'\\' => ticks(text)?,
        _ => iso(text).or_else(|| digits(text))?,
    };
    (0..=LAST_US).contains(&us).then_some(us)
}

/// The same for a JSON number: seconds or milliseconds since 1970.
#[cold]
pub(super) fn parse_number(number: &[u8]) -> Option<i64> {
    since_1970(number).filter(|us| *us <= LAST_US)
}

/// Whether a text begins like a date in the order of some culture: `05/09/2022`, `9.5.22 6:10 PM`. Which of the first two
/// numbers is the month cannot be told from it.
pub(super) fn is_in_the_order_of_a_culture(text: &[u8]) -> bool {
    let mut rest = Rest(trim(text));
    let number = |rest: &mut Rest<'_>, most: usize| (1..=most).contains(&rest.skip_digits());
    if !number(&mut rest, 2) {
        return false;
    }
    let Some(separator) = rest.one_of(b"/.-") else { return false };
    number(&mut rest, 2)
        && rest.one_of(&[separator]).is_some()
        && number(&mut rest, 4)
        && !matches!(rest.0.first(), Some(b'/' | b'.' | b'-'))
}

/// The same for the content of a JSON string.
pub(super) fn parse_text(text: Text<'_>, buffer: &mut Vec<u8>) -> Option<i64> {
    parse(text.decoded_in(buffer))
}

/// A Kafka timestamp, in milliseconds, as microseconds; `None` outside 1970 to 9999.
pub(super) fn of_kafka(timestamp_ms: i64) -> Option<i64> {
    timestamp_ms.checked_mul(1000).filter(|us| (0..=LAST_US).contains(us))
}

/// `/Date(ms)/` or `/Date(ms±hhmm)/`: the milliseconds are the instant, the zone is where it was shown.
fn ticks(text: &[u8]) -> Option<i64> {
    let text = text.strip_prefix(b"\\").unwrap_or(text).strip_prefix(b"/Date(")?;
    let text = text.strip_suffix(b"/")?;
    let text = text.strip_suffix(b"\\").unwrap_or(text).strip_suffix(b")")?;
    let (negative, text) = match text.strip_prefix(b"-") {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let digits = match text {
        [digits @ .., b'+' | b'-', a, b, c, d] if [a, b, c, d].iter().all(|digit| digit.is_ascii_digit()) => digits,
        _ => text,
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    // However many digits there are, past the range is past the range.
    let ms = digits.iter().fold(0_i64, |ms, digit| ms.saturating_mul(10).saturating_add(i64::from(digit - b'0')));
    let us = ms.checked_mul(1000)?;
    Some(if negative { -us } else { us })
}

/// ASCII digits, with or without a point and digits behind it.
#[cold]
fn digits(text: &[u8]) -> Option<i64> {
    let (whole, fraction) = match memchr::memchr(b'.', text) {
        Some(point) => (text.get(..point)?, text.get(point + 1..)?),
        None => (text, &b"0"[..]),
    };
    let number = |digits: &[u8]| !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    if number(whole) && number(fraction) { since_1970(text) } else { None }
}

/// A number in any notation of JSON, taken as the exact decimal it is: with ten or eleven digits before the point it counts
/// seconds, with thirteen or more milliseconds. No other one is a time: no message is as old as that, and nothing is guessed.
fn since_1970(number: &[u8]) -> Option<i64> {
    let (mantissa, exponent) = match number.iter().position(|byte| matches!(byte, b'e' | b'E')) {
        Some(at) => (number.get(..at)?, exponent(number.get(at + 1..)?)),
        None => (number, 0),
    };
    let point = memchr::memchr(b'.', mantissa).unwrap_or(mantissa.len());
    let mut digits = mantissa.iter().filter(|byte| **byte != b'.').copied().peekable();
    let mut before_point = i64::try_from(point).ok()?.checked_add(exponent)?;
    while digits.next_if_eq(&b'0').is_some() {
        before_point -= 1;
    }
    digits.peek()?;
    let wanted = match before_point {
        10 | 11 => before_point + 6,
        13..=15 => before_point + 3,
        _ => return None,
    };
    let digits = digits.chain(std::iter::repeat(b'0')).take(usize::try_from(wanted).ok()?);
    digits.into_iter().try_fold(0_i64, |us, digit| digit.is_ascii_digit().then(|| us * 10 + i64::from(digit - b'0')))
}

/// However many digits an exponent has, past the range is past the range.
fn exponent(digits: &[u8]) -> i64 {
    let (sign, digits) = match digits.split_first() {
        Some((b'-', digits)) => (-1, digits),
        Some((b'+', digits)) => (1, digits),
        _ => (1, digits),
    };
    let far = |power: i64, digit: &u8| (power * 10 + i64::from(digit.saturating_sub(b'0'))).min(1 << 40);
    sign * digits.iter().fold(0, far)
}

/// `2022-09-05T18:10:13`, with or without seconds, fraction and offset.
fn iso(text: &[u8]) -> Option<i64> {
    let mut rest = Rest(text);
    let year = rest.digits(4)?;
    rest.one_of(b"-")?;
    let month = rest.digits(2)?;
    rest.one_of(b"-")?;
    let day = rest.digits(2)?;
    rest.one_of(b"Tt ")?;
    let hour = rest.digits(2)?;
    rest.one_of(b":")?;
    let minute = rest.digits(2)?;
    let (mut second, mut fraction_us) = (0, 0);
    if rest.one_of(b":").is_some() {
        second = rest.digits(2)?;
        if rest.one_of(b".").is_some() {
            fraction_us = rest.fraction_us()?;
        }
    }
    let offset_s = rest.offset_s()?;
    let local = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)?.and_hms_opt(hour, minute, second)?;
    Some((local.and_utc().timestamp() - offset_s) * 1_000_000 + fraction_us)
}

/// What is left of a text, eaten from the front.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn one_of(&mut self, bytes: &[u8]) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        bytes.contains(first).then(|| {
            self.0 = rest;
            *first
        })
    }

    fn digits(&mut self, count: usize) -> Option<u32> {
        let (digits, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        digits.iter().try_fold(0, |number, digit| Some(number * 10 + char::from(*digit).to_digit(10)?))
    }

    fn skip_digits(&mut self) -> usize {
        let count = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.0 = self.0.get(count..).unwrap_or_default();
        count
    }

    /// One to nine digits after the point, cut to six.
    fn fraction_us(&mut self) -> Option<i64> {
        let count = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if !(1..=9).contains(&count) {
            return None;
        }
        let billionths = i64::from(self.digits(count)?) * 10_i64.pow(9 - u32::try_from(count).ok()?);
        Some(billionths / 1000)
    }

    /// Nothing, `Z`, or an offset, and then the end.
    fn offset_s(&mut self) -> Option<i64> {
        if matches!(self.0, b"" | b"Z" | b"z") {
            return Some(0);
        }
        let sign = if self.one_of(b"+-")? == b'+' { 1 } else { -1 };
        let hours = self.digits(2)?;
        let minutes = match self.0 {
            [] => 0,
            [b':', ..] => {
                self.one_of(b":")?;
                self.digits(2)?
            }
            _ => self.digits(2)?,
        };
        (self.0.is_empty() && hours <= 23 && minutes <= 59)
            .then(|| sign * (i64::from(hours) * 3600 + i64::from(minutes) * 60))
    }
}

fn trim(text: &[u8]) -> &[u8] {
    let space = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
    let start = text.iter().position(|byte| !space(byte)).unwrap_or(text.len());
    let end = text.iter().rposition(|byte| !space(byte)).map_or(start, |last| last + 1);
    text.get(start..end).unwrap_or_default()
}

/// An instant in its printed form.
#[derive(Clone, Copy, Debug)]
pub(super) struct Printed {
    text: [u8; 27],
    length: usize,
}

impl Printed {
    pub fn as_bytes(&self) -> &[u8] {
        self.text.get(..self.length).unwrap_or_default()
    }
}

/// `2022-07-25T12:26:13.240000Z`, or `2022-08-24T12:43:12Z` on the full second.
pub(super) fn print(us: i64) -> Printed {
    let seconds = DateTime::from_timestamp(us.div_euclid(1_000_000), 0).unwrap_or_default();
    let fraction = us.rem_euclid(1_000_000) as u32;
    let mut text = *b"0000-00-00T00:00:00.000000Z";
    let fields = [
        (0, seconds.year().unsigned_abs() / 100),
        (2, seconds.year().unsigned_abs() % 100),
        (5, seconds.month()),
        (8, seconds.day()),
        (11, seconds.hour()),
        (14, seconds.minute()),
        (17, seconds.second()),
        (20, fraction / 10_000),
        (22, fraction / 100 % 100),
        (24, fraction % 100),
    ];
    for (at, pair) in fields {
        if let Some(place) = text.get_mut(at..at + 2) {
            place.copy_from_slice(&[b'0' + (pair / 10) as u8, b'0' + (pair % 10) as u8]);
        }
    }
    if fraction != 0 {
        return Printed { text, length: text.len() };
    }
    let [.., point, _, _, _, _, _, _, _] = &mut text;
    *point = b'Z';
    Printed { text, length: 20 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(text: &str) -> Option<String> {
        parse(text.as_bytes()).map(|us| String::from_utf8(print(us).as_bytes().to_vec()).unwrap())
    }

    #[test]
    fn each_notation_is_read_and_printed_one_way() {
        for (text, expected) in [
            ("/Date(1658751973240)/", "2022-07-25T12:26:13.240000Z"),
            ("/Date(1661344992000)/", "2022-08-24T12:43:12Z"),
            ("\\/Date(1658751973240)\\/", "2022-07-25T12:26:13.240000Z"),
            ("\\/Date(1658751973240)/", "2022-07-25T12:26:13.240000Z"),
            ("/Date(1658751973240)\\/", "2022-07-25T12:26:13.240000Z"),
            ("/Date(1658751973240+0000)/", "2022-07-25T12:26:13.240000Z"),
            ("/Date(1658751973240-0730)/", "2022-07-25T12:26:13.240000Z"),
            ("/Date(1658751973240+9999)/", "2022-07-25T12:26:13.240000Z"),
            ("/Date(0)/", "1970-01-01T00:00:00Z"),
            ("/Date(-0)/", "1970-01-01T00:00:00Z"),
            ("/Date(-0-0000)/", "1970-01-01T00:00:00Z"),
            ("/Date(0000000000000000000000000000001)/", "1970-01-01T00:00:00.001000Z"),
            ("/Date(253402300799999)/", "9999-12-31T23:59:59.999000Z"),
            (" \t\r\n/Date(1)/ \n", "1970-01-01T00:00:00.001000Z"),
            ("2022-09-05T18:10:13", "2022-09-05T18:10:13Z"),
            ("2022-09-05 18:10:13", "2022-09-05T18:10:13Z"),
            ("2022-09-05T18:10:13Z", "2022-09-05T18:10:13Z"),
            ("2022-09-05t18:10:13z", "2022-09-05T18:10:13Z"),
            ("2022-09-05T18:10", "2022-09-05T18:10:00Z"),
            ("2022-09-05 18:10z", "2022-09-05T18:10:00Z"),
            ("2022-09-05T18:10+0200", "2022-09-05T16:10:00Z"),
            ("1658751973240", "2022-07-25T12:26:13.240000Z"),
            ("1658751973.2400019", "2022-07-25T12:26:13.240001Z"),
            ("0001658751973.0", "2022-07-25T12:26:13Z"),
            ("1000000000", "2001-09-09T01:46:40Z"),
            ("2022-09-05T18:10:13.1", "2022-09-05T18:10:13.100000Z"),
            ("2022-09-05T18:10:13.1234567Z", "2022-09-05T18:10:13.123456Z"),
            ("2022-09-05T18:10:13.000000999Z", "2022-09-05T18:10:13Z"),
            ("2022-09-05T18:10:13+02:00", "2022-09-05T16:10:13Z"),
            ("2022-09-05T18:10:13-0230", "2022-09-05T20:40:13Z"),
            ("2022-09-05T18:10:13.5+02", "2022-09-05T16:10:13.500000Z"),
            ("2022-09-05T18:10:13-00:00", "2022-09-05T18:10:13Z"),
            ("2024-02-29T23:59:59+23:59", "2024-02-29T00:00:59Z"),
            ("1970-01-01T00:00:00", "1970-01-01T00:00:00Z"),
            ("1969-12-31T23:30:00-01:00", "1970-01-01T00:30:00Z"),
            ("9999-12-31T23:59:59.999999999", "9999-12-31T23:59:59.999999Z"),
            ("  2022-09-05T18:10:13\n", "2022-09-05T18:10:13Z"),
        ] {
            assert_eq!(printed(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn anything_else_is_no_time() {
        for text in [
            "",
            " ",
            "/",
            "\\",
            "/Date()/",
            "/Date(-)/",
            "/Date(+1)/",
            "/Date(1)",
            "/Date(1/",
            "/Date(1)//",
            "Date(1)",
            "/date(1)/",
            "/Date( 1)/",
            "/Date(1.5)/",
            "/Date(1+000)/",
            "/Date(1+00000)/",
            "/Date(+0000)/",
            "/Date(-+0000)/",
            "/Date(1+00:00)/",
            "/Date(1Z)/",
            "/Date(-1)/",
            "/Date(253402300800000)/",
            "/Date(99999999999999999999999999)/",
            "/Date(-99999999999999999999999999)/",
            "/Date(\u{661})/",
            "\\\\/Date(1)/",
            "2022-09-05",
            "2022-09-05T18",
            "2022-09-05T18:",
            "2022-09-05T18:10:",
            "2022-09-05T18:10.5",
            "2022-09-05T18:10:13zz",
            "1658751973.",
            ".1658751973",
            "1658751973.2.4",
            "1.658751973e9",
            "+1658751973",
            "-1658751973",
            "999999999.9",
            "100000000000",
            "253402300800000",
            "1,658,751,973",
            "2022-9-5T18:10:13",
            "22-09-05T18:10:13",
            "+2022-09-05T18:10:13",
            "2022-09-05  18:10:13",
            "2022-09-05T 18:10:13",
            "2022-09-05T18:10:13.",
            "2022-09-05T18:10:13.Z",
            "2022-09-05T18:10:13,5",
            "2022-09-05T18:10:13.1234567890",
            "2022-09-05T18:10:13 Z",
            "2022-09-05T18:10:13ZZ",
            "2022-09-05T18:10:13+2",
            "2022-09-05T18:10:13+02:",
            "2022-09-05T18:10:13+02:0",
            "2022-09-05T18:10:13+020",
            "2022-09-05T18:10:13+02:00Z",
            "2022-09-05T18:10:13+24:00",
            "2022-09-05T18:10:13+02:60",
            "2022-09-05T18:10:13\u{2212}02:00",
            "2022-02-30T00:00:00",
            "2023-02-29T00:00:00",
            "2022-13-01T00:00:00",
            "2022-00-01T00:00:00",
            "2022-01-00T00:00:00",
            "2022-01-01T24:00:00",
            "2022-01-01T00:60:00",
            "2022-01-01T00:00:60",
            "1969-12-31T23:59:59.999999",
            "1970-01-01T00:30:00+01:00",
            "9999-12-31T23:59:59-01:00",
            "0000-01-01T00:00:00",
            "\u{661}022-01-01T00:00:00",
            "Monday",
        ] {
            assert_eq!(printed(text), None, "{text}");
        }
    }

    #[test]
    fn a_number_is_the_exact_decimal_it_is_and_its_size_tells_seconds_from_milliseconds() {
        for (number, expected) in [
            ("1658751973240", Some(1_658_751_973_240_000)),
            ("1.65875197324e12", Some(1_658_751_973_240_000)),
            ("165875197324E+1", Some(1_658_751_973_240_000)),
            ("16587519732400e-1", Some(1_658_751_973_240_000)),
            ("0.00000000165875197324e21", Some(1_658_751_973_240_000)),
            ("1658751973240.0009999999999999999", Some(1_658_751_973_240_000)),
            ("1658751973.2400019", Some(1_658_751_973_240_001)),
            ("99999999999.9999999", Some(99_999_999_999_999_999)),
            ("1e9", Some(1_000_000_000_000_000)),
            ("1e12", Some(1_000_000_000_000_000)),
            ("253402300799999.999", Some(LAST_US)),
            ("253402300800000", None),
            ("999999999.9999999999", None),
            ("1e11", None),
            ("999999999999.999", None),
            ("1e15", None),
            ("1e99999999999999999999999999", None),
            ("1e-99999999999999999999999999", None),
            ("0", None),
            ("0e12", None),
            ("0.0e14", None),
            ("-0.0", None),
            ("-1658751973240", None),
        ] {
            assert_eq!(parse_number(number.as_bytes()), expected, "{number}");
        }
    }

    #[test]
    fn a_date_that_can_be_read_in_two_ways_is_told_from_other_text() {
        for text in ["05/09/2022", " 9/5/2022 6:10 PM", "5.9.2022 18:10:13", "05-09-22", "9/5/2022, 6:10:13 PM"] {
            assert!(is_in_the_order_of_a_culture(text.as_bytes()), "{text}");
        }
        for text in
            ["", "Monday", "2022-09-05", "2022/09/05", "1/2", "1/2-2022", "192.0.2.1", "05/09/20222", "1658751973"]
        {
            assert!(!is_in_the_order_of_a_culture(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn a_kafka_timestamp_counts_between_1970_and_9999() {
        assert_eq!(of_kafka(-1), None);
        assert_eq!(of_kafka(0), Some(0));
        assert_eq!(of_kafka(253_402_300_799_999), Some(253_402_300_799_999_000));
        assert_eq!(of_kafka(253_402_300_800_000), None);
        assert_eq!(of_kafka(i64::MAX), None);
    }
}
