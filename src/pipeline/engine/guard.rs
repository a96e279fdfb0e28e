//! The watchdog's eyes and hands: what it is shown of the roads, what the brokers are asked for it, and what follows.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::{Engine, Failure};
use crate::config::{Config, GroupProtocol};
use crate::kafka::admin::cluster::Cluster;
use crate::kafka::admin::fresh::Fresh;
use crate::kafka::admin::topics;
use crate::kafka::clients::out;
use crate::kafka::ffi::Topic;
use crate::pipeline::inquiry::Inquiry;
use crate::pipeline::lookup::{End, Ids};
use crate::pipeline::watchdog::{Answer, Patience, Road, Sight, Standing, Watchdog};
use crate::telemetry::metrics::Stall;
use crate::telemetry::statistics;
use crate::telemetry::statistics::{Membership, Produced, Statistics};

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Between two looks at the topics that we write to, while they acknowledge nothing.
const OUTPUTS_EVERY: Duration = Duration::from_secs(2);

/// Between two questions of the engine that the cluster did not answer.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// A queue that holds as many records may be full for librdkafka: it need not fetch.
const FULL_QUEUE: u64 = 1_000;

/// How long what was taken may take to be sealed, before clients that cannot read any more are made anew.
const FINISH: Duration = Duration::from_secs(5);

/// Statistics of the consumer that are older than this: the client does nothing any more.
const STATISTICS_AGE: Duration = Duration::from_secs(15);

type Partition = (String, i32);

/// What moved, counted since the beginning.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Moved {
    pub seals: u64,
    pub acknowledged: u64,
    /// Records that a broker refused: it is there, and the client hears it.
    pub refused: u64,
    /// Changes of the assignment that were carried out.
    pub reassigned: u64,
}

/// What the brokers said to a fresh client.
#[derive(Clone, Copy, Debug)]
struct Reply {
    able: bool,
    /// Of the partition that was asked for, when it is one that we read.
    end: Option<i64>,
}

/// What is remembered from look to look.
pub(super) struct Guard {
    dog: Watchdog,
    looked: Duration,
    inquiry: Option<(Road, Inquiry<Reply>)>,
    asked_ends: Option<Duration>,
    /// The ends that were looked up, and when they were.
    known: HashMap<Partition, (i64, Duration)>,
    /// By the consumer's statistics: what is fetched next, and what waits in the queue.
    fetched: HashMap<Partition, (i64, u64)>,
    told: Option<Duration>,
    /// Whether the membership needs nothing more of us: it stands, or others are waited for.
    is_settled: bool,
    has_coordinator: bool,
    /// When the coordinator last did something for us: it gave partitions, or took offsets. Statistics come later than
    /// that, and a short run ends before the first.
    heard: Option<Duration>,
    produced: HashMap<Partition, Produced>,
    pub(super) moved: Moved,
    /// Since the last look there was a moment with everything acknowledged.
    pub(super) settled: bool,
    /// How much was acknowledged when something last went wrong before a seal.
    acknowledged: u64,
    outputs: Option<Inquiry<Vec<Topic>>>,
    asked_outputs: Option<Duration>,
    /// A topic that we write to was missing when last looked at: it may come back as another.
    pub(super) missed: bool,
    /// Of these topics, by name, as they were when these clients first looked at them.
    ids: HashMap<String, String>,
    /// As those before us in this process knew them.
    ids_before: HashMap<String, String>,
    /// What the clients are to be made anew for, once what was taken is sealed.
    stuck: Option<Standing>,
}

impl Guard {
    pub(super) fn new(patience: Patience, ids_before: HashMap<String, String>) -> Self {
        Self {
            dog: Watchdog::new(patience),
            looked: Duration::ZERO,
            inquiry: None,
            asked_ends: None,
            known: HashMap::new(),
            fetched: HashMap::new(),
            told: None,
            is_settled: false,
            has_coordinator: false,
            heard: None,
            produced: HashMap::new(),
            moved: Moved::default(),
            settled: true,
            acknowledged: 0,
            outputs: None,
            asked_outputs: None,
            missed: false,
            ids: HashMap::new(),
            ids_before,
            stuck: None,
        }
    }

    /// The patience of the clients that come after these.
    pub(super) fn patience_after(&self, failure: Option<&Failure>) -> Patience {
        match failure {
            Some(Failure::Stuck { road, .. }) => self.dog.after(road),
            _ => self.dog.unchanged(),
        }
    }

