//! The ledger against a model that keeps everything, and each of its rules by itself.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::normalize::{Outcome, Rejection, Verdict};
use crate::record::Coordinates;

const JSON: &[u8] = br#"{"event":{"kind":"event"}}"#;

/// What the mapping makes of a record: events (`true`) and rejections, with indexes or without.
#[derive(Clone, Debug)]
struct Sample {
    page: bool,
    events: Vec<bool>,
}

fn rejection() -> Rejection {
    Rejection::event_refused("ANY")
}

fn expect(account: &mut Account, offset: i64, sample: &Sample) {
    let rejection = rejection();
    let outcomes: Vec<Outcome<'_>> = (0..)
        .zip(&sample.events)
        .map(|(index, event)| Outcome {
            index: sample.page.then_some(index),
            verdict: match event {
                true => Verdict::Event { json: JSON, received_us: 0, id: None },
                false => Verdict::Rejection { rejection: &rejection, text: None },
            },
        })
        .collect();
    account.expect(offset, outcomes.into_iter());
}

fn bounds(range: std::ops::Range<i64>, committed: i64, end: i64) -> Bounds {
    Bounds { range, committed, end }
}

/// Records from offset 0 on in partition 0 of topic `t`, all committed.
fn ledger(samples: &[Sample]) -> Ledger {
    ledger_with(samples, None)
}

fn ledger_with(samples: &[Sample], prints: Option<Prints>) -> Ledger {
    let end = samples.len() as i64;
    let mut account = Account::new(bounds(0..end, end, end), prints);
    for (offset, sample) in (0..).zip(samples) {
        expect(&mut account, offset, sample);
    }
    let mut ledger = Ledger::default();
    ledger.topic("t", 1);
    ledger.open("t", 0, account);
    ledger
}

fn output(place: Place, partition: i32, offset: i64, index: Option<u32>, letter: &str) -> Output<'_> {
    let source = Some((Coordinates { topic: "t", partition, offset }, index));
    Output { place, source, letter, value: Some(JSON), key: None }
}

fn event_at(offset: i64) -> Place {
    Place { topic: What::Event, partition: 0, offset }
}

fn letter_at(offset: i64) -> Place {
    Place { topic: What::DeadLetter, partition: 0, offset }
}

fn close(ledger: Ledger, excuses: &Excuses) -> Tally {
    let (mut closed, stray) = ledger.close(|_, _| excuses.clone());
    assert_eq!(stray, []);
    closed.remove(0).tally
}

fn plain(event: bool) -> Sample {
    Sample { page: false, events: vec![event] }
}

fn page(events: &[bool]) -> Sample {
    Sample { page: true, events: events.to_vec() }
}

/// Found once, missing, repeated, unexpected.
fn numbers(tally: &Tally) -> (u64, u64, u64, u64) {
    (tally.found_once, tally.missing, tally.repeated, tally.unexpected)
}

#[test]
fn whatever_fate_a_trace_may_have_is_its_fate() {
    let refused = "event_refused";
    // A record, the outputs found of it (their index and the kind of a dead letter), and the account.
    type Case<'a> = (&'a str, Sample, &'a [(Option<u32>, &'a str)], (u64, u64, u64, u64));
    let cases: [Case<'_>; 20] = [
        ("its event", plain(true), &[(None, "")], (1, 0, 0, 0)),
        ("nothing", plain(true), &[], (0, 1, 0, 0)),
        ("twice its event", plain(true), &[(None, ""), (None, "")], (0, 0, 1, 0)),
        ("an event its topic did not take", plain(true), &[(None, "event_too_large")], (1, 0, 0, 0)),
        ("an event and its refusal", plain(true), &[(None, ""), (None, refused)], (0, 0, 1, 0)),
        ("a dead letter for a good event", plain(true), &[(None, "invalid_json")], (0, 1, 0, 1)),
        ("a limit that was lower", plain(true), &[(None, "payload_too_large")], (1, 0, 0, 0)),
        ("a limit twice", plain(true), &[(None, "payload_too_large"); 2], (0, 0, 1, 0)),
        ("a limit and the event", plain(true), &[(None, "payload_too_large"), (None, "")], (1, 0, 0, 1)),
        ("its dead letter", plain(false), &[(None, "invalid_json")], (1, 0, 0, 0)),
        ("its dead letter by a limit", plain(false), &[(None, "payload_too_large")], (1, 0, 0, 0)),
        ("an event for a dead letter", plain(false), &[(None, "")], (0, 1, 0, 1)),
        ("an index where there is none", plain(true), &[(Some(0), "")], (0, 1, 0, 1)),
        ("a page", page(&[true, false]), &[(Some(1), "invalid_field"), (Some(0), "")], (2, 0, 0, 0)),
        ("a page of one", page(&[true]), &[(None, "")], (0, 1, 0, 1)),
        ("half a page", page(&[true, false]), &[(Some(0), "")], (1, 1, 0, 0)),
        ("a longer page", page(&[true]), &[(Some(0), ""), (Some(1), "")], (1, 0, 0, 1)),
        ("a page by a limit", page(&[true, false, true]), &[(None, "expands_too_far")], (3, 0, 0, 0)),
        (
            "a page, part of it, and a limit",
            page(&[true, true]),
            &[(Some(1), ""), (None, "expands_too_far")],
            (1, 1, 0, 1),
        ),
        ("a skipped record", page(&[]), &[(None, "")], (0, 0, 0, 1)),
    ];
    for (what, sample, found, expected) in cases {
        let ledger = ledger(&[sample]);
        for (at, (index, letter)) in (0..).zip(found) {
            let place = if letter.is_empty() { event_at(at) } else { letter_at(at) };
            ledger.sight(&output(place, 0, 0, *index, letter));
        }
        let tally = close(ledger, &Excuses::default());
        assert_eq!(numbers(&tally), expected, "{what}");
        assert_eq!(tally.problems.len() as u64, expected.1 + expected.2 + expected.3, "{what}: {:?}", tally.problems);
        assert_eq!(tally.expected_events + tally.expected_dead_letters, expected.0 + expected.1 + expected.2, "{what}");
    }
}

