//! The state of a virtual CPU as QEMU adds it to a dump of an x86 guest.

use crate::fields::FieldReader;
use crate::{Error, Field, Layout};

/// The least `size` of a state that has `kernel_gs_base`.
const WITH_KERNEL_GS_BASE: u32 = 440;

/// A segment register with its hidden part: 24 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QemuSegment {
    /// The selector.
    pub selector: u32,
    /// The limit in bytes.
    pub limit: u32,
    /// The descriptor's flags.
    pub flags: u32,
    /// The base, a linear address.
    pub base: u64,
}

/// A virtual CPU's state: "QEMU", type 0, one for each CPU of an x86 guest; 432 bytes or more, 64-bit fields for
/// 32-bit guests too. Source: `QEMUCPUState` of `dump-guest-memory`, version 1 (QEMU 7.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QemuCpuState {
    /// rax, rbx, rcx, rdx, rsi, rdi, rsp, rbp, r8 to r15.
    pub general: [u64; 16],
    /// The instruction pointer.
    pub rip: u64,
    /// The flags register.
    pub rflags: u64,
    /// cs, ds, es, fs, gs, ss.
    pub segments: [QemuSegment; 6],
    /// The local descriptor table.
    pub ldt: QemuSegment,
    /// The task register.
    pub tr: QemuSegment,
    /// The global descriptor table.
    pub gdt: QemuSegment,
    /// The interrupt descriptor table.
    pub idt: QemuSegment,
    /// cr0 to cr4; cr1 is unused.
    pub cr: [u64; 5],
    /// The kernel's gs base while in user mode; not from QEMU before 3.0.
    pub kernel_gs_base: Option<u64>,
}

impl QemuCpuState {
    /// Reads the descriptor `desc`, whose byte order is `layout`'s.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for another version than 1; [`Error::Corrupt`] where `desc` ends early, its offset
    /// counting from the start of `desc`.
    pub fn parse(desc: &[u8], layout: Layout) -> Result<Self, Error> {
        let mut fields = FieldReader::new(desc, layout, Field::QemuCpuState, 0);
        let version = fields.u32()?;
        if version != 1 {
            return Err(Error::Unsupported { field: Field::QemuCpuState, value: u64::from(version) });
        }
        let size = fields.u32()?;
        let general = words(&mut fields)?;
        let [rip, rflags] = words(&mut fields)?;
        let mut segments = [QemuSegment::default(); 6];
        for register in &mut segments {
            *register = segment(&mut fields)?;
        }
        Ok(Self {
            general,
            rip,
            rflags,
            segments,
            ldt: segment(&mut fields)?,
            tr: segment(&mut fields)?,
            gdt: segment(&mut fields)?,
            idt: segment(&mut fields)?,
            cr: words(&mut fields)?,
            kernel_gs_base: if size < WITH_KERNEL_GS_BASE { None } else { fields.u64().ok() },
        })
    }
}

fn words<const N: usize>(fields: &mut FieldReader<'_>) -> Result<[u64; N], Error> {
    let mut words = [0; N];
    for word in &mut words {
        *word = fields.u64()?;
    }
    Ok(words)
}

fn segment(fields: &mut FieldReader<'_>) -> Result<QemuSegment, Error> {
    let (selector, limit, flags, _pad) = (fields.u32()?, fields.u32()?, fields.u32()?, fields.u32()?);
    Ok(QemuSegment { selector, limit, flags, base: fields.u64()? })
}
