//! A replay whose requests reach a broker long after it has given up their connection.

use crate::replay::{many, named, replay, replayed};
use crate::support;

use std::time::Duration;

use support::proxy::{END_TXN, Proxy};
use support::service::LIMIT;
use support::wait;

#[test]
fn an_end_of_a_transaction_that_comes_late_sends_no_letter_twice() {
    let (proxy, cluster) = Proxy::before_one_node();
    let scene = named(&cluster, "late");
    many(&scene, 2_000);
    let call = replay(&scene, &["--execute", "--rate", "50/s"]).set(&proxy.bootstrap()).start();
    proxy.hold_next(END_TXN);
    wait::until("an end is held back", LIMIT, || proxy.holds_one().then_some(()));
    call.stand_still_in_a_transaction(&cluster, &scene.input);
    proxy.release();
    // For the broker to do what it is asked for.
    wait::lasting(Duration::from_secs(1));
    call.kill();
    replay(&scene, &["--execute"]).ended().assert_code(0);
    assert_eq!(replayed(&scene, &scene.input).len(), 2_000);
}
