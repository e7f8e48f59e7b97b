//! The machine that a kernel is loaded on: what `/proc` and `/sys` say of it, here or in files.

use std::fs;
use std::path::{Path, PathBuf};

use host::kexec::{self, Area, FirmwareEntry, Running, State};
use kexec_core::Error;
use kexec_core::boot_params::{BootParams, EfiMemoryDescriptor, EfiRuntime};
use kexec_core::check;
use kexec_core::elfcorehdr::{Backup, Builder, DirectMap, KernelText, NoteBuffer};
use kexec_core::map::{MemoryMap, Range, RangeKind, Span};
use kexec_core::plan::low_memory_backup;
use kexec_core::sources::firmware_memmap;
use kexec_core::sources::iomem::{self, KernelImage};
use vmcore_format::elf::EM_X86_64;
use vmcore_format::{Class, Endian, Layout, PhysAddr, VirtAddr};

use crate::exit::Failure;

/// Where an x86_64 kernel maps itself: the last 2 GiB.
const KERNEL_MAPPING: u64 = 0xffff_ffff_8000_0000;
/// KASLR moves the linear mapping by whole GiB.
const GIB: u64 = 1 << 30;

/// Numbers and texts of a machine.
#[derive(Debug, Clone, Default)]
pub(crate) struct Machine {
    /// `/proc/iomem`
    pub(crate) iomem: Vec<u8>,
    /// Where `iomem` was read.
    pub(crate) iomem_path: PathBuf,
    /// What firmware says of memory; empty where it says nothing, or where the kernel learned of more than it.
    pub(crate) firmware: Vec<FirmwareEntry>,
    pub(crate) notes: Vec<NoteBuffer>,
    pub(crate) vmcoreinfo: Option<NoteBuffer>,
    pub(crate) page_offset: Option<u64>,
    /// The kernel's own mapping: virtual address of its first byte, and its length.
    pub(crate) text: Option<(u64, Option<u64>)>,
    /// `struct boot_params` of the running kernel.
    pub(crate) boot_params: Option<Vec<u8>>,
    /// ACPI's root pointer, where UEFI names it.
    pub(crate) acpi_rsdp: Option<PhysAddr>,
    pub(crate) efi: Option<Efi>,
    /// Major and minor number of the running kernel.
    pub(crate) version: Option<(u32, u32)>,
    /// Whether its `kexec_load` knows the newer of the two flags by which the kernel keeps an elfcorehdr up to date, where it
    /// could be asked.
    pub(crate) crash_hotplug_support: Option<bool>,
    /// What the running kernel wants of an elfcorehdr that it keeps up to date, in bytes.
    pub(crate) elfcorehdr_size: Option<u64>,
    /// `MemTotal`, in pages of 4 KiB.
    pub(crate) ram_pages: Option<u64>,
    pub(crate) five_level: bool,
    pub(crate) gib_pages: bool,
}

/// What `/sys/firmware/efi` says.
#[derive(Debug, Clone, Default)]
pub(crate) struct Efi {
    fw_vendor: PhysAddr,
    runtime: PhysAddr,
    config_table: PhysAddr,
    smbios: PhysAddr,
    runtime_map: Vec<EfiMemoryDescriptor>,
}

impl Machine {
    /// This one, asked for what no file says as well.
    pub(crate) fn running() -> Result<Self, Failure> {
        let crash_hotplug_support = kexec::knows_flag(check::CRASH_HOTPLUG_SUPPORT);
        Ok(Self { crash_hotplug_support, ..Self::read(Path::new("/"))? })
    }

    /// Of `/proc` and `/sys` in a folder.
    pub(crate) fn read(root: &Path) -> Result<Self, Failure> {
        let iomem_path = root.join("proc/iomem");
        let iomem = Running::below(root).iomem().map_err(|error| Failure::with_path(&iomem_path, &error))?;
        Ok(Self { iomem, iomem_path, ..Self::without_iomem(root) })
    }

