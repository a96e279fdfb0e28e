//! `topics`: what a real cluster has under the names of a configuration, and the topics that it makes of them. And
//! `demo feed`, which fills the topics that were made.

use crate::support;

use support::broker::{Plan, free_port};
use support::cluster::{Cluster, Rule, View};
use support::reader::read;
use support::scene::Guarantee::ExactlyOnce;
use support::scene::Scene;
use support::service::{Call, Ended};

fn call(scene: &Scene<'_>, command: &[&str], more: &[&str]) -> Ended {
    let settings = scene.settings();
    let settings = settings.iter().map(String::as_str).chain(more.iter().copied());
    settings.fold(Call::of(command), Call::set).ended()
}

fn lines<'e>(ended: &'e Ended, start: &str) -> Vec<&'e str> {
    ended.stdout.lines().filter_map(|line| line.strip_prefix(start)).collect()
}

fn topics<'s>(scene: &'s Scene<'_>) -> [&'s str; 3] {
    [&scene.input, &scene.output, &scene.dead_letters]
}

/// What is shown of one topic, from its line on.
fn block<'e>(ended: &'e Ended, topic: &str) -> &'e str {
    let at = ended.stdout.find(&format!("\n{topic} (")).map_or(0, |at| at + 1);
    ended.stdout[at..].split("\n\n").next().unwrap_or_default()
}

#[test]
fn what_is_missing_is_told_and_made_only_on_request_and_only_once() {
    let scene = Scene::empty(Cluster::shared(), ExactlyOnce, 1);
    let looked = call(&scene, &["topics"], &[]);
    looked.assert_code(1);
    let findings = lines(&looked, "finding: ");
    assert!(findings.len() == 3 && findings.iter().all(|line| line.contains("does not exist")), "{findings:?}");

    let created = call(&scene, &["topics", "--create"], &[]);
    created.assert_code(0);
    let told = lines(&created, "created: ");
    assert_eq!(told.len(), 3, "{}", created.stdout);
    for (told, topic) in told.iter().zip(topics(&scene)) {
        assert!(told.starts_with(&format!("topic {topic}, 6 partitions, replication factor 1, ")), "{told}");
        assert_eq!(scene.cluster.partitions(topic), 6);
        assert!(block(&created, topic).contains("6 partitions, replication factor 1"), "{}", created.stdout);
    }
    assert!(block(&created, &scene.dead_letters).contains("\n  retention.ms = 2592000000"), "{}", created.stdout);
    call(&scene, &["check", "--connect"], &[]).assert_code(0);

    let again = call(&scene, &["topics", "--create", "--partitions", "9"], &[]);
    again.assert_code(0);
    assert!(again.stdout.starts_with("no topic is missing: nothing created\n"), "{}", again.stdout);
    assert_eq!(again.stdout.lines().last(), Some("the topics fit the configuration"));
    assert_eq!(scene.cluster.partitions(&scene.output), 6);
}

#[test]
fn the_topics_that_are_written_take_after_those_that_are_read_which_stay_as_they_are() {
    let mut scene = Scene::empty(Cluster::shared(), ExactlyOnce, 1);
    let (small, large) = (scene.input.clone(), format!("{}-too", scene.input));
    scene.cluster.create_topic(&small, 2, &[]);
    scene.cluster.create_topic(&large, 4, &[("retention.ms", "-1"), ("max.message.bytes", "3000000")]);
    scene.input = format!("{small},{large}");
    call(&scene, &["topics", "--create"], &["output.partition=source"]).assert_code(0);
    let looked = call(&scene, &["topics"], &["output.partition=source"]);
    looked.assert_code(0);
    assert!(looked.stdout.starts_with(&format!("{small} (input.topics): 2 partitions")), "{}", looked.stdout);
    for topic in [&large, &scene.output, &scene.dead_letters] {
        let block = block(&looked, topic);
        assert!(block.contains("4 partitions") && block.contains("max.message.bytes = 3000000"), "{block}");
    }
    assert!(block(&looked, &scene.output).contains("retention.ms = -1"), "{}", looked.stdout);
}

