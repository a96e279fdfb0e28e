//! What is waited for is said, in a line that names the cure, and its end in another: what others hold back, and what
//! brokers do to those who have nothing to say.

use crate::support;

use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::producer::{BaseProducer, Producer as _};
use rdkafka::{Offset, TopicPartitionList};

use support::broker::Plan;
use support::cluster::{Cluster, REQUEST_LIMIT};
use support::driver::Driver;
use support::oracle::verdict;
use support::scene::Guarantee::{AtLeastOnce, ExactlyOnce};
use support::scene::Scene;
use support::service::{Call, LIMIT, Service};
use support::wait;

/// Waits for a line of the log that has all of these in it.
fn until_said(service: &mut Service, what: &[&str]) -> String {
    wait::until("the line is said", LIMIT, || {
        service.assert_alive();
        service.log().lines().find(|line| what.iter().all(|word| line.contains(word))).map(str::to_owned)
    })
}

/// A process that sent offsets of the group to a transaction, and does nothing more.
fn orphan(scene: &Scene<'_>) -> BaseProducer {
    let producer: BaseProducer = scene
        .cluster
        .client()
        .set("transactional.id", format!("orphan-of-{}", scene.group))
        .set("transaction.timeout.ms", "600000")
        .create()
        .expect("make a producer");
    producer.init_transactions(REQUEST_LIMIT).expect("introduce the producer");
    producer.begin_transaction().expect("begin a transaction");
    let member: BaseConsumer = scene.cluster.client().set("group.id", &scene.group).create().expect("make a consumer");
    let mut offsets = TopicPartitionList::new();
    offsets.add_partition_offset(&scene.input, 0, Offset::Offset(0)).expect("an offset");
    let group = member.group_metadata().expect("a consumer has a group");
    producer.send_offsets_to_transaction(&offsets, &group, REQUEST_LIMIT).expect("send offsets");
    producer
}

#[test]
fn offsets_that_an_orphan_holds_back_are_named_with_the_setting_and_waited_for() {
    let scene = Scene::new(Cluster::shared(), ExactlyOnce, 1);
    let mut driver = Driver::new(&scene, 90);
    driver.send(200);
    let ledger = driver.finish();
    let orphan = orphan(&scene);
    let mut service = Call::run(&scene).start();
    let partition = format!("{}/0", scene.input);
    let told = ["stalled: ", "\"cause\":\"group\"", &partition, "pipeline.transaction_timeout"];
    until_said(&mut service, &told);
    // With nothing in hand there is nothing to wait for.
    let ended = service.stopped();
    ended.assert_code(0);
    assert!(!ended.stderr.contains("shutdown_timeout passed"), "{}", ended.stderr);
    let mut service = Call::run(&scene).start();
    until_said(&mut service, &told);
    orphan.abort_transaction(REQUEST_LIMIT).expect("end the orphan's transaction");
    until_said(&mut service, &["no longer stalled", "\"cause\":\"group\""]);
    service.stopped().assert_code(0);
    Call::run_until_end(&scene).ended().assert_code(0);
    verdict(&scene, &ledger).assert_clean();
}

#[test]
fn a_member_that_was_killed_is_waited_for_in_a_line_that_names_its_session_timeout() {
    let scene = Scene::new(Cluster::shared(), AtLeastOnce, 1);
    let session = "input.session_timeout=20s";
    let mut killed = Call::run(&scene).set(session).on_another_port().start();
    killed.until_ready();
    killed.kill();
    let mut service = Call::run(&scene).set(session).start();
    until_said(&mut service, &["stalled: ", "\"cause\":\"group\"", &scene.group, "input.session_timeout"]);
    service.until_ready();
    until_said(&mut service, &["no longer stalled", "\"cause\":\"group\""]);
    service.stopped().assert_code(0);
}

/// On brokers that close connections soon: at least once, the producer has nothing to say between two records.
#[test]
fn a_connection_that_nobody_uses_is_closed_and_nothing_is_stalled_for_that() {
    let cluster = Plan::nodes(1).with("connections.max.idle.ms", "3000").start();
    let scene = Scene::new(&cluster, AtLeastOnce, 1);
    let mut service = Call::run(&scene).set("log.level=debug").start();
    service.until_ready();
    let mut driver = Driver::new(&scene, 91);
    driver.send(20);
    let delivered = |service: &Service, records: f64| (service.sealed()? >= records).then_some(());
    wait::until("the first records are sealed", LIMIT, || delivered(&service, 20.0));
    until_said(&mut service, &["brokers are down"]);
    let told = "messagetrace_ecs_stalled";
    // As long as it took to call it a stall, and longer.
    let from = std::time::Instant::now();
    wait::until("nothing is stalled for a while", LIMIT, || {
        assert_eq!(service.metric(told), Some(0.0));
        (from.elapsed() > Duration::from_secs(7)).then_some(())
    });
    driver.send(20);
    let ledger = driver.finish();
    wait::until("the others are sealed", LIMIT, || delivered(&service, 40.0));
    let ended = service.stopped();
    ended.assert_code(0);
    assert!(!ended.stderr.contains("stalled: "), "{}", ended.stderr);
    verdict(&scene, &ledger).assert_clean();
}
