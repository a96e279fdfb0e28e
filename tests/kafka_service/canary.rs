//! Nothing that a record holds, and no secret, shows in logs, metrics, probes or errors: a canary in every field of
//! records of every fate, through every command that meets them, at the finest log level of ours and of librdkafka's.

use crate::support;

use std::fs;
use std::io::Write as _;
use std::thread;

use support::broker::{ADMIN, ADMIN_PASSWORD, Plan};
use support::children::run_directory;
use support::cluster::View;
use support::driver::Driver;
use support::raw::{Headers, Record};
use support::sample::Sample;
use support::scene::Guarantee::{AtLeastOnce, ExactlyOnce};
use support::scene::Scene;
use support::service::{Call, LIMIT, Service};
use support::wait;

const CANARY: &str = "cAnAry3f9c";
const IP: &str = "203.0.113.177";
const IPV6: &str = "2001:db8:3f9c:77::1";
const SECRET: &str = "sEcret8d21";

/// More than the output topic takes in one record.
const EVENT_BYTES: usize = 8 * 1024;
const DAY_MS: i64 = 24 * 3_600_000;

/// What was said, and by whom.
#[derive(Default)]
struct Search {
    bytes: usize,
    found: Vec<String>,
}

impl Search {
    /// The canary in any case, and as hexadecimal digits, as some dumps have it; addresses; secrets.
    fn read(&mut self, whose: &str, text: &str) {
        self.bytes += text.len();
        let lower = text.to_lowercase();
        let hex: String = CANARY.bytes().map(|byte| format!("{byte:02x}")).collect();
        for needle in [&CANARY.to_lowercase(), &hex, IP, IPV6, &SECRET.to_lowercase(), ADMIN_PASSWORD] {
            for line in lower.lines().filter(|line| line.contains(needle)).take(3) {
                self.found.push(format!("{whose}: {needle} in {}", line.chars().take(600).collect::<String>()));
            }
        }
    }

    /// With what somebody else has read.
    fn with(mut self, other: Self) -> Self {
        self.bytes += other.bytes;
        self.found.extend(other.found);
        self
    }

    fn assert_nothing(self, least_bytes: usize) {
        // Past the capture of the test runner: the number belongs into every log.
        let _ = writeln!(std::io::stdout(), "canary: {} bytes searched, found {}", self.bytes, self.found.len());
        assert!(self.found.is_empty(), "{}", self.found.join("\n"));
        assert!(self.bytes > least_bytes, "only {} bytes were there to be searched", self.bytes);
    }
}

fn trace(more: &str) -> String {
    format!(
        r#"{{"MessageTraceId":"{CANARY}-id","Received":"2026-09-05T18:10:13","Organization":"{CANARY}.example","MessageId":"<{CANARY}@a.example>","SenderAddress":"{CANARY}@a.example","RecipientAddress":"b@{CANARY}.example","Subject":"{CANARY}","Status":"{CANARY}","FromIP":"{IP}","ToIP":"{IPV6}","Size":1,"{CANARY}":"{CANARY}"{more}}}"#
    )
}

