//! The mapping on files and standard input, without Kafka. Works like a filter: events are written in order, a rejection is one
//! line, and memory does not grow with the input.

mod records;
mod report;

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use indicatif::ProgressBar;

pub use self::records::Split;
use self::records::{Records, Value};
pub use self::report::Form;
use self::report::Report;
use crate::normalize::{Normalizer, Outcome, Outcomes, Record, Rejection, Settings, Verdict};

/// What is read, and what is written of it.
#[derive(Clone, Debug)]
pub struct Request {
    /// "-" is standard input; so is an empty list.
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
    let mut report = Report::new(request.form, streams.stdout, streams.stderr, streams.progress);
    let normalizer = Normalizer::new(settings);
    let standard_input = [PathBuf::from("-")];
    let files = if request.files.is_empty() { &standard_input[..] } else { &request.files };
    for path in files {
        let opened: io::Result<Box<dyn Read + '_>> = match path.as_os_str() == "-" {
            true => Ok(Box::new(&mut *streams.stdin)),
            false => File::open(path).map(|file| Box::new(file) as _),
        };
        let done = match opened {
            Ok(file) => normalize_file(&normalizer, Records::new(file, request.split, limit_bytes), path, &mut report),
            Err(error) => report.unreadable(path, &error),
        };
        if let Err(error) = done.and_then(|()| report.flush()) {
            return report.unwritable(error);
        }
    }
    Ok(report.finish())
}

/// Sends every record of one file through the mapping. The error is one of writing; one of reading is reported.
fn normalize_file<R: Read>(
    normalizer: &Normalizer,
    mut records: Records<R>,
    path: &Path,
    report: &mut Report<'_>,
) -> io::Result<()> {
    let limit_bytes = normalizer.settings().max_payload_bytes as u64;
    let mut outcomes = Outcomes::default();
    let mut line = 0;
    loop {
        while let Some(value) = records.next() {
            line += 1;
            match value {
                Value::Kept(value) => {
                    outcomes.clear();
                    normalizer.normalize(Record { value: Some(value), timestamp_ms: None }, &mut outcomes);
                    report.record(path, line, outcomes.of_record(0))?;
                }
                Value::TooLong { bytes } => {
                    let rejection = Rejection::payload_too_large(bytes, limit_bytes);
                    let verdict = Verdict::Rejection { rejection: &rejection, text: None };
                    report.record(path, line, [Outcome { index: None, verdict }].into_iter())?;
                }
            }
        }
        if records.ended() {
            return Ok(());
        }
        // Whoever follows along sees everything that was read before this waits for more.
        report.flush()?;
        match records.fill() {
            Ok(bytes) => report.progress(bytes),
            Err(error) => return report.unreadable(path, &error),
        }
    }
}
