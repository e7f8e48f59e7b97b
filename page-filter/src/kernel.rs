//! The crashed kernel: its page tables, its mem_map and the rules its VMCOREINFO allows.

use core::fmt;

use vmcore_format::elf::{EM_X86_64, ProgramHeader};
use vmcore_format::kdump::UtsName;
use vmcore_format::vmcoreinfo::VmcoreInfo;
use vmcore_format::{Field, Layout, VirtAddr};

use crate::PhysMemory;
use crate::keys::{Key, Keys};
use crate::mem_map::{Described, MemMap, MemoryModel, NoMemMap, Sections, for_first_runs};
use crate::paging::{Mapping, Paging, VirtFault, X86_64, X86_64Setup, phys_base};
use crate::rules::{Missing, Rules};
use crate::struct_page::StructPage;
use crate::witness::{Witness, Witnesses};

/// Which machine crashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Machine {
    /// ELF's number of the machine, such as [`EM_X86_64`].
    pub e_machine: u16,
    /// Its byte order and word size.
    pub layout: Layout,
}

/// Why nothing can be said of the crashed kernel. Its memory can still be saved, every page of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum KernelError {
    /// The machine is not one whose page tables this library reads.
    Unsupported {
        /// The field: `e_machine`, or `EI_CLASS` where the word size is not the machine's.
        field: Field,
        /// Its value.
        value: u64,
    },
    /// VMCOREINFO lacks a key without which the page tables cannot be found.
    MissingKey(Key),
    /// The page tables do not map their own root to where it is, or cannot be read.
    PageTables(VirtFault),
}

impl KernelError {
    /// The stable number of the error's kind, as the C ABI reports it.
    #[must_use]
    pub const fn code(self) -> i32 {
        match self {
            Self::Unsupported { .. } => 3,
            Self::MissingKey(_) => 16,
            Self::PageTables(_) => 17,
        }
    }
}

impl fmt::Display for KernelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsupported { field, value } => write!(f, "{field} {value:#x} is not supported"),
            Self::MissingKey(key) => write!(f, "VMCOREINFO has no usable {key}"),
            Self::PageTables(fault) => write!(f, "the page tables do not map themselves: {fault}"),
        }
    }
}

impl core::error::Error for KernelError {}

/// What is known of the crashed kernel, found through its VMCOREINFO.
#[derive(Debug, Clone)]
pub struct Kernel {
    layout: Layout,
    paging: Paging,
    mem_map: Result<MemMap, NoMemMap>,
    rules: Result<Rules, Key>,
    uts_name: Option<VirtAddr>,
    pub(crate) witnesses: Witnesses,
    sections: Option<Sections>,
}

impl Kernel {
    /// Finds the page tables and the mem_map of the kernel whose VMCOREINFO is `info`.
    ///
    /// `loads` are the `PT_LOAD`s where the dump is an ELF core, and may be empty: their virtual addresses save page
    /// table walks, once the page tables confirm them. A mem_map that cannot be found is no error: virtual addresses
    /// can still be read, and [`no_mem_map`](Self::no_mem_map) says why.
    ///
    /// # Errors
    /// [`KernelError`], which each means that no virtual address of this kernel can be read.
    pub fn open(
        info: &VmcoreInfo<'_>,
        machine: Machine,
        loads: &[ProgramHeader],
        memory: &mut dyn PhysMemory,
    ) -> Result<Self, KernelError> {
        let keys = Keys::new(info);
        let mut paging = open_paging(&keys, machine, loads, memory)?;
        let rules = Rules::new(&keys, machine.layout);
        let mem_map = match &rules {
            Ok(rules) => MemMap::open(&keys, rules, &mut paging, memory),
            Err(key) => Err(NoMemMap::MissingKey(*key)),
        };
        let uts_name = match (keys.bits(Key::InitUtsNs), keys.bits(Key::UtsName)) {
            (Ok(symbol), Ok(name)) => VirtAddr(symbol).checked_add(name),
            _ => None,
        };
        let mut kernel = Self {
            layout: machine.layout,
            paging,
            mem_map,
            rules,
            uts_name,
            witnesses: Witnesses::new(),
            sections: None,
        };
        kernel.sample_witnesses(&keys, memory);
        if let (Ok(mem_map), Ok(rules)) = (&mut kernel.mem_map, &kernel.rules) {
            kernel.sections = mem_map.compare_sections(rules, &mut kernel.paging, memory, &kernel.witnesses);
        }
        Ok(kernel)
    }

    /// The crashed machine's byte order and word size.
    #[must_use]
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// Where `addr` lies in physical memory, and how far from there on both are contiguous.
    ///
    /// # Errors
    /// [`VirtFault`] when the kernel does not map the address or its page tables cannot be read.
    pub fn translate(&mut self, memory: &mut dyn PhysMemory, addr: VirtAddr) -> Result<Mapping, VirtFault> {
        self.paging.translate(memory, addr)
    }

