//! The means of the other tests, tried on a real broker before anything is concluded from them.

use crate::support;

use std::process::Command;
use std::time::Duration;
use std::{env, fs, thread};

use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::producer::{BaseProducer, Producer};
use rdkafka::{ClientContext, Offset, TopicPartitionList};
use support::children::{Offspring, Signal, run_directory};
use support::cluster::{Cluster, View};
use support::driver::{Driver, Ledger};
use support::oracle::{Trial, verdict};
use support::reader::read;
use support::reference::faultless;
use support::scene::{Guarantee, Scene};
use support::{raw, wait};

/// Writes to the topics and the group of a scene what a faultless service would.
fn play_the_service(scene: &Scene<'_>, ledger: &Ledger) {
    let trial = Trial {
        input: scene.input.clone(),
        group: scene.group.clone(),
        guarantee: scene.guarantee,
        keying: scene.keying,
        partitioning: scene.partitioning,
        partitions: scene.partitions,
    };
    let traces = faultless(&trial, ledger, scene.partitions);
    let producer: BaseProducer<Untold> = scene.cluster.client().create_with_context(Untold).expect("make a producer");
    for (topic, side) in [(&scene.output, &traces.output), (&scene.dead_letters, &traces.dead_letters)] {
        for found in side {
            raw::produce(&producer, topic, found.partition, &found.record, 0).expect("the producer takes it");
        }
        producer.flush(Duration::from_secs(30)).expect("the broker takes it");
    }
    let mut offsets = TopicPartitionList::new();
    for (partition, end) in (0..).zip(traces.ends) {
        offsets.add_partition_offset(&scene.input, partition, Offset::Offset(end)).expect("a valid offset");
    }
    let member: rdkafka::consumer::BaseConsumer =
        scene.cluster.client().set("group.id", &scene.group).create().expect("make a consumer");
    member.commit(&offsets, CommitMode::Sync).expect("commit the offsets");
}

/// Delivery reports that nobody asks for.
struct Untold;

impl ClientContext for Untold {}

impl rdkafka::producer::ProducerContext for Untold {
    type DeliveryOpaque = usize;

    fn delivery(&self, _: &rdkafka::message::DeliveryResult<'_>, _: usize) {}
}

#[test]
fn what_the_driver_sends_lies_in_the_topic_bit_for_bit() {
    let scene = Scene::new(Cluster::shared(), Guarantee::ExactlyOnce, 3);
    let mut driver = Driver::new(&scene, 1);
    driver.send(3000);
    let ledger = driver.finish();
    let found = read(scene.cluster, &scene.input, View::Committed);
    assert_eq!(found.len(), ledger.sent.len());
    for sent in ledger.sent {
        let found = found.iter().find(|found| (found.partition, found.offset) == (sent.partition, sent.offset));
        assert_eq!(found.map(|found| &found.record), Some(&sent.record));
    }
}

#[test]
fn a_faultless_service_satisfies_the_judge_on_a_real_broker() {
    let scene = Scene::new(Cluster::shared(), Guarantee::ExactlyOnce, 3);
    let mut driver = Driver::new(&scene, 2);
    driver.send(3000);
    let ledger = driver.finish();
    play_the_service(&scene, &ledger);
    verdict(&scene, &ledger).assert_clean();
}

#[test]
fn an_aborted_transaction_is_in_the_topic_but_not_in_the_ledger() {
    let scene = Scene::new(Cluster::shared(), Guarantee::ExactlyOnce, 2);
    let mut driver = Driver::transactional(&scene, 3);
    driver.send(100);
    driver.send_aborted(50);
    driver.send(100);
    let ledger = driver.finish();
    assert_eq!(ledger.sent.len(), 200);
    assert_eq!(read(scene.cluster, &scene.input, View::Committed).len(), 200);
    assert_eq!(read(scene.cluster, &scene.input, View::Uncommitted).len(), 250);
}

#[test]
fn children_die_with_a_test_program_that_is_killed() {
    const HANDOVER: &str = "MESSAGETRACE_TESTS_HANDOVER";
    if let Some(handover) = env::var_os(HANDOVER) {
        // This is the test program that will be killed.
        let child = Offspring::start(Command::new("sleep").arg("600"), &run_directory().join("child.log"));
        fs::write(handover, child.pid().to_string()).expect("hand the child's number over");
        loop {
            thread::park();
        }
    }
    let handover = run_directory().join("handover");
    let mut program = Command::new(env::current_exe().expect("the path of the test program"));
    program.args(["--exact", "judge::children_die_with_a_test_program_that_is_killed"]).env(HANDOVER, &handover);
    let program = Offspring::start(&program, &run_directory().join("program.log"));
    let pid = wait::until("there is a child", Duration::from_secs(30), || {
        fs::read_to_string(&handover).ok()?.parse::<u32>().ok()
    });
    let lives =
        || Command::new("sh").args(["-c", &format!("kill -0 {pid}")]).output().expect("a shell").status.success();
    assert!(lives(), "the child lives while the test program does");
    program.signal(Signal::Kill);
    wait::until("the child is gone", Duration::from_secs(30), || (!lives()).then_some(()));
}
