//! Who is to blame when the broker refuses records for good. Pure.
//!
//! One such record fails the whole batch that it was sent in. The way back from there is the engine's (abort and rewind);
//! what is remembered here is which record not to send again. When the broker does not tell, all that was in the batch is
//! suspect and goes out alone the next time, each record for itself, so that the next refusal hits one record. Nothing
//! else waits: thousands may lie between the last seal and the batch.

use std::collections::{HashMap, HashSet};

use rdkafka::error::RDKafkaErrorCode;

use super::account::Slot;
use crate::kafka::clients::Undelivered;
use crate::kafka::errors;
use crate::kafka::errors::Class;

/// Which record of the input a produced one came from, and its place in a page.
pub type Place = (Slot, i64, Option<u32>);

/// What a failed delivery calls for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The refused records are known, or will be: take the road again at once.
    Refused,
    /// The topic does not take our dead letters.
    DeadLetterRefused,
    /// Thrown away: by ourselves, or by the client, whose transaction has failed.
    Nobody,
    /// Anything else.
    Class(Class, RDKafkaErrorCode),
}

/// What is known of refused records that are not sealed yet.
#[derive(Debug, Default)]
pub struct Refusals {
    /// With the error's name.
    refused: HashMap<Place, String>,
    /// What was in a refused batch when nobody said which record of it was meant.
    suspects: HashSet<Place>,
    /// The last record that was handed over is a suspect.
    alone: bool,
}

impl Refusals {
    /// The error that the broker has refused this record with.
    pub fn error_of(&self, place: Place) -> Option<&str> {
        if self.refused.is_empty() { None } else { self.refused.get(&place).map(String::as_str) }
    }

    /// Whether this record may not be on the way together with the one before it.
    pub fn forbid_company(&self, place: Place) -> bool {
        self.alone || self.is_suspect(place)
    }

    /// This record was handed over.
    pub fn handed(&mut self, place: Place) {
        self.alone = self.is_suspect(place);
    }

    fn is_suspect(&self, place: Place) -> bool {
        !self.suspects.is_empty() && self.suspects.contains(&place)
    }

    /// Finds out who is to blame for records that were not delivered. `of` tells a tag's place, and whether a dead letter
    /// was sent from there.
    pub fn blame(&mut self, undelivered: &[Undelivered], of: impl Fn(usize) -> Option<(Place, bool)>) -> Blame {
        let class_of = |undelivered: &Undelivered| errors::class(undelivered.code);
        // A broker that names the culprits gives their neighbours an error of their own.
        let named = undelivered.iter().any(|one| class_of(one) == Class::Neighbour);
        let culprits: Vec<_> = undelivered.iter().filter(|one| class_of(one) == Class::Refused).collect();
        if culprits.is_empty() && !named {
            let cause = undelivered.iter().find(|one| class_of(one) != Class::Purged);
            return cause.map_or(Blame::Nobody, |one| Blame::Class(class_of(one), one.code));
        }
        let mut blame = Blame::Refused;
        let mut new_suspects = 0;
        for culprit in &culprits {
            let Some((place, is_dead_letter)) = of(culprit.tag) else { continue };
            let known = named || culprits.len() == 1 && self.is_suspect(place);
            if is_dead_letter {
                blame = Blame::DeadLetterRefused;
            } else if known {
                self.refused.insert(place, errors::name(culprit.code));
            }
            // Names are missing where a batch is too large, or the broker's protocol has none: the next round tells.
            if !known && self.suspects.insert(place) {
                new_suspects += 1;
            }
        }
        if new_suspects > 0 {
            tracing::warn!(
                records = new_suspects,
                "a batch was refused and it is not said for which of its records: they are sent one by one"
            );
        }
        blame
    }

    /// All that was handed over is sealed, or undone.
    pub fn start_over(&mut self) {
        self.alone = false;
    }

