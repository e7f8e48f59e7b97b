//! A handful of pages on their way from memory to the output.

use vmcore_format::kdump::Compression;
use vmcore_format::{PageSize, Pfn};

use super::duplicates::{DIGEST_BYTES, Digest};
use super::window;
use crate::redact::Redaction;
use crate::{Fault, bits, codec};

/// The most page frames that a chunk spans.
pub const CHUNK_FRAMES: u64 = 256;

/// Read faults that a report names one by one. A chunk names as many: which ones a report names does not depend on how pages are
/// divided into chunks.
pub const NAMED_FAULTS: usize = 16;

/// Pages to be encoded: nothing but numbers, to be sent to whichever thread is free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chunk {
    /// Chunks are committed in the order of these numbers, from 0.
    pub sequence: u64,
    /// The frame of the lowest bit of `pages`.
    pub first: Pfn,
    /// Bit `i % 64` of word `i / 64` says whether frame `first + i` is to be saved.
    pub pages: [u64; 4],
    /// ELF output: frames written before the first page.
    pub(super) position: u64,
}

impl Chunk {
    /// The number of pages.
    #[must_use]
    pub fn len(&self) -> usize {
        usize::try_from(bits::count(&self.pages, 0..CHUNK_FRAMES)).unwrap_or(usize::MAX)
    }

    /// Whether there is no page at all; the dumper hands out no such chunk.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pages == [0; 4]
    }

    /// The frames to be saved, in ascending order.
    pub fn pfns(&self) -> impl Iterator<Item = Pfn> {
        let first = self.first.0;
        window::ones(self.pages).map(move |bit| Pfn(first.saturating_add(bit)))
    }
}

/// How pages are encoded: the same for every chunk of a dump.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EncodeParams<'a> {
    /// The page size of the dumped machine.
    pub page_size: PageSize,
    /// How pages are packed.
    pub compression: Compression,
    /// Whether they are packed in less time, to more bytes: see [`codec::encoder`].
    pub fast: bool,
    /// Whether pages of zeros are told from others.
    pub find_zero: bool,
    /// Whether pages with the same bytes are to be told: [`Options::share_duplicates`](super::Options::share_duplicates).
    pub share_duplicates: bool,
    /// The most pages in a chunk.
    pub chunk_pages: usize,
    /// What is overwritten before anything else is done with a page.
    pub redaction: Redaction<'a>,
}

impl EncodeParams<'_> {
    /// The size of the output of [`encode_chunk`], in bytes.
    #[must_use]
    pub fn out_bytes(&self) -> usize {
        self.chunk_pages.saturating_mul(self.page_bytes())
    }

    /// What a page may need of the output, in bytes.
    pub(super) fn page_bytes(&self) -> usize {
        self.page_size.len().saturating_add(self.digest_bytes())
    }

    /// The size of a page's digest, in bytes.
    pub(super) fn digest_bytes(&self) -> usize {
        if self.share_duplicates { DIGEST_BYTES } else { 0 }
    }

    /// The size of the scratch of [`encode_chunk`], in words of 8 bytes.
    #[must_use]
    pub fn scratch_words(&self) -> usize {
        self.codec_words().saturating_add(self.page_size.len().div_euclid(8))
    }

    /// The codec's share of the scratch, in words of 8 bytes; a page follows.
    pub(super) fn codec_words(&self) -> usize {
        codec::encoder(self.compression, self.fast).encode_scratch_words(self.page_size.len()).div_ceil(2)
    }
}

/// What became of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum EncodedPage {
    /// It cannot be read.
    #[default]
    Lost,
    /// It is zero; nothing was written for it.
    Zero,
    /// So many bytes were written for it: the page itself if it is its size, packed if it is less.
    Data(u32),
}

/// What became of the pages of a chunk. The bytes are in the buffer that was given to [`encode_chunk`].
#[derive(Debug, Clone, Copy)]
pub struct Encoded {
    pub(super) pages: [EncodedPage; 256],
    pub(super) faults: [Option<(Pfn, Fault)>; NAMED_FAULTS],
    /// Lost pages where no memory is known, and those in broken memory.
    pub(super) holes: u64,
    pub(super) poisoned: u64,
    /// The size of the packed pages, in bytes; before them stand the digests, one for each page of the chunk.
    pub(super) len: usize,
    pub(super) digests_len: usize,
}

impl Encoded {
    /// The number of bytes written to the buffer.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.digests_len.saturating_add(self.len)
    }

    /// The first few pages that could not be read, and why.
    pub fn faults(&self) -> impl Iterator<Item = (Pfn, Fault)> {
        self.faults.iter().copied().flatten()
    }

    /// The digests and the pages of what was written to the buffer.
    pub(super) fn split<'b>(&self, bytes: &'b [u8]) -> (&'b [Digest], &'b [u8]) {
        let (digests, pages) = bytes.split_at_checked(self.digests_len).unwrap_or_default();
        (digests.as_chunks().0, pages)
    }

    /// What became of each page of the chunk, in its order; the chunk's number of pages says where it ends.
    pub(super) fn pages(&self) -> impl Iterator<Item = EncodedPage> {
        self.pages.iter().copied()
    }
}

/// Whether every byte is zero. Blocks of 64 bytes: about as fast as memory can be read, and a page that is not zero
/// mostly says so in the first.
pub(super) fn is_zero(page: &[u8]) -> bool {
    let (blocks, rest) = page.as_chunks::<64>();
    blocks.iter().all(|block| {
        let (words, _) = block.as_chunks::<8>();
        words.iter().fold(0, |any, word| any | u64::from_ne_bytes(*word)) == 0
    }) && rest.iter().all(|&byte| byte == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_zero_only_if_every_byte_is() {
        let mut page = [0; 4096 + 7];
        assert!(is_zero(&page) && is_zero(&page[..4096]) && is_zero(&[]));
        for at in 0..page.len() {
            page[at] = 0x80;
            assert!(!is_zero(&page), "{at}");
            page[at] = 0;
        }
    }
}
