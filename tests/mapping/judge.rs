//! The judge under judgement: it finds nothing in a faultless run and each fault that is planted in one.

use crate::support;

use support::driver::Ledger;
use support::murmur2::murmur2;
use support::oracle::{Fault, Report, Traces, Trial, judge};
use support::page::Fate;
use support::reader::Found;
use support::reference::{faultless, ledger};
use support::scene::{Guarantee, Keying, Partitioning};

const RECORDS: usize = 3000;
const PARTITIONS: i32 = 6;

fn trial(guarantee: Guarantee) -> Trial {
    Trial {
        input: "raw".to_owned(),
        group: "group".to_owned(),
        guarantee,
        keying: Keying::Input,
        partitioning: Partitioning::Key,
        partitions: 4,
    }
}

/// Judges a faultless run in which `plant` changed something.
fn judged(guarantee: Guarantee, plant: impl FnOnce(&mut Traces)) -> Report {
    let trial = trial(guarantee);
    let ledger = ledger(17, RECORDS, PARTITIONS);
    let mut traces = faultless(&trial, &ledger, PARTITIONS);
    plant(&mut traces);
    judge(&trial, &ledger, &traces)
}

/// The kinds of faults found, and how many.
fn faults(plant: impl FnOnce(&mut Traces)) -> Vec<(Fault, usize)> {
    let report = judged(Guarantee::ExactlyOnce, plant);
    report.faults.iter().map(|(fault, lines)| (*fault, lines.len())).collect()
}

/// Two neighbours in the topic with one source partition and one key.
fn a_pair_of_one_key(found: &[Found]) -> (usize, usize) {
    let source = |found: &Found| {
        let path = found.record.headers.last().expect("an event has a source").1.clone().expect("it has a value");
        let path = String::from_utf8(path).expect("it is text");
        path.split('/').nth(1).expect("it names a partition").to_owned()
    };
    let of = |at: usize| found[at].record.key.clone().map(|key| (source(&found[at]), key));
    let pairs = (0..found.len()).flat_map(|first| (first + 1..found.len()).map(move |second| (first, second)));
    let mut pairs = pairs.filter(|(first, second)| of(*first).is_some() && of(*first) == of(*second));
    pairs.next().expect("keys repeat")
}

#[test]
fn a_faultless_run_is_clean() {
    let report = judged(Guarantee::ExactlyOnce, |_| {});
    report.assert_clean();
    assert!(report.events > RECORDS && report.dead_letters > RECORDS / 10, "{report}");
}

#[test]
fn every_kind_of_poison_and_every_odd_thing_is_among_the_records() {
    let ledger = ledger(17, RECORDS, PARTITIONS);
    let kinds = [
        "empty_payload",
        "payload_too_large",
        "invalid_utf8",
        "invalid_json",
        "unknown_shape",
        "message_trace_detail",
        "api_error",
        "missing_field",
        "invalid_field",
        "invalid_timestamp",
        "expands_too_far",
    ];
    for kind in kinds {
        for page in [false, true] {
            // These are said of a whole record.
            if page && ["empty_payload", "payload_too_large", "invalid_utf8", "expands_too_far"].contains(&kind) {
                continue;
            }
            let is_it = |fate: &Fate| matches!(fate, Fate::Letter { kind: found, .. } if *found == kind);
            let found = ledger.sent.iter().any(|sent| sent.sample.page == page && sent.sample.fates.iter().any(is_it));
            assert!(found, "{kind}, page: {page}");
        }
    }
    let any = |what: fn(&support::driver::Sent) -> bool| ledger.sent.iter().any(what);
    assert!(any(|sent| sent.sample.fates.is_empty()), "skipped");
    assert!(any(|sent| sent.record.value.is_none()), "a tombstone");
    assert!(any(|sent| sent.record.key.is_none()), "no key");
    assert!(any(|sent| sent.record.key.as_deref() == Some(b"")), "an empty key");
    assert!(any(|sent| sent.record.headers.iter().any(|(name, _)| str::from_utf8(name).is_err())), "a name of bytes");
    assert!(any(|sent| sent.record.headers.iter().any(|(_, value)| value.is_none())), "a null header");
}

#[test]
fn a_missing_event_and_a_missing_dead_letter_are_found() {
    assert_eq!(faults(|traces| drop(traces.output.remove(7))), [(Fault::Missing, 1)]);
    assert_eq!(faults(|traces| drop(traces.dead_letters.remove(7))), [(Fault::Missing, 1)]);
}

#[test]
fn a_repeated_record_is_found() {
    assert_eq!(faults(|traces| traces.output.push(traces.output[7].clone())), [(Fault::Repeated, 1)]);
    assert_eq!(faults(|traces| traces.dead_letters.push(traces.dead_letters[7].clone())), [(Fault::Repeated, 1)]);
}

