//! The short judgement of delivery on brokers that run already, of any make and version: killed twice under load, everything
//! comes out, once. scripts/check-brokers starts them, says where they are and which protocol of the group is meant, and makes a
//! table of what is said here.

mod support;

use std::env;

use support::cluster::{Cluster, View};
use support::driver::Driver;
use support::oracle::verdict;
use support::scene::{Guarantee, Protocol, Scene};
use support::service::{Call, LIMIT};

const RECORDS: usize = 20_000;
const PER_SECOND: u32 = 5_000;

fn asked(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("{name} is not set: call scripts/check-brokers"))
}

#[test]
fn killed_twice_under_load_everything_comes_out() {
    let cluster = Cluster::at(asked("BROKERS"));
    let guarantee = match asked("GUARANTEE").as_str() {
        "exactly_once" => Guarantee::ExactlyOnce,
        _ => Guarantee::AtLeastOnce,
    };
    let mut scene = Scene::new(&cluster, guarantee, 6);
    scene.protocol = match asked("PROTOCOL").as_str() {
        "consumer" => Protocol::Consumer,
        _ => Protocol::Classic,
    };
    // With nothing to do yet: what these brokers cannot do is refused here.
    let start = Call::run_until_end(&scene).ended();
    if start.code != Some(0) {
        let errors: Vec<&str> = start.stderr.lines().filter(|line| line.contains("\"error\"")).collect();
        println!("refused: {}", errors.join(" "));
        assert_eq!((start.code, errors.len()), (Some(1), 1), "one line and exit 1: {}", start.stderr);
        return;
    }
    let written = cluster.gauge(&scene.output, View::Uncommitted);
    let ledger = Driver::new(&scene, 71).under_load(RECORDS, PER_SECOND, || {
        for kill in 1..=2 {
            let service = Call::run(&scene).set("pipeline.commit_interval=100ms").start();
            written.until(kill * 5_000, LIMIT);
            service.kill();
        }
    });
    Call::run_until_end(&scene).ended().assert_code(0);
    let report = verdict(&scene, &ledger);
    println!("report: {} records, {} events, {} repeats", ledger.sent.len(), report.events, report.repeats);
    report.assert_clean();
}
