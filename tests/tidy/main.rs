//! The rules of the tree that no compiler knows, held against every file; and each rule against a line that breaks it.

mod claims;
mod imports;
mod log_fields;
mod pages;
mod rooms;
mod tree;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use tree::{File, files, paths};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// A file that needs more scrolling than that wants to be two.
const MAX_LINES: usize = 450;

/// What was asked, the call into a room, how it is printed: more than that belongs into a room.
const MAX_COMMAND_LINES: usize = 200;

/// One question of a reader to a page: more than that wants to be two.
const MAX_PAGE_LINES: usize = 250;

/// Bytes in, decisions out: these can be tested with values alone and driven by random schedules.
const PURE: [&str; 24] = [
    "src/normalize/",
    "src/normalize.rs",
    "src/dead_letter/",
    "src/dead_letter.rs",
    "src/record.rs",
    "src/text.rs",
    "src/pipeline/decide.rs",
    "src/pipeline/account.rs",
    "src/pipeline/watchdog.rs",
    "src/pipeline/epochs.rs",
    "src/pipeline/metadata.rs",
    "src/pipeline/open_inputs.rs",
    "src/audit/model/",
    "src/letters/lines.rs",
    "src/letters/web/pages/calls.rs",
    "src/letters/web/pages/chart.rs",
    "src/letters/web/pages/content.rs",
    "src/letters/web/form.rs",
    "src/letters/web/rank.rs",
    "src/letters/web/search.rs",
    "src/letters/web/guard.rs",
    "src/letters/web/filter.rs",
    "src/letters/web/html.rs",
    "src/letters/web/pages/parts.rs",
];

const IMPURE_WORDS: [&str; 16] = [
    "rdkafka",
    "tokio",
    "tracing",
    "std::env",
    "std::fs",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "ToSocketAddrs",
    "std::process",
    "std::thread",
    "SystemTime",
    "Instant::now",
    "Utc::now",
    "Local::now",
    "println!",
];

/// Calls into C that rust-rdkafka does not offer, one folder for the program and one file for its tests.
const UNSAFE_PLACES: [&str; 2] = ["src/kafka/ffi/", "tests/support/raw.rs"];

/// A rule's findings in one file: each a line number, or 0 for the whole file, and what is wrong.
type Findings = Vec<(usize, String)>;
type Rule = fn(&File) -> Findings;

const RULES: [(&str, Rule); 10] = [
    ("a pure module names nothing that acts", pure_modules_stay_pure),
    ("no file is longer than a person scrolls", files_are_short),
    ("a command is thin", commands_are_thin),
    ("a page answers one question", pages_are_short),
    ("unsafe stands in one place", unsafe_stands_in_one_place),
    ("nothing is left for later", nothing_is_left_for_later),
    ("no test is switched off", no_test_is_switched_off),
    ("a file says what it is", a_file_says_what_it_is),
    ("no path of anybody's machine", no_machine_paths),
    ("a finding says what was guessed and what was seen", findings_have_their_form),
];

#[test]
fn the_tree_is_tidy() {
    let mut findings = Vec::new();
    for file in files() {
        for (name, rule) in RULES {
            findings.extend(rule(&file).iter().map(|(line, what)| format!("{}:{line}: {what} ({name})", file.path)));
        }
    }
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}

#[test]
fn no_files_name_each_other_in_a_circle() {
    let circles = imports::circles(&imports::imports(&files()));
    assert!(circles.is_empty(), "{circles:?}");
}

#[test]
fn a_room_names_only_the_rooms_that_its_table_allows() {
    let findings = rooms::findings(&imports::imports(&files()));
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}

#[test]
fn no_field_of_a_log_line_has_the_name_of_an_object_of_ecs() {
    let files = files();
    let read: usize = files.iter().map(|file| log_fields::names(&file.text).len()).sum();
    assert!(read > 100, "{read} fields were read");
    let taken = log_fields::taken(&files);
    assert!(taken.is_empty(), "{taken:#?}");
}

