//! Reading stretches of topics, against a real broker: what is promised to the commands that look into topics.

use crate::support;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Duration;

use messagetrace_ecs::config::Config;
use messagetrace_ecs::kafka::admin::refusal::Refusal;
use messagetrace_ecs::kafka::scan::{
    Progress, Range, Record as Scanned, Resolved, Scan, ScanError, Seen, Stretch, ranges,
};
use support::broker::Plan;
use support::cluster::{Cluster, Rule};
use support::raw::Record;
use support::writer::Writer;

const KEY: &str = "dead_letters.topic";

fn config(cluster: &Cluster) -> Config {
    let mut config = Config::default();
    config.kafka.bootstrap_servers = vec![cluster.bootstrap()];
    config
}

fn numbered(number: i64) -> Record {
    Record { value: Some(number.to_string().into()), timestamp_ms: 1_700_000_000_000 + number, ..Record::default() }
}

fn resolved(config: &Config, stretch: Stretch<'_>) -> Vec<Resolved> {
    ranges(config, &[stretch]).expect("look up the ranges").remove(0)
}

fn whole(config: &Config, topic: &str) -> Vec<Range> {
    resolved(config, Stretch::whole(topic, KEY)).into_iter().map(|resolved| resolved.range).collect()
}

/// The offset and the value of every record.
type Read = Vec<(i64, i64)>;

fn note(read: &mut Read, record: Scanned<'_>) -> ControlFlow<()> {
    let value = std::str::from_utf8(record.value.expect("a value")).expect("digits");
    assert_eq!(record.timestamp_ms, Some(1_700_000_000_000 + value.parse::<i64>().expect("a number")));
    read.push((record.at.offset, value.parse().expect("a number")));
    ControlFlow::Continue(())
}

fn scan(config: &Config, ranges: &[Range]) -> Vec<(Read, Seen)> {
    Scan::new(config).run(ranges, |_| Read::new(), note, |_| {}).expect("read the ranges")
}

#[test]
fn committed_records_are_read_in_order_over_gaps_up_to_the_last_stable_offset() {
    let (cluster, topic) = (Cluster::shared(), "scan-transactions");
    // More partitions than readers, the last one empty, one with nothing but an aborted transaction.
    cluster.create_topic(topic, 7, &[]);
    let writer = Writer::transactional(cluster, topic);
    let mut expected: BTreeMap<i32, Vec<i64>> = BTreeMap::new();
    for round in 0..20 {
        for number in round * 50..(round + 1) * 50 {
            let partition = i32::try_from(number % 5).expect("small");
            writer.send(partition, &numbered(number));
            if round % 3 != 1 {
                expected.entry(partition).or_default().push(number);
            }
        }
        if round % 3 == 1 {
            writer.send(5, &numbered(round));
            writer.abort();
        } else {
            writer.commit();
        }
    }
    // An open one holds nobody up.
    writer.send(0, &numbered(7777));
    writer.settle();

    let config = config(cluster);
    let ranges = whole(&config, topic);
    let read = scan(&config, &ranges);
    assert_eq!(read.len(), 7);
    for (partition, (read, seen)) in (0..).zip(&read) {
        let values: Vec<i64> = read.iter().map(|(_, value)| *value).collect();
        assert_eq!(&values, expected.get(&partition).unwrap_or(&Vec::new()), "partition {partition}");
        assert!(read.is_sorted_by(|a, b| a.0 < b.0) && seen.complete && seen.gone.is_none(), "{seen:?}");
        assert_eq!(seen.records, values.len() as u64);
        assert_eq!((seen.first, seen.last), (read.first().map(|r| r.0), read.last().map(|r| r.0)));
    }
    let span: u64 = ranges.iter().map(Range::offsets).sum();
    assert!(span > read.iter().map(|(_, seen)| seen.records).sum(), "aborted records and markers leave gaps");
}

