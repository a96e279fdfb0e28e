//! Files as people have them: in directories, packed, in UTF-16, pretty-printed, or not JSON at all.

use std::fs;
use std::path::PathBuf;

use messagetrace_ecs::commands::Exit;
use messagetrace_ecs::config::{ByteSize, Config};
use serde_json::json;

use super::{Call, Ran, TRACE, lines, messages};
use crate::packers::{gzip, zlib, zstandard};

fn utf16(text: &str) -> Vec<u8> {
    format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// A directory with these files in it.
fn directory(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, content) in files {
        fs::write(directory.path().join(name), content).unwrap();
    }
    directory
}

fn run(files: Vec<PathBuf>) -> Ran {
    Call { files, ..Call::default() }.run()
}

fn trace(id: &str) -> String {
    TRACE.replace("\"a\"", &format!("\"{id}\""))
}

#[test]
fn a_directory_stands_for_the_files_in_it_by_name() {
    let directory =
        directory(&[("b", trace("b").as_bytes()), ("c", trace("c").as_bytes()), ("a", trace("a").as_bytes())]);
    fs::create_dir(directory.path().join("aa")).unwrap();
    fs::write(directory.path().join("aa").join("inside"), trace("inside")).unwrap();
    let ran = run(vec![directory.path().join("c"), directory.path().to_owned()]);
    assert_eq!(messages(&ran.stdout), ["c", "a", "b", "c"].map(trace));
    assert_eq!((ran.exit, ran.stderr.as_str()), (Exit::Done, ""));
}

#[test]
fn packed_files_and_files_in_utf_16_are_read_line_by_line_like_any_other() {
    let text = format!("{}\n[]\n{}\n5", trace("a"), trace("b"));
    let directory = directory(&[
        ("0", text.as_bytes()),
        ("1.gz", &gzip(text.as_bytes())),
        ("2.zlib", &zlib(text.as_bytes())),
        ("3.zst", &zstandard(text.as_bytes())),
        ("4", &utf16(&text)),
        ("5.gz", &gzip(&utf16(&text))),
        ("6.gz", &[gzip(&text.as_bytes()[..9]), gzip(&text.as_bytes()[9..])].concat()),
    ]);
    let ran = run(vec![directory.path().to_owned()]);
    let expected: Vec<String> = (0..7).flat_map(|_| [trace("a"), trace("b")]).collect();
    assert_eq!(messages(&ran.stdout), expected);
    let notes: Vec<&str> = ran.stderr.lines().collect();
    assert_eq!(notes.len(), 7, "{notes:?}");
    assert!(notes.iter().all(|note| note.ends_with(":4: unknown_shape: neither an object nor an array")), "{notes:?}");
    let stdin = Call { stdin: gzip(text.as_bytes()), ..Call::default() }.run();
    assert_eq!(messages(&stdin.stdout), ["a", "b"].map(trace));
}

#[test]
fn a_whole_file_is_unpacked_by_the_mapping_and_within_its_limit() {
    let text = format!("[{TRACE},\n{}]", " ".repeat(1_000_000) + TRACE);
    let directory = directory(&[("0.gz", &gzip(text.as_bytes()))]);
    let files = vec![directory.path().to_owned()];
    let ran = Call { files: files.clone(), whole: true, ..Call::default() }.run();
    assert_eq!((messages(&ran.stdout), ran.exit), (vec![TRACE.to_owned(); 2], Exit::Done));
    let mut config = Config::default();
    config.input.max_payload_bytes = ByteSize(100_000);
    let ran = Call { files: files.clone(), whole: true, config: config.clone(), ..Call::default() }.run();
    assert!(ran.stderr.contains("0.gz:1: expands_too_far: "), "{}", ran.stderr);
    // Line by line the file is unpacked as it is read, and only a line is held against the limit.
    let ran = Call { files, config, ..Call::default() }.run();
    assert!(ran.stderr.contains("0.gz:2: payload_too_large: the value has 1000056 bytes"), "{}", ran.stderr);
}

#[test]
fn a_file_that_is_damaged_gives_what_could_be_read_of_it() {
    let text = format!("{TRACE}\n").repeat(1000);
    for packed in [gzip(text.as_bytes()), zlib(text.as_bytes()), zstandard(text.as_bytes())] {
        let directory =
            directory(&[("cut", &packed[..packed.len() - 3]), ("followed", &[&packed[..], b"{}"].concat())]);
        let ran = run(vec![directory.path().join("cut")]);
        assert_eq!((ran.exit, ran.stderr.lines().count()), (Exit::Failed, 1), "{}", ran.stderr);
        assert!(ran.stderr.contains("cut: cannot be read, and was left out from there on: "), "{}", ran.stderr);
        let ran = run(vec![directory.path().join("followed")]);
        assert_eq!((ran.exit, messages(&ran.stdout).len()), (Exit::Failed, 1000), "{}", ran.stderr);
    }
}

#[test]
fn a_name_does_nothing_to_a_terminal() {
    let directory = directory(&[("a\u{1b}[31mb\nc", b"5")]);
    let ran = run(vec![directory.path().to_owned(), directory.path().join("missing\u{9b}")]);
    let names: Vec<&str> = ran.stderr.lines().map(|line| line.rsplit('/').next().unwrap()).collect();
    assert!(names[0].starts_with("a\\u{1b}[31mb\\nc:1: unknown_shape: "), "{names:?}");
    assert!(names[1].starts_with("missing\\u{9b}: cannot be read"), "{names:?}");
    assert_eq!(names.len(), 2, "{names:?}");
}

#[test]
fn a_document_over_several_lines_and_a_table_are_told_once_a_file() {
    let value = json!([{"MessageTraceId": "a", "Received": "2022-09-05T18:10:13"}]);
    let pretty = serde_json::to_string_pretty(&value).unwrap().replace('\n', "\r\n");
    let table = "\"PSComputerName\",\"MessageTraceId\"\n\"a\",\"b\"\n\"c\",\"d\"\n";
    let directory = directory(&[
        ("0", pretty.as_bytes()),
        ("1", &utf16(&format!("\n\n{pretty}"))),
        ("2", table.as_bytes()),
        ("3", format!("{TRACE}\n{{\n").as_bytes()),
        ("4", b"no JSON\n{\n"),
    ]);
    let files = vec![directory.path().to_owned()];
    let whole = "it looks like one JSON text over several lines; read it with --whole";
    let csv = "it looks like CSV, a table of text; export JSON instead, in PowerShell with ConvertTo-Json";
    for outcomes in [false, true] {
        let ran = Call { files: files.clone(), outcomes, ..Call::default() }.run();
        let advice = |file: &str, words: &str| format!("{}: {words}", directory.path().join(file).display());
        let found: Vec<&str> = ran.stderr.lines().filter(|line| line.contains("it looks like")).collect();
        assert_eq!(found, [advice("0", whole), advice("1", whole), advice("2", csv)]);
    }
    let ran = Call { files, whole: true, outcomes: true, ..Call::default() }.run();
    let found: Vec<&str> = ran.stderr.lines().filter(|line| line.contains("it looks like")).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].ends_with(csv), "{found:?}");
    assert_eq!(lines(&ran.stdout)[..2].iter().filter(|line| line["event"].is_object()).count(), 2);
}
