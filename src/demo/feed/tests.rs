//! What the feed promises: the same stream for the same seed, every shape and kind in it, and only reserved names.

use super::*;
use crate::normalize::{Kind, decoded};

#[test]
fn the_same_seed_gives_the_same_records() {
    assert!(Feed::new(7, 2000).eq(Feed::new(7, 2000)));
    assert!(Feed::new(7, 2000).ne(Feed::new(8, 2000)));
    assert!(Feed::new(7, 500).eq(Feed::new(7, 2000).take(500)));
}

#[test]
fn as_many_records_come_as_were_asked_for() {
    for records in [0, 1, 1234] {
        assert_eq!(Feed::new(1, records).count() as u64, records);
    }
}

fn totals(feed: Feed) -> Totals {
    let mut totals = Totals::default();
    feed.for_each(|record| totals.add(&record.expected));
    totals
}

#[test]
fn every_kind_that_does_not_depend_on_the_broker_occurs() {
    let limits = Limits { max_payload_bytes: Some(4096), ..Limits::default() };
    let totals = totals(Feed::new(1, 60_000).with_limits(limits));
    let missing: Vec<_> =
        Kind::ALL.into_iter().filter(|kind| !totals.dead_letters().any(|(k, _)| k == *kind)).collect();
    assert_eq!(missing, [Kind::EventTooLarge, Kind::EventRefused]);
    assert_eq!(totals.delivered + totals.dead_lettered + totals.skipped, totals.records);
}

#[test]
fn poison_is_rare_and_no_more_than_that() {
    let totals = totals(Feed::new(1, 60_000));
    let percent = totals.dead_lettered as f64 * 100.0 / totals.records as f64;
    assert!((1.0..2.0).contains(&percent), "{percent}");
    assert!((100..300).contains(&totals.skipped), "{}", totals.skipped);
}

#[test]
fn a_single_trace_takes_about_800_bytes() {
    let single = Feed::new(1, 20_000).filter(|record| record.expected == Expected { events: 1, dead_letters: vec![] });
    let (count, bytes) = single.fold((0, 0), |(count, bytes), record| (count + 1, bytes + record.value.unwrap().len()));
    let average = bytes / count;
    assert!((700..900).contains(&average), "{average}");
}

#[test]
fn only_what_is_spoiled_for_it_is_no_json_text() {
    for record in Feed::new(3, 20_000) {
        let value = record.value.unwrap_or_default();
        let text = decoded(&value, usize::MAX).map_or(Vec::new(), |decoded| decoded.text.into_owned());
        let text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&text);
        let is_json = |text| serde_json::from_slice::<&serde_json::value::RawValue>(text).is_ok();
        let are_lines = || text.ends_with(b"}\n") && text.trim_ascii().split(|byte| *byte == b'\n').all(is_json);
        let readable = is_json(text) || are_lines();
        let spoiled = [Kind::EmptyPayload, Kind::InvalidEncoding, Kind::InvalidUtf8, Kind::InvalidJson];
        let expected = record.expected.dead_letters.iter().all(|kind| !spoiled.contains(kind));
        // The text inside a string is not looked at here.
        let in_a_string = text.starts_with(b"{\"message\":") || text.starts_with(b"\"");
        let inside = record.expected.dead_letters == [Kind::InvalidJson] && in_a_string;
        assert_eq!(readable, expected || inside, "{}", value.escape_ascii());
    }
}

#[test]
fn the_two_traces_of_a_mail_have_one_key_and_one_id() {
    let mail = (0..).map(|seed| Mail { seed, received_ms: 1 }).find(|mail| mail.is_under_way()).unwrap();
    let (mut first, mut last) = (String::new(), String::new());
    mail.write(Stage::First, &mut first);
    mail.write(Stage::Final, &mut last);
    let status = |text: &str| text.to_lowercase().find("\"delivered\"").is_some();
    assert!(!status(&first) && status(&last));
    assert!(first.len().abs_diff(last.len()) < 10);
}

#[test]
fn mail_domains_and_addresses_are_reserved_for_examples() {
    let reserved = |domain: &str| {
        ["example", "example.com", "example.net", "example.org"]
            .iter()
            .any(|top| domain.strip_suffix(top).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')))
    };
    assert!(words::TENANTS.iter().chain(&words::OUTSIDE).all(|domain| reserved(domain)));
    for record in Feed::new(5, 5000) {
        let value = record.value.unwrap_or_default();
        let text = String::from_utf8_lossy(&value);
        for (_, after) in text.match_indices("https://").map(|(at, scheme)| text.split_at(at + scheme.len())) {
            // A cut-off record may end inside of it.
            if let Some((host, _)) = after.split_once('/') {
                assert!(reserved(host), "{host}");
            }
        }
    }
}

#[test]
fn every_encoding_and_wrapper_that_collectors_use_occurs() {
    let mut found = std::collections::BTreeSet::new();
    for record in Feed::new(1, 20_000).filter(|record| record.expected.dead_letters.is_empty()) {
        let value = record.value.unwrap_or_default();
        let decoded = decoded(&value, usize::MAX).unwrap();
        found.extend(decoded.undone.iter().map(ToString::to_string));
        let text = String::from_utf8_lossy(&decoded.text);
        let parts = ["$content\"", "data_base64\"", "\"data\":", "_raw\"", "\"log\":\"", "properties\""];
        found.extend(parts.iter().filter(|part| text.contains(**part)).map(ToString::to_string));
        if text.starts_with('"') {
            found.insert("a string".to_owned());
        }
        if text.trim_end().contains("}\n{") {
            found.insert("lines".to_owned());
        }
    }
    let expected = [
        "gzip",
        "zlib",
        "Zstandard",
        "UTF-16",
        "schema id 456",
        "$content\"",
        "data_base64\"",
        "\"data\":",
        "_raw\"",
        "\"log\":\"",
        "properties\"",
        "a string",
        "lines",
    ];
    let missing: Vec<_> = expected.iter().filter(|name| !found.contains(**name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