    /// Everything but `/proc/iomem`: what is not in the folder is not known.
    fn without_iomem(root: &Path) -> Self {
        let running = Running::below(root);
        let line = running.command_line().unwrap_or_default();
        let paging = Paging::of_running(&running);
        let mut machine = Self {
            notes: running.crash_notes().iter().map(|notes| note(notes.area)).collect(),
            vmcoreinfo: running.vmcoreinfo().map(note),
            boot_params: running.boot_params(),
            acpi_rsdp: running.efi_table("ACPI20").or_else(|| running.efi_table("ACPI")).map(PhysAddr),
            efi: efi(&running),
            version: running.version(),
            elfcorehdr_size: State::read_below(root).ok().and_then(|state| state.elfcorehdr_size),
            ram_pages: running.read("proc/meminfo").ok().and_then(|text| mem_total(&text)),
            five_level: paging.five_level,
            gib_pages: paging.gib_pages,
            firmware: firmware(&running, &String::from_utf8_lossy(&line)),
            ..Self::default()
        };
        machine.virtual_addresses(&running);
        machine
    }

    /// Of files: a copy of `/proc` and `/sys`, if any, and single files in the place of its own.
    pub(crate) fn of_files(
        root: Option<&Path>,
        iomem: Option<&Path>,
        notes: Option<&Path>,
        firmware_memmap: Option<&Path>,
    ) -> Result<Self, Failure> {
        let mut machine = match (root, iomem) {
            (Some(root), None) => Self::read(root)?,
            (Some(root), Some(_)) => Self::without_iomem(root),
            (None, _) => Self::default(),
        };
        if let Some(path) = iomem {
            machine.iomem = fs::read(path).map_err(|error| Failure::with_path(path, &error))?;
            machine.iomem_path = path.to_owned();
        }
        if let Some(path) = firmware_memmap {
            machine.firmware = FirmwareEntry::of_folder(path);
            if machine.firmware.is_empty() {
                let path = path.display();
                return Err(Failure::new(format!("{path}: no folder 0, 1 ... of start, end and type")));
            }
        }
        if let Some(path) = notes {
            let text = fs::read_to_string(path).map_err(|error| Failure::with_path(path, &error))?;
            let area = |(number, line): (usize, &str)| {
                let wrong = || {
                    let number = number.saturating_add(1);
                    Failure::new(format!("{}: line {number} is not ADDRESS SIZE", path.display()))
                };
                let (paddr, len) = line.trim().split_once(' ').ok_or_else(wrong)?;
                let paddr = u64::from_str_radix(paddr.trim_start_matches("0x"), 16).map_err(|_| wrong())?;
                Ok(note(Area { paddr, len: len.trim().parse().map_err(|_| wrong())? }))
            };
            machine.notes = text.lines().enumerate().map(area).collect::<Result<_, Failure>>()?;
        }
        Ok(machine)
    }

    /// The linear mapping and the kernel's own, from `/proc/kcore` or `/proc/kallsyms`.
    fn virtual_addresses(&mut self, running: &Running) {
        let loads = running.kcore_loads();
        let linear = loads.iter().filter(|load| load.vaddr < KERNEL_MAPPING).map(|load| load.vaddr).min();
        self.page_offset = linear.map(|vaddr| vaddr & !(GIB.saturating_sub(1)));
        let [text, stext] = running.symbols(["_text", "_stext"]);
        let text = text.or(stext);
        let mapped = loads.iter().find(|load| {
            let end = load.vaddr.saturating_add(load.size);
            load.vaddr >= KERNEL_MAPPING && text.is_some_and(|text| (load.vaddr..end).contains(&text))
        });
        self.text = match mapped {
            Some(load) => Some((load.vaddr, Some(load.size))),
            None => text.map(|text| (text, None)),
        };
    }

