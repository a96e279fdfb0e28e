//! What this program's mapping says about a letter now: whether it would be taken if it were sent back as it is.

use std::fmt;

use crate::config::Config;
use crate::config::mapping;
use crate::dead_letter::Decoded;
use crate::normalize::{self, Kind, Normalizer, Outcomes, Record, Rejection};

use crate::terminal::table::counted;

use super::read::{Content, Letter};
use super::repair::{Failed, Repairs};

/// What became of a letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// Nothing is wrong with it any more.
    Fixed { events: usize },
    /// The same as before.
    Still(Rejection),
    /// Something else than before.
    Differently(Rejection),
    /// It cannot be told from the letter.
    Unknown(Unknown),
}

impl fmt::Display for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed { events } => write!(f, "would be taken: {}", counted(*events as u64, "event", "events")),
            Self::Unknown(unknown) => write!(f, "cannot be told: {}", unknown.reason()),
            Self::Still(rejection) => write!(f, "still {}: {}", rejection.kind, rejection.message),
            Self::Differently(rejection) => write!(f, "differently, {}: {}", rejection.kind, rejection.message),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unknown {
    /// The value was cut to fit the dead-letter topic.
    Truncated,
    /// The brokers refused the event, not the mapping.
    Brokers,
    /// Its value is neither in it nor in its source any more.
    OriginalGone,
    /// The repairs that were asked for cannot be made.
    RepairFailed(Failed),
    /// Nothing says what it was.
    NoLetter,
}

impl Unknown {
    pub fn reason(self) -> &'static str {
        match self {
            Self::Truncated => "its value was cut to fit the dead-letter topic",
            Self::Brokers => "the brokers refused its event, not the mapping",
            Self::OriginalGone => "its value is neither in it nor in its source any more",
            Self::RepairFailed(Failed::NoJson) => "it cannot be repaired: its value is no JSON text",
            Self::RepairFailed(Failed::NotThere) => "it cannot be repaired: the path leads nowhere in its value",
            Self::RepairFailed(Failed::Ambiguous) => "it cannot be repaired: a key of the path stands there twice",
            Self::RepairFailed(Failed::KeyTaken) => "it cannot be repaired: the new key stands there already",
            Self::RepairFailed(Failed::NoCast) => "it cannot be repaired: what stands at the path cannot be cast",
            Self::NoLetter => "it is no dead letter",
        }
    }
}

/// In the order in which they are shown: what can be replayed comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    Fixed,
    Differently,
    Still,
    Unknown,
}

impl Verdict {
    pub const ALL: [Self; 4] = [Self::Fixed, Self::Differently, Self::Still, Self::Unknown];

    pub fn words(self) -> &'static str {
        match self {
            Self::Fixed => "now fixed",
            Self::Differently => "failing differently",
            Self::Still => "still failing",
            Self::Unknown => "cannot tell",
        }
    }

    /// The key in JSON.
    pub fn key(self) -> &'static str {
        match self {
            Self::Fixed => "fixed",
            Self::Differently => "failing_differently",
            Self::Still => "still_failing",
            Self::Unknown => "cannot_tell",
        }
    }
}

impl From<&Judgement> for Verdict {
    fn from(judgement: &Judgement) -> Self {
        match judgement {
            Judgement::Fixed { .. } => Self::Fixed,
            Judgement::Differently(_) => Self::Differently,
            Judgement::Still(_) => Self::Still,
            Judgement::Unknown(_) => Self::Unknown,
        }
    }
}

/// The mapping, ready to judge.
#[derive(Debug)]
pub struct Mapping {
    normalizer: Normalizer,
}

impl Mapping {
    pub fn new(config: &Config) -> Self {
        Self { normalizer: Normalizer::new(mapping::settings(config)) }
    }

    /// `outcomes` is working room, to be used again.
    pub fn judge(&self, letter: &Letter<'_>, outcomes: &mut Outcomes) -> Judgement {
        let Ok(decoded) = &letter.decoded else { return Judgement::Unknown(Unknown::NoLetter) };
        if letter.content == Content::Gone {
            return Judgement::Unknown(Unknown::OriginalGone);
        }
        let value = letter.record.value;
        if decoded.value_bytes.is_some_and(|bytes| bytes != value.map_or(0, <[u8]>::len) as u64) {
            return Judgement::Unknown(Unknown::Truncated);
        }
        self.judge_value(letter, value, outcomes)
    }

    /// The same for a letter after repairs, if they can be made.
    pub fn judge_repaired(&self, letter: &Letter<'_>, repairs: &Repairs, outcomes: &mut Outcomes) -> Judgement {
        if repairs.is_empty() || letter.content == Content::Gone || letter.decoded.is_err() {
            return self.judge(letter, outcomes);
        }
        match repairs.apply(letter.record.value) {
            Ok(value) => self.judge_value(letter, Some(&value), outcomes),
            Err(failed) => Judgement::Unknown(Unknown::RepairFailed(failed)),
        }
    }

