//! Letters held against what a replay makes of them.

use sha2::{Digest as _, Sha256};

use super::*;
use crate::kafka::scan::Record;
use crate::letters::held::Held;
use crate::letters::repair::Repair;
use crate::record::Coordinates;

const VALUE: &[u8] = b"0123456789";

fn header<'a>(name: &'a str, value: &'a str) -> Header<'a> {
    Header { name: name.as_bytes(), value: Some(value.as_bytes()) }
}

fn record<'a>(key: Option<&'a [u8]>, value: Option<&'a [u8]>, headers: &'a [Header<'a>]) -> Record<'a> {
    let at = Coordinates { topic: "dlq", partition: 1, offset: 7 };
    Record { at, timestamp_ms: Some(5), key, value, headers }
}

fn sha256() -> String {
    Sha256::digest(VALUE).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A letter of `mail/2/70` with more headers, held against an original.
fn judged(more: &[(&str, &str)], value: &[u8], original: Option<&Record<'_>>) -> Result<String, Skip> {
    judged_by(more, value, original, |_| {})
}

fn judged_by(
    more: &[(&str, &str)],
    value: &[u8],
    original: Option<&Record<'_>>,
    change: impl Fn(&mut Terms<'_>),
) -> Result<String, Skip> {
    let given = [
        ("trace", "own"),
        ("dlq.error.kind", "api_error"),
        ("dlq.source.topic", "mail"),
        ("dlq.source.partition", "2"),
        ("dlq.source.offset", "70"),
        ("dlq.source.timestamp", "1970-01-01T00:00:01.000Z"),
        ("dlq.attempts", "2"),
    ];
    let headers: Vec<_> = given.iter().chain(more).map(|(name, value)| header(name, value)).collect();
    let letter = Letter::new(record(Some(b"key"), Some(value), &headers), 0);
    let targets = BTreeMap::from([(
        "mail".to_owned(),
        Target { partitions: 3, limit_bytes: 1000, times: TimeLimits::default(), kept_bytes: None },
    )]);
    let failed_again = HashMap::new();
    let refused = HashSet::new();
    let repairs = Repairs::default();
    let topics = Topics::new(["dlq"]);
    let mut terms = Terms {
        topics: &topics,
        dead_letters: "dlq",
        output: "events",
        to_topic: None,
        max_attempts: 3,
        targets: &targets,
        failed_again: &failed_again,
        timestamp: Timestamp::Source,
        now_ms: 2_000,
        output_kept_ms: None,
        refused: &refused,
        repairs: &repairs,
    };
    change(&mut terms);
    let original = original.map(Held::of);
    let parcel = judge(&letter, original.as_ref(), &terms)?;
    let text =
        |bytes: Option<&[u8]>| bytes.map_or("null".to_owned(), |bytes| String::from_utf8_lossy(bytes).into_owned());
    let headers: Vec<_> =
        parcel.headers().map(|header| format!("{}={}", text(Some(header.name)), text(header.value))).collect();
    let partition = parcel.partition.map_or("by key".to_owned(), |partition| partition.to_string());
    Ok(format!(
        "{}/{partition} {} {} @{} {} {:?}",
        parcel.topic,
        text(parcel.key),
        text(parcel.value.as_deref()),
        parcel.timestamp_ms.unwrap_or(-1),
        headers.join(" "),
        parcel.origin
    ))
}

const AS_IT_CAME: &str = "mail/2 key 0123456789 @1000 trace=own dlq.attempts=2 dlq.replayed.from=dlq/1/7 Letter";

#[test]
fn a_letter_goes_back_as_its_record_came_with_its_history_beside_it() {
    assert_eq!(judged(&[], VALUE, None).as_deref(), Ok(AS_IT_CAME));
    // What the record was the replay of is replaced.
    assert_eq!(judged(&[("dlq.replayed.from", "dlq/0/1")], VALUE, None).as_deref(), Ok(AS_IT_CAME));
}

#[test]
fn what_was_cut_comes_from_the_source_when_that_is_still_the_same() {
    let (sha256, other) = (sha256(), "ab".repeat(32));
    let truncated = [("dlq.fit", "value_truncated"), ("dlq.value.bytes", "10"), ("dlq.value.sha256", sha256.as_str())];
    let of_another = [("dlq.fit", "value_truncated"), ("dlq.value.bytes", "10"), ("dlq.value.sha256", other.as_str())];
    let in_page = [truncated[0], truncated[1], truncated[2], ("dlq.source.index", "3")];
    let no_key = [("dlq.fit", "key_dropped"), ("dlq.key.bytes", "3"), truncated[1], truncated[2]];
    let long_key = [("dlq.fit", "key_dropped"), ("dlq.key.bytes", "4"), truncated[1], truncated[2]];
    let headers_dropped = [("dlq.fit", "headers_dropped")];
    let source_headers = [header("full", "1"), header("dlq.attempts", "1")];
    let source = record(Some(b"key"), Some(VALUE), &source_headers);
    let fetched = "mail/2 key 0123456789 @1000 full=1 dlq.attempts=2 dlq.replayed.from=dlq/1/7 Source";
    let without = "mail/2 key 0123456789 @1000 trace=own dlq.attempts=2 dlq.replayed.from=dlq/1/7 WithoutHeaders";
    type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a [u8], Option<&'a Record<'a>>, Result<&'a str, Skip>);
    let elsewhere = record(Some(b"kex"), Some(VALUE), &[]);
    let cases: [Case<'_>; 11] = [
        ("value", &truncated, b"01234", Some(&source), Ok(fetched)),
        ("value, gone", &truncated, b"01234", None, Err(Skip::OriginalGone)),
        ("value, another", &of_another, b"01234", Some(&source), Err(Skip::OriginalDiffers)),
        ("value, another key", &truncated, b"01234", Some(&elsewhere), Err(Skip::OriginalDiffers)),
        ("value of a part of a page", &in_page, b"01234", Some(&source), Err(Skip::CutInPage)),
        ("key", &no_key, b"01234", Some(&source), Ok(fetched)),
        ("key, another", &long_key, b"01234", Some(&source), Err(Skip::OriginalDiffers)),
        ("headers", &headers_dropped, VALUE, Some(&source), Ok(fetched)),
        ("headers, gone", &headers_dropped, VALUE, None, Ok(without)),
        ("headers, another", &headers_dropped, VALUE, Some(&elsewhere), Ok(without)),
        ("nobody knows what", &[("dlq.fit", "squeezed")], VALUE, Some(&source), Err(Skip::UnknownFit)),
    ];
    for (what, more, value, original, expected) in cases {
        assert_eq!(judged(more, value, original), expected.map(str::to_owned), "{what}");
    }
}

#[test]
fn what_cannot_or_should_not_go_back_is_skipped_with_its_reason() {
    let cases: [(&[(&str, &str)], Skip); 6] = [
        (&[("dlq.attempts", "3")], Skip::Attempts),
        (&[("dlq.source.offset", "-1")], Skip::NoLetter),
        (&[("dlq.source.topic", "dlq")], Skip::OwnTopic),
        (&[("dlq.source.topic", "events")], Skip::OwnTopic),
        (&[("dlq.source.topic", "gone")], Skip::TopicMissing),
        (&[("dlq.source.partition", "3")], Skip::PartitionMissing),
    ];
    for (more, why) in cases {
        assert_eq!(judged(more, VALUE, None), Err(why), "{more:?}");
    }
    assert_eq!(judged(&[], &[b'x'; 900], None), Err(Skip::TooLarge));
    let later =
        HashMap::from([(Place { topic: 0, partition: 1, offset: 7 }, Place { topic: 0, partition: 0, offset: 9 })]);
    let again = judged_by(&[], VALUE, None, |terms| {
        // Borrowed for as long as the test runs.
        terms.failed_again = Box::leak(Box::new(later.clone()));
    });
    assert_eq!(again, Err(Skip::FailedAgain));
    assert!(judged_by(&[("dlq.attempts", "3")], VALUE, None, |terms| terms.max_attempts = 4).is_ok());
}

#[test]
fn another_topic_takes_letters_by_key() {
    let elsewhere = |terms: &mut Terms<'_>| terms.to_topic = Some("mail");
    let sent = judged_by(&[("dlq.source.topic", "gone"), ("dlq.source.partition", "9")], VALUE, None, elsewhere);
    assert_eq!(sent, Ok(AS_IT_CAME.replace("mail/2", "mail/by key")));
}

/// A letter of a share group, which copies nothing, held against the record at its source.
fn shared(original: Option<&Held>, more: &[Header<'_>]) -> Result<String, Skip> {
    share_letter((None, None), original, more)
}

/// With what the group has copied, which is key and value at most.
fn share_letter(
    (key, value): (Option<&[u8]>, Option<&[u8]>),
    original: Option<&Held>,
    more: &[Header<'_>],
) -> Result<String, Skip> {
    let headers = [
        header("__dlq.errors.topic", "mail"),
        header("__dlq.errors.partition", "0"),
        header("__dlq.errors.offset", "8"),
        header("__dlq.errors.delivery.count", "5"),
    ];
    let headers: Vec<_> = headers.iter().chain(more).copied().collect();
    let letter = Letter::new(record(key, value, &headers), 0);
    let targets = BTreeMap::from([(
        "mail".to_owned(),
        Target { partitions: 1, limit_bytes: 1000, times: TimeLimits::default(), kept_bytes: None },
    )]);
    let topics = Topics::new(["dlq"]);
    let terms = Terms {
        topics: &topics,
        dead_letters: "dlq",
        output: "events",
        to_topic: None,
        max_attempts: 3,
        targets: &targets,
        failed_again: &HashMap::new(),
        timestamp: Timestamp::Source,
        now_ms: 2_000,
        output_kept_ms: None,
        refused: &HashSet::new(),
        repairs: &Repairs::default(),
    };
    let parcel = judge(&letter, original, &terms)?;
    let text = |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or(b"null")).into_owned();
    let headers: Vec<_> =
        parcel.headers().map(|header| format!("{}={}", text(Some(header.name)), text(header.value))).collect();
    let without = if parcel.origin == Origin::WithoutHeaders { " without its own" } else { "" };
    Ok(format!(
        "{} {} @{:?} {}{without}",
        text(parcel.key),
        text(parcel.value.as_deref()),
        parcel.timestamp_ms,
        headers.join(" ")
    ))
}

#[test]
fn a_letter_whose_tool_copies_no_headers_has_them_its_time_and_its_history_from_its_source() {
    let copied: (Option<&[u8]>, Option<&[u8]>) = (Some(b"key"), Some(VALUE));
    let own = [header("own", "1"), header("dlq.attempts", "1"), header("dlq.replayed.from", "dlq/0/1")];
    let found = |key, attempts: usize| {
        let headers = &own[..attempts];
        Held::of(&Record { timestamp_ms: Some(1_500), ..record(Some(key), Some(VALUE), headers) })
    };
    let sent = "key 0123456789 @Some(1500) own=1 dlq.attempts=1 dlq.replayed.from=dlq/1/7";
    assert_eq!(share_letter(copied, Some(&found(b"key", 1)), &[]).as_deref(), Ok(sent));
    let again = sent.replace("attempts=1", "attempts=2");
    assert_eq!(share_letter(copied, Some(&found(b"key", 3)), &[]), Ok(again), "its history is known");
    // What the letter has goes back all the same, with the time of the sending.
    let without = "key 0123456789 @None dlq.attempts=1 dlq.replayed.from=dlq/1/7 without its own";
    assert_eq!(share_letter(copied, None, &[]).as_deref(), Ok(without));
    assert_eq!(share_letter(copied, Some(&found(b"kex", 3)), &[]).as_deref(), Ok(without), "that is another record");
}

#[test]
fn a_letter_that_holds_nothing_goes_back_as_its_source_has_it() {
    let own = [header("own", "1")];
    let original = Held::of(&Record { timestamp_ms: Some(1_500), ..record(Some(b"key"), Some(VALUE), &own) });
    let sent = "key 0123456789 @Some(1500) own=1 dlq.attempts=1 dlq.replayed.from=dlq/1/7";
    assert_eq!(shared(Some(&original), &[]).as_deref(), Ok(sent), "its count of deliveries is none of replays");
    assert_eq!(shared(None, &[]), Err(Skip::OriginalGone));
    let tombstone = Held::of(&record(None, None, &[]));
    assert!(shared(Some(&tombstone), &[]).is_ok_and(|sent| sent.starts_with("null null ")));
}

#[test]
fn another_tool_s_letter_of_a_replay_is_one_that_failed_again() {
    let tried = |attempts: &'static str| [header("dlq.attempts", attempts), header("dlq.replayed.from", "dlq/0/1")];
    let again = |attempts| Held::of(&record(Some(b"key"), Some(VALUE), &tried(attempts)));
    let sent = shared(Some(&again("1")), &[]).unwrap();
    assert!(sent.ends_with("@Some(5) dlq.attempts=2 dlq.replayed.from=dlq/1/7"), "{sent}");
    assert_eq!(shared(Some(&again("2")), &[]), Err(Skip::Attempts), "the source has its history");
}

#[test]
fn what_its_topic_would_refuse_or_delete_for_its_time_is_skipped() {
    let week_ms = 604_800_000;
    let with = |change: &dyn Fn(&mut Terms<'_>)| judged_by(&[], VALUE, None, change);
    let targets = |times| -> &'static BTreeMap<String, Target> {
        let target = Target { partitions: 3, limit_bytes: 1000, times, kept_bytes: None };
        // Borrowed for as long as the test runs.
        Box::leak(Box::new(BTreeMap::from([("mail".to_owned(), target)])))
    };
    let kept = targets(TimeLimits { kept_ms: Some(week_ms), ..TimeLimits::default() });
    let soon = targets(TimeLimits { after_max_ms: Some(10), ..TimeLimits::default() });
    assert!(with(&|terms| terms.targets = kept).is_ok());
    let later = |terms: &mut Terms<'_>| (terms.targets, terms.now_ms) = (kept, week_ms + 2_000);
    assert_eq!(with(&later), Err(Skip::TooOld));
    assert_eq!(with(&|terms| (terms.targets, terms.now_ms) = (soon, 500)), Err(Skip::TooNew));
    assert_eq!(with(&|terms| (terms.output_kept_ms, terms.now_ms) = (Some(1_000), 9_000)), Err(Skip::TooOld));
    let now = |terms: &mut Terms<'_>| {
        later(terms);
        terms.timestamp = Timestamp::Now;
    };
    assert_eq!(with(&now), Ok(AS_IT_CAME.replace("@1000", "@-1")));
}

#[test]
fn what_comes_from_no_record_is_never_sent() {
    let headers = [header("__streams.errors.exception", "java.lang.IllegalStateException")];
    let letter = Letter::new(record(None, None, &headers), 0);
    let targets = BTreeMap::new();
    let topics = Topics::new(["dlq"]);
    let terms = Terms {
        topics: &topics,
        dead_letters: "dlq",
        output: "events",
        to_topic: Some("mail"),
        max_attempts: 3,
        targets: &targets,
        failed_again: &HashMap::new(),
        timestamp: Timestamp::Source,
        now_ms: 0,
        output_kept_ms: None,
        refused: &HashSet::new(),
        repairs: &Repairs::default(),
    };
    assert_eq!(judge(&letter, None, &terms).err(), Some(Skip::NoSource));
}

#[test]
fn a_repaired_letter_says_what_was_repaired_and_one_that_cannot_be_is_skipped() {
    let repairs: &'static Repairs = {
        let repair = Repair::parse("cast /Size=integer").unwrap();
        // Borrowed for as long as the test runs.
        Box::leak(Box::new(Repairs::new(&[repair]).unwrap()))
    };
    let value = br#"{"Size": "17"}"#;
    let sent = judged_by(&[("dlq.repaired", "remove /a")], value, None, |terms| terms.repairs = repairs).unwrap();
    let expected = "mail/2 key {\"Size\": 17} @1000 trace=own dlq.attempts=2 dlq.replayed.from=dlq/1/7 \
                    dlq.repaired=remove /a; cast /Size=integer Letter";
    assert_eq!(sent, expected);
    assert_eq!(judged_by(&[], VALUE, None, |terms| terms.repairs = repairs), Err(Skip::RepairFailed));
    let travels = judged(&[("dlq.repaired", "remove /a")], VALUE, None).unwrap();
    assert!(travels.ends_with("dlq.repaired=remove /a Letter"), "{travels}");
    let huge: &'static Repairs = {
        let repair = Repair::parse(&format!("set /a=\"{}\"", "x".repeat(400))).unwrap();
        Box::leak(Box::new(Repairs::new(&[repair]).unwrap()))
    };
    let value = format!("{{\"b\":\"{}\"}}", "y".repeat(400));
    assert_eq!(judged_by(&[], value.as_bytes(), None, |terms| terms.repairs = huge), Err(Skip::TooLarge));
}

#[test]
fn what_its_time_keeps_back_is_said_with_how_it_goes_now_and_later() {
    for skip in [Skip::TooOld, Skip::TooNew] {
        let words = skip.words();
        assert!(words.contains("--timestamp now sends it") && words.contains("a selection of its own"), "{words}");
    }
}
