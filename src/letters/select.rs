//! Which dead letters are meant. Pure: a letter goes in, yes or no comes out. The flags that say it stand here too: the
//! command line and the addresses of web pages are read by the same ones.
//!
//! Topic, partition and offsets are those of the records that were rejected: an incident is known by its source. Times
//! are those of the rejections, the letters' own timestamps, or those of the records themselves. Every stretch begins with its first value and ends before
//! its second.

use clap::Args;

use crate::dead_letter::{Decoded, NotOurs};
use crate::record::{Section, is_within};
use crate::text::whole;
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
    /// Of records that are themselves of this time or later.
    #[arg(long, value_name = "TIME", value_parser = TimeBound::parse)]
    pub source_from: Option<TimeBound>,
    /// Of records that are themselves of before this time.
    #[arg(long, value_name = "TIME", value_parser = TimeBound::parse)]
    pub source_to: Option<TimeBound>,
    /// Of records that were read from this topic.
    #[arg(long, value_name = "TOPIC")]
    pub topic: Option<String>,
    /// Of records that were read from this partition.
    #[arg(long, value_name = "P")]
    #[arg(value_parser = |text: &str| whole::<i32>(text, 0, i32::MAX))]
    pub partition: Option<i32>,
    /// Of records that were read at this offset of the partition or later.
    #[arg(long, value_name = "N", requires = "partition")]
    #[arg(value_parser = |text: &str| whole::<i64>(text, 0, i64::MAX))]
    pub from_offset: Option<i64>,
    /// Of records that were read before this offset of the partition.
    #[arg(long, value_name = "N", requires = "partition")]
    #[arg(value_parser = |text: &str| whole::<i64>(text, 0, i64::MAX))]
    pub to_offset: Option<i64>,
    /// Of this kind; may be repeated.
    #[arg(long = "kind", value_name = "KIND")]
    pub kinds: Vec<String>,
    /// With this fingerprint; may be repeated.
    #[arg(long = "fingerprint", value_name = "HEX")]
    pub fingerprints: Vec<String>,
    /// At most so many, the first ones in the order of `dlq list`.
    #[arg(long, value_name = "N")]
    #[arg(value_parser = |text: &str| whole::<u64>(text, 1, u64::MAX))]
    pub limit: Option<u64>,
}

/// What a letter must be like; nothing set: any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// The places of the records, the times of the rejections.
    pub section: Section,
    pub source_from_ms: Option<i64>,
    pub source_to_ms: Option<i64>,
    pub kinds: Vec<String>,
    pub fingerprints: Vec<String>,
}

impl Selection {
    pub fn new(args: &SelectionArgs, now_ms: i64) -> Self {
        Self {
            section: Section {
                topic: args.topic.clone(),
                partition: args.partition,
                from_offset: args.from_offset,
                to_offset: args.to_offset,
                from_ms: args.from.map(|from| from.resolve(now_ms)),
                to_ms: args.to.map(|to| to.resolve(now_ms)),
            },
            source_from_ms: args.source_from.map(|from| from.resolve(now_ms)),
            source_to_ms: args.source_to.map(|to| to.resolve(now_ms)),
            kinds: args.kinds.clone(),
            fingerprints: args.fingerprints.clone(),
        }
    }

    /// Whether a record of the dead-letter topic is meant. One that is no dead letter has a time and nothing else.
    pub fn takes(&self, timestamp_ms: Option<i64>, letter: Result<&Decoded<'_>, &NotOurs>) -> bool {
        let source_ms = letter.ok().and_then(|letter| letter.source_timestamp_ms);
        self.section.has_time(timestamp_ms)
            && is_within(source_ms, self.source_from_ms, self.source_to_ms)
            && self.takes_at_any_time(letter)
    }

    /// The same, whenever it was rejected and whatever its record's time.
    pub fn takes_at_any_time(&self, letter: Result<&Decoded<'_>, &NotOurs>) -> bool {
        match letter {
            Ok(letter) => self.takes_letter(letter),
            Err(_) => self.asks_for_times_only(),
        }
    }