    /// The same for another value in the place of the letter's own.
    pub fn judge_value(&self, letter: &Letter<'_>, value: Option<&[u8]>, outcomes: &mut Outcomes) -> Judgement {
        let Ok(decoded) = &letter.decoded else { return Judgement::Unknown(Unknown::NoLetter) };
        outcomes.clear();
        self.normalizer.normalize(Record { value, timestamp_ms: decoded.source_timestamp_ms }, outcomes);
        let mut events = 0;
        for outcome in outcomes.of_record(0) {
            match outcome.verdict {
                normalize::Verdict::Event { .. } => events += 1,
                normalize::Verdict::Rejection { rejection, .. } => {
                    // A position inside a part of the value is none in what is shown.
                    let position = rejection.position.filter(|_| outcome.index.is_none());
                    let rejection = Rejection { position, ..rejection.clone() };
                    let same = is_same(decoded, &rejection);
                    return if same { Judgement::Still(rejection) } else { Judgement::Differently(rejection) };
                }
            }
        }
        match Kind::from_name(decoded.kind) {
            Some(Kind::EventTooLarge | Kind::EventRefused) if decoded.tool.is_none() => {
                Judgement::Unknown(Unknown::Brokers)
            }
            _ => Judgement::Fixed { events },
        }
    }
}

/// Whether a rejection has the cause that the letter names. Another tool's letter names none of ours, so any is what
/// it was.
fn is_same(decoded: &Decoded<'_>, now: &Rejection) -> bool {
    if decoded.tool.is_some() {
        return true;
    }
    // Out of a page came the content of the string that held no JSON; the key that held the string did not.
    let lost_its_key = decoded.index.is_some() && now.kind == Kind::InvalidJson;
    decoded.kind == now.kind.name()
        && (lost_its_key || decoded.fingerprint.is_none_or(|fingerprint| fingerprint == now.fingerprint()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::scan;
    use crate::record::{Coordinates, Header};

    const GOOD: &str = r#"{"MessageTraceId":"a","Received":"2022-09-05T18:10:13"}"#;
    const NO_TIME: &str = r#"{"MessageTraceId":"a"}"#;

    fn judged(value: &str, headers: &[(&'static str, &str)]) -> Judgement {
        let source = [("dlq.source.topic", "t"), ("dlq.source.partition", "0"), ("dlq.source.offset", "1")];
        let headers: Vec<_> = headers
            .iter()
            .chain(&source)
            .map(|(name, value)| Header { name: name.as_bytes(), value: Some(value.as_bytes()) })
            .collect();
        let at = Coordinates { topic: "dlq", partition: 0, offset: 0 };
        let record =
            scan::Record { at, timestamp_ms: None, key: None, value: Some(value.as_bytes()), headers: &headers };
        Mapping::new(&Config::default()).judge(&Letter::new(record, 0), &mut Outcomes::default())
    }

    fn word(judgement: &Judgement) -> &'static str {
        match judgement {
            Judgement::Fixed { .. } => "fixed",
            Judgement::Still(_) => "still",
            Judgement::Differently(_) => "differently",
            Judgement::Unknown(unknown) => unknown.reason(),
        }
    }

    #[test]
    fn a_letter_is_judged_as_if_it_were_sent_back() {
        let kind = |kind: &'static str| ("dlq.error.kind", kind);
        let print = |print: &'static str| ("dlq.error.fingerprint", print);
        type Named<'a> = (&'static str, &'a str);
        let cases: [(&str, &[Named<'_>], &str); 11] = [
            (GOOD, &[kind("payload_too_large")], "fixed"),
            ("[]", &[kind("payload_too_large")], "fixed"),
            (NO_TIME, &[kind("missing_field"), print("e4501980dc423063")], "still"),
            (NO_TIME, &[kind("missing_field"), print("0000000000000000")], "differently"),
            (NO_TIME, &[kind("payload_too_large")], "differently"),
            // The string that held no JSON was under a key; the letter holds the string alone.
            ("no", &[kind("invalid_json"), print("acd001ede5c91e6b"), ("dlq.source.index", "3")], "still"),
            ("no", &[kind("invalid_json"), print("acd001ede5c91e6b")], "differently"),
            (GOOD, &[kind("event_too_large")], Unknown::Brokers.reason()),
            (GOOD, &[kind("invalid_json"), ("dlq.value.bytes", "9999")], Unknown::Truncated.reason()),
            (GOOD, &[], Unknown::NoLetter.reason()),
            (
                NO_TIME,
                &[
                    ("__connect.errors.topic", "t"),
                    ("__connect.errors.partition", "0"),
                    ("__connect.errors.offset", "1"),
                ],
                "still",
            ),
        ];
        for (value, headers, expected) in cases {
            assert_eq!(word(&judged(value, headers)), expected, "{value} {headers:?}");
        }
    }
}
