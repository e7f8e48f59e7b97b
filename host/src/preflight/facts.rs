//! What `/proc`, `/sys` and `/dev` say of the machine.

use std::fs::{self, File};
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

use kexec_core::preflight::{Facts, Kho, LiveUpdateDevice};

use super::stamp;
use crate::errno::EBUSY;
use crate::kexec::{Running, State};
use crate::memory::kib_field;

/// What the machine said.
#[derive(Debug, Default)]
pub(super) struct Told {
    state: State,
    map_loaded: Option<[u8; 32]>,
    crash_cma: bool,
    limit_panic: Option<i64>,
    limit_reboot: Option<i64>,
    locked_down: Option<bool>,
    ram: Option<u64>,
    hugetlb: Option<u64>,
    live_update: Option<LiveUpdateDevice>,
    kho: Kho,
}

impl Told {
    pub(super) fn as_facts(&self) -> Facts<'static> {
        Facts {
            has_kexec: Some(self.state.loaded.is_some() || self.state.crash_loaded.is_some()),
            // Kexec without `CONFIG_CRASH_DUMP` says nothing of a crash kernel: there is none.
            crash_loaded: self.state.crash_loaded.or(self.state.loaded.map(|_| false)),
            crash_size: self.state.crash_size,
            crash_cma: self.crash_cma,
            loaded: self.state.loaded,
            map_loaded: self.map_loaded,
            map_updated: self.state.hotplug_memory,
            load_disabled: self.state.load_disabled,
            limit_panic: self.limit_panic,
            limit_reboot: self.limit_reboot,
            locked_down: self.locked_down,
            ram: self.ram,
            hugetlb: self.hugetlb,
            live_update: self.live_update,
            kho: self.kho,
            ..Facts::default()
        }
    }
}

/// Reads it all; what is not there, or not for this user, stays unknown.
pub(super) fn collect(root: &Path) -> Told {
    let text = |path: &str| fs::read_to_string(root.join(path)).ok();
    let running = Running::below(root);
    let line = running.command_line().unwrap_or_default();
    let line = String::from_utf8_lossy(&line);
    let meminfo = text("proc/meminfo").unwrap_or_default();
    let limit = |path| text(path).and_then(|text| text.trim().parse().ok());
    Told {
        state: State::read_below(root).unwrap_or_default(),
        map_loaded: stamp::read(root),
        crash_cma: line.split_ascii_whitespace().any(is_lent),
        limit_panic: limit("proc/sys/kernel/kexec_load_limit_panic"),
        limit_reboot: limit("proc/sys/kernel/kexec_load_limit_reboot"),
        locked_down: text("sys/kernel/security/lockdown").map(|text| !text.contains("[none]")),
        ram: kib_field(&meminfo, "MemTotal:"),
        hugetlb: kib_field(&meminfo, "Hugetlb:"),
        live_update: live_update(&root.join("dev/liveupdate")),
        kho: kho(root, &line, running.version()),
    }
}

/// `crashkernel=SIZE,cma` (Linux 6.17).
fn is_lent(word: &str) -> bool {
    word.strip_prefix("crashkernel=").is_some_and(|value| value.ends_with(",cma"))
}

/// It is opened and closed at once: it does nothing by that, and there is no other way to ask.
fn live_update(path: &Path) -> Option<LiveUpdateDevice> {
    match fs::metadata(path) {
        Err(_) => Some(LiveUpdateDevice::Absent),
        Ok(known) if !known.file_type().is_char_device() => None,
        Ok(_) => match File::options().read(true).write(true).open(path) {
            Ok(_) => Some(LiveUpdateDevice::Free),
            Err(error) if error.raw_os_error() == Some(EBUSY) => Some(LiveUpdateDevice::Busy),
            Err(_) => None,
        },
    }
}

/// The release with kexec handover.
const SINCE: (u32, u32) = (6, 16);

/// By debugfs where this user may look there, else by the command line and the kernel's release.
fn kho(root: &Path, line: &str, version: Option<(u32, u32)>) -> Kho {
    let debugfs = root.join("sys/kernel/debug");
    let folder = debugfs.join("kho");
    let text = |path: &str| fs::read_to_string(folder.join(path)).ok();
    let asked = line.split_ascii_whitespace().rev().find_map(|word| word.strip_prefix("kho="));
    let on = match asked {
        _ if folder.is_dir() => Some(true),
        _ if version.is_some_and(|version| version < SINCE) => Some(false),
        Some("0" | "n" | "off" | "no") => Some(false),
        _ if fs::read_dir(&debugfs).is_ok_and(|mut entries| entries.next().is_some()) => Some(false),
        Some(_) => Some(true),
        None => None,
    };
    Kho {
        on,
        finalized: text("out/finalize").map(|text| text.trim() != "0"),
        scratch: text("out/scratch_len").map(|text| {
            text.split_ascii_whitespace()
                .filter_map(|number| {
                    number
                        .strip_prefix("0x")
                        .map_or_else(|| number.parse().ok(), |hex| u64::from_str_radix(hex, 16).ok())
                })
                .fold(0, u64::saturating_add)
        }),
    }
}
