//! The program as a person or a script calls it: exit codes, what goes where, and help.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

const COMMANDS: [&str; 9] =
    ["run", "demo", "normalize", "check", "audit", "config", "healthcheck", "completions", "man"];

/// The program with nothing from our own environment that it would look at.
fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_messagetrace-ecs"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("MESSAGETRACE_ECS_")) {
        command.env_remove(name);
    }
    command.args(arguments).stdin(Stdio::null());
    command
}

fn call(arguments: &[&str]) -> (i32, String, String) {
    read(program(arguments).output().unwrap())
}

fn read(output: Output) -> (i32, String, String) {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// What a line of a log in JSON says.
fn message(line: &str) -> String {
    let line: serde_json::Value = serde_json::from_str(line).expect(line);
    line["message"].as_str().unwrap().to_owned()
}

#[test]
fn every_help_text_ends_with_an_example() {
    let mut calls: Vec<Vec<&str>> = COMMANDS.iter().map(|&command| vec![command, "--help"]).collect();
    calls.push(vec!["--help"]);
    calls.extend(COMMANDS.iter().map(|&command| vec![command, "-h"]));
    for arguments in calls {
        let (exit, out, err) = call(&arguments);
        let last = out.trim_end().lines().last().unwrap_or_default();
        assert!(exit == 0 && err.is_empty() && last.starts_with("  messagetrace-ecs "), "{arguments:?}: {out}{err}");
        assert!(out.contains("\nExample:\n"), "{arguments:?}: {out}");
    }
}

#[test]
fn help_names_every_command() {
    let (_, out, _) = call(&["--help"]);
    for command in COMMANDS {
        assert!(out.lines().any(|line| line.trim_start().starts_with(command)), "{command}");
    }
}

#[test]
fn the_version_names_librdkafka_too() {
    let (exit, out, _) = call(&["--version"]);
    let librdkafka = rdkafka::util::get_rdkafka_version().1;
    assert_eq!((exit, out), (0, format!("messagetrace-ecs {} (librdkafka {librdkafka})\n", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn wrong_usage_is_exit_2_with_nothing_on_standard_output() {
    for arguments in [
        &[][..],
        &["rum"],
        &["run", "--fast"],
        &["normalize", "--profile", "ocsf"],
        &["completions", "tcsh"],
        &["--config"],
    ] {
        let (exit, out, err) = call(arguments);
        assert_eq!((exit, out.as_str(), err.is_empty()), (2, "", false), "{arguments:?}");
    }
}

#[test]
fn a_value_that_is_none_is_told_with_what_to_write_instead() {
    for (arguments, remedy) in [
        (&["demo", "--records", "many"][..], "write a whole number from 0 to "),
        (&["demo", "feed", "--rate", "0"], "write a whole number from 1 to "),
        (&["topics", "--create", "--replication-factor", "40000"], "write a whole number from 1 to 32767"),
        (&["audit", "--partition=-1"], "write a whole number from 0 to "),
        (&["dlq", "list", "--limit", "0"], "write a whole number from 1 to "),
        (&["dlq", "replay", "--max-attempts", "1.5"], "write a whole number from 1 to "),
        (&["dlq", "replay", "--rate", "fast"], "write letters a second, like 100/s"),
        (&["dlq", "show", "5"], "write partition and offset in the dead-letter topic, like 3:1234"),
        (&["audit", "--from", "yesterday"], "write a time like 2026-03-01T12:00:00Z, or how long ago"),
        (&["dlq", "list", "--repair", "cast Size"], "unexpected argument '--repair' found"),
    ] {
        let (exit, out, err) = call(arguments);
        assert_eq!((exit, out.as_str(), err.contains(remedy)), (2, "", true), "{arguments:?}: {err}");
    }
    let (exit, _, err) = call(&["normalize", "nowhere.json"]);
    assert_eq!(exit, 1);
    assert!(
        err.starts_with("nowhere.json: cannot be read: ") && err.ends_with("; check its path and who may read it\n"),
        "{err}"
    );
}

#[test]
fn ten_mistakes_in_a_configuration_are_ten_lines_in_one_go_and_exit_2() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("messagetrace-ecs.toml");
    let text = r#"
        [kafka]
        bootstrap_server = ["a:9092"]
        security = "ssl"
        [input]
        topics = []
        start = "yesterday"
        session_timeout = "20"
        [output]
        compression = "lzma"
        [pipeline]
        workers = 0
        memory_budget = "128M"
        [http]
        listen = "localhost:8080"
        [log]
        level = "inof"
        "#;
    fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap();
    for command in [&["check"][..], &["config"], &["run"], &["demo"], &["normalize"]] {
        let (exit, out, err) = call(&[command, &["--config", path]].concat());
        assert_eq!((exit, out.as_str(), err.lines().count()), (2, "", 10), "{command:?}: {err}");
        let told: Vec<String> = match command {
            // The service tells everything in its log's form.
            ["run"] => err.lines().map(message).collect(),
            _ => err.lines().map(str::to_owned).collect(),
        };
        for (line, key) in [
            (3, "kafka.bootstrap_server "),
            (4, "kafka.security = \"ssl\""),
            (6, "input.topics = []"),
            (7, "input.start = \"yesterday\""),
            (8, "input.session_timeout = \"20\""),
            (10, "output.compression = \"lzma\""),
            (12, "pipeline.workers = 0"),
            (13, "pipeline.memory_budget = \"128M\""),
            (15, "http.listen = \"localhost:8080\""),
            (17, "log.level = \"inof\""),
        ] {
            let place = format!("({path}:{line}): ");
            assert!(
                told.iter().any(|told| told.starts_with(key) && told.contains(&place)),
                "{key} in line {line}: {err}"
            );
        }
    }
}

#[test]
fn check_says_so_when_all_is_well_and_warns_on_standard_error() {
    assert_eq!(call(&["check"]), (0, "the configuration is valid\n".to_owned(), String::new()));
    let (exit, out, err) = call(&["check", "--set", "kafka.sasl.password=canary-hunter2"]);
    assert_eq!((exit, out.as_str()), (0, "the configuration is valid, with 1 warning\n"));
    assert!(err.starts_with("warning: kafka.sasl.password (--set): ") && !err.contains("canary"), "{err}");
}

#[test]
fn config_prints_a_configuration_that_can_be_used_again() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("a.toml");
    let secret = folder.path().join("secret");
    fs::write(&secret, "canary-hunter2\n").unwrap();
    let sets = [
        "kafka.security=sasl_tls".to_owned(),
        "kafka.sasl.mechanism=PLAIN".to_owned(),
        "kafka.sasl.username=u".to_owned(),
        format!("kafka.sasl.password_file={}", secret.display()),
        "kafka.properties={\"linger.ms\"=\"5\"}".to_owned(),
        "pipeline.workers=3".to_owned(),
    ];
    let arguments: Vec<&str> = sets.iter().flat_map(|set| ["--set", set.as_str()]).collect();
    let (exit, first, err) = call(&[&["config"][..], &arguments].concat());
    assert!(exit == 0 && err.is_empty() && !first.contains("canary"), "{first}{err}");
    fs::write(&path, &first).unwrap();
    let (exit, second, err) = call(&["config", "--config", path.to_str().unwrap()]);
    assert_eq!((exit, err.as_str()), (0, ""));
    let values = |text: &str| -> Vec<String> {
        text.lines()
            .filter(|line| !line.starts_with('#'))
            .map(|line| line.split(" # ").next().unwrap().trim().to_owned())
            .collect()
    };
    assert_eq!(values(&first), values(&second));
    assert!(
        first.lines().any(|line| line.starts_with("pipeline.workers = 3 ") && line.ends_with("# --set")),
        "{first}"
    );
}

#[test]
fn config_shows_no_secret_not_even_one_in_a_raw_property() {
    let (exit, out, err) = call(&[
        "config",
        "--set",
        "kafka.properties.sasl.password=canary-hunter2",
        "--set",
        "kafka.sasl.password=canary-hunter2",
    ]);
    assert!(exit == 0 && !out.contains("canary") && !err.contains("canary"), "{out}{err}");
    assert_eq!(out.matches("[redacted]").count(), 2, "{out}");
    let output = program(&["config"]).env("MESSAGETRACE_ECS_KAFKA__SASL__PASSWORD", "canary-hunter2").output().unwrap();
    let (_, out, _) = read(output);
    assert!(out.contains("MESSAGETRACE_ECS_KAFKA__SASL__PASSWORD") && !out.contains("canary"), "{out}");
}

#[test]
fn short_flags_stand_above_all_other_layers() {
    // The command itself is of no interest, only whether its flags are read as settings.
    let (exit, _, err) = call(&[
        "normalize",
        "--local-domain",
        "not a domain",
        "--profile",
        "ecs",
        "--set",
        "ecs.local_domains=a.example",
    ]);
    assert_eq!(exit, 2);
    assert!(err.starts_with("ecs.local_domains = \"not a domain\" (--local-domain): "), "{err}");
}

#[test]
fn every_command_that_maps_takes_the_short_flags() {
    let maps = ["run", "demo", "normalize", "audit", "dlq show 0:1", "dlq diff", "dlq replay", "dlq serve"];
    for command in maps {
        let command: Vec<&str> = command.split(' ').collect();
        let (exit, _, err) = call(&[&command[..], &["--profile", "ecs", "--local-domain", "not a domain"]].concat());
        assert!(exit == 2 && err.contains("(--local-domain): entry 1 is no mail domain"), "{command:?}: {err}");
    }
}

#[test]
fn completions_and_the_manual_need_no_configuration() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let (exit, out, err) = call(&["completions", shell, "--set", "nonsense"]);
        assert!(exit == 0 && err.is_empty() && out.contains("healthcheck"), "{shell}: {err}");
    }
    let (exit, out, err) = call(&["man"]);
    assert!(exit == 0 && err.is_empty() && out.starts_with(".ie") && out.contains("healthcheck"), "{err}");
}

#[test]
fn a_closed_pipe_ends_a_command_quietly() {
    for arguments in [&["config"][..], &["man"], &["completions", "zsh"], &["check"], &["--help"], &["--version"]] {
        let mut child = program(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let mut err = String::new();
        child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        assert_eq!((child.wait().unwrap().code(), err.as_str()), (Some(0), ""), "{arguments:?}");
    }
}

#[test]
fn a_full_disk_is_a_failure_told_in_one_line() {
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let (exit, _, err) = read(program(&["config"]).stdout(full).output().unwrap());
    assert_eq!((exit, err.lines().count()), (1, 1), "{err}");
    assert!(err.starts_with("error: "), "{err}");
}

#[test]
fn why_the_service_does_not_start_is_a_line_of_its_log_and_no_command_prints_one_of_those() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let unreachable = format!("kafka.bootstrap_servers={nobody}");
    let wrong = ["run", "--set", "pipeline.delivery=sometimes", "--set", "input.sesion_timeout=20s"];
    let refused = ["run", "--set", &unreachable, "--set", "http.listen=127.0.0.1:0", "--set", "log.level=off"];
    for (arguments, expected, problems) in [(&wrong[..], 2, 2), (&refused, 1, 1)] {
        let (exit, _, err) = call(arguments);
        assert_eq!((exit, err.lines().count()), (expected, problems), "{err}");
        for line in err.lines() {
            let line: serde_json::Value = serde_json::from_str(line).expect(line);
            assert_eq!((&line["log.level"], &line["service.name"]), (&"error".into(), &"messagetrace-ecs".into()));
        }
    }
    for command in [&["check", "--connect"][..], &["topics"], &["audit"], &["dlq", "stats"]] {
        let (exit, out, err) = call(&[command, &["--set", &unreachable, "--set", "log.format=json"]].concat());
        assert_eq!(exit, 1, "{command:?}: {err}");
        assert!(out.contains("no broker of") || err.contains("no broker of"), "{command:?}: {out}{err}");
        assert!(!err.contains('{'), "{command:?}: {err}");
    }
}

#[test]
fn a_call_of_the_service_that_is_none_is_a_line_of_its_log() {
    let folder = TempDir::new().unwrap();
    let text = folder.path().join("text.toml");
    fs::write(&text, "log.format = 'text'").unwrap();
    let text = text.to_str().unwrap();
    for arguments in [
        &["run", "--bogus"][..],
        &["run", "--profile", "ocsf"],
        &["run", "--until-end=maybe"],
        &["--set", "log.format=json", "run", "stray"],
        &["run", "--config"],
    ] {
        let (exit, out, err) = call(arguments);
        assert_eq!((exit, out.as_str(), err.lines().count()), (2, "", 1), "{arguments:?}: {err}");
        let line: serde_json::Value = serde_json::from_str(&err).expect(&err);
        assert_eq!((&line["log.level"], &line["service.name"]), (&"error".into(), &"messagetrace-ecs".into()));
        let message = line["message"].as_str().unwrap();
        assert!(message.ends_with("(see messagetrace-ecs run --help)"), "{message}");
    }
    let (_, _, err) = call(&["run", "--bogus"]);
    assert!(message(&err).starts_with("unexpected argument '--bogus' found"), "{err}");
    // In the form that the service would have had.
    let (exit, _, err) = call(&["run", "--config", text, "--bogus"]);
    assert!(exit == 2 && err.lines().count() == 1 && err.contains(" ERROR unexpected argument"), "{err}");
    // Commands for people, and help, are as they were.
    for (arguments, exit) in [(&["check", "--bogus"][..], 2), (&["rum"], 2), (&["run", "--help"], 0)] {
        let (code, out, err) = call(arguments);
        assert_eq!(code, exit, "{arguments:?}");
        assert!(!err.contains('{') && !out.contains('{') && (out + &err).contains("Usage: "), "{arguments:?}: {err}");
    }
}

#[test]
fn what_the_service_cannot_have_is_told_with_the_setting_that_asks_for_it() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let _listener = TcpListener::bind(taken).unwrap();
    let (exit, _, err) = call(&["run", "--set", &format!("http.listen={taken}")]);
    let told = message(&err);
    assert!(exit == 1 && told.contains(&format!("listen on http.listen = {taken}")), "{told}");
    assert!(told.contains("(set http.listen to another address or port)"), "{told}");
}

