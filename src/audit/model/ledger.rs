//! The accounts of all input partitions, and the way to the right one. Outputs may be sighted from several threads.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::account::{Account, Excuses, Sighting};
use super::report::{Reason, Tally};
use super::{Place, Trace};
use crate::record::Coordinates;

/// An input topic.
#[derive(Debug)]
struct Topic {
    name: String,
    /// By partition; those that are not audited are there, without an account.
    partitions: Vec<Option<Mutex<Account>>>,
}

/// All that is expected and was found.
#[derive(Debug, Default)]
pub struct Ledger {
    topics: Vec<Topic>,
    stray: Mutex<Vec<Stray>>,
}

/// Outputs that belong to no input partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stray {
    /// Where the first of them stands.
    pub place: Place,
    /// `SourcePastEnd`: the partition that they name is none of the topic's; `NoSource`: they name none.
    pub reason: Reason,
    pub count: u64,
}

/// An output as it was found.
#[derive(Clone, Copy, Debug)]
pub struct Output<'a> {
    pub place: Place,
    /// The record, and the index in it, that it says it comes from; `None`: it does not say.
    pub source: Option<(Coordinates<'a>, Option<u32>)>,
    /// Of a dead letter: its kind, as it stands there.
    pub letter: &'a str,
    /// Of an event: its value, and its record's key.
    pub value: Option<&'a [u8]>,
    pub key: Option<&'a [u8]>,
}

impl Ledger {
    /// Adds an input topic with so many partitions, none of them audited yet.
    pub fn topic(&mut self, name: &str, partitions: usize) {
        self.topics.push(Topic { name: name.to_owned(), partitions: (0..partitions).map(|_| None).collect() });
    }

    /// Opens the account of a partition of a topic that was added.
    pub fn open(&mut self, topic: &str, partition: i32, account: Account) {
        let topic = self.topics.iter_mut().find(|known| known.name == topic);
        if let Some(place) = topic.and_then(|topic| topic.partitions.get_mut(usize::try_from(partition).ok()?)) {
            *place = Some(Mutex::new(account));
        }
    }

    /// One output. Those of one partition have to come in their order.
    pub fn sight(&self, output: &Output<'_>) {
        let Some((source, index)) = output.source else { return self.stray(output.place, Reason::NoSource) };
        // There are a few input topics at most.
        let Some(topic) = self.topics.iter().find(|topic| topic.name == source.topic) else { return };
        let partition = usize::try_from(source.partition).ok().and_then(|partition| topic.partitions.get(partition));
        match partition {
            None => self.stray(output.place, Reason::SourcePastEnd),
            // Not audited.
            Some(None) => {}
            Some(Some(account)) => locked(account).sight(&Sighting {
                place: output.place,
                trace: Trace { offset: source.offset, index },
                letter: output.letter,
                value: output.value,
                key: output.key,
            }),
        }
    }

    fn stray(&self, place: Place, reason: Reason) {
        let mut stray = locked(&self.stray);
        let same = |known: &&mut Stray| {
            known.reason == reason && (known.place.topic, known.place.partition) == (place.topic, place.partition)
        };
        match stray.iter_mut().find(same) {
            Some(known) => known.count += 1,
            None => stray.push(Stray { place, reason, count: 1 }),
        }
    }

    /// Closes all accounts, in the order of topics and partitions; beside them the outputs that belong to none.
    pub fn close(self, excuses: impl Fn(&str, i32) -> Excuses) -> (Vec<Closed>, Vec<Stray>) {
        let mut stray = self.stray.into_inner().unwrap_or_else(PoisonError::into_inner);
        stray.sort_by_key(|stray| (stray.reason, stray.place));
        // What is missing may be one of these.
        let sourceless = stray.iter().any(|stray| stray.reason == Reason::NoSource).then_some(Reason::NoSource);
        let mut closed = Vec::new();
        for topic in self.topics {
            for (partition, account) in (0..).zip(topic.partitions) {
                if let Some(account) = account {
                    let account = account.into_inner().unwrap_or_else(PoisonError::into_inner);
                    let mut excuses = excuses(&topic.name, partition);
                    excuses.anything = excuses.anything.or(sourceless);
                    let tally = account.close(&excuses);
                    closed.push(Closed { topic: topic.name.clone(), partition, tally });
                }
            }
        }
        (closed, stray)
    }
}

/// The account of one input partition, closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    pub topic: String,
    pub partition: i32,
    pub tally: Tally,
}

/// Whoever panicked with a lock in hand ends the audit anyway.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
