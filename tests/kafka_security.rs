//! Who is let in, how, and what is said to those who are not; secrets that are renewed under load.
//!
//! One node with a door of each kind serves all tests.

mod support;

use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use support::cluster::{Cluster, View};
use support::doors::{House, PASSWORD, USER, mounted, token, written};
use support::driver::Driver;
use support::oracle::{Report, verdict};
use support::pki::{Authority, EXPIRED, Identity, VALID};
use support::scene::Guarantee::{AtLeastOnce, ExactlyOnce};
use support::scene::{Guarantee, Scene};
use support::service::{Call, Ended, LIMIT, Service};
use support::wait;

/// A person who starts it by hand is still there.
const SOON: Duration = Duration::from_secs(60);

const CANARY: &str = "canary-of-no-use";

/// How each private key and each token of these tests begins.
const KEY_BEGINS: &str = "MIGHAgEA";
const TOKEN_BEGINS: &str = "eyJ";

/// The house, and the cluster behind its doors.
struct Place {
    house: House,
    cluster: Cluster,
    /// Strangers, who vouch for whom they like.
    strangers: Authority,
}

impl Place {
    /// Everybody may do what is documented and no more; users of these names may do less.
    fn get() -> &'static Self {
        static PLACE: OnceLock<Place> = OnceLock::new();
        PLACE.get_or_init(|| {
            let house = House::build();
            let cluster = house.plan().start();
            let rules: [(&str, &str, &[&str]); 8] = [
                ("--allow-principal", "*", &["Read", "--topic", "raw-", "--group", "group-"]),
                ("--allow-principal", "*", &["Write", "--topic", "ecs-", "--topic", "dlq-"]),
                ("--allow-principal", "*", &["Write", "--operation", "Describe", "--transactional-id", "group-"]),
                ("--deny-principal", "no-input", &["Read", "--topic", "raw-"]),
                ("--deny-principal", "no-group", &["Read", "--group", "group-"]),
                ("--deny-principal", "no-output", &["Write", "--topic", "ecs-"]),
                ("--deny-principal", "no-dead-letters", &["Write", "--topic", "dlq-"]),
                ("--deny-principal", "no-transactions", &["Write", "--transactional-id", "group-"]),
            ];
            thread::scope(|scope| {
                for (verb, user, what) in rules {
                    let cluster = &cluster;
                    scope.spawn(move || cluster.acl(&["--add", verb, &format!("User:{user}"), "--operation"], what));
                }
            });
            Place { house, cluster, strangers: Authority::new("strangers") }
        })
    }

    fn scene(&self, guarantee: Guarantee) -> Scene<'_> {
        Scene::new(&self.cluster, guarantee, 2)
    }

    fn ca(&self) -> String {
        format!("kafka.tls.ca_file={}", written("ca.pem", &self.house.ours.certificate()))
    }

    /// TLS through this door, trusting the right authority.
    fn tls(&self, door: &str) -> Way {
        Way::through(self, door).set("kafka.security=tls").set(&self.ca())
    }

    /// The door that asks for a certificate, shown this one.
    fn mutual(&self, name: &str, identity: &Identity) -> Way {
        let (certificate, key) = files_of(name, identity);
        self.tls("MUTUAL").set(&certificate).set(&key)
    }

    fn login(&self, door: &str, mechanism: &str) -> Way {
        let way = Way::through(self, door).set(&format!("kafka.sasl.mechanism={mechanism}"));
        match door {
            "SASLTLS" => way.set("kafka.security=sasl_tls").set(&self.ca()),
            _ => way.set("kafka.security=sasl_plaintext"),
        }
    }

    fn password(&self, door: &str, mechanism: &str, user: &str, password: &str) -> Way {
        let way = self.login(door, mechanism).set(&format!("kafka.sasl.username={user}"));
        way.set(&format!("kafka.sasl.password={password}"))
    }

    fn token(&self, door: &str, token: &str) -> Way {
        self.login(door, "OAUTHBEARER").set(&format!("kafka.sasl.token={token}"))
    }
}

/// Writes certificate and key, and gives the settings that name them.
fn files_of(name: &str, identity: &Identity) -> (String, String) {
    let key = written(&format!("{name}.key"), &identity.key());
    let certificate = written(&format!("{name}.pem"), &identity.certificate);
    (format!("kafka.tls.certificate_file={certificate}"), format!("kafka.tls.key_file={key}"))
}

/// How to get to the brokers, as settings.
#[derive(Clone, Debug)]
struct Way(Vec<String>);

impl Way {
    fn through(place: &Place, door: &str) -> Self {
        Self(vec![format!("kafka.bootstrap_servers={}", place.house.address(door))])
    }

