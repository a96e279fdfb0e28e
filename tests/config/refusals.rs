//! What is refused, in which words, and what only earns a warning.

use super::given::{Given, file, set};

/// Each case: what is set, and what its only problem must say.
fn each_is_one_problem(cases: &[(&[&str], &str)]) {
    for (sets, says) in cases {
        let problems = set(sets).map(|_| ()).expect_err(&format!("{sets:?} was taken"));
        assert_eq!(problems.len(), 1, "{sets:?}: {problems:#?}");
        assert!(problems[0].contains(says), "{sets:?}: {}", problems[0]);
    }
}

#[test]
fn ten_mistakes_are_ten_lines_at_once() {
    let problems = Given {
        files: &["[kafka]\nbootstrap_server = 'a:9092'\n[pipeline]\ncommit_interval = 5\nworkers = 0\n[output]\ncompression = 'lzma'\n"],
        environment: &[("INPUT__START", "yesterday"), ("LOG_LEVEL", "debug")],
        sets: &[
            "http.listen=localhost:8080",
            "dead_letters.topic=messagetrace.raw",
            "kafka.properties={\"acks\"=\"1\"}",
            "dead_letters.breaker_ratio=1.5",
            "kafka.security=sasl_tls",
        ],
    }
    .problems();
    let expected = [
        "kafka.bootstrap_server (0.toml:2): is no setting; the nearest is kafka.bootstrap_servers; `messagetrace-ecs config` prints them all",
        "MESSAGETRACE_ECS_LOG_LEVEL (environment): is no setting; the nearest is MESSAGETRACE_ECS_LOG__LEVEL; `messagetrace-ecs config` prints them all",
        "input.start = \"yesterday\" (MESSAGETRACE_ECS_INPUT__START): is neither a place to start nor a time with its zone; write earliest, latest, error or a time like \"2026-01-31T00:00:00Z\"",
        "output.compression = \"lzma\" (0.toml:7): is none of the choices; use lz4, zstd, snappy, gzip or none",
        "dead_letters.breaker_ratio = \"1.5\" (--set): is not between 0 and 1; use a share above 0 and below 1, like 0.5",
        "pipeline.workers = 0 (0.toml:5): is too small; use 1 to 256",
        "pipeline.commit_interval = 5 (0.toml:4): has no unit; write a whole number with ms, s, m or h, like \"500ms\" or \"30s\"",
        "http.listen = \"localhost:8080\" (--set): is no address to listen on; write an IP address and a port, like \"0.0.0.0:8080\" or \"[::]:8080\"",
        "dead_letters.topic = \"messagetrace.raw\" (--set): is also in input.topics; input, output and dead letters need different topics",
        "kafka.sasl.mechanism (--set): is not set, and kafka.security with SASL needs it; set kafka.sasl.mechanism",
        "kafka.properties.\"acks\" = \"1\" (--set): is refused: nothing may count as delivered before all in-sync replicas have it, once and in order; leave it out",
    ];
    assert_eq!(problems, expected);
}

#[test]
fn a_value_of_the_wrong_form_is_refused() {
    each_is_one_problem(&[
        (&["kafka.client_id="], "is empty"),
        (&["kafka.client_id=a\nb"], "control character"),
        (&["kafka.bootstrap_servers="], "is an empty list"),
        (&["kafka.bootstrap_servers=a:9092,,b:9092"], "entry 2"),
        (&["kafka.bootstrap_servers=SSL://a:9092"], "names a protocol"),
        (&["input.topics=a,b,a"], "entry 3 is there twice"),
        (&["input.topics=a/b"], "is no topic name"),
        (&["input.group_instance_id=a b"], "is no name for a static member"),
        (&["input.max_traces=many"], "is no whole number"),
        (&["input.max_traces=-1"], "is no whole number"),
        (&["input.max_traces=0"], "is too small"),
        (&["input.max_payload_bytes=8388608"], "has no unit"),
        (&["input.max_payload_bytes=8 megabytes"], "has no unit that is known"),
        (&["input.session_timeout=0s"], "is too small"),
        (&["output.source_header=yes"], "is neither true nor false"),
        (&["output.partition=Key"], "use key or source"),
        (&["pipeline.transactional_id={pod}"], "placeholder"),
        (&["pipeline.workers=257"], "is too large"),
        (&["pipeline.commit_interval=99999999999h"], "is too large"),
        (&["ecs.local_domains=user@example.com"], "is no mail domain"),
        (&["log.level=inof"], "names a level that does not exist"),
        (&["kafka.properties=5"], "is no table"),
        (&["kafka.properties={\"a\"=[1]}"], "is no text"),
        (&["kafka.properties={"], "is no table"),
        (&["kafka=x"], "is a group of settings"),
        (&["kafka.sasl=x"], "is a group of settings"),
        (&["no equals sign"], "has no \"=\""),
        (&["dead_letters.dialect=spring-kafka"], "use connect, streams, spring or kip1191"),
    ]);
    for (text, says) in [
        ("kafka.client_id = 5", "is no text"),
        ("kafka.client_id = { a = 1 }", "is no text"),
        ("input.topics = [1]", "is no list of texts"),
        ("output.source_header = 1", "is neither true nor false"),
        ("pipeline.workers = 1.5", "is no whole number"),
        ("kafka.properties = 'x'", "is no table"),
        ("[kafak]", "the nearest is kafka"),
        ("[kafak]\na = 1\nb = 2\nc = 3", "the nearest is kafka"),
        ("kafka = 1", "is a group of settings"),
        ("[kafka.properties]\n'linger.ms' = []", "is no text"),
    ] {
        let problems = file(text).map(|_| ()).expect_err(text);
        assert_eq!(problems.len(), 1, "{text}: {problems:#?}");
        assert!(problems[0].contains(says), "{text}: {}", problems[0]);
    }
}

