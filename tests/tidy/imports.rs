//! Which file of `src/` names which other: read from `use` and from paths that begin with `crate`, `super` or a module of one's
//! own. Not a parser of Rust: comments, and tests at the end of a file, are left out, and a path leads to the longest module that
//! there is.

use std::collections::{BTreeMap, BTreeSet};

use super::File;

/// Modules by their path (`kafka::scan`), with what each names.
pub type Imports = BTreeMap<String, BTreeSet<String>>;

/// What every file names, itself and what only its tests name left out.
pub fn imports(files: &[File]) -> Imports {
    let modules: BTreeMap<String, &str> =
        files.iter().filter_map(|file| Some((module(&file.path)?, file.text.as_str()))).collect();
    let named = |(module, text): (&String, &&str)| {
        let found = paths(&code(text)).into_iter().filter_map(|path| resolve(&path, module, &modules));
        (module.clone(), found.filter(|found| found != module).collect())
    };
    modules.iter().map(named).collect()
}

/// `src/kafka/scan/mod.rs` is `kafka::scan`; tests are no modules to us.
fn module(path: &str) -> Option<String> {
    let path = path.strip_prefix("src/")?.strip_suffix(".rs")?;
    let path = path.strip_suffix("/mod").unwrap_or(path);
    let is_test = path.split('/').any(|part| part == "tests");
    (path != "lib" && path != "main" && !is_test).then(|| path.replace('/', "::"))
}

/// The text without comments and without the tests at its end.
fn code(text: &str) -> String {
    let end = text.find("#[cfg(test)]\nmod ").unwrap_or(text.len());
    text[..end].lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// Every path that may lead to a module.
fn paths(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = String::new();
    let mut statement: Option<String> = None;
    for line in code.lines() {
        let begins = line.trim_start().trim_start_matches("pub(super) ").trim_start_matches("pub(crate) ");
        let begins = begins.trim_start_matches("pub ").strip_prefix("use ");
        match (&mut statement, begins) {
            (Some(statement), _) => statement.push_str(line),
            (None, Some(begins)) => statement = Some(begins.to_owned()),
            (None, None) => rest.push_str(&format!("{line}\n")),
        }
        if let Some(whole) = statement.take_if(|statement| statement.contains(';')) {
            expand("", whole.split(';').next().unwrap_or_default(), &mut found);
        }
    }
    let is_path = |character: char| character.is_alphanumeric() || character == '_' || character == ':';
    let words = rest.split(|character: char| !is_path(character));
    found.extend(words.filter(|word| word.contains("::")).map(str::to_owned));
    found
}

/// `a::{b, c::{d, e}}` as `a::b`, `a::c::d`, `a::c::e`.
fn expand(before: &str, tree: &str, found: &mut Vec<String>) {
    let Some((path, rest)) = tree.split_once('{') else {
        let path = tree.split(" as ").next().unwrap_or_default();
        return found.push(format!("{before}{}", path.trim()));
    };
    let before = format!("{before}{}", path.trim());
    let inner = rest.rsplit_once('}').map_or(rest, |(inner, _)| inner);
    let (mut depth, mut from) = (0, 0);
    for (at, character) in inner.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                expand(&before, &inner[from..at], found);
                from = at + 1;
            }
            _ => {}
        }
    }
    if !inner[from..].trim().is_empty() {
        expand(&before, &inner[from..], found);
    }
}

/// The module that a path leads to, seen from another.
fn resolve(path: &str, from: &str, modules: &BTreeMap<String, &str>) -> Option<String> {
    let here: Vec<&str> = from.split("::").collect();
    let mut parts: Vec<&str> = path.split("::").map(str::trim).collect();
    let mut absolute = match *parts.first()? {
        "crate" => Vec::new(),
        "self" => here,
        "super" => here[..here.len() - 1].to_vec(),
        child => {
            let known = modules.contains_key(&format!("{from}::{child}"));
            parts.insert(0, "self");
            known.then_some(here)?
        }
    };
    parts.remove(0);
    while parts.first() == Some(&"super") {
        parts.remove(0);
        absolute.pop()?;
    }
    absolute.extend(parts);
    while !absolute.is_empty() {
        let module = absolute.join("::");
        if modules.contains_key(&module) {
            return Some(module);
        }
        absolute.pop();
    }
    None
}

/// Files that name each other in a circle, each circle once. A room's `mod.rs` is its front: it shows what its files offer, and
/// they may use what stands in it.
pub fn circles(imports: &Imports) -> Vec<BTreeSet<String>> {
    let is_front = |one: &str, other: &str| other.strip_prefix(one).is_some_and(|rest| rest.starts_with("::"));
    let next = |from: &String| {
        let named = imports.get(from).into_iter().flatten();
        named.filter(|to| !is_front(from, to) && !is_front(to, from)).cloned().collect::<Vec<_>>()
    };
    let reached = |from: &String| {
        let (mut seen, mut open) = (BTreeSet::new(), next(from));
        while let Some(module) = open.pop() {
            if seen.insert(module.clone()) {
                open.extend(next(&module));
            }
        }
        seen
    };
    let reach: BTreeMap<&String, BTreeSet<String>> = imports.keys().map(|module| (module, reached(module))).collect();
    let circle = |module: &String| -> BTreeSet<String> {
        let back = reach[module].iter().filter(|other| reach.get(other).is_some_and(|seen| seen.contains(module)));
        back.cloned().collect()
    };
    let circles: BTreeSet<_> = imports.keys().map(circle).filter(|circle| !circle.is_empty()).collect();
    circles.into_iter().collect()
}

#[test]
fn paths_are_read_from_any_way_of_writing_them() {
    let file = |path: &str, text: &str| File { path: path.to_owned(), text: text.to_owned() };
    let files = [
        file("src/lib.rs", "pub mod a;"),
        file("src/a/mod.rs", "mod b;\npub use b::B;\nuse self::c::C;\nuse other::b::B;"),
        file(
            "src/a/b.rs",
            "use super::c::{\n    C, D as E,\n};\nuse crate::d;\n#[cfg(test)]\nmod tests {\n    use crate::a;\n}",
        ),
        file("src/a/c.rs", "// use crate::d;\nfn f() { crate::d::f(super::super::e::X) }"),
        file("src/a/tests.rs", "use crate::e;"),
        file("src/d.rs", "use crate::{a::{b::B, c::C}, e};"),
        file("src/e.rs", "use std::io;"),
    ];
    let found = imports(&files);
    let of = |module: &str| found[module].iter().map(String::as_str).collect::<Vec<_>>();
    assert_eq!(of("a"), ["a::b", "a::c"]);
    assert_eq!(of("a::b"), ["a::c", "d"]);
    assert_eq!(of("a::c"), ["d", "e"]);
    assert_eq!(of("d"), ["a::b", "a::c", "e"]);
    assert_eq!(of("e"), [""; 0]);
    assert!(!found.contains_key("a::tests"));
    let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<BTreeSet<_>>();
    assert_eq!(circles(&found), [names(&["a::b", "a::c", "d"])]);
}
