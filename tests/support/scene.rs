//! The stage of one test: topics and a group of its own on a cluster, and the settings that lead the service there.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::broker::free_port;
use super::cluster::Cluster;
use super::poison::{MAX_PAYLOAD_BYTES, MAX_TRACES};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guarantee {
    ExactlyOnce,
    AtLeastOnce,
}

impl Guarantee {
    pub fn name(self) -> &'static str {
        match self {
            Self::ExactlyOnce => "exactly_once",
            Self::AtLeastOnce => "at_least_once",
        }
    }
}

/// `output.key`: what the key of an event's record is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keying {
    #[default]
    Input,
    EventId,
}

impl Keying {
    pub fn name(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::EventId => "event_id",
        }
    }
}

/// Does the same under both guarantees side by side: most of it is waiting.
pub fn under_both(act: impl Fn(Guarantee) + Sync) {
    thread::scope(|scope| {
        scope.spawn(|| act(Guarantee::ExactlyOnce));
        act(Guarantee::AtLeastOnce);
    });
}

/// `output.partition`: what decides about an output record's partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Partitioning {
    #[default]
    Key,
    Source,
}

impl Partitioning {
    pub fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Source => "source",
        }
    }
}

/// `input.group_protocol`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    #[default]
    Classic,
    Consumer,
}

#[derive(Debug)]
pub struct Scene<'c> {
    pub cluster: &'c Cluster,
    pub guarantee: Guarantee,
    pub keying: Keying,
    pub partitioning: Partitioning,
    pub protocol: Protocol,
    pub partitions: i32,
    pub input: String,
    pub output: String,
    pub dead_letters: String,
    pub group: String,
    /// Where the first instance of the service listens; its transactional id depends on it.
    pub port: u16,
}

impl<'c> Scene<'c> {
    /// Names that no other scene has; the topics are yet to be made.
    pub fn empty(cluster: &'c Cluster, guarantee: Guarantee, partitions: i32) -> Self {
        static SCENES: AtomicUsize = AtomicUsize::new(1);
        let number = SCENES.fetch_add(1, Ordering::Relaxed);
        Self {
            cluster,
            guarantee,
            keying: Keying::default(),
            partitioning: Partitioning::default(),
            protocol: Protocol::default(),
            partitions,
            input: format!("raw-{number}"),
            output: format!("ecs-{number}"),
            dead_letters: format!("dlq-{number}"),
            group: format!("group-{number}"),
            port: free_port(),
        }
    }

    /// With its three topics, of as many partitions each.
    pub fn new(cluster: &'c Cluster, guarantee: Guarantee, partitions: i32) -> Self {
        Self::with_output(cluster, guarantee, partitions, &[])
    }

    /// As [`Scene::new`], with settings of the output topic.
    pub fn with_output(cluster: &'c Cluster, guarantee: Guarantee, partitions: i32, settings: &[(&str, &str)]) -> Self {
        let scene = Self::empty(cluster, guarantee, partitions);
        cluster.create_topic(&scene.input, partitions, &[]);
        cluster.create_topic(&scene.output, partitions, settings);
        cluster.create_topic(&scene.dead_letters, partitions, &[]);
        scene
    }

    /// `key=value`, as `--set` takes them.
    pub fn settings(&self) -> Vec<String> {
        let protocol = match self.protocol {
            // A killed member's partitions are to move soon, but no healthy member on a busy machine is to lose them.
            Protocol::Classic => "input.session_timeout=4s",
            // There the broker has the say.
            Protocol::Consumer => "input.group_protocol=consumer",
        };
        let mut settings = vec![
            format!("kafka.bootstrap_servers={}", self.cluster.bootstrap()),
            format!("input.topics={}", self.input),
            format!("input.group={}", self.group),
            protocol.to_owned(),
            format!("input.max_payload_bytes={}KiB", MAX_PAYLOAD_BYTES / 1024),
            format!("input.max_traces={MAX_TRACES}"),
            format!("output.topic={}", self.output),
            format!("dead_letters.topic={}", self.dead_letters),
            format!("output.partition={}", self.partitioning.name()),
            format!("pipeline.delivery={}", self.guarantee.name()),
            "log.format=json".to_owned(),
        ];
        // Another build, beside which this one is measured, need not know it.
        if self.keying != Keying::Input {
            settings.push(format!("output.key={}", self.keying.name()));
        }
        settings
    }
}
