//! What the system says of this process, under the names that every client library uses.
//!
//! Contract: what cannot be read is absent. Linux alone tells.

use std::fs;

/// Ticks of /proc in a second, on every machine of Linux that we build for.
const TICKS_PER_SECOND: f64 = 100.0;

/// One look at the process.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Process {
    /// The version of the validator.
    pub version: &'static str,
    /// Resident bytes.
    pub resident_bytes: Option<u64>,
    /// Virtual bytes.
    pub virtual_bytes: Option<u64>,
    /// Open file descriptors.
    pub open_fds: Option<u64>,
    /// Those that may be open.
    pub max_fds: Option<u64>,
    /// Threads.
    pub threads: Option<u64>,
    /// Processor time.
    pub cpu_seconds: Option<f64>,
    /// When it began, since the epoch.
    pub start_seconds: Option<f64>,
}

impl Process {
    /// This process, now.
    pub fn look() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
        let machine = fs::read_to_string("/proc/stat").unwrap_or_default();
        let kilobytes = |name| field(&status, name).and_then(|value| value.checked_mul(1_024));
        Self {
            version: env!("CARGO_PKG_VERSION"),
            resident_bytes: kilobytes("VmRSS:"),
            virtual_bytes: kilobytes("VmSize:"),
            // The folder that counts them is one of them while it is read.
            open_fds: fs::read_dir("/proc/self/fd").ok().map(|fds| (fds.count() as u64).saturating_sub(1)),
            max_fds: field(&limits, "Max open files"),
            threads: field(&status, "Threads:"),
            cpu_seconds: ticks(&stat, 11).zip(ticks(&stat, 12)).map(|(user, system)| user + system),
            start_seconds: field(&machine, "btime")
                .map(|boot| boot as f64)
                .zip(ticks(&stat, 19))
                .map(|(boot, since)| boot + since),
        }
    }
}

/// The first number on the line that begins so.
fn field(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
}

/// The field of /proc/self/stat of that index behind the program's name, which may hold anything.
fn ticks(stat: &str, index: usize) -> Option<f64> {
    let (_, behind) = stat.rsplit_once(')')?;
    let ticks: u64 = behind.split_whitespace().nth(index)?.parse().ok()?;
    Some(ticks as f64 / TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_systems_files_is_read_by_its_name() {
        assert_eq!(field("VmSize:\t 9 kB\nVmRSS:\t  1234 kB\n", "VmRSS:"), Some(1_234));
        assert_eq!(
            field("Max open files            1024                 1048576              files\n", "Max open files"),
            Some(1_024)
        );
        assert_eq!(field("", "VmRSS:"), None);
        let stat = "17 (a) b) S 1 2 3 4 5 6 7 8 9 10 250 50 13 14 15 16 17 18 400 20";
        assert_eq!((ticks(stat, 11), ticks(stat, 12), ticks(stat, 19)), (Some(2.5), Some(0.5), Some(4.0)));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_has_all_of_it() {
        let process = Process::look();
        assert!(process.resident_bytes.is_some_and(|bytes| bytes > 1 << 20), "{process:?}");
        assert!(process.virtual_bytes > process.resident_bytes && process.threads >= Some(1), "{process:?}");
        assert!(process.open_fds.is_some_and(|fds| fds > 2) && process.max_fds > process.open_fds, "{process:?}");
        assert!(process.cpu_seconds.is_some() && process.start_seconds > Some(1.6e9), "{process:?}");
    }
}
