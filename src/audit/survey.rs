//! What there is to audit: looked up before the first record is read, and in an order that makes the audit right beside
//! a service at work.
//!
//! 1. The group's offsets. What comes of a record below them was acknowledged before they could be seen.
//! 2. The ends of the output and the dead-letter topic, uncommitted records included: so all of that lies before them.
//!    Exactly once it belongs to a transaction that is decided but may not be marked as such in every partition yet, and
//!    a reader of committed records would stop short of it. Therefore the committed ends are waited for until they
//!    have reached these.
//! 3. The ends of the input, uncommitted records included. Whatever an output before (2) was made from lies before them; an
//!    output that names a later record names one of another topic that had this name. A committed reader may have to stop
//!    short of them, at an open transaction of somebody else: that is waited for a little, and then said.
//!
//! Below the offsets of (1) nothing changes any more, so that it does not matter how long the reading takes. Only
//! retention may still take something away; that is noticed where it happens.

use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rdkafka::consumer::Consumer as _;
use rdkafka::{Offset, TopicPartitionList};

use super::model::{Bounds, Doubt, Excuses, Reason, What};
use super::request::Request;
use crate::config::{Config, Partition, Start};
use crate::kafka::admin::cluster::Cluster;
use crate::kafka::admin::refusal::{Refusal, Refusals, Resource};
use crate::kafka::admin::topics;
use crate::kafka::clients;
use crate::kafka::clients::{Standalone, settings};
use crate::kafka::errors;
use crate::kafka::errors::Class;
use crate::kafka::ffi::Operation;
use crate::kafka::scan;
use crate::kafka::scan::{LookUp, Range, Resolved, Stretch};

const TIMEOUT: Duration = Duration::from_secs(10);

/// Between two looks at something that is waited for.
const PAUSE: Duration = Duration::from_millis(100);

/// How long after its time is up a broker (its default) may take to end an orphan's transaction.
const CLEANUP: Duration = Duration::from_secs(15);

/// How long a transaction of somebody else may be open in the input before the audit goes on without what lies behind it.
const OPEN_PATIENCE: Duration = Duration::from_secs(10);

/// An input partition and what of it is audited.
#[derive(Clone, Debug)]
pub struct Input {
    /// What is read.
    pub range: Range,
    pub bounds: Bounds,
    /// `None`: the group has committed nothing of this partition.
    pub committed: Option<i64>,
    pub doubts: Vec<Doubt>,
}

/// A partition of the output or the dead-letter topic.
#[derive(Clone, Debug)]
pub struct Written {
    pub what: What,
    pub range: Range,
    /// The first offset that is left.
    pub low: i64,
    /// Its end is held back by a transaction that does not end.
    pub open: bool,
    /// Some of it went while it was read.
    pub went: bool,
}

#[derive(Debug)]
pub struct Survey {
    /// Every audited topic with the number of its partitions, those that are not audited included.
    pub topics: Vec<(String, usize)>,
    pub inputs: Vec<Input>,
    pub written: Vec<Written>,
    /// Topics that keep only the last record of a key.
    pub compacted_inputs: Vec<String>,
    pub compacted_outputs: Vec<String>,
    /// Nobody knows where the group began.
    pub start_unknown: bool,
    /// Whether outputs stand in the partition that their record came from.
    pub carried_over: bool,
}

