//! Where a letter lies. Pure.

use std::fmt;

use crate::config::is_topic;
use crate::record::parse_decimal;

/// A partition of one of the dead-letter topics that are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Log {
    /// The topic's number among [`super::topics::Topics`].
    pub topic: u16,
    pub partition: i32,
}

/// A letter's own place. How people see it is a matter of [`super::topics::Topics`], which has the names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The topic's number among [`super::topics::Topics`].
    pub topic: u16,
    pub partition: i32,
    pub offset: i64,
}

impl Place {
    pub fn log(self) -> Log {
        Log { topic: self.topic, partition: self.partition }
    }
}

/// A place as people write it: `3:1234`, and `messagetrace.dlq/3:1234` where several topics are looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    pub topic: Option<String>,
    pub partition: i32,
    pub offset: i64,
}

impl Written {
    pub fn parse(text: &str) -> Result<Self, String> {
        let number = |text| i64::try_from(parse_decimal(text)?).ok();
        let (topic, place) = match text.rsplit_once('/') {
            Some((topic, place)) => (Some(topic), place),
            None => (None, text),
        };
        let place = place.split_once(':').and_then(|(partition, offset)| {
            let partition = i32::try_from(number(partition)?).ok()?;
            Some(Self { topic: topic.map(str::to_owned), partition, offset: number(offset)? })
        });
        place.filter(|_| topic.is_none_or(is_topic)).ok_or_else(|| {
            "write partition and offset in the dead-letter topic, like 3:1234, or with the topic, like dlq/3:1234"
                .to_owned()
        })
    }
}

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(topic) = &self.topic {
            write!(f, "{topic}/")?;
        }
        write!(f, "{}:{}", self.partition, self.offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_is_printed() {
        for (text, topic) in [("3:1234", None), ("a.dlq/3:1234", Some("a.dlq".to_owned()))] {
            let place = Written { topic, partition: 3, offset: 1234 };
            assert_eq!((Written::parse(text).as_ref(), place.to_string().as_str()), (Ok(&place), text));
        }
        let wrong = ["", "3", ":1", "3:", "3:1:2", "-3:1", "3:+1", "2147483648:0", "3/1", "/3:1", "a/b/3:1", "a b/3:1"];
        for text in wrong {
            assert!(Written::parse(text).is_err(), "{text}");
        }
    }
}
