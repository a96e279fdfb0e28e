//! `normalize` from the command line's point of view: what goes in, what comes out on which stream, and the exit code.

mod files;

use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::rc::Rc;

use indicatif::ProgressBar;
use messagetrace_ecs::cli::{MappingArgs, NormalizeArgs};
use messagetrace_ecs::commands::Exit;
use messagetrace_ecs::commands::normalize::run_on;
use messagetrace_ecs::config::{ByteSize, Config};
use messagetrace_ecs::normalize::Profile;
use messagetrace_ecs::normalize_files::Streams;
use serde_json::{Value, json};

const TRACE: &str = r#"{"MessageTraceId":"a","Received":"2022-09-05T18:10:13"}"#;

/// How a run is called: like the command line, with everything that is not said left at its default.
#[derive(Default)]
struct Call {
    files: Vec<PathBuf>,
    stdin: Vec<u8>,
    outcomes: bool,
    whole: bool,
    config: Config,
}

struct Ran {
    exit: Exit,
    stdout: String,
    stderr: String,
}

impl Call {
    fn run(self) -> Ran {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let exit = self.run_into(&mut stdout, &mut stderr).expect("the run ends with an exit code");
        let text = |bytes| String::from_utf8(bytes).expect("output is text");
        Ran { exit, stdout: text(stdout), stderr: text(stderr) }
    }

    fn run_into(self, stdout: &mut dyn Write, stderr: &mut dyn Write) -> anyhow::Result<Exit> {
        let args = NormalizeArgs {
            mapping: MappingArgs::default(),
            outcomes: self.outcomes,
            whole: self.whole,
            files: self.files,
        };
        let streams = Streams { stdin: &mut &self.stdin[..], stdout, stderr, progress: ProgressBar::hidden() };
        run_on(&args, &self.config, streams)
    }
}

/// Files with these contents, in a directory that goes away with the first part.
fn files(contents: &[&str]) -> (tempfile::TempDir, Vec<PathBuf>) {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let write = |(number, content): (usize, &&str)| {
        let path = directory.path().join(format!("{number}.jsonl"));
        std::fs::write(&path, content).expect("a file can be written");
        path
    };
    let paths = contents.iter().enumerate().map(write).collect();
    (directory, paths)
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
}

fn messages(text: &str) -> Vec<String> {
    lines(text).iter().map(|event| event["message"].as_str().expect("a message").to_owned()).collect()
}

#[test]
fn each_line_of_standard_input_is_one_record() {
    let stdin = format!("{TRACE}\n{TRACE}\r\n[{TRACE},{TRACE}]\n[]\n{TRACE}").into_bytes();
    let ran = Call { stdin, ..Call::default() }.run();
    assert_eq!(messages(&ran.stdout), [TRACE, &format!("{TRACE}\r"), TRACE, TRACE, TRACE]);
    assert_eq!((ran.exit, ran.stderr.as_str()), (Exit::Done, ""));
}

#[test]
fn events_are_those_of_the_configured_profile() {
    let mut config = Config::default();
    config.normalize.profile = Profile::Ecs;
    config.normalize.organization = Some("example.com".to_owned());
    let ran = Call { stdin: TRACE.into(), config, ..Call::default() }.run();
    let events = lines(&ran.stdout);
    assert_eq!(events[0]["ecs"]["version"], "9.4.0");
    assert_eq!(events[0]["organization"]["name"], "example.com");
}

#[test]
fn a_rejection_is_one_line_on_standard_error_with_its_place() {
    let (_directory, files) = files(&[&format!("{TRACE}\n\n"), &format!("{TRACE}\n[{TRACE},5]\n{{\n")]);
    let names: Vec<String> = files.iter().map(|path| path.display().to_string()).collect();
    let ran = Call { files, ..Call::default() }.run();
    assert_eq!(messages(&ran.stdout), [TRACE; 3]);
    let expected = [
        format!("{}:2: empty_payload: the value is empty", names[0]),
        format!("{}:2/1: unknown_shape: neither an object nor an array", names[1]),
        format!("{}:3: invalid_json: no JSON at line 1, column 2: a key in quotes was expected", names[1]),
    ];
    assert_eq!(ran.stderr.lines().collect::<Vec<_>>(), expected);
    assert_eq!(ran.exit, Exit::Findings);
}

#[test]
fn outcomes_are_one_object_a_line_and_number_the_records_of_all_files() {
    let (_directory, files) = files(&[&format!("{TRACE}\n[]\n"), "", &format!("[5,{TRACE}]")]);
    let ran = Call { files: files.clone(), outcomes: true, ..Call::default() }.run();
    let mut found = lines(&ran.stdout);
    for outcome in &mut found {
        if let Some(event) = outcome.get_mut("event") {
            assert_eq!(event["message"], TRACE);
            *event = json!("an event");
        }
    }
    let rejection = json!({"kind": "unknown_shape", "message": "neither an object nor an array"});
    let expected = json!([
        {"line": 1, "index": 0, "event": "an event"},
        {"line": 2, "skipped": true},
        {"line": 3, "index": 0, "rejection": rejection},
        {"line": 3, "index": 1, "event": "an event"},
    ]);
    assert_eq!(Value::Array(found), expected);
    assert!(ran.stdout.starts_with("{\"line\":1,\"index\":0,\"event\":{\"message\":"), "{}", ran.stdout);
    let names: Vec<String> = files.iter().map(|path| path.display().to_string()).collect();
    let told = format!("{}: lines 1 to 2\n{}: no line\n{}: line 3\n", names[0], names[1], names[2]);
    assert_eq!((ran.exit, ran.stderr), (Exit::Findings, told));
}

