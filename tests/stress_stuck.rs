//! How long the service stands still after faults that its clients do not come back from by themselves; that no end is by
//! a signal while the group's coordinator is away; and that clients which are made anew leave nothing behind.
//!
//! And that an hour of ordinary load makes no client anew.
//!
//! Takes two hours, so it is run by name: `cargo test --test stress_stuck -- --nocapture --test-threads 1`. With
//! `FAULTS=n` so many of each kind, with `KIND=Fenced` that kind alone, with `STARTS=n` and `REBUILDS=n` so many of those,
//! with `MINUTES=n` so long.

mod support;

use std::env;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use support::broker::{Node, Plan};
use support::children::Signal;
use support::cluster::{Cluster, Coordinated, View};
use support::driver::{Driver, Ledger};
use support::listeners::Listener;
use support::oracle::verdict;
use support::proxy::Proxy;
use support::scene::Guarantee::{AtLeastOnce, ExactlyOnce};
use support::scene::{Guarantee, Scene};
use support::service::{Call, LIMIT, Service};
use support::wait;

const STUCK_AFTER: Duration = Duration::from_secs(10);

/// What is promised: so long after a fault every partition flows again.
const FLOWS_WITHIN: Duration = Duration::from_secs(40);

/// For a node to be back on a busy machine.
const NODES_LIMIT: Duration = Duration::from_secs(240);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// Open connections bring no answers any more, new ones do.
    AnswersKept,
    OutputMadeAnew,
    /// The only broker comes back under its id at another port.
    OtherAddress,
    /// All of three do.
    OtherAddresses,
    /// The only broker stands still for longer than its session with the controller, and is fenced for a moment.
    Fenced,
    /// We stand still ourselves for longer than our session.
    StoodStill,
}

const FAULTS: [Fault; 6] = [
    Fault::AnswersKept,
    Fault::OutputMadeAnew,
    Fault::OtherAddress,
    Fault::OtherAddresses,
    Fault::Fenced,
    Fault::StoodStill,
];

fn number(variable: &str, default: usize) -> usize {
    env::var(variable).ok().map_or(default, |text| text.parse().expect("a number"))
}

fn rebuilds(service: &Service) -> f64 {
    service.metric("messagetrace_ecs_client_rebuilds_total").unwrap_or_default()
}

/// How long it takes until something of every partition that came after this moment is committed.
fn until_every_partition_flows(scene: &Scene<'_>, service: &mut Service) -> Duration {
    let began = Instant::now();
    let before = scene.cluster.gauge(&scene.input, View::Committed).ends();
    let progress = scene.cluster.progress(&scene.group, &scene.input);
    wait::until("every partition flows", LIMIT, || {
        service.assert_alive();
        let now = progress.committed();
        now.iter().zip(&before).all(|(now, before)| now.is_some_and(|now| now > *before)).then_some(())
    });
    began.elapsed()
}

#[test]
fn after_each_fault_every_partition_flows_again_in_time() {
    let faults = number("FAULTS", 2);
    let mut rows = Vec::new();
    for (seed, guarantee) in (200..).zip([ExactlyOnce, AtLeastOnce]) {
        let only = env::var("KIND").unwrap_or_default();
        for fault in FAULTS.into_iter().filter(|fault| only.is_empty() || format!("{fault:?}") == only) {
            rows.extend(hit(fault, guarantee, faults, seed));
        }
    }
    println!("| guarantee | fault | flows again after | clients made anew |\n| --- | --- | --- | --- |");
    for (guarantee, fault, took, anew) in &rows {
        println!("| {} | {fault:?} | {:.1} s | {anew} |", guarantee.name(), took.as_secs_f64());
    }
    assert!(rows.iter().all(|(_, _, took, _)| *took <= FLOWS_WITHIN), "some took too long");
}

