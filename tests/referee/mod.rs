//! Holds the production mapping against the plain one and against what every output promises by itself.
//!
//! Shared by the tests and the fuzz targets: the root of each brings `normalize` (production), `plain` and `ecs_fields`
//! into scope.

use std::borrow::Cow;

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::ecs_fields;
use crate::normalize::{self, Kind, Normalizer, Outcomes, Profile, Record, Settings};
use crate::plain::{self, Options, Outcome, Verdict};

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// One record to normalize.
#[derive(Clone, Debug)]
pub struct Input<'a> {
    pub value: Option<&'a [u8]>,
    pub timestamp_ms: Option<i64>,
    pub options: &'a Options,
}

/// What the production mapping makes of a record, in the words of the plain one. It is asked twice, so that a record
/// which leaves something behind for the next is noticed.
pub fn fast(input: &Input) -> Vec<Outcome> {
    let normalizer = Normalizer::new(settings(input.options));
    let record = Record { value: input.value, timestamp_ms: input.timestamp_ms };
    let mut outcomes = Outcomes::default();
    normalizer.normalize(record, &mut outcomes);
    normalizer.normalize(record, &mut outcomes);
    assert_eq!(outcomes.records(), 2, "each record is counted");
    for outcome in outcomes.of_record(0) {
        check_position(input, &outcome);
    }
    let [first, second] = [0, 1].map(|record| outcomes.of_record(record).map(translate).collect::<Vec<_>>());
    assert_eq!(first, second, "the same record gives the same outcomes");
    first
}

pub fn plain(input: &Input) -> Vec<Outcome> {
    plain::normalize(input.value, input.timestamp_ms, input.options)
}

/// Whether two outcomes are the same: to the byte in profile `sekoia`, as JSON values in `ecs`, whose key order is the
/// implementation's own.
pub fn same(left: &[Outcome], right: &[Outcome], profile: plain::Profile) -> bool {
    left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same_outcome(left, right, profile))
}

fn same_outcome(left: &Outcome, right: &Outcome, profile: plain::Profile) -> bool {
    match (&left.verdict, &right.verdict) {
        (
            Verdict::Event { json: left_json, received_us: left_us, id: left_id },
            Verdict::Event { json: right_json, received_us: right_us, id: right_id },
        ) if profile == plain::Profile::Ecs => {
            (left.index, left_us, left_id) == (right.index, right_us, right_id) && value(left_json) == value(right_json)
        }
        _ => left == right,
    }
}

/// Fails when the two mappings disagree, or when an output breaks a promise that holds for any input.
pub fn check(input: &Input) {
    let fast = fast(input);
    let plain = plain(input);
    assert!(
        same(&fast, &plain, input.options.profile),
        "the mappings disagree\nvalue: {:?}\noptions: {:?}\nfast:  {fast:#?}\nplain: {plain:#?}",
        input.value.map(String::from_utf8_lossy),
        input.options,
    );
    check_promises(input, &fast);
}

/// What holds for the outcomes of any record, whatever it is.
pub fn check_promises(input: &Input, outcomes: &[Outcome]) {
    for (position, outcome) in outcomes.iter().enumerate() {
        let in_page = outcome.index.is_some();
        assert_eq!(outcome.index.unwrap_or(0), position, "indexes count the outcomes from 0");
        assert!(in_page || outcomes.len() == 1, "only a page holds several");
        match &outcome.verdict {
            Verdict::Event { json, .. } => check_event(input, json),
            Verdict::Rejection { kind, key, text } => {
                assert_eq!(text.is_some(), in_page, "a page's rejection has its own text");
                if let Some(text) = text {
                    check_dead_letter(input, (kind, key), text);
                }
            }
        }
    }
}

