//! The judge: compares what lies in the output and dead-letter topics with what must lie there, fate by fate.
//!
//! It knows a record by the coordinates that the service wrote into its headers, and trusts nothing else.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use chrono::DateTime;
use serde_json::Value;

use super::cluster::View;
use super::driver::{Ledger, Sent};
use super::letter::{self, SOURCE};
use super::maker::now_ms;
use super::murmur2;
use super::page::Fate;
use super::raw::{Headers, Record};
use super::reader::{Found, read};
use super::scene::{Guarantee, Keying, Partitioning, Scene};

/// A report shows so many problems of each kind; the rest are counted.
const SHOWN: usize = 8;

/// What the service was asked to do.
#[derive(Clone, Debug)]
pub struct Trial {
    pub input: String,
    pub group: String,
    pub guarantee: Guarantee,
    pub keying: Keying,
    pub partitioning: Partitioning,
    /// Of the output and of the dead-letter topic.
    pub partitions: i32,
}

impl Trial {
    /// The key of the record that a fate becomes.
    pub fn key(&self, sent: &Sent, fate: &Fate) -> Option<Vec<u8>> {
        match (self.keying, fate) {
            (Keying::EventId, Fate::Event { facts, .. }) => Some(facts.event_id().into_bytes()),
            (Keying::Input, Fate::Event { .. }) | (_, Fate::Letter { .. }) => sent.record.key.clone(),
        }
    }
}

/// What it left behind.
#[derive(Clone, Debug, Default)]
pub struct Traces {
    pub output: Vec<Found>,
    pub dead_letters: Vec<Found>,
    /// The group's offset for each input partition.
    pub committed: Vec<Option<i64>>,
    /// The end of each input partition, transaction markers included.
    pub ends: Vec<i64>,
}

/// Where a trace was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Source {
    pub partition: i32,
    pub offset: i64,
    /// Only for what came out of a page.
    pub index: Option<u32>,
}

impl Source {
    pub fn path(&self, topic: &str) -> String {
        let index = self.index.map(|index| format!("/{index}")).unwrap_or_default();
        format!("{topic}/{}/{}{index}", self.partition, self.offset)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    Missing,
    Repeated,
    Unexpected,
    OutOfOrder,
    WrongValue,
    WrongKey,
    WrongHeaders,
    WrongTimestamp,
    WrongPartition,
    WrongOffset,
}

/// What the judge found.
#[derive(Debug, Default)]
pub struct Report {
    pub faults: BTreeMap<Fault, Vec<String>>,
    pub events: usize,
    pub dead_letters: usize,
    /// Allowed at least once, a fault exactly once.
    pub repeats: usize,
}

/// Reads the topics of a scene and judges.
pub fn verdict(scene: &Scene<'_>, ledger: &Ledger) -> Report {
    judge(&trial(scene), ledger, &traces(scene))
}

pub fn trial(scene: &Scene<'_>) -> Trial {
    Trial {
        input: scene.input.clone(),
        group: scene.group.clone(),
        guarantee: scene.guarantee,
        keying: scene.keying,
        partitioning: scene.partitioning,
        partitions: scene.cluster.partitions(&scene.output),
    }
}

/// What lies in the topics of a scene once no transaction is open.
pub fn traces(scene: &Scene<'_>) -> Traces {
    Traces {
        output: read(scene.cluster, &scene.output, View::Committed),
        dead_letters: read(scene.cluster, &scene.dead_letters, View::Committed),
        committed: scene.cluster.committed(&scene.group, &scene.input),
        ends: scene.cluster.gauge(&scene.input, View::Uncommitted).ends(),
    }
}

pub fn judge(trial: &Trial, ledger: &Ledger, traces: &Traces) -> Report {
    let mut report = Report::default();
    let (events, letters) = expected(ledger);
    let output = Judge { trial, ledger, side: Side::Output, expected: &events };
    report.events = output.topic(&traces.output, &mut report);
    let dead_letters = Judge { trial, ledger, side: Side::DeadLetters, expected: &letters };
    report.dead_letters = dead_letters.topic(&traces.dead_letters, &mut report);
    offsets(ledger, traces, &mut report);
    report
}

type Expected<'a> = BTreeMap<Source, (&'a Sent, &'a Fate)>;

fn expected(ledger: &Ledger) -> (Expected<'_>, Expected<'_>) {
    let (mut events, mut letters) = (Expected::new(), Expected::new());
    for sent in &ledger.sent {
        for (index, fate) in (0..).zip(&sent.sample.fates) {
            let index = sent.sample.page.then_some(index);
            let source = Source { partition: sent.partition, offset: sent.offset, index };
            let side = if matches!(fate, Fate::Event { .. }) { &mut events } else { &mut letters };
            side.insert(source, (sent, fate));
        }
    }
    (events, letters)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Output,
    DeadLetters,
}

/// One of the two topics under judgement.
struct Judge<'a> {
    trial: &'a Trial,
    ledger: &'a Ledger,
    side: Side,
    expected: &'a Expected<'a>,
}

