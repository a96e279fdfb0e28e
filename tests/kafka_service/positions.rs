//! Which position of which log is committed, and what becomes of it when the log is another one.

use crate::support;

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::{Offset, TopicPartitionList};
use support::broker::Plan;
use support::children::Signal;
use support::cluster::{Cluster, REQUEST_LIMIT, View};
use support::driver::Driver;
use support::maker::{Maker, now_ms};
use support::oracle::verdict;
use support::scene::Guarantee::{AtLeastOnce, ExactlyOnce};
use support::scene::{Scene, under_both};
use support::service::{Call, LIMIT, Service};
use support::wait;
use support::writer::Writer;

const RESETS: &str = "messagetrace_ecs_offset_resets_total";

/// Waits until the group has committed the ends of all partitions, markers of transactions included.
fn until_committed_to_the_end(scene: &Scene<'_>, service: &mut Service) {
    let ends: Vec<_> = scene.cluster.gauge(&scene.input, View::Uncommitted).ends().into_iter().map(Some).collect();
    let progress = scene.cluster.progress(&scene.group, &scene.input);
    wait::until("the group's offsets are the ends", LIMIT, || {
        service.assert_alive();
        (progress.committed() == ends).then_some(())
    });
}

/// A member of the scene's group that commits what it is told.
fn committer(scene: &Scene<'_>) -> BaseConsumer {
    scene.cluster.client().set("group.id", &scene.group).create().expect("make a consumer")
}

/// What stands beside the group's committed offsets.
fn metadata(scene: &Scene<'_>) -> Vec<String> {
    let mut asked = TopicPartitionList::new();
    for partition in 0..scene.partitions {
        asked.add_partition(&scene.input, partition);
    }
    let answer = committer(scene).committed_offsets(asked, REQUEST_LIMIT).expect("ask for committed offsets");
    answer.elements().iter().map(|element| element.metadata().to_owned()).collect()
}

#[test]
fn a_partition_that_was_read_to_its_end_has_no_lag_for_anybody_and_retention_takes_no_position() {
    under_both(|guarantee| {
        let scene = Scene::new(Cluster::shared(), guarantee, 3);
        let mut driver = Driver::transactional(&scene, 61);
        driver.send(300);
        // Behind the last record lie others that nobody sees, and markers.
        driver.send_aborted(50);
        let mut service = Call::run(&scene).start();
        until_committed_to_the_end(&scene, &mut service);
        service.stopped().assert_code(0);
        // Retention takes the records, the aborted ones and every marker.
        let ends = scene.cluster.gauge(&scene.input, View::Uncommitted).ends();
        for (partition, end) in (0..).zip(ends) {
            scene.cluster.delete_before(&scene.input, partition, end);
        }
        let mut service = Call::run(&scene).set("input.start=error").start();
        driver.send(200);
        let ledger = driver.finish();
        service.until_sealed(200);
        until_committed_to_the_end(&scene, &mut service);
        assert_eq!(service.metric(RESETS), Some(0.0), "{}", service.log());
        let ended = service.stopped();
        ended.assert_code(0);
        assert!(!ended.stderr.contains("the position is gone"), "{}", ended.stderr);
        verdict(&scene, &ledger).assert_clean();
    });
}

#[test]
fn a_topic_made_anew_while_nobody_looked_is_known_by_its_id_however_many_records_it_has() {
    for guarantee in [ExactlyOnce, AtLeastOnce] {
        let scene = Scene::new(Cluster::shared(), guarantee, 1);
        let mut driver = Driver::new(&scene, 62);
        driver.send(500);
        driver.finish();
        let mut service = Call::run(&scene).start();
        service.until_sealed(500);
        service.stopped().assert_code(0);
        let before = metadata(&scene);
        assert!(before.iter().all(|one| one.starts_with("messagetrace-ecs/1 topic_id=")), "{before:?}");

        scene.cluster.delete_topic(&scene.input);
        scene.cluster.create_topic(&scene.input, 1, &[]);
        for topic in [&scene.output, &scene.dead_letters] {
            scene.cluster.delete_records(topic);
        }
        let mut driver = Driver::new(&scene, 63);
        driver.send(700);
        let ledger = driver.finish();
        // The brokers forget a deleted topic's offsets sooner or later; here they have not yet.
        put_back(&scene, &before, 500);
        let mut service = Call::run(&scene).start();
        service.until_sealed(700);
        assert_eq!(service.metric_of(RESETS, "reason=\"recreated\""), Some(1.0), "{}", service.log());
        let ended = service.stopped();
        ended.assert_code(0);
        assert!(ended.stderr.contains("the position is gone: records may be missed"), "{}", ended.stderr);
        assert_ne!(metadata(&scene), before, "it is another topic");
        verdict(&scene, &ledger).assert_clean();
    }
}

