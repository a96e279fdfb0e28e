//! What is promised of a dead letter, whatever was rejected and however small its topic's limit: it can be read back, it
//! says what had to go, and what did not have to go is as it was.

use sha2::{Digest, Sha256};

use crate::dead_letter::{self, ALWAYS_FITS_BYTES, DeadLetter, Decoded, Dialect, Fit, Rejected, Stamp};
use crate::normalize::{Kind, Rejection};
use crate::record::{self, Coordinates, Header};
use crate::shapes::Dice;

const NAMES: [&[u8]; 17] = [
    b"traceparent",
    b"dlq.attempts",
    b"dlq.replayed.from",
    b"dlq.error.kind",
    b"dlq.source.offset",
    b"dlq.fit",
    b"dlq.value.sha256",
    b"dlq.note",
    b"messagetrace.source",
    b"",
    b"\xff",
    b"dlq.",
    b"dlq.source.timestamp",
    b"dlq.failed.at",
    b"__connect.errors.topic",
    b"kafka_dlt-original-offset",
    b"__dlq.errors.message",
];

const VALUES: [Option<&[u8]>; 10] = [
    None,
    Some(b""),
    Some(b"1"),
    Some(b"18446744073709551615"),
    Some(b"mail.dlq/3/17"),
    Some(b"mail.dlq/3/-17"),
    Some(b"\xff\xfe"),
    Some(b"value_truncated"),
    Some(b"2022-09-05T18:10:13.000Z"),
    Some(&[b'x'; 700]),
];

/// A rejection, its record and a limit, made of the bytes.
pub fn round_trip(bytes: &[u8]) {
    let mut dice = Dice::new(bytes);
    let limit_bytes = match dice.below(4) {
        0 => 1 << 20,
        1 => ALWAYS_FITS_BYTES,
        _ => dice.below(8192),
    };
    let headers: Vec<Header> =
        (0..dice.below(8)).map(|_| Header { name: dice.pick(&NAMES), value: dice.pick(&VALUES) }).collect();
    let key = text(&mut dice);
    let value = text(&mut dice);
    let rejection = Rejection {
        kind: dice.pick(&Kind::ALL),
        message: dice.pick(&["no JSON", "", "two\nlines\u{2028}\u{0}"]).repeat(dice.pick(&[1, 1, 1, 200])),
        key: dice.pick(&["", "Received", "event.original"]).into(),
        position: None,
    };
    let rejected = Rejected {
        source: Coordinates { topic: dice.pick(&["mail.raw", "t"]), partition: 3, offset: dice.pick(&[0, i64::MAX]) },
        index: dice.pick(&[None, Some(0), Some(u32::MAX)]),
        timestamp_ms: dice.pick(&[None, Some(0), Some(1_662_401_413_005), Some(-1), Some(253_402_300_800_000)]),
        key: key.as_deref(),
        value: value.as_deref(),
        headers: &headers,
        rejection: &rejection,
    };
    let stamp = Stamp {
        group: "messagetrace-ecs",
        processor: "messagetrace-ecs/0.1.0 ecs",
        failed_at_ms: dice.pick(&[1_662_401_413_005, 0, i64::MIN]),
        limit_bytes,
        dialect: dice.pick(&[
            None,
            Some(Dialect::Connect),
            Some(Dialect::Streams),
            Some(Dialect::Spring),
            Some(Dialect::Kip1191),
        ]),
    };
    let letter = dead_letter::encode(&rejected, &stamp);
    let written: Vec<Header> = letter.headers().collect();
    let decoded = dead_letter::decode(&written).expect("what we write we can read");
    check_headers(&rejected, &stamp, &written, &decoded);
    check_fit(&rejected, &stamp, &letter, &decoded);
    check_again(&rejected, &stamp, &written);
    let _ = dead_letter::decode(&headers);
}

/// Nothing, or text of any length with a character of several bytes wherever a cut may fall.
fn text(dice: &mut Dice) -> Option<Vec<u8>> {
    let unit = dice.take(5).to_vec();
    match dice.below(6) {
        0 => None,
        1 => Some("é😀x".repeat(dice.below(2000)).into_bytes()),
        2 => Some(unit.repeat(dice.below(1500))),
        _ => Some(unit),
    }
}