    /// Of the topics that we write to, by name, as they were last known.
    pub(super) fn output_ids(&self) -> HashMap<String, String> {
        let mut known = self.ids_before.clone();
        known.extend(self.ids.clone());
        known
    }

    /// Whether the group's coordinator may be asked for anything, and be it to let us go.
    pub(super) fn has_coordinator(&self, now: Duration) -> bool {
        match self.heard {
            Some(at) if self.told < Some(at) => now < at + STATISTICS_AGE,
            Some(_) | None => self.has_coordinator && self.is_told(now),
        }
    }

    /// The group's coordinator has done something for us.
    pub(super) fn hear(&mut self, now: Duration) {
        self.heard = Some(now);
    }

    /// The question that holds no client of ours, so that they need not wait for its answer.
    pub(super) fn take_inquiry(&mut self) -> Option<impl Send + use<>> {
        self.inquiry.take()
    }

    fn is_told(&self, now: Duration) -> bool {
        self.told.is_some_and(|at| now < at + STATISTICS_AGE)
    }
}

impl Engine<'_> {
    /// Looks after everything that has to move. To be called once a turn.
    pub(super) fn guard(&mut self) -> Result<(), Failure> {
        if out::count() > out::MOST {
            return Err(Failure::LeftBehind(out::count()));
        }
        if self.now < self.guard.looked + LOOK_EVERY {
            return Ok(());
        }
        self.guard.looked = self.now;
        if self.decider.is_stopping() {
            return Ok(());
        }
        self.look_up_ends();
        self.look_at_outputs()?;
        let answer = self.guard.inquiry.as_ref().and_then(|(road, inquiry)| Some((road.clone(), inquiry.answer()?)));
        if let Some((road, reply)) = answer {
            self.guard.inquiry = None;
            if let Some(standing) = self.weigh(&road, reply) {
                self.stuck(standing)?;
            }
        }
        let sights = self.sights();
        if let Some(road) = self.guard.dog.look(self.now, sights) {
            self.inquire(road);
        }
        Ok(())
    }

    fn inquire(&mut self, road: Road) {
        tracing::debug!(%road, "stands still: the brokers are asked");
        let (config, asked) = (self.config.clone(), road.clone());
        match Inquiry::start("inquiry", thread::current(), move || ask(&config, &asked)) {
            Ok(inquiry) => self.guard.inquiry = Some((road, inquiry)),
            Err(error) => {
                tracing::warn!(%error, "no thread to ask the brokers from");
                self.guard.dog.told(self.now, Answer::Away);
            }
        }
    }

    /// What a reply means for the road that it was asked for.
    fn weigh(&mut self, road: &Road, reply: Reply) -> Option<Standing> {
        tracing::debug!(%road, ?reply, "the brokers have answered a fresh client");
        let answer = match (road, reply) {
            (Road::Input { topic, partition }, Reply { able: true, end: Some(end) }) => {
                let key = (topic.clone(), *partition);
                let waits = end > self.next_offset(&key);
                self.guard.known.insert(key, (end, self.now));
                if waits { Answer::Able } else { Answer::NothingWaits }
            }
            (_, Reply { able: true, .. }) => Answer::Able,
            _ => Answer::Away,
        };
        self.guard.dog.told(self.now, answer)
    }

    /// What was asked for since then has not come: asked again before long, with turns in between.
    pub(super) fn asked_in_vain(&mut self, began: Duration) {
        let now = self.began.elapsed();
        self.guard.dog.asked_in_vain(now.saturating_sub(began));
        self.retry_at = now + RETRY_AFTER;
    }

    /// The clients have to be made anew. Where only reading stands, what was taken is sealed before.
    fn stuck(&mut self, standing: Standing) -> Result<(), Failure> {
        if matches!(standing.road, Road::Input { .. } | Road::Group) {
            self.decider.stop(self.now + FINISH);
            self.guard.stuck = Some(standing);
            return Ok(());
        }
        Err(self.failure(standing))
    }

    /// Why an engine has ended that nobody but the watchdog asked to stop.
    pub(super) fn stopped_as_stuck(&mut self) -> Option<Failure> {
        let standing = self.guard.stuck.take()?;
        Some(self.failure(standing))
    }

    fn failure(&self, Standing { road, since }: Standing) -> Failure {
        Failure::Stuck { road, stood: self.now.saturating_sub(since) }
    }

    fn sights(&mut self) -> Vec<Sight> {
        let mut sights = vec![self.seal_in_sight(), self.group_in_sight()];
        let settled = std::mem::replace(&mut self.guard.settled, self.outlet.unacknowledged == 0);
        let writes = self.outlet.unacknowledged > 0 && !settled;
        sights.extend(self.guard.produced.iter().map(|((topic, partition), produced)| Sight {
            road: Road::Output { topic: topic.clone(), partition: *partition },
            mark: produced.acknowledged,
            waits: writes && produced.queued > produced.acknowledged,
        }));
        let reads = !self.intake.is_paused() && !self.decider.is_recovering();
        let ours: Vec<Partition> = self.ours();
        sights.extend(ours.into_iter().map(|key| {
            let next = self.next_offset(&key);
            let queued = self.guard.fetched.get(&key).map_or(0, |(_, queued)| *queued);
            let waits = reads && queued < FULL_QUEUE && self.may_wait(&key, next);
            Sight { mark: next.cast_unsigned(), waits, road: Road::Input { topic: key.0, partition: key.1 } }
        }));
        sights
    }

    fn ours(&self) -> Vec<Partition> {
        self.intake.partitions().map(|(topic, partition, _)| (topic.to_owned(), partition)).collect()
    }

    /// Records wait, or nobody has told for so long that some may.
    fn may_wait(&self, key: &Partition, next: i64) -> bool {
        let told = self.guard.known.get(key);
        told.is_none_or(|(end, at)| *end > next || self.now > *at + self.guard.dog.patience() / 2)
    }

    /// What is fetched next of a partition: beyond what was polled lies what is no record for us.
    fn next_offset(&self, key: &Partition) -> i64 {
        let fetched = self.guard.fetched.get(key).map_or(-1, |(next, _)| *next);
        let polled = self.intake.slot(&key.0, key.1).and_then(|slot| self.account.position(slot));
        polled.unwrap_or(-1).max(fetched)
    }

    /// The membership, and what the group has asked us for.
    fn group_in_sight(&self) -> Sight {
        let is_well = self.guard.is_settled && self.guard.is_told(self.now);
        let mut hasher = DefaultHasher::new();
        (is_well, self.guard.moved.reassigned).hash(&mut hasher);
        let waits = !is_well || !self.rebalances.is_empty();
        Sight { road: Road::Group, mark: hasher.finish(), waits }
    }

    /// Everything between two seals. Once something went wrong, acknowledgements prove nothing more: those of one
    /// partition may go on, again and again, while another takes none.
    fn seal_in_sight(&mut self) -> Sight {
        let Moved { seals, acknowledged, refused, .. } = self.guard.moved;
        if self.decider.failures() == 0 {
            self.guard.acknowledged = acknowledged;
        }
        let mut hasher = DefaultHasher::new();
        (seals, refused, self.guard.acknowledged).hash(&mut hasher);
        let waits = self.account.has_to_commit()
            || self.outlet.unacknowledged > 0
            || self.dealt_records > 0
            || self.current.is_some()
            || self.decider.is_recovering();
        let held = self.decider.breaker_holds_until(self.now).is_some();
        Sight { road: Road::Seal, mark: hasher.finish(), waits: waits && !held }
    }

    /// The consumer's statistics have come.
    pub(super) fn guard_consumer(&mut self, statistics: &Statistics<'_>) {
        let of = |key: Partition| {
            let fetched = statistics.fetched(&key.0, key.1)?;
            Some((key, (fetched.next_offset, fetched.queued)))
        };
        let fetched = self.ours().into_iter().filter_map(of).collect();
        let guard = &mut self.guard;
        guard.fetched = fetched;
        guard.told = Some(self.now);
        guard.is_settled = match (statistics.membership(), self.config.input.group_protocol) {
            (Membership::Steady | Membership::Joining, _) => true,
            // Here, a member that never had a partition is in its first state for as long as it has none.
            (Membership::NotAsked, GroupProtocol::Consumer) => true,
            (Membership::NotAsked, GroupProtocol::Classic) | (Membership::NoCoordinator, _) => false,
        };
        guard.has_coordinator = statistics.membership() != Membership::NoCoordinator;
    }

    /// The producer's statistics have come.
    pub(super) fn guard_producer(&mut self, json: &[u8]) {
        if let Ok(produced) = statistics::produced(json) {
            let by_partition = |(topic, partition, told)| ((topic, partition), told);
            self.guard.produced = produced.into_iter().map(by_partition).collect();
        }
    }

    /// Ends were looked up, for whoever asked.
    pub(super) fn guard_ends(&mut self, ends: &[End]) {
        // What lies behind an open transaction cannot be read by any client: it does not wait for us.
        let stable = ends.iter().map(|end| ((end.topic.clone(), end.partition), (end.stable, self.now)));
        self.guard.known.extend(stable);
    }

    /// Asks for the ends of our partitions: a client that does not fetch any more does not learn them, and looks calm.
    fn look_up_ends(&mut self) {
        let every = (self.guard.dog.patience() / 4).min(Duration::from_secs(15));
        let is_due = self.guard.asked_ends.is_none_or(|at| self.now >= at + every);
        if self.intake.assigned() > 0 && is_due && self.look_up(self.ours(), Ids::NotAsked) {
            self.guard.asked_ends = Some(self.now);
        }
    }

    /// While nothing is acknowledged: looks whether the topics that we write to are there, and are still those of the
    /// beginning. A producer takes the leader epochs of a topic that was made anew for outdated ones, and asks the old
    /// leaders for ever.
    fn look_at_outputs(&mut self) -> Result<(), Failure> {
        if let Some(found) = self.guard.outputs.as_ref().and_then(Inquiry::answer) {
            self.guard.outputs = None;
            self.compare_outputs(&found)?;
        }
        let holds_back = self.decider.failures() > 0 || self.now >= self.last_report + OUTPUTS_EVERY;
        let due = match self.guard.asked_outputs {
            None => true,
            Some(at) => {
                (holds_back || self.guard.missed || self.guard.ids.is_empty()) && self.now >= at + OUTPUTS_EVERY
            }
        };
        if due && self.guard.outputs.is_none() {
            self.guard.asked_outputs = Some(self.now);
            let (config, consumer) = (self.config.clone(), Arc::clone(&self.intake.consumer));
            let look = move || {
                let written = [config.output.topic.as_str(), config.dead_letters.topic.as_str()];
                let cluster = Cluster::reach(&consumer, &config).ok();
                cluster.and_then(|cluster| cluster.topics(&written).ok()).unwrap_or_default()
            };
            // Without a thread there is another look before long.
            self.guard.outputs = Inquiry::start("outputs", thread::current(), look).ok();
        }
        Ok(())
    }

    fn compare_outputs(&mut self, found: &[Topic]) -> Result<(), Failure> {
        if !found.is_empty() {
            self.guard.missed = found.iter().any(|topic| topics::is_missing(Some(topic)));
        }
        for topic in found {
            if topics::is_missing(Some(topic)) {
                let reason = format!("a topic is missing: {}", topic.name);
                self.stalls.begin(Stall::TopicMissing, &reason, self.now);
                self.look_for_topics_at.get_or_insert(self.now);
            }
            let Some(id) = &topic.id else { continue };
            match self.guard.ids.insert(topic.name.clone(), id.clone()) {
                Some(known) if known != *id => return Err(Failure::OutputMadeAnew { topic: topic.name.clone() }),
                // The clients before these failed before they knew.
                None if self.guard.ids_before.get(&topic.name).is_some_and(|known| known != id) => {
                    tracing::warn!(topic = topic.name, "topic {} was made anew", topic.name);
                }
                Some(_) | None => {}
            }
        }
        Ok(())
    }
}

/// What a road needs of the brokers, asked over connections that were not there before.
fn ask(config: &Config, road: &Road) -> Reply {
    let Some(fresh) = Fresh::connect(config) else { return Reply { able: false, end: None } };
    match road {
        Road::Input { topic, partition } => {
            let end = fresh.end(topic, *partition);
            Reply { able: end.is_some(), end }
        }
        Road::Output { topic, partition } => Reply { able: fresh.end(topic, *partition).is_some(), end: None },
        // A topic that is missing keeps its readers from joining.
        Road::Group => {
            let able =
                fresh.has_group_coordinator() && config.input.topics.iter().all(|topic| fresh.has_leaders(topic));
            Reply { able, end: None }
        }
        Road::Seal => Reply {
            able: fresh.has_leaders(&config.output.topic)
                && fresh.has_leaders(&config.dead_letters.topic)
                && fresh.has_group_coordinator()
                && fresh.has_transaction_coordinator(),
            end: None,
        },
    }
}
