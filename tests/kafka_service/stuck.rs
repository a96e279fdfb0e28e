//! Never stuck: what a restart by hand would cure needs no hand, and nothing is made anew that a restart would not cure.

use crate::support;

use std::time::Duration;

use support::broker::Plan;
use support::children::Signal;
use support::cluster::{Cluster, Coordinated, View};
use support::driver::{Driver, Ledger};
use support::oracle::verdict;
use support::proxy::Proxy;
use support::scene::Guarantee::{AtLeastOnce, ExactlyOnce};
use support::scene::{Guarantee, Protocol, Scene, under_both};
use support::service::{Call, LIMIT, Service};
use support::wait;

/// Short, so that the tests are.
const STUCK_AFTER: &str = "pipeline.stuck_after=5s";

/// For a node to be back on a busy machine.
const NODES_LIMIT: Duration = Duration::from_secs(240);

fn rebuilds(service: &Service) -> f64 {
    service.metric_of("messagetrace_ecs_client_rebuilds_total", "reason=\"stuck\"").unwrap_or_default()
}

/// Waits until something of every partition that came after this moment is committed.
pub fn until_every_partition_flows(scene: &Scene<'_>, service: &mut Service) {
    let before = scene.cluster.gauge(&scene.input, View::Committed).ends();
    let progress = scene.cluster.progress(&scene.group, &scene.input);
    wait::until("every partition flows", LIMIT, || {
        service.assert_alive();
        let now = progress.committed();
        now.iter().zip(&before).all(|(now, before)| now.is_some_and(|now| now > *before)).then_some(())
    });
}

#[test]
fn answers_that_never_come_on_open_connections_are_got_over_by_new_ones() {
    under_both(|guarantee| {
        let (proxy, cluster) = Proxy::before_one_node();
        let scene = Scene::new(&cluster, guarantee, 3);
        let ledger = Driver::new(&scene, 60).under_load(2_000, 500, || {
            // With a short session the client finds out by itself, by heartbeats without answer.
            let session = "input.session_timeout=30s";
            let mut service = Call::run(&scene).set(&proxy.bootstrap()).set(session).set(STUCK_AFTER).start();
            until_every_partition_flows(&scene, &mut service);
            assert_eq!(rebuilds(&service), 0.0, "{}", service.log());
            proxy.keep_answers();
            until_every_partition_flows(&scene, &mut service);
            assert!(rebuilds(&service) > 0.0, "{}", service.log());
            let ended = service.stopped();
            ended.assert_code(0);
            let said = ended.stderr.lines().filter(|line| line.contains("has stood still for")).count();
            assert!(said > 0, "{}", ended.stderr);
        });
        Call::run_until_end(&scene).ended().assert_code(0);
        verdict(&scene, &ledger).assert_clean();
    });
}

#[test]
fn an_output_topic_that_is_deleted_is_told_and_made_anew_it_is_written_to_at_once() {
    under_both(|guarantee| {
        let scene = Scene::new(Cluster::shared(), guarantee, 3);
        let mut deleted_below = Vec::new();
        let ledger = Driver::new(&scene, 62).under_load(2_000, 500, || {
            // So long that nothing comes of it by way of the watchdog.
            let mut service = Call::run(&scene).set("pipeline.stuck_after=600s").start();
            until_every_partition_flows(&scene, &mut service);
            scene.cluster.delete_topic(&scene.output);
            wait::until("the service says what it waits for", LIMIT, || {
                service.assert_alive();
                let missing = service.metric_of("messagetrace_ecs_stalled", "cause=\"topic_missing\"");
                missing.filter(|stalled| *stalled > 0.0)
            });
            scene.cluster.create_topic(&scene.output, 3, &[]);
            deleted_below = scene.cluster.gauge(&scene.input, View::Committed).ends();
            until_every_partition_flows(&scene, &mut service);
            wait::until("it is no longer stalled", LIMIT, || {
                service.metric("messagetrace_ecs_stalled").filter(|stalled| *stalled == 0.0)
            });
            let told = format!("topic {} was made anew", scene.output);
            wait::until("it is told", LIMIT, || service.log().contains(&told).then_some(()));
            service.stopped().assert_code(0);
        });
        Call::run_until_end(&scene).ended().assert_code(0);
        verdict(&scene, &Ledger { deleted_below, ..ledger }).assert_clean();
    });
}

#[test]
fn brokers_that_come_back_at_other_addresses_are_found() {
    under_both(|guarantee| {
        let cluster = Plan::nodes(1).start();
        let front = Proxy::listen();
        front.turn_to(cluster.node(1).plain());
        let scene = Scene::new(&cluster, guarantee, 3);
        let mut driver = Driver::new(&scene, 64);
        driver.send(2_000);
        let mut ledger = driver.finish();
        let mut service = Call::run(&scene).set(&front.bootstrap()).set(STUCK_AFTER).start();
        until_sealed(&scene, &mut service);
        cluster.node(1).stop();
        cluster.node(1).move_away();
        front.turn_to(cluster.node(1).plain());
        cluster.node(1).restart();
        cluster.until_whole(NODES_LIMIT);
        let mut driver = Driver::new(&scene, 164);
        driver.send(2_000);
        ledger.sent.extend(driver.finish().sent);
        until_sealed(&scene, &mut service);
        service.stopped().assert_code(0);
        verdict(&scene, &ledger).assert_clean();
    });
}

