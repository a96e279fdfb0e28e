//! The two passes over the topics: first what has to be there, then what is there.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};

use super::model::{Account, Doubt, Ledger, Output, Place, Prints, Reason, What};
use super::progress::Bar;
use super::survey::Survey;
use crate::config::Config;
use crate::dead_letter;
use crate::dead_letter::NotOurs;
use crate::kafka::scan::{Record, Scan, ScanError};
use crate::normalize;
use crate::normalize::{Normalizer, Outcomes};
use crate::record::Coordinates;

/// Fills a ledger with what the mapping makes of the input. Partitions are read and mapped side by side.
pub fn expect(
    survey: &mut Survey,
    config: &Config,
    normalizer: &Normalizer,
    prints: Option<&Prints>,
) -> Result<Ledger, ScanError> {
    let ranges = survey.input_ranges();
    let bar = Bar::over("input", &ranges);
    let account = |range: &_| {
        let account = survey.of(range).map(|input| Account::new(input.bounds.clone(), prints.cloned()));
        (account, Outcomes::default())
    };
    let each = |(account, outcomes): &mut (Option<Account>, Outcomes), record: Record<'_>| {
        outcomes.clear();
        let offset = record.at.offset;
        normalizer.normalize(normalize::Record { value: record.value, timestamp_ms: record.timestamp_ms }, outcomes);
        if let Some(account) = account {
            account.expect(offset, outcomes.of_record(0));
        }
        ControlFlow::Continue(())
    };
    let read = Scan::new(config).run(&ranges, account, each, |progress| bar.show(progress))?;
    bar.done();

    let mut ledger = Ledger::default();
    for (topic, partitions) in &survey.topics {
        ledger.topic(topic, *partitions);
    }
    for ((range, ((account, _), seen)), input) in ranges.iter().zip(read).zip(&mut survey.inputs) {
        input.doubts.extend(seen.gone.map(|gone| Doubt::new(Reason::InputGone, gone)));
        if let Some(account) = account {
            ledger.open(&range.topic, range.partition, account);
        }
    }
    Ok(ledger)
}

/// Dead letters that are none of this service's: the topic may be shared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PassedOver {
    pub other_groups: u64,
    pub foreign: u64,
}

/// Enters everything that stands in the output and the dead-letter topic.
pub fn sight(survey: &mut Survey, config: &Config, ledger: &Ledger) -> Result<PassedOver, ScanError> {
    let ranges = survey.written_ranges();
    let bar = Bar::over("output", &ranges);
    let (other_groups, foreign) = (AtomicU64::new(0), AtomicU64::new(0));
    let each = |(): &mut (), record: Record<'_>| {
        match recognized(&record, config) {
            Recognized::Output(output) => ledger.sight(&output),
            Recognized::OfAnotherGroup => drop(other_groups.fetch_add(1, Ordering::Relaxed)),
            Recognized::Foreign => drop(foreign.fetch_add(1, Ordering::Relaxed)),
        }
        ControlFlow::Continue(())
    };
    let read = Scan::new(config).run(&ranges, |_| (), each, |progress| bar.show(progress))?;
    bar.done();
    for (((), seen), written) in read.into_iter().zip(&mut survey.written) {
        if seen.gone.is_some() {
            written.went = true;
        }
    }
    Ok(PassedOver { other_groups: other_groups.into_inner(), foreign: foreign.into_inner() })
}

/// What a record of the output or the dead-letter topic is to the audit.
#[derive(Debug)]
pub enum Recognized<'a> {
    Output(Output<'a>),
    OfAnotherGroup,
    /// A dead letter of another tool, or without a single header of ours.
    Foreign,
}

pub fn recognized<'a>(record: &Record<'a>, config: &Config) -> Recognized<'a> {
    let place = |topic| Place { topic, partition: record.at.partition, offset: record.at.offset };
    if record.at.topic == config.output.topic {
        let (place, value, key) = (place(What::Event), record.value, record.key);
        let source = dead_letter::event_source(record.headers).and_then(Coordinates::parse_indexed);
        return Recognized::Output(Output { place, source, letter: "", value, key });
    }
    let place = place(What::DeadLetter);
    match dead_letter::decode(record.headers) {
        Ok(letter) if letter.tool.is_some() => Recognized::Foreign,
        Ok(letter) if letter.group.is_some_and(|group| group != config.input.group) => Recognized::OfAnotherGroup,
        Ok(letter) => {
            let source = letter.source.map(|source| (source, letter.index));
            Recognized::Output(Output { place, source, letter: letter.kind, value: None, key: None })
        }
        Err(NotOurs::Missing(_) | NotOurs::Unreadable(_) | NotOurs::Ambiguous(..)) => {
            match record.headers.iter().any(|header| dead_letter::is_ours(header.name)) {
                true => Recognized::Output(Output { place, source: None, letter: "", value: None, key: None }),
                false => Recognized::Foreign,
            }
        }
    }
}
