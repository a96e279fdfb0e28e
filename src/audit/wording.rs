//! Problems and doubts in a line each, with what to do where something can be done.

use super::model::{Doubt, Place, Problem, ProblemKind, Reason, Stray, Trace, What};
use super::survey::Survey;
use crate::config::Config;

/// How many topics' beginnings are named in one line.
const NAMED: usize = 4;

/// The names of the topics that are written to.
#[derive(Clone, Debug)]
pub struct Names {
    pub output: String,
    pub dead_letters: String,
}

impl Names {
    pub fn of(&self, what: What) -> &str {
        match what {
            What::Event => &self.output,
            What::DeadLetter => &self.dead_letters,
        }
    }
}

#[derive(Debug)]
pub struct Words<'a> {
    pub names: &'a Names,
    pub survey: &'a Survey,
    pub config: &'a Config,
}

impl Words<'_> {
    /// What cannot be told of an input partition.
    pub fn doubt(&self, topic: &str, partition: i32, doubt: &Doubt) -> String {
        let Doubt { reason, offsets, count } = doubt;
        let group = &self.config.input.group;
        let (start, end) = (offsets.start, offsets.end);
        let traces = if *count == 1 { "1 trace is".to_owned() } else { format!("{count} traces are") };
        let outputs =
            if *count == 1 { "1 output names a record".to_owned() } else { format!("{count} outputs name records") };
        let why = match reason {
            Reason::InputGone => {
                "the records are gone, by retention or by hand, and what came of them cannot be looked up (--from or \
                 --from-offset audits what is left)"
                    .to_owned()
            }
            Reason::InputOpen => {
                "a transaction of another producer is open there, and nobody can read what lies behind it (audit again once \
                 it has ended; kafka-transactions.sh abort ends it)"
                    .to_owned()
            }
            Reason::NotCommitted => {
                let (committed, whose) = match self.survey.committed(topic, partition) {
                    Some(committed) => (committed.to_string(), "later"),
                    None => ("nothing of this partition".to_owned(), "its"),
                };
                format!(
                    "asked for, but not audited: group {group} has committed {committed}, and what comes of {whose} \
                     records may be there or not"
                )
            }
            Reason::CommittedPastEnd => format!(
                "group {group} has committed {end}, but the partition ends at {start}: the topic was made anew, or the \
                 offset was committed by hand"
            ),
            Reason::NothingCommitted => {
                format!("group {group} has committed nothing in this topic (is input.group the service's?)")
            }
            Reason::SourcePastEnd => {
                format!("{outputs} that the partition does not have: the topic was made anew since")
            }
            Reason::OutputGone => {
                format!("{traces} missing, but may have stood where {}", self.beginnings())
            }
            Reason::OutputOpen => {
                format!("{traces} missing, but may stand behind a transaction that does not end (in {})", self.open())
            }
            Reason::OutputCompacted => format!(
                "{traces} missing, but {} keeps only the last record of a key (set its cleanup.policy to delete)",
                self.survey.compacted_outputs.join(" and ")
            ),
            Reason::InputCompacted => format!(
                "{outputs} that is not there; the topic keeps only the last record of a key (set its cleanup.policy to \
                 delete)"
            ),
            Reason::StartUnknown => format!(
                "{traces} missing, and nothing before them was found: the group may have begun behind them \
                 (--from-offset {end} says so)"
            ),
            Reason::NoSource => {
                format!("{traces} missing, but may be among the outputs that do not say where they come from")
            }
        };
        format!("{topic}/{partition}, offsets {start} to {}: {why}", (end - 1).max(start))
    }

    /// Outputs that belong to no input partition.
    pub fn stray(&self, stray: &Stray) -> String {
        let Stray { place, reason, count } = stray;
        let outputs = match (place.topic, count) {
            (What::Event, 1) => "1 event".to_owned(),
            (What::DeadLetter, 1) => "1 dead letter".to_owned(),
            (What::Event, _) => format!("{count} events"),
            (What::DeadLetter, _) => format!("{count} dead letters"),
        };
        let why = match (reason, count) {
            (Reason::SourcePastEnd, 1) => "names a partition that the input does not have: the topic was made anew",
            (Reason::SourcePastEnd, _) => "name partitions that the input does not have: the topic was made anew",
            (_, 1) => "does not say where it comes from",
            (_, _) => "do not say where they come from",
        };
        format!("{}, and from there on: {outputs} {why}", self.names.place(place))
    }

    /// Where the topics that are written to begin, those that do not begin at 0.
    fn beginnings(&self) -> String {
        let gone: Vec<_> = self.survey.written.iter().filter(|written| written.low > 0 || written.went).collect();
        let named = gone.iter().take(NAMED).map(|written| {
            let (topic, partition) = (self.names.of(written.what), written.range.partition);
            match written.went {
                true => format!("{topic}/{partition} lost records during the audit"),
                false => format!("{topic}/{partition} had offsets below {}", written.low),
            }
        });
        let more = match gone.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(", and {more} more"),
        };
        named.collect::<Vec<_>>().join(", ") + &more
    }

    fn open(&self) -> String {
        let open = self.survey.written.iter().filter(|written| written.open);
        open.map(|written| format!("{}/{}", self.names.of(written.what), written.range.partition))
            .collect::<Vec<_>>()
            .join(", ")
    }
}

impl Names {
    /// `topic/partition/offset`.
    pub fn place(&self, place: &Place) -> String {
        format!("{}/{}/{}", self.of(place.topic), place.partition, place.offset)
    }

    /// A problem without the word for its kind.
    pub fn problem(&self, topic: &str, partition: i32, problem: &Problem) -> String {
        let what = match (problem.what, problem.letter) {
            (What::Event, _) => "event".to_owned(),
            (What::DeadLetter, None) => "dead letter".to_owned(),
            (What::DeadLetter, Some(kind)) => format!("dead letter {kind}"),
        };
        let places: Vec<String> = problem.places.iter().map(|place| self.place(place)).collect();
        let at = if places.is_empty() { String::new() } else { format!(" at {}", places.join(", ")) };
        let why = match problem.kind {
            ProblemKind::Missing | ProblemKind::Repeated => String::new(),
            ProblemKind::Unexpected => format!(": {}", problem.note),
            ProblemKind::Differs if problem.keys.is_empty() => String::new(),
            ProblemKind::Differs => format!(" in {}", problem.keys.join(", ")),
        };
        format!("{what} of {}{at}{why}", source(topic, partition, problem.trace))
    }
}

/// `topic/partition/offset`, and `/index` for a trace out of a page.
pub fn source(topic: &str, partition: i32, trace: Trace) -> String {
    let index = trace.index.map(|index| format!("/{index}")).unwrap_or_default();
    format!("{topic}/{partition}/{}{index}", trace.offset)
}
