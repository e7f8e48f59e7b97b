//! A growing buffer in the byte order and word size of some machine.

/// Bytes in the byte order and word size of one machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bytes {
    /// What was written so far.
    pub bytes: Vec<u8>,
    big: bool,
    wide: bool,
}

impl Bytes {
    /// An empty buffer: `big` for most significant byte first, `wide` for 8-byte words.
    #[must_use]
    pub fn new(big: bool, wide: bool) -> Self {
        Self { bytes: Vec::new(), big, wide }
    }

    /// A buffer of `len` zero bytes, to write into with [`Bytes::at`].
    #[must_use]
    pub fn zeroed(big: bool, wide: bool, len: usize) -> Self {
        Self { bytes: vec![0; len], big, wide }
    }

    /// Appends one byte.
    pub fn u8(&mut self, v: u8) -> &mut Self {
        self.bytes.push(v);
        self
    }

    /// Appends two bytes.
    pub fn u16(&mut self, v: u16) -> &mut Self {
        let b = if self.big { v.to_be_bytes() } else { v.to_le_bytes() };
        self.raw(&b)
    }

    /// Appends four bytes.
    pub fn u32(&mut self, v: u32) -> &mut Self {
        let b = if self.big { v.to_be_bytes() } else { v.to_le_bytes() };
        self.raw(&b)
    }

    /// Appends eight bytes.
    pub fn u64(&mut self, v: u64) -> &mut Self {
        let b = if self.big { v.to_be_bytes() } else { v.to_le_bytes() };
        self.raw(&b)
    }

    /// Appends a `long` or a pointer.
    pub fn word(&mut self, v: u64) -> &mut Self {
        if self.wide { self.u64(v) } else { self.u32(v as u32) }
    }

    /// Appends bytes as they are.
    pub fn raw(&mut self, b: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(b);
        self
    }

    /// Appends zero bytes until the length is `len`.
    pub fn pad_to(&mut self, len: usize) -> &mut Self {
        assert!(self.bytes.len() <= len, "{} bytes stand where {len} belong", self.bytes.len());
        // Not `resize`, which goes byte by byte: that would be slow where every step is interpreted.
        self.bytes.extend_from_slice(&vec![0; len - self.bytes.len()]);
        self
    }

    /// Appends zero bytes until the length is a multiple of `to`.
    pub fn align(&mut self, to: usize) -> &mut Self {
        self.pad_to(self.bytes.len().next_multiple_of(to))
    }

    /// The length, in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing was written yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Overwrites the field at `offset` with what `write` appends to an empty buffer of the same machine.
    pub fn at(&mut self, offset: usize, write: impl FnOnce(&mut Self)) -> &mut Self {
        let mut field = Self::new(self.big, self.wide);
        write(&mut field);
        let end = offset + field.bytes.len();
        if self.bytes.len() < end {
            self.pad_to(end);
        }
        self.bytes[offset..end].copy_from_slice(&field.bytes);
        self
    }
}
