//! Where a letter lies. Pure.

use std::fmt;

/// A letter's own place: partition and offset in the dead-letter topic, written `3:1234`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    pub partition: i32,
    pub offset: i64,
}

impl Place {
    pub fn parse(text: &str) -> Result<Self, String> {
        let number =
            |text: &str| Some(text).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?.parse().ok();
        let place = text.split_once(':').and_then(|(partition, offset)| {
            let partition = number(partition).and_then(|partition: i64| i32::try_from(partition).ok())?;
            Some(Self { partition, offset: number(offset)? })
        });
        place.ok_or_else(|| "write partition and offset in the dead-letter topic, like 3:1234".to_owned())
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}:{}", self.partition, self.offset))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_is_printed() {
        let place = Place { partition: 3, offset: 1234 };
        assert_eq!((Place::parse("3:1234"), place.to_string()), (Ok(place), "3:1234".to_owned()));
        for text in ["", "3", ":1", "3:", "3:1:2", "-3:1", "3:+1", "2147483648:0", "3/1"] {
            assert!(Place::parse(text).is_err(), "{text}");
        }
    }
}
