//! Who strikes: carries out what was planned, and undoes it.

use std::time::Duration;

use crate::fleet::{Fleet, GUEST};
use crate::history::History;
use crate::plan::{Fault, NODES, Strike};
use crate::support::children::Signal;
use crate::support::cluster::Coordinated;
use crate::support::maker::{Maker, now_ms};
use crate::support::proxy::Proxy;
use crate::support::scene::Scene;
use crate::support::wait;
use crate::support::writer::Writer;

/// For a node to be back on a busy machine.
pub const NODES_LIMIT: Duration = Duration::from_secs(240);

/// More than there are nodes: no record is taken.
const REFUSE: &[(&str, &str)] = &[("min.insync.replicas", "4")];

const SLOW_DELAY: Duration = Duration::from_millis(100);
const SLOW_BYTES_PER_SECOND: u64 = 3_000_000 / 8;

pub struct Actors<'a> {
    pub scene: &'a Scene<'a>,
    pub proxies: &'a [Proxy],
    pub history: &'a History,
    pub fleet: Fleet<'a>,
    pub seed: u64,
}

/// What must be undone.
enum Undone {
    Nothing,
    Restart(Vec<usize>),
    Thaw(usize),
    Transaction(Writer),
}

impl Actors<'_> {
    /// One strike from its beginning until everything is as it was.
    pub fn strike(&mut self, strike: &Strike) {
        let Strike { fault, whom, lasts, meanwhile, calm } = *strike;
        self.history.note(&format!("{fault:?} {whom} for {:.1} s", lasts.as_secs_f64()));
        let undone = self.begin(fault, whom);
        if let Some((also, seat)) = meanwhile {
            lasting(lasts / 2);
            self.history.note(&format!("    meanwhile {also:?} {seat}"));
            self.processor(also, seat);
            lasting(lasts / 2);
            self.fleet.thaw(seat);
        } else {
            lasting(lasts);
        }
        self.end(fault, whom, undone);
        lasting(calm);
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
            Fault::GroupCoordinatorKilled => {
                return self.kill(cluster.coordinator(Coordinated::Group, &self.scene.group));
            }
            Fault::TransactionCoordinatorKilled => {
                let id = format!("{}-{whom}", self.scene.group);
                return self.kill(cluster.coordinator(Coordinated::TransactionalId, &id));
            }
            Fault::RoadCut => self.proxies[whom].cut(),
            Fault::AllRoadsCut => self.proxies.iter().for_each(Proxy::cut),
            Fault::RoadSlow => self.proxies[whom].slow(SLOW_DELAY, SLOW_BYTES_PER_SECOND),
            Fault::AnswersKept => self.proxies[whom].keep_answers(),
            Fault::OutputRefuses => cluster.alter_topic(&self.scene.output, REFUSE),
            Fault::DeadLettersRefuse => cluster.alter_topic(&self.scene.dead_letters, REFUSE),
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
        }
        match fault {
            Fault::ProcessorFrozen => self.fleet.thaw(whom),
            Fault::ProcessorJoined | Fault::ProcessorDoubled => self.fleet.stop(GUEST),
            Fault::RoadCut | Fault::AllRoadsCut | Fault::RoadSlow => self.proxies.iter().for_each(Proxy::mend),
            Fault::OutputRefuses => cluster.alter_topic(&self.scene.output, &[]),
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

    fn kill(&self, node: usize) -> Undone {
        self.scene.cluster.node(node).kill();
        Undone::Restart(vec![node])
    }

    /// The next node may go only when the others have got everything.
    fn until_whole(&self) {
        let Scene { cluster, input, output, dead_letters, .. } = self.scene;
        cluster.until_whole(NODES_LIMIT);
        for topic in [input, output, dead_letters, "__consumer_offsets", "__transaction_state"] {
            cluster.until_in_sync(topic, NODES_LIMIT);
        }
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

/// Keeps looking for this long: a fault takes its time.
pub fn lasting(time: Duration) {
    wait::within(time, || None::<()>);
}
