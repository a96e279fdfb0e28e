//! Appending to JSON text. By hand, because the feed has to outrun the pipeline that it feeds.

use chrono::{DateTime, Datelike, Timelike, Utc};

use super::dice::Dice;

const HEX: [u8; 16] = *b"0123456789abcdef";

pub fn number(out: &mut String, mut number: u64) {
    let mut digits = [0; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend(digits[start..].iter().map(|digit| char::from(b'0' + digit)));
}

/// `text` as the inside of a JSON string.
pub fn escaped(out: &mut String, text: &str) {
    let mut start = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escape = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            _ => continue,
        };
        out.push_str(&text[start..at]);
        out.push_str(escape);
        start = at + 1;
    }
    out.push_str(&text[start..]);
}

/// `"key":"value",`
pub fn string(out: &mut String, key: &str, value: &str) {
    out.push('"');
    out.push_str(key);
    out.push_str("\":\"");
    escaped(out, value);
    out.push_str("\",");
}

pub fn hex(out: &mut String, dice: &mut Dice, digits: u32) {
    let mut bits = dice.roll();
    for digit in 0..digits {
        if digit == 16 {
            bits = dice.roll();
        }
        out.push(char::from(HEX[(bits & 15) as usize]));
        bits >>= 4;
    }
}

pub fn guid(out: &mut String, dice: &mut Dice) {
    for (nth, digits) in [8, 4, 4, 4, 12].into_iter().enumerate() {
        if nth > 0 {
            out.push('-');
        }
        hex(out, dice, digits);
    }
}

/// `2026-05-28T20:26:40`, to which a caller appends fraction and zone.
pub fn iso(out: &mut String, ms: i64) {
    fn padded(out: &mut String, separator: char, two_digits: u32) {
        out.push(separator);
        out.push(char::from(b'0' + (two_digits / 10 % 10) as u8));
        out.push(char::from(b'0' + (two_digits % 10) as u8));
    }
    let time = DateTime::<Utc>::from_timestamp_millis(ms).unwrap_or_default();
    number(out, u64::from(time.year().unsigned_abs()));
    padded(out, '-', time.month());
    padded(out, '-', time.day());
    padded(out, 'T', time.hour());
    padded(out, ':', time.minute());
    padded(out, ':', time.second());
}

/// `/Date(1780000000000)/`
pub fn ticks(out: &mut String, ms: i64) {
    out.push_str("/Date(");
    number(out, ms.unsigned_abs());
    out.push_str(")/");
}