/// Hits a service under load several times; gives how long each took, and how often the clients were made anew.
fn hit(fault: Fault, guarantee: Guarantee, times: usize, seed: u64) -> Vec<(Guarantee, Fault, Duration, f64)> {
    let front = Proxy::listen();
    let listener = Listener::behind(front.port);
    let behind = listener.port;
    let cluster = match fault {
        Fault::OtherAddresses => Plan::nodes(3).start(),
        _ => Plan::nodes(1).listener(listener).start(),
    };
    let keeps = fault == Fault::AnswersKept;
    front.turn_to(if keeps { behind } else { cluster.node(1).plain() });
    let scene = Scene::new(&cluster, guarantee, 3);
    let mut rows = Vec::new();
    let mut deleted_below = Vec::new();
    let load = Driver::new(&scene, seed);
    let under_load = |rows: &mut Vec<_>, deleted_below: &mut Vec<i64>| {
        let session = if keeps { "input.session_timeout=30s" } else { "input.session_timeout=4s" };
        let stuck_after = format!("pipeline.stuck_after={}s", STUCK_AFTER.as_secs());
        let mut service = Call::run(&scene).set(&front.bootstrap()).set(session).set(&stuck_after).start();
        until_every_partition_flows(&scene, &mut service);
        for _ in 0..times {
            let before = rebuilds(&service);
            strike(fault, &scene, &front, &service);
            if fault == Fault::OutputMadeAnew {
                // What comes from here on was never in the topic that is gone.
                *deleted_below = scene.cluster.gauge(&scene.input, View::Committed).ends();
            }
            // Twice: what was on its way already may come through first.
            let took =
                until_every_partition_flows(&scene, &mut service) + until_every_partition_flows(&scene, &mut service);
            rows.push((guarantee, fault, took, rebuilds(&service) - before));
            println!("{} {fault:?}: {took:.1?}", guarantee.name());
        }
        service.stopped().assert_code(0);
    };
    if matches!(fault, Fault::OtherAddress | Fault::OtherAddresses) {
        // The load would need another address too.
        let mut ledger = moved(fault, &scene, &front, times, &mut rows);
        ledger.sent.sort_by_key(|sent| (sent.partition, sent.offset));
        verdict(&scene, &ledger).assert_clean();
        return rows;
    }
    let ledger = load.under_load(1_000, 300, || under_load(&mut rows, &mut deleted_below));
    Call::run_until_end(&scene).ended().assert_code(0);
    verdict(&scene, &Ledger { deleted_below, ..ledger }).assert_clean();
    rows
}

fn strike(fault: Fault, scene: &Scene<'_>, front: &Proxy, service: &Service) {
    let node = scene.cluster.node(1);
    match fault {
        Fault::AnswersKept => front.keep_answers(),
        Fault::OutputMadeAnew => {
            scene.cluster.delete_topic(&scene.output);
            scene.cluster.create_topic(&scene.output, scene.partitions, &[]);
        }
        Fault::OtherAddress | Fault::OtherAddresses => {
            let nodes = || (1..=scene.cluster.nodes()).map(|id| scene.cluster.node(id));
            // A node alone among controllers that are gone could not say goodbye.
            nodes().for_each(if fault == Fault::OtherAddress { Node::stop } else { Node::kill });
            nodes().for_each(Node::move_away);
            front.turn_to(node.plain());
            nodes().for_each(Node::restart);
            scene.cluster.until_whole(NODES_LIMIT);
        }
        Fault::Fenced => {
            node.signal(Signal::Stop);
            wait::lasting(Duration::from_secs(5));
            node.signal(Signal::Cont);
            scene.cluster.until_whole(NODES_LIMIT);
        }
        Fault::StoodStill => {
            service.signal(Signal::Stop);
            wait::lasting(Duration::from_secs(8));
            service.signal(Signal::Cont);
        }
    }
}

