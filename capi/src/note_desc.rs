//! The descriptors of notes: registers of CPUs, what Xen and QEMU say.

use vmcore_format::note::{
    Prstatus, PrstatusLayout, QemuCpuState, QemuSegment, X86_64Registers, XenCrashInfo, XenCrashRegs,
};

use crate::error::{answer, kcap_error};
use crate::machine::{self, class, endian, layout};
use crate::ptr;
use crate::status::kcap_status;

/// The layout of a machine's `struct elf_prstatus`.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
pub struct kcap_prstatus_layout {
    /// The length of the structure in bytes.
    pub len: u64,
    /// Where `pr_reg` starts in it, in bytes.
    pub reg_offset: u64,
    /// The length of `pr_reg` in bytes.
    pub reg_len: u64,
    /// The bits of the machine's `long`, which those of the dump's ELF class need not be: 32 or 64.
    pub bits: u32,
    /// 0.
    pub reserved: u32,
}

impl From<PrstatusLayout> for kcap_prstatus_layout {
    fn from(found: PrstatusLayout) -> Self {
        let bytes = |len: usize| u64::try_from(len).unwrap_or(u64::MAX);
        Self {
            len: bytes(found.len),
            reg_offset: bytes(found.reg_offset()),
            reg_len: bytes(found.reg_len),
            bits: machine::bits(found.class),
            reserved: 0,
        }
    }
}

/// Writes the layout of `struct elf_prstatus` on the machine `e_machine` (a `KCAP_EM_` number) to `found`; `bits` decides where the
/// number stands for two machines. `error` may be NULL.
///
/// Errors: `KCAP_ERR_UNSUPPORTED` (the machine), `KCAP_ERR_INVALID`, `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_prstatus_get_layout(
    e_machine: u32,
    bits: u32,
    found: *mut kcap_prstatus_layout,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let place = ptr::out(found)?;
        place.put(PrstatusLayout::new(machine::e_machine(e_machine)?, class(bits)?)?.into());
        Ok(())
    })
}

/// As `kcap_prstatus_get_layout`, of a descriptor of `desc_len` bytes, which decides where the number stands for two machines.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_prstatus_get_layout_of_desc(
    e_machine: u32,
    desc_len: usize,
    found: *mut kcap_prstatus_layout,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let place = ptr::out(found)?;
        place.put(PrstatusLayout::of_desc(machine::e_machine(e_machine)?, desc_len)?.into());
        Ok(())
    })
}

/// A CPU's registers when the machine crashed, as its `NT_PRSTATUS` note holds them.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct kcap_prstatus {
    /// `pr_reg`: the general registers in the machine's order and byte order, inside the descriptor.
    pub pr_reg: *const u8,
    /// The number of bytes at `pr_reg`.
    pub pr_reg_len: usize,
    /// `pr_pid`: the task that ran, 0 for the idle task; QEMU says the CPU's number plus one.
    pub pr_pid: i32,
    /// `pr_cursig`: the current signal; 0 in a crash dump.
    pub pr_cursig: u32,
}

/// Reads the descriptor of an `NT_PRSTATUS` note, the `len` bytes at `desc`, of a dump with this `e_machine` to `status`.
/// `error` may be NULL.
///
/// Errors: `KCAP_ERR_UNSUPPORTED` (the machine), `KCAP_ERR_CORRUPT` (`desc` ends early), `KCAP_ERR_INVALID`,
/// `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_prstatus_parse(
    desc: *const u8,
    len: usize,
    e_machine: u32,
    big_endian: u32,
    status: *mut kcap_prstatus,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let (desc, place) = (ptr::slice(desc, len)?, ptr::out(status)?);
        let Prstatus { pr_cursig, pr_pid, pr_reg } =
            Prstatus::parse(desc, machine::e_machine(e_machine)?, endian(big_endian)?)?;
        place.put(kcap_prstatus {
            pr_reg: pr_reg.as_ptr(),
            pr_reg_len: pr_reg.len(),
            pr_pid,
            pr_cursig: pr_cursig.into(),
        });
        Ok(())
    })
}

/// Writes the descriptor of an `NT_PRSTATUS` note of the machine `e_machine` to the front of the `buf_len` bytes at `buf`, and its
/// length to `len`. `error` may be NULL.
///
/// Errors: `KCAP_ERR_BUFFER_TOO_SMALL`, `KCAP_ERR_UNSUPPORTED` (the machine, or another length of `pr_reg`),
/// `KCAP_ERR_INVALID`, `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_prstatus_encode(
    status: *const kcap_prstatus,
    e_machine: u32,
    big_endian: u32,
    bits: u32,
    buf: *mut u8,
    buf_len: usize,
    len: *mut usize,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let status = ptr::get(status)?;
        let (buf, place) = (ptr::slice_mut(buf, buf_len)?, ptr::out(len)?);
        let pr_cursig = u16::try_from(status.pr_cursig)
            .map_err(|_| crate::status::Failure::invalid("pr_cursig", status.pr_cursig.into()))?;
        let pr_reg = ptr::slice(status.pr_reg, status.pr_reg_len)?;
        let layout = PrstatusLayout::new(machine::e_machine(e_machine)?, class(bits)?)?;
        let prstatus = Prstatus { pr_cursig, pr_pid: status.pr_pid, pr_reg };
        place.put(prstatus.encode(layout, endian(big_endian)?, buf)?);
        Ok(())
    })
}

