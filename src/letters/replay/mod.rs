//! Sends dead letters back to where their records were read, exactly once. A dry run unless `--execute`; both
//! decide about each letter in the same way, and end at the same place.
//!
//! Two passes. The first reads the topic and keeps only coordinates, which gives the [`order`]. The second reads the
//! letters in batches, decides about each ([`decide`]), sends and commits ([`sender`]).

mod decide;
mod identity;
mod load;
mod order;
mod pace;
mod report;
mod round;
mod sender;
mod survey;
mod targets;
mod times;

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::bail;
use indicatif::ProgressBar;

use self::decide::Terms;
pub use self::decide::Timestamp;
use self::load::Loaded;
use self::order::Known;
pub use self::pace::Rate;
use self::report::Mended;
use self::report::Outcome;
pub use self::report::{Report, Tally};
use self::round::{Round, Span, round};
use self::sender::{Position, Sender, Setback};
use self::survey::{Survey, survey};
use super::coordinates::Place;
use super::origin::{self, Available};
use super::read::{Results, bar};
use super::repair::Repairs;
use super::select::Selection;
use super::stop;
use super::verdict::Mapping;
use crate::config::Config;
use crate::kafka::admin::cluster::Cluster;
use crate::kafka::clients::Consumer;
use crate::kafka::scan;
use crate::kafka::scan::Range;
use crate::normalize::Outcomes;
use crate::time_range::now_ms;

/// How often a stop is looked for while nothing is due.
const NAP: Duration = Duration::from_millis(50);

/// How often a batch is tried anew of which nobody says why it was not delivered: a client that has just undone a
/// transaction may throw away the first records of the next one.
const MAX_UNDELIVERED: usize = 5;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Request {
    pub selection: Selection,
    /// The most letters, the first ones in the order of their places.
    pub limit: Option<u64>,
    /// Instead of the topic and partition where the record was read.
    pub to_topic: Option<String>,
    pub mode: Mode,
    pub max_attempts: u64,
    pub rate: Option<Rate>,
    pub timestamp: Timestamp,
    pub repairs: Repairs,
}

/// Failed so often: somebody has to look at it.
pub const MAX_ATTEMPTS: u64 = 3;

impl Default for Request {
    fn default() -> Self {
        Self {
            selection: Selection::default(),
            limit: None,
            to_topic: None,
            mode: Mode::DryRun,
            max_attempts: MAX_ATTEMPTS,
            rate: None,
            timestamp: Timestamp::Source,
            repairs: Repairs::default(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    DryRun,
    Execute,
}

/// Does it, or finds out what it would do.
pub fn replay(request: &Request, config: &Config) -> anyhow::Result<Report> {
    let group = identity::group(config, request);
    let stop = match request.mode {
        Mode::Execute => stop::listen()?,
        Mode::DryRun => Arc::default(),
    };
    let consumer = sender::member(config, &group)?;
    let cluster = Cluster::enter(&consumer, config, &stop)?;
    Replay { request, config, group: &group, stop: &stop }.run(&consumer, &cluster)
}

/// A replay at work.
#[derive(Clone, Copy, Debug)]
struct Replay<'a> {
    request: &'a Request,
    config: &'a Config,
    group: &'a str,
    stop: &'a AtomicBool,
}

impl Replay<'_> {
    fn run(&self, consumer: &Arc<Consumer>, cluster: &Cluster<'_>) -> anyhow::Result<Report> {
        let found = scan::ranges(self.config, &[survey::stretch(self.config, &self.request.selection)])?;
        let found: Vec<Range> = found.into_iter().flatten().map(|resolved| resolved.range).collect();
        sender::may_commit(cluster, self.group)?;
        // Before the progress is read: this ends what a killed process left open, which would hold the answer back.
        let mut sender = match self.request.mode {
            Mode::Execute => Some(Sender::new(self.config, consumer, self.group, self.stop)?),
            Mode::DryRun => None,
        };
        let Round { mut spans, resumed } = self.round(consumer, &found)?;
        let limit = self.request.limit;
        let survey =
            survey(self.config, &self.request.selection, &found, (&mut spans, limit), &bar(Results::AtTheEnd))?;
        let work = Work::new(self, cluster, &survey)?;
        let mut tally = Tally::default();
        let positions = spans.iter().map(|span| Position { partition: span.partition, next: span.from, end: span.to });
        let mut positions: Vec<Position> = positions.collect();
        let outcome = match &mut sender {
            Some(sender) => work.send(sender, &mut positions, &mut tally)?,
            None => work.rehearse(&mut tally)?,
        };
        Ok(Report {
            outcome,
            tally,
            topic: self.config.dead_letters.topic.clone(),
            group: self.group.to_owned(),
            selected: survey.letters.len() as u64,
            done: survey.done,
            resumed,
            call: self.request.call(),
        })
    }

    fn round(&self, consumer: &Consumer, found: &[Range]) -> anyhow::Result<Round> {
        let topic = &self.config.dead_letters.topic;
        let partitions = found.iter().map(|range| range.partition);
        let committed = sender::committed(consumer, topic, partitions, self.group)?;
        let spans: Vec<Span> =
            found.iter().map(|range| Span { partition: range.partition, from: range.from, to: range.to }).collect();
        for span in &spans {
            if committed.get(&span.partition).is_some_and(|committed| committed.offset > span.to) {
                bail!(
                    "partition {} of {topic} ends before the progress of group {}: the topic was made anew (delete the \
                     group to begin anew)",
                    span.partition,
                    self.group
                );
            }
        }
        Ok(round(&spans, &committed))
    }
}

/// The second pass.
struct Work<'a> {
    replay: &'a Replay<'a>,
    survey: &'a Survey,
    targets: std::collections::BTreeMap<String, decide::Target>,
    available: Available,
    now_ms: i64,
    output_kept_ms: Option<i64>,
}