    /// Whether nothing but a time that satisfies `is_impossible` can leave a letter out: its own, or its record's.
    pub fn is_lost_by_its_time(
        &self,
        timestamp_ms: Option<i64>,
        letter: Result<&Decoded<'_>, &NotOurs>,
        is_impossible: impl Fn(Option<i64>) -> bool,
    ) -> bool {
        let source_ms = letter.ok().and_then(|letter| letter.source_timestamp_ms);
        let asks = |from: Option<i64>, to: Option<i64>| from.is_some() || to.is_some();
        let own = asks(self.section.from_ms, self.section.to_ms) && is_impossible(timestamp_ms);
        let source = asks(self.source_from_ms, self.source_to_ms) && is_impossible(source_ms);
        let fits = own || self.section.has_time(timestamp_ms);
        let source_fits = source || is_within(source_ms, self.source_from_ms, self.source_to_ms);
        (own || source) && fits && source_fits && self.takes_at_any_time(letter)
    }

    fn takes_letter(&self, letter: &Decoded<'_>) -> bool {
        let is_one_of = |wanted: &[String], found: Option<&str>| {
            wanted.is_empty() || found.is_some_and(|found| wanted.iter().any(|wanted| wanted == found))
        };
        self.section.has_place(letter.source)
            && is_one_of(&self.kinds, Some(letter.kind))
            && is_one_of(&self.fingerprints, letter.fingerprint)
    }

    fn asks_for_times_only(&self) -> bool {
        let Section { from_ms, to_ms, .. } = self.section;
        *self == Self { section: Section { from_ms, to_ms, ..Section::default() }, ..Self::default() }
    }
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
            header("dlq.source.timestamp", "1970-01-01T00:00:02.000Z"),
        ];
        selection.takes(Some(TIME_MS), decode(&headers).as_ref())
    }

    #[test]
    fn a_letter_is_taken_when_it_fits_everything_that_was_asked_for() {
        let (all, any) = (Selection::default, Section::default);
        let of = |section| Selection { section, ..all() };
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let cases = [
            ("anything", all(), true),
            ("its time", of(Section { from_ms: Some(TIME_MS), to_ms: Some(TIME_MS + 1), ..any() }), true),
            ("a later time", of(Section { from_ms: Some(TIME_MS + 1), ..any() }), false),
            ("before its time", of(Section { to_ms: Some(TIME_MS), ..any() }), false),
            ("its topic", of(Section { topic: Some("mail".to_owned()), ..any() }), true),
            ("another topic", of(Section { topic: Some("mai".to_owned()), ..any() }), false),
            ("its partition", of(Section { partition: Some(3), ..any() }), true),
            ("another partition", of(Section { partition: Some(0), ..any() }), false),
            ("its offset", of(Section { from_offset: Some(70), to_offset: Some(71), ..any() }), true),
            ("a later offset", of(Section { from_offset: Some(71), ..any() }), false),
            ("before its offset", of(Section { to_offset: Some(70), ..any() }), false),
            ("its kind", Selection { kinds: names(&["invalid_json", "api_error"]), ..all() }, true),
            ("another kind", Selection { kinds: names(&["invalid_json"]), ..all() }, false),
            ("its fingerprint", Selection { fingerprints: names(&["00ff"]), ..all() }, true),
            ("another fingerprint", Selection { fingerprints: names(&["00fe"]), ..all() }, false),
            ("its record's time", Selection { source_from_ms: Some(2_000), source_to_ms: Some(2_001), ..all() }, true),
            ("a later record", Selection { source_from_ms: Some(2_001), ..all() }, false),
            ("an earlier record", Selection { source_to_ms: Some(2_000), ..all() }, false),
            (
                "two, one of them not",
                Selection {
                    section: Section { partition: Some(3), ..Section::default() },
                    kinds: names(&["x"]),
                    ..all()
                },
                false,
            ),
        ];
        for (what, selection, expected) in cases {
            assert_eq!(takes(&selection), expected, "{what}");
        }
    }

    #[test]
    fn what_is_no_dead_letter_has_a_time_alone() {
        let no_letter = NotOurs::Missing("dlq.error.kind");
        let timed = Selection { section: Section { from_ms: Some(500), ..Section::default() }, ..Selection::default() };
        let of_topic = Selection {
            section: Section { topic: Some("mail".to_owned()), ..Section::default() },
            ..Selection::default()
        };
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
