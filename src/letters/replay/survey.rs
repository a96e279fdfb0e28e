//! The first pass: which letters are meant, in what order they go, and which were replayed by somebody before.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use indicatif::ProgressBar;

use super::decide::is_cut;
use super::load::Source;
use super::order::{Known, NO_SOURCE, in_order};
use super::round::Span;
use crate::config::Config;
use crate::kafka::scan::{Range, Scan};
use crate::letters::coordinates::Place;
use crate::letters::read::{KEY, Letter};
use crate::letters::select::Selection;

/// What was found.
#[derive(Debug, Default)]
pub struct Survey {
    /// In the order in which they go.
    pub letters: Vec<Known>,
    pub sources: Vec<Source>,
    /// Letters that were replayed and failed again, each with the newest letter that came of it.
    pub failed_again: HashMap<Place, Place>,
    /// Selected letters that this replay is through with.
    pub done: u64,
}

/// What one partition of the dead-letter topic gives.
#[derive(Debug)]
struct Part {
    span: Span,
    letters: Vec<Known>,
    sources: Vec<Source>,
    numbers: HashMap<Source, u32>,
    failed_again: Vec<(Place, Place)>,
    done: u64,
}

/// Reads `found` to its end. The letters are those of the spans, at most `limit` in the order of their places; then
/// the spans end behind the last one.
pub fn survey(
    config: &Config,
    selection: &Selection,
    found: &[Range],
    (spans, limit): (&mut [Span], Option<u64>),
    bar: &ProgressBar,
) -> anyhow::Result<Survey> {
    let span_of = |range: &Range| spans.iter().find(|span| span.partition == range.partition).copied();
    let make = |range: &Range| Part {
        span: span_of(range).unwrap_or(Span { partition: range.partition, from: range.to, to: range.to }),
        letters: Vec::new(),
        sources: Vec::new(),
        numbers: HashMap::new(),
        failed_again: Vec::new(),
        done: 0,
    };
    let parts = Scan::new(config).run(
        found,
        make,
        |part, record| {
            part.take(&Letter::new(record), config, selection);
            ControlFlow::Continue(())
        },
        |progress| {
            bar.set_length(progress.offsets_total());
            bar.set_position(progress.offsets());
        },
    );
    bar.finish_and_clear();
    let mut survey = Survey::default();
    let mut letters: Vec<Known> = Vec::new();
    let mut numbers: HashMap<Source, u32> = HashMap::new();
    for (part, _) in parts? {
        survey.done += part.done;
        for (earlier, later) in part.failed_again {
            let newest = survey.failed_again.entry(earlier).or_insert(later);
            *newest = later.max(*newest);
        }
        let global: Vec<u32> =
            part.sources.into_iter().map(|source| number(source, &mut survey.sources, &mut numbers)).collect();
        letters.extend(part.letters.into_iter().map(|letter| {
            let source = global.get(letter.source as usize).copied().unwrap_or(NO_SOURCE);
            Known { source, ..letter }
        }));
    }
    letters.sort_unstable_by_key(|letter| letter.place);
    let limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
    if limit < letters.len() {
        letters.truncate(limit);
        end_behind(spans, letters.last().map(|letter| letter.place));
    }
    survey.letters = in_order(&letters, survey.sources.len());
    Ok(survey)
}

fn end_behind(spans: &mut [Span], last: Option<Place>) {
    let Some(last) = last else { return };
    for span in spans {
        if span.partition == last.partition {
            span.to = last.offset + 1;
        } else if span.partition > last.partition {
            span.to = span.from;
        }
    }
}

fn number(source: Source, sources: &mut Vec<Source>, numbers: &mut HashMap<Source, u32>) -> u32 {
    *numbers.entry(source).or_insert_with_key(|source| {
        sources.push(source.clone());
        u32::try_from(sources.len() - 1).unwrap_or(NO_SOURCE)
    })
}

impl Part {
    fn take(&mut self, letter: &Letter<'_>, config: &Config, selection: &Selection) {
        let place = letter.place();
        if let Ok(decoded) = &letter.decoded
            && let Some(from) = decoded.replayed_from
            && from.topic == config.dead_letters.topic
        {
            self.failed_again.push((Place { partition: from.partition, offset: from.offset }, place));
        }
        if place.offset >= self.span.to || !selection.takes(letter.record.timestamp_ms, letter.decoded.as_ref()) {
            return;
        }
        if place.offset < self.span.from {
            self.done += 1;
            return;
        }
        let record = &letter.record;
        let header = |h: &crate::record::Header<'_>| 64 + h.name.len() + h.value.map_or(0, <[u8]>::len);
        let held = record.key.map_or(0, <[u8]>::len)
            + record.value.map_or(0, <[u8]>::len)
            + record.headers.iter().map(header).sum::<usize>();
        let mut known = Known {
            place,
            source: NO_SOURCE,
            offset: 0,
            index: None,
            time_ms: record.timestamp_ms.unwrap_or(0),
            bytes: held as u64,
            cut: false,
        };
        if let Ok(decoded) = &letter.decoded {
            let source = (Arc::from(decoded.source.topic), decoded.source.partition);
            known.source = number(source, &mut self.sources, &mut self.numbers);
            known.offset = decoded.source.offset;
            known.index = decoded.index;
            known.cut = is_cut(decoded.fit);
            if known.cut {
                known.bytes = known.bytes.saturating_add(decoded.value_bytes.unwrap_or(known.bytes));
            }
        }
        self.letters.push(known);
    }
}

/// The whole topic's ranges, for whoever needs the setting's name as well.
pub fn stretch<'c>(config: &'c Config, selection: &Selection) -> crate::kafka::scan::Stretch<'c> {
    crate::kafka::scan::Stretch {
        // Later letters may have earlier times: the end is looked for letter by letter.
        from_time_ms: selection.from_ms,
        ..crate::kafka::scan::Stretch::whole(&config.dead_letters.topic, KEY)
    }
}
