//! The second pass: the letters are read a batch at a time, and it is decided about each; what is sent is the affair of
//! [`super::sending`].

use std::collections::{BTreeMap, BTreeSet, HashSet};

use indicatif::ProgressBar;

use super::decide::Terms;
use super::load::Loaded;
use super::order::Known;
use super::report::{Mended, Outcome, Tally};
use super::survey::Survey;
use super::{Mode, Rate, Replay, decide, load, targets};
use crate::kafka::admin::cluster::Cluster;
use crate::letters::coordinates::Place;
use crate::letters::origin;
use crate::letters::origin::Available;
use crate::letters::read::{Results, bar};
use crate::letters::verdict::Mapping;
use crate::normalize::Outcomes;
use crate::time_range::now_ms;

/// The second pass.
pub(super) struct Work<'a> {
    pub(super) replay: &'a Replay<'a>,
    pub(super) survey: &'a Survey,
    targets: BTreeMap<String, decide::Target>,
    available: Available,
    now_ms: i64,
    output_kept_ms: Option<i64>,
}

impl<'a> Work<'a> {
    pub(super) fn new(replay: &'a Replay<'a>, cluster: &Cluster<'_>, survey: &'a Survey) -> anyhow::Result<Self> {
        let names: BTreeSet<&str> = survey.sources.iter().map(|(topic, _)| &**topic).collect();
        let targets = targets::targets(cluster, &names, replay.request.to_topic.as_deref())?;
        // What is missing may still be there, whatever becomes of the others.
        let lacking = survey.letters.iter().filter(|letter| letter.lacks);
        let lacking = lacking.filter_map(|letter| Some(&*survey.sources.get(letter.source as usize)?.0)).collect();
        let sources = targets::existing(cluster, &lacking)?;
        let available = origin::available(replay.shelf.config, sources.iter().map(|topic| topic.name.as_str()))?;
        let output_kept_ms = targets::kept_in_output(cluster, replay.shelf.config);
        Ok(Self { replay, survey, targets, available, now_ms: now_ms(), output_kept_ms })
    }

    fn terms<'t>(&'t self, refused: &'t HashSet<Place>) -> Terms<'t> {
        let Replay { request, shelf, .. } = self.replay;
        Terms {
            topics: &shelf.topics,
            dead_letters: &shelf.config.dead_letters.topic,
            output: &shelf.config.output.topic,
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
    pub(super) fn rehearse(&self, tally: &mut Tally) -> anyhow::Result<Outcome> {
        let bar = self.bar();
        let mapping = (!self.replay.request.repairs.is_empty()).then(|| Mapping::new(self.replay.shelf.config));
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
        let letter = held.letter(self.replay.shelf.topics.name(known.place.topic), known.place, &headers);
        let before = match letter.lacks_content() {
            true => loaded.originals.get(&known.place)?.value.as_deref(),
            false => letter.record.value,
        };
        let judgement = mapping.judge_value(&letter, parcel.value.as_deref(), &mut Outcomes::default());
        Some(Mended::new(known.place, before, parcel.value.as_deref(), &judgement))
    }

    pub(super) fn each_batch(
        &self,
        mut each: impl FnMut(&[Known], &Loaded) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let Replay { request, shelf, .. } = self.replay;
        let at_most = request.rate.filter(|_| request.mode == Mode::Execute).map(Rate::batch);
        let mut rest = self.survey.letters.as_slice();
        while !rest.is_empty() {
            let (batch, behind) = rest.split_at(load::batch(rest, at_most));
            let loaded = load::load(shelf, batch, &self.survey.sources, &self.available)?;
            each(batch, &loaded)?;
            rest = behind;
        }
        Ok(())
    }

    pub(super) fn decide(
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
            let letter = held.letter(terms.topics.name(known.place.topic), known.place, &headers);
            match decide::judge(&letter, loaded.originals.get(&known.place), &terms) {
                Ok(parcel) if !self.has_room(&parcel, tally) => tally.skip(decide::Skip::TooMuch, known.place),
                Ok(parcel) => {
                    tally.send(letter.decoded.as_ref().map_or("-", |decoded| decoded.kind), &parcel);
                    send(known, &parcel)?;
                }
                Err(why) => tally.skip(why, known.place),
            }
        }
        Ok(())
    }

    /// Together with what went before: a topic that keeps a number of bytes would delete that.
    fn has_room(&self, parcel: &decide::Parcel<'_>, tally: &Tally) -> bool {
        let kept_bytes = self.targets.get(parcel.topic).and_then(|target| target.kept_bytes);
        kept_bytes.is_none_or(|kept_bytes| tally.has_room(parcel, kept_bytes))
    }

    pub(super) fn bar(&self) -> ProgressBar {
        let bar = bar(Results::AtTheEnd);
        bar.set_length(self.survey.letters.len() as u64);
        bar
    }
}
