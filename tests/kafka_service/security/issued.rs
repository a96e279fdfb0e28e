//! Client credentials: tokens that an issuer gives, renews, or does not give.

use std::thread;
use std::time::Instant;

use super::SOON;
use super::renewal::{under_load, until_said};
use super::secured::{CANARY, SecuredKafka, Way, assert_no_secret, in_seconds};
use crate::support::broker::free_port;
use crate::support::driver::Driver;
use crate::support::issuer::{CLIENT, Issuer, Mood, Proxy, Request, SECRET};
use crate::support::listeners::{USER, mounted, written};
use crate::support::maker::now_ms;
use crate::support::oracle::verdict;
use crate::support::pki::{EXPIRED, VALID};
use crate::support::raw::Record;
use crate::support::scene::Guarantee::{AtLeastOnce, ExactlyOnce};
use crate::support::scene::Scene;
use crate::support::service::{Call, LIMIT, Service};
use crate::support::wait;
use crate::support::writer::Writer;

/// An issuer whom our authority vouches for.
fn issuer(secured: &SecuredKafka, user: &str) -> Issuer {
    Issuer::showing(&secured.listeners.ours.vouch("issuer", &["127.0.0.1"], VALID), user)
}

/// With its tokens through this listener.
fn way(secured: &SecuredKafka, listener: &str, issuer: &Issuer) -> Way {
    let way = secured.login(listener, "OAUTHBEARER").set(&secured.ca());
    credentials(way, &issuer.url()).set(&format!("kafka.sasl.oidc.client_secret={SECRET}"))
}

fn credentials(way: Way, url: &str) -> Way {
    way.set(&format!("kafka.sasl.oidc.token_url={url}")).set(&format!("kafka.sasl.oidc.client_id={CLIENT}"))
}

fn granted(issuer: &Issuer) -> Vec<Request> {
    issuer.requests().into_iter().filter(|request| request.granted).collect()
}

/// A command on a scene, as somebody who logs in this way.
fn command(way: &Way, scene: &Scene<'_>, arguments: &[&str]) -> Call {
    way.on(scene.settings().iter().fold(Call::of(arguments), |call, setting| call.set(setting)))
}

#[test]
fn client_credentials_let_us_in_and_each_process_asks_once() {
    let secured = SecuredKafka::get();
    let issuer = issuer(secured, USER);
    let scoped = way(secured, "SASLTLS", &issuer).set("kafka.sasl.oidc.scope=api://kafka/.default read");
    let scene = secured.scene(ExactlyOnce);
    let mut driver = Driver::new(&scene, 60);
    driver.send(500);
    let ledger = driver.finish();
    let ended = scoped.run(&scene).with("--until-end").ended();
    ended.assert_code(0);
    assert_no_secret(&ended);
    verdict(&scene, &ledger).assert_clean();
    let [request] = &issuer.requests()[..] else { panic!("asked more than once: {:?}", issuer.requests()) };
    assert_eq!(request.client, Some((CLIENT.to_owned(), SECRET.to_owned())));
    assert_eq!(request.target, "/realms/tests/token?audience=kafka");
    assert_eq!(request.form, "grant_type=client_credentials&scope=api%3A%2F%2Fkafka%2F.default+read");

    // The commands that read, as somebody who may.
    let issuer = self::issuer(secured, "auditor");
    let way = way(secured, "SASLTLS", &issuer);
    for arguments in [&["audit"][..], &["dlq", "stats"], &["dlq", "list", "--limit", "1"]] {
        let before = issuer.requests().len();
        let ended = command(&way, &scene, arguments).ended();
        assert_eq!(ended.code, Some(0), "{arguments:?}\n{}{}", ended.stdout, ended.stderr);
        assert_no_secret(&ended);
        assert_eq!(issuer.requests().len(), before + 1, "{arguments:?}");
    }
}

