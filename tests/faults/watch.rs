//! Looks at Kafka and at the processors twice a second, and holds what it saw against each other afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rdkafka::consumer::BaseConsumer;

use crate::fleet::{Seats, State};
use crate::support::cluster::View;
use crate::support::driver::{Ledger, Sent};
use crate::support::gauge;
use crate::support::gauge::Progress;
use crate::support::letter::{self, SOURCE};
use crate::support::oracle::Traces;
use crate::support::reader::Found;
use crate::support::scene::Scene;
use crate::support::service::{get, summed};
use crate::support::wait;

const PAUSE: Duration = Duration::from_millis(500);

/// For one question, while brokers come and go.
const PATIENCE: Duration = Duration::from_secs(2);

/// Nothing sealed for as long as this though records wait, and nobody says why: that is standing still in silence.
const SILENCE: Duration = Duration::from_secs(20);

/// Brokers that do not answer cannot be looked at: what was said for as long as this was not heard.
const UNHEARD: Duration = Duration::from_secs(5);

/// One look.
#[derive(Debug)]
pub struct Sample {
    at: Instant,
    /// The group's offset for each input partition; for a moment an older one, where a coordinator has just come up.
    committed: Vec<i64>,
    /// The same from whoever waits until nothing of it is undecided; `None`: that took long.
    stable: Option<Vec<i64>>,
    /// Read after `committed`, one past the last record, whether its transaction is open or not.
    output: Vec<i64>,
    dead_letters: Vec<i64>,
    input: Vec<i64>,
    /// Processors that were not frozen.
    at_work: usize,
    said: Vec<Said>,
}

/// What one processor said of itself.
#[derive(Debug)]
struct Said {
    /// It is not ready, or names a stall.
    is_troubled: bool,
    lag: f64,
    /// Records that were polled and neither sealed nor given back.
    in_flight: f64,
}

impl Sample {
    fn waiting(&self) -> i64 {
        self.input.iter().zip(&self.committed).map(|(end, committed)| (end - committed).max(0)).sum()
    }
}

/// Looks until it is told to end.
pub fn watch(scene: &Scene<'_>, seats: &Seats, over: &AtomicBool) -> Vec<Sample> {
    let progress = |view| scene.cluster.progress_in(view, &scene.group, &scene.input);
    let eyes = Eyes {
        topics: scene.cluster.looker(View::Uncommitted),
        unstable: progress(View::Uncommitted),
        stable: progress(View::Committed),
    };
    let mut samples = Vec::new();
    while !over.load(Ordering::Relaxed) {
        samples.extend(sample(&eyes, scene, seats));
        wait::lasting(PAUSE);
    }
    samples
}

/// What Kafka is looked at with.
struct Eyes {
    topics: BaseConsumer,
    unstable: Progress,
    stable: Progress,
}

/// `None` while the brokers do not tell.
fn sample(eyes: &Eyes, scene: &Scene<'_>, seats: &Seats) -> Option<Sample> {
    let at = Instant::now();
    let told = |progress: &Progress, patience| -> Option<Vec<i64>> {
        Some(progress.told(patience)?.into_iter().map(|offset| offset.unwrap_or(0)).collect())
    };
    let (committed, stable) = (told(&eyes.unstable, PATIENCE)?, told(&eyes.stable, PAUSE));
    let ends = |topic: &str| -> Option<Vec<i64>> {
        (0..scene.partitions).map(|partition| gauge::end(&eyes.topics, topic, partition, PATIENCE)).collect()
    };
    let (output, dead_letters, input) = (ends(&scene.output)?, ends(&scene.dead_letters)?, ends(&scene.input)?);
    let seats = *seats.lock().unwrap_or_else(PoisonError::into_inner);
    let working: Vec<_> = seats.iter().filter(|seat| seat.state == State::AtWork).collect();
    let said = working.iter().filter_map(|seat| said(seat.port)).collect();
    Some(Sample { at, committed, stable, output, dead_letters, input, at_work: working.len(), said })
}

fn said(port: u16) -> Option<Said> {
    let (ready, _) = get(port, "/readyz")?;
    let (_, metrics) = get(port, "/metrics")?;
    let stalled = summed(&metrics, "messagetrace_ecs_stalled")?;
    let lag = summed(&metrics, "messagetrace_ecs_processing_lag_records").unwrap_or_default();
    let in_flight = summed(&metrics, "messagetrace_ecs_records_in_flight").unwrap_or_default();
    Some(Said { is_troubled: ready != 200 || stalled > 0.0, lag, in_flight })
}

/// What must not have been seen.
pub fn judged(samples: &[Sample], traces: &Traces) -> Vec<String> {
    let mut violations = Vec::new();
    violations.extend(never_back(samples));
    violations.extend(never_ahead(samples, traces));
    violations.extend(never_silent(samples));
    violations
}

