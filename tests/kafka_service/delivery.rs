//! The promise on a real broker: every record's fate comes out, once and in order, whatever happens to the process.

use crate::stuck::until_every_partition_flows;
use crate::support;

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::{Offset, TopicPartitionList};
use support::cluster::{Cluster, View};
use support::driver::Driver;
use support::oracle::verdict;
use support::reader::read;
use support::scene::Guarantee::{AtLeastOnce, ExactlyOnce};
use support::scene::{Guarantee, Keying, Partitioning, Protocol, Scene};
use support::segments::batches;
use support::service::{Call, Ended, LIMIT};
use support::wait;

const PARTITIONS: i32 = 6;
const RECORDS: usize = 50_000;
const PER_SECOND: u32 = 10_000;

#[test]
fn fifty_thousand_mixed_records_come_out_complete() {
    let scene = Scene::new(Cluster::shared(), ExactlyOnce, PARTITIONS);
    let mut driver = Driver::new(&scene, 1);
    driver.send(RECORDS);
    let ledger = driver.finish();
    // By default there is one on a machine of two CPUs, and nothing to get out of order.
    Call::run_until_end(&scene).set("pipeline.workers=4").ended().assert_code(0);
    verdict(&scene, &ledger).assert_clean();
}

/// Each request has a place on the way that a thousand events could have.
#[test]
fn few_dead_letters_among_many_events_take_few_requests() {
    let scene = Scene::new(Cluster::shared(), ExactlyOnce, 1);
    let mut driver = Driver::new(&scene, 15);
    for _ in 0..1_000 {
        driver.send_good(59);
        driver.send_bad(1);
    }
    let ledger = driver.finish();
    Call::run_until_end(&scene).ended().assert_code(0);
    verdict(&scene, &ledger).assert_clean();
    let batches = |topic| batches(&scene.cluster.node(1).data(), topic);
    let (events, letters) = (batches(&scene.output), batches(&scene.dead_letters));
    assert!(0 < letters && letters * 2 < events, "batches: {events} of events, {letters} of dead letters");
}

#[test]
fn killed_three_times_nothing_comes_out_twice_or_out_of_order() {
    killed_three_times(ExactlyOnce, 2);
}

#[test]
fn killed_three_times_nothing_is_lost_at_least_once() {
    killed_three_times(AtLeastOnce, 3);
}

fn killed_three_times(guarantee: Guarantee, seed: u64) {
    let scene = Scene::new(Cluster::shared(), guarantee, PARTITIONS);
    let written = scene.cluster.gauge(&scene.output, View::Uncommitted);
    let ledger = Driver::new(&scene, seed).under_load(RECORDS, PER_SECOND, || {
        for kill in 1..=3 {
            let service = Call::run(&scene).set("pipeline.commit_interval=100ms").start();
            written.until(kill * 8_000, LIMIT);
            service.kill();
        }
    });
    let committed: i64 = scene.cluster.committed(&scene.group, &scene.input).into_iter().flatten().sum();
    assert!(0 < committed && committed < 50_000, "killed on the way, not before or behind it: {committed}");
    Call::run_until_end(&scene).ended().assert_code(0);
    verdict(&scene, &ledger).assert_clean();
}

#[test]
fn sigterm_under_load_repeats_nothing_exactly_once() {
    stopped_under_load(ExactlyOnce, 4);
}

#[test]
fn sigterm_under_load_repeats_nothing_at_least_once() {
    stopped_under_load(AtLeastOnce, 5);
}

fn stopped_under_load(guarantee: Guarantee, seed: u64) {
    let scene = Scene::new(Cluster::shared(), guarantee, PARTITIONS);
    let written = scene.cluster.gauge(&scene.output, View::Uncommitted);
    let ledger = Driver::new(&scene, seed).under_load(30_000, PER_SECOND, || {
        for stop in 1..=2 {
            let service = Call::run(&scene).start();
            written.until(stop * 8_000, LIMIT);
            service.stopped().assert_code(0);
        }
    });
    Call::run_until_end(&scene).ended().assert_code(0);
    let report = verdict(&scene, &ledger);
    report.assert_clean();
    assert_eq!(report.repeats, 0, "{report}");
}

