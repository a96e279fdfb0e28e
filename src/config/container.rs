//! The memory and the threads that the container allows, as Linux tells it by control groups of either version. Absent
//! where there is no such thing, and no limit where none is set.
//!
//! The CPUs need no look of ours: `available_parallelism` of the standard library minds the affinity and the quota of
//! the control groups, of both versions, up to the root.

use std::fs;
use std::path::{Path, PathBuf};

use super::problem::Warning;
use super::types::ByteSize;
use super::units::show_size;

/// What resident memory may have beyond `pipeline.memory_budget`.
const BEYOND_BUDGET: ByteSize = ByteSize::mib(64);

/// The least memory that any control group from ours up to the root allows.
pub fn memory_limit() -> Option<ByteSize> {
    limit(|path| fs::read_to_string(path).ok())
}

/// The least number of threads that any of them allows.
pub fn thread_limit() -> Option<u64> {
    least(Controller::Pids, |path| fs::read_to_string(path).ok())
}

/// The same, by whatever reads files.
fn limit(read: impl Fn(&Path) -> Option<String>) -> Option<ByteSize> {
    least(Controller::Memory, read).map(ByteSize)
}

fn least(controller: Controller, read: impl Fn(&Path) -> Option<String>) -> Option<u64> {
    let groups = read(Path::new("/proc/self/cgroup"))?;
    let mounts = read(Path::new("/proc/self/mountinfo"))?;
    let of = |hierarchy: Hierarchy| {
        let group = groups.lines().find_map(|line| hierarchy.group(line))?;
        let directories = mounts.lines().find_map(|line| hierarchy.directories(line, group))?;
        directories.iter().filter_map(|directory| number(&read(&directory.join(hierarchy.file(controller)))?)).min()
    };
    // With both mounted, the controller belongs to one of them.
    [Hierarchy::Unified, Hierarchy::Own(controller)].into_iter().filter_map(of).min()
}

/// What is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Controller {
    Memory,
    /// Processes, each thread counted as one.
    Pids,
}

impl Controller {
    fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Pids => "pids",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hierarchy {
    /// Version 2: one for all controllers.
    Unified,
    /// Version 1: a controller's own.
    Own(Controller),
}

impl Hierarchy {
    fn file(self, controller: Controller) -> &'static str {
        match (self, controller) {
            (Self::Unified, Controller::Memory) => "memory.max",
            (Self::Own(_), Controller::Memory) => "memory.limit_in_bytes",
            (Self::Unified | Self::Own(_), Controller::Pids) => "pids.max",
        }
    }

