//! From the layers to the configuration that the program runs on, or to everything that is wrong with them.

use std::ffi::OsString;
use std::net::SocketAddr;

use super::layers;
use super::layers::{Layered, Layers};
use super::problem::{Problems, Warning};
use super::settings::{SETTINGS, Setting};
use super::typed::Typed;
use super::values::Values;
use super::{Config, Log, build, checks, container, show};

/// A configuration without a problem, and what a person may want to know about it.
#[derive(Clone, Debug)]
pub struct Loaded {
    pub config: Config,
    pub warnings: Vec<Warning>,
    values: Values,
}

/// One setting as `config` prints it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effective {
    pub key: String,
    /// In TOML; `None`: not set.
    pub value: Option<String>,
    pub origin: String,
    /// The value shown is not the value.
    pub hides_a_secret: bool,
}

impl Config {
    /// Reads defaults, files, the process's environment and flags.
    pub fn load(layers: &Layers) -> Result<Loaded, Problems> {
        Self::load_from(layers, std::env::vars_os())
    }

    /// How to log, as far as that can be told from layers that hold problems.
    pub fn log(layers: &Layers) -> Log {
        let layered = Layered::gather(layers, std::env::vars_os());
        build::config(&Values::read(&layered, &mut Problems::default())).log
    }

    /// The same with a given environment.
    pub fn load_from(
        layers: &Layers,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Loaded, Problems> {
        let mut layered = Layered::gather(layers, environment);
        let mut problems = std::mem::take(&mut layered.problems);
        let values = Values::read(&layered, &mut problems);
        let mut config = build::config(&values);
        checks::check(&config, &values, &mut problems);
        config.kafka.tls.pem = checks::pem(&config, &values, &mut problems);
        if !problems.is_empty() {
            return Err(problems);
        }
        let mut warnings = checks::warnings(&config, &values);
        let budget = values.get("pipeline.memory_budget");
        warnings.extend(container::warning(config.pipeline.memory_budget, container::memory_limit(), budget.origin()));
        Ok(Loaded { config, warnings, values })
    }

    /// `http.listen` alone, whatever is wrong with the others. A file that cannot be read is a problem only where it may
    /// have held the value: nothing above the files has set it.
    pub fn listen(layers: &Layers) -> Result<SocketAddr, Problems> {
        Self::listen_from(layers, std::env::vars_os())
    }

    /// The same with a given environment.
    pub fn listen_from(
        given: &Layers,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<SocketAddr, Problems> {
        const KEY: &str = "http.listen";
        let layered = Layered::gather(given, environment);
        let mut problems = Problems::default();
        let read = Values::read_one(&layered, KEY, &mut problems);
        if !layers::is_above_files(&read.origin, KEY) {
            layered.unread.into_iter().for_each(|problem| problems.add(problem));
        }
        match read.value {
            Some(Typed::Listen(listen)) if problems.is_empty() => Ok(listen),
            _ => Err(problems),
        }
    }
}

impl Loaded {
    /// Whether nobody has set this key.
    pub fn is_default(&self, key: &str) -> bool {
        self.values.get(key).is_default()
    }

    /// Every setting, in the order of the table.
    pub fn effective(&self) -> Vec<Effective> {
        SETTINGS.iter().map(|setting| self.effective_setting(setting)).collect()
    }

    fn effective_setting(&self, setting: &Setting) -> Effective {
        let read = self.values.get(setting.key);
        let effective =
            Effective { key: setting.key.to_owned(), value: None, origin: read.origin(), hides_a_secret: false };
        match &read.value {
            // The file's name is no secret, and with it the output can be used as a configuration again.
            Some(Typed::Secret(secret)) if secret.file().is_some() => Effective {
                key: format!("{}_file", setting.key),
                value: secret.file().map(|path| show::quoted(&path.to_string_lossy())),
                ..effective
            },
            Some(value) => {
                Effective { value: Some(show::typed(value)), hides_a_secret: value.holds_a_secret(), ..effective }
            }
            None if setting.is_map() => Effective { value: Some("{}".to_owned()), ..effective },
            None if setting.is_list() => Effective { value: Some("[]".to_owned()), ..effective },
            None => effective,
        }
    }
}

/// The defaults of the table.
pub(super) fn defaults() -> Config {
    let layered = Layered::gather(&Layers::default(), []);
    let mut problems = Problems::default();
    let values = Values::read(&layered, &mut problems);
    build::config(&values)
}
