//! Letters as they come, until somebody asks to stop; with a group, on from where an earlier call was.
//!
//! A round reads what has come since the last one, writes it out, and then keeps how far that is: what was kept was written,
//! and a kill between the two repeats a round's letters. Once a round has succeeded, brokers that are away are waited for.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{anyhow, bail};

use super::coordinates::Log;
use super::origin::Completion;
use super::progress;
use super::progress::Group;
use super::read::{Letter, tell};
use super::select::Selection;
use super::shelf::Shelf;
use super::sink::{Sink, Write};
use crate::kafka::admin::cluster::Cluster;
use crate::kafka::clients;
use crate::kafka::clients::Consumer;
use crate::kafka::scan::{LookUp, Range, Resolved, Scan, ScanError};

/// Between two looks for what has come.
const PAUSE: Duration = Duration::from_millis(500);

/// The longest pause while brokers are away.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How often a stop is looked for while nothing is due.
const NAP: Duration = Duration::from_millis(50);

/// Offsets of a partition that a round reads at most: what a kill repeats.
const ROUND_OFFSETS: i64 = 50_000;

/// What is followed.
#[derive(Clone, Copy, Debug)]
pub struct Followed<'a> {
    pub shelf: &'a Shelf<'a>,
    pub selection: &'a Selection,
    /// The most letters that are wanted.
    pub limit: Option<u64>,
    /// Which keeps the progress.
    pub group: Option<Group<'a>>,
}

/// Writes each letter as it comes, until `stop` is set: a cluster that was being waited for then is no failure.
pub fn follow(followed: Followed<'_>, stop: &AtomicBool, write: &Write<'_>) -> anyhow::Result<()> {
    match follow_until(followed, stop, write) {
        Err(error) if stop.load(Ordering::Relaxed) && !error.is::<Final>() => Ok(()),
        outcome => outcome,
    }
}

fn follow_until(followed: Followed<'_>, stop: &AtomicBool, write: &Write<'_>) -> anyhow::Result<()> {
    let config = followed.shelf.config;
    let mut keeper = followed.group.map(|group| Keeper::new(&followed, group, stop)).transpose()?;
    let mut follower = Follower {
        followed,
        look_up: LookUp::new(config)?,
        so_far: SoFar { sink: Sink::new(""), reached: BTreeMap::new(), written: 0 },
        keeps: keeper.as_ref().map(|keeper| Arc::clone(&keeper.consumer)),
        stop,
    };
    if let Some(keeper) = &keeper {
        follower.so_far.reached = keeper.positions(&followed, &follower.resolved()?)?;
    }
    let (mut has_begun, mut pause) = (false, PAUSE);
    while !follower.is_stopped() {
        let round = follower.round(write).and_then(|has_more| {
            keeper.as_mut().map_or(Ok(()), |keeper| keeper.keep(&follower))?;
            Ok(has_more)
        });
        let has_more = match round {
            Ok(has_more) => {
                (has_begun, pause) = (true, PAUSE);
                has_more
            }
            Err(error) if has_begun && !error.is::<Final>() => {
                if pause == PAUSE {
                    tell(&format!("waiting: {error:#}"));
                }
                pause = (pause * 2).min(LONGEST_PAUSE);
                false
            }
            Err(error) => return Err(error),
        };
        if !has_more {
            follower.wait(pause);
        }
    }
    Ok(())
}

/// Waiting does not help. Why is left as it is: a reader who has left is no failure to whoever looks for that cause.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct Final(anyhow::Error);

struct Follower<'a> {
    followed: Followed<'a>,
    look_up: LookUp<'a>,
    so_far: SoFar,
    /// The client that keeps the progress, which has nothing else to do: it is served meanwhile.
    keeps: Option<Arc<Consumer>>,
    stop: &'a AtomicBool,
}

/// How far the writing has come.
struct SoFar {
    sink: Sink,
    /// Behind the last letter of each partition that was written or is not meant.
    reached: BTreeMap<Log, i64>,
    written: u64,
}

impl SoFar {
    fn take(&mut self, letter: &Letter<'_>, write: &Write<'_>, limit: Option<u64>) -> ControlFlow<()> {
        let flow = self.sink.take(letter, write);
        let place = letter.place();
        self.reached.insert(place.log(), place.offset + 1);
        self.written += 1;
        if self.has_enough(limit) { ControlFlow::Break(()) } else { flow }
    }

    fn has_enough(&self, limit: Option<u64>) -> bool {
        limit.is_some_and(|limit| self.written >= limit)
    }
}

