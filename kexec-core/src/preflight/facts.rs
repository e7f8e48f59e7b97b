//! What a machine says of itself. What it does not say, or not to this user, is `None`.

use crate::map::Span;

/// The machine, apart from its processes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Facts<'a> {
    /// Whether the kernel can be left for another one at all: without `CONFIG_KEXEC` and `CONFIG_KEXEC_FILE` nothing tells what is
    /// loaded.
    pub has_kexec: Option<bool>,
    /// Whether a crash kernel is loaded (`/sys/kernel/kexec/crash_loaded`, before Linux 6.18 `/sys/kernel/kexec_crash_loaded`).
    pub crash_loaded: Option<bool>,
    /// The bytes set aside for it (`crash_size` beside it).
    pub crash_size: Option<u64>,
    /// The bytes that it needs, by an estimate: at least, and to be safe.
    pub crash_needs: Option<(u64, u64)>,
    /// Whether a part of the reservation is lent to user space (`crashkernel=SIZE,cma`): a dump lacks what is there.
    pub crash_cma: bool,
    /// Whether an ordinary kernel is loaded, for `kexec -e`.
    pub loaded: Option<bool>,
    /// SHA-256 of the map of RAM that the crash kernel was loaded with, where its loader left it.
    pub map_loaded: Option<[u8; 32]>,
    /// SHA-256 of the map of RAM now.
    pub map_now: Option<[u8; 32]>,
    /// Whether the kernel itself tells the loaded crash kernel of memory that comes and goes
    /// (`/sys/devices/system/memory/crash_hotplug`, Linux 6.6).
    pub map_updated: Option<bool>,
    /// Where the crash kernel is loaded, or will be: what is set aside for it.
    pub crash_segments: &'a [Span],
    /// Where the ordinary kernel will be, as far as it is known: its loader knows it, the running kernel does not tell.
    pub segments: &'a [Span],
    /// Memory that may be taken away.
    pub removable: &'a [Span],
    /// `/proc/sys/kernel/kexec_load_disabled`
    pub load_disabled: Option<bool>,
    /// How often a crash kernel may still be loaded: `/proc/sys/kernel/kexec_load_limit_panic`, -1 for any number.
    pub limit_panic: Option<i64>,
    /// The same of the ordinary kernel: `kexec_load_limit_reboot`.
    pub limit_reboot: Option<i64>,
    /// Whether the kernel is locked down (`/sys/kernel/security/lockdown` is not `none`): it takes signed kernels only.
    pub locked_down: Option<bool>,
    /// RAM in bytes.
    pub ram: Option<u64>,
    /// The bytes of all pools of huge pages.
    pub hugetlb: Option<u64>,
    /// Whether `/dev/liveupdate` is there, and can be had.
    pub live_update: Option<LiveUpdateDevice>,
    /// Kexec handover.
    pub kho: Kho,
    /// Where a dump goes, if it is known.
    pub target: Option<Target<'a>>,
    /// Processes whose files this user may not see.
    pub unseen: u64,
}

/// `/dev/liveupdate`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LiveUpdateDevice {
    /// This kernel has none (before Linux 6.19, or without `liveupdate=on`).
    Absent,
    /// It can be opened.
    Free,
    /// Somebody has it (`EBUSY`).
    Busy,
}

/// Kexec handover (KHO, Linux 6.16).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Kho {
    /// Whether it is on: `kho=on`, or the folder `kho` of debugfs.
    pub on: Option<bool>,
    /// Whether what is handed over is complete (`kho/out/finalize`); kernels that do it on their own have no such file.
    pub finalized: Option<bool>,
    /// The bytes that the next kernel starts in (`kho/out/scratch_len`).
    pub scratch: Option<u64>,
}

/// Where a dump goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target<'a> {
    /// The folder.
    pub path: &'a str,
    /// The free bytes of its file system; `None` where it cannot be reached.
    pub free: Option<u64>,
    /// The bytes of a dump that leaves out all that can be (`-d 31`), by an estimate: at least and at most.
    pub needs: Option<(u64, u64)>,
    /// Whether it lies on an encrypted device (dm-crypt).
    pub encrypted: bool,
    /// Whether the crash kernel is given the device's keys (configfs `crash_dm_crypt_keys`, Linux 6.16).
    pub keys: bool,
}
