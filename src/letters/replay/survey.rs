//! The first pass: which letters are meant, in what order they go, and which were replayed by somebody before.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::decide::is_cut;
use super::order::{Known, NO_SOURCE, in_order};
use super::round::Span;
use crate::kafka::scan::{Progress, Range, Scan};
use crate::letters::coordinates::Place;
use crate::letters::left_out::LeftOut;
use crate::letters::origin;
use crate::letters::origin::{RecordAt, Source};
use crate::letters::read::Letter;
use crate::letters::select::Selection;
use crate::letters::shelf::Shelf;
use crate::letters::topics::Topics;
use crate::time_range::now_ms;

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
    /// What the selection leaves out.
    pub left_out: LeftOut,
}

/// What one partition of a dead-letter topic gives.
#[derive(Debug)]
struct Part {
    span: Span,
    letters: Vec<Known>,
    sources: Vec<Source>,
    numbers: HashMap<Source, u32>,
    failed_again: Vec<(Place, Place)>,
    /// Letters whose record says whether it was replayed, and where that record is.
    untold: Vec<(Place, RecordAt)>,
    done: u64,
    left_out: LeftOut,
}

/// What the record of a letter is taken for whose tool says nothing of its size.
const UNKNOWN_BYTES: u64 = 64 * 1024;

/// Reads `found` to its end, before somebody who watches. The letters are those of the spans, at most `limit` in the order of
/// their places; then the spans end behind the last one.
pub fn survey(
    shelf: &Shelf<'_>,
    selection: &Selection,
    found: &[Range],
    (spans, limit): (&mut [Span], Option<u64>),
    mut watch: impl FnMut(&Progress),
) -> anyhow::Result<Survey> {
    let span_of = |range: &Range| {
        let log = shelf.log(range);
        spans.iter().find(|span| span.log == log).copied().unwrap_or(Span { log, from: range.to, to: range.to })
    };
    let make = |range: &Range| Part {
        span: span_of(range),
        letters: Vec::new(),
        sources: Vec::new(),
        numbers: HashMap::new(),
        failed_again: Vec::new(),
        untold: Vec::new(),
        done: 0,
        left_out: LeftOut::default(),
    };
    let now_ms = now_ms();
    let parts = Scan::new(shelf.config).run(
        found,
        make,
        |part, record| {
            part.take(&Letter::new(record, part.span.log.topic), &shelf.topics, (selection, now_ms));
            ControlFlow::Continue(())
        },
        &mut watch,
    )?;
    let mut survey = Survey::default();
    let mut letters: Vec<Known> = Vec::new();
    let mut numbers: HashMap<Source, u32> = HashMap::new();
    let mut untold = Vec::new();
    for (part, _) in parts {
        untold.extend(part.untold);
        survey.done += part.done;
        survey.left_out = std::mem::take(&mut survey.left_out).with(part.left_out);
        part.failed_again.into_iter().for_each(|(earlier, later)| survey.note(earlier, later));
        let global: Vec<u32> =
            part.sources.into_iter().map(|source| number(source, &mut survey.sources, &mut numbers)).collect();
        letters.extend(part.letters.into_iter().map(|letter| {
            let source = global.get(letter.source as usize).copied().unwrap_or(NO_SOURCE);
            Known { source, ..letter }
        }));
    }
    for (place, told) in origin::told(shelf, &untold, watch)? {
        told.from.into_iter().for_each(|from| survey.note(from, place));
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

impl Survey {
    fn note(&mut self, earlier: Place, later: Place) {
        let newest = self.failed_again.entry(earlier).or_insert(later);
        *newest = later.max(*newest);
    }
}

fn end_behind(spans: &mut [Span], last: Option<Place>) {
    let Some(last) = last else { return };
    for span in spans {
        match span.log.cmp(&last.log()) {
            Ordering::Less => {}
            Ordering::Equal => span.to = last.offset + 1,
            Ordering::Greater => span.to = span.from,
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
    fn take(&mut self, letter: &Letter<'_>, topics: &Topics, (selection, now_ms): (&Selection, i64)) {
        let place = letter.place();
        self.untold.extend(letter.lacking().map(|at| (place, at)));
        self.failed_again.extend(letter.sent_back(topics).map(|from| (from, place)));
        if place.offset >= self.span.to {
            return;
        }
        if !selection.takes(letter.record.timestamp_ms, letter.decoded.as_ref()) {
            self.left_out.add(letter, selection, now_ms);
            return;
        }
        self.left_out.taken += 1;
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
            lacks: letter.lacks_record(),
        };
        if let Ok(decoded) = &letter.decoded {
            if let Some(source) = decoded.source {
                let from = (Arc::from(source.topic), source.partition);
                known.source = number(from, &mut self.sources, &mut self.numbers);
                known.offset = source.offset;
            }
            known.index = decoded.index;
            if known.lacks {
                known.bytes = known.bytes.saturating_add(UNKNOWN_BYTES);
            }
            if is_cut(decoded.fit) {
                known.lacks = true;
                known.bytes = known.bytes.saturating_add(decoded.value_bytes.unwrap_or(known.bytes));
            }
        }
        self.letters.push(known);
    }
}
