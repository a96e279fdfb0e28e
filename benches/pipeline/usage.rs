//! What a process has used so far, by Linux's own account.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Of a process that still lives, its threads that have ended left out of the list.
#[derive(Clone, Debug, Default)]
pub struct Usage {
    /// Seconds on a CPU, by thread. Threads of one name are told apart by the order in which they began.
    pub threads: Vec<(String, f64)>,
    pub cpu_seconds: f64,
    pub peak_bytes: u64,
    /// How often a thread went to sleep, and how often it was made to.
    pub slept: u64,
    pub preempted: u64,
}

impl Usage {
    pub fn of(pid: u32) -> Self {
        let process = Path::new("/proc").join(pid.to_string());
        let mut usage = Self {
            peak_bytes: number(&process.join("status"), "VmHWM:").unwrap_or_default() * 1024,
            cpu_seconds: whole(&process),
            ..Self::default()
        };
        let tasks = fs::read_dir(process.join("task")).expect("the process lives").flatten();
        let mut tasks: Vec<_> = tasks.map(|task| task.path()).collect();
        tasks.sort_by_key(|path| path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok()));
        let mut namesakes: BTreeMap<String, u32> = BTreeMap::new();
        for task in tasks {
            let Ok(name) = fs::read_to_string(task.join("comm")) else { continue };
            let name = name.trim().to_owned();
            let namesake = namesakes.entry(name.clone()).or_default();
            *namesake += 1;
            usage.threads.push((format!("{name} {namesake}"), on_cpu(&task)));
            usage.slept += number(&task.join("status"), "voluntary_ctxt_switches:").unwrap_or_default();
            usage.preempted += number(&task.join("status"), "nonvoluntary_ctxt_switches:").unwrap_or_default();
        }
        usage
    }
}

/// Seconds that a thread was on a CPU: the first number there, in nanoseconds.
fn on_cpu(task: &Path) -> f64 {
    let statistics = fs::read_to_string(task.join("schedstat")).unwrap_or_default();
    statistics.split(' ').next().and_then(|nanoseconds| nanoseconds.parse::<f64>().ok()).unwrap_or_default() / 1e9
}

/// User and system time of all threads, those that have ended included.
fn whole(process: &Path) -> f64 {
    /// Linux counts these in hundredths of a second on every platform that matters (USER_HZ).
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = fs::read_to_string(process.join("stat")).expect("the process lives");
    let fields = stat.rsplit(')').next().expect("the name ends").split_whitespace();
    fields.skip(11).take(2).map(|field| field.parse::<f64>().expect("a number")).sum::<f64>() / TICKS_PER_SECOND
}

fn number(file: &Path, name: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}
