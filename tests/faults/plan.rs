//! What is going to happen in a round: a pure function of its seed.

use std::time::Duration;

use fastrand::Rng;

/// Processors that are to be at work; a newcomer or a twin comes beside them.
pub const PROCESSORS: usize = 3;

pub const NODES: usize = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// SIGKILL, and started again at once.
    ProcessorKilled,
    /// SIGTERM, and started again at once.
    ProcessorStopped,
    /// SIGSTOP for longer than its session, at times for longer than it may go without polling, then SIGCONT.
    ProcessorFrozen,
    /// One more comes, and goes again.
    ProcessorJoined,
    /// Another process with its transactional id.
    ProcessorDoubled,
    BrokerKilled,
    BrokerStopped,
    /// Keeps its connections and says nothing.
    BrokerFrozen,
    /// Comes back under its id at another port.
    BrokerMoved,
    AllBrokersKilled,
    /// Two of three at a time: fewer replicas than `min.insync.replicas`.
    BrokersTooFew,
    GroupCoordinatorKilled,
    TransactionCoordinatorKilled,
    /// Each partition is led by another node, those of the internal topics too.
    LeadersMoved,
    /// Every connection through one proxy is closed, and every new one.
    RoadCut,
    AllRoadsCut,
    /// 100 ms a piece and 3 Mbit/s.
    RoadSlow,
    /// Open connections bring no answers any more, new ones do.
    AnswersKept,
    /// The end of a transaction comes late, over a connection that its client has lost, while another one is open.
    EndsComeLate,
    OutputRefuses,
    DeadLettersRefuse,
    /// The group's offsets cannot be written.
    OffsetsRefuse,
    /// The output's `max.message.bytes` is lowered below what a batch may take, and above every event.
    OutputNarrowed,
    /// Deleted, and made anew under its name.
    OutputMadeAnew,
    DeadLettersMadeAnew,
    /// What waits in a partition is deleted while nobody can look.
    RetentionOvertakes,
    /// The input gets one more, with records in it.
    PartitionAdded,
    /// Dead letters are sent back while all goes on.
    Replayed,
    /// A transaction of somebody else is open in the input, and is aborted in the end.
    ForeignTransaction,
}

pub const ALL: [Fault; 29] = [
    Fault::ProcessorKilled,
    Fault::ProcessorStopped,
    Fault::ProcessorFrozen,
    Fault::ProcessorJoined,
    Fault::ProcessorDoubled,
    Fault::BrokerKilled,
    Fault::BrokerStopped,
    Fault::BrokerFrozen,
    Fault::BrokerMoved,
    Fault::AllBrokersKilled,
    Fault::BrokersTooFew,
    Fault::GroupCoordinatorKilled,
    Fault::TransactionCoordinatorKilled,
    Fault::LeadersMoved,
    Fault::RoadCut,
    Fault::AllRoadsCut,
    Fault::RoadSlow,
    Fault::AnswersKept,
    Fault::EndsComeLate,
    Fault::OutputRefuses,
    Fault::DeadLettersRefuse,
    Fault::OffsetsRefuse,
    Fault::OutputNarrowed,
    Fault::OutputMadeAnew,
    Fault::DeadLettersMadeAnew,
    Fault::RetentionOvertakes,
    Fault::PartitionAdded,
    Fault::Replayed,
    Fault::ForeignTransaction,
];

/// After these nothing may be repeated under any guarantee.
pub const GRACEFUL: [Fault; 3] = [Fault::ProcessorStopped, Fault::ProcessorJoined, Fault::ForeignTransaction];

/// What may hit a processor while another fault lasts.
const MEANWHILE: [Fault; 3] = [Fault::ProcessorKilled, Fault::ProcessorStopped, Fault::ProcessorFrozen];

/// One fault, whom it hits, and what happens before it is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strike {
    pub fault: Fault,
    /// A processor or a node, counted from 0.
    pub whom: usize,
    pub lasts: Duration,
    pub meanwhile: Option<(Fault, usize)>,
    /// Until the next one.
    pub calm: Duration,
}

/// How long faults last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Long enough to be felt: many are to come in a few minutes.
    Brief,
    Full,
}

/// So many strikes, dealt from a deck: each fault of it comes once before any comes again.
pub fn plan(seed: u64, deck: &[Fault], strikes: usize, pace: Pace) -> Vec<Strike> {
    let mut rng = Rng::with_seed(seed);
    let mut dealt = Vec::new();
    while dealt.len() < strikes {
        let mut shuffled = deck.to_vec();
        rng.shuffle(&mut shuffled);
        dealt.extend(shuffled);
    }
    dealt.truncate(strikes);
    dealt.into_iter().map(|fault| strike(&mut rng, fault, deck, pace)).collect()
}

fn strike(rng: &mut Rng, fault: Fault, deck: &[Fault], pace: Pace) -> Strike {
    let millis = |rng: &mut Rng, range: std::ops::Range<u64>| Duration::from_millis(rng.u64(range));
    let lasts = match fault {
        Fault::ProcessorKilled | Fault::ProcessorStopped => Duration::ZERO,
        Fault::ProcessorFrozen if pace == Pace::Full => millis(rng, 5_000..12_000),
        Fault::ProcessorFrozen => millis(rng, 5_000..6_000),
        _ if pace == Pace::Full => millis(rng, 1_500..5_000),
        _ => millis(rng, 1_000..2_000),
    };
    let calm = match pace {
        Pace::Full => 300..2_000,
        Pace::Brief => 300..700,
    };
    let meanwhile = MEANWHILE[rng.usize(..MEANWHILE.len())];
    // In the second case they all stand still already.
    let is_of_a_processor = format!("{fault:?}").starts_with("Processor") || fault == Fault::RetentionOvertakes;
    let meanwhile = (!is_of_a_processor && deck.contains(&meanwhile) && rng.u8(..3) == 0)
        .then(|| (meanwhile, rng.usize(..PROCESSORS)));
    Strike { fault, whom: rng.usize(..PROCESSORS.min(NODES)), lasts, meanwhile, calm: millis(rng, calm) }
}

#[test]
fn a_seed_plans_the_same_twice_and_every_fault_once_before_any_again() {
    for seed in 0..200 {
        let planned = plan(seed, &ALL, 2 * ALL.len(), Pace::Full);
        assert_eq!(planned, plan(seed, &ALL, 2 * ALL.len(), Pace::Full));
        for half in planned.chunks(ALL.len()) {
            let mut faults: Vec<Fault> = half.iter().map(|strike| strike.fault).collect();
            faults.sort_unstable();
            assert_eq!(faults, ALL);
        }
    }
    assert_ne!(plan(1, &ALL, 9, Pace::Full), plan(2, &ALL, 9, Pace::Full));
}
