//! Values that carry their meaning in their type: sizes with units, secrets that never show, raw properties.

use std::borrow::Cow;
use std::collections::{BTreeMap, btree_map};
use std::fmt;
use std::ops::Deref;
use std::path::{Path, PathBuf};

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

impl ByteSize {
    pub const fn mib(mib: u64) -> Self {
        Self(mib * 1024 * 1024)
    }

    pub const fn bytes(self) -> u64 {
        self.0
    }
}

/// A text that no log line, error, `Debug` or panic ever shows, and the file that it was read from, if any.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    text: String,
    file: Option<PathBuf>,
}

/// What stands in a secret's place wherever it would show.
pub const REDACTED: &str = "[redacted]";

impl Secret {
    pub fn new(secret: impl Into<String>) -> Self {
        Self { text: secret.into(), file: None }
    }

    pub fn read_from(path: &Path, text: impl Into<String>) -> Self {
        Self { text: text.into(), file: Some(path.to_owned()) }
    }

    /// Where it can be read again.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// The text itself. Only for handing to the library that needs it.
    pub fn reveal(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

/// Raw librdkafka properties, in the order of their names. `Debug` hides the values of those that hold secrets.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Properties(BTreeMap<String, String>);

impl Properties {
    /// Whether the value of this property must never be shown, judged by its name. librdkafka gives no such list, so
    /// it is rather one too many; the names of files and the switches that only sound secret are let through.
    pub fn is_secret(name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        let sounds_secret =
            ["password", "secret", "token", "key.pem", "private.key", "passphrase", "jaas", "oauthbearer.config"]
                .iter()
                .any(|word| name.contains(word));
        let is_public = [".location", ".url", ".file", ".method"].iter().any(|end| name.ends_with(end));
        sounds_secret && !is_public
    }

    /// The value of this property as far as it may be shown.
    pub fn shown<'a>(name: &str, value: &'a str) -> Cow<'a, str> {
        if Self::is_secret(name) { REDACTED.into() } else { without_login(value) }
    }
}

/// The text without the login that somebody put into an address: `https://user:password@host`, or the same without the
/// protocol. Up to the last `@`, because a password may hold any character.
pub fn without_login(text: &str) -> Cow<'_, str> {
    let Some((before, host)) = text.rsplit_once('@') else { return text.into() };
    match before.split_once("://") {
        Some((protocol, _)) => format!("{protocol}://{REDACTED}@{host}").into(),
        None if before.contains(':') => format!("{REDACTED}@{host}").into(),
        // A name alone, as in a mail address.
        None => text.into(),
    }
}

impl Deref for Properties {
    type Target = BTreeMap<String, String>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl FromIterator<(String, String)> for Properties {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(entries: I) -> Self {
        Self(entries.into_iter().collect())
    }
}

impl<'a> IntoIterator for &'a Properties {
    type Item = (&'a String, &'a String);
    type IntoIter = btree_map::Iter<'a, String, String>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl fmt::Debug for Properties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.0.iter().map(|(name, value)| (name, Self::shown(name, value)))).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_shows_nowhere_but_where_it_is_revealed() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret:?} {:?} {:#?}", Some(&secret), [&secret]).matches("hunter2").count(), 0);
        assert_eq!(secret.reveal(), "hunter2");
    }

    #[test]
    fn properties_hide_the_values_of_those_that_hold_secrets() {
        let logins = [
            ("https://u:canary@host/x", "https://[redacted]@host/x"),
            ("https://canary@host/x", "https://[redacted]@host/x"),
            ("u:c/an@ary@host:1", "[redacted]@host:1"),
            ("user@example.com", "user@example.com"),
            ("https://host/x", "https://host/x"),
            ("a:1,b:2", "a:1,b:2"),
        ];
        for (text, shown) in logins {
            assert_eq!(without_login(text), shown);
        }
        for (name, secret) in [
            ("sasl.password", true),
            ("ssl.key.password", true),
            ("ssl.keystore.password", true),
            ("ssl.key.pem", true),
            ("sasl.oauthbearer.client.secret", true),
            ("sasl.oauthbearer.config", true),
            ("sasl.oauthbearer.token.endpoint.url", false),
            ("ssl.key.location", false),
            ("linger.ms", false),
        ] {
            let properties: Properties = [(name.to_owned(), "canary".to_owned())].into_iter().collect();
            assert_eq!(!format!("{properties:?}").contains("canary"), secret, "{name}");
        }
    }
}
