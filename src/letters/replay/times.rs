//! Whether a record is taken by its topic with the time that it has, and stays there: what is deleted at the next check was
//! not sent. Pure.

use std::collections::BTreeMap;

/// How often a broker looks for what is too old, unless it is told otherwise.
const CHECKED_EVERY_MS: i64 = 300_000;

/// What a topic says about times; `None`: nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimeLimits {
    /// How long a record stays.
    pub kept_ms: Option<i64>,
    /// How far in the past, and in the future, a record's time may lie.
    pub before_max_ms: Option<i64>,
    pub after_max_ms: Option<i64>,
}

/// How many bytes of a partition stay, whatever their time; `None`: all of them.
pub fn kept_bytes(settings: &BTreeMap<String, String>) -> Option<u64> {
    let deletes = settings.get("cleanup.policy").is_none_or(|policy| policy.contains("delete"));
    settings.get("retention.bytes")?.parse().ok().filter(|_| deletes)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misfit {
    TooOld,
    TooNew,
}

impl TimeLimits {
    /// From the topic's settings, by their names.
    pub fn new(settings: &BTreeMap<String, String>) -> Self {
        let number = |name: &str| settings.get(name)?.parse::<i64>().ok().filter(|ms| *ms >= 0 && *ms < i64::MAX);
        let has = |name: &str, word: &str| settings.get(name).is_some_and(|value| value.contains(word));
        if has("message.timestamp.type", "LogAppendTime") {
            // The time of arrival counts, whatever is sent.
            return Self::default();
        }
        // Brokers before 3.6 have one limit to both sides.
        let both = number("message.timestamp.difference.max.ms");
        Self {
            kept_ms: number("retention.ms").filter(|_| has("cleanup.policy", "delete")),
            before_max_ms: number("message.timestamp.before.max.ms").or(both),
            after_max_ms: number("message.timestamp.after.max.ms").or(both),
        }
    }

    /// Whether a record of this time would be refused, or deleted before anybody can count on having read it.
    pub fn misfit(&self, time_ms: i64, now_ms: i64) -> Option<Misfit> {
        let age_ms = now_ms.saturating_sub(time_ms);
        let is_kept = self.kept_ms.is_none_or(|kept_ms| stays(kept_ms, age_ms));
        if !is_kept || self.before_max_ms.is_some_and(|most| age_ms > most) {
            return Some(Misfit::TooOld);
        }
        let ahead_ms = time_ms.saturating_sub(now_ms);
        self.after_max_ms.is_some_and(|most| ahead_ms > most).then_some(Misfit::TooNew)
    }
}

/// Whether a record of this age is still there after the next check, or a tenth of its time where that is shorter.
pub fn stays(kept_ms: i64, age_ms: i64) -> bool {
    age_ms.saturating_add(CHECKED_EVERY_MS.min(kept_ms / 10)) <= kept_ms
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(settings: &[(&str, &str)]) -> TimeLimits {
        TimeLimits::new(&settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn what_a_partition_keeps_is_a_matter_of_its_topic() {
        let kept = |settings: &[(&str, &str)]| {
            kept_bytes(&settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
        };
        assert_eq!(kept(&[("retention.bytes", "1000"), ("cleanup.policy", "compact,delete")]), Some(1000));
        assert_eq!(kept(&[("retention.bytes", "1000"), ("cleanup.policy", "compact")]), None);
        assert_eq!((kept(&[("retention.bytes", "-1"), ("cleanup.policy", "delete")]), kept(&[])), (None, None));
    }

    #[test]
    fn a_time_is_held_against_what_the_topic_says() {
        let day: i64 = 86_400_000;
        let now = 100 * day;
        let week = ("retention.ms", "604800000");
        let delete = ("cleanup.policy", "delete");
        type Case<'a> = (&'a [(&'a str, &'a str)], i64, Option<Misfit>);
        let cases: [Case<'_>; 15] = [
            (&[week, delete], now - 6 * day, None),
            (&[week, delete], now - 7 * day, Some(Misfit::TooOld)),
            // It would go at the next check.
            (&[week, delete], now - 7 * day + 100_000, Some(Misfit::TooOld)),
            (&[week, delete], now - 7 * day + 301_000, None),
            (&[("retention.ms", "10000"), delete], now - 8_000, None),
            (&[("retention.ms", "10000"), delete], now - 9_500, Some(Misfit::TooOld)),
            (&[("retention.ms", "-1"), delete], 0, None),
            (&[week, ("cleanup.policy", "compact")], 0, None),
            (&[week, ("cleanup.policy", "compact,delete")], 0, Some(Misfit::TooOld)),
            (&[week, delete, ("message.timestamp.type", "LogAppendTime")], 0, None),
            (&[("message.timestamp.before.max.ms", "1000")], now - 1_001, Some(Misfit::TooOld)),
            (&[("message.timestamp.before.max.ms", "9223372036854775807")], i64::MIN, None),
            (&[("message.timestamp.after.max.ms", "3600000")], now + day, Some(Misfit::TooNew)),
            (&[("message.timestamp.after.max.ms", "3600000")], now + 3_600_000, None),
            (&[("message.timestamp.difference.max.ms", "1000")], i64::MAX, Some(Misfit::TooNew)),
        ];
        for (settings, time_ms, expected) in cases {
            assert_eq!(limits(settings).misfit(time_ms, now), expected, "{settings:?} {time_ms}");
        }
    }
}
