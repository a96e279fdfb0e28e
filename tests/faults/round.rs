//! One round: a scene under load, what was planned strikes it, and then the oracle looks at everything.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use std::{fs, mem};

use crate::actors::{Actors, Taken};
use crate::fleet::{Fleet, seats};
use crate::history::History;
use crate::plan::{Fault, GRACEFUL, PROCESSORS, Strike};
use crate::replay;
use crate::support::cluster::{Cluster, View};
use crate::support::driver::{Driver, Ledger, Sent};
use crate::support::oracle::{self, judge};
use crate::support::proxy::Proxy;
use crate::support::raw::Record;
use crate::support::reader::{Found, read};
use crate::support::sample::Sample;
use crate::support::scene::{Guarantee, Scene};
use crate::support::service::summed;
use crate::support::wait;
use crate::watch::{judged, repeated_too_much, untold, watch};

const PARTITIONS: i32 = 4;

/// After the last fault everything is sealed within this, without a hand.
const CAUGHT_UP_WITHIN: Duration = Duration::from_secs(60);

/// Then the lag that is told is none within this: two intervals of the statistics and some.
const TOLD_WITHIN: Duration = Duration::from_secs(15);

/// `pipeline.memory_budget` and what may come on top.
const RESIDENT_AT_MOST: u64 = (128 + 64) * 1024 * 1024;

/// Of a process that has been through everything: its clients' threads and ours, with those of calls that are out.
const THREADS_AT_MOST: usize = 64;
const DESCRIPTORS_AT_MOST: usize = 128;

/// What a round came to.
#[derive(Debug)]
pub struct Outcome {
    pub guarantee: Guarantee,
    pub seed: u64,
    pub strikes: BTreeMap<Fault, usize>,
    pub records: usize,
    pub events: usize,
    pub dead_letters: usize,
    pub repeats: usize,
    pub processes: usize,
    /// From the last fault until everything was sealed.
    pub caught_up: Duration,
    pub looks: usize,
    pub violations: Vec<String>,
}

pub struct Stage<'a> {
    pub cluster: &'a Cluster,
    pub proxies: &'a [Proxy],
    pub history: &'a History,
    /// Records a second.
    pub rate: u32,
}

impl Stage<'_> {
    pub fn round(&self, guarantee: Guarantee, seed: u64, strikes: &[Strike]) -> Outcome {
        let Stage { cluster, proxies, history, rate } = *self;
        let scene = Scene::new(cluster, guarantee, PARTITIONS);
        history.note(&format!("{}, seed {seed}: {} faults", guarantee.name(), strikes.len()));
        let seats = seats();
        let over = AtomicBool::new(false);
        let mut actors = Actors {
            scene: &scene,
            proxies,
            history,
            fleet: Fleet::new(&scene, proxies, history, &seats),
            seed,
            taken: Taken::default(),
            added: Vec::new(),
            replayed_to: Vec::new(),
        };
        (0..PROCESSORS).for_each(|seat| actors.fleet.start(seat));
        let (ledger, caught_up, mut violations, samples) = thread::scope(|scope| {
            let watcher = scope.spawn(|| watch(&scene, &seats, &over));
            // Also when something fails: nobody is to watch for ever.
            let ends = Ends(&over);
            let ledger = Driver::new(&scene, seed).under_load(1, rate, || {
                wait::lasting(Duration::from_secs(2));
                strikes.iter().for_each(|strike| actors.strike(strike));
            });
            let (caught_up, mut violations) = settle(&scene, &mut actors.fleet, &ledger, &actors.replayed_to);
            drop(ends);
            let samples = watcher.join().expect("the watcher came through");
            (0..PROCESSORS).for_each(|seat| actors.fleet.stop(seat));
            violations.append(&mut actors.fleet.violations);
            (ledger, caught_up, violations, samples)
        });
        let mut there = mem::take(&mut actors.taken.deleted);
        there.extend(read(cluster, &scene.input, View::Committed));
        violations.extend(replay::sent_twice(&scene, &there));
        let (mut ledger, lost) = as_found(&scene, ledger, mem::take(&mut actors.added), there);
        violations.extend(lost);
        actors.taken.note(&mut ledger);
        let traces = oracle::traces(&scene);
        let report = judge(&oracle::trial(&scene), &ledger, &traces);
        if !report.faults.is_empty() {
            violations.push(report.to_string());
        }
        violations.extend(judged(&samples, &traces));
        violations.extend(untold(&ledger, &traces, actors.fleet.resets_told));
        let hits = strikes.iter().flat_map(|strike| [Some(strike.fault), strike.meanwhile.map(|(also, _)| also)]);
        let hits = hits.flatten().filter(|fault| !GRACEFUL.contains(fault)).count();
        violations.extend(repeated_too_much(&samples, &traces, hits, rate));
        [&scene.input, &scene.output, &scene.dead_letters].into_iter().for_each(|topic| cluster.delete_topic(topic));
        let mut by_kind = BTreeMap::new();
        for strike in strikes {
            *by_kind.entry(strike.fault).or_default() += 1;
            if let Some((also, _)) = strike.meanwhile {
                *by_kind.entry(also).or_default() += 1;
            }
        }
        let outcome = Outcome {
            guarantee,
            seed,
            strikes: by_kind,
            records: ledger.sent.len(),
            events: report.events,
            dead_letters: report.dead_letters,
            repeats: report.repeats,
            processes: actors.fleet.started,
            caught_up,
            looks: samples.len(),
            violations,
        };
        history.note(&format!(
            "    {} records, {} events, {} dead letters, {} repeats, caught up after {:.1} s, {} looks",
            outcome.records,
            outcome.events,
            outcome.dead_letters,
            outcome.repeats,
            caught_up.as_secs_f64(),
            outcome.looks
        ));
        outcome.violations.iter().for_each(|violation| history.note(&format!("    VIOLATION: {violation}")));
        outcome
    }
}