fn check_headers(rejected: &Rejected, stamp: &Stamp, written: &[Header], decoded: &Decoded) {
    assert_eq!(decoded.kind, rejected.rejection.kind.name());
    assert_eq!(decoded.fingerprint, Some(rejected.rejection.fingerprint().as_str()));
    assert!(decoded.message.is_some_and(|message| message.chars().all(|c| !c.is_control() && c != '\u{2028}')));
    assert_eq!((decoded.source, decoded.index), (rejected.source, rejected.index));
    let printable = 0..=253_402_300_799_999;
    assert_eq!(decoded.source_timestamp_ms, rejected.timestamp_ms.filter(|ms| printable.contains(ms)));
    assert_eq!((decoded.group, decoded.processor), (Some(stamp.group), Some(stamp.processor)));
    assert_eq!(decoded.failed_at_ms, Some(stamp.failed_at_ms.max(0)));
    let came_in = |name: &str| {
        let last = rejected.headers.iter().rfind(|header| header.name == name.as_bytes());
        last.and_then(|header| std::str::from_utf8(header.value?).ok())
    };
    let so_far = came_in("dlq.attempts").filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    let so_far: u64 = so_far.and_then(|text| text.parse().ok()).unwrap_or(0);
    assert_eq!(decoded.attempts, so_far.saturating_add(1), "the last one that came in counts");
    assert_eq!(decoded.replayed_from, came_in("dlq.replayed.from").and_then(Coordinates::parse));
    assert!(decoded.unreadable.is_empty(), "what we write is readable: {:?}", decoded.unreadable);
    for header in written.iter().filter(|header| dead_letter::is_ours(header.name)) {
        let times = written.iter().filter(|other| other.name == header.name).count();
        assert_eq!(times, 1, "ours are replaced, never repeated: {}", header.name.escape_ascii());
        assert!(header.value.is_some_and(|value| std::str::from_utf8(value).is_ok()), "ours are text");
    }
    check_dialect(rejected, stamp, written, decoded);
}

/// Without ours, what stands beside them says the same in another tool's words.
fn check_dialect(rejected: &Rejected, stamp: &Stamp, written: &[Header], ours: &Decoded) {
    let Some(dialect) = stamp.dialect else { return };
    let theirs: Vec<Header> = written.iter().copied().filter(|header| !dead_letter::is_ours(header.name)).collect();
    for header in theirs.iter().filter(|header| dialect.owns(header.name)) {
        let times = theirs.iter().filter(|other| other.name == header.name).count();
        assert_eq!(times, 1, "theirs are replaced, never repeated: {}", header.name.escape_ascii());
    }
    let others = |name: &[u8]| Dialect::ALL.into_iter().any(|other| other != dialect && other.owns(name));
    let theirs: Vec<Header> = theirs.into_iter().filter(|header| !others(header.name)).collect();
    let read = dead_letter::decode(&theirs).expect("a letter of the other tool");
    assert_eq!((read.dialect, read.source, read.message), (Some(dialect), rejected.source, ours.message));
    assert!(read.kind == ours.kind || dialect == Dialect::Kip1191 && read.kind == "kip1191", "{}", read.kind);
    assert!(read.group == ours.group || dialect == Dialect::Streams);
    assert!(read.unreadable.is_empty(), "{:?}", read.unreadable);
    if dialect == Dialect::Spring {
        assert_eq!(read.source_timestamp_ms, rejected.timestamp_ms.filter(|ms| *ms >= 0));
    }
}

fn check_fit(rejected: &Rejected, stamp: &Stamp, letter: &DeadLetter, decoded: &Decoded) {
    let size = record::wire_size(letter.key, letter.value, letter.headers());
    assert_eq!(size, letter.wire_size());
    assert!(size <= stamp.limit_bytes || stamp.limit_bytes < ALWAYS_FITS_BYTES, "{size} of {}", stamp.limit_bytes);

    let is_replaced =
        |name: &[u8]| dead_letter::is_ours(name) || stamp.dialect.is_some_and(|dialect| dialect.owns(name));
    let kept: Vec<Header> = rejected.headers.iter().copied().filter(|header| !is_replaced(header.name)).collect();
    assert_eq!(decoded.headers, if decoded.fit == Fit::Whole { kept } else { Vec::new() });

    let key_dropped = matches!(decoded.fit, Fit::KeyDropped);
    assert_eq!(letter.key, if key_dropped { None } else { rejected.key });
    assert_eq!(decoded.key_bytes, rejected.key.filter(|_| key_dropped).map(|key| key.len() as u64));

    match (decoded.fit, rejected.value, letter.value) {
        (Fit::ValueTruncated | Fit::KeyDropped, Some(whole), Some(cut)) => {
            assert!(whole.starts_with(cut));
            assert!(std::str::from_utf8(whole).is_err() || std::str::from_utf8(cut).is_ok(), "cut inside a character");
            assert_eq!(decoded.value_bytes, Some(whole.len() as u64));
            let sha256: String = Sha256::digest(whole).iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(decoded.value_sha256, Some(sha256.as_str()));
        }
        (_, whole, letter_value) => {
            assert_eq!(letter_value, whole);
            assert_eq!((decoded.value_bytes, decoded.value_sha256), (None, None));
        }
    }
}

/// The letter is replayed and fails again: nothing of the first letter is left beside the second.
fn check_again(rejected: &Rejected, stamp: &Stamp, written: &[Header]) {
    let rejected = Rejected { headers: written, ..*rejected };
    let letter = dead_letter::encode(&rejected, stamp);
    let again: Vec<Header> = letter.headers().collect();
    let decoded = dead_letter::decode(&again).expect("what we write we can read");
    check_headers(&rejected, stamp, &again, &decoded);
    check_fit(&rejected, stamp, &letter, &decoded);
}
