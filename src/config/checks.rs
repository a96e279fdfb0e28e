//! What settings must be together: each of them is fine, and still the whole could not work.

use super::problem::{Fault, Problem, Problems, Warning};
use super::values::Values;
use super::{Config, Delivery, GroupProtocol, Mechanism, Pem, Security, Tls, refused, syntax};
use crate::normalize::Profile;

/// Looks at the whole. Settings that are wrong in themselves are left out, so that one mistake is one line.
pub fn check(config: &Config, values: &Values, problems: &mut Problems) {
    topics(config, values, problems);
    times(config, values, problems);
    sasl(config, values, problems);
    oidc(config, values, problems);
    tls(values, problems);
    sizes(config, values, problems);
    refused::check(config, values, problems);
}

fn topics(config: &Config, values: &Values, problems: &mut Problems) {
    let remedy = "input, output and dead letters need different topics";
    let overlaps = [
        ("output.topic", "input.topics", config.input.topics.contains(&config.output.topic)),
        ("dead_letters.topic", "input.topics", config.input.topics.contains(&config.dead_letters.topic)),
        ("dead_letters.topic", "output.topic", config.dead_letters.topic == config.output.topic),
    ];
    for (key, other, overlap) in overlaps {
        if overlap && values.are_sound(&[key, other]) {
            problems.add(values.problem(key, Fault::new(format!("is also in {other}"), remedy)));
        }
    }
}

fn times(config: &Config, values: &Values, problems: &mut Problems) {
    let (timeout, interval) = ("pipeline.transaction_timeout", "pipeline.commit_interval");
    let least = config.pipeline.commit_interval * 3;
    let transactions = config.pipeline.delivery == Delivery::ExactlyOnce
        && values.are_sound(&["pipeline.delivery", timeout, interval]);
    if transactions && config.pipeline.transaction_timeout < least {
        let fault = Fault::new(
            format!("is less than three times {interval}"),
            format!("use {} or more, or commit more often", super::units::show_duration(least)),
        );
        problems.add(values.problem(timeout, fault));
    }
    let session = "input.session_timeout";
    let consumer =
        config.input.group_protocol == GroupProtocol::Consumer && values.are_sound(&["input.group_protocol"]);
    if consumer && !values.get(session).is_default() {
        let fault = Fault::new(
            "has no meaning under input.group_protocol = \"consumer\"",
            "leave it out; the broker's group.consumer.session.timeout.ms decides",
        );
        problems.add(values.problem(session, fault));
    }
}

fn sizes(config: &Config, values: &Values, problems: &mut Problems) {
    let (payload, budget) = ("input.max_payload_bytes", "pipeline.memory_budget");
    if values.are_sound(&[payload, budget]) && config.input.max_payload_bytes > config.pipeline.memory_budget {
        let fault = Fault::new(format!("is more than {budget} has room for"), format!("lower it, or raise {budget}"));
        problems.add(values.problem(payload, fault));
    }
}

fn sasl(config: &Config, values: &Values, problems: &mut Problems) {
    let security = "kafka.security";
    let wanted = config.kafka.security.logs_in();
    if !wanted || !values.are_sound(&[security, "kafka.sasl.mechanism"]) {
        return;
    }
    let mut need = |key: &str, raw: &str, by: &str| {
        if !values.is_set(key) && values.are_sound(&[key]) && !refused::is_set(values, raw) {
            let fault = Fault::new(format!("is not set, and {by} needs it"), format!("set {key}"));
            let origin = values.get(security).origin.clone();
            problems.add(Problem { key: key.to_owned(), value: None, origin, fault });
        }
    };
    match config.kafka.sasl.mechanism {
        None => need("kafka.sasl.mechanism", "sasl.mechanism", "kafka.security with SASL"),
        Some(mechanism @ (Mechanism::Plain | Mechanism::ScramSha256 | Mechanism::ScramSha512)) => {
            need("kafka.sasl.username", "sasl.username", mechanism.setting_name());
            need("kafka.sasl.password", "sasl.password", mechanism.setting_name());
        }
        // Told by the check of client credentials.
        Some(Mechanism::OauthBearer) if OIDC.iter().any(|key| values.is_set(key)) => {}
        Some(Mechanism::OauthBearer) => {
            let raw = refused::is_set(values, "sasl.oauthbearer.")
                || refused::is_set(values, "enable.sasl.oauthbearer.unsecure.jwt");
            let sound = values.are_sound(&["kafka.sasl.token"]) && values.are_sound(&OIDC);
            if !raw && sound && !values.is_set("kafka.sasl.token") {
                let remedy = "set kafka.sasl.token_file, or kafka.sasl.oidc for client credentials";
                let fault = Fault::new("is not set, and OAUTHBEARER needs a token", remedy);
                let origin = values.get("kafka.sasl.mechanism").origin.clone();
                problems.add(Problem { key: "kafka.sasl.token".to_owned(), value: None, origin, fault });
            }
        }
    }
}

