//! What the pages say of the tree: every link leads somewhere, and every test that is named is there.

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

/// Names in the tables of a page that read like a test's and are no function of the tree.
pub fn unknown_tests(page: &str, functions: &BTreeSet<String>) -> Vec<String> {
    let rows = page.lines().filter(|line| line.starts_with('|'));
    let quoted = rows.flat_map(|row| row.split('`').skip(1).step_by(2));
    let is_sentence = |name: &&str| {
        name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
            && name.matches('_').count() >= 3
    };
    quoted.filter(is_sentence).filter(|name| !functions.contains(*name)).map(str::to_owned).collect()
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
fn a_link_that_leads_nowhere_and_a_test_that_is_not_there_are_found() {
    let page = |path: &str, text: &str| Page { path: path.into(), text: text.to_owned() };
    let pages = [
        page("A.md", "[b](docs/b.md#two-words) [c](docs/c.md) [b](docs/b.md#three) [h](https://a.example/x)"),
        page("docs/b.md", "## Two `words`\n[a](../A.md) [s](../src/lib.rs) [here](#two-words) [up](../B.md)"),
    ];
    let broken = broken_links(&pages, |path| path == Path::new("src/lib.rs"));
    let expected =
        ["A.md: docs/c.md leads nowhere", "A.md: docs/b.md#three leads nowhere", "docs/b.md: ../B.md leads nowhere"];
    assert_eq!(broken, expected);

    let functions = BTreeSet::from(["a_test_that_is".to_owned()]);
    let rows = "`not_in_a_table`\n| x | `a_test_that_is`, `a_test_that_was`, `a_setting`, `A_b_c_d` |";
    assert_eq!(unknown_tests(rows, &functions), ["a_test_that_was"]);
}
