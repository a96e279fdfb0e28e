//! One slot for each expected trace of a partition: 8 bytes, in blocks, found by the record's offset.
//!
//! A record that is skipped, an aborted one and a gap cost nothing. Blocks are allocated whole, so that a growing
//! partition is never copied and holds at most one block that is not full.

/// Slots of a block; the bound of what a partition holds beyond its traces (32 KiB).
const BLOCK_SLOTS: usize = 4096;

/// Bits of a fingerprint that are kept. One changed event in 67 million has the fingerprint of the right one.
const PRINT_BITS: u32 = 26;
const PRINT_SHIFT: u32 = u32::BITS - PRINT_BITS;

const LETTER: u32 = 1;
const PAGE: u32 = 1 << 1;
const FATES_SHIFT: u32 = 2;
const WHOLE_SHIFT: u32 = 4;

/// How often something was seen: never, once, or more often.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Seen {
    Never,
    Once,
    Repeatedly,
}

/// What is expected of one trace, and what was found.
#[derive(Clone, Copy, Debug)]
pub struct Slot {
    /// Counted from the start of the block.
    offset: u32,
    /// From the lowest: expects a dead letter, out of a page, fates seen (2), letters for the whole record seen (2; in
    /// a record's first slot), fingerprint.
    bits: u32,
}

impl Slot {
    fn new(offset: u32, page: bool, expected: Expected) -> Self {
        let page = if page { PAGE } else { 0 };
        let (letter, print) = match expected {
            Expected::Event { print } => (0, print),
            Expected::DeadLetter { print } => (LETTER, print),
        };
        Self { offset, bits: print << PRINT_SHIFT | page | letter }
    }

    pub fn expects_letter(self) -> bool {
        self.bits & LETTER != 0
    }

    /// Whether the trace has an index.
    pub fn is_of_page(self) -> bool {
        self.bits & PAGE != 0
    }

    pub fn fates(self) -> Seen {
        self.seen(FATES_SHIFT)
    }

    /// Dead letters for the record as a whole, where traces are expected.
    pub fn whole(self) -> Seen {
        self.seen(WHOLE_SHIFT)
    }

    pub fn saw_fate(&mut self) {
        self.count(FATES_SHIFT);
    }

    pub fn saw_whole(&mut self) {
        self.count(WHOLE_SHIFT);
    }

    /// Whether something with this fingerprint is what is expected.
    pub fn has_print(self, print: u32) -> bool {
        self.bits >> PRINT_SHIFT == kept(print)
    }

    fn seen(self, shift: u32) -> Seen {
        match self.bits >> shift & 0b11 {
            0 => Seen::Never,
            1 => Seen::Once,
            _ => Seen::Repeatedly,
        }
    }

    fn count(&mut self, shift: u32) {
        if self.seen(shift) != Seen::Repeatedly {
            self.bits += 1 << shift;
        }
    }
}

/// One expected trace; the fingerprint is that of its event or of its dead letter's kind.
#[derive(Clone, Copy, Debug)]
pub enum Expected {
    Event { print: u32 },
    DeadLetter { print: u32 },
}

fn kept(print: u32) -> u32 {
    print << PRINT_SHIFT >> PRINT_SHIFT
}

#[derive(Debug)]
struct Block {
    start: i64,
    slots: Vec<Slot>,
}

/// The expected traces of one partition.
#[derive(Debug, Default)]
pub struct Slots {
    blocks: Vec<Block>,
}

impl Slots {
    /// Adds a record behind all others; `page`: its traces have an index, counted from 0.
    pub fn push(&mut self, offset: i64, page: bool, traces: impl ExactSizeIterator<Item = Expected>) {
        if traces.len() == 0 {
            return;
        }
        // A record never stands in two blocks.
        let fits = |block: &&mut Block| {
            block.slots.len() + traces.len() <= block.slots.capacity() && u32::try_from(offset - block.start).is_ok()
        };
        if self.blocks.last_mut().filter(fits).is_none() {
            if let Some(full) = self.blocks.last_mut() {
                full.slots.shrink_to_fit();
            }
            let slots = Vec::with_capacity(traces.len().max(BLOCK_SLOTS));
            self.blocks.push(Block { start: offset, slots });
        }
        let block = self.blocks.last_mut().expect("there is one, or it was just added");
        let distance = u32::try_from(offset - block.start).expect("looked at above");
        block.slots.extend(traces.map(|expected| Slot::new(distance, page, expected)));
    }