/// The brokers move between two loads.
fn moved(
    fault: Fault,
    scene: &Scene<'_>,
    front: &Proxy,
    times: usize,
    rows: &mut Vec<(Guarantee, Fault, Duration, f64)>,
) -> Ledger {
    let stuck_after = format!("pipeline.stuck_after={}s", STUCK_AFTER.as_secs());
    let mut service = Call::run(scene).set(&front.bootstrap()).set(&stuck_after).start();
    let send = |seed: u64| {
        let mut driver = Driver::new(scene, seed);
        driver.send(2_000);
        driver.finish()
    };
    let mut ledger = send(300);
    until_sealed(scene, &mut service);
    for time in 0..times {
        let before = rebuilds(&service);
        strike(fault, scene, front, &service);
        ledger.sent.extend(send(301 + time as u64).sent);
        let took = until_sealed(scene, &mut service);
        rows.push((scene.guarantee, fault, took, rebuilds(&service) - before));
        println!("{} {fault:?}: {took:.1?}", scene.guarantee.name());
    }
    service.stopped().assert_code(0);
    ledger
}

/// How long it takes until all that lies in the input topic is committed.
fn until_sealed(scene: &Scene<'_>, service: &mut Service) -> Duration {
    let began = Instant::now();
    let ends = scene.cluster.gauge(&scene.input, View::Committed).ends();
    let progress = scene.cluster.progress(&scene.group, &scene.input);
    wait::until("everything is sealed", LIMIT, || {
        service.assert_alive();
        let now = progress.committed();
        now.iter().zip(&ends).all(|(now, end)| now.is_some_and(|now| now >= *end)).then_some(())
    });
    began.elapsed()
}

#[test]
fn no_end_is_by_a_signal_while_the_coordinator_is_away() {
    let starts = number("STARTS", 50);
    let cluster = Plan::nodes(3).start();
    let scenes = [ExactlyOnce, AtLeastOnce].map(|guarantee| Scene::new(&cluster, guarantee, 3));
    let (mut by_signal, mut codes) = (0, Vec::new());
    for turn in 0..starts {
        let scene = &scenes[turn % 2];
        let node = coordinator(&cluster, scene);
        let running = |call: Call| call.set("pipeline.stuck_after=2s").set("pipeline.shutdown_timeout=1s");
        let ended = match turn % 4 {
            // Away from the start on.
            0 | 1 => {
                node.signal(Signal::Stop);
                let service = running(Call::run(scene)).start();
                // Past the time that each question to a coordinator may take.
                wait::lasting(Duration::from_millis(2_000 + 137 * turn as u64));
                node.signal(Signal::Cont);
                wait::lasting(Duration::from_millis(500));
                service.stopped()
            }
            // Goes while the service is at work, whose clients are made anew meanwhile.
            2 => {
                let mut service = running(Call::run(scene)).start();
                service.until_ready();
                node.signal(Signal::Stop);
                scene.cluster.delete_topic(&scene.output);
                scene.cluster.create_topic(&scene.output, scene.partitions, &[]);
                wait::lasting(Duration::from_secs(8));
                let ended = service.stopped();
                node.signal(Signal::Cont);
                ended
            }
            _ => {
                node.signal(Signal::Stop);
                let replay = Call::of(&["dlq", "replay", "--execute"]);
                let replay = scene
                    .settings()
                    .iter()
                    .filter(|setting| !setting.starts_with("log."))
                    .fold(replay, |call, setting| call.set(setting))
                    .start();
                wait::lasting(Duration::from_secs(4));
                node.signal(Signal::Cont);
                replay.ended()
            }
        };
        if ended.code.is_none() {
            by_signal += 1;
            println!("turn {turn}:\n{}", ended.stderr);
        }
        codes.push(ended.code);
        cluster.mend(NODES_LIMIT);
    }
    println!("{starts} ends, {by_signal} by a signal; exit codes {codes:?}");
    assert_eq!(by_signal, 0);
}

fn coordinator<'c>(cluster: &'c Cluster, scene: &Scene<'_>) -> &'c Node {
    // The cluster makes its internal topics when somebody first needs them.
    cluster.committed(&scene.group, &scene.input);
    cluster.node(cluster.coordinator(Coordinated::Group, &scene.group))
}

