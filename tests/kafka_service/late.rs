//! Requests that reach a broker long after the client has given up their connection.

use crate::stuck::until_every_partition_flows;
use crate::support;

use std::time::Duration;

use support::driver::Driver;
use support::oracle::verdict;
use support::proxy::{END_TXN, Proxy};
use support::scene::Guarantee::ExactlyOnce;
use support::scene::Scene;
use support::service::{Call, LIMIT, Service};
use support::wait;

#[test]
fn an_end_of_a_transaction_that_comes_late_ends_no_other() {
    let (proxy, cluster) = Proxy::before_one_node();
    let scene = Scene::new(&cluster, ExactlyOnce, 3);
    let ledger = Driver::new(&scene, 70).under_load(2_000, 500, || {
        let mut service = Call::run(&scene).set(&proxy.bootstrap()).start();
        until_every_partition_flows(&scene, &mut service);
        proxy.hold_next(END_TXN);
        wait::until("an end is held back", LIMIT, || proxy.holds_one().then_some(()));
        assert!(!was_cut(&service), "{}", service.log());
        until_every_partition_flows(&scene, &mut service);
        service.stand_still_in_a_transaction(&cluster, &scene.output);
        proxy.release();
        // For the broker to do what it is asked for.
        wait::lasting(Duration::from_secs(1));
        service.kill();
    });
    Call::run_until_end(&scene).ended().assert_code(0);
    verdict(&scene, &ledger).assert_clean();
}

fn was_cut(service: &Service) -> bool {
    service.log().contains("a connection of the producer was cut")
}