impl Judge<'_> {
    /// Gives the number of expected records that were found.
    fn topic(&self, found: &[Found], report: &mut Report) -> usize {
        let mut seen: HashMap<Source, &Found> = HashMap::new();
        let mut latest: HashMap<(i32, Option<Vec<u8>>), Source> = HashMap::new();
        for found in found {
            let Some((source, (sent, fate))) = self.recognize(&found.record.headers) else {
                report.add(Fault::Unexpected, format!("{} from {}", place(found), self.origin(&found.record.headers)));
                continue;
            };
            let line = format!("{} from {}", place(found), source.path(&self.trial.input));
            self.compare(found, sent, fate, &source, &line, report);
            if let Some(first) = seen.get(&source) {
                report.repeats += 1;
                if self.trial.guarantee == Guarantee::ExactlyOnce {
                    report.add(Fault::Repeated, format!("{line}, as at {}", place(first)));
                }
                continue;
            }
            seen.insert(source, found);
            if self.trial.guarantee == Guarantee::AtLeastOnce && is_refusal(fate) {
                // Known only when the broker has answered; what followed is out by then, and nothing can be taken back.
                continue;
            }
            if self.trial.guarantee == Guarantee::AtLeastOnce && self.is_deleted(&source) {
                // May have stood in the topic that is gone, before what followed, and be here as a repeat.
                continue;
            }
            let key = self.trial.key(sent, fate);
            if key.is_none() && self.trial.partitioning == Partitioning::Key {
                // A record without a key may land anywhere; only keyed ones are promised their order.
                continue;
            }
            if let Some(before) = latest.insert((source.partition, key), source)
                && before > source
            {
                report.add(Fault::OutOfOrder, format!("{line} stands after {}", before.path(&self.trial.input)));
            }
        }
        let missing = self.expected.iter().filter(|(source, _)| !seen.contains_key(source) && !self.is_deleted(source));
        for (source, (_, fate)) in missing {
            let what = match fate {
                Fate::Event { .. } => "event",
                Fate::Letter { kind, .. } => kind,
            };
            report.add(Fault::Missing, format!("{}: {what}", source.path(&self.trial.input)));
        }
        seen.len()
    }

    fn is_deleted(&self, source: &Source) -> bool {
        let Ledger { deleted_below, letters_deleted_below, overtaken, .. } = self.ledger;
        let of_topic = if self.side == Side::Output { deleted_below } else { letters_deleted_below };
        let below = usize::try_from(source.partition).ok().and_then(|at| of_topic.get(at));
        below.is_some_and(|below| source.offset < *below)
            || overtaken
                .iter()
                .any(|(partition, range)| *partition == source.partition && range.contains(&source.offset))
    }

    fn recognize(&self, headers: &Headers) -> Option<(Source, (&Sent, &Fate))> {
        let path = self.origin(headers);
        let mut parts = path.split('/');
        if parts.next()? != self.trial.input {
            return None;
        }
        let partition = parts.next()?.parse().ok()?;
        let offset = parts.next()?.parse().ok()?;
        let index = parts.next().map(str::parse).transpose().ok()?;
        let source = Source { partition, offset, index };
        Some((source, *self.expected.get(&source)?))
    }

    /// Where a record says that it comes from; of several headers of a name the last is ours.
    fn origin(&self, headers: &Headers) -> String {
        let names: &[&str] = match self.side {
            Side::Output => &[SOURCE],
            Side::DeadLetters => &["dlq.source.topic", "dlq.source.partition", "dlq.source.offset", "dlq.source.index"],
        };
        let parts: Vec<&str> = names.iter().filter_map(|name| letter::last(headers, name)).collect();
        parts.join("/")
    }

    fn compare(&self, found: &Found, sent: &Sent, fate: &Fate, source: &Source, line: &str, report: &mut Report) {
        let Found { partition, record, .. } = found;
        let key = self.trial.key(sent, fate);
        if record.key != key {
            report.add(Fault::WrongKey, format!("{line}: {:?} for {key:?}", record.key));
        }
        let right = match (self.trial.partitioning, &key) {
            (Partitioning::Source, _) => Some(source.partition),
            (Partitioning::Key, Some(key)) => Some(murmur2::partition(key, self.trial.partitions)),
            // Spread as the producer likes.
            (Partitioning::Key, None) => None,
        };
        if right.is_some_and(|right| right != *partition) {
            report.add(Fault::WrongPartition, format!("{line}: partition {partition} for {right:?}"));
        }
        match fate {
            Fate::Event { facts, message } => {
                let got = record.value.as_deref().and_then(|value| serde_json::from_slice::<Value>(value).ok());
                let right = facts.event(message);
                if got.as_ref() != Some(&right) {
                    let got = got.unwrap_or_default();
                    report.add(Fault::WrongValue, format!("{line}:\n      got  {got}\n      want {right}"));
                }
                let right = letter::event_headers(sent, source, self.trial);
                if record.headers != right {
                    report.add(Fault::WrongHeaders, format!("{line}: {}", differ(&record.headers, &right)));
                }
                if record.timestamp_ms != sent.record.timestamp_ms {
                    let right = sent.record.timestamp_ms;
                    report.add(Fault::WrongTimestamp, format!("{line}: {} for {right}", record.timestamp_ms));
                }
            }
            Fate::Letter { kind, key, text } => {
                let right = if source.index.is_some() { Some(text.as_bytes()) } else { sent.record.value.as_deref() };
                if record.value.as_deref() != right {
                    report.add(Fault::WrongValue, format!("{line}: not the text that was rejected ({kind})"));
                }
                let right = letter::own_headers(sent, source, kind, key, self.trial);
                if let Err(wrong) = letter_headers(record, sent, right) {
                    report.add(Fault::WrongHeaders, format!("{line}: {wrong}"));
                }
                let rejected = letter::last(&record.headers, "dlq.failed.at").and_then(millis);
                for time in [Some(record.timestamp_ms), rejected] {
                    if !time.is_some_and(|time| (self.ledger.started_ms..=now_ms()).contains(&time)) {
                        report.add(Fault::WrongTimestamp, format!("{line}: {time:?} is not when it was rejected"));
                    }
                }
            }
        }
    }
}