/// What truly lies in the input, which is what the processors are judged by: while brokers die a producer may write a record
/// twice, or be told of the wrong place. Says what of the load is not there at all.
fn as_found(
    scene: &Scene<'_>,
    mut ledger: Ledger,
    added: Vec<(i32, Record, Sample)>,
    input: Vec<Found>,
) -> (Ledger, Option<String>) {
    let by_driver = ledger.sent.iter().map(|sent| (&sent.record, &sent.sample));
    let by_faults = added.iter().map(|(_, record, sample)| (record, sample));
    let replayed = replay::samples(by_driver.chain(by_faults));
    let sent = mem::take(&mut ledger.sent);
    let mut missing: HashMap<(i32, Record), (Sample, usize)> = HashMap::new();
    let records = sent.len() + added.len();
    let sent = sent.into_iter().map(|Sent { partition, record, sample, .. }| (partition, record, sample));
    for (partition, record, sample) in sent.chain(added) {
        missing.entry((partition, record)).or_insert((sample, 0)).1 += 1;
    }
    // What was deleted at two times was there at both.
    let all: BTreeMap<(i32, i64), Found> =
        input.into_iter().map(|found| ((found.partition, found.offset), found)).collect();
    let found = all.into_values().map(|found| {
        if let Some(letter) = replay::letter_of(scene, &found) {
            let sample = replayed.get(&found.record.value).unwrap_or_else(|| panic!("who made {letter} up?")).clone();
            return Sent { partition: found.partition, offset: found.offset, record: found.record, sample };
        }
        let Found { partition, offset, record, .. } = found;
        let known = missing.get_mut(&(partition, record.clone()));
        let (sample, times) = known.unwrap_or_else(|| panic!("who wrote the record at {partition}/{offset}?"));
        *times = times.saturating_sub(1);
        Sent { partition, offset, record, sample: sample.clone() }
    });
    ledger.sent = found.collect();
    let lost: usize = missing.values().map(|(_, times)| times).sum();
    let told = (lost > 0).then(|| format!("the brokers lost {lost} of {records} records that they had acknowledged"));
    (ledger, told)
}

/// Tells the watcher that it is over.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Waits until everything is sealed, then holds what the processors say against that.
fn settle(scene: &Scene<'_>, fleet: &mut Fleet<'_>, ledger: &Ledger, replayed_to: &[i64]) -> (Duration, Vec<String>) {
    let began = Instant::now();
    let last = |partition| {
        let of_partition = ledger.sent.iter().filter(|sent| sent.partition == partition);
        of_partition.map(|sent| sent.offset + 1).max().unwrap_or(0)
    };
    let mut ends: Vec<i64> = (0..scene.partitions).map(last).collect();
    // Behind what was sent back lies the mark of its transaction.
    ends.iter_mut().zip(replayed_to).for_each(|(end, replayed)| *end = (*end).max(replayed - 1));
    // In those that were added there is nothing that cannot be read.
    ends.extend(scene.cluster.gauge(&scene.input, View::Committed).ends().split_off(ends.len()));
    let committed = || scene.cluster.committed(&scene.group, &scene.input);
    let caught_up = wait::within(CAUGHT_UP_WITHIN, || {
        fleet.tend();
        committed().iter().zip(&ends).all(|(now, end)| now.unwrap_or(0) >= *end).then(|| began.elapsed())
    });
    let mut violations = Vec::new();
    let Some(caught_up) = caught_up else {
        let said: Vec<String> = fleet.at_work().filter_map(|(_, service)| Some(service.get("/readyz")?.1)).collect();
        violations.push(format!(
            "not caught up within {CAUGHT_UP_WITHIN:?}: committed {:?} of {ends:?}; the processors say {said:?}",
            committed()
        ));
        return (began.elapsed(), violations);
    };
    for (seat, service) in fleet.at_work() {
        let calm = wait::within(TOLD_WITHIN, || {
            let (_, metrics) = service.get("/metrics")?;
            (account(&metrics)?.is_empty()).then_some(())
        });
        if calm.is_none() {
            let said = service.get("/metrics").and_then(|(_, metrics)| account(&metrics));
            violations.push(format!("processor {seat}, with everything sealed: {said:?}"));
        }
        let count = |what: &str| fs::read_dir(format!("/proc/{}/{what}", service.pid())).map_or(0, Iterator::count);
        let held = (service.resident_bytes(), count("task"), count("fd"));
        if held.0 > RESIDENT_AT_MOST || held.1 > THREADS_AT_MOST || held.2 > DESCRIPTORS_AT_MOST {
            violations.push(format!("processor {seat} holds {held:?} of memory, threads and descriptors"));
        }
    }
    (caught_up, violations)
}

/// What a processor says wrongly of itself when nothing waits; empty when all is well.
fn account(metrics: &str) -> Option<Vec<String>> {
    let value = |name: &str| summed(metrics, &format!("messagetrace_ecs_{name}"));
    let fates = ["delivered_total", "dead_lettered_total", "skipped_total", "abandoned_total", "in_flight"];
    let accounted: f64 = fates.iter().filter_map(|fate| value(&format!("records_{fate}"))).sum();
    let polled = value("records_polled_total")?;
    let mut wrong = Vec::new();
    if polled != accounted {
        wrong.push(format!("polled {polled}, accounted for {accounted}"));
    }
    for name in ["processing_lag_records", "stalled", "records_in_flight"] {
        let said = value(name).unwrap_or_default();
        if said != 0.0 {
            wrong.push(format!("{name} {said}"));
        }
    }
    Some(wrong)
}
