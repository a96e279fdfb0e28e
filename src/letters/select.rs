//! Which dead letters are meant. Pure: a letter goes in, yes or no comes out. The flags that say it stand here too: the
//! command line and the addresses of web pages are read by the same ones.
//!
//! Topic, partition and offsets are those of the records that were rejected: an incident is known by its source. Times
//! are those of the rejections, the letters' own timestamps. Every stretch begins with its first value and ends before
//! its second.

use clap::Args;

use crate::dead_letter::{Decoded, NotOurs};
use crate::time_range::TimeBound;

/// Which dead letters; without any of it, all.
#[derive(Args, Clone, Debug, Default)]
pub struct SelectionArgs {
    /// Rejected at this time or later: RFC 3339, or how long ago (90s, 30m, 2h, 7d).
    #[arg(long, value_name = "TIME", value_parser = TimeBound::parse)]
    pub from: Option<TimeBound>,
    /// Rejected before this time.
    #[arg(long, value_name = "TIME", value_parser = TimeBound::parse)]
    pub to: Option<TimeBound>,
    /// Of records that were read from this topic.
    #[arg(long, value_name = "TOPIC")]
    pub topic: Option<String>,
    /// Of records that were read from this partition.
    #[arg(long, value_name = "P", value_parser = clap::value_parser!(i32).range(0..))]
    pub partition: Option<i32>,
    /// Of records that were read at this offset of the partition or later.
    #[arg(long, value_name = "N", requires = "partition", value_parser = clap::value_parser!(i64).range(0..))]
    pub from_offset: Option<i64>,
    /// Of records that were read before this offset of the partition.
    #[arg(long, value_name = "N", requires = "partition", value_parser = clap::value_parser!(i64).range(0..))]
    pub to_offset: Option<i64>,
    /// Of this kind; may be repeated.
    #[arg(long = "kind", value_name = "KIND")]
    pub kinds: Vec<String>,
    /// With this fingerprint; may be repeated.
    #[arg(long = "fingerprint", value_name = "HEX")]
    pub fingerprints: Vec<String>,
    /// At most so many, the first ones in the order of `dlq list`.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: Option<u64>,
}

/// What a letter must be like; nothing set: any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    pub from_ms: Option<i64>,
    pub to_ms: Option<i64>,
    pub topic: Option<String>,
    pub partition: Option<i32>,
    pub from_offset: Option<i64>,
    pub to_offset: Option<i64>,
    pub kinds: Vec<String>,
    pub fingerprints: Vec<String>,
}

impl Selection {
    pub fn new(args: &SelectionArgs, now_ms: i64) -> Self {
        Self {
            from_ms: args.from.map(|from| from.resolve(now_ms)),
            to_ms: args.to.map(|to| to.resolve(now_ms)),
            topic: args.topic.clone(),
            partition: args.partition,
            from_offset: args.from_offset,
            to_offset: args.to_offset,
            kinds: args.kinds.clone(),
            fingerprints: args.fingerprints.clone(),
        }
    }

    /// Whether a record of the dead-letter topic is meant. One that is no dead letter has a time and nothing else.
    pub fn takes(&self, timestamp_ms: Option<i64>, letter: Result<&Decoded<'_>, &NotOurs>) -> bool {
        if !within(timestamp_ms, self.from_ms, self.to_ms) {
            return false;
        }
        match letter {
            Ok(letter) => self.takes_letter(letter),
            Err(_) => self.asks_for_times_only(),
        }
    }

    fn takes_letter(&self, letter: &Decoded<'_>) -> bool {
        let source = letter.source;
        let is_one_of = |wanted: &[String], found: Option<&str>| {
            wanted.is_empty() || found.is_some_and(|found| wanted.iter().any(|wanted| wanted == found))
        };
        self.topic.as_ref().is_none_or(|topic| topic == source.topic)
            && self.partition.is_none_or(|partition| partition == source.partition)
            && within(Some(source.offset), self.from_offset, self.to_offset)
            && is_one_of(&self.kinds, Some(letter.kind))
            && is_one_of(&self.fingerprints, letter.fingerprint)
    }

    fn asks_for_times_only(&self) -> bool {
        *self == Self { from_ms: self.from_ms, to_ms: self.to_ms, ..Self::default() }
    }
}

/// What has no value lies in no stretch that is bounded.
fn within(value: Option<i64>, from: Option<i64>, to: Option<i64>) -> bool {
    let Some(value) = value else { return from.is_none() && to.is_none() };
    from.is_none_or(|from| value >= from) && to.is_none_or(|to| value < to)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dead_letter::decode;
    use crate::record::Header;

    const TIME_MS: i64 = 1_000;

    fn takes(selection: &Selection) -> bool {
        let header =
            |name: &'static str, value: &'static str| Header { name: name.as_bytes(), value: Some(value.as_bytes()) };
        let headers = [
            header("dlq.error.kind", "api_error"),
            header("dlq.error.fingerprint", "00ff"),
            header("dlq.source.topic", "mail"),
            header("dlq.source.partition", "3"),
            header("dlq.source.offset", "70"),
        ];
        selection.takes(Some(TIME_MS), decode(&headers).as_ref())
    }

    #[test]
    fn a_letter_is_taken_when_it_fits_everything_that_was_asked_for() {
        let all = Selection::default;
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let cases = [
            ("anything", all(), true),
            ("its time", Selection { from_ms: Some(TIME_MS), to_ms: Some(TIME_MS + 1), ..all() }, true),
            ("a later time", Selection { from_ms: Some(TIME_MS + 1), ..all() }, false),
            ("before its time", Selection { to_ms: Some(TIME_MS), ..all() }, false),
            ("its topic", Selection { topic: Some("mail".to_owned()), ..all() }, true),
            ("another topic", Selection { topic: Some("mai".to_owned()), ..all() }, false),
            ("its partition", Selection { partition: Some(3), ..all() }, true),
            ("another partition", Selection { partition: Some(0), ..all() }, false),
            ("its offset", Selection { from_offset: Some(70), to_offset: Some(71), ..all() }, true),
            ("a later offset", Selection { from_offset: Some(71), ..all() }, false),
            ("before its offset", Selection { to_offset: Some(70), ..all() }, false),
            ("its kind", Selection { kinds: names(&["invalid_json", "api_error"]), ..all() }, true),
            ("another kind", Selection { kinds: names(&["invalid_json"]), ..all() }, false),
            ("its fingerprint", Selection { fingerprints: names(&["00ff"]), ..all() }, true),
            ("another fingerprint", Selection { fingerprints: names(&["00fe"]), ..all() }, false),
            ("two, one of them not", Selection { partition: Some(3), kinds: names(&["x"]), ..all() }, false),
        ];
        for (what, selection, expected) in cases {
            assert_eq!(takes(&selection), expected, "{what}");
        }
    }

    #[test]
    fn what_is_no_dead_letter_has_a_time_alone() {
        let no_letter = NotOurs::Missing("dlq.error.kind");
        let timed = Selection { from_ms: Some(500), ..Selection::default() };
        let of_topic = Selection { topic: Some("mail".to_owned()), ..Selection::default() };
        let cases = [
            (&Selection::default(), None, true),
            (&timed, Some(500), true),
            (&timed, Some(499), false),
            (&timed, None, false),
            (&of_topic, Some(500), false),
        ];
        for (selection, timestamp_ms, expected) in cases {
            assert_eq!(selection.takes(timestamp_ms, Err(&no_letter)), expected, "{selection:?} {timestamp_ms:?}");
        }
    }
}
