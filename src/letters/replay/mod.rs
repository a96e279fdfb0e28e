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

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::bail;
use indicatif::ProgressBar;

use self::decide::Terms;
use self::load::{Available, Loaded};
use self::order::Known;
pub use self::pace::Rate;
use self::report::Outcome;
pub use self::report::{Report, Tally};
use self::round::{Round, Span, round};
use self::sender::{Position, Sender};
use self::survey::{Survey, survey};
use super::read::{Results, bar};
use super::select::Selection;
use super::stop;
use crate::config::Config;
use crate::kafka::admin::cluster::Cluster;
use crate::kafka::clients::Consumer;
use crate::kafka::scan;
use crate::kafka::scan::Range;

/// How often a stop is looked for while nothing is due.
const NAP: Duration = Duration::from_millis(50);

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
}

impl<'a> Work<'a> {
    fn new(replay: &'a Replay<'a>, cluster: &Cluster<'_>, survey: &'a Survey) -> anyhow::Result<Self> {
        let names: BTreeSet<&str> = survey.sources.iter().map(|(topic, _)| &**topic).collect();
        let targets = targets::targets(cluster, &names, replay.request.to_topic.as_deref())?;
        // What was cut may still be there, whatever becomes of the others.
        let cut = survey.letters.iter().filter(|letter| letter.cut);
        let cut = cut.filter_map(|letter| Some(&*survey.sources.get(letter.source as usize)?.0)).collect();
        let sources = targets::existing(cluster, &cut)?;
        let available = load::available(replay.config, sources.iter().map(|topic| topic.name.as_str()))?;
        Ok(Self { replay, survey, targets, available })
    }

    fn terms(&self) -> Terms<'_> {
        let Replay { request, config, .. } = self.replay;
        Terms {
            dead_letters: &config.dead_letters.topic,
            output: &config.output.topic,
            to_topic: request.to_topic.as_deref(),
            max_attempts: request.max_attempts,
            targets: &self.targets,
            failed_again: &self.survey.failed_again,
        }
    }

    /// Decides about everything and sends nothing.
    fn rehearse(&self, tally: &mut Tally) -> anyhow::Result<Outcome> {
        let bar = self.bar();
        self.each_batch(|batch, loaded| {
            self.decide(batch, loaded, tally, |_, _| Ok(()))?;
            bar.inc(batch.len() as u64);
            Ok(())
        })?;
        bar.finish_and_clear();
        Ok(Outcome::DryRun)
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
            let mut decided = tally.clone();
            self.decide(batch, loaded, &mut decided, |known, parcel| sender.send(known.place, parcel))?;
            for letter in batch {
                let partition = letter.place.partition;
                if let Some(position) = positions.iter_mut().find(|position| position.partition == partition) {
                    position.next = letter.place.offset + 1;
                }
            }
            sender.seal(positions)?;
            *tally = decided;
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
        mut send: impl FnMut(&Known, &decide::Parcel<'_>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let terms = self.terms();
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
