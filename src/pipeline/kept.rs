//! A position that was kept, and what has become of it by what its partition is now. Pure.

/// Where a partition begins and ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marks {
    /// The first offset that is still there.
    pub low: i64,
    /// The high watermark: a position may lie behind the last stable offset, but never behind this.
    pub high: i64,
    /// The epoch of the leader that writes at the end.
    pub epoch: Option<i32>,
}

/// An offset that was kept, with what was kept beside it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    pub offset: i64,
    pub epoch: Option<i32>,
    /// Of the topic that it is an offset of.
    pub topic_id: Option<String>,
}

/// What has become of a position since it was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The partition still has it. Whether it is still the same log, the leader epoch may tell.
    There,
    OutOfRange,
    Recreated,
    /// The log ends before it: it was cut back.
    Cut,
}

impl Fate {
    /// By the partition's ends and the id that its topic has now. Offsets without an id were committed by others, or by
    /// older versions: they are trusted as far as they lie within the partition.
    pub fn of(kept: &Kept, marks: &Marks, topic_id: Option<&str>) -> Self {
        let is_same = kept.topic_id.as_deref().zip(topic_id).map(|(then, now)| then == now);
        match (kept.offset, is_same) {
            (_, Some(false)) => Self::Recreated,
            (offset, Some(true)) if offset > marks.high => Self::Cut,
            // A topic that is made anew begins with the first epoch again; an election only goes up.
            (offset, None) if offset > marks.high => match kept.epoch.zip(marks.epoch) {
                Some((then, now)) if now > then => Self::Cut,
                Some(_) | None => Self::Recreated,
            },
            (offset, _) if offset < marks.low => Self::OutOfRange,
            _ => Self::There,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_became_of_a_position_is_told_by_id_then_by_range_then_by_epoch() {
        let kept = |offset, epoch, id: Option<&str>| Kept { offset, epoch, topic_id: id.map(str::to_owned) };
        let marks = Marks { low: 10, high: 20, epoch: Some(5) };
        let cases = [
            ("the same topic", kept(15, Some(5), Some("a")), Fate::There),
            ("its end", kept(20, Some(5), Some("a")), Fate::There),
            ("another leader since, the epoch is for the brokers to judge", kept(15, Some(3), Some("a")), Fate::There),
            ("another topic of any length", kept(15, Some(5), Some("b")), Fate::Recreated),
            ("another topic that is shorter", kept(25, Some(3), Some("b")), Fate::Recreated),
            ("the same topic, cut back", kept(21, Some(3), Some("a")), Fate::Cut),
            ("retention was faster", kept(9, Some(5), Some("a")), Fate::OutOfRange),
            ("retention was faster, nobody says where", kept(9, None, None), Fate::OutOfRange),
            ("without an id it is trusted", kept(15, None, None), Fate::There),
            ("without an id past the end", kept(21, None, None), Fate::Recreated),
            ("without an id past the end, but led by others since", kept(21, Some(3), None), Fate::Cut),
            ("without an id past the end, and the leaders counted anew", kept(21, Some(7), None), Fate::Recreated),
        ];
        for (what, kept, fate) in cases {
            assert_eq!(Fate::of(&kept, &marks, Some("a")), fate, "{what}");
        }
        assert_eq!(Fate::of(&kept(15, Some(5), Some("a")), &marks, None), Fate::There, "brokers that give no ids");
    }
}