    /// Keeps what may come again: `sealed` tells how far a partition that is ours was sealed.
    pub fn forget(&mut self, sealed: impl Fn(Slot) -> Option<i64>) {
        let may_come = |(slot, offset, _): &Place| sealed(*slot).is_some_and(|sealed| *offset >= sealed);
        self.refused.retain(|place, _| may_come(place));
        self.suspects.retain(may_come);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BATCH: usize = 50;

    /// A broker that refuses some records and names none, and the way of `records` to it, again and again from the start,
    /// until all are there or are known to be refused. How many were refused, and how many batches it took.
    fn deliver(records: i64, is_refused: impl Fn(i64) -> bool) -> (Vec<i64>, usize) {
        let place = |offset| (Slot(1), offset, None);
        let mut refusals = Refusals::default();
        let mut batches = 0;
        'round: loop {
            refusals.start_over();
            let mut batch: Vec<i64> = Vec::new();
            let (mut refused, mut next) = (Vec::new(), 0);
            while next < records || !batch.is_empty() {
                let may_join = next < records && (batch.is_empty() || !refusals.forbid_company(place(next)));
                if may_join && batch.len() < BATCH {
                    if refusals.error_of(place(next)).is_some() {
                        refused.push(next);
                    } else {
                        batch.push(next);
                    }
                    refusals.handed(place(next));
                    next += 1;
                    continue;
                }
                batches += 1;
                if batch.iter().any(|offset| is_refused(*offset)) {
                    let code = RDKafkaErrorCode::PolicyViolation;
                    let undelivered: Vec<_> = (0..batch.len()).map(|tag| Undelivered { tag, code }).collect();
                    let blame = refusals.blame(&undelivered, |tag| Some((place(batch[tag]), false)));
                    assert_eq!(blame, Blame::Refused);
                    continue 'round;
                }
                batch.clear();
            }
            return (refused, batches);
        }
    }

    #[test]
    fn what_shared_no_batch_with_a_refused_record_goes_on_together() {
        let (refused, batches) = deliver(10_000, |offset| offset == 7_777);
        assert_eq!(refused, [7_777]);
        // Up to it, up to it with its batch one by one, and all of it.
        let together = 10_000 / BATCH;
        assert!(batches <= 3 * together + 2 * BATCH, "{batches} batches");
    }

    #[test]
    fn each_of_several_refused_records_is_found_and_no_neighbour_of_it() {
        let is_refused = |offset| [0, 1, 49, 50, 120, 999].contains(&offset);
        assert_eq!(deliver(1_000, is_refused).0, [0, 1, 49, 50, 120, 999]);
        assert_eq!(deliver(100, |_| true).0, Vec::from_iter(0..100));
    }

    #[test]
    fn a_broker_that_names_the_refused_is_believed() {
        let mut refusals = Refusals::default();
        let codes = [RDKafkaErrorCode::InvalidDifferentRecord, RDKafkaErrorCode::InvalidTimestamp];
        let undelivered: Vec<_> = (0..).zip(codes).map(|(tag, code)| Undelivered { tag, code }).collect();
        let place = |tag: usize| (Slot(1), i64::try_from(tag).expect("a small tag"), Some(3));
        assert_eq!(refusals.blame(&undelivered, |tag| Some((place(tag), false))), Blame::Refused);
        assert_eq!(refusals.error_of(place(1)), Some("INVALID_TIMESTAMP"));
        assert_eq!(refusals.error_of(place(0)), None);
        assert!(!refusals.forbid_company(place(0)) && !refusals.forbid_company(place(1)));
    }

    #[test]
    fn a_batch_whose_records_all_have_the_same_error_condemns_none_of_them() {
        let mut refusals = Refusals::default();
        let code = RDKafkaErrorCode::InvalidRecord;
        let undelivered = [Undelivered { tag: 0, code }, Undelivered { tag: 1, code }];
        let place = |tag: usize| (Slot(1), i64::try_from(tag).expect("a small tag"), None);
        refusals.blame(&undelivered, |tag| Some((place(tag), false)));
        assert_eq!((refusals.error_of(place(0)), refusals.error_of(place(1))), (None, None));
        assert!(refusals.forbid_company(place(0)) && refusals.forbid_company(place(1)));
    }

    #[test]
    fn what_is_sealed_or_gone_is_forgotten() {
        let mut refusals = Refusals::default();
        let code = RDKafkaErrorCode::MessageSizeTooLarge;
        let places = [(Slot(1), 4, None), (Slot(1), 5, None), (Slot(2), 9, None)];
        let undelivered: Vec<_> = (0..places.len()).map(|tag| Undelivered { tag, code }).collect();
        refusals.blame(&undelivered, |tag| Some((places[tag], false)));
        refusals.forget(|slot| (slot == Slot(1)).then_some(5));
        assert_eq!(places.map(|place| refusals.forbid_company(place)), [false, true, false]);
    }
}
