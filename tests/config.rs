//! The configuration as a person writes it: what is taken, what is refused, and in which words.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use messagetrace_ecs::cli::{Flag, Layers};
use messagetrace_ecs::config::{
    self, ByteSize, Compression, Config, Delivery, Dialect, GroupProtocol, Loaded, LogFormat, Mechanism, Partition,
    Security, Start, Timestamp,
};
use messagetrace_ecs::normalize::Profile;
use tempfile::TempDir;

/// Layers from texts: files, variables (without their prefix) and `--set`.
#[derive(Default)]
struct Given<'a> {
    files: &'a [&'a str],
    environment: &'a [(&'a str, &'a str)],
    sets: &'a [&'a str],
}

impl Given<'_> {
    fn load(&self) -> Result<Loaded, Vec<String>> {
        let folder = TempDir::new().unwrap();
        let write = |(index, text): (usize, &&str)| {
            let path = folder.path().join(format!("{index}.toml"));
            fs::write(&path, text).unwrap();
            path
        };
        let layers = Layers {
            files: self.files.iter().enumerate().map(write).collect(),
            sets: self.sets.iter().map(|&set| set.to_owned()).collect(),
            flags: Vec::new(),
        };
        let variable = |(name, value): &(&str, &str)| (format!("MESSAGETRACE_ECS_{name}").into(), (*value).into());
        load(&layers, self.environment.iter().map(variable)).map_err(|lines| {
            let folder = format!("{}/", folder.path().display());
            lines.into_iter().map(|line| line.replace(&folder, "")).collect()
        })
    }

    fn problems(&self) -> Vec<String> {
        self.load().map(|_| ()).expect_err("a problem was expected")
    }
}

