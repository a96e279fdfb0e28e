//! `run` as a person sees it: in a pseudo terminal of `script`, the log with a status line under it; elsewhere plain.

use crate::support;

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use support::cluster::Cluster;
use support::driver::Driver;
use support::scene::Guarantee::ExactlyOnce;
use support::scene::Scene;
use support::service::{Call, LIMIT};
use support::wait;

/// The program in a terminal of its own.
struct Terminal {
    child: Child,
    keyboard: ChildStdin,
    screen: Arc<Mutex<String>>,
}

impl Terminal {
    fn run(scene: &Scene<'_>, no_colour: bool) -> Self {
        let program = env!("CARGO_BIN_EXE_messagetrace-ecs");
        let mut call = format!("stty cols 150 rows 40; exec '{program}' run");
        let listen = format!("http.listen=127.0.0.1:{}", scene.port);
        for setting in scene.settings().into_iter().filter(|setting| !setting.starts_with("log.")).chain([listen]) {
            call.push_str(&format!(" --set '{setting}'"));
        }
        let mut script = Command::new("script");
        script.args(["--quiet", "--return", "--command", &call, "/dev/null"]).env("TERM", "xterm-256color");
        script.env_remove("NO_COLOR").stdin(Stdio::piped()).stdout(Stdio::piped());
        if no_colour {
            script.env("NO_COLOR", "1");
        }
        let mut child = script.spawn().expect("script(1) of util-linux");
        let screen: Arc<Mutex<String>> = Arc::default();
        let (copy, mut output) = (Arc::clone(&screen), child.stdout.take().expect("a pipe"));
        thread::spawn(move || {
            let mut part = [0; 4096];
            while let Ok(length @ 1..) = output.read(&mut part) {
                let text = String::from_utf8_lossy(&part[..length]);
                copy.lock().unwrap_or_else(PoisonError::into_inner).push_str(&text);
            }
        });
        let keyboard = child.stdin.take().expect("a pipe");
        Self { child, keyboard, screen }
    }

    fn shown(&self) -> String {
        self.screen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn until_shown(&self, what: &str) {
        let seen = wait::within(LIMIT, || self.shown().contains(what).then_some(()));
        assert!(seen.is_some(), "{what} does not show:\n{}", self.shown());
    }

    /// Ctrl-C, then everything that was shown.
    fn interrupted(mut self) -> String {
        self.keyboard.write_all(b"\x03").expect("the terminal takes keys");
        let ended = wait::until("the program ends", LIMIT, || self.child.try_wait().expect("ask for its state"));
        assert_eq!(ended.code(), Some(0), "{}", self.shown());
        self.shown()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Fails only when it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What is left of a line after a terminal has obeyed it: everything before the last return to its start is overwritten.
fn left(line: &str) -> String {
    let line = line.trim_end_matches('\r');
    let line = line.rsplit('\r').next().unwrap_or_default();
    let mut text = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        text.push_str(before);
        rest = after.trim_start_matches(|character: char| character.is_ascii_digit() || character == ';');
        rest = rest.get(1..).unwrap_or_default();
    }
    text + rest
}

#[test]
fn on_a_terminal_a_status_line_stands_under_the_log() {
    for no_colour in [false, true] {
        let scene = Scene::new(Cluster::shared(), ExactlyOnce, 2);
        let mut driver = Driver::new(&scene, 61);
        driver.send(5_000);
        driver.settle();
        let terminal = Terminal::run(&scene, no_colour);
        terminal.until_shown("rebalanced");
        terminal.until_shown("working");
        terminal.until_shown(" dead letters: ");
        terminal.until_shown("lag 0 (0.0 s)");
        let shown = terminal.interrupted();
        if let Ok(mut file) = File::create(support::children::run_directory().join("screen.txt")) {
            let _ = file.write_all(shown.as_bytes());
        }
        let colour = shown.contains("\u{1b}[32m");
        assert_eq!(colour, !no_colour, "{shown}");
        let lines: Vec<String> = shown.lines().map(left).filter(|line| !line.is_empty()).collect();
        let log = lines.iter().filter(|line| line.contains(" INFO ") || line.contains(" WARN "));
        for line in log {
            let starts_with_time = line.starts_with("20") && line.contains("Z ");
            assert!(starts_with_time && !line.contains("records/s in"), "a line of the log stands alone: {line:?}");
        }
        let last = lines.last().expect("something was shown");
        assert!(last.starts_with("polled 5000 = delivered "), "the status line is gone at the end: {last:?}");
    }
}

#[test]
fn away_from_a_terminal_there_are_plain_lines() {
    let scene = Scene::new(Cluster::shared(), ExactlyOnce, 1);
    let mut driver = Driver::new(&scene, 62);
    driver.send(100);
    driver.settle();
    let ended = Call::run_until_end(&scene).set("log.format=text").ended();
    ended.assert_code(0);
    assert!(!ended.stderr.contains(['\u{1b}', '\r']) && ended.stderr.contains(" INFO "), "{}", ended.stderr);
    assert_eq!(ended.stdout, "");
}
