//! The register of figures (docs/claims.md) against the pages: each figure with a unit is in it, stands on its page, and is shown by
//! something that is there.

use std::path::Path;

use crate::pages::Page;

const REGISTER: &str = "docs/claims.md";

/// The pages whose figures are all registered. Their blocks are transcripts, and say what was printed; the README's are claims too.
const PAGES: [&str; 7] = [
    "README.md",
    "docs/comparison.md",
    "docs/guarantees.md",
    "docs/operations.md",
    "docs/audit.md",
    "docs/dlq.md",
    "docs/replay.md",
];

const UNITS: [&str; 24] = [
    "records/s",
    "events/s",
    "records",
    "seeds",
    "kinds",
    "kills",
    "hours",
    "hour",
    "minutes",
    "minute",
    "seconds",
    "s",
    "ms",
    "µs",
    "%",
    "per",
    "bytes",
    "KiB",
    "MiB",
    "GiB",
    "kB",
    "MB",
    "GB",
    "MB/s",
];

struct Claim {
    page: String,
    figure: String,
    shown: String,
}

/// What is wrong with the register or missing in it. `is_there` knows whether a test, a constant or a program is in the tree.
pub fn findings(pages: &[Page], is_there: &dyn Fn(&str) -> bool) -> Vec<String> {
    let page = |path: &str| pages.iter().find(|page| page.path == Path::new(path)).map(|page| page.text.as_str());
    let claims = claims(page(REGISTER).unwrap_or_default());
    let mut found = Vec::new();
    for claim in &claims {
        if !page(&claim.page).is_some_and(|text| flat(text).contains(&claim.figure)) {
            found.push(format!("{}: {} is not said there", claim.page, claim.figure));
        }
        let mut named =
            claim.shown.split('`').skip(1).step_by(2).flat_map(|shown| shown.split(": ").map(str::to_owned));
        let missing = named.find(|shown| !is_by_hand(shown) && !is_there(shown));
        found.extend(missing.map(|shown| format!("{REGISTER}: {shown} is not there")));
        if claim.shown.is_empty() {
            found.push(format!("{REGISTER}: nothing shows {}", claim.figure));
        }
    }
    for path in PAGES {
        let text = page(path).unwrap_or_default();
        let text = if path == "README.md" { text.to_owned() } else { without_blocks(text) };
        for figure in figures(&flat(&without_spans(&text))) {
            if !claims.iter().any(|claim| claim.page == path && holds(&claim.figure, &figure)) {
                found.push(format!("{path}: {figure} is not in {REGISTER}"));
            }
        }
    }
    found
}

/// Whether a file holds what shows a figure: a test or a constant by its name, a program of the tree by its call.
pub fn is_shown(shown: &str, path: &str, text: &str) -> bool {
    let words: Vec<&str> = shown.split(' ').collect();
    let behind = |flag: &str| words.iter().position(|word| *word == flag).and_then(|at| words.get(at + 1).copied());
    let is_program =
        |folder: &str, name: &str| path == format!("{folder}/{name}.rs") || path == format!("{folder}/{name}/main.rs");
    if words[0] == "cargo" {
        return behind("--bench").is_some_and(|name| is_program("benches", name))
            || behind("--test").is_some_and(|name| is_program("tests", name));
    }
    if words[0].starts_with("scripts/") {
        return path == words[0];
    }
    if shown.chars().all(|letter| letter.is_ascii_uppercase() || letter.is_ascii_digit() || letter == '_') {
        return path.ends_with(".rs") && text.contains(&format!("const {shown}: "));
    }
    if shown.contains('.') {
        let is_setting = path == "docs/configuration.md" || path == "helm/messagetrace-ecs/README.md";
        return is_setting && text.contains(&format!("`{shown}`"));
    }
    path.ends_with(".rs") && text.contains(&format!("fn {shown}("))
}

/// Calls of the program itself are held against it elsewhere; those of the JDK against nothing.
fn is_by_hand(shown: &str) -> bool {
    shown.starts_with("messagetrace-ecs ") || shown.starts_with("javap ") || shown == "excludePersistentLag"
}

fn claims(register: &str) -> Vec<Claim> {
    let rows = register.lines().filter_map(|line| line.strip_prefix("| [")?.strip_suffix(" |"));
    rows.filter_map(|row| {
        let mut cells = row.split(" | ");
        let (_, link) = cells.next()?.split_once("](")?;
        let page = match link.trim_end_matches(')').strip_prefix("../") {
            Some(page) => page.to_owned(),
            None => format!("docs/{}", link.trim_end_matches(')')),
        };
        Some(Claim { page, figure: cells.next()?.to_owned(), shown: cells.next().unwrap_or_default().to_owned() })
    })
    .collect()
}

fn without_blocks(text: &str) -> String {
    text.split("```").step_by(2).collect()
}

/// What stands between backticks names settings and calls.
fn without_spans(text: &str) -> String {
    text.split("```").flat_map(|part| part.split('`').step_by(2)).collect::<Vec<_>>().join(" … ")
}

fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Each number with the unit behind it, which may stick to it.
fn figures(text: &str) -> Vec<String> {
    let words: Vec<&str> =
        text.split(' ').map(|word| word.trim_matches(['(', ')', ',', '.', ';', ':', '|', '*'])).collect();
    let is_number = |word: &str| {
        word.starts_with(|first: char| first.is_ascii_digit())
            && word.chars().all(|letter| letter.is_ascii_digit() || letter == ',' || letter == '.')
    };
    let mut figures = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let unit = word.trim_start_matches(|letter: char| letter.is_ascii_digit() || letter == '.' || letter == ',');
        let sticks = unit.len() < word.len() && UNITS.contains(&unit);
        if sticks {
            figures.push((*word).to_owned());
        } else if is_number(word) && words.get(at + 1).is_some_and(|unit| UNITS.contains(unit)) {
            figures.push(format!("{word} {}", words[at + 1]));
        }
    }
    figures
}

/// Whether a registered figure says this one: not 1 MiB by 11 MiB.
fn holds(registered: &str, figure: &str) -> bool {
    figures(registered).iter().any(|known| known == figure)
}

#[test]
fn a_figure_that_is_not_registered_not_said_or_shown_by_nothing_is_found() {
    let page = |path: &str, text: &str| Page { path: path.into(), text: text.to_owned() };
    let register = "| page | figure | shown by |\n| [README](../README.md) | 11 MB in 2.5s | `a_test_that_is` |\n\
                    | [audit](audit.md) | 12 s | `a_test_that_was` |\n| [dlq](dlq.md) | 7 kinds | by hand: `javap x` |";
    let pages = [
        page(REGISTER, register),
        page("README.md", "It takes 11\nMB in 2.5s, or 1 MB, at `3 s`."),
        page("docs/audit.md", "```\n13 s\n```\n9 records"),
        page("docs/dlq.md", "7 kinds"),
    ];
    let found = findings(&pages, &|shown| shown == "a_test_that_is");
    let expected = [
        "docs/audit.md: 12 s is not said there",
        "docs/claims.md: a_test_that_was is not there",
        "README.md: 1 MB is not in docs/claims.md",
        "docs/audit.md: 9 records is not in docs/claims.md",
    ];
    assert_eq!(found, expected);

    assert!(is_shown("cargo test --test faults", "tests/faults/main.rs", ""));
    assert!(is_shown("MAX_HOURS", "src/a.rs", "const MAX_HOURS: usize = 1;"));
    assert!(is_shown("scripts/demo --records 5", "scripts/demo", ""));
    assert!(!is_shown("cargo bench --bench gone", "benches/memory.rs", ""));
}
