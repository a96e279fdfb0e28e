//! What is written is read again; what others wrote is reported.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;

#[test]
fn a_foreign_or_broken_record_is_reported_as_such() {
    let good = [
        header("dlq.error.kind", "from_the_future"),
        header("dlq.source.topic", "t"),
        header("dlq.source.partition", "0"),
        header("dlq.source.offset", "5"),
    ];
    let with = |last: Header<'static>| good.iter().copied().chain([last]).collect::<Vec<_>>();
    let decoded = decode(&good).unwrap();
    assert_eq!((decoded.kind, decoded.fit, decoded.attempts), ("from_the_future", Fit::Whole, 0));
    assert!(decoded.unreadable.is_empty());

    assert_eq!(decode(&[]), Err(NotOurs::Missing("dlq.error.kind")));
    assert_eq!(decode(good.get(..3).unwrap()), Err(NotOurs::Missing("dlq.source.offset")));
    let broken: [(&str, Option<&[u8]>); 4] = [
        ("dlq.error.kind", None),
        ("dlq.source.topic", Some(b"\xff")),
        ("dlq.source.partition", Some(b"2147483648")),
        ("dlq.source.offset", Some(b"-1")),
    ];
    for (name, value) in broken {
        let headers = with(Header { name: name.as_bytes(), value });
        assert_eq!(decode(&headers), Err(NotOurs::Unreadable(name)));
    }
    let unreadable = [
        ("dlq.source.index", "4294967296"),
        ("dlq.source.timestamp", "yesterday"),
        ("dlq.failed.at", "2022-02-30T00:00:00.000Z"),
        ("dlq.attempts", "many"),
        ("dlq.replayed.from", "somewhere"),
        ("dlq.fit", "squeezed"),
        ("dlq.value.bytes", ""),
        ("dlq.value.sha256", "beef"),
        ("dlq.key.bytes", "1.0"),
    ];
    for (name, value) in unreadable {
        let headers = with(header(name, value));
        let decoded = decode(&headers).unwrap();
        assert_eq!(decoded.unreadable, [name]);
        assert_eq!(decoded.fit == Fit::Unknown("squeezed"), name == "dlq.fit");
    }
}

#[derive(Clone, Debug)]
struct Anything {
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    kind: Kind,
    message: String,
    index: Option<u32>,
    timestamp_ms: Option<i64>,
    source: (String, i32, i64),
    failed_at_ms: i64,
    limit_bytes: usize,
}

fn anything() -> impl Strategy<Value = Anything> {
    let name = prop_oneof![
        vec(any::<u8>(), 0..12),
        proptest::sample::select(OURS.to_vec()).prop_map(|name| name.as_bytes().to_vec()),
        proptest::sample::select(Tool::ALL.to_vec()).prop_flat_map(|tool| {
            let names: Vec<&str> = tool.names().all().collect();
            proptest::sample::select(names).prop_map(|name| name.as_bytes().to_vec())
        }),
        Just(b"messagetrace.source".to_vec()),
        Just(b"dlq.other".to_vec()),
    ];
    let text =
        prop_oneof![vec(any::<u8>(), 0..40), "[0-9]{0,3}".prop_map(Vec::from), "t/[0-9]/[0-9]".prop_map(Vec::from)];
    let value = prop_oneof![vec(any::<u8>(), 0..3000), "\\PC{0,800}".prop_map(Vec::from)];
    let limit = prop_oneof![Just(NO_LIMIT), ALWAYS_FITS_BYTES..8000, 0..ALWAYS_FITS_BYTES];
    let source = ("[a-zA-Z0-9._-]{1,249}", 0..=i32::MAX, 0..=i64::MAX);
    let parts = (
        option::of(vec(any::<u8>(), 0..2000)),
        option::of(value),
        vec((name, option::of(text)), 0..12),
        proptest::sample::select(Kind::ALL.to_vec()),
        "[ -~é]{0,300}",
        option::of(any::<u32>()),
        option::of(any::<i64>()),
        source,
        PRINTABLE_MS,
        limit,
    );
    parts.prop_map(|(key, value, headers, kind, message, index, timestamp_ms, source, failed_at_ms, limit_bytes)| {
        Anything { key, value, headers, kind, message, index, timestamp_ms, source, failed_at_ms, limit_bytes }
    })
}