/// Waits until all that lies in the input topic is committed.
fn until_sealed(scene: &Scene<'_>, service: &mut Service) {
    let ends = scene.cluster.gauge(&scene.input, View::Committed).ends();
    let progress = scene.cluster.progress(&scene.group, &scene.input);
    wait::until("everything is sealed", LIMIT, || {
        service.assert_alive();
        let now = progress.committed();
        now.iter().zip(&ends).all(|(now, end)| now.is_some_and(|now| now >= *end)).then_some(())
    });
}

#[test]
fn a_process_that_stood_still_past_its_session_goes_on_without_making_anything_anew() {
    under_both(|guarantee| {
        let scene = Scene::new(Cluster::shared(), guarantee, 4);
        let ledger = Driver::new(&scene, 66).under_load(2_000, 500, || {
            let mut service = Call::run(&scene).set(STUCK_AFTER).start();
            until_every_partition_flows(&scene, &mut service);
            service.signal(Signal::Stop);
            let other = Call::run(&scene).on_another_port().start();
            wait::until("the other has all partitions", LIMIT, || {
                other.metric("messagetrace_ecs_assigned_partitions").filter(|assigned| *assigned == 4.0)
            });
            service.signal(Signal::Cont);
            until_every_partition_flows(&scene, &mut service);
            other.stopped().assert_code(0);
            until_every_partition_flows(&scene, &mut service);
            assert_eq!(rebuilds(&service), 0.0, "{}", service.log());
            service.stopped().assert_code(0);
        });
        Call::run_until_end(&scene).ended().assert_code(0);
        verdict(&scene, &ledger).assert_clean();
    });
}

#[test]
fn a_member_without_partitions_is_left_alone() {
    for protocol in [Protocol::Classic, Protocol::Consumer] {
        let mut scene = Scene::new(Cluster::shared(), ExactlyOnce, 1);
        scene.protocol = protocol;
        Driver::new(&scene, 70).under_load(1_000, 100, || {
            let patient = "pipeline.stuck_after=2s";
            let mut service = Call::run(&scene).set(patient).start();
            until_every_partition_flows(&scene, &mut service);
            let other = Call::run(&scene).set(patient).on_another_port().start();
            // Several times as long as either may stand still.
            wait::within(Duration::from_secs(12), || {
                assert_eq!((rebuilds(&service), rebuilds(&other)), (0.0, 0.0), "{protocol:?}: {}", other.log());
                None::<()>
            });
            until_every_partition_flows(&scene, &mut service);
            other.stopped().assert_code(0);
            service.stopped().assert_code(0);
        });
    }
}

#[test]
fn while_the_brokers_are_away_nothing_is_made_anew_and_no_end_is_by_a_signal() {
    let cluster = Plan::nodes(3).start();
    for (seed, guarantee) in [(68, ExactlyOnce), (69, AtLeastOnce)] {
        let scene = Scene::new(&cluster, guarantee, 3);
        let mut driver = Driver::new(&scene, seed);
        driver.send(2_000);
        let ledger = driver.finish();
        let coordinator = cluster.node(cluster.coordinator(Coordinated::Group, &scene.group));
        coordinator.signal(Signal::Stop);
        ended_by_itself(&scene, guarantee);
        coordinator.signal(Signal::Cont);
        cluster.until_whole(NODES_LIMIT);
        Call::run_until_end(&scene).ended().assert_code(0);
        verdict(&scene, &ledger).assert_clean();
    }
}

#[test]
fn while_the_only_broker_stands_still_nothing_is_made_anew() {
    under_both(|guarantee| {
        let cluster = Plan::nodes(1).start();
        let scene = Scene::new(&cluster, guarantee, 3);
        let ledger = Driver::new(&scene, 71).under_load(1_000, 200, || {
            let mut service = Call::run(&scene).set(STUCK_AFTER).start();
            until_every_partition_flows(&scene, &mut service);
            cluster.node(1).signal(Signal::Stop);
            // Several times as long as anything may stand.
            wait::within(Duration::from_secs(20), || {
                assert_eq!(rebuilds(&service), 0.0, "{guarantee:?}: {}", service.log());
                None::<()>
            });
            cluster.node(1).signal(Signal::Cont);
            cluster.until_whole(NODES_LIMIT);
            until_every_partition_flows(&scene, &mut service);
            service.stopped().assert_code(0);
        });
        Call::run_until_end(&scene).ended().assert_code(0);
        verdict(&scene, &ledger).assert_clean();
    });
}

/// A service that starts while nobody coordinates its group, and is stopped again.
fn ended_by_itself(scene: &Scene<'_>, guarantee: Guarantee) {
    let service = Call::run(scene).set(STUCK_AFTER).set("pipeline.shutdown_timeout=2s").start();
    wait::until("the service answers", LIMIT, || service.get("/livez"));
    wait::within(Duration::from_secs(12), || {
        assert_eq!(rebuilds(&service), 0.0, "{guarantee:?}: {}", service.log());
        None::<()>
    });
    let ended = service.stopped();
    assert!(ended.code.is_some(), "{guarantee:?}: ended by a signal:\n{}", ended.stderr);
}
