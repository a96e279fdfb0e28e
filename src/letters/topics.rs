//! The dead-letter topics that are looked at: which are meant, their names and numbers, and how a place in them is written.
//! Pure.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use super::coordinates::{Place, Written};
use crate::config::is_topic;
use crate::record::Coordinates;

/// Topics that are looked at, at most: each partition costs a look-up.
pub const MAX_TOPICS: usize = 1000;

/// Names that are said of several.
const SAID: usize = 3;

/// A topic's name, or a pattern of names in which `*` stands for any characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pattern(String);

impl Pattern {
    pub fn parse(text: &str) -> Result<Self, String> {
        // What stands for any characters may stand for one that is allowed.
        if is_topic(&text.replace('*', "a")) {
            Ok(Self(text.to_owned()))
        } else {
            Err("write a topic's name, in which * stands for any characters, like '*.dlq'".to_owned())
        }
    }

    pub fn name(&self) -> Option<&str> {
        (!self.0.contains('*')).then_some(&self.0)
    }

    pub fn fits(&self, name: &str) -> bool {
        let mut parts = self.0.split('*');
        let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else { return false };
        let mut parts: Vec<&str> = parts.collect();
        let Some(last) = parts.pop() else { return rest.is_empty() };
        for part in parts {
            let Some(at) = rest.find(part) else { return false };
            rest = &rest[at + part.len()..];
        }
        rest.ends_with(last)
    }

    /// Topics that Kafka keeps for itself are meant only by whoever says so.
    pub fn is_of_kafka(&self) -> bool {
        self.0.starts_with("__")
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// In the order of their names, each once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topics(Vec<Arc<str>>);

impl Topics {
    pub fn new<'n>(names: impl IntoIterator<Item = &'n str>) -> Self {
        let names: BTreeSet<&str> = names.into_iter().take(MAX_TOPICS).collect();
        Self(names.into_iter().map(Arc::from).collect())
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|name| &**name)
    }

    /// The name of a number that came from here.
    pub fn name(&self, number: u16) -> &str {
        self.0.get(usize::from(number)).map_or("", |name| name)
    }

    pub fn number(&self, name: &str) -> Option<u16> {
        self.0.binary_search_by(|own| (**own).cmp(name)).ok().and_then(|at| u16::try_from(at).ok())
    }

    /// The one topic, where there are no others.
    pub fn only(&self) -> Option<&str> {
        self.0.first().map(|name| &**name).filter(|_| !self.are_several())
    }

    pub fn are_several(&self) -> bool {
        self.0.len() > 1
    }

    /// The place that a letter names, if its topic is one of these.
    pub fn place(&self, at: Coordinates<'_>) -> Option<Place> {
        Some(Place { topic: self.number(at.topic)?, partition: at.partition, offset: at.offset })
    }

    /// `3:1234`, and with its topic where there are several.
    pub fn shown(&self, place: Place) -> String {
        let topic = self.are_several().then(|| self.name(place.topic).to_owned());
        Written { topic, partition: place.partition, offset: place.offset }.to_string()
    }

    pub fn find(&self, written: &Written) -> Result<Place, String> {
        let Written { partition, offset, .. } = *written;
        let topic = match &written.topic {
            Some(topic) => self.number(topic).ok_or_else(|| {
                format!("{topic} is none of the topics that are looked at: {self} (--dead-letters names others)")
            })?,
            None if self.are_several() => {
                return Err(format!(
                    "several topics are looked at: write its topic too, like {}/{written}",
                    self.name(0)
                ));
            }
            None => 0,
        };
        Ok(Place { topic, partition, offset })
    }
}

impl fmt::Display for Topics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (said, rest) = self.0.split_at(self.0.len().min(SAID));
        f.write_str(&said.join(", "))?;
        if rest.is_empty() { Ok(()) } else { write!(f, " and {} more", rest.len()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_characters() {
        let cases = [
            ("mail.dlq", "mail.dlq", true),
            ("mail.dlq", "mail.dlq2", false),
            ("*.dlq", "mail.dlq", true),
            ("*.dlq", "mail.dlq.old", false),
            ("mail.*", "mail.", true),
            ("mail.*", "mai", false),
            ("*", "anything", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "acb", false),
            ("a*a", "a", false),
            ("*a*a*", "aa", true),
            ("*a*a*", "a", false),
        ];
        for (pattern, name, fits) in cases {
            assert_eq!(Pattern::parse(pattern).unwrap().fits(name), fits, "{pattern} {name}");
        }
        for text in ["", "a b", "a/b", "[a]", "ä"] {
            assert!(Pattern::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_place_is_found_as_it_is_shown() {
        let (one, two) = (Topics::new(["a"]), Topics::new(["b", "a", "b"]));
        let written = |text: &str| Written::parse(text).unwrap();
        let place = |topic| Place { topic, partition: 3, offset: 7 };
        assert_eq!((one.shown(place(0)), two.shown(place(1))), ("3:7".to_owned(), "b/3:7".to_owned()));
        assert_eq!(one.find(&written("3:7")), Ok(place(0)));
        assert_eq!(one.find(&written("a/3:7")), Ok(place(0)));
        assert_eq!(two.find(&written("b/3:7")), Ok(place(1)));
        assert!(two.find(&written("3:7")).unwrap_err().ends_with("like a/3:7"));
        assert!(
            two.find(&written("c/3:7")).unwrap_err().starts_with("c is none of the topics that are looked at: a, b")
        );
        assert_eq!(Topics::new(["a", "b", "c", "d", "e"]).to_string(), "a, b, c and 2 more");
    }
}
