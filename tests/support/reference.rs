//! What a faultless service leaves behind, written down from a ledger: the judge must find nothing in it, and each fault that a
//! test plants in it.

use super::driver::{Ledger, Sent};
use super::letter::{event_headers, foreign, header, own_headers, rfc3339};
use super::maker::{Maker, now_ms};
use super::murmur2;
use super::oracle::{Source, Traces, Trial};
use super::page::Fate;
use super::raw::Record;
use super::reader::Found;
use super::scene::Partitioning;

/// Mixed records as if they had been produced round robin to so many partitions.
pub fn ledger(seed: u64, records: usize, partitions: i32) -> Ledger {
    let started_ms = now_ms();
    let mut maker = Maker::new(seed, started_ms);
    let sent = (0..records)
        .map(|at| {
            let at = i64::try_from(at).expect("a count");
            let (record, sample) = maker.mixed();
            let partition = i32::try_from(at % i64::from(partitions)).expect("a partition");
            Sent { partition, offset: at / i64::from(partitions), record, sample }
        })
        .collect();
    Ledger { sent, started_ms, ..Ledger::default() }
}

/// The output and dead-letter topics and the offsets of a faultless run.
pub fn faultless(trial: &Trial, ledger: &Ledger, input_partitions: i32) -> Traces {
    let mut traces = Traces::default();
    for sent in &ledger.sent {
        for (index, fate) in (0..).zip(&sent.sample.fates) {
            let index = sent.sample.page.then_some(index);
            let source = Source { partition: sent.partition, offset: sent.offset, index };
            let (topic, side) = match fate {
                Fate::Event { .. } => ("output", &mut traces.output),
                Fate::Letter { .. } => ("dead-letters", &mut traces.dead_letters),
            };
            let record = outcome(trial, sent, &source, fate);
            let partition = match trial.partitioning {
                Partitioning::Key => record.key.as_deref().map_or(0, |key| murmur2::partition(key, trial.partitions)),
                Partitioning::Source => sent.partition,
            };
            let offset = i64::try_from(side.len()).expect("a count");
            side.push(Found { topic: topic.to_owned(), partition, offset, record });
        }
    }
    let last =
        |partition| ledger.sent.iter().filter(|sent| sent.partition == partition).map(|sent| sent.offset + 1).max();
    traces.ends = (0..input_partitions).map(|partition| last(partition).unwrap_or(0)).collect();
    traces.committed = traces.ends.iter().copied().map(Some).collect();
    traces
}

/// The record that one fate becomes.
pub fn outcome(trial: &Trial, sent: &Sent, source: &Source, fate: &Fate) -> Record {
    let key = trial.key(sent, fate);
    match fate {
        Fate::Event { facts, message } => Record {
            key,
            value: Some(facts.event(message).to_string().into_bytes()),
            headers: event_headers(sent, source, trial),
            timestamp_ms: sent.record.timestamp_ms,
        },
        Fate::Letter { kind, key: blamed, text } => {
            let timestamp_ms = now_ms();
            let mut headers = foreign(&sent.record.headers);
            headers.extend(own_headers(sent, source, kind, blamed, trial));
            headers.push(header("dlq.error.message", "it was rejected"));
            headers.push(header("dlq.failed.at", &rfc3339(timestamp_ms)));
            let value =
                if source.index.is_some() { Some(text.clone().into_bytes()) } else { sent.record.value.clone() };
            Record { key, value, headers, timestamp_ms }
        }
    }
}
