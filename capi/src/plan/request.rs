//! What a plan is asked for.

use core::ffi::c_char;

use kexec_core::boot_params::SetupData;
use kexec_core::map::Span;
use kexec_core::plan::{Elfcorehdr, Load, MachineFacts, Profile, Purgatory, Request, Running, Upkeep};
use purgatory::OnMismatch;
use vmcore_format::PhysAddr;

use crate::boot_params::{kcap_efi_runtime, kcap_setup_data, line_or_empty, params, runtime};
use crate::elfcorehdr::{kcap_backup, machine};
use crate::map::{kcap_memory_map, kcap_span};
use crate::ptr::{self, Growing};
use crate::status::Failure;

/// When a loaded kernel is entered: when the running one is told to (`kexec -e`). It may have all memory (`kexec -l`).
pub const KCAP_LOAD_ORDINARY: u32 = 0;
/// When the running kernel crashes: it lives in the crash region (`kexec -p`).
pub const KCAP_LOAD_CRASH: u32 = 1;

/// Our own purgatory: one block of parameters.
pub const KCAP_PROFILE_KCAPTURE: u32 = 0;
/// The purgatory of kexec-tools (2.0.32): `sha256_regions`, `sha256_digest`, `entry64_regs` from rax, rbx on.
pub const KCAP_PROFILE_KEXEC_TOOLS: u32 = 1;
/// The purgatory of the kernel's own loader (Linux 6.12): `purgatory_sha_regions`, `purgatory_sha256_digest`,
/// `entry64_regs` from rax, rcx on.
pub const KCAP_PROFILE_KERNEL: u32 = 2;

/// The digest is another one: say so and stop.
pub const KCAP_ON_MISMATCH_HALT: u32 = 0;
/// The digest is another one: say so and reset the machine.
pub const KCAP_ON_MISMATCH_RESET: u32 = 1;
/// The digest is another one: say so and enter the kernel all the same.
pub const KCAP_ON_MISMATCH_CONTINUE: u32 = 2;

/// The object that checks the digest and enters the kernel. Set `size`. All zeros: our own object, which checks, stops on a
/// mismatch and prints nothing.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct kcap_plan_purgatory {
    /// `sizeof(kcap_plan_purgatory)`.
    pub size: usize,
    /// A relocatable ELF object of the machine; NULL for our own (`kcap_purgatory_x86_64`).
    pub object: *const u8,
    /// Its length in bytes.
    pub object_len: usize,
    /// By which symbols the object is told what to do: a `KCAP_PROFILE_` number.
    pub profile: u32,
    /// What happens when the digest is not the one recorded: a `KCAP_ON_MISMATCH_` number. A foreign object stops, whatever
    /// is asked.
    pub on_mismatch: u32,
    /// Not 0: the digest is not checked.
    pub skip_check: u32,
    /// The first I/O port of an 8250 to print to, 0x3f8 for `ttyS0`; 0 for none.
    pub serial_port: u32,
    /// The rate to set, in bits per second; 0 leaves the UART as it is.
    pub serial_baud: u32,
    /// Not 0: print to the VGA text screen.
    pub vga: u32,
}

// SAFETY: `repr(C)`, begins with a `usize`, holds nothing but integers and a pointer, which is sound as NULL.
unsafe impl Growing for kcap_plan_purgatory {}

fn purgatory_of(purgatory: *const kcap_plan_purgatory) -> Result<Purgatory<'static>, Failure> {
    let own = Purgatory::new(purgatory::X86_64);
    if purgatory.is_null() {
        return Ok(own);
    }
    let asked = ptr::read_growing(purgatory)?;
    let object =
        if asked.object.is_null() { own.object } else { ptr::slice(asked.object, asked.object_len)? };
    let on_mismatch = match asked.on_mismatch {
        KCAP_ON_MISMATCH_HALT => OnMismatch::Halt,
        KCAP_ON_MISMATCH_RESET => OnMismatch::Reset,
        KCAP_ON_MISMATCH_CONTINUE => OnMismatch::Continue,
        other => return Err(Failure::invalid("on_mismatch", other.into())),
    };
    let profile = match asked.profile {
        KCAP_PROFILE_KCAPTURE => Profile::Kcapture,
        KCAP_PROFILE_KEXEC_TOOLS => Profile::KexecTools,
        KCAP_PROFILE_KERNEL => Profile::Kernel,
        other => return Err(Failure::invalid("profile", other.into())),
    };
    let serial_port = u16::try_from(asked.serial_port)
        .map_err(|_| Failure::invalid("serial_port", asked.serial_port.into()))?;
    Ok(Purgatory {
        object,
        profile,
        on_mismatch,
        check: asked.skip_check == 0,
        serial_port,
        serial_baud: asked.serial_baud,
        vga: asked.vga != 0,
    })
}

