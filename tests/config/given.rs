//! A configuration out of texts, and its problems as the lines that a person reads.

use std::ffi::OsString;
use std::fs;

use messagetrace_ecs::config::{Config, Layers, Loaded};
use tempfile::TempDir;

/// Layers from texts: files, variables (without their prefix) and `--set`.
#[derive(Default)]
pub struct Given<'a> {
    pub files: &'a [&'a str],
    pub environment: &'a [(&'a str, &'a str)],
    pub sets: &'a [&'a str],
}

impl Given<'_> {
    pub fn load(&self) -> Result<Loaded, Vec<String>> {
        let folder = TempDir::new().unwrap();
        let write = |(index, text): (usize, &&str)| {
            let path = folder.path().join(format!("{index}.toml"));
            fs::write(&path, text).unwrap();
            path
        };
        let layers = Layers {
            files: self.files.iter().enumerate().map(write).collect(),
            sets: self.sets.iter().map(|&set| set.to_owned()).collect(),
            flags: Vec::new(),
        };
        let variable = |(name, value): &(&str, &str)| (format!("MESSAGETRACE_ECS_{name}").into(), (*value).into());
        load(&layers, self.environment.iter().map(variable)).map_err(|lines| {
            let folder = format!("{}/", folder.path().display());
            lines.into_iter().map(|line| line.replace(&folder, "")).collect()
        })
    }

    pub fn problems(&self) -> Vec<String> {
        self.load().map(|_| ()).expect_err("a problem was expected")
    }
}

pub fn load(
    layers: &Layers,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Loaded, Vec<String>> {
    Config::load_from(layers, environment).map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

pub fn file(text: &str) -> Result<Loaded, Vec<String>> {
    Given { files: &[text], ..Given::default() }.load()
}

pub fn set(sets: &[&str]) -> Result<Loaded, Vec<String>> {
    Given { sets, ..Given::default() }.load()
}
