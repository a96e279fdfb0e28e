//! Who a replay is: the same selection and target are the same replay, whoever calls it and when.
//!
//! Its name is that of the group that keeps its progress and of the transactional id that lets only one process at it.
//! `--limit`, `--rate` and `--max-attempts` are no part of it: with another of these the call goes on behind what was
//! sent already, instead of sending it again.

use sha2::{Digest as _, Sha256};

use super::{MAX_ATTEMPTS, Request, Timestamp};
use crate::letters::json::time;
use crate::letters::shelf::Shelf;

/// Bytes of the hash that are written, two digits each.
const HASH_BYTES: usize = 8;

/// The group and transactional id.
pub fn group(shelf: &Shelf<'_>, request: &Request) -> String {
    let (config, selection) = (shelf.config, &request.selection);
    let section = &selection.section;
    let sorted = |names: &[String]| {
        let mut names = names.to_vec();
        names.sort_unstable();
        names.dedup();
        names
    };
    let mut words = serde_json::json!([
        dead_letters(shelf),
        section.from_ms,
        section.to_ms,
        section.topic,
        section.partition,
        section.from_offset,
        section.to_offset,
        sorted(&selection.kinds),
        sorted(&selection.fingerprints),
        request.to_topic,
    ]);
    // What came later stands behind, and only where it is used: a replay that was begun before is still the same.
    let source_times = [selection.source_from_ms, selection.source_to_ms];
    let repairs = (!request.repairs.is_empty()).then(|| request.repairs.header().into());
    let times = (source_times != [None, None]).then(|| serde_json::json!(source_times));
    if let Some(words) = words.as_array_mut() {
        words.extend(repairs.into_iter().chain(times));
    }
    let hash = Sha256::digest(words.to_string());
    let hash: String = hash.iter().take(HASH_BYTES).map(|byte| format!("{byte:02x}")).collect();
    format!("{}.dlq-replay.{hash}", config.input.group)
}

/// As they were asked for, not as they are: a topic that comes in between does not make it another replay.
fn dead_letters(shelf: &Shelf<'_>) -> serde_json::Value {
    let own = shelf.config.dead_letters.topic.as_str();
    let mut asked: Vec<String> = shelf.asked.iter().map(ToString::to_string).collect();
    asked.sort_unstable();
    asked.dedup();
    if asked.is_empty() || asked == [own] { own.into() } else { asked.into() }
}

impl Request {
    /// The call that sends what a dry run announced. A time that was given as "so long ago" stands there as the time that
    /// it meant: as it was given it would mean another one.
    pub fn call(&self, shelf: &Shelf<'_>) -> String {
        let (selection, section) = (&self.selection, &self.selection.section);
        let mut words = vec!["messagetrace-ecs dlq replay".to_owned()];
        let mut flag = |name: &str, value: Option<String>| {
            words.extend(value.map(|value| format!("{name} {}", quoted(&value))));
        };
        shelf.asked.iter().for_each(|topic| flag("--dead-letters", Some(topic.to_string())));
        flag("--from", section.from_ms.and_then(time));
        flag("--to", section.to_ms.and_then(time));
        flag("--source-from", selection.source_from_ms.and_then(time));
        flag("--source-to", selection.source_to_ms.and_then(time));
        flag("--topic", section.topic.clone());
        flag("--partition", section.partition.map(|number| number.to_string()));
        flag("--from-offset", section.from_offset.map(|number| number.to_string()));
        flag("--to-offset", section.to_offset.map(|number| number.to_string()));
        selection.kinds.iter().for_each(|kind| flag("--kind", Some(kind.clone())));
        selection.fingerprints.iter().for_each(|print| flag("--fingerprint", Some(print.clone())));
        flag("--limit", self.limit.map(|number| number.to_string()));
        self.repairs.iter().for_each(|repair| flag("--repair", Some(repair.to_string())));
        flag("--to-topic", self.to_topic.clone());
        flag(
            "--max-attempts",
            Some(self.max_attempts).filter(|number| *number != MAX_ATTEMPTS).map(|number| number.to_string()),
        );
        flag("--rate", self.rate.map(|rate| rate.to_string()));
        flag("--timestamp", Some("now".to_owned()).filter(|_| self.timestamp == Timestamp::Now));
        words.push("--execute".to_owned());
        words.join(" ")
    }
}

/// As a shell takes it.
fn quoted(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/+@%".contains(&byte);
    if !text.is_empty() && text.bytes().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::letters::repair::{Repair, Repairs};
    use crate::letters::select::Selection;
    use crate::letters::topics::{Pattern, Topics};
    use crate::record::Section;

    fn named(selection: &Selection, to_topic: Option<&str>) -> String {
        let to_topic = to_topic.map(str::to_owned);
        grouped(&[], &Request { selection: selection.clone(), to_topic, ..Request::default() })
    }

    fn grouped(asked: &[&str], request: &Request) -> String {
        let asked: Vec<_> = asked.iter().map(|name| Pattern::parse(name).unwrap()).collect();
        let config = Config::default();
        group(&Shelf { config: &config, topics: Topics::new(["a"]), asked, key: "" }, request)
    }

    #[test]
    fn the_same_words_in_any_order_are_the_same_replay_and_others_are_not() {
        let kinds = |kinds: &[&str]| Selection {
            kinds: kinds.iter().map(|kind| (*kind).to_owned()).collect(),
            ..Selection::default()
        };
        let all = named(&Selection::default(), None);
        let hash = all.strip_prefix("messagetrace-ecs.dlq-replay.").expect("the prefix");
        assert!(hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()), "{all}");
        assert_eq!(named(&kinds(&["a", "b"]), None), named(&kinds(&["b", "a", "b"]), None));
        let own = Config::default().dead_letters.topic;
        assert_eq!(grouped(&[&own, &own], &Request::default()), all);
        assert_eq!(grouped(&["a", "b"], &Request::default()), grouped(&["b", "a"], &Request::default()));
        let repairs = Repairs::new(&[Repair::parse("remove /a").unwrap()]).unwrap();
        let in_section = |section| named(&Selection { section, ..Selection::default() }, None);
        let others = [
            named(&kinds(&["a"]), None),
            named(&Selection { fingerprints: vec!["a".to_owned()], ..Selection::default() }, None),
            in_section(Section { from_ms: Some(1), ..Section::default() }),
            in_section(Section { to_ms: Some(1), ..Section::default() }),
            named(&Selection { source_from_ms: Some(1), ..Selection::default() }, None),
            named(&Selection { source_to_ms: Some(1), ..Selection::default() }, None),
            in_section(Section { topic: Some("a".to_owned()), ..Section::default() }),
            in_section(Section { partition: Some(1), ..Section::default() }),
            in_section(Section { from_offset: Some(1), ..Section::default() }),
            in_section(Section { to_offset: Some(1), ..Section::default() }),
            named(&Selection::default(), Some("a")),
            grouped(&[], &Request { repairs: repairs.clone(), ..Request::default() }),
            grouped(&["a"], &Request::default()),
            grouped(&["a", "b"], &Request::default()),
            grouped(&["a*"], &Request::default()),
            all,
        ];
        let different: std::collections::BTreeSet<_> = others.iter().collect();
        assert_eq!(different.len(), others.len());
    }

    #[test]
    fn a_word_is_quoted_where_a_shell_would_take_it_apart() {
        let cases =
            [("missing_field", "missing_field"), ("", "''"), ("a b", "'a b'"), ("it's", r"'it'\''s'"), ("$x", "'$x'")];
        for (text, expected) in cases {
            assert_eq!(quoted(text), expected);
        }
    }
}
