//! Sends dead letters back to where their records were read, exactly once. A dry run unless `--execute`; both
//! decide about each letter in the same way, and end at the same place.
//!
//! Two passes. The first ([`survey`](mod@survey)) reads the topics and keeps only coordinates, which gives the [`order`]. The second
//! ([`work`]) reads the letters in batches and decides about each ([`decide`]); then it says what it would do, or sends and
//! commits ([`sending`], [`sender`]).

mod decide;
mod identity;
mod load;
mod order;
mod pace;
mod report;
mod round;
mod sender;
mod sending;
mod survey;
mod targets;
mod times;
mod work;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::bail;

pub use self::decide::Timestamp;
pub use self::pace::Rate;
pub use self::report::{Report, Tally};
use self::round::{Committed, Round, Span, round};
use self::sender::{Position, Sender};
use self::survey::survey;
use self::work::Work;
use super::coordinates::Log;
use super::progress;
use super::progress::Group;
use super::read::{Results, bar, tell};
use super::repair::Repairs;
use super::select::Selection;
use super::shelf::Shelf;
use super::stop;
use crate::kafka::admin::cluster::Cluster;
use crate::kafka::clients;
use crate::kafka::clients::Consumer;
use crate::kafka::scan;
use crate::kafka::scan::Range;

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
pub fn replay(request: &Request, shelf: &Shelf<'_>) -> anyhow::Result<Report> {
    let group = identity::group(shelf, request);
    let stop = match request.mode {
        Mode::Execute => stop::listen("stopping after this transaction; once more ends at once")?,
        Mode::DryRun => Arc::default(),
    };
    let consumer = progress::member(shelf.config, self::group(&group))?;
    let cluster = Cluster::enter(&consumer, shelf.config, &stop)?;
    Replay { request, shelf, group: &group, stop: &stop }.run(&consumer, &cluster)
}

/// The group that keeps the progress.
fn group(name: &str) -> Group<'_> {
    Group { name, key: "input.group" }
}

/// A replay at work.
#[derive(Clone, Copy, Debug)]
struct Replay<'a> {
    request: &'a Request,
    shelf: &'a Shelf<'a>,
    group: &'a str,
    stop: &'a AtomicBool,
}

impl Replay<'_> {
    fn run(&self, consumer: &Arc<Consumer>, cluster: &Cluster<'_>) -> anyhow::Result<Report> {
        let shelf = self.shelf;
        // Letters need not lie in the order of their times: each is looked at.
        let found = scan::ranges(shelf.config, &shelf.stretches())?;
        let found: Vec<Range> = found.into_iter().flatten().map(|resolved| resolved.range).collect();
        progress::may_commit(cluster, group(self.group))?;
        // Before the progress is read: this ends what a killed process left open, which would hold the answer back.
        let mut sender = match self.request.mode {
            Mode::Execute => Some(Sender::new(shelf, consumer, self.group, self.stop)?),
            Mode::DryRun => None,
        };
        let Round { mut spans, resumed } = self.round(consumer, &found)?;
        let limit = self.request.limit;
        let bar = bar(Results::AtTheEnd);
        let survey = survey(shelf, &self.request.selection, &found, (&mut spans, limit), |progress| {
            bar.set_length(progress.offsets_total());
            bar.set_position(progress.offsets());
            // Millions of letters are read, and what comes then is asked and sent over these.
            clients::serve(consumer);
            sender.iter_mut().for_each(Sender::idle);
        });
        bar.finish_and_clear();
        let survey = survey?;
        survey.left_out.notes(&self.request.selection).iter().for_each(|note| tell(note));
        let work = Work::new(self, cluster, &survey)?;
        let mut tally = Tally::default();
        let positions = spans.iter().map(|span| Position { log: span.log, next: span.from, end: span.to });
        let mut positions: Vec<Position> = positions.collect();
        let outcome = match &mut sender {
            Some(sender) => work.send(sender, &mut positions, &mut tally)?,
            None => work.rehearse(&mut tally)?,
        };
        Ok(Report {
            outcome,
            tally,
            topics: shelf.topics.clone(),
            group: self.group.to_owned(),
            selected: survey.letters.len() as u64,
            done: survey.done,
            resumed,
            call: self.request.call(shelf),
        })
    }

    fn round(&self, consumer: &Consumer, found: &[Range]) -> anyhow::Result<Round> {
        let topics = &self.shelf.topics;
        let log = |range: &Range| self.shelf.log(range);
        let committed = progress::committed(consumer, topics, found.iter().map(log), group(self.group))?;
        let committed: BTreeMap<Log, Committed> =
            committed.into_iter().map(|(log, (offset, metadata))| (log, Committed::new(offset, &metadata))).collect();
        let spans: Vec<Span> =
            found.iter().map(|range| Span { log: log(range), from: range.from, to: range.to }).collect();
        for span in &spans {
            if committed.get(&span.log).is_some_and(|committed| committed.offset > span.to) {
                bail!(
                    "partition {} of {} ends before the progress of group {}: the topic was made anew (delete the \
                     group to begin anew)",
                    span.log.partition,
                    topics.name(span.log.topic),
                    self.group
                );
            }
        }
        Ok(round(&spans, &committed))
    }
}
