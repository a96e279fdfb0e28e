//! Everything that the audit has to say, gathered; `table` and `json` say it.

use super::model::{Bounds, Closed, Doubt, Stray, Tally};
use super::passes::PassedOver;
use super::survey::Survey;
use super::wording;
use super::wording::Names;
use crate::config::{Config, Delivery};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Clean,
    Findings,
    CouldNotTell,
}

impl Verdict {
    /// As it stands in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Findings => "findings",
            Self::CouldNotTell => "could_not_tell",
        }
    }
}

/// One input partition.
#[derive(Clone, Debug)]
pub struct Line {
    pub topic: String,
    pub partition: i32,
    pub bounds: Bounds,
    pub committed: Option<i64>,
    pub tally: Tally,
}

/// Something that cannot be told, where, and in words.
#[derive(Clone, Debug)]
pub struct Doubted {
    pub topic: String,
    pub partition: i32,
    pub doubt: Doubt,
    pub message: String,
}

#[derive(Debug)]
pub struct Report {
    pub group: String,
    pub delivery: Delivery,
    pub names: Names,
    pub lines: Vec<Line>,
    pub doubts: Vec<Doubted>,
    pub total: Tally,
    pub passed_over: PassedOver,
}

impl Report {
    pub fn new(
        config: &Config,
        survey: &Survey,
        closed: Vec<Closed>,
        stray: &[Stray],
        passed_over: PassedOver,
    ) -> Self {
        let names = Names { output: config.output.topic.clone(), dead_letters: config.dead_letters.topic.clone() };
        let words = wording::Words { names: &names, survey, config };
        let (mut lines, mut doubts, mut total) = (Vec::new(), Vec::new(), Tally::default());
        for (Closed { topic, partition, tally }, input) in closed.into_iter().zip(&survey.inputs) {
            for doubt in input.doubts.iter().chain(&tally.doubts) {
                let message = words.doubt(&topic, partition, doubt);
                doubts.push(Doubted { topic: topic.clone(), partition, doubt: doubt.clone(), message });
            }
            total.add(&tally);
            let (bounds, committed) = (input.bounds.clone(), input.committed);
            lines.push(Line { topic, partition, bounds, committed, tally });
        }
        doubts.extend(stray.iter().map(|stray| {
            let place = stray.place;
            let mut doubt = Doubt::new(stray.reason, place.offset..place.offset + 1);
            doubt.count = stray.count;
            Doubted {
                topic: names.of(place.topic).to_owned(),
                partition: place.partition,
                doubt,
                message: words.stray(stray),
            }
        }));
        Self {
            group: config.input.group.clone(),
            delivery: config.pipeline.delivery,
            names,
            lines,
            doubts,
            total,
            passed_over,
        }
    }

    /// What cannot be told weighs more than what was found.
    pub fn verdict(&self) -> Verdict {
        match (self.doubts.is_empty(), self.total.findings()) {
            (false, _) => Verdict::CouldNotTell,
            (true, 0) => Verdict::Clean,
            (true, _) => Verdict::Findings,
        }
    }

    /// Whether repeats may come of a crash, because nothing better was promised.
    pub fn may_repeat(&self) -> bool {
        self.delivery == Delivery::AtLeastOnce
    }
}
