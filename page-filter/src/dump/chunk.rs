//! A handful of pages on their way from memory to the output.

use vmcore_format::kdump::Compression;
use vmcore_format::{PageSize, Pfn};
use zerocopy::{FromBytes, IntoBytes};

use super::{Error, window};
use crate::codec::{self, PageCodec};
use crate::{Fault, PhysMemory, bits};

/// The most page frames that a chunk spans.
pub const CHUNK_FRAMES: u64 = 256;

/// Read faults that a chunk names one by one.
const NAMED_FAULTS: usize = 4;

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
pub struct EncodeParams {
    /// The page size of the dumped machine.
    pub page_size: PageSize,
    /// How pages are packed.
    pub compression: Compression,
    /// Whether they are packed in less time, to more bytes: see [`codec::encoder`].
    pub fast: bool,
    /// Whether pages of zeros are told from others.
    pub find_zero: bool,
    /// The most pages in a chunk.
    pub chunk_pages: usize,
}

impl EncodeParams {
    /// The size of the output of [`encode_chunk`], in bytes.
    #[must_use]
    pub fn out_bytes(&self) -> usize {
        self.chunk_pages.saturating_mul(self.page_size.len())
    }

    /// The size of the scratch of [`encode_chunk`], in words of 8 bytes.
    #[must_use]
    pub fn scratch_words(&self) -> usize {
        let page = self.page_size.len();
        codec_words(self.compression, page).saturating_add(page.div_euclid(8))
    }
}

/// The scratch of a codec, in words of 8 bytes.
fn codec_words(compression: Compression, page: usize) -> usize {
    codec::codec(compression).encode_scratch_words(page).div_ceil(2)
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
    pages: [EncodedPage; 256],
    faults: [Option<(Pfn, Fault)>; NAMED_FAULTS],
    len: usize,
}

impl Encoded {
    /// The number of bytes written to the buffer.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.len
    }

    /// The first few pages that could not be read, and why.
    pub fn faults(&self) -> impl Iterator<Item = (Pfn, Fault)> {
        self.faults.iter().copied().flatten()
    }

    /// What became of each page of the chunk, in its order; the chunk's number of pages says where it ends.
    pub(super) fn pages(&self) -> impl Iterator<Item = EncodedPage> {
        self.pages.iter().copied()
    }
}

/// Reads, tests and packs the pages of `chunk`: a function of its arguments alone, for any thread that has a reader of
/// the memory. A page that cannot be read is marked as lost and is no error.
///
/// `out` receives the pages one after the other; see [`EncodeParams::out_bytes`] and [`EncodeParams::scratch_words`] for
/// the sizes.
///
/// # Errors
/// [`Error::BufferTooSmall`] if `out` (bytes) or `scratch` (words) is too small for this chunk.
pub fn encode_chunk(
    params: &EncodeParams,
    chunk: &Chunk,
    memory: &mut dyn PhysMemory,
    scratch: &mut [u64],
    out: &mut [u8],
) -> Result<Encoded, Error> {
    let page_len = params.page_size.len();
    let needed = params.scratch_words();
    let scratch = scratch.get_mut(..needed).ok_or_else(|| too_small(needed))?;
    let needed = chunk.len().saturating_mul(page_len);
    if out.len() < needed {
        return Err(too_small(needed));
    }
    let (codec_scratch, page) = scratch.split_at_mut(codec_words(params.compression, page_len));
    let codec_scratch = <[u32]>::mut_from_bytes(codec_scratch.as_mut_bytes()).unwrap_or_default();
    let mut encoder = Encoder {
        params,
        codec: codec::encoder(params.compression, params.fast),
        codec_scratch,
        page: page.as_mut_bytes(),
    };
    let mut encoded = Encoded { pages: [EncodedPage::Lost; 256], faults: [None; NAMED_FAULTS], len: 0 };
    let mut faults = encoded.faults.iter_mut();
    for (pfn, slot) in chunk.pfns().zip(&mut encoded.pages) {
        let (_, free) = out.split_at_mut_checked(encoded.len).unwrap_or_default();
        match encoder.encode(pfn, memory, free) {
            Ok(page) => *slot = page,
            Err(fault) => {
                if let Some(named) = faults.next() {
                    *named = Some((pfn, fault));
                }
            }
        }
        if let EncodedPage::Data(size) = *slot {
            encoded.len = encoded.len.saturating_add(usize::try_from(size).unwrap_or(0));
        }
    }
    Ok(encoded)
}

struct Encoder<'a> {
    params: &'a EncodeParams,
    codec: &'static dyn PageCodec,
    codec_scratch: &'a mut [u32],
    page: &'a mut [u8],
}

impl Encoder<'_> {
    /// Puts page `pfn` at the front of `out`, which has room for a whole page.
    fn encode(
        &mut self,
        pfn: Pfn,
        memory: &mut dyn PhysMemory,
        out: &mut [u8],
    ) -> Result<EncodedPage, Fault> {
        let page_len = self.params.page_size.len();
        let addr = self.params.page_size.start_of(pfn).ok_or(Fault::Hole)?;
        let out = out.get_mut(..page_len).ok_or(Fault::Lost)?;
        if self.params.compression == Compression::Raw {
            memory.read(addr, out)?;
            let zero = self.params.find_zero && is_zero(out);
            return Ok(if zero { EncodedPage::Zero } else { data(page_len) });
        }
        if memory.view(addr, page_len).is_none() {
            memory.read(addr, self.page)?;
        }
        let page = memory.view(addr, page_len).unwrap_or(self.page);
        if self.params.find_zero && is_zero(page) {
            return Ok(EncodedPage::Zero);
        }
        let worth = out.get_mut(..page_len.saturating_sub(1)).unwrap_or_default();
        if let Some(size) = self.codec.encode(page, worth, self.codec_scratch) {
            return Ok(data(size));
        }
        out.copy_from_slice(page);
        Ok(data(page_len))
    }
}

fn data(size: usize) -> EncodedPage {
    EncodedPage::Data(u32::try_from(size).unwrap_or(0))
}

fn too_small(needed: usize) -> Error {
    Error::BufferTooSmall { needed: u64::try_from(needed).unwrap_or(u64::MAX) }
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