/// A dead letter that is replayed fails again for the same cause, unless it was only too deep in its page, or is taken for
/// something that is looked for in a record and not in a string: lines or an encoding.
fn check_dead_letter(input: &Input, (kind, key): (&'static str, &str), text: &str) {
    let fails_as = |outcomes: &[Outcome], kind, key: &str| {
        let verdict = Verdict::Rejection { kind, key: key.to_owned(), text: None };
        outcomes == [Outcome { index: None, verdict }]
    };
    let alone = alone(input, text);
    let fails_again = match kind {
        // With more levels left, more leads on.
        "unknown_shape" => true,
        // The same for a wrapper of it that is looked for before its Base64; without wrapper keys there is no such.
        "invalid_encoding" => {
            let options = Options { wrapper_keys: Vec::new(), ..input.options.clone() };
            fails_as(&self::alone(&Input { options: &options, ..*input }, text), kind, key)
        }
        "invalid_json" => {
            let are_lines = text.contains('\n') && alone.iter().all(|outcome| outcome.index.is_some());
            // A line but the first keeps a byte order mark, which a record loses.
            let is_marked = text.starts_with('\u{feff}');
            let marked = || self::alone(input, &format!("\u{feff}{text}"));
            fails_as(&alone, kind, "")
                || fails_as(&alone, "empty_payload", "")
                || are_lines
                || is_marked && fails_as(&marked(), kind, "")
                || is_encoded(text.as_bytes())
        }
        _ => fails_as(&alone, kind, key),
    };
    assert!(fails_again, "replayed, what failed with {kind} gives {alone:?}: {text}");
}

/// What becomes of a text that was found in a record, however long it became by being decoded.
fn alone(input: &Input, text: &str) -> Vec<Outcome> {
    let options = Options { max_payload_bytes: usize::MAX, ..input.options.clone() };
    fast(&Input { value: Some(text.as_bytes()), options: &options, ..*input })
}

/// Whether a record begins like an encoding: with bytes that no JSON text in UTF-8 begins with.
fn is_encoded(value: &[u8]) -> bool {
    matches!(
        value,
        [0x1f, 0x8b, 8, ..]
            | [b'x', 0x01 | 0x5e | 0x9c | 0xda, ..]
            | [0x28, 0xb5, 0x2f, 0xfd, ..]
            | [0, ..]
            | [0xff, 0xfe, ..]
            | [0xfe, 0xff, ..]
            | [b'{' | b'[', 0, ..]
    )
}

/// The text that is looked at, as far as the record can be decoded.
fn looked_at<'a>(input: &Input<'a>) -> Cow<'a, [u8]> {
    let record = input.value.unwrap_or_default();
    if !is_encoded(record) {
        return Cow::Borrowed(record);
    }
    let decoded = normalize::decoded(record, input.options.max_payload_bytes);
    decoded.map_or(Cow::Borrowed(record), |decoded| decoded.text)
}

fn check_event(input: &Input, json: &str) {
    let event = value(json);
    let complaints = ecs_fields::complaints(event.as_object().expect("an event is a JSON object"));
    assert!(complaints.is_empty(), "{complaints:?}\n{json}");
    assert!(event["@timestamp"].is_string() && event["office365"]["message_trace"]["MessageTraceId"].is_string());
    let original = match input.options.profile {
        plain::Profile::Sekoia => &event["message"],
        plain::Profile::Ecs => &event["event"]["original"],
    };
    let Some(original) = original.as_str() else {
        assert!(input.options.profile == plain::Profile::Ecs && !input.options.include_original);
        return;
    };
    let record = looked_at(input);
    // By these alone can a trace's text differ from what the record holds: an escape, and Base64.
    let holds = |text: &str| memchr::memmem::find(&record, text.as_bytes()).is_some();
    assert!(
        holds("\\") || holds("$content") || holds("data_base64") || holds(original),
        "the original is a slice of the record: {original}"
    );
    // The text stands for the trace: alone, it gives the same event.
    let alone = alone(input, original);
    assert!(
        matches!(&alone[..], [Outcome { index: None, verdict: Verdict::Event { json: again, .. } }] if again == json),
        "the original alone gives the same event: {original}"
    );
}

fn value(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("an event is valid JSON: {error}\n{json}"))
}

fn settings(options: &Options) -> Settings {
    Settings {
        profile: match options.profile {
            plain::Profile::Sekoia => Profile::Sekoia,
            plain::Profile::Ecs => Profile::Ecs,
        },
        organization: options.organization.clone(),
        local_domains: options.local_domains.clone(),
        include_original: options.include_original,
        max_payload_bytes: options.max_payload_bytes,
        wrapper_keys: options.wrapper_keys.clone(),
        max_traces: options.max_traces,
        max_events_bytes: options.max_events_bytes,
        event_ids: true,
    }
}