/// The running kernel, as far as it decides what can be loaded. Set `size`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct kcap_plan_running {
    /// `sizeof(kcap_plan_running)`.
    pub size: usize,
    /// The pages of RAM that the kernel uses: `MemTotal` of `/proc/meminfo`, in pages of 4 KiB. A load may take half. 0: all
    /// `KCAP_RANGE_SYSTEM_RAM` of the map.
    pub ram_pages: u64,
    /// The machine, an `e_machine` number; 0 for x86_64.
    pub e_machine: u32,
    /// The flags of `kexec_load` that the kernel knows (`kcap_kexec_knows_flag` asks it), without the machine; 0: those of Linux
    /// 6.6. Of `KCAP_KEXEC_UPDATE_ELFCOREHDR` and `KCAP_KEXEC_CRASH_HOTPLUG_SUPPORT` a plan takes the newer.
    pub known_flags: u32,
    /// Not 0: it runs with 5-level page tables (`la57` in the flags of `/proc/cpuinfo`, and not `no5lvl`).
    pub five_level: u32,
    /// Not 0: the CPU maps 1 GiB at once (`pdpe1gb` in the flags of `/proc/cpuinfo`).
    pub gib_pages: u32,
}

// SAFETY: `repr(C)`, begins with a `usize`, holds nothing but integers.
unsafe impl Growing for kcap_plan_running {}

fn running_of(
    running: *const kcap_plan_running,
    memory: &'static kcap_memory_map,
) -> Result<Running, Failure> {
    let assumed = Running::x86_64(&memory.map);
    if running.is_null() {
        return Ok(assumed);
    }
    let given = ptr::read_growing(running)?;
    Ok(Running {
        e_machine: if given.e_machine == 0 { assumed.e_machine } else { machine(given.e_machine)? },
        known_flags: if given.known_flags == 0 { assumed.known_flags } else { given.known_flags },
        ram_pages: if given.ram_pages == 0 { assumed.ram_pages } else { given.ram_pages },
        five_level: given.five_level != 0,
        gib_pages: given.gib_pages != 0,
    })
}

