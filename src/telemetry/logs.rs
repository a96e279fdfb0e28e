//! Logs: text for a person at a terminal, one ECS JSON object a line for everything else. Both go to standard error.
//!
//! Whatever a field holds, a line stays one line of bounded length: control characters are escaped, long values cut.

use std::fmt::{self, Write as _};
use std::io::{self, IsTerminal, Write as _};
use std::panic::PanicHookInfo;

use anyhow::Context as _;
use chrono::{DateTime, SecondsFormat, Utc};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, registry};

use crate::config::{Log, LogFormat};

/// The version of ECS whose field names we write; the one that our events name too.
const ECS_VERSION: &str = "9.4.0";

const SERVICE: &str = "messagetrace-ecs";

/// Characters of one field, so that no foreign text (an error of a broker, a path) makes a line endless.
const FIELD_MAX: usize = 2_000;

/// Starts logging for the whole process. Records of the `log` crate come through as well.
pub fn init(log: &Log) -> anyhow::Result<()> {
    let filter = EnvFilter::builder().parse(&log.level).context("read log.level")?;
    let terminal = io::stderr().is_terminal();
    let format = match log.format {
        LogFormat::Json => Format::Json,
        LogFormat::Auto if !terminal => Format::Json,
        LogFormat::Auto | LogFormat::Text => Format::Text { colour: terminal && colour_wanted() },
    };
    registry().with(filter).with(Lines { format }).try_init().context("start logging")?;
    std::panic::set_hook(Box::new(log_panic));
    Ok(())
}

/// A panic is a line like any other. Its message is said only when it is a constant of the program: one that was put
/// together may quote what was being worked on (slicing a text in the middle of a character quotes the text).
fn log_panic(panic: &PanicHookInfo<'_>) {
    let message = panic.payload().downcast_ref::<&'static str>().copied().unwrap_or("message withheld");
    let location = panic.location().map(ToString::to_string).unwrap_or_default();
    let thread = std::thread::current();
    tracing::error!(location, thread = thread.name().unwrap_or("unnamed"), "panicked: {message}");
}

/// <https://no-color.org>: any value but an empty one switches colour off.
fn colour_wanted() -> bool {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    !is_set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

#[derive(Clone, Copy, Debug)]
enum Format {
    Text { colour: bool },
    Json,
}

/// Writes each event as one line.
struct Lines {
    format: Format,
}

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let entry = Entry {
            time: Utc::now(),
            level: *event.metadata().level(),
            // Records of the `log` crate all have one target here; their own comes as a field.
            logger: fields.logger.as_deref().unwrap_or_else(|| event.metadata().target()),
            fields: &fields,
        };
        let mut line = match self.format {
            Format::Text { colour } => entry.text(colour),
            Format::Json => entry.json(),
        };
        line.push('\n');
        // One write a line, so that lines of several threads do not mix. Where logs cannot go, nothing can be said.
        let _ = io::stderr().lock().write_all(line.as_bytes());
    }
}

/// What stands in one line.
struct Entry<'a> {
    time: DateTime<Utc>,
    level: Level,
    logger: &'a str,
    fields: &'a Fields,
}

impl Entry<'_> {
    fn json(&self) -> String {
        let mut line = String::with_capacity(256);
        line.push('{');
        member(&mut line, "@timestamp", &Value::Text(self.time.to_rfc3339_opts(SecondsFormat::Millis, true)));
        member(&mut line, "log.level", &Value::Text(level_name(self.level).to_owned()));
        member(&mut line, "message", &Value::Text(self.fields.message.clone()));
        member(&mut line, "ecs.version", &Value::Text(ECS_VERSION.to_owned()));
        member(&mut line, "service.name", &Value::Text(SERVICE.to_owned()));
        member(&mut line, "service.version", &Value::Text(env!("CARGO_PKG_VERSION").to_owned()));
        member(&mut line, "event.dataset", &Value::Text(format!("{SERVICE}.log")));
        member(&mut line, "log.logger", &Value::Text(self.logger.to_owned()));
        for (name, value) in &self.fields.others {
            member(&mut line, name, value);
        }
        line.push('}');
        line
    }

    fn text(&self, colour: bool) -> String {
        let mut line = String::with_capacity(160);
        let time = self.time.to_rfc3339_opts(SecondsFormat::Millis, true);
        let level = self.level.as_str();
        let _ = if colour {
            write!(line, "\u{1b}[2m{time}\u{1b}[0m \u{1b}[{}m{level:5}\u{1b}[0m ", colour_of(self.level))
        } else {
            write!(line, "{time} {level:5} ")
        };
        line.push_str(&escaped(&self.fields.message));
        for (name, value) in &self.fields.others {
            let _ = write!(line, " {name}={}", value.plain());
        }
        line
    }
}

fn level_name(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    }
}

fn colour_of(level: Level) -> u8 {
    match level {
        Level::ERROR => 31,
        Level::WARN => 33,
        Level::INFO => 32,
        Level::DEBUG => 34,
        Level::TRACE => 35,
    }
}

