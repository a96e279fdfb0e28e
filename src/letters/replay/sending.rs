//! Sends what was decided on, a transaction a batch, until everything has gone or somebody asks to stop.

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use super::load::Loaded;
use super::order::Known;
use super::report::{Outcome, Tally};
use super::sender::{Position, Sender, Setback};
use super::work::Work;
use crate::letters::coordinates::Place;
use crate::terminal;

/// How often a stop is looked for while nothing is due.
const NAP: Duration = Duration::from_millis(50);

/// How often a batch is tried anew of which nobody says why it was not delivered: a client that has just undone a
/// transaction may throw away the first records of the next one.
const MAX_UNDELIVERED: usize = 5;

impl Work<'_> {
    /// Sends, a transaction a batch. `positions` are where the round begins.
    pub(super) fn send(
        &self,
        sender: &mut Sender<'_>,
        positions: &mut [Position],
        tally: &mut Tally,
    ) -> anyhow::Result<Outcome> {
        // First the end of the round is kept: whoever comes after a kill must not see a later one.
        sender.seal(positions)?;
        let (bar, started) = (self.bar(), Instant::now());
        let through = self.each_batch(|batch, loaded| {
            if !self.is_due(started, tally.sent) {
                return Err(Stopped.into());
            }
            self.send_batch(sender, (batch, loaded), positions, tally)?;
            bar.inc(batch.len() as u64);
            Ok(())
        });
        bar.finish_and_clear();
        match through {
            Ok(()) => {}
            Err(error) if error.is::<Stopped>() => return Ok(Outcome::Stopped),
            Err(error) => {
                let (sent, skipped) = (tally.sent, tally.skipped);
                terminal::tell(&format!(
                    "{sent} letters were sent and {skipped} skipped by this call before it failed"
                ));
                return Err(error);
            }
        }
        // Behind the last letter there may be others that are not selected.
        positions.iter_mut().for_each(|position| position.next = position.end);
        sender.seal(positions)?;
        Ok(Outcome::Through)
    }

    /// All at once; when one of them is refused, one by one, so that the others go.
    fn send_batch(
        &self,
        sender: &mut Sender<'_>,
        (batch, loaded): (&[Known], &Loaded),
        positions: &mut [Position],
        tally: &mut Tally,
    ) -> anyhow::Result<()> {
        let mut refused = HashSet::new();
        let mut careful = false;
        let mut undelivered = 0;
        let mut rest = batch;
        while !rest.is_empty() {
            let told = match self.try_batch(sender, (rest, loaded), positions, tally, (&refused, careful)) {
                Ok(()) => return Ok(()),
                Err(error) => match error.downcast_ref::<Setback>() {
                    Some(setback) => *setback,
                    None => return Err(error),
                },
            };
            let place = match told {
                Setback::Refused { place, .. } if careful => place,
                // Together nobody knows which one is to blame.
                Setback::Refused { .. } => {
                    careful = true;
                    continue;
                }
                Setback::Undelivered if undelivered < MAX_UNDELIVERED => {
                    undelivered += 1;
                    continue;
                }
                Setback::Undelivered => return Err(told.into()),
            };
            refused.insert(place);
            // Those before it were taken: they go without it.
            let good = rest.iter().position(|known| known.place == place).unwrap_or(0);
            let (before, behind) = rest.split_at(good);
            if before.is_empty() {
                continue;
            }
            match self.try_batch(sender, (before, loaded), positions, tally, (&refused, false)) {
                Ok(()) => rest = behind,
                // Together they are refused after all: once more one by one.
                Err(error) if error.is::<Setback>() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// One transaction: all of them, or nothing.
    fn try_batch(
        &self,
        sender: &mut Sender<'_>,
        (batch, loaded): (&[Known], &Loaded),
        positions: &mut [Position],
        tally: &mut Tally,
        (refused, careful): (&HashSet<Place>, bool),
    ) -> anyhow::Result<()> {
        let mut decided = tally.clone();
        self.decide(batch, loaded, &mut decided, refused, |known, parcel| {
            sender.send(known.place, parcel)?;
            if careful { sender.settle() } else { Ok(()) }
        })?;
        let mut reached = positions.to_vec();
        for letter in batch {
            let log = letter.place.log();
            if let Some(position) = reached.iter_mut().find(|position| position.log == log) {
                position.next = letter.place.offset + 1;
            }
        }
        sender.seal(&reached)?;
        positions.copy_from_slice(&reached);
        *tally = decided;
        Ok(())
    }

    /// Waits until the next letter is due. `false`: somebody asked to stop.
    fn is_due(&self, started: Instant, sent: u64) -> bool {
        let due = self.replay.request.rate.map_or(Duration::ZERO, |rate| rate.due(sent));
        loop {
            if self.replay.stop.load(Ordering::Relaxed) {
                return false;
            }
            let early = due.saturating_sub(started.elapsed());
            if early.is_zero() {
                return true;
            }
            thread::sleep(early.min(NAP));
        }
    }
}

/// Somebody asked to stop.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("stopped")]
struct Stopped;
