//! Values as text for people, in a form that reads back as the same value. Secrets never come out of here.

use figment::value::{Num, Value};

use super::Start;
use super::typed::Typed;
use super::types::{Properties, REDACTED, without_login};
use super::units::{show_duration, show_size};

/// A value in TOML.
pub fn typed(value: &Typed) -> String {
    match value {
        Typed::Text(text) => quoted(text),
        Typed::Secret(..) => REDACTED.to_owned(),
        Typed::Path(path) => quoted(&path.to_string_lossy()),
        Typed::List(entries) => {
            let entries: Vec<String> = entries.iter().map(|entry| quoted(entry)).collect();
            format!("[{}]", entries.join(", "))
        }
        Typed::Properties(properties) => table(properties),
        Typed::Flag(flag) => flag.to_string(),
        Typed::Count(Some(count)) => count.to_string(),
        Typed::Count(None) => quoted("auto"),
        Typed::Size(size) => quoted(&show_size(*size)),
        Typed::Duration(duration) => quoted(&show_duration(*duration)),
        Typed::Ratio(ratio) => ratio.to_string(),
        Typed::Choice(_, name) => quoted(name),
        Typed::Start(start) => quoted(&match start {
            Start::Earliest => "earliest".to_owned(),
            Start::Latest => "latest".to_owned(),
            Start::Error => "error".to_owned(),
            Start::At(time) => time.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true),
        }),
        Typed::Listen(address) => quoted(&address.to_string()),
    }
}

fn table(properties: &Properties) -> String {
    if properties.is_empty() {
        return "{}".to_owned();
    }
    let entry =
        |(name, value): (&String, &String)| format!("{} = {}", quoted(name), quoted(&Properties::shown(name, value)));
    format!("{{ {} }}", properties.into_iter().map(entry).collect::<Vec<_>>().join(", "))
}

/// A value as it came in, before anyone knows what it is meant to be: a login may stand where none belongs.
pub fn raw(value: &Value) -> String {
    match value {
        Value::String(_, text) => quoted(&without_login(text)),
        Value::Num(_, num) => number(*num),
        Value::Bool(_, flag) => flag.to_string(),
        Value::Char(_, character) => quoted(&character.to_string()),
        Value::Array(_, entries) => format!("[{}]", entries.iter().map(raw).collect::<Vec<_>>().join(", ")),
        Value::Dict(..) => "{…}".to_owned(),
        Value::Empty(..) => "nothing".to_owned(),
    }
}

pub fn number(number: Num) -> String {
    match number {
        Num::F64(number) => number.to_string(),
        Num::F32(number) => number.to_string(),
        integer => match (integer.to_i128(), integer.to_u128()) {
            (Some(integer), _) => integer.to_string(),
            (None, integer) => integer.unwrap_or_default().to_string(),
        },
    }
}

/// A TOML string on one line.
pub fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            control if control.is_control() => quoted.push_str(&format!("\\u{:04X}", u32::from(control))),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}