#[test]
fn only_the_range_is_audited_and_what_is_not_committed_is_not_held_against_anybody() {
    let mut account = Account::new(bounds(10..20, 30, 40), None);
    (10..20).for_each(|offset| expect(&mut account, offset, &plain(true)));
    let mut ledger = Ledger::default();
    ledger.topic("t", 2);
    ledger.open("t", 0, account);
    for offset in 0..45 {
        ledger.sight(&output(event_at(offset), 0, offset, None, ""));
        // Of a partition, a topic that nobody asked about.
        ledger.sight(&output(event_at(offset), 1, offset, None, ""));
        let source = Some((Coordinates { topic: "u", partition: 0, offset }, None));
        ledger.sight(&Output { source, ..output(event_at(offset), 0, offset, None, "") });
    }
    let tally = close(ledger, &Excuses::default());
    assert_eq!(numbers(&tally), (10, 0, 0, 0));
    assert_eq!(tally.not_committed, 10);
    assert_eq!(tally.doubts, [Doubt { reason: Reason::SourcePastEnd, offsets: 40..45, count: 5 }]);
}

#[test]
fn an_output_that_names_no_record_is_counted_by_itself() {
    let ledger = ledger(&[plain(true)]);
    for offset in 3..6 {
        ledger.sight(&Output { source: None, ..output(event_at(offset), 0, 0, None, "") });
    }
    ledger.sight(&output(letter_at(7), 1, 0, None, "invalid_json"));
    let (closed, stray) = ledger.close(|_, _| Excuses::default());
    assert_eq!((closed[0].tally.missing, closed[0].tally.untold), (0, 1), "what is missing may be one of them");
    let stray: Vec<_> = stray.iter().map(|stray| (stray.reason, stray.place, stray.count)).collect();
    assert_eq!(stray, [(Reason::SourcePastEnd, letter_at(7), 1), (Reason::NoSource, event_at(3), 3)]);
}

#[test]
fn what_is_missing_is_untold_only_where_it_may_have_stood() {
    let samples: Vec<Sample> = (0..100).map(|offset| plain(offset % 10 != 0)).collect();
    // Two partitions, by turns. Of the first one the events of records below 50 are gone, of the second one nothing.
    let found = |ledger: &Ledger, left_out: &[i64]| {
        for offset in (0..100).filter(|offset| !left_out.contains(offset)) {
            let partition = (offset % 2) as i32;
            match offset % 10 {
                0 => ledger.sight(&output(letter_at(offset), 0, offset, None, "invalid_json")),
                _ if partition == 0 && offset < 50 => {}
                _ => ledger.sight(&output(Place { partition, ..event_at(offset) }, 0, offset, None, "")),
            }
        }
    };
    let excuses = |cut: &[(What, i32)]| Excuses { cut: cut.to_vec(), ..Excuses::default() };
    // Beginnings that are gone, what is missing beside the twenty events, and how much is missing and untold.
    type Case<'a> = (&'a [(What, i32)], &'a [i64], (u64, u64));
    let cases: [Case<'_>; 7] = [
        (&[], &[], (20, 0)),
        (&[(What::Event, 0)], &[], (0, 20)),
        (&[(What::Event, 0)], &[53, 70], (2, 20)),
        (&[(What::Event, 0)], &[49], (0, 21)),
        (&[(What::Event, 1)], &[], (20, 0)),
        // An event before the first dead letter that is left may have been one that its topic did not take.
        (&[(What::DeadLetter, 0)], &[0, 70], (17, 5)),
        // A partition of which nothing of ours is left could have held anything.
        (&[(What::Event, 7)], &[70], (1, 20)),
    ];
    for (cut, left_out, expected) in cases {
        let ledger = ledger(&samples);
        found(&ledger, left_out);
        let tally = close(ledger, &excuses(cut));
        assert_eq!((tally.missing, tally.untold), expected, "{cut:?} {left_out:?}");
        let doubted: u64 = tally.doubts.iter().map(|doubt| doubt.count).sum();
        assert_eq!(doubted, expected.1);
    }
    let ledger = ledger(&samples);
    found(&ledger, &[70]);
    let tally = close(ledger, &Excuses { anything: Some(Reason::OutputCompacted), ..Excuses::default() });
    assert_eq!((tally.missing, tally.untold), (0, 21));
    assert_eq!(tally.doubts, [Doubt { reason: Reason::OutputCompacted, offsets: 2..71, count: 21 }]);
}

