//! Nodes of three are killed, stopped and frozen under load, the one that matters most first: the coordinator of the
//! group. A program of its own, as each of these takes its cluster apart.

mod support;

use std::time::Duration;

use support::broker::Plan;
use support::children::Signal;
use support::cluster::{Cluster, Coordinated, View};
use support::driver::Driver;
use support::oracle::verdict;
use support::scene::Guarantee::{AtLeastOnce, ExactlyOnce};
use support::scene::Scene;
use support::service::{Call, LIMIT};
use support::wait;

/// For a node to be back: three of them and the service share what may be two cores.
const NODES_LIMIT: Duration = Duration::from_secs(240);

#[test]
fn a_node_is_killed_and_another_stopped_under_load() {
    let cluster = Plan::nodes(3).start();
    for guarantee in [ExactlyOnce, AtLeastOnce] {
        let scene = Scene::new(&cluster, guarantee, 6);
        let written = cluster.gauge(&scene.output, View::Uncommitted);
        let ledger = Driver::new(&scene, 34).under_load(50_000, 5_000, || {
            let mut service = Call::run(&scene).start();
            written.until(3_000, LIMIT);
            cluster.node(1).kill();
            cluster.until_whole(NODES_LIMIT);
            let before = written.total();
            written.until(before + 3_000, LIMIT);
            cluster.node(1).restart();
            cluster.until_whole(NODES_LIMIT);
            cluster.until_in_sync(&scene.output, NODES_LIMIT);
            cluster.node(3).stop();
            cluster.until_whole(NODES_LIMIT);
            let before = written.total();
            written.until(before + 3_000, LIMIT);
            cluster.node(3).restart();
            cluster.until_whole(NODES_LIMIT);
            service.assert_alive();
            service.stopped().assert_code(0);
        });
        Call::run_until_end(&scene).ended().assert_code(0);
        verdict(&scene, &ledger).assert_clean();
    }
}

#[test]
fn the_coordinator_of_the_group_dies_or_stands_still_and_the_service_goes_on() {
    let cluster = Plan::nodes(3).start();
    // Killed, it is soon no part of the cluster any more; standing still, it keeps its connections and says nothing.
    for (seed, freeze) in [(37, false), (38, true)] {
        let scene = Scene::new(&cluster, ExactlyOnce, 6);
        let transactional_id = id_coordinated_elsewhere(&scene);
        let written = cluster.gauge(&scene.output, View::Committed);
        let ledger = Driver::new(&scene, seed).under_load(20_000, 2_000, || {
            let setting = format!("pipeline.transactional_id={transactional_id}");
            let mut service = Call::run(&scene).set(&setting).start();
            written.until(3_000, LIMIT);
            let node = cluster.node(cluster.coordinator(Coordinated::Group, &scene.group));
            if freeze {
                node.signal(Signal::Stop);
            } else {
                node.kill();
            }
            let before = written.total();
            written.until(before + 3_000, LIMIT);
            let live = service.get("/livez").map(|(status, _)| status);
            assert_eq!(live, Some(200), "waiting is no reason to be restarted");
            if freeze {
                node.signal(Signal::Cont);
            } else {
                node.restart();
            }
            cluster.until_whole(NODES_LIMIT);
            cluster.until_in_sync(&scene.output, NODES_LIMIT);
            service.assert_alive();
            service.stopped().assert_code(0);
        });
        Call::run_until_end(&scene).ended().assert_code(0);
        verdict(&scene, &ledger).assert_clean();
    }
}

#[test]
fn partitions_without_replicas_are_read_on_once_their_node_is_back() {
    let cluster = Plan::nodes(3).start();
    for (seed, guarantee) in [(40, ExactlyOnce), (41, AtLeastOnce)] {
        let scene = Scene::empty(&cluster, guarantee, 6);
        cluster.create_topic_on(&scene.input, &[1, 2, 3, 1, 2, 3], &[]);
        cluster.create_topic(&scene.output, 6, &[]);
        cluster.create_topic(&scene.dead_letters, 6, &[]);
        let written = cluster.gauge(&scene.output, View::Uncommitted);
        let ledger = Driver::new(&scene, seed).under_load(20_000, 2_000, || {
            let mut service = Call::run(&scene).start();
            written.until(3_000, LIMIT);
            for node in [2, 3, 1] {
                cluster.node(node).kill();
                cluster.until_whole(NODES_LIMIT);
                cluster.node(node).restart();
                cluster.until_whole(NODES_LIMIT);
                cluster.until_in_sync(&scene.output, NODES_LIMIT);
                let before = cluster.committed(&scene.group, &scene.input);
                wait::until("each partition goes on", NODES_LIMIT, || {
                    let now = cluster.committed(&scene.group, &scene.input);
                    now.iter().zip(&before).all(|(now, before)| now > before).then_some(())
                });
                service.assert_alive();
            }
            service.stopped().assert_code(0);
        });
        Call::run_until_end(&scene).ended().assert_code(0);
        verdict(&scene, &ledger).assert_clean();
    }
}

/// A transactional id that another node answers for than for the group, so that only the group loses its coordinator.
fn id_coordinated_elsewhere(scene: &Scene<'_>) -> String {
    let cluster: &Cluster = scene.cluster;
    // The cluster makes its internal topics when somebody first needs them.
    cluster.committed(&scene.group, &scene.input);
    drop(Driver::transactional(scene, 0));
    let of_group = cluster.coordinator(Coordinated::Group, &scene.group);
    (0..)
        .map(|number| format!("{}-{number}", scene.group))
        .find(|id| cluster.coordinator(Coordinated::TransactionalId, id) != of_group)
        .expect("three nodes share the transactional ids")
}
