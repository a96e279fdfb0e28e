//! What can be set where, which layer wins, and that the documentation knows.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use messagetrace_ecs::config;
use messagetrace_ecs::config::{
    ByteSize, Compression, Config, Delivery, Dialect, Flag, GroupProtocol, Layers, LogFormat, Mechanism, Partition,
    Secret, Security, Start, Timestamp,
};
use messagetrace_ecs::normalize::Profile;
use tempfile::TempDir;

use super::given::{Given, file, load, set};

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
    assert_eq!(config.pipeline.stuck_after, Duration::from_secs(60));
    assert_eq!(config.http.listen, "[::]:8080".parse().unwrap());
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
        security = "sasl_plaintext"
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
    assert_eq!(
        (config.kafka.security, config.kafka.sasl.mechanism),
        (Security::SaslPlaintext, Some(Mechanism::ScramSha512))
    );
    assert_eq!(config.kafka.tls.key_file, Some(pem));
    assert_eq!(config.kafka.tls.key_password.as_ref().map(Secret::reveal), Some("k"));
    assert_eq!(config.kafka.sasl.password.as_ref().map(Secret::reveal), Some("p"));
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
fn without_the_flag_the_files_of_the_variable_are_read_and_beside_it_they_are_not() {
    let folder = TempDir::new().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let (first, second) =
        (write("a.toml", "input.group = 'a'\noutput.topic = 'a'"), write("b.toml", "input.group = 'b'"));
    let named = format!("{}, {},", first.display(), second.display());
    let variables = || [("MESSAGETRACE_ECS_CONFIG".into(), named.clone().into())];
    let config = load(&Layers::default(), variables()).unwrap().config;
    assert_eq!((config.input.group.as_str(), config.output.topic.as_str()), ("b", "a"));
    let flag = Layers { files: vec![write("c.toml", "dead_letters.topic = 'c'")], ..Layers::default() };
    let config = load(&flag, variables()).unwrap().config;
    assert_eq!((config.input.group.as_str(), config.dead_letters.topic.as_str()), ("messagetrace-ecs", "c"));
    for nothing in ["", " , "] {
        let config = load(&Layers::default(), [("MESSAGETRACE_ECS_CONFIG".into(), nothing.into())]).unwrap().config;
        assert_eq!(config.input.group, "messagetrace-ecs");
    }
    let missing = load(&Layers::default(), [("MESSAGETRACE_ECS_CONFIG".into(), "/does/not/exist".into())]);
    let expected =
        "/does/not/exist (MESSAGETRACE_ECS_CONFIG): does not exist; name a file with settings in TOML".to_owned();
    assert_eq!(missing.map(|_| ()).unwrap_err(), [expected]);
}

/// What `http.listen` is read as when nothing else is looked at, or the problems.
fn listen(sets: &[&str], files: &str) -> Result<String, usize> {
    let layers = Layers { sets: sets.iter().map(|&set| set.to_owned()).collect(), ..Layers::default() };
    let environment = [("MESSAGETRACE_ECS_CONFIG".into(), files.into())];
    let read = Config::listen_from(&layers, environment);
    read.map(|address| address.to_string()).map_err(|problems| problems.iter().count())
}

#[test]
fn where_the_service_listens_is_read_whatever_is_wrong_with_the_other_settings() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let half = path(
        "half.toml",
        "http.listen = '[::]:9090'\nkafka.security = 'sasl_tls'\nkafka.sasl.password_file = '/x'\nodd = 1",
    );
    assert_eq!(listen(&[], &half), Ok("[::]:9090".to_owned()));
    assert_eq!(listen(&["kafka.tls.ca_file=/does/not/exist"], ""), Ok("[::]:8080".to_owned()));
    // What a file may have said is not known, unless it would not have mattered.
    let broken = path("broken.toml", "http.listen = ");
    for unread in [broken.as_str(), "/does/not/exist"] {
        assert_eq!(listen(&[], unread), Err(1), "{unread}");
        assert_eq!(listen(&["http.listen=127.0.0.1:1"], unread), Ok("127.0.0.1:1".to_owned()), "{unread}");
    }
    assert_eq!(listen(&["http.listen=here"], &half), Err(1));
}

#[test]
fn the_last_colon_of_an_address_without_brackets_divides() {
    for (text, read) in [
        ("fd00::1:8080", "[fd00::1]:8080"),
        ("::1:8080", "[::1]:8080"),
        (":::8080", "[::]:8080"),
        ("2001:db8:0:0:0:0:0:7:80", "[2001:db8::7]:80"),
        ("::ffff:10.0.0.1:80", "[::ffff:10.0.0.1]:80"),
        ("[fe80::1%3]:80", "[fe80::1%3]:80"),
        ("0.0.0.0:8080", "0.0.0.0:8080"),
    ] {
        assert_eq!(listen(&[&format!("http.listen={text}")], ""), Ok(read.to_owned()), "{text}");
    }
    for text in ["fd00::1", "fd00::1:", "fd00::1:65536", "::", "8080", ":8080", "1:2:3:4:5:6:7:8", "10.0.0.1"] {
        let read = listen(&[&format!("http.listen={text}")], "");
        // A whole address without a port is one with a port as soon as its last group is taken for it.
        assert!(read.is_err(), "{text}: {read:?}");
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
}
