//! What this machine has: cores, memory, a place for compiled code.

use std::fs;
use std::num::NonZero;
use std::path::PathBuf;
use std::thread;

/// Assumed where the system does not say: the smallest machine that anyone would tune on.
const ASSUMED_MEMORY: u64 = 4 << 30;

/// Share of the memory that all live trials together may use, in percent; the rest is for code,
/// journal and everybody else.
const MEMORY_SHARE: u64 = 70;

/// Cores that this process may use.
pub(crate) fn cores() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}

/// Bytes of memory that this process may use, if the system says: the machine's, or the container's
/// if that is less.
pub(crate) fn memory_bytes() -> Option<u64> {
    let machine = fs::read_to_string("/proc/meminfo")
        .ok()
        .and_then(|text| parse_meminfo(&text));
    let container = [
        "/sys/fs/cgroup/memory.max",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    ]
    .iter()
    .filter_map(|file| fs::read_to_string(file).ok()?.trim().parse::<u64>().ok())
    .min();
    machine.into_iter().chain(container).min()
}

/// Memory of all live trials together where the experiment does not say.
pub(crate) fn default_run_memory() -> u64 {
    memory_bytes().unwrap_or(ASSUMED_MEMORY) / 100 * MEMORY_SHARE
}

fn parse_meminfo(text: &str) -> Option<u64> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// The processor's name, if the system says.
pub(crate) fn processor() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// Where compiled plugins are kept; none if the user has no home.
pub(crate) fn cache_dir() -> Option<PathBuf> {
    let variable = |name| {
        let value = std::env::var_os(name).map(PathBuf::from);
        value.filter(|path| path.is_absolute())
    };
    let base = variable("XDG_CACHE_HOME").or_else(|| Some(variable("HOME")?.join(".cache")))?;
    Some(base.join("tune-host"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_of_the_machine_is_read() {
        let text = "MemFree: 1 kB\nMemTotal:       16384 kB\nSwapTotal: 0 kB\n";
        assert_eq!(parse_meminfo(text), Some(16 << 20));
        assert_eq!(parse_meminfo("MemTotal: many"), None);
        assert!(default_run_memory() > 0);
    }
}
