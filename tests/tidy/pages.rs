//! What the pages say of the tree: every link leads somewhere, every test and every file that is named is there, and every invariant
//! names what holds it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

/// A page under its path from the root.
pub struct Page {
    pub path: PathBuf,
    pub text: String,
}

/// The pages of the root and of `docs/`.
pub fn pages(root: &Path) -> Vec<Page> {
    let folders = [root.to_owned(), root.join("docs"), root.join("findings")];
    let entries = folders.iter().flat_map(|folder| fs::read_dir(folder).expect("a folder of pages")).flatten();
    let paths = entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|end| end == "md"));
    let page = |path: PathBuf| Page {
        text: fs::read_to_string(&path).expect("a page"),
        path: path.strip_prefix(root).expect("below the root").to_owned(),
    };
    paths.map(page).collect()
}

/// Links into the tree that lead nowhere; `exists` knows what is there.
pub fn broken_links(pages: &[Page], exists: impl Fn(&Path) -> bool) -> Vec<String> {
    let mut broken = Vec::new();
    for page in pages {
        for target in links(&page.text).filter(|target| !target.contains("://")) {
            let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
            let path = if path.is_empty() { page.path.clone() } else { resolved(&page.path, path) };
            let known = pages.iter().find(|other| other.path == path);
            let anchored = anchor.is_empty() || known.is_some_and(|page| anchors(&page.text).contains(anchor));
            if known.is_none() && !exists(&path) || !anchored {
                broken.push(format!("{}: {target} leads nowhere", page.path.display()));
            }
        }
    }
    broken
}

/// Names in the tables of a page that read like a test's and are none.
pub fn unknown_tests(page: &str, tests: &BTreeSet<String>) -> Vec<String> {
    let rows = page.lines().filter(|line| line.starts_with('|'));
    rows.flat_map(sentences).filter(|name| !is_test(name, tests)).map(str::to_owned).collect()
}

/// The invariants that name no test, each by the beginning of its row. A bench or a script beside one is welcome, alone it is not
/// enough: nobody calls it before every change.
pub fn unheld_invariants(page: &str, tests: &BTreeSet<String>) -> Vec<String> {
    let table = page.split_once("| invariant | held by |\n").map_or("", |(_, table)| table);
    let rows = table.lines().take_while(|line| line.starts_with('|')).filter(|line| !line.starts_with("| ---"));
    let unheld = rows.filter(|row| !quoted(row).any(|name| is_test(name, tests)));
    unheld.map(|row| row.chars().take(80).collect()).collect()
}

/// Files that a page names and nobody has: with their folder from the root or from within `src/`, or by their name alone.
pub fn unknown_files(page: &str, files: &BTreeSet<String>) -> Vec<String> {
    let folders = ["src/", "tests/", "docs/", "scripts/", "helm/", "docker/", "fuzz/", "benches/", "findings/", ".ci/"];
    let names_a_file = |name: &&str| {
        let is_path = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-./".contains(&byte));
        is_path
            && !name.contains("NAME")
            && (name.ends_with(".rs") || folders.iter().any(|folder| name.starts_with(folder)))
    };
    let is_there = |name: &&str| {
        let name = name.trim_end_matches('/');
        let below = format!("{name}/");
        let beside = format!("/{name}");
        files.iter().any(|file| file == name || file.starts_with(&below) || file.ends_with(&beside))
    };
    let paragraphs = page.split("\n\n").map(|paragraph| paragraph.replace('\n', " "));
    let unknown = |paragraph: &str| {
        quoted(paragraph).filter(names_a_file).filter(|name| !is_there(name)).map(str::to_owned).collect::<Vec<_>>()
    };
    paragraphs.flat_map(|paragraph| unknown(&paragraph)).collect()
}

fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// What reads like the name of a test, shortened by `…` or not.
fn sentences(row: &str) -> impl Iterator<Item = &str> {
    let is_of_name =
        |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_' || letter == '…';
    quoted(row).filter(move |name| name.chars().all(is_of_name) && name.matches('_').count() >= 3)
}

fn is_test(name: &str, tests: &BTreeSet<String>) -> bool {
    tests.contains(name)
        || name.contains('…') && tests.iter().any(|test| name.split('…').all(|part| test.contains(part)))
}

fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target)
}

fn resolved(page: &Path, target: &str) -> PathBuf {
    let mut path = page.parent().map(Path::to_owned).unwrap_or_default();
    for part in Path::new(target).components() {
        match part {
            Component::ParentDir => {
                path.pop();
            }
            part => path.push(part),
        }
    }
    path
}

/// As GitHub makes them of headings.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let anchor = |heading: &str| {
        let kept = heading.chars().filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'));
        kept.flat_map(char::to_lowercase).map(|letter| if letter == ' ' { '-' } else { letter }).collect()
    };
    headings.map(anchor).collect()
}

#[test]
fn what_a_page_names_and_nobody_has_is_found() {
    let page = |path: &str, text: &str| Page { path: path.into(), text: text.to_owned() };
    let pages = [
        page("A.md", "[b](docs/b.md#two-words) [c](docs/c.md) [b](docs/b.md#three) [h](https://a.example/x)"),
        page("docs/b.md", "## Two `words`\n[a](../A.md) [s](../src/lib.rs) [here](#two-words) [up](../B.md)"),
    ];
    let broken = broken_links(&pages, |path| path == Path::new("src/lib.rs"));
    let expected =
        ["A.md: docs/c.md leads nowhere", "A.md: docs/b.md#three leads nowhere", "docs/b.md: ../B.md leads nowhere"];
    assert_eq!(broken, expected);

    let tests = BTreeSet::from(["a_test_that_is".to_owned()]);
    let rows = "`not_in_a_table`\n| x | `a_test_that_is`, `a_test_that_was`, `a_setting`, `A_b_c_d`, `…_test_that_is`, `…_test_that_was` |";
    assert_eq!(unknown_tests(rows, &tests), ["a_test_that_was", "…_test_that_was"]);

    let table = "`x`\n| invariant | held by |\n| --- | --- |\n| A | `a_test_that_is` |\n| B | `cargo bench`, the judge |\n\n| C | D |";
    assert_eq!(unheld_invariants(table, &tests), ["| B | `cargo bench`, the judge |"]);

    let files = BTreeSet::from(["src/pipeline/decide.rs".to_owned(), "docs/images/a.png".to_owned()]);
    let page = "`decide.rs`, `pipeline/decide.rs`, `engine.rs`, `docs/images/`, `docs/pictures`, `src/pipe.rs`, `x.md`, `docs/NAME.x`";
    assert_eq!(unknown_files(page, &files), ["engine.rs", "docs/pictures", "src/pipe.rs"]);
}
