//! Who strikes: carries out what was planned, and undoes it.

use std::ops::Range;
use std::time::Duration;

use crate::fleet::{Fleet, GUEST};
use crate::history::History;
use crate::plan::{Fault, NODES, PROCESSORS, Strike};
use crate::replay;
use crate::support::children::Signal;
use crate::support::cluster::{Coordinated, View};
use crate::support::driver::Ledger;
use crate::support::leaders;
use crate::support::maker::{Maker, now_ms};
use crate::support::proxy::{END_TXN, Proxy};
use crate::support::raw::Record;
use crate::support::reader::{Found, read};
use crate::support::sample::Sample;
use crate::support::scene::Scene;
use crate::support::service::Service;
use crate::support::wait;
use crate::support::writer::Writer;

/// For a node to be back on a busy machine.
pub const NODES_LIMIT: Duration = Duration::from_secs(240);

/// More than there are nodes: no record is taken.
const REFUSE: &[(&str, &str)] = &[("min.insync.replicas", "4")];

/// What the brokers give their topic of offsets, and the same as above.
const OFFSETS: [(&str, &str); 3] =
    [("cleanup.policy", "compact"), ("compression.type", "producer"), ("segment.bytes", "104857600")];

/// Larger than every event of the load, smaller than a batch of many.
const NARROW: &[(&str, &str)] = &[("max.message.bytes", "32768")];

/// Seeds from here on make the records of partitions that are added, so many each.
const ADDED: u64 = 10_000;
const NEW_RECORDS: usize = 200;

/// For records to wait in a partition while nobody reads.
const BEHIND: Duration = Duration::from_millis(1_500);

const SLOW_DELAY: Duration = Duration::from_millis(100);
const SLOW_BYTES_PER_SECOND: u64 = 3_000_000 / 8;

pub struct Actors<'a> {
    pub scene: &'a Scene<'a>,
    pub proxies: &'a [Proxy],
    pub history: &'a History,
    pub fleet: Fleet<'a>,
    pub seed: u64,
    pub taken: Taken,
    /// Records that the faults themselves have written, and where.
    pub added: Vec<(i32, Record, Sample)>,
    /// By partition of the input: letters that were sent back lie below.
    pub replayed_to: Vec<i64>,
}

/// What the faults took away, which nobody can be asked for.
#[derive(Debug, Default)]
pub struct Taken {
    /// By partition: outputs of records below were in a topic that was deleted.
    output_below: Vec<i64>,
    letters_below: Vec<i64>,
    /// Partition and offsets that retention may have taken before anybody read them.
    overtaken: Vec<(i32, Range<i64>)>,
    /// What lay in the input before that.
    pub deleted: Vec<Found>,
}

impl Taken {
    pub fn note(&self, ledger: &mut Ledger) {
        ledger.deleted_below.clone_from(&self.output_below);
        ledger.letters_deleted_below.clone_from(&self.letters_below);
        ledger.overtaken.clone_from(&self.overtaken);
    }
}

/// What must be undone.
enum Undone {
    Nothing,
    Restart(Vec<usize>),
    Thaw(usize),
    Transaction(Writer),
    Replay(Service),
}

