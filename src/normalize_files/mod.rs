//! The mapping on files and standard input, without Kafka. Works like a filter: events are written in order, a rejection is one
//! line, and memory does not grow with the input.
//!
//! ```
//! use indicatif::ProgressBar;
//! use messagetrace_ecs::config::{Config, Layers, mapping};
//! use messagetrace_ecs::normalize_files::{Ending, Form, Request, Split, Streams, run};
//!
//! let settings = mapping::settings(&Config::load_from(&Layers::default(), [])?.config);
//! let request = Request { files: Vec::new(), split: Split::Lines, form: Form::Outcomes };
//! let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
//! let streams = Streams {
//!     stdin: &mut &b"\n{\"MessageTraceId\":\"b9c1\"}\n"[..],
//!     stdout: &mut stdout,
//!     stderr: &mut stderr,
//!     progress: ProgressBar::hidden(),
//! };
//! assert_eq!(run(&request, settings, streams)?, Ending::Rejections);
//! assert!(stdout.starts_with(b"{\"line\":1,"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod advice;
mod decoding;
mod files;
mod records;
mod report;

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use indicatif::ProgressBar;

use self::advice::Advice;
pub use self::files::named;
pub use self::records::Split;
use self::records::{Records, Value};
pub use self::report::Form;
use self::report::Report;
use crate::normalize::{Normalizer, Outcome, Outcomes, Record, Rejection, Settings, Verdict};

/// What is read, and what is written of it.
#[derive(Clone, Debug)]
pub struct Request {
    /// "-" is standard input; so is an empty list. A directory stands for the files in it.
    pub files: Vec<PathBuf>,
    pub split: Split,
    pub form: Form,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    Clean,
    /// All was read, and some of it was rejected.
    Rejections,
    /// Something could not be read.
    Unreadable,
}

/// Where a run reads and writes.
#[expect(missing_debug_implementations, reason = "streams have nothing to show")]
pub struct Streams<'a> {
    pub stdin: &'a mut dyn Read,
    pub stdout: &'a mut dyn Write,
    pub stderr: &'a mut dyn Write,
    /// Shows how far the files are read; hidden when nobody looks.
    pub progress: ProgressBar,
}

/// Reads the files one after another. An error is one of writing.
pub fn run(request: &Request, settings: Settings, streams: Streams<'_>) -> anyhow::Result<Ending> {
    let limit_bytes = settings.max_payload_bytes;
    let mut report = Report::new(request.form, streams.stdout, streams.stderr, streams.progress.clone());
    let normalizer = Normalizer::new(settings);
    let standard_input = [PathBuf::from("-")];
    let files = named(if request.files.is_empty() { &standard_input } else { &request.files });
    if files.len() > 1 {
        report.name_files();
    }
    for path in &files {
        report.begin(path);
        let opened = opened(path, request.split, streams.stdin, &streams.progress);
        let done = match opened {
            Ok(file) => normalize_file(&normalizer, Records::new(file, request.split, limit_bytes), &mut report),
            Err(error) => report.unreadable(&error),
        };
        if let Err(error) = done.and_then(|()| report.end()) {
            return report.unwritable(error);
        }
    }
    Ok(report.finish())
}

/// A file as what its records are made of: its text, or with one record a file its bytes, which the mapping unpacks.
fn opened<'a>(
    path: &Path,
    split: Split,
    stdin: &'a mut dyn Read,
    progress: &ProgressBar,
) -> io::Result<Box<dyn Read + 'a>> {
    let file: Box<dyn Read + 'a> =
        if files::is_standard_input(path) { Box::new(stdin) } else { Box::new(progress.wrap_read(File::open(path)?)) };
    match split {
        Split::Lines => decoding::text(file),
        Split::Whole => Ok(file),
    }
}

/// Sends every record of one file through the mapping. The error is one of writing; one of reading is reported.
fn normalize_file<R: Read>(
    normalizer: &Normalizer,
    mut records: Records<R>,
    report: &mut Report<'_>,
) -> io::Result<()> {
    let limit_bytes = normalizer.settings().max_payload_bytes;
    let split = records.split();
    let mut outcomes = Outcomes::default();
    let mut advice = Advice::default();
    loop {
        while let Some(value) = records.next() {
            match value {
                Value::Kept(value) => {
                    outcomes.clear();
                    normalizer.normalize(Record { value: Some(value), timestamp_ms: None }, &mut outcomes);
                    report.record(outcomes.of_record(0))?;
                    if let Some(words) = advice.on(value, split, limit_bytes, outcomes.of_record(0)) {
                        report.advise(words)?;
                    }
                }
                Value::TooLong { bytes } => {
                    let rejection = Rejection::payload_too_large(bytes, limit_bytes as u64);
                    let verdict = Verdict::Rejection { rejection: &rejection, text: None };
                    report.record([Outcome { index: None, verdict }].into_iter())?;
                }
            }
        }
        if records.ended() {
            return Ok(());
        }
        // Whoever follows along sees everything that was read before this waits for more.
        report.flush()?;
        if let Err(error) = records.fill() {
            return report.unreadable(&error);
        }
    }
}
