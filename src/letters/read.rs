//! The dead letters of the topics that are looked at: read, decoded and selected.

use std::cmp::Ordering;
use std::io::{self, IsTerminal as _, Write as _};
use std::ops::ControlFlow;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Mutex, PoisonError};

use indicatif::{ProgressBar, ProgressStyle};

use super::coordinates::Place;
use super::held::Held;
use super::left_out::LeftOut;
pub use super::letter::{Content, Letter};
use super::origin::Completion;
use super::select::Selection;
use super::shelf::Shelf;
use crate::kafka::scan;
use crate::kafka::scan::{Progress, Range, Scan, Stretch};
use crate::time_range::now_ms;

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
    shelf: &'c Shelf<'c>,
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
    /// What whoever asked has to know beside it: what vanished while it was to be read, and what the selection leaves out.
    pub notes: Vec<String>,
}

impl<'c> Letters<'c> {
    pub fn new(shelf: &'c Shelf<'c>, selection: &'c Selection, limit: Option<u64>, order: Order) -> Self {
        Self { shelf, selection, limit, order, behind: None }
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
        let Reading { states, notes } = reading?;
        notes.iter().for_each(|note| tell(note));
        Ok(states)
    }

    /// The same, with what their tool left at the source.
    pub fn read_whole<S: Send>(
        &self,
        bar: &ProgressBar,
        make_state: impl Fn() -> S + Sync,
        each: impl Fn(&mut S, &Letter<'_>) -> ControlFlow<()> + Sync,
    ) -> anyhow::Result<Vec<S>> {
        let completion = Completion::new(self.shelf.config, self.order == Order::ByPlace || self.limit.is_some());
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
        let config = self.shelf.config;
        let resolved = scan::ranges(config, &self.shelf.stretches())?.into_iter().flatten();
        let ranges: Vec<Range> = resolved.filter_map(|resolved| self.wanted(resolved.range)).collect();
        let scan = match (self.order, self.limit) {
            // Which letters come first must not be a matter of luck.
            (Order::ByPlace, _) | (_, Some(_)) => Scan::new(config).in_order(),
            (Order::Any, None) => Scan::new(config),
        };
        let (taken, now_ms) = (AtomicU64::new(0), now_ms());
        let outcomes = scan.run(
            &ranges,
            |range| (self.shelf.number(range), make_state(), LeftOut::default()),
            |(topic, state, left_out), record| {
                let letter = Letter::new(record, *topic);
                if !self.selection.takes(record.timestamp_ms, letter.decoded.as_ref()) {
                    left_out.add(&letter, self.selection, now_ms);
                    return ControlFlow::Continue(());
                }
                left_out.taken += 1;
                let taken = taken.fetch_add(1, Relaxed) + 1;
                each(state, &letter)?;
                if self.limit.is_some_and(|limit| taken >= limit) {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            },
            watch,
        )?;
        let gone = ranges.iter().zip(&outcomes).filter_map(|(range, (_, seen))| Some((range, seen.gone.as_ref()?)));
        // Letters that vanished while they were to be read are no failure, but not nothing either.
        let mut notes: Vec<String> = gone.map(|(range, gone)| self.vanished(range, gone)).collect();
        let parts = outcomes.into_iter().map(|((_, state, left_out), _)| (state, left_out));
        let (states, left_out): (Vec<S>, Vec<LeftOut>) = parts.unzip();
        notes.extend(left_out.into_iter().reduce(LeftOut::with).unwrap_or_default().notes(self.selection));
        Ok(Reading { states, notes })
    }

    /// What of a partition lies behind the place.
    fn wanted(&self, range: Range) -> Option<Range> {
        let Some(behind) = self.behind else { return Some(range) };
        match self.shelf.log(&range).cmp(&behind.log()) {
            Ordering::Less => None,
            Ordering::Equal => Some(Range { from: range.from.max(behind.offset.saturating_add(1)), ..range }),
            Ordering::Greater => Some(range),
        }
    }

    fn vanished(&self, range: &Range, gone: &std::ops::Range<i64>) -> String {
        let (from, to, partition) = (gone.start, gone.end - 1, range.partition);
        let of = if self.shelf.topics.are_several() { format!(" of {}", range.topic) } else { String::new() };
        format!(
            "offsets {from} to {to} of partition {partition}{of} were deleted while they were to be read (retention)"
        )
    }
}

/// A closed standard error costs the note, nothing else.
pub fn tell(note: &str) {
    let _ = writeln!(io::stderr(), "note: {note}");
}

/// Reads one letter, with what its tool left at the source, and hands it to `show`.
pub fn read_one<T>(shelf: &Shelf<'_>, place: Place, show: impl Fn(&Letter<'_>) -> T) -> anyhow::Result<T> {
    let Place { partition, offset, .. } = place;
    let (config, topic) = (shelf.config, shelf.topics.name(place.topic));
    let shown = shelf.topics.shown(place);
    let stretch = Stretch {
        partition: Some(partition),
        from_offset: Some(offset),
        to_offset: Some(offset.saturating_add(1)),
        ..Stretch::whole(topic, shelf.key)
    };
    let found = scan::ranges(config, &[stretch])?.into_iter().flatten().next();
    let Some(found) = found else { anyhow::bail!("topic {topic} has no partition {partition}") };
    let (low, end) = (found.low, found.end);
    if offset < low {
        anyhow::bail!(
            "letter {shown} is gone: partition {partition} of {topic} begins at {low} now (retention took it)"
        );
    }
    if offset >= end {
        anyhow::bail!(
            "there is no letter {shown}: partition {partition} of {topic} ends at {end} (`dlq list` shows what there is)"
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
            "there is no letter {shown}: nothing can be read at this offset of {topic} (the end of a transaction, or \
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
