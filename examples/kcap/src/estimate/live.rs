//! The running machine, as far as an estimate needs it.

use std::env::consts::ARCH;
use std::path::Path;

use host::preflight::Memory;
use kexec_core::elfcorehdr::Builder;
use kexec_core::map::Span;
use kexec_core::sources::iomem::KernelImage;
use page_filter::estimate::{Estimate, Reservation, crash_kernel, estimate};
use page_filter::{Counts, Level};
use vmcore_format::kdump::Compression;
use vmcore_format::{PageSize, Pfn, PhysAddr};

use crate::exit::Failure;

/// Pages by kind.
#[derive(Debug)]
pub(crate) struct Live {
    pub(super) counts: Counts,
    end: Pfn,
    page_size: PageSize,
    /// Whether they were counted one by one.
    pub(super) is_exact: bool,
    pub(super) reservation: Reservation,
}

/// Code, data and bss of a kernel of a distribution, where this user may not see those of the running one.
const USUAL_KERNEL: u64 = 64 << 20;

impl Live {
    /// The pages that a crash kernel is told of: on x86 none of the first MiB, which it uses itself. Counted one by one where this user may, else by what the kernel's own counters say.
    pub(crate) fn of(root: &Path, memory: &Memory) -> Result<Self, Failure> {
        let low = if ARCH == "x86_64" { Builder::LOW_MEMORY.end } else { PhysAddr(0) };
        let told = memory.dumped.iter().map(|span| Span { start: span.start.max(low), end: span.end });
        let told: Vec<Span> = told.filter(|span| !span.is_empty()).collect();
        let known = host::live_pages(root, &told, host::page_size()).ok();
        match known.filter(|pages| pages.counts().total() > 0) {
            Some(pages) => Self::new(*pages.counts(), pages.end(), true, memory),
            None => Self::by_counters(root, memory),
        }
    }

    /// By the kernel's own counters: at once, on a machine of any size.
    pub(crate) fn by_counters(root: &Path, memory: &Memory) -> Result<Self, Failure> {
        let counts = host::pages_by_counters(root, host::page_size())
            .map_err(|error| Failure::with_path(&root.join("proc/meminfo"), &error))?;
        Self::new(counts, Pfn(counts.total()), false, memory)
    }

    fn new(counts: Counts, end: Pfn, is_exact: bool, memory: &Memory) -> Result<Self, Failure> {
        let page_size =
            PageSize::new(host::page_size()).ok_or_else(|| Failure::new("pages of an odd size"))?;
        let ram = counts.total().saturating_mul(page_size.bytes());
        let KernelImage { image, code, rodata, data, bss } = memory.kernel;
        let parts = [code, rodata, data, bss].into_iter().flatten().map(|span| span.len());
        let kernel = image.map_or_else(|| parts.fold(0, u64::saturating_add), |image| image.len());
        let reservation = crash_kernel(ram, if kernel == 0 { USUAL_KERNEL } else { kernel });
        Ok(Self { counts, end, page_size, is_exact, reservation })
    }

    /// A dump of this level.
    pub(crate) fn dump(&self, level: Level, compression: Compression) -> Estimate {
        estimate(&self.counts, self.end, self.page_size, level, compression)
    }

    /// What a crash kernel needs, in bytes: at least, and to be safe.
    pub(crate) fn crash_needs(&self) -> (u64, u64) {
        (self.reservation.least, self.reservation.safe)
    }
}
