//! `check --connect`: what the brokers have to say against a configuration, before anybody relies on it.

use crate::support;

use support::broker::Plan;
use support::cluster::{Cluster, Rule};
use support::driver::Driver;
use support::oracle::verdict;
use support::raw::Record;
use support::scene::Guarantee::{AtLeastOnce, ExactlyOnce};
use support::scene::{Protocol, Scene};
use support::service::{Call, Ended, LIMIT, Service};
use support::wait;
use support::writer::Writer;

fn check(scene: &Scene<'_>, more: &[&str]) -> Ended {
    let settings = scene.settings();
    let settings = settings.iter().map(String::as_str).chain(more.iter().copied());
    settings.fold(Call::of(&["check", "--connect"]), Call::set).ended()
}

fn findings(ended: &Ended) -> Vec<&str> {
    ended.stdout.lines().filter_map(|line| line.strip_prefix("finding: ")).collect()
}

#[test]
fn a_cluster_that_fits_passes() {
    for (guarantee, protocol) in [(ExactlyOnce, Protocol::Consumer), (AtLeastOnce, Protocol::Classic)] {
        let scene = Scene { protocol, ..Scene::new(Cluster::shared(), guarantee, 1) };
        let ended = check(&scene, &[]);
        ended.assert_code(0);
        assert_eq!((ended.stdout.lines().last(), ended.stderr.as_str()), (Some("the cluster fits it"), ""));
    }
}

#[test]
fn everything_that_does_not_fit_is_a_finding() {
    let settings = [("cleanup.policy", "compact"), ("message.timestamp.before.max.ms", "3600000")];
    let mut scene = Scene::with_output(Cluster::shared(), ExactlyOnce, 1, &settings);
    scene.dead_letters.push_str("-missing");
    let ended = check(&scene, &[]);
    ended.assert_code(1);
    let named = ["does not exist", "cleanup.policy", "message.timestamp.before.max.ms"];
    let findings = findings(&ended);
    assert_eq!(findings.len(), named.len(), "{findings:?}");
    for (finding, named) in findings.iter().zip(named) {
        assert!(finding.contains(named), "{finding}");
    }
}

#[test]
fn a_session_that_the_brokers_do_not_take_is_a_finding() {
    let scene = Scene { protocol: Protocol::Classic, ..Scene::new(Cluster::shared(), AtLeastOnce, 1) };
    let ended = check(&scene, &["input.session_timeout=21m"]);
    ended.assert_code(1);
    let findings = findings(&ended);
    assert!(findings.len() == 1 && findings[0].contains("group.max.session.timeout.ms is 20m"), "{findings:?}");
}

#[test]
fn what_does_not_fit_and_forbids_no_start_is_a_warning_of_the_service_that_starts() {
    let scene = Scene::with_output(Cluster::shared(), ExactlyOnce, 1, &[("cleanup.policy", "compact")]);
    scene.cluster.alter_topic(&scene.dead_letters, &[("retention.ms", "60000")]);
    let checked = check(&scene, &[]);
    checked.assert_code(1);
    let findings = findings(&checked);
    assert_eq!(findings.len(), 2, "{findings:?}");
    let letters = format!("topic {} keeps dead letters for 1m", scene.dead_letters);
    assert!(findings.iter().any(|finding| finding.starts_with(&letters)), "{findings:?}");
    let ran = Call::run_until_end(&scene).ended();
    ran.assert_code(0);
    for finding in findings {
        let line = ran.stderr.lines().find(|line| line.contains(&finding.replace('"', "\\\"")));
        assert!(line.is_some_and(|line| line.contains("\"log.level\":\"warn\"")), "{finding}\n{}", ran.stderr);
    }
}

#[test]
fn a_record_from_the_future_is_a_finding_and_one_of_just_now_is_none() {
    let scene = Scene::new(Cluster::shared(), ExactlyOnce, 2);
    let now_ms = chrono::Utc::now().timestamp_millis();
    let writer = Writer::new(scene.cluster, &scene.input);
    let stamped = |timestamp_ms| Record { value: Some(b"{}".to_vec()), timestamp_ms, ..Record::default() };
    writer.send(0, &stamped(now_ms));
    writer.settle();
    check(&scene, &[]).assert_code(0);
    writer.send(1, &stamped(now_ms + 600_000));
    writer.settle();
    let ended = check(&scene, &[]);
    ended.assert_code(1);
    let findings = findings(&ended);
    assert!(
        findings.len() == 1 && findings[0].contains(&format!("topic {} has a record at 1/0", scene.input)),
        "{findings:?}"
    );
}

#[test]
fn a_transactional_id_that_may_not_be_used_is_a_finding() {
    let cluster = Plan::nodes(1).guarded().start();
    let scene = Scene::new(&cluster, ExactlyOnce, 1);
    cluster.rule(Rule::Allow, "Read", &["--topic", &scene.input, "--group", &scene.group]);
    cluster.rule(Rule::Allow, "Write", &["--topic", &scene.output, "--topic", &scene.dead_letters]);
    let ended = check(&scene, &["pipeline.transactional_id=not-ours"]);
    ended.assert_code(1);
    let findings = findings(&ended);
    assert!(findings.len() == 1 && findings[0].contains("transactional id not-ours"), "{findings:?}");
    // The settings of three topics may not be read either: worth a word, no finding.
    assert_eq!(ended.stderr.lines().filter(|line| line.contains("DescribeConfigs")).count(), 3, "{}", ended.stderr);
}

#[test]
fn a_service_at_work_is_not_disturbed() {
    let scene = Scene::new(Cluster::shared(), ExactlyOnce, 1);
    let id = format!("pipeline.transactional_id=id-of-{}", scene.group);
    let mut service = Call::run(&scene).set(&id).start();
    service.until_ready();
    let until_polled = |service: &Service, records: f64| {
        let polled = || service.metric("messagetrace_ecs_records_polled_total");
        wait::until("the records are polled", LIMIT, || polled().filter(|polled| *polled >= records));
    };
    let mut driver = Driver::new(&scene, 20);
    driver.send(100);
    until_polled(&service, 100.0);
    check(&scene, &[&id]).assert_code(0);
    driver.send(100);
    let ledger = driver.finish();
    until_polled(&service, 200.0);
    assert_eq!(service.metric("messagetrace_ecs_client_rebuilds_total"), Some(0.0));
    service.stopped().assert_code(0);
    verdict(&scene, &ledger).assert_clean();
}
