//! What became of the records, written as it is read: events or outcomes on one stream, rejections and files that cannot be
//! read on the other.

use std::cmp::Ordering;
use std::fmt::Arguments;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use anyhow::Context;
use indicatif::ProgressBar;

use super::Ending;
use crate::normalize::{Outcome, Rejection, Verdict};
use crate::text::harmless;

/// What is written of each record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Events alone, rejections on standard error.
    Events,
    /// Everything as one JSON object a line.
    Outcomes,
}

/// Writes what became of the records, and keeps account.
pub struct Report<'a> {
    stdout: BufWriter<&'a mut dyn Write>,
    stderr: &'a mut dyn Write,
    /// Lines for standard error that are not written yet.
    pending: Vec<u8>,
    progress: ProgressBar,
    form: Form,
    /// The file that is read, as people may see it.
    file: String,
    /// Whether outcomes, which number the records of all files, have to be told to which file they belong.
    names_files: bool,
    /// Records over all files.
    records: u64,
    /// The same before the file that is read.
    records_before: u64,
    rejections: u64,
    unreadable: bool,
}

/// Bytes gathered before they are written.
const OUT_BYTES: usize = 256 * 1024;
const PENDING_BYTES: usize = 64 * 1024;

impl<'a> Report<'a> {
    pub fn new(form: Form, stdout: &'a mut dyn Write, stderr: &'a mut dyn Write, progress: ProgressBar) -> Self {
        Self {
            stdout: BufWriter::with_capacity(OUT_BYTES, stdout),
            stderr,
            pending: Vec::new(),
            progress,
            form,
            file: String::new(),
            names_files: false,
            records: 0,
            records_before: 0,
            rejections: 0,
            unreadable: false,
        }
    }

    /// There are several files.
    pub fn name_files(&mut self) {
        self.names_files = self.form == Form::Outcomes;
    }

    /// What comes next comes from this file.
    pub fn begin(&mut self, path: &Path) {
        self.file = harmless(path.as_os_str().as_encoded_bytes(), usize::MAX);
        self.records_before = self.records;
    }

    /// What became of the next record of the file.
    pub fn record<'o>(&mut self, outcomes: impl ExactSizeIterator<Item = Outcome<'o>>) -> io::Result<()> {
        self.records += 1;
        let (number, line) = (self.records, self.records - self.records_before);
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
                    self.note(format_args!(":{line}{index}: {}: {message}", kind.name()))?;
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
    pub fn unreadable(&mut self, error: &io::Error) -> io::Result<()> {
        self.unreadable = true;
        self.note(format_args!(": cannot be read, and was left out from there on: {error}"))
    }

    /// The same for one that does not even begin.
    pub fn unopened(&mut self, error: &io::Error) -> io::Result<()> {
        self.unreadable = true;
        self.note(format_args!(": cannot be read: {error}; check its path and who may read it"))
    }

    /// What to do about the file.
    pub fn advise(&mut self, words: &str) -> io::Result<()> {
        self.note(format_args!(": {words}"))
    }

    /// The file is read. Of several, the outcomes' numbers that belong to it are told.
    pub fn end(&mut self) -> io::Result<()> {
        if self.names_files {
            let (first, last) = (self.records_before + 1, self.records);
            match last.cmp(&first) {
                Ordering::Less => self.note(format_args!(": no line"))?,
                Ordering::Equal => self.note(format_args!(": line {first}"))?,
                Ordering::Greater => self.note(format_args!(": lines {first} to {last}"))?,
            }
        }
        self.flush()
    }

    /// A line that begins with the name of the file.
    fn note(&mut self, what: Arguments<'_>) -> io::Result<()> {
        writeln!(self.pending, "{}{what}", self.file)?;
        if self.pending.len() > PENDING_BYTES { self.flush() } else { Ok(()) }
    }

    pub fn flush(&mut self) -> io::Result<()> {
        self.stdout.flush()?;
        if !self.pending.is_empty() {
            // A closed standard error costs the notes, not the events.
            let _ = self.progress.suspend(|| self.stderr.write_all(&self.pending));
            self.pending.clear();
        }
        Ok(())
    }

    pub fn unwritable(self, error: io::Error) -> anyhow::Result<Ending> {
        self.progress.finish_and_clear();
        match error.kind() {
            io::ErrorKind::BrokenPipe => {
                // What is still gathered has nobody to go to; dropping the writer would try once more.
                let _ = self.stdout.into_parts();
                Ok(Ending::Clean)
            }
            _ => Err(error).context("write to standard output"),
        }
    }

    pub fn finish(self) -> Ending {
        self.progress.finish_and_clear();
        match (self.unreadable, self.rejections) {
            (true, _) => Ending::Unreadable,
            (false, 0) => Ending::Clean,
            (false, _) => Ending::Rejections,
        }
    }
}
