//! What single values must look like, whatever the other settings say.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use chrono::{DateTime, Utc};
use hyper::Uri;
use tracing_subscriber::EnvFilter;

use super::Start;
use super::problem::Fault;

/// A character between two dots of a name: of ASCII only letters, digits, `-` and `_`, and any other script.
macro_rules! label {
    () => {
        r"[^\x00-\x2c\x2e\x2f\x3a-\x40\x5b-\x5e\x60\x7b-\x9f]"
    };
}

/// One directive of the log. Both cases are spelled out: no flag for that is known everywhere.
macro_rules! directive {
    () => {
        concat!(
            "([^,]*=)?([eE][rR][rR][oO][rR]|[wW][aA][rR][nN]|[iI][nN][fF][oO]",
            "|[dD][eE][bB][uU][gG]|[tT][rR][aA][cC][eE]|[oO][fF][fF])",
        )
    };
}

/// What a text must look like: the judge, and as much of its rule as a regular expression says.
///
/// The expression is for the JSON schema, and never stricter than the judge. It keeps to what ECMAScript, Go and Rust
/// read alike: no looking around, no classes beyond ASCII, no anchors (whoever uses it puts them on).
#[derive(Clone, Copy, Debug)]
pub struct Syntax {
    pub check: Check,
    pub pattern: &'static str,
}

/// Judges a text on its own, without a look at other settings.
pub type Check = fn(&str) -> Result<(), Fault>;

/// Text on one line, at least one character of it no space.
pub const LINE: Syntax =
    Syntax { check: line, pattern: r"[^\x00-\x1f\x7f-\x9f]*[^\x00-\x20\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*" };
/// A key of a JSON object; without a comma, which stands between keys.
pub const KEY: Syntax =
    Syntax { check: key, pattern: r"[^,\x00-\x1f\x7f-\x9f]*[^,\x00-\x20\x7f-\x9f][^,\x00-\x1f\x7f-\x9f]*" };
pub const TOPIC: Syntax = Syntax { check: topic, pattern: "[a-zA-Z0-9._-]{1,249}" };
pub const INSTANCE: Syntax = Syntax { check: instance, pattern: "[a-zA-Z0-9._-]{1,249}" };
pub const SERVER: Syntax =
    Syntax { check: server, pattern: concat!(r"(\[[0-9a-fA-F:.]+\]|(", label!(), r"|\.)+)(:[0-9]+)?") };
pub const URL: Syntax = Syntax { check: url, pattern: r"https?://[^/@\x00-\x20\x7f-\x9f][^@\x00-\x20\x7f-\x9f]*" };
pub const DOMAIN: Syntax =
    Syntax { check: domain, pattern: concat!(r"(\*\.)?", label!(), r"+(\.", label!(), r"+)*\.?") };
pub const TRANSACTIONAL_ID: Syntax = Syntax {
    check: transactional_id,
    pattern: concat!(
        r" *([^{}\x00-\x20\x7f-\x9f]|\{(group|hostname|port)\})",
        r"([^{}\x00-\x1f\x7f-\x9f]|\{(group|hostname|port)\})*",
    ),
};
pub const LOG_LEVEL: Syntax = Syntax { check: log_level, pattern: concat!(directive!(), "(,", directive!(), ")*") };
/// A place to start, or RFC 3339 as chrono reads it.
pub const START: &str = concat!(
    r"earliest|latest|error|[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?",
    "([Zz]|[+−-][0-9]{2}:[0-9]{2})",
);
/// An address and a port as [`listen`] reads them.
pub const LISTEN: &str = r"([0-9.]+|\[[0-9a-fA-F:.]+(%[0-9]+)?\]|[0-9a-fA-F:.]*(::|[0-9a-fA-F])):[0-9]+";

/// The longest name that Kafka takes for a topic, and for a static member.
const NAME_MAX: usize = 249;

/// An address and a port as the standard library reads them, and an IPv6 address without its brackets: Kubernetes writes a
/// service's address so into variables, and whoever puts a port behind it gets `fd00::1:8080`. The last colon divides.
pub fn listen(text: &str) -> Result<SocketAddr, Fault> {
    let bare = || {
        let (host, port) = text.rsplit_once(':')?;
        Some(SocketAddr::from((host.parse::<Ipv6Addr>().ok()?, port.parse().ok()?)))
    };
    text.parse().ok().or_else(bare).ok_or_else(|| {
        let remedy = "write an IP address and a port, like \"0.0.0.0:8080\" or \"[::]:8080\"";
        Fault::new("is no address to listen on", remedy)
    })
}

/// Any text that stays on one line.
pub fn line(text: &str) -> Result<(), Fault> {
    if text.chars().any(char::is_control) {
        return Err(Fault::new("holds a control character", "write it on one line"));
    }
    Ok(())
}

