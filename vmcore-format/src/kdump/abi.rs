//! The C ABI of the program that wrote a file, and fields read and written by its rules.

use scroll::{Pread, Pwrite};

use crate::machine::EM_386;
use crate::{Class, Endian, Layout};

/// The sizes and alignments of a C ABI's integers, as far as kdump-compressed files depend on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DataModel {
    /// 64-bit `long`; `struct timeval` of 16 bytes.
    Lp64,
    /// 32-bit `long`, 64-bit integers aligned to 8 bytes (arm, ppc32, mips), `struct timeval` of 8 bytes.
    Ilp32,
    /// As [`Ilp32`](Self::Ilp32), with the 16 byte `struct timeval` of a 64-bit `time_t`.
    Ilp32Time64,
    /// 32-bit `long`, 64-bit integers aligned to 4 bytes (i386, and QEMU for every 32-bit guest),
    /// `struct timeval` of 8 bytes.
    I386,
    /// As [`I386`](Self::I386), with the 16 byte `struct timeval` of a 64-bit `time_t`.
    I386Time64,
}

/// Byte order and data model: what decides where each field of a kdump-compressed file stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Abi {
    /// Byte order of every field.
    pub endian: Endian,
    /// Sizes and alignments.
    pub model: DataModel,
}

impl DataModel {
    fn long_len(self) -> usize {
        if self == Self::Lp64 { 8 } else { 4 }
    }

    fn long_long_align(self) -> usize {
        if matches!(self, Self::I386 | Self::I386Time64) { 4 } else { 8 }
    }

    /// Whether both fields of `struct timeval` are 64 bits wide.
    pub(super) fn wide_timeval(self) -> bool {
        matches!(self, Self::Lp64 | Self::Ilp32Time64 | Self::I386Time64)
    }
}

impl Abi {
    /// The ABI in which to write the dump of a machine: its own, with the `struct timeval` that readers expect.
    ///
    /// `e_machine` is the ELF machine number; it tells i386 from the other 32-bit machines.
    #[must_use]
    pub fn of_machine(layout: Layout, e_machine: u16) -> Self {
        let model = match layout.class {
            Class::Bits64 => DataModel::Lp64,
            Class::Bits32 if e_machine == EM_386 => DataModel::I386,
            Class::Bits32 => DataModel::Ilp32,
        };
        Self { endian: layout.endian, model }
    }

    /// Byte order and size of `long`.
    #[must_use]
    pub fn layout(self) -> Layout {
        let class = if self.model == DataModel::Lp64 { Class::Bits64 } else { Class::Bits32 };
        Layout { endian: self.endian, class }
    }
}

/// Takes the fields of a C structure from its bytes, in order. `None`: the bytes end before the field does.
pub(super) struct StructReader<'b> {
    bytes: &'b [u8],
    at: usize,
    abi: Abi,
}

impl<'b> StructReader<'b> {
    pub(super) fn new(bytes: &'b [u8], abi: Abi) -> Self {
        Self { bytes, at: 0, abi }
    }

    fn place(&mut self, len: usize, align: usize) -> Option<usize> {
        let start = self.at.checked_next_multiple_of(align)?;
        self.at = start.checked_add(len)?;
        Some(start)
    }

    pub(super) fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let start = self.place(N, 1)?;
        self.bytes.get(start..)?.first_chunk().copied()
    }

    pub(super) fn int(&mut self) -> Option<u32> {
        let start = self.place(4, 4)?;
        self.bytes.pread_with(start, self.abi.endian.into()).ok()
    }

    pub(super) fn long(&mut self) -> Option<u64> {
        match self.abi.model.long_len() {
            4 => self.int().map(u64::from),
            _ => self.long_long(),
        }
    }

    pub(super) fn long_long(&mut self) -> Option<u64> {
        let start = self.place(8, self.abi.model.long_long_align())?;
        self.bytes.pread_with(start, self.abi.endian.into()).ok()
    }
}

/// Puts the fields of a C structure into bytes that are zero before, in order. `None`: the field does not fit
/// (into the bytes, or the value into a 32-bit `long`).
pub(super) struct StructWriter<'b> {
    bytes: &'b mut [u8],
    at: usize,
    abi: Abi,
}

impl<'b> StructWriter<'b> {
    pub(super) fn new(bytes: &'b mut [u8], abi: Abi) -> Self {
        Self { bytes, at: 0, abi }
    }

    fn place(&mut self, len: usize, align: usize) -> Option<usize> {
        let start = self.at.checked_next_multiple_of(align)?;
        self.at = start.checked_add(len)?;
        Some(start)
    }

    pub(super) fn bytes(&mut self, value: &[u8]) -> Option<()> {
        let start = self.place(value.len(), 1)?;
        self.bytes.get_mut(start..self.at)?.copy_from_slice(value);
        Some(())
    }

    pub(super) fn int(&mut self, value: u32) -> Option<()> {
        let start = self.place(4, 4)?;
        self.bytes.pwrite_with(value, start, self.abi.endian.into()).ok().map(|_| ())
    }

    pub(super) fn long(&mut self, value: u64) -> Option<()> {
        match self.abi.model.long_len() {
            4 => self.int(u32::try_from(value).ok()?),
            _ => self.long_long(value),
        }
    }

    pub(super) fn long_long(&mut self, value: u64) -> Option<()> {
        let start = self.place(8, self.abi.model.long_long_align())?;
        self.bytes.pwrite_with(value, start, self.abi.endian.into()).ok().map(|_| ())
    }
}
