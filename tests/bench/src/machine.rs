//! What the operating system says of the machine and of this process. Linux only; elsewhere the
//! numbers are missing, not wrong.

use std::time::Duration;

/// One line about the machine.
pub(crate) fn describe() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let model = line("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown CPU".to_owned());
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("?");
    format!(
        "{} {}, {cores} cores, {model}, load {load} at the start",
        std::env::consts::OS,
        std::env::consts::ARCH,
    )
}

/// CPU time of this process so far, all threads, user and system.
pub(crate) fn cpu_time() -> Duration {
    // Linux reports in units of 1/100 s to user space on every architecture.
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // Field 2 may hold blanks; it ends with the last parenthesis. Then utime is field 14, stime 15.
    let ticks: u64 = stat
        .rsplit_once(')')
        .map(|(_, rest)| rest.split_whitespace().skip(11).take(2))
        .map_or(0, |fields| {
            fields.filter_map(|f| f.parse::<u64>().ok()).sum()
        });
    Duration::from_secs_f64(ticks as f64 / TICKS_PER_SECOND)
}

/// Forgets the highest memory use so far, so that [`peak_memory`] is that of what comes.
pub(crate) fn reset_peak_memory() {
    // Refused on some systems; then the peak is that of the whole process, which is larger.
    drop(std::fs::write("/proc/self/clear_refs", "5"));
}

/// Highest resident memory since the last reset, in bytes.
pub(crate) fn peak_memory() -> u64 {
    status("VmHWM")
}

/// Resident memory now, in bytes.
pub(crate) fn memory() -> u64 {
    status("VmRSS")
}

/// Mappings of this process: every live memory of a guest has some.
pub(crate) fn mappings() -> usize {
    std::fs::read_to_string("/proc/self/maps").map_or(0, |maps| maps.lines().count())
}

/// Open files of this process.
pub(crate) fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

/// Threads of this process.
pub(crate) fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count)
}

fn status(name: &str) -> u64 {
    line("/proc/self/status", name)
        .and_then(|text| text.trim_end_matches(" kB").trim().parse::<u64>().ok())
        .map_or(0, |kib| kib << 10)
}

/// What stands behind `name:` in a file.
fn line(path: &str, name: &str) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}
