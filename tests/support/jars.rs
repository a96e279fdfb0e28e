//! Apache Kafka's jars, brought by Maven once and shared by every test program.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::children::target_directory;

const POM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/kafka/pom.xml");

/// The Java class path of the broker and its tools.
///
/// A finished fetch is known by the copy of the pom inside; it gets its name only when it is whole. So an interrupted fetch is
/// never taken for one, and a changed pom fetches anew.
pub fn class_path() -> String {
    let home = target_directory().join("kafka");
    fs::create_dir_all(&home).expect("create the directory for the jars");
    let lock = File::create(home.join("lock")).expect("create the lock of the jars");
    lock.lock().expect("wait for another test program's fetch");
    let jars = home.join("jars");
    if fs::read(jars.join("pom.xml")).ok() != Some(fs::read(POM).expect("read the pom")) {
        fetch(&home.join("jars.partial"), &jars);
    }
    jars.join("*").to_str().expect("the target directory's path is UTF-8").to_owned()
}

fn fetch(partial: &Path, whole: &PathBuf) {
    for old in [partial, whole] {
        if old.exists() {
            fs::remove_dir_all(old).expect("clear an old fetch away");
        }
    }
    let maven = Command::new("mvn")
        .args(["--quiet", "--batch-mode", "--file", POM])
        .args(["dependency:copy-dependencies", "-DincludeScope=runtime"])
        .arg(format!("-DoutputDirectory={}", partial.display()))
        .output()
        .expect("Maven and Java 17 or newer are needed (scripts/test installs them)");
    assert!(maven.status.success(), "fetch Apache Kafka by Maven: {}", String::from_utf8_lossy(&maven.stdout));
    fs::copy(POM, partial.join("pom.xml")).expect("mark the fetch");
    fs::rename(partial, whole).expect("give the fetch its name");
}
