//! The third look, at the few problems that are shown: where what is repeated stands, and in which keys an event
//! differs. What the ledger knows of a trace in 8 bytes does not tell it.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::{Mutex, PoisonError};

use super::model::{Closed, Output, Place, Problem, ProblemKind, Trace, What, differing_keys};
use super::passes::{Recognized, recognized};
use super::progress::Bar;
use super::survey::Survey;
use crate::config::{Config, Key};
use crate::kafka::scan::{Range, Record, Scan, ScanError};
use crate::normalize;
use crate::normalize::{EventId, Normalizer, Outcomes, Verdict};

/// So many places of one trace are named.
const PLACES: usize = 3;

/// A trace of some input partition.
type Source = (String, i32, Trace);

/// Names the places of problems that have none yet. Only what stands before the ends of the survey counts.
pub fn name_places(closed: &mut [Closed], survey: &Survey, config: &Config) -> Result<(), ScanError> {
    let mut wanted: HashMap<Source, Vec<Place>> = HashMap::new();
    for Closed { topic, partition, tally } in &*closed {
        let placeless = tally.problems.iter().filter(|problem| is_placeless(problem));
        wanted.extend(placeless.map(|problem| ((topic.clone(), *partition, problem.trace), Vec::new())));
    }
    if wanted.is_empty() {
        return Ok(());
    }
    let wanted = Mutex::new(wanted);
    let ranges = survey.written_ranges();
    let bar = Bar::over("places", &ranges);
    let each = |(): &mut (), record: Record<'_>| {
        let Recognized::Output(Output { place, source: Some((source, index)), .. }) = recognized(&record, config)
        else {
            return ControlFlow::Continue(());
        };
        let source = (source.topic.to_owned(), source.partition, Trace { offset: source.offset, index });
        if let Some(places) = wanted.lock().unwrap_or_else(PoisonError::into_inner).get_mut(&source) {
            places.push(place);
            places.sort_unstable();
            places.truncate(PLACES);
        }
        ControlFlow::Continue(())
    };
    Scan::new(config).run(&ranges, |_| (), each, |progress| bar.show(progress))?;
    bar.done();
    let wanted = wanted.into_inner().unwrap_or_else(PoisonError::into_inner);
    for Closed { topic, partition, tally } in closed {
        for problem in tally.problems.iter_mut().filter(|problem| is_placeless(problem)) {
            let found = wanted.get(&(topic.clone(), *partition, problem.trace));
            let of_its_kind = |place: &&Place| problem.kind == ProblemKind::Repeated || place.topic == problem.what;
            problem.places = found.into_iter().flatten().filter(of_its_kind).copied().collect();
        }
    }
    Ok(())
}

fn is_placeless(problem: &Problem) -> bool {
    problem.kind != ProblemKind::Missing && problem.places.is_empty()
}

/// Names the keys in which events differ from what this binary makes of their records.
pub fn name_keys(closed: &mut [Closed], config: &Config, normalizer: &Normalizer) -> Result<(), ScanError> {
    for Closed { topic, partition, tally } in closed {
        let differing: Vec<&mut Problem> =
            tally.problems.iter_mut().filter(|problem| problem.kind == ProblemKind::Differs).collect();
        let one = |topic: &str, key, partition, offset| Range {
            topic: topic.into(),
            key,
            partition,
            from: offset,
            to: offset + 1,
        };
        let (mut events, mut ranges) = (Vec::new(), Vec::new());
        for problem in differing {
            match (problem.what, problem.places.first()) {
                (What::DeadLetter, _) | (_, None) => problem.keys = vec!["dlq.error.kind".to_owned()],
                (What::Event, Some(place)) => {
                    ranges.push(one(topic, "input.topics", *partition, problem.trace.offset));
                    ranges.push(one(&config.output.topic, "output.topic", place.partition, place.offset));
                    events.push(problem);
                }
            }
        }
        let keep = |kept: &mut Kept, record: Record<'_>| {
            let held = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
            *kept = Some((held(record.value), held(record.key), record.timestamp_ms));
            ControlFlow::Continue(())
        };
        let mut read = Scan::new(config).run(&ranges, |_| None, keep, |_| ())?.into_iter().map(|(kept, _)| kept);
        for problem in events {
            let (input, found) = (read.next().flatten(), read.next().flatten());
            let expected = input.and_then(|(value, _, timestamp_ms)| {
                let record = normalize::Record { value: value.as_deref(), timestamp_ms };
                event(normalizer, record, problem.trace.index)
            });
            // What went away in between cannot be looked at.
            if let (Some((expected, id)), Some((found, key, _))) = (expected, found) {
                let keys = differing_keys(&expected, found.as_deref());
                let is_other_key =
                    config.output.key == Key::EventId && id.as_ref().map(EventId::as_slice) != key.as_deref();
                let is_same_value = found.as_ref() == Some(&expected);
                let other_key = is_other_key.then(|| "(the record's key)".to_owned());
                problem.keys = other_key.into_iter().chain(keys.into_iter().filter(|_| !is_same_value)).collect();
            }
        }
    }
    Ok(())
}

/// Value, key and time of a record, once it was read.
type Kept = Option<(Option<Vec<u8>>, Option<Vec<u8>>, Option<i64>)>;

fn event(
    normalizer: &Normalizer,
    record: normalize::Record<'_>,
    index: Option<u32>,
) -> Option<(Vec<u8>, Option<EventId>)> {
    let mut outcomes = Outcomes::default();
    normalizer.normalize(record, &mut outcomes);
    outcomes.of_record(0).find(|outcome| outcome.index == index).and_then(|outcome| match outcome.verdict {
        Verdict::Event { json, id, .. } => Some((json.to_vec(), id.copied())),
        Verdict::Rejection { .. } => None,
    })
}
