//! A running Kafka: how to reach it, its topics, offsets and permissions, and its nodes.

use std::future::Future;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication, TopicResult,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaResult, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};

use super::broker::{ADMIN, ADMIN_PASSWORD, Access, Node, Plan, Room, java};
use super::children::{Signal, run_directory};
use super::gauge::{Gauge, Progress};
use super::jars;
use super::wait;

/// For one request on a busy machine.
pub const REQUEST_LIMIT: Duration = Duration::from_secs(120);

/// What a reader sees of a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    Committed,
    /// Open and aborted transactions too.
    Uncommitted,
}

impl View {
    pub fn isolation_level(self) -> &'static str {
        match self {
            Self::Committed => "read_committed",
            Self::Uncommitted => "read_uncommitted",
        }
    }
}

/// What a broker of the cluster coordinates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coordinated {
    Group,
    TransactionalId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    Allow,
    Deny,
}

#[derive(Debug)]
pub struct Cluster {
    nodes: Vec<Node>,
    access: Access,
    /// Of brokers that somebody else started.
    elsewhere: Option<String>,
    /// Given back when the nodes are gone: fields are dropped in their order.
    _room: Option<Room>,
}

/// Asks for one topic until there is an answer: nodes that have just started, or stand still, may lose the question or the answer.
/// `done` is what is said when it had been done by then.
fn until_answered(what: &str, done: RDKafkaErrorCode, ask: impl Fn() -> KafkaResult<Vec<TopicResult>>) {
    wait::until(what, REQUEST_LIMIT, || match ask().ok()?.remove(0) {
        Err((name, code)) if code != done => panic!("{what}: {name}: {code}"),
        Ok(_) | Err(_) => Some(()),
    });
}

impl Cluster {
    pub fn new(nodes: Vec<Node>, access: Access, room: Room) -> Self {
        Self { nodes, access, elsewhere: None, _room: Some(room) }
    }

    /// Brokers that run already and let everybody in.
    pub fn at(bootstrap: String) -> Self {
        Self { nodes: Vec::new(), access: Access::Open, elsewhere: Some(bootstrap), _room: None }
    }