#[test]
fn the_issuer_is_trusted_by_our_authorities_or_the_systems_and_without_tls_on_this_machine() {
    let secured = SecuredKafka::get();
    let scene = secured.scene(ExactlyOnce);
    let (sealed, open) = (issuer(secured, USER), Issuer::plain(USER));
    let ours = written("issuers-ca.pem", &secured.listeners.ours.certificate());
    let bare = credentials(secured.login("SASL", "OAUTHBEARER"), &sealed.url());
    let bare = bare.set(&format!("kafka.sasl.oidc.client_secret={SECRET}"));
    let calls = [
        way(secured, "SASL", &sealed).check(&scene),
        bare.check(&scene).variable("SSL_CERT_FILE", &ours),
        way(secured, "SASLTLS", &open).check(&scene),
    ];
    for call in calls {
        let ended = call.ended();
        assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
        assert!(!ended.stderr.contains("without TLS"), "{}", ended.stderr);
        assert_no_secret(&ended);
    }
}

#[test]
fn the_proxy_of_the_environment_sees_a_tunnel_and_no_more() {
    let secured = SecuredKafka::get();
    let scene = secured.scene(ExactlyOnce);
    let (issuer, proxy) = (issuer(secured, USER), Proxy::open());
    let address = format!("http://127.0.0.1:{}", proxy.port);
    let check = || way(secured, "SASLTLS", &issuer).check(&scene);
    check().variable("HTTPS_PROXY", &address).ended().assert_code(0);
    assert_eq!(proxy.tunnels(), [format!("127.0.0.1:{}", issuer.port)]);
    check().variable("HTTPS_PROXY", &address).variable("NO_PROXY", "127.0.0.1").ended().assert_code(0);
    assert_eq!(proxy.tunnels().len(), 1, "nobody asked the proxy");
    for (proxy, says) in [("http://127.0.0.1:1", "Connection refused"), ("socks5://127.0.0.1:1", "http:// proxies")] {
        let ended = check().variable("HTTPS_PROXY", proxy).ended();
        ended.assert_code(1);
        assert!(ended.stdout.contains("proxy") && ended.stdout.contains(says), "{}", ended.stdout);
        assert!(ended.stdout.contains("check HTTPS_PROXY and NO_PROXY"), "{}", ended.stdout);
    }
}