/// Committed offsets never go back.
fn never_back(samples: &[Sample]) -> Option<String> {
    let decided: Vec<_> = samples.iter().filter_map(|sample| Some((sample.at, sample.stable.as_ref()?))).collect();
    let goes_back = |pair: &[(Instant, &Vec<i64>)]| pair[0].1.iter().zip(pair[1].1).any(|(a, b)| a > b);
    let at = decided.windows(2).position(goes_back)?;
    let looks = decided[at.saturating_sub(3)..].iter().take(8);
    let looks = looks.map(|(when, offsets)| format!("{offsets:?} at {:?}", *when - samples[0].at));
    Some(format!("committed offsets went back: {}", looks.collect::<Vec<_>>().join(", ")))
}

/// What lies below a committed offset was written when the offset was seen: everything of it lies below the ends that were
/// read afterwards.
fn never_ahead(samples: &[Sample], traces: &Traces) -> Option<String> {
    unwritten(samples, &traces.output, |sample| &sample.output)
        .or_else(|| unwritten(samples, &traces.dead_letters, |sample| &sample.dead_letters))
}

fn unwritten(samples: &[Sample], found: &[Found], ends: impl Fn(&Sample) -> &[i64]) -> Option<String> {
    // Of what is repeated nobody knows which was there first: without a key each may lie in another partition.
    let mut copies: BTreeMap<_, Vec<&Found>> = BTreeMap::new();
    for found in found {
        if let Some(source) = source(found) {
            copies.entry((source, index(found))).or_default().push(found);
        }
    }
    copies.into_iter().find_map(|(((input, offset), _), copies)| {
        let is_missing = |sample: &&Sample| {
            // A partition that was added since is not looked at.
            sample.committed.get(at(input)).is_some_and(|committed| *committed > offset)
                && copies.iter().all(|found| ends(sample)[at(found.partition)] <= found.offset)
        };
        let sample = samples.iter().find(is_missing)?;
        let (first, committed) = (copies.first()?, sample.committed[at(input)]);
        Some(format!(
            "partition {input} was committed at {committed} before its record {offset} was written to {}/{}/{} or anywhere",
            first.topic, first.partition, first.offset
        ))
    })
}

/// At least once, each fault may repeat what was in flight, and that is bounded: no more for each than was ever seen in flight
/// in all processors together, and what comes between two looks. Nothing without a fault that is not graceful.
pub fn repeated_too_much(samples: &[Sample], traces: &Traces, hits: usize, rate: u32) -> Option<String> {
    let mut seen = BTreeMap::new();
    let mut repeated = BTreeSet::new();
    for found in traces.output.iter().chain(&traces.dead_letters) {
        let (Some(source), place) = (source(found), (&found.topic, found.partition, found.offset)) else { continue };
        // A page gives several, told apart by their index.
        if seen.insert((source, index(found)), place).is_some() {
            repeated.insert(source);
        }
    }
    let in_flight = samples.iter().map(|sample| sample.said.iter().map(|said| said.in_flight).sum::<f64>());
    let most = in_flight.fold(0.0, f64::max) + f64::from(rate) * 2.0 * PAUSE.as_secs_f64();
    let allowed = hits as f64 * most;
    let records = repeated.len();
    (records as f64 > allowed)
        .then(|| format!("{records} records were repeated by {hits} faults, with {most} in flight at most"))
}

/// What retention took before anybody read it is counted, and said.
pub fn untold(ledger: &Ledger, traces: &Traces, told: usize) -> Option<String> {
    let found: BTreeSet<_> = traces.output.iter().chain(&traces.dead_letters).filter_map(source).collect();
    let is_overtaken = |sent: &&Sent| {
        let holds =
            |(partition, range): &(i32, Range<i64>)| *partition == sent.partition && range.contains(&sent.offset);
        !sent.sample.fates.is_empty() && ledger.overtaken.iter().any(holds)
    };
    let missed = ledger.sent.iter().filter(is_overtaken).filter(|sent| !found.contains(&(sent.partition, sent.offset)));
    let missed = missed.count();
    (missed > 0 && told == 0).then(|| format!("{missed} records were gone before they were read, and nobody said so"))
}

/// The index of a trace within its page, as it is written.
fn index(found: &Found) -> Option<&str> {
    let headers = &found.record.headers;
    match letter::last(headers, "dlq.source.offset") {
        Some(_) => letter::last(headers, "dlq.source.index"),
        None => letter::last(headers, SOURCE)?.split('/').nth(3),
    }
}

/// Partition and offset of the record that an output came from.
fn source(found: &Found) -> Option<(i32, i64)> {
    let headers = &found.record.headers;
    if let Some(offset) = letter::last(headers, "dlq.source.offset") {
        return Some((letter::last(headers, "dlq.source.partition")?.parse().ok()?, offset.parse().ok()?));
    }
    let mut path = letter::last(headers, SOURCE)?.split('/').skip(1);
    Some((path.next()?.parse().ok()?, path.next()?.parse().ok()?))
}

