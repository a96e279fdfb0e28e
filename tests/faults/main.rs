//! Exactly once under fire: three processors on a cluster of three nodes, under load, while everything that operators fear
//! happens to them in an order that a seed decides; then everything that was promised is held against what Kafka holds.
//!
//! Without more, every kind of fault once under each guarantee. For long: `FAULT_MINUTES=60 cargo test --test faults fire --
//! --nocapture`, from `FAULT_SEED` on (a round a seed), `FAULT_RATE` records a second, `FAULT_GUARANTEE=at_least_once` for
//! that alone, `FAULT_KINDS=LeadersMoved,RetentionOvertakes` for these alone. The history of each run stays in `target/faults`.

mod actors;
mod fleet;
mod history;
mod plan;
mod replay;
mod round;
#[path = "../support/mod.rs"]
mod support;
mod watch;

use std::collections::BTreeMap;
use std::env;
use std::time::{Duration, Instant};

use history::History;
use plan::{ALL, Fault, GRACEFUL, NODES, Pace, plan};
use round::{Outcome, Stage};
use support::broker::Plan;
use support::proxy::Proxy;
use support::scene::Guarantee::{self, AtLeastOnce, ExactlyOnce};
use support::writer::Writer;

/// Strikes of a round of a long run: few enough for its records to be held in memory.
const STRIKES: usize = 12;

/// Of every so many rounds of a long run one has graceful faults alone.
const GRACEFUL_EVERY: u64 = 6;

fn number(variable: &str) -> Option<u64> {
    env::var(variable).ok().map(|text| text.parse().expect("a number"))
}

fn deck() -> Vec<Fault> {
    let only = env::var("FAULT_KINDS").unwrap_or_default();
    let is_asked = |fault: &Fault| only.is_empty() || only.split(',').any(|name| name == format!("{fault:?}"));
    ALL.into_iter().filter(is_asked).collect()
}

#[test]
fn under_fire_every_record_has_its_fate_once_and_whoever_stands_still_says_so() {
    let seed = number("FAULT_SEED").unwrap_or(1);
    let minutes = number("FAULT_MINUTES");
    let only = env::var("FAULT_GUARANTEE").ok();
    let guarantees: Vec<Guarantee> = [ExactlyOnce, AtLeastOnce]
        .into_iter()
        .filter(|guarantee| only.as_ref().is_none_or(|only| only == guarantee.name()))
        .collect();
    let history = History::of(&format!("seed-{seed}"));
    let proxies: Vec<Proxy> = (0..NODES).map(|_| Proxy::listen()).collect();
    let fronts: Vec<u16> = proxies.iter().map(|proxy| proxy.port).collect();
    let cluster = Plan::nodes(NODES).behind(&fronts).start();
    for (at, proxy) in proxies.iter().enumerate() {
        proxy.turn_to(cluster.node(at + 1).front.expect("somebody stands before each node"));
    }
    // A coordinator of transactions is there once somebody has asked for one, which at-least-once never does.
    drop(Writer::transactional(&cluster, "none"));
    let deck = deck();
    let rate = number("FAULT_RATE").map_or(250, |rate| u32::try_from(rate).expect("a rate"));
    let stage = Stage { cluster: &cluster, proxies: &proxies, history: &history, rate };
    let outcomes: Vec<Outcome> = match minutes {
        None => {
            let round = |(seed, guarantee): (u64, &Guarantee)| {
                stage.round(*guarantee, seed, &plan(seed, &deck, deck.len(), Pace::Brief))
            };
            (seed..).zip(&guarantees).map(round).collect()
        }
        Some(minutes) => {
            let ends = Instant::now() + Duration::from_secs(60 * minutes);
            (seed..)
                .zip(guarantees.iter().cycle())
                .take_while(|_| Instant::now() < ends)
                .map(|(seed, guarantee)| {
                    let deck: &[Fault] = if seed % GRACEFUL_EVERY == 0 { &GRACEFUL } else { &deck };
                    stage.round(*guarantee, seed, &plan(seed, deck, STRIKES, Pace::Full))
                })
                .collect()
        }
    };
    table(&history, &outcomes);
    let of = |outcome: &Outcome| -> Vec<String> {
        let Outcome { seed, violations, .. } = outcome;
        violations.iter().map(|violation| format!("seed {seed}: {violation}")).collect()
    };
    let violations: Vec<String> = outcomes.iter().flat_map(of).collect();
    assert!(violations.is_empty(), "see {}:\n{}", history.path.display(), violations.join("\n"));
}

/// What it came to, by guarantee and by fault.
fn table(history: &History, outcomes: &[Outcome]) {
    let mut faults: BTreeMap<Fault, usize> = BTreeMap::new();
    for outcome in outcomes {
        for (fault, times) in &outcome.strikes {
            *faults.entry(*fault).or_default() += times;
        }
    }
    history.note("| guarantee | rounds | faults | records | events | dead letters | repeats | processes | slowest to catch up | violations |");
    history.note("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    for guarantee in [ExactlyOnce, AtLeastOnce] {
        let of: Vec<&Outcome> = outcomes.iter().filter(|outcome| outcome.guarantee == guarantee).collect();
        let sum = |count: fn(&Outcome) -> usize| of.iter().map(|outcome| count(outcome)).sum::<usize>();
        history.note(&format!(
            "| {} | {} | {} | {} | {} | {} | {} | {} | {:.1} s | {} |",
            guarantee.name(),
            of.len(),
            sum(|outcome| outcome.strikes.values().sum()),
            sum(|outcome| outcome.records),
            sum(|outcome| outcome.events),
            sum(|outcome| outcome.dead_letters),
            sum(|outcome| outcome.repeats),
            sum(|outcome| outcome.processes),
            of.iter().map(|outcome| outcome.caught_up.as_secs_f64()).fold(0.0, f64::max),
            sum(|outcome| outcome.violations.len()),
        ));
    }
    history.note("| fault | times |");
    history.note("| --- | --- |");
    faults.iter().for_each(|(fault, times)| history.note(&format!("| {fault:?} | {times} |")));
}
