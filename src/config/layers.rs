//! The layers of the configuration, each below the next: defaults, files, environment, `--set`, and the short flags.
//!
//! Each assignment becomes one figment provider named after the place it came from, so that figment, which merges
//! them, can say for every value where it was set. What a value means is no concern of this file.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use figment::value::{Dict, Map, Tag, Value};
use figment::{Figment, Metadata, Profile, Provider};

use super::file;
use super::file::Located;
use super::problem::{Fault, Problem, Problems};
use super::settings;
use super::settings::{SETTINGS, Setting};
use super::{nearest, origin};

/// Where settings come from, beside the defaults and the environment.
#[derive(Clone, Debug, Default)]
pub struct Layers {
    /// Later files win.
    pub files: Vec<PathBuf>,
    /// Each `KEY=VALUE`, over files and environment.
    pub sets: Vec<String>,
    /// What short flags say, as settings above all others.
    pub flags: Vec<Flag>,
}

/// A setting that has a flag of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flag {
    pub name: &'static str,
    pub key: &'static str,
    pub value: String,
}

/// Variables that begin with this are settings.
pub const PREFIX: &str = "MESSAGETRACE_ECS_";

/// This one names files, for images: whatever is called in the container then reads the same, the health check included.
const FILES: &str = "MESSAGETRACE_ECS_CONFIG";

const SET: &str = "--set";

/// Raw properties of all maps and layers together; librdkafka knows fewer than two hundred.
const PROPERTIES_MAX: usize = 1_000;

/// One value and where it was set.
struct Assignment<'a> {
    /// A known key, or the twin of one.
    key: &'a str,
    value: Value,
    origin: &'a str,
}

impl Provider for Assignment<'_> {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.origin.to_owned())
    }

    fn data(&self) -> figment::Result<Map<Profile, Dict>> {
        let nested = self.key.rsplit('.').fold(self.value.clone(), |value, part| {
            Value::Dict(Tag::Default, [(part.to_owned(), value)].into_iter().collect())
        });
        Ok(Profile::Default.collect(nested.into_dict().unwrap_or_default()))
    }
}

/// All layers as they come in, merged, before any value is looked at.
pub struct Layered {
    pub figment: Figment,
    pub problems: Problems,
    /// Those of them that say that a file could not be read, so that nobody knows what it would have set.
    pub unread: Vec<Problem>,
    properties: usize,
}

impl Layered {
    /// Reads every layer. Files are read here, the environment is passed in.
    pub fn gather(layers: &Layers, environment: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let mut layered =
            Self { figment: Figment::new(), problems: Problems::default(), unread: Vec::new(), properties: 0 };
        for setting in SETTINGS.iter().filter(|setting| !setting.default.is_empty() && !setting.is_map()) {
            layered.assign(setting.key, Value::from(setting.default), origin::DEFAULT);
        }
        let (named, environment): (Vec<_>, Vec<_>) = environment.into_iter().partition(|(name, _)| name == FILES);
        if layers.files.is_empty() {
            named.iter().for_each(|(_, files)| layered.place_named_files(files));
        } else {
            layers.files.iter().for_each(|path| layered.place_file(path, "--config"));
        }
        layered.place_environment(environment);
        for (index, set) in layers.sets.iter().enumerate() {
            layered.place_set(index, set);
        }
        for flag in &layers.flags {
            layered.place(flag.key, Value::from(flag.value.as_str()), flag.name);
        }
        layered
    }

    /// The files that the variable names, with commas between them.
    fn place_named_files(&mut self, files: &OsStr) {
        let Some(files) = files.to_str() else {
            self.refuse(FILES, FILES, Fault::new("is not UTF-8", "set it to text"));
            return self.unread.extend(self.problems.last().cloned());
        };
        for path in files.split(',').map(str::trim).filter(|path| !path.is_empty()) {
            self.place_file(Path::new(path), FILES);
        }
    }