#[test]
fn a_page_that_was_cut_in_two_is_untold_up_to_the_cut() {
    let ledger = ledger(&[page(&[true; 5])]);
    for index in [3, 4] {
        ledger.sight(&output(event_at(i64::from(index)), 0, 0, Some(index), ""));
    }
    let tally = close(ledger, &Excuses { cut: vec![(What::Event, 0)], ..Excuses::default() });
    assert_eq!((tally.found_once, tally.missing, tally.untold), (2, 0, 3));
}

#[test]
fn a_beginning_without_outputs_is_untold_when_nobody_knows_where_the_group_began() {
    for (start_unknown, expected) in [(true, (1, 40)), (false, (41, 0))] {
        let ledger = ledger(&vec![plain(true); 100]);
        for offset in (40..100).filter(|offset| *offset != 70) {
            ledger.sight(&output(event_at(offset), 0, offset, None, ""));
        }
        let tally = close(ledger, &Excuses { start_unknown, ..Excuses::default() });
        assert_eq!((tally.missing, tally.untold), expected);
    }
}

#[test]
fn outputs_of_records_that_a_compacted_input_lost_are_untold() {
    let mut account = Account::new(bounds(0..3, 3, 3), None);
    expect(&mut account, 2, &plain(true));
    let mut ledger = Ledger::default();
    ledger.topic("t", 1);
    ledger.open("t", 0, account);
    (0..3).for_each(|offset| ledger.sight(&output(event_at(offset), 0, offset, None, "")));
    let tally = close(ledger, &Excuses { input_compacted: true, ..Excuses::default() });
    assert_eq!((numbers(&tally), tally.doubts[0].count), ((1, 0, 0, 0), 2));
    assert_eq!(tally.problems, []);
}

#[test]
fn contents_differ_by_their_bytes_and_dead_letters_by_their_kind() {
    let samples = [plain(true), plain(true), plain(true), plain(false), plain(false)];
    let ledger = ledger_with(&samples, Some(Prints::new(false)));
    let changed = br#"{"event":{"kind":"Event"}}"#;
    ledger.sight(&output(event_at(0), 0, 0, None, ""));
    ledger.sight(&Output { value: Some(changed), ..output(event_at(1), 0, 1, None, "") });
    ledger.sight(&Output { value: None, ..output(event_at(2), 0, 2, None, "") });
    ledger.sight(&output(letter_at(0), 0, 3, None, rejection().kind.name()));
    ledger.sight(&output(letter_at(1), 0, 4, None, "invalid_json"));
    let tally = close(ledger, &Excuses::default());
    assert_eq!((numbers(&tally), tally.differing), ((5, 0, 0, 0), 3));
    let places: Vec<_> = tally.problems.iter().flat_map(|problem| &problem.places).copied().collect();
    assert_eq!(places, [event_at(1), event_at(2), letter_at(1)]);

    let ledger = ledger_with(&[plain(false)], Some(Prints::new(false)));
    ledger.sight(&output(letter_at(0), 0, 0, None, "payload_too_large"));
    assert_eq!(close(ledger, &Excuses::default()).differing, 0, "a limit that was raised since");
}

/// An output, by the source it names.
#[derive(Clone, Debug)]
struct Found {
    letter: &'static str,
    offset: i64,
    index: Option<u32>,
}

