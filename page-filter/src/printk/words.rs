//! Numbers of the crashed kernel's memory, in its own byte order and word size.

use vmcore_format::{Class, Layout, VirtAddr};

use super::record::{LogError, ReadVirt};
use crate::phys::Fault;

/// The size of a window in bytes, and what its address is a multiple of: no page ends within.
const WINDOW: usize = 128;

/// Reads numbers and bytes at virtual addresses.
///
/// What stands around the numbers met last is remembered: those of a record are neighbours, and so are most records.
pub(super) struct Words<'a, 'r> {
    layout: Layout,
    read: &'a mut ReadVirt<'r>,
    /// The one that was filled last comes first: records have two parts.
    windows: [Option<Window>; 2],
}

/// Bytes that were read, and where they start.
struct Window {
    start: u64,
    bytes: [u8; WINDOW],
}

impl<'a, 'r> Words<'a, 'r> {
    pub(super) fn new(layout: Layout, read: &'a mut ReadVirt<'r>) -> Self {
        Self { layout, read, windows: [None, None] }
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

    /// The same for a few bytes, from a window where they are in one.
    fn few_bytes<const N: usize>(&mut self, base: u64, offset: u64) -> Result<[u8; N], LogError> {
        if let Some(bytes) = base.checked_add(offset).and_then(|addr| self.in_window(addr)) {
            return Ok(bytes);
        }
        let mut bytes = [0; N];
        self.bytes(base, offset, &mut bytes)?;
        Ok(bytes)
    }

    /// `None` where the window cannot be read as a whole, or ends before the bytes do.
    fn in_window<const N: usize>(&mut self, addr: u64) -> Option<[u8; N]> {
        let within = addr & u64::try_from(WINDOW.wrapping_sub(1)).ok()?;
        let start = addr.checked_sub(within)?;
        if !self.windows.iter().flatten().any(|window| window.start == start) {
            let mut bytes = [0; WINDOW];
            (self.read)(VirtAddr(start), &mut bytes).ok()?;
            let [last, before] = &mut self.windows;
            *before = last.replace(Window { start, bytes });
        }
        let window = self.windows.iter().flatten().find(|window| window.start == start)?;
        window.bytes.get(usize::try_from(within).ok()?..)?.first_chunk().copied()
    }

    pub(super) fn u16(&mut self, base: u64, offset: u64) -> Result<u16, LogError> {
        let [first, second] = self.few_bytes::<2>(base, offset)?.map(u32::from);
        let number = match self.layout.endian {
            vmcore_format::Endian::Little => second << 8 | first,
            vmcore_format::Endian::Big => first << 8 | second,
        };
        Ok(u16::try_from(number).unwrap_or(u16::MAX))
    }

    pub(super) fn u32(&mut self, base: u64, offset: u64) -> Result<u32, LogError> {
        self.few_bytes(base, offset).map(|bytes| self.layout.endian.u32(bytes))
    }

    pub(super) fn u64(&mut self, base: u64, offset: u64) -> Result<u64, LogError> {
        self.few_bytes(base, offset).map(|bytes| self.layout.endian.u64(bytes))
    }

    /// An `unsigned long` or a pointer.
    pub(super) fn long(&mut self, base: u64, offset: u64) -> Result<u64, LogError> {
        match self.layout.class {
            Class::Bits32 => self.u32(base, offset).map(u64::from),
            Class::Bits64 => self.u64(base, offset),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads of memory that starts at 0x1000, each byte its own place, of which the last window is torn.
    #[test]
    fn neighbours_are_read_once_and_torn_windows_in_pieces() {
        let mut reads = 0;
        let mut read = |addr: VirtAddr, buf: &mut [u8]| {
            reads += 1;
            for (at, byte) in (addr.0..).zip(buf) {
                *byte = match at {
                    0x1000..0x1190 => (at & 0xff) as u8,
                    _ => return Err(Fault::Hole),
                };
            }
            Ok(())
        };
        let mut words = Words::new(Layout::LE64, &mut read);
        assert_eq!(words.u64(0x1000, 8), Ok(0x0f0e_0d0c_0b0a_0908));
        assert_eq!(words.u32(0x1080, 4), Ok(0x8786_8584));
        // Both windows are known; this one lies in neither.
        assert_eq!((words.u16(0x1000, 0), words.u16(0x1080, 2)), (Ok(0x0100), Ok(0x8382)));
        assert_eq!(words.u32(0x107e, 0), Ok(0x8180_7f7e));
        // The window from 0x1180 on is not there as a whole.
        assert_eq!(words.u64(0x1188, 0), Ok(0x8f8e_8d8c_8b8a_8988));
        let addr = VirtAddr(0x118c);
        assert_eq!(words.u64(0x1180, 12), Err(LogError::Unreadable { addr, fault: Fault::Hole }));
        assert!(words.u64(u64::MAX, 1).is_err());
        assert_eq!(words.u64(0x1000, 16), Ok(0x1716_1514_1312_1110));
        // Two windows, one number across their border, and for each of two in the torn window a try and the number.
        assert_eq!(reads, 2 + 1 + 4);
    }
}