    fn place_file(&mut self, path: &Path, named_by: &str) {
        match file::read(path, named_by) {
            Ok(entries) => entries.into_iter().for_each(|entry| self.place_located(entry)),
            Err(problems) => {
                self.unread.extend(problems.iter().cloned());
                problems.into_iter().for_each(|problem| self.problems.add(problem));
            }
        }
    }

    fn place_located(&mut self, located: Located) {
        self.place(&located.key, located.value, &located.origin);
    }

    fn place_environment(&mut self, environment: impl IntoIterator<Item = (OsString, OsString)>) {
        // Sorted, so that the same environment gives the same lines in the same order.
        let mut variables: Vec<_> = environment
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_str()?.strip_prefix(PREFIX)?.to_owned(), value)))
            .filter(|(name, value)| !is_service_link(name, value))
            .filter(|(name, _)| !(cfg!(feature = "mutants") && name == "MUTANT"))
            .collect();
        variables.sort();
        for (name, value) in variables {
            let origin = format!("{PREFIX}{name}");
            let Some(value) = value.to_str() else {
                self.refuse(&origin, &origin, Fault::new("is not UTF-8", "set it to text"));
                continue;
            };
            // Only capitals: two spellings of one variable would have no order among them.
            if name.contains(|c: char| c.is_ascii_lowercase()) {
                let fault = Fault::new("is not in capitals", format!("write {PREFIX}{}", name.to_ascii_uppercase()));
                self.refuse(&origin, &origin, fault);
                continue;
            }
            let key = name.to_ascii_lowercase().replace("__", ".");
            if is_known(&key) {
                self.place(&key, Value::from(value), &origin);
            } else {
                let nearest = self.nearest(&key).map(|key| variable(&key));
                self.refuse(&origin, "environment", unknown(nearest));
            }
        }
    }

    fn place_set(&mut self, index: usize, set: &str) {
        let Some((key, value)) = set.split_once('=') else {
            // The text is not quoted: it may be a secret whose key was forgotten.
            let nth = format!("--set, number {}", index + 1);
            return self.refuse(&nth, "command line", Fault::new("has no \"=\"", "write --set key=value"));
        };
        self.place(key.trim(), Value::from(value), SET);
    }

    /// Puts one value where its key says, or says why there is no such place.
    fn place(&mut self, key: &str, value: Value, origin: &str) {
        if let Some((map, name)) = property(key) {
            return self.place_properties(map, name, value, origin);
        }
        match settings::find(key).or_else(|| settings::find_by_twin(key)) {
            Some(setting) if setting.is_map() => self.place_map(setting, value, origin),
            Some(_) => self.assign(key, value, origin),
            None if is_group(key) => match value {
                Value::Dict(_, entries) => {
                    for (name, value) in entries {
                        self.place(&format!("{key}.{name}"), value, origin);
                    }
                }
                _ => {
                    let fault =
                        Fault::new("is a group of settings", format!("set one of them, like {}", first_of(key)));
                    self.refuse(key, origin, fault);
                }
            },
            None => {
                let nearest = self.nearest(key);
                self.refuse(key, origin, unknown(nearest));
            }
        }
    }

    fn place_map(&mut self, setting: &'static Setting, value: Value, origin: &str) {
        let value = match value {
            Value::String(_, text) if text.trim().is_empty() => return,
            Value::String(_, text) => match file::inline_table(&text) {
                Some(table) => table,
                None => Value::from(text),
            },
            other => other,
        };
        if value.as_dict().is_none() {
            let fault = Fault::new("is no table", "write it like {\"linger.ms\"=\"5\"}");
            return self.refuse(setting.key, origin, fault);
        }
        self.place_properties(setting, "", value, origin);
    }

    fn place_properties(&mut self, setting: &'static Setting, name: &str, value: Value, origin: &str) {
        let mut properties = Vec::new();
        flatten(name.to_owned(), value, &mut properties);
        self.properties += properties.len();
        if self.properties <= PROPERTIES_MAX {
            let entries: Dict = properties.into_iter().collect();
            return self.assign(setting.key, Value::from(entries), origin);
        }
        if self.properties - properties.len() <= PROPERTIES_MAX {
            let fault =
                Fault::new("has too many entries", format!("keep to those that matter, {PROPERTIES_MAX} at most"));
            self.refuse(setting.key, origin, fault);
        }
    }

    fn assign(&mut self, key: &str, value: Value, origin: &str) {
        let figment = std::mem::take(&mut self.figment);
        self.figment = figment.merge(Assignment { key, value, origin });
    }

    fn refuse(&mut self, key: &str, origin: &str, fault: Fault) {
        self.problems.add(Problem { key: key.to_owned(), value: None, origin: origin.to_owned(), fault });
    }

    /// The known key nearest to this one, as long as anyone will read it.
    fn nearest(&self, key: &str) -> Option<String> {
        (!self.problems.is_crowded()).then(|| nearest::to(key))
    }
}