    fn set(mut self, setting: &str) -> Self {
        self.0.push(setting.to_owned());
        self
    }

    fn on(&self, call: Call) -> Call {
        self.0.iter().fold(call, |call, setting| call.set(setting))
    }

    fn run(&self, scene: &Scene<'_>) -> Call {
        self.on(Call::run(scene))
    }

    fn check(&self, scene: &Scene<'_>) -> Call {
        self.on(scene.settings().iter().fold(Call::of(&["check", "--connect"]), |call, setting| call.set(setting)))
    }
}

/// In `seconds` from now, as tokens count.
fn in_seconds(seconds: i64) -> i64 {
    support::maker::now_ms() / 1000 + seconds
}

fn assert_no_secret(ended: &Ended) {
    for secret in [PASSWORD, CANARY, KEY_BEGINS, TOKEN_BEGINS] {
        assert!(!ended.stderr.contains(secret) && !ended.stdout.contains(secret), "{secret} shows:\n{}", ended.stderr);
    }
}

#[test]
fn every_way_in_works_with_the_documented_permissions_and_no_more() {
    let place = Place::get();
    let me = place.house.ours.vouch(USER, &[], VALID);
    let mut ways = vec![place.tls("TLS"), place.mutual("me", &me)];
    let locked = written("locked.key", &me.encrypted_key(CANARY));
    ways.push(
        place
            .mutual("me", &me)
            .set(&format!("kafka.tls.key_file={locked}"))
            .set(&format!("kafka.tls.key_password={CANARY}")),
    );
    for door in ["SASL", "SASLTLS"] {
        for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
            ways.push(place.password(door, mechanism, USER, PASSWORD));
        }
        ways.push(place.token(door, &token(USER, in_seconds(600))));
    }
    thread::scope(|scope| {
        for way in &ways {
            scope.spawn(move || {
                let scene = place.scene(ExactlyOnce);
                let ended = way.check(&scene).ended();
                assert_eq!(ended.code, Some(0), "{way:?}\n{}{}", ended.stdout, ended.stderr);
                assert_no_secret(&ended);
            });
        }
    });
    let sasl_tls = |mechanism| place.password("SASLTLS", mechanism, USER, PASSWORD);
    let token = place.token("SASLTLS", &token(USER, in_seconds(600)));
    for (way, guarantee) in
        [(place.mutual("me", &me), ExactlyOnce), (sasl_tls("SCRAM-SHA-512"), AtLeastOnce), (token, ExactlyOnce)]
    {
        let scene = place.scene(guarantee);
        let mut driver = Driver::new(&scene, 60);
        driver.send(500);
        let ledger = driver.finish();
        let ended = way.run(&scene).with("--until-end").ended();
        ended.assert_code(0);
        assert_no_secret(&ended);
        verdict(&scene, &ledger).assert_clean();
    }
}

/// A way that ends at the door, and what the line about it has to name.
type Refused = (Way, Vec<&'static str>);

fn refused(place: &Place) -> Vec<Refused> {
    let ours = &place.house.ours;
    let other_ca = format!("kafka.tls.ca_file={}", written("other-ca.pem", &place.strangers.certificate()));
    let late = place.mutual("late", &ours.vouch(USER, &[], EXPIRED));
    let stranger = place.mutual("stranger", &place.strangers.vouch(USER, &[], VALID));
    let user = |mechanism, user, password| place.password("SASL", mechanism, user, password);
    let login = vec!["refuse the login", "kafka.sasl.username and kafka.sasl.password"];
    let mut refused = vec![
        (place.tls("TLS").set(&other_ca), vec!["no TLS", "not trusted", "issuer certificate", "kafka.tls.ca_file"]),
        (Way::through(place, "TLS").set("kafka.security=tls"), vec!["no TLS", "not trusted", "kafka.tls.ca_file"]),
        (place.tls("EXPIRED"), vec!["no TLS", "certificate has expired", "renew it"]),
        (place.tls("ELSEWHERE"), vec!["no TLS", "mismatch", "kafka.bootstrap_servers"]),
        (place.tls("MUTUAL"), vec!["no TLS", "asks for a client certificate", "kafka.tls.certificate_file"]),
        (late, vec!["no TLS", "our certificate, which has expired", "renew kafka.tls.certificate_file"]),
        (stranger, vec!["no TLS", "refuses our certificate", "kafka.tls.certificate_file"]),
        (place.tls("SASL"), vec!["no broker", "PLAINTEXT broker listener?", "kafka.security"]),
        (Way::through(place, "TLS"), vec!["no broker", "kafka.security"]),
        (Way::through(place, "SASL"), vec!["no broker", "kafka.security"]),
        (place.password("SASLTLS", "SCRAM-SHA-512", USER, CANARY), login.clone()),
        (place.token("SASL", &token(USER, in_seconds(-60))), vec!["kafka.sasl.token has expired", "renew"]),
        (place.token("SASL", &token("", in_seconds(60))), vec!["refuse the login", "kafka.sasl.token"]),
    ];
    for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
        refused.push((user(mechanism, USER, CANARY), login.clone()));
        refused.push((user(mechanism, "nobody", PASSWORD), login.clone()));
    }
    refused
}

