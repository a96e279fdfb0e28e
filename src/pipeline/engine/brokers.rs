//! The brokers as both clients see them, and whether anybody misses one; and the end of stalls that nobody waits for any
//! more.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Engine;
use crate::pipeline::decide::Seen;
use crate::telemetry::metrics::{Metrics, Stall};
use crate::telemetry::statistics::{Link, Statistics};

/// How long brokers are sought, or nothing is in hand, before that is called so: shorter than that is no news.
const LASTING: Duration = Duration::from_secs(5);

impl Engine<'_> {
    /// A stall for want of brokers, for as long as a client seeks one and has none. A client that has nothing to say
    /// seeks none: brokers close connections that nobody uses, and nothing stands still for that.
    pub(super) fn miss_brokers(&mut self) {
        if !self.watch.brokers.are_missed() {
            (self.watch.all_down, self.watch.missed_since) = (false, None);
            self.stalls.end(Stall::Brokers, self.now);
            return;
        }
        let since = *self.watch.missed_since.get_or_insert(self.now);
        if self.watch.all_down || self.now >= since + LASTING {
            let servers = self.config.kafka.bootstrap_servers.join(",");
            let reason = format!("no broker of {servers} can be reached (are they up? the network between?)");
            self.stalls.begin(Stall::Brokers, &reason, self.now);
        }
    }

    /// Ends the stalls that nothing waits for any more.
    pub(super) fn notice_idleness(&mut self, seen: &Seen) {
        let has_something = seen.in_flight > 0 || seen.unacknowledged > 0 || seen.handed > 0 || seen.to_seal;
        let does_something = self.purging_since.is_some() || self.seal_began.is_some() || self.decider.is_recovering();
        if has_something || does_something || !seen.drained {
            self.watch.idle_since = None;
            return;
        }
        if self.now >= *self.watch.idle_since.get_or_insert(self.now) + LASTING {
            self.stalls.idle(self.now);
            // Its next trial has yet to begin, and nothing is there to be tried.
            if self.decider.breaker_holds_until(self.now).is_none() {
                self.stalls.end(Stall::Breaker, self.now);
            }
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Consumer,
    Producer,
}

/// The brokers as both clients see them.
#[derive(Debug, Default)]
pub(super) struct Brokers {
    /// By name; the consumer's link, the producer's.
    links: BTreeMap<String, [Option<Link>; 2]>,
}

impl Brokers {
    /// Whether a client seeks a connection and has none.
    fn are_missed(&self) -> bool {
        [Side::Consumer, Side::Producer].into_iter().any(|side| {
            let seen = |link| self.links.values().any(|links| links[side as usize] == Some(link));
            seen(Link::Down) && !seen(Link::Up)
        })
    }

    pub(super) fn told(&mut self, side: Side, statistics: &Statistics<'_>, metrics: &Metrics) {
        let place = side as usize;
        for links in self.links.values_mut() {
            links[place] = None;
        }
        for (name, link) in statistics.links() {
            self.links.entry(name.to_owned()).or_default()[place] = Some(link);
        }
        self.links.retain(|name, links| {
            let is_known = links.iter().any(Option::is_some);
            if !is_known {
                metrics.forget_broker(name);
            }
            is_known
        });
        for (name, links) in &self.links {
            let is = |link| links.contains(&Some(link));
            // The producer tells every few seconds only: what it said before a broker died must not hide that the
            // consumer misses it.
            if is(Link::Down) {
                metrics.broker_up(name, false);
            } else if is(Link::Up) {
                metrics.broker_up(name, true);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(brokers: &mut Brokers, side: Side, states: &[&str]) -> bool {
        let broker = |(id, state): (usize, &&str)| {
            format!("\"b:{id}\":{{\"nodeid\":{id},\"source\":\"learned\",\"state\":\"{state}\"}}")
        };
        let links: Vec<_> = states.iter().enumerate().map(broker).collect();
        let json = format!("{{\"brokers\":{{{}}}}}", links.join(","));
        brokers.told(side, &Statistics::parse(json.as_bytes()).unwrap(), &Metrics::new());
        brokers.are_missed()
    }

    #[test]
    fn brokers_are_missed_only_by_a_client_that_seeks_one_and_has_none() {
        let mut brokers = Brokers::default();
        assert!(!told(&mut brokers, Side::Consumer, &["UP", "INIT"]));
        assert!(!told(&mut brokers, Side::Producer, &["INIT", "INIT"]), "an idle connection was closed");
        assert!(!told(&mut brokers, Side::Producer, &["TRY_CONNECT", "UP"]), "there is another one");
        assert!(told(&mut brokers, Side::Producer, &["TRY_CONNECT", "INIT"]), "what the consumer has is no help");
        assert!(!told(&mut brokers, Side::Producer, &["UP", "INIT"]));
        assert!(told(&mut brokers, Side::Consumer, &["DOWN", "TRY_CONNECT"]));
    }
}