#[test]
fn clients_that_are_made_anew_leave_neither_threads_nor_descriptors_behind() {
    let times = number("REBUILDS", 50);
    for (seed, guarantee) in [(400, ExactlyOnce), (401, AtLeastOnce)] {
        let scene = Scene::new(Cluster::shared(), guarantee, 3);
        Driver::new(&scene, seed).under_load(1_000, 100, || {
            let mut service = Call::run(&scene).start();
            until_every_partition_flows(&scene, &mut service);
            let mut counts = Vec::new();
            for time in 1..=times {
                scene.cluster.delete_topic(&scene.output);
                // Once it is missed for as long as that, the clients that knew it are given up for sure.
                wait::until("the topic is missed", LIMIT, || {
                    let missing = service.metric_of("messagetrace_ecs_stalled", "cause=\"topic_missing\"");
                    missing.filter(|stalled| *stalled > 0.0)
                });
                scene.cluster.create_topic(&scene.output, scene.partitions, &[]);
                wait::until("the clients are made anew", LIMIT, || (rebuilds(&service) >= time as f64).then_some(()));
                until_every_partition_flows(&scene, &mut service);
                counts.push(held(&service));
            }
            let anew = rebuilds(&service);
            let (first, last) = (counts[0], counts[counts.len() - 1]);
            println!(
                "{}: {anew} rebuilds; threads and descriptors after one {first:?}, after all {last:?}",
                guarantee.name()
            );
            assert!(last.0 <= first.0 + 2 && last.1 <= first.1 + 4, "{counts:?}");
            service.stopped().assert_code(0);
        });
    }
}

/// Both guarantees side by side, with the settings of a service that nobody gave any.
#[test]
fn an_hour_of_ordinary_load_makes_no_clients_anew() {
    const PER_SECOND: u32 = 200;
    let minutes = number("MINUTES", 60);
    let cluster = Plan::nodes(1).start();
    let scenes = [ExactlyOnce, AtLeastOnce].map(|guarantee| Scene::new(&cluster, guarantee, 3));
    let mut services = scenes.each_ref().map(|scene| Call::run(scene).set("input.session_timeout=20s").start());
    services.iter_mut().for_each(Service::until_ready);
    for minute in 1..=minutes {
        thread::scope(|scope| {
            for (seed, scene) in (500..).zip(&scenes) {
                // A driver remembers all that it sent, so each is for one minute; the audit looks at all of it.
                let mut driver = Driver::new(scene, seed + 2 * minute as u64);
                scope.spawn(move || {
                    driver.send_paced(60 * PER_SECOND as usize, PER_SECOND);
                    driver.finish();
                });
            }
        });
        for (scene, service) in scenes.iter().zip(&mut services) {
            service.assert_alive();
            let count = |metric: &str| service.metric(&format!("messagetrace_ecs_{metric}")).unwrap_or_default();
            let (anew, resets, lag) =
                (rebuilds(service), count("offset_resets_total"), count("processing_lag_records"));
            println!("minute {minute}, {}: {anew} rebuilds, {resets} resets, lag {lag}", scene.guarantee.name());
            assert_eq!((anew, resets), (0.0, 0.0), "{}", service.log());
        }
    }
    for (scene, mut service) in scenes.iter().zip(services) {
        until_sealed(scene, &mut service);
        service.stopped().assert_code(0);
        let audit = scene.settings().iter().fold(Call::of(&["audit"]), |call, setting| call.set(setting)).ended();
        audit.assert_code(0);
        println!("{}", audit.stdout);
    }
}

/// Threads and descriptors of the service, the fewest within a moment: some come and go.
fn held(service: &Service) -> (usize, usize) {
    let count = |what: &str| fs::read_dir(format!("/proc/{}/{what}", service.pid())).map_or(0, Iterator::count);
    let mut least = (usize::MAX, usize::MAX);
    wait::within(Duration::from_secs(1), || {
        least = (least.0.min(count("task")), least.1.min(count("fd")));
        None::<()>
    });
    least
}
