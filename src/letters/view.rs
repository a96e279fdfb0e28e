//! A letter as people see it: what it says about itself, what the mapping says about it now, and its content; in harmless
//! text, for a screen and for a page alike.

use super::json::{fit_name, time};
use super::read::Letter;
use super::value;
use super::value::{Extent, Focus, Line};
use super::verdict::{Judgement, Verdict};
use crate::dead_letter::Decoded;
use crate::terminal::table::{counted, grouped};
use crate::text::harmless;

/// What of a header or a key is shown, unless all is wished for.
const MAX_CHARS: usize = 300;

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
}

impl View {
    /// `topic` is the one that the letter lies in.
    pub fn of(letter: &Letter<'_>, judgement: &Judgement, topic: &str, extent: Extent) -> Self {
        let viewer = Viewer { letter, judgement, extent };
        let record = &letter.record;
        let header = |value: Option<&[u8]>| value.map_or_else(|| "null".to_owned(), |value| viewer.text(value));
        Self {
            facts: viewer.facts(topic),
            now: (judgement.into(), now(judgement)),
            headers: record.headers.iter().map(|own| (viewer.text(own.name), header(own.value))).collect(),
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
    fn facts(&self, topic: &str) -> Vec<(&'static str, String)> {
        let at = self.letter.record.timestamp_ms.and_then(time).map(|time| format!(", {time}")).unwrap_or_default();
        let mut facts = vec![("letter", format!("{} in {topic}{at}", self.letter.place()))];
        match &self.letter.decoded {
            Ok(decoded) => self.told(decoded, &mut facts),
            Err(problem) => facts.push(("kind", format!("no dead letter: {problem}"))),
        }
        facts
    }

    /// What the letter says about itself.
    fn told(&self, decoded: &Decoded<'_>, facts: &mut Vec<(&'static str, String)>) {
        let text = |text: &str| self.text(text.as_bytes());
        let dialect = decoded.dialect.map(|dialect| format!(" (a letter of {})", dialect.name())).unwrap_or_default();
        facts.push(("kind", format!("{}{dialect}", text(decoded.kind))));
        let index = decoded.index.map(|index| format!(", index {index}")).unwrap_or_default();
        let of = decoded.source_timestamp_ms.and_then(time).map(|time| format!(", of {time}")).unwrap_or_default();
        let optional = [
            ("message", decoded.message.map(text)),
            ("fingerprint", decoded.fingerprint.map(text)),
            ("source", Some(format!("{}{index}{of}", text(&decoded.source.to_string())))),
            ("group", decoded.group.map(text)),
            ("processor", decoded.processor.map(text)),
            ("failed at", decoded.failed_at_ms.and_then(time)),
            ("attempts", Some(grouped(decoded.attempts)).filter(|_| decoded.attempts > 0)),
            ("replayed from", decoded.replayed_from.map(|from| text(&from.to_string()))),
            ("fit", fit_name(decoded.fit).map(|name| format!("{}{}", text(name), sizes(decoded)))),
            ("unreadable", Some(decoded.unreadable.join(", ")).filter(|names| !names.is_empty())),
        ];
        facts.extend(optional.into_iter().filter_map(|(name, fact)| Some((name, fact?))));
    }

    fn key(&self) -> Part {
        match self.letter.record.key {
            None => Part { heading: "no key".to_owned(), lines: Vec::new() },
            Some(key) => Part {
                heading: format!("key, {}", counted(key.len() as u64, "byte", "bytes")),
                lines: vec![Line::plain(self.text(key))],
            },
        }
    }

    fn value(&self) -> Part {
        let Some(value) = self.letter.record.value else {
            return Part { heading: "no value: a tombstone".to_owned(), lines: Vec::new() };
        };
        let form = if value.is_empty() { "empty" } else { value::form(value) };
        Part {
            heading: format!("value, {}, {form}", counted(value.len() as u64, "byte", "bytes")),
            lines: value::lines(value, self.focus(value), self.extent),
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
        harmless(bytes, if self.extent == Extent::All { usize::MAX } else { MAX_CHARS })
    }
}

fn now(judgement: &Judgement) -> String {
    match judgement {
        Judgement::Fixed { events } => {
            format!("would be taken: {}", counted(*events as u64, "event", "events"))
        }
        Judgement::Unknown(unknown) => format!("cannot be told: {}", unknown.reason()),
        Judgement::Still(rejection) => format!("still {}: {}", rejection.kind, rejection.message),
        Judgement::Differently(rejection) => format!("differently, {}: {}", rejection.kind, rejection.message),
    }
}

/// What was cut, in the letter's words.
fn sizes(decoded: &Decoded<'_>) -> String {
    let value = decoded.value_bytes.map(|bytes| format!("; the value had {}", counted(bytes, "byte", "bytes")));
    let digest = decoded.value_sha256.map(|digest| format!(" (SHA-256 {digest})"));
    let key = decoded.key_bytes.map(|bytes| format!("; the key had {}", counted(bytes, "byte", "bytes")));
    [value, digest, key].into_iter().flatten().collect()
}