proptest! {
    #[test]
    fn what_was_encoded_is_decoded(any in anything()) {
        let headers: Vec<Header<'_>> =
            any.headers.iter().map(|(name, value)| Header { name, value: value.as_deref() }).collect();
        let rejection = Rejection { kind: any.kind, ..rejection(&any.message) };
        let source = Coordinates { topic: &any.source.0, partition: any.source.1, offset: any.source.2 };
        let record = Rejected {
            source,
            index: any.index,
            timestamp_ms: any.timestamp_ms,
            key: any.key.as_deref(),
            value: any.value.as_deref(),
            headers: &headers,
            rejection: &rejection,
        };
        let stamp = Stamp { failed_at_ms: any.failed_at_ms, ..stamp(any.limit_bytes) };
        let letter = encode(&record, &stamp);
        prop_assert!(letter.wire_size() <= any.limit_bytes.max(ALWAYS_FITS_BYTES));

        let written: Vec<Header<'_>> = letter.headers().collect();
        for ours in OURS {
            prop_assert!(written.iter().filter(|header| header.name == ours.as_bytes()).count() <= 1, "{ours} is repeated");
        }
        let decoded = decode(&written).unwrap();
        prop_assert_eq!(&decoded.unreadable, &Vec::<&str>::new());
        prop_assert_eq!(Kind::from_name(decoded.kind), Some(any.kind));
        prop_assert_eq!(decoded.message, Some(any.message.as_str()).map(|m| m.get(..m.floor_char_boundary(512)).unwrap()));
        let fingerprint = rejection.fingerprint();
        prop_assert_eq!(decoded.fingerprint, Some(fingerprint.as_str()));
        prop_assert_eq!((decoded.source, decoded.index), (Some(source), any.index));
        prop_assert_eq!(decoded.source_timestamp_ms, any.timestamp_ms.filter(|ms| PRINTABLE_MS.contains(ms)));
        prop_assert_eq!((decoded.group, decoded.processor), (Some(stamp.group), Some(stamp.processor)));
        prop_assert_eq!(decoded.failed_at_ms, Some(any.failed_at_ms));
        let before = decode_before(&headers);
        prop_assert_eq!((decoded.attempts, decoded.replayed_from), (before.0 + 1, before.1));

        let kept = |fit: Fit<'_>| decoded.fit == fit;
        let foreign: Vec<Header<'_>> = headers.iter().copied().filter(|header| !is_ours(header.name)).collect();
        prop_assert_eq!(&decoded.headers, if kept(Fit::Whole) { &foreign } else { const { &Vec::new() } });
        prop_assert_eq!(letter.key, if kept(Fit::KeyDropped) { None } else { any.key.as_deref() });
        prop_assert_eq!(decoded.key_bytes.is_some(), kept(Fit::KeyDropped));
        if kept(Fit::Whole) || kept(Fit::HeadersDropped) {
            prop_assert_eq!(letter.value, any.value.as_deref());
            prop_assert_eq!((decoded.value_bytes, decoded.value_sha256), (None, None));
        } else {
            prop_assert_eq!(decoded.value_bytes, any.value.as_ref().map(|value| value.len() as u64));
            prop_assert!(record.value.unwrap_or_default().starts_with(letter.value.unwrap_or_default()));
        }
    }

    #[test]
    fn no_headers_make_the_decoder_panic(any in anything()) {
        let headers: Vec<Header<'_>> =
            any.headers.iter().map(|(name, value)| Header { name, value: value.as_deref() }).collect();
        let _ = decode(&headers);
    }
}

/// Attempts and replay as the record's headers said before.
fn decode_before<'a>(headers: &[Header<'a>]) -> (u64, Option<Coordinates<'a>>) {
    let last = |name: &str| {
        let value = headers.iter().rev().find(|header| header.name == name.as_bytes())?.value?;
        std::str::from_utf8(value).ok()
    };
    let attempts = last("dlq.attempts").and_then(|text| text.parse().ok());
    (attempts.unwrap_or(0), last("dlq.replayed.from").and_then(Coordinates::parse))
}
