//! What somebody wants audited.

use crate::config::{Config, Start};
use crate::kafka::scan::{Resolved, Stretch};
use crate::record::Section;

/// The part of the input that is audited.
#[derive(Clone, Debug, Default)]
pub struct Request {
    pub section: Section,
}

impl Request {
    /// What is wrong with it, in one line.
    pub fn problem(&self, config: &Config) -> Option<String> {
        let topics = config.input.topics.join(", ");
        match &self.section.topic {
            Some(topic) if !config.input.topics.contains(topic) => {
                Some(format!("--topic {topic} is none of the input topics (input.topics: {topics})"))
            }
            Some(_) | None => None,
        }
    }

    /// The input topics that it is about.
    pub fn topics<'c>(&self, config: &'c Config) -> Vec<&'c String> {
        let wanted = |topic: &&String| self.section.topic.as_ref().is_none_or(|wanted| wanted == *topic);
        let mut topics: Vec<_> = config.input.topics.iter().filter(wanted).collect();
        topics.sort_unstable();
        topics.dedup();
        topics
    }

    /// Whether it begins where the topic begins.
    pub fn is_open(&self) -> bool {
        self.section.from_ms.is_none() && self.section.from_offset.is_none()
    }

    /// In the words of a scan.
    pub fn stretch<'t>(&self, topic: &'t str, config: &Config) -> Stretch<'t> {
        let from = self.beginning(config);
        // Said as an offset, a beginning that is gone is told.
        let everything = (self.is_open() && from.is_none()).then_some(0);
        Stretch {
            topic,
            key: "input.topics",
            partition: self.section.partition,
            from_offset: self.section.from_offset.or(everything),
            to_offset: self.section.to_offset,
            from_time_ms: from,
            to_time_ms: self.section.to_ms,
        }
    }

    /// A beginning that was asked for by its time may be gone as well: who knows how late the last record was that is
    /// gone?
    pub fn told(&self, mut resolved: Resolved, config: &Config) -> Resolved {
        let low = resolved.low;
        if self.beginning(config).is_some() && resolved.range.from == low && low > 0 {
            resolved.gone = resolved.gone.or(Some(0..low));
        }
        resolved
    }

    /// A group that was told to begin at a time began there.
    fn beginning(&self, config: &Config) -> Option<i64> {
        match config.input.start {
            Start::At(time) if self.is_open() => Some(time.timestamp_millis()),
            Start::At(_) | Start::Earliest | Start::Latest | Start::Error => self.section.from_ms,
        }
    }
}
