//! A node of three is killed and another stopped under load. A command of its own, `cargo test --test kafka_broker_loss`:
//! librdkafka 2.12 may wait without end for a group coordinator that died while offsets were sent to a transaction, so
//! that this fails whenever the killed node was the coordinator at the wrong moment.

mod support;

use support::broker::Plan;
use support::cluster::View;
use support::driver::Driver;
use support::oracle::verdict;
use support::scene::Guarantee::{AtLeastOnce, ExactlyOnce};
use support::scene::Scene;
use support::service::{Call, LIMIT};

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
            cluster.until_whole(LIMIT);
            let before = written.total();
            written.until(before + 3_000, LIMIT);
            cluster.node(1).restart();
            cluster.until_whole(LIMIT);
            cluster.until_in_sync(&scene.output, LIMIT);
            cluster.node(3).stop();
            cluster.until_whole(LIMIT);
            let before = written.total();
            written.until(before + 3_000, LIMIT);
            cluster.node(3).restart();
            cluster.until_whole(LIMIT);
            service.assert_alive();
            service.stopped().assert_code(0);
        });
        Call::run_until_end(&scene).ended().assert_code(0);
        verdict(&scene, &ledger).assert_clean();
    }
}
