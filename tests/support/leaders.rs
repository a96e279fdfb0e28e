//! Moves the leaders of partitions from node to node, with Kafka's own tools: with those of its internal topics the
//! coordinators of groups and transactions move too.

use std::fs;
use std::process::Command;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use serde_json::{Value, json};

use super::broker::java;
use super::children::run_directory;
use super::cluster::{Cluster, REQUEST_LIMIT};
use super::{jars, wait};

/// Has each partition of these topics led by the next of its replicas.
pub fn move_on(cluster: &Cluster, topics: &[&str]) {
    let plan = run_directory().join("leaders.json");
    fs::write(&plan, turned(cluster, topics).to_string()).expect("write who is to lead");
    let path = plan.display().to_string();
    let assign = ["org.apache.kafka.tools.reassign.ReassignPartitionsCommand", "--reassignment-json-file", &path];
    tool(cluster, &[&assign[..], &["--execute"]].concat());
    let elect = ["org.apache.kafka.tools.LeaderElectionCommand", "--election-type", "preferred"];
    tool(cluster, &[&elect[..], &["--all-topic-partitions"]].concat());
}

/// The same replicas, the first of them last.
fn turned(cluster: &Cluster, topics: &[&str]) -> Value {
    let look: BaseConsumer = cluster.client().set("group.id", "onlooker").create().expect("make a consumer");
    let mut partitions = Vec::new();
    for topic in topics {
        let metadata = wait::until("a topic tells its replicas", REQUEST_LIMIT, || {
            look.fetch_metadata(Some(topic), Duration::from_secs(2)).ok()
        });
        for partition in metadata.topics()[0].partitions() {
            let mut replicas = partition.replicas().to_vec();
            replicas.rotate_left(1);
            partitions.push(json!({ "topic": topic, "partition": partition.id(), "replicas": replicas }));
        }
    }
    json!({ "version": 1, "partitions": partitions })
}

/// Asked again: nodes that have just started may lose the question.
fn tool(cluster: &Cluster, arguments: &[&str]) {
    let (class, rest) = arguments.split_first().expect("the name of a tool");
    wait::until("leaders move", REQUEST_LIMIT * 4, || {
        let mut tool: Command = java(&jars::class_path(), run_directory());
        tool.args([class, "--bootstrap-server", &cluster.bootstrap()]).args(rest);
        tool.output().expect("start Java").status.success().then_some(())
    });
}
