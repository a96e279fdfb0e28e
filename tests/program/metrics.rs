//! The metrics as a scraper sees them, and the page that describes them.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use messagetrace_ecs::normalize::Kind;
use messagetrace_ecs::telemetry::metrics::{Abort, CommitResult, Metrics, OffsetReset, Rebalance, Rebuild, Stall};
use messagetrace_ecs::telemetry::reference;

/// The series that the specification promises, as they are exposed.
const PROMISED: &str = "
    build_info records_polled_total records_delivered_total records_dead_lettered_total records_skipped_total
    records_abandoned_total events_produced_total dead_letters_produced_total dead_letter_fingerprints
    consumed_bytes_total produced_bytes_total records_in_flight in_flight_bytes normalize_duration_seconds
    delivery_latency_seconds event_age_seconds processing_lag_records processing_lag_seconds committed_offset
    commits_total commit_duration_seconds transactions_aborted_total last_commit_timestamp_seconds rebalances_total
    rebalance_duration_seconds assigned_partitions produce_errors_total client_rebuilds_total stalled
    offset_resets_total breaker_open paused_seconds_total memory_budget_bytes broker_up";

/// Samples by name and labels, without those of the process.
fn samples(metrics: &Metrics) -> BTreeMap<String, String> {
    let text = metrics.encode();
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.starts_with("process_"));
    let sample = |line: &str| {
        let (name, value) = line.rsplit_once(' ').unwrap();
        (name.strip_prefix("messagetrace_ecs_").unwrap().to_owned(), value.to_owned())
    };
    lines.map(sample).collect()
}

fn value(metrics: &Metrics, name: &str) -> Option<String> {
    samples(metrics).get(name).cloned()
}

#[test]
fn every_series_of_the_specification_is_exported_under_its_name_and_no_other() {
    let mut promised: Vec<String> =
        PROMISED.split_whitespace().map(|name| format!("messagetrace_ecs_{name}")).collect();
    if cfg!(target_os = "linux") {
        promised.push("messagetrace_ecs_memory_resident_bytes".to_owned());
    }
    promised.sort();
    let exported: Vec<String> = reference::names().into_iter().filter(|name| !name.starts_with("process_")).collect();
    assert_eq!(exported, promised);
}

#[test]
fn every_known_label_is_there_from_the_start_at_0() {
    let metrics = Metrics::new();
    let samples = samples(&metrics);
    let mut known = Vec::new();
    known.extend(Kind::ALL.map(|kind| format!("dead_letters_produced_total{{kind=\"{}\"}}", kind.name())));
    known.extend(CommitResult::ALL.map(|result| format!("commits_total{{result=\"{}\"}}", result.name())));
    known.extend(Abort::ALL.map(|reason| format!("transactions_aborted_total{{reason=\"{}\"}}", reason.name())));
    known.extend(Rebalance::ALL.map(|kind| format!("rebalances_total{{kind=\"{}\"}}", kind.name())));
    known.extend(Rebuild::ALL.map(|reason| format!("client_rebuilds_total{{reason=\"{}\"}}", reason.name())));
    known.extend(Stall::ALL.map(|cause| format!("stalled{{cause=\"{}\"}}", cause.name())));
    known.extend(OffsetReset::ALL.map(|reason| format!("offset_resets_total{{reason=\"{}\"}}", reason.name())));
    for name in ["records_polled_total", "paused_seconds_total", "breaker_open", "last_commit_timestamp_seconds"] {
        known.push(name.to_owned());
    }
    for name in known {
        assert!(
            matches!(samples.get(&name).map(String::as_str), Some("0" | "0.0")),
            "{name}: {:?}",
            samples.get(&name)
        );
    }
    assert_eq!(samples.keys().filter(|name| name.starts_with("stalled")).count(), Stall::ALL.len());
    assert_eq!(samples.keys().filter(|name| name.starts_with("dead_letters_produced")).count(), 14);
}

