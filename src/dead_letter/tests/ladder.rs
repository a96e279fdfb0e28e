//! It always fits: each step, to the byte.

use super::*;

/// The step of the ladder, the bytes that are left of the value and whether the key is left.
fn step(letter: &DeadLetter<'_>) -> (Option<String>, Option<usize>, bool) {
    (value_of(letter, "dlq.fit"), letter.value.map(<[u8]>::len), letter.key.is_some())
}

#[test]
fn a_step_that_would_make_the_letter_larger_is_passed_over() {
    let rejection = rejection("Received is missing");
    let value = [b'v'; 1000];
    // These take 1 + 1 + 1 + 1 and 1 + 8 + 1 + 8 bytes, saying that they were dropped takes 1 + 7 + 1 + 15.
    let headers = [header("a", "1"), header("dlq.note", "not ours")];
    let record = rejected(&rejection, Some(&value), &headers);
    let whole = encode(&record, &stamp(NO_LIMIT)).wire_size();
    assert_eq!(step(&encode(&record, &stamp(whole))), (None, Some(1000), true));
    assert_eq!(step(&encode(&record, &stamp(whole - 1))).0.as_deref(), Some("value_truncated"));
}

#[test]
fn each_step_of_the_ladder_holds_down_to_its_last_byte() {
    let rejection = rejection("Received is missing");
    let (key, value, large) = ([b'k'; 300], [b'v'; 1000], "h".repeat(500));
    let original = [header("a", &large)];
    let record = Rejected { key: Some(&key), ..rejected(&rejection, Some(&value), &original) };
    let at = |limit| encode(&record, &stamp(limit));
    let name = |fit: &str| Some(fit.to_owned());

    let whole = at(NO_LIMIT).wire_size();
    // Less the header, 1 + 1 + 2 + 500 bytes; more dlq.fit, 1 + 7 + 1 + 15 bytes.
    let bare = whole - 504 + 24;
    // dlq.fit, dlq.value.bytes = 1000, dlq.value.sha256; an empty value has a length of 1 byte, not 2.
    let empty = whole - 504 + 24 + (1 + 15 + 1 + 4) + (1 + 16 + 2 + 64) - 1000 - 1;
    // dlq.fit is 4 bytes shorter, dlq.key.bytes = 300; a missing key has a length of 1 byte, not 2.
    let keyless = empty - 4 + (1 + 13 + 1 + 3) - 300 - 1;

    let cases = [
        (whole + 1, None, 1000, true),
        (whole, None, 1000, true),
        (whole - 1, name("headers_dropped"), 1000, true),
        (bare + 1, name("headers_dropped"), 1000, true),
        (bare, name("headers_dropped"), 1000, true),
        (bare - 1, name("value_truncated"), 1000 - 1 - 104, true),
        (empty + 1, name("value_truncated"), 1, true),
        (empty, name("value_truncated"), 0, true),
        // 286 bytes to spare, less one for the length of the value.
        (empty - 1, name("key_dropped"), 285, false),
        (keyless + 1, name("key_dropped"), 1, false),
        (keyless, name("key_dropped"), 0, false),
        // Too small for any letter: the smallest one there is, over the limit.
        (keyless - 1, name("key_dropped"), 0, false),
        (0, name("key_dropped"), 0, false),
    ];
    for (limit, fit, value_bytes, has_key) in cases {
        let letter = at(limit);
        assert_eq!(step(&letter), (fit, Some(value_bytes), has_key), "limit {limit}");
        assert!(letter.wire_size() <= limit.max(keyless), "limit {limit}");
    }
    let smallest = at(keyless);
    assert_eq!(value_of(&smallest, "dlq.value.bytes").as_deref(), Some("1000"));
    assert_eq!(value_of(&smallest, "dlq.key.bytes").as_deref(), Some("300"));
    // printf 'v%.0s' $(seq 1000) | sha256sum
    let sha256 = "dfacc21aae3e1d2f6e8bf85ed6dfc9b80ce7d642836a2745387d2aa853799bb5";
    assert_eq!(value_of(&smallest, "dlq.value.sha256").as_deref(), Some(sha256));
}

