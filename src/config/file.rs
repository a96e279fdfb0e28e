//! Files of the configuration: TOML into values that remember their line, and secrets that live in a file.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use figment::value::{Dict, Tag, Value};
use toml::de::{DeTable, DeValue};

use super::problem::{Fault, Problem};
use super::settings;
use super::types::Secret;

/// A configuration of ours is a few kilobytes.
const FILE_MAX: u64 = 1 << 20;

/// The longest token in use is a few kilobytes.
const SECRET_MAX: u64 = 64 << 10;

/// Syntax errors that are told of one file.
const ERRORS_MAX: usize = 20;

/// A value of a file, under the key of a setting, or under a key that is none.
pub struct Located {
    pub key: String,
    pub value: Value,
    /// File and line.
    pub origin: String,
}

/// The entries of a configuration file that the flag or the variable names, in their order; or every syntax error in it.
pub fn read(path: &Path, named_by: &str) -> Result<Vec<Located>, Vec<Problem>> {
    let name = path.display().to_string();
    let problem = |origin: String, fault| Problem { key: name.clone(), value: None, origin, fault };
    let remedy = "name a file with settings in TOML";
    let text = open(path, remedy)
        .and_then(|file| read_text(file, FILE_MAX, remedy))
        .map_err(|fault| vec![problem(named_by.to_owned(), fault)])?;
    let lines = Lines::of(&text);
    let (table, errors) = DeTable::parse_recoverable(&text);
    if !errors.is_empty() {
        let told = errors.iter().take(ERRORS_MAX).map(|error| {
            let line = lines.number(error.span().map_or(0, |span| span.start));
            let what = format!("is not TOML: {}", one_line(error.message()));
            problem(format!("line {line}"), Fault::new(what, "text stands in quotes, a setting is key = value"))
        });
        return Err(told.collect());
    }
    let mut entries = Vec::new();
    spread("", table.get_ref(), &mut |key, span, value| {
        let origin = format!("{name}:{}", lines.number(span));
        entries.push(Located { key, value, origin });
    });
    Ok(entries)
}

/// The table in a text like `{"linger.ms"="5"}`; `None` when it is no such text.
pub fn inline_table(text: &str) -> Option<Value> {
    let value = DeValue::parse(text.trim()).ok()?;
    matches!(value.get_ref(), DeValue::Table(_)).then(|| convert(value.get_ref()))
}

/// The entries of a list written like `["a", "b"]`; `None` when it is no such text.
pub fn inline_list(text: &str) -> Option<Value> {
    let value = DeValue::parse(text.trim()).ok()?;
    matches!(value.get_ref(), DeValue::Array(_)).then(|| convert(value.get_ref()))
}

/// A secret from the file that holds it, without the newline at its end.
pub fn read_secret(path: &Path) -> Result<Secret, Fault> {
    let remedy = "name a readable file that holds the secret and nothing else, on one line";
    let text = read_text(open_regular(path, remedy)?, SECRET_MAX, remedy)?;
    let secret = text.strip_suffix('\n').map_or(text.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
    if secret.is_empty() {
        return Err(Fault::new("names an empty file", remedy));
    }
    if secret.chars().any(char::is_control) {
        return Err(Fault::new("names a file with more than one line, or with control characters", remedy));
    }
    Ok(Secret::read_from(path, secret))
}

/// Certificates or a key in PEM, not looked at yet.
pub fn read_pem(path: &Path) -> Result<Secret, Fault> {
    let remedy = "name a readable file in PEM";
    let text = open_regular(path, remedy).and_then(|file| read_text(file, FILE_MAX, remedy))?;
    Ok(Secret::read_from(path, text))
}

fn open(path: &Path, remedy: &str) -> Result<File, Fault> {
    let file = File::open(path).map_err(|error| unreadable(&error, remedy))?;
    match file.metadata() {
        Ok(metadata) if metadata.is_dir() => Err(Fault::new("is a directory", remedy)),
        Ok(_) => Ok(file),
        Err(error) => Err(unreadable(&error, remedy)),
    }
}

/// A pipe that nobody writes to, or a terminal, would be waited for without end; such a file is refused unopened.
fn open_regular(path: &Path, remedy: &str) -> Result<File, Fault> {
    match fs::metadata(path) {
        Ok(metadata) if !metadata.is_file() && !metadata.is_dir() => Err(Fault::new("is no regular file", remedy)),
        _ => open(path, remedy),
    }
}

/// Reads what was opened once, so that a pipe (`--config <(…)`) can be read too.
fn read_text(file: File, limit: u64, remedy: &str) -> Result<String, Fault> {
    let mut bytes = Vec::new();
    // A limit on reading, not on the size that the file system tells: a device or a pipe has none.
    file.take(limit + 1).read_to_end(&mut bytes).map_err(|error| unreadable(&error, remedy))?;
    if bytes.len() as u64 > limit {
        return Err(Fault::new(format!("is larger than {} KiB", limit >> 10), remedy));
    }
    let text = String::from_utf8(bytes).map_err(|_| Fault::new("is not UTF-8 text", remedy))?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

fn unreadable(error: &io::Error, remedy: &str) -> Fault {
    let what = match error.kind() {
        io::ErrorKind::NotFound => "does not exist".to_owned(),
        io::ErrorKind::PermissionDenied => "may not be read by this user".to_owned(),
        io::ErrorKind::IsADirectory => "is a directory".to_owned(),
        _ => format!("cannot be read ({})", one_line(&error.to_string())),
    };
    Fault::new(what, remedy)
}

/// Hands over each value under its key. Goes down as long as a key is the beginning of known ones: what is below an
/// unknown key is one problem, not one for each entry.
fn spread(prefix: &str, table: &DeTable<'_>, hand: &mut impl FnMut(String, usize, Value)) {
    for (name, value) in table {
        let key = if prefix.is_empty() { name.get_ref().to_string() } else { format!("{prefix}.{}", name.get_ref()) };
        match value.get_ref() {
            DeValue::Table(inner) if !inner.is_empty() && descends(&key) => spread(&key, inner, hand),
            other => hand(key, name.span().start, convert(other)),
        }
    }
}

/// Whether the entries of a table under this key are looked at one by one: groups, and maps for their lines.
fn descends(key: &str) -> bool {
    let begins = |known: &str| known.strip_prefix(key).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    settings::SETTINGS.iter().any(|setting| begins(setting.key) && (setting.is_map() || setting.key != key))
}

fn convert(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::from(text.as_ref()),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Value::from(number),
            Err(_) => Value::from(number.to_string()),
        },
        DeValue::Float(number) => match number.as_str().parse::<f64>() {
            Ok(number) => Value::from(number),
            Err(_) => Value::from(number.to_string()),
        },
        DeValue::Boolean(flag) => Value::from(*flag),
        // A time without quotes means the same as one with them.
        DeValue::Datetime(time) => Value::from(time.to_string()),
        DeValue::Array(entries) => {
            Value::Array(Tag::Default, entries.iter().map(|entry| convert(entry.get_ref())).collect())
        }
        DeValue::Table(entries) => Value::from(
            entries
                .iter()
                .map(|(name, value)| (name.get_ref().to_string(), convert(value.get_ref())))
                .collect::<Dict>(),
        ),
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// From a byte's position to its line.
struct Lines {
    ends: Vec<usize>,
}

impl Lines {
    fn of(text: &str) -> Self {
        Self { ends: memchr::memchr_iter(b'\n', text.as_bytes()).collect() }
    }

    /// 1-based.
    fn number(&self, position: usize) -> usize {
        self.ends.partition_point(|end| *end < position) + 1
    }
}