/// The name of a key.
fn key(text: &str) -> Result<(), Fault> {
    if text.trim().is_empty() {
        return Err(Fault::new("is empty", "name a key, or leave it out"));
    }
    if text.contains(',') {
        return Err(Fault::new("holds a comma", "name a key without one"));
    }
    line(text)
}

/// Kafka's rule for topic names (`org.apache.kafka.common.internals.Topic`).
pub fn topic(text: &str) -> Result<(), Fault> {
    kafka_name(text, "is no topic name")
}

/// Kafka judges the ids of static members by its rule for topic names.
pub fn instance(text: &str) -> Result<(), Fault> {
    kafka_name(text, "is no name for a static member")
}

/// Whether a topic may have this name.
pub fn is_topic(text: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    (1..=NAME_MAX).contains(&text.len()) && text.chars().all(legal) && text != "." && text != ".."
}

fn kafka_name(text: &str, what: &str) -> Result<(), Fault> {
    if is_topic(text) {
        Ok(())
    } else {
        Err(Fault::new(what, "use 1 to 249 of the characters a-z, A-Z, 0-9, '.', '_' and '-'"))
    }
}

/// `host:port`, the port left out meaning 9092.
pub fn server(text: &str) -> Result<(), Fault> {
    let remedy = "write host:port, like \"kafka-1:9092\"";
    if text.contains("://") {
        return Err(Fault::new("names a protocol", "leave it out: kafka.security says which it is"));
    }
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, rest)) if address.parse::<Ipv6Addr>().is_ok() => {
            (address, (!rest.is_empty()).then(|| rest.strip_prefix(':').unwrap_or_default()))
        }
        Some(_) => return Err(Fault::new("is no IPv6 address in brackets", remedy)),
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let legal = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
    if host.is_empty() || !host.chars().all(legal) {
        return Err(Fault::new("names no host", remedy));
    }
    let is_port = |port: &str| port.bytes().all(|b| b.is_ascii_digit()) && matches!(port.parse::<u16>(), Ok(1..));
    if port.is_some_and(|port| !is_port(port)) {
        return Err(Fault::new("has no port from 1 to 65535", remedy));
    }
    Ok(())
}

pub fn url(text: &str) -> Result<(), Fault> {
    line(text)?;
    let remedy = "write it like \"https://issuer.example/token\"";
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let is_whole =
        host.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/') && !rest.contains([' ', '@', '#']));
    let address = text.parse::<Uri>().ok().filter(|_| is_whole);
    let Some(authority) = address.as_ref().and_then(Uri::authority) else {
        return Err(Fault::new("is no address of a token endpoint", remedy));
    };
    let (_, behind_host) = authority.as_str().split_at(authority.host().len());
    match authority.port_u16() {
        Some(1..) => Ok(()),
        None if behind_host.is_empty() => Ok(()),
        Some(0) | None => Err(Fault::new("has no port from 1 to 65535", remedy)),
    }
}

/// Whether what is sent to this address can be read on the way: no TLS, and not to this machine itself.
pub fn is_open(url: &str) -> bool {
    let Ok(address) = url.parse::<Uri>() else { return false };
    let host = address.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let is_here = host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    address.scheme_str() == Some("http") && !is_here
}

/// `example.com`, or `*.example.com` for every subdomain.
pub fn domain(text: &str) -> Result<(), Fault> {
    let remedy = "write \"example.com\", or \"*.example.com\" for its subdomains";
    let name = text.strip_prefix("*.").unwrap_or(text);
    let legal = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_');
    let label = |label: &str| (1..=63).contains(&label.len()) && label.chars().all(legal);
    // A trailing dot stands for the root; the mapping compares domains whole, so it is part of the name.
    if name.len() > 254 || !name.strip_suffix('.').unwrap_or(name).split('.').all(label) {
        return Err(Fault::new("is no mail domain", remedy));
    }
    Ok(())
}

/// A template whose placeholders are all known.
pub fn transactional_id(text: &str) -> Result<(), Fault> {
    line(text)?;
    let remedy = "use {group}, {hostname} and {port}, each brace closed";
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        let known = ["{group}", "{hostname}", "{port}"].iter().find(|name| rest[at..].starts_with(**name));
        let Some(name) = known else {
            return Err(Fault::new("holds a placeholder that does not exist", remedy));
        };
        rest = &rest[at + name.len()..];
    }
    Ok(())
}

