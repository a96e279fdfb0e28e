//! The watchdog: which roads stand still though something waits on them, and when the clients have to be made anew.
//!
//! Pure: it is told what is seen, with the time, and says what follows. Nothing is done before the brokers have answered
//! a fresh connection, for which it gives the question: clients cannot be better than their brokers.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::mutants::{self, Mutant};

/// A look that comes later than this after the one before was not a look all the time: the process stood still, or the
/// engine did. What it did not see in the meantime it holds against nobody.
const LONGEST_BLINK: Duration = Duration::from_secs(2);

/// What is put down of one question to the brokers that came to nothing: the process may have stood still meanwhile.
const LONGEST_QUESTION: Duration = Duration::from_secs(10);

/// The longest patience, unless more is asked for: a fault that new clients do not mend today may be mended by somebody
/// else, and then they are to be made before long.
const LONGEST_PATIENCE: Duration = Duration::from_secs(900);

/// What has to move while something waits on it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Road {
    /// Records of an input partition, from the brokers into our queue.
    Input { topic: String, partition: i32 },
    /// Acknowledgements of an output partition.
    Output { topic: String, partition: i32 },
    /// Our membership of the group, and what it asks us for.
    Group,
    /// From one seal to the next: everything that lies between, a transaction's steps and its undoing included.
    Seal,
}

impl Road {
    /// The partition that stands, when it is one.
    pub fn partition(&self) -> Option<(&str, i32)> {
        match self {
            Self::Input { topic, partition } | Self::Output { topic, partition } => Some((topic, *partition)),
            Self::Group | Self::Seal => None,
        }
    }
}

impl fmt::Display for Road {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Input { topic, partition } => write!(f, "reading from {topic}/{partition}"),
            Self::Output { topic, partition } => write!(f, "writing to {topic}/{partition}"),
            Self::Group => f.write_str("the membership of the group"),
            Self::Seal => f.write_str("sealing what was taken"),
        }
    }
}

/// One road as it is seen now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sight {
    pub road: Road,
    /// Any number that changes whenever something moves.
    pub mark: u64,
    /// Whether something waits on it that could move.
    pub waits: bool,
}

/// A road that stands still.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    pub road: Road,
    pub since: Duration,
}

/// What the brokers said to a fresh connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// They do what this road needs: it is the clients that stand.
    Able,
    /// Nothing waits there after all.
    NothingWaits,
    /// They do not: there is nothing to be won.
    Away,
}

/// How long to wait before the clients are made anew: grows each time that it did not help.
#[derive(Clone, Debug)]
pub struct Patience {
    least: Duration,
    in_vain: u32,
    /// What stood the last time.
    stood: Option<Road>,
}

impl Patience {
    pub fn new(stuck_after: Duration) -> Self {
        Self { least: stuck_after, in_vain: 0, stood: None }
    }

    pub fn now(&self) -> Duration {
        (self.least * (1 << self.in_vain.min(16))).min(LONGEST_PATIENCE.max(self.least))
    }

    /// The clients are made anew because this stands.
    fn rebuilt(&mut self, road: &Road, helped: bool) {
        self.in_vain = if self.stood.as_ref() == Some(road) && !helped { self.in_vain + 1 } else { 0 };
        self.stood = Some(road.clone());
    }
}

#[derive(Clone, Copy, Debug)]
struct Watched {
    mark: u64,
    since: Duration,
    waits: bool,
}

/// The roads of one engine.
#[derive(Debug)]
pub struct Watchdog {
    patience: Patience,
    looked: Option<Duration>,
    /// Since the last look the engine waited so long for answers that did not come: that was no standing still of its own.
    asking: Duration,
    roads: BTreeMap<Road, Watched>,
    /// The road that stood before these clients has moved.
    helped: bool,
    /// What was asked for and not answered.
    asked: Option<Road>,
}

impl Watchdog {
    pub fn new(patience: Patience) -> Self {
        Self { patience, looked: None, asking: Duration::ZERO, roads: BTreeMap::new(), helped: false, asked: None }
    }

    /// How long something may stand.
    pub fn patience(&self) -> Duration {
        self.patience.now()
    }

