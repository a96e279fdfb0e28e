//! What cannot work is refused at start: with the right exit code, one clear line each, soon.

use crate::support;

use std::time::{Duration, Instant};

use support::broker::{Plan, free_port};
use support::cluster::{Cluster, Rule};
use support::driver::Driver;
use support::oracle::verdict;
use support::scene::Guarantee::{AtLeastOnce, ExactlyOnce};
use support::scene::{Protocol, Scene};
use support::service::{Call, Ended};

/// A person who starts it by hand is still there.
const SOON: Duration = Duration::from_secs(60);

/// Lines of standard error that name something.
fn lines_with<'e>(ended: &'e Ended, what: &str) -> Vec<&'e str> {
    ended.stderr.lines().filter(|line| line.contains(what)).collect()
}

fn ended_soon(call: Call) -> Ended {
    let start = Instant::now();
    let ended = call.ended();
    assert!(start.elapsed() < SOON, "it took {:?}:\n{}", start.elapsed(), ended.stderr);
    ended
}

#[test]
fn a_wrong_configuration_exits_2_with_all_problems_at_once() {
    let wrong = [
        "pipeline.delivery=sometimes",
        "pipeline.memory_budget=lots",
        "input.sesion_timeout=20s",
        "pipeline.commit_interval=5",
        "output.properties={\"acks\"=\"0\"}",
    ];
    let call = wrong.iter().fold(Call::of(&["run"]), |call, setting| call.set(setting));
    let ended = ended_soon(call);
    ended.assert_code(2);
    for setting in wrong {
        let key = setting.split_once('=').expect("key and value").0;
        assert!(!lines_with(&ended, key).is_empty(), "{key} is not named:\n{}", ended.stderr);
    }
}

#[test]
fn an_unreachable_broker_exits_1() {
    let address = format!("127.0.0.1:{}", free_port());
    let ended = ended_soon(Call::of(&["run"]).set(&format!("kafka.bootstrap_servers={address}")));
    ended.assert_code(1);
    assert!(!lines_with(&ended, &address).is_empty(), "{}", ended.stderr);
}

#[test]
fn missing_topics_exit_1_with_a_line_each() {
    let scene = Scene::empty(Cluster::shared(), ExactlyOnce, 1);
    let topics = [&scene.input, &scene.output, &scene.dead_letters];
    let ended = ended_soon(Call::run(&scene));
    ended.assert_code(1);
    assert_eq!(ended.problems().len(), topics.len(), "{}", ended.stderr);
    for topic in topics {
        assert!(!lines_with(&ended, topic).is_empty(), "{topic} is not named:\n{}", ended.stderr);
    }
    for topic in topics {
        let mut scene = Scene::new(Cluster::shared(), ExactlyOnce, 1);
        // Not there, whichever of the three it is.
        let place = match topic {
            _ if topic == topics[0] => &mut scene.input,
            _ if topic == topics[1] => &mut scene.output,
            _ => &mut scene.dead_letters,
        };
        place.push_str("-missing");
        let missing = place.clone();
        let ended = ended_soon(Call::run(&scene));
        ended.assert_code(1);
        assert!(!lines_with(&ended, &missing).is_empty(), "{missing} is not named:\n{}", ended.stderr);
    }
}

#[test]
fn one_topic_for_two_purposes_exits_2() {
    let mut scene = Scene::new(Cluster::shared(), ExactlyOnce, 1);
    scene.output.clone_from(&scene.input);
    let ended = ended_soon(Call::run(&scene));
    assert!([Some(1), Some(2)].contains(&ended.code), "{:?}: {}", ended.code, ended.stderr);
    assert!(!lines_with(&ended, &scene.input).is_empty(), "{}", ended.stderr);
}

/// On one guarded cluster: what is documented is enough, and each missing permission is named.
#[test]
fn permissions_are_asked_for_at_start_and_no_more_than_documented() {
    let cluster = Plan::nodes(1).guarded().start();

    for guarantee in [ExactlyOnce, AtLeastOnce] {
        let scene = Scene::new(&cluster, guarantee, 2);
        cluster.rule(Rule::Allow, "Read", &["--topic", &scene.input, "--group", &scene.group]);
        cluster.rule(Rule::Allow, "Write", &["--topic", &scene.output, "--topic", &scene.dead_letters]);
        let id = format!("id-of-{}", scene.group);
        if guarantee == ExactlyOnce {
            cluster.rule(Rule::Allow, "Write", &["--transactional-id", &id]);
            cluster.rule(Rule::Allow, "Describe", &["--transactional-id", &id]);
        }
        let mut driver = Driver::new(&scene, 20);
        driver.send(500);
        let ledger = driver.finish();
        Call::run_until_end(&scene).set(&format!("pipeline.transactional_id={id}")).ended().assert_code(0);
        verdict(&scene, &ledger).assert_clean();
    }

    for (operation, kind, protocol) in [
        ("Read", "input", Protocol::Classic),
        ("Read", "group", Protocol::Classic),
        ("Read", "group", Protocol::Consumer),
        ("Write", "output", Protocol::Classic),
        ("Write", "dead_letters", Protocol::Classic),
        ("Write", "id", Protocol::Classic),
    ] {
        let scene = Scene { protocol, ..Scene::new(&cluster, ExactlyOnce, 1) };
        let id = format!("id-of-{}", scene.group);
        let topics = ["--topic", &scene.input, "--topic", &scene.output, "--topic", &scene.dead_letters];
        let others = ["--group", &scene.group, "--transactional-id", &id];
        cluster.rule(Rule::Allow, "All", &[&topics[..], &others[..]].concat());
        let (option, denied) = match kind {
            "input" => ("--topic", &scene.input),
            "output" => ("--topic", &scene.output),
            "dead_letters" => ("--topic", &scene.dead_letters),
            "group" => ("--group", &scene.group),
            _ => ("--transactional-id", &id),
        };
        cluster.rule(Rule::Deny, operation, &[option, denied]);
        let ended = ended_soon(Call::run(&scene).set(&format!("pipeline.transactional_id={id}")));
        ended.assert_code(1);
        let problems = ended.problems();
        assert_eq!(problems.len(), 1, "{}", ended.stderr);
        assert!(problems[0].contains(denied) && problems[0].contains(operation), "{denied}: {}", problems[0]);
    }

    // Nothing granted at all: everything is named at once.
    for protocol in [Protocol::Classic, Protocol::Consumer] {
        let scene = Scene { protocol, ..Scene::new(&cluster, ExactlyOnce, 1) };
        let ended = ended_soon(Call::run(&scene));
        ended.assert_code(1);
        assert_eq!(ended.problems().len(), 4, "{}", ended.stderr);
        for (operation, name) in
            [("Read", &scene.input), ("Write", &scene.output), ("Write", &scene.dead_letters), ("Read", &scene.group)]
        {
            let named = ended.problems().iter().any(|line| line.contains(operation) && line.contains(name));
            assert!(named, "{operation} on {name} is not named:\n{}", ended.stderr);
        }
    }
}

#[test]
fn a_transaction_timeout_that_the_broker_does_not_allow_exits_1_and_names_the_setting() {
    let cluster = Plan::nodes(1).with("transaction.max.timeout.ms", "20000").start();
    let scene = Scene::new(&cluster, ExactlyOnce, 1);
    let ended = ended_soon(Call::run(&scene).set("pipeline.transaction_timeout=21s"));
    ended.assert_code(1);
    let problems = ended.problems();
    assert_eq!(problems.len(), 1, "{}", ended.stderr);
    assert!(problems[0].contains("pipeline.transaction_timeout"), "{}", problems[0]);
}