#[test]
fn a_range_ends_where_it_says_and_may_lie_in_a_gap() {
    let (cluster, topic) = (Cluster::shared(), "scan-bounds");
    cluster.create_topic(topic, 1, &[]);
    let writer = Writer::transactional(cluster, topic);
    // 0 to 9, a marker; 11 to 20 taken back, a marker; 22 to 31, a marker.
    for (first, commits) in [(0, true), (11, false), (22, true)] {
        (first..first + 10).for_each(|number| writer.send(0, &numbered(number)));
        if commits { writer.commit() } else { writer.abort() }
    }
    let config = config(cluster);
    let cases = [
        (Some(3), Some(6), 3..6),
        (Some(8), Some(24), 8..24),
        (Some(11), Some(21), 0..0),
        (Some(10), Some(11), 0..0),
        (Some(31), Some(32), 31..32),
        (Some(31), None, 31..33),
        (Some(32), None, 0..0),
        (Some(33), None, 0..0),
        (Some(5000), None, 0..0),
        (None, None, 0..33),
    ];
    for (from_offset, to_offset, expected) in cases {
        let stretch = Stretch { partition: Some(0), from_offset, to_offset, ..Stretch::whole(topic, KEY) };
        let range = resolved(&config, stretch).remove(0).range;
        let (read, seen) = scan(&config, &[range]).remove(0);
        let real = |offset: &i64| (0..10).contains(offset) || (22..32).contains(offset);
        let expected: Read = expected.filter(real).map(|offset| (offset, offset)).collect();
        assert_eq!(read, expected, "{from_offset:?} to {to_offset:?}");
        assert!(seen.complete, "{from_offset:?} to {to_offset:?}");
    }
}

#[test]
fn times_become_offsets_and_what_retention_took_is_named() {
    let (cluster, topic) = (Cluster::shared(), "scan-times");
    cluster.create_topic(topic, 2, &[]);
    let writer = Writer::new(cluster, topic);
    (0..100).for_each(|number| writer.send(0, &numbered(number)));
    writer.settle();
    cluster.delete_before(topic, 0, 30);

    let config = config(cluster);
    let base = 1_700_000_000_000;
    let times = |from: i64, to: i64| Stretch {
        from_time_ms: Some(base + from),
        to_time_ms: Some(base + to),
        ..Stretch::whole(topic, KEY)
    };
    let offsets = |from, to| Stretch { from_offset: from, to_offset: to, ..Stretch::whole(topic, KEY) };
    let cases = [
        (times(40, 60), (40, 60, None)),
        (times(10, 60), (30, 60, None)),
        (times(90, 5000), (90, 100, None)),
        (times(5000, 6000), (100, 100, None)),
        (offsets(Some(10), Some(40)), (30, 40, Some(10..30))),
        (offsets(Some(10), Some(20)), (30, 30, Some(10..20))),
        (offsets(None, None), (30, 100, None)),
    ];
    for (stretch, (from, to, gone)) in cases {
        let found = resolved(&config, Stretch { partition: Some(0), ..stretch.clone() }).remove(0);
        assert_eq!((found.range.from, found.range.to, found.gone), (from, to, gone), "{stretch:?}");
        assert_eq!((found.low, found.end), (30, 100));
    }
    let empty = &resolved(&config, times(40, 60))[1];
    assert!(empty.range.is_empty() && (empty.low, empty.end) == (0, 0));
}

#[test]
fn records_that_vanish_between_look_up_and_reading_are_named_and_the_rest_is_read() {
    let (cluster, topic) = (Cluster::shared(), "scan-vanishing");
    cluster.create_topic(topic, 2, &[]);
    let writer = Writer::new(cluster, topic);
    for partition in 0..2 {
        (0..100).for_each(|number| writer.send(partition, &numbered(number)));
    }
    writer.settle();
    let config = config(cluster);
    let mut ranges = whole(&config, topic);
    ranges[1].to = 50;
    cluster.delete_before(topic, 0, 40);
    cluster.delete_before(topic, 1, 60);
    let read = scan(&config, &ranges);
    assert_eq!((read[0].1.gone.clone(), read[0].0.len(), read[0].1.complete), (Some(0..40), 60, true));
    assert_eq!((read[1].1.gone.clone(), read[1].0.len(), read[1].1.complete), (Some(0..50), 0, true));
}

