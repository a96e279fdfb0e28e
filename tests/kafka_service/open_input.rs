//! A transaction of somebody else that stays open in the input: who is held up, and who is told.

use crate::support;

use std::time::Duration;

use support::broker::Plan;
use support::cluster::{Cluster, View};
use support::driver::{Driver, Ledger};
use support::oracle::verdict;
use support::scene::Guarantee::ExactlyOnce;
use support::scene::{Scene, under_both};
use support::service::{Call, LIMIT, Service};
use support::wait;

const LAG: &str = "messagetrace_ecs_processing_lag_records";
const STALLED: &str = "messagetrace_ecs_stalled";
const INPUT_OPEN: &str = "cause=\"input_open\"";

/// Records before, within and behind a transaction that is open.
struct Held {
    /// Holds the transaction.
    holder: Driver,
    others: Driver,
    /// Where the transaction begins.
    offset: i64,
}

impl Held {
    fn new(scene: &Scene<'_>, seed: u64) -> Self {
        let mut others = Driver::new(scene, seed);
        others.send(40);
        others.settle();
        let offset = scene.cluster.gauge(&scene.input, View::Uncommitted).total();
        let mut holder = Driver::transactional(scene, seed + 100);
        holder.send(10);
        holder.settle();
        others.send(200);
        others.settle();
        Self { holder, others, offset }
    }

    /// The transaction ends.
    fn end(self) -> Ledger {
        let (held, others) = (self.holder.finish(), self.others.finish());
        Ledger {
            sent: others.sent.into_iter().chain(held.sent).collect(),
            started_ms: others.started_ms,
            ..Ledger::default()
        }
    }
}

fn until(service: &mut Service, what: &str, holds: impl Fn(&Service) -> Option<bool>) {
    wait::until(what, LIMIT, || {
        service.assert_alive();
        holds(service).filter(|holds| *holds)
    });
}

#[test]
fn behind_an_open_transaction_lag_grows_and_the_stall_is_told_with_its_place_and_its_end() {
    under_both(|guarantee| {
        let scene = Scene::new(Cluster::shared(), guarantee, 1);
        let held = Held::new(&scene, 81);
        let mut service = Call::run(&scene).start();
        until(&mut service, "the records behind it are lag", |service| Some(service.metric(LAG)? == 210.0));
        until(&mut service, "the stall is told", |service| Some(service.metric_of(STALLED, INPUT_OPEN)? == 1.0));
        assert_eq!(service.get("/readyz").map(|(status, _)| status), Some(200), "a restart would not help");
        until(&mut service, "it gets older", |service| {
            Some(service.metric("messagetrace_ecs_processing_lag_seconds")? > 0.0)
        });
        let offset = held.offset;
        let ledger = held.end();
        until(&mut service, "it is over", |service| Some(service.metric_of(STALLED, INPUT_OPEN)? == 0.0));
        until(&mut service, "everything is caught up", |service| Some(service.metric(LAG)? == 0.0));
        let ended = service.stopped();
        ended.assert_code(0);
        let of =
            |what: &str| ended.stderr.lines().filter(|line| line.contains("input_open") && line.contains(what)).count();
        let place = format!("\"topic\":\"{}\",\"partition\":0,\"offset\":{offset},\"since\":\"20", scene.input);
        assert_eq!((of(&place), of("\"stalled: "), of("no longer stalled")), (1, 1, 1), "{}", ended.stderr);
        verdict(&scene, &ledger).assert_clean();
    });
}

#[test]
fn who_is_asked_for_everything_says_what_lies_behind_an_open_transaction() {
    let scene = Scene::new(Cluster::shared(), ExactlyOnce, 1);
    let held = Held::new(&scene, 82);
    let (offset, behind) = (held.offset, held.offset + 209);
    let ended = Call::run_until_end(&scene).ended();
    ended.assert_code(3);
    let line = ended.stderr.lines().find(|line| line.contains("ends before an open transaction")).expect("it says so");
    assert!(line.contains(&format!("\"partition\":0,\"offset\":{offset},\"end\":{}", behind + 1)), "{line}");
    assert!(ended.stderr.contains("\"polled\":40"), "{}", ended.stderr);

    let audit = |more: &[&str]| {
        let mut call = Call::of(&["audit"]);
        for setting in scene.settings() {
            call = call.set(&setting);
        }
        more.iter().fold(call, |call, argument| call.with(argument)).ended()
    };
    let ended = audit(&[]);
    ended.assert_code(1);
    let told = format!("{}/0, offsets {offset} to {behind}: a transaction of another producer is open", scene.input);
    assert!(ended.stdout.contains(&told), "{}", ended.stdout);
    let ended = audit(&["--partition", "0", "--from-offset", "30", "--to-offset", "100"]);
    ended.assert_code(1);
    let told = format!("{}/0, offsets {offset} to 99: a transaction of another producer is open", scene.input);
    assert!(ended.stdout.contains(&told), "{}", ended.stdout);
    audit(&["--partition", "0", "--to-offset", "40"]).assert_code(0);

    let ledger = held.end();
    Call::run_until_end(&scene).ended().assert_code(0);
    audit(&[]).assert_code(0);
    verdict(&scene, &ledger).assert_clean();
}

#[test]
fn a_run_to_the_end_waits_for_a_transaction_that_ends() {
    let scene = Scene::new(Cluster::shared(), ExactlyOnce, 1);
    let held = Held::new(&scene, 83);
    let mut run = Call::run_until_end(&scene).start();
    until(&mut run, "it has read what lies before", |run| {
        Some(run.metric("messagetrace_ecs_records_polled_total")? == 40.0)
    });
    // Several looks long, and less than half of how long it waits.
    wait::within(Duration::from_secs(4), || {
        run.assert_alive();
        None::<()>
    });
    let ledger = held.end();
    run.ended().assert_code(0);
    verdict(&scene, &ledger).assert_clean();
}

#[test]
fn a_process_without_partitions_and_without_its_group_does_not_look_as_if_nothing_waited() {
    let cluster = Plan::nodes(1).start();
    let scene = Scene::new(&cluster, ExactlyOnce, 3);
    let mut driver = Driver::new(&scene, 84);
    driver.send(300);
    let ledger = driver.finish();
    let mut service = Call::run(&scene).start();
    let series = |service: &Service| {
        let (_, body) = service.get("/metrics")?;
        Some(body.lines().filter(|line| line.starts_with(LAG)).count())
    };
    until(&mut service, "the partitions are ours and caught up", |service| {
        Some(series(service)? == 3 && service.metric(LAG)? == 0.0)
    });
    cluster.node(1).kill();
    until(&mut service, "the partitions are lost", |service| {
        Some(service.metric("messagetrace_ecs_assigned_partitions")? == 0.0)
    });
    assert_eq!(series(&service), Some(3), "{}", service.log());
    // Also when more statistics have come.
    let turns = |service: &Service| service.metric("messagetrace_ecs_rebalances_total");
    assert!(turns(&service) > Some(0.0));
    cluster.node(1).restart();
    until(&mut service, "they are ours again", |service| {
        Some(service.metric("messagetrace_ecs_assigned_partitions")? == 3.0 && series(service)? == 3)
    });
    service.stopped().assert_code(0);
    verdict(&scene, &ledger).assert_clean();
}
