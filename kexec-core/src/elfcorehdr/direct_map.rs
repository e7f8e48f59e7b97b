//! Where the kernel maps all of physical memory, per architecture.

use vmcore_format::{PhysAddr, VirtAddr};

/// The first kernel's linear mapping of RAM: the virtual address of each byte of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DirectMap {
    /// `PAGE_OFFSET`: the virtual address at which the mapping starts.
    pub page_offset: VirtAddr,
    /// The physical address that stands there: 0, `PHYS_OFFSET` on arm64, `phys_ram_base` on riscv.
    pub phys_offset: PhysAddr,
    /// The first physical address that the mapping leaves out.
    pub end: PhysAddr,
}

impl DirectMap {
    /// x86_64. With KASLR `page_offset` is another one at every boot: the lowest `PT_LOAD` of `/proc/kcore`, rounded
    /// down to 1 GiB; without, 0xffff888000000000 with 4 levels of page tables and 0xff11000000000000 with 5.
    #[must_use]
    pub const fn x86_64(page_offset: VirtAddr) -> Self {
        Self { page_offset, phys_offset: PhysAddr(0), end: PhysAddr(u64::MAX) }
    }

    /// i386 with the usual split of 3 GiB to 1 GiB: 896 MiB of low memory from 0xc0000000 on.
    #[must_use]
    pub const fn i386() -> Self {
        Self { page_offset: VirtAddr(0xc000_0000), phys_offset: PhysAddr(0), end: PhysAddr(0x3800_0000) }
    }

    /// arm64: `PAGE_OFFSET` is `-1 << VA_BITS` from Linux 5.4 on, `-1 << (VA_BITS - 1)` before;
    /// `phys_offset` is VMCOREINFO's `NUMBER(PHYS_OFFSET)`.
    #[must_use]
    pub const fn arm64(page_offset: VirtAddr, phys_offset: PhysAddr) -> Self {
        Self { page_offset, phys_offset, end: PhysAddr(u64::MAX) }
    }

    /// riscv64: VMCOREINFO's `NUMBER(PAGE_OFFSET)` and `NUMBER(phys_ram_base)`.
    #[must_use]
    pub const fn riscv64(page_offset: VirtAddr, phys_ram_base: PhysAddr) -> Self {
        Self { page_offset, phys_offset: phys_ram_base, end: PhysAddr(u64::MAX) }
    }

    /// ppc64, either byte order: from 0xc000000000000000 on, up to the kernel's `MAXMEM`.
    #[must_use]
    pub const fn ppc64(maxmem: PhysAddr) -> Self {
        Self { page_offset: VirtAddr(0xc000_0000_0000_0000), phys_offset: PhysAddr(0), end: maxmem }
    }

    /// The virtual address of `address`; `None` where the mapping leaves it out.
    #[must_use]
    pub fn virt(&self, address: PhysAddr) -> Option<VirtAddr> {
        if address >= self.end {
            return None;
        }
        let above = address.0.checked_sub(self.phys_offset.0)?;
        self.page_offset.checked_add(above)
    }
}
