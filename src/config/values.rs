//! The value of each setting by its form, with the place it came from, and every value that is none as a problem.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use figment::value::{Num, Value};

use super::layers::Layered;
use super::problem::{Fault, Problem, Problems};
use super::settings;
use super::settings::{Form, SETTINGS, Setting};
use super::typed::Typed;
use super::types::{Properties, REDACTED, Secret};
use super::{file, origin, show, syntax, units};

/// One setting as it was read.
#[derive(Clone, Debug)]
pub struct Read {
    /// `None`: not set.
    pub value: Option<Typed>,
    pub origin: String,
    /// Where each raw property was set.
    pub properties: BTreeMap<String, String>,
    /// Whether a problem was found in it.
    pub faulty: bool,
}

impl Read {
    /// Where it was set; the raw properties of one map may come from several places.
    pub fn origin(&self) -> String {
        let places: BTreeSet<&str> = self.properties.values().map(String::as_str).collect();
        if places.is_empty() { self.origin.clone() } else { places.into_iter().collect::<Vec<_>>().join(", ") }
    }

    pub fn is_default(&self) -> bool {
        self.origin == origin::DEFAULT
    }

    fn unset() -> Self {
        Self { value: None, origin: origin::DEFAULT.to_owned(), properties: BTreeMap::new(), faulty: false }
    }
}