#[test]
fn a_value_is_cut_to_the_last_byte_that_fits_and_never_inside_a_character() {
    let rejection = rejection("");
    let text = "é".repeat(5000);
    let mut bytes = text.clone().into_bytes();
    bytes.push(0xff);
    for limit in 1000..6000 {
        let letter = encode(&rejected(&rejection, Some(text.as_bytes()), &[]), &stamp(limit));
        let left = letter.value.unwrap();
        assert!(std::str::from_utf8(left).is_ok() && letter.wire_size() <= limit, "limit {limit}");
        let longer = DeadLetter { value: text.as_bytes().get(..left.len() + 2), ..letter.clone() };
        assert!(longer.wire_size() > limit, "limit {limit}");

        let letter = encode(&rejected(&rejection, Some(&bytes), &[]), &stamp(limit));
        let longer = DeadLetter { value: bytes.get(..letter.value.unwrap().len() + 1), ..letter.clone() };
        assert!(letter.wire_size() <= limit && longer.wire_size() > limit, "limit {limit}");
    }
}

#[test]
fn what_is_not_there_is_not_said_to_be_dropped() {
    let rejection = rejection("");
    let large = "h".repeat(500);
    let headers = [header("a", &large)];
    type Bytes = Option<&'static [u8]>;
    let cases: [(Bytes, Bytes, _, _); 4] = [
        (None, None, Some("headers_dropped"), (None, None)),
        (None, Some(b"v"), Some("value_truncated"), (Some("1"), None)),
        (Some(b"k"), None, Some("key_dropped"), (None, Some("1"))),
        (Some(b""), Some(b""), Some("key_dropped"), (Some("0"), Some("0"))),
    ];
    for (key, value, fit, (value_bytes, key_bytes)) in cases {
        let letter = encode(&Rejected { key, ..rejected(&rejection, value, &headers) }, &stamp(0));
        assert_eq!(value_of(&letter, "dlq.fit").as_deref(), fit);
        assert_eq!(value_of(&letter, "dlq.value.bytes").as_deref(), value_bytes);
        assert_eq!(value_of(&letter, "dlq.key.bytes").as_deref(), key_bytes);
    }
}

#[test]
fn the_promised_size_holds_the_longest_letter_there_is() {
    let rejection = Rejection { kind: Kind::MessageTraceDetail, key: "".into(), ..rejection(&"m".repeat(9000)) };
    let topic = "t".repeat(Coordinates::MAX_TOPIC_BYTES);
    let (text, group) = (vec![b'x'; 3_000_000], "g".repeat(512));
    let replayed = Coordinates { topic: &topic, partition: i32::MAX, offset: i64::MAX }.to_string();
    let headers = [
        header("dlq.attempts", "18446744073709551615"),
        header("dlq.replayed.from", &replayed),
        Header { name: &text, value: Some(&text) },
    ];
    let record = Rejected {
        source: Coordinates { topic: &topic, partition: i32::MAX, offset: i64::MAX },
        index: Some(u32::MAX),
        timestamp_ms: Some(253_402_300_799_999),
        key: Some(&text),
        value: Some(&text),
        headers: &headers,
        rejection: &rejection,
    };
    let stamp = Stamp {
        group: &group,
        processor: &group,
        failed_at_ms: i64::MAX,
        limit_bytes: ALWAYS_FITS_BYTES,
        dialect: None,
    };
    for dialect in Dialect::ALL.map(Some).into_iter().chain([None]) {
        let letter = encode(&record, &Stamp { dialect, ..stamp });
        assert!(letter.wire_size() <= ALWAYS_FITS_BYTES, "{dialect:?}");
        assert!(letter.value.is_some_and(|value| !value.is_empty()), "{dialect:?}");
    }
}
