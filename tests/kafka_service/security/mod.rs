//! Who is let in, how, and what is said to those who are not; secrets that are renewed under load.
//!
//! One node with a listener of each kind serves all tests.

mod issued;
mod renewal;
mod secured;

use crate::support;

use std::thread;
use std::time::{Duration, Instant};

use self::secured::{CANARY, SecuredKafka, Way, assert_no_secret, files_of, in_seconds};
use support::driver::Driver;
use support::listeners::{PASSWORD, USER, token, written};
use support::oracle::verdict;
use support::pki::{Authority, EXPIRED, VALID};
use support::scene::Guarantee::{AtLeastOnce, ExactlyOnce};
use support::service::Call;

/// A person who starts it by hand is still there.
const SOON: Duration = Duration::from_secs(60);

#[test]
fn every_way_in_works_with_the_documented_permissions_and_no_more() {
    let secured = SecuredKafka::get();
    let me = secured.listeners.ours.vouch(USER, &[], VALID);
    let mut ways = vec![secured.tls("TLS"), secured.mutual("me", &me)];
    let locked = written("locked.key", &me.encrypted_key(CANARY));
    ways.push(
        secured
            .mutual("me", &me)
            .set(&format!("kafka.tls.key_file={locked}"))
            .set(&format!("kafka.tls.key_password={CANARY}")),
    );
    for listener in ["SASL", "SASLTLS"] {
        for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
            ways.push(secured.password(listener, mechanism, USER, PASSWORD));
        }
        ways.push(secured.token(listener, &token(USER, in_seconds(600))));
    }
    thread::scope(|scope| {
        for way in &ways {
            scope.spawn(move || {
                let scene = secured.scene(ExactlyOnce);
                let ended = way.check(&scene).ended();
                assert_eq!(ended.code, Some(0), "{way:?}\n{}{}", ended.stdout, ended.stderr);
                assert_no_secret(&ended);
            });
        }
    });
    let sasl_tls = |mechanism| secured.password("SASLTLS", mechanism, USER, PASSWORD);
    let token = secured.token("SASLTLS", &token(USER, in_seconds(600)));
    for (way, guarantee) in
        [(secured.mutual("me", &me), ExactlyOnce), (sasl_tls("SCRAM-SHA-512"), AtLeastOnce), (token, ExactlyOnce)]
    {
        let scene = secured.scene(guarantee);
        let mut driver = Driver::new(&scene, 60);
        driver.send(500);
        let ledger = driver.finish();
        let ended = way.run(&scene).with("--until-end").ended();
        ended.assert_code(0);
        assert_no_secret(&ended);
        verdict(&scene, &ledger).assert_clean();
    }
}

/// A way that ends at the listener, and what the line about it has to name.
type Refused = (Way, Vec<&'static str>);

fn refused(secured: &SecuredKafka) -> Vec<Refused> {
    let ours = &secured.listeners.ours;
    let other_ca = format!("kafka.tls.ca_file={}", written("other-ca.pem", &secured.strangers.certificate()));
    let late = secured.mutual("late", &ours.vouch(USER, &[], EXPIRED));
    let stranger = secured.mutual("stranger", &secured.strangers.vouch(USER, &[], VALID));
    let user = |mechanism, user, password| secured.password("SASL", mechanism, user, password);
    let login = vec!["refuse the login", "kafka.sasl.username and kafka.sasl.password"];
    let mut refused = vec![
        (secured.tls("TLS").set(&other_ca), vec!["no TLS", "not trusted", "issuer certificate", "kafka.tls.ca_file"]),
        (Way::through(secured, "TLS").set("kafka.security=tls"), vec!["no TLS", "not trusted", "kafka.tls.ca_file"]),
        (secured.tls("EXPIRED"), vec!["no TLS", "certificate has expired", "renew it"]),
        (secured.tls("ELSEWHERE"), vec!["no TLS", "mismatch", "kafka.bootstrap_servers"]),
        (secured.tls("MUTUAL"), vec!["no TLS", "asks for a client certificate", "kafka.tls.certificate_file"]),
        (late, vec!["no TLS", "our certificate, which has expired", "renew kafka.tls.certificate_file"]),
        (stranger, vec!["no TLS", "refuses our certificate", "kafka.tls.certificate_file"]),
        (secured.tls("SASL"), vec!["close the connection", "without TLS", "kafka.security"]),
        (Way::through(secured, "TLS"), vec!["close the connection", "kafka.security is \"plaintext\""]),
        (Way::through(secured, "SASL"), vec!["close the connection", "kafka.security is \"plaintext\""]),
        (secured.password("SASLTLS", "SCRAM-SHA-512", USER, CANARY), login.clone()),
        (secured.token("SASL", &token(USER, in_seconds(-60))), vec!["kafka.sasl.token has expired", "renew"]),
        (secured.token("SASL", &token("", in_seconds(60))), vec!["refuse the login", "kafka.sasl.token"]),
    ];
    for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
        refused.push((user(mechanism, USER, CANARY), login.clone()));
        refused.push((user(mechanism, "nobody", PASSWORD), login.clone()));
    }
    refused
}

