//! The files of the tree.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::ROOT;

/// One file, under its path from the root.
pub struct File {
    pub path: String,
    pub text: String,
}

/// What git knows or would add.
pub fn paths() -> Vec<PathBuf> {
    let listed = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(ROOT)
        .output()
        .ok()
        .filter(|listed| listed.status.success());
    match listed {
        Some(listed) => String::from_utf8_lossy(&listed.stdout).lines().map(PathBuf::from).collect(),
        // An unpacked archive of the sources has no history.
        None => walk(Path::new("")),
    }
}

/// What people write and read: code, scripts and texts. Data is what it is.
pub fn files() -> Vec<File> {
    let paths = paths();
    let written = |path: &&PathBuf| match path.extension() {
        Some(extension) => ["rs", "md", "toml", "sh"].iter().any(|known| extension == *known),
        None => path.starts_with("scripts") || path.starts_with(".ci"),
    };
    let mut files: Vec<File> = Vec::new();
    for path in paths.iter().filter(written) {
        // A file may be listed and yet deleted.
        if let Ok(text) = fs::read_to_string(Path::new(ROOT).join(path)) {
            files.push(File { path: path.to_string_lossy().replace('\\', "/"), text });
        }
    }
    assert!(files.iter().any(|file| file.path == "src/lib.rs"), "the sources were found");
    files
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(Path::new(ROOT).join(folder)).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_name() != "target")
        .flat_map(|entry| {
            let path = folder.join(entry.file_name());
            if entry.path().is_dir() { walk(&path) } else { vec![path] }
        })
        .collect()
}
