//! `dlq replay`: sends dead letters back to where their records were read, exactly once. A dry run unless `--execute`; both
//! decide about each letter in the same way, and end at the same place.
//!
//! Two passes. The first reads the topic and keeps only coordinates, which gives the [`order`]. The second reads the
//! letters in batches, decides about each ([`decide`]), sends and commits ([`sender`]).

mod decide;
mod identity;
mod load;
mod order;
pub mod pace;
mod report;
mod round;
mod sender;
mod stop;
mod survey;
mod targets;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::bail;
use indicatif::ProgressBar;

use self::decide::Terms;
use self::load::{Loaded, Stock};
use self::order::Known;
use self::report::{Outcome, Report, Tally};
use self::round::{Leg, Round, round};
use self::sender::{Position, Sender};
use self::survey::{Survey, survey};
use super::read::{Results, bar};
use super::select::Selection;
use crate::cli::Output;
use crate::cli::dlq::ReplayArgs;
use crate::commands::Exit;
use crate::config::Config;
use crate::kafka::admin::cluster::Cluster;
use crate::kafka::clients::Consumer;
use crate::kafka::scan;
use crate::kafka::scan::Range;
use crate::terminal::Stdout;
use crate::terminal::escaped_json;
use crate::terminal::table::terminal_width;
use crate::time_range::TimeBound;
use crate::time_range::now_ms;

/// How often a stop is looked for while nothing is due.
const NAP: Duration = Duration::from_millis(50);

pub fn run(args: &ReplayArgs, config: &Config) -> anyhow::Result<Exit> {
    let times = [("--from", args.selection.from), ("--to", args.selection.to)];
    let selection = Selection::new(&args.selection, now_ms());
    let relative = times.into_iter().find(|(_, time)| matches!(time, Some(TimeBound::Ago(_))));
    if let Some((flag, _)) = relative.filter(|_| args.execute) {
        // Each call would mean other letters, and none would go on where another was killed.
        eprintln!(
            "error: {flag} says how long ago: with --execute write the time, so that the same call means the same letters:\n  {}",
            identity::call(args, &selection)
        );
        return Ok(Exit::Usage);
    }
    let group = identity::group(config, &selection, args.to_topic.as_deref());
    let stop = if args.execute { stop::listen()? } else { Arc::default() };
    let consumer = sender::member(config, &group)?;
    let cluster = Cluster::enter(&consumer, config, &stop)?;
    let replay = Replay { args, config, selection: &selection, group: &group, stop: &stop };
    replay.run(&consumer, &cluster)
}

/// What was asked for.
#[derive(Clone, Copy, Debug)]
struct Replay<'a> {
    args: &'a ReplayArgs,
    config: &'a Config,
    selection: &'a Selection,
    group: &'a str,
    stop: &'a AtomicBool,
}

impl Replay<'_> {
    fn run(&self, consumer: &Arc<Consumer>, cluster: &Cluster<'_>) -> anyhow::Result<Exit> {
        let found = scan::ranges(self.config, &[survey::stretch(self.config, self.selection)])?;
        let found: Vec<Range> = found.into_iter().flatten().map(|resolved| resolved.range).collect();
        sender::may_commit(cluster, self.group)?;
        // Before the progress is read: this ends what a killed process left open, which would hold the answer back.
        let mut sender = match self.args.execute {
            true => Some(Sender::new(self.config, consumer, self.group, self.stop)?),
            false => None,
        };
        let Round { mut legs, resumed } = self.round(consumer, &found)?;
        let limit = self.args.selection.limit;
        let survey = survey(self.config, self.selection, &found, (&mut legs, limit), &bar(Results::AtTheEnd))?;
        let work = Work::new(self, cluster, &survey)?;
        let mut tally = Tally::default();
        let positions = legs.iter().map(|leg| Position { partition: leg.partition, next: leg.from, end: leg.to });
        let mut positions: Vec<Position> = positions.collect();
        let outcome = match &mut sender {
            Some(sender) => work.send(sender, &mut positions, &mut tally)?,
            None => work.rehearse(&mut tally)?,
        };
        let call = identity::call(self.args, self.selection);
        let report = Report {
            outcome,
            tally: &tally,
            topic: &self.config.dead_letters.topic,
            group: self.group,
            selected: survey.letters.len() as u64,
            done: survey.done,
            resumed,
            call: &call,
        };
        let mut out = Stdout::lock();
        match self.args.output {
            Output::Table => report.print(&mut out, terminal_width())?,
            Output::Json => escaped_json::write_json(&mut out, &report.as_json())?,
        }
        out.flush()?;
        Ok(if tally.skipped > 0 { Exit::Findings } else { Exit::Done })
    }

    fn round(&self, consumer: &Consumer, found: &[Range]) -> anyhow::Result<Round> {
        let topic = &self.config.dead_letters.topic;
        let partitions = found.iter().map(|range| range.partition);
        let committed = sender::committed(consumer, topic, partitions, self.group)?;
        let legs: Vec<Leg> =
            found.iter().map(|range| Leg { partition: range.partition, from: range.from, to: range.to }).collect();
        for leg in &legs {
            if committed.get(&leg.partition).is_some_and(|committed| committed.offset > leg.to) {
                bail!(
                    "partition {} of {topic} ends before the progress of group {}: the topic was made anew (delete the \
                     group to begin anew)",
                    leg.partition,
                    self.group
                );
            }
        }
        Ok(round(&legs, &committed))
    }
}

/// The second pass.
struct Work<'a> {
    replay: &'a Replay<'a>,
    survey: &'a Survey,
    targets: std::collections::BTreeMap<String, decide::Target>,
    stock: Stock,
}

impl<'a> Work<'a> {
    fn new(replay: &'a Replay<'a>, cluster: &Cluster<'_>, survey: &'a Survey) -> anyhow::Result<Self> {
        let names: BTreeSet<&str> = survey.sources.iter().map(|(topic, _)| &**topic).collect();
        let targets = targets::targets(cluster, &names, replay.args.to_topic.as_deref())?;
        // What was cut may still be there, whatever becomes of the others.
        let cut = survey.letters.iter().filter(|letter| letter.cut);
        let cut = cut.filter_map(|letter| Some(&*survey.sources.get(letter.source as usize)?.0)).collect();
        let sources = targets::existing(cluster, &cut)?;
        let stock = load::stock(replay.config, sources.iter().map(|topic| topic.name.as_str()))?;
        Ok(Self { replay, survey, targets, stock })
    }

    fn terms(&self) -> Terms<'_> {
        let Replay { args, config, .. } = self.replay;
        Terms {
            dead_letters: &config.dead_letters.topic,
            output: &config.output.topic,
            to_topic: args.to_topic.as_deref(),
            max_attempts: args.max_attempts,
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
        let due = self.replay.args.rate.map_or(Duration::ZERO, |rate| rate.due(sent));
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
        let Replay { args, config, .. } = self.replay;
        let at_most = args.rate.filter(|_| args.execute).map(pace::Rate::batch);
        let mut rest = self.survey.letters.as_slice();
        while !rest.is_empty() {
            let (batch, behind) = rest.split_at(load::batch(rest, at_most));
            let loaded = load::load(config, batch, &self.survey.sources, &self.stock)?;
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