/// Whoever reads standard error may be gone, or its disk full.
#[test]
fn what_cannot_be_told_is_no_reason_to_fail_otherwise() {
    let long = format!("set /a=\"{}\"", "x".repeat(100_000));
    for arguments in [
        &["dlq", "show", "elsewhere/0:1"][..],
        &["dlq", "diff", "--fingerprint", "9f86d081884c7d65", "--repair", &long],
        &["dlq", "replay", "--fingerprint", "9f86d081884c7d65", "--repair", &long],
        &["dlq", "replay", "--from", "1h", "--execute"],
        &["dlq", "export", "--follow", "--group", "messagetrace-ecs"],
        &["check", "--set", "kafka.sasl.password=p"],
    ] {
        let (expected, _, err) = call(arguments);
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let code = program(arguments).stderr(full).output().unwrap().status.code();
        assert!(!err.is_empty() && code == Some(expected), "{arguments:?}: {code:?}, not {expected}: {err}");
    }
}

#[test]
fn a_connection_that_is_closed_at_our_first_words_is_named_as_such() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let setting = format!("kafka.bootstrap_servers={}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            // Read, so that it is closed and not reset.
            let _ = stream.read(&mut [0; 1024]);
        }
    });
    let (exit, out, err) = call(&["check", "--connect", "--set", &setting]);
    assert_eq!(exit, 1, "{out}{err}");
    assert!(out.contains("close the connection") && out.contains("kafka.security is \"plaintext\""), "{out}{err}");
}

