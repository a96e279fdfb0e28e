//! The dead letters of the configured topic: read, decoded and selected.

use std::io::{self, IsTerminal as _, Write as _};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use indicatif::{ProgressBar, ProgressStyle};

use super::coordinates::Place;
use super::held::Held;
use super::left_out::LeftOut;
pub use super::letter::{Content, Letter};
use super::origin::Completion;
use super::select::Selection;
use crate::config::Config;
use crate::kafka::scan;
use crate::kafka::scan::{Progress, Range, Scan, Stretch};
use crate::time_range::now_ms;

/// The setting that names the topic.
pub(super) const KEY: &str = "dead_letters.topic";

/// How the letters are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Several partitions at a time.
    Any,
    /// One partition after the other.
    ByPlace,
}

/// What is to be read.
#[derive(Clone, Copy, Debug)]
pub struct Letters<'c> {
    config: &'c Config,
    selection: &'c Selection,
    /// The most letters that are wanted.
    limit: Option<u64>,
    order: Order,
    behind: Option<Place>,
}

/// What was made of the letters.
#[derive(Debug)]
pub struct Reading<S> {
    /// One for each partition.
    pub states: Vec<S>,
    /// Partitions, and which of their offsets vanished while they were to be read.
    pub gone: Vec<(i32, std::ops::Range<i64>)>,
    pub left_out: LeftOut,
}

impl<'c> Letters<'c> {
    pub fn new(config: &'c Config, selection: &'c Selection, limit: Option<u64>, order: Order) -> Self {
        Self { config, selection, limit, order, behind: None }
    }

    /// Only what lies behind this letter, in the order of [`Order::ByPlace`].
    pub fn behind(self, behind: Option<Place>) -> Self {
        Self { behind, ..self }
    }

