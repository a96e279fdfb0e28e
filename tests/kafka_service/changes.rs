//! What may change under a running service: its topics, their records and settings, and who uses its name.

use crate::support;

use support::children::Signal;
use support::cluster::{Cluster, View};
use support::driver::Driver;
use support::oracle::verdict;
use support::page::Piece;
use support::sample::Sample;
use support::scene::Guarantee::ExactlyOnce;
use support::scene::{Scene, under_both};
use support::service::{Call, LIMIT};
use support::wait;

#[test]
fn an_input_topic_that_is_deleted_and_made_anew_is_waited_for_and_read_from_its_beginning() {
    under_both(|guarantee| {
        let scene = Scene::new(Cluster::shared(), guarantee, 3);
        let cluster = scene.cluster;
        let mut driver = Driver::new(&scene, 51);
        driver.send(1_000);
        driver.finish();
        let mut service = Call::run(&scene).start();
        service.until_sealed(1_000);
        cluster.delete_topic(&scene.input);
        let stalled = "cause=\"topic_missing\"";
        wait::until("the service says what it waits for", LIMIT, || {
            service.assert_alive();
            service.metric_of("messagetrace_ecs_stalled", stalled).filter(|stalled| *stalled > 0.0)
        });
        cluster.create_topic(&scene.input, 3, &[]);
        let mut driver = Driver::new(&scene, 52);
        driver.send(1_000);
        driver.finish();
        service.until_sealed(2_000);
        wait::until("it is no longer stalled", LIMIT, || {
            service.metric_of("messagetrace_ecs_stalled", stalled).filter(|stalled| *stalled == 0.0)
        });
        let resets = service.metric_of("messagetrace_ecs_offset_resets_total", "reason=\"recreated\"");
        assert_eq!(resets, Some(3.0), "{}", service.log());
        let ended = service.stopped();
        ended.assert_code(0);
        let said = |what: &str| {
            ended.stderr.lines().filter(|line| line.contains(what) && line.contains("topic_missing")).count()
        };
        assert_eq!((said("\"stalled: "), said("no longer stalled")), (1, 1), "{}", ended.stderr);
    });
}

#[test]
fn records_deleted_under_a_running_service_are_passed_over_loudly() {
    let scene = Scene::new(Cluster::shared(), ExactlyOnce, 1);
    let mut driver = Driver::new(&scene, 53);
    driver.send(100);
    driver.settle();
    let mut service = Call::run(&scene).start();
    service.until_sealed(100);
    // While it cannot look, retention overtakes it.
    service.signal(Signal::Stop);
    driver.send(60_000);
    driver.settle();
    scene.cluster.delete_records(&scene.input);
    service.signal(Signal::Cont);
    wait::until("the position is replaced", LIMIT, || {
        service.assert_alive();
        service
            .metric_of("messagetrace_ecs_offset_resets_total", "reason=\"out_of_range\"")
            .filter(|resets| *resets > 0.0)
    });
    let before = scene.cluster.committed(&scene.group, &scene.input)[0];
    driver.send(100);
    driver.finish();
    wait::until("what came after is sealed", LIMIT, || {
        (scene.cluster.committed(&scene.group, &scene.input)[0] >= before.map(|offset| offset + 100)).then_some(())
    });
    let ended = service.stopped();
    ended.assert_code(0);
    assert!(ended.stderr.contains("the position is gone: records may be missed"), "{}", ended.stderr);
}

