//! Reading stretches of topics for a look at them: committed records only, several partitions at a time, in memory that
//! does not grow with the topic.
//!
//! Nobody joins a group and nothing is committed. What is read is fixed before the first record: [`ranges()`] asks the
//! cluster for the ends, and a service that goes on writing, or holds a transaction open, is not waited for.

mod error;
mod ranges;
mod reader;

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

pub use error::ScanError;
pub use ranges::{LookUp, Range, Resolved, Stretch, offsets, ranges};

use self::reader::Reader;
use crate::config::Config;
use crate::record::{Coordinates, Header};

/// Partitions read at the same time: more would only fill memory, one reader is rarely kept busy by one partition.
const THREADS: usize = 4;

/// How long the brokers may send nothing of a partition that has more.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often whoever watches is shown the progress.
const WATCH_EVERY: Duration = Duration::from_millis(100);

/// One record, borrowed from the client.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    pub at: Coordinates<'a>,
    pub timestamp_ms: Option<i64>,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    /// In order; names and values are bytes of any kind.
    pub headers: &'a [Header<'a>],
}

/// What was really seen of a range. Markers of transactions, aborted records and compaction leave gaps in the offsets,
/// so this is less than the range as a rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    pub records: u64,
    /// Keys and values.
    pub bytes: u64,
    /// Offsets of the first and the last record.
    pub first: Option<i64>,
    pub last: Option<i64>,
    /// The part that retention took away after the range was looked up and before it was read.
    pub gone: Option<std::ops::Range<i64>>,
    /// Whether the end of the range was reached; otherwise somebody had enough.
    pub complete: bool,
}

/// How far a scan has come. Shared with whoever watches, who may also end it.
#[derive(Debug)]
pub struct Progress {
    offsets: AtomicU64,
    offsets_total: u64,
    records: AtomicU64,
    bytes: AtomicU64,
    stopped: AtomicBool,
}

impl Progress {
    fn new(ranges: &[Range]) -> Self {
        Self {
            offsets: AtomicU64::new(0),
            offsets_total: ranges.iter().map(Range::offsets).sum(),
            records: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
        }
    }

    /// Offsets that lie behind us, of [`Progress::offsets_total`].
    pub fn offsets(&self) -> u64 {
        self.offsets.load(Ordering::Relaxed)
    }

    pub fn offsets_total(&self) -> u64 {
        self.offsets_total
    }

    pub fn records(&self) -> u64 {
        self.records.load(Ordering::Relaxed)
    }

    /// Keys and values read so far.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Has the scan end soon, as if every range had been left early.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    fn passed(&self, offsets: i64) {
        self.offsets.fetch_add(offsets.unsigned_abs(), Ordering::Relaxed);
    }

    fn read(&self, bytes: usize) {
        self.records.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

/// How to read: with the service's own connection settings.
#[derive(Clone, Copy, Debug)]
pub struct Scan<'c> {
    config: &'c Config,
    threads: usize,
    patience: Duration,
}

impl<'c> Scan<'c> {
    pub fn new(config: &'c Config) -> Self {
        Self { config, threads: THREADS, patience: PATIENCE }
    }

    /// Reads the ranges one after another, in the order given.
    pub fn in_order(self) -> Self {
        Self { threads: 1, ..self }
    }

    /// How long the brokers may send nothing before this is an error.
    pub fn patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Reads the ranges. Each has a state of its own, which `each` is called with for every record of the range, in the
    /// order of the offsets, on one of a few threads; `Break` ends the whole scan. `watch` is called on the calling
    /// thread, about ten times a second.
    ///
    /// Gives for every range, in the order given, its state and what was seen of it. The first error ends the scan.
    pub fn run<S: Send>(
        &self,
        ranges: &[Range],
        make_state: impl Fn(&Range) -> S + Sync,
        each: impl Fn(&mut S, Record<'_>) -> ControlFlow<()> + Sync,
        mut watch: impl FnMut(&Progress),
    ) -> Result<Vec<(S, Seen)>, ScanError> {
        let progress = Progress::new(ranges);
        let next = AtomicUsize::new(0);
        let results: Mutex<Vec<Option<(S, Seen)>>> = Mutex::new(ranges.iter().map(|_| None).collect());
        let work = || -> Result<(), ScanError> {
            // Made when there is something to read: most topics have fewer partitions with records than readers.
            let mut reader = None;
            while let Some((at, range)) = next_of(ranges, &next) {
                let mut state = make_state(range);
                let mut seen = Seen { complete: range.is_empty(), ..Seen::default() };
                if !range.is_empty() && !progress.is_stopped() {
                    let reader = match &mut reader {
                        Some(reader) => reader,
                        None => reader.insert(Reader::new(self.config, self.patience)?),
                    };
                    seen = reader.read(range, &progress, |record| each(&mut state, record))?;
                }
                results.lock().unwrap_or_else(PoisonError::into_inner)[at] = Some((state, seen));
            }
            Ok(())
        };
        let work = || {
            let done = work();
            if done.is_err() {
                progress.stop();
            }
            done
        };
        let threads = ranges.iter().filter(|range| !range.is_empty()).count().clamp(1, self.threads);
        let outcomes: Vec<Result<(), ScanError>> = thread::scope(|scope| {
            // Each worker holds one end until it is done; the channel carries nothing.
            let (working, all_done) = mpsc::channel::<()>();
            let workers: Vec<_> = (0..threads)
                .map(|_| {
                    let working = working.clone();
                    scope.spawn(move || {
                        let _working = working;
                        work()
                    })
                })
                .collect();
            drop(working);
            while all_done.recv_timeout(WATCH_EVERY) == Err(RecvTimeoutError::Timeout) {
                watch(&progress);
            }
            watch(&progress);
            workers
                .into_iter()
                .map(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
                .collect()
        });
        outcomes.into_iter().collect::<Result<(), _>>()?;
        let results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(results.into_iter().flatten().collect())
    }
}

fn next_of<'r>(ranges: &'r [Range], next: &AtomicUsize) -> Option<(usize, &'r Range)> {
    let at = next.fetch_add(1, Ordering::Relaxed);
    Some((at, ranges.get(at)?))
}
