//! Which leader wrote what: the leader epochs along a partition, as far as it was polled. Pure.
//!
//! A committed offset goes with the epoch of the record before it: so a log that was cut back and written on by another
//! leader is told from the one that was read, whatever its length.

/// Epochs only grow along a log, and change when the leader does: a few entries at most.
#[derive(Clone, Debug, Default)]
pub struct Epochs {
    /// An offset, and the epoch of the records from there on.
    from: Vec<(i64, i32)>,
}

impl Epochs {
    /// What lies before `offset` was written in this epoch.
    pub fn before(offset: i64, epoch: Option<i32>) -> Self {
        Self { from: epoch.map(|epoch| (offset - 1, epoch)).into_iter().collect() }
    }

    /// The record at this offset, behind all before it, was written in this epoch.
    pub fn note(&mut self, offset: i64, epoch: Option<i32>) {
        if let Some(epoch) = epoch
            && self.from.last().is_none_or(|(_, last)| *last != epoch)
        {
            self.from.push((offset, epoch));
        }
    }

    /// The epoch of what lies before this offset, when it is known.
    pub fn at(&self, offset: i64) -> Option<i32> {
        self.from.iter().rfind(|(from, _)| *from < offset).map(|(_, epoch)| *epoch)
    }

    /// Nobody will ask for offsets below this one again.
    pub fn forget_below(&mut self, offset: i64) {
        if let Some(last) = self.from.iter().rposition(|(from, _)| *from < offset) {
            self.from.drain(..last);
        }
    }

    /// What was noted from this offset on was given back.
    pub fn forget_from(&mut self, offset: i64) {
        self.from.retain(|(from, _)| *from < offset);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_has_the_epoch_of_the_record_before_it() {
        let mut epochs = Epochs::before(5, Some(2));
        epochs.note(5, Some(2));
        epochs.note(8, Some(4));
        epochs.note(9, None);
        assert_eq!([4, 5, 8, 9, 20].map(|offset| epochs.at(offset)), [None, Some(2), Some(2), Some(4), Some(4)]);
        epochs.forget_below(9);
        assert_eq!([epochs.at(9), epochs.at(20)], [Some(4); 2]);
    }

    #[test]
    fn what_was_given_back_is_noted_anew() {
        let mut epochs = Epochs::before(5, Some(2));
        epochs.note(7, Some(3));
        epochs.forget_from(6);
        assert_eq!(epochs.at(9), Some(2));
        epochs.note(6, Some(4));
        assert_eq!([epochs.at(6), epochs.at(7)], [Some(2), Some(4)]);
    }

    #[test]
    fn without_epochs_nothing_is_known() {
        let mut epochs = Epochs::before(5, None);
        epochs.note(5, None);
        epochs.forget_below(6);
        assert_eq!(epochs.at(6), None);
    }
}
