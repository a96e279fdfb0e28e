//! The process as the kernel sees it, read at each scrape from /proc/self. Absent where there is no such thing.

use std::fmt;
use std::fs;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

/// Clock ticks in a second, as the kernel tells times to programs (`USER_HZ`); the same on all architectures we build for.
const TICKS_PER_SECOND: f64 = 100.0;

/// Exports `process_*`, under the names that every Prometheus client gives them.
#[derive(Debug)]
pub struct Process;

/// Exports the resident memory among our own series, to be set against the memory budget.
#[derive(Debug)]
pub struct ResidentMemory {
    pub name: String,
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        if let Some(seconds) = cpu_seconds() {
            let counter = ConstCounter::new(seconds);
            let help = "User and system CPU time spent";
            let to = encoder.encode_descriptor("process_cpu_seconds", help, None, counter.metric_type())?;
            counter.encode(to)?;
        }
        for (name, help, value) in [
            ("process_resident_memory_bytes", "Resident memory", status_bytes("VmRSS:")),
            ("process_virtual_memory_bytes", "Virtual memory", status_bytes("VmSize:")),
            ("process_threads", "Threads", status_number("Threads:")),
            ("process_open_fds", "Open file descriptors", open_files()),
            ("process_max_fds", "File descriptors that may be open", open_files_max()),
            ("process_start_time_seconds", "When the process started, as Unix time", start_time()),
        ] {
            gauge(&mut encoder, name, help, value)?;
        }
        Ok(())
    }
}

impl Collector for ResidentMemory {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let help = "Resident memory of the process, to be set against memory_budget_bytes";
        gauge(&mut encoder, &self.name, help, status_bytes("VmRSS:"))
    }
}

fn gauge(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: Option<u64>) -> Result<(), fmt::Error> {
    let Some(value) = value else { return Ok(()) };
    let gauge = ConstGauge::new(value);
    let to = encoder.encode_descriptor(name, help, None, gauge.metric_type())?;
    gauge.encode(to)
}

/// A line of /proc/self/status that holds kibibytes.
fn status_bytes(name: &str) -> Option<u64> {
    status_number(name)?.checked_mul(1024)
}

fn status_number(name: &str) -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The fields of /proc/self/stat from the third on: the second, the program's name, may hold spaces and brackets.
fn stat(field: usize) -> Option<u64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(field.checked_sub(3)?)?.parse().ok()
}

fn cpu_seconds() -> Option<f64> {
    // utime and stime of proc(5).
    let ticks = stat(14)?.checked_add(stat(15)?)?;
    Some(ticks as f64 / TICKS_PER_SECOND)
}

fn start_time() -> Option<u64> {
    let booted = fs::read_to_string("/proc/stat").ok()?;
    let booted: u64 = booted.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
    // starttime of proc(5), counted from boot.
    booted.checked_add((stat(22)? as f64 / TICKS_PER_SECOND) as u64)
}

fn open_files() -> Option<u64> {
    Some(fs::read_dir("/proc/self/fd").ok()?.count() as u64)
}

fn open_files_max() -> Option<u64> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_tells_about_this_process() {
        assert!(status_bytes("VmRSS:").unwrap() > 1 << 20);
        assert!(cpu_seconds().unwrap() >= 0.0);
        assert!(open_files().unwrap() >= 3);
        assert!(open_files_max().unwrap() > open_files().unwrap());
        let age = chrono::Utc::now().timestamp() - i64::try_from(start_time().unwrap()).unwrap();
        assert!((-2..86_400).contains(&age), "{age}");
    }
}
