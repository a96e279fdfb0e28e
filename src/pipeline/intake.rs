//! The way in: the partitions that are ours, and the records polled from them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::consumer::{Consumer as _, RebalanceProtocol};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message as _};
use rdkafka::{Offset, TopicPartitionList};

use super::account::{Account, Slot};
use super::batch::Batch;
use super::decide::Take;
use super::delivery::Trouble;
use super::metadata;
use super::outlet::Source;
use super::positions::Position;
use crate::kafka::clients::Consumer;
use crate::kafka::ffi;
use crate::mutants::{self, Mutant};

/// A batch is dealt out at this many records: few enough that a worker is done before the engine has nothing to do,
/// many enough that handing over costs nothing.
const BATCH_RECORDS: usize = 32;

/// Or at this many bytes: large records are to keep several workers busy within the memory budget.
const BATCH_BYTES: usize = 256 * 1024;

/// How long a seek may block the engine.
const SEEK_TIMEOUT: Duration = Duration::from_secs(5);

/// How long partitions that were just taken over may take until they can be sought in.
const VALIDATE_TIMEOUT: Duration = Duration::from_secs(2);

/// Between two tries to seek in a partition that was just taken over.
const VALIDATE_AGAIN: Duration = Duration::from_millis(10);

/// What a call to [`Intake::fill`] came to.
#[derive(Debug, Default)]
pub struct Filled {
    pub records: u64,
    pub bytes: u64,
    /// The batch is full.
    pub full: bool,
    /// The consumer has nothing more at the moment.
    pub drained: bool,
    pub errors: Vec<KafkaError>,
}

/// The consumer and the partitions that it owns.
pub struct Intake {
    pub consumer: Arc<Consumer>,
    /// By slot; slots are never used twice.
    sources: Vec<Source>,
    ours: BTreeMap<(Arc<str>, i32), Slot>,
    /// The same by the client's own topic pointer: spares comparing names for each record. Forgotten at each change of
    /// the assignment, while which a pointer stays what it is.
    by_pointer: HashMap<(usize, i32), Slot>,
    last: Option<((usize, i32), Slot)>,
    paused: bool,
    /// The partition that was last found to have more than was polled.
    behind: Option<Slot>,
    /// Which topic each name stands for, as far as the brokers give ids.
    pub topic_ids: HashMap<String, String>,
}

impl Drop for Intake {
    /// Closing the consumer waits until its partitions are let go, and nobody turns any more who would do it: however the
    /// engine came to its end, a panic included.
    fn drop(&mut self) {
        self.consumer.context().closing();
    }
}

impl Intake {
    pub fn new(consumer: Arc<Consumer>) -> Self {
        Self {
            consumer,
            sources: Vec::new(),
            ours: BTreeMap::new(),
            by_pointer: HashMap::new(),
            last: None,
            paused: false,
            behind: None,
            topic_ids: HashMap::new(),
        }
    }

    /// Polls records into a batch until it is full, has as many more as allowed, or there are none.
    pub fn fill(&mut self, batch: &mut Batch, account: &mut Account, allowed: Take) -> Filled {
        let consumer = Arc::clone(&self.consumer);
        let mut filled = Filled::default();
        let mut empty_polls = 0;
        self.place(account);
        let most = match allowed {
            Take::Nothing => return filled,
            Take::AtMost(more) => batch.len().saturating_add(usize::try_from(more).unwrap_or(usize::MAX)),
            Take::Everything => BATCH_RECORDS,
        };
        while batch.len() < most.min(BATCH_RECORDS) && batch.input_bytes() < BATCH_BYTES {
            match self.poll(&consumer, batch, account, &mut filled) {
                true => empty_polls = 0,
                // A poll that served something else (statistics) comes back empty as well.
                false if empty_polls == 1 => {
                    filled.drained = true;
                    return filled;
                }
                false => empty_polls += 1,
            }
        }
        filled.full = true;
        filled
    }