impl Follower<'_> {
    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed) || self.so_far.has_enough(self.followed.limit)
    }

    fn resolved(&self) -> Result<Vec<Resolved>, ScanError> {
        Ok(self.look_up.ranges(&self.followed.shelf.stretches())?.into_iter().flatten().collect())
    }

    /// Writes what has come since the last round. `true`: there is more of it.
    fn round(&mut self, write: &Write<'_>) -> anyhow::Result<bool> {
        let mut has_more = false;
        let mut ranges = Vec::new();
        for resolved in self.resolved()? {
            let reached = self.so_far.reached.get(&self.followed.shelf.log(&resolved.range));
            let from = reached.copied().unwrap_or(resolved.low);
            let Range { topic, partition, .. } = &resolved.range;
            if from > resolved.end {
                bail!(Final(anyhow!(
                    "partition {partition} of {topic} ends at {}, before offset {from}, up to which it was read: the topic \
                     was made anew",
                    resolved.end
                )));
            }
            if from < resolved.low {
                let last = resolved.low - 1;
                tell(&format!("offsets {from} to {last} of partition {partition} of {topic} are gone (retention)"));
            }
            let from = from.max(resolved.low);
            let to = resolved.end.min(from.saturating_add(ROUND_OFFSETS));
            has_more |= to < resolved.end;
            ranges.push(Range { from, to, ..resolved.range });
        }
        self.read(&ranges, write)?;
        Ok(has_more)
    }

    fn read(&mut self, ranges: &[Range], write: &Write<'_>) -> anyhow::Result<()> {
        let Followed { shelf, selection, limit, .. } = self.followed;
        let completion = Completion::new(shelf.config, true);
        let trouble = Mutex::new(None);
        // Partitions are read side by side.
        let so_far = Mutex::new(&mut self.so_far);
        let one =
            |letter: &Letter<'_>| so_far.lock().unwrap_or_else(PoisonError::into_inner).take(letter, write, limit);
        let seen = Scan::new(shelf.config).in_order().run(
            ranges,
            |range| shelf.number(range),
            |topic, record| {
                let letter = Letter::new(record, *topic);
                if !selection.takes(record.timestamp_ms, letter.decoded.as_ref()) {
                    return ControlFlow::Continue(());
                }
                completion.take(&letter, &mut |whole| one(whole)).unwrap_or_else(|error| {
                    trouble.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                    ControlFlow::Break(())
                })
            },
            |progress| {
                self.keeps.iter().for_each(|keeps| clients::serve(keeps));
                if self.stop.load(Ordering::Relaxed) {
                    progress.stop();
                }
            },
        );
        let trouble = trouble.into_inner().unwrap_or_else(PoisonError::into_inner);
        let seen = trouble.map_or(seen, Err).and_then(|seen| {
            if !so_far.lock().unwrap_or_else(PoisonError::into_inner).has_enough(limit) {
                let _ = completion.finish(&mut |whole| one(whole))?;
            }
            Ok(seen)
        });
        // Whatever ended the reading: what was read is written.
        self.so_far.sink.finish().map_err(Final)?;
        let complete = ranges.iter().zip(seen?).filter(|(_, (_, seen))| seen.complete).map(|(range, _)| range);
        // Where the limit left letters unwritten, a partition was reached behind the last one that was written.
        if completion.is_through() {
            self.so_far.reached.extend(complete.map(|range| (shelf.log(range), range.to)));
        }
        Ok(())
    }

    fn wait(&self, pause: Duration) {
        let deadline = Instant::now() + pause;
        while !self.is_stopped() && Instant::now() < deadline {
            self.keeps.iter().for_each(|keeps| clients::serve(keeps));
            thread::sleep(NAP);
        }
    }
}

/// Keeps the progress in a group.
struct Keeper<'a> {
    consumer: Arc<Consumer>,
    group: Group<'a>,
    kept: BTreeMap<Log, i64>,
}

impl<'a> Keeper<'a> {
    fn new(followed: &Followed<'_>, group: Group<'a>, stop: &AtomicBool) -> anyhow::Result<Self> {
        let consumer = progress::member(followed.shelf.config, group)?;
        let cluster = Cluster::enter(&consumer, followed.shelf.config, stop)?;
        progress::may_commit(&cluster, group)?;
        Ok(Self { consumer, group, kept: BTreeMap::new() })
    }

    fn positions(&self, followed: &Followed<'_>, found: &[Resolved]) -> anyhow::Result<BTreeMap<Log, i64>> {
        let shelf = followed.shelf;
        let logs = found.iter().map(|found| shelf.log(&found.range));
        let committed = progress::committed(&self.consumer, &shelf.topics, logs, self.group)?;
        Ok(committed.into_iter().map(|(log, (offset, _))| (log, offset)).collect())
    }

    fn keep(&mut self, follower: &Follower<'_>) -> anyhow::Result<()> {
        let reached = &follower.so_far.reached;
        if self.kept != *reached {
            progress::commit(&self.consumer, &follower.followed.shelf.topics, reached, self.group)?;
            self.kept.clone_from(reached);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::terminal::{ClosedPipe, is_closed_pipe};

    #[test]
    fn that_the_reader_has_left_is_still_known_where_waiting_does_not_help() {
        let closed = io::Error::new(io::ErrorKind::BrokenPipe, ClosedPipe);
        let error = anyhow::Error::from(Final(anyhow::Error::from(closed).context("write to standard output")));
        assert!(error.is::<Final>() && is_closed_pipe(&error));
        assert_eq!(format!("{error:#}"), "write to standard output: nobody reads standard output any more");
    }
}
