//! The breaker on a real broker: a stretch of bad records is let through in small batches only, and nothing is lost,
//! repeated or out of order for it.

use crate::support;

use support::cluster::{Cluster, View};
use support::driver::Driver;
use support::oracle::verdict;
use support::scene::Guarantee::ExactlyOnce;
use support::scene::{Scene, under_both};
use support::service::{Call, LIMIT, Service};
use support::wait;

/// Opens at the 21st bad record within 100 and tries 10 at a time.
const SETTINGS: [&str; 2] = ["dead_letters.breaker_ratio=0.2", "dead_letters.breaker_window=100"];

/// A service with a breaker. One partition: the order of the stream is the order in which it is judged.
fn with_breaker(scene: &Scene<'_>) -> Call {
    SETTINGS.into_iter().fold(Call::run(scene), Call::set)
}

fn until_open(service: &mut Service) {
    wait::until("the breaker opens", LIMIT, || {
        service.assert_alive();
        service.metric("messagetrace_ecs_breaker_open").filter(|open| *open > 0.0)
    });
}

#[test]
fn a_stream_that_turns_bad_and_good_again_is_held_up_and_goes_on() {
    under_both(|guarantee| {
        let scene = Scene::new(Cluster::shared(), guarantee, 1);
        let mut driver = Driver::new(&scene, 41);
        driver.send_good(500);
        driver.send_bad(45);
        driver.send_good(500);
        let ledger = driver.finish();
        let mut service = with_breaker(&scene).start();
        until_open(&mut service);
        let (status, body) = service.get("/readyz").expect("the service answers");
        assert_eq!(status, 200, "a pod is not restarted for its records: {body}");
        assert!(body.contains("\"breaker_open\":true") && body.contains("\"breaker\""), "{body}");
        wait::until("the breaker closes", LIMIT, || {
            service.metric("messagetrace_ecs_breaker_open").filter(|open| *open == 0.0)
        });
        let ended = service.stopped();
        ended.assert_code(0);
        assert_eq!(ended.stderr.matches("the breaker opened").count(), 1, "{}", ended.stderr);
        assert_eq!(ended.stderr.matches("no longer stalled").count(), 1, "{}", ended.stderr);
        Call::run_until_end(&scene).ended().assert_code(0);
        let report = verdict(&scene, &ledger);
        report.assert_clean();
        assert_eq!((report.dead_letters, report.repeats), (45, 0), "{report}");
    });
}

#[test]
fn a_breaker_that_is_open_when_nothing_comes_any_more_stalls_nothing() {
    let scene = Scene::new(Cluster::shared(), ExactlyOnce, 1);
    let mut driver = Driver::new(&scene, 43);
    driver.send_good(500);
    driver.send_bad(45);
    let ledger = driver.finish();
    let mut service = with_breaker(&scene).start();
    until_open(&mut service);
    wait::until("nothing waits for the breaker", LIMIT, || {
        service.assert_alive();
        service.metric_of("messagetrace_ecs_stalled", "cause=\"breaker\"").filter(|stalled| *stalled == 0.0)
    });
    assert_eq!(service.metric("messagetrace_ecs_breaker_open"), Some(1.0), "what comes next is tried first");
    service.stopped().assert_code(0);
    verdict(&scene, &ledger).assert_clean();
}

#[test]
fn an_open_breaker_lets_little_through_and_a_stop_is_honoured() {
    const BAD: usize = 3_000;
    let scene = Scene::new(Cluster::shared(), ExactlyOnce, 1);
    let mut driver = Driver::new(&scene, 42);
    driver.send_good(500);
    driver.send_bad(BAD);
    let ledger = driver.finish();
    // A bounded run too keeps trying: its end lies behind the bad records.
    let mut service = with_breaker(&scene).with("--until-end").start();
    until_open(&mut service);
    wait::until("three batches were tried in vain", LIMIT, || {
        service.assert_alive();
        (service.log().matches("the breaker stays open").count() >= 3).then_some(())
    });
    let tried = service.log().matches("the breaker stays open").count();
    service.stopped().assert_code(0);
    let letters = scene.cluster.gauge(&scene.dead_letters, View::Committed).total();
    // What opened it, the batches, and a marker for each transaction.
    assert!(letters <= 22 + 11 * (tried as i64 + 2), "{letters} of {BAD} after {tried} batches");
    // The operator has looked, and wants them as dead letters.
    Call::run_until_end(&scene).ended().assert_code(0);
    verdict(&scene, &ledger).assert_clean();
}
