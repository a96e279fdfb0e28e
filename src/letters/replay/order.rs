//! In which order letters go back. Pure.
//!
//! Letters of one partition of a dead-letter topic always go in the order in which they lie there: that is the order of
//! each key, and it makes one offset a partition all the progress there is to keep. Among the partitions the order is that of
//! the source: a letter waits while an earlier record of its source partition still waits in another. This is a
//! topological sort, so both hold wherever both can. Where they cannot (an input that was read twice, so that
//! its letters lie there twice) the time of the rejection decides, and the first order holds all the same.
//!
//! The whole plan is held in memory, about 100 bytes a letter, never a value: ten million letters take 1 GB, and a
//! narrower selection less.

use std::ops::Range;

use crate::letters::coordinates::Place;

/// The source of what is no dead letter: it waits for nobody.
pub const NO_SOURCE: u32 = u32::MAX;

/// What has to be known of a letter before it is read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    pub place: Place,
    /// Number of its source partition, or [`NO_SOURCE`].
    pub source: u32,
    pub offset: i64,
    pub index: Option<u32>,
    /// When it was rejected.
    pub time_ms: i64,
    /// What it takes in memory, that of its original included.
    pub bytes: u64,
    /// Something of it is missing that its source may still have.
    pub lacks: bool,
}

/// The letters, given by place, in the order in which they go. `sources` is the number of source partitions.
pub fn in_order(letters: &[Known], sources: usize) -> Vec<Known> {
    let mut queues = queues(letters);
    let mut of_source: Vec<usize> = (0..letters.len()).filter(|at| letters[*at].source != NO_SOURCE).collect();
    of_source.sort_unstable_by_key(|at| {
        let letter = &letters[*at];
        (letter.source, letter.offset, letter.index, letter.place)
    });
    let mut next = vec![0; sources];
    for (at, letter) in of_source.iter().enumerate().rev() {
        next[letters[*letter].source as usize] = at;
    }
    let mut gone = vec![false; letters.len()];
    let mut ordered = Vec::with_capacity(letters.len());
    loop {
        let waits = |at: usize| {
            let source = letters[at].source;
            source != NO_SOURCE && of_source.get(next[source as usize]) != Some(&at)
        };
        let heads = queues.iter().enumerate().filter(|(_, queue)| !queue.is_empty());
        let first = heads.min_by_key(|(_, queue)| {
            let letter = &letters[queue.start];
            (waits(queue.start), letter.time_ms, letter.source, letter.offset, letter.index)
        });
        let Some((queue, _)) = first else { return ordered };
        let at = queues[queue].start;
        queues[queue].start += 1;
        gone[at] = true;
        ordered.push(letters[at]);
        let source = letters[at].source;
        if source != NO_SOURCE {
            let next = &mut next[source as usize];
            while of_source.get(*next).is_some_and(|at| gone[*at] && letters[*at].source == source) {
                *next += 1;
            }
        }
    }
}

/// Which letters lie in each partition.
fn queues(letters: &[Known]) -> Vec<Range<usize>> {
    let mut queues = Vec::new();
    let mut start = 0;
    for run in letters.chunk_by(|one, other| one.place.log() == other.place.log()) {
        queues.push(start..start + run.len());
        start += run.len();
    }
    queues
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::letters::topics::Topics;

    fn letter(partition: i32, at: i64, source: u32, offset: i64, time_ms: i64) -> Known {
        let place = Place { topic: 0, partition, offset: at };
        Known { place, source, offset, index: None, time_ms, bytes: 1, lacks: false }
    }

    fn places(letters: &[Known]) -> Vec<String> {
        let topics = Topics::new(["dlq"]);
        in_order(letters, 9).iter().map(|letter| topics.shown(letter.place)).collect()
    }

    #[test]
    fn a_source_partition_s_records_go_back_in_their_order_though_clocks_differ() {
        // Source 1's clock is far ahead.
        let letters =
            [letter(0, 0, 1, 7, 9000), letter(0, 1, 0, 5, 10), letter(1, 0, 0, 6, 11), letter(1, 1, 1, 8, 9001)];
        assert_eq!(places(&letters), ["0:0", "0:1", "1:0", "1:1"]);
    }

    #[test]
    fn an_input_that_was_read_twice_keeps_the_order_of_its_rejections() {
        let letters = [letter(0, 0, 0, 5, 10), letter(0, 1, 0, 6, 11), letter(0, 2, 0, 5, 20), letter(0, 3, 0, 6, 21)];
        assert_eq!(places(&letters), ["0:0", "0:1", "0:2", "0:3"]);
    }

    #[test]
    fn what_is_no_letter_waits_for_nobody() {
        let letters = [letter(0, 0, NO_SOURCE, 0, 50), letter(0, 1, 0, 1, 60), letter(1, 0, 0, 2, 1)];
        assert_eq!(places(&letters), ["0:0", "0:1", "1:0"]);
    }

    proptest! {
        /// Records of some source partitions are rejected in turn, each letter goes to any partition, clocks are wrong.
        #[test]
        fn both_orders_hold_wherever_both_can(
            history in proptest::collection::vec((0_u32..3, 0_i32..4, -50_i64..50), 0..200),
        ) {
            let mut written = [0_i64; 4];
            let mut letters: Vec<Known> = (0..).zip(&history).map(|(at, (source, partition, skew))| {
                let end = &mut written[usize::try_from(*partition).unwrap()];
                *end += 1;
                letter(*partition, *end, *source, at, at + skew)
            }).collect();
            letters.sort_unstable_by_key(|letter| letter.place);
            let ordered = in_order(&letters, 3);
            prop_assert_eq!(ordered.len(), letters.len());
            for (at, one) in ordered.iter().enumerate() {
                for later in &ordered[at..] {
                    prop_assert!(one.place.partition != later.place.partition || one.place <= later.place);
                    prop_assert!(one.source != later.source || one.offset <= later.offset);
                }
            }
        }

        #[test]
        fn each_partition_keeps_its_order_whatever_lies_there(
            found in proptest::collection::vec((0_i32..3, 0_u32..3, 0_i64..5, 0_i64..5), 0..100),
        ) {
            let mut letters: Vec<Known> =
                (0..).zip(&found).map(|(at, (to, source, offset, ms))| letter(*to, at, *source, *offset, *ms)).collect();
            letters.sort_unstable_by_key(|letter| letter.place);
            let mut ordered = in_order(&letters, 3);
            let of = |ordered: &[Known], to| ordered.iter().map(|l| l.place).filter(|p| p.partition == to).collect::<Vec<_>>();
            for partition in 0..3 {
                prop_assert!(of(&ordered, partition).is_sorted());
            }
            ordered.sort_unstable_by_key(|letter| letter.place);
            prop_assert_eq!(ordered, letters);
        }
    }
}
