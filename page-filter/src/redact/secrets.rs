//! Ranges of memory to be hidden, collected in the caller's table.

use core::ops::Range;

use vmcore_format::eraseinfo::EraseLine;
use vmcore_format::{PhysAddr, VirtAddr, sort_by_key};

use super::{RedactError, Redaction, SecretPages};
use crate::{Kernel, PhysMemory};

/// The most bytes of virtual memory that are hidden as one: so long a range is no symbol, but a wrong number.
const MOST_VIRT: u64 = 1 << 32;

/// Memory to be hidden: half-open, in bytes, with a name for the log or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Secret<'a> {
    start: u64,
    end: u64,
    name: &'a str,
    /// What no secret before this one has; empty if they have it all.
    pub(super) fresh: (u64, u64),
}

impl<'a> Secret<'a> {
    /// Room for one.
    pub const EMPTY: Self = Self { start: 0, end: 0, name: "", fresh: (0, 0) };

    /// The line of the log.
    pub(super) fn line(&self) -> EraseLine<'a> {
        EraseLine { name: self.name, addr: PhysAddr(self.start), len: self.end.saturating_sub(self.start) }
    }
}

/// Memory to be hidden, collected in a table that the caller lends.
#[derive(Debug)]
pub struct Secrets<'a> {
    slots: &'a mut [Secret<'a>],
    len: usize,
}

impl<'a> Secrets<'a> {
    /// None yet. `slots` has an entry for each range to come; what is in them does not matter.
    #[must_use]
    pub fn new(slots: &'a mut [Secret<'a>]) -> Self {
        Self { slots, len: 0 }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds physical memory. Ranges may overlap, and lie where no memory is.
    ///
    /// # Errors
    /// [`RedactError::Range`] for a range that is empty or ends before it starts: who names one has mistaken
    /// something; [`RedactError::Name`]; [`RedactError::BufferTooSmall`]. Nothing was added then.
    pub fn push(&mut self, memory: Range<PhysAddr>, name: &'a str) -> Result<(), RedactError> {
        if memory.start >= memory.end {
            return Err(RedactError::Range { start: memory.start.0, end: memory.end.0 });
        }
        if !EraseLine::is_name(name) {
            return Err(RedactError::Name);
        }
        self.put(Secret { start: memory.start.0, end: memory.end.0, name, fresh: (0, 0) });
        self.check(self.len.saturating_sub(1))
    }

    /// Adds the memory behind `len` bytes of the kernel's virtual memory from `addr` on, such as a symbol's, wherever the
    /// page tables put it.
    ///
    /// # Errors
    /// As [`push`](Self::push), and [`RedactError::Virt`] where any of it is not mapped or the page tables cannot be
    /// read; [`RedactError::Range`] for more than 4 GiB. Nothing was added then: part of a secret is no less secret.
    pub fn push_virt(
        &mut self,
        kernel: &mut Kernel,
        memory: &mut dyn PhysMemory,
        addr: VirtAddr,
        len: u64,
        name: &'a str,
    ) -> Result<(), RedactError> {
        let end = addr.0.wrapping_add(len);
        if len == 0 || len > MOST_VIRT || end < addr.0 {
            return Err(RedactError::Range { start: addr.0, end });
        }
        if !EraseLine::is_name(name) {
            return Err(RedactError::Name);
        }
        let before = self.len;
        let mut piece = 0..0;
        let mut done = 0;
        while done < len {
            let at = VirtAddr(addr.0.saturating_add(done));
            let mapping = kernel.translate(memory, at);
            let mapping = mapping.inspect_err(|_| self.len = before).map_err(RedactError::Virt)?;
            let step = mapping.len.clamp(1, len.saturating_sub(done));
            if piece.end != mapping.phys.0 {
                self.put_piece(&piece, name);
                piece.start = mapping.phys.0;
            }
            piece.end = mapping.phys.0.saturating_add(step);
            done = done.saturating_add(step);
        }
        self.put_piece(&piece, name);
        self.check(before)
    }

    fn put_piece(&mut self, piece: &Range<u64>, name: &'a str) {
        if piece.start < piece.end {
            self.put(Secret { start: piece.start, end: piece.end, name, fresh: (0, 0) });
        }
    }

    /// Counts one more, in its slot if there is one.
    fn put(&mut self, secret: Secret<'a>) {
        if let Some(slot) = self.slots.get_mut(self.len) {
            *slot = secret;
        }
        self.len = self.len.saturating_add(1);
    }

    /// Whether all had room; otherwise there are `before` again.
    fn check(&mut self, before: usize) -> Result<(), RedactError> {
        if self.len <= self.slots.len() {
            return Ok(());
        }
        let needed = u64::try_from(self.len).unwrap_or(u64::MAX);
        self.len = before;
        Err(RedactError::BufferTooSmall { needed })
    }

    /// What a dump is to hide: these ranges, and `pages`.
    #[must_use]
    pub fn into_redaction(self, pages: Option<SecretPages<'a>>) -> Redaction<'a> {
        let secrets = self.slots.get_mut(..self.len).unwrap_or_default();
        sort_by_key(secrets, |secret| (secret.start, secret.end, secret.name));
        let mut reach = 0;
        for secret in secrets.iter_mut() {
            let end = secret.end.max(reach);
            secret.fresh = (secret.start.max(reach), end);
            reach = end;
        }
        Redaction { secrets, pages }
    }
}