    /// Polls paused partitions for what the consumer has to say. A record that comes all the same is taken, whether the
    /// batch is full or not: it would not come again.
    pub fn serve(&mut self, batch: &mut Batch, account: &mut Account) -> Filled {
        let consumer = Arc::clone(&self.consumer);
        let mut filled = Filled::default();
        self.place(account);
        while self.poll(&consumer, batch, account, &mut filled) && filled.records < BATCH_RECORDS as u64 {}
        filled
    }

    /// Polls once. `false`: nothing came.
    fn poll(&mut self, consumer: &Consumer, batch: &mut Batch, account: &mut Account, filled: &mut Filled) -> bool {
        match consumer.poll(Duration::ZERO) {
            Some(Ok(message)) => {
                if let Some(slot) = self.slot_of(&message)
                    && account.polled(slot, message.offset(), ffi::leader_epoch(&message))
                {
                    batch.push(slot, &message);
                    filled.records += 1;
                    filled.bytes += (message.payload_len() + message.key_len()) as u64;
                }
                true
            }
            Some(Err(error)) => {
                filled.errors.push(error);
                true
            }
            // Somebody debugs the client: lines by the thousand must not hold up the records behind them.
            None => consumer.context().take_logged(),
        }
    }

    fn slot_of(&mut self, message: &BorrowedMessage<'_>) -> Option<Slot> {
        let key = (message.topic_ptr() as usize, message.partition());
        if let Some((last, slot)) = self.last
            && last == key
        {
            return Some(slot);
        }
        let slot = match self.by_pointer.get(&key) {
            Some(slot) => *slot,
            None => {
                let slot = *self.ours.get(&(Arc::from(message.topic()), message.partition()))?;
                self.by_pointer.insert(key, slot);
                slot
            }
        };
        self.last = Some((key, slot));
        Some(slot)
    }

    /// Takes down how far the client itself has come: past markers and aborted records, too. Only while nothing is being
    /// sealed or undone.
    pub fn look_at_positions(&self, account: &mut Account) {
        let mut list = TopicPartitionList::with_capacity(self.ours.len());
        for (topic, partition) in self.ours.keys() {
            list.add_partition(topic, *partition);
        }
        ffi::positions(&self.consumer, &mut list);
        let epochs = ffi::leader_epochs(&list);
        for ((element, epoch), slot) in list.elements().iter().zip(epochs).zip(self.ours.values()) {
            match (element.error(), element.offset()) {
                (Ok(()), Offset::Offset(offset)) => account.passed(*slot, Some((offset, epoch))),
                (Ok(()), Offset::Invalid) => account.passed(*slot, None),
                _ => {}
            }
        }
    }

    /// Takes down of which partitions the client has gone where we are. To be called before polling.
    fn place(&self, account: &mut Account) {
        let unplaced = account.unplaced();
        if unplaced.is_empty() {
            return;
        }
        let mut list = TopicPartitionList::with_capacity(unplaced.len());
        for slot in &unplaced {
            let Source { topic, partition, .. } = self.source(*slot);
            list.add_partition(topic, *partition);
        }
        ffi::positions(&self.consumer, &mut list);
        for (element, slot) in list.elements().iter().zip(unplaced) {
            if element.error().is_ok() && element.offset() == Offset::Invalid {
                account.passed(slot, None);
            }
        }
    }

    /// Whether a partition goes on behind what was polled of it, by the fetches that have come.
    pub fn is_behind(&mut self, account: &Account) -> bool {
        let is_behind = |slot: Slot| {
            let Source { topic, partition, .. } = self.source(slot);
            account.position(slot) < ffi::fetched_high(&self.consumer, topic, *partition)
        };
        // One that was is likely to be so still.
        let slots = self.behind.filter(|slot| account.is_open(*slot)).into_iter().chain(self.ours.values().copied());
        self.behind = slots.into_iter().find(|slot| is_behind(*slot));
        self.behind.is_some()
    }