/// The registers of an x86_64 CPU, as `struct user_regs_struct` has them.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
#[expect(missing_docs, reason = "their names say all")]
pub struct kcap_x86_64_registers {
    pub r15: u64,
    pub r14: u64,
    pub r13: u64,
    pub r12: u64,
    pub rbp: u64,
    pub rbx: u64,
    pub r11: u64,
    pub r10: u64,
    pub r9: u64,
    pub r8: u64,
    pub rax: u64,
    pub rcx: u64,
    pub rdx: u64,
    pub rsi: u64,
    pub rdi: u64,
    pub orig_rax: u64,
    pub rip: u64,
    pub cs: u64,
    pub eflags: u64,
    pub rsp: u64,
    pub ss: u64,
    pub fs_base: u64,
    pub gs_base: u64,
    pub ds: u64,
    pub es: u64,
    pub fs: u64,
    pub gs: u64,
}

macro_rules! same_registers {
    ($($name:ident)*) => {
        impl From<X86_64Registers> for kcap_x86_64_registers {
            fn from(from: X86_64Registers) -> Self {
                Self { $($name: from.$name,)* }
            }
        }

        impl From<&kcap_x86_64_registers> for X86_64Registers {
            fn from(from: &kcap_x86_64_registers) -> Self {
                Self { $($name: from.$name,)* }
            }
        }
    };
}
same_registers! {
    r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss
    fs_base gs_base ds es fs gs
}

/// Reads `pr_reg` of an x86_64 CPU, the `len` bytes at `pr_reg`, to `registers`. `error` may be NULL.
///
/// Errors: `KCAP_ERR_CORRUPT` (it ends early), `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_x86_64_registers_parse(
    pr_reg: *const u8,
    len: usize,
    registers: *mut kcap_x86_64_registers,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let (pr_reg, place) = (ptr::slice(pr_reg, len)?, ptr::out(registers)?);
        place.put(X86_64Registers::parse(pr_reg)?.into());
        Ok(())
    })
}

/// Writes `registers` as `pr_reg`, 216 bytes, to the front of the `buf_len` bytes at `buf`, and their number to `len`. `error`
/// may be NULL.
///
/// Errors: `KCAP_ERR_BUFFER_TOO_SMALL`, `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_x86_64_registers_encode(
    registers: *const kcap_x86_64_registers,
    buf: *mut u8,
    buf_len: usize,
    len: *mut usize,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let registers = X86_64Registers::from(ptr::get(registers)?);
        let (buf, place) = (ptr::slice_mut(buf, buf_len)?, ptr::out(len)?);
        place.put(registers.encode(buf)?);
        Ok(())
    })
}

/// A segment register with its hidden part.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
pub struct kcap_qemu_segment {
    /// The base, a linear address.
    pub base: u64,
    /// The selector.
    pub selector: u32,
    /// The limit in bytes.
    pub limit: u32,
    /// The descriptor's flags.
    pub flags: u32,
    /// 0.
    pub reserved: u32,
}

impl From<QemuSegment> for kcap_qemu_segment {
    fn from(QemuSegment { selector, limit, flags, base }: QemuSegment) -> Self {
        Self { base, selector, limit, flags, reserved: 0 }
    }
}

/// A virtual CPU's state as QEMU adds it to a dump of an x86 guest.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct kcap_qemu_cpu_state {
    /// rax, rbx, rcx, rdx, rsi, rdi, rsp, rbp, r8 to r15.
    pub general: [u64; 16],
    /// The instruction pointer.
    pub rip: u64,
    /// The flags register.
    pub rflags: u64,
    /// cs, ds, es, fs, gs, ss.
    pub segments: [kcap_qemu_segment; 6],
    /// The local descriptor table.
    pub ldt: kcap_qemu_segment,
    /// The task register.
    pub tr: kcap_qemu_segment,
    /// The global descriptor table.
    pub gdt: kcap_qemu_segment,
    /// The interrupt descriptor table.
    pub idt: kcap_qemu_segment,
    /// cr0 to cr4; cr1 is unused.
    pub cr: [u64; 5],
    /// The kernel's gs base while in user mode, if `has_kernel_gs_base`.
    pub kernel_gs_base: u64,
    /// 1 if `kernel_gs_base` is known: not from QEMU before 3.0.
    pub has_kernel_gs_base: u32,
    /// 0.
    pub reserved: u32,
}

