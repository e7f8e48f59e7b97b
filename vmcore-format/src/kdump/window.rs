//! The last bytes read from a table of the file, so that neighbouring entries cost one read.

use crate::{Error, Field, ReadAt};

/// `N` bytes of a file, at most.
#[derive(Debug)]
pub(super) struct Window<const N: usize> {
    start: u64,
    len: usize,
    bytes: [u8; N],
}

impl<const N: usize> Window<N> {
    pub(super) fn new() -> Self {
        Self { start: 0, len: 0, bytes: [0; N] }
    }

    /// Forgets what was read: the next bytes come from another file.
    pub(super) fn clear(&mut self) {
        self.len = 0;
    }

    /// The bytes from `offset` on, at least `want` of them (`want` <= `N`). The table starts at `table`, which only says how
    /// reads are aligned.
    ///
    /// A failed read is tried again with the wanted bytes alone: the rest may be past the end of a truncated file.
    pub(super) fn at(
        &mut self,
        input: &dyn ReadAt,
        table: u64,
        offset: u64,
        want: usize,
        field: Field,
    ) -> Result<&[u8], Error> {
        if self.held(offset, want).is_none() {
            self.fill(input, table, offset, want, field)?;
        }
        self.held(offset, want).ok_or(Error::Corrupt { field, offset })
    }

    /// Whether the byte at `offset` is at hand.
    pub(super) fn holds(&self, offset: u64) -> bool {
        self.held(offset, 1).is_some()
    }

    fn held(&self, offset: u64, want: usize) -> Option<&[u8]> {
        let skip = usize::try_from(offset.checked_sub(self.start)?).ok()?;
        let bytes = self.bytes.get(..self.len)?.get(skip..)?;
        (bytes.len() >= want).then_some(bytes)
    }

    fn fill(
        &mut self,
        input: &dyn ReadAt,
        table: u64,
        offset: u64,
        want: usize,
        field: Field,
    ) -> Result<(), Error> {
        self.len = 0;
        let size = input.size().unwrap_or(u64::MAX);
        let fits = |end: &u64| *end <= size;
        let wanted = u64::try_from(want).ok().and_then(|want| offset.checked_add(want)).filter(fits);
        if wanted.is_none() {
            return Err(Error::Corrupt { field, offset });
        }
        let whole = u64::try_from(N).unwrap_or(u64::MAX);
        let into = offset.checked_sub(table).and_then(|distance| distance.checked_rem(whole)).unwrap_or(0);
        let start = offset.saturating_sub(into);
        let len = usize::try_from(size.saturating_sub(start)).unwrap_or(usize::MAX).min(N);
        if self.read(input, start, len).is_ok() && self.held(offset, want).is_some() {
            return Ok(());
        }
        self.read(input, offset, want).map_err(|code| Error::Io { code })
    }

    fn read(&mut self, input: &dyn ReadAt, start: u64, len: usize) -> Result<(), i32> {
        self.len = 0;
        let bytes = self.bytes.get_mut(..len).unwrap_or_default();
        input.read_at(start, bytes)?;
        self.start = start;
        self.len = len;
        Ok(())
    }
}