fn load(layers: &Layers, environment: impl IntoIterator<Item = (OsString, OsString)>) -> Result<Loaded, Vec<String>> {
    Config::load_from(layers, environment).map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

fn file(text: &str) -> Result<Loaded, Vec<String>> {
    Given { files: &[text], ..Given::default() }.load()
}

fn set(sets: &[&str]) -> Result<Loaded, Vec<String>> {
    Given { sets, ..Given::default() }.load()
}

/// Each case: what is set, and what its only problem must say.
fn each_is_one_problem(cases: &[(&[&str], &str)]) {
    for (sets, says) in cases {
        let problems = set(sets).map(|_| ()).expect_err(&format!("{sets:?} was taken"));
        assert_eq!(problems.len(), 1, "{sets:?}: {problems:#?}");
        assert!(problems[0].contains(says), "{sets:?}: {}", problems[0]);
    }
}

#[test]
fn nothing_set_gives_the_defaults_of_the_specification() {
    let config = set(&[]).unwrap().config;
    assert_eq!(config.kafka.bootstrap_servers, ["localhost:9092"]);
    assert_eq!((config.kafka.client_id.as_str(), config.kafka.security), ("messagetrace-ecs", Security::Plaintext));
    assert!(config.kafka.tls.ca_file.is_none() && config.kafka.sasl.mechanism.is_none());
    assert!(config.kafka.properties.is_empty() && config.input.properties.is_empty());
    assert_eq!(config.input.topics, ["messagetrace.raw"]);
    assert_eq!(
        (config.input.group.as_str(), config.input.group_protocol),
        ("messagetrace-ecs", GroupProtocol::Classic)
    );
    assert_eq!((config.input.start, config.input.session_timeout), (Start::Earliest, Duration::from_secs(20)));
    assert_eq!((config.input.max_traces, config.input.max_payload_bytes), (20_000, ByteSize::mib(8)));
    assert_eq!((config.output.topic.as_str(), config.output.partition), ("messagetrace.ecs", Partition::Key));
    assert_eq!((config.output.timestamp, config.output.source_header), (Timestamp::Source, true));
    assert_eq!((config.output.compression, config.dead_letters.topic.as_str()), (Compression::Lz4, "messagetrace.dlq"));
    assert_eq!((config.dead_letters.dialect, config.dead_letters.breaker_ratio), (None, None));
    assert_eq!((config.dead_letters.breaker_window, config.normalize.profile), (1_000, Profile::Sekoia));
    assert_eq!((config.ecs.local_domains.len(), config.ecs.include_original), (0, true));
    assert_eq!((config.pipeline.delivery, config.pipeline.workers), (Delivery::ExactlyOnce, None));
    assert_eq!(config.pipeline.memory_budget, ByteSize::mib(128));
    assert_eq!(config.pipeline.commit_interval, Duration::from_millis(500));
    assert_eq!(config.pipeline.transactional_id, "{group}-{hostname}-{port}");
    assert_eq!(config.pipeline.transaction_timeout, Duration::from_secs(30));
    assert_eq!(config.pipeline.shutdown_timeout, Duration::from_secs(25));
    assert_eq!(config.http.listen, "0.0.0.0:8080".parse().unwrap());
    assert_eq!((config.log.format, config.log.level.as_str()), (LogFormat::Auto, "info"));
    assert_eq!(format!("{config:?}"), format!("{:?}", Config::default()));
}

#[test]
fn a_file_may_set_everything() {
    let folder = TempDir::new().unwrap();
    let pem = folder.path().join("a.pem");
    fs::write(&pem, "-----BEGIN CERTIFICATE-----").unwrap();
    let loaded = file(&format!(
        r#"
        [kafka]
        bootstrap_servers = ["a:9092", "b:9093"]
        client_id = "c"
        security = "sasl_tls"
        tls = {{ ca_file = "{0}", certificate_file = "{0}", key_file = "{0}", key_password = "k" }}
        sasl = {{ mechanism = "SCRAM-SHA-512", username = "u", password = "p" }}
        properties = {{ "socket.keepalive.enable" = true, "linger.ms" = 7 }}
        [input]
        topics = ["x", "y"]
        group = "g"
        group_instance_id = "pod-0"
        start = 2026-01-31T01:00:00+01:00
        session_timeout = "45s"
        max_traces = 1_000
        max_payload_bytes = "1MiB"
        properties = {{ "fetch.min.bytes" = "2" }}
        [output]
        topic = "z"
        partition = "source"
        timestamp = "now"
        source_header = false
        compression = "none"
        properties.batch.size = 5000
        [dead_letters]
        topic = "d"
        dialect = "kip1191"
        breaker_ratio = 0.5
        breaker_window = 50
        [normalize]
        profile = "ecs"
        organization = "o"
        [ecs]
        local_domains = ["example.com", "*.example.com"]
        include_original = false
        [pipeline]
        delivery = "at_least_once"
        workers = 3
        memory_budget = "64MiB"
        commit_interval = "1s"
        transactional_id = "fixed"
        transaction_timeout = "1m"
        shutdown_timeout = "10s"
        [http]
        listen = "[::1]:0"
        [log]
        format = "json"
        level = "warn,librdkafka=debug"
        "#,
        pem.display()
    ));
    let config = loaded.unwrap().config;
    assert_eq!(config.kafka.bootstrap_servers, ["a:9092", "b:9093"]);
    assert_eq!((config.kafka.security, config.kafka.sasl.mechanism), (Security::SaslTls, Some(Mechanism::ScramSha512)));
    assert_eq!(config.kafka.tls.key_file, Some(pem));
    assert_eq!(config.kafka.tls.key_password.as_ref().map(|secret| secret.reveal()), Some("k"));
    assert_eq!(config.kafka.sasl.password.as_ref().map(|secret| secret.reveal()), Some("p"));
    assert_eq!(config.kafka.properties.get("socket.keepalive.enable").map(String::as_str), Some("true"));
    assert_eq!(config.kafka.properties.get("linger.ms").map(String::as_str), Some("7"));
    assert_eq!((config.input.topics.len(), config.input.group_instance_id.as_deref()), (2, Some("pod-0")));
    assert_eq!(config.input.start, Start::At("2026-01-31T00:00:00Z".parse().unwrap()));
    assert_eq!((config.input.max_traces, config.input.max_payload_bytes), (1_000, ByteSize::mib(1)));
    assert_eq!((config.output.timestamp, config.output.source_header), (Timestamp::Now, false));
    assert_eq!((config.output.compression, config.output.partition), (Compression::None, Partition::Source));
    assert_eq!(config.output.properties.get("batch.size").map(String::as_str), Some("5000"));
    assert_eq!((config.dead_letters.dialect, config.dead_letters.breaker_ratio), (Some(Dialect::Kip1191), Some(0.5)));
    assert_eq!((config.normalize.profile, config.normalize.organization.as_deref()), (Profile::Ecs, Some("o")));
    assert_eq!((config.ecs.local_domains.len(), config.ecs.include_original), (2, false));
    assert_eq!((config.pipeline.delivery, config.pipeline.workers), (Delivery::AtLeastOnce, Some(3)));
    assert_eq!(config.pipeline.transaction_timeout, Duration::from_secs(60));
    assert_eq!((config.http.listen.port(), config.log.format), (0, LogFormat::Json));
}

#[test]
fn later_layers_win_and_every_value_says_where_it_was_set() {
    let mut layers =
        Layers { sets: vec!["input.group=set".to_owned(), "normalize.profile=sekoia".to_owned()], ..Layers::default() };
    let folder = TempDir::new().unwrap();
    for (name, text) in [
        ("a.toml", "kafka.client_id = 'a'\ninput.group = 'a'\noutput.topic = 'a'\n"),
        ("b.toml", "\n[input]\ngroup = 'b'\n[output]\ntopic = 'b'\n[log]\nlevel = 'warn'"),
    ] {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        layers.files.push(path);
    }
    layers.flags.push(Flag { name: "--profile", key: "normalize.profile", value: "ecs".to_owned() });
    let environment = [("INPUT__GROUP", "variable"), ("LOG__LEVEL", "debug")];
    let environment = environment.map(|(name, value)| (format!("MESSAGETRACE_ECS_{name}").into(), value.into()));
    let loaded = load(&layers, environment).unwrap();
    let effective = loaded.effective();
    for (key, value, origin) in [
        ("kafka.client_id", "\"a\"", "a.toml:1"),
        ("output.topic", "\"b\"", "b.toml:5"),
        ("log.level", "\"debug\"", "MESSAGETRACE_ECS_LOG__LEVEL"),
        ("input.group", "\"set\"", "--set"),
        ("normalize.profile", "\"ecs\"", "--profile"),
        ("pipeline.workers", "\"auto\"", "default"),
    ] {
        let found = effective.iter().find(|setting| setting.key == key).unwrap();
        assert_eq!(found.value.as_deref(), Some(value), "{key}");
        assert!(found.origin.ends_with(origin), "{key}: {}", found.origin);
    }
}

#[test]
fn lists_and_maps_can_be_written_on_one_line() {
    let loaded = Given {
        environment: &[
            ("KAFKA__BOOTSTRAP_SERVERS", "a:9092, b:9092"),
            ("KAFKA__PROPERTIES", r#"{"linger.ms"="5", "batch.size"=1000}"#),
            ("INPUT__TOPICS", r#"["x", "y"]"#),
        ],
        sets: &["output.properties={\"linger.ms\"=6}", "kafka.properties.linger.ms=7"],
        ..Given::default()
    }
    .load()
    .unwrap();
    let config = loaded.config;
    assert_eq!(config.kafka.bootstrap_servers, ["a:9092", "b:9092"]);
    assert_eq!(config.input.topics, ["x", "y"]);
    assert_eq!(config.kafka.properties.get("linger.ms").map(String::as_str), Some("7"));
    assert_eq!(config.kafka.properties.get("batch.size").map(String::as_str), Some("1000"));
    assert_eq!(config.output.properties.get("linger.ms").map(String::as_str), Some("6"));
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
        (&["input.max_payload_bytes=129MiB"], "is more than pipeline.memory_budget has room for"),
        (&["kafka.security=sasl_tls"], "kafka.sasl.mechanism"),
        (&["kafka.security=sasl_tls", "kafka.sasl.mechanism=PLAIN", "kafka.sasl.username=u"], "PLAIN needs it"),
        (
            &["kafka.security=sasl_tls", "kafka.sasl.mechanism=SCRAM-SHA-256", "kafka.sasl.password=p"],
            "kafka.sasl.username",
        ),
        (&["kafka.security=sasl_tls", "kafka.sasl.mechanism=OAUTHBEARER"], "kafka.sasl.token"),
        (
            &[
                "kafka.security=sasl_tls",
                "kafka.sasl.mechanism=OAUTHBEARER",
                "kafka.sasl.oidc.token_url=https://i.example/",
                "kafka.sasl.oidc.client_id=c",
            ],
            "kafka.sasl.oidc.client_secret",
        ),
        (&["kafka.tls.key_file=/dev/null"], "is set without kafka.tls.certificate_file"),
        (&["kafka.security=tls", "kafka.tls.ca_file=/does/not/exist"], "does not exist"),
        (&["kafka.security=tls", "kafka.tls.ca_file=/"], "is a directory"),
    ]);
    set(&["input.group_protocol=consumer"]).unwrap();
    set(&["pipeline.transaction_timeout=1500ms"]).unwrap();
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
    ] {
        for map in ["kafka", "input", "output"] {
            let problems = set(&[&format!("{map}.properties={{\"{name}\"=\"1\"}}")]).map(|_| ()).expect_err(name);
            assert_eq!(problems.len(), 1, "{problems:#?}");
            assert!(
                problems[0].starts_with(&format!("{map}.properties.\"{name}\" = \"1\" (--set): is refused: ")),
                "{}",
                problems[0]
            );
        }
    }
    for (value, taken) in [("5", true), ("1", true), ("6", false), ("x", false)] {
        for name in ["max.in.flight", "max.in.flight.requests.per.connection"] {
            assert_eq!(set(&[&format!("output.properties.{name}={value}")]).is_ok(), taken, "{name}={value}");
        }
    }
    each_is_one_problem(&[
        (&["kafka.properties={\"no.such.thing\"=1}"], "is not taken by librdkafka"),
        (&["kafka.properties={\"linger.ms\"=\"soon\"}"], "is not taken by librdkafka"),
    ]);
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
        (&["kafka.properties.enable.ssl.certificate.verification=false"], "switches off a TLS check"),
        (&["kafka.properties.ssl.endpoint.identification.algorithm=none"], "switches off a TLS check"),
        (&["kafka.properties.sasl.password=p"], "nothing is encrypted"),
        (&["ecs.local_domains=example.com"], "only normalize.profile"),
    ] {
        let warnings = set(sets).unwrap().warnings;
        assert_eq!(warnings.len(), 1, "{sets:?}: {warnings:?}");
        assert!(warnings[0].to_string().contains(says), "{}", warnings[0]);
    }
    assert!(set(&["kafka.properties.enable.ssl.certificate.verification=true"]).unwrap().warnings.is_empty());
}