#[test]
fn an_unexpected_record_is_found() {
    let moved = |traces: &mut Traces| traces.output.push(traces.dead_letters[7].clone());
    assert_eq!(faults(moved), [(Fault::Unexpected, 1)]);
    let foreign = |traces: &mut Traces| {
        let mut found = traces.output[7].clone();
        found.record.headers.pop();
        traces.output.push(found);
    };
    assert_eq!(faults(foreign), [(Fault::Unexpected, 1)]);
}

#[test]
fn two_swapped_events_of_one_key_are_found() {
    let swap = |traces: &mut Traces| {
        let (first, second) = a_pair_of_one_key(&traces.output);
        let (one, other) = (traces.output[first].record.clone(), traces.output[second].record.clone());
        traces.output[first].record = other;
        traces.output[second].record = one;
    };
    assert_eq!(faults(swap), [(Fault::OutOfOrder, 1)]);
}

#[test]
fn a_wrong_key_is_found() {
    let change = |key: Option<&'static [u8]>, to: Option<&'static [u8]>| {
        move |traces: &mut Traces| {
            let found = traces.output.iter_mut().find(|found| found.record.key.as_deref() == key);
            found.expect("such a key is there").record.key = to.map(<[u8]>::to_vec);
        }
    };
    assert_eq!(faults(change(None, Some(b""))), [(Fault::WrongKey, 1)]);
    assert_eq!(faults(change(Some(b""), None)), [(Fault::WrongKey, 1)]);
}

#[test]
fn a_wrong_value_is_found() {
    let event = |traces: &mut Traces| {
        let value = traces.output[7].record.value.as_mut().expect("an event has a value");
        let at = value.windows(2).position(|pair| pair == b"20").expect("a year");
        value[at] = b'1';
    };
    assert_eq!(faults(event), [(Fault::WrongValue, 1)]);
    let letter = |traces: &mut Traces| traces.dead_letters[7].record.value.get_or_insert_default().push(b' ');
    assert_eq!(faults(letter), [(Fault::WrongValue, 1)]);
    let null = |traces: &mut Traces| {
        let tombstone = traces.dead_letters.iter_mut().find(|found| found.record.value.is_none());
        tombstone.expect("a tombstone is there").record.value = Some(Vec::new());
    };
    assert_eq!(faults(null), [(Fault::WrongValue, 1)]);
}

/// Two different headers at least.
fn has_headers(found: &&mut Found) -> bool {
    let headers = &found.record.headers;
    headers.len() > 2 && headers[0] != headers[1]
}

#[test]
fn a_lost_added_or_moved_header_is_found() {
    let lost = |traces: &mut Traces| {
        traces.output.iter_mut().find(has_headers).expect("headers").record.headers.remove(0);
    };
    let moved = |traces: &mut Traces| {
        traces.output.iter_mut().find(has_headers).expect("headers").record.headers.swap(0, 1);
    };
    let leaked = |traces: &mut Traces| {
        traces.output[7].record.headers.insert(0, (b"dlq.attempts".to_vec(), Some(b"1".to_vec())));
    };
    let plants: [fn(&mut Traces); 3] = [lost, moved, leaked];
    for plant in plants {
        assert_eq!(faults(plant), [(Fault::WrongHeaders, 1)]);
    }
}

#[test]
fn a_wrong_header_of_a_dead_letter_is_found() {
    for name in ["dlq.error.kind", "dlq.error.fingerprint", "dlq.consumer.group", "dlq.attempts", "dlq.error.message"] {
        let change = |traces: &mut Traces| {
            let headers = &mut traces.dead_letters[7].record.headers;
            let found = headers.iter_mut().rfind(|(found, _)| found == name.as_bytes());
            found.expect("a dead letter has it").1 = Some(b"\n".to_vec());
        };
        assert_eq!(faults(change), [(Fault::WrongHeaders, 1)], "{name}");
    }
}

#[test]
fn a_wrong_time_is_found() {
    assert_eq!(faults(|traces| traces.output[7].record.timestamp_ms += 1), [(Fault::WrongTimestamp, 1)]);
    assert_eq!(faults(|traces| traces.dead_letters[7].record.timestamp_ms = 1), [(Fault::WrongTimestamp, 1)]);
}

#[test]
fn a_wrong_partition_is_found() {
    let moved = |traces: &mut Traces| {
        let keyed = traces.output.iter_mut().find(|found| found.record.key.is_some()).expect("keys are there");
        keyed.partition = (keyed.partition + 1) % 4;
    };
    assert_eq!(faults(moved), [(Fault::WrongPartition, 1)]);
}

