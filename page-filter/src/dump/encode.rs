//! Pages read, tested for zeros and packed.

use core::ops::Range;

use vmcore_format::kdump::Compression;
use vmcore_format::{Pfn, PhysAddr};
use zerocopy::{FromBytes, IntoBytes};

use super::chunk::{EncodedPage, NAMED_FAULTS, is_zero};
use super::{CHUNK_FRAMES, Chunk, EncodeParams, Encoded, Error};
use crate::codec::{self, PageCodec};
use crate::{Fault, PhysMemory, bits};

/// The most bytes that are read in one go where pages are packed: they stay in the processor's cache until it is their turn.
const READ_BYTES: usize = 1 << 17;

/// Reads, tests and packs the pages of `chunk`: a function of its arguments alone, for any thread that has a reader of
/// the memory. Neighbouring pages are read together, or packed where they lie if the memory has a
/// [`view`](PhysMemory::view) of them. A page that cannot be read is marked as lost and is no error.
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
    let out = out.get_mut(..needed).ok_or_else(|| too_small(needed))?;
    let (codec_scratch, page) = scratch.split_at_mut(params.codec_words());
    let mut encoder = Encoder {
        page_len,
        codec: (params.compression != Compression::Raw).then(|| codec::codec(params.compression)),
        find_zero: params.find_zero,
        codec_scratch: <[u32]>::mut_from_bytes(codec_scratch.as_mut_bytes()).unwrap_or_default(),
        page: page.as_mut_bytes(),
        out,
        encoded: Encoded { pages: [EncodedPage::Lost; 256], faults: [None; NAMED_FAULTS], len: 0 },
    };
    let most = if encoder.codec.is_some() { READ_BYTES >> params.page_size.shift() } else { usize::MAX };
    let most = u64::try_from(most.max(1)).unwrap_or(u64::MAX);
    let mut at = 0;
    let mut index = 0_usize;
    while let Some(start) = bits::next_set(&chunk.pages, at..CHUNK_FRAMES) {
        let limit = start.saturating_add(most).min(CHUNK_FRAMES);
        at = bits::run_end(&chunk.pages, start..limit, true);
        let pages = usize::try_from(at.saturating_sub(start)).unwrap_or(0);
        let first = Pfn(chunk.first.0.saturating_add(start));
        let addr = params.page_size.start_of(first);
        encoder.run(index..index.saturating_add(pages), first, addr, memory);
        index = index.saturating_add(pages);
    }
    Ok(encoder.encoded)
}

/// The pages of a chunk on their way. A page that was read waits at its place in `out`, as many pages from the start as
/// come before it in the chunk: never before the end of what those became, nor under the page that is packed.
struct Encoder<'a> {
    page_len: usize,
    /// `None` where pages stay as they are.
    codec: Option<&'static dyn PageCodec>,
    find_zero: bool,
    codec_scratch: &'a mut [u32],
    /// A page that stands in the way of what it becomes.
    page: &'a mut [u8],
    out: &'a mut [u8],
    encoded: Encoded,
}

impl Encoder<'_> {
    /// Encodes the pages of the chunk with the numbers `pages`, which lie in memory one after the other from `first` on.
    fn run(&mut self, pages: Range<usize>, first: Pfn, addr: Option<PhysAddr>, memory: &mut dyn PhysMemory) {
        let len = pages.len().saturating_mul(self.page_len);
        if let Some(view) = addr.and_then(|addr| memory.view(addr, len)) {
            for (index, page) in pages.zip(view.chunks_exact(self.page_len)) {
                let encoded = self.page_in_place(page);
                self.note(index, encoded);
            }
            return;
        }
        let at = self.place(pages.start);
        let place = self.out.get_mut(at..at.saturating_add(len)).unwrap_or_default();
        let read = addr.ok_or(Fault::Hole).and_then(|addr| memory.read(addr, place));
        match read {
            Ok(()) => {
                for index in pages {
                    let encoded = self.page_at(index);
                    self.note(index, encoded);
                }
            }
            Err(fault) if pages.len() <= 1 => self.name(first, fault),
            // Some of the pages can be read: each by itself.
            Err(_) => {
                for (index, pfn) in pages.zip(first.0..) {
                    let skip = pfn.saturating_sub(first.0).saturating_mul(self.page_bytes());
                    let addr = addr.and_then(|addr| addr.0.checked_add(skip)).map(PhysAddr);
                    self.run(index..index.saturating_add(1), Pfn(pfn), addr, memory);
                }
            }
        }
    }

    fn page_bytes(&self) -> u64 {
        u64::try_from(self.page_len).unwrap_or(u64::MAX)
    }

    /// Where page `index` of the chunk waits.
    fn place(&self, index: usize) -> usize {
        index.saturating_mul(self.page_len)
    }

    fn note(&mut self, index: usize, page: EncodedPage) {
        if let Some(slot) = self.encoded.pages.get_mut(index) {
            *slot = page;
        }
        if let EncodedPage::Data(size) = page {
            self.encoded.len = self.encoded.len.saturating_add(usize::try_from(size).unwrap_or(0));
        }
    }

    fn name(&mut self, pfn: Pfn, fault: Fault) {
        if let Some(slot) = self.encoded.faults.iter_mut().find(|slot| slot.is_none()) {
            *slot = Some((pfn, fault));
        }
    }

    /// Encodes a page that lies elsewhere.
    fn page_in_place(&mut self, page: &[u8]) -> EncodedPage {
        if self.find_zero && is_zero(page) {
            return EncodedPage::Zero;
        }
        let (_, free) = self.out.split_at_mut_checked(self.encoded.len).unwrap_or_default();
        pack(self.codec, page, free, self.codec_scratch)
    }

    /// Encodes page `index`, which waits at its place.
    fn page_at(&mut self, index: usize) -> EncodedPage {
        let at = self.place(index);
        let (before, page) = self.out.split_at_mut_checked(at).unwrap_or_default();
        let page = page.get(..self.page_len).unwrap_or_default();
        if self.find_zero && is_zero(page) {
            return EncodedPage::Zero;
        }
        if self.codec.is_none() && self.encoded.len == at {
            return data(self.page_len);
        }
        let (_, free) = before.split_at_mut_checked(self.encoded.len).unwrap_or_default();
        if free.len() >= self.page_len {
            return pack(self.codec, page, free, self.codec_scratch);
        }
        self.page.copy_from_slice(page);
        let (_, free) = self.out.split_at_mut_checked(self.encoded.len).unwrap_or_default();
        pack(self.codec, self.page, free, self.codec_scratch)
    }
}

/// Puts `page` at the front of `out`, which has room for all of it: packed, if that makes it smaller.
fn pack(
    codec: Option<&'static dyn PageCodec>,
    page: &[u8],
    out: &mut [u8],
    scratch: &mut [u32],
) -> EncodedPage {
    let worth = out.get_mut(..page.len().saturating_sub(1)).unwrap_or_default();
    if let Some(size) = codec.and_then(|codec| codec.encode(page, worth, scratch)) {
        return data(size);
    }
    let (room, _) = out.split_at_mut_checked(page.len()).unwrap_or_default();
    if room.len() != page.len() {
        return EncodedPage::Lost;
    }
    room.copy_from_slice(page);
    data(page.len())
}

fn data(size: usize) -> EncodedPage {
    EncodedPage::Data(u32::try_from(size).unwrap_or(0))
}

fn too_small(needed: usize) -> Error {
    Error::BufferTooSmall { needed: u64::try_from(needed).unwrap_or(u64::MAX) }
}