/// Reads the descriptor of a "QEMU" note, the `len` bytes at `desc`, to `state`. `error` may be NULL.
///
/// Errors: `KCAP_ERR_UNSUPPORTED` (another version than 1), `KCAP_ERR_CORRUPT` (`desc` ends early), `KCAP_ERR_INVALID`,
/// `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_qemu_cpu_state_parse(
    desc: *const u8,
    len: usize,
    big_endian: u32,
    state: *mut kcap_qemu_cpu_state,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let (desc, place) = (ptr::slice(desc, len)?, ptr::out(state)?);
        let found = QemuCpuState::parse(desc, layout(big_endian, 64)?)?;
        place.put(kcap_qemu_cpu_state {
            general: found.general,
            rip: found.rip,
            rflags: found.rflags,
            segments: found.segments.map(Into::into),
            ldt: found.ldt.into(),
            tr: found.tr.into(),
            gdt: found.gdt.into(),
            idt: found.idt.into(),
            cr: found.cr,
            kernel_gs_base: found.kernel_gs_base.unwrap_or(0),
            has_kernel_gs_base: found.kernel_gs_base.is_some().into(),
            reserved: 0,
        });
        Ok(())
    })
}

/// What the Xen hypervisor says about itself. Texts are at physical addresses.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct kcap_xen_crash_info {
    /// Xen's major version.
    pub major_version: u64,
    /// Xen's minor version.
    pub minor_version: u64,
    /// Where the text after the version numbers stands.
    pub extra_version: u64,
    /// Where the text that names the source revision stands.
    pub changeset: u64,
    /// Where the text that names the compiler stands.
    pub compiler: u64,
    /// Where the text that says on which day Xen was built stands.
    pub compile_date: u64,
    /// Where the text that says at which time stands.
    pub compile_time: u64,
    /// Taint bits of the hypervisor.
    pub tainted: u64,
    /// The physical address at which Xen was loaded, if `has_xen_phys_start`.
    pub xen_phys_start: u64,
    /// The machine frame of the list of lists of dom0's frames, if `has_frame_list_list`.
    pub dom0_pfn_to_mfn_frame_list_list: u64,
    /// 1 or 0.
    pub has_xen_phys_start: u32,
    /// 1 or 0.
    pub has_frame_list_list: u32,
}

/// Reads the descriptor of a "Xen" note of type `KCAP_XEN_ELFNOTE_CRASH_INFO`, the `len` bytes at `desc`, to `info`. `error` may be
/// NULL.
///
/// Errors: `KCAP_ERR_CORRUPT` (`desc` ends early), `KCAP_ERR_INVALID`, `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_xen_crash_info_parse(
    desc: *const u8,
    len: usize,
    big_endian: u32,
    bits: u32,
    info: *mut kcap_xen_crash_info,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let (desc, place) = (ptr::slice(desc, len)?, ptr::out(info)?);
        let found = XenCrashInfo::parse(desc, layout(big_endian, bits)?)?;
        place.put(kcap_xen_crash_info {
            major_version: found.major_version,
            minor_version: found.minor_version,
            extra_version: found.extra_version,
            changeset: found.changeset,
            compiler: found.compiler,
            compile_date: found.compile_date,
            compile_time: found.compile_time,
            tainted: found.tainted,
            xen_phys_start: found.xen_phys_start.unwrap_or(0),
            dom0_pfn_to_mfn_frame_list_list: found.dom0_pfn_to_mfn_frame_list_list.unwrap_or(0),
            has_xen_phys_start: found.xen_phys_start.is_some().into(),
            has_frame_list_list: found.dom0_pfn_to_mfn_frame_list_list.is_some().into(),
        });
        Ok(())
    })
}

/// A CPU's control registers under Xen on x86.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
pub struct kcap_xen_crash_regs {
    /// CR0.
    pub cr0: u64,
    /// CR2, a virtual address.
    pub cr2: u64,
    /// CR3, a physical address and flags.
    pub cr3: u64,
    /// CR4.
    pub cr4: u64,
}

/// Reads the descriptor of a "Xen" note of type `KCAP_XEN_ELFNOTE_CRASH_REGS`, the `len` bytes at `desc`, to `regs`. `error` may be
/// NULL.
///
/// Errors: `KCAP_ERR_CORRUPT` (`desc` ends early), `KCAP_ERR_INVALID`, `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_xen_crash_regs_parse(
    desc: *const u8,
    len: usize,
    big_endian: u32,
    bits: u32,
    regs: *mut kcap_xen_crash_regs,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let (desc, place) = (ptr::slice(desc, len)?, ptr::out(regs)?);
        let XenCrashRegs { cr0, cr2, cr3, cr4 } = XenCrashRegs::parse(desc, layout(big_endian, bits)?)?;
        place.put(kcap_xen_crash_regs { cr0, cr2, cr3, cr4 });
        Ok(())
    })
}

#[cfg(test)]
mod tests;
