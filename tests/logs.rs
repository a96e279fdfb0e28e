//! Logs as they leave the process: this program calls itself, because logging is started once for a whole process.

#![allow(clippy::unwrap_used)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

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
    if let Some(speech) = SPEECHES.iter().find_map(|(name, speech)| (*name == format).then_some(speech)) {
        logs::init(&Log { format: LogFormat::Json, level: level.to_owned() }).unwrap();
        speech();
        return logs::flush();
    }
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
    let panics = thread::spawn(move || payload[..inside].len()).join().is_err();
    assert!(panics);
    logs::flush();
}

/// What else the called process may have to say.
const SPEECHES: [(&str, fn()); 3] =
    [("repeats", speak_again_and_again), ("much", speak_much), ("foreign", speak_foreign)];

fn speak_again_and_again() {
    for after_ms in 0..50 {
        log::error!(target: "librdkafka", "10.0.0.1:9092/1: refused (after {after_ms}ms in state CONNECT)");
        log::error!(target: "librdkafka", "10.0.0.1:9092/2: refused (after {after_ms}ms in state CONNECT)");
        tracing::info!(partition = 7, "the same");
        tracing::info!(partition = after_ms, "not the same");
        tracing::debug!("asked for");
    }
}

/// More than any pipe and queue hold, while nobody reads; then a last word.
fn speak_much() {
    for number in 0..MANY_LINES {
        tracing::info!(number, padding = "x".repeat(200), "one of many");
    }
    println!("{SPOKEN}");
    std::io::stdin().read_line(&mut String::new()).unwrap();
    logs::flush();
    tracing::info!("the last word");
}

fn speak_foreign() {
    let foreign = format!("\u{1b}[2J\u{202e}a\r\n{{\"log.level\":\"forged\"}}\u{0}{}", "x".repeat(1 << 20));
    tracing::warn!(topic = foreign, reason = ?foreign, error = %foreign, "client: {foreign}");
    log::warn!(target: "librdkafka", "{foreign}");
    logs::init(&Log { format: LogFormat::Json, level: foreign }).unwrap_err();
}

const MANY_LINES: u64 = 20_000;
const SPOKEN: &str = "spoken";

/// This program, told what to say.
fn speaker(format: &str, level: &str) -> Command {
    let mut speaker = Command::new(std::env::current_exe().unwrap());
    speaker.args(["speak", "--exact", "--nocapture"]).env(CHILD, format!("{format} {level}"));
    speaker
}

/// The lines that a process with these settings writes to standard error.
fn lines(format: &str, level: &str) -> Vec<String> {
    let output = speaker(format, level).output().unwrap();
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

#[test]
fn a_repeated_line_is_one_line_and_then_a_count() {
    let lines: Vec<Value> =
        lines("repeats", "debug").iter().map(|line| serde_json::from_str(line).expect(line)).collect();
    let said = |message: &str| -> Vec<&Value> {
        lines.iter().filter(|line| line["message"].as_str().is_some_and(|text| text.contains(message))).collect()
    };
    for message in ["/1: refused (after 0ms", "/2: refused (after 0ms", "the same"] {
        let said: Vec<_> = said(message).into_iter().filter(|line| line["message"] != "not the same").collect();
        assert_eq!(said.len(), 2, "{message}: {said:#?}");
        assert_eq!((said[0].get("repeated"), &said[1]["repeated"]), (None, &Value::from(49)), "{message}");
        // The trouble may be over by then: the count says that it is one, and when it came last, and alarms nobody.
        let last = said[1]["repeated_last"].as_str().unwrap();
        assert!(chrono::DateTime::parse_from_rfc3339(last).is_ok(), "{last}");
        let words = said[1]["message"].as_str().unwrap();
        assert!(words.starts_with(&format!("came 49 times more, the last time at {last}: ")), "{words}");
        assert_eq!((&said[1]["log.level"], &said[1]["repeated_level"]), (&Value::from("info"), &said[0]["log.level"]));
    }
    assert_eq!((said("not the same").len(), said("asked for").len()), (50, 50));
}

#[test]
fn a_collector_that_does_not_read_holds_nobody_up_and_is_told_how_much_it_missed() {
    let mut child =
        speaker("much", "info").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (spoken, wait) = mpsc::channel();
    let stdout = child.stdout.take().unwrap();
    let reader = thread::spawn(move || {
        let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
        let _ = spoken.send(lines.any(|line| line.contains(SPOKEN)));
        lines.for_each(drop);
    });
    let in_time = wait.recv_timeout(Duration::from_secs(60));
    if in_time != Ok(true) {
        child.kill().unwrap();
    }
    assert_eq!(in_time, Ok(true), "whoever logs does not wait");
    let lines = everything_after_all(&mut child);
    reader.join().unwrap();
    let written = lines.iter().filter(|line| line["message"] == "one of many").count() as u64;
    let dropped: u64 = lines.iter().filter_map(|line| line["dropped"].as_u64()).sum();
    assert!(written > 0 && dropped > 0, "{written} written, {dropped} dropped");
    assert_eq!(written + dropped, MANY_LINES);
    assert_eq!(lines.last().unwrap()["message"], "the last word");
}

/// What the child says on standard error when it is read at last.
fn everything_after_all(child: &mut Child) -> Vec<Value> {
    let mut stderr = child.stderr.take().unwrap();
    let reader = thread::spawn(move || {
        let mut text = String::new();
        stderr.read_to_string(&mut text).map(|_| text)
    });
    child.stdin.take().unwrap().write_all(b"go on\n").unwrap();
    assert!(child.wait().unwrap().success());
    let text = reader.join().unwrap().unwrap();
    text.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

#[test]
fn what_others_say_neither_forges_a_line_nor_fills_a_screen() {
    let lines = lines("foreign", "info");
    assert_eq!(lines.len(), 2, "{}", lines.len());
    for line in lines {
        assert!(line.len() < 20_000, "{} bytes", line.len());
        assert!(!line.chars().any(char::is_control) && !line.contains('\u{202e}'), "{line}");
        let line: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(line["log.level"], "warn");
    }
}
