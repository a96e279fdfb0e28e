//! The Public Suffix List: which part of a domain is sold as one, and what lies below it.
//!
//! Only explicit rules of the list's ICANN section count. The list stands beside this file, with its licence and
//! version; the comments inside it are left out.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::LazyLock;

use super::punycode;

static LIST: &str = include_str!("public_suffixes.dat");

/// What the list has at one name.
#[derive(Clone, Copy, Debug, Default)]
struct Node {
    /// The name is a public suffix.
    suffix: bool,
    /// Each name one label longer is one.
    wildcard: bool,
    /// The name is none, though the wildcard says so.
    exception: bool,
}

/// The rules, ready for look-up.
#[derive(Debug)]
pub(super) struct PublicSuffixes {
    /// Each rule in U-labels and in A-labels, and each name that a rule ends with: so a walk that misses is over.
    nodes: HashMap<Box<[u8]>, Node, BuildHasherDefault<Fnv>>,
}

/// A domain that has a registered domain, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parts<'a> {
    pub registered_domain: &'a [u8],
    pub top_level_domain: &'a [u8],
    pub subdomain: Option<&'a [u8]>,
}

impl PublicSuffixes {
    /// The list that this binary carries, read once.
    pub fn get() -> &'static Self {
        static PARSED: LazyLock<PublicSuffixes> = LazyLock::new(|| PublicSuffixes::parse(LIST));
        &PARSED
    }

    fn parse(list: &str) -> Self {
        let mut suffixes = Self { nodes: HashMap::default() };
        for rule in list.lines().filter(|line| !line.is_empty() && !line.starts_with("//")) {
            suffixes.add(rule);
            suffixes.add(&in_a_labels(rule));
        }
        suffixes
    }

    fn add(&mut self, rule: &str) {
        let (name, mark): (_, fn(&mut Node)) = match rule.split_at_checked(1) {
            Some(("!", name)) => (name, |node| node.exception = true),
            Some(("*", name)) => (name.trim_start_matches('.'), |node| node.wildcard = true),
            _ => (rule, |node| node.suffix = true),
        };
        mark(self.nodes.entry(name.as_bytes().into()).or_default());
        let mut rest = name;
        while let Some((_, parent)) = rest.split_once('.') {
            self.nodes.entry(parent.as_bytes().into()).or_default();
            rest = parent;
        }
    }

    /// The parts of a lower-case domain; `None` when no rule matches, when it is a public suffix itself, or when a label
    /// is empty. One dot at the end is ignored.
    pub fn parts<'a>(&self, domain: &'a [u8]) -> Option<Parts<'a>> {
        let domain = domain.strip_suffix(b".").unwrap_or(domain);
        if domain.split(|byte| *byte == b'.').any(<[u8]>::is_empty) {
            return None;
        }
        let suffix = self.suffix_start(domain)?;
        let before = domain.get(..suffix.checked_sub(1)?)?;
        let registered = memchr::memrchr(b'.', before).map_or(0, |dot| dot + 1);
        Some(Parts {
            registered_domain: domain.get(registered..)?,
            top_level_domain: domain.get(suffix..)?,
            subdomain: registered.checked_sub(1).and_then(|dot| domain.get(..dot)),
        })
    }

    /// Where the public suffix begins: that of the longest rule, unless an exception says one label less.
    fn suffix_start(&self, domain: &[u8]) -> Option<usize> {
        let mut found = None;
        let mut below_wildcard = false;
        let (mut start, mut next) = (domain.len() + 1, domain.len());
        loop {
            let parent = start;
            start = memchr::memrchr(b'.', domain.get(..next)?).map_or(0, |dot| dot + 1);
            let name = domain.get(start..)?;
            if below_wildcard {
                found = Some(start);
            }
            let Some(node) = self.nodes.get(name) else { return found };
            if node.exception {
                return Some(parent);
            }
            if node.suffix {
                found = Some(start);
            }
            below_wildcard = node.wildcard;
            match start.checked_sub(1) {
                Some(dot) => next = dot,
                None => return found,
            }
        }
    }
}

fn in_a_labels(rule: &str) -> String {
    let label =
        |label: &str| if label.is_ascii() { label.to_owned() } else { format!("xn--{}", punycode::encode(label)) };
    rule.split('.').map(label).collect::<Vec<_>>().join(".")
}