/// Commits an offset of an earlier topic, with what stood beside it.
fn put_back(scene: &Scene<'_>, metadata: &[String], offset: i64) {
    let mut list = TopicPartitionList::new();
    for (partition, metadata) in (0..).zip(metadata) {
        list.add_partition_offset(&scene.input, partition, Offset::Offset(offset)).expect("a valid offset");
        list.find_partition(&scene.input, partition).expect("just added").set_metadata(metadata);
    }
    committer(scene).commit(&list, CommitMode::Sync).expect("commit an offset");
}

#[test]
fn an_offset_that_others_committed_is_trusted() {
    let scene = Scene::new(Cluster::shared(), ExactlyOnce, 1);
    let mut driver = Driver::new(&scene, 64);
    driver.send(300);
    driver.settle();
    put_back(&scene, &["of another tool, topic_id=x".to_owned()], 100);
    let mut service = Call::run(&scene).start();
    service.until_sealed(200);
    assert_eq!(service.metric(RESETS), Some(0.0));
    assert_eq!(service.metric("messagetrace_ecs_records_polled_total"), Some(200.0));
    service.stopped().assert_code(0);
}

#[test]
fn a_topic_made_anew_under_a_running_service_is_known_by_its_id() {
    let scene = Scene::new(Cluster::shared(), AtLeastOnce, 1);
    let mut driver = Driver::new(&scene, 65);
    driver.send(50);
    driver.finish();
    let mut service = Call::run(&scene).start();
    service.until_sealed(50);
    // While it cannot look, the new topic grows past its position: no broker will complain.
    service.signal(Signal::Stop);
    scene.cluster.delete_topic(&scene.input);
    scene.cluster.create_topic(&scene.input, 1, &[]);
    let mut driver = Driver::new(&scene, 66);
    driver.send(300);
    driver.finish();
    service.signal(Signal::Cont);
    wait::until("the topic is known to be another one", LIMIT, || {
        service.assert_alive();
        service.metric_of(RESETS, "reason=\"recreated\"").filter(|resets| *resets > 0.0)
    });
    service.until_sealed(350);
    until_committed_to_the_end(&scene, &mut service);
    service.stopped().assert_code(0);
}

