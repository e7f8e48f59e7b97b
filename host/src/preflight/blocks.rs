//! The machine's RAM: where the crash kernel lies, and what of it can be taken away.

use std::fs;
use std::path::Path;

use kexec_core::map::{MemoryMap, Range, RangeKind, Span};
use kexec_core::preflight::ram_digest;
use kexec_core::sources::iomem::{self, KernelImage};

use crate::kexec::hex;

/// The map of RAM; empty where the kernel does not show its addresses.
#[derive(Debug, Default)]
pub struct Memory {
    /// The digest of the RAM that a dump holds.
    pub digest: Option<[u8; 32]>,
    /// The RAM that a dump holds.
    pub dumped: Vec<Span>,
    /// What is set aside for a crash kernel.
    pub crash_kernel: Vec<Span>,
    /// What can be taken away: memory blocks that are movable, and RAM that a driver brought.
    pub removable: Vec<Span>,
    /// Where the running kernel lies.
    pub kernel: KernelImage,
}

impl Memory {
    /// Reads `/proc/iomem` and `/sys/devices/system/memory` below `root`.
    #[must_use]
    pub fn read(root: &Path) -> Self {
        let text = fs::read(root.join("proc/iomem")).unwrap_or_default();
        let lines = text.split(|byte| *byte == b'\n').count();
        let mut table = vec![Range::EMPTY; lines.saturating_mul(2).saturating_add(1)];
        let mut map = MemoryMap::new(&mut table);
        let removable = movable_blocks(root);
        let Ok(kernel) = iomem::parse(&text, &mut map) else { return Self { removable, ..Self::default() } };
        if map.is_empty() {
            return Self { removable, ..Self::default() };
        }
        let driver_managed = |kind| matches!(kind, RangeKind::DriverManagedRam(_));
        Self {
            digest: Some(ram_digest(&map)),
            dumped: map.merged(RangeKind::is_dumped).collect(),
            crash_kernel: map.merged(|kind| kind == RangeKind::CrashKernel).collect(),
            removable: removable.into_iter().chain(map.merged(driver_managed)).collect(),
            kernel,
        }
    }
}

/// Memory blocks that the kernel can give away: those online in a movable zone, or before Linux 4.6, which does not say the
/// zone of such, those said to be `removable` (which newer kernels say of every block).
fn movable_blocks(root: &Path) -> Vec<Span> {
    let folder = root.join("sys/devices/system/memory");
    let text = |path: &Path| fs::read_to_string(path).ok();
    let size = text(&folder.join("block_size_bytes")).and_then(|size| hex(&size));
    let Some(size) = size else { return Vec::new() };
    let Ok(entries) = fs::read_dir(&folder) else { return Vec::new() };
    let mut numbers: Vec<u64> = entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.strip_prefix("memory")?.parse().ok())
        .filter(|number| {
            let block = folder.join(format!("memory{number}"));
            match text(&block.join("valid_zones")) {
                Some(zones) => zones.split_ascii_whitespace().next() == Some("Movable"),
                None => text(&block.join("removable")).is_some_and(|text| text.trim() == "1"),
            }
        })
        .collect();
    numbers.sort_unstable();
    numbers.into_iter().filter_map(|number| Span::with_len(number.checked_mul(size)?, size)).collect()
}