/// A value for each fate and each kind of rejection, and where their messages come from.
fn values() -> Vec<Vec<u8>> {
    let good = trace("");
    let mut values: Vec<String> = vec![
        good.clone(),
        format!("[{good},{good}]"),
        format!(r#"{{"message":{}}}"#, serde_json::to_string(&good).expect("a string")),
        // The last key of a name wins: what comes here replaces what stands above.
        trace(&format!(r#","Size":"{CANARY}""#)),
        trace(&format!(r#","Subject":["{CANARY}"]"#)),
        trace(r#","MessageTraceId":null"#),
        trace(&format!(r#","Received":"{CANARY}""#)),
        trace(&format!(r#","Received":{{"value":"{CANARY}"}}"#)),
        trace(&format!(r#","FromIP":"{CANARY}","ToIP":"{CANARY}""#)),
        format!(r#"{{"id":"{CANARY}","receivedDateTime":"{CANARY}","senderAddress":"{CANARY}"}}"#),
        // No JSON, with the canary at the place where reading stops.
        CANARY.to_owned(),
        format!(r#"{{"a":{CANARY}}}"#),
        format!(r#"{{"{CANARY}":"{CANARY}" {CANARY}"#),
        format!(r#"{{"a":"{CANARY}"#),
        format!("{good}{CANARY}"),
        format!(r#"{{"message":"{CANARY}"}}"#),
        format!(r#"{{"event":{{"original":"{{\"{CANARY}\"}}"}}}}"#),
        format!(r#"{{"{CANARY}":"{CANARY}"}}"#),
        format!(r#""{CANARY}""#),
        format!(r#"{{"error":{{"code":"{CANARY}","message":"{CANARY}"}}}}"#),
        format!(r#"{{"MessageTraceId":"{CANARY}","Event":"{CANARY}","Detail":"{CANARY}"}}"#),
        format!("[{}]", vec![good.as_str(); 101].join(",")),
        format!("{good}{}", " ".repeat(65 * 1024)),
        // Its event does not fit into the output topic.
        trace(&format!(r#","Subject":"{}""#, CANARY.repeat(EVENT_BYTES / CANARY.len()))),
        String::new(),
        "[]".to_owned(),
    ];
    values.push(format!(r#"{{"payload":{}}}"#, good.replace(CANARY, &format!(r"{CANARY}\ud83d"))));
    let mut values: Vec<Vec<u8>> = values.into_iter().map(String::into_bytes).collect();
    values.push([good.as_bytes(), b"\xff", CANARY.as_bytes()].concat());
    values
}

fn headers() -> Headers {
    let canary = CANARY.as_bytes().to_vec();
    vec![
        (canary.clone(), Some(canary.clone())),
        ([b"\xff\x1b[2J", CANARY.as_bytes()].concat(), Some([b"\x00\xff", CANARY.as_bytes()].concat())),
        (b"traceparent".to_vec(), Some(canary.clone())),
        (b"messagetrace.source".to_vec(), Some(canary.clone())),
        (b"dlq.attempts".to_vec(), Some(canary.clone())),
        (b"dlq.error.message".to_vec(), Some(canary.clone())),
        (b"large".to_vec(), Some(CANARY.repeat(100).into_bytes())),
        (canary, None),
    ]
}

fn send(scene: &Scene<'_>) -> usize {
    let mut driver = Driver::new(scene, 51);
    let now_ms = support::maker::now_ms();
    let mut sent = 0;
    for (at, value) in values().into_iter().enumerate() {
        let key = Some(format!("{CANARY}-{at}").into_bytes());
        // The output topic refuses records that are a month old.
        for timestamp_ms in [now_ms, now_ms - 30 * DAY_MS] {
            let value = Some(value.clone());
            let record = Record { key: key.clone(), value: value.clone(), headers: headers(), timestamp_ms };
            driver.send_one(record, Sample { value, fates: Vec::new(), page: false });
            sent += 1;
        }
    }
    driver.settle();
    sent
}

/// Every secret there is, whatever uses it, and the finest logs there are.
fn telling_all(call: Call) -> Call {
    let id = format!("kafka.sasl.username={ADMIN}");
    [
        "log.level=trace",
        r#"kafka.properties={"debug"="all"}"#,
        "kafka.security=sasl_plaintext",
        "kafka.sasl.mechanism=PLAIN",
        id.as_str(),
    ]
    .into_iter()
    .fold(call, Call::set)
}

fn searched_service(search: &mut Search, service: Service, sent: usize) {
    wait::until("every record has its fate", LIMIT, || (service.sealed()? >= sent as f64).then_some(()));
    for fate in ["dead_lettered", "delivered"] {
        assert!(service.metric(&format!("messagetrace_ecs_records_{fate}_total")) > Some(0.0), "{fate}");
    }
    for kind in ["event_too_large", "event_refused", "invalid_json", "invalid_utf8", "expands_too_far"] {
        let (_, metrics) = service.get("/metrics").expect("the service answers");
        let none = format!("messagetrace_ecs_dead_letters_produced_total{{kind=\"{kind}\"}} 0");
        assert!(!metrics.lines().any(|line| line == none), "no {kind} among them");
    }
    for path in ["/metrics", "/readyz", "/livez"] {
        search.read(path, &service.get(path).expect("the service answers").1);
    }
    let ended = service.stopped();
    ended.assert_code(0);
    assert!(ended.stderr.contains("dead letter: "), "rejections are debug lines");
    assert!(
        ended.stderr.contains("\"log.logger\":\"librdkafka\",\"kafka_client\":\"consumer\""),
        "librdkafka is heard"
    );
    search.read("run, standard error", &ended.stderr);
    search.read("run, standard output", &ended.stdout);
}

#[test]
fn no_canary_is_found_in_anything_that_the_program_says() {
    let search = thread::scope(|scope| {
        let without = scope.spawn(without_kafka);
        let with = with_kafka();
        with.with(without.join().expect("the other commands were searched"))
    });
    search.assert_nothing(1_000_000);
}

/// The commands that meet a broker.
fn with_kafka() -> Search {
    let cluster = Plan::nodes(1).guarded().start();
    let week_ms = (7 * DAY_MS).to_string();
    let bytes = EVENT_BYTES.to_string();
    let settings = [("message.timestamp.before.max.ms", week_ms.as_str()), ("max.message.bytes", bytes.as_str())];
    let login = format!("127.0.0.1:{}", cluster.node(1).ports.admin);
    let reach = [format!("kafka.bootstrap_servers={login}"), format!("kafka.sasl.password={ADMIN_PASSWORD}")];

    let under = |guarantee| {
        let mut search = Search::default();
        let scene = Scene::with_output(&cluster, guarantee, 2, &settings);
        let sent = send(&scene);
        let on_scene = |call: Call| {
            let settings = scene.settings();
            let call = settings.iter().map(String::as_str).fold(call, Call::set);
            let call = reach.iter().map(String::as_str).fold(call, Call::set);
            telling_all(call.set("output.compression=none"))
        };
        for profile in ["sekoia", "ecs"] {
            let group = format!("input.group={}-{profile}", scene.group);
            let call = on_scene(Call::of(&["run", "--profile", profile])).set(&group);
            searched_service(&mut search, call.start(), sent);
        }
        let bounded = on_scene(Call::of(&["run", "--until-end"])).ended();
        bounded.assert_code(0);
        search.read("run --until-end", &(bounded.stderr + &bounded.stdout));
        let outputs = cluster.gauge(&scene.output, View::Committed).total();
        assert!(outputs > 0, "there was something to tell");

        for (arguments, code) in [(&["check"][..], 0), (&["check", "--connect"], 1), (&["config"], 0)] {
            let ended = on_scene(Call::of(arguments)).ended();
            ended.assert_code(code);
            search.read(&arguments.join(" "), &(ended.stderr + &ended.stdout));
        }
        // A wrong password, and a broker that is not there.
        for wrong in [format!("kafka.sasl.password={SECRET}"), "kafka.bootstrap_servers=127.0.0.1:1".to_owned()] {
            for arguments in [&["run"][..], &["check", "--connect"]] {
                let ended = on_scene(Call::of(arguments)).set(&wrong).ended();
                ended.assert_code(1);
                search.read("refused", &(ended.stderr + &ended.stdout));
            }
        }
        search
    };
    thread::scope(|scope| {
        let one = scope.spawn(|| under(ExactlyOnce));
        let other = under(AtLeastOnce);
        other.with(one.join().expect("one guarantee was searched"))
    })
}

/// The commands that meet no broker, and those that meet their own.
fn without_kafka() -> Search {
    let mut search = Search::default();
    let file = run_directory().join("canaries.jsonl");
    let lines: Vec<Vec<u8>> = values().into_iter().filter(|value| !value.contains(&b'\n')).collect();
    fs::write(&file, lines.join(&b'\n')).expect("write the canaries");
    let file = file.to_str().expect("a path of text");
    let limits = ["input.max_payload_bytes=64KiB", "input.max_traces=100", "log.level=trace"];
    for profile in ["sekoia", "ecs"] {
        for more in [&[][..], &["--outcomes"], &["--whole"]] {
            let arguments = [&["normalize", "--profile", profile, file][..], more].concat();
            let ended = limits.into_iter().fold(Call::of(&arguments), Call::set).ended();
            ended.assert_code(3);
            search.read("normalize, standard error", &ended.stderr);
            // Events are what it is asked for; rejections are looked into.
            let is_rejection = |line: &&str| line.contains("\"rejection\":{");
            let rejections: Vec<&str> = ended.stdout.lines().filter(is_rejection).collect();
            assert_eq!(rejections.is_empty(), more != ["--outcomes"]);
            search.read("normalize, rejections", &rejections.join("\n"));
        }
    }
    let secrets = [
        format!("kafka.sasl.password={SECRET}"),
        format!("kafka.tls.key_password={SECRET}"),
        format!("kafka.sasl.token={SECRET}"),
        format!("kafka.sasl.oidc.client_secret={SECRET}"),
    ];
    for arguments in [&["check"][..], &["config"], &["healthcheck"], &["demo", "--records", "2000"]] {
        let call = secrets.iter().map(String::as_str).fold(Call::of(arguments), Call::set);
        let ended = call.set("log.level=trace").set("kafka.sasl.mechanism=PLAIN").ended();
        search.read(&arguments.join(" "), &(ended.stderr + &ended.stdout));
    }
    search
}