/// Every setting.
#[derive(Clone, Debug, Default)]
pub struct Values(BTreeMap<&'static str, Read>);

impl Values {
    pub fn read(layered: &Layered, problems: &mut Problems) -> Self {
        let read = |setting: &'static Setting| (setting.key, read_setting(layered, setting, problems));
        Self(SETTINGS.iter().map(read).collect())
    }

    /// One setting with this key, which is one of the table's, without a look at the others.
    pub fn read_one(layered: &Layered, key: &str, problems: &mut Problems) -> Read {
        let setting = settings::find(key).expect("the key is one of the table's");
        read_setting(layered, setting, problems)
    }

    /// The setting with this key, which is one of the table's.
    pub fn get(&self, key: &str) -> &Read {
        self.0.get(key).expect("every key of the table was read")
    }

    pub fn typed(&self, key: &str) -> Option<&Typed> {
        self.get(key).value.as_ref()
    }

    pub fn is_set(&self, key: &str) -> bool {
        self.get(key).value.is_some()
    }

    /// Whether none of these was a problem of its own, so that it makes sense to compare them.
    pub fn are_sound(&self, keys: &[&str]) -> bool {
        keys.iter().all(|key| !self.get(key).faulty)
    }

    /// A problem of this setting in the light of others.
    pub fn problem(&self, key: &str, fault: Fault) -> Problem {
        let read = self.get(key);
        let value = read.value.as_ref().map(show::typed);
        Problem { key: key.to_owned(), value, origin: read.origin.clone(), fault }
    }
}

fn read_setting(layered: &Layered, setting: &'static Setting, problems: &mut Problems) -> Read {
    let Some((value, origin)) = find(layered, setting.key) else {
        return if setting.is_secret() { read_twin(layered, setting, problems) } else { Read::unset() };
    };
    // An empty text takes back what a layer below has set; of a secret the text alone, not the file that may hold it.
    let is_empty = value.as_str().is_some_and(|text| text.trim().is_empty());
    if is_empty && setting.is_secret() {
        let read = read_twin(layered, setting, problems);
        return if read.is_default() { Read { origin, ..read } } else { read };
    }
    if setting.is_secret() && find(layered, &format!("{}_file", setting.key)).is_some() {
        let fault = Fault::new(format!("is set together with {}_file", setting.key), "keep one of the two");
        problems.add(Problem {
            key: setting.key.to_owned(),
            value: Some(REDACTED.to_owned()),
            origin: origin.clone(),
            fault,
        });
        return Read { value: None, origin, properties: BTreeMap::new(), faulty: true };
    }
    let mut read = Read { value: None, origin, properties: BTreeMap::new(), faulty: false };
    if is_empty && setting.default.is_empty() && !setting.is_list() {
        return read;
    }
    if setting.is_map() {
        read.properties = property_origins(layered, &value);
    }
    match parse(setting, &value) {
        Ok(typed) => read.value = Some(typed),
        Err(fault) => {
            let shown = if setting.is_secret() { REDACTED.to_owned() } else { show::raw(&value) };
            let value = (!setting.is_map()).then_some(shown);
            problems.add(Problem { key: setting.key.to_owned(), value, origin: read.origin.clone(), fault });
            read.faulty = true;
        }
    }
    read
}

/// The value under this key and where it was set; an empty text where nothing is needed counts as not set.
fn find(layered: &Layered, key: &str) -> Option<(Value, String)> {
    let value = layered.figment.find_value(key).ok()?;
    if settings::find(key).is_none() && value.as_str().is_some_and(|text| text.trim().is_empty()) {
        return None;
    }
    let origin = origin_of(layered, &value);
    Some((value, origin))
}

fn origin_of(layered: &Layered, value: &Value) -> String {
    layered.figment.get_metadata(value.tag()).map_or_else(|| origin::DEFAULT.to_owned(), |place| place.name.to_string())
}

fn property_origins(layered: &Layered, value: &Value) -> BTreeMap<String, String> {
    let entries = value.as_dict().into_iter().flatten();
    entries.map(|(name, value)| (name.clone(), origin_of(layered, value))).collect()
}

/// The secret from the file that its `_file` twin names.
fn read_twin(layered: &Layered, setting: &'static Setting, problems: &mut Problems) -> Read {
    let twin = format!("{}_file", setting.key);
    let Some((value, origin)) = find(layered, &twin) else {
        return Read::unset();
    };
    let mut read = Read { value: None, origin, properties: BTreeMap::new(), faulty: false };
    let secret = text(&value).and_then(|path| {
        let path = PathBuf::from(path);
        Ok(Typed::Secret(file::read_secret(&path)?))
    });
    match secret {
        Ok(secret) => read.value = Some(secret),
        Err(fault) => {
            problems.add(Problem { key: twin, value: Some(show::raw(&value)), origin: read.origin.clone(), fault });
            read.faulty = true;
        }
    }
    read
}

fn parse(setting: &Setting, value: &Value) -> Result<Typed, Fault> {
    match setting.form {
        Form::Text(syntax) => {
            let text = text(value)?;
            (syntax.check)(&text)?;
            Ok(Typed::Text(text))
        }
        Form::Secret => {
            let text = text(value)?;
            syntax::line(&text)?;
            Ok(Typed::Secret(Secret::new(text)))
        }
        Form::Path => Ok(Typed::Path(PathBuf::from(text(value)?))),
        Form::List(syntax) => list(setting, value, syntax.check),
        Form::Properties => properties(value),
        Form::Flag => flag(value).map(Typed::Flag),
        Form::Count { least, most } => count(value, least, most).map(|count| Typed::Count(Some(count))),
        Form::Workers { .. } if value.as_str() == Some("auto") => Ok(Typed::Count(None)),
        Form::Workers { most } => count(value, 1, most).map(|count| Typed::Count(Some(count))),
        Form::Size { least, most } => {
            let size = units::parse_size(&with_unit(value)?)?;
            within(size, least, most, units::show_size)?;
            Ok(Typed::Size(size))
        }
        Form::Duration { least, most } => {
            let duration = units::parse_duration(&with_unit(value)?)?;
            within(duration, least, most, units::show_duration)?;
            Ok(Typed::Duration(duration))
        }
        Form::Ratio => ratio(value).map(Typed::Ratio),
        Form::Choice(names) => {
            let text = text(value)?;
            match names.iter().position(|name| **name == text) {
                Some(position) => Ok(Typed::Choice(position, names[position])),
                None => Err(Fault::new("is none of the choices", format!("use {}", one_of(names)))),
            }
        }
        Form::Start => syntax::start(&text(value)?).map(Typed::Start),
        Form::Listen => syntax::listen(&text(value)?).map(Typed::Listen),
    }
}

fn text(value: &Value) -> Result<String, Fault> {
    match value {
        Value::String(_, text) if text.trim().is_empty() => Err(Fault::new("is empty", "give it a value")),
        Value::String(_, text) => Ok(text.clone()),
        _ => Err(Fault::new("is no text", "put it in quotes")),
    }
}

/// A text with a unit; a bare number is handed on, for the complaint that its unit is missing.
fn with_unit(value: &Value) -> Result<String, Fault> {
    match value {
        Value::Num(_, number) => Ok(show::number(*number)),
        value => text(value).map(|text| text.trim().to_owned()),
    }
}

fn list(setting: &Setting, value: &Value, check: syntax::Check) -> Result<Typed, Fault> {
    let entries = match value {
        Value::String(_, text) if text.trim_start().starts_with("[\"") || text.trim() == "[]" => {
            match file::inline_list(text) {
                Some(list) => entries(&list)?,
                None => return Err(Fault::new("is no list", "separate the entries by commas")),
            }
        }
        Value::String(_, text) if text.trim().is_empty() => Vec::new(),
        Value::String(_, text) => text.split(',').map(|entry| entry.trim().to_owned()).collect(),
        value => entries(value)?,
    };
    if entries.is_empty() && !setting.default.is_empty() {
        return Err(Fault::new("is an empty list", "name at least one"));
    }
    for (index, entry) in entries.iter().enumerate() {
        let named = |fault: Fault| Fault::new(format!("entry {} {}", index + 1, fault.what), fault.remedy);
        check(entry).map_err(named)?;
        if entries[..index].contains(entry) {
            return Err(Fault::new(format!("entry {} is there twice", index + 1), "name each once"));
        }
    }
    Ok(Typed::List(entries))
}

fn entries(list: &Value) -> Result<Vec<String>, Fault> {
    let complaint = || Fault::new("is no list of texts", "write [\"a\", \"b\"] or \"a,b\"");
    let entries = list.as_array().ok_or_else(complaint)?;
    entries.iter().map(|entry| entry.as_str().map(|text| text.trim().to_owned()).ok_or_else(complaint)).collect()
}

fn properties(value: &Value) -> Result<Typed, Fault> {
    let entries = value.as_dict().ok_or_else(|| Fault::new("is no table", "write it like {\"linger.ms\"=\"5\"}"))?;
    let text = |(name, value): (&String, &Value)| match value {
        Value::String(_, text) => Ok((name.clone(), text.clone())),
        Value::Num(_, number) => Ok((name.clone(), show::number(*number))),
        Value::Bool(_, flag) => Ok((name.clone(), flag.to_string())),
        _ => Err(Fault::new(
            format!("has an entry \"{}\" that is no text", super::problem::short(name)),
            "give each property a text or a number",
        )),
    };
    entries.iter().map(text).collect::<Result<Properties, Fault>>().map(Typed::Properties)
}

fn flag(value: &Value) -> Result<bool, Fault> {
    match value {
        Value::Bool(_, flag) => Ok(*flag),
        Value::String(_, text) if text == "true" => Ok(true),
        Value::String(_, text) if text == "false" => Ok(false),
        _ => Err(Fault::new("is neither true nor false", "write true or false")),
    }
}

fn count(value: &Value, least: u64, most: u64) -> Result<u64, Fault> {
    let number = match value {
        Value::String(_, text) => text.trim().parse().ok(),
        Value::Num(_, Num::I64(number)) => u64::try_from(*number).ok(),
        _ => None,
    };
    let number = number.ok_or_else(|| Fault::new("is no whole number", format!("use {least} to {most}")))?;
    within(number, least, most, |number| number.to_string())?;
    Ok(number)
}

fn ratio(value: &Value) -> Result<f64, Fault> {
    let number = match value {
        Value::String(_, text) => text.trim().parse().ok(),
        Value::Num(_, Num::F64(number)) => Some(*number),
        Value::Num(_, number) => show::number(*number).parse().ok(),
        _ => None,
    };
    match number {
        Some(ratio) if 0.0 < ratio && ratio < 1.0 => Ok(ratio),
        Some(_) => Err(Fault::new("is not between 0 and 1", "use a share above 0 and below 1, like 0.5")),
        None => Err(Fault::new("is no number", "use a share above 0 and below 1, like 0.5")),
    }
}

fn within<T: PartialOrd + Copy>(value: T, least: T, most: T, show: impl Fn(T) -> String) -> Result<(), Fault> {
    let range = || format!("use {} to {}", show(least), show(most));
    if value < least {
        return Err(Fault::new("is too small", range()));
    }
    if value > most {
        return Err(Fault::new("is too large", range()));
    }
    Ok(())
}

fn one_of(names: &[&str]) -> String {
    match names.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => String::new(),
    }
}