#[test]
fn whoever_has_enough_ends_the_scan_and_progress_is_told() {
    let (cluster, topic) = (Cluster::shared(), "scan-enough");
    cluster.create_topic(topic, 1, &[]);
    let writer = Writer::new(cluster, topic);
    (0..5000).for_each(|number| writer.send(0, &numbered(number)));
    writer.settle();
    let config = config(cluster);
    let ranges = whole(&config, topic);
    let take_ten = |read: &mut Read, record: Scanned<'_>| {
        let _ = note(read, record);
        if read.len() == 10 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let ten = Scan::new(&config).run(&ranges, |_| Read::new(), take_ten, |_| {}).expect("read ten");
    assert_eq!((ten[0].0.len(), ten[0].1.complete, ten[0].1.last), (10, false, Some(9)));

    let mut last = (0, 0, 0);
    let all = Scan::new(&config).run(
        &ranges,
        |_| Read::new(),
        note,
        |progress| {
            assert!(progress.offsets() <= progress.offsets_total());
            last = (progress.offsets(), progress.offsets_total(), progress.records());
        },
    );
    assert_eq!((all.expect("read all")[0].0.len(), last), (5000, (5000, 5000, 5000)));

    let stopped = Scan::new(&config).run(
        &ranges,
        |_| Read::new(),
        |_, _| {
            // Keeps the reader busy until the watcher has ended it.
            std::thread::sleep(Duration::from_millis(5));
            ControlFlow::Continue(())
        },
        Progress::stop,
    );
    assert!(!stopped.expect("end early")[0].1.complete);
}

#[test]
fn what_cannot_be_read_is_said_in_words() {
    let cluster = Plan::nodes(1).guarded().start();
    cluster.create_topic("scan-open", 2, &[]);
    cluster.create_topic("scan-secret", 1, &[]);
    cluster.create_topic("scan-listed", 1, &[]);
    cluster.rule(Rule::Allow, "Read", &["--topic", "scan-open"]);
    cluster.rule(Rule::Allow, "Describe", &["--topic", "scan-listed", "--topic", "scan-missing"]);
    let writer = Writer::new(&cluster, "scan-open");
    writer.send(1, &numbered(1));
    writer.settle();
    let config = config(&cluster);
    let error = |topic, partition| {
        ranges(&config, &[Stretch { partition, ..Stretch::whole(topic, KEY) }]).expect_err("cannot be read").to_string()
    };
    assert_eq!(
        error("scan-missing", None),
        "topic scan-missing does not exist (create it: messagetrace-ecs topics --create, or correct dead_letters.topic)"
    );
    assert_eq!(error("scan-open", Some(2)), "topic scan-open has no partition 2: they are 0 to 1");
    for topic in ["scan-secret", "scan-listed"] {
        let expected =
            format!("no permission: Read on topic {topic} (grant it to this service's user, or correct {KEY})");
        assert_eq!(error(topic, None), expected);
    }
    // No permission on any group is needed.
    let read = scan(&config, &whole(&config, "scan-open"));
    assert_eq!(read.iter().map(|(_, seen)| seen.records).collect::<Vec<_>>(), [0, 1]);
    // The permission is gone by the time of reading.
    let range = Range { topic: "scan-listed".into(), key: KEY, partition: 0, from: 0, to: 1 };
    let denied = Scan::new(&config).run(&[range], |_| (), |(), _| ControlFlow::Continue(()), |_| {});
    assert!(matches!(denied, Err(ScanError::Refused(Refusal::Denied { .. }))), "{denied:?}");
}

#[test]
fn a_broker_that_is_away_ends_the_wait() {
    let mut config = Config::default();
    config.kafka.bootstrap_servers = vec!["127.0.0.1:1".to_owned()];
    let range = Range { topic: "t".into(), key: KEY, partition: 0, from: 0, to: 1 };
    let scan = Scan::new(&config).patience(Duration::from_secs(2));
    let silent = scan.run(&[range], |_| (), |(), _| ControlFlow::Continue(()), |_| {}).expect_err("nobody is there");
    assert!(silent.to_string().starts_with("nothing came from partition 0 of topic t for 2 s: "), "{silent}");
    let unreachable = ranges(&config, &[Stretch::whole("t", KEY)]).expect_err("nobody is there");
    assert!(unreachable.to_string().starts_with("no broker of 127.0.0.1:1 answered: "), "{unreachable}");
}