#[test]
fn two_instances_share_the_partitions_while_one_comes_and_goes() {
    one_comes_and_goes(Protocol::Classic, 6);
}

#[test]
fn two_instances_share_the_partitions_under_the_consumer_protocol() {
    one_comes_and_goes(Protocol::Consumer, 7);
}

fn one_comes_and_goes(protocol: Protocol, seed: u64) {
    let mut scene = Scene::new(Cluster::shared(), ExactlyOnce, PARTITIONS);
    scene.protocol = protocol;
    let written = scene.cluster.gauge(&scene.output, View::Uncommitted);
    let ledger = Driver::new(&scene, seed).under_load(80_000, PER_SECOND, || {
        let mut first = Call::run(&scene).start();
        first.until_ready();
        let mut second = Call::run(&scene).on_another_port().start();
        second.until_ready();
        wait::until("both have partitions", LIMIT, || {
            let shares = [&first, &second].map(|service| service.metric("messagetrace_ecs_assigned_partitions"));
            (shares.iter().all(|share| *share > Some(0.0))).then_some(())
        });
        let before = written.total();
        written.until(before + 5_000, LIMIT);
        second.stopped().assert_code(0);
        wait::until("the first has all partitions again", LIMIT, || {
            (first.metric("messagetrace_ecs_assigned_partitions") == Some(f64::from(PARTITIONS))).then_some(())
        });
        // In the group as it is now: what it knew of it before has been refused from there on.
        until_every_partition_flows(&scene, &mut first);
        first.stopped().assert_code(0);
    });
    Call::run_until_end(&scene).ended().assert_code(0);
    verdict(&scene, &ledger).assert_clean();
}

#[test]
fn an_aborted_transaction_leaves_nothing_behind() {
    let scene = Scene::new(Cluster::shared(), ExactlyOnce, PARTITIONS);
    let mut driver = Driver::new(&scene, 8);
    driver.send(RECORDS);
    let ledger = driver.finish();
    let written = scene.cluster.gauge(&scene.output, View::Uncommitted);
    // So long that nothing is committed before everything is through.
    let service = Call::run(&scene).set("pipeline.commit_interval=20s").set("pipeline.transaction_timeout=60s").start();
    written.until(2_000, LIMIT);
    service.kill();
    let visible = scene.cluster.gauge(&scene.output, View::Committed);
    assert_eq!(visible.total(), 0, "killed between produce and commit");
    Call::run_until_end(&scene).ended().assert_code(0);
    let report = verdict(&scene, &ledger);
    report.assert_clean();
    let everything = read(scene.cluster, &scene.output, View::Uncommitted).len();
    assert!(everything >= report.events + 2_000, "{everything} records are there, aborted ones included\n{report}");
}

#[test]
fn aborted_input_is_not_read_and_does_not_hide_the_end() {
    let scene = Scene::new(Cluster::shared(), ExactlyOnce, 3);
    let mut driver = Driver::transactional(&scene, 9);
    driver.send(1_000);
    driver.send_aborted(300);
    driver.send(1_000);
    // The last thing in each partition is something that no reader sees.
    driver.send_aborted(300);
    let ledger = driver.finish();
    Call::run_until_end(&scene).ended().assert_code(0);
    verdict(&scene, &ledger).assert_clean();
}

#[test]
fn a_position_that_is_gone_is_replaced_by_what_input_start_says() {
    let scene = Scene::new(Cluster::shared(), ExactlyOnce, 1);
    let mut driver = Driver::new(&scene, 13);
    driver.send(300);
    let ledger = driver.finish();
    // As if the topic had been longer once.
    let mut client = scene.cluster.client();
    let consumer: BaseConsumer = client.set("group.id", &scene.group).create().expect("a consumer");
    let mut beyond = TopicPartitionList::new();
    beyond.add_partition_offset(&scene.input, 0, Offset::Offset(5_000)).expect("an offset");
    consumer.commit(&beyond, CommitMode::Sync).expect("commit an offset past the end");

    let refused = Call::run_until_end(&scene).set("input.start=error").ended();
    refused.assert_code(1);
    assert!(refused.stderr.contains("offset 5000"), "{}", refused.stderr);
    let ended = Call::run_until_end(&scene).ended();
    ended.assert_code(0);
    assert!(ended.stderr.contains("the position is gone"), "{}", ended.stderr);
    verdict(&scene, &ledger).assert_clean();
}