impl Survey {
    pub fn make(config: &Config, request: &Request) -> anyhow::Result<Self> {
        let askers = Askers::new(config)?;
        let cluster = Cluster::enter(&askers.committed, config, &AtomicBool::new(false))?;
        let names: Vec<_> = topics::uses(config).iter().map(|used| used.topic).collect();
        let found = cluster.topics(&names)?;
        topics::partitions(config, &found).map_err(Refusals)?;
        let count = |name: &str| found.iter().find(|topic| topic.name == name).map_or(0, |topic| topic.partitions);
        let topics: Vec<(String, usize)> =
            request.topics(config).iter().map(|topic| ((*topic).clone(), count(topic))).collect();

        let committed = askers.offsets_of_the_group(&topics)?;
        let outputs = [config.output.topic.as_str(), config.dead_letters.topic.as_str()];
        // It is by being polled that it gets the token without which no broker answers.
        Cluster::enter(&askers.uncommitted, config, &AtomicBool::new(false))?;
        let ends = outputs.map(|topic| askers.ends(topic, count(topic)));
        let written = askers.written(ends)?;
        let has_end = request.section.to_offset.is_some() || request.section.to_ms.is_some();
        let mut inputs = Vec::new();
        for (topic, partitions) in &topics {
            let ends = askers.ends(topic, *partitions)?;
            let resolved = askers.readable(request, topic, &ends)?;
            let of_topic: Vec<_> = committed.iter().filter(|(of, ..)| of == topic).collect();
            let nothing = of_topic.iter().all(|(.., offset)| offset.is_none());
            for resolved in resolved {
                let partition = resolved.range.partition;
                let offset = of_topic.iter().find(|(_, of, _)| *of == partition).and_then(|(.., offset)| *offset);
                let end = usize::try_from(partition).ok().and_then(|at| ends.get(at)).copied().unwrap_or(0);
                let told = request.told(resolved, config);
                let asked = Asked { end, to_offset: request.section.to_offset, has_end };
                inputs.push(input(told, offset, asked, nothing));
            }
        }
        let (compacted_outputs, compacted_inputs) =
            compacted(&cluster, &names).into_iter().partition(|topic| outputs.contains(&topic.as_str()));
        Ok(Self {
            topics,
            inputs,
            written,
            compacted_inputs,
            compacted_outputs,
            start_unknown: request.is_open() && matches!(config.input.start, Start::Latest | Start::Error),
            carried_over: config.output.partition == Partition::Source,
        })
    }

    /// The input partition of a range.
    pub fn of(&self, range: &Range) -> Option<&Input> {
        self.inputs.iter().find(|input| input.range == *range)
    }

    /// The offset that the group has committed of an input partition.
    pub fn committed(&self, topic: &str, partition: i32) -> Option<i64> {
        let of = |input: &&Input| *input.range.topic == *topic && input.range.partition == partition;
        self.inputs.iter().find(of)?.committed
    }

    /// What could explain that something of an input partition is missing, beside that it was never there.
    pub fn excuses(&self, topic: &str, partition: i32) -> Excuses {
        let anything = match () {
            () if !self.compacted_outputs.is_empty() => Some(Reason::OutputCompacted),
            () if self.written.iter().any(|written| written.open) => Some(Reason::OutputOpen),
            () if self.written.iter().any(|written| written.went) => Some(Reason::OutputGone),
            () => None,
        };
        let can_have_held = |written: &&Written| !self.carried_over || written.range.partition == partition;
        let cut = self.written.iter().filter(|written| written.low > 0).filter(can_have_held);
        Excuses {
            cut: cut.map(|written| (written.what, written.range.partition)).collect(),
            anything,
            input_compacted: self.compacted_inputs.iter().any(|compacted| compacted == topic),
            start_unknown: self.start_unknown,
        }
    }

    pub fn input_ranges(&self) -> Vec<Range> {
        self.inputs.iter().map(|input| input.range.clone()).collect()
    }

    pub fn written_ranges(&self) -> Vec<Range> {
        self.written.iter().map(|written| written.range.clone()).collect()
    }
}

/// Up to where a partition could be asked for, and was.
#[derive(Clone, Copy, Debug)]
struct Asked {
    /// The high watermark.
    end: i64,
    to_offset: Option<i64>,
    /// Somebody said where it ends, by an offset or by a time; else it ends at what is committed.
    has_end: bool,
}