/// A kernel to be loaded, and the machine that it is loaded on. Set `size`; NULL and 0 elsewhere say none.
///
/// A plan keeps what the pointers to bytes, to the memory map and to the EFI runtime map point at; the structs themselves are
/// read by `kcap_plan_init` alone.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct kcap_plan_request {
    /// `sizeof(kcap_plan_request)`.
    pub size: usize,
    /// The kernel image, the whole file: a bzImage, a `vmlinux`, or a unified kernel image that holds one of them.
    pub kernel: *const u8,
    /// Its length in bytes.
    pub kernel_len: usize,
    /// The initrd, the whole file; NULL for none. A unified kernel image may bring its own.
    pub initrd: *const u8,
    /// Its length in bytes.
    pub initrd_len: usize,
    /// The command line. NULL or empty: the one that a unified kernel image brings.
    pub command_line: *const c_char,
    /// The memory of the machine, as the running kernel sees it, with its crash regions (`KCAP_RANGE_CRASH_KERNEL`). May not
    /// be NULL, and may not be changed while the plan is used.
    pub memory: *const kcap_memory_map,
    /// The memory of the machine, as its firmware told the running kernel (`kcap_memory_map_read_firmware`): what an ordinary kernel is
    /// told instead of `memory`, which the running kernel may have changed. NULL: `memory`. As unchanging as that.
    pub firmware: *const kcap_memory_map,
    /// The encoded ELF core header of a crash kernel: `kcap_elfcorehdr_encode`.
    pub elfcorehdr: *const u8,
    /// Its length in bytes.
    pub elfcorehdr_len: usize,
    /// Low memory that the purgatory copies, as the header says it (`kcap_plan_low_memory_backup`), or NULL.
    pub backup: *const kcap_backup,
    /// What runs between the two kernels; NULL for our own object as it is.
    pub purgatory: *const kcap_plan_purgatory,
    /// The running kernel; NULL for an x86_64 kernel of 4-level page tables without 1-GiB pages: for a plan that is made elsewhere.
    pub running: *const kcap_plan_running,
    /// The running kernel's boot parameters, 4096 bytes (`/sys/kernel/boot_params/data`), or NULL.
    pub boot_params: *const u8,
    /// EFI's runtime services, or NULL. A kernel that can not take them over is not told of them.
    pub efi: *const kcap_efi_runtime,
    /// Further items of `setup_data`, such as random bytes.
    pub setup_data: *const kcap_setup_data,
    /// Their number, at most `KCAP_SETUP_DATA_MAX`.
    pub setup_data_count: usize,
    /// The addresses that the caller allows; an `end` of 0 allows all from `start` on.
    pub limits: kcap_span,
    /// The memory in bytes that the running kernel wants for an elfcorehdr that it keeps up to date
    /// (`/sys/kernel/crash_elfcorehdr_size`, Linux 6.6): the header is then no part of the digest. 0: nobody changes it, and
    /// the kernel is loaded anew when CPUs or memory come or go.
    pub elfcorehdr_room: u64,
    /// The physical address of ACPI's root pointer, where the running kernel's boot parameters do not say it; 0 for none.
    pub acpi_rsdp: u64,
    /// When the kernel is entered: `KCAP_LOAD_ORDINARY` or `KCAP_LOAD_CRASH`.
    pub load: u32,
    /// 0.
    pub reserved: u32,
}

// SAFETY: `repr(C)`, begins with a `usize`, holds nothing but integers and pointers, which are sound as NULL.
unsafe impl Growing for kcap_plan_request {}

impl kcap_plan_request {
    /// The request for Rust; `setup_data` are its items in memory that lasts.
    pub(super) fn read(
        &self,
        setup_data: &'static [SetupData<'static>],
    ) -> Result<Request<'static>, Failure> {
        let memory = ptr::get(self.memory)?;
        let upkeep = match self.elfcorehdr_room {
            0 => Upkeep::Reload,
            room => Upkeep::Kernel { room },
        };
        let header = ptr::slice(self.elfcorehdr, self.elfcorehdr_len)?;
        let load = match self.load {
            KCAP_LOAD_ORDINARY => Load::Ordinary,
            KCAP_LOAD_CRASH => {
                let backup =
                    if self.backup.is_null() { None } else { Some((*ptr::get(self.backup)?).into()) };
                Load::Crash(Elfcorehdr { bytes: header, upkeep, backup })
            }
            other => return Err(Failure::invalid("load", other.into())),
        };
        let end = if self.limits.end == 0 { u64::MAX } else { self.limits.end };
        Ok(Request {
            load,
            kernel: ptr::slice(self.kernel, self.kernel_len)?,
            initrd: ptr::slice(self.initrd, self.initrd_len)?,
            command_line: line_or_empty(self.command_line)?,
            memory: &memory.map,
            firmware: if self.firmware.is_null() { None } else { Some(&ptr::get(self.firmware)?.map) },
            limits: Span::new(self.limits.start, end),
            purgatory: purgatory_of(self.purgatory)?,
            running: running_of(self.running, memory)?,
            machine: MachineFacts {
                boot_params: if self.boot_params.is_null() { None } else { Some(params(self.boot_params)?) },
                acpi_rsdp: (self.acpi_rsdp != 0).then_some(PhysAddr(self.acpi_rsdp)),
                efi: runtime(self.efi)?,
                setup_data,
            },
        })
    }
}