    /// Calls `each` for every letter selected, with a bar for whoever waits. Gives the states, one for each partition.
    pub fn read<S: Send>(
        &self,
        bar: &ProgressBar,
        make_state: impl Fn() -> S + Sync,
        each: impl Fn(&mut S, &Letter<'_>) -> ControlFlow<()> + Sync,
    ) -> anyhow::Result<Vec<S>> {
        let reading = self.read_watched(
            |progress| {
                bar.set_length(progress.offsets_total());
                bar.set_position(progress.offsets());
            },
            make_state,
            each,
        );
        bar.finish_and_clear();
        let Reading { states, gone, left_out } = reading?;
        for (partition, gone) in &gone {
            let (from, to) = (gone.start, gone.end - 1);
            // Letters that vanished while they were to be read are no failure, but not nothing either.
            tell(&format!(
                "offsets {from} to {to} of partition {partition} were deleted while they were to be read (retention)"
            ));
        }
        left_out.notes(self.selection).iter().for_each(|note| tell(note));
        Ok(states)
    }

    /// The same, with what their tool left at the source.
    pub fn read_whole<S: Send>(
        &self,
        bar: &ProgressBar,
        make_state: impl Fn() -> S + Sync,
        each: impl Fn(&mut S, &Letter<'_>) -> ControlFlow<()> + Sync,
    ) -> anyhow::Result<Vec<S>> {
        let completion = Completion::new(self.config, self.order == Order::ByPlace || self.limit.is_some());
        let trouble = Mutex::new(None);
        let mut states = self.read(bar, &make_state, |state, letter| {
            completion.take(letter, &mut |whole| each(state, whole)).unwrap_or_else(|error| {
                trouble.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                ControlFlow::Break(())
            })
        })?;
        if let Some(error) = trouble.into_inner().unwrap_or_else(PoisonError::into_inner) {
            return Err(error.into());
        }
        let mut last = make_state();
        let _ = completion.finish(&mut |whole| each(&mut last, whole))?;
        states.push(last);
        Ok(states)
    }

    /// The same for somebody who watches, and may end it.
    pub fn read_watched<S: Send>(
        &self,
        watch: impl FnMut(&Progress),
        make_state: impl Fn() -> S + Sync,
        each: impl Fn(&mut S, &Letter<'_>) -> ControlFlow<()> + Sync,
    ) -> anyhow::Result<Reading<S>> {
        // Letters need not lie in the order of their times: each is looked at.
        let stretch = Stretch::whole(&self.config.dead_letters.topic, KEY);
        let resolved = scan::ranges(self.config, &[stretch])?.into_iter().flatten();
        let ranges: Vec<Range> = resolved.filter_map(|resolved| self.wanted(resolved.range)).collect();
        let scan = match (self.order, self.limit) {
            // Which letters come first must not be a matter of luck.
            (Order::ByPlace, _) | (_, Some(_)) => Scan::new(self.config).in_order(),
            (Order::Any, None) => Scan::new(self.config),
        };
        let (taken, now_ms) = (AtomicU64::new(0), now_ms());
        let outcomes = scan.run(
            &ranges,
            |_| (make_state(), LeftOut::default()),
            |(state, left_out), record| {
                let letter = Letter::new(record);
                if !self.selection.takes(record.timestamp_ms, letter.decoded.as_ref()) {
                    left_out.add(&letter, self.selection, now_ms);
                    return ControlFlow::Continue(());
                }
                left_out.taken += 1;
                let taken = taken.fetch_add(1, Ordering::Relaxed) + 1;
                each(state, &letter)?;
                if self.limit.is_some_and(|limit| taken >= limit) {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            },
            watch,
        )?;
        let gone = ranges.iter().zip(&outcomes);
        let gone = gone.filter_map(|(range, (_, seen))| Some((range.partition, seen.gone.clone()?))).collect();
        let (states, left_out): (Vec<S>, Vec<LeftOut>) = outcomes.into_iter().map(|(state, _)| state).unzip();
        let left_out = left_out.into_iter().reduce(LeftOut::with).unwrap_or_default();
        Ok(Reading { states, gone, left_out })
    }

    /// What of a partition lies behind the place.
    fn wanted(&self, range: Range) -> Option<Range> {
        match self.behind {
            Some(behind) if range.partition < behind.partition => None,
            Some(behind) if range.partition == behind.partition => {
                Some(Range { from: range.from.max(behind.offset.saturating_add(1)), ..range })
            }
            _ => Some(range),
        }
    }
}

/// A closed standard error costs the note, nothing else.
fn tell(note: &str) {
    let _ = writeln!(io::stderr(), "note: {note}");
}

/// Reads one letter, with what its tool left at the source, and hands it to `show`.
pub fn read_one<T>(config: &Config, place: Place, show: impl Fn(&Letter<'_>) -> T) -> anyhow::Result<T> {
    let Place { partition, offset } = place;
    let topic = &config.dead_letters.topic;
    let stretch = Stretch {
        partition: Some(partition),
        from_offset: Some(offset),
        to_offset: Some(offset.saturating_add(1)),
        ..Stretch::whole(topic, KEY)
    };
    let found = scan::ranges(config, &[stretch])?.into_iter().flatten().next();
    let Some(found) = found else { anyhow::bail!("topic {topic} has no partition {partition}") };
    let (low, end) = (found.low, found.end);
    if offset < low {
        anyhow::bail!(
            "letter {place} is gone: partition {partition} of {topic} begins at {low} now (retention took it)"
        );
    }
    if offset >= end {
        anyhow::bail!(
            "there is no letter {place}: partition {partition} of {topic} ends at {end} (`dlq list` shows what there is)"
        );
    }
    let outcomes = Scan::new(config).run(
        &[found.range],
        |_| None,
        |held, record| {
            *held = Some(Held::of(&record));
            ControlFlow::Break(())
        },
        |_| {},
    )?;
    let held = outcomes.into_iter().find_map(|(held, _)| held).ok_or_else(|| {
        anyhow::anyhow!(
            "there is no letter {place}: nothing can be read at this offset of {topic} (the end of a transaction, or \
             something taken back; `dlq list` shows what there is)"
        )
    })?;
    let headers: Vec<_> = held.headers().collect();
    let letter = held.letter(topic, place, &headers);
    let mut shown = None;
    let mut show = |letter: &Letter<'_>| {
        shown = Some(show(letter));
        ControlFlow::Continue(())
    };
    let completion = Completion::new(config, false);
    let _ = completion.take(&letter, &mut show)?;
    let _ = completion.finish(&mut show)?;
    Ok(shown.expect("a letter that was taken is shown, at the end at the latest"))
}

const TEMPLATE: &str = "{bar:40} {percent}% {pos}/{len} offsets {eta}";

/// A bar for a person who waits: on a terminal alone, and not where the results run through it.
pub fn bar(results: Results) -> ProgressBar {
    let hidden = results == Results::AsTheyCome && io::stdout().is_terminal();
    if hidden || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template(TEMPLATE).expect("a test reads the same template");
    ProgressBar::new(0).with_style(style)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Results {
    AsTheyCome,
    AtTheEnd,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_s_template_is_one() {
        assert!(ProgressStyle::with_template(TEMPLATE).is_ok());
    }
}