#[test]
fn settings_that_do_not_go_together_are_refused() {
    each_is_one_problem(&[
        (&["output.topic=messagetrace.raw"], "is also in input.topics"),
        (&["dead_letters.topic=messagetrace.ecs"], "is also in output.topic"),
        (&["input.topics=a,messagetrace.dlq"], "is also in input.topics"),
        (&["pipeline.transaction_timeout=1400ms"], "use 1500ms or more"),
        (&["pipeline.commit_interval=11s"], "use 33s or more"),
        (&["input.group_protocol=consumer", "input.session_timeout=20s"], "has no meaning under"),
        (
            &["input.group_protocol=consumer", "input.properties.heartbeat.interval.ms=1000"],
            "has no meaning under input.group_protocol",
        ),
        (&["input.max_payload_bytes=129MiB"], "is more than pipeline.memory_budget has room for"),
        (&["kafka.security=sasl_tls"], "kafka.sasl.mechanism"),
        (&["kafka.security=sasl_tls", "kafka.sasl.mechanism=PLAIN", "kafka.sasl.username=u"], "PLAIN needs it"),
        (
            &["kafka.security=sasl_tls", "kafka.sasl.mechanism=SCRAM-SHA-256", "kafka.sasl.password=p"],
            "kafka.sasl.username",
        ),
        (&["kafka.security=sasl_tls", "kafka.sasl.mechanism=OAUTHBEARER"], "kafka.sasl.token"),
        (&["kafka.tls.key_file=/dev/null"], "is set without kafka.tls.certificate_file"),
        (&["kafka.security=tls", "kafka.tls.ca_file=/does/not/exist"], "does not exist"),
        (&["kafka.security=tls", "kafka.tls.ca_file=/"], "is a directory"),
    ]);
    set(&["input.group_protocol=consumer"]).unwrap();
    set(&["pipeline.transaction_timeout=1500ms"]).unwrap();
    set(&["pipeline.delivery=at_least_once", "pipeline.commit_interval=11s"]).unwrap();
}

#[test]
fn client_credentials_are_whole_and_alone() {
    let (login, mechanism) = ("kafka.security=sasl_tls", "kafka.sasl.mechanism=OAUTHBEARER");
    let url = "kafka.sasl.oidc.token_url=https://i.example/token";
    let (id, secret, scope) =
        ("kafka.sasl.oidc.client_id=c", "kafka.sasl.oidc.client_secret=s", "kafka.sasl.oidc.scope=a b");
    let plain = ["kafka.sasl.mechanism=PLAIN", "kafka.sasl.username=u", "kafka.sasl.password=p"];
    each_is_one_problem(&[
        (&[login, mechanism, id, secret, scope], "kafka.sasl.oidc.token_url"),
        (&[login, mechanism, url, secret], "kafka.sasl.oidc.client_id"),
        (&[login, mechanism, url, id], "kafka.sasl.oidc.client_secret"),
        (&[login, mechanism, url, id, secret, "kafka.sasl.token=t"], "is set together with kafka.sasl.oidc"),
        (&[login, plain[0], plain[1], plain[2], url, id, secret], "is set for another login than OAUTHBEARER"),
        (&[login, "kafka.properties.sasl.mechanism=OAUTHBEARER", url, id, secret], "another login than OAUTHBEARER"),
        (&[login, url, id, secret], "kafka.sasl.mechanism"),
        (&[login, mechanism, "kafka.sasl.oidc.token_url=https://i.example:0/", id, secret], "has no port"),
        (
            &["kafka.security=sasl_plaintext", mechanism, url, id, secret, "kafka.tls.ca_file=/does/not/exist"],
            "does not exist",
        ),
    ]);
    let lone = set(&[login, mechanism, scope]).map(|_| ()).expect_err("a scope alone");
    assert_eq!(lone.len(), 3, "{lone:#?}");
    let whole = set(&[login, mechanism, url, id, secret, scope]).unwrap();
    assert!(whole.warnings.is_empty(), "{:?}", whole.warnings);
    set(&[login, mechanism, url, id, secret]).unwrap();
}