    /// Calls `work` with the memory map, the firmware's where there is one, and where the kernel lies.
    pub(crate) fn with_maps<T>(
        &self,
        work: impl FnOnce(&MemoryMap<'_>, Option<&MemoryMap<'_>>, KernelImage) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let lines = self.iomem.split(|byte| *byte == b'\n').count();
        let mut table = table_for(lines);
        let mut map = MemoryMap::new(&mut table);
        let kernel = iomem::parse(&self.iomem, &mut map)
            .map_err(|error| Failure::new(format!("{}: {error}", self.iomem_path.display())))?;
        let mut firmware_table = table_for(self.firmware.len().saturating_add(lines));
        let mut firmware = MemoryMap::new(&mut firmware_table);
        self.firmware_map(&map, &mut firmware)
            .map_err(|error| Failure::new(format!("the firmware's memory map: {error}")))?;
        work(&map, Some(&firmware).filter(|firmware| !firmware.is_empty()), kernel)
    }

    /// The firmware's map, less what the running kernel found out to be none of its RAM: tables of EFI that must
    /// outlive it (`efi_mem_reserve`, Linux 6.12) are in its own map only.
    fn firmware_map(&self, running: &MemoryMap<'_>, firmware: &mut MemoryMap<'_>) -> Result<(), Error> {
        let entries = self.firmware.iter().map(|entry| firmware_memmap::Entry {
            start: &entry.start,
            end: &entry.end,
            kind: &entry.kind,
        });
        firmware_memmap::parse(entries, firmware)?;
        let ram: Vec<Range> = firmware.iter_kind(RangeKind::SystemRam).collect();
        for reserved in running.iter_kind(RangeKind::Reserved) {
            for range in &ram {
                firmware.set(Range::new(range.span().intersection(reserved.span()), RangeKind::Reserved))?;
            }
        }
        Ok(())
    }

    /// The elfcorehdr of a crash kernel.
    pub(crate) fn elfcorehdr<'a>(
        &'a self,
        map: &'a MemoryMap<'a>,
        kernel: KernelImage,
        backup: Option<Backup>,
    ) -> Builder<'a> {
        Builder {
            layout: Layout { class: Class::Bits64, endian: Endian::Little },
            e_machine: EM_X86_64,
            cpu_notes: &self.notes,
            vmcoreinfo: self.vmcoreinfo,
            text: self.kernel_text(kernel),
            direct_map: self.page_offset.map(|address| DirectMap::x86_64(VirtAddr(address))),
            ram: map,
            exclude: if backup.is_some() { &[] } else { &[Builder::LOW_MEMORY] },
            backup,
        }
    }

    /// Where low memory is copied to before a capture kernel uses it, if the running kernel may keep anything there:
    /// Linux before 5.5, by its release, as nothing else says it.
    ///
    /// A kernel whose release is not known, as in a plan from files, is taken for a newer one.
    pub(crate) fn backup(&self, map: &MemoryMap<'_>, limits: Span) -> Result<Option<Backup>, Failure> {
        if self.version.is_none_or(|version| version >= KEEPS_LOW_MEMORY) || !uses_low_memory(map) {
            return Ok(None);
        }
        low_memory_backup(map, limits).map(Some).ok_or_else(|| {
            Failure::new(
                "the running kernel uses memory below 640 KiB (Linux before 5.5), and the crash region has no room for a copy \
                of it",
            )
        })
    }

    fn kernel_text(&self, kernel: KernelImage) -> Option<KernelText> {
        let (vaddr, len) = self.text?;
        let code = kernel.code?;
        let end =
            [kernel.bss, kernel.data, kernel.rodata].into_iter().flatten().map(|span: Span| span.end).max();
        let len = len.or_else(|| end.unwrap_or(code.end).0.checked_sub(code.start.0))?;
        Some(KernelText { vaddr: VirtAddr(vaddr), paddr: code.start, len })
    }

    /// What the running kernel was told of the machine.
    pub(crate) fn boot_params(&self) -> Result<Option<&BootParams>, Failure> {
        let parsed = self.boot_params.as_deref().map(BootParams::parse).transpose();
        parsed.map_err(|error| Failure::new(format!("/sys/kernel/boot_params/data: {error}")))
    }

    /// EFI's runtime services, where the machine has them and the kernel was told of them.
    pub(crate) fn efi(&self) -> Result<Option<EfiRuntime<'_>>, Failure> {
        let (Some(efi), Some(params)) = (&self.efi, self.boot_params()?) else { return Ok(None) };
        Ok(Some(EfiRuntime {
            loader_signature: params.efi_info.loader_signature,
            systab: params.efi_info.systab(),
            fw_vendor: efi.fw_vendor,
            runtime: efi.runtime,
            config_table: efi.config_table,
            smbios: efi.smbios,
            runtime_map: &efi.runtime_map,
        }))
    }

    /// The flags that its `kexec_load` knows. A kernel of an unknown release is taken for a newer one.
    pub(crate) fn known_flags(&self) -> u32 {
        let since = |release| self.version.is_none_or(|version| version >= release);
        // Distributions brought both to older releases.
        let older = self.elfcorehdr_size.is_some() || since((6, 6));
        let newer = self.crash_hotplug_support.unwrap_or_else(|| since((6, 10)));
        check::ON_CRASH
            | check::PRESERVE_CONTEXT
            | if older { check::UPDATE_ELFCOREHDR } else { 0 }
            | if newer { check::CRASH_HOTPLUG_SUPPORT } else { 0 }
    }
}