#[test]
fn by_event_id_a_copy_in_another_partition_and_the_input_s_key_are_found() {
    let trial = Trial { keying: Keying::EventId, ..trial(Guarantee::ExactlyOnce) };
    let ledger = ledger(17, RECORDS, PARTITIONS);
    let faultless = faultless(&trial, &ledger, PARTITIONS);
    judge(&trial, &ledger, &faultless).assert_clean();
    let faults = |plant: fn(&mut Found)| {
        let mut traces = faultless.clone();
        plant(&mut traces.output[7]);
        judge(&trial, &ledger, &traces).faults.keys().copied().collect::<Vec<_>>()
    };
    assert_eq!(faults(|found| found.partition = (found.partition + 1) % 4), [Fault::WrongPartition]);
    assert_eq!(faults(|found| found.record.key = None), [Fault::WrongKey]);
}

#[test]
fn by_source_partition_keyless_records_keep_their_place_and_order_too() {
    let trial = Trial { partitioning: Partitioning::Source, partitions: PARTITIONS, ..trial(Guarantee::ExactlyOnce) };
    let ledger = ledger(17, RECORDS, PARTITIONS);
    let mut traces = faultless(&trial, &ledger, PARTITIONS);
    judge(&trial, &ledger, &traces).assert_clean();
    let keyless: Vec<usize> = (0..traces.output.len())
        .filter(|at| traces.output[*at].partition == 1 && traces.output[*at].record.key.is_none())
        .collect();
    traces.output.swap(keyless[0], keyless[1]);
    let report = judge(&trial, &ledger, &traces);
    assert_eq!(report.faults.keys().copied().collect::<Vec<_>>(), [Fault::OutOfOrder]);
}

#[test]
fn a_group_that_stands_elsewhere_is_found() {
    assert_eq!(faults(|traces| traces.committed[3] = None), [(Fault::WrongOffset, 1)]);
    assert_eq!(faults(|traces| traces.committed[3] = Some(traces.ends[3] - 1)), [(Fault::WrongOffset, 1)]);
    assert_eq!(faults(|traces| traces.committed[3] = Some(traces.ends[3] + 1)), [(Fault::WrongOffset, 1)]);
    // A transaction marker behind the last record: before it or behind it is the same.
    assert_eq!(faults(|traces| traces.ends[3] += 1), []);
}

#[test]
fn at_least_once_may_repeat_but_not_lose_or_reorder() {
    let repeated = judged(Guarantee::AtLeastOnce, |traces| {
        let again = traces.output[100..900].to_vec();
        traces.output.extend(again);
    });
    repeated.assert_clean();
    assert_eq!(repeated.repeats, 800);
    let lost = judged(Guarantee::AtLeastOnce, |traces| drop(traces.output.remove(7)));
    assert_eq!(lost.faults.keys().copied().collect::<Vec<_>>(), [Fault::Missing]);
    let swapped = judged(Guarantee::AtLeastOnce, |traces| {
        let (first, second) = a_pair_of_one_key(&traces.output);
        traces.output.swap(first, second);
    });
    assert_eq!(swapped.faults.keys().copied().collect::<Vec<_>>(), [Fault::OutOfOrder]);
}

#[test]
fn what_may_have_stood_in_a_topic_that_is_gone_may_stand_late_in_the_one_after_it_at_least_once() {
    let ledger = ledger(17, RECORDS, PARTITIONS);
    for (guarantee, below, faults) in [
        (Guarantee::AtLeastOnce, i64::MAX, vec![]),
        (Guarantee::AtLeastOnce, 0, vec![Fault::OutOfOrder]),
        (Guarantee::ExactlyOnce, i64::MAX, vec![Fault::OutOfOrder]),
    ] {
        let trial = trial(guarantee);
        let mut traces = faultless(&trial, &ledger, PARTITIONS);
        let (first, second) = a_pair_of_one_key(&traces.output);
        traces.output.swap(first, second);
        let ledger = Ledger { deleted_below: vec![below; PARTITIONS as usize], ..ledger.clone() };
        let report = judge(&trial, &ledger, &traces);
        assert_eq!(report.faults.keys().copied().collect::<Vec<_>>(), faults, "{guarantee:?} below {below}");
    }
}

#[test]
fn murmur2_agrees_with_known_hashes_of_the_java_client() {
    let known: [(&str, i32); 5] = [
        ("21", -973_932_308),
        ("foobar", -790_332_482),
        ("a-little-bit-long-string", -985_981_536),
        ("a-little-bit-longer-string", -1_486_304_829),
        ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
    ];
    for (key, hash) in known {
        assert_eq!(murmur2(key.as_bytes()).cast_signed(), hash, "{key}");
    }
}