#[test]
fn one_mistake_is_one_line_even_where_others_build_on_it() {
    each_is_one_problem(&[
        (&["input.topics=a/b", "output.topic=messagetrace.raw"], "is no topic name"),
        (&["pipeline.commit_interval=1", "pipeline.transaction_timeout=1s"], "has no unit"),
        (&["kafka.security=sals", "kafka.sasl.mechanism=PLAIN"], "is none of the choices"),
        (&["kafka.security=sasl_tls", "kafka.sasl.mechanism=plain"], "is none of the choices"),
        (&["pipeline.memory_budget=1", "input.max_payload_bytes=64MiB"], "has no unit"),
    ]);
    let both = set(&["output.topic=a/b", "dead_letters.topic=c/d"]).map(|_| ()).expect_err("two names that are none");
    assert_eq!(both.len(), 2, "{both:#?}");
}

#[test]
fn raw_properties_that_would_break_a_promise_are_refused_with_the_reason() {
    for name in [
        "enable.auto.commit",
        "enable.auto.offset.store",
        "isolation.level",
        "acks",
        "request.required.acks",
        "enable.idempotence",
        "transactional.id",
        "group.id",
        "plugin.library.paths",
        "message.timeout.ms",
        "delivery.timeout.ms",
        "transaction.timeout.ms",
        "check.crcs",
        "auto.offset.reset",
        "enable.gapless.guarantee",
        "retries",
        "message.send.max.retries",
        "delivery.report.only.error",
    ] {
        for map in ["kafka", "input", "output"] {
            // librdkafka takes the second spelling for the settings of a topic.
            for name in [name.to_owned(), format!("topic.{name}")] {
                let problems = set(&[&format!("{map}.properties={{\"{name}\"=\"1\"}}")]).map(|_| ()).expect_err(&name);
                assert_eq!(problems.len(), 1, "{problems:#?}");
                assert!(
                    problems[0].starts_with(&format!("{map}.properties.\"{name}\" = \"1\" (--set): is refused: ")),
                    "{}",
                    problems[0]
                );
            }
        }
    }
    each_is_one_problem(&[
        (&["kafka.properties={\"no.such.thing\"=1}"], "is not taken by librdkafka"),
        (&["kafka.properties={\"linger.ms\"=\"soon\"}"], "is not taken by librdkafka"),
    ]);
}

#[test]
fn raw_properties_that_would_break_a_promise_by_their_value_are_refused_for_it() {
    let hash =
        |names: [&str; 2], taken| names.map(|name| (format!("output.properties.partitioner={name}"), taken)).to_vec();
    let mut cases = hash(["murmur2", "murmur2_random"], true);
    cases.extend(hash(["consistent_random", "random"], false));
    cases.push(("kafka.properties.topic.partitioner=fnv1a".to_owned(), false));
    for name in ["max.in.flight", "max.in.flight.requests.per.connection"] {
        let flights = [("5", true), ("1", true), ("6", false), ("x", false)];
        cases.extend(flights.map(|(value, taken)| (format!("output.properties.{name}={value}"), taken)));
    }
    for map in ["kafka", "input", "output"] {
        let intervals = [("1", true), ("5000", true), ("5001", false), ("0", false), ("x", false)];
        cases.extend(
            intervals.map(|(value, taken)| (format!("{map}.properties.statistics.interval.ms={value}"), taken)),
        );
    }
    for (property, taken) in cases {
        let problems = set(&[&property]).map(|_| ()).err().unwrap_or_default();
        assert_eq!(problems.len(), usize::from(!taken), "{property}: {problems:?}");
        assert!(problems.iter().all(|problem| problem.contains("is refused: ")), "{property}: {problems:?}");
    }
    // The watchdog has to see several while it waits: what the producer tells bounds how soon it may judge.
    let hasty = "pipeline.stuck_after=4s";
    each_is_one_problem(&[
        (&[hasty, "kafka.properties.statistics.interval.ms=1001"], "use 1 to 1000"),
        (&[hasty, "output.properties.statistics.interval.ms=1001"], "use 1 to 1000"),
    ]);
    set(&[hasty, "output.properties.statistics.interval.ms=1000"]).unwrap();
    set(&[hasty, "input.properties.statistics.interval.ms=5000"]).unwrap();
}

