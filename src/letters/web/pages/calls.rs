//! The calls that send a letter back, for a person to copy. Pure.
//!
//! Whoever copies a line into a shell runs it, and anybody may have written what a letter says: a call is offered only where
//! each word from the letter consists of characters that mean nothing to a shell.

use crate::letters::read::Letter;
use crate::letters::topics::Pattern;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    pub what: &'static str,
    pub line: String,
}

/// Longer words are nobody's names, in bytes.
const MAX_BYTES: usize = 249;

/// For all letters of the cause, and for this one alone. Of a letter that is never sent, none.
/// Of the topics that were `asked` for.
pub fn calls(letter: &Letter<'_>, asked: &[Pattern]) -> Vec<Call> {
    let Ok(decoded) = &letter.decoded else { return Vec::new() };
    let Some(source) = decoded.source else { return Vec::new() };
    let mut begin = "messagetrace-ecs dlq replay".to_owned();
    for topics in asked {
        // A star means something to a shell, and nothing else that a pattern may hold does.
        begin += &format!(" --dead-letters '{topics}'");
    }
    let of_cause = match decoded.fingerprint {
        Some(fingerprint) if is_word(fingerprint) => Some(format!("{begin} --fingerprint {fingerprint}")),
        Some(_) => None,
        None => is_word(decoded.kind).then(|| format!("{begin} --kind {}", decoded.kind)),
    };
    let alone = is_word(source.topic).then(|| {
        let (topic, partition, offset) = (source.topic, source.partition, source.offset);
        let end = offset.saturating_add(1);
        format!("{begin} --topic {topic} --partition {partition} --from-offset {offset} --to-offset {end}")
    });
    let calls = [("All letters of this cause:", of_cause), ("The letters of this record:", alone)];
    calls.into_iter().filter_map(|(what, line)| Some(Call { what, line: line? })).collect()
}

/// Whether a shell and our command line take it for a word.
fn is_word(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=MAX_BYTES).contains(&text.len()) && text.bytes().all(is_plain) && !text.starts_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::scan::Record;
    use crate::record::{Coordinates, Header};

    fn of(headers: &[(&'static str, &str)]) -> Vec<String> {
        let headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| Header { name: name.as_bytes(), value: Some(value.as_bytes()) })
            .collect();
        let at = Coordinates { topic: "dlq", partition: 0, offset: 0 };
        let record = Record { at, timestamp_ms: None, key: None, value: None, headers: &headers };
        calls(&Letter::new(record, 0), &[]).into_iter().map(|call| call.line).collect()
    }

    #[test]
    fn a_call_is_offered_only_of_words_that_mean_nothing_to_a_shell() {
        let ours = |kind, print, topic| {
            of(&[
                ("dlq.error.kind", kind),
                ("dlq.error.fingerprint", print),
                ("dlq.source.topic", topic),
                ("dlq.source.partition", "3"),
                ("dlq.source.offset", "70"),
            ])
        };
        let alone = "messagetrace-ecs dlq replay --topic mail.raw --partition 3 --from-offset 70 --to-offset 71";
        let of_cause = "messagetrace-ecs dlq replay --fingerprint 00ff";
        assert_eq!(ours("invalid_json", "00ff", "mail.raw"), [of_cause, alone]);
        let attacks =
            ["$(reboot)", "a;b", "a b", "-x", "`a`", "a\nb", "a\u{202e}b", "'", "\u{430}", "", "a|b", "~", "*"];
        for attack in attacks {
            assert_eq!(ours("invalid_json", attack, "mail.raw"), [alone], "{attack:?}");
            assert_eq!(ours("invalid_json", "00ff", attack).first().unwrap(), of_cause, "{attack:?}");
            assert!(ours("invalid_json", "00ff", attack).len() < 2, "{attack:?}");
        }
        assert_eq!(of(&[("dlq.error.kind", "x")]), [""; 0], "it says not where it comes from");
        let connect = [
            ("__connect.errors.topic", "orders"),
            ("__connect.errors.partition", "1"),
            ("__connect.errors.offset", "7"),
            ("__connect.errors.exception.class.name", "org.example.Bad"),
        ];
        assert_eq!(of(&connect)[0], "messagetrace-ecs dlq replay --kind org.example.Bad");
    }
}
