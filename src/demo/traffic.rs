//! What goes on around the service while the demo runs: one thread feeds its input, one reads its outputs.
//!
//! The embedded broker throws away what its partitions cannot hold, so the feeder never runs further ahead of the reader than fits:
//! it counts the outputs that have to come and waits for the reader to see them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};

use super::account::Sightings;
use super::broker::{Broker, Group, INPUT};
use super::feed::{FeedRecord, Totals};
use super::feeder::Feeder;
use super::progress::Show;
use super::reader::Reader;

/// Outputs that may be under way. With 2 kB each over 6 partitions, compressed, they stay well below the 5 MiB that each one holds.
const WINDOW: u64 = 16_000;

const LOOK_EVERY: Duration = Duration::from_millis(100);

/// When nothing has moved for so long, something is wrong, and the account at the end will say what.
const PATIENCE: Duration = Duration::from_secs(30);

/// How far things are, written by the two threads.
#[derive(Debug, Default)]
struct Progress {
    fed: AtomicU64,
    /// Outputs that have to come of what was fed.
    due: AtomicU64,
    read: AtomicU64,
    over: AtomicBool,
}

#[derive(Debug)]
pub struct Traffic {
    progress: Arc<Progress>,
    feeder: JoinHandle<anyhow::Result<Totals>>,
    reader: JoinHandle<anyhow::Result<Sightings>>,
    group: Group,
    patience: Duration,
}

/// How following ended.
#[derive(Clone, Copy, Debug)]
pub struct Followed {
    /// Input records that the service's group committed.
    pub committed: u64,
    /// From the first output to the last progress: the seconds in which the group forms are the broker's, not the service's.
    pub took: Duration,
}

impl Traffic {
    pub fn start(broker: &Broker, feed: impl Iterator<Item = FeedRecord> + Send + 'static) -> anyhow::Result<Self> {
        let progress = Arc::new(Progress::default());
        let feeder = Feeder::new(&broker.producer(), INPUT)?;
        let reader = Reader::new(broker)?;
        let group = broker.group()?;
        let reader = {
            let progress = Arc::clone(&progress);
            spawn("demo-reader", move || read(reader, &progress))?
        };
        let feeder = {
            let progress = Arc::clone(&progress);
            spawn("demo-feeder", move || self::feed(feeder, feed, &progress))?
        };
        Ok(Self { progress, feeder, reader, group, patience: PATIENCE })
    }

    /// Gives up when nothing has moved for so long.
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Waits until all `records` are fed, their outputs read and their offsets committed, or until that will not happen any
    /// more: nothing moves, or the service `is_gone`.
    pub fn follow(&self, records: u64, show: &mut Show, is_gone: impl Fn() -> bool) -> anyhow::Result<Followed> {
        let mut moved = (Instant::now(), (0, 0, 0));
        let mut first_output = None;
        let mut committed = 0;
        loop {
            let fed = self.progress.fed.load(Ordering::Acquire);
            let read = self.progress.read.load(Ordering::Relaxed);
            show.progress(fed, format_args!(", {read} outputs read"));
            // Until then the offsets say nothing that is not known, and asking for them is work for the broker.
            let all_read = fed == records && read >= self.progress.due.load(Ordering::Acquire);
            if all_read {
                committed = self.group.committed()?;
            }
            let now = Instant::now();
            if read > 0 {
                first_output.get_or_insert(now);
            }
            if moved.1 != (fed, read, committed) {
                moved = (now, (fed, read, committed));
            }
            let a_thread_ended = self.reader.is_finished() || (self.feeder.is_finished() && fed < records);
            if (all_read && committed >= records) || a_thread_ended || now - moved.0 > self.patience || is_gone() {
                return Ok(Followed { committed, took: moved.0 - first_output.unwrap_or(moved.0) });
            }
            thread::sleep(LOOK_EVERY);
        }
    }

    /// Ends both threads, the reader once it has seen all there is. To be called when the service has stopped.
    pub fn finish(self) -> anyhow::Result<(Totals, Sightings)> {
        self.progress.over.store(true, Ordering::Relaxed);
        let totals = self.feeder.join().map_err(|_| anyhow!("the feeder panicked"))?.context("feed the input topic")?;
        let seen = self.reader.join().map_err(|_| anyhow!("the reader panicked"))?.context("read the outputs")?;
        Ok((totals, seen))
    }
}

fn spawn<T: Send + 'static>(name: &str, body: impl FnOnce() -> T + Send + 'static) -> anyhow::Result<JoinHandle<T>> {
    thread::Builder::new().name(name.to_owned()).spawn(body).with_context(|| format!("start the thread {name}"))
}

fn feed(mut feeder: Feeder, records: impl Iterator<Item = FeedRecord>, progress: &Progress) -> anyhow::Result<Totals> {
    let mut totals = Totals::default();
    let mut due = 0;
    for record in records {
        while due > progress.read.load(Ordering::Relaxed) + WINDOW {
            if progress.over.load(Ordering::Relaxed) {
                return Ok(totals);
            }
            feeder.wait();
        }
        feeder.send(&record)?;
        totals.add(&record.expected);
        due += u64::from(record.expected.events) + record.expected.dead_letters.len() as u64;
        // In this order: whoever sees the last record fed also sees all that is due.
        progress.due.store(due, Ordering::Release);
        progress.fed.store(totals.records, Ordering::Release);
    }
    feeder.finish()?;
    Ok(totals)
}

fn read(mut reader: Reader, progress: &Progress) -> anyhow::Result<Sightings> {
    while !progress.over.load(Ordering::Relaxed) {
        reader.read()?;
        progress.read.store(reader.outputs(), Ordering::Relaxed);
    }
    reader.finish()
}