#[test]
fn what_librdkafka_says_stands_on_the_line_as_it_is() {
    for property in ["no.such.thing=1", "linger.ms=soon", "linger.ms=-1", "security.protocol=open"] {
        let problems = set(&[&format!("kafka.properties.{property}")]).map(|_| ()).expect_err(property);
        assert!(problems[0].contains("is not taken by librdkafka: "), "{}", problems[0]);
        assert!(!problems[0].contains(r"\n"), "{}", problems[0]);
    }
}

#[test]
fn what_weakens_security_is_a_warning() {
    for (sets, says) in [
        (&["kafka.sasl.password=p"][..], "logs in nowhere"),
        (
            &[
                "kafka.security=sasl_plaintext",
                "kafka.sasl.mechanism=PLAIN",
                "kafka.sasl.username=u",
                "kafka.sasl.password=p",
            ],
            "travels where others can read along",
        ),
        (
            &[
                "kafka.security=sasl_plaintext",
                "kafka.sasl.mechanism=OAUTHBEARER",
                "kafka.sasl.oidc.token_url=https://i.example/",
                "kafka.sasl.oidc.client_id=c",
                "kafka.sasl.oidc.client_secret=s",
            ],
            "a token travels where others can read along",
        ),
        (
            &[
                "kafka.security=sasl_tls",
                "kafka.sasl.mechanism=OAUTHBEARER",
                "kafka.sasl.oidc.token_url=http://i.example/",
                "kafka.sasl.oidc.client_id=c",
                "kafka.sasl.oidc.client_secret=s",
            ],
            "is without TLS: the client secret travels",
        ),
        (&["kafka.sasl.oidc.client_secret=s"], "logs in nowhere"),
        (&["kafka.properties.enable.ssl.certificate.verification=false"], "switches off a TLS check"),
        (&["kafka.properties.ssl.endpoint.identification.algorithm=none"], "switches off a TLS check"),
        (
            &["kafka.properties.sasl.password=p"],
            "kafka.properties (--set): holds sasl.password, but nothing is encrypted",
        ),
        (
            &["input.properties.sasl.password=p"],
            "input.properties (--set): holds sasl.password, but nothing is encrypted",
        ),
        (&["output.properties.sasl.password=p"], "output.properties (--set): holds sasl.password, but nothing is"),
        (&["ecs.local_domains=example.com"], "only normalize.profile"),
    ] {
        let warnings = set(sets).unwrap().warnings;
        assert_eq!(warnings.len(), 1, "{sets:?}: {warnings:?}");
        assert!(warnings[0].to_string().contains(says), "{}", warnings[0]);
    }
    assert!(set(&["kafka.properties.enable.ssl.certificate.verification=true"]).unwrap().warnings.is_empty());
}

#[test]
fn raw_properties_of_several_layers_are_merged_and_each_keeps_its_place() {
    let given = Given {
        files: &["[kafka.properties]\n'linger.ms' = 5\n'acks' = 1\n"],
        environment: &[("KAFKA__PROPERTIES", "{\"batch.size\"=\"x\"}")],
        sets: &["kafka.properties.group.id=g"],
    };
    let problems = given.problems();
    let places: Vec<&str> = problems.iter().map(|problem| problem.split("): ").next().unwrap()).collect();
    let expected = [
        "kafka.properties.\"acks\" = \"1\" (0.toml:3",
        "kafka.properties.\"batch.size\" = \"x\" (MESSAGETRACE_ECS_KAFKA__PROPERTIES",
        "kafka.properties.\"group.id\" = \"g\" (--set",
    ];
    assert_eq!(places, expected);
}
