//! Logs as they leave the process: this program calls itself, because logging is started once for a whole process.

#![allow(clippy::unwrap_used)]

use std::process::Command;

use messagetrace_ecs::config::{Log, LogFormat};
use messagetrace_ecs::telemetry::logs;
use serde_json::Value;

/// Set for the call to itself: format and level.
const CHILD: &str = "LOGS_CHILD";

/// Not a test of its own: what the called process does.
#[test]
fn speak() {
    let Ok(wish) = std::env::var(CHILD) else { return };
    let (format, level) = wish.split_once(' ').unwrap();
    let format = match format {
        "auto" => LogFormat::Auto,
        "text" => LogFormat::Text,
        _ => LogFormat::Json,
    };
    logs::init(&Log { format, level: level.to_owned() }).unwrap();
    let error = std::io::Error::other("no\nroute");
    tracing::error!(%error, topic = "a.b", partition = 3, lag = -1_i64, share = 0.5, open = true, "could not\ncommit");
    tracing::warn!(endless = "x".repeat(1_000_000), why = ?Some("a \u{1b}[31m b"), "long");
    tracing::info!("life");
    tracing::debug!("detail");
    log::warn!(target: "librdkafka", "broker {} down", 7);
    log::debug!(target: "librdkafka", "noise");
    let payload = std::env::args().next().unwrap() + "canary-é";
    let inside = payload.len() - 1;
    let panics = std::thread::spawn(move || payload[..inside].len()).join().is_err();
    assert!(panics);
}

/// The lines that a process with these settings writes to standard error.
fn lines(format: &str, level: &str) -> Vec<String> {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["speak", "--exact", "--nocapture"])
        .env(CHILD, format!("{format} {level}"))
        .output()
        .unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stderr).unwrap().lines().map(str::to_owned).collect()
}

fn json(level: &str) -> Vec<Value> {
    lines("auto", level).iter().map(|line| serde_json::from_str(line).expect(line)).collect()
}

#[test]
fn away_from_a_terminal_every_line_is_one_ecs_object() {
    let lines = json("info");
    let messages: Vec<&str> = lines.iter().map(|line| line["message"].as_str().unwrap()).collect();
    let panicked = "panicked: message withheld";
    assert_eq!(messages, ["could not\ncommit", "long", "life", "broker 7 down", panicked]);
    for line in &lines {
        for key in
            ["@timestamp", "log.level", "message", "ecs.version", "service.name", "service.version", "event.dataset"]
        {
            assert!(line[key].is_string(), "{key}: {line}");
        }
    }
    let first = &lines[0];
    assert_eq!((&first["log.level"], &first["error.message"]), (&Value::from("error"), &Value::from("no\nroute")));
    assert_eq!(
        (&first["topic"], &first["partition"], &first["lag"]),
        (&Value::from("a.b"), &Value::from(3), &Value::from(-1))
    );
    assert_eq!((&first["share"], &first["open"]), (&Value::from(0.5), &Value::from(true)));
    assert!(chrono::DateTime::parse_from_rfc3339(first["@timestamp"].as_str().unwrap()).is_ok());
}

#[test]
fn records_of_the_log_crate_come_through_under_their_own_name() {
    let lines = json("info");
    assert_eq!((&lines[3]["log.logger"], &lines[3]["log.level"]), (&Value::from("librdkafka"), &Value::from("warn")));
    assert!(lines[3].get("log.target").is_none() && lines[3].get("log.line").is_none(), "{}", lines[3]);
}

#[test]
fn a_panic_is_a_line_that_says_where_and_quotes_nothing() {
    for line in [lines("auto", "trace"), lines("text", "trace")].concat() {
        assert!(!line.contains("canary"), "{line}");
    }
    let line = json("info").pop().unwrap();
    assert!(line["location"].as_str().is_some_and(|location| location.starts_with("tests/logs.rs:")), "{line}");
}

#[test]
fn levels_can_be_set_for_parts() {
    let messages = |level: &str| -> Vec<String> {
        json(level).iter().map(|line| line["message"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(
        messages("error,librdkafka=debug"),
        ["could not\ncommit", "broker 7 down", "noise", "panicked: message withheld"]
    );
    assert_eq!(messages("off"), [""; 0]);
    assert!(messages("debug,librdkafka=off").contains(&"detail".to_owned()));
}

#[test]
fn a_line_of_text_stays_one_line_of_bounded_length() {
    let lines = lines("text", "info");
    assert_eq!(lines.len(), 5, "{lines:#?}");
    assert!(
        lines[0].ends_with(
            r#" ERROR could not\ncommit error.message=no\nroute topic=a.b partition=3 lag=-1 share=0.5 open=true"#
        ),
        "{}",
        lines[0]
    );
    assert!(lines[1].len() < 3_000 && !lines[1].contains('\u{1b}'), "{}", lines[1].len());
    assert!(lines[2].contains(" INFO  life"), "{}", lines[2]);
}
