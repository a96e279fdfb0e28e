//! Starts a real Apache Kafka, one or three combined KRaft nodes, as child processes, and does to its nodes what operators fear.

use std::collections::HashSet;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Condvar, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use super::children::{Offspring, Signal, run_directory};
use super::cluster::Cluster;
use super::listeners::{Listener, PASSWORD, USER};
use super::{jars, wait};

/// A node needs 3 s on an idle machine; a busy one gets its chance.
const START_LIMIT: Duration = Duration::from_secs(120);

/// So many nodes at a time, at 400 MB each. Two clusters of a test program stay until its end: the one that is shared, and
/// the one with logins. Beside them the largest has to find room.
const MOST_NODES: usize = 10;

/// For others to make room.
const ROOM_LIMIT: Duration = Duration::from_secs(600);

const CLUSTER_ID: &str = "bWVzc2FnZXRyYWNlLWVjcw";

/// Who may do everything on a guarded cluster; everybody else is `User:ANONYMOUS` and may do nothing.
pub const ADMIN: &str = "admin";
pub const ADMIN_PASSWORD: &str = "admin-of-the-tests";

const LOGGING: &str = "\
status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{ISO8601} %p %c: %m%n
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
";

/// Whether the cluster asks for permissions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Access {
    #[default]
    Open,
    /// `StandardAuthorizer`; the plain listener's users are anonymous and need ACLs.
    Guarded,
}

/// A cluster to be.
#[derive(Debug, Default)]
pub struct Plan {
    nodes: usize,
    access: Access,
    properties: Vec<(String, String)>,
    listeners: Vec<Listener>,
    /// One a node, in their order.
    fronts: Vec<Listener>,
    scram: Vec<&'static str>,
}

impl Plan {
    pub fn nodes(nodes: usize) -> Self {
        Self { nodes, ..Self::default() }
    }

    pub fn guarded(mut self) -> Self {
        self.access = Access::Guarded;
        self
    }

    /// One more listener a node, of which clients learn the port of whoever stands before it.
    pub fn behind(mut self, ports: &[u16]) -> Self {
        assert_eq!(ports.len(), self.nodes, "somebody before each node");
        self.fronts = ports.iter().map(|port| Listener::behind(*port)).collect();
        self
    }

    /// One more listener, for a cluster of one node.
    pub fn listener(mut self, listener: Listener) -> Self {
        self.listeners.push(listener);
        self
    }

    /// The user of the tests may log in by this mechanism.
    pub fn scram_user(mut self, mechanism: &'static str) -> Self {
        self.scram.push(mechanism);
        self
    }

    /// One more broker property, over ours.
    pub fn with(mut self, key: &str, value: &str) -> Self {
        self.properties.push((key.to_owned(), value.to_owned()));
        self
    }

    /// Starts the nodes and waits until all of them answer.
    pub fn start(self) -> Cluster {
        static CLUSTERS: Mutex<usize> = Mutex::new(0);
        let number = {
            let mut clusters = CLUSTERS.lock().unwrap_or_else(PoisonError::into_inner);
            *clusters += 1;
            *clusters
        };
        let room = Room::take(self.nodes);
        let class_path = jars::class_path();
        let ports: Vec<Ports> = (0..self.nodes).map(|_| Ports::free()).collect();
        let nodes: Vec<Node> = (1..=self.nodes)
            .map(|id| {
                let directory = run_directory().join(format!("kafka-{number}-{id}"));
                let front = self.fronts.get(id - 1).map(|front| front.port);
                Node::new(id, ports[id - 1], front, directory, &self.properties(id, &ports), &class_path)
            })
            .collect();
        thread::scope(|scope| {
            for node in &nodes {
                scope.spawn(|| {
                    node.format(&self.scram);
                    node.start();
                });
            }
        });
        let cluster = Cluster::new(nodes, self.access, room);
        cluster.until_whole(START_LIMIT);
        cluster
    }

