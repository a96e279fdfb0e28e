//! Batches that cannot be read, on a disk that fails or damaged on their way: the client asks for such a batch again and
//! again and reads nothing behind it. It tells an offset and no partition; which one stands still there is found out here,
//! and said once.

use std::collections::HashMap;
use std::time::Duration;

use chrono::Utc;

use super::Engine;
use crate::pipeline::account::Slot;

/// How long a partition has to stand still before it is told: a batch that was damaged on its way comes whole the next
/// time.
const TOLD_AFTER: Duration = Duration::from_secs(5);

/// Damaged batches that are followed at the same time.
const MOST: usize = 16;

/// A batch that could not be read.
#[derive(Debug)]
pub(super) struct Damage {
    offset: i64,
    since: Duration,
    /// Where every partition stood when it was seen first.
    stood: HashMap<Slot, i64>,
    /// The partition, once it is known and told.
    told: Option<Slot>,
}

impl Engine<'_> {
    /// The client could not read a batch.
    pub(super) fn damaged(&mut self, reason: &str) {
        let Some(offset) = offset_in(reason) else { return };
        let damage = &mut self.watch.damage;
        if damage.len() < MOST && damage.iter().all(|known| known.offset != offset) {
            let stood = self.account.positions().collect();
            damage.push(Damage { offset, since: self.now, stood, told: None });
        }
    }

    /// Says which partition stands still, and that it does not any more.
    pub(super) fn watch_damage(&mut self) {
        if self.watch.damage.is_empty() {
            return;
        }
        let config = self.config;
        let mut followed = std::mem::take(&mut self.watch.damage);
        let positions: HashMap<Slot, i64> = self.account.positions().collect();
        followed.retain_mut(|damage| {
            let late = self.now >= damage.since + TOLD_AFTER;
            let (offset, group) = (damage.offset, &config.input.group);
            match damage.told {
                Some(slot) if positions.get(&slot) == damage.stood.get(&slot) => true,
                Some(slot) => {
                    let source = self.intake.source(slot);
                    let (topic, partition) = (&*source.topic, source.partition);
                    tracing::info!(topic, partition, offset, "the damaged batch is passed or was given back");
                    false
                }
                None if late => {
                    let waiting: Vec<_> =
                        positions.iter().filter(|(slot, _)| self.has_more(**slot)).map(|(s, at)| (*s, *at)).collect();
                    let standing = standing(&damage.stood, &waiting, offset);
                    if let Some(slot) = standing {
                        let source = self.intake.source(slot);
                        let (topic, partition) = (&*source.topic, source.partition);
                        tracing::error!(
                            topic,
                            partition,
                            offset,
                            "a batch cannot be read and its partition stands still (have it mended on the broker, or \
                             commit an offset behind it for group {group}: docs/alerts.md, \"A damaged batch\")"
                        );
                    }
                    damage.told = standing;
                    // It came whole the next time.
                    standing.is_some()
                }
                None => true,
            }
        });
        self.watch.damage = followed;
    }

    /// Whether records of a partition wait behind what was polled.
    fn has_more(&mut self, slot: Slot) -> bool {
        let now_ms = Utc::now().timestamp_millis();
        self.position(slot)
            .and_then(|position| self.watch.lag.behind(slot.0, position, now_ms))
            .is_some_and(|behind| behind.records > 0)
    }
}

/// The offset in librdkafka's `… of message at 17 of 120 bytes failed: …` or `… at offset 17 …`.
fn offset_in(reason: &str) -> Option<i64> {
    let mut words = reason.split([' ', ':', ',', '(', ')']).skip_while(|word| *word != "at");
    words.nth(1).filter(|word| *word != "offset").or_else(|| words.next())?.parse().ok()
}

/// The partition that has not moved since and stands nearest to the offset: the client fetches from its position, which
/// lies at the batch, within it, or before it where markers of transactions lie between.
fn standing(stood: &HashMap<Slot, i64>, waiting: &[(Slot, i64)], offset: i64) -> Option<Slot> {
    let still = waiting.iter().filter(|(slot, at)| stood.get(slot) == Some(at));
    still.min_by_key(|(slot, at)| (at.abs_diff(offset), slot.0)).map(|(slot, _)| *slot)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_offset_is_read_from_what_the_library_says() {
        let unpacked = "Decompression (codec 0x3) of message at 17 of 120 bytes failed: Local: Invalid compressed data";
        let checked = "Message at offset 17 (100 bytes) failed CRC32 check (original 0x1 != calculated 0x2)";
        for (reason, expected) in [(unpacked, Some(17)), (checked, Some(17)), ("Bad message format", None), ("", None)]
        {
            assert_eq!(offset_in(reason), expected, "{reason}");
        }
    }

    #[test]
    fn the_partition_that_stands_still_nearest_to_the_batch_is_named() {
        let (ours, moves, far) = (Slot(1), Slot(2), Slot(3));
        let stood = [(ours, 15), (moves, 17), (far, 400)].into();
        assert_eq!(standing(&stood, &[(ours, 15), (moves, 40), (far, 400)], 17), Some(ours));
        assert_eq!(standing(&stood, &[(ours, 90), (moves, 40), (far, 401)], 17), None, "all of them went on");
        assert_eq!(standing(&stood, &[(moves, 40)], 17), None, "nothing waits behind the others");
    }
}