    /// Looks at all roads. Those that are not named any more are not ours. Gives what to ask the brokers for.
    pub fn look(&mut self, now: Duration, sights: impl IntoIterator<Item = Sight>) -> Option<Road> {
        let asking = std::mem::take(&mut self.asking);
        let since_last = now.saturating_sub(self.looked.replace(now).unwrap_or(now));
        let unseen = since_last.saturating_sub(asking).saturating_sub(LONGEST_BLINK);
        let mut known = std::mem::take(&mut self.roads);
        for Sight { road, mark, waits } in sights {
            let mut watched = known.remove(&road).unwrap_or(Watched { mark, since: now, waits });
            watched.since = (watched.since + unseen).min(now);
            if watched.mark != mark || !waits {
                self.helped |= watched.mark != mark && self.patience.stood.as_ref() == Some(&road);
                watched.since = now;
            }
            (watched.mark, watched.waits) = (mark, waits);
            self.roads.insert(road, watched);
        }
        if self.asked.is_some() || mutants::is(Mutant::WatchdogAsleep) {
            return None;
        }
        let road = self.longest().filter(|(_, watched)| self.stands(watched, now)).map(|(road, _)| road.clone());
        self.asked.clone_from(&road);
        road
    }

    /// The engine itself waited so long for an answer of the brokers, in vain.
    pub fn asked_in_vain(&mut self, took: Duration) {
        self.asking += took.min(LONGEST_QUESTION);
    }

    /// The answer to what was asked for. Gives what the clients have to be made anew for.
    pub fn told(&mut self, now: Duration, answer: Answer) -> Option<Standing> {
        let road = self.asked.take()?;
        let patience = self.patience.now();
        let watched = self.roads.get_mut(&road)?;
        match answer {
            // It may have moved while we asked.
            Answer::Able if watched.waits && now >= watched.since + patience => {
                Some(Standing { road, since: watched.since })
            }
            Answer::Able => None,
            // Brokers that come back, and records that come, are given the whole time again.
            Answer::NothingWaits | Answer::Away => {
                watched.since = now;
                None
            }
        }
    }

    /// The patience of the clients that come after these, which stood here.
    pub fn after(&self, road: &Road) -> Patience {
        let mut patience = self.patience.clone();
        patience.rebuilt(road, self.helped);
        patience
    }

    /// The same, when something else ended them.
    pub fn unchanged(&self) -> Patience {
        self.patience.clone()
    }

    fn stands(&self, watched: &Watched, now: Duration) -> bool {
        watched.waits && now >= watched.since + self.patience.now()
    }