    fn properties(&self, id: usize, ports: &[Ports]) -> Vec<(String, String)> {
        let replicas = self.nodes.min(3).to_string();
        let in_sync = if self.nodes < 3 { "1" } else { "2" };
        let own = ports[id - 1];
        let voters: Vec<String> =
            ports.iter().enumerate().map(|(at, ports)| format!("{}@127.0.0.1:{}", at + 1, ports.controller)).collect();
        let mut properties: Vec<(String, String)> = [
            ("process.roles", "broker,controller"),
            ("node.id", &id.to_string()),
            ("controller.quorum.voters", &voters.join(",")),
            ("controller.listener.names", "CONTROLLER"),
            ("auto.create.topics.enable", "false"),
            ("default.replication.factor", &replicas),
            ("min.insync.replicas", in_sync),
            ("offsets.topic.replication.factor", &replicas),
            ("offsets.topic.num.partitions", "3"),
            ("transaction.state.log.replication.factor", &replicas),
            ("transaction.state.log.min.isr", in_sync),
            ("transaction.state.log.num.partitions", "3"),
            ("group.initial.rebalance.delay.ms", "0"),
            // Tests kill members and wait for their partitions.
            ("group.min.session.timeout.ms", "1000"),
            ("group.max.session.timeout.ms", "1200000"),
            ("group.consumer.min.session.timeout.ms", "1000"),
            ("group.consumer.min.heartbeat.interval.ms", "300"),
            ("broker.session.timeout.ms", "3000"),
            ("broker.heartbeat.interval.ms", "500"),
            // Records carry made-up times, years back; only a test that says so wants them deleted.
            ("log.retention.ms", "-1"),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into();
        properties.extend(listeners(self.access, own));
        self.listeners.iter().chain(self.fronts.get(id - 1)).for_each(|listener| open(listener, &mut properties));
        properties.extend(self.properties.iter().cloned());
        properties
    }
}

/// Listeners, and on a guarded cluster who is asked for a password on which of them.
fn listeners(access: Access, ports: Ports) -> Vec<(String, String)> {
    let Ports { plain, admin, controller } = ports;
    let login = format!(
        "org.apache.kafka.common.security.plain.PlainLoginModule required \
         username=\"{ADMIN}\" password=\"{ADMIN_PASSWORD}\" user_{ADMIN}=\"{ADMIN_PASSWORD}\";"
    );
    let pairs: Vec<(&str, String)> = match access {
        Access::Open => vec![
            ("listeners", format!("PLAINTEXT://127.0.0.1:{plain},CONTROLLER://127.0.0.1:{controller}")),
            ("advertised.listeners", format!("PLAINTEXT://127.0.0.1:{plain}")),
            ("listener.security.protocol.map", "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT".to_owned()),
            ("inter.broker.listener.name", "PLAINTEXT".to_owned()),
        ],
        Access::Guarded => vec![
            (
                "listeners",
                format!("PLAINTEXT://127.0.0.1:{plain},ADMIN://127.0.0.1:{admin},CONTROLLER://127.0.0.1:{controller}"),
            ),
            ("advertised.listeners", format!("PLAINTEXT://127.0.0.1:{plain},ADMIN://127.0.0.1:{admin}")),
            (
                "listener.security.protocol.map",
                "PLAINTEXT:PLAINTEXT,ADMIN:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT".to_owned(),
            ),
            ("inter.broker.listener.name", "ADMIN".to_owned()),
            ("sasl.enabled.mechanisms", "PLAIN".to_owned()),
            ("sasl.mechanism.inter.broker.protocol", "PLAIN".to_owned()),
            ("sasl.mechanism.controller.protocol", "PLAIN".to_owned()),
            ("listener.name.admin.plain.sasl.jaas.config", login.clone()),
            ("listener.name.controller.plain.sasl.jaas.config", login),
            ("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer".to_owned()),
            ("super.users", format!("User:{ADMIN}")),
        ],
    };
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// Adds a listener to the listeners.
fn open(listener: &Listener, properties: &mut Vec<(String, String)>) {
    let Listener { name, protocol, .. } = listener;
    let address = format!(",{name}://{}", listener.address());
    let advertised = format!(",{name}://127.0.0.1:{}", listener.advertised.unwrap_or(listener.port));
    for (key, more) in [
        ("listeners", address.as_str()),
        ("advertised.listeners", advertised.as_str()),
        ("listener.security.protocol.map", &format!(",{name}:{protocol}")),
    ] {
        let known = properties.iter_mut().find(|(known, _)| known == key);
        known.expect("there are listeners already").1.push_str(more);
    }
    let prefix = format!("listener.name.{}", name.to_lowercase());
    properties.extend(listener.properties.iter().map(|(key, value)| (format!("{prefix}.{key}"), value.clone())));
}

/// Room for nodes, until it is dropped: tests run side by side, many with a cluster of their own.
#[derive(Debug)]
pub struct Room {
    nodes: usize,
}

static TAKEN: Mutex<usize> = Mutex::new(0);
static GIVEN_BACK: Condvar = Condvar::new();

impl Room {
    fn take(nodes: usize) -> Self {
        let taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
        let is_full = |taken: &mut usize| *taken > 0 && *taken + nodes > MOST_NODES;
        let waited = GIVEN_BACK.wait_timeout_while(taken, ROOM_LIMIT, is_full);
        let (mut taken, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        assert!(!waited.timed_out(), "no room for {nodes} nodes");
        *taken += nodes;
        Self { nodes }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        *TAKEN.lock().unwrap_or_else(PoisonError::into_inner) -= self.nodes;
        GIVEN_BACK.notify_all();
    }
}

/// The ports of one node on the loopback interface.
#[derive(Clone, Copy, Debug)]
pub struct Ports {
    pub plain: u16,
    pub admin: u16,
    pub controller: u16,
}

impl Ports {
    fn free() -> Self {
        Self { plain: free_port(), admin: free_port(), controller: free_port() }
    }
}

/// A port that nobody listens on, below the range from which systems number outgoing connections: a client that knocks at a dead
/// node's port from that range can end up connected to itself and keep the node from coming back.
///
/// No port is given twice: who was given one may not listen yet.
pub fn free_port() -> u16 {
    static GIVEN: OnceLock<Mutex<(fastrand::Rng, HashSet<u16>)>> = OnceLock::new();
    let given = GIVEN.get_or_init(|| Mutex::new((fastrand::Rng::new(), HashSet::new())));
    let (choice, given) = &mut *given.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        let port = choice.u16(10_000..30_000);
        if given.insert(port) && TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// One broker and controller in one process.
#[derive(Debug)]
pub struct Node {
    pub id: usize,
    pub ports: Ports,
    /// Where whoever stands before it finds it.
    pub front: Option<u16>,
    /// Where clients find it now.
    plain: AtomicU16,
    directory: PathBuf,
    class_path: String,
    process: Mutex<Option<Offspring>>,
}

impl Node {
    fn new(
        id: usize,
        ports: Ports,
        front: Option<u16>,
        directory: PathBuf,
        properties: &[(String, String)],
        class_path: &str,
    ) -> Self {
        fs::create_dir_all(&directory).expect("create the node's directory");
        let data = format!("log.dirs={}\n", directory.join("data").display());
        let lines: String = properties.iter().map(|(key, value)| format!("{key}={value}\n")).collect();
        fs::write(directory.join("node.properties"), data + &lines).expect("write the node's properties");
        fs::write(directory.join("log4j2.properties"), LOGGING).expect("write the node's logging");
        Self {
            id,
            ports,
            front,
            plain: AtomicU16::new(ports.plain),
            directory,
            class_path: class_path.to_owned(),
            process: Mutex::new(None),
        }
    }

    fn format(&self, scram: &[&str]) {
        let mut format = java(&self.class_path, &self.directory);
        format.args(["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c"]);
        format.arg(self.directory.join("node.properties"));
        for mechanism in scram {
            format.arg("--add-scram").arg(format!("{mechanism}=[name={USER},password={PASSWORD}]"));
        }
        let done = format.output().expect("start Java");
        assert!(done.status.success(), "format node {}: {}", self.id, String::from_utf8_lossy(&done.stderr));
    }

    fn start(&self) {
        let mut broker = java(&self.class_path, &self.directory);
        broker.arg("kafka.Kafka").arg(self.directory.join("node.properties"));
        let offspring = Offspring::start(&broker, &self.directory.join("node.log"));
        *self.process() = Some(offspring);
    }

    /// Panics with the end of its log when the node has ended by itself.
    pub fn assert_alive(&self) {
        if let Some(process) = self.process().as_mut()
            && let Some(status) = process.exited()
        {
            panic!("node {} ended with {status}:\n{}", self.id, process.log());
        }
    }

    pub fn is_running(&self) -> bool {
        self.process().is_some()
    }

    /// Where its topics lie.
    pub fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    /// SIGSTOP and SIGCONT: the node is there, but says nothing.
    pub fn signal(&self, signal: Signal) {
        self.process().as_ref().expect("the node runs").signal(signal);
    }

    /// SIGKILL: the node has no chance to say goodbye.
    pub fn kill(&self) {
        self.process().take().expect("the node runs");
    }

    /// An orderly shutdown, as in a rolling restart.
    pub fn stop(&self) {
        let mut process = self.process().take().expect("the node runs");
        process.signal(Signal::Term);
        let ended = process.wait(START_LIMIT);
        assert!(ended.is_some(), "node {} does not stop:\n{}", self.id, process.log());
    }

    /// The port of its open listener.
    pub fn plain(&self) -> u16 {
        self.plain.load(Ordering::Relaxed)
    }

    /// A stopped node will come back on another port, as one with the same id that got another address.
    pub fn move_away(&self) {
        assert!(!self.is_running(), "node {} still runs", self.id);
        let file = self.directory.join("node.properties");
        let properties = fs::read_to_string(&file).expect("read the node's properties");
        let port = free_port();
        let (old, new) = (format!("PLAINTEXT://127.0.0.1:{}", self.plain()), format!("PLAINTEXT://127.0.0.1:{port}"));
        assert!(properties.contains(&old), "the node stands where it says");
        fs::write(&file, properties.replace(&old, &new)).expect("write the node's properties");
        self.plain.store(port, Ordering::Relaxed);
    }

    /// Starts a stopped or killed node again on its old data and ports.
    pub fn restart(&self) {
        assert!(!self.is_running(), "node {} still runs", self.id);
        let port = self.plain();
        wait::until("the node's port is free again", START_LIMIT, || TcpListener::bind(("127.0.0.1", port)).ok());
        self.start();
    }

    fn process(&self) -> std::sync::MutexGuard<'_, Option<Offspring>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A Java with Kafka on its class path and a modest appetite: the tests run on small machines.
pub fn java(class_path: &str, directory: &Path) -> Command {
    let mut java = Command::new("java");
    let logging = directory.join("log4j2.properties");
    java.args(["-cp", class_path]).arg(format!("-Dlog4j2.configurationFile={}", logging.display()));
    java.args(["-Xmx384m", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-XX:TieredStopAtLevel=1"]);
    java
}
