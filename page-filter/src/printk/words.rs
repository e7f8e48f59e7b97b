//! Numbers of the crashed kernel's memory, in its own byte order and word size.

use vmcore_format::{Class, Layout, VirtAddr};

use super::record::{LogError, ReadVirt};
use crate::phys::Fault;

/// Reads numbers and bytes at virtual addresses.
pub(super) struct Words<'a, 'r> {
    layout: Layout,
    read: &'a mut ReadVirt<'r>,
}

impl<'a, 'r> Words<'a, 'r> {
    pub(super) fn new(layout: Layout, read: &'a mut ReadVirt<'r>) -> Self {
        Self { layout, read }
    }

    /// The number of bits of the kernel's `unsigned long`.
    pub(super) fn long_bits(&self) -> u32 {
        match self.layout.class {
            Class::Bits32 => 32,
            Class::Bits64 => 64,
        }
    }

    /// The size of the kernel's `unsigned long` in bytes.
    pub(super) fn long_bytes(&self) -> u64 {
        u64::from(self.long_bits() >> 3)
    }

    /// The bytes `offset` bytes above `base`.
    pub(super) fn bytes(&mut self, base: u64, offset: u64, buf: &mut [u8]) -> Result<(), LogError> {
        let hole = LogError::Unreadable { addr: VirtAddr(base), fault: Fault::Hole };
        let addr = VirtAddr(base).checked_add(offset).ok_or(hole)?;
        (self.read)(addr, buf).map_err(|fault| LogError::Unreadable { addr, fault })
    }

    pub(super) fn u16(&mut self, base: u64, offset: u64) -> Result<u16, LogError> {
        let mut bytes = [0; 2];
        self.bytes(base, offset, &mut bytes)?;
        let [first, second] = bytes.map(u32::from);
        let number = match self.layout.endian {
            vmcore_format::Endian::Little => second << 8 | first,
            vmcore_format::Endian::Big => first << 8 | second,
        };
        Ok(u16::try_from(number).unwrap_or(u16::MAX))
    }

    pub(super) fn u32(&mut self, base: u64, offset: u64) -> Result<u32, LogError> {
        let mut bytes = [0; 4];
        self.bytes(base, offset, &mut bytes)?;
        Ok(self.layout.endian.u32(bytes))
    }

    pub(super) fn u64(&mut self, base: u64, offset: u64) -> Result<u64, LogError> {
        let mut bytes = [0; 8];
        self.bytes(base, offset, &mut bytes)?;
        Ok(self.layout.endian.u64(bytes))
    }

    /// An `unsigned long` or a pointer.
    pub(super) fn long(&mut self, base: u64, offset: u64) -> Result<u64, LogError> {
        match self.layout.class {
            Class::Bits32 => self.u32(base, offset).map(u64::from),
            Class::Bits64 => self.u64(base, offset),
        }
    }
}