impl<'a> Work<'a> {
    fn new(replay: &'a Replay<'a>, cluster: &Cluster<'_>, survey: &'a Survey) -> anyhow::Result<Self> {
        let names: BTreeSet<&str> = survey.sources.iter().map(|(topic, _)| &**topic).collect();
        let targets = targets::targets(cluster, &names, replay.request.to_topic.as_deref())?;
        // What is missing may still be there, whatever becomes of the others.
        let lacking = survey.letters.iter().filter(|letter| letter.lacks);
        let lacking = lacking.filter_map(|letter| Some(&*survey.sources.get(letter.source as usize)?.0)).collect();
        let sources = targets::existing(cluster, &lacking)?;
        let available = origin::available(replay.config, sources.iter().map(|topic| topic.name.as_str()))?;
        let output_kept_ms = targets::kept_in_output(cluster, replay.config);
        Ok(Self { replay, survey, targets, available, now_ms: now_ms(), output_kept_ms })
    }

    fn terms<'t>(&'t self, refused: &'t HashSet<Place>) -> Terms<'t> {
        let Replay { request, config, .. } = self.replay;
        Terms {
            dead_letters: &config.dead_letters.topic,
            output: &config.output.topic,
            to_topic: request.to_topic.as_deref(),
            max_attempts: request.max_attempts,
            targets: &self.targets,
            failed_again: &self.survey.failed_again,
            timestamp: request.timestamp,
            now_ms: self.now_ms,
            output_kept_ms: self.output_kept_ms,
            refused,
            repairs: &request.repairs,
        }
    }

    /// Decides about everything and sends nothing.
    fn rehearse(&self, tally: &mut Tally) -> anyhow::Result<Outcome> {
        let bar = self.bar();
        let mapping = (!self.replay.request.repairs.is_empty()).then(|| Mapping::new(self.replay.config));
        self.each_batch(|batch, loaded| {
            let mut mended = Vec::new();
            self.decide(batch, loaded, tally, &HashSet::new(), |known, parcel| {
                mended.extend(mapping.as_ref().map(|mapping| self.rehearsed(mapping, known, loaded, parcel)));
                Ok(())
            })?;
            mended.into_iter().flatten().for_each(|mended| tally.mend(mended));
            bar.inc(batch.len() as u64);
            Ok(())
        })?;
        bar.finish_and_clear();
        Ok(Outcome::DryRun)
    }

    /// What the mapping would make of a repaired letter.
    fn rehearsed(
        &self,
        mapping: &Mapping,
        known: &Known,
        loaded: &Loaded,
        parcel: &decide::Parcel<'_>,
    ) -> Option<Mended> {
        let held = loaded.letters.get(&known.place)?;
        let headers: Vec<_> = held.headers().collect();
        let letter = held.letter(&self.replay.config.dead_letters.topic, known.place, &headers);
        let before = match letter.lacks_content() {
            true => loaded.originals.get(&known.place)?.value.as_deref(),
            false => letter.record.value,
        };
        let judgement = mapping.judge_value(&letter, parcel.value.as_deref(), &mut Outcomes::default());
        Some(Mended::new(known.place, before, parcel.value.as_deref(), &judgement))
    }

    /// Sends, a transaction a batch. `positions` are where the round begins.
    fn send(&self, sender: &mut Sender<'_>, positions: &mut [Position], tally: &mut Tally) -> anyhow::Result<Outcome> {
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
                eprintln!(
                    "{} letters were sent and {} skipped by this call before it failed",
                    tally.sent, tally.skipped
                );
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
            let partition = letter.place.partition;
            if let Some(position) = reached.iter_mut().find(|position| position.partition == partition) {
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

    fn each_batch(&self, mut each: impl FnMut(&[Known], &Loaded) -> anyhow::Result<()>) -> anyhow::Result<()> {
        let Replay { request, config, .. } = self.replay;
        let at_most = request.rate.filter(|_| request.mode == Mode::Execute).map(Rate::batch);
        let mut rest = self.survey.letters.as_slice();
        while !rest.is_empty() {
            let (batch, behind) = rest.split_at(load::batch(rest, at_most));
            let loaded = load::load(config, batch, &self.survey.sources, &self.available)?;
            each(batch, &loaded)?;
            rest = behind;
        }
        Ok(())
    }

    fn decide(
        &self,
        batch: &[Known],
        loaded: &Loaded,
        tally: &mut Tally,
        refused: &HashSet<Place>,
        mut send: impl FnMut(&Known, &decide::Parcel<'_>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let terms = self.terms(refused);
        for known in batch {
            let Some(held) = loaded.letters.get(&known.place) else {
                tally.skip(decide::Skip::Vanished, known.place);
                continue;
            };
            let headers: Vec<_> = held.headers().collect();
            let letter = held.letter(terms.dead_letters, known.place, &headers);
            match decide::judge(&letter, loaded.originals.get(&known.place), &terms) {
                Ok(parcel) => {
                    tally.send(letter.decoded.as_ref().map_or("-", |decoded| decoded.kind), &parcel);
                    send(known, &parcel)?;
                }
                Err(why) => tally.skip(why, known.place),
            }
        }
        Ok(())
    }

    fn bar(&self) -> ProgressBar {
        let bar = bar(Results::AtTheEnd);
        bar.set_length(self.survey.letters.len() as u64);
        bar
    }
}

/// Somebody asked to stop.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("stopped")]
struct Stopped;