/// The release from which Linux keeps the first MiB out of use where it has a crash region
/// (`reserve_crashkernel_low` and `crash_reserve_low_1M`, `arch/x86`).
const KEEPS_LOW_MEMORY: (u32, u32) = (5, 5);

fn uses_low_memory(map: &MemoryMap<'_>) -> bool {
    map.merged(RangeKind::is_dumped).next().is_some_and(|span| span.overlaps(Builder::LOW_MEMORY))
}

/// Room for so many entries: painting a range over another one leaves at most two pieces more.
fn table_for(entries: usize) -> Vec<Range> {
    vec![Range::EMPTY; entries.saturating_mul(2).saturating_add(1)]
}

/// What firmware says of memory. Where the kernel took EFI's map in addition, `/proc/iomem` says more.
fn firmware(running: &Running, line: &str) -> Vec<FirmwareEntry> {
    if has_parameter(line, "add_efi_memmap") { Vec::new() } else { running.firmware_memmap() }
}

/// How the running kernel maps memory.
pub(super) struct Paging {
    pub(super) five_level: bool,
    gib_pages: bool,
}

impl Paging {
    pub(super) fn of_running(running: &Running) -> Self {
        let cpuinfo = running.read("proc/cpuinfo").unwrap_or_default();
        let line = running.command_line().unwrap_or_default();
        Self::of(&String::from_utf8_lossy(&cpuinfo), &String::from_utf8_lossy(&line))
    }

    /// By the text of `/proc/cpuinfo` and the kernel's command line, with which it does less than the CPU can.
    fn of(cpuinfo: &str, line: &str) -> Self {
        let flags = cpuinfo.lines().find(|line| line.starts_with("flags")).unwrap_or_default();
        let has = |flag| flags.split_ascii_whitespace().any(|word| word == flag);
        Self { five_level: has("la57"), gib_pages: has("pdpe1gb") && !has_parameter(line, "nogbpages") }
    }
}

fn has_parameter(line: &str, name: &str) -> bool {
    line.split_ascii_whitespace().take_while(|word| *word != "--").any(|word| word == name)
}

/// A buffer of notes.
pub(crate) fn note(area: Area) -> NoteBuffer {
    NoteBuffer { paddr: PhysAddr(area.paddr), len: area.len }
}