fn translate(outcome: normalize::Outcome) -> Outcome {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("what leaves a record that is UTF-8 is UTF-8");
    let verdict = match outcome.verdict {
        normalize::Verdict::Event { json, received_us, id } => {
            Verdict::Event { json: text(json), received_us, id: text(id.expect("it was asked for")) }
        }
        normalize::Verdict::Rejection { rejection, text: of_page } => {
            check_message(rejection);
            Verdict::Rejection { kind: name(rejection.kind), key: rejection.key.to_string(), text: of_page.map(text) }
        }
    };
    Outcome { index: outcome.index.map(|index| index as usize), verdict }
}

/// The byte to blame lies in what is shown of the dead letter, or just behind its end; for invalid JSON it is where the message
/// says. Inside a string of a record that is no page there is none.
fn check_position(input: &Input, outcome: &normalize::Outcome) {
    let normalize::Verdict::Rejection { rejection, text } = outcome.verdict else { return };
    let record = looked_at(input);
    let shown = text.unwrap_or(&record);
    let before = rejection.position.map(|position| shown.get(..position).expect("lies in what is shown"));
    let in_a_string = text.is_none() && plain::is_json_text(shown.strip_prefix(BYTE_ORDER_MARK).unwrap_or(shown));
    if rejection.kind == Kind::InvalidJson && !in_a_string {
        let before = std::str::from_utf8(before.expect("invalid JSON has a place")).expect("lies between characters");
        let place = place(before.strip_prefix('\u{feff}').unwrap_or(before));
        let is_named = rejection.message.contains(&place)
            || text.is_some_and(|text| is_named_in_its_line(&record, text, before, &rejection.message));
        assert!(is_named, "{place} {}", rejection.message);
    }
}

/// Behind a text, for people.
fn place(before: &str) -> String {
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    format!("line {line}, column {column}:")
}

/// Whether a text, less its white space, is a line of its record, and the message names the place behind `before` in that line;
/// at the end of the text it may name one in the white space that ends the line.
fn is_named_in_its_line(record: &[u8], text: &[u8], before: &str, message: &str) -> bool {
    let record = str::from_utf8(record.strip_prefix(BYTE_ORDER_MARK).unwrap_or(record)).unwrap_or_default();
    let mut starts = [0].into_iter().chain(record.match_indices('\n').map(|(end, _)| end + 1));
    starts.any(|start| {
        let line = record[start..].split('\n').next().unwrap_or_default();
        let space = line.len() - line.trim_start_matches([' ', '\t', '\r']).len();
        let at = start + space + before.len();
        let last = if before.len() == text.len() { start + line.len() } else { at };
        line.trim_matches([' ', '\t', '\r']).as_bytes() == text
            && (at..=last).any(|end| message.contains(&place(&record[..end])))
    })
}

/// One line for people that names what is to blame, and a fingerprint of kind and key.
fn check_message(rejection: &normalize::Rejection) {
    let normalize::Rejection { kind, message, key, .. } = rejection;
    assert!(!message.is_empty() && message.len() < 300, "a message is one short line: {message}");
    assert!(!message.contains("canary"), "a message quotes no payload: {message}");
    assert!(
        message.bytes().all(|byte| (b' '..=b'~').contains(&byte)),
        "a message is ours, never the payload's: {message}"
    );
    assert!(message.contains(&**key), "a message names the key to blame, {key}: {message}");
    assert_eq!(kind.name(), name(*kind));
    let sha256 = Sha256::digest(format!("{}\0{key}", name(*kind)));
    let fingerprint: String = sha256[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(rejection.fingerprint(), fingerprint);
}

/// The names are a promise, so they stand here once more.
fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::EmptyPayload => "empty_payload",
        Kind::PayloadTooLarge => "payload_too_large",
        Kind::InvalidEncoding => "invalid_encoding",
        Kind::InvalidUtf8 => "invalid_utf8",
        Kind::InvalidJson => "invalid_json",
        Kind::UnknownShape => "unknown_shape",
        Kind::MessageTraceDetail => "message_trace_detail",
        Kind::ApiError => "api_error",
        Kind::MissingField => "missing_field",
        Kind::InvalidField => "invalid_field",
        Kind::InvalidTimestamp => "invalid_timestamp",
        Kind::ExpandsTooFar => "expands_too_far",
        Kind::EventTooLarge => "event_too_large",
        Kind::EventRefused => "event_refused",
    }
}