/// A leader is elected that has not got all of the log, and is written on. How much, decides whether the group's offset
/// lies within the new log.
fn goes_on_where_the_logs_part(cluster: &Cluster, new_records: usize, looker: Looker) {
    let scene = Scene::empty(cluster, ExactlyOnce, 1);
    let unclean = [("unclean.leader.election.enable", "true"), ("min.insync.replicas", "1")];
    cluster.create_replicated(&scene.input, &[2, 3], &unclean);
    if looker == Looker::RunningAfterAnotherLoss {
        cluster.add_partition_on(&scene.input, &[1, 2]);
    }
    cluster.create_topic_on(&scene.output, &[1], &[("min.insync.replicas", "1")]);
    cluster.create_topic_on(&scene.dead_letters, &[1], &[("min.insync.replicas", "1")]);
    let mut driver = Driver::new(&scene, 71);
    driver.send(500);
    driver.settle();
    wait::until("both replicas have all of it", LIMIT, || (cluster.in_sync(&scene.input).len() == 2).then_some(()));
    cluster.node(3).kill();
    wait::until("one replica is alone", LIMIT, || (cluster.in_sync(&scene.input) == [2]).then_some(()));
    driver.send(300);
    driver.finish();
    let mut service = Call::run(&scene).start();
    service.until_sealed(800);
    until_committed_to_the_end(&scene, &mut service);
    for topic in [&scene.output, &scene.dead_letters] {
        cluster.delete_records(topic);
    }
    if looker == Looker::RunningAfterAnotherLoss {
        lose_records_of_another_partition(&scene, &mut service);
    }
    let running = match looker {
        Looker::Running | Looker::RunningAfterAnotherLoss => Some(service),
        Looker::Stopped => {
            service.stopped().assert_code(0);
            None
        }
    };
    cluster.node(2).kill();
    cluster.node(3).restart();
    wait::until("the replica leads that has not got all of it", LIMIT, || {
        cluster.leader(&scene.input).filter(|leader| *leader == 3)
    });
    let mut driver = Driver::new(&scene, 72);
    driver.send(new_records);
    let ledger = driver.finish();
    let first = ledger.sent.iter().map(|sent| sent.offset).min();
    assert_eq!(first, Some(500), "300 records are lost");
    let before = if looker == Looker::Stopped { 0 } else { 800 };
    let mut service = running.unwrap_or_else(|| Call::run(&scene).start());
    service.until_sealed(before + new_records);
    until_committed_to_the_end(&scene, &mut service);
    assert_eq!(service.metric_of(RESETS, "reason=\"truncated\""), Some(1.0), "{}", service.log());
    let others = if looker == Looker::RunningAfterAnotherLoss { 1.0 } else { 0.0 };
    assert_eq!(service.metric(RESETS), Some(1.0 + others), "no other reason");
    let ended = service.stopped();
    ended.assert_code(0);
    let line = ended.stderr.lines().find(|line| line.contains("the log was cut back")).expect("it is told");
    assert!(line.contains("\"offset\":800") && line.contains("\"to\":500"), "{line}");
    cluster.node(2).restart();
    cluster.until_whole(LIMIT);
    verdict(&scene, &ledger).assert_clean();
}

/// Retention takes what nobody has read: all positions are looked at anew.
fn lose_records_of_another_partition(scene: &Scene<'_>, service: &mut Service) {
    service.signal(Signal::Stop);
    let writer = Writer::new(scene.cluster, &scene.input);
    let mut maker = Maker::new(73, now_ms());
    (0..50).for_each(|_| writer.send(1, &maker.mixed().0));
    writer.settle();
    scene.cluster.delete_before(&scene.input, 1, 50);
    service.signal(Signal::Cont);
    wait::until("the loss is found", LIMIT, || {
        service.metric_of(RESETS, "reason=\"out_of_range\"").filter(|resets| *resets == 1.0)
    });
    until_committed_to_the_end(scene, service);
}

/// Whether the service looks on while its log is cut back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Looker {
    Running,
    /// All positions have been looked at, and nothing has come since.
    RunningAfterAnotherLoss,
    Stopped,
}

#[test]
fn a_log_that_was_cut_back_while_nobody_looked_goes_on_where_the_logs_part() {
    let cluster = Plan::nodes(3).start();
    for new_records in [1_000, 100] {
        goes_on_where_the_logs_part(&cluster, new_records, Looker::Stopped);
    }
}

#[test]
fn a_log_that_is_cut_back_under_a_running_service_goes_on_where_the_logs_part() {
    let cluster = Plan::nodes(3).start();
    for looker in [Looker::Running, Looker::RunningAfterAnotherLoss] {
        goes_on_where_the_logs_part(&cluster, 1_000, looker);
    }
}

#[test]
fn an_offset_behind_an_open_transaction_is_no_offset_of_another_topic() {
    let scene = Scene::new(Cluster::shared(), ExactlyOnce, 1);
    let mut driver = Driver::transactional(&scene, 67);
    driver.send(100);
    driver.settle();
    let mut others = Driver::new(&scene, 68);
    others.send(50);
    others.settle();
    // The group was told to jump over what hangs.
    put_back(&scene, &[String::new()], 120);
    let mut service = Call::run(&scene).set("input.start=error").start();
    wait::until("the partition is ours", LIMIT, || {
        service.assert_alive();
        service.metric("messagetrace_ecs_assigned_partitions").filter(|assigned| *assigned == 1.0)
    });
    driver.commit();
    service.until_sealed(30);
    until_committed_to_the_end(&scene, &mut service);
    assert_eq!(service.metric(RESETS), Some(0.0), "{}", service.log());
    assert_eq!(service.metric("messagetrace_ecs_records_polled_total"), Some(30.0));
    service.stopped().assert_code(0);
}