const URL: &str = "kafka.sasl.oidc.token_url";
const ID: &str = "kafka.sasl.oidc.client_id";
const SECRET: &str = "kafka.sasl.oidc.client_secret";
const OIDC: [&str; 4] = [URL, ID, SECRET, "kafka.sasl.oidc.scope"];

/// Client credentials: all of them or none, and nothing beside them that would log in otherwise.
fn oidc(config: &Config, values: &Values, problems: &mut Problems) {
    let (mechanism, token) = ("kafka.sasl.mechanism", "kafka.sasl.token");
    let login = config.kafka.security.logs_in();
    // One mistake is one line, however many of them are set.
    let Some(first) = OIDC.into_iter().find(|key| values.is_set(key)) else { return };
    if !login || !values.are_sound(&["kafka.security", mechanism, token]) || !values.are_sound(&OIDC) {
        return;
    }
    match config.kafka.sasl.mechanism {
        // Told by the check of logins, where it is one.
        None if !refused::is_set(values, "sasl.mechanism") => return,
        Some(Mechanism::OauthBearer) => {}
        None | Some(Mechanism::Plain | Mechanism::ScramSha256 | Mechanism::ScramSha512) => {
            let remedy = "set kafka.sasl.mechanism = \"OAUTHBEARER\", or leave kafka.sasl.oidc out";
            problems.add(values.problem(first, Fault::new("is set for another login than OAUTHBEARER", remedy)));
            return;
        }
    }
    if values.is_set(token) {
        let fault = Fault::new("is set together with kafka.sasl.oidc", "keep one of the two");
        problems.add(values.problem(token, fault));
    }
    for key in [URL, ID, SECRET].into_iter().filter(|key| !values.is_set(key)) {
        let fault = Fault::new("is not set, and client credentials need it", format!("set {key}"));
        let origin = values.get(first).origin.clone();
        problems.add(Problem { key: key.to_owned(), value: None, origin, fault });
    }
}

fn tls(values: &Values, problems: &mut Problems) {
    let (certificate, key) = ("kafka.tls.certificate_file", "kafka.tls.key_file");
    for (given, missing) in [(certificate, key), (key, certificate)] {
        if values.is_set(given) && !values.is_set(missing) && values.are_sound(&[missing]) {
            problems.add(values.problem(given, Fault::new(format!("is set without {missing}"), "set both or none")));
        }
    }
}

/// Reads the files that TLS needs, where it is used: with the brokers, and with whoever issues tokens.
pub fn pem(config: &Config, values: &Values, problems: &mut Problems) -> Pem {
    let keys = ["kafka.tls.ca_file", "kafka.tls.certificate_file", "kafka.tls.key_file", "kafka.tls.key_password"];
    if !values.are_sound(&keys) {
        return Pem::default();
    }
    let read = match config.kafka.security {
        Security::Tls | Security::SaslTls => Pem::read(&config.kafka.tls),
        Security::SaslPlaintext if values.is_set(URL) => {
            Pem::read(&Tls { ca_file: config.kafka.tls.ca_file.clone(), ..Tls::default() })
        }
        Security::Plaintext | Security::SaslPlaintext => return Pem::default(),
    };
    read.unwrap_or_else(|faults| {
        faults.into_iter().for_each(|(key, fault)| problems.add(values.problem(key, fault)));
        Pem::default()
    })
}

/// What works, and what a person should know about on every start.
pub fn warnings(config: &Config, values: &Values) -> Vec<Warning> {
    let mut warnings = Vec::new();
    let mut warn = |key: &'static str, text: String| {
        warnings.push(Warning { key, origin: values.get(key).origin.clone(), text });
    };
    let security = config.kafka.security;
    let encrypted = security.is_encrypted();
    let login = security.logs_in();
    for (key, what) in [("kafka.sasl.password", ""), ("kafka.sasl.token", ""), (SECRET, "is for tokens; a token ")] {
        if values.is_set(key) && !login {
            let name = security.setting_name();
            warn(key, format!("is set, but kafka.security = \"{name}\" logs in nowhere; use sasl_tls"));
        } else if values.is_set(key) && !encrypted {
            warn(key, format!("{what}travels where others can read along; use kafka.security = \"sasl_tls\""));
        }
    }
    if login && config.kafka.sasl.oidc.token_url.as_deref().is_some_and(syntax::is_open) {
        warn(URL, "is without TLS: the client secret travels where others can read along; use https".to_owned());
    }
    for key in ["kafka.tls.ca_file", "kafka.tls.certificate_file"] {
        let has_use = encrypted || (key == "kafka.tls.ca_file" && login && values.is_set(URL));
        if values.is_set(key) && !has_use {
            let name = security.setting_name();
            warn(key, format!("is set, but kafka.security = \"{name}\" uses no TLS"));
        }
    }
    if !config.ecs.local_domains.is_empty() && config.normalize.profile != Profile::Ecs {
        warn("ecs.local_domains", "is set, but only normalize.profile = \"ecs\" looks at it".to_owned());
    }
    warnings.extend(refused::warnings(config, values));
    warnings
}
