//! Memory that a dump is not to show.
//!
//! The caller names ranges of physical or of the kernel's virtual memory ([`Secrets`]) and whole pages by a bitmap
//! ([`SecretPages`]). A [`Dumper`](crate::dump::Dumper) with such a [`Redaction`] overwrites these bytes with
//! [`FILL`] before it does anything else with them, so that no form of the output has them, and writes what it hid to
//! the log of erased data. Pages stay where they are: a page of which all is secret is a page full of [`FILL`]. Which
//! pages are kept does not change either, for the filter looks at the memory itself: so an ELF core still leaves out pages of zeros.
//!
//! What it does not do: look for other copies of a secret. Notes are copied as they are, though they may stand in
//! memory that is hidden: the registers of each CPU (`NT_PRSTATUS`) and VMCOREINFO are what a dump is read with. Who
//! has to fear for what was in registers leaves these notes out of the [`Source`](crate::dump::Source).

mod memory;
mod pages;
mod secrets;

pub(crate) use memory::Redacted;
pub use pages::SecretPages;
pub use secrets::{Secret, Secrets};

use core::fmt;
use core::ops::Range;

use vmcore_format::eraseinfo::EraseLine;
use vmcore_format::{PageSize, PhysAddr, VirtAddr};

use crate::{Kernel, PhysMemory, VirtFault};

/// What hidden bytes become: `X`, as with makedumpfile.
pub const FILL: u8 = b'X';

/// What a dump is to hide. The least is [`NONE`](Self::NONE).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Redaction<'a> {
    /// In the order of their starts; what each has besides those before it ascends, and is disjoint.
    secrets: &'a [Secret<'a>],
    pages: Option<SecretPages<'a>>,
}

impl<'a> Redaction<'a> {
    /// Nothing is hidden.
    pub const NONE: Self = Self { secrets: &[], pages: None };

    /// Whether there is nothing to hide.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::NONE
    }

    /// The lines of the log: one for each range, in the order of addresses, then one for each run of pages of the bitmap.
    pub fn lines(&self, page_size: PageSize) -> impl Iterator<Item = EraseLine<'a>> + use<'a> {
        let pages = self.pages.into_iter().flat_map(move |pages| pages.lines(page_size));
        self.secrets.iter().map(Secret::line).chain(pages)
    }

    /// Hands out the secret bytes of `memory`; some of them twice, if a range and the bitmap have them.
    fn each(&self, memory: &Range<u64>, page_size: PageSize, act: &mut dyn FnMut(Range<u64>)) {
        let first = self.secrets.partition_point(|secret| secret.fresh.1 <= memory.start);
        for &Secret { fresh: (start, end), .. } in self.secrets.get(first..).unwrap_or_default() {
            if start >= memory.end {
                break;
            }
            let (start, end) = (start.max(memory.start), end.min(memory.end));
            if start < end {
                act(start..end);
            }
        }
        if let Some(pages) = self.pages {
            pages.each(memory, page_size, act);
        }
    }

    /// Overwrites what is secret of the bytes at `addr`.
    fn hide(&self, addr: PhysAddr, bytes: &mut [u8], page_size: PageSize) {
        let memory = memory(addr, bytes.len());
        self.each(&memory, page_size, &mut |hidden| {
            let place = |at: u64| usize::try_from(at.saturating_sub(addr.0)).unwrap_or(usize::MAX);
            bytes.get_mut(place(hidden.start)..place(hidden.end)).unwrap_or_default().fill(FILL);
        });
    }

    /// Overwrites what is secret of the bytes at the kernel's virtual address `addr`; all of them where it cannot be told.
    pub(crate) fn hide_virt(
        &self,
        kernel: &mut Kernel,
        memory: &mut dyn PhysMemory,
        addr: VirtAddr,
        bytes: &mut [u8],
    ) {
        let (page_size, mut at, mut rest) = (memory.page_size(), addr, bytes);
        while !self.is_none() && !rest.is_empty() {
            let Ok(mapping) = kernel.translate(memory, at) else { return rest.fill(FILL) };
            let len = usize::try_from(mapping.len.max(1)).map_or(rest.len(), |len| len.min(rest.len()));
            let (now, later) = rest.split_at_mut_checked(len).unwrap_or_default();
            self.hide(mapping.phys, now, page_size);
            at = VirtAddr(at.0.saturating_add(u64::try_from(len).unwrap_or(u64::MAX)));
            rest = later;
        }
    }

    /// Whether any of the `len` bytes at `addr` is secret.
    pub(crate) fn touches(&self, addr: PhysAddr, len: usize, page_size: PageSize) -> bool {
        let mut any = false;
        self.each(&memory(addr, len), page_size, &mut |_| any = true);
        any
    }

    /// How many of the bytes of the page at `addr` are secret.
    pub(crate) fn bytes_of_page(&self, addr: PhysAddr, page_size: PageSize) -> u64 {
        let mut sum = 0_u64;
        let whole = page_size.bytes();
        self.each(&memory(addr, page_size.len()), page_size, &mut |hidden| {
            sum = sum.saturating_add(hidden.end.saturating_sub(hidden.start));
        });
        // The bitmap hides whole pages: what a range has of them counts once.
        sum.min(whole)
    }
}

fn memory(addr: PhysAddr, len: usize) -> Range<u64> {
    addr.0..addr.0.saturating_add(u64::try_from(len).unwrap_or(u64::MAX))
}

/// Why memory cannot be hidden as asked. Nothing is hidden in part: without what failed the dump shows what was to be hidden.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RedactError {
    /// The caller's table is too small.
    BufferTooSmall {
        /// The entries needed for all ranges so far.
        needed: u64,
    },
    /// A range is empty, ends before it starts, or is too long.
    Range {
        /// The address of its first byte.
        start: u64,
        /// The address after its last byte.
        end: u64,
    },
    /// A name that the log cannot have: [`EraseLine::is_name`].
    Name,
    /// A bitmap that reaches further than any machine's memory, or has a broken word.
    Bitmap {
        /// The page frame of its first bit.
        first: u64,
    },
    /// Virtual memory of which some is not mapped.
    Virt(VirtFault),
}

impl RedactError {
    /// The stable number of the error's kind.
    #[must_use]
    pub const fn code(self) -> i32 {
        match self {
            Self::BufferTooSmall { .. } => 1,
            Self::Range { .. } => 2,
            Self::Name => 3,
            Self::Bitmap { .. } => 4,
            Self::Virt(_) => 5,
        }
    }
}

impl fmt::Display for RedactError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BufferTooSmall { needed } => write!(f, "the table is too small: {needed} entries needed"),
            Self::Range { start, end } => write!(f, "{start:#x}-{end:#x} is no range of memory"),
            Self::Name => f.write_str("a name has characters other than visible ones of ASCII, or too many"),
            Self::Bitmap { first } => write!(f, "the bitmap from page frame {first:#x} on fits no memory"),
            Self::Virt(fault) => fault.fmt(f),
        }
    }
}

impl core::error::Error for RedactError {}

#[cfg(test)]
mod tests;
