//! What a plan is asked for.

use vmcore_format::PhysAddr;

use crate::boot_params::{BootParams, EfiRuntime, SetupData};
use crate::check;
use crate::elfcorehdr::Backup;
use crate::map::{MemoryMap, RangeKind, Span};
use crate::segment::PAGE;

/// A kernel to be loaded, and the machine that it is loaded on.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// When the kernel is entered.
    pub load: Load<'a>,
    /// The kernel image, the whole file: a bzImage, a `vmlinux`, or a unified kernel image that holds one of them.
    pub kernel: &'a [u8],
    /// The initrd, the whole file; empty for none. A unified kernel image may bring its own.
    pub initrd: &'a [u8],
    /// The command line, without a NUL. Empty: the one that a unified kernel image brings.
    pub command_line: &'a [u8],
    /// The memory of the machine, as the running kernel sees it, with its crash regions
    /// ([`RangeKind::CrashKernel`]).
    pub memory: &'a MemoryMap<'a>,
    /// The memory of the machine, as its firmware told the running kernel ([`firmware_memmap`]): what an ordinary kernel
    /// is told instead of [`memory`](Self::memory), which the running kernel may have changed. A capture kernel is not.
    ///
    /// [`firmware_memmap`]: crate::sources::firmware_memmap
    pub firmware: Option<&'a MemoryMap<'a>>,
    /// The addresses that the caller allows; [`Request::ANYWHERE`] to allow all.
    pub limits: Span,
    /// What runs between the two kernels.
    pub purgatory: Purgatory<'a>,
    /// The running kernel.
    pub running: Running,
    /// What the kernel is told of the machine's firmware and screen.
    pub machine: MachineFacts<'a>,
}

impl Request<'_> {
    /// No limits of the caller's.
    pub const ANYWHERE: Span = Span::new(0, u64::MAX);
}

/// What the loaded kernel is told of the machine's firmware and screen: what its own setup code would have found out.
#[derive(Debug, Clone, Copy, Default)]
pub struct MachineFacts<'a> {
    /// The running kernel's boot parameters (`/sys/kernel/boot_params/data`).
    pub boot_params: Option<&'a BootParams>,
    /// The physical address of ACPI's root pointer, where the running kernel's boot parameters do not say it.
    pub acpi_rsdp: Option<PhysAddr>,
    /// EFI's runtime services. A kernel that can not take them over is not told of them.
    pub efi: Option<EfiRuntime<'a>>,
    /// Further items of `setup_data`, such as random bytes.
    pub setup_data: &'a [SetupData<'a>],
}

/// When a loaded kernel is entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Load<'a> {
    /// When the running kernel crashes: the loaded one lives in the crash region (`kexec -p`).
    Crash(Elfcorehdr<'a>),
    /// When the running kernel is told to (`kexec -e`): the loaded one may have all memory (`kexec -l`).
    Ordinary,
}

/// The ELF core header by which a capture kernel knows the memory of the crashed one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Elfcorehdr<'a> {
    /// The encoded header, see [`elfcorehdr`](crate::elfcorehdr).
    pub bytes: &'a [u8],
    /// Who may change it.
    pub upkeep: Upkeep,
    /// Low memory that the purgatory copies, as the header says it: [`low_memory_backup`](super::low_memory_backup).
    pub backup: Option<Backup>,
}

/// Who keeps a loaded elfcorehdr up to date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Upkeep {
    /// Nobody: it is part of the digest, and the kernel is loaded anew when CPUs or memory come or go.
    Reload,
    /// The running kernel rewrites it (Linux 6.6): it is not part of the digest, and has room to grow.
    Kernel {
        /// The memory that the kernel wants for it, in bytes (`/sys/kernel/crash_elfcorehdr_size`). It counts program
        /// headers alone; the ELF header is added.
        room: u64,
    },
}