#[test]
fn who_is_not_let_in_gets_one_line_that_names_the_setting_and_shows_no_secret() {
    let place = Place::get();
    let scene = place.scene(ExactlyOnce);
    let cases = refused(place);
    // A few at a time: each is a process, and the machine may be small.
    for some in cases.chunks(5) {
        thread::scope(|scope| {
            for (way, names) in some {
                let scene = &scene;
                scope.spawn(move || {
                    for (call, prefix) in
                        [(way.run(scene).on_another_port(), "error: "), (way.check(scene), "finding: ")]
                    {
                        let start = Instant::now();
                        let ended = call.ended();
                        assert!(start.elapsed() < SOON, "it took {:?}:\n{}", start.elapsed(), ended.stderr);
                        assert_eq!(ended.code, Some(1), "{way:?}\n{}{}", ended.stdout, ended.stderr);
                        let said = format!("{}{}", ended.stdout, ended.stderr);
                        let lines: Vec<_> = said.lines().filter_map(|line| line.strip_prefix(prefix)).collect();
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
    let place = Place::get();
    let cases = [
        ("no-input", "Read on topic raw-", "input.topics", vec![ExactlyOnce, AtLeastOnce]),
        ("no-group", "Read on group group-", "input.group", vec![ExactlyOnce, AtLeastOnce]),
        ("no-output", "Write on topic ecs-", "output.topic", vec![ExactlyOnce, AtLeastOnce]),
        ("no-dead-letters", "Write on topic dlq-", "dead_letters.topic", vec![ExactlyOnce, AtLeastOnce]),
        ("no-transactions", "Write on transactional id group-", "pipeline.transactional_id", vec![ExactlyOnce]),
    ];
    for (user, permission, key, guarantees) in cases {
        let way = place.mutual(user, &place.house.ours.vouch(user, &[], VALID));
        for guarantee in guarantees {
            let scene = place.scene(guarantee);
            for (call, prefix) in [(way.run(&scene), "error: "), (way.check(&scene), "finding: ")] {
                let ended = call.ended();
                ended.assert_code(1);
                let said = format!("{}{}", ended.stdout, ended.stderr);
                let lines: Vec<_> = said.lines().filter_map(|line| line.strip_prefix(prefix)).collect();
                assert_eq!(lines.len(), 1, "{user}: {said}");
                assert!(lines[0].contains(permission) && lines[0].contains(key), "{}", lines[0]);
            }
        }
    }
    // Who needs no transactions needs no permission for them.
    let scene = place.scene(AtLeastOnce);
    let user = "no-transactions";
    place.mutual(user, &place.house.ours.vouch(user, &[], VALID)).check(&scene).ended().assert_code(0);
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
            assert!(ended.stderr.lines().count() == 1 && ended.stderr.starts_with(named), "{named}: {}", ended.stderr);
            assert_no_secret(&ended);
        }
    }
}

#[test]
fn client_credentials_are_refused_and_not_ignored() {
    let call = Call::of(&["check"]).set("kafka.security=sasl_tls").set("kafka.sasl.mechanism=OAUTHBEARER");
    let call = call.set("kafka.sasl.oidc.token_url=https://issuer.example/token").set("kafka.sasl.oidc.client_id=me");
    let ended = call.set(&format!("kafka.sasl.oidc.client_secret={CANARY}")).ended();
    ended.assert_code(2);
    assert_eq!(
        ended.stderr.lines().filter(|line| line.contains("set kafka.sasl.token_file")).count(),
        1,
        "{}",
        ended.stderr
    );
    assert_no_secret(&ended);
}

/// A service under load, and what is done to it meanwhile; it has to go on writing afterwards.
fn under_load(scene: &Scene<'_>, call: Call, renew: impl FnOnce(&Service)) -> Report {
    let driver = Driver::new(scene, 61);
    let mut service = call.start();
    let written = scene.cluster.gauge(&scene.output, View::Committed);
    let ledger = driver.under_load(2_000, 1_000, || {
        service.until_ready();
        written.until(200, LIMIT);
        renew(&service);
        service.assert_alive();
        let before = written.total();
        written.until(before + 200, LIMIT);
    });
    let ended = service.stopped();
    ended.assert_code(0);
    assert_no_secret(&ended);
    // What came after the stop; everybody on the plain listener may do as much.
    Call::run_until_end(scene).ended().assert_code(0);
    let report = verdict(scene, &ledger);
    report.assert_clean();
    report
}

fn until_rebuilt(service: &Service) {
    wait::until("the clients are made anew", LIMIT, || {
        service.metric("messagetrace_ecs_client_rebuilds_total").filter(|rebuilds| *rebuilds > 0.0)
    });
}

fn until_said(service: &Service, what: &str) {
    wait::until("it is said", LIMIT, || service.log().contains(what).then_some(()));
}

#[test]
fn a_password_that_is_renewed_under_load_is_taken_up_once_the_brokers_know_it() {
    const RENEWED: &str = "looking-glass-of-the-tests";
    let place = Place::get();
    let scene = place.scene(ExactlyOnce);
    let file = mounted("login", "password", PASSWORD);
    // A mechanism of its own: other tests log in by the others.
    let way = place.login("SASLTLS", "SCRAM-SHA-256").set("kafka.sasl.username=rotating");
    let way = way.set(&format!("kafka.sasl.password_file={file}"));
    place.cluster.password("rotating", PASSWORD);
    let report = under_load(&scene, way.run(&scene), |service| {
        mounted("login", "password", "");
        until_said(service, "names an empty file");
        mounted("login", "password", RENEWED);
        until_said(service, "refuse the login");
        assert_eq!(service.metric("messagetrace_ecs_client_rebuilds_total"), Some(0.0));
        place.cluster.password("rotating", RENEWED);
        until_rebuilt(service);
        assert!(!service.log().contains(RENEWED), "the new password shows");
    });
    assert_eq!(report.repeats, 0, "{report}");
}

#[test]
fn a_certificate_that_is_renewed_under_load_is_taken_up_and_half_a_renewal_is_not() {
    let place = Place::get();
    let scene = place.scene(AtLeastOnce);
    let (old, new) = (place.house.ours.vouch(USER, &[], VALID), place.house.ours.vouch(USER, &[], VALID));
    let way = place.mutual("renewed", &old);
    let report = under_load(&scene, way.run(&scene), |service| {
        written("renewed.key", &new.key());
        until_said(service, "does not belong to kafka.tls.certificate_file");
        assert_eq!(service.metric("messagetrace_ecs_client_rebuilds_total"), Some(0.0));
        written("renewed.pem", &new.certificate);
        until_rebuilt(service);
    });
    assert_eq!(report.repeats, 0, "{report}");
}

#[test]
fn a_token_that_is_renewed_under_load_is_read_before_the_old_one_expires() {
    const LIFE_S: i64 = 10;
    let place = Place::get();
    let scene = place.scene(ExactlyOnce);
    let expires = in_seconds(LIFE_S);
    let file = written("token", &token(USER, expires));
    let way = place.login("SASLTLS", "OAUTHBEARER").set(&format!("kafka.sasl.token_file={file}"));
    under_load(&scene, way.run(&scene), |service| {
        written("token", &token(USER, in_seconds(600)));
        // Brokers close a connection whose token has expired, unless it was renewed on it.
        wait::until("the first token has expired", LIMIT, || (in_seconds(0) > expires + 1).then_some(()));
        assert_eq!(service.metric("messagetrace_ecs_client_rebuilds_total"), Some(0.0));
        assert!(!service.log().contains("refuse"), "{}", service.log());
    });
}

#[test]
fn a_permission_that_is_taken_away_from_a_running_service_is_waited_out() {
    let place = Place::get();
    let scene = place.scene(ExactlyOnce);
    let user = "on-and-off";
    let way = place.mutual(user, &place.house.ours.vouch(user, &[], VALID));
    let rule = ["--deny-principal", "User:on-and-off", "--operation", "Write", "--topic", &scene.output];
    under_load(&scene, way.run(&scene), |service| {
        place.cluster.acl(&["--add"], &[&rule[..], &["--resource-pattern-type", "literal"]].concat());
        wait::until("the service says what holds it up", LIMIT, || {
            let (_, metrics) = service.get("/metrics")?;
            metrics.contains("messagetrace_ecs_stalled{cause=\"authorization\"} 1").then_some(())
        });
        assert_eq!(service.get("/livez").map(|(status, _)| status), Some(200));
        place.cluster.acl(&["--remove"], &[&rule[..], &["--resource-pattern-type", "literal"]].concat());
    });
}
