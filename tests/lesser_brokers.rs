//! Brokers that can do less than Kafka, as some services that speak its protocol, played by librdkafka's embedded broker:
//! what they lack is told by name, with the setting, before anybody waits for it.

mod support;

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer as _};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use support::service::{Call, LIMIT};
use support::wait;

const INPUT: &str = "messagetrace.raw";

const TRACE: &str = r#"{"MessageTraceId":"a","Received":"2026-01-01T00:00:00Z","SenderAddress":"a@b.example","RecipientAddress":"c@d.example","Status":"Delivered"}"#;

/// What a client of a service without transactions is not offered.
const OF_TRANSACTIONS: [RDKafkaApiKey; 4] = [
    RDKafkaApiKey::AddPartitionsToTxn,
    RDKafkaApiKey::AddOffsetsToTxn,
    RDKafkaApiKey::EndTxn,
    RDKafkaApiKey::TxnOffsetCommit,
];

/// The embedded broker, with our three topics.
fn broker() -> MockCluster<'static, DefaultProducerContext> {
    let broker = MockCluster::new(1).expect("start the embedded broker");
    for topic in [INPUT, "messagetrace.ecs", "messagetrace.dlq"] {
        broker.create_topic(topic, 1, 1).expect("make a topic");
    }
    broker
}

fn call(broker: &MockCluster<'_, DefaultProducerContext>, arguments: &[&str], more: &[&str]) -> Call {
    let servers = format!("kafka.bootstrap_servers={}", broker.bootstrap_servers());
    let settings = ["log.format=json", &servers].into_iter().chain(more.iter().copied());
    settings.fold(Call::of(arguments), Call::set)
}

fn write(broker: &MockCluster<'_, DefaultProducerContext>, records: usize, value: &str) {
    let client: BaseProducer =
        ClientConfig::new().set("bootstrap.servers", broker.bootstrap_servers()).create().expect("make a producer");
    for _ in 0..records {
        client.send(BaseRecord::<(), _>::to(INPUT).payload(value)).map_err(|(error, _)| error).expect("send a record");
    }
    client.flush(Duration::from_secs(30)).expect("write the records");
}

#[test]
fn brokers_without_transactions_are_named_with_the_setting() {
    let broker = broker();
    for request in OF_TRANSACTIONS {
        broker.apiversion(request, None, None).expect("take a request away");
    }
    for arguments in [&["run"][..], &["check", "--connect"]] {
        let ended = call(&broker, arguments, &[]).ended();
        ended.assert_code(1);
        let problems = ended.problems();
        assert_eq!(problems.len(), 1, "{arguments:?}: {problems:?}\n{}", ended.stderr);
        for named in ["no transactions", "pipeline.delivery", "at_least_once"] {
            assert!(problems[0].contains(named), "{arguments:?}: {named} is not named: {}", problems[0]);
        }
    }
    let cured = call(&broker, &["check", "--connect"], &["pipeline.delivery=at_least_once"]).ended();
    cured.assert_code(0);
}

#[test]
fn brokers_without_an_idempotent_producer_are_named() {
    let broker = broker();
    broker.apiversion(RDKafkaApiKey::InitProducerId, None, None).expect("take a request away");
    for arguments in [&["run"][..], &["check", "--connect"]] {
        let ended = call(&broker, arguments, &["pipeline.delivery=at_least_once"]).ended();
        ended.assert_code(1);
        let problems = ended.problems();
        assert!(problems.len() == 1 && problems[0].contains("no idempotent producer"), "{arguments:?}: {problems:?}");
    }
}

#[test]
fn what_brokers_do_not_tell_of_the_group_is_told_as_unchecked() {
    let broker = broker();
    broker.apiversion(RDKafkaApiKey::DescribeGroups, None, None).expect("take a request away");
    let ended = call(&broker, &["check", "--connect"], &["pipeline.delivery=at_least_once"]).ended();
    ended.assert_code(0);
    let told = ended.stderr.lines().find(|line| line.contains("group messagetrace-ecs"));
    assert!(told.is_some_and(|line| line.starts_with("warning: ") && line.contains("not checked")), "{}", ended.stderr);
}