fn unknown(nearest: Option<String>) -> Fault {
    let remedy = match nearest {
        Some(nearest) => format!("the nearest is {nearest}; `messagetrace-ecs config` prints them all"),
        None => "`messagetrace-ecs config` prints all that exist".to_owned(),
    };
    Fault::new("is no setting", remedy)
}

/// The variable that sets this key.
pub fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.to_ascii_uppercase().replace('.', "__"))
}

/// Whether a value of this key from this place hides what files may say.
pub fn is_above_files(origin: &str, key: &str) -> bool {
    origin == SET || origin == variable(key)
}

fn is_known(key: &str) -> bool {
    settings::find(key).is_some() || settings::find_by_twin(key).is_some() || property(key).is_some() || is_group(key)
}

/// Whether keys begin with this and a dot.
fn is_group(key: &str) -> bool {
    SETTINGS.iter().any(|setting| setting.key.strip_prefix(key).is_some_and(|rest| rest.starts_with('.')))
}

fn first_of(group: &str) -> &'static str {
    let first = SETTINGS.iter().find(|setting| setting.key.starts_with(group));
    first.map_or("", |setting| setting.key)
}

/// `kafka.properties.linger.ms` as the property `linger.ms` of the map `kafka.properties`.
fn property(key: &str) -> Option<(&'static Setting, &str)> {
    SETTINGS.iter().filter(|setting| setting.is_map()).find_map(|setting| {
        let name = key.strip_prefix(setting.key)?.strip_prefix('.')?;
        (!name.is_empty()).then_some((setting, name))
    })
}

/// TOML reads an unquoted `linger.ms = 5` as a table in a table; librdkafka's names hold dots, so both mean the same.
fn flatten(name: String, value: Value, properties: &mut Vec<(String, Value)>) {
    match value {
        Value::Dict(_, entries) => {
            for (part, value) in entries {
                let name = if name.is_empty() { part } else { format!("{name}.{part}") };
                flatten(name, value, properties);
            }
        }
        value => properties.push((name, value)),
    }
}

/// Kubernetes puts variables into every container for each service of the namespace, after the service's name: one
/// called `messagetrace-ecs` gives `MESSAGETRACE_ECS_PORT=tcp://…`. They are none of ours.
fn is_service_link(name: &str, value: &OsString) -> bool {
    let of_service = name == "SERVICE_HOST"
        || name == "SERVICE_PORT"
        || name.ends_with("_SERVICE_HOST")
        || name.ends_with("_SERVICE_PORT")
        || name.starts_with("SERVICE_PORT_")
        || name.contains("_SERVICE_PORT_");
    let of_port = name == "PORT" || name.starts_with("PORT_") || name.ends_with("_PORT") || name.contains("_PORT_");
    let protocol = ["tcp://", "udp://", "sctp://"].iter().any(|start| value.to_string_lossy().starts_with(start));
    let detail = ["_PROTO", "_PORT", "_ADDR"].iter().any(|end| name.ends_with(end))
        && ["_TCP_", "_UDP_", "_SCTP_"].iter().any(|protocol| name.contains(protocol));
    !name.contains("__") && (of_service || of_port && (protocol || detail))
}
