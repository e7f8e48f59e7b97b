//! Addresses and page frame numbers of the dumped machine, one type per unit.

use core::fmt;

/// A physical address of the dumped machine, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(transparent)]
pub struct PhysAddr(pub u64);

/// A virtual address of the dumped kernel, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(transparent)]
pub struct VirtAddr(pub u64);

/// A page frame number: a physical address divided by the page size.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Pfn(pub u64);

/// The page size of the dumped machine: a power of two from 4 KiB to 64 KiB.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PageSize {
    shift: u8,
}

impl PhysAddr {
    /// The address `bytes` above this one, or `None` past the end of the address space.
    #[must_use]
    pub fn checked_add(self, bytes: u64) -> Option<Self> {
        self.0.checked_add(bytes).map(Self)
    }
}

impl VirtAddr {
    /// The address `bytes` above this one, or `None` past the end of the address space.
    #[must_use]
    pub fn checked_add(self, bytes: u64) -> Option<Self> {
        self.0.checked_add(bytes).map(Self)
    }
}

impl PageSize {
    /// 4 KiB, the page size of x86 and the usual one elsewhere.
    pub const KIB_4: Self = Self { shift: 12 };

    /// The page size of `bytes` bytes, or `None` unless it is a power of two from 4 KiB to 64 KiB.
    #[must_use]
    pub fn new(bytes: u64) -> Option<Self> {
        if !bytes.is_power_of_two() {
            return None;
        }
        let shift = u8::try_from(bytes.trailing_zeros()).ok()?;
        (12..=16).contains(&shift).then_some(Self { shift })
    }

    /// The size in bytes.
    #[must_use]
    pub fn bytes(self) -> u64 {
        1 << self.shift
    }

    /// The size in bytes, for indexing.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "no page is empty")]
    pub fn len(self) -> usize {
        1 << self.shift
    }

    /// The number of address bits below the page frame number.
    #[must_use]
    pub fn shift(self) -> u32 {
        u32::from(self.shift)
    }

    /// The page frame that holds `addr`.
    #[must_use]
    pub fn frame_of(self, addr: PhysAddr) -> Pfn {
        Pfn(addr.0 >> self.shift)
    }

    /// The first page frame at or above `addr`.
    #[must_use]
    pub fn frame_above(self, addr: PhysAddr) -> Pfn {
        let down = self.frame_of(addr);
        if self.offset_in_page(addr) == 0 { down } else { Pfn(down.0.saturating_add(1)) }
    }

    /// The address of the first byte of `pfn`, or `None` past the end of the address space.
    #[must_use]
    pub fn start_of(self, pfn: Pfn) -> Option<PhysAddr> {
        let addr = pfn.0.checked_shl(self.shift())?;
        (addr >> self.shift == pfn.0).then_some(PhysAddr(addr))
    }

    /// The offset of `addr` in its page, in bytes.
    #[must_use]
    pub fn offset_in_page(self, addr: PhysAddr) -> u64 {
        addr.0 & self.bytes().wrapping_sub(1)
    }
}

macro_rules! hex_debug {
    ($($unit:ident),*) => {$(
        impl fmt::Debug for $unit {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($unit), "({:#x})"), self.0)
            }
        }

        impl fmt::Display for $unit {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:#x}", self.0)
            }
        }
    )*};
}
hex_debug!(PhysAddr, VirtAddr, Pfn);

impl fmt::Debug for PageSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PageSize({})", self.bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_sizes_are_powers_of_two_from_4_to_64_kib() {
        for bytes in [0, 1, 2048, 4095, 4097, 0x2_0000, u64::MAX] {
            assert_eq!(PageSize::new(bytes), None, "{bytes}");
        }
        for bytes in [0x1000, 0x2000, 0x4000, 0x8000, 0x1_0000] {
            assert_eq!(PageSize::new(bytes).unwrap().bytes(), bytes);
            assert_eq!(PageSize::new(bytes).unwrap().len() as u64, bytes);
        }
    }

    #[test]
    fn frames_and_addresses_convert_at_the_ends() {
        let page = PageSize::KIB_4;
        assert_eq!(page.frame_of(PhysAddr(0x9_fbff)), Pfn(0x9f));
        assert_eq!(page.frame_above(PhysAddr(0x9_fc00)), Pfn(0xa0));
        assert_eq!(page.frame_above(PhysAddr(0xa_0000)), Pfn(0xa0));
        assert_eq!(page.frame_above(PhysAddr(u64::MAX)), Pfn(1 << 52));
        assert_eq!(page.start_of(Pfn((1 << 52) - 1)), Some(PhysAddr(u64::MAX - 0xfff)));
        assert_eq!(page.start_of(Pfn(1 << 52)), None);
    }
}