#[test]
fn a_raised_limit_is_seen_without_a_restart() {
    const LIMIT_BYTES: usize = 16 * 1024;
    let limit = LIMIT_BYTES.to_string();
    let scene = Scene::with_output(Cluster::shared(), ExactlyOnce, 1, &[("max.message.bytes", limit.as_str())]);
    let mut driver = Driver::new(&scene, 54);
    let send_large = |driver: &mut Driver| {
        let id = driver.maker.next_id();
        let sample = Sample::of(Piece::large(&mut driver.maker.rng, &id, LIMIT_BYTES));
        let record = driver.maker.record(&sample);
        driver.send_one(record, sample);
        driver.settle();
    };
    let mut service = Call::run(&scene).start();
    send_large(&mut driver);
    service.until_sealed(1);
    assert_eq!(service.metric("messagetrace_ecs_records_dead_lettered_total"), Some(1.0), "it is too large");
    scene.cluster.alter_topic(&scene.output, &[]);
    let mut sent = 1;
    wait::until("a large event is delivered", LIMIT, || {
        send_large(&mut driver);
        sent += 1;
        service.until_sealed(sent);
        service.metric("messagetrace_ecs_records_delivered_total").filter(|delivered| *delivered > 0.0)
    });
    service.stopped().assert_code(0);
}

#[test]
fn a_dead_letter_topic_that_refuses_is_waited_for_and_nothing_is_lost() {
    under_both(|guarantee| {
        let scene = Scene::new(Cluster::shared(), guarantee, 3);
        let mut driver = Driver::new(&scene, 56);
        driver.send(1_000);
        driver.settle();
        // It takes no letter without a key, and there are some.
        scene.cluster.alter_topic(&scene.dead_letters, &[("cleanup.policy", "compact")]);
        let mut service = Call::run(&scene).start();
        let stalled = "cause=\"dead_letters\"";
        wait::until("the service says what it waits for", LIMIT, || {
            service.assert_alive();
            service.metric_of("messagetrace_ecs_stalled", stalled).filter(|stalled| *stalled > 0.0)
        });
        assert_eq!(service.get("/livez").map(|(status, _)| status), Some(200), "waiting is no reason to be restarted");
        assert_eq!(service.metric("messagetrace_ecs_records_dead_lettered_total"), Some(0.0));
        scene.cluster.alter_topic(&scene.dead_letters, &[]);
        service.until_sealed(1_000);
        wait::until("it is no longer stalled", LIMIT, || {
            service.metric_of("messagetrace_ecs_stalled", stalled).filter(|stalled| *stalled == 0.0)
        });
        service.stopped().assert_code(0);
        verdict(&scene, &driver.finish()).assert_clean();
    });
}

#[test]
fn of_two_processes_with_one_transactional_id_one_gives_way_and_says_why() {
    let scene = Scene::new(Cluster::shared(), ExactlyOnce, 6);
    let written = scene.cluster.gauge(&scene.output, View::Committed);
    let same_id = "pipeline.transactional_id=the-same";
    let ledger = Driver::new(&scene, 55).under_load(20_000, 2_000, || {
        let mut first = Call::run(&scene).set(same_id).start();
        written.until(1_000, LIMIT);
        let mut second = Call::run(&scene).set(same_id).on_another_port().start();
        let first_ended = wait::until("one of them gives way", LIMIT, || match (first.exited(), second.exited()) {
            (true, _) => Some(true),
            (false, true) => Some(false),
            (false, false) => None,
        });
        let (gone, mut stays) = if first_ended { (first, second) } else { (second, first) };
        let ended = gone.ended();
        ended.assert_code(1);
        let why = ended.problems().join("\n");
        for named in ["fenced again", "transactional id the-same", "a prefix of its own in pipeline.transactional_id"] {
            assert!(why.contains(named), "{named} is not named: {why}");
        }
        let before = written.total();
        written.until(before + 2_000, LIMIT);
        stays.assert_alive();
        let rebuilds = stays.metric("messagetrace_ecs_client_rebuilds_total");
        assert!(rebuilds >= Some(1.0), "it was fenced too, once: {rebuilds:?}");
        // What it may have been, besides: brokers that were away for long tell it in the same words.
        assert!(stays.log().contains("or the broker ended our transaction"), "{}", stays.log());
        stays.stopped().assert_code(0);
    });
    Call::run_until_end(&scene).ended().assert_code(0);
    verdict(&scene, &ledger).assert_clean();
}
