//! The recipe: broker, service, traffic, account.

use std::io::Write;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;

use super::Exit;
use crate::cli::{DemoArgs, DemoCommand, FeedArgs};
use crate::config::Config;
use crate::config::mapping;
use crate::demo::account::Account;
use crate::demo::broker::{Broker, MAX_PAYLOAD_BYTES};
use crate::demo::feed::{Feed, Limits};
use crate::demo::feeder::{Feeder, Pace, stream};
use crate::demo::progress::Show;
use crate::demo::report;
use crate::demo::report::Outcome;
use crate::demo::traffic::Traffic;
use crate::kafka;
use crate::pipeline::{Options, Service, Telemetry};
use crate::telemetry::health::Health;
use crate::telemetry::metrics::Metrics;
use crate::terminal::Stdout;

/// Any would do; the same one shows everybody the same demo.
const SEED: u64 = 1;

pub fn run(args: &DemoArgs, config: &Config) -> anyhow::Result<Exit> {
    match &args.command {
        Some(DemoCommand::Feed(args)) => feed(args, config),
        None => demo(args.records, config),
    }
}

fn demo(records: u64, config: &Config) -> anyhow::Result<Exit> {
    let broker = Broker::start()?;
    let config = broker.service_config(config);
    let limits = Limits { max_traces: config.input.max_traces as usize, max_payload_bytes: Some(MAX_PAYLOAD_BYTES) };
    let feed = Feed::new(SEED, records).starting_at(start_ms(records)).with_limits(limits);
    let mut show = Show::new(records);

    let service = start(&config)?;
    let traffic = Traffic::start(&broker, feed)?;
    let followed = traffic.follow(records, &mut show, || service.is_finished());
    service.stop();
    let counts = service.join()?.counts;
    let (totals, seen) = traffic.finish()?;
    show.done();

    let service = Account {
        polled: counts.polled,
        delivered: counts.delivered,
        dead_lettered: counts.dead_lettered,
        skipped: counts.skipped,
    };
    let mut out = Stdout::lock();
    report::samples(&mut out, &seen)?;
    let differences = Outcome { followed: followed?, service, seen: &seen, totals: &totals }.report(&mut out)?;
    out.flush()?;
    Ok(if differences.is_empty() { Exit::Done } else { Exit::Failed })
}

fn start(config: &Config) -> anyhow::Result<Service> {
    let telemetry = Telemetry { metrics: Arc::new(Metrics::new()), health: Arc::new(Health::new()) };
    let options = Options { until_end: false };
    Service::start(config, mapping::settings(config), options, telemetry).context("start the service")
}

fn feed(args: &FeedArgs, config: &Config) -> anyhow::Result<Exit> {
    let mut client = kafka::clients::settings::common(config);
    client.set("linger.ms", "20").set("compression.type", "lz4").set("partitioner", "murmur2_random");
    let topic = config.input.topics.first().context("input.topics names no topic")?;
    kafka::admin::inspection::found_writable(config, topic, "input.topics")?;
    let mut feeder = Feeder::new(&client, topic)?;
    let limits = Limits { max_traces: config.input.max_traces as usize, max_payload_bytes: None };
    let records = Feed::new(SEED, args.records).starting_at(start_ms(args.records)).with_limits(limits);
    let totals = stream(&mut feeder, records, args.rate.map(Pace::new), &mut Show::new(args.records))?;

    let mut out = Stdout::lock();
    writeln!(out, "{} records are in {topic}. Of them come:", totals.records)?;
    writeln!(out, "{:>10} records delivered, {} events", totals.delivered, totals.events)?;
    writeln!(out, "{:>10} records dead-lettered", totals.dead_lettered)?;
    writeln!(out, "{:>10} records skipped", totals.skipped)?;
    out.flush()?;
    Ok(Exit::Done)
}

/// The feed advances half a millisecond a record on average, so that it ends about now.
fn start_ms(records: u64) -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX) - i64::try_from(records / 2).unwrap_or(0)
}