#[test]
fn a_topic_that_does_not_fit_is_a_finding_and_is_left_alone() {
    let scene = Scene::with_output(Cluster::shared(), ExactlyOnce, 2, &[("cleanup.policy", "compact")]);
    let ended = call(&scene, &["topics", "--create"], &[]);
    ended.assert_code(1);
    let (findings, checked) = (lines(&ended, "finding: "), call(&scene, &["check", "--connect"], &[]));
    assert!(findings.len() == 1 && findings[0].contains("is compacted"), "{findings:?}");
    assert_eq!(findings, lines(&checked, "finding: "), "in the words of check");
    assert!(block(&ended, &scene.output).contains("cleanup.policy = compact"), "{}", ended.stdout);
}

#[test]
fn what_the_cluster_refuses_to_make_is_told_in_its_words_and_fails() {
    let scene = Scene::empty(Cluster::shared(), ExactlyOnce, 1);
    let ended = call(&scene, &["topics", "--create", "--replication-factor", "3"], &[]);
    ended.assert_code(1);
    let told = lines(&ended, "not created: ");
    assert!(told.len() == 3 && told.iter().all(|line| line.to_lowercase().contains("replication factor")), "{told:?}");
    assert_eq!(lines(&ended, "finding: ").len(), 3);
}

#[test]
fn without_the_permission_to_create_each_topic_says_so() {
    let cluster = Plan::nodes(1).guarded().start();
    let scene = Scene::empty(&cluster, ExactlyOnce, 1);
    let hidden = call(&scene, &["topics", "--create"], &[]);
    hidden.assert_code(1);
    let findings = lines(&hidden, "finding: ");
    assert!(findings.len() == 3 && findings.iter().all(|line| line.contains("no permission")), "{findings:?}");

    for topic in topics(&scene) {
        cluster.rule(Rule::Allow, "Describe", &["--topic", topic]);
    }
    let seen = call(&scene, &["topics", "--create"], &[]);
    seen.assert_code(1);
    let told = lines(&seen, "not created: ");
    assert!(told.len() == 3 && told.iter().all(|line| line.contains("no permission: Create")), "{}", seen.stdout);
}

#[test]
fn what_the_feed_says_of_its_records_is_what_the_service_makes_of_them() {
    let scene = Scene::new(Cluster::shared(), ExactlyOnce, 3);
    // As a service has it that nobody tests: the feed holds pages and records larger than the scene's.
    let limits = ["input.max_payload_bytes=8MiB", "input.max_traces=20000"];
    let fed = call(&scene, &["demo", "feed", "--records", "4000", "--rate", "4000"], &limits);
    fed.assert_code(0);
    let number = |line: &str| line.split_whitespace().next().and_then(|word| word.parse::<usize>().ok());
    let told: Vec<usize> = fed.stdout.lines().filter_map(number).collect();
    let &[records, delivered, dead_lettered, skipped] = told.as_slice() else { panic!("{}", fed.stdout) };
    assert!(records == 4000 && delivered > 0 && dead_lettered > 0 && skipped > 0, "{}", fed.stdout);

    let run = limits.iter().fold(Call::run_until_end(&scene), |run, limit| run.set(limit)).ended();
    run.assert_code(0);
    let account = run.stderr.lines().find(|line| line.contains("account at the end")).unwrap_or_default();
    let told = [("polled", records), ("delivered", delivered), ("dead_lettered", dead_lettered), ("skipped", skipped)];
    for (name, count) in told.into_iter().chain([("abandoned", 0)]) {
        assert!(account.contains(&format!("\"{name}\":{count},")), "{name} {count}: {account}\n{}", fed.stdout);
    }
    let events = read(scene.cluster, &scene.output, View::Committed).len();
    assert!(fed.stdout.contains(&format!("records delivered, {events} events")), "{events}\n{}", fed.stdout);
}

#[test]
fn a_feed_that_nobody_takes_says_so_at_once_in_one_line() {
    let scene = Scene::empty(Cluster::shared(), ExactlyOnce, 1);
    let feed = ["demo", "feed", "--records", "10"];
    let missing = call(&scene, &feed, &[]);
    missing.assert_code(1);
    let remedy = "create it: messagetrace-ecs topics --create, or correct input.topics";
    assert_eq!(missing.stderr, format!("error: topic {} does not exist ({remedy})\n", scene.input));

    let nobody = format!("127.0.0.1:{}", free_port());
    let unreachable = call(&scene, &feed, &[&format!("kafka.bootstrap_servers={nobody}")]);
    unreachable.assert_code(1);
    let told = format!("error: no broker of {nobody} answered: ");
    assert!(unreachable.stderr.starts_with(&told) && unreachable.stderr.lines().count() == 1, "{}", unreachable.stderr);
}
