//! Secrets that are renewed under load, and permissions that come and go: no record is lost or repeated.

use super::secured::{SecuredKafka, assert_no_secret, in_seconds};
use crate::support::cluster::View;
use crate::support::driver::Driver;
use crate::support::listeners::{PASSWORD, USER, mounted, token, written};
use crate::support::oracle::{Report, verdict};
use crate::support::pki::VALID;
use crate::support::scene::Guarantee::{AtLeastOnce, ExactlyOnce};
use crate::support::scene::Scene;
use crate::support::service::{Call, LIMIT, Service};
use crate::support::wait;

/// A service under load, and what is done to it meanwhile; it has to go on writing afterwards.
pub fn under_load(scene: &Scene<'_>, call: Call, renew: impl FnOnce(&Service)) -> Report {
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

pub fn until_said(service: &Service, what: &str) {
    wait::until("it is said", LIMIT, || service.log().contains(what).then_some(()));
}

#[test]
fn a_password_that_is_renewed_under_load_is_taken_up_once_the_brokers_know_it() {
    const RENEWED: &str = "looking-glass-of-the-tests";
    let secured = SecuredKafka::get();
    let scene = secured.scene(ExactlyOnce);
    let file = mounted("login", "password", PASSWORD);
    // A mechanism of its own: other tests log in by the others.
    let way = secured.login("SASLTLS", "SCRAM-SHA-256").set("kafka.sasl.username=rotating");
    let way = way.set(&format!("kafka.sasl.password_file={file}"));
    secured.cluster.password("rotating", PASSWORD);
    let report = under_load(&scene, way.run(&scene), |service| {
        mounted("login", "password", "");
        until_said(service, "names an empty file");
        mounted("login", "password", RENEWED);
        until_said(service, "refuse the login");
        assert_eq!(service.metric("messagetrace_ecs_client_rebuilds_total"), Some(0.0));
        secured.cluster.password("rotating", RENEWED);
        until_rebuilt(service);
        assert!(!service.log().contains(RENEWED), "the new password shows");
    });
    assert_eq!(report.repeats, 0, "{report}");
}

#[test]
fn a_certificate_that_is_renewed_under_load_is_taken_up_and_half_a_renewal_is_not() {
    let secured = SecuredKafka::get();
    let scene = secured.scene(AtLeastOnce);
    let (old, new) = (secured.listeners.ours.vouch(USER, &[], VALID), secured.listeners.ours.vouch(USER, &[], VALID));
    let way = secured.mutual("renewed", &old);
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
    let secured = SecuredKafka::get();
    let scene = secured.scene(ExactlyOnce);
    let expires = in_seconds(LIFE_S);
    let file = written("token", &token(USER, expires));
    let way = secured.login("SASLTLS", "OAUTHBEARER").set(&format!("kafka.sasl.token_file={file}"));
    under_load(&scene, way.run(&scene), |service| {
        written("token", &token(USER, in_seconds(600)));
        // Brokers close a connection whose token has expired, unless it was renewed on it.
        wait::until("the first token has expired", LIMIT, || (in_seconds(0) > expires + 1).then_some(()));
        assert_eq!(service.metric("messagetrace_ecs_client_rebuilds_total"), Some(0.0));
        assert!(!service.log().contains("refuse"), "{}", service.log());
    });
}

/// On a quiet topic nothing is sealed that would show it.
#[test]
fn a_permission_that_comes_back_ends_its_stall_though_no_record_comes() {
    let secured = SecuredKafka::get();
    let scene = secured.scene(AtLeastOnce);
    let user = "quiet";
    let way = secured.mutual(user, &secured.listeners.ours.vouch(user, &[], VALID));
    let mut driver = Driver::new(&scene, 62);
    driver.send(100);
    driver.settle();
    let mut service = way.run(&scene).start();
    let until_stalled = |stalled: f64| {
        wait::until("the stall is told, or its end", LIMIT, || {
            let told = service.metric_of("messagetrace_ecs_stalled", "cause=\"authorization\"");
            told.filter(|told| *told == stalled)
        });
    };
    let until_committed = || {
        let ends: Vec<_> = scene.cluster.gauge(&scene.input, View::Committed).ends().into_iter().map(Some).collect();
        wait::until("everything is committed", LIMIT, || {
            (scene.cluster.committed(&scene.group, &scene.input) == ends).then_some(())
        });
    };
    until_committed();
    let rule = ["--deny-principal", "User:quiet", "--operation", "Read", "--topic", &scene.input];
    let change =
        |change| secured.cluster.acl(&[change], &[&rule[..], &["--resource-pattern-type", "literal"]].concat());
    change("--add");
    until_stalled(1.0);
    change("--remove");
    until_stalled(0.0);
    driver.send(100);
    let ledger = driver.finish();
    until_committed();
    service.assert_alive();
    service.stopped().assert_code(0);
    verdict(&scene, &ledger).assert_clean();
}

#[test]
fn a_permission_that_is_taken_away_from_a_running_service_is_waited_out() {
    let secured = SecuredKafka::get();
    let scene = secured.scene(ExactlyOnce);
    let user = "on-and-off";
    let way = secured.mutual(user, &secured.listeners.ours.vouch(user, &[], VALID));
    let rule = ["--deny-principal", "User:on-and-off", "--operation", "Write", "--topic", &scene.output];
    under_load(&scene, way.run(&scene), |service| {
        secured.cluster.acl(&["--add"], &[&rule[..], &["--resource-pattern-type", "literal"]].concat());
        wait::until("the service says what holds it up", LIMIT, || {
            let (_, metrics) = service.get("/metrics")?;
            metrics.contains("messagetrace_ecs_stalled{cause=\"authorization\"} 1").then_some(())
        });
        assert_eq!(service.get("/livez").map(|(status, _)| status), Some(200));
        secured.cluster.acl(&["--remove"], &[&rule[..], &["--resource-pattern-type", "literal"]].concat());
    });
}
