//! Pages read, tested for zeros and packed.

use core::ops::Range;

use vmcore_format::kdump::Compression;
use vmcore_format::{Pfn, PhysAddr};
use zerocopy::{FromBytes, IntoBytes};

use super::chunk::{EncodedPage, NAMED_FAULTS, is_zero};
use super::duplicates::digest_of;
use super::{CHUNK_FRAMES, Chunk, EncodeParams, Encoded, Error};
use crate::codec::{self, PageCodec};
use crate::redact::Redacted;
use crate::{Fault, PhysMemory, bits};

/// The most bytes that are read in one go where pages are packed: they stay in the processor's cache until it is their turn.
const READ_BYTES: usize = 1 << 17;

/// Reads, tests and packs the pages of `chunk`: a function of its arguments alone, for any thread that has a reader of
/// the memory. Neighbouring pages are read together, or packed where they lie if the memory has a
/// [`view`](PhysMemory::view) of them. A page that cannot be read is marked as lost and is no error.
///
/// Where pages that are read together fail, they are read one by one, each once: which are lost depends on the memory alone, and not on
/// how pages are divided into chunks.
///
/// `out` receives the pages one after the other, after their digests if there are any; see [`EncodeParams::out_bytes`] and
/// [`EncodeParams::scratch_words`] for
/// the sizes.
///
/// # Errors
/// [`Error::BufferTooSmall`] if `out` (bytes) or `scratch` (words) is too small for this chunk.
pub fn encode_chunk(
    params: &EncodeParams<'_>,
    chunk: &Chunk,
    memory: &mut dyn PhysMemory,
    scratch: &mut [u64],
    out: &mut [u8],
) -> Result<Encoded, Error> {
    // From here on there are no secrets, whatever becomes of the pages.
    let mut redacted;
    let memory: &mut dyn PhysMemory = if params.redaction.is_none() {
        memory
    } else {
        redacted = Redacted::new(memory, params.redaction);
        &mut redacted
    };
    let page_len = params.page_size.len();
    let needed = params.scratch_words();
    let scratch = scratch.get_mut(..needed).ok_or_else(|| too_small(needed))?;
    let needed = chunk.len().saturating_mul(params.page_bytes());
    let out = out.get_mut(..needed).ok_or_else(|| too_small(needed))?;
    let digests_len = chunk.len().saturating_mul(params.digest_bytes());
    let (digests, out) = out.split_at_mut_checked(digests_len).unwrap_or_default();
    let parts = scratch.split_at_mut_checked(params.codec_words());
    let (codec_scratch, page) = parts.ok_or_else(|| too_small(needed))?;
    let mut encoder = Encoder {
        page_len,
        codec: (params.compression != Compression::Raw)
            .then(|| codec::encoder(params.compression, params.fast)),
        find_zero: params.find_zero,
        codec_scratch: <[u32]>::mut_from_bytes(codec_scratch.as_mut_bytes()).unwrap_or_default(),
        page: page.as_mut_bytes(),
        digests,
        out,
        encoded: Encoded {
            pages: [EncodedPage::Lost; 256],
            faults: [None; NAMED_FAULTS],
            holes: 0,
            poisoned: 0,
            len: 0,
            digests_len,
        },
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
    /// One for each page, or none at all.
    digests: &'a mut [u8],
    out: &'a mut [u8],
    encoded: Encoded,
}

impl Encoder<'_> {
    /// Encodes the pages of the chunk with the numbers `pages`, which lie in memory one after the other from `first` on.
    fn run(&mut self, pages: Range<usize>, first: Pfn, addr: Option<PhysAddr>, memory: &mut dyn PhysMemory) {
        let len = pages.len().saturating_mul(self.page_len);
        if let Some(view) = addr.and_then(|addr| memory.view(addr, len)) {
            for (index, page) in pages.zip(view.chunks_exact(self.page_len.max(1))) {
                let encoded = self.page_in_place(page);
                self.note(index, encoded);
            }
            return;
        }
        match self.read(&pages, addr, memory) {
            Ok(()) => {
                for index in pages {
                    let encoded = self.page_at(index);
                    self.note(index, encoded);
                }
            }
            Err(fault) if pages.len() <= 1 => self.name(first, fault),
            // Some of the pages can be read: each by itself.
            Err(_) => self.one_by_one(pages, first, addr, memory),
        }
    }

    /// Reads pages to their places.
    fn read(
        &mut self,
        pages: &Range<usize>,
        addr: Option<PhysAddr>,
        memory: &mut dyn PhysMemory,
    ) -> Result<(), Fault> {
        let (start, end) = (self.place(pages.start), self.place(pages.end));
        let place = self.out.get_mut(start..end).unwrap_or_default();
        addr.ok_or(Fault::Hole).and_then(|addr| memory.read(addr, place))
    }

    /// As [`run`](Self::run), page by page.
    fn one_by_one(
        &mut self,
        pages: Range<usize>,
        first: Pfn,
        addr: Option<PhysAddr>,
        memory: &mut dyn PhysMemory,
    ) {
        let page_bytes = u64::try_from(self.page_len).unwrap_or(u64::MAX);
        for (index, skip) in pages.zip(0_u64..) {
            let skipped = skip.checked_mul(page_bytes).and_then(|skip| addr?.0.checked_add(skip));
            let pfn = Pfn(first.0.saturating_add(skip));
            self.run(index..index.saturating_add(1), pfn, skipped.map(PhysAddr), memory);
        }
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
            let end = self.encoded.len.saturating_add(usize::try_from(size).unwrap_or(0));
            let (digests, _) = self.digests.as_chunks_mut();
            if let Some(digest) = digests.get_mut(index) {
                *digest = digest_of(self.out.get(self.encoded.len..end).unwrap_or_default());
            }
            self.encoded.len = end;
        }
    }

    fn name(&mut self, pfn: Pfn, fault: Fault) {
        match fault {
            Fault::Hole => self.encoded.holes = self.encoded.holes.saturating_add(1),
            Fault::Poison => self.encoded.poisoned = self.encoded.poisoned.saturating_add(1),
            Fault::Excluded | Fault::Lost | Fault::Code(_) => {}
        }
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
        let Some(kept) = self.page.get_mut(..page.len()) else { return EncodedPage::Lost };
        kept.copy_from_slice(page);
        let (_, free) = self.out.split_at_mut_checked(self.encoded.len).unwrap_or_default();
        pack(self.codec, kept, free, self.codec_scratch)
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

pub(super) fn too_small(needed: usize) -> Error {
    Error::BufferTooSmall { needed: u64::try_from(needed).unwrap_or(u64::MAX) }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::Regions;
    use crate::codec::DecodeScratch;
    use crate::redact::Redaction;
    use std::collections::BTreeSet;
    use std::vec;
    use std::vec::Vec;
    use vmcore_format::PageSize;

    const PAGE: usize = 4096;

    /// Memory from frame 0 on that is read, never viewed; `broken` frames cannot be. It counts reads.
    struct Read<'a> {
        bytes: &'a [u8],
        broken: BTreeSet<u64>,
        reads: usize,
    }

    impl PhysMemory for Read<'_> {
        fn page_size(&self) -> PageSize {
            PageSize::KIB_4
        }

        fn read(&mut self, addr: PhysAddr, buf: &mut [u8]) -> Result<(), Fault> {
            self.reads += 1;
            let (first, end) = (addr.0 / PAGE as u64, (addr.0 as usize + buf.len()) / PAGE);
            if let Some(pfn) = self.broken.range(first..end as u64).next() {
                return Err(Fault::Code(*pfn as i32));
            }
            buf.copy_from_slice(&self.bytes[addr.0 as usize..][..buf.len()]);
            Ok(())
        }

        fn next_known(&mut self, _from: Pfn) -> Result<Option<Range<Pfn>>, Fault> {
            Ok(None)
        }
    }

    /// Every fifth page is zero, every third cannot be packed, the others are text of sorts.
    fn machine() -> Vec<u8> {
        let mut random = 1_u64;
        let mut bytes = Vec::new();
        for pfn in 0..256_u64 {
            for at in 0..PAGE as u64 / 8 {
                random = random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
                let word = match pfn {
                    _ if pfn % 5 == 0 => 0,
                    _ if pfn % 3 == 0 => random,
                    _ => pfn * (at / 9),
                };
                bytes.extend(word.to_le_bytes());
            }
        }
        bytes
    }

    fn encode(params: &EncodeParams<'_>, chunk: &Chunk, memory: &mut dyn PhysMemory) -> (Encoded, Vec<u8>) {
        let mut scratch = vec![!0; params.scratch_words()];
        // Not a byte more than the pages.
        let mut out = vec![0xaa; chunk.len() * PAGE];
        let encoded = encode_chunk(params, chunk, memory, &mut scratch, &mut out).unwrap();
        out.truncate(encoded.bytes());
        (encoded, out)
    }

    fn params(compression: Compression, find_zero: bool) -> EncodeParams<'static> {
        let redaction = Redaction::NONE;
        EncodeParams {
            page_size: PageSize::KIB_4,
            compression,
            fast: false,
            find_zero,
            share_duplicates: false,
            chunk_pages: 256,
            redaction,
        }
    }

    const CHUNKS: [[u64; 4]; 5] = [
        [u64::MAX; 4],
        [1, 0, 0, 1 << 63],
        [0xff00_ff00_0f0f_3333, !0x10, 0x8000_0000_0000_0001, u64::MAX >> 1],
        [0x5555_5555_5555_5555; 4],
        [0, u64::MAX << 3, 7, 0],
    ];

    #[test]
    fn pages_that_are_read_become_what_pages_in_place_become() {
        let bytes = machine();
        let regions: [(PhysAddr, &[u8]); 1] = [(PhysAddr(0), &bytes)];
        let mut in_place = Regions::new(&regions, PageSize::KIB_4).unwrap();
        use Compression::{Lzo, Raw, Snappy, Zlib, Zstd};
        for compression in [Raw, Zlib, Lzo, Snappy, Zstd] {
            for (pages, find_zero) in CHUNKS.into_iter().zip([true, false, true, false, true]) {
                let params = params(compression, find_zero);
                let chunk = Chunk { sequence: 0, first: Pfn(0), pages, position: 0 };
                let mut memory = Read { bytes: &bytes, broken: BTreeSet::new(), reads: 0 };
                let (read, packed) = encode(&params, &chunk, &mut memory);
                let (viewed, expected) = encode(&params, &chunk, &mut in_place);
                assert!(packed == expected && read.pages == viewed.pages, "{compression:?} {pages:x?}");
                let mut rest = packed.as_slice();
                for (pfn, page) in chunk.pfns().zip(read.pages()) {
                    let expected = &bytes[pfn.0 as usize * PAGE..][..PAGE];
                    let EncodedPage::Data(size) = page else {
                        assert!(find_zero && is_zero(expected) && page == EncodedPage::Zero, "{pfn}");
                        continue;
                    };
                    let (now, later) = rest.split_at(size as usize);
                    rest = later;
                    if now.len() == PAGE {
                        assert!(now == expected, "{compression:?} {pfn}");
                    } else {
                        let mut page = [0; PAGE];
                        codec::codec(compression).decode(now, &mut page, &mut DecodeScratch::new()).unwrap();
                        assert!(page == expected, "{compression:?} {pfn}");
                    }
                }
                assert!(rest.is_empty());
            }
        }
    }

    #[test]
    fn neighbouring_pages_are_read_at_once() {
        let bytes = machine();
        for (compression, most) in [(Compression::Raw, 1), (Compression::Lzo, 8)] {
            let mut memory = Read { bytes: &bytes, broken: BTreeSet::new(), reads: 0 };
            let chunk = Chunk { sequence: 0, first: Pfn(0), pages: CHUNKS[0], position: 0 };
            encode(&params(compression, true), &chunk, &mut memory);
            assert_eq!(memory.reads, most, "{compression:?}");
        }
    }

    #[test]
    fn a_page_that_cannot_be_read_takes_no_other_with_it() {
        let bytes = machine();
        let broken = BTreeSet::from([0, 1, 31, 32, 100, 255]);
        for compression in [Compression::Raw, Compression::Zlib] {
            let chunk = Chunk { sequence: 0, first: Pfn(0), pages: CHUNKS[0], position: 0 };
            let mut whole = Read { bytes: &bytes, broken: BTreeSet::new(), reads: 0 };
            let params = params(compression, true);
            let (expected, _) = encode(&params, &chunk, &mut whole);
            let mut memory = Read { bytes: &bytes, broken: broken.clone(), reads: 0 };
            let (encoded, _) = encode(&params, &chunk, &mut memory);
            for (pfn, (page, expected)) in (0..).zip(encoded.pages().zip(expected.pages())) {
                let expected = if broken.contains(&pfn) { EncodedPage::Lost } else { expected };
                assert_eq!(page, expected, "{compression:?} {pfn}");
            }
            let named = [0, 1, 31, 32, 100, 255].map(|pfn| (Pfn(pfn), Fault::Code(pfn as i32)));
            assert!(encoded.faults().eq(named));
        }
    }

    #[test]
    fn pages_that_cannot_be_read_are_tried_once_by_themselves_and_cost_no_page_beside_them() {
        let bytes = machine();
        let chunk = Chunk { sequence: 0, first: Pfn(0), pages: CHUNKS[0], position: 0 };
        // Many in a row, then one where it would be found as the last of a group.
        let scattered = (16..32).chain([63, 95]).collect();
        let ranges = [0..256, 1..256, 0..255, 40..201, 0..17, 239..256, 100..133];
        let all: Vec<BTreeSet<u64>> =
            ranges.into_iter().map(|range| range.collect()).chain([scattered]).collect();
        for (compression, most) in [(Compression::Raw, 1 + 256), (Compression::Zlib, 8 + 256)] {
            let params = params(compression, true);
            for broken in &all {
                let mut memory = Read { bytes: &bytes, broken: broken.clone(), reads: 0 };
                let (encoded, _) = encode(&params, &chunk, &mut memory);
                let lost = (0..).zip(encoded.pages()).filter(|(_, page)| *page == EncodedPage::Lost);
                assert!(lost.map(|(pfn, _)| pfn).eq(broken.iter().copied()), "{compression:?} {broken:?}");
                assert!(memory.reads <= most, "{} reads", memory.reads);
                assert_eq!((encoded.holes, encoded.poisoned), (0, 0));
            }
        }
    }

    #[test]
    fn holes_and_broken_memory_are_told_apart() {
        struct Broken;
        impl PhysMemory for Broken {
            fn page_size(&self) -> PageSize {
                PageSize::KIB_4
            }

            fn read(&mut self, addr: PhysAddr, buf: &mut [u8]) -> Result<(), Fault> {
                match (addr.0 / PAGE as u64, buf.len() / PAGE) {
                    (3, _) => Err(Fault::Hole),
                    (5 | 6, _) => Err(Fault::Poison),
                    (9, _) => Err(Fault::Code(5)),
                    (_, 1) => {
                        buf.fill(1);
                        Ok(())
                    }
                    _ => Err(Fault::Lost),
                }
            }

            fn next_known(&mut self, _from: Pfn) -> Result<Option<Range<Pfn>>, Fault> {
                Ok(None)
            }
        }
        let chunk = Chunk { sequence: 0, first: Pfn(0), pages: [0x3ff, 0, 0, 0], position: 0 };
        let (encoded, _) = encode(&params(Compression::Raw, true), &chunk, &mut Broken);
        assert_eq!((encoded.holes, encoded.poisoned), (1, 2));
        let named = [(3, Fault::Hole), (5, Fault::Poison), (6, Fault::Poison), (9, Fault::Code(5))];
        assert!(encoded.faults().eq(named.map(|(pfn, fault)| (Pfn(pfn), fault))));
    }
}