/// The fields of one event.
#[derive(Default)]
struct Fields {
    message: String,
    /// The target of a record of the `log` crate.
    logger: Option<String>,
    others: Vec<(&'static str, Value)>,
}

enum Value {
    Text(String),
    /// A number or a truth value, as it stands in JSON.
    Literal(String),
}

impl Value {
    /// For people: quotes only where a reader needs them.
    fn plain(&self) -> String {
        match self {
            Self::Literal(literal) => literal.clone(),
            Self::Text(text) if text.is_empty() || text.contains([' ', '"', '=']) => {
                format!("\"{}\"", escaped(text).replace('"', "\\\""))
            }
            Self::Text(text) => escaped(text),
        }
    }
}

impl Fields {
    fn add(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::Text(text) | Value::Literal(text)) => self.message = text,
            ("log.target", Value::Text(target)) => self.logger = Some(target),
            ("log.module_path" | "log.file" | "log.line", _) => {}
            // In ECS `error` is an object; a text under this name would be refused by the index.
            ("error", value) => self.others.push(("error.message", value)),
            // The names that every line has are taken.
            ("@timestamp", value) => self.others.push(("event.created", value)),
            (name, value) => self.others.push((name, value)),
        }
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, Value::Text(cut(value)));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut text = Bounded(String::new());
        // Ends early when the bound is reached; what is there is what we show.
        let _ = write!(text, "{value:?}");
        self.add(field, Value::Text(cut(&text.0)));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, Value::Literal(value.to_string()));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, Value::Literal(value.to_string()));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, Value::Literal(value.to_string()));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        let value = if value.is_finite() { Value::Literal(value.to_string()) } else { Value::Text(value.to_string()) };
        self.add(field, value);
    }
}

/// Takes text up to a little more than a field shows, so that a huge `Debug` is not even written.
struct Bounded(String);

impl fmt::Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.0.len() > FIELD_MAX * 4 {
            return Err(fmt::Error);
        }
        self.0.extend(text.chars().take(FIELD_MAX + 1));
        Ok(())
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(FIELD_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn escaped(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        if is_unprintable(character) {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
    }
    line
}

/// Control characters, and those that turn the direction of writing or break a line: they forge what a person reads.
fn is_unprintable(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn member(line: &mut String, name: &str, value: &Value) {
    if line.len() > 1 {
        line.push(',');
    }
    json_string(line, name);
    line.push(':');
    match value {
        Value::Text(text) => json_string(line, text),
        Value::Literal(literal) => line.push_str(literal),
    }
}

fn json_string(line: &mut String, text: &str) {
    line.push('"');
    for character in text.chars() {
        match character {
            '"' => line.push_str("\\\""),
            '\\' => line.push_str("\\\\"),
            '\n' => line.push_str("\\n"),
            '\r' => line.push_str("\\r"),
            '\t' => line.push_str("\\t"),
            other if is_unprintable(other) => {
                let _ = write!(line, "\\u{:04x}", u32::from(other));
            }
            other => line.push(other),
        }
    }
    line.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry<'a>(fields: &'a Fields) -> Entry<'a> {
        Entry { time: DateTime::UNIX_EPOCH, level: Level::WARN, logger: "a::b", fields }
    }

    fn fields(message: &str, others: Vec<(&'static str, Value)>) -> Fields {
        Fields { message: message.to_owned(), logger: None, others }
    }

    #[test]
    fn a_line_of_json_is_ecs_logging() {
        let fields = fields("took a while", vec![("partition", Value::Literal("3".to_owned()))]);
        let line: serde_json::Value = serde_json::from_str(&entry(&fields).json()).unwrap();
        let expected = serde_json::json!({
            "@timestamp": "1970-01-01T00:00:00.000Z",
            "log.level": "warn",
            "message": "took a while",
            "ecs.version": "9.4.0",
            "service.name": "messagetrace-ecs",
            "service.version": env!("CARGO_PKG_VERSION"),
            "event.dataset": "messagetrace-ecs.log",
            "log.logger": "a::b",
            "partition": 3,
        });
        assert_eq!(line, expected);
    }

    #[test]
    fn nothing_in_a_field_breaks_the_line_or_forges_another() {
        let nasty = "a\n{\"forged\":true}\u{1b}[31m\u{0}\u{7f}\u{85}\u{2028}\u{202e}\"\\";
        let fields = fields(nasty, vec![("path", Value::Text(nasty.to_owned()))]);
        let json = entry(&fields).json();
        let line: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!((line["message"].as_str(), line["path"].as_str()), (Some(nasty), Some(nasty)));
        for line in [json, entry(&fields).text(false)] {
            assert!(!line.chars().any(is_unprintable), "{line}");
        }
    }

    #[test]
    fn a_field_has_a_bounded_length() {
        assert_eq!(cut(&"ä".repeat(FIELD_MAX)), "ä".repeat(FIELD_MAX));
        assert_eq!(cut(&"ä".repeat(1 << 20)).chars().count(), FIELD_MAX + 1);
        let mut text = Bounded(String::new());
        let _ = write!(text, "{:?}", vec!["x".repeat(1 << 20); 100]);
        assert!(text.0.len() < FIELD_MAX * 12);
    }

    #[test]
    fn a_line_of_text_quotes_only_what_needs_it() {
        let text = |text: &str| Value::Text(text.to_owned());
        let fields =
            fields("moved on", vec![("topic", text("a.b")), ("why", text("so \"it\" is")), ("none", text(""))]);
        let expected = r#"1970-01-01T00:00:00.000Z WARN  moved on topic=a.b why="so \"it\" is" none="""#;
        assert_eq!(entry(&fields).text(false), expected);
    }
}
