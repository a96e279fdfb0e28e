//! A part of the service that panics ends the process, whoever still waits: this program calls itself, because it has to end.

#![allow(clippy::unwrap_used)]

use std::process::Command;
use std::thread;

use messagetrace_ecs::commands::run;
use messagetrace_ecs::config::{Log, LogFormat};
use messagetrace_ecs::telemetry::logs;

/// Set for the call to itself: the name of the thread that panics.
const CHILD: &str = "PANICS_CHILD";

/// Not a test of its own: what the called process does.
#[test]
fn panic_in_a_thread() {
    let Ok(name) = std::env::var(CHILD) else { return };
    logs::init(&Log { format: LogFormat::Json, level: "info".to_owned() }).unwrap();
    run::end_when_a_vital_thread_panics();
    let thread = thread::Builder::new().name(name).spawn(|| {
        // Whoever unwinds past this waits for ever.
        let _waits = Waits;
        panic!("on purpose")
    });
    let _ = thread.unwrap().join();
}

struct Waits;

impl Drop for Waits {
    fn drop(&mut self) {
        while thread::current().name() == Some("engine") {
            thread::park();
        }
    }
}

fn exit_code_and_lines(thread: &str) -> (Option<i32>, String) {
    let mut program = Command::new(std::env::current_exe().unwrap());
    let output = program.args(["panic_in_a_thread", "--exact", "--nocapture"]).env(CHILD, thread).output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_panic_of_the_engine_or_of_a_worker_ends_the_process_with_exit_1_and_its_reason() {
    for thread in ["engine", "worker"] {
        let (code, lines) = exit_code_and_lines(thread);
        assert_eq!(code, Some(1), "{thread}: {lines}");
        assert!(lines.contains("panicked: on purpose") && lines.contains("it ends"), "{thread}: {lines}");
    }
    let (code, lines) = exit_code_and_lines("http");
    assert_eq!(code, Some(0), "who serves probes is not worth a restart: {lines}");
}
