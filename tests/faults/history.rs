//! What happened, line by line: shown as it happens, and kept in a file.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::support::children::target_directory;

#[derive(Debug)]
pub struct History {
    pub path: PathBuf,
    file: Mutex<File>,
    began: Instant,
}

impl History {
    pub fn of(name: &str) -> Self {
        let folder = target_directory().join("faults");
        fs::create_dir_all(&folder).expect("create the folder of the histories");
        let path = folder.join(format!("{name}.log"));
        let file = Mutex::new(File::create(&path).expect("create the history"));
        Self { path, file, began: Instant::now() }
    }

    pub fn note(&self, what: &str) {
        let line = format!("{:8.1} s  {what}", self.began.elapsed().as_secs_f64());
        // Past the capture of the test runner: who waits for an hour wants to see it. Nobody may be looking any more.
        let _ = writeln!(io::stdout(), "{line}");
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(file, "{line}").expect("write the history");
    }
}
