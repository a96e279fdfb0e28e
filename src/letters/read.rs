//! The dead letters of the configured topic: read, decoded and selected.

use std::io::{self, IsTerminal as _, Write as _};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};

use indicatif::{ProgressBar, ProgressStyle};

use super::coordinates::Place;
use super::select::Selection;
use crate::config::Config;
use crate::dead_letter;
use crate::dead_letter::{Decoded, NotOurs};
use crate::kafka::scan;
use crate::kafka::scan::{Progress, Range, Record, Scan, Stretch};

/// The setting that names the topic.
pub(super) const KEY: &str = "dead_letters.topic";

/// A record of the dead-letter topic, and what it says about itself.
#[derive(Clone, Debug)]
pub struct Letter<'a> {
    pub record: Record<'a>,
    pub decoded: Result<Decoded<'a>, NotOurs>,
}

impl<'a> Letter<'a> {
    pub fn new(record: Record<'a>) -> Self {
        Self { record, decoded: dead_letter::decode(record.headers) }
    }

    /// Its own place in the dead-letter topic.
    pub fn place(&self) -> Place {
        Place { partition: self.record.at.partition, offset: self.record.at.offset }
    }
}

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
        let Reading { states, gone } = reading?;
        for (partition, gone) in &gone {
            tell_gone(*partition, gone);
        }
        Ok(states)
    }

    /// The same for somebody who watches, and may end it.
    pub fn read_watched<S: Send>(
        &self,
        watch: impl FnMut(&Progress),
        make_state: impl Fn() -> S + Sync,
        each: impl Fn(&mut S, &Letter<'_>) -> ControlFlow<()> + Sync,
    ) -> anyhow::Result<Reading<S>> {
        let stretch = Stretch {
            // Later letters may have earlier times: the end is looked for letter by letter.
            from_time_ms: self.selection.from_ms,
            ..Stretch::whole(&self.config.dead_letters.topic, KEY)
        };
        let resolved = scan::ranges(self.config, &[stretch])?.into_iter().flatten();
        let ranges: Vec<Range> = resolved.filter_map(|resolved| self.wanted(resolved.range)).collect();
        let scan = match (self.order, self.limit) {
            // Which letters come first must not be a matter of luck.
            (Order::ByPlace, _) | (_, Some(_)) => Scan::new(self.config).in_order(),
            (Order::Any, None) => Scan::new(self.config),
        };
        let taken = AtomicU64::new(0);
        let outcomes = scan.run(
            &ranges,
            |_| make_state(),
            |state, record| {
                let letter = Letter::new(record);
                if !self.selection.takes(record.timestamp_ms, letter.decoded.as_ref()) {
                    return ControlFlow::Continue(());
                }
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
        Ok(Reading { states: outcomes.into_iter().map(|(state, _)| state).collect(), gone })
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

/// Letters that vanished while they were to be read are no failure, but not nothing either.
fn tell_gone(partition: i32, gone: &std::ops::Range<i64>) {
    let (from, to) = (gone.start, gone.end - 1);
    // A closed standard error costs the note, nothing else.
    let _ = writeln!(
        io::stderr(),
        "note: offsets {from} to {to} of partition {partition} were deleted while they were to be read (retention)"
    );
}

/// Reads one letter and hands it to `show`.
pub fn read_one<T: Send>(config: &Config, place: Place, show: impl Fn(&Letter<'_>) -> T + Sync) -> anyhow::Result<T> {
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
        |shown, record| {
            *shown = Some(show(&Letter::new(record)));
            ControlFlow::Break(())
        },
        |_| {},
    )?;
    outcomes.into_iter().find_map(|(shown, _)| shown).ok_or_else(|| {
        anyhow::anyhow!(
            "there is no letter {place}: nothing can be read at this offset of {topic} (the end of a transaction, or \
             something taken back; `dlq list` shows what there is)"
        )
    })
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
