//! What a look at the topic is given, and what it gives.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::html::Html;
use crate::config::Config;
use crate::kafka::scan::Progress;
use crate::letters::shelf::Shelf;
use crate::letters::topics::Pattern;
use crate::letters::verdict::Mapping;

/// Everything that a look needs.
#[derive(Debug)]
pub struct Context {
    pub config: Config,
    /// The dead-letter topics that were asked for.
    asked: Vec<Pattern>,
    pub mapping: Mapping,
}

impl Context {
    pub fn new(config: &Config, asked: &[Pattern]) -> Self {
        Self { config: config.clone(), asked: asked.to_vec(), mapping: Mapping::new(config) }
    }

    /// The topics as they are now: patterns may fit more of them than a moment ago.
    pub fn shelf(&self) -> anyhow::Result<Shelf<'_>> {
        Shelf::of(&self.config, &self.asked, &AtomicBool::new(false))
    }

    /// The topics in the words of whoever asked for them.
    pub fn title(&self) -> String {
        if self.asked.is_empty() {
            return self.config.dead_letters.topic.clone();
        }
        self.asked.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    }

    /// Which cluster is looked at, in the words of the configuration.
    pub fn cluster(&self) -> String {
        self.config.kafka.bootstrap_servers.join(", ")
    }
}

/// Set once nobody waits for the page any more.
#[derive(Clone, Debug, Default)]
pub struct Left(Arc<AtomicBool>);

impl Left {
    pub fn tell(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub fn is_told(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// To be called by whoever reads the topic.
    pub fn watch(&self, progress: &Progress) {
        if self.is_told() {
            progress.stop();
        }
    }
}

/// How much of a letter is wished for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    Surroundings,
    More,
}

/// What a look gives.
#[derive(Debug)]
pub enum Found {
    /// Content for a page, and after how many seconds it is asked for again.
    Page { title: String, content: Html, refresh: Option<u16> },
    /// Bytes to be kept under a name.
    Bytes { name: String, bytes: Vec<u8> },
    /// The address where it is.
    Elsewhere(String),
}
