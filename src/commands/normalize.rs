//! `normalize`: the service's mapping on files or standard input, without Kafka.
//!
//! Reads like a filter: events go to standard output in order, rejections are one line each on standard error, and
//! memory does not grow with the input.

mod records;

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Read, Write};
use std::path::Path;

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};

use self::records::{Records, Split, Value};
use super::Exit;
use crate::cli::NormalizeArgs;
use crate::config::Config;
use crate::config::mapping;
use crate::normalize::{Normalizer, Outcome, Outcomes, Record, Rejection, Verdict};

/// Where a run reads and writes.
#[expect(missing_debug_implementations, reason = "streams have nothing to show")]
pub struct Streams<'a> {
    pub stdin: &'a mut dyn Read,
    pub stdout: &'a mut dyn Write,
    pub stderr: &'a mut dyn Write,
    /// Shows how far the files are read; hidden when nobody looks.
    pub progress: ProgressBar,
}

/// Runs the command on the process's own streams.
pub fn run(args: &NormalizeArgs, config: &Config) -> anyhow::Result<Exit> {
    let streams = Streams {
        stdin: &mut io::stdin().lock(),
        stdout: &mut io::stdout().lock(),
        stderr: &mut io::stderr().lock(),
        progress: progress(args),
    };
    run_on(args, config, streams)
}

/// Runs the command on any streams.
pub fn run_on(args: &NormalizeArgs, config: &Config, streams: Streams<'_>) -> anyhow::Result<Exit> {
    let settings = mapping::settings(config);
    let limit_bytes = settings.max_payload_bytes;
    let split = if args.whole { Split::Whole } else { Split::Lines };
    let mut report = Report::new(args, streams.stdout, streams.stderr, streams.progress);
    let normalizer = Normalizer::new(settings);
    let standard_input = [Path::new("-").to_owned()];
    let files = if args.files.is_empty() { &standard_input[..] } else { &args.files };
    for path in files {
        let opened: io::Result<Box<dyn Read + '_>> = match path.as_os_str() == "-" {
            true => Ok(Box::new(&mut *streams.stdin)),
            false => File::open(path).map(|file| Box::new(file) as _),
        };
        let done = match opened {
            Ok(file) => normalize_file(&normalizer, Records::new(file, split, limit_bytes), path, &mut report),
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
            Ok(bytes) => report.progress.inc(bytes as u64),
            Err(error) => return report.unreadable(path, &error),
        }
    }
}

/// Writes what became of the records, and keeps account.
struct Report<'a> {
    stdout: BufWriter<&'a mut dyn Write>,
    stderr: &'a mut dyn Write,
    /// Lines for standard error that are not written yet.
    pending: Vec<u8>,
    progress: ProgressBar,
    form: Form,
    /// Records over all files.
    records: u64,
    rejections: u64,
    trouble: bool,
}

#[derive(Clone, Copy)]
enum Form {
    /// Events alone, rejections on standard error.
    Events,
    /// Everything as one JSON object a line.
    Outcomes,
}

/// Bytes gathered before they are written.
const OUT_BYTES: usize = 256 * 1024;
const PENDING_BYTES: usize = 64 * 1024;

impl<'a> Report<'a> {
    fn new(args: &NormalizeArgs, stdout: &'a mut dyn Write, stderr: &'a mut dyn Write, progress: ProgressBar) -> Self {
        Self {
            stdout: BufWriter::with_capacity(OUT_BYTES, stdout),
            stderr,
            pending: Vec::new(),
            progress,
            form: if args.outcomes { Form::Outcomes } else { Form::Events },
            records: 0,
            rejections: 0,
            trouble: false,
        }
    }