/// Levels and `target=level` directives. The filter's own parser takes a bare word that is no level for a target to
/// be logged in full, so a misspelt `inof` would pass; here it does not.
pub fn log_level(text: &str) -> Result<(), Fault> {
    let remedy = "write error, warn, info, debug, trace or off, and target=level for parts, separated by commas";
    for directive in text.split(',') {
        let level = directive.rsplit_once('=').map_or(directive, |(_, level)| level);
        let known =
            ["error", "warn", "info", "debug", "trace", "off"].iter().any(|name| level.eq_ignore_ascii_case(name));
        if !known {
            return Err(Fault::new("names a level that does not exist", remedy));
        }
    }
    EnvFilter::builder().parse(text).map(drop).map_err(|_| Fault::new("is no list of log levels", remedy))
}

pub fn start(text: &str) -> Result<Start, Fault> {
    match text {
        "earliest" => Ok(Start::Earliest),
        "latest" => Ok(Start::Latest),
        "error" => Ok(Start::Error),
        time => DateTime::parse_from_rfc3339(time).map(|time| Start::At(time.with_timezone(&Utc))).map_err(|_| {
            Fault::new(
                "is neither a place to start nor a time with its zone",
                "write earliest, latest, error or a time like \"2026-01-31T00:00:00Z\"",
            )
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(check: Check, good: &[&str], bad: &[&str]) {
        for text in good {
            assert_eq!(check(text), Ok(()), "{text:?}");
        }
        for text in bad {
            assert!(check(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_topic_has_a_name_that_kafka_takes() {
        judge(
            topic,
            &["a", "messagetrace.raw", "A_b-9", &"x".repeat(249)],
            &["", ".", "..", "a b", "a/b", "^a.*", "ä", &"x".repeat(250)],
        );
    }

    #[test]
    fn a_server_is_a_host_and_a_port() {
        judge(
            server,
            &["localhost:9092", "kafka", "10.0.0.1:9092", "[::1]:9092", "[2001:db8::1]"],
            &[
                "",
                ":9092",
                "a:",
                "a:0",
                "a:65536",
                "a:x",
                "ssl://a:9092",
                "a b:1",
                "[::1:9092",
                "[x]:1",
                "a:1:2",
                "[::1]9092",
                "a:+1",
            ],
        );
    }

    #[test]
    fn a_local_domain_is_a_domain_or_a_domain_with_a_star_before_it() {
        judge(
            domain,
            &["example.com", "*.example.com", "bücher.example", "xn--bcher-kva.example", "corp", "example.com."],
            &[
                "",
                ".",
                "*",
                "*.",
                "a..b",
                "@example.com",
                "user@example.com",
                "*example.com",
                "a.*.b",
                "https://a.b",
                "a b",
            ],
        );
    }

    #[test]
    fn a_transactional_id_uses_only_placeholders_that_exist() {
        judge(
            transactional_id,
            &["fixed", "{group}-{hostname}-{port}", "{port}{port}"],
            &["{pod}", "{group", "group}", "{{group}}", "{}", "a\nb"],
        );
    }

    #[test]
    fn a_log_level_that_does_not_exist_is_no_target() {
        judge(
            log_level,
            &["info", "INFO", "warn,librdkafka=debug", "messagetrace_ecs::pipeline=trace,info", "off"],
            &["", "inof", "info,", "librdkafka", "librdkafka=loud", "a=b=c"],
        );
    }

    #[test]
    fn a_token_endpoint_is_a_web_address() {
        judge(
            url,
            &[
                "https://issuer.example/token",
                "https://issuer.example",
                "http://10.0.0.1:8080/",
                "https://[::1]:8443/a?b=c",
                "https://[::1]",
            ],
            &[
                "",
                "issuer.example",
                "ftp://a/",
                "https://",
                "https:///x",
                "https://user:pw@a/",
                "https://a/#b",
                "https://a:0/",
                "https://a:/",
                "https://a:65536/",
                "https://a:x/",
                "https://[::1/",
                "https://a b/",
                "https://bücher.example/",
            ],
        );
    }

    #[test]
    fn without_tls_only_this_machine_is_private() {
        for (url, open) in [
            ("http://issuer.example/token", true),
            ("http://10.0.0.1:8080/", true),
            ("http://localhost.example/", true),
            ("https://issuer.example/token", false),
            ("http://localhost:8080/token", false),
            ("http://127.0.0.2/", false),
            ("http://[::1]:1/", false),
        ] {
            assert_eq!(is_open(url), open, "{url}");
        }
    }

    #[test]
    fn a_start_is_a_place_or_a_time_with_its_zone() {
        assert_eq!(start("latest"), Ok(Start::Latest));
        assert_eq!(start("2026-01-31T01:00:00+01:00"), start("2026-01-31T00:00:00Z"));
        for text in ["", "Earliest", "2026-01-31", "2026-01-31T00:00:00", "2026-02-30T00:00:00Z", "now"] {
            assert!(start(text).is_err(), "{text:?}");
        }
    }
}