#[test]
fn who_is_not_let_in_gets_one_line_that_names_the_setting_and_shows_no_secret() {
    let secured = SecuredKafka::get();
    let scene = secured.scene(ExactlyOnce);
    let cases = refused(secured);
    // A few at a time: each is a process, and the machine may be small.
    for some in cases.chunks(5) {
        thread::scope(|scope| {
            for (way, names) in some {
                let scene = &scene;
                scope.spawn(move || {
                    for call in [way.run(scene).on_another_port(), way.check(scene)] {
                        let start = Instant::now();
                        let ended = call.ended();
                        assert!(start.elapsed() < SOON, "it took {:?}:\n{}", start.elapsed(), ended.stderr);
                        assert_eq!(ended.code, Some(1), "{way:?}\n{}{}", ended.stdout, ended.stderr);
                        let said = format!("{}{}", ended.stdout, ended.stderr);
                        let lines = ended.problems();
                        assert_eq!(lines.len(), 1, "{way:?}\n{said}");
                        for name in names {
                            assert!(lines[0].contains(name), "{name} is not named: {}\n{way:?}", lines[0]);
                        }
                        assert_no_secret(&ended);
                    }
                });
            }
        });
    }
}

#[test]
fn each_permission_that_is_missing_is_a_line_of_its_own() {
    let secured = SecuredKafka::get();
    let cases = [
        ("no-input", "Read on topic raw-", "input.topics", vec![ExactlyOnce, AtLeastOnce]),
        ("no-group", "Read on group group-", "input.group", vec![ExactlyOnce, AtLeastOnce]),
        ("no-output", "Write on topic ecs-", "output.topic", vec![ExactlyOnce, AtLeastOnce]),
        ("no-dead-letters", "Write on topic dlq-", "dead_letters.topic", vec![ExactlyOnce, AtLeastOnce]),
        ("no-transactions", "Write on transactional id group-", "pipeline.transactional_id", vec![ExactlyOnce]),
    ];
    // Who is not let in leaves nothing behind: all may knock at the same topics.
    let scenes = [ExactlyOnce, AtLeastOnce].map(|guarantee| secured.scene(guarantee));
    thread::scope(|scope| {
        for (user, permission, key, guarantees) in cases {
            let scenes = scenes.iter().filter(move |scene| guarantees.contains(&scene.guarantee));
            scope.spawn(move || {
                let way = secured.mutual(user, &secured.listeners.ours.vouch(user, &[], VALID));
                for call in scenes.flat_map(|scene| [way.run(scene).on_another_port(), way.check(scene)]) {
                    let ended = call.ended();
                    ended.assert_code(1);
                    let said = format!("{}{}", ended.stdout, ended.stderr);
                    let lines = ended.problems();
                    assert_eq!(lines.len(), 1, "{user}: {said}");
                    assert!(lines[0].contains(permission) && lines[0].contains(key), "{}", lines[0]);
                }
            });
        }
    });
    // Who needs no transactions needs no permission for them.
    let [_, scene] = &scenes;
    let user = "no-transactions";
    secured.mutual(user, &secured.listeners.ours.vouch(user, &[], VALID)).check(scene).ended().assert_code(0);
}

#[test]
fn files_that_cannot_be_used_are_told_before_anybody_connects() {
    let ours = Authority::new("authority");
    let (me, other) = (ours.vouch(USER, &[], VALID), ours.vouch("other", &[], VALID));
    let (certificate, key) = files_of("good", &me);
    let (_, other_key) = files_of("other", &other);
    let locked = format!("kafka.tls.key_file={}", written("bad-locked.key", &me.encrypted_key("opens")));
    let garbage = written("garbage.pem", CANARY);
    let wrong_password = format!("kafka.tls.key_password={CANARY}");
    let no_ca = format!("kafka.tls.ca_file={garbage}");
    let no_certificate = format!("kafka.tls.certificate_file={garbage}");
    let no_key = format!("kafka.tls.key_file={garbage}");
    let missing = format!("kafka.tls.key_file={garbage}.missing");
    let cases: [(&[&str], &str); 8] = [
        (&[&no_ca], "kafka.tls.ca_file"),
        (&[&no_certificate, &key], "kafka.tls.certificate_file"),
        (&[&certificate, &no_key], "kafka.tls.key_file"),
        (&[&certificate, &missing], "kafka.tls.key_file"),
        (&[&certificate, "kafka.tls.key_file=/"], "kafka.tls.key_file"),
        (&[&certificate, &locked], "kafka.tls.key_file"),
        (&[&certificate, &locked, &wrong_password], "kafka.tls.key_password"),
        (&[&certificate, &other_key], "kafka.tls.key_file"),
    ];
    for (settings, named) in cases {
        for command in ["run", "check"] {
            let call = Call::of(&[command]).set("kafka.security=tls");
            let ended = settings.iter().fold(call, |call, setting| call.set(setting)).ended();
            ended.assert_code(2);
            // The service says it in its log's form.
            let told = if command == "run" { format!("\"message\":\"{named}") } else { named.to_owned() };
            let tells = if command == "run" { ended.stderr.contains(&told) } else { ended.stderr.starts_with(&told) };
            assert!(ended.stderr.lines().count() == 1 && tells, "{named}: {}", ended.stderr);
            assert_no_secret(&ended);
        }
    }
}
