//! What we read of librdkafka's statistics: how far each partition was fetched, and the state of the connections. Both
//! clients report them as JSON, the consumer every second; all but a few of their thousand numbers are skipped unread.

use std::collections::HashMap;

use serde::Deserialize;

/// The parts that we use, borrowed from the text.
#[derive(Debug, Deserialize)]
pub struct Statistics<'a> {
    #[serde(borrow, default)]
    brokers: HashMap<&'a str, Broker<'a>>,
    #[serde(borrow, default)]
    topics: HashMap<&'a str, Topic>,
    #[serde(borrow, default)]
    cgrp: Option<Group<'a>>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
struct Group<'a> {
    state: &'a str,
    #[serde(default)]
    join_state: &'a str,
}

/// Where a consumer stands in its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Membership {
    /// The coordinator is not known or not connected: nothing may be asked of it, leaving included.
    NoCoordinator,
    /// The client has yet to ask to be let in.
    NotAsked,
    /// Others are waited for.
    Joining,
    /// It is a member and knows what is its own: without partitions, then, others have them all.
    Steady,
}

/// How far an output partition was acknowledged.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
pub struct Produced {
    /// Records that were ever put into its queue, which are numbered from 1.
    #[serde(rename = "msgs")]
    pub queued: u64,
    /// The number of the last one that a broker acknowledged.
    #[serde(rename = "acked_msgid")]
    pub acknowledged: u64,
}

/// The parts of a producer's statistics that tell of its partitions.
#[derive(Debug, Deserialize)]
struct Outputs<'a> {
    #[serde(borrow, default)]
    topics: HashMap<&'a str, Output>,
}

#[derive(Debug, Deserialize)]
struct Output {
    partitions: HashMap<i32, Produced>,
}

/// What a producer's statistics say of each partition that it writes to.
pub fn produced(json: &[u8]) -> Result<Vec<(String, i32, Produced)>, serde_json::Error> {
    let outputs: Outputs<'_> = serde_json::from_slice(json)?;
    let of = |(topic, output): (&str, Output)| {
        let topic = topic.to_owned();
        // A negative one stands for records that have no partition yet.
        output
            .partitions
            .into_iter()
            .filter(|(partition, _)| *partition >= 0)
            .map(move |(partition, produced)| (topic.clone(), partition, produced))
    };
    Ok(outputs.topics.into_iter().flat_map(of).collect())
}

#[derive(Debug, Deserialize)]
struct Broker<'a> {
    nodeid: i64,
    source: &'a str,
    state: &'a str,
}

#[derive(Debug, Deserialize)]
struct Topic {
    partitions: HashMap<i32, Fetched>,
}

/// How far a partition was fetched.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
pub struct Fetched {
    /// The end that a reader of committed records sees, as the last answer to a fetch told it; negative when none did.
    #[serde(rename = "ls_offset")]
    pub end: i64,
    /// The high watermark, as the same answer told it: open transactions lie between the two.
    #[serde(rename = "hi_offset", default = "unknown")]
    pub high: i64,
    /// What will be fetched next: everything below was put into the consumer's queue.
    pub next_offset: i64,
    /// What waits in the consumer's queue, of all partitions together.
    #[serde(rename = "fetchq_cnt")]
    pub queued: u64,
}

fn unknown() -> i64 {
    -1
}

/// What a client knows about a broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    Up,
    /// A connection is sought.
    Down,
    /// Nobody needs a connection.
    Unused,
}

impl<'a> Statistics<'a> {
    pub fn parse(json: &'a [u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(json)
    }

    pub fn fetched(&self, topic: &str, partition: i32) -> Option<Fetched> {
        self.topics.get(topic)?.partitions.get(&partition).copied()
    }

    pub fn membership(&self) -> Membership {
        match self.cgrp {
            Some(Group { state: "up", join_state: "steady" }) => Membership::Steady,
            Some(Group { state: "up", join_state: "init" | "wait-metadata" }) => Membership::NotAsked,
            Some(Group { state: "up", .. }) => Membership::Joining,
            Some(_) | None => Membership::NoCoordinator,
        }
    }