    /// The slots of a record, in order; none when nothing is expected of it.
    pub fn record(&mut self, offset: i64) -> &mut [Slot] {
        let behind = self.blocks.partition_point(|block| block.start <= offset);
        let Some(block) = behind.checked_sub(1).and_then(|at| self.blocks.get_mut(at)) else { return &mut [] };
        let Ok(distance) = u32::try_from(offset - block.start) else { return &mut [] };
        let start = block.slots.partition_point(|slot| slot.offset < distance);
        let rest = &mut block.slots[start..];
        let end = rest.partition_point(|slot| slot.offset == distance);
        &mut rest[..end]
    }

    /// All records of which something is expected, in order.
    pub fn records(&self) -> impl Iterator<Item = (i64, &[Slot])> {
        self.blocks.iter().flat_map(|block| {
            let of_one_record = block.slots.chunk_by(|one, next| one.offset == next.offset);
            of_one_record.map(|slots| (block.start + i64::from(slots[0].offset), slots))
        })
    }

    /// Memory held for slots, in bytes.
    #[cfg(test)]
    pub fn bytes(&self) -> usize {
        let slots: usize = self.blocks.iter().map(|block| block.slots.capacity() * size_of::<Slot>()).sum();
        slots + self.blocks.capacity() * size_of::<Block>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: Expected = Expected::Event { print: 7 };

    fn filled(records: i64, traces: usize, step: i64) -> Slots {
        let mut slots = Slots::default();
        for record in 0..records {
            slots.push(record * step, traces > 1, vec![EVENT; traces].into_iter());
        }
        slots
    }

    #[test]
    fn a_trace_takes_8_bytes() {
        assert_eq!(size_of::<Slot>(), 8);
        for (records, traces) in [(1_000_000, 1), (300, 4_000), (20, 50_000), (1_000, 3_000)] {
            let expected = 8.0 * records as f64 * traces as f64;
            let held = filled(records, traces, 3).bytes() as f64;
            // The index of the blocks takes one byte for some hundred traces, the last block is not full.
            assert!(
                held <= expected * 1.01 + 33_000.0,
                "{records} records of {traces}: {held} bytes, {expected} expected"
            );
        }
    }

    #[test]
    fn a_record_is_found_by_its_offset_however_far_apart_records_are() {
        for step in [1, 7, 100_000, 5_000_000_000] {
            for traces in [1, 3, 5_000] {
                let records = 9_000 / traces as i64 + 2;
                let mut slots = filled(records, traces, step);
                for record in 0..records {
                    assert_eq!(slots.record(record * step).len(), traces, "{record} of {records}, step {step}");
                    assert!(step == 1 || slots.record(record * step + 1).is_empty());
                }
                assert!(slots.record(-1).is_empty() && slots.record(records * step).is_empty());
                assert_eq!(slots.records().map(|(offset, _)| offset).max(), Some((records - 1) * step));
                assert_eq!(slots.records().count() as i64, records);
            }
        }
    }

    #[test]
    fn a_slot_counts_to_more_than_once_and_keeps_everything_apart() {
        for (expected, letter) in
            [(Expected::Event { print: u32::MAX }, false), (Expected::DeadLetter { print: 5 }, true)]
        {
            let mut slot = Slot::new(9, true, expected);
            let print = if letter { 5 } else { u32::MAX };
            for (fates, whole) in
                [(Seen::Never, Seen::Never), (Seen::Once, Seen::Never), (Seen::Repeatedly, Seen::Never)]
            {
                assert_eq!((slot.fates(), slot.whole()), (fates, whole));
                slot.saw_fate();
            }
            for whole in [Seen::Never, Seen::Once, Seen::Repeatedly, Seen::Repeatedly] {
                assert_eq!((slot.fates(), slot.whole()), (Seen::Repeatedly, whole));
                slot.saw_whole();
            }
            assert_eq!((slot.expects_letter(), slot.is_of_page()), (letter, true));
            assert!(slot.has_print(print) && !slot.has_print(print ^ 1));
        }
    }

    #[test]
    fn nothing_expected_costs_nothing() {
        let mut slots = Slots::default();
        for offset in 0..1_000 {
            slots.push(offset, false, [].into_iter());
        }
        assert_eq!((slots.bytes(), slots.records().count()), (0, 0));
    }
}