/// A server that answers one request with this text, and the address it has.
fn answering(answer: &'static str) -> (String, std::thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let thread = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut lines = BufReader::new(&stream).lines();
        let asked = lines.next().unwrap().unwrap();
        while lines.next().is_some_and(|line| !line.unwrap().is_empty()) {}
        (&stream).write_all(answer.as_bytes()).unwrap();
        asked
    });
    (address, thread)
}

#[test]
fn healthcheck_is_0_for_a_ready_service_and_1_for_any_other() {
    for (answer, exit, told) in [
        ("HTTP/1.1 200 OK\r\n\r\n{\"ready\":true}\n", 0, ""),
        ("HTTP/1.1 503 Service Unavailable\r\n\r\n{\"ready\":false}\n", 1, "is not ready"),
        ("HTTP/1.1 404 Not Found\r\n\r\nnothing\u{1b}[2J\n", 1, "is not answered by this program"),
        ("SSH-2.0-OpenSSH 200\r\n", 1, "is not answered by this program"),
        ("", 1, "is not answered by this program"),
    ] {
        let (address, server) = answering(answer);
        let (code, out, err) = call(&["healthcheck", "--set", &format!("http.listen={address}")]);
        assert_eq!((code, err.contains(told)), (exit, true), "{answer:?}: {err}");
        assert_eq!(server.join().unwrap(), "GET /readyz HTTP/1.1");
        assert!(err.lines().count() <= 1 && !out.contains('\u{1b}'), "{out}{err}");
    }
    // Taken once and let go: nobody listens there now.
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (code, _, err) = call(&["healthcheck", "--set", &format!("http.listen={gone}")]);
    assert!(code == 1 && err.contains("is the service running") && err.lines().count() == 1, "{err}");
}

#[test]
fn healthcheck_gives_up_on_a_service_that_says_nothing() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let started = std::time::Instant::now();
    let (code, _, err) = call(&["healthcheck", "--set", &format!("http.listen={}", silent.local_addr().unwrap())]);
    assert!(code == 1 && started.elapsed().as_secs() < 20, "{err}");
}