/// The same account from sets of what is expected and lists of what was found.
fn model(samples: &[Sample], found: &[Found]) -> (u64, u64, u64, u64) {
    type Key = (bool, i64, Option<u32>);
    let mut expected: BTreeSet<Key> = BTreeSet::new();
    for (offset, sample) in (0..).zip(samples) {
        for (index, event) in (0..).zip(&sample.events) {
            expected.insert((*event, offset, sample.page.then_some(index)));
        }
    }
    let mut fates: BTreeMap<Key, u64> = BTreeMap::new();
    let mut whole: BTreeMap<i64, u64> = BTreeMap::new();
    let mut unexpected = 0;
    for Found { letter, offset, index } in found {
        let is_letter = !letter.is_empty();
        let as_letter = expected.contains(&(false, *offset, *index));
        let as_event = expected.contains(&(true, *offset, *index));
        let by_limit = ["payload_too_large", "expands_too_far"].contains(letter) && index.is_none();
        let not_taken = ["event_too_large", "event_refused"].contains(letter);
        let has_traces = expected.iter().any(|(_, of, _)| of == offset);
        match () {
            () if as_letter && is_letter => *fates.entry((false, *offset, *index)).or_default() += 1,
            () if as_event && (!is_letter || not_taken) => *fates.entry((true, *offset, *index)).or_default() += 1,
            () if is_letter && by_limit && has_traces => *whole.entry(*offset).or_default() += 1,
            () => unexpected += 1,
        }
    }
    let (mut once, mut missing, mut repeated) = (0, 0, 0);
    for key in &expected {
        let of_record = |other: &&Key| other.1 == key.1;
        let record_was_seen = fates.keys().any(|other| of_record(&other));
        let times = match whole.get(&key.1) {
            Some(times) if !record_was_seen => *times,
            _ => fates.get(key).copied().unwrap_or(0),
        };
        match times {
            0 => missing += 1,
            1 => once += 1,
            _ => repeated += 1,
        }
    }
    unexpected += whole.keys().filter(|offset| fates.keys().any(|(_, of, _)| of == *offset)).count() as u64;
    (once, missing, repeated, unexpected)
}

#[test]
fn an_output_may_name_any_offset() {
    let ledger = ledger(&[plain(true)]);
    for _ in 0..2 {
        ledger.sight(&output(event_at(0), 0, i64::MAX, None, ""));
    }
    let tally = close(ledger, &Excuses::default());
    let [Doubt { reason, offsets, count }] = &tally.doubts[..] else { panic!("{:?}", tally.doubts) };
    assert_eq!((*reason, offsets.start, *count), (Reason::SourcePastEnd, i64::MAX, 2));
}

fn samples() -> impl Strategy<Value = Vec<Sample>> {
    let sample = (any::<bool>(), prop::collection::vec(any::<bool>(), 0..4)).prop_map(|(page, mut events)| {
        if !page {
            events.truncate(1);
        }
        Sample { page, events }
    });
    prop::collection::vec(sample, 0..40)
}

fn found() -> impl Strategy<Value = Vec<Found>> {
    let letters = prop::sample::select(vec!["", "", "", "invalid_json", "event_refused", "payload_too_large"]);
    let one = (letters, 0..40_i64, prop::option::of(0..4_u32));
    let one = one.prop_map(|(letter, offset, index)| Found { letter, offset, index });
    prop::collection::vec(one, 0..40)
}

/// What a service that makes no mistake leaves behind.
fn outputs_of(samples: &[Sample]) -> Vec<Found> {
    let of_record = |(offset, sample): (i64, &Sample)| -> Vec<Found> {
        let page = sample.page;
        let one = |(index, event): (u32, &bool)| Found {
            letter: if *event { "" } else { "invalid_field" },
            offset,
            index: page.then_some(index),
        };
        (0..).zip(&sample.events).map(one).collect()
    };
    (0..).zip(samples).flat_map(of_record).collect()
}

proptest! {
    #[test]
    fn the_ledger_agrees_with_a_model_that_keeps_everything(
        samples in samples(),
        added in found(),
        removed in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        doubled in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        shuffle in any::<u64>(),
    ) {
        let mut found = outputs_of(&samples);
        for index in &doubled {
            if !found.is_empty() { found.push(found[index.index(found.len())].clone()); }
        }
        for index in &removed {
            if !found.is_empty() { found.remove(index.index(found.len())); }
        }
        found.extend(added.into_iter().filter(|found| found.offset < samples.len() as i64));
        fastrand::Rng::with_seed(shuffle).shuffle(&mut found);
        let ledger = ledger(&samples);
        for (at, Found { letter, offset, index }) in (0..).zip(&found) {
            let place = if letter.is_empty() { event_at(at) } else { letter_at(at) };
            ledger.sight(&output(place, 0, *offset, *index, letter));
        }
        let tally = close(ledger, &Excuses::default());
        prop_assert_eq!(numbers(&tally), model(&samples, &found));
        let clean = outputs_of(&samples).len() as u64;
        prop_assert_eq!(tally.found_once + tally.missing + tally.repeated, clean);
    }
}