/// What is audited of a partition: what was asked for, up to what is committed.
fn input(resolved: Resolved, committed: Option<i64>, asked: Asked, nothing_committed: bool) -> Input {
    let end = asked.end;
    let mut doubts = Vec::from_iter(open(&resolved, asked));
    let not_committed = not_committed(&resolved, committed, asked);
    let Resolved { mut range, gone, low, .. } = resolved;
    let up_to = committed.unwrap_or(low).min(end);
    range.to = range.to.min(up_to);
    range.from = range.from.min(range.to);
    if let Some(gone) = gone {
        // What is not committed is nobody's loss yet.
        let gone = gone.start..gone.end.min(committed.unwrap_or(0));
        if !gone.is_empty() {
            doubts.push(Doubt::new(Reason::InputGone, gone));
        }
    }
    match committed {
        Some(committed) if committed > end => doubts.push(Doubt::new(Reason::CommittedPastEnd, end..committed)),
        None if nothing_committed && low < end => doubts.push(Doubt::new(Reason::NothingCommitted, low..end)),
        Some(_) | None => doubts.extend(not_committed),
    }
    let bounds = Bounds { range: range.from..range.to, committed: committed.unwrap_or(0), end };
    Input { range, bounds, committed, doubts }
}

/// Up to where it was asked for, as far as the partition goes.
fn asked_to(resolved: &Resolved, asked: Asked) -> i64 {
    let Resolved { range, end: stable, gone, .. } = resolved;
    match gone {
        Some(gone) if gone.end < range.from => gone.end,
        // One that ends before the stable end is what was asked for; of any other nobody could see the end yet.
        _ if range.to < *stable => range.to,
        _ => asked.to_offset.unwrap_or(asked.end).min(asked.end),
    }
}

/// What was asked for and cannot be audited, because nobody can read it.
fn open(resolved: &Resolved, asked: Asked) -> Option<Doubt> {
    let open = resolved.range.from.max(resolved.end)..asked_to(resolved, asked);
    (!open.is_empty()).then(|| Doubt::new(Reason::InputOpen, open))
}

/// What was asked for by its end and cannot be audited, because nobody has committed it. A partition in which nothing was
/// committed has none of it.
fn not_committed(resolved: &Resolved, committed: Option<i64>, asked: Asked) -> Option<Doubt> {
    let from = resolved.gone.as_ref().map_or(resolved.range.from, |gone| gone.start);
    // From the stable end on it is somebody's open transaction that is in the way.
    let behind = from.max(committed.unwrap_or(from))..asked_to(resolved, asked).min(resolved.end);
    (asked.has_end && !behind.is_empty()).then(|| Doubt::new(Reason::NotCommitted, behind))
}

/// Who may not read the settings of topics is taken to have none that are compacted.
fn compacted(cluster: &Cluster<'_>, topics: &[&str]) -> Vec<String> {
    let Ok(found) = cluster.settings(topics) else { return Vec::new() };
    let is_compacted = |values: &std::collections::BTreeMap<String, String>| {
        values.get("cleanup.policy").is_some_and(|policy| policy.contains("compact"))
    };
    let compacted = topics.iter().zip(found).filter(|(_, found)| is_compacted(&found.values));
    compacted.map(|(topic, _)| (*topic).to_owned()).collect()
}

/// The clients that ask and never join, read or commit. They stay for the whole survey, however often it has to look.
struct Askers<'c> {
    config: &'c Config,
    committed: Standalone,
    uncommitted: Standalone,
    look_up: LookUp<'c>,
}

impl<'c> Askers<'c> {
    fn new(config: &'c Config) -> anyhow::Result<Self> {
        let client = |isolation_level| {
            let mut client = settings::reader(config);
            client.set("group.id", &config.input.group).set("isolation.level", isolation_level);
            Standalone::new(&client, config).context("make a client")
        };
        let (committed, uncommitted) = (client("read_committed")?, client("read_uncommitted")?);
        Ok(Self { config, committed, uncommitted, look_up: LookUp::new(config)? })
    }

    /// Between two looks at something that is waited for; who is not served meanwhile has an old token one day.
    fn pause(&self) {
        clients::serve(&self.committed);
        clients::serve(&self.uncommitted);
        thread::sleep(PAUSE);
    }

    /// The end of each partition, uncommitted records included.
    fn ends(&self, topic: &str, partitions: usize) -> anyhow::Result<Vec<i64>> {
        let partitions: Vec<i32> = (0..i32::try_from(partitions).unwrap_or(i32::MAX)).collect();
        let ends = scan::offsets(&self.uncommitted, topic, &partitions, Offset::End)?;
        Ok(ends.into_iter().map(|end| end.unwrap_or(0)).collect())
    }