/// Whenever nothing was sealed for long though records waited, somebody said so, or nobody was there to say it; and lag was
/// not told as none.
fn never_silent(samples: &[Sample]) -> Option<String> {
    let mut since = 0;
    for (now, sample) in samples.iter().enumerate() {
        let unheard = now > 0 && sample.at - samples[now - 1].at > UNHEARD;
        // While all of them stand frozen there is nobody to say it.
        if sample.committed != samples[since].committed || sample.waiting() == 0 || sample.at_work == 0 || unheard {
            since = now;
            continue;
        }
        let still = &samples[since..=now];
        if sample.at - still[0].at < SILENCE {
            continue;
        }
        let processors: Vec<&Said> = still.iter().flat_map(|sample| &sample.said).collect();
        let waited = format!("{} records waited for {:?}", sample.waiting(), sample.at - still[0].at);
        if !processors.iter().any(|said| said.is_troubled) {
            return Some(format!("{waited}, and nobody named a stall"));
        }
        // Who says that no broker can be reached does not say that nothing waits there.
        let calm = |said: &Said| said.lag == 0.0 && !said.is_troubled;
        if !sample.said.is_empty() && sample.said.iter().all(calm) {
            return Some(format!("{waited}, and every processor said that nothing waits"));
        }
        since = now;
    }
    None
}

fn at(partition: i32) -> usize {
    usize::try_from(partition).expect("a partition's number is not negative")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::raw::Record;

    fn sample(seconds: u64, at_work: usize, is_troubled: bool) -> Sample {
        let said = (0..at_work).map(|_| Said { is_troubled, lag: 9.0, in_flight: 0.0 }).collect();
        let at = Instant::now() + Duration::from_secs(seconds);
        Sample {
            at,
            committed: vec![3],
            stable: None,
            output: vec![2, 2],
            dead_letters: vec![0],
            input: vec![9],
            at_work,
            said,
        }
    }

    #[test]
    fn silence_is_that_of_processors_at_work() {
        let seen = |at_work: usize, is_troubled: bool| {
            let samples: Vec<Sample> =
                (0..25).map(|second| sample(second, if second == 12 { at_work } else { 2 }, is_troubled)).collect();
            never_silent(&samples)
        };
        assert!(seen(2, false).is_some_and(|said| said.contains("nobody named a stall")));
        assert_eq!(seen(2, true), None);
        assert_eq!(seen(0, false), None, "all of them were frozen meanwhile");
        let apart: Vec<Sample> = (0..12).chain(24..40).map(|second| sample(second, 2, false)).collect();
        assert_eq!(never_silent(&apart), None, "no broker could be looked at meanwhile");
    }

    #[test]
    fn an_offset_goes_back_when_nothing_of_it_is_undecided() {
        let seen = |looks: &[(i64, Option<i64>)]| {
            let look = |(second, (committed, stable)): (u64, &(i64, Option<i64>))| Sample {
                committed: vec![*committed],
                stable: stable.map(|offset| vec![offset]),
                ..sample(second, 2, false)
            };
            never_back(&(0..).zip(looks).map(look).collect::<Vec<_>>())
        };
        assert!(seen(&[(5, Some(5)), (5, None), (5, Some(4))]).is_some_and(|said| said.contains("[5] at 0ns, [4] at")));
        assert_eq!(
            seen(&[(5, Some(5)), (3, None), (3, Some(6)), (6, Some(6))]),
            None,
            "told by one who had just come up"
        );
    }

    #[test]
    fn an_offset_runs_ahead_when_no_copy_of_an_outcome_was_written() {
        let trace = |source: &str, partition, offset| {
            let headers = vec![(SOURCE.as_bytes().to_vec(), Some(source.as_bytes().to_vec()))];
            let record = Record { headers, ..Record::default() };
            Found { topic: "ecs".to_owned(), partition, offset, record }
        };
        let found = |partition, offset| trace("raw/0/1", partition, offset);
        let samples = [sample(0, 2, false)];
        let ahead = |found: &[Found]| unwritten(&samples, found, |sample| &sample.output).is_some();
        assert!(ahead(&[found(0, 2)]) && ahead(&[found(0, 2), found(1, 7)]));
        assert!(!ahead(&[found(0, 1)]) && !ahead(&[found(0, 7), found(1, 1)]));
        let of_a_page = |second| [trace("raw/0/1/0", 0, 1), trace("raw/0/1/1", 1, second)];
        assert!(ahead(&of_a_page(2)), "the second trace was not written");
        assert!(!ahead(&of_a_page(1)));
    }
}
