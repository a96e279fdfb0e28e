//! The newest letters first. A topic is read from its beginning whatever is wanted of it, so all of them are looked at, and of
//! each partition no more are held than are to be shown.

use std::collections::BTreeMap;
use std::io;
use std::ops::ControlFlow;

use indicatif::ProgressBar;

use super::coordinates::Place;
use super::read::{Letter, Letters};
use super::sink::Write;

/// How many are shown when nobody says.
pub const SHOWN: usize = 1000;

/// By time, then by place: in one millisecond the later one of a partition is the newer.
type Key = (Option<i64>, Place);

/// What is held, written out.
#[derive(Debug, Default)]
pub struct Newest {
    kept: BTreeMap<Key, Vec<u8>>,
    /// Beyond those that are kept.
    pub more: u64,
}

impl Newest {
    /// The newest `most` of the letters.
    pub fn of(letters: &Letters<'_>, most: usize, bar: &ProgressBar, write: &Write<'_>) -> anyhow::Result<Self> {
        let mut trouble = None;
        let parts = letters.read(
            bar,
            || (Self::default(), None),
            |(newest, trouble), letter| match newest.take(letter, most, write) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    *trouble = Some(error);
                    ControlFlow::Break(())
                }
            },
        )?;
        let mut all = Self::default();
        for (part, failed) in parts {
            trouble = trouble.or(failed);
            all.more += part.more;
            for (key, written) in part.kept {
                all.keep(key, most, || Ok(written))?;
            }
        }
        trouble.map_or(Ok(all), |error: io::Error| Err(error.into()))
    }

    fn take(&mut self, letter: &Letter<'_>, most: usize, write: &Write<'_>) -> io::Result<()> {
        self.keep((letter.record.timestamp_ms, letter.place()), most, || {
            let mut written = Vec::new();
            write(&mut written, letter)?;
            Ok(written)
        })
    }

    /// Writes it only when it is one of the newest so far.
    fn keep(&mut self, key: Key, most: usize, write: impl FnOnce() -> io::Result<Vec<u8>>) -> io::Result<()> {
        if self.kept.len() >= most {
            self.more += 1;
            if self.kept.first_key_value().is_none_or(|(oldest, _)| key < *oldest) {
                return Ok(());
            }
            self.kept.pop_first();
        }
        self.kept.insert(key, write()?);
        Ok(())
    }

    /// The newest first.
    pub fn written(&self) -> impl Iterator<Item = &[u8]> {
        self.kept.values().rev().map(Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_are_kept_and_the_others_counted() {
        let mut newest = Newest::default();
        for (ms, offset) in [(5, 0), (9, 1), (9, 2), (1, 3), (7, 4)] {
            let place = Place { topic: 0, partition: 0, offset };
            newest.keep((Some(ms), place), 3, || Ok(offset.to_string().into_bytes())).unwrap();
        }
        let shown: Vec<_> = newest.written().map(|text| String::from_utf8_lossy(text).into_owned()).collect();
        assert_eq!((shown.concat().as_str(), newest.more), ("214", 2));
    }
}
