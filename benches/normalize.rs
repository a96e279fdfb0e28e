//! How fast the mapping is: a table of ordinary records beside the plain twin of the tests and a straightforward
//! version on `serde_json::Value`, and a table of the worst shapes that fit into a record, whose time must grow with
//! their size and no faster.
//!
//! `cargo bench --bench normalize` prints both. With `-- once PROFILE COUNT` it maps COUNT ordinary traces and ends,
//! for a profiler: `valgrind --tool=callgrind target/release/deps/normalize-… once sekoia 1000`. PROFILE `value` is the
//! straightforward version; `scripts/count-instructions` compares them.

#[path = "normalize/by_value.rs"]
mod by_value;
#[path = "../tests/packers/mod.rs"]
mod packers;
#[path = "../tests/plain/mod.rs"]
#[allow(dead_code, reason = "the twin tells more than a bench asks")]
mod plain;
#[path = "normalize/reporting.rs"]
mod reporting;
#[path = "normalize/samples.rs"]
mod samples;

use std::hint::black_box;
use std::time::{Duration, Instant};

use messagetrace_ecs::normalize::{Normalizer, Outcomes, Profile, Record, Settings, WRAPPER_KEYS};

/// Records normalized into one arena before it is cleared, as a worker does with a batch.
const BATCH: usize = 32;

/// How long each line of the first table is measured.
const MEASURED: Duration = Duration::from_millis(600);

const PROFILES: [Profile; 2] = [Profile::Sekoia, Profile::Ecs];

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == "once") {
        let count = arguments[at + 2].parse().expect("a number of traces");
        match arguments[at + 1].as_str() {
            "sekoia" => once(Profile::Sekoia, count),
            "ecs" => once(Profile::Ecs, count),
            "value" => once_by_value(count),
            other => panic!("{other} is none of sekoia, ecs and value"),
        }
        return;
    }
    ordinary();
    worst();
}

fn normalizer(profile: Profile) -> Normalizer {
    Normalizer::new(Settings {
        profile,
        organization: None,
        local_domains: vec!["contoso.example".to_owned(), "*.contoso.example".to_owned()],
        include_original: true,
        // A little over the default, so that samples of 8 MiB and their ends pass.
        max_payload_bytes: 9 << 20,
        wrapper_keys: WRAPPER_KEYS.map(str::to_owned).to_vec(),
        max_traces: 20_000,
        max_events_bytes: 32 << 20,
        event_ids: false,
    })
}

fn record(value: &[u8]) -> Record<'_> {
    Record { value: Some(value), timestamp_ms: Some(1_700_000_000_000) }
}

fn once(profile: Profile, count: usize) {
    let normalizer = normalizer(profile);
    let values = samples::reporting();
    let mut outcomes = Outcomes::default();
    for (number, value) in values.iter().cycle().take(count).enumerate() {
        if number % BATCH == 0 {
            outcomes.clear();
        }
        normalizer.normalize(record(value.as_bytes()), &mut outcomes);
    }
    black_box(&outcomes);
}

fn once_by_value(count: usize) {
    for value in samples::reporting().iter().cycle().take(count) {
        black_box(by_value::events(value.as_bytes()));
    }
}

fn ordinary() {
    println!("{:44} {:>8} {:>10} {:>10} {:>8}", "ordinary records", "bytes in", "ns/trace", "traces/s", "MB/s");
    let page = reporting::page(0..1000);
    let sample = |name, values: Vec<String>| Sample::of_texts(name, 1, values);
    let samples = [
        sample("reporting trace", samples::reporting()),
        sample("Graph trace", samples::graph()),
        sample(
            "reporting trace in a string",
            samples::reporting().iter().map(|trace| samples::in_a_string(trace)).collect(),
        ),
        Sample::of_texts("page of 1000 reporting traces", 1000, vec![page.clone()]),
        Sample {
            values: vec![packers::gzip(page.as_bytes())],
            ..Sample::of_texts("the page in gzip", 1000, vec![page])
        },
    ];
    for sample in &samples {
        for profile in PROFILES {
            let normalizer = normalizer(profile);
            let mut outcomes = Outcomes::default();
            sample.measure(profile.name(), |batch| {
                outcomes.clear();
                for value in batch {
                    normalizer.normalize(record(value), &mut outcomes);
                }
                black_box(outcomes.records());
            });
        }
    }
    let options = plain::Options {
        profile: plain::Profile::Sekoia,
        organization: None,
        local_domains: Vec::new(),
        include_original: true,
        max_payload_bytes: 9 << 20,
        max_traces: 20_000,
        max_events_bytes: 32 << 20,
        wrapper_keys: plain::WRAPPER_KEYS.map(str::to_owned).to_vec(),
    };
    for sample in [&samples[0], &samples[3]] {
        sample.measure("sekoia by the plain twin", |batch| {
            for value in batch {
                black_box(plain::normalize(Some(value), None, &options));
            }
        });
        sample.measure("sekoia by Value", |batch| {
            for value in batch {
                black_box(by_value::events(value));
            }
        });
    }
}

/// Records of one kind.
struct Sample {
    name: &'static str,
    /// Traces in a record.
    traces: usize,
    /// Bytes of text in all of them, unpacked.
    text_bytes: usize,
    values: Vec<Vec<u8>>,
}

impl Sample {
    fn of_texts(name: &'static str, traces: usize, texts: Vec<String>) -> Self {
        let text_bytes = texts.iter().map(String::len).sum();
        Self { name, traces, text_bytes, values: texts.into_iter().map(String::into_bytes).collect() }
    }

    fn measure(&self, by: &str, mut run: impl FnMut(&[Vec<u8>])) {
        let batches: Vec<&[Vec<u8>]> = self.values.chunks(BATCH).collect();
        let (mut runs, mut best) = (0_u32, Duration::MAX);
        let started = Instant::now();
        // The fastest round is the one that nobody else on the machine disturbed.
        while started.elapsed() < MEASURED || runs < 5 {
            let round = Instant::now();
            batches.iter().for_each(|batch| run(batch));
            best = best.min(round.elapsed());
            runs += 1;
        }
        let traces = (self.traces * self.values.len()) as f64;
        let bytes: usize = self.values.iter().map(Vec::len).sum();
        let seconds = best.as_secs_f64();
        println!(
            "{:44} {:>8} {:>10.0} {:>10.0} {:>8.0}",
            format!("{}, {by}", self.name),
            bytes / self.values.len(),
            seconds * 1e9 / traces,
            traces / seconds,
            self.text_bytes as f64 / 1e6 / seconds,
        );
    }
}

fn worst() {
    println!(
        "\n{:44} {:>8} {:>8} {:>8} {:>8}  outcome",
        "worst shapes, milliseconds", "1 MiB", "2 MiB", "4 MiB", "8 MiB"
    );
    for (name, shape) in samples::WORST {
        for profile in PROFILES {
            let normalizer = normalizer(profile);
            let mut line = format!("{:44}", format!("{name}, {}", profile.name()));
            let mut outcome = String::new();
            for mebibytes in [1, 2, 4, 8] {
                let value = shape(mebibytes << 20);
                let (mut best, mut outcomes) = (Duration::MAX, Outcomes::default());
                for _ in 0..3 {
                    outcomes.clear();
                    let started = Instant::now();
                    normalizer.normalize(record(&value), &mut outcomes);
                    best = best.min(started.elapsed());
                }
                line += &format!(" {:>8.1}", best.as_secs_f64() * 1e3);
                outcome = samples::summary(&outcomes);
            }
            println!("{line}  {outcome}");
        }
    }
}
