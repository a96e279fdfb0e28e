//! A consumer that reads or asks without joining a group.

use std::fmt;
use std::ops::Deref;

use rdkafka::config::ClientConfig;
use rdkafka::consumer::Consumer as _;
use rdkafka::error::KafkaError;

use super::{Consumer, consumer_with};
use crate::config::Config;

pub struct Standalone(Consumer);

impl Standalone {
    /// `client` is how it is set, `config` who it logs in as.
    pub fn new(client: &ClientConfig, config: &Config) -> Result<Self, KafkaError> {
        consumer_with(client, config).map(Self)
    }
}

impl Deref for Standalone {
    type Target = Consumer;

    fn deref(&self) -> &Consumer {
        &self.0
    }
}

impl Drop for Standalone {
    fn drop(&mut self) {
        // The consumer's end waits for its assignment to be undone, and there is nobody else to do it.
        self.0.context().closing();
    }
}

impl fmt::Debug for Standalone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Standalone").finish_non_exhaustive()
    }
}