#[test]
fn dead_letter_topics_that_nobody_has_are_told_with_what_to_do() {
    let broker = broker();
    let ended = call(&broker, &["dlq", "stats", "--dead-letters", "nope*"], &[]).ended();
    ended.assert_code(1);
    let problems = ended.problems();
    assert_eq!(problems.len(), 1, "{}", ended.stderr);
    assert!(problems[0].starts_with("no topic fits --dead-letters nope* ("), "{}", problems[0]);
}

#[test]
fn brokers_that_do_not_take_the_codec_end_the_start_with_the_setting() {
    let broker = broker();
    write(&broker, 1, "{}");
    broker.request_errors(
        RDKafkaApiKey::Produce,
        &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNSUPPORTED_COMPRESSION_TYPE; 1000],
    );
    let ended = call(&broker, &["run"], &["pipeline.delivery=at_least_once", "output.compression=zstd"]).ended();
    ended.assert_code(1);
    let problems = ended.problems();
    assert!(problems.len() == 1 && problems[0].contains("set output.compression"), "{problems:?}");
    assert!(problems[0].contains("messagetrace.ecs"), "the topic is named: {}", problems[0]);
}

#[test]
fn a_session_timeout_that_the_brokers_do_not_take_ends_the_start_with_the_setting() {
    let broker = broker();
    let refused = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_INVALID_SESSION_TIMEOUT; 1000];
    broker.request_errors(RDKafkaApiKey::JoinGroup, &refused);
    let ended = call(&broker, &["run"], &["pipeline.delivery=at_least_once"]).ended();
    ended.assert_code(1);
    let problems = ended.problems();
    assert_eq!(problems.len(), 1, "{problems:?}");
    for named in ["input.session_timeout", "group.min.session.timeout.ms"] {
        assert!(problems[0].contains(named), "{named} is not named: {}", problems[0]);
    }
}

#[test]
fn a_group_that_does_not_take_us_in_is_waited_for_in_a_line_with_its_reason() {
    let broker = broker();
    let refused = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_INCONSISTENT_GROUP_PROTOCOL; 1000];
    broker.request_errors(RDKafkaApiKey::JoinGroup, &refused);
    let service = call(&broker, &["run"], &["pipeline.delivery=at_least_once"]).start();
    wait::until("the reason is told", LIMIT, || {
        let told = service
            .log()
            .lines()
            .any(|line| line.contains("stalled: ") && line.contains("Inconsistent group protocol"));
        told.then_some(())
    });
    broker.clear_request_errors(RDKafkaApiKey::JoinGroup);
    wait::until("the group takes us in", LIMIT, || service.log().contains("no longer stalled").then_some(()));
    service.stopped().assert_code(0);
}

#[test]
fn what_a_new_topic_answers_before_it_has_settled_is_asked_again() {
    let broker = broker();
    write(&broker, 3, "{}");
    for arguments in [&["dlq", "stats"][..], &["check", "--connect"]] {
        broker.request_errors(
            RDKafkaApiKey::ListOffsets,
            &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION; 5],
        );
        let ended = call(&broker, arguments, &["pipeline.delivery=at_least_once"]).ended();
        ended.assert_code(0);
        assert!(!ended.stderr.contains("leader"), "{arguments:?}: {}", ended.stderr);
        broker.clear_request_errors(RDKafkaApiKey::ListOffsets);
    }
}

#[test]
fn a_batch_that_is_refused_without_a_name_holds_up_none_but_its_records() {
    const RECORDS: usize = 20_000;
    let broker = broker();
    write(&broker, RECORDS, TRACE);
    broker.request_errors(RDKafkaApiKey::Produce, &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_POLICY_VIOLATION]);
    let ended = call(&broker, &["run", "--until-end"], &["pipeline.delivery=at_least_once"]).ended();
    ended.assert_code(0);
    let alone = ended.stderr.lines().find_map(|line| {
        let line: serde_json::Value = serde_json::from_str(line).ok()?;
        let is_it = line["message"].as_str()?.contains("one by one");
        is_it.then(|| line["records"].as_u64())?
    });
    // What a batch takes of such events, and none of those before it or behind it.
    assert!(alone.is_some_and(|alone| (1..5_000).contains(&alone)), "{alone:?}: {}", ended.stderr);
    assert!(ended.stderr.contains(&format!("\"delivered\":{RECORDS},")), "{}", ended.stderr);
    assert!(!ended.stderr.contains("stalled"), "a refusal is no stall: {}", ended.stderr);
}
