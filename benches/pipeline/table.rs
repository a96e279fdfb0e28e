//! What the rounds came to: medians, their spread, and the ratios that count.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::usage::Usage;

/// One run of one contender.
pub struct Result {
    /// Records a second.
    pub rate: f64,
    pub written_bytes: u64,
    pub usage: Usage,
}

/// All runs of all contenders, in the order in which they first ran.
#[derive(Default)]
pub struct Table(Vec<(String, Vec<Result>)>);

/// Threads that are named, of each contender.
const THREADS: usize = 7;

impl Table {
    pub fn add(&mut self, name: String, result: Result) {
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, results)) => results.push(result),
            None => self.0.push((name, vec![result])),
        }
    }

    /// All of it, for a picture.
    pub fn contenders(&self) -> &[(String, Vec<Result>)] {
        &self.0
    }

    /// As text. Rates and prices are medians, with the least and the most beside them.
    pub fn told(&self, records: u64) -> String {
        let mut text = format!(
            "\n{:<22} {:>26} {:>22} {:>8} {:>8} {:>9} {:>9} {:>8} {:>8}\n",
            "", "records/s", "CPU s a million", "peak MB", "MB out", "slept", "preempted", "of rate", "of CPU"
        );
        let millions = records as f64 / 1e6;
        let rate = |result: &Result| result.rate;
        let price = |result: &Result| result.usage.cpu_seconds / millions;
        let first = self.0.first().map(|(_, results)| (median(results, rate), median(results, price)));
        for (name, results) in &self.0 {
            let (first_rate, first_price) = first.unwrap_or((f64::NAN, f64::NAN));
            // Writing to a string cannot fail.
            let _ = writeln!(
                text,
                "{name:<22} {:>8.0} ({:>6.0} to {:>6.0}) {:>6.2} ({:>5.2} to {:>5.2}) {:>8.0} {:>8.0} {:>9.0} {:>9.0} {:>8.2} {:>8.2}",
                median(results, rate),
                least(results, rate),
                most(results, rate),
                median(results, price),
                least(results, price),
                most(results, price),
                median(results, |result| result.usage.peak_bytes as f64 / 1e6),
                median(results, |result| result.written_bytes as f64 / 1e6),
                median(results, |result| result.usage.slept as f64),
                median(results, |result| result.usage.preempted as f64),
                median(results, rate) / first_rate,
                median(results, price) / first_price,
            );
        }
        text.push_str("\nmicroseconds a record, by thread\n");
        for (name, results) in &self.0 {
            let _ = writeln!(text, "{name:<22} {}", by_thread(results, records));
        }
        text
    }
}

fn by_thread(results: &[Result], records: u64) -> String {
    let mut times: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for (name, seconds) in results.iter().flat_map(|result| &result.usage.threads) {
        times.entry(name).or_default().push(*seconds);
    }
    let mut medians: Vec<_> = times.into_iter().map(|(name, times)| (name, middle(times))).collect();
    medians.sort_by(|left, right| right.1.total_cmp(&left.1));
    let largest = medians.iter().take(THREADS);
    largest
        .map(|(name, seconds)| format!("{name} {:.2}", seconds / records as f64 * 1e6))
        .collect::<Vec<_>>()
        .join(", ")
}

pub fn median(results: &[Result], of: impl Fn(&Result) -> f64) -> f64 {
    middle(results.iter().map(of).collect())
}

pub fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

pub fn least(results: &[Result], of: impl Fn(&Result) -> f64) -> f64 {
    results.iter().map(of).fold(f64::INFINITY, f64::min)
}

pub fn most(results: &[Result], of: impl Fn(&Result) -> f64) -> f64 {
    results.iter().map(of).fold(0.0, f64::max)
}