/// FNV-1a: the names are short and the table is ours, so a hash that resists attackers would only be slower.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Registered domain, top-level domain and subdomain, joined; empty when there is none.
    fn parts(domain: &str) -> String {
        let parts = PublicSuffixes::get().parts(domain.as_bytes());
        parts.map_or_else(String::new, |parts| {
            let of = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            let subdomain = parts.subdomain.map(of).unwrap_or("-".to_owned());
            format!("{} {} {subdomain}", of(parts.registered_domain), of(parts.top_level_domain))
        })
    }

    #[test]
    fn a_domain_is_taken_apart_at_its_public_suffix() {
        for (domain, expected) in [
            ("example.com", "example.com com -"),
            ("www.example.com", "example.com com www"),
            ("a.b.example.com", "example.com com a.b"),
            ("mail.example.co.uk", "example.co.uk co.uk mail"),
            ("co.uk", ""),
            ("com", ""),
            ("uk", ""),
        ] {
            assert_eq!(parts(domain), expected, "{domain}");
        }
    }

    #[test]
    fn wildcards_and_exceptions_are_followed() {
        for (domain, expected) in [
            ("ck", ""),
            ("b.ck", ""),
            ("a.b.ck", "a.b.ck b.ck -"),
            ("x.a.b.ck", "a.b.ck b.ck x"),
            ("www.ck", "www.ck ck -"),
            ("x.www.ck", "www.ck ck x"),
            ("kobe.jp", "kobe.jp jp -"),
            ("c.kobe.jp", ""),
            ("b.c.kobe.jp", "b.c.kobe.jp c.kobe.jp -"),
            ("city.kobe.jp", "city.kobe.jp kobe.jp -"),
            ("www.city.kobe.jp", "city.kobe.jp kobe.jp www"),
            ("sch.uk", "sch.uk uk -"),
            ("a.b.sch.uk", "a.b.sch.uk b.sch.uk -"),
        ] {
            assert_eq!(parts(domain), expected, "{domain}");
        }
    }

    #[test]
    fn only_explicit_icann_rules_count() {
        for (domain, expected) in [
            ("host.corp", ""),
            ("localhost", ""),
            ("foo.github.io", "github.io io foo"),
            ("x.blogspot.com", "blogspot.com com x"),
            ("[192.0.2.1]", ""),
            ("192.0.2.1", ""),
        ] {
            assert_eq!(parts(domain), expected, "{domain}");
        }
    }

    #[test]
    fn one_dot_at_the_end_is_ignored_and_an_empty_label_gives_none() {
        for (domain, expected) in [
            ("www.example.com.", "example.com com www"),
            ("www.example.com..", ""),
            ("www..example.com", ""),
            (".example.com", ""),
            (".", ""),
            ("", ""),
            ("com.", ""),
        ] {
            assert_eq!(parts(domain), expected, "{domain}");
        }
    }

    #[test]
    fn labels_match_in_either_form_but_not_mixed() {
        for (domain, expected) in [
            ("x.公司.cn", "x.公司.cn 公司.cn -"),
            ("x.xn--55qx5d.cn", "x.xn--55qx5d.cn xn--55qx5d.cn -"),
            ("xn--85x722f.公司.cn", "xn--85x722f.公司.cn 公司.cn -"),
            ("a.bø.nordland.no", "a.bø.nordland.no bø.nordland.no -"),
            ("a.xn--b-5ga.nordland.no", "a.xn--b-5ga.nordland.no xn--b-5ga.nordland.no -"),
            ("a.BØ.nordland.no", "nordland.no no a.BØ"),
            ("a.sande.møre-og-romsdal.no", "a.sande.møre-og-romsdal.no sande.møre-og-romsdal.no -"),
            ("a.herøy.møre-og-romsdal.no", "a.herøy.møre-og-romsdal.no herøy.møre-og-romsdal.no -"),
            (
                "a.xn--hery-ira.xn--mre-og-romsdal-qqb.no",
                "a.xn--hery-ira.xn--mre-og-romsdal-qqb.no xn--hery-ira.xn--mre-og-romsdal-qqb.no -",
            ),
            ("a.herøy.xn--mre-og-romsdal-qqb.no", "xn--mre-og-romsdal-qqb.no no a.herøy"),
        ] {
            assert_eq!(parts(domain), expected, "{domain}");
        }
    }

    #[test]
    fn a_domain_of_any_length_is_looked_at_once() {
        for domain in ["a.".repeat(2_000_000), "a".repeat(4_000_000), ".".repeat(4_000_000)] {
            assert_eq!(parts(&domain), "");
        }
    }

    #[test]
    fn the_list_names_its_version_and_licence() {
        assert!(LIST.contains("Mozilla Public") && LIST.contains("// VERSION: "));
        let rules = LIST.lines().filter(|line| !line.is_empty() && !line.starts_with("//"));
        assert!(rules.count() > 6_000);
    }
}
