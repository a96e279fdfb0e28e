//! Whether a connection was cut that requests of a transaction may still be on.
//!
//! A request whose connection has ended may lie with the broker all the same, and be carried out later than the one that
//! was sent in its place. One that ends a transaction would then end the next: nothing in it says which is meant, but
//! the producer's epoch. So whoever was cut off may end its transaction, and begins no other.

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;

use super::CLOSED;

/// What librdkafka has to be asked to tell, so that no connection ends unseen.
const TOLD_UNDER: &str = "broker";

/// Where librdkafka tells that a connection has ended.
const FACILITY: &str = "FAIL";

/// How a connection is named that only the cluster was asked over.
const FOR_QUESTIONS: &str = "/bootstrap: ";

/// Nothing but introductions is sent over a connection in one of these states.
const BEFORE_REQUESTS: [&str; 9] = [
    "INIT",
    "DOWN",
    "TRY_CONNECT",
    "CONNECT",
    "SSL_HANDSHAKE",
    "APIVERSION_QUERY",
    "AUTH_HANDSHAKE",
    "AUTH_LEGACY",
    "AUTH_REQ",
];

/// Reads it out of librdkafka's log.
#[derive(Debug)]
pub struct Cuts {
    /// Whether those that were not idle are told louder.
    closes_are_told: bool,
}

impl Cuts {
    /// Of a client that is set like this.
    pub fn of(client: &ClientConfig) -> Self {
        let is_true = |value: &str| ["true", "t", "1"].iter().any(|word| value.eq_ignore_ascii_case(word));
        Self { closes_are_told: client.get("log.connection.close").is_none_or(is_true) }
    }

    /// Has the client tell of them.
    pub fn ask_for(client: &mut ClientConfig) {
        let told = client.get("debug").map_or(TOLD_UNDER.to_owned(), |wanted| format!("{wanted},{TOLD_UNDER}"));
        client.set("debug", told).set_log_level(RDKafkaLogLevel::Debug);
    }

    /// Whether this line means that requests may have been on a connection that has ended.
    pub fn tells_of_one(&self, level: RDKafkaLogLevel, facility: &str, line: &str) -> bool {
        let is_harmless = || line.contains(FOR_QUESTIONS) || BEFORE_REQUESTS.iter().any(|state| is_in(line, state));
        if facility != FACILITY || is_harmless() {
            return false;
        }
        // Every end is told quietly. Where the other side has closed what was in use, a louder line follows.
        let is_quiet = matches!(level, RDKafkaLogLevel::Debug);
        let is_told_again = self.closes_are_told && line.contains(CLOSED) && !line.contains("suppressed");
        !(is_quiet && is_told_again)
    }
}

/// `… (after 12ms in state UP)`, and more may stand in the brackets.
fn is_in(line: &str, state: &str) -> bool {
    line.rsplit_once("in state ")
        .is_some_and(|(_, rest)| rest.strip_prefix(state).is_some_and(|rest| rest.starts_with([')', ','])))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOUD: RDKafkaLogLevel = RDKafkaLogLevel::Info;
    const QUIET: RDKafkaLogLevel = RDKafkaLogLevel::Debug;

    fn tells(level: RDKafkaLogLevel, line: &str) -> bool {
        Cuts::of(&ClientConfig::new()).tells_of_one(level, "FAIL", line)
    }

    #[test]
    fn an_end_with_requests_on_it_is_a_cut_whoever_ended_it() {
        let closed = "[thrd:b:9092/1]: b:9092/1: Disconnected: connection closed by peer: receive 0 after POLLIN";
        assert!(tells(LOUD, &format!("{closed} (after 686ms in state UP)")));
        assert!(tells(LOUD, &format!("{closed} (after 686ms in state UP, 2 identical error(s) suppressed)")));
        assert!(tells(
            QUIET,
            &format!("{closed} (after 5ms in state UP) (_TRANSPORT): identical to last error: error log suppressed")
        ));
        assert!(tells(LOUD, "[thrd:b:9092/1]: b:9092/1: Receive failed: reset by peer (after 9ms in state REAUTH)"));
        // By ourselves: never said aloud.
        let ours = "[thrd:TxnCoordinator]: TxnCoordinator/2: b:9092: Closing connection due to nodename change";
        assert!(tells(QUIET, &format!("{ours} (after 4203ms in state UP) (_TRANSPORT)")));
        assert!(tells(
            QUIET,
            "[thrd:b:9092/1]: b:9092/1: 1 request(s) timed out: disconnect (after 61ms in state UP) (_TIMED_OUT)"
        ));
        assert!(tells(QUIET, "[thrd:b:9092/1]: b:9092/1: something that was cut off before it says in which st"));
    }

    #[test]
    fn an_end_of_what_nobody_used_is_none() {
        let idle = "[thrd:b:9092/1]: b:9092/1: Disconnected: connection closed by peer (after 600212ms in state UP)";
        assert!(!tells(QUIET, &format!("{idle} (_TRANSPORT)")));
        for state in BEFORE_REQUESTS {
            assert!(!tells(LOUD, &format!("[thrd:b:9092/1]: b:9092/1: Connect failed (after 0ms in state {state})")));
        }
        let asked = "[thrd:b:9092/bootstrap]: b:9092/bootstrap: Decommissioning this broker";
        assert!(!tells(QUIET, &format!("{asked} (after 2ms in state UP) (_DESTROY_BROKER)")));
        assert!(!Cuts::of(&ClientConfig::new()).tells_of_one(LOUD, "REQTMOUT", idle));
    }

    #[test]
    fn where_closed_connections_are_not_told_each_may_be_a_cut() {
        let mut client = ClientConfig::new();
        client.set("log.connection.close", "False");
        let line = "[thrd:b:9092/1]: b:9092/1: Disconnected: connection closed by peer (after 600212ms in state UP)";
        assert!(Cuts::of(&client).tells_of_one(QUIET, "FAIL", line));
        client.set("log.connection.close", "true");
        assert!(!Cuts::of(&client).tells_of_one(QUIET, "FAIL", line));
    }
}
