//! The bytes of one `struct page`.

use vmcore_format::{Class, Layout};

/// The largest `struct page` read: 64 bytes as a rule, more with debugging options (`SIZE(page)`).
pub(crate) const MAX_STRUCT_PAGE: usize = 256;

/// One `struct page`, in the layout of the machine it comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StructPage<'a> {
    bytes: &'a [u8],
    layout: Layout,
}

impl<'a> StructPage<'a> {
    pub(crate) fn new(bytes: &'a [u8], layout: Layout) -> Self {
        Self { bytes, layout }
    }

    /// An `unsigned long` or pointer.
    pub(crate) fn long(&self, offset: usize) -> Option<u64> {
        let bytes = self.bytes.get(offset..)?;
        match self.layout.class {
            Class::Bits64 => bytes.first_chunk().map(|bytes| self.layout.endian.u64(*bytes)),
            Class::Bits32 => bytes.first_chunk().map(|bytes| u64::from(self.layout.endian.u32(*bytes))),
        }
    }

    /// An `unsigned int`.
    pub(crate) fn int(&self, offset: usize) -> Option<u32> {
        self.bytes.get(offset..)?.first_chunk().map(|bytes| self.layout.endian.u32(*bytes))
    }

    /// An `unsigned char`.
    pub(crate) fn byte(&self, offset: usize) -> Option<u8> {
        self.bytes.get(offset).copied()
    }
}