/// The group's offset stands behind the last record, and before it only what nobody can read: transaction markers.
fn offsets(ledger: &Ledger, traces: &Traces, report: &mut Report) {
    for (partition, end) in (0..).zip(&traces.ends) {
        let offsets = ledger.sent.iter().filter(|sent| sent.partition == partition).map(|sent| sent.offset + 1);
        let last = offsets.max().unwrap_or(0);
        let committed = usize::try_from(partition).ok().and_then(|at| traces.committed.get(at).copied()).flatten();
        if !committed.is_some_and(|committed| (last..=*end).contains(&committed)) {
            let line = format!("partition {partition}: committed {committed:?}, records end at {last}, topic at {end}");
            report.add(Fault::WrongOffset, line);
        }
    }
}

/// The original headers first, in order; then ours, each once, nothing else.
fn letter_headers(record: &Record, sent: &Sent, mut right: Headers) -> Result<(), String> {
    let originals = letter::foreign(&sent.record.headers);
    let Some((first, ours)) = record.headers.split_at_checked(originals.len()) else {
        return Err("fewer headers than came in".to_owned());
    };
    if first != originals {
        return Err(format!("of those that came in {}", differ(first, &originals)));
    }
    let message = letter::last(&record.headers, "dlq.error.message").unwrap_or_default();
    if message.is_empty() || message.contains(['\n', '\r']) {
        return Err(format!("dlq.error.message is {message:?}"));
    }
    for formed in ["dlq.error.message", "dlq.failed.at"] {
        right.push(letter::header(formed, letter::last(&record.headers, formed).unwrap_or_default()));
    }
    let mut ours = ours.to_vec();
    ours.sort_unstable();
    right.sort_unstable();
    if ours == right { Ok(()) } else { Err(format!("of ours {}", differ(&ours, &right))) }
}

fn is_refusal(fate: &Fate) -> bool {
    matches!(fate, Fate::Letter { kind: "event_refused", .. })
}

fn place(found: &Found) -> String {
    format!("{}/{}/{}", found.topic, found.partition, found.offset)
}

fn millis(text: &str) -> Option<i64> {
    let time = DateTime::parse_from_rfc3339(text).ok()?.timestamp_millis();
    // Only this one form: UTC, milliseconds.
    (letter::rfc3339(time) == text).then_some(time)
}

/// The first place where two lists of headers differ.
fn differ(got: &[(Vec<u8>, Option<Vec<u8>>)], want: &[(Vec<u8>, Option<Vec<u8>>)]) -> String {
    let show = |header: Option<&(Vec<u8>, Option<Vec<u8>>)>| match header {
        None => "nothing".to_owned(),
        Some((name, None)) => format!("{}=null", name.escape_ascii()),
        Some((name, Some(value))) => format!("{}={}", name.escape_ascii(), value.escape_ascii()),
    };
    let at = got.iter().zip(want).take_while(|(got, want)| got == want).count();
    format!("header {at} is {}, should be {}", show(got.get(at)), show(want.get(at)))
}

impl Report {
    fn add(&mut self, fault: Fault, line: String) {
        self.faults.entry(fault).or_default().push(line);
    }

    pub fn assert_clean(&self) {
        assert!(self.faults.is_empty(), "the judge found faults\n{self}");
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} events, {} dead letters, {} repeats", self.events, self.dead_letters, self.repeats)?;
        for (fault, lines) in &self.faults {
            writeln!(f, "{fault:?}: {}", lines.len())?;
            for line in lines.iter().take(SHOWN) {
                writeln!(f, "    {line}")?;
            }
        }
        Ok(())
    }
}