impl Actors<'_> {
    /// One strike from its beginning until everything is as it was.
    pub fn strike(&mut self, strike: &Strike) {
        let Strike { fault, whom, lasts, meanwhile, calm } = *strike;
        self.history.note(&format!("{fault:?} {whom} for {:.1} s", lasts.as_secs_f64()));
        let undone = self.begin(fault, whom);
        if let Some((also, seat)) = meanwhile {
            wait::lasting(lasts / 2);
            self.history.note(&format!("    meanwhile {also:?} {seat}"));
            self.processor(also, seat);
            wait::lasting(lasts / 2);
            self.fleet.thaw(seat);
        } else {
            wait::lasting(lasts);
        }
        self.end(fault, whom, undone);
        wait::lasting(calm);
        self.fleet.tend();
    }

    fn begin(&mut self, fault: Fault, whom: usize) -> Undone {
        let cluster = self.scene.cluster;
        let node = cluster.node(whom + 1);
        match fault {
            Fault::ProcessorKilled | Fault::ProcessorStopped | Fault::ProcessorFrozen => {
                self.processor(fault, whom);
                return Undone::Nothing;
            }
            Fault::ProcessorJoined => self.fleet.start(GUEST),
            Fault::ProcessorDoubled => self.fleet.start_as(GUEST, whom),
            Fault::BrokerKilled => {
                node.kill();
                return Undone::Restart(vec![node.id]);
            }
            Fault::BrokerStopped | Fault::BrokerMoved => {
                node.stop();
                if fault == Fault::BrokerMoved {
                    node.move_away();
                }
                return Undone::Restart(vec![node.id]);
            }
            Fault::BrokerFrozen => {
                node.signal(Signal::Stop);
                return Undone::Thaw(node.id);
            }
            Fault::AllBrokersKilled => {
                let nodes: Vec<usize> = (1..=NODES).collect();
                nodes.iter().for_each(|id| cluster.node(*id).kill());
                return Undone::Restart(nodes);
            }
            Fault::BrokersTooFew => {
                let nodes = vec![whom + 1, (whom + 1) % NODES + 1];
                nodes.iter().for_each(|id| cluster.node(*id).kill());
                return Undone::Restart(nodes);
            }
            Fault::GroupCoordinatorKilled => {
                return self.kill(cluster.coordinator(Coordinated::Group, &self.scene.group));
            }
            Fault::TransactionCoordinatorKilled => {
                let id = format!("{}-{whom}", self.scene.group);
                return self.kill(cluster.coordinator(Coordinated::TransactionalId, &id));
            }
            Fault::LeadersMoved => leaders::move_on(cluster, &self.topics()),
            Fault::RoadCut => self.proxies[whom].cut(),
            Fault::AllRoadsCut => self.proxies.iter().for_each(Proxy::cut),
            Fault::RoadSlow => self.proxies[whom].slow(SLOW_DELAY, SLOW_BYTES_PER_SECOND),
            Fault::AnswersKept => self.proxies[whom].keep_answers(),
            Fault::EndsComeLate => self.proxies.iter().for_each(|proxy| proxy.hold_next(END_TXN)),
            Fault::OutputRefuses => cluster.alter_topic(&self.scene.output, REFUSE),
            Fault::DeadLettersRefuse => cluster.alter_topic(&self.scene.dead_letters, REFUSE),
            Fault::OffsetsRefuse => cluster.alter_topic("__consumer_offsets", &[&OFFSETS, REFUSE].concat()),
            Fault::OutputNarrowed => cluster.alter_topic(&self.scene.output, NARROW),
            Fault::OutputMadeAnew => cluster.delete_topic(&self.scene.output),
            Fault::DeadLettersMadeAnew => cluster.delete_topic(&self.scene.dead_letters),
            Fault::RetentionOvertakes => self.overtake(i32::try_from(whom).expect("a partition")),
            Fault::PartitionAdded => self.add_partition(),
            Fault::Replayed => return Undone::Replay(replay::start(self.scene)),
            Fault::ForeignTransaction => return Undone::Transaction(self.foreign_records()),
        }
        Undone::Nothing
    }

    fn end(&mut self, fault: Fault, whom: usize, undone: Undone) {
        let cluster = self.scene.cluster;
        match undone {
            Undone::Nothing => {}
            Undone::Restart(nodes) => {
                nodes.iter().for_each(|id| cluster.node(*id).restart());
                self.until_whole();
            }
            Undone::Thaw(node) => {
                cluster.node(node).signal(Signal::Cont);
                self.until_whole();
            }
            Undone::Transaction(writer) => writer.abort(),
            Undone::Replay(replay) => {
                let ended = replay.ended();
                self.history.note(&format!("    {}", ended.stdout.lines().last().unwrap_or_default()));
                // 3: some had failed too often already.
                if !matches!(ended.code, Some(0 | 3)) {
                    self.fleet.violations.push(format!("a replay ended with {:?}: {}", ended.code, ended.stderr));
                }
                self.replayed_to = cluster.gauge(&self.scene.input, View::Committed).ends();
            }
        }
        match fault {
            Fault::ProcessorFrozen => self.fleet.thaw(whom),
            Fault::ProcessorJoined | Fault::ProcessorDoubled => self.fleet.stop(GUEST),
            Fault::RoadCut | Fault::AllRoadsCut | Fault::RoadSlow => self.proxies.iter().for_each(Proxy::mend),
            Fault::EndsComeLate => self.release(),
            Fault::OutputRefuses | Fault::OutputNarrowed => cluster.alter_topic(&self.scene.output, &[]),
            Fault::OffsetsRefuse => cluster.alter_topic("__consumer_offsets", &OFFSETS),
            Fault::OutputMadeAnew => self.taken.output_below = self.made_anew(&self.scene.output),
            Fault::DeadLettersMadeAnew => self.taken.letters_below = self.made_anew(&self.scene.dead_letters),
            Fault::DeadLettersRefuse => cluster.alter_topic(&self.scene.dead_letters, &[]),
            _ => {}
        }
    }

    fn processor(&mut self, fault: Fault, seat: usize) {
        match fault {
            Fault::ProcessorKilled => {
                self.fleet.kill(seat);
                self.fleet.start(seat);
            }
            Fault::ProcessorStopped => {
                self.fleet.stop(seat);
                self.fleet.start(seat);
            }
            _ => self.fleet.freeze(seat),
        }
    }

    fn release(&self) {
        let held = self.proxies.iter().filter(|proxy| proxy.holds_one()).count();
        self.history.note(&format!("    {held} ends come late"));
        self.proxies.iter().for_each(Proxy::release);
    }

    fn kill(&self, node: usize) -> Undone {
        self.scene.cluster.node(node).kill();
        Undone::Restart(vec![node])
    }

    /// The next node may go only when the others have got everything.
    fn until_whole(&self) {
        self.scene.cluster.until_whole(NODES_LIMIT);
        self.topics().iter().for_each(|topic| self.scene.cluster.until_in_sync(topic, NODES_LIMIT));
    }

    fn topics(&self) -> Vec<&str> {
        let Scene { input, output, dead_letters, .. } = self.scene;
        vec![input, output, dead_letters, "__consumer_offsets", "__transaction_state"]
    }

    /// Gives the ends of the input: what comes from there on was never in the topic that is gone.
    fn made_anew(&self, topic: &str) -> Vec<i64> {
        let Scene { cluster, partitions, input, .. } = self.scene;
        cluster.create_topic(topic, *partitions, &[]);
        cluster.gauge(input, View::Uncommitted).ends()
    }

    /// Has a partition begin where its records end at this moment, while nobody reads.
    fn overtake(&mut self, partition: i32) {
        let Scene { cluster, input, .. } = self.scene;
        (0..PROCESSORS).for_each(|seat| self.fleet.freeze(seat));
        wait::lasting(BEHIND);
        let committed = cluster.committed_so_far(&self.scene.group, input)[at(partition)];
        let found = read(cluster, input, View::Committed).into_iter().filter(|found| found.partition == partition);
        let found: Vec<Found> = found.collect();
        let end = found.last().map_or(committed, |last| last.offset + 1);
        cluster.delete_before(input, partition, end);
        self.taken.overtaken.push((partition, committed..end));
        self.taken.deleted.extend(found);
        self.history.note(&format!("    {} of partition {partition} are gone", end - committed));
        (0..PROCESSORS).for_each(|seat| self.fleet.thaw(seat));
    }

    /// One more partition of the input, which nobody else writes to.
    fn add_partition(&mut self) {
        let Scene { cluster, input, .. } = self.scene;
        let partition = cluster.add_partition(input);
        let writer = Writer::new(cluster, input);
        self.seed += 1;
        // Of seeds that no driver has.
        let mut maker = Maker::new(self.seed + ADDED, now_ms());
        for _ in 0..NEW_RECORDS {
            let (record, sample) = maker.mixed();
            writer.send(partition, &record);
            self.added.push((partition, record, sample));
        }
        writer.settle();
    }

    /// Records that nobody may ever see, in a transaction that is open.
    fn foreign_records(&mut self) -> Writer {
        let writer = Writer::transactional(self.scene.cluster, &self.scene.input);
        self.seed += 1;
        let mut maker = Maker::new(self.seed, now_ms());
        for partition in 0..self.scene.partitions {
            for _ in 0..5 {
                writer.send(partition, &maker.mixed().0);
            }
        }
        writer.settle();
        writer
    }
}

fn at(partition: i32) -> usize {
    usize::try_from(partition).expect("a partition's number is not negative")
}