    /// One open node for all tests of a program that do it no harm.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Cluster> = OnceLock::new();
        SHARED.get_or_init(|| Plan::nodes(1).start())
    }

    /// What the service is told; on a guarded cluster its user is anonymous there.
    pub fn bootstrap(&self) -> String {
        if let Some(elsewhere) = &self.elsewhere {
            return elsewhere.clone();
        }
        let nodes: Vec<String> = self.nodes.iter().map(|node| format!("127.0.0.1:{}", node.plain())).collect();
        nodes.join(",")
    }

    /// Client settings with which a test may do everything.
    pub fn client(&self) -> ClientConfig {
        let mut client = ClientConfig::new();
        match self.access {
            Access::Open => client.set("bootstrap.servers", self.bootstrap()),
            Access::Guarded => client
                .set("bootstrap.servers", self.admin_bootstrap())
                .set("security.protocol", "sasl_plaintext")
                .set("sasl.mechanism", "PLAIN")
                .set("sasl.username", ADMIN)
                .set("sasl.password", ADMIN_PASSWORD),
        };
        client
    }

    /// How many nodes it has.
    pub fn nodes(&self) -> usize {
        self.nodes.len()
    }

    /// A node by its number, from 1.
    pub fn node(&self, id: usize) -> &Node {
        &self.nodes[id - 1]
    }

    /// Has every node running and answering again.
    pub fn mend(&self, limit: Duration) {
        for node in &self.nodes {
            if node.is_running() { node.signal(Signal::Cont) } else { node.restart() }
        }
        self.until_whole(limit);
    }

    /// Waits until every node that runs is known to the cluster and no other is.
    pub fn until_whole(&self, limit: Duration) {
        let running = self.nodes.iter().filter(|node| node.is_running()).count();
        let look = self.looker(View::Committed);
        wait::until("all nodes answer", limit, || {
            self.nodes.iter().for_each(Node::assert_alive);
            let metadata = look.fetch_metadata(None, Duration::from_secs(1)).ok()?;
            (metadata.brokers().len() == running).then_some(())
        });
    }

    /// Waits until every replica of a topic has caught up, so that the next node may go.
    pub fn until_in_sync(&self, topic: &str, limit: Duration) {
        let look = self.looker(View::Committed);
        wait::until("all replicas are in sync", limit, || {
            let metadata = look.fetch_metadata(Some(topic), Duration::from_secs(1)).ok()?;
            let partitions = metadata.topics().first()?.partitions();
            partitions.iter().all(|partition| partition.isr().len() == partition.replicas().len()).then_some(())
        });
    }

    pub fn create_topic(&self, name: &str, partitions: i32, settings: &[(&str, &str)]) {
        // The broker's own default replication factor.
        self.create(NewTopic::new(name, partitions, TopicReplication::Fixed(-1)), settings);
    }

    /// A topic of one partition with replicas on these nodes, the first of which leads.
    pub fn create_replicated(&self, name: &str, nodes: &[i32], settings: &[(&str, &str)]) {
        self.create(NewTopic::new(name, 1, TopicReplication::Variable(&[nodes])), settings);
    }

    /// The node that leads the only partition of a topic; `None`: nobody does.
    pub fn leader(&self, topic: &str) -> Option<i32> {
        let metadata = self.looker(View::Committed).fetch_metadata(Some(topic), Duration::from_secs(2)).ok()?;
        metadata
            .topics()
            .first()?
            .partitions()
            .first()
            .map(rdkafka::metadata::MetadataPartition::leader)
            .filter(|leader| *leader >= 0)
    }

    /// The replicas of the only partition of a topic that have got all of it.
    pub fn in_sync(&self, topic: &str) -> Vec<i32> {
        let metadata = self.looker(View::Committed).fetch_metadata(Some(topic), Duration::from_secs(2));
        let of_first = |metadata: &rdkafka::metadata::Metadata| {
            Some(metadata.topics().first()?.partitions().first()?.isr().to_vec())
        };
        metadata.ok().as_ref().and_then(of_first).unwrap_or_default()
    }

    /// A topic whose partitions live on the given nodes, without replicas.
    pub fn create_topic_on(&self, name: &str, nodes: &[i32], settings: &[(&str, &str)]) {
        let partitions: Vec<[i32; 1]> = nodes.iter().map(|node| [*node]).collect();
        let assignment: Vec<&[i32]> = partitions.iter().map(<[i32; 1]>::as_slice).collect();
        let count = i32::try_from(nodes.len()).expect("a handful of partitions");
        self.create(NewTopic::new(name, count, TopicReplication::Variable(&assignment)), settings);
    }

    fn create<'a>(&self, mut topic: NewTopic<'a>, settings: &[(&'a str, &'a str)]) {
        for (key, value) in settings {
            topic = topic.set(key, value);
        }
        let name = topic.name;
        until_answered("a topic is made", RDKafkaErrorCode::TopicAlreadyExists, || {
            now(self.admin().create_topics([&topic], &AdminOptions::new()))
        });
        self.until_led(name, 1);
    }

    /// Waits until a topic has so many partitions at least, and each a leader.
    fn until_led(&self, topic: &str, count: usize) {
        let look = self.looker(View::Committed);
        wait::until("the topic has leaders", REQUEST_LIMIT, || {
            let metadata = look.fetch_metadata(Some(topic), Duration::from_secs(1)).ok()?;
            let partitions = metadata.topics().first()?.partitions();
            (partitions.len() >= count && partitions.iter().all(|partition| partition.leader() >= 0)).then_some(())
        });
    }

    /// Gives a topic one more partition; gives its number.
    pub fn add_partition(&self, topic: &str) -> i32 {
        self.add_partition_on(topic, &[])
    }

    /// The same, on these nodes, of which there are as many as the topic has replicas; none: where the brokers see fit.
    pub fn add_partition_on(&self, topic: &str, nodes: &[i32]) -> i32 {
        let new = self.partitions(topic);
        let count = usize::try_from(new + 1).expect("a count");
        let assignment = [nodes];
        wait::until("a partition is added", REQUEST_LIMIT, || {
            let mut more = NewPartitions::new(topic, count);
            if !nodes.is_empty() {
                more = more.assign(&assignment);
            }
            now(self.admin().create_partitions([&more], &AdminOptions::new())).ok()?.remove(0).ok()
        });
        self.until_led(topic, count);
        new
    }

    pub fn delete_topic(&self, name: &str) {
        until_answered("a topic is deleted", RDKafkaErrorCode::UnknownTopicOrPartition, || {
            now(self.admin().delete_topics(&[name], &AdminOptions::new()))
        });
    }

    /// Deletes every record that a topic holds.
    pub fn delete_records(&self, topic: &str) {
        let mut ends = TopicPartitionList::new();
        for (partition, end) in (0..).zip(self.gauge(topic, View::Committed).ends()) {
            ends.add_partition_offset(topic, partition, Offset::Offset(end)).expect("a partition's end is an offset");
        }
        let deleted = now(self.admin().delete_records(&ends, &AdminOptions::new())).expect("ask to delete records");
        assert!(deleted.elements().iter().all(|element| element.error().is_ok()), "delete the records of {topic}");
    }

    /// Has a partition begin at an offset, as retention would.
    pub fn delete_before(&self, topic: &str, partition: i32, offset: i64) {
        let mut before = TopicPartitionList::new();
        before.add_partition_offset(topic, partition, Offset::Offset(offset)).expect("a valid offset");
        now(self.admin().delete_records(&before, &AdminOptions::new())).expect("delete records");
    }

    /// Changes a topic's settings; those not named go back to their defaults.
    pub fn alter_topic(&self, name: &str, settings: &[(&str, &str)]) {
        let mut change = AlterConfig::new(ResourceSpecifier::Topic(name));
        for (key, value) in settings {
            change = change.set(key, value);
        }
        let altered = now(self.admin().alter_configs([&change], &AdminOptions::new()));
        altered.expect("ask to alter a topic").remove(0).expect("alter the topic");
    }

    /// One access rule for everybody on the plain listener: an operation on resources such as `["--topic", "t"]`.
    pub fn rule(&self, rule: Rule, operation: &str, resources: &[&str]) {
        let principal = match rule {
            Rule::Allow => "--allow-principal",
            Rule::Deny => "--deny-principal",
        };
        let rule = ["--add", "--force", principal, "User:ANONYMOUS", "--operation", operation];
        self.tool("org.apache.kafka.tools.AclCommand", &[&rule, resources].concat());
    }

    /// One access rule of any kind, on everything whose name begins so, unless it says otherwise.
    pub fn acl(&self, begin: &[&str], end: &[&str]) {
        let prefixed: &[&str] =
            if end.contains(&"--resource-pattern-type") { &[] } else { &["--resource-pattern-type", "prefixed"] };
        self.tool("org.apache.kafka.tools.AclCommand", &[begin, end, prefixed, &["--force"]].concat());
    }

    /// Gives somebody a password, or another one, for SCRAM-SHA-256.
    pub fn password(&self, user: &str, password: &str) {
        let change = format!("SCRAM-SHA-256=[password={password}]");
        let whom = ["--alter", "--entity-type", "users", "--entity-name", user, "--add-config", &change];
        self.tool("kafka.admin.ConfigCommand", &whom);
    }

    /// Runs one of Kafka's own tools as the administrator.
    pub fn tool(&self, class: &str, arguments: &[&str]) {
        let settings = run_directory().join("admin.properties");
        let login = format!(
            "security.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\nsasl.jaas.config=\
             org.apache.kafka.common.security.plain.PlainLoginModule required \
             username=\"{ADMIN}\" password=\"{ADMIN_PASSWORD}\";\n"
        );
        std::fs::write(&settings, login).expect("write the administrator's settings");
        let mut tool: Command = java(&jars::class_path(), run_directory());
        tool.args([class, "--bootstrap-server", &self.admin_bootstrap(), "--command-config"]).arg(settings);
        let done = tool.args(arguments).output().expect("start Java");
        assert!(done.status.success(), "{class} {arguments:?}: {}", String::from_utf8_lossy(&done.stdout));
    }

    /// Holds back what clients of this id produce, in bytes a second.
    pub fn throttle_producers(&self, client_id: &str, bytes_per_second: u64) {
        let mut tool: Command = java(&jars::class_path(), run_directory());
        tool.args(["kafka.admin.ConfigCommand", "--bootstrap-server", &self.bootstrap(), "--alter"]);
        tool.args(["--entity-type", "clients", "--entity-name", client_id]);
        tool.args(["--add-config", &format!("producer_byte_rate={bytes_per_second}")]);
        let done = tool.output().expect("start Java");
        assert!(done.status.success(), "throttle {client_id}: {}", String::from_utf8_lossy(&done.stdout));
    }

    /// For looking again and again how far a topic has come, as a reader with this view sees it.
    pub fn gauge(&self, topic: &str, view: View) -> Gauge {
        Gauge::new(self.looker(view), topic, self.partitions(topic))
    }

    pub fn partitions(&self, topic: &str) -> i32 {
        let metadata =
            self.looker(View::Committed).fetch_metadata(Some(topic), REQUEST_LIMIT).expect("ask for a topic");
        let found = metadata.topics().first().expect("the answer names the topic");
        assert!(found.error().is_none(), "topic {topic}: {:?}", found.error());
        i32::try_from(found.partitions().len()).expect("a handful of partitions")
    }

    /// The node that answers for a group or a transactional id: the leader of its partition of an internal topic, which
    /// Java's `String.hashCode` chooses.
    pub fn coordinator(&self, of: Coordinated, name: &str) -> usize {
        let hash = name.encode_utf16().fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)));
        let topic = match of {
            Coordinated::Group => "__consumer_offsets",
            Coordinated::TransactionalId => "__transaction_state",
        };
        let look = self.looker(View::Committed);
        wait::until("the coordinator is known", REQUEST_LIMIT, || {
            let metadata = look.fetch_metadata(Some(topic), Duration::from_secs(1)).ok()?;
            let partitions = metadata.topics().first()?.partitions();
            let count = i32::try_from(partitions.len()).ok().filter(|count| *count > 0)?;
            let chosen = hash.checked_abs().unwrap_or(0) % count;
            let leader = partitions.iter().find(|partition| partition.id() == chosen)?.leader();
            usize::try_from(leader).ok()
        })
    }

    /// What the group has committed of each partition.
    pub fn committed(&self, group: &str, topic: &str) -> Vec<Option<i64>> {
        self.progress(group, topic).committed()
    }

    /// The same without what is in a transaction that is still open, which is not waited for.
    pub fn committed_so_far(&self, group: &str, topic: &str) -> Vec<i64> {
        let committed = self.progress_in(View::Uncommitted, group, topic).committed();
        committed.into_iter().map(|offset| offset.unwrap_or(0)).collect()
    }

    /// For looking again and again how far a group has come: a client made for each look would cost more than the look.
    pub fn progress(&self, group: &str, topic: &str) -> Progress {
        self.progress_in(View::Committed, group, topic)
    }

    /// The same; uncommitted, offsets in a transaction that is open are none yet and are not waited for, and a coordinator that has
    /// just come up may tell older ones.
    pub fn progress_in(&self, view: View, group: &str, topic: &str) -> Progress {
        let mut client = self.client();
        client.set("group.id", group).set("isolation.level", view.isolation_level());
        Progress::new(client.create().expect("make a consumer"), topic, self.partitions(topic))
    }

    fn admin(&self) -> AdminClient<DefaultClientContext> {
        self.client().create().expect("make an admin client")
    }

    fn admin_bootstrap(&self) -> String {
        let nodes: Vec<String> = self.nodes.iter().map(|node| format!("127.0.0.1:{}", node.ports.admin)).collect();
        nodes.join(",")
    }

    /// For looking at topics.
    pub fn looker(&self, view: View) -> BaseConsumer {
        let mut client = self.client();
        // A consumer must have a group, even one that never joins.
        client.set("group.id", "onlooker").set("isolation.level", view.isolation_level());
        client.create().expect("make a consumer")
    }
}

/// Runs one admin request to its end. The admin client has a thread of its own and needs no runtime.
fn now<F: Future>(request: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().expect("make a runtime").block_on(request)
}