/// A sample, its value, and the call that brings it there.
type Case = (&'static str, &'static str, &'static dyn Fn(&Metrics));

#[test]
fn each_call_moves_its_own_series() {
    let metrics = Metrics::new();
    let cases: [Case; 22] = [
        ("records_polled_total", "3", &|m| _ = m.records_polled.inc_by(3)),
        ("records_delivered_total", "4", &|m| _ = m.records_delivered.inc_by(4)),
        ("records_dead_lettered_total", "5", &|m| _ = m.records_dead_lettered.inc_by(5)),
        ("records_skipped_total", "6", &|m| _ = m.records_skipped.inc_by(6)),
        ("records_abandoned_total", "7", &|m| _ = m.records_abandoned.inc_by(7)),
        ("records_in_flight", "8", &|m| _ = m.records_in_flight.set(8)),
        ("dead_letters_produced_total{kind=\"invalid_json\"}", "2", &|m| m.dead_letters(Kind::InvalidJson, 2)),
        ("dead_letter_fingerprints", "1", &|m| m.fingerprint_seen("0123456789abcdef")),
        ("commits_total{result=\"unknown\"}", "1", &|m| m.commit(CommitResult::Unknown)),
        ("transactions_aborted_total{reason=\"fenced\"}", "1", &|m| m.transaction_aborted(Abort::Fenced)),
        ("rebalances_total{kind=\"lost\"}", "1", &|m| m.rebalance(Rebalance::Lost)),
        ("produce_errors_total{code=\"INVALID_RECORD\"}", "1", &|m| m.produce_error("INVALID_RECORD")),
        ("client_rebuilds_total{reason=\"stuck\"}", "1", &|m| m.client_rebuilt(Rebuild::Stuck)),
        ("stalled{cause=\"topic_missing\"}", "1", &|m| m.stalled(Stall::TopicMissing, true)),
        ("offset_resets_total{reason=\"recreated\"}", "1", &|m| m.offset_reset(OffsetReset::Recreated)),
        ("offset_resets_total{reason=\"truncated\"}", "1", &|m| m.offset_reset(OffsetReset::Truncated)),
        ("committed_offset{topic=\"t\",partition=\"3\"}", "42", &|m| m.committed_offset("t", 3, 42)),
        ("processing_lag_seconds{topic=\"t\",partition=\"3\"}", "1.5", &|m| m.processing_lag("t", 3, 9, 1.5)),
        ("broker_up{broker=\"b:9092/1\"}", "1", &|m| m.broker_up("b:9092/1", true)),
        ("breaker_open", "1", &|m| m.breaker_open(true)),
        ("paused_seconds_total", "2.5", &|m| m.paused_seconds(2.5)),
        ("commit_duration_seconds_bucket{le=\"0.005\"}", "1", &|m| m.commit_duration_seconds.observe(0.004)),
    ];
    for (name, expected, call) in cases {
        call(&metrics);
        assert_eq!(value(&metrics, name).as_deref(), Some(expected), "{name}");
    }
    assert_eq!(value(&metrics, "processing_lag_records{topic=\"t\",partition=\"3\"}").as_deref(), Some("9"));
}

#[test]
fn the_series_of_a_partition_go_with_it() {
    let metrics = Metrics::new();
    for partition in [3, 4] {
        metrics.processing_lag("t", partition, 1, 1.0);
        metrics.committed_offset("t", partition, 1);
    }
    metrics.forget_partition("t", 3);
    metrics.forget_partition("t", 99);
    let left: Vec<String> = samples(&metrics).into_keys().filter(|name| name.contains("topic=")).collect();
    assert_eq!(left.len(), 3, "{left:?}");
    assert!(left.iter().all(|name| name.contains("partition=\"4\"")), "{left:?}");
}

#[test]
fn a_broker_that_left_leaves_no_series_and_makes_room_for_another() {
    let metrics = Metrics::new();
    for number in 0..1_000 {
        let broker = format!("broker-{number}");
        metrics.broker_up(&broker, true);
        metrics.forget_broker(&broker);
    }
    metrics.broker_up("last", false);
    let brokers: Vec<_> = samples(&metrics).into_iter().filter(|(name, _)| name.starts_with("broker_up")).collect();
    assert_eq!(brokers, [("broker_up{broker=\"last\"}".to_owned(), "0".to_owned())]);
}

#[test]
fn the_number_of_series_is_bounded_whatever_comes_in() {
    let metrics = Metrics::new();
    for number in 0..20_000 {
        metrics.produce_error(&format!("code-{number}"));
        metrics.broker_up(&format!("broker-{number}"), true);
        metrics.fingerprint_seen(&format!("{number:016x}"));
        metrics.fingerprint_seen("0000000000000000");
    }
    let samples = samples(&metrics);
    let count = |start: &str| samples.keys().filter(|name| name.starts_with(start)).count();
    assert_eq!((count("produce_errors_total"), count("broker_up")), (101, 100));
    assert_eq!(samples["produce_errors_total{code=\"other\"}"], "19900");
    assert_eq!(samples["dead_letter_fingerprints"], "10000");
}

#[test]
fn a_label_cannot_forge_a_line() {
    let metrics = Metrics::new();
    metrics.broker_up("b\"} 1\nforged 2\n\\", true);
    assert!(metrics.encode().lines().all(|line| !line.starts_with("forged")));
}

#[test]
fn a_scrape_ends_as_openmetrics_wants_it() {
    assert!(Metrics::new().encode().ends_with("# EOF\n"));
}

#[test]
#[cfg(target_os = "linux")]
fn the_page_about_the_metrics_is_in_step_with_the_registry() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md");
    if std::env::var_os("REGENERATE").is_some() {
        fs::write(&path, reference::markdown()).unwrap();
    }
    let page = fs::read_to_string(&path).unwrap_or_default();
    assert!(page == reference::markdown(), "docs/metrics.md is behind: REGENERATE=1 cargo test --test program");
}
