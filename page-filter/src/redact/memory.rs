//! Memory as a dump shows it.

use core::ops::Range;

use vmcore_format::{PageSize, Pfn, PhysAddr};

use super::Redaction;
use crate::{Fault, PhysMemory};

/// Memory in which secrets are overwritten: what pages are encoded from, and what nothing else reads. The filter looks
/// at the memory itself.
pub(crate) struct Redacted<'m, 'r> {
    memory: &'m mut dyn PhysMemory,
    redaction: Redaction<'r>,
}

impl<'m, 'r> Redacted<'m, 'r> {
    pub(crate) fn new(memory: &'m mut dyn PhysMemory, redaction: Redaction<'r>) -> Self {
        Self { memory, redaction }
    }
}

impl PhysMemory for Redacted<'_, '_> {
    fn page_size(&self) -> PageSize {
        self.memory.page_size()
    }

    fn read(&mut self, addr: PhysAddr, buf: &mut [u8]) -> Result<(), Fault> {
        self.memory.read(addr, buf)?;
        self.redaction.hide(addr, buf, self.memory.page_size());
        Ok(())
    }

    fn view(&self, addr: PhysAddr, len: usize) -> Option<&[u8]> {
        // Memory in place cannot be overwritten: it is read instead.
        if self.redaction.touches(addr, len, self.memory.page_size()) {
            return None;
        }
        self.memory.view(addr, len)
    }

    fn next_known(&mut self, from: Pfn) -> Result<Option<Range<Pfn>>, Fault> {
        self.memory.next_known(from)
    }

    fn next_held(&mut self, from: Pfn) -> Result<Option<Range<Pfn>>, Fault> {
        self.memory.next_held(from)
    }
}