    /// Our group out of a line of `/proc/self/cgroup`: number, controllers, path.
    fn group(self, line: &str) -> Option<&str> {
        let mut fields = line.splitn(3, ':');
        let (_, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
        let ours = match self {
            Self::Unified => controllers.is_empty(),
            Self::Own(ours) => controllers.split(',').any(|controller| controller == ours.name()),
        };
        ours.then_some(path)
    }

    /// The directories from our group's up to the mount, when a line of `/proc/self/mountinfo` is this hierarchy's.
    fn directories(self, line: &str, group: &str) -> Option<Vec<PathBuf>> {
        let (mount, system) = line.split_once(" - ")?;
        let mut mount = mount.split(' ').skip(3);
        let (root, point) = (mount.next()?, mount.next()?);
        let mut system = system.split(' ');
        let (kind, options) = (system.next()?, system.nth(1)?);
        let ours = match self {
            Self::Unified => kind == "cgroup2",
            Self::Own(ours) => kind == "cgroup" && options.split(',').any(|option| option == ours.name()),
        };
        if !ours {
            return None;
        }
        // A container sees its own group as the root of the mount, whatever the path says.
        let below = Path::new(group).strip_prefix(root).unwrap_or(Path::new(""));
        let point = Path::new(point);
        let ancestors = below.ancestors().map(|directory| point.join(directory));
        Some(ancestors.collect())
    }
}

/// `None`: no limit ("max"), or nothing that is understood.
fn number(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

/// What to say when the kernel may end the process before it has used up its budget.
pub fn warning(budget: ByteSize, limit: Option<ByteSize>, origin: String) -> Option<Warning> {
    let limit = limit?;
    let needed = ByteSize(budget.bytes().saturating_add(BEYOND_BUDGET.bytes()));
    (needed > limit).then(|| Warning {
        key: "pipeline.memory_budget",
        origin,
        text: format!(
            "needs {} with the {} beside it, and this container may use {}: the kernel may end the process; lower it, \
             or raise the container's memory limit",
            show_size(needed),
            show_size(BEYOND_BUDGET),
            show_size(limit)
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const V2: &str = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n";
    const V1: &str = "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n\
                      32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n\
                      35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n";
    const V1_BOUND: &str = "35 31 0:32 /docker/ab /sys/fs/cgroup/memory ro master:9 - cgroup cgroup rw,memory\n";
    const BOTH: &str = "40 31 0:37 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n\
                        35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n";

    #[test]
    fn the_least_limit_from_our_group_up_to_the_root_counts() {
        let v2 = "/sys/fs/cgroup";
        let v1 = "/sys/fs/cgroup/memory";
        // Name, control groups, mounts, limit files, the limit found.
        for (case, groups, mounts, files, found) in [
            ("container, v2", "0::/\n", V2, vec![(format!("{v2}/memory.max"), "268435456\n")], Some(256)),
            ("service, v2", "0::/a/b\n", V2, vec![(format!("{v2}/a/b/memory.max"), "134217728\n")], Some(128)),
            (
                "parent is stricter",
                "0::/a/b\n",
                V2,
                vec![(format!("{v2}/a/b/memory.max"), "268435456"), (format!("{v2}/a/memory.max"), "1048576")],
                Some(1),
            ),
            ("no limit, v2", "0::/a\n", V2, vec![(format!("{v2}/a/memory.max"), "max\n")], None),
            (
                "v1",
                "4:cpu:/x\n5:memory:/y\n",
                V1,
                vec![(format!("{v1}/y/memory.limit_in_bytes"), "268435456\n")],
                Some(256),
            ),
            (
                "container, v1, whose mount begins at its group",
                "5:memory:/docker/ab\n",
                V1_BOUND,
                vec![(format!("{v1}/memory.limit_in_bytes"), "268435456\n")],
                Some(256),
            ),
            (
                "container, v1, whose path is the host's",
                "5:memory:/kubepods/pod1\n",
                V1_BOUND,
                vec![(format!("{v1}/memory.limit_in_bytes"), "268435456\n")],
                Some(256),
            ),
            (
                "both mounted, v1 has the controller",
                "5:memory:/y\n0::/\n",
                BOTH,
                vec![(format!("{v1}/y/memory.limit_in_bytes"), "268435456\n")],
                Some(256),
            ),
            ("damaged", "::\n5:memory\n", " - \n- - -\n", vec![], None),
        ] {
            let read = |path: &Path| match path.to_str()? {
                "/proc/self/cgroup" => Some(groups.to_owned()),
                "/proc/self/mountinfo" => Some(mounts.to_owned()),
                path => files.iter().find(|(file, _)| file == path).map(|(_, text)| (*text).to_owned()),
            };
            assert_eq!(limit(read), found.map(ByteSize::mib), "{case}");
        }
        assert_eq!(limit(|_| None), None, "no Linux");
    }

    #[test]
    fn threads_are_limited_by_the_controller_of_processes_of_either_version() {
        let v1 = "36 31 0:33 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n";
        for (groups, mounts, file, text, found) in [
            ("0::/a\n", V2, "/sys/fs/cgroup/a/pids.max", "64\n", Some(64)),
            ("0::/a\n", V2, "/sys/fs/cgroup/a/pids.max", "max\n", None),
            ("9:pids:/y\n5:memory:/z\n", v1, "/sys/fs/cgroup/pids/y/pids.max", "100\n", Some(100)),
        ] {
            let read = |path: &Path| match path.to_str()? {
                "/proc/self/cgroup" => Some(groups.to_owned()),
                "/proc/self/mountinfo" => Some(mounts.to_owned()),
                path => (path == file).then(|| text.to_owned()),
            };
            assert_eq!(least(Controller::Pids, read), found, "{file} {text}");
        }
    }

    #[test]
    fn a_container_too_small_for_the_budget_is_warned_of() {
        for (limit_mib, warned) in [(None, false), (Some(192), false), (Some(191), true), (Some(1), true)] {
            let warning = warning(ByteSize::mib(128), limit_mib.map(ByteSize::mib), "default".to_owned());
            assert_eq!(warning.is_some(), warned, "{limit_mib:?}");
        }
        assert!(warning(ByteSize(u64::MAX), Some(ByteSize::mib(1)), String::new()).is_some());
    }
}
