//! `dlq show`: one letter whole, and what the mapping says about it now.

use std::io::{self, Write as _};

use serde::Serialize;

use super::diff::Verdict;
use super::json::{Whole, fit_name, time};
use super::letters::{Letter, read_one};
use super::mapped::{Judgement, Mapped};
use super::safe;
use super::table::{Align, counted, grouped, pad};
use super::value::{self, Extent, Focus};
use crate::cli::dlq::{Output, ShowArgs};
use crate::commands::{Exit, Stdout};
use crate::config::Config;
use crate::dead_letter::Decoded;
use crate::normalize::Outcomes;
use crate::text::harmless;

/// What of a header or a key is shown, unless all is wished for.
const MAX_CHARS: usize = 300;

/// Width of the names of facts.
const NAMES: usize = 13;

pub fn run(args: &ShowArgs, config: &Config) -> anyhow::Result<Exit> {
    let mapped = Mapped::new(config);
    let shown = read_one(config, args.place, |letter| {
        let judgement = mapped.judge(letter, &mut Outcomes::default());
        let mut shown = Vec::new();
        match args.output {
            Output::Json => {
                safe::write_json(&mut shown, &WithNow { whole: Whole::of(letter), now: (&judgement).into() })
            }
            Output::Table => {
                let extent = if args.full { Extent::All } else { Extent::Surroundings };
                Page { letter, judgement: &judgement, topic: &config.dead_letters.topic, extent }.write(&mut shown)
            }
        }
        .map(|()| shown)
    })?;
    let mut out = Stdout::lock();
    out.write_all(&shown?)?;
    out.flush()?;
    Ok(Exit::Done)
}

#[derive(Serialize)]
struct WithNow<'a> {
    #[serde(flatten)]
    whole: Whole<'a>,
    now: Now<'a>,
}

/// What the mapping says.
#[derive(Debug, Default, Serialize)]
struct Now<'a> {
    verdict: &'static str,
    events: Option<usize>,
    kind: Option<&'static str>,
    message: Option<&'a str>,
    key: Option<&'static str>,
    position: Option<usize>,
    reason: Option<&'static str>,
}

impl<'a> From<&'a Judgement> for Now<'a> {
    fn from(judgement: &'a Judgement) -> Self {
        let now = Self { verdict: Verdict::from(judgement).key(), ..Self::default() };
        match judgement {
            Judgement::Fixed { events } => Self { events: Some(*events), ..now },
            Judgement::Unknown(unknown) => Self { reason: Some(unknown.reason()), ..now },
            Judgement::Still(rejection) | Judgement::Differently(rejection) => Self {
                kind: Some(rejection.kind.name()),
                message: Some(&rejection.message),
                key: Some(rejection.key).filter(|key| !key.is_empty()),
                position: rejection.position,
                ..now
            },
        }
    }
}

/// A letter on the screen.
struct Page<'a> {
    letter: &'a Letter<'a>,
    judgement: &'a Judgement,
    topic: &'a str,
    extent: Extent,
}

impl Page<'_> {
    fn write(&self, out: &mut Vec<u8>) -> io::Result<()> {
        let record = &self.letter.record;
        let at = record.timestamp_ms.and_then(time).map(|time| format!(", {time}")).unwrap_or_default();
        fact(out, "letter", &format!("{} in {}{at}", self.letter.place(), self.topic))?;
        match &self.letter.decoded {
            Ok(decoded) => self.facts(out, decoded)?,
            Err(problem) => fact(out, "kind", &format!("no dead letter: {problem}"))?,
        }
        fact(out, "now", &self.now())?;

        writeln!(out, "\n{}", counted(record.headers.len() as u64, "header", "headers"))?;
        for header in record.headers {
            let value = header.value.map_or_else(|| "null".to_owned(), |value| self.text(value));
            writeln!(out, "  {}: {value}", self.text(header.name))?;
        }
        match record.key {
            None => writeln!(out, "\nno key")?,
            Some(key) => writeln!(out, "\nkey, {}\n  {}", counted(key.len() as u64, "byte", "bytes"), self.text(key))?,
        }
        match record.value {
            None => writeln!(out, "\nno value: a tombstone")?,
            Some(value) => {
                let form = if value.is_empty() { "empty" } else { value::form(value) };
                writeln!(out, "\nvalue, {}, {form}", counted(value.len() as u64, "byte", "bytes"))?;
                for line in value::lines(value, self.focus(value), self.extent) {
                    writeln!(out, "{line}")?;
                }
            }
        }
        Ok(())
    }

    fn facts(&self, out: &mut Vec<u8>, decoded: &Decoded<'_>) -> io::Result<()> {
        let text = |text: &str| self.text(text.as_bytes());
        let dialect = decoded.dialect.map(|dialect| format!(" (a letter of {})", dialect.name())).unwrap_or_default();
        fact(out, "kind", &format!("{}{dialect}", text(decoded.kind)))?;
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
        for (name, value) in optional {
            if let Some(value) = value {
                fact(out, name, &value)?;
            }
        }
        Ok(())
    }

    fn now(&self) -> String {
        match self.judgement {
            Judgement::Fixed { events } => {
                format!("would be taken: {}", counted(*events as u64, "event", "events"))
            }
            Judgement::Unknown(unknown) => format!("cannot be told: {}", unknown.reason()),
            Judgement::Still(rejection) => format!("still {}: {}", rejection.kind, rejection.message),
            Judgement::Differently(rejection) => format!("differently, {}: {}", rejection.kind, rejection.message),
        }
    }

    /// The byte to blame, else the key.
    fn focus(&self, value: &[u8]) -> Focus<'_> {
        match self.judgement {
            Judgement::Still(rejection) | Judgement::Differently(rejection) => match rejection.position {
                Some(position) if position <= value.len() => Focus::Byte(position),
                _ if rejection.key.is_empty() => Focus::Nothing,
                _ => Focus::Key(rejection.key),
            },
            Judgement::Fixed { .. } | Judgement::Unknown(_) => Focus::Nothing,
        }
    }

    fn text(&self, bytes: &[u8]) -> String {
        harmless(bytes, if self.extent == Extent::All { usize::MAX } else { MAX_CHARS })
    }
}

/// What was cut, in the letter's words.
fn sizes(decoded: &Decoded<'_>) -> String {
    let value = decoded.value_bytes.map(|bytes| format!("; the value had {}", counted(bytes, "byte", "bytes")));
    let digest = decoded.value_sha256.map(|digest| format!(" (SHA-256 {digest})"));
    let key = decoded.key_bytes.map(|bytes| format!("; the key had {}", counted(bytes, "byte", "bytes")));
    [value, digest, key].into_iter().flatten().collect()
}

fn fact(out: &mut Vec<u8>, name: &str, value: &str) -> io::Result<()> {
    writeln!(out, "{}  {value}", pad(name, NAMES, Align::Left))
}