    /// The brokers of the cluster by `host:port/id`, without the client's own pseudo brokers: the addresses it was
    /// started with, and those that stand for a coordinator.
    pub fn links(&self) -> impl Iterator<Item = (&'a str, Link)> {
        let is_node = |broker: &Broker<'_>| broker.nodeid >= 0 && matches!(broker.source, "learned" | "configured");
        self.brokers.iter().filter(move |(_, broker)| is_node(broker)).map(|(name, broker)| {
            let link = match broker.state {
                "UP" | "REAUTH" => Link::Up,
                // Where a connection starts from, and where one ends that nobody needs.
                "INIT" => Link::Unused,
                _ => Link::Down,
            };
            (*name, link)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"{"name":"c#consumer-1","type":"consumer","ts":1,"brokers":{
        "a:9092/1":{"name":"a:9092/1","nodeid":1,"source":"learned","state":"UP","stateage":5,"rtt":{"min":0}},
        "b:9092/2":{"nodeid":2,"source":"configured","state":"TRY_CONNECT"},
        "c:9092/3":{"nodeid":3,"source":"learned","state":"INIT"},
        "a:9092/bootstrap":{"nodeid":-1,"source":"configured","state":"UP"},
        "GroupCoordinator":{"nodeid":1,"source":"logical","state":"UP"}},
        "topics":{"t":{"topic":"t","batchcnt":{},"partitions":{
        "0":{"partition":0,"fetchq_cnt":2,"next_offset":12,"hi_offset":15,"ls_offset":13,"consumer_lag":-1},
        "-1":{"partition":-1,"fetchq_cnt":0,"next_offset":0,"ls_offset":-1001}}}},
        "cgrp":{"state":"up","stateage":3,"join_state":"steady"}}"#;

    #[test]
    fn what_was_fetched_is_read_by_partition() {
        let statistics = Statistics::parse(TEXT.as_bytes()).unwrap();
        assert_eq!(statistics.fetched("t", 0), Some(Fetched { end: 13, high: 15, next_offset: 12, queued: 2 }));
        assert_eq!((statistics.fetched("t", 1), statistics.fetched("u", 0)), (None, None));
    }

    #[test]
    fn only_nodes_of_the_cluster_count_as_brokers() {
        let statistics = Statistics::parse(TEXT.as_bytes()).unwrap();
        let mut links: Vec<_> = statistics.links().collect();
        links.sort_by_key(|(name, _)| *name);
        assert_eq!(links, [("a:9092/1", Link::Up), ("b:9092/2", Link::Down), ("c:9092/3", Link::Unused)]);
    }

    #[test]
    fn a_member_has_a_coordinator_and_waits_for_nothing_of_its_own() {
        let of = |text: &str| Statistics::parse(text.as_bytes()).unwrap().membership();
        let cases = [
            (r#""state":"up","join_state":"steady""#, Membership::Steady),
            (r#""state":"up","join_state":"wait-sync""#, Membership::Joining),
            (r#""state":"up","join_state":"init""#, Membership::NotAsked),
            (r#""state":"up","join_state":"wait-metadata""#, Membership::NotAsked),
            (r#""state":"wait-broker-transport","join_state":"steady""#, Membership::NoCoordinator),
            (r#""state":"query-coord","join_state":"init""#, Membership::NoCoordinator),
        ];
        for (cgrp, expected) in cases {
            assert_eq!(of(&format!("{{\"cgrp\":{{{cgrp}}}}}")), expected, "{cgrp}");
        }
        assert_eq!((of(TEXT), of("{}")), (Membership::Steady, Membership::NoCoordinator));
    }

    #[test]
    fn what_was_acknowledged_is_read_by_partition() {
        let text =
            r#"{"topics":{"t":{"partitions":{"0":{"msgs":7,"acked_msgid":5,"x":1},"-1":{"msgs":1,"acked_msgid":0}}}}}"#;
        let expected = vec![("t".to_owned(), 0, Produced { queued: 7, acknowledged: 5 })];
        assert_eq!(produced(text.as_bytes()).unwrap(), expected);
    }

    #[test]
    fn a_producer_has_no_group_and_a_new_client_nothing_at_all() {
        let statistics = Statistics::parse(b"{}").unwrap();
        assert_eq!((statistics.links().count(), statistics.membership()), (0, Membership::NoCoordinator));
    }
}
