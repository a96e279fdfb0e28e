//! Results that go to standard output as they come, from the thread that reads.

use std::io::{self, Write as _};
use std::mem;
use std::ops::ControlFlow;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::read::{Letter, Letters, Results, bar};
use crate::terminal::Stdout;

/// What is gathered before it is written, in bytes, and for how long.
const GATHERED_BYTES: usize = 64 * 1024;
const GATHERED_FOR: Duration = Duration::from_millis(100);

/// How a letter is written.
pub type Write<'w> = dyn Fn(&mut Vec<u8>, &Letter<'_>) -> io::Result<()> + Sync + 'w;

/// Standard output for results that come one by one.
pub(super) struct Sink {
    gathered: Vec<u8>,
    since: Instant,
    trouble: Option<io::Error>,
}

impl Sink {
    pub fn new(head: &str) -> Self {
        Self { gathered: head.into(), since: Instant::now(), trouble: None }
    }

    /// One more; a reader who has left wants no other.
    pub fn take(&mut self, letter: &Letter<'_>, write: &Write<'_>) -> ControlFlow<()> {
        if let Err(error) = write(&mut self.gathered, letter) {
            self.trouble.get_or_insert(error);
            return ControlFlow::Break(());
        }
        self.settle()
    }

    /// Writes what is gathered, and says what went wrong so far.
    pub fn finish(&mut self) -> anyhow::Result<()> {
        if self.trouble.is_none() && !self.gathered.is_empty() {
            let _ = self.flush();
        }
        self.trouble.take().map_or(Ok(()), |error| Err(error).context("write to standard output"))
    }

    /// Writes when it is worth it.
    fn settle(&mut self) -> ControlFlow<()> {
        if self.gathered.len() < GATHERED_BYTES && self.since.elapsed() < GATHERED_FOR {
            return ControlFlow::Continue(());
        }
        self.flush()
    }

    fn flush(&mut self) -> ControlFlow<()> {
        let gathered = mem::take(&mut self.gathered);
        let mut out = Stdout::lock();
        let written = out.write_all(&gathered).and_then(|()| out.flush());
        self.since = Instant::now();
        // The room is used again, but not that of one huge letter.
        self.gathered = gathered;
        self.gathered.clear();
        self.gathered.shrink_to(4 * GATHERED_BYTES);
        match written {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                self.trouble.get_or_insert(error);
                ControlFlow::Break(())
            }
        }
    }
}

/// How much of each letter is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// What lies in the topic.
    AsTheyLie,
    /// With what its tool left at the source.
    Whole,
}

/// Writes every letter as it comes, below a head. A reader who has left ends the reading.
pub fn write_each(letters: &Letters<'_>, depth: Depth, head: &str, write: &Write<'_>) -> anyhow::Result<()> {
    let sink = Mutex::new(Sink::new(head));
    let each =
        |(): &mut (), letter: &Letter<'_>| sink.lock().unwrap_or_else(PoisonError::into_inner).take(letter, write);
    let bar = bar(Results::AsTheyCome);
    match depth {
        Depth::AsTheyLie => letters.read(&bar, || (), each)?,
        Depth::Whole => letters.read_whole(&bar, || (), each)?,
    };
    sink.into_inner().unwrap_or_else(PoisonError::into_inner).finish()
}
