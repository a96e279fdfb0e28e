//! What the stations tell the metrics: once a batch or once a seal, never once a record.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::account::Counts;
use super::tally::Tally;
use crate::normalize::Kind;
use crate::telemetry::metrics::Metrics;

/// A worker has normalized a batch.
pub fn normalized(metrics: &Metrics, records: usize, took: Duration) {
    metrics.normalize_duration_seconds.observe(took.as_secs_f64() / records.max(1) as f64);
}

/// What was handed over since the last seal is sealed.
pub fn sealed(metrics: &Metrics, counts: &Counts, tally: &Tally) {
    metrics.records_delivered.inc_by(counts.delivered);
    metrics.records_dead_lettered.inc_by(counts.dead_lettered);
    metrics.records_skipped.inc_by(counts.skipped);
    metrics.events_produced.inc_by(tally.events);
    metrics.produced_bytes.inc_by(tally.produced_bytes);
    for (kind, letters) in Kind::ALL.into_iter().zip(tally.dead_letters) {
        if letters > 0 {
            metrics.dead_letters(kind, letters);
        }
    }
    for fingerprint in &tally.fingerprints {
        metrics.fingerprint_seen(fingerprint);
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    metrics.last_commit_timestamp_seconds.set(now);
    for timestamp_ms in &tally.timestamps_ms {
        metrics.delivery_latency_seconds.observe((now - *timestamp_ms as f64 / 1e3).max(0.0));
    }
    for received_us in &tally.received_us {
        metrics.event_age_seconds.observe((now - *received_us as f64 / 1e6).max(0.0));
    }
}
