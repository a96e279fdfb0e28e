//! The processors: started, hurt and started again, as Kubernetes would, with an account of how each process ended.

use std::sync::{Mutex, PoisonError};

use crate::history::History;
use crate::plan::PROCESSORS;
use crate::support::broker::free_port;
use crate::support::children::Signal;
use crate::support::proxy::Proxy;
use crate::support::scene::Scene;
use crate::support::service::{Call, Ended, Service};

/// Beside those that are to be at work: a newcomer or a twin.
pub const GUEST: usize = PROCESSORS;

const SIGTERM: i32 = 15;

/// Longer than the session, so that both are met by one who stands still for long enough.
const MAX_POLL_INTERVAL: &str = "input.properties.max.poll.interval.ms=10000";

/// Whether anything can be asked of a processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Away,
    AtWork,
    Frozen,
}

/// A place in the fleet, whichever process takes it.
#[derive(Clone, Copy, Debug)]
pub struct Seat {
    pub port: u16,
    pub state: State,
}

/// What the sampler sees of the fleet.
pub type Seats = Mutex<[Seat; PROCESSORS + 1]>;

pub fn seats() -> Seats {
    Mutex::new(std::array::from_fn(|_| Seat { port: free_port(), state: State::Away }))
}

pub struct Fleet<'a> {
    scene: &'a Scene<'a>,
    proxies: &'a [Proxy],
    history: &'a History,
    seats: &'a Seats,
    services: [Option<Service>; PROCESSORS + 1],
    /// Whatever must not be.
    pub violations: Vec<String>,
    /// Processes that were started.
    pub started: usize,
    /// How often a position was said to be gone.
    pub resets_told: usize,
}

impl<'a> Fleet<'a> {
    pub fn new(scene: &'a Scene<'a>, proxies: &'a [Proxy], history: &'a History, seats: &'a Seats) -> Self {
        let services = std::array::from_fn(|_| None);
        Self { scene, proxies, history, seats, services, violations: Vec::new(), started: 0, resets_told: 0 }
    }

    pub fn start(&mut self, seat: usize) {
        self.start_as(seat, seat);
    }

    /// Takes a seat under the transactional id of a maybe different one.
    pub fn start_as(&mut self, seat: usize, identity: usize) {
        // The last of those at work knows the brokers themselves, the others only who stands before them.
        let direct = seat + 1 == PROCESSORS;
        let fronts: Vec<String> = self.proxies.iter().map(|proxy| format!("127.0.0.1:{}", proxy.port)).collect();
        let bootstrap = if direct { self.scene.cluster.bootstrap() } else { fronts.join(",") };
        let call = Call::run(self.scene)
            .on_port(self.seat(seat).port)
            .set(&format!("kafka.bootstrap_servers={bootstrap}"))
            .set(&format!("pipeline.transactional_id={}-{identity}", self.scene.group))
            .set("pipeline.stuck_after=10s")
            // Partitions that are added are found with it, by default within 5 minutes.
            .set("input.properties.topic.metadata.refresh.interval.ms=3000")
            // Whatever the machine has.
            .set("pipeline.workers=3")
            .set(MAX_POLL_INTERVAL);
        self.services[seat] = Some(call.start());
        self.started += 1;
        self.turn(seat, State::AtWork);
    }

    pub fn kill(&mut self, seat: usize) {
        self.turn(seat, State::Away);
        if let Some(service) = self.services[seat].take() {
            self.hear(&service.log());
        }
    }

    /// Asks a processor to stop, and looks how it does.
    pub fn stop(&mut self, seat: usize) {
        if let Some(service) = self.services[seat].take() {
            self.turn(seat, State::Away);
            let ended = service.stopped();
            self.ended(seat, &ended);
        }
    }

    pub fn freeze(&mut self, seat: usize) {
        if let Some(service) = &mut self.services[seat]
            && !service.exited()
        {
            service.signal(Signal::Stop);
            self.turn(seat, State::Frozen);
        }
    }

    pub fn thaw(&mut self, seat: usize) {
        if let (Some(service), State::Frozen) = (&self.services[seat], self.seat(seat).state) {
            service.signal(Signal::Cont);
            self.turn(seat, State::AtWork);
        }
    }

    /// Starts again whoever ended by itself.
    pub fn tend(&mut self) {
        for seat in 0..=GUEST {
            if self.services[seat].as_mut().is_some_and(Service::exited) {
                let ended = self.services[seat].take().map(Service::ended);
                self.turn(seat, State::Away);
                ended.iter().for_each(|ended| self.ended(seat, ended));
            }
            if seat != GUEST && self.services[seat].is_none() {
                self.start(seat);
            }
        }
    }

    pub fn at_work(&self) -> impl Iterator<Item = (usize, &Service)> {
        (0..).zip(&self.services).filter_map(|(seat, service)| Some((seat, service.as_ref()?)))
    }

    /// A processor may end with 0, or with 1 and a reason: never in any other way.
    fn ended(&mut self, seat: usize, ended: &Ended) {
        self.hear(&ended.stderr);
        let late = ended.stderr.lines().find(|line| line.contains("shutdown_timeout passed"));
        let reason = ended.problems().pop().or_else(|| late.map(str::to_owned)).unwrap_or_default();
        self.history.note(&format!("processor {seat} ended with {:?} {reason}", ended.code));
        // Asked to stop in its first milliseconds, when nobody listens yet.
        let had_not_begun = ended.signal == Some(SIGTERM) && ended.stderr.is_empty();
        let is_in_order = ended.code == Some(0) || ended.code == Some(1) && !reason.is_empty() || had_not_begun;
        if !is_in_order {
            let last: Vec<&str> = ended.stderr.lines().rev().take(5).collect();
            self.violations.push(format!("processor {seat} ended with {:?}: {last:#?}", ended.code));
        }
    }

    fn hear(&mut self, log: &str) {
        self.resets_told += log.lines().filter(|line| line.contains("the position is gone")).count();
    }

    fn seat(&self, seat: usize) -> Seat {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)[seat]
    }

    fn turn(&self, seat: usize, state: State) {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)[seat].state = state;
    }
}
