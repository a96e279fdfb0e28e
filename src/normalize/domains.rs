//! Mail domains: cut out of an address, and told apart into ours and others.

use std::borrow::Cow;
use std::collections::HashSet;

/// A mail address with a domain.
#[derive(Debug)]
pub(super) struct Address<'a> {
    /// The part before the last `@`, as received; may be empty.
    pub local_part: &'a [u8],
    /// The part after it, lower-cased; never empty.
    pub domain: Cow<'a, [u8]>,
}

impl<'a> Address<'a> {
    /// `None` when there is no `@`, or nothing after it.
    pub fn of(address: &'a [u8]) -> Option<Self> {
        let at = memchr::memrchr(b'@', address)?;
        let (local_part, domain) = (address.get(..at)?, address.get(at + 1..)?);
        if domain.is_empty() {
            return None;
        }
        let domain = match domain.iter().any(u8::is_ascii_uppercase) {
            true => Cow::Owned(domain.to_ascii_lowercase()),
            false => Cow::Borrowed(domain),
        };
        Some(Self { local_part, domain })
    }
}

/// Where a message goes, seen from our own domains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Internal,
    Outbound,
    Inbound,
    External,
}

impl Direction {
    pub fn name(self) -> &'static str {
        match self {
            Self::Internal => "internal",
            Self::Outbound => "outbound",
            Self::Inbound => "inbound",
            Self::External => "external",
        }
    }
}

/// Our own mail domains.
#[derive(Debug, Default)]
pub(super) struct LocalDomains {
    exact: HashSet<Vec<u8>>,
    /// What a subdomain ends with, the dot included.
    endings: Vec<Vec<u8>>,
}

impl LocalDomains {
    /// Of `example.com` and `*.example.com`, which stands for subdomains of any depth but not for `example.com`.
    pub fn new(domains: &[String]) -> Self {
        let mut local = Self::default();
        for domain in domains {
            let domain = domain.to_ascii_lowercase().into_bytes();
            match domain.strip_prefix(b"*") {
                Some(ending) if ending.starts_with(b".") => local.endings.push(ending.to_vec()),
                _ => {
                    local.exact.insert(domain);
                }
            }
        }
        local
    }

    /// `None` when no local domain is set or one of the domains is not known. Domains are lower-case.
    pub fn direction(&self, sender: Option<&[u8]>, recipient: Option<&[u8]>) -> Option<Direction> {
        if self.exact.is_empty() && self.endings.is_empty() {
            return None;
        }
        Some(match (self.holds(sender?), self.holds(recipient?)) {
            (true, true) => Direction::Internal,
            (true, false) => Direction::Outbound,
            (false, true) => Direction::Inbound,
            (false, false) => Direction::External,
        })
    }

    fn holds(&self, domain: &[u8]) -> bool {
        self.exact.contains(domain)
            || self.endings.iter().any(|ending| domain.len() > ending.len() && domain.ends_with(ending))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_at_sign_divides_an_address() {
        for (address, expected) in [
            ("bob@Example.COM", Some(("bob", "example.com"))),
            ("a@b@c", Some(("a@b", "c"))),
            ("\"a@b\"@c", Some(("\"a@b\"", "c"))),
            ("@c", Some(("", "c"))),
            ("BÖB@BÜCHER.example", Some(("BÖB", "bÜcher.example"))),
            ("a@", None),
            ("a", None),
            ("", None),
        ] {
            let found = Address::of(address.as_bytes());
            let expected = expected.map(|(local, domain)| (local.as_bytes(), domain.as_bytes().to_vec()));
            assert_eq!(found.map(|found| (found.local_part, found.domain.into_owned())), expected, "{address}");
        }
    }

    #[test]
    fn both_domains_decide_the_direction() {
        let local = LocalDomains::new(&["Example.com".to_owned(), "*.example.ORG".to_owned()]);
        for (sender, recipient, expected) in [
            ("example.com", "a.example.org", Some("internal")),
            ("example.com", "a.b.example.org", Some("internal")),
            ("example.com", "example.org", Some("outbound")),
            ("example.com", "example.com.", Some("outbound")),
            ("mail.example.com", "example.com", Some("inbound")),
            ("notexample.com", "myexample.org", Some("external")),
            (".example.org", "x", Some("external")),
            ("", "example.com", None),
            ("example.com", "", None),
        ] {
            let known = |domain: &'static str| (!domain.is_empty()).then_some(domain.as_bytes());
            let found = local.direction(known(sender), known(recipient));
            assert_eq!(found.map(Direction::name), expected, "{sender} to {recipient}");
        }
        assert_eq!(LocalDomains::new(&[]).direction(Some(b"a"), Some(b"b")), None);
    }
}
