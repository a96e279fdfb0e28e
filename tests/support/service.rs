//! The program under test as a child process: started on a scene, watched from outside, ended in every way.

use std::env;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use super::broker::free_port;
use super::children::{Offspring, Signal, run_directory};
use super::cluster::{Cluster, View};
use super::scene::Scene;
use super::wait;

/// For a start or an end on a busy machine, beside many other tests. What goes well never waits for it.
pub const LIMIT: Duration = Duration::from_secs(180);

/// A planted bug, for a build that has them.
pub const MUTANT: &str = "MESSAGETRACE_ECS_MUTANT";

#[derive(Debug)]
pub struct Service {
    process: Offspring,
    port: u16,
    standard_output: PathBuf,
}

/// How a process ended and what it said.
#[derive(Debug)]
pub struct Ended {
    /// `None`: by a signal.
    pub code: Option<i32>,
    /// Which one.
    pub signal: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    pub fn assert_code(&self, code: i32) {
        assert_eq!(self.code, Some(code), "the exit code; standard error:\n{}", self.stderr);
    }

    /// What was wrong, in words: of a command for people, of `check --connect`, or of the service, whose log is JSON.
    pub fn problems(&self) -> Vec<String> {
        let told = self.stdout.lines().filter_map(|line| line.strip_prefix("finding: "));
        let plain = self.stderr.lines().filter_map(|line| line.strip_prefix("error: "));
        let logged = self.stderr.lines().filter_map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).ok()?;
            let is_last_word = line["log.level"] == "error" && line["log.logger"] == "messagetrace_ecs";
            is_last_word.then(|| line["message"].as_str().unwrap_or_default().to_owned())
        });
        told.chain(plain).map(str::to_owned).chain(logged).collect()
    }
}

/// A call of the program, to be started.
#[derive(Debug)]
pub struct Call {
    program: String,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    port: u16,
}

impl Call {
    /// `messagetrace-ecs ARGUMENTS`, without any setting; `PROGRAM=path` for another build of it.
    pub fn of(arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        let program = env::var("PROGRAM").unwrap_or_else(|_| env!("CARGO_BIN_EXE_messagetrace-ecs").to_owned());
        Self { program, arguments, environment: Vec::new(), port: free_port() }
    }

    /// Another build of the program.
    pub fn program(self, path: &str) -> Self {
        Self { program: path.to_owned(), ..self }
    }

    /// `run` on a scene, as its first instance.
    pub fn run(scene: &Scene<'_>) -> Self {
        let mut call = Self::of(&["run"]);
        call.port = scene.port;
        for setting in scene.settings() {
            call = call.set(&setting);
        }
        call
    }

    /// `run --until-end` on a scene, as its first instance.
    pub fn run_until_end(scene: &Scene<'_>) -> Self {
        Self::run(scene).with("--until-end")
    }

    /// Another instance beside the first: a port of its own, so a transactional id of its own.
    pub fn on_another_port(mut self) -> Self {
        self.port = free_port();
        self
    }

    /// As the instance that listens there, whatever became of it.
    pub fn on_port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    pub fn with(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// One more `--set key=value`, over the scene's.
    pub fn set(self, setting: &str) -> Self {
        self.with("--set").with(setting)
    }

    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn start(self) -> Service {
        static CALLS: AtomicUsize = AtomicUsize::new(1);
        let number = CALLS.fetch_add(1, Ordering::Relaxed);
        let log = run_directory().join(format!("service-{number}.log"));
        let standard_output = run_directory().join(format!("service-{number}.out"));
        // The shell gives standard output a file of its own; standard error is the log.
        let mut command = Command::new("sh");
        command.args(["-c", "exec \"$@\" >\"$STANDARD_OUTPUT\"", "sh", &self.program]);
        command.args(&self.arguments);
        if self.arguments.first().is_some_and(|command| command == "run") {
            command.args(["--set", &format!("http.listen=127.0.0.1:{}", self.port)]);
        }
        for (name, _) in env::vars_os() {
            // What the developer's own shell sets for the program, or for whoever speaks HTTP, is no part of a test.
            let text = name.to_string_lossy();
            let is_ours = text.starts_with("MESSAGETRACE_ECS_") && text != MUTANT;
            if is_ours || text.to_ascii_lowercase().ends_with("_proxy") {
                command.env_remove(name);
            }
        }
        command.env("STANDARD_OUTPUT", &standard_output).env("RUST_BACKTRACE", "1").envs(self.environment);
        Service { process: Offspring::start(&command, &log), port: self.port, standard_output }
    }

    /// Starts it and waits for its end.
    pub fn ended(self) -> Ended {
        self.start().ended()
    }
}

/// A test that fails leaves the service's own account beside its log.
impl Drop for Service {
    fn drop(&mut self) {
        if thread::panicking()
            && let Some((_, metrics)) = self.get("/metrics")
        {
            // Nothing more can be done about a failure that cannot be written down.
            let _ = fs::write(self.standard_output.with_extension("metrics"), metrics);
        }
    }
}

impl Service {
    /// Waits until `/readyz` says 200.
    pub fn until_ready(&mut self) {
        wait::until("the service is ready", LIMIT, || {
            self.assert_alive();
            self.get("/readyz").filter(|(status, _)| *status == 200)
        });
    }

