//! Child processes that never outlive the test program, however it ends.
//!
//! A watchdog shell holds the other end of a pipe. When the test program goes (SIGKILL included) the pipe closes, and the
//! watchdog kills whoever is still there and clears the run's directory away. The parent-death signal of Linux would not do: it
//! fires when the *thread* that started a child ends, and libtest gives each test a thread of its own.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;
use std::{env, panic, process};

use super::wait;

/// Reads `born PID` and `dead PID` lines until the test program is gone. Logs stay when a test failed, data never does.
const WATCHDOG: &str = r#"
trap '' HUP INT TERM
pids=' '
while read -r what pid; do
    case $what in
        born) pids="$pids$pid " ;;
        dead) pids="${pids%% "$pid" *} ${pids#* "$pid" }" ;;
    esac
done
for pid in $pids; do kill -KILL "$pid" 2>/dev/null && sleep 1; done
if [ -e "$1/failed" ]; then rm -rf "$1"/*/data; else rm -rf "$1"; fi
"#;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    Term,
    Int,
    Kill,
    Stop,
    Cont,
}

impl Signal {
    fn name(self) -> &'static str {
        match self {
            Self::Term => "TERM",
            Self::Int => "INT",
            Self::Kill => "KILL",
            Self::Stop => "STOP",
            Self::Cont => "CONT",
        }
    }
}

/// One child process; killed when dropped.
#[derive(Debug)]
pub struct Offspring {
    child: Child,
    log: PathBuf,
}

impl Offspring {
    /// Starts `command` with standard error, and standard output unless the command says otherwise, going to `log`.
    ///
    /// The child waits for one line before it becomes the command, so that it cannot run without the watchdog knowing it.
    pub fn start(command: &Command, log: &Path) -> Self {
        let output = File::options().create(true).append(true).open(log).expect("create the child's log");
        let mut held = Command::new("sh");
        held.args(["-c", "read -r _ && exec \"$@\"", "sh"]).arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => held.env(name, value),
                None => held.env_remove(name),
            };
        }
        held.stdin(Stdio::piped()).stderr(output.try_clone().expect("a second handle of the log")).stdout(output);
        let mut child = held.spawn().expect("start a shell");
        tell_watchdog("born", child.id());
        let mut go = child.stdin.take().expect("standard input is piped");
        go.write_all(b"go\n").expect("the shell reads its line");
        Self { child, log: log.to_owned() }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    pub fn signal(&self, signal: Signal) {
        let kill = format!("kill -s {} {}", signal.name(), self.pid());
        let done = Command::new("sh").args(["-c", &kill]).status().expect("start a shell");
        assert!(done.success(), "send {signal:?} to process {}", self.pid());
    }

    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("ask for the child's state")
    }

    /// The exit status, or `None` when the process still lives after `limit`.
    pub fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        wait::within(limit, || self.exited())
    }
}

impl Drop for Offspring {
    fn drop(&mut self) {
        // Both fail only for a child that is gone already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
        tell_watchdog("dead", self.child.id());
    }
}

/// This test program's own directory for data and logs of its children. Whitespace in its path is fine.
pub fn run_directory() -> &'static Path {
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    DIRECTORY.get_or_init(|| {
        let program = env::current_exe().expect("the path of the test program");
        let name = program.file_stem().expect("a program has a name").to_string_lossy().into_owned();
        let directory = target_directory().join("kafka/run").join(format!("{name}-{}", process::id()));
        // A process of the same number may have been here before.
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).expect("create the run's directory");
        keep_logs_of_a_failure(directory.clone());
        directory
    })
}

pub fn target_directory() -> PathBuf {
    let temporary = Path::new(env!("CARGO_TARGET_TMPDIR"));
    temporary.parent().expect("cargo's directory for tests stands in the target directory").to_owned()
}

/// On any panic: says where the logs are and marks the directory, so that the watchdog leaves them.
fn keep_logs_of_a_failure(directory: PathBuf) {
    let report = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        report(info);
        if File::create(directory.join("failed")).is_ok() {
            eprintln!("logs of the brokers and the service: {}", directory.display());
        }
    }));
}

fn tell_watchdog(what: &str, pid: u32) {
    static WATCHDOG_INPUT: OnceLock<Mutex<ChildStdin>> = OnceLock::new();
    // Nobody waits for the watchdog: it is to outlive the test program.
    #[allow(clippy::zombie_processes)]
    let input = WATCHDOG_INPUT.get_or_init(|| {
        let mut shell = Command::new("sh");
        shell.args(["-c", WATCHDOG, "watchdog"]).arg(run_directory()).stdin(Stdio::piped());
        shell.stdout(Stdio::null()).stderr(Stdio::null());
        let mut watchdog = shell.spawn().expect("start the watchdog shell");
        Mutex::new(watchdog.stdin.take().expect("standard input is piped"))
    });
    let mut input = input.lock().unwrap_or_else(PoisonError::into_inner);
    writeln!(input, "{what} {pid}").expect("the watchdog lives as long as the test program");
}