/// The object that checks the digest and enters the kernel.
#[derive(Debug, Clone, Copy)]
pub struct Purgatory<'a> {
    /// A relocatable ELF object of the machine, `purgatory::X86_64` or a foreign one.
    pub object: &'a [u8],
    /// By which symbols the object is told what to do.
    pub profile: Profile,
    /// What happens when the digest is not the one recorded. A foreign object stops, whatever is asked.
    pub on_mismatch: purgatory::OnMismatch,
    /// Whether the digest is checked at all.
    pub check: bool,
    /// The first I/O port of an 8250 to print to, 0x3f8 for `ttyS0`; 0 for none.
    pub serial_port: u16,
    /// The rate to set, in bits per second; 0 leaves the UART as it is.
    pub serial_baud: u32,
    /// Whether to print to the VGA text screen.
    pub vga: bool,
}

impl<'a> Purgatory<'a> {
    /// Our own `object`: it checks the digest, stops on a mismatch, and prints nothing.
    #[must_use]
    pub const fn new(object: &'a [u8]) -> Self {
        Self {
            object,
            profile: Profile::Kcapture,
            on_mismatch: purgatory::OnMismatch::Halt,
            check: true,
            serial_port: 0,
            serial_baud: 0,
            vga: false,
        }
    }
}

/// By which symbols a purgatory is told what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Profile {
    /// Ours: one [`purgatory::Parameters`].
    Kcapture,
    /// That of kexec-tools (2.0.32): `sha256_regions`, `sha256_digest`, `entry64_regs` from rax, rbx on.
    KexecTools,
    /// That of the kernel's own loader (Linux 6.12): `purgatory_sha_regions`, `purgatory_sha256_digest`,
    /// `entry64_regs` from rax, rcx on.
    Kernel,
}

/// The running kernel, as far as it decides what can be loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Running {
    /// The machine, an `e_machine` number.
    pub e_machine: u16,
    /// The flags of `kexec_load` that the kernel knows, [`check::ON_CRASH`] and the like, without the machine. Of
    /// [`check::UPDATE_ELFCOREHDR`] (Linux 6.6, x86) and [`check::CRASH_HOTPLUG_SUPPORT`] (6.10), the plan takes the newer.
    pub known_flags: u32,
    /// The pages of RAM that the kernel uses: `MemTotal` of `/proc/meminfo`, in pages of 4 KiB. A load may take half.
    pub ram_pages: u64,
    /// Whether it runs with 5-level page tables (`la57` in the flags of `/proc/cpuinfo`, and not `no5lvl`).
    pub five_level: bool,
    /// Whether the CPU maps 1 GiB at once (`pdpe1gb` in the flags of `/proc/cpuinfo`).
    pub gib_pages: bool,
}

impl Running {
    /// An x86_64 kernel of 4-level page tables without 1 GiB pages, whose RAM is all of `memory` outside the crash
    /// regions: for a plan that is made elsewhere.
    #[must_use]
    pub fn x86_64(memory: &MemoryMap<'_>) -> Self {
        Self {
            e_machine: vmcore_format::elf::EM_X86_64,
            known_flags: check::ON_CRASH | check::PRESERVE_CONTEXT | check::UPDATE_ELFCOREHDR,
            ram_pages: memory.total(RangeKind::SystemRam) / PAGE,
            five_level: false,
            gib_pages: false,
        }
    }

    /// The flag by which the kernel is told to rewrite a loaded elfcorehdr: the older one of x86 only where the newer one
    /// is not known.
    pub(super) const fn upkeep_flag(&self) -> u32 {
        if self.known_flags & check::CRASH_HOTPLUG_SUPPORT != 0 {
            check::CRASH_HOTPLUG_SUPPORT
        } else {
            check::UPDATE_ELFCOREHDR
        }
    }

    /// The paging mode's limit of physical addresses, as the kernel checks it.
    ///
    /// Source: `MAXMEM`, `arch/x86/include/asm/pgtable_64_types.h`, and `KEXEC_DESTINATION_MEMORY_LIMIT`,
    /// `arch/x86/include/asm/kexec.h` (Linux 6.12).
    pub(super) const fn memory_limit(&self) -> u64 {
        let bits: u32 = if self.five_level { 52 } else { 46 };
        (1_u64 << bits).wrapping_sub(1)
    }
}