#[test]
fn a_whole_file_is_one_record_and_its_line_the_number_of_the_file() {
    let pretty = TRACE.replace(',', ",\n");
    let (_directory, files) = files(&[&pretty, "", &format!("[{TRACE},\n7]\n")]);
    let ran = Call { files: files.clone(), whole: true, outcomes: true, ..Call::default() }.run();
    let found: Vec<String> = lines(&ran.stdout)
        .iter()
        .map(|outcome| format!("{} {} {}", outcome["line"], outcome["index"], outcome["rejection"]["kind"]))
        .collect();
    assert_eq!(found, ["1 0 null", "2 0 \"empty_payload\"", "3 0 null", "3 1 \"unknown_shape\""]);
    let ran = Call { files, whole: true, ..Call::default() }.run();
    assert_eq!(messages(&ran.stdout), [&pretty, TRACE]);
    assert!(ran.stderr.contains("1.jsonl:1: empty_payload"), "{}", ran.stderr);
}

#[test]
fn a_line_over_the_limit_is_read_past_and_its_neighbours_are_not_touched() {
    let mut config = Config::default();
    config.input.max_payload_bytes = ByteSize(100);
    let stdin = format!("{TRACE}\n{}\n{TRACE}\n", "x".repeat(5_000_000)).into_bytes();
    let ran = Call { stdin, config, ..Call::default() }.run();
    assert_eq!(messages(&ran.stdout), [TRACE; 2]);
    let expected = "-:2: payload_too_large: the value has 5000000 bytes; input.max_payload_bytes allows 100\n";
    assert_eq!((ran.exit, ran.stderr.as_str()), (Exit::Findings, expected));
}

#[test]
fn a_file_that_cannot_be_read_keeps_no_other_from_being_processed_and_wins_over_rejections() {
    let (directory, mut files) = files(&[TRACE, "5", ""]);
    files[2] = directory.path().join("damaged.gz");
    std::fs::write(&files[2], b"\x1f\x8b\x08 is no gzip").expect("a file can be written");
    files.insert(0, directory.path().join("missing"));
    files.push(PathBuf::from("-"));
    let ran = Call { files, stdin: TRACE.into(), ..Call::default() }.run();
    assert_eq!(messages(&ran.stdout), [TRACE; 2]);
    let notes: Vec<&str> = ran.stderr.lines().collect();
    assert_eq!(notes.len(), 3, "{notes:?}");
    assert!(notes[0].contains("missing: cannot be read"));
    assert!(notes[1].contains("1.jsonl:1: unknown_shape"));
    assert!(notes[2].contains("damaged.gz: cannot be read"));
    assert_eq!(ran.exit, Exit::Failed);
}

/// Gives one line at a time, and wants to have seen what became of a line before it gives the next.
struct Follower<'a> {
    lines: Vec<&'a str>,
    seen: Rc<RefCell<Vec<u8>>>,
    given: usize,
}

impl Read for Follower<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let seen = self.seen.borrow().iter().filter(|byte| **byte == b'\n').count();
        assert_eq!(seen, self.given, "lines seen before line {} is given", self.given + 1);
        let Some(line) = self.lines.get(self.given) else { return Ok(0) };
        self.given += 1;
        buffer[..line.len()].copy_from_slice(line.as_bytes());
        Ok(line.len())
    }
}

struct Shared(Rc<RefCell<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn what_was_read_is_written_before_more_is_waited_for() {
    let seen = Rc::new(RefCell::new(Vec::new()));
    let event = format!("{TRACE}\n");
    let mut stdin = Follower { lines: vec![&event, "5\n", &event], seen: Rc::clone(&seen), given: 0 };
    let args = NormalizeArgs { mapping: MappingArgs::default(), outcomes: false, whole: false, files: Vec::new() };
    let (mut stdout, mut stderr) = (Shared(Rc::clone(&seen)), Shared(seen));
    let streams =
        Streams { stdin: &mut stdin, stdout: &mut stdout, stderr: &mut stderr, progress: ProgressBar::hidden() };
    let exit = run_on(&args, &Config::default(), streams).expect("the run ends with an exit code");
    assert_eq!(exit, Exit::Findings);
}

/// Takes some bytes, then fails in one way for good.
struct Full(usize, io::ErrorKind);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.checked_sub(bytes.len()).ok_or(self.1)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_closed_pipe_ends_the_run_quietly_and_a_full_disk_does_not() {
    let call = || Call { stdin: format!("{TRACE}\n5\n").repeat(20_000).into_bytes(), ..Call::default() };
    let mut stderr = Vec::new();
    let closed = call().run_into(&mut Full(1_000_000, io::ErrorKind::BrokenPipe), &mut stderr);
    assert_eq!(closed.expect("no error"), Exit::Done);
    let full = call().run_into(&mut Full(1_000_000, io::ErrorKind::StorageFull), &mut stderr);
    assert_eq!(full.expect_err("an error").to_string(), "write to standard output");
}

#[test]
fn a_closed_standard_error_costs_no_event() {
    let mut stdout = Vec::new();
    let call = Call { stdin: format!("5\n{TRACE}\n").into_bytes(), ..Call::default() };
    let exit = call.run_into(&mut stdout, &mut Full(0, io::ErrorKind::BrokenPipe)).expect("no error");
    assert_eq!((exit, stdout.is_empty()), (Exit::Findings, false));
}