/// A way that ends before the listener, and what the line about it has to name.
type Tokenless = (Way, Vec<&'static str>);

fn tokenless(secured: &SecuredKafka) -> Vec<Tokenless> {
    const URL: &str = "kafka.sasl.oidc.token_url";
    let here = &["127.0.0.1"];
    let in_mood = |mood: Mood| {
        let issuer = issuer(secured, USER);
        issuer.is_in(mood);
        way(secured, "SASLTLS", &issuer)
    };
    let says = |status, body: &str| in_mood(Mood::Says { status, body: body.to_owned() });
    let good = issuer(secured, USER);
    let to = |url: &str| way(secured, "SASLTLS", &good).set(&format!("{URL}={url}"));
    let (late, elsewhere, strange, open) = (
        Issuer::showing(&secured.listeners.ours.vouch("issuer", here, EXPIRED), USER),
        Issuer::showing(&secured.listeners.ours.vouch("issuer", &["issuer.example"], VALID), USER),
        Issuer::showing(&secured.strangers.vouch("issuer", here, VALID), USER),
        Issuer::plain(USER),
    );
    let long = "x".repeat(70_000);
    let head = format!("HTTP/1.1 200 OK\r\nX-Long: {long}\r\nContent-Length: 0\r\n\r\n").into_bytes();
    vec![
        (to(&format!("https://127.0.0.1:{}/token", free_port())), vec!["no answer", "refused", URL]),
        (in_mood(Mood::Waits), vec!["no answer: within 10 s", URL]),
        (in_mood(Mood::Leaves), vec!["no answer", URL]),
        (to(&strange.url()), vec!["not trusted", "issuer certificate", "kafka.tls.ca_file"]),
        (to(&late.url()), vec!["not trusted", "has expired", "renew it"]),
        (to(&elsewhere.url()), vec!["not trusted", "mismatch", URL]),
        (to(&good.url_by("localhost")), vec!["not trusted", "mismatch", URL]),
        (to(&open.url().replace("http:", "https:")), vec!["no TLS", URL]),
        (
            to(&good.url()).set(&format!("kafka.sasl.oidc.client_secret={CANARY}")),
            vec!["refuses: invalid_client", "kafka.sasl.oidc.client_id and kafka.sasl.oidc.client_secret"],
        ),
        (says(401, ""), vec!["status 401", "kafka.sasl.oidc.client_secret"]),
        (says(400, r#"{"error":"invalid_scope"}"#), vec!["refuses: invalid_scope", "kafka.sasl.oidc.scope"]),
        (says(400, "{\"error\":\"eyJ\\u001b[2J\"}"), vec!["status 400", URL]),
        (says(404, "eyJ"), vec!["status 404", URL]),
        (says(503, "eyJ"), vec!["status 503", "those who run it"]),
        (says(307, ""), vec!["sends us elsewhere (status 307)", URL]),
        (says(200, "<html>eyJ"), vec!["no JSON", URL]),
        (says(200, &format!("{{\"access_token\":\"{long}\"}}")), vec!["more than 64 KiB", URL]),
        (in_mood(Mood::Sends(head)), vec!["more than 64 KiB", URL]),
        (in_mood(Mood::Sends(b"SSH-2.0-eyJ\r\n\r\n".to_vec())), vec!["no HTTP", URL]),
        (says(200, r#"{"token":"eyJ"}"#), vec!["no access_token", URL]),
        (says(200, "{\"access_token\":\"eyJ\\u0001\"}"), vec!["characters that no token has"]),
        (says(200, r#"{"access_token":"eyJ","token_type":"mac"}"#), vec!["another type than Bearer"]),
        (in_mood(Mood::Gives { seconds: -60 }), vec!["expired already", "clock"]),
    ]
}

#[test]
fn an_issuer_that_gives_no_token_is_one_line_that_names_the_setting_and_shows_no_secret() {
    let secured = SecuredKafka::get();
    let scene = secured.scene(ExactlyOnce);
    for some in tokenless(secured).chunks(6) {
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
                        assert!(lines.len() == 1 && lines[0].starts_with("no token from http"), "{way:?}\n{said}");
                        for name in names {
                            assert!(lines[0].contains(name), "{name} is not named: {}\n{way:?}", lines[0]);
                        }
                        assert!(!said.contains('\u{1b}') && !said.contains("elsewhere:"), "{said}");
                        assert_no_secret(&ended);
                    }
                });
            }
        });
    }
}

#[test]
fn every_command_that_connects_says_why_there_is_no_token() {
    let secured = SecuredKafka::get();
    let scene = secured.scene(ExactlyOnce);
    let issuer = issuer(secured, USER);
    let way = way(secured, "SASLTLS", &issuer).set(&format!("kafka.sasl.oidc.client_secret={CANARY}"));
    for arguments in [
        &["run"][..],
        &["run", "--until-end"],
        &["topics"],
        &["topics", "--create"],
        &["audit"],
        &["dlq", "stats"],
        &["dlq", "list"],
        &["dlq", "export"],
        &["dlq", "diff"],
        &["dlq", "replay"],
        &["dlq", "show", "0:0"],
    ] {
        let ended = command(&way, &scene, arguments).ended();
        assert_eq!(ended.code, Some(1), "{arguments:?}\n{}{}", ended.stdout, ended.stderr);
        let lines = ended.problems();
        assert_eq!(lines.len(), 1, "{arguments:?}\n{}", ended.stderr);
        assert!(lines[0].contains("no token from") && lines[0].contains("invalid_client"), "{}", lines[0]);
        assert_no_secret(&ended);
    }
}

fn assert_nothing_made_anew(service: &Service) {
    assert_eq!(service.metric("messagetrace_ecs_client_rebuilds_total"), Some(0.0));
}

#[test]
fn an_issued_token_is_renewed_under_load_before_it_expires() {
    const LIFE_S: i64 = 10;
    let secured = SecuredKafka::get();
    let scene = secured.scene(ExactlyOnce);
    let issuer = issuer(secured, USER);
    issuer.is_in(Mood::Gives { seconds: LIFE_S });
    let report = under_load(&scene, way(secured, "SASLTLS", &issuer).run(&scene), |service| {
        let expires = in_seconds(LIFE_S);
        // Brokers close a connection whose token has expired, unless it was renewed on it.
        wait::until("the first tokens have expired", LIMIT, || {
            (in_seconds(0) > expires + 1 && granted(&issuer).len() > 2).then_some(())
        });
        assert_nothing_made_anew(service);
        let log = service.log();
        assert!(!log.contains("refuse") && !log.contains("stays in use") && !log.contains("expired"), "{log}");
    });
    assert_eq!(report.repeats, 0, "{report}");
}

/// The client that keeps the place has nothing to do until a letter comes.
#[test]
fn an_export_that_follows_keeps_its_place_beyond_the_life_of_its_first_token() {
    const LIFE_S: i64 = 10;
    let secured = SecuredKafka::get();
    let scene = secured.scene(ExactlyOnce);
    let issuer = issuer(secured, "auditor");
    issuer.is_in(Mood::Gives { seconds: LIFE_S });
    let writer = Writer::new(scene.cluster, &scene.dead_letters);
    let group = format!("{}-export", scene.group);
    let write_and_see = |offset| {
        writer.send(0, &Record { key: None, value: None, headers: Vec::new(), timestamp_ms: now_ms() });
        writer.settle();
        wait::until("its place is kept", LIMIT, || {
            (scene.cluster.committed(&group, &scene.dead_letters)[0] == Some(offset)).then_some(())
        });
    };
    let call = command(&way(secured, "SASLTLS", &issuer), &scene, &["dlq", "export", "--follow", "--group", &group]);
    let follower = call.start();
    write_and_see(1);
    let expires = in_seconds(LIFE_S);
    wait::until("the first tokens have expired", LIMIT, || (in_seconds(0) > expires + 1).then_some(()));
    write_and_see(2);
    let ended = follower.stopped();
    ended.assert_code(0);
    assert!(!ended.stderr.contains("waiting"), "{}", ended.stderr);
}

#[test]
fn an_issuer_that_is_away_is_waited_for_while_the_token_lives_and_beyond() {
    let secured = SecuredKafka::get();
    let scene = secured.scene(ExactlyOnce);
    let issuer = issuer(secured, USER);
    issuer.is_in(Mood::Gives { seconds: 12 });
    let report = under_load(&scene, way(secured, "SASLTLS", &issuer).run(&scene), |service| {
        issuer.is_in(Mood::Says { status: 503, body: String::new() });
        until_said(service, "the token of before stays in use: no token from");
        assert!(!service.log().contains("the token has expired"), "{}", service.log());
        until_said(service, "the token has expired, the brokers let nobody in with it");
        wait::until("the service says what holds it up", LIMIT, || {
            let (_, metrics) = service.get("/metrics")?;
            metrics.contains("messagetrace_ecs_stalled{cause=\"authorization\"} 1").then_some(())
        });
        assert_eq!(service.get("/livez").map(|(status, _)| status), Some(200));
        issuer.is_in(Mood::Gives { seconds: 600 });
        until_said(service, "a token was issued again");
        let said = |what: &str| service.log().lines().filter(|line| line.contains(what)).count();
        assert_eq!((said("stays in use"), said("has expired, the brokers")), (1, 1), "{}", service.log());
    });
    assert_eq!(report.repeats, 0, "{report}");
}

#[test]
fn a_client_secret_that_is_renewed_is_taken_up_once_the_issuer_knows_it_and_nothing_is_made_anew() {
    const RENEWED: &str = "another-secret-of-the-tests";
    let secured = SecuredKafka::get();
    let scene = secured.scene(AtLeastOnce);
    let issuer = issuer(secured, USER);
    issuer.is_in(Mood::Gives { seconds: 10 });
    let file = mounted("client", "secret", SECRET);
    let way = credentials(secured.login("SASLTLS", "OAUTHBEARER"), &issuer.url());
    let way = way.set(&format!("kafka.sasl.oidc.client_secret_file={file}"));
    let asked_with = |secret: &str| {
        granted(&issuer).iter().any(|request| request.client.as_ref().is_some_and(|(_, known)| known == secret))
    };
    let report = under_load(&scene, way.run(&scene), |service| {
        mounted("client", "secret", "");
        until_said(service, "kafka.sasl.oidc.client_secret_file names an empty file");
        mounted("client", "secret", RENEWED);
        until_said(service, "a renewed client secret does not work, the one of before stays in use: it refuses");
        assert!(!asked_with(RENEWED));
        issuer.knows(RENEWED);
        wait::until("the new secret is used", LIMIT, || asked_with(RENEWED).then_some(()));
        assert_nothing_made_anew(service);
        assert!(!service.log().contains(RENEWED), "the new secret shows");
    });
    assert_eq!(report.repeats, 0, "{report}");
}