#[test]
fn an_empty_text_takes_back_what_a_layer_below_has_set() {
    let loaded = Given {
        files: &["normalize.organization = 'o'\nkafka.tls.ca_file = '/x'\necs.local_domains = ['a.example']"],
        environment: &[
            ("NORMALIZE__ORGANIZATION", ""),
            ("KAFKA__TLS__CA_FILE", ""),
            ("ECS__LOCAL_DOMAINS", ""),
            ("KAFKA__SASL__PASSWORD_FILE", ""),
        ],
        sets: &[],
    }
    .load()
    .unwrap();
    assert_eq!(loaded.config.normalize.organization, None);
    assert_eq!(loaded.config.kafka.tls.ca_file, None);
    assert!(loaded.config.ecs.local_domains.is_empty());
}

#[test]
fn variables_that_kubernetes_makes_for_a_service_of_our_name_are_left_alone() {
    let environment = [
        ("SERVICE_HOST", "10.0.0.1"),
        ("SERVICE_PORT", "8080"),
        ("SERVICE_PORT_HTTP", "8080"),
        ("PORT", "tcp://10.0.0.1:8080"),
        ("PORT_8080_TCP", "tcp://10.0.0.1:8080"),
        ("PORT_8080_TCP_PROTO", "tcp"),
        ("PORT_8080_TCP_PORT", "8080"),
        ("PORT_8080_TCP_ADDR", "10.0.0.1"),
        ("METRICS_SERVICE_HOST", "10.0.0.2"),
        ("METRICS_PORT_9090_TCP_ADDR", "10.0.0.2"),
        ("METRICS_PORT", "tcp://10.0.0.2:9090"),
    ];
    Given { environment: &environment, ..Given::default() }.load().unwrap();
    for (name, value) in [("PORT", "8080"), ("KAFKA__PORT", "tcp://x"), ("INPUT_TOPICS", "x"), ("input__group", "x")] {
        let problems = Given { environment: &[(name, value)], ..Given::default() }.problems();
        assert_eq!(problems.len(), 1, "{name}: {problems:?}");
    }
}

#[test]
fn the_output_of_config_can_be_used_as_a_configuration_again() {
    let first = set(&[
        "kafka.properties={\"linger.ms\"=\"5\"}",
        "input.start=2026-01-31T00:00:00Z",
        "ecs.local_domains=a.example,b.example",
        "dead_letters.breaker_ratio=0.25",
    ])
    .unwrap();
    let lines =
        first.effective().into_iter().filter_map(|setting| Some(format!("{} = {}", setting.key, setting.value?)));
    let again = file(&lines.collect::<Vec<_>>().join("\n")).unwrap();
    assert_eq!(format!("{:?}", first.config), format!("{:?}", again.config));
}

#[test]
fn the_page_about_the_configuration_is_in_step_with_the_table_of_settings() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
    if std::env::var_os("REGENERATE").is_some() {
        fs::write(&path, config::markdown()).unwrap();
    }
    let page = fs::read_to_string(&path).unwrap_or_default();
    assert!(page == config::markdown(), "docs/configuration.md is behind: REGENERATE=1 cargo test --test config");
    assert!(Path::new(&path).exists());
}
