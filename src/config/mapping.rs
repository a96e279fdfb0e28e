//! What the mapping runs on, out of the configuration.

use super::{Config, Key};
use crate::normalize::Settings;

/// The mapping's settings, the same for every command that maps.
pub fn settings(config: &Config) -> Settings {
    let bytes = |size: u64| usize::try_from(size).unwrap_or(usize::MAX);
    Settings {
        profile: config.normalize.profile,
        organization: config.normalize.organization.clone(),
        local_domains: config.ecs.local_domains.clone(),
        include_original: config.ecs.include_original,
        max_payload_bytes: bytes(config.input.max_payload_bytes.bytes()),
        wrapper_keys: config.input.wrapper_keys.clone(),
        max_traces: bytes(u64::from(config.input.max_traces)),
        max_events_bytes: config.pipeline.memory_share(4),
        event_ids: config.output.key == Key::EventId,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_those_of_the_contract() {
        let settings = settings(&Config::default());
        assert_eq!(settings.max_payload_bytes, 8 << 20);
        assert_eq!(settings.wrapper_keys, crate::normalize::WRAPPER_KEYS);
        assert_eq!(settings.max_traces, 20_000);
        assert_eq!(settings.max_events_bytes, 32 << 20);
        assert!(!settings.event_ids);
        assert!(settings.include_original && settings.organization.is_none() && settings.local_domains.is_empty());
    }
}