    /// Fills `buf` with the bytes at the kernel's virtual address `addr`; `buf` may span pages.
    ///
    /// # Errors
    /// The first [`VirtFault`] among the pages touched; `buf` is then unspecified.
    pub fn read_virt(
        &mut self,
        memory: &mut dyn PhysMemory,
        addr: VirtAddr,
        buf: &mut [u8],
    ) -> Result<(), VirtFault> {
        self.paging.read(memory, addr, buf)
    }

    /// The crashed kernel's names, from `init_uts_ns`; `None` where VMCOREINFO does not say where they stand
    /// (`OFFSET(uts_namespace.name)`, Linux 5.9) or they cannot be read.
    pub fn utsname(&mut self, memory: &mut dyn PhysMemory) -> Option<UtsName> {
        self.names(memory).map(|(_, bytes)| UtsName::from_bytes(bytes))
    }

    /// The bytes of [`utsname`](Self::utsname), and where they stand.
    pub(crate) fn names(&mut self, memory: &mut dyn PhysMemory) -> Option<(VirtAddr, [u8; UtsName::LEN])> {
        let at = self.uts_name?;
        let mut bytes = [0; UtsName::LEN];
        self.paging.read(memory, at, &mut bytes).ok()?;
        Some((at, bytes))
    }

    /// The memory model, where the mem_map was found.
    #[must_use]
    pub fn memory_model(&self) -> Option<MemoryModel> {
        self.mem_map.as_ref().ok().map(MemMap::model)
    }

    /// Where the memory that the input has and the kernel's sections disagree; `None` where there is no mem_map, or one without
    /// sections.
    #[must_use]
    pub fn sections(&self) -> Option<&Sections> {
        self.sections.as_ref()
    }

    /// Why there is no mem_map: every page is kept then.
    #[must_use]
    pub fn no_mem_map(&self) -> Option<NoMemMap> {
        self.mem_map.as_ref().err().copied()
    }

    /// The rules that are off, each with the key of VMCOREINFO it lacks. Empty where there is no mem_map.
    pub fn missing_rules(&self) -> impl Iterator<Item = Missing> + '_ {
        self.rules.iter().flat_map(Rules::missing)
    }

    /// The size of a `struct page` in bytes; `None` where there is no mem_map.
    #[must_use]
    pub fn struct_page_size(&self) -> Option<usize> {
        match (&self.mem_map, &self.rules) {
            (Ok(_), Ok(rules)) => Some(rules.size),
            _ => None,
        }
    }

    /// The rules, where there is a mem_map to run them on.
    pub(crate) fn rules(&self) -> Option<&Rules> {
        self.mem_map.as_ref().ok().and(self.rules.as_ref().ok())
    }

    pub(crate) fn describe(&mut self, memory: &mut dyn PhysMemory, pfn: u64) -> Described {
        match &mut self.mem_map {
            Ok(mem_map) => mem_map.describe(&mut self.paging, memory, pfn),
            Err(_) => Described::Absent { until: u64::MAX },
        }
    }

    /// The `struct page` of `pfn`, in `buf`.
    pub(crate) fn struct_page<'b>(
        &mut self,
        memory: &mut dyn PhysMemory,
        pfn: u64,
        buf: &'b mut [u8],
    ) -> Option<(VirtAddr, StructPage<'b>)> {
        let buf = buf.get_mut(..self.rules()?.size)?;
        let Described::At { first, .. } = self.describe(memory, pfn) else { return None };
        self.paging.read(memory, first, buf).ok()?;
        Some((first, StructPage::new(buf, self.layout)))
    }

    /// Finds page frames that hold the kernel's own data: named ones, and some of the mem_map's, evenly over memory.
    fn sample_witnesses(&mut self, keys: &Keys, memory: &mut dyn PhysMemory) {
        /// Every kernel's text is longer than all these steps.
        const TEXT_STEPS: [u64; 4] = [0, 0x8000, 0x1_0000, 0x2_0000];
        const MEM_MAP_SAMPLES: u64 = 48;
        self.witnesses.add(memory.page_size().frame_of(self.paging.root()).0, Witness::PageTables);
        for text in TEXT_STEPS.into_iter().filter_map(|step| keys.bits(Key::Stext).ok()?.checked_add(step)) {
            self.add_witness(memory, VirtAddr(text), Witness::KernelText);
        }
        if let Ok(names) = keys.bits(Key::InitUtsNs) {
            self.add_witness(memory, VirtAddr(names), Witness::UtsNamespace);
        }
        if let Some(table) = self.mem_map.as_ref().ok().and_then(MemMap::section_table) {
            self.add_witness(memory, table, Witness::SectionTable);
        }
        let mut runs = 0u64;
        for_first_runs(memory, |_, _| runs = runs.saturating_add(1));
        let samples = MEM_MAP_SAMPLES.checked_div(runs).unwrap_or(0).max(1);
        for_first_runs(memory, |memory, run| {
            let step = run.end.saturating_sub(run.start).div_ceil(samples);
            for sample in 0..samples {
                let pfn = run.start.saturating_add(sample.saturating_mul(step));
                if pfn < run.end
                    && let Described::At { first, .. } = self.describe(memory, pfn)
                {
                    self.add_witness(memory, first, Witness::MemMap);
                }
            }
        });
    }

    fn add_witness(&mut self, memory: &mut dyn PhysMemory, addr: VirtAddr, witness: Witness) {
        if let Ok(mapping) = self.paging.translate(memory, addr) {
            self.witnesses.add(memory.page_size().frame_of(mapping.phys).0, witness);
        }
    }
}

