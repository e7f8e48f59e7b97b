//! What the kernel says about memory.

use std::fs;

/// The most memory that this process ever had resident, in bytes (`VmHWM` of `/proc/self/status`).
#[must_use]
pub fn peak_memory() -> Option<u64> {
    kib_field(&fs::read_to_string("/proc/self/status").ok()?, "VmHWM:")
}

/// Memory that can be had without swapping, in bytes (`MemAvailable` of `/proc/meminfo`, or `MemFree` before 3.14).
#[must_use]
pub fn available_memory() -> Option<u64> {
    let meminfo = fs::read_to_string("/proc/meminfo").ok()?;
    kib_field(&meminfo, "MemAvailable:").or_else(|| kib_field(&meminfo, "MemFree:"))
}

/// The field `name` of a text of `Name:   number kB` lines, in bytes.
pub(crate) fn kib_field(text: &str, name: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: u64 = value.trim().strip_suffix("kB")?.trim_end().parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_in_kib() {
        let status = "VmPeak:\t    2668 kB\nVmHWM:\t    1272 kB\nThreads:\t1\n";
        assert_eq!(kib_field(status, "VmHWM:"), Some(1272 * 1024));
        assert_eq!(kib_field(status, "VmSwap:"), None);
        assert_eq!(kib_field(status, "Threads:"), None);
        assert_eq!(kib_field("VmHWM: 18446744073709551615 kB", "VmHWM:"), None);
    }

    #[test]
    fn this_process_has_memory() {
        assert!(peak_memory().unwrap() > 4096);
        assert!(available_memory().unwrap() > 4096);
    }
}