    /// Takes partitions over at the given positions. `false`: some of them could not be held against their leader epochs,
    /// and have to be gone back to before anything is taken of them.
    pub fn assign(&mut self, positions: &[Position], account: &mut Account) -> Result<bool, Trouble> {
        let failed = |error| Trouble::new("take over partitions", error);
        let mut list = TopicPartitionList::new();
        let mut to_validate = TopicPartitionList::new();
        for Position { topic, partition, offset, epoch, .. } in positions {
            add(&mut list, topic, *partition, *offset, *epoch).map_err(failed)?;
            if epoch.is_some() {
                add(&mut to_validate, topic, *partition, *offset, *epoch).map_err(failed)?;
            }
        }
        match self.consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => self.consumer.incremental_assign(&list),
            RebalanceProtocol::Eager | RebalanceProtocol::None => self.consumer.assign(&list),
        }
        .map_err(failed)?;
        ffi::rouse(&self.consumer);
        self.forget_pointers();
        for position in positions {
            let topic: Arc<str> = Arc::from(position.topic.as_str());
            let slot = account.open(position.offset, position.epoch, position.committed);
            debug_assert_eq!(slot.0, self.sources.len(), "slots are numbered by the account");
            self.sources.push(Source::new(Arc::clone(&topic), position.partition));
            self.ours.insert((topic, position.partition), slot);
        }
        if self.paused {
            self.consumer.pause(&list).map_err(failed)?;
        }
        Ok(to_validate.count() == 0 || self.validate(&to_validate))
    }

    /// Has the client hold positions against their leader epochs. Taking a partition over it does not do so, but seeking
    /// it does; and whatever it had fetched before the seek it throws away unseen.
    fn validate(&self, positions: &TopicPartitionList) -> bool {
        let deadline = Instant::now() + VALIDATE_TIMEOUT;
        while Instant::now() < deadline {
            match self.consumer.seek_partitions(positions.clone(), SEEK_TIMEOUT) {
                Ok(answer) if answer.elements().iter().all(|element| element.error().is_ok()) => return true,
                // It has not let go of the partition of before, or not begun to fetch.
                Ok(_) => thread::sleep(VALIDATE_AGAIN),
                Err(error) => {
                    tracing::warn!(%error, "positions cannot be held against the leader epochs yet");
                    return false;
                }
            }
        }
        false
    }

    /// Lets partitions go. Returns how many records were abandoned by that.
    pub fn release(&mut self, partitions: &[(String, i32)], account: &mut Account) -> Result<u64, Trouble> {
        let mut list = TopicPartitionList::new();
        let mut abandoned = 0;
        for (topic, partition) in partitions {
            if let Some(slot) = self.ours.remove(&(Arc::from(topic.as_str()), *partition)) {
                abandoned += account.release(slot);
            }
            list.add_partition(topic, *partition);
        }
        self.forget_pointers();
        let failed = |error| Trouble::new("let partitions go", error);
        if self.paused {
            // librdkafka remembers a pause beyond the assignment: a partition that comes back would stand still.
            self.consumer.resume(&list).map_err(failed)?;
        }
        match self.consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => self.consumer.incremental_unassign(&list),
            RebalanceProtocol::Eager | RebalanceProtocol::None => self.consumer.unassign(),
        }
        .map_err(failed)?;
        ffi::rouse(&self.consumer);
        Ok(abandoned)
    }

    fn forget_pointers(&mut self) {
        self.by_pointer.clear();
        self.last = None;
    }

    /// Goes back to the account's positions. `false`: try again.
    pub fn seek(&mut self, account: &Account) -> Result<bool, Trouble> {
        let failed = |error| Trouble::new("go back to the last seal", error);
        let mut list = TopicPartitionList::new();
        for (slot, offset) in account.positions() {
            let Source { topic, partition, .. } = self.source(slot);
            add(&mut list, topic, *partition, offset, account.epoch_at(slot, offset)).map_err(failed)?;
        }
        if list.count() == 0 {
            return Ok(true);
        }
        let positions = list.clone();
        match self.consumer.seek_partitions(list, SEEK_TIMEOUT) {
            Ok(answer) if answer.elements().iter().all(|element| element.error().is_ok()) => Ok(true),
            // A partition that was deleted, be it made anew since, is fetched no more and cannot be sought in.
            Ok(_) => {
                self.take_over_again(&positions).map_err(failed)?;
                // One that is still missing cannot be sought in and must not hold up the others; when it comes back, it
                // is another topic, which its id tells.
                self.validate(&positions);
                Ok(true)
            }
            Err(error) => {
                tracing::warn!(%error, "cannot go back to the last seal yet");
                Ok(false)
            }
        }
    }

    fn take_over_again(&mut self, positions: &TopicPartitionList) -> Result<(), KafkaError> {
        match self.consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => {
                self.consumer.incremental_unassign(positions)?;
                self.consumer.incremental_assign(positions)?;
            }
            RebalanceProtocol::Eager | RebalanceProtocol::None => self.consumer.assign(positions)?,
        }
        self.forget_pointers();
        if self.paused { self.consumer.pause(positions) } else { Ok(()) }
    }

    /// Stops or restarts fetching, so that the consumer can be served without taking records.
    pub fn pause(&mut self, paused: bool) {
        if paused == self.paused {
            return;
        }
        let mut list = TopicPartitionList::new();
        for (topic, partition) in self.ours.keys() {
            list.add_partition(topic, *partition);
        }
        let result = if paused { self.consumer.pause(&list) } else { self.consumer.resume(&list) };
        match result {
            Ok(()) => {
                self.paused = paused;
                if !paused {
                    ffi::rouse(&self.consumer);
                }
                tracing::info!(paused, partitions = self.ours.len(), "taking records is held back or goes on");
            }
            Err(error) => tracing::warn!(%error, paused, "cannot pause or resume partitions"),
        }
    }

    pub fn is_paused(&self) -> bool {
        self.paused
    }

    pub fn slot(&self, topic: &str, partition: i32) -> Option<Slot> {
        self.ours.get(&(Arc::from(topic), partition)).copied()
    }

    pub fn source(&self, slot: Slot) -> &Source {
        &self.sources[slot.0]
    }

    pub fn partitions(&self) -> impl Iterator<Item = (&str, i32, Slot)> {
        self.ours.iter().map(|((topic, partition), slot)| (topic.as_ref(), *partition, *slot))
    }

    pub fn assigned(&self) -> usize {
        self.ours.len()
    }

    /// What a seal commits, in the client's form.
    pub fn commit_list(&self, account: &Account) -> Result<TopicPartitionList, Trouble> {
        let mut list = TopicPartitionList::new();
        for (slot, offset) in account.to_commit() {
            let Source { topic, partition, .. } = self.source(slot);
            add(&mut list, topic, *partition, offset, account.epoch_at(slot, offset))
                .map_err(|error| Trouble::new("list the offsets to commit", error))?;
            if let Some(id) = self.topic_ids.get(topic.as_ref())
                && let Some(mut element) = list.find_partition(topic, *partition)
            {
                element.set_metadata(metadata::of_topic(id));
            }
        }
        Ok(list)
    }
}

/// One more partition in a list, with an offset and the leader epoch of what lies before it.
fn add(
    list: &mut TopicPartitionList,
    topic: &str,
    partition: i32,
    offset: i64,
    epoch: Option<i32>,
) -> Result<(), KafkaError> {
    list.add_partition_offset(topic, partition, Offset::Offset(offset))?;
    if let Some(epoch) = epoch.filter(|_| !mutants::is(Mutant::NoLeaderEpoch)) {
        ffi::set_leader_epoch(list, epoch);
    }
    Ok(())
}
