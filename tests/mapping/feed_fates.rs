//! The feed promises what becomes of each of its records; the mapping has to keep that promise, in both profiles.

use messagetrace_ecs::demo::feed::{Expected, Feed, Limits};
use messagetrace_ecs::normalize::{Normalizer, Outcomes, Profile, Record, Settings, Verdict, WRAPPER_KEYS};

const RECORDS: u64 = 30_000;
const MAX_PAYLOAD_BYTES: usize = 64 * 1024;

fn normalizer(profile: Profile) -> Normalizer {
    Normalizer::new(Settings {
        profile,
        organization: None,
        local_domains: Vec::new(),
        include_original: true,
        max_payload_bytes: MAX_PAYLOAD_BYTES,
        wrapper_keys: WRAPPER_KEYS.map(str::to_owned).to_vec(),
        max_traces: Limits::default().max_traces,
        max_events_bytes: 32 * 1024 * 1024,
        event_ids: false,
    })
}

#[test]
fn every_record_becomes_what_the_feed_says() {
    let limits = Limits { max_payload_bytes: Some(MAX_PAYLOAD_BYTES), ..Limits::default() };
    for profile in [Profile::Sekoia, Profile::Ecs] {
        let normalizer = normalizer(profile);
        let mut outcomes = Outcomes::default();
        for record in Feed::new(11, RECORDS).with_limits(limits) {
            outcomes.clear();
            let value = record.value.as_deref();
            normalizer.normalize(Record { value, timestamp_ms: Some(record.timestamp_ms) }, &mut outcomes);
            let mut became = Expected::default();
            for outcome in outcomes.of_record(0) {
                match outcome.verdict {
                    Verdict::Event { .. } => became.events += 1,
                    Verdict::Rejection { rejection, .. } => became.dead_letters.push(rejection.kind),
                }
            }
            assert_eq!(became, record.expected, "{:?}", value.map(|value| value.escape_ascii().to_string()));
        }
    }
}
