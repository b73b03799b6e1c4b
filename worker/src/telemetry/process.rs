//! Adapter: what the kernel knows about this process.

use std::fs;

/// A look at the process's resources.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Usage {
    /// Resident memory in bytes.
    pub(super) resident: u64,
    /// Threads.
    pub(super) threads: u64,
    /// Open file descriptors.
    pub(super) files: u64,
}

/// Reads `/proc/self`; zeros where there is no such thing.
pub(super) fn usage() -> Usage {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    Usage {
        resident: field(&status, "VmRSS:") * 1024,
        threads: field(&status, "Threads:"),
        files: fs::read_dir("/proc/self/fd").map_or(0, |fds| fds.count() as u64),
    }
}

fn field(status: &str, name: &str) -> u64 {
    status
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|number| number.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kilobytes_are_read_by_name() {
        let status = "Name:\troom-agent\nVmRSS:\t   38912 kB\nThreads:\t9\n";
        assert_eq!(field(status, "VmRSS:"), 38912);
        assert_eq!(field(status, "Threads:"), 9);
        assert_eq!(field(status, "VmSwap:"), 0);
    }
}