    fn longest(&self) -> Option<(&Road, &Watched)> {
        self.roads.iter().filter(|(_, watched)| watched.waits).min_by_key(|(_, watched)| watched.since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(60);

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn input(partition: i32) -> Road {
        Road::Input { topic: "in".to_owned(), partition }
    }

    fn sight(road: &Road, mark: u64, waits: bool) -> Sight {
        Sight { road: road.clone(), mark, waits }
    }

    /// Looks every second at the same sights; gives what is asked for, and when.
    fn look_from(dog: &mut Watchdog, seconds: std::ops::Range<u64>, sights: &[Sight]) -> Option<(u64, Road)> {
        seconds.into_iter().find_map(|second| Some((second, dog.look(at(second), sights.to_vec())?)))
    }

    fn dog() -> Watchdog {
        Watchdog::new(Patience::new(PATIENCE))
    }

    #[test]
    fn one_partition_that_stands_while_its_records_wait_is_seen_beside_others_that_move() {
        let mut dog = dog();
        let asked = (0..=60).find_map(|second| {
            let sights = [sight(&input(0), second, true), sight(&input(1), 7, true), sight(&input(2), 7, false)];
            Some((second, dog.look(at(second), sights)?))
        });
        assert_eq!(asked, Some((60, input(1))));
        assert_eq!(dog.told(at(61), Answer::Able), Some(Standing { road: input(1), since: at(0) }));
    }

    #[test]
    fn what_moves_or_does_not_wait_is_never_asked_for() {
        let mut dog = dog();
        for second in 0..600 {
            let sights = [sight(&Road::Seal, second / 59, true), sight(&Road::Group, 1, false)];
            assert_eq!(dog.look(at(second), sights), None, "{second}");
        }
    }

    #[test]
    fn nothing_is_made_anew_while_the_brokers_are_away_and_they_get_the_whole_time_when_they_come_back() {
        let mut dog = dog();
        let sights = [sight(&Road::Seal, 1, true)];
        let (mut second, mut asked) = (0, 0);
        while let Some((at_second, _)) = look_from(&mut dog, second..600, &sights) {
            assert_eq!(dog.told(at(at_second + 1), Answer::Away), None);
            (second, asked) = (at_second + 1, asked + 1);
        }
        assert_eq!(asked, 9);
        assert_eq!(look_from(&mut dog, 600..700, &sights), Some((609, Road::Seal)));
        assert!(dog.told(at(611), Answer::Able).is_some());
    }

    #[test]
    fn what_moved_while_the_brokers_were_asked_is_left_alone() {
        let mut dog = dog();
        assert!(look_from(&mut dog, 0..100, &[sight(&Road::Seal, 1, true)]).is_some());
        dog.look(at(61), [sight(&Road::Seal, 2, true)]);
        assert_eq!(dog.told(at(62), Answer::Able), None);
    }

    #[test]
    fn records_that_come_after_a_look_that_found_none_get_the_whole_time() {
        let mut dog = dog();
        let sights = [sight(&input(0), 1, true)];
        assert!(look_from(&mut dog, 0..100, &sights).is_some());
        assert_eq!(dog.told(at(60), Answer::NothingWaits), None);
        assert_eq!(look_from(&mut dog, 61..200, &sights), Some((120, input(0))));
    }

    #[test]
    fn a_process_that_stood_still_itself_holds_that_against_nobody() {
        let mut dog = dog();
        let sights = [sight(&Road::Seal, 1, true)];
        assert_eq!(look_from(&mut dog, 0..10, &sights), None);
        assert_eq!(look_from(&mut dog, 1000..1040, &sights), None);
        assert_eq!(look_from(&mut dog, 1040..1060, &sights), Some((1049, Road::Seal)));
    }

    #[test]
    fn an_engine_that_waits_for_answers_in_vain_still_counts_the_time() {
        let mut dog = dog();
        let sights = [sight(&Road::Group, 1, true)];
        dog.look(at(0), sights.clone());
        let asked = (1..20).find_map(|question| {
            dog.asked_in_vain(Duration::from_secs(10));
            Some((question * 11, dog.look(at(question * 11), sights.clone())?))
        });
        assert_eq!(asked, Some((66, Road::Group)));
        dog.asked_in_vain(Duration::from_secs(3600));
        dog.look(at(3700), sights);
        assert_eq!(dog.told(at(3700), Answer::Able).map(|standing| standing.since), Some(at(3700 - 66 - 12)));
    }

    #[test]
    fn pauses_double_while_it_does_not_help_and_begin_anew_once_it_did() {
        let mut patience = Patience::new(PATIENCE);
        let mut stuck = |marks: [u64; 2]| {
            let mut dog = Watchdog::new(patience.clone());
            dog.look(at(0), [sight(&Road::Seal, marks[0], true)]);
            let sights = [sight(&Road::Seal, marks[1], true)];
            let (second, _) = look_from(&mut dog, 1..2000, &sights).expect("it stands");
            let standing = dog.told(at(second), Answer::Able).expect("it stands");
            patience = dog.after(&standing.road);
            second
        };
        let waited: Vec<u64> = (0..7).map(|_| stuck([1, 1])).collect();
        assert_eq!(waited, [60, 60, 120, 240, 480, 900, 900]);
        assert_eq!(stuck([1, 2]), 901, "it had moved");
        assert_eq!(stuck([1, 1]), 60);
    }

    #[test]
    fn what_is_not_ours_any_more_is_forgotten() {
        let mut dog = dog();
        assert_eq!(look_from(&mut dog, 0..50, &[sight(&input(0), 1, true)]), None);
        dog.look(at(50), []);
        assert_eq!(look_from(&mut dog, 51..111, &[sight(&input(0), 1, true)]), None);
    }
}
