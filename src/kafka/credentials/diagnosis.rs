//! Why no broker answered: out of what the client said while it tried, one line that names the setting and the remedy.

use openssl::asn1::Asn1Time;
use openssl::x509::X509;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::handshake;
use crate::config::{Config, Mechanism, Secret, Security};
use crate::kafka::admin::refusal::Refusal;
use crate::kafka::clients::ClientError;

/// Characters of the library's or a broker's sentence that a line quotes at most.
const QUOTED: usize = 200;

/// Whether waiting longer would tell nothing new: every broker was tried, and one of them did not let us in.
pub fn is_final(said: &[ClientError]) -> bool {
    let all_down = said.iter().any(|error| error.code == RDKafkaErrorCode::AllBrokersDown);
    all_down && said.iter().any(|error| is_telling(error.code))
}

/// Somebody listens there, takes the connection, and closes it at what we say. A broker that is being stopped does so too,
/// so this is final only when nothing else came of it for as long as we wait.
fn was_closed(error: &ClientError) -> bool {
    error.code == RDKafkaErrorCode::BrokerTransportFailure && error.reason.contains("Disconnected")
}

fn is_telling(code: RDKafkaErrorCode) -> bool {
    matches!(code, RDKafkaErrorCode::Authentication | RDKafkaErrorCode::SSL)
}

/// The reason in words, out of everything that was said; `source` is what the question itself came to.
pub fn refusal(config: &Config, said: &[ClientError], source: &KafkaError) -> Refusal {
    let servers = config.kafka.bootstrap_servers.join(",");
    let telling = said.iter().find(|error| is_telling(error.code));
    // Without one, the last attempt's own words say more than that there was no answer.
    let spoken = telling.or_else(|| said.iter().rfind(|error| error.code != RDKafkaErrorCode::AllBrokersDown));
    let reason = spoken.map_or_else(|| source.to_string(), |error| sentence(&error.reason));
    match telling {
        // Who closes and who does not answer at all may be two brokers: the last attempt counts.
        None if spoken.is_some_and(was_closed) => {
            let reason = "they accept it and end it at our first words".to_owned();
            Refusal::Closed { servers, reason, remedy: door(config.kafka.security) }
        }
        None => Refusal::Unreachable { servers, reason },
        Some(error) if error.code == RDKafkaErrorCode::Authentication => {
            let remedy = login_remedy(config, &reason);
            Refusal::LoginRefused { servers, reason, remedy }
        }
        Some(error) => {
            let (reason, remedy) = tls(config, &error.reason, reason);
            Refusal::NoTls { servers, reason, remedy }
        }
    }
}

/// Which other door it may be that we knock at.
fn door(security: Security) -> &'static str {
    match security {
        Security::Plaintext => {
            "kafka.security is \"plaintext\": a listener for TLS or a login does so; set it to what the listener speaks"
        }
        Security::SaslPlaintext => {
            "a TLS listener does so: check kafka.security, and that the address is the right one"
        }
        Security::Tls | Security::SaslTls => {
            "a listener without TLS does so: check kafka.security, and that the address is the right one"
        }
    }
}

fn login_remedy(config: &Config, reason: &str) -> &'static str {
    // Brokers name the mechanisms that they offer.
    if reason.contains("mechanism handshake") || reason.to_ascii_lowercase().contains("unsupported sasl mechanism") {
        return "correct kafka.sasl.mechanism";
    }
    match config.kafka.sasl.mechanism {
        Some(Mechanism::OauthBearer) if config.kafka.sasl.token.is_none() => {
            "check kafka.sasl.oidc.scope, and that the brokers take tokens of kafka.sasl.oidc.token_url"
        }
        Some(Mechanism::OauthBearer) => "renew kafka.sasl.token",
        _ => "check kafka.sasl.username and kafka.sasl.password",
    }
}

fn tls(config: &Config, said: &str, reason: String) -> (String, &'static str) {
    if said.contains("alert") {
        return ours_refused(config, reason);
    }
    if !said.contains("certificate verify failed") {
        return (reason, "check that kafka.bootstrap_servers names a TLS listener");
    }
    let verdict = server(said).and_then(|server| handshake::verdict(server, &config.kafka.tls));
    let Some(verdict) = verdict else {
        return ("the broker's certificate is not trusted".to_owned(), "check kafka.tls.ca_file");
    };
    let text = verdict.error_string();
    let remedy = match text {
        "certificate has expired" | "certificate is not yet valid" => "renew it, or correct this host's clock",
        _ if text.ends_with("mismatch") => {
            "kafka.bootstrap_servers and the brokers' advertised.listeners must use a name that it holds"
        }
        _ => "kafka.tls.ca_file must hold the authority that vouches for the brokers",
    };
    (format!("the broker's certificate is not trusted: {text}"), remedy)
}

