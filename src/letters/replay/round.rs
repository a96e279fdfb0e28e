//! How far a replay goes and how far it has come. Pure.
//!
//! A round ends where the dead-letter topic ended when it began: a letter that fails again is written behind that end, so
//! a replay never chases its own tail. The end of each partition is kept with the progress, in the metadata of the
//! committed offset; a process that comes after a kill finds both. When a round is through, the same call begins the
//! next one, with what was written since.

use std::collections::BTreeMap;

use crate::letters::coordinates::Log;

/// Before the end, in the metadata.
const PREFIX: &str = "to=";

/// What the group has committed of one partition of a dead-letter topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed {
    pub offset: i64,
    /// The end of its round; `None`: somebody else wrote it.
    pub end: Option<i64>,
}

impl Committed {
    pub fn new(offset: i64, metadata: &str) -> Self {
        let end = metadata.strip_prefix(PREFIX).and_then(|end| end.parse().ok());
        Self { offset, end }
    }
}

/// The metadata that keeps an end.
pub fn metadata(end: i64) -> String {
    format!("{PREFIX}{end}")
}

/// Offsets `from..to` of a partition of a dead-letter topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub log: Log,
    pub from: i64,
    pub to: i64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Round {
    /// By partition.
    pub spans: Vec<Span>,
    /// An earlier process began it.
    pub resumed: bool,
}

/// What is left to do of the selected stretch `found`.
pub fn round(found: &[Span], committed: &BTreeMap<Log, Committed>) -> Round {
    let of = |span: &Span| committed.get(&span.log).copied();
    let resumed = found.iter().filter_map(of).any(|done| done.end.is_some_and(|end| done.offset < end));
    let spans = found.iter().map(|span| match of(span) {
        Some(done) if resumed => {
            let from = done.offset.max(span.from);
            Span { from, to: done.end.unwrap_or(from).min(span.to).max(from), ..*span }
        }
        // A partition that is younger than the round.
        None if resumed => Span { to: span.from, ..*span },
        Some(done) => Span { from: done.offset.clamp(span.from, span.to), ..*span },
        None => *span,
    });
    Round { spans: spans.collect(), resumed }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(partition: i32) -> Log {
        Log { topic: 0, partition }
    }

    #[test]
    fn a_round_ends_where_it_began_to_end_and_the_next_takes_what_came_since() {
        let span = |from, to| Span { log: log(0), from, to };
        let done = |offset, end| Some(Committed { offset, end });
        let cases = [
            ("nothing was sent yet", span(3, 20), None, span(3, 20), false),
            ("killed on the way, the topic has grown", span(3, 20), done(7, Some(12)), span(7, 12), true),
            ("killed before the first letter", span(3, 20), done(3, Some(12)), span(3, 12), true),
            ("retention took a part", span(9, 20), done(7, Some(12)), span(9, 12), true),
            ("retention took all of it", span(15, 20), done(7, Some(12)), span(15, 15), true),
            ("through, nothing new", span(3, 12), done(12, Some(12)), span(12, 12), false),
            ("through, the topic has grown", span(3, 20), done(12, Some(12)), span(12, 20), false),
            ("committed by somebody else", span(3, 20), done(12, None), span(12, 20), false),
            ("the topic was made anew", span(0, 4), done(12, Some(12)), span(4, 4), false),
        ];
        for (what, found, committed, expected, resumed) in cases {
            let committed = committed.into_iter().map(|committed| (log(0), committed)).collect();
            assert_eq!(round(&[found], &committed), Round { spans: vec![expected], resumed }, "{what}");
        }
    }

    #[test]
    fn one_partition_on_the_way_keeps_the_others_at_their_ends() {
        let found = [0, 1, 2].map(|partition| Span { log: log(partition), from: 0, to: 50 });
        let committed =
            [(log(0), Committed { offset: 10, end: Some(10) }), (log(1), Committed { offset: 4, end: Some(10) })];
        let round = round(&found, &committed.into_iter().collect());
        let ends: Vec<_> = round.spans.iter().map(|span| (span.from, span.to)).collect();
        assert_eq!((ends, round.resumed), (vec![(10, 10), (4, 10), (0, 0)], true));
    }

    #[test]
    fn an_end_is_read_as_it_is_written() {
        let cases = [(metadata(7), Some(7)), (String::new(), None), ("to=".to_owned(), None), ("x".to_owned(), None)];
        for (text, end) in cases {
            assert_eq!(Committed::new(3, &text), Committed { offset: 3, end });
        }
    }
}
