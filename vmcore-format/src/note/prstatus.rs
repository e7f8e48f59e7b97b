//! `struct elf_prstatus`: a CPU's registers when the machine crashed.

use crate::fields::{FieldReader, FieldWriter};
use crate::machine::{
    EM_386, EM_AARCH64, EM_ARM, EM_LOONGARCH, EM_MIPS, EM_PPC, EM_PPC64, EM_RISCV, EM_S390, EM_X86_64,
};
use crate::{Class, Endian, Error, Field, Layout};

/// `struct elf_siginfo`: three `int`s.
const SIGINFO_LEN: usize = 12;

/// The layout of a machine's `struct elf_prstatus`.
///
/// `pr_info` (12 bytes), `pr_cursig`, `pr_sigpend`, `pr_sighold`, four pids, four times, `pr_reg` at 72 or 112,
/// `pr_fpvalid`. Source: `include/linux/elfcore.h`, `ELF_NGREG` of each architecture (Linux 6.12).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PrstatusLayout {
    /// The machine's word size, which the ELF class of the dump need not be: a 32-bit kernel with memory above
    /// 4 GiB is dumped with class 64 headers.
    pub class: Class,
    /// The length of `pr_reg` in bytes.
    pub reg_len: usize,
    /// The length of the structure in bytes.
    pub len: usize,
}

const fn layout(class: Class, reg_len: usize, len: usize) -> PrstatusLayout {
    PrstatusLayout { class, reg_len, len }
}

impl PrstatusLayout {
    /// The layout for `e_machine`; `class` decides where a machine number stands for both word sizes.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for a machine that is not known.
    pub const fn new(e_machine: u16, class: Class) -> Result<Self, Error> {
        use Class::{Bits32, Bits64};
        Ok(match (e_machine, class) {
            (EM_386, _) => layout(Bits32, 17 * 4, 144),
            (EM_X86_64, _) => layout(Bits64, 27 * 8, 336),
            (EM_ARM, _) => layout(Bits32, 18 * 4, 148),
            (EM_AARCH64, _) => layout(Bits64, 34 * 8, 392),
            (EM_PPC, _) => layout(Bits32, 48 * 4, 268),
            (EM_PPC64, _) => layout(Bits64, 48 * 8, 504),
            (EM_S390, Bits32) => layout(Bits32, 144, 224),
            (EM_S390, Bits64) => layout(Bits64, 216, 336),
            (EM_RISCV, Bits32) => layout(Bits32, 32 * 4, 204),
            (EM_RISCV, Bits64) => layout(Bits64, 32 * 8, 376),
            (EM_LOONGARCH | EM_MIPS, Bits32) => layout(Bits32, 45 * 4, 256),
            (EM_LOONGARCH | EM_MIPS, Bits64) => layout(Bits64, 45 * 8, 480),
            _ => return Err(Error::Unsupported { field: Field::EMachine, value: widened(e_machine) }),
        })
    }

    /// The layout for `e_machine` of a descriptor of `desc_len` bytes, which tells the word size where a machine
    /// number stands for two.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for a machine that is not known.
    pub fn of_desc(e_machine: u16, desc_len: usize) -> Result<Self, Error> {
        let wide = Self::new(e_machine, Class::Bits64)?;
        if desc_len < wide.len { Self::new(e_machine, Class::Bits32) } else { Ok(wide) }
    }

    /// Where `pr_reg` starts in the structure, in bytes.
    #[must_use]
    pub const fn reg_offset(&self) -> usize {
        match self.class {
            Class::Bits32 => 72,
            Class::Bits64 => 112,
        }
    }
}

#[expect(clippy::as_conversions, reason = "u64::from is not const; a u16 fits")]
const fn widened(e_machine: u16) -> u64 {
    e_machine as u64
}

/// A CPU's registers when the machine crashed, as its `NT_PRSTATUS` note holds them.
///
/// The other fields of `struct elf_prstatus` are zero in a dump. A CPU that did not save its registers has no note,
/// so the position of a note among its like is not the CPU's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prstatus<'a> {
    /// `pr_cursig`: the current signal; 0 in a crash dump.
    pub pr_cursig: u16,
    /// `pr_pid`: the task that ran, 0 for the idle task; QEMU says the CPU's number plus one.
    pub pr_pid: i32,
    /// `pr_reg`: the general registers in the machine's order and byte order; see
    /// [`X86_64Registers`](super::X86_64Registers).
    pub pr_reg: &'a [u8],
}

impl<'a> Prstatus<'a> {
    /// Reads the descriptor `desc` of a dump with this `e_machine` and byte order.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for a machine that is not known; [`Error::Corrupt`] where `desc` ends before `pr_reg`
    /// does, its offset counting from the start of `desc`.
    pub fn parse(desc: &'a [u8], e_machine: u16, endian: Endian) -> Result<Self, Error> {
        let layout = PrstatusLayout::of_desc(e_machine, desc.len())?;
        let machine = Layout { endian, class: layout.class };
        let mut fields = FieldReader::new(desc, machine, Field::Prstatus, 0);
        fields.bytes(SIGINFO_LEN)?;
        let pr_cursig = fields.u16()?;
        fields.u16()?; // padding
        let (_pr_sigpend, _pr_sighold) = (fields.word()?, fields.word()?);
        let pr_pid = fields.u32()?.cast_signed();
        let (_pr_ppid, _pr_pgrp, _pr_sid) = (fields.u32()?, fields.u32()?, fields.u32()?);
        for _time in 0..4 {
            let (_seconds, _microseconds) = (fields.word()?, fields.word()?);
        }
        let pr_reg = fields.bytes(layout.reg_len)?;
        Ok(Self { pr_cursig, pr_pid, pr_reg })
    }

    /// Writes the descriptor to the front of `buf` and answers with its length in bytes, `layout.len`. Fields that
    /// are not named here are zero.
    ///
    /// # Errors
    /// [`Error::BufferTooSmall`]; [`Error::Unsupported`] where `pr_reg` is not `layout.reg_len` bytes long.
    pub fn encode(&self, layout: PrstatusLayout, endian: Endian, buf: &mut [u8]) -> Result<usize, Error> {
        if self.pr_reg.len() != layout.reg_len {
            let value = u64::try_from(self.pr_reg.len()).unwrap_or(u64::MAX);
            return Err(Error::Unsupported { field: Field::PrReg, value });
        }
        let machine = Layout { endian, class: layout.class };
        let mut fields = FieldWriter::new(buf, machine, layout.len)?;
        fields.bytes(&[0; SIGINFO_LEN])?;
        fields.u16(self.pr_cursig)?;
        fields.u16(0)?; // padding
        for _signals in 0..2 {
            fields.word(Field::Prstatus, 0)?;
        }
        fields.u32(self.pr_pid.cast_unsigned())?;
        for _pid in 0..3 {
            fields.u32(0)?;
        }
        for _half_time in 0..8 {
            fields.word(Field::Prstatus, 0)?;
        }
        fields.bytes(self.pr_reg)?;
        Ok(fields.finish())
    }
}