/// The broker has something against our certificate, and tells only a number.
fn ours_refused(config: &Config, reason: String) -> (String, &'static str) {
    let Some(certificate) = &config.kafka.tls.pem.certificate else {
        let remedy = "set kafka.tls.certificate_file and kafka.tls.key_file";
        return ("the broker asks for a client certificate".to_owned(), remedy);
    };
    if has_expired(certificate) {
        let text = "the broker refuses our certificate, which has expired";
        return (text.to_owned(), "renew kafka.tls.certificate_file");
    }
    let remedy = "the brokers must trust who vouches for kafka.tls.certificate_file";
    (format!("the broker refuses our certificate: {reason}"), remedy)
}

fn has_expired(certificate: &Secret) -> bool {
    let now = Asn1Time::days_from_now(0);
    let read = X509::from_pem(certificate.reveal().as_bytes());
    matches!((read, now), (Ok(certificate), Ok(now)) if certificate.not_after() < &*now)
}

/// The address in `sasl_ssl://host:port/1: …`.
fn server(said: &str) -> Option<&str> {
    let (_, rest) = said.split_once("://")?;
    rest.split_once('/').map(|(server, _)| server)
}

/// What was said, without the client's own name of the connection before it and its state behind it, as one line.
fn sentence(said: &str) -> String {
    let behind = said.split_once("://").and_then(|(_, rest)| rest.split_once(": ")).map_or(said, |(_, text)| text);
    let (text, _) = behind.split_once(" (after ").unwrap_or((behind, ""));
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(QUOTED).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(code: RDKafkaErrorCode, reason: &str) -> ClientError {
        ClientError { code, reason: reason.to_owned() }
    }

    fn line(config: &Config, said: &[ClientError]) -> String {
        refusal(config, said, &KafkaError::MetadataFetch(RDKafkaErrorCode::BrokerTransportFailure)).to_string()
    }

    #[test]
    fn what_tells_most_is_said_without_the_librarys_decoration() {
        use RDKafkaErrorCode as Code;
        let login = "sasl_ssl://a:1/bootstrap: SASL authentication error: Authentication failed: Invalid username or \
                     password (after 301ms in state AUTH_REQ, 1 identical error(s) suppressed)";
        let closed =
            "a:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused (after 0ms in state CONNECT)";
        let all = said(Code::AllBrokersDown, "1/1 brokers are down");
        let errors = [said(Code::BrokerTransportFailure, closed), all.clone(), said(Code::Authentication, login)];
        let config = Config::default();
        assert!(is_final(&errors) && !is_final(&errors[..2]));
        assert_eq!(
            line(&config, &errors),
            "the brokers at localhost:9092 refuse the login: SASL authentication error: Authentication failed: Invalid \
             username or password (check kafka.sasl.username and kafka.sasl.password)"
        );
        assert!(line(&config, &errors[..2]).contains("Connect to ipv4#127.0.0.1:1 failed: Connection refused"));
        assert!(line(&config, &[all]).contains("Broker transport failure"));
    }

    #[test]
    fn a_connection_that_is_closed_is_named_as_such_with_the_setting() {
        use RDKafkaErrorCode as Code;
        let closed = |ms| {
            let reason = format!(
                "a:1/bootstrap: Disconnected: connection closed by peer: receive 0 after POLLIN: requesting ApiVersion: \
                 might be caused by incorrect security.protocol configuration (after {ms}ms in state APIVERSION_QUERY)"
            );
            said(Code::BrokerTransportFailure, &reason)
        };
        let refused = said(Code::BrokerTransportFailure, "a:1/bootstrap: Connect to a:1 failed: Connection refused");
        let all = said(Code::AllBrokersDown, "1/1 brokers are down");
        let errors = [closed(1), all.clone()];
        assert!(!is_final(&errors), "it may be a broker that stops");
        let line = line(&Config::default(), &errors);
        assert!(line.starts_with("the brokers at localhost:9092 close the connection: "), "{line}");
        assert!(line.contains("kafka.security is \"plaintext\""), "{line}");
        let stopping = [closed(1), all, refused];
        let source = KafkaError::MetadataFetch(Code::BrokerTransportFailure);
        let refusal = refusal(&Config::default(), &stopping, &source);
        assert!(matches!(refusal, Refusal::Unreachable { .. }), "{refusal}");
    }

    #[test]
    fn a_hostile_sentence_stays_one_short_line() {
        let reason = format!("ssl://a:1/1: \u{1b}[31mred\nline{}", "x".repeat(10_000));
        let line = line(&Config::default(), &[said(RDKafkaErrorCode::SSL, &reason)]);
        assert!(line.len() < 500 && !line.chars().any(char::is_control), "{line}");
    }

    #[test]
    fn the_server_is_found_in_what_was_said_of_it() {
        for (said, expected) in [
            ("ssl://127.0.0.1:9093/bootstrap: error", Some("127.0.0.1:9093")),
            ("sasl_ssl://[::1]:9093/2: error", Some("[::1]:9093")),
            ("nothing", None),
        ] {
            assert_eq!(server(said), expected, "{said}");
        }
    }
}