fn open_paging(
    keys: &Keys,
    machine: Machine,
    loads: &[ProgramHeader],
    memory: &mut dyn PhysMemory,
) -> Result<Paging, KernelError> {
    if machine.e_machine != EM_X86_64 {
        return Err(KernelError::Unsupported { field: Field::EMachine, value: u64::from(machine.e_machine) });
    }
    if machine.layout != Layout::LE64 {
        return Err(KernelError::Unsupported { field: Field::EiClass, value: 1 });
    }
    let root = [Key::InitTopPgt, Key::InitLevel4Pgt, Key::SwapperPgDir]
        .into_iter()
        .find_map(|key| keys.bits(key).ok());
    let root = root.ok_or(KernelError::MissingKey(Key::InitTopPgt))?;
    let phys_base = keys.signed(Key::PhysBase).or_else(|key| phys_base(loads).ok_or(key));
    let setup = X86_64Setup {
        root: VirtAddr(root),
        phys_base: phys_base.map_err(KernelError::MissingKey)?,
        // Kernels without the key (before 4.17) have four levels or do not pass the check of the root.
        five_levels: keys.bits(Key::PgtableL5Enabled).is_ok_and(|enabled| enabled != 0),
        sme_mask: keys.bits(Key::SmeMask).unwrap_or(0),
    };
    X86_64::open(setup, loads, memory).map(Paging::X86_64).map_err(KernelError::PageTables)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_machine::TestMachine;
    use vmcore_format::elf::EM_AARCH64;
    use vmcore_format::kdump::UtsField;

    #[test]
    fn names_are_read() {
        let mut machine = TestMachine::new();
        let names = 0x1_1004;
        for (field, text) in [(0, &b"Linux"[..]), (2, b"6.12.0"), (4, b"x86_64")] {
            machine.memory.bytes[names + field * UtsName::FIELD_LEN..][..text.len()].copy_from_slice(text);
        }
        let mut kernel = machine.open().unwrap();
        let uts = kernel.utsname(&mut machine.memory).unwrap();
        let [sysname, nodename, release, machine_name] =
            [UtsField::Sysname, UtsField::Nodename, UtsField::Release, UtsField::Machine]
                .map(|field| uts.get(field));
        assert_eq!([sysname, nodename, release, machine_name], [&b"Linux"[..], b"", b"6.12.0", b"x86_64"]);
        let mut machine = TestMachine::new().without("OFFSET(uts_namespace.name)");
        assert_eq!(machine.open().unwrap().utsname(&mut machine.memory), None);
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        let mut crashed = TestMachine::new();
        let mut open = |machine: Machine, info: &str| {
            Kernel::open(&VmcoreInfo::new(info.as_bytes()), machine, &[], &mut crashed.memory).map(|_| ())
        };
        let text = TestMachine::new().text();
        let x86_64 = Machine { e_machine: EM_X86_64, layout: Layout::LE64 };
        assert_eq!(open(x86_64, &text), Ok(()));
        let arm64 = Machine { e_machine: EM_AARCH64, ..x86_64 };
        assert_eq!(open(arm64, &text), Err(KernelError::Unsupported { field: Field::EMachine, value: 183 }));
        let x32 = Machine { layout: Layout::LE32, ..x86_64 };
        assert!(matches!(open(x32, &text), Err(KernelError::Unsupported { field: Field::EiClass, .. })));
        assert_eq!(open(x86_64, ""), Err(KernelError::MissingKey(Key::InitTopPgt)));
        let without = TestMachine::new().without("NUMBER(phys_base)").text();
        assert_eq!(open(x86_64, &without), Err(KernelError::MissingKey(Key::PhysBase)));
        let moved = text.replace("phys_base)=0", "phys_base)=4096");
        assert!(matches!(open(x86_64, &moved), Err(KernelError::PageTables(_))));
        // A text cut short lacks keys: it may open, with fewer rules, or be refused.
        for len in 0..text.len() {
            let _ = open(x86_64, &text[..len]);
        }
    }
}