    /// What was asked for of a topic, once a committed reader sees it up to the ends, or does not for too long.
    fn readable(&self, request: &Request, topic: &str, ends: &[i64]) -> anyhow::Result<Vec<Resolved>> {
        let deadline = Instant::now() + OPEN_PATIENCE;
        loop {
            let resolved = self.look_up.ranges(&[request.stretch(topic, self.config)])?.remove(0);
            let end = |partition| usize::try_from(partition).ok().and_then(|at| ends.get(at)).copied().unwrap_or(0);
            let is_open = resolved.iter().any(|resolved| resolved.end < end(resolved.range.partition));
            if !is_open || Instant::now() > deadline {
                return Ok(resolved);
            }
            self.pause();
        }
    }

    /// The partitions of the output and the dead-letter topic up to the ends, once committed readers see all of that.
    fn written(&self, ends: [anyhow::Result<Vec<i64>>; 2]) -> anyhow::Result<Vec<Written>> {
        let [events, dead_letters] = ends;
        let ends = [(What::Event, events?), (What::DeadLetter, dead_letters?)];
        let stretches = [
            Stretch::whole(&self.config.output.topic, "output.topic"),
            Stretch::whole(&self.config.dead_letters.topic, "dead_letters.topic"),
        ];
        let deadline = Instant::now() + self.config.pipeline.transaction_timeout + CLEANUP;
        loop {
            let found = self.look_up.ranges(&stretches)?;
            let mut written = Vec::new();
            for ((what, ends), resolved) in ends.iter().zip(found) {
                for (resolved, end) in resolved.into_iter().zip(ends) {
                    let (low, mut range) = (resolved.low, resolved.range);
                    let open = resolved.end < *end;
                    // What came since is of no concern.
                    range.to = range.to.min(*end).max(range.from);
                    written.push(Written { what: *what, range, low, open, went: false });
                }
            }
            if !written.iter().any(|written| written.open) || Instant::now() > deadline {
                return Ok(written);
            }
            self.pause();
        }
    }