    pub fn assert_alive(&mut self) {
        if let Some(status) = self.process.exited() {
            panic!("the service ended with {status}:\n{}", self.log());
        }
    }

    /// Status and body of one GET; `None` while nobody answers.
    pub fn get(&self, path: &str) -> Option<(u16, String)> {
        get(self.port, path)
    }

    /// The value of a metric, summed over its labels; `None` while there is none.
    pub fn metric(&self, name: &str) -> Option<f64> {
        summed(&self.get("/metrics")?.1, name)
    }

    /// Records that have their fate; `None` while it does not tell.
    pub fn sealed(&self) -> Option<f64> {
        sealed(&self.get("/metrics")?.1)
    }

    /// Waits until so many records have their fate.
    pub fn until_sealed(&mut self, records: usize) {
        wait::until("everything is sealed", LIMIT, || {
            self.assert_alive();
            (self.sealed()? >= records as f64).then_some(())
        });
    }

    /// The value of one series of a metric, by one of its labels.
    pub fn metric_of(&self, name: &str, label: &str) -> Option<f64> {
        let (_, body) = self.get("/metrics")?;
        let series = body.lines().find(|line| line.starts_with(name) && line.contains(label))?;
        series.rsplit(' ').next()?.parse().ok()
    }

    pub fn exited(&mut self) -> bool {
        self.process.exited().is_some()
    }

    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// SIGSTOP, where a transaction is open that holds records of this topic already.
    pub fn stand_still_in_a_transaction(&self, cluster: &Cluster, topic: &str) {
        let (written, ended) = (cluster.gauge(topic, View::Uncommitted), cluster.gauge(topic, View::Committed));
        wait::until("a transaction is open", LIMIT, || {
            self.signal(Signal::Stop);
            // What is on its way arrives.
            wait::lasting(Duration::from_millis(300));
            let is_open = written.total() > ended.total();
            if !is_open {
                self.signal(Signal::Cont);
            }
            is_open.then_some(())
        });
    }

    /// SIGKILL.
    pub fn kill(self) {
        drop(self);
    }

    /// SIGTERM, then its end.
    pub fn stopped(self) -> Ended {
        self.signal(Signal::Term);
        self.ended()
    }

    /// Waits for its end.
    pub fn ended(mut self) -> Ended {
        let status = self.process.wait(LIMIT);
        let stderr = self.log();
        let status = status.unwrap_or_else(|| panic!("the service does not end within {LIMIT:?}:\n{stderr}"));
        let stdout = fs::read_to_string(&self.standard_output).unwrap_or_default();
        Ended { code: status.code(), signal: status.signal(), stdout, stderr }
    }

    pub fn log(&self) -> String {
        self.process.log()
    }

    /// What stands on its standard output so far.
    pub fn printed(&self) -> String {
        fs::read_to_string(&self.standard_output).unwrap_or_default()
    }

    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Resident memory, from Linux's own account of the process.
    pub fn resident_bytes(&self) -> u64 {
        self.status_bytes("VmRSS:")
    }

    /// The most that was ever resident.
    pub fn peak_bytes(&self) -> u64 {
        self.status_bytes("VmHWM:")
    }

    fn status_bytes(&self, name: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.pid())).expect("the process lives");
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("Linux tells its sizes");
        let kib: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
        kib * 1024
    }
}

/// Status and body of one GET to whoever listens there; `None` while nobody answers.
pub fn get(port: u16, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, body.to_owned()))
}

/// The value of a metric in what `/metrics` said, summed over its labels.
pub fn summed(metrics: &str, name: &str) -> Option<f64> {
    let of_name = |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{']));
    let values: Vec<f64> =
        metrics.lines().filter(of_name).filter_map(|line| line.rsplit(' ').next()?.parse().ok()).collect();
    (!values.is_empty()).then(|| values.iter().sum())
}

/// Records that have their fate, by what `/metrics` said.
pub fn sealed(metrics: &str) -> Option<f64> {
    let of = |fate| summed(metrics, &format!("messagetrace_ecs_records_{fate}_total"));
    ["delivered", "dead_lettered", "skipped"].into_iter().map(of).sum()
}
