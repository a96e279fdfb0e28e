//! `dlq stats` on a million letters: how long it takes and what it holds in memory. Run by name, in release:
//! `cargo test --release --test stress_dlq_million -- --nocapture`. It judges memory alone; times are for people.

mod support;

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use support::cluster::Cluster;
use support::raw::Record;
use support::wait;
use support::writer::Writer;

const LETTERS: usize = 1_000_000;
const PARTITIONS: i32 = 6;

/// Resident, in KiB: four readers' queues and answers, and the program.
const MAX_RESIDENT_KIB: u64 = 128 * 1024;

const KINDS: [&str; 6] =
    ["missing_field", "invalid_json", "invalid_field", "unknown_shape", "api_error", "invalid_timestamp"];

fn letter(number: usize) -> Record {
    let kind = KINDS[number % KINDS.len()];
    let text = |name: &str, value: String| (name.as_bytes().to_vec(), Some(value.into_bytes()));
    Record {
        key: Some(format!("key-{}", number % 5000).into_bytes()),
        value: Some(format!(r#"{{"MessageTraceId":"{number:032x}","Subject":"{:x<400}"}}"#, "").into_bytes()),
        headers: vec![
            text("dlq.error.kind", kind.to_owned()),
            text("dlq.error.message", "the key Received is missing".to_owned()),
            text("dlq.error.fingerprint", format!("{:016x}", number % 24)),
            text("dlq.source.topic", "messagetrace.raw".to_owned()),
            text("dlq.source.partition", (number % 12).to_string()),
            text("dlq.source.offset", number.to_string()),
            text("dlq.consumer.group", "messagetrace-ecs".to_owned()),
            text("dlq.processor", "messagetrace-ecs/0.1.0 sekoia".to_owned()),
            text("dlq.failed.at", "2026-03-01T10:00:00.000Z".to_owned()),
            text("dlq.attempts", "1".to_owned()),
        ],
        timestamp_ms: 1_772_359_200_000 + i64::try_from(number).expect("a million") * 100,
    }
}

#[test]
fn a_million_letters_are_counted_in_memory_that_does_not_grow_with_them() {
    let cluster = Cluster::shared();
    cluster.create_topic("million", PARTITIONS, &[("retention.ms", "-1")]);
    let writer = Writer::new(cluster, "million");
    let partitions = usize::try_from(PARTITIONS).expect("a few");
    (0..LETTERS).for_each(|number| writer.send(i32::try_from(number % partitions).expect("a few"), &letter(number)));
    writer.settle();

    let started = Instant::now();
    let mut stats = Command::new(env!("CARGO_BIN_EXE_messagetrace-ecs"))
        .args(["dlq", "stats", "--output", "json", "--set", "dead_letters.topic=million", "--set"])
        .arg(format!("kafka.bootstrap_servers={}", cluster.bootstrap()))
        .stdout(Stdio::piped())
        .spawn()
        .expect("start the program");
    let status = format!("/proc/{}/status", stats.id());
    let mut resident_kib = 0;
    wait::until("the letters are counted", Duration::from_secs(600), || {
        let status = fs::read_to_string(&status).unwrap_or_default();
        let highest =
            status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next()?.parse().ok());
        resident_kib = highest.unwrap_or(resident_kib);
        stats.try_wait().expect("look at the program")
    });
    let seconds = started.elapsed().as_secs_f64();
    let printed = stats.wait_with_output().expect("what it printed").stdout;
    let counted: serde_json::Value = serde_json::from_slice(&printed).expect("JSON");
    println!("{LETTERS} letters in {seconds:.1} s, {} MiB resident at most", resident_kib / 1024);
    assert_eq!(counted["letters"], LETTERS);
    assert_eq!(counted["groups"].as_array().map(Vec::len), Some(24));
    assert!(resident_kib < MAX_RESIDENT_KIB, "{resident_kib} KiB");
}
