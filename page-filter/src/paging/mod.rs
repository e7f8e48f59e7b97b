//! Kernel virtual addresses, as the crashed machine's own page tables map them. The machine is a value.

mod x86_64;

pub(crate) use x86_64::{X86_64, X86_64Setup, phys_base};

use core::fmt;

use vmcore_format::{PhysAddr, VirtAddr};

use crate::{Fault, PhysMemory};

/// Where a run of kernel virtual addresses lies in physical memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mapping {
    /// The physical address of the first byte.
    pub phys: PhysAddr,
    /// How many bytes from there on are contiguous in both; at least 1.
    pub len: u64,
}

/// Why bytes at a virtual address cannot be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum VirtFault {
    /// The kernel's page tables do not map the address, or it is not canonical.
    NotMapped(VirtAddr),
    /// The page tables, or the bytes they point at, cannot be read.
    Memory(Fault),
}

impl fmt::Display for VirtFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotMapped(addr) => write!(f, "virtual address {addr} is not mapped"),
            Self::Memory(Fault::Hole) => f.write_str("no memory is there"),
            Self::Memory(Fault::Excluded) => f.write_str("the page was left out of the dump"),
            Self::Memory(Fault::Lost) => f.write_str("the page is damaged or missing in the dump"),
            Self::Memory(Fault::Poison) => f.write_str("the memory is broken"),
            Self::Memory(Fault::Code(code)) => write!(f, "input/output error {code}"),
        }
    }
}

impl core::error::Error for VirtFault {}

/// The page tables of one kind of machine.
#[derive(Debug, Clone)]
pub(crate) enum Paging {
    /// 4 or 5 levels of 512 entries.
    X86_64(X86_64),
}

impl Paging {
    pub(crate) fn translate(
        &mut self,
        memory: &mut dyn PhysMemory,
        addr: VirtAddr,
    ) -> Result<Mapping, VirtFault> {
        match self {
            Self::X86_64(tables) => tables.translate(memory, addr),
        }
    }

    /// The physical address of the top page table.
    pub(crate) fn root(&self) -> PhysAddr {
        match self {
            Self::X86_64(tables) => tables.root(),
        }
    }

    /// `MAX_PHYSMEM_BITS`, the limit of physical addresses, which is the machine's and not the kernel's build's
    /// (x86_64: `arch/x86/include/asm/sparsemem.h`, the same in Linux 4.17 to 7.1).
    pub(crate) fn max_physmem_bits(&self) -> u32 {
        match self {
            Self::X86_64(tables) => tables.max_physmem_bits(),
        }
    }

    /// Whether `addr` can be a kernel address at all.
    pub(crate) fn is_kernel(&self, addr: VirtAddr) -> bool {
        match self {
            Self::X86_64(_) => addr.0 >= x86_64::KERNEL_HALF,
        }
    }

    /// The mapping of `addr`, with those after it up to `len` bytes that go on where it ends in physical memory, too:
    /// the kernel maps a run of pages one by one as often as not, and one large read is faster than many small ones.
    fn translate_run(
        &mut self,
        memory: &mut dyn PhysMemory,
        addr: VirtAddr,
        len: u64,
    ) -> Result<Mapping, VirtFault> {
        let mut run = self.translate(memory, addr)?;
        while run.len < len
            && let (Some(virt), Some(phys)) = (addr.checked_add(run.len), run.phys.checked_add(run.len))
            && let Ok(next) = self.translate(memory, virt)
            && next.phys == phys
        {
            run.len = run.len.saturating_add(next.len.max(1));
        }
        Ok(run)
    }

    /// Fills `buf` with the bytes at `addr`, over as many mappings as it takes.
    pub(crate) fn read(
        &mut self,
        memory: &mut dyn PhysMemory,
        addr: VirtAddr,
        mut buf: &mut [u8],
    ) -> Result<(), VirtFault> {
        let mut at = addr;
        while !buf.is_empty() {
            let wanted = u64::try_from(buf.len()).unwrap_or(u64::MAX);
            let mapping = self.translate_run(memory, at, wanted)?;
            let len = usize::try_from(mapping.len.max(1)).map_or(buf.len(), |len| len.min(buf.len()));
            let (now, later) = buf.split_at_mut(len);
            memory.read(mapping.phys, now).map_err(VirtFault::Memory)?;
            buf = later;
            if !buf.is_empty() {
                let step = u64::try_from(len).unwrap_or(u64::MAX);
                at = at.checked_add(step).ok_or(VirtFault::NotMapped(at))?;
            }
        }
        Ok(())
    }
}