    /// One record: the line it stands on in its file, and what became of it.
    fn record<'o>(
        &mut self,
        path: &Path,
        line: u64,
        outcomes: impl ExactSizeIterator<Item = Outcome<'o>>,
    ) -> io::Result<()> {
        self.records += 1;
        let number = self.records;
        if let (Form::Outcomes, 0) = (self.form, outcomes.len()) {
            return writeln!(self.stdout, "{{\"line\":{number},\"skipped\":true}}");
        }
        for outcome in outcomes {
            let index = outcome.index.unwrap_or(0);
            match (self.form, outcome.verdict) {
                (Form::Events, Verdict::Event { json, .. }) => {
                    self.stdout.write_all(json)?;
                    self.stdout.write_all(b"\n")?;
                }
                (Form::Outcomes, Verdict::Event { json, .. }) => {
                    write!(self.stdout, "{{\"line\":{number},\"index\":{index},\"event\":")?;
                    self.stdout.write_all(json)?;
                    self.stdout.write_all(b"}\n")?;
                }
                (Form::Events, Verdict::Rejection { rejection, .. }) => {
                    self.rejections += 1;
                    let index = outcome.index.map(|index| format!("/{index}")).unwrap_or_default();
                    let Rejection { kind, message, .. } = rejection;
                    self.note(format_args!("{}:{line}{index}: {}: {message}", path.display(), kind.name()))?;
                }
                (Form::Outcomes, Verdict::Rejection { rejection, .. }) => {
                    self.rejections += 1;
                    let kind = rejection.kind.name();
                    write!(self.stdout, "{{\"line\":{number},\"index\":{index},\"rejection\":{{\"kind\":\"{kind}\",")?;
                    self.stdout.write_all(b"\"message\":")?;
                    serde_json::to_writer(&mut self.stdout, &rejection.message)?;
                    self.stdout.write_all(b"}}\n")?;
                }
            }
        }
        Ok(())
    }

    /// A file that cannot be read keeps none of the others from being processed.
    fn unreadable(&mut self, path: &Path, error: &io::Error) -> io::Result<()> {
        self.trouble = true;
        self.note(format_args!("{}: cannot be read, and was left out from there on: {error}", path.display()))
    }

    fn note(&mut self, line: std::fmt::Arguments<'_>) -> io::Result<()> {
        writeln!(self.pending, "{line}")?;
        if self.pending.len() > PENDING_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stdout.flush()?;
        if !self.pending.is_empty() {
            // A closed standard error costs the notes, not the events.
            let _ = self.progress.suspend(|| self.stderr.write_all(&self.pending));
            self.pending.clear();
        }
        Ok(())
    }

    fn unwritable(self, error: io::Error) -> anyhow::Result<Exit> {
        self.progress.finish_and_clear();
        match error.kind() {
            io::ErrorKind::BrokenPipe => {
                // What is still gathered has nobody to go to; dropping the writer would try once more.
                let _ = self.stdout.into_parts();
                Ok(Exit::Done)
            }
            _ => Err(error).context("write to standard output"),
        }
    }

    fn finish(self) -> Exit {
        self.progress.finish_and_clear();
        match (self.trouble, self.rejections) {
            (true, _) => Exit::Failed,
            (false, 0) => Exit::Done,
            (false, _) => Exit::Findings,
        }
    }
}

const TEMPLATE: &str = "{bar:40} {bytes}/{total_bytes} {binary_bytes_per_sec} {eta}";

/// A bar over the bytes of the files, for a person who waits: shown when standard error is a terminal, standard output
/// is none (the events would run through it), and the length is known.
fn progress(args: &NormalizeArgs) -> ProgressBar {
    let length =
        |path: &std::path::PathBuf| path.metadata().ok().filter(std::fs::Metadata::is_file).map(|file| file.len());
    let watched = io::stderr().is_terminal() && !io::stdout().is_terminal() && !args.files.is_empty();
    match args.files.iter().map(length).sum::<Option<u64>>() {
        Some(bytes) if watched => {
            let style = ProgressStyle::with_template(TEMPLATE).expect("a test reads the same template");
            ProgressBar::new(bytes).with_style(style)
        }
        _ => ProgressBar::hidden(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_s_template_is_one() {
        assert!(ProgressStyle::with_template(TEMPLATE).is_ok());
    }
}
