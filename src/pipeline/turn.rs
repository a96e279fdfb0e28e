//! What passes between the engine and who decides, each turn: what was seen, and what is to be done.

use std::time::Duration;

use super::breaker;
use crate::telemetry::metrics::Abort;

/// The times by which decisions are made.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// Between two seals under load.
    pub commit_interval: Duration,
    /// Between two seals when everything polled has been delivered.
    pub idle_commit_interval: Duration,
    /// Not taking for longer than this: the partitions are paused, so that the consumer can be served.
    pub pause_after: Duration,
    /// How long partitions that are asked back may take to be finished.
    pub revoke_deadline: Duration,
    /// Pause after the second failure in a row; doubles from there.
    pub first_backoff: Duration,
    pub last_backoff: Duration,
    pub breaker: Option<breaker::Limits>,
}

/// What the engine sees at the start of a turn.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen {
    /// Time since the engine started.
    pub now: Duration,
    /// Records polled and not yet handed to the producer.
    pub in_flight: u64,
    /// Part of a record was handed to the producer and the rest was not: it can be neither sealed nor left so.
    pub mid_record: bool,
    /// Records handed to the producer without a report.
    pub unacknowledged: u64,
    /// Records handed to the producer and not sealed.
    pub handed: u64,
    /// Whether a seal would commit anything: records handed over, or a start that was never committed.
    pub to_seal: bool,
    /// It would commit nothing but positions that lie past markers: there is no hurry.
    pub only_passed: bool,
    /// A seal was begun and has not ended: what it commits is fixed, so the partitions in it have to stay or it is undone.
    pub sealing: bool,
    /// The memory budget is used up.
    pub full: bool,
    /// As much is remembered of what was handed over as may be: time for a seal.
    pub crowded: bool,
    /// The consumer has nothing more at the moment.
    pub drained: bool,
    /// But more is on its way. To be found out when [`Decider::asks_for_more`](super::decide::Decider::asks_for_more).
    pub behind: bool,
    /// A bounded run: everything up to its end was polled.
    pub at_end: bool,
}

impl Seen {
    /// Nothing is on the way that would have to be given back if the partitions went now.
    pub fn nothing_to_undo(&self) -> bool {
        self.in_flight == 0 && self.unacknowledged == 0 && self.handed == 0 && !self.sealing
    }
}

/// A change of the assignment that waits for its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    Assign,
    Revoke,
    Lose,
}

/// One thing to do at this turn, before records are moved. Each may take several turns (the step is then asked for again)
/// and is reported when done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    None,
    /// Commit what was handed over; report `sealed`, `seal_postponed` or `failed`.
    Seal,
    /// End the transaction without a trace; report `aborted`.
    Abort(Abort),
    /// Give back what is not sealed and go back to the last seal; report `rewound`.
    Rewind,
    /// Carry out the oldest change of the assignment; report `reassigned`.
    Reassign,
    End(End),
}

/// How a run ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Asked to stop, and everything taken was sealed.
    Stopped,
    /// A bounded run has sealed everything up to its end.
    Finished,
    /// Asked to stop, and it took too long.
    TimedOut,
}

/// What may be taken from the consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Take {
    Nothing,
    /// So many records, which is more than none.
    AtMost(u64),
    Everything,
}

/// What may be handed to the producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Produce {
    Nothing,
    /// The rest of the record that was begun: a seal lies between records.
    RestOfRecord,
    Everything,
}

/// What to do at this turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    pub step: Step,
    pub take: Take,
    pub produce: Produce,
    /// The partitions should be paused: the consumer is polled only for what it has to say.
    pub paused: bool,
    /// With nothing to do, this is when to look again at the latest.
    pub wake: Option<Duration>,
}

/// Whether a failure calls for a pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// The cause is known and removed (a refused record becomes a dead letter).
    AtOnce,
    /// The cause may last.
    Later,
}
