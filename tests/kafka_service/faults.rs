//! Brokers that refuse, stop and die: what is promised holds, and neighbours pay nothing.

use crate::support;

use support::broker::Plan;
use support::children::Signal;
use support::cluster::{Cluster, View};
use support::driver::Driver;
use support::maker::now_ms;
use support::oracle::verdict;
use support::page::Piece;
use support::raw::Record;
use support::reader::read;
use support::sample::Sample;
use support::scene::Guarantee::{AtLeastOnce, ExactlyOnce};
use support::scene::Scene;
use support::service::{Call, LIMIT};
use support::wait;
use support::writer::Writer;

const DAY_MS: i64 = 24 * 3_600_000;
const MIB: u64 = 1024 * 1024;

#[test]
fn a_record_that_the_broker_refuses_costs_no_neighbour() {
    for guarantee in [ExactlyOnce, AtLeastOnce] {
        let week_ms = (7 * DAY_MS).to_string();
        let settings = [("message.timestamp.before.max.ms", week_ms.as_str())];
        let scene = Scene::with_output(Cluster::shared(), guarantee, 3, &settings);
        let mut driver = Driver::new(&scene, 31);
        for _ in 0..5 {
            driver.send(100);
            // Any shape, a page of several events included.
            let (mut record, sample) = driver.maker.mixed();
            record.timestamp_ms -= 30 * DAY_MS;
            driver.send_one(record, sample.refused());
        }
        driver.send(200);
        let ledger = driver.finish();
        Call::run_until_end(&scene).ended().assert_code(0);
        verdict(&scene, &ledger).assert_clean();
    }
}

#[test]
fn a_limit_that_is_lowered_under_a_running_service_is_read_again() {
    const LIMIT_BYTES: usize = 16 * 1024;
    for guarantee in [ExactlyOnce, AtLeastOnce] {
        let scene = Scene::new(Cluster::shared(), guarantee, 3);
        let mut driver = Driver::new(&scene, 36);
        driver.send(500);
        // The broker compares what it gets: compressed, a large event might pass for a small one.
        let mut service = Call::run(&scene).set("output.compression=none").start();
        service.until_ready();
        let written = scene.cluster.gauge(&scene.output, View::Committed);
        written.until(100, LIMIT);
        scene.cluster.alter_topic(&scene.output, &[("max.message.bytes", &LIMIT_BYTES.to_string())]);
        for _ in 0..10 {
            driver.send(50);
            let id = driver.maker.next_id();
            let sample = Sample::of(Piece::large(&mut driver.maker.rng, &id, LIMIT_BYTES));
            let record = driver.maker.record(&sample);
            driver.send_one(record, sample);
        }
        let ledger = driver.finish();
        wait::until("the limit is read again", LIMIT, || {
            service.metric("messagetrace_ecs_client_rebuilds_total").filter(|rebuilds| *rebuilds > 0.0)
        });
        service.stopped().assert_code(0);
        Call::run_until_end(&scene).ended().assert_code(0);
        verdict(&scene, &ledger).assert_clean();
    }
}

#[test]
fn an_event_too_large_for_its_topic_costs_no_neighbour() {
    const LIMIT_BYTES: usize = 16 * 1024;
    for guarantee in [ExactlyOnce, AtLeastOnce] {
        let limit = LIMIT_BYTES.to_string();
        let scene = Scene::with_output(Cluster::shared(), guarantee, 3, &[("max.message.bytes", limit.as_str())]);
        let mut driver = Driver::new(&scene, 32);
        for round in 0..20 {
            driver.send(100);
            let id = driver.maker.next_id();
            let rng = &mut driver.maker.rng;
            let large = Piece::large(rng, &id, LIMIT_BYTES);
            let piece = if round % 2 == 0 {
                large
            } else {
                let before = Piece::trace(rng, format!("{id}.0"));
                let after = Piece::trace(rng, format!("{id}.2"));
                Piece::array(rng, vec![before, large, after]).in_envelope(rng)
            };
            let sample = Sample::of(piece);
            let record = driver.maker.record(&sample);
            driver.send_one(record, sample);
        }
        let ledger = driver.finish();
        Call::run_until_end(&scene).ended().assert_code(0);
        let report = verdict(&scene, &ledger);
        report.assert_clean();
        assert_eq!(report.repeats, 0, "{report}");
    }
}

