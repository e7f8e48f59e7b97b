//! What a walk over the log yields.

use core::fmt;

use vmcore_format::VirtAddr;

use super::key::Key;
use crate::phys::Fault;

/// Reads the crashed kernel's virtual memory: all of the buffer, or the first fault.
pub type ReadVirt<'a> = dyn FnMut(VirtAddr, &mut [u8]) -> Result<(), Fault> + 'a;

/// One record of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// The record's sequence number since boot; `None` where the generation has none in memory.
    pub seq: Option<u64>,
    /// Time since boot in nanoseconds; `None` for flat text, which has its time stamps written out, if any.
    pub ts_nsec: Option<u64>,
    /// The raw `caller_id`: a thread's number, or a CPU's with the top bit set. Present with `CONFIG_PRINTK_CALLER`
    /// (before 5.10) or whenever the kernel says where it stands (5.10 and newer, zero without the option).
    pub caller_id: Option<u32>,
    /// The text without prefix and final newline, as bytes. For flat text, a piece of the ring that may begin and end
    /// anywhere.
    pub text: &'a [u8],
    /// Whether the text was longer than the caller's buffer and lacks its end.
    pub cut: bool,
}

/// How a kernel keeps its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Generation {
    /// The lockless ring buffer of 5.10 and newer (`kernel/printk/printk_ringbuffer.h`).
    Lockless,
    /// Records of variable length in `log_buf`, 3.5 to 5.9 (`struct printk_log`, before 3.11 `struct log`).
    Structured,
    /// Plain text in `log_buf`, before 3.5.
    Flat,
}

/// The outcome of a walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// How this kernel keeps its log.
    pub generation: Generation,
    /// Records visited.
    pub records: u64,
    /// Records that stand in the ring and could not be had: still being written when the machine crashed, without
    /// room for their text, or in memory that cannot be read.
    pub lost: u64,
}

impl Tally {
    pub(super) const fn new(generation: Generation) -> Self {
        Self { generation, records: 0, lost: 0 }
    }

    pub(super) fn count_lost(&mut self) {
        self.lost = self.lost.saturating_add(1);
    }

    pub(super) fn count_record(&mut self) {
        self.records = self.records.saturating_add(1);
    }
}

/// Why the log could not be read, or not to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogError {
    /// VMCOREINFO lacks a key without which the log cannot be found.
    MissingKey {
        /// The key.
        key: Key,
    },
    /// A field of the ring has a value that no kernel writes.
    Corrupt {
        /// The key that says where the field stands.
        key: Key,
    },
    /// The ring's own head cannot be read.
    Unreadable {
        /// The virtual address.
        addr: VirtAddr,
        /// Why.
        fault: Fault,
    },
}

impl LogError {
    /// The stable number of the error's kind, as the C ABI reports it.
    #[must_use]
    pub const fn code(self) -> i32 {
        match self {
            Self::Corrupt { .. } => 2,
            Self::MissingKey { .. } => 16,
            Self::Unreadable { .. } => 18,
        }
    }
}

impl fmt::Display for LogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingKey { key } => write!(f, "VMCOREINFO has no {key}"),
            Self::Corrupt { key } => write!(f, "the kernel log is corrupt: {key}"),
            Self::Unreadable { addr, fault } => {
                write!(f, "the kernel log at {addr} cannot be read: {fault:?}")
            }
        }
    }
}

impl core::error::Error for LogError {}
