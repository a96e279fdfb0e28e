//! One partition as the brokers keep it: the ids of its topic, the epochs of its leaders, a beginning that retention moves, an
//! end that an election may cut back, markers, and transactions of others that are open.

use messagetrace_ecs::pipeline::kept::Marks;

use crate::random::Random;

/// Markers of transactions and aborted records: offsets that no reader of committed records is given, whoever looks, and
/// however often.
pub fn is_hidden(offset: i64) -> bool {
    is_marker(offset) || offset % 11 == 6
}

/// A marker is passed by the consumer when it is polled; aborted records only together with the next marker or record.
pub fn is_marker(offset: i64) -> bool {
    offset % 7 == 3 || offset % 11 == 7
}

/// Which record it is: two that lie at one offset, in topics of one name or in a log that was cut back, are two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Written {
    pub topic: u32,
    pub epoch: i32,
    pub offset: i64,
}

#[derive(Clone, Debug)]
pub struct Log {
    /// The topic's id: another one each time that it is made.
    pub topic: u32,
    pub low: i64,
    pub end: i64,
    /// The last stable offset, while a transaction of somebody else is open.
    open_from: Option<i64>,
    /// From which offset on each leader wrote.
    leaders: Vec<(i64, i32)>,
}

impl Log {
    pub fn new(end: i64) -> Self {
        let mut log = Self { topic: 0, low: 0, end, open_from: None, leaders: vec![(0, 0)] };
        log.finish();
        log
    }

    /// Whatever is aborted has a marker behind it.
    fn finish(&mut self) {
        while self.end > 0 && is_hidden(self.end - 1) && !is_marker(self.end - 1) {
            self.end += 1;
        }
    }

    /// The epoch of the leader that writes now.
    pub fn epoch(&self) -> i32 {
        self.leaders.last().map_or(0, |(_, epoch)| *epoch)
    }

    pub fn record(&self, offset: i64) -> Written {
        let wrote = self.leaders.iter().rfind(|(from, _)| *from <= offset);
        Written { topic: self.topic, epoch: wrote.map_or(0, |(_, epoch)| *epoch), offset }
    }

    /// The records that a reader of committed records finds there.
    pub fn records(&self) -> impl Iterator<Item = Written> {
        (self.low..self.end).filter(|offset| !is_hidden(*offset)).map(|offset| self.record(offset))
    }

    /// What the first leader after this epoch began with: what was read in this epoch beyond it is there no more.
    pub fn end_of(&self, epoch: i32) -> i64 {
        self.leaders.iter().find(|(_, other)| *other > epoch).map_or(self.end, |(from, _)| *from)
    }

    pub fn stable(&self) -> i64 {
        self.open_from.unwrap_or(self.end)
    }

    pub fn marks(&self) -> Marks {
        Marks { low: self.low, high: self.end, epoch: Some(self.epoch()) }
    }

    pub fn id(&self) -> String {
        self.topic.to_string()
    }

    /// What happens to it without anybody asking.
    pub fn happen(&mut self, random: &mut Random) {
        if random.once_in(60) {
            self.end += random.below(5) as i64;
            self.finish();
        }
        if random.once_in(60) {
            self.elect(self.end);
        }
        if random.once_in(150) {
            let lost = random.below(12) as i64;
            self.elect((self.end - lost).max(self.low));
            self.end += random.below(12) as i64;
            self.finish();
        }
        if random.once_in(200) {
            self.low += random.below((self.stable() - self.low + 1).max(1) as u64) as i64;
        }
        if random.once_in(400) {
            *self = Self { topic: self.topic + 1, ..Self::new(random.below(100) as i64) };
        }
        match self.open_from {
            None if random.once_in(40) => self.open_from = Some((self.end - random.below(4) as i64).max(self.low)),
            Some(_) if random.once_in(10) => self.open_from = None,
            _ => {}
        }
    }

    /// Everybody is kind from here on.
    pub fn calm_down(&mut self) {
        self.open_from = None;
    }

    /// A leader that has got everything up to here, and no more.
    fn elect(&mut self, end: i64) {
        let epoch = self.epoch() + 1;
        self.leaders.retain(|(from, _)| *from < end);
        self.leaders.push((end, epoch));
        self.end = end;
        self.open_from = self.open_from.map(|from| from.min(end));
        self.finish();
    }
}