    /// The offset of the group for each partition.
    fn offsets_of_the_group(&self, topics: &[(String, usize)]) -> anyhow::Result<Vec<(String, i32, Option<i64>)>> {
        let mut asked = TopicPartitionList::new();
        for (topic, partitions) in topics {
            for partition in 0..i32::try_from(*partitions).unwrap_or(i32::MAX) {
                asked.add_partition(topic, partition);
            }
        }
        // An offset that belongs to an open transaction is none yet, and the broker says so until it is decided.
        let deadline = Instant::now() + self.config.pipeline.transaction_timeout + CLEANUP;
        loop {
            let answer = self.committed.committed_offsets(asked.clone(), TIMEOUT);
            let offsets = answer.and_then(|answer| {
                let offset = |offset| match offset {
                    Offset::Offset(offset) => Some(offset),
                    _ => None,
                };
                let elements = answer.elements();
                let read = elements.iter().map(|element| {
                    let place = (element.topic().to_owned(), element.partition());
                    element.error().map(|()| (place.0, place.1, offset(element.offset())))
                });
                read.collect()
            });
            match offsets {
                Ok(offsets) => return Ok(offsets),
                Err(error) if errors::class(errors::code(&error)) == Class::Authorization => {
                    let resource = Resource::Group(self.config.input.group.clone());
                    return Err(Refusal::Denied { resource, operation: Operation::Describe, key: "input.group" }.into());
                }
                Err(error) if Instant::now() > deadline => {
                    return Err(error).context("look up the group's committed offsets");
                }
                Err(_) => self.pause(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Readable are 10 to 19 of a partition.
    fn resolved(from: i64, to: i64) -> Resolved {
        let range = Range { topic: "t".into(), key: "", partition: 0, from, to };
        Resolved { range, low: 10, end: 20, gone: None }
    }

    fn reasons(resolved: Resolved, committed: impl Into<Option<i64>>, asked: Asked) -> Vec<(Reason, (i64, i64))> {
        let doubts = input(resolved, committed.into(), asked, false).doubts;
        doubts.into_iter().map(|doubt| (doubt.reason, (doubt.offsets.start, doubt.offsets.end))).collect()
    }

    use Reason::{InputGone, InputOpen, NotCommitted, NothingCommitted};

    #[test]
    fn nothing_that_was_asked_for_is_cut_in_silence() {
        // The partition goes on to 50.
        let asked = |to_offset: Option<i64>| Asked { end: 50, to_offset, has_end: to_offset.is_some() };
        assert_eq!(reasons(resolved(10, 20), 20, asked(None)), [(InputOpen, (20, 50))]);
        assert_eq!(reasons(resolved(10, 20), 20, asked(Some(40))), [(InputOpen, (20, 40))]);
        assert_eq!(reasons(resolved(10, 20), 30, asked(None)), [(InputOpen, (20, 50))], "the group has jumped over it");
        assert_eq!(reasons(resolved(10, 15), 20, asked(Some(15))), [], "it ends before the transaction");
        assert_eq!(reasons(resolved(10, 19), 15, asked(Some(19))), [(NotCommitted, (15, 19))]);
        assert_eq!(reasons(resolved(10, 20), 15, asked(Some(40))), [(InputOpen, (20, 40)), (NotCommitted, (15, 20))]);
        // Retention took all that was left, and then somebody began a transaction.
        let emptied = Resolved { low: 20, gone: Some(0..20), ..resolved(20, 20) };
        assert_eq!(reasons(emptied, 20, asked(None)), [(InputOpen, (20, 50)), (InputGone, (0, 20))]);

        let closed = |to_offset: Option<i64>| Asked { end: 20, ..asked(to_offset) };
        assert_eq!(reasons(resolved(10, 20), 20, closed(None)), []);
        assert_eq!(reasons(resolved(10, 20), 12, closed(None)), [], "a service is at work");
        assert_eq!(reasons(resolved(10, 20), 12, closed(Some(20))), [(NotCommitted, (12, 20))]);
        assert_eq!(reasons(resolved(10, 20), 12, closed(Some(99))), [(NotCommitted, (12, 20))], "there is no more yet");
        assert_eq!(reasons(resolved(10, 20), 20, closed(Some(99))), []);
    }

    #[test]
    fn an_end_that_was_asked_for_by_its_time_counts_like_an_offset() {
        let by_time = Asked { end: 20, to_offset: None, has_end: true };
        assert_eq!(reasons(resolved(10, 20), 15, by_time), [(NotCommitted, (15, 20))], "later than all");
        assert_eq!(reasons(resolved(10, 18), 15, by_time), [(NotCommitted, (15, 18))]);
        assert_eq!(reasons(resolved(10, 15), 15, by_time), []);
        assert_eq!(reasons(resolved(10, 20), 20, by_time), []);
    }

    #[test]
    fn a_partition_in_which_nothing_was_committed_has_nothing_of_what_was_asked_for() {
        let asked = |to_offset: Option<i64>| Asked { end: 20, to_offset, has_end: to_offset.is_some() };
        assert_eq!(reasons(resolved(10, 15), None, asked(Some(15))), [(NotCommitted, (10, 15))]);
        assert_eq!(reasons(resolved(12, 15), None, asked(Some(15))), [(NotCommitted, (12, 15))]);
        assert_eq!(reasons(resolved(10, 20), None, asked(None)), [], "the service has not come to it");
        let gone = |gone| Resolved { gone: Some(gone), ..resolved(10, 10) };
        assert_eq!(reasons(gone(3..7), None, asked(Some(7))), [(NotCommitted, (3, 7))]);
        assert_eq!(reasons(gone(3..7), 5, asked(Some(7))), [(InputGone, (3, 5)), (NotCommitted, (5, 7))]);
        // Nothing of the topic: that says it all.
        let doubts = input(resolved(10, 15), None, asked(Some(15)), true).doubts;
        assert_eq!(doubts, [Doubt::new(NothingCommitted, 10..20)]);
    }
}
