//! The most memory that the service ever has resident, for several memory budgets and loads that try to exceed them.
//!
//! `cargo bench --bench memory -- [RECORDS] [LOAD…] [BUDGET…]`: RECORDS is the backlog of small records; LOAD is a part
//! of a load's name, BUDGET a size such as `64MiB`; without any, all of them. Needs what the tests need (Java, Maven).
//! Each figure is `VmHWM` of a process of its own, in MiB. The promise is the budget plus 64 MiB.

#[path = "memory/loads.rs"]
mod loads;
#[path = "../tests/support/mod.rs"]
mod support;

use std::env;
use std::time::{Duration, Instant};

use loads::{Load, Stage};
use support::scene::Guarantee;
use support::service::Service;

const BUDGETS: [&str; 3] = ["64MiB", "128MiB", "256MiB"];

/// What resident memory may have beyond the budget.
const BEYOND_MIB: u64 = 64;

/// A backlog that is not worked off in this time has shown what it costs.
const LONGEST: Duration = Duration::from_secs(90);

/// Between two looks at a process: it costs the process CPU time, and the kernel remembers the peak.
const LOOK_EVERY: Duration = Duration::from_millis(250);

fn main() {
    let arguments: Vec<String> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let records = arguments.iter().find_map(|argument| argument.parse().ok()).unwrap_or(5_000_000);
    let named = |name: &str| {
        let mut words =
            arguments.iter().filter(|word| word.parse::<u64>().is_err() && !word.ends_with("MiB")).peekable();
        words.peek().is_none() || words.any(|word| name.contains(word.as_str()))
    };
    let budgets: Vec<&str> = match arguments.iter().filter(|word| word.ends_with("MiB")).map(String::as_str).collect() {
        none if Vec::is_empty(&none) => BUDGETS.to_vec(),
        asked => asked,
    };
    println!("peak resident memory in MiB (in brackets: what is promised; seconds; records sealed)");
    println!("{:<44} {:<14} {}", "load", "guarantee", budgets.iter().map(|b| format!("{b:>34}")).collect::<String>());
    for load in Load::ALL.into_iter().filter(|load| named(load.name())) {
        let stage = Stage::fill(load, records);
        for guarantee in load.guarantees() {
            let row: String =
                budgets.iter().map(|budget| format!("{:>34}", peak(&stage, *guarantee, budget))).collect();
            println!("{:<44} {:<14} {row}", load.name(), guarantee.name());
        }
    }
}

/// Runs the service until the backlog is worked off, and says what it came to.
fn peak(stage: &Stage, guarantee: Guarantee, budget: &str) -> String {
    let mut service = stage.call(guarantee).set(&format!("pipeline.memory_budget={budget}")).start();
    service.until_ready();
    let began = Instant::now();
    let (mut sealed, mut peak) = (0, 0);
    while sealed < stage.records && began.elapsed() < stage.load.longest(LONGEST) {
        service.assert_alive();
        std::thread::sleep(LOOK_EVERY);
        sealed = service.sealed().map_or(sealed, |records| records as u64);
        peak = service.peak_bytes();
        metrics_are_right(&service, budget, peak);
    }
    let promised = budget.trim_end_matches("MiB").parse::<u64>().expect("MiB") + BEYOND_MIB;
    let peak = peak.div_ceil(1 << 20);
    let verdict = if peak < promised { "" } else { " EXCEEDED" };
    // Whether it ends well is the tests' question.
    service.kill();
    format!("{peak} ({promised}; {:.0} s; {sealed}){verdict}", began.elapsed().as_secs_f64())
}

/// What the service tells of its memory is what the kernel tells.
fn metrics_are_right(service: &Service, budget: &str, peak_bytes: u64) {
    let told = service.metric("messagetrace_ecs_memory_budget_bytes").map(|bytes| bytes as u64);
    let budget = budget.trim_end_matches("MiB").parse::<u64>().expect("MiB") << 20;
    assert!(told.is_none_or(|told| told == budget), "the budget is {budget}, the metric says {told:?}");
    let (before, told, after) = (
        service.resident_bytes(),
        service.metric("messagetrace_ecs_memory_resident_bytes").map(|bytes| bytes as u64),
        service.resident_bytes(),
    );
    let highest = before.max(after).max(peak_bytes) + (8 << 20);
    assert!(told.is_none_or(|told| told > 1 << 20 && told <= highest), "resident {before} to {after}, told {told:?}");
}
