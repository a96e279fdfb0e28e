//! What the service tells about lag, pauses and brokers, on a real cluster.

use crate::support;

use std::collections::BTreeMap;

use support::broker::Plan;
use support::children::Signal;
use support::cluster::{Cluster, View};
use support::driver::Driver;
use support::oracle::verdict;
use support::scene::Guarantee::{AtLeastOnce, ExactlyOnce};
use support::scene::Scene;
use support::service::{Call, LIMIT, Service};
use support::wait;

const RECORDS: &str = "messagetrace_ecs_processing_lag_records";
const SECONDS: &str = "messagetrace_ecs_processing_lag_seconds";

fn until(service: &Service, what: &str, metric: &str, holds: impl Fn(f64) -> bool) -> f64 {
    wait::until(what, LIMIT, || service.metric(metric).filter(|value| holds(*value)))
}

/// The samples of a metric, by their labels.
fn samples(service: &Service, metric: &str) -> BTreeMap<String, f64> {
    let (_, body) = service.get("/metrics").unwrap_or_default();
    let of_metric = body.lines().filter_map(|line| line.strip_prefix(metric)?.strip_prefix('{')?.split_once("} "));
    of_metric.map(|(labels, value)| (labels.to_owned(), value.parse().expect("a number"))).collect()
}

#[test]
fn a_transactional_input_that_was_caught_up_leaves_no_lag() {
    for guarantee in [ExactlyOnce, AtLeastOnce] {
        let scene = Scene::new(Cluster::shared(), guarantee, 3);
        let mut driver = Driver::transactional(&scene, 41);
        driver.send(1_000);
        // Behind the last record lie others that nobody sees, and markers.
        driver.send_aborted(100);
        let service = Call::run(&scene).start();
        wait::until("all records are sealed", LIMIT, || (service.sealed() == Some(1_000.0)).then_some(()));
        until(&service, "no records wait", RECORDS, |lag| lag == 0.0);
        assert_eq!(service.metric(SECONDS), Some(0.0));
        assert_eq!(samples(&service, RECORDS).len(), 3);
        // And again from there.
        driver.send(1_000);
        let ledger = driver.finish();
        wait::until("these are sealed as well", LIMIT, || (service.sealed() == Some(2_000.0)).then_some(()));
        until(&service, "no records wait again", RECORDS, |lag| lag == 0.0);
        service.stopped().assert_code(0);
        verdict(&scene, &ledger).assert_clean();
    }
}

#[test]
fn lag_grows_while_the_output_stands_still_and_goes_when_it_was_caught_up() {
    let cluster = Plan::nodes(3).start();
    let scene = Scene::empty(&cluster, ExactlyOnce, 2);
    cluster.create_topic_on(&scene.input, &[1, 3], &[]);
    cluster.create_topic_on(&scene.output, &[2, 2], &[]);
    cluster.create_topic_on(&scene.dead_letters, &[2, 2], &[]);
    let written = cluster.gauge(&scene.output, View::Uncommitted);
    let mut driver = Driver::new(&scene, 42);
    driver.send(20_000);
    driver.settle();
    let service = Call::run(&scene).set("pipeline.memory_budget=16MiB").start();
    written.until(1_000, LIMIT);
    cluster.node(2).signal(Signal::Stop);
    until(&service, "the partitions are paused", "messagetrace_ecs_paused_seconds_total", |paused| paused > 0.0);
    until(&service, "records wait", RECORDS, |lag| lag > 0.0);
    // The client fetches nothing any more; the end is known all the same.
    driver.send(30_000);
    driver.settle();
    // All that is not sealed: on a busy machine what was sealed is told late.
    wait::until("the new records are seen", LIMIT, || {
        let sealed = service.metric("messagetrace_ecs_committed_offset").unwrap_or_default();
        (service.metric(RECORDS)? + sealed >= 50_000.0).then_some(())
    });
    let seconds = until(&service, "the oldest record has an age", SECONDS, |seconds| seconds > 0.0);
    until(&service, "it ages", SECONDS, |now| now > seconds);
    cluster.node(2).signal(Signal::Cont);
    until(&service, "everything is caught up", RECORDS, |lag| lag == 0.0);
    assert_eq!(service.metric(SECONDS), Some(0.0));
    let ledger = driver.finish();
    verdict(&scene, &ledger).assert_clean();

    let up = |node: usize| {
        let port = cluster.node(node).ports.plain;
        samples(&service, "messagetrace_ecs_broker_up").get(&format!("broker=\"127.0.0.1:{port}/{node}\"")).copied()
    };
    assert_eq!([up(1), up(2), up(3)], [Some(1.0); 3]);
    cluster.node(3).kill();
    wait::until("the dead broker is seen", LIMIT, || (up(3) == Some(0.0)).then_some(()));
    assert_eq!(up(1), Some(1.0));
}

#[test]
fn the_series_of_a_partition_go_to_whoever_gets_it() {
    const PARTITIONS: usize = 4;
    let scene = Scene::new(Cluster::shared(), ExactlyOnce, 4);
    let mut driver = Driver::new(&scene, 43);
    driver.send(1_000);
    driver.settle();
    let series = |service: &Service| -> Vec<String> { samples(service, RECORDS).into_keys().collect() };
    let first = Call::run(&scene).start();
    wait::until("the first tells of all partitions", LIMIT, || (series(&first).len() == PARTITIONS).then_some(()));
    let second = Call::run(&scene).on_another_port().start();
    wait::until("both tell of their own", LIMIT, || {
        let (mut both, theirs) = (series(&first), series(&second));
        let is_shared = !both.is_empty() && !theirs.is_empty();
        both.extend(theirs);
        both.sort();
        both.dedup();
        let each_once = series(&first).len() + series(&second).len() == PARTITIONS;
        (is_shared && each_once && both.len() == PARTITIONS).then_some(())
    });
    for name in [SECONDS, "messagetrace_ecs_committed_offset"] {
        assert!(samples(&first, name).keys().all(|labels| series(&first).contains(labels)), "{name}");
    }
    second.stopped().assert_code(0);
    wait::until("the first tells of all again", LIMIT, || (series(&first).len() == PARTITIONS).then_some(()));
    first.stopped().assert_code(0);
}
