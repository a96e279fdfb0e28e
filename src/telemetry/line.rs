//! One line of the log: the fields of an event as text for a person, or as one ECS JSON object.
//!
//! Whatever a field holds, a line stays one line of bounded length: control characters are escaped, long values cut.

use std::collections::hash_map::DefaultHasher;
use std::fmt::{self, Write as _};
use std::hash::Hash as _;

use chrono::{DateTime, SecondsFormat, Utc};
use tracing::Level;
use tracing::field::{Field, Visit};

use super::repeats::hash_of_text;
use crate::normalize::ECS_VERSION;
use crate::text;
use crate::text::{acts, escaped};

const SERVICE: &str = "messagetrace-ecs";

/// What stands in one line.
pub struct Entry<'a> {
    pub time: DateTime<Utc>,
    pub level: Level,
    pub logger: &'a str,
    pub fields: &'a Fields,
}

impl Entry<'_> {
    pub fn json(&self) -> String {
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

    pub fn text(&self, colour: bool) -> String {
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
#[derive(Clone, Debug, Default)]
pub struct Fields {
    pub message: String,
    /// The target of a record of the `log` crate.
    pub logger: Option<String>,
    others: Vec<(&'static str, Value)>,
}

#[derive(Clone, Debug)]
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
    /// A message alone.
    pub fn of(message: &str) -> Self {
        Self { message: message.to_owned(), ..Self::default() }
    }

    /// One more number.
    pub fn count(&mut self, name: &'static str, number: u64) {
        self.others.push((name, Value::Literal(number.to_string())));
    }

    /// One more text.
    pub fn text(&mut self, name: &'static str, text: String) {
        self.others.push((name, Value::Text(text)));
    }

    /// By which two lines are the same; see [`hash_of_text`].
    pub fn hash_into(&self, hasher: &mut DefaultHasher) {
        hash_of_text(&self.message, hasher);
        for (name, value) in &self.others {
            name.hash(hasher);
            match value {
                Value::Text(text) => hash_of_text(text, hasher),
                Value::Literal(literal) => literal.hash(hasher),
            }
        }
    }

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
        self.add(field, Value::Text(text::cut(value)));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, Value::Text(text::debug(value)));
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
            other if acts(other) => {
                for unit in other.encode_utf16(&mut [0; 2]) {
                    let _ = write!(line, "\\u{unit:04x}");
                }
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
            assert!(!line.chars().any(acts), "{line}");
        }
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
