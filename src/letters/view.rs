//! A letter as people see it: what it says about itself, what the mapping says about it now, and its content; in harmless
//! text, for a screen and for a page alike.

use std::borrow::Cow;

use super::json::time;
use super::read::{Content, Letter};
use super::value;
use super::value::{Extent, Focus, Line};
use super::verdict::{Judgement, Verdict};
use crate::dead_letter::{Decoded, Tool};
use crate::normalize;
use crate::record::Header;
use crate::terminal::table::{counted, grouped};
use crate::text::harmless;

/// What a value is unpacked to at most, to be shown, in bytes: four times what the service unpacks by default. One that
/// becomes larger is shown as it lies there, so that a bomb costs whoever looks at it no more than that.
const MAX_DECODED_BYTES: usize = 32 << 20;

#[derive(Debug)]
pub struct View {
    /// Names and what is to be said to them.
    pub facts: Vec<(&'static str, String)>,
    /// What the mapping says now.
    pub now: (Verdict, String),
    /// Names and values.
    pub headers: Vec<(String, String)>,
    pub key: Part,
    pub value: Part,
}

/// A part of the content under its heading.
#[derive(Debug)]
pub struct Part {
    pub heading: String,
    pub lines: Vec<Line>,
    /// Whether the lines are hex beside text.
    pub is_dump: bool,
}

impl View {
    pub fn of(letter: &Letter<'_>, judgement: &Judgement, extent: Extent) -> Self {
        let viewer = Viewer { letter, judgement, extent };
        let record = &letter.record;
        let shown = |header: &Header<'_>| match header.value {
            None => "null".to_owned(),
            Some(value) => match Tool::number(header.name, value) {
                Some(number) => number.to_string(),
                None => viewer.text(value),
            },
        };
        Self {
            facts: viewer.facts(),
            now: (judgement.into(), judgement.to_string()),
            headers: record.headers.iter().map(|own| (viewer.text(own.name), shown(own))).collect(),
            key: viewer.key(),
            value: viewer.value(),
        }
    }
}

struct Viewer<'a> {
    letter: &'a Letter<'a>,
    judgement: &'a Judgement,
    extent: Extent,
}

impl Viewer<'_> {
    fn facts(&self) -> Vec<(&'static str, String)> {
        let at = self.letter.record.timestamp_ms.and_then(time).map(|time| format!(", {time}")).unwrap_or_default();
        let lies = self.letter.record.at;
        let mut facts = vec![("letter", format!("{}:{} in {}{at}", lies.partition, lies.offset, lies.topic))];
        match &self.letter.decoded {
            Ok(decoded) => self.told(decoded, &mut facts),
            Err(problem) => facts.push(("kind", format!("no dead letter: {problem}"))),
        }
        facts
    }

    /// What the letter says about itself.
    fn told(&self, decoded: &Decoded<'_>, facts: &mut Vec<(&'static str, String)>) {
        let text = |text: &str| self.text(text.as_bytes());
        let dialect = decoded.tool.map(|tool| format!(" (a letter of {})", tool.name())).unwrap_or_default();
        facts.push(("kind", format!("{}{dialect}", text(decoded.kind))));
        let index = decoded.index.map(|index| format!(", index {index}")).unwrap_or_default();
        let of = decoded.source_timestamp_ms.and_then(time).map(|time| format!(", of {time}")).unwrap_or_default();
        let optional = [
            ("message", decoded.message.map(text)),
            ("fingerprint", decoded.fingerprint.map(text)),
            (
                "source",
                Some(decoded.source.map_or_else(
                    || "unknown".to_owned(),
                    |source| format!("{}{index}{of}", text(&source.to_string())),
                )),
            ),
            ("group", decoded.group.map(text)),
            ("processor", decoded.processor.map(text)),
            ("failed at", decoded.failed_at_ms.and_then(time)),
            ("attempts", Some(grouped(decoded.attempts)).filter(|_| decoded.attempts > 0)),
            ("replayed from", decoded.replayed_from.map(|from| text(&from.to_string()))),
            ("repaired", decoded.repaired.map(text)),
            ("fit", decoded.fit.name().map(|name| format!("{}{}", text(name), sizes(decoded)))),
            ("unreadable", Some(decoded.unreadable.join(", ")).filter(|names| !names.is_empty())),
        ];
        facts.extend(optional.into_iter().filter_map(|(name, fact)| Some((name, fact?))));
    }

    fn key(&self) -> Part {
        match self.letter.record.key {
            None => Part { heading: "no key".to_owned(), lines: Vec::new(), is_dump: false },
            Some(key) => Part {
                heading: format!("key, {}", counted(key.len() as u64, "byte", "bytes")),
                lines: vec![Line::plain(self.text(key))],
                is_dump: false,
            },
        }
    }

    fn value(&self) -> Part {
        let Some(value) = self.letter.record.value else {
            let heading = match self.letter.content {
                Content::Gone => "no value: the tool copies none, and the source does not have the record any more",
                Content::Letter | Content::Source => "no value: a tombstone",
            };
            return Part { heading: heading.to_owned(), lines: Vec::new(), is_dump: false };
        };
        // What the mapping looks at; what cannot be unpacked or decoded is shown as it lies there.
        let (text, undone) = match normalize::decoded(value, MAX_DECODED_BYTES) {
            Ok(normalize::Decoded { text, undone }) => (text, undone),
            Err(_) => (Cow::Borrowed(value), Vec::new()),
        };
        let fetched = if self.letter.content == Content::Source { ", fetched from its source" } else { "" };
        let form = if text.is_empty() { "empty" } else { value::form(&text) };
        let undone: String = undone.iter().map(|encoding| format!(", out of {encoding}")).collect();
        Part {
            heading: format!("value, {}, {form}{undone}{fetched}", counted(value.len() as u64, "byte", "bytes")),
            lines: value::lines(&text, self.focus(&text), self.extent),
            is_dump: std::str::from_utf8(&text).is_err(),
        }
    }

    /// The byte to blame, else the key.
    fn focus(&self, value: &[u8]) -> Focus<'_> {
        match self.judgement {
            Judgement::Still(rejection) | Judgement::Differently(rejection) => match rejection.position {
                Some(position) if position <= value.len() => Focus::Byte(position),
                _ if rejection.key.is_empty() => Focus::Nothing,
                _ => Focus::Key(&rejection.key),
            },
            Judgement::Fixed { .. } | Judgement::Unknown(_) => Focus::Nothing,
        }
    }

    fn text(&self, bytes: &[u8]) -> String {
        harmless(bytes, self.extent.text_chars())
    }
}

/// What was cut, in the letter's words.
fn sizes(decoded: &Decoded<'_>) -> String {
    let value = decoded.value_bytes.map(|bytes| format!("; the value had {}", counted(bytes, "byte", "bytes")));
    let digest = decoded.value_sha256.map(|digest| format!(" (SHA-256 {digest})"));
    let key = decoded.key_bytes.map(|bytes| format!("; the key had {}", counted(bytes, "byte", "bytes")));
    [value, digest, key].into_iter().flatten().collect()
}