/// Whether it compiles and does what it says is seen by `cargo test --doc`.
#[test]
fn every_public_room_opens_with_an_example() {
    let files = files();
    let text = |path: String| files.iter().find(|file| file.path == path).map(|file| file.text.as_str());
    let lib = text("src/lib.rs".to_owned()).expect("the library");
    let rooms = lib.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    let head_of =
        |room: &str| text(format!("src/{room}.rs")).or_else(|| text(format!("src/{room}/mod.rs"))).expect("a room");
    let has_none = |room: &&str| {
        !head_of(room).lines().take_while(|line| line.starts_with("//!")).any(|line| line.contains("```"))
    };
    let without: Vec<&str> = rooms.filter(has_none).collect();
    assert!(without.is_empty(), "{without:?}");
}

#[test]
fn the_picture_of_the_rooms_is_the_table() {
    const BEGINS: &str = "<!-- The rooms, written by tests/tidy. -->\n";
    const ENDS: &str = "<!-- End of the rooms. -->\n";
    let path = Path::new(ROOT).join("ARCHITECTURE.md");
    let page = fs::read_to_string(&path).expect("ARCHITECTURE.md");
    let (before, rest) = page.split_once(BEGINS).expect("the rooms begin");
    let (_, after) = rest.split_once(ENDS).expect("the rooms end");
    let drawn = format!("{before}{BEGINS}{}{ENDS}{after}", rooms::drawn(&files()));
    if std::env::var_os("REGENERATE").is_some() {
        fs::write(&path, &drawn).expect("ARCHITECTURE.md is written");
        return;
    }
    assert!(page == drawn, "ARCHITECTURE.md is behind: REGENERATE=1 cargo test --test tidy");
}