/// `MemTotal` in pages of 4 KiB.
fn mem_total(meminfo: &[u8]) -> Option<u64> {
    let text = core::str::from_utf8(meminfo).ok()?;
    let kib = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?.trim().strip_suffix("kB")?;
    Some(kib.trim().parse::<u64>().ok()? / 4)
}

fn efi(running: &Running) -> Option<Efi> {
    let number = |name| running.efi_number(name).map(PhysAddr);
    let runtime_map: Option<Vec<EfiMemoryDescriptor>> = running
        .efi_runtime_map()
        .into_iter()
        .map(|[kind, phys, virt, pages, attribute]| {
            let kind = u32::try_from(kind).ok()?;
            Some(EfiMemoryDescriptor::new(kind, PhysAddr(phys), virt, pages, attribute))
        })
        .collect();
    Some(Efi {
        fw_vendor: number("fw_vendor")?,
        // Newer kernels do not say it, and do not need it.
        runtime: number("runtime").unwrap_or_default(),
        config_table: number("config_table")?,
        smbios: PhysAddr(running.efi_table("SMBIOS").unwrap_or_default()),
        runtime_map: runtime_map.filter(|map| !map.is_empty())?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const IOMEM: &[u8] = b"00001000-0009fbff : System RAM\n00100000-3fffffff : System RAM\n\
        \x20 1b000000-26ffffff : Crash kernel\n";

    fn backup(iomem: &[u8], version: Option<(u32, u32)>, limits: Span) -> Result<Option<Backup>, Failure> {
        let machine = Machine { iomem: iomem.to_vec(), version, ..Machine::default() };
        machine.with_maps(|map, _, _| machine.backup(map, limits))
    }

    #[test]
    fn what_an_old_kernel_keeps_below_640_kib_is_copied() {
        let copied = Backup { source: Span::new(0x1000, 0x9_fc00), copy: PhysAddr(0x2700_0000 - 0x9_f000) };
        let anywhere = Span::new(0, u64::MAX);
        for version in [(5, 4), (4, 19)] {
            assert_eq!(backup(IOMEM, Some(version), anywhere).ok(), Some(Some(copied)));
        }
        for version in [Some((5, 5)), Some((6, 1)), None] {
            assert_eq!(backup(IOMEM, version, anywhere).ok(), Some(None));
        }
        let high = IOMEM.strip_prefix(b"00001000-0009fbff : System RAM\n").unwrap_or_default();
        assert_eq!(backup(high, Some((5, 4)), anywhere).ok(), Some(None));
        assert!(backup(IOMEM, Some((5, 4)), Span::new(0, 0x1b00_0000)).is_err());
    }

    #[test]
    fn the_kernels_answer_counts_more_than_its_release() {
        let flags = |version, elfcorehdr_size, crash_hotplug_support| {
            Machine { version, elfcorehdr_size, crash_hotplug_support, ..Machine::default() }.known_flags()
        };
        assert_eq!(flags(Some((6, 1)), None, None), 3);
        assert_eq!(flags(Some((6, 6)), None, None), 7);
        assert_eq!(flags(Some((6, 10)), Some(917_616), None), 15);
        assert_eq!(flags(Some((5, 14)), Some(917_616), Some(true)), 15);
        assert_eq!(flags(Some((6, 12)), Some(917_616), Some(false)), 7);
        assert_eq!(flags(None, None, None), 15);
    }

    #[test]
    fn the_kernels_own_parameters_count_beside_the_cpus_flags() {
        let paging = |flags: &str, line| {
            let paging = Paging::of(&format!("processor\t: 0\nflags\t\t: fpu {flags} sse\n"), line);
            (paging.five_level, paging.gib_pages)
        };
        assert_eq!(paging("la57 pdpe1gb", "quiet"), (true, true));
        assert_eq!(paging("pdpe1gb", "quiet nogbpages"), (false, false));
        assert_eq!(paging("pdpe1gb", "nogbpagesx -- nogbpages"), (false, true));
        assert_eq!(paging("", ""), (false, false));
    }
}