#[test]
fn a_new_group_begins_where_input_start_says() {
    let mut scene = Scene::new(Cluster::shared(), ExactlyOnce, 2);
    let mut driver = Driver::new(&scene, 14);
    driver.send(300);
    let ledger = driver.finish();
    let [output, uncommitted] =
        [View::Committed, View::Uncommitted].map(|view| scene.cluster.gauge(&scene.output, view));
    // The brokers go on ending a transaction after they have said that it is committed.
    let total = || {
        wait::until("no transaction is open", LIMIT, || {
            let total = output.total();
            (total == uncommitted.total()).then_some(total)
        })
    };
    let group = scene.group.clone();
    let (cluster, written) = (scene.cluster, [scene.output.clone(), scene.dead_letters.clone()]);
    let mut begins_at = |start: &str| {
        scene.group = format!("{group}-{start}");
        Call::run_until_end(&scene).set(&format!("input.start={start}")).ended()
    };
    let refused = begins_at("error");
    refused.assert_code(1);
    assert!(refused.stderr.contains("input.start"), "{}", refused.stderr);
    for nothing in ["latest", "2999-01-01T00:00:00Z"] {
        begins_at(nothing).assert_code(0);
    }
    assert_eq!(total(), 0, "there was nothing to read for them");
    // Kafka's time begins later.
    begins_at("1900-01-01T00:00:00Z").assert_code(0);
    let once = total();
    written.iter().for_each(|topic| cluster.delete_records(topic));
    begins_at("2000-01-01T00:00:00Z").assert_code(0);
    assert_eq!(total(), 2 * once, "all of it is later than either");
    verdict(&scene, &ledger).assert_clean();
}

#[test]
fn empty_partitions_end_at_once() {
    let scene = Scene::new(Cluster::shared(), ExactlyOnce, PARTITIONS);
    let ledger = Driver::new(&scene, 10).finish();
    Call::run_until_end(&scene).ended().assert_code(0);
    verdict(&scene, &ledger).assert_clean();
}

#[test]
fn by_event_id_all_copies_lie_in_one_partition_and_each_id_keeps_its_order() {
    for guarantee in [ExactlyOnce, AtLeastOnce] {
        let mut scene = Scene::new(Cluster::shared(), guarantee, PARTITIONS);
        scene.keying = Keying::EventId;
        let mut driver = Driver::new(&scene, 12);
        driver.send(5_000);
        let ledger = driver.finish();
        Call::run_until_end(&scene).ended().assert_code(0);
        verdict(&scene, &ledger).assert_clean();
        audited(&scene, &[]).assert_code(0);
    }
    // Events that bear the keys of their input are no events that bear their ids.
    let scene = Scene::new(Cluster::shared(), ExactlyOnce, 1);
    let mut driver = Driver::new(&scene, 12);
    driver.send(50);
    driver.finish();
    Call::run_until_end(&scene).ended().assert_code(0);
    audited(&scene, &[]).assert_code(0);
    let otherwise = audited(&scene, &["output.key=event_id"]);
    otherwise.assert_code(3);
    assert!(otherwise.stdout.contains("(the record's key)"), "{}", otherwise.stdout);
}

fn audited(scene: &Scene<'_>, more: &[&str]) -> Ended {
    let call = scene.settings().iter().fold(Call::of(&["audit", "--content"]), |call, setting| call.set(setting));
    more.iter().fold(call, |call, setting| call.set(setting)).ended()
}

#[test]
fn by_source_partition_keyless_records_keep_their_order() {
    for guarantee in [ExactlyOnce, AtLeastOnce] {
        let mut scene = Scene::new(Cluster::shared(), guarantee, PARTITIONS);
        scene.partitioning = Partitioning::Source;
        let mut driver = Driver::new(&scene, 11);
        driver.send(5_000);
        let ledger = driver.finish();
        Call::run_until_end(&scene).ended().assert_code(0);
        verdict(&scene, &ledger).assert_clean();
    }
}