#[test]
fn every_link_of_a_page_leads_somewhere() {
    let root = Path::new(ROOT);
    let broken = pages::broken_links(&pages::pages(root), |path| root.join(path).exists());
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn every_test_that_a_page_names_is_there_and_every_invariant_names_one() {
    let tests: BTreeSet<String> = files().iter().flat_map(|file| tests_of(&file.text)).collect();
    assert!(tests.len() > 500, "{} tests were found", tests.len());
    // Others name settings and series, which read alike.
    let naming = [
        "ARCHITECTURE.md",
        "docs/what-happens-when.md",
        "docs/measurements.md",
        "docs/guarantees.md",
        "docs/claims.md",
    ];
    let pages =
        pages::pages(Path::new(ROOT)).into_iter().filter(|page| naming.iter().any(|name| page.path == Path::new(name)));
    let mut named = 0;
    for page in pages {
        named += 1;
        let unknown = pages::unknown_tests(&page.text, &tests);
        assert!(unknown.is_empty(), "{}: {unknown:?}", page.path.display());
        let unheld = pages::unheld_invariants(&page.text, &tests);
        assert!(unheld.is_empty(), "{}: {unheld:#?}", page.path.display());
    }
    assert_eq!(named, naming.len());
}

#[test]
fn every_file_that_a_page_names_is_there() {
    let files: BTreeSet<String> = paths().iter().map(|path| path.to_string_lossy().replace('\\', "/")).collect();
    for page in pages::pages(Path::new(ROOT)) {
        let unknown = pages::unknown_files(&page.text, &files);
        assert!(unknown.is_empty(), "{}: {unknown:?}", page.path.display());
    }
}

#[test]
fn every_figure_on_a_page_is_in_the_register_and_stands_there_as_it_does_here() {
    let files = files();
    let pages = pages::pages(Path::new(ROOT));
    let found =
        claims::findings(&pages, &|shown| files.iter().any(|file| claims::is_shown(shown, &file.path, &file.text)));
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn every_finding_stands_in_the_table_of_findings() {
    let files = files();
    let table = files.iter().find(|file| file.path == "findings/README.md").expect("the table");
    let scripts = files.iter().filter_map(|file| file.path.strip_prefix("findings/")?.strip_suffix(".sh"));
    let missing: Vec<&str> = scripts.filter(|name| !table.text.contains(&format!("| [{name}]({name}.sh) |"))).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// The functions that are marked as tests.
fn tests_of(text: &str) -> Vec<String> {
    let mut tests = Vec::new();
    let mut is_marked = false;
    for line in text.lines().map(str::trim) {
        let function = line.strip_prefix("fn ").or_else(|| line.strip_prefix("async fn "));
        match function.and_then(|rest| rest.split_once('(')) {
            Some((name, _)) if is_marked => tests.push(name.to_owned()),
            Some(_) => {}
            None => {
                is_marked |= line == "#[test]" || line.starts_with("#[tokio::test");
                continue;
            }
        }
        is_marked = false;
    }
    tests
}

/// `scripts/test` runs them in three parts that are told apart by their names.
#[test]
fn every_test_program_is_in_one_part() {
    let script = fs::read_to_string(Path::new(ROOT).join("scripts/test")).expect("scripts/test");
    let others = "--test '[!fks]*' --test schedules --test 'kafka_[!s]*'";
    for part in ["--lib --bins --test 'kafka_s*'", others, "--test faults ||"] {
        assert!(script.contains(part), "{part}");
    }
    let programs: Vec<String> = files()
        .into_iter()
        .filter_map(|file| {
            let path = file.path.strip_prefix("tests/")?;
            path.strip_suffix("/main.rs").or_else(|| path.strip_suffix(".rs")).map(str::to_owned)
        })
        .filter(|program| !program.contains('/'))
        .collect();
    assert!(programs.len() > 8, "{programs:?}");
    for program in programs {
        let is_in_one = !program.starts_with(['f', 'k', 's'])
            || program.starts_with("kafka_")
            || ["schedules", "faults"].contains(&program.as_str());
        assert!(is_in_one != program.starts_with("stress_"), "{program} is in no part, or is run by name");
    }
}

/// A path and a text.
type Sketch<'a> = (&'a str, &'a str);

#[test]
fn each_rule_bites() {
    let long = "//! Long.\n".repeat(MAX_LINES + 1);
    // A rule, a file that breaks it, and a file that looks alike and does not. Put together from parts, because this file is
    // looked at too.
    let later = concat!("//! A.\n// TO", "DO: more\n");
    let skipped = concat!("//! A.\n#[ign", "ore]\nfn a() {}\n");
    let home = concat!("//! A.\nconst HOME: &str = \"/ho", "me/me/x\";\n");
    let unsafe_block = concat!("//! A.\nfn a() { uns", "afe { b() } }\n");
    let command = "//! Long.\n".repeat(MAX_COMMAND_LINES + 1);
    let page = "A line.\n".repeat(MAX_PAGE_LINES + 1);
    let finding = "#!/bin/sh\n# x 1.0\n#\n# Guess: a.\n#\n# Seen: b.\n#\n# Exit 0: still so. Exit 1: it changed. Exit 99: could not be tried.\n";
    let guessless = finding.replace("# Guess: a.\n", "");
    let cases: [(Rule, Sketch, Sketch); 12] = [
        (pure_modules_stay_pure, ("src/normalize/a.rs", "use tokio::sync;"), ("src/engine.rs", "use tokio::sync;")),
        (
            pure_modules_stay_pure,
            ("src/pipeline/decide.rs", "Instant::now()"),
            ("src/pipeline/decide.rs", "now: Instant"),
        ),
        (
            pure_modules_stay_pure,
            ("src/dead_letter.rs", "std::fs::read(a)"),
            ("src/dead_letters.rs", "std::fs::read(a)"),
        ),
        (files_are_short, ("src/a.rs", &long), ("src/a.rs", &long[10..])),
        (commands_are_thin, ("src/commands/a/b.rs", &command), ("src/a.rs", &command)),
        (pages_are_short, ("docs/a.md", &page), ("CHANGELOG.md", &page)),
        (unsafe_stands_in_one_place, ("src/a.rs", unsafe_block), ("src/kafka/ffi/a.rs", unsafe_block)),
        (nothing_is_left_for_later, ("src/a.rs", later), ("src/a.rs", "// todos are counted")),
        (no_test_is_switched_off, ("tests/a.rs", skipped), ("tests/a.rs", "// they ignore it")),
        (a_file_says_what_it_is, ("src/a.rs", "use a;\n//! A."), ("src/a.rs", "//! A.\n")),
        (findings_have_their_form, ("findings/a.sh", &guessless), ("findings/a.sh", finding)),
        (no_machine_paths, ("src/a.rs", home), ("src/a.rs", "//! https://a.example/home/x")),
    ];
    let findings = |rule: Rule, (path, text): Sketch| rule(&File { path: path.to_owned(), text: text.to_owned() });
    for (rule, breaks, keeps) in cases {
        assert_eq!(findings(rule, breaks).len(), 1, "{breaks:?}");
        assert_eq!(findings(rule, keeps), [], "{keeps:?}");
    }
}

fn pure_modules_stay_pure(file: &File) -> Findings {
    if !PURE.iter().any(|pure| file.path.starts_with(pure)) {
        return Vec::new();
    }
    lines(file, |line| {
        let code = line.split("//").next().unwrap_or_default();
        IMPURE_WORDS.iter().find(|word| code.contains(*word)).map(|word| format!("names {word}"))
    })
}

fn files_are_short(file: &File) -> Findings {
    let count = file.text.lines().count();
    let is_source = file.path.ends_with(".rs");
    if is_source && count > MAX_LINES { vec![(0, format!("{count} lines"))] } else { Vec::new() }
}

fn commands_are_thin(file: &File) -> Findings {
    let count = file.text.lines().count();
    let is_long = file.path.starts_with("src/commands/") && count > MAX_COMMAND_LINES;
    if is_long { vec![(0, format!("{count} lines"))] } else { Vec::new() }
}

fn pages_are_short(file: &File) -> Findings {
    let count = file.text.lines().count();
    let is_page = file.path.ends_with(".md") && file.path != "CHANGELOG.md";
    if is_page && count > MAX_PAGE_LINES { vec![(0, format!("{count} lines"))] } else { Vec::new() }
}

fn unsafe_stands_in_one_place(file: &File) -> Findings {
    if !file.path.ends_with(".rs") || UNSAFE_PLACES.iter().any(|place| file.path.starts_with(place)) {
        return Vec::new();
    }
    let forms =
        [concat!("uns", "afe {"), concat!("uns", "afe fn"), concat!("uns", "afe impl"), concat!("uns", "afe extern")];
    lines(file, |line| forms.iter().find(|form| line.contains(*form)).map(ToString::to_string))
}

fn nothing_is_left_for_later(file: &File) -> Findings {
    let words = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("unimpl", "emented!"), concat!("to", "do!")];
    lines(file, |line| words.iter().find(|word| line.contains(*word)).map(ToString::to_string))
}

fn no_test_is_switched_off(file: &File) -> Findings {
    let attribute = concat!("#[ign", "ore");
    lines(file, |line| line.trim_start().starts_with(attribute).then(|| attribute.to_owned()))
}

fn a_file_says_what_it_is(file: &File) -> Findings {
    let is_source = file.path.ends_with(".rs") && (file.path.starts_with("src/") || file.path.starts_with("tests/"));
    if is_source && !file.text.starts_with("//! ") { vec![(1, "opens without //!".to_owned())] } else { Vec::new() }
}

fn no_machine_paths(file: &File) -> Findings {
    let homes = [concat!("/ho", "me/"), concat!("/Us", "ers/"), concat!("/ro", "ot/"), concat!("/wo", "rk/")];
    lines(file, |line| {
        let is_path = |home: &&&str| {
            line.match_indices(**home).any(|(at, _)| !line[..at].ends_with(|before: char| before.is_alphanumeric()))
        };
        homes.iter().find(is_path).map(ToString::to_string)
    })
}

/// See findings/README.md.
fn findings_have_their_form(file: &File) -> Findings {
    if !file.path.starts_with("findings/") || !file.path.ends_with(".sh") {
        return Vec::new();
    }
    let parts = ["# Guess: ", "# Seen", "# Exit 0: still so. Exit 1: it changed. Exit 99: could not be tried."];
    let has = |part: &&&str| file.text.lines().any(|line| line.starts_with(**part));
    parts.iter().filter(|part| !has(part)).map(|part| (1, format!("its head has no {part}"))).collect()
}

fn lines(file: &File, wrong: impl Fn(&str) -> Option<String>) -> Findings {
    (1..).zip(file.text.lines()).filter_map(|(number, line)| Some((number, wrong(line)?))).collect()
}