#[test]
fn a_record_as_large_as_the_topics_take_is_handed_over_on_the_smallest_budget() {
    const TAKEN: [(&str, &str); 1] = [("max.message.bytes", "4000000")];
    for guarantee in [ExactlyOnce, AtLeastOnce] {
        let scene = Scene::empty(Cluster::shared(), guarantee, 1);
        for topic in [&scene.input, &scene.output, &scene.dead_letters] {
            scene.cluster.create_topic(topic, 1, &TAKEN);
        }
        let writer = Writer::new(scene.cluster, &scene.input);
        let trace = |bytes: usize, end: &str| {
            let subject = "x".repeat(bytes);
            let head = r#"{"MessageTraceId":"6b1f","Received":"2022-09-05T18:10:13""#;
            format!("{head},\"Subject\":\"{subject}\"{end}")
        };
        for value in [trace(700_000, "}"), trace(1_500_000, "")] {
            let value = Some(value.into_bytes());
            writer.send(0, &Record { key: None, value, headers: Vec::new(), timestamp_ms: now_ms() });
        }
        writer.settle();
        let call = Call::run_until_end(&scene).set("pipeline.memory_budget=8MiB");
        call.set("input.max_payload_bytes=2MiB").ended().assert_code(0);
        for topic in [&scene.output, &scene.dead_letters] {
            assert_eq!(read(scene.cluster, topic, View::Committed).len(), 1, "{topic}");
        }
    }
}

#[test]
fn an_output_that_stands_still_costs_neither_memory_nor_records() {
    const BUDGET_MIB: u64 = 32;
    let cluster = Plan::nodes(3).start();
    for guarantee in [ExactlyOnce, AtLeastOnce] {
        let scene = Scene::empty(&cluster, guarantee, 2);
        cluster.create_topic_on(&scene.input, &[1, 3], &[]);
        cluster.create_topic_on(&scene.output, &[2, 2], &[]);
        cluster.create_topic_on(&scene.dead_letters, &[2, 2], &[]);
        let written = cluster.gauge(&scene.output, View::Uncommitted);
        // More than the budget holds.
        let mut driver = Driver::new(&scene, 33);
        driver.send(80_000);
        let ledger = driver.finish();
        let service = Call::run(&scene).set(&format!("pipeline.memory_budget={BUDGET_MIB}MiB")).start();
        written.until(1_000, LIMIT);
        cluster.node(2).signal(Signal::Stop);
        wait::until("the service says what holds it up", LIMIT, || {
            let resident = service.resident_bytes();
            assert!(resident < (BUDGET_MIB + 64) * MIB, "{} MiB resident", resident / MIB);
            service.metric("messagetrace_ecs_stalled").filter(|stalled| *stalled > 0.0)
        });
        assert_eq!(service.get("/livez").map(|(status, _)| status), Some(200), "waiting is no reason to be restarted");
        cluster.node(2).signal(Signal::Cont);
        let before = written.total();
        written.until(before + 1_000, LIMIT);
        service.stopped().assert_code(0);
        Call::run_until_end(&scene).ended().assert_code(0);
        verdict(&scene, &ledger).assert_clean();
    }
}

#[test]
fn a_stop_that_cannot_finish_ends_at_its_deadline_or_at_the_second_signal() {
    let cluster = Plan::nodes(3).start();
    let scene = Scene::empty(&cluster, ExactlyOnce, 2);
    cluster.create_topic_on(&scene.input, &[1, 3], &[]);
    cluster.create_topic_on(&scene.output, &[2, 2], &[]);
    cluster.create_topic_on(&scene.dead_letters, &[2, 2], &[]);
    let mut driver = Driver::new(&scene, 35);
    driver.send(80_000);
    let ledger = driver.finish();
    let held_up = |shutdown_timeout: &str| {
        let mut service = Call::run(&scene).set(&format!("pipeline.shutdown_timeout={shutdown_timeout}")).start();
        service.until_ready();
        wait::until("the service has records in hand", LIMIT, || {
            service.metric("messagetrace_ecs_records_polled_total").filter(|polled| *polled > 0.0)
        });
        cluster.node(2).signal(Signal::Stop);
        service
    };

    let service = held_up("2s");
    let ended = service.stopped();
    cluster.node(2).signal(Signal::Cont);
    ended.assert_code(1);
    assert!(ended.stderr.contains("shutdown_timeout"), "{}", ended.stderr);

    for (signal, code) in [(Signal::Term, 143), (Signal::Int, 130)] {
        let mut service = held_up("80s");
        service.signal(signal);
        wait::until("the service says that it is shutting down", LIMIT, || {
            service.assert_alive();
            service.get("/readyz").filter(|(status, _)| *status != 200)
        });
        service.signal(signal);
        let ended = service.ended();
        cluster.node(2).signal(Signal::Cont);
        ended.assert_code(code);
    }

    Call::run_until_end(&scene).ended().assert_code(0);
    verdict(&scene, &ledger).assert_clean();
}
