//! The files that a command line names: a directory stands for the files in it, by name.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// Whether a name means standard input.
pub fn is_standard_input(path: &Path) -> bool {
    path.as_os_str() == OsStr::new("-")
}

/// What is read, in order. A directory that cannot be listed stays in the list: opening it tells why.
pub fn named(paths: &[PathBuf]) -> Vec<PathBuf> {
    let of = |path: &PathBuf| {
        if is_standard_input(path) || !path.is_dir() {
            return vec![path.clone()];
        }
        files_in(path).unwrap_or_else(|_| vec![path.clone()])
    };
    paths.iter().flat_map(of).collect()
}

/// The files in a directory, not those in directories inside it.
fn files_in(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        // A pipe in it would be waited for, and a directory is not meant.
        if path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
