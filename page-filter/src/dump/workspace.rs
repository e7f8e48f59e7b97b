//! The caller's memory, divided.

use zerocopy::{FromBytes, IntoBytes};

use super::duplicates::DUPLICATES_WORDS;
use super::{Buffer, CHUNK_FRAMES, EncodeParams, Error, Format, Options};
use crate::Filter;

/// Scratch of the filter, in words.
const FILTER_WORDS: usize = Filter::SCRATCH_LEN >> 3;

/// The size of the records of a stream that hold tables, in bytes: what the least workspace has for them.
pub(super) const TABLES_RECORD: usize = 1 << 12;

/// The size of the records of a stream that hold pages, in bytes: what the least workspace has for them.
pub(super) const DATA_RECORD: usize = 1 << 14;

/// How much of what there is room for, in words of 8 bytes.
#[derive(Debug, Clone, Copy)]
struct Sizes {
    /// Frames looked at in one go, in bits.
    slice: usize,
    /// The encoded pages of a chunk.
    chunk: usize,
    /// Descriptors, program headers, bitmaps on their way to the output.
    tables: usize,
    /// Page data on their way to the output.
    data: usize,
}

impl Sizes {
    /// More makes nothing faster: a chunk of 256 KiB stays in the processor's cache, and is written as fast as one of 1 MiB.
    const MOST: Self = Self { slice: 4096, chunk: 1 << 15, tables: 1 << 13, data: 1 << 17 };

    fn least(page: usize) -> Self {
        Self { slice: 64, chunk: page, tables: TABLES_RECORD >> 3, data: DATA_RECORD >> 3 }
    }

    fn sum(self) -> usize {
        // Both bitmaps of a slice.
        [self.slice, self.slice, self.chunk, self.tables, self.data]
            .into_iter()
            .fold(0, usize::saturating_add)
    }

    /// The largest sizes whose sum is at most `words`, by halving; the least ones if nothing else fits.
    fn within(words: usize, page: usize) -> Self {
        let least = Self::least(page);
        let most = usize::try_from(CHUNK_FRAMES).unwrap_or(0).saturating_mul(page);
        let mut sizes = Self { chunk: Self::MOST.chunk.clamp(page, most), ..Self::MOST };
        // 17 halvings bring the largest one to 1.
        for _ in 0..17 {
            if sizes.sum() <= words {
                break;
            }
            let half = |size: usize, least: usize| (size >> 1).max(least);
            sizes = Self {
                slice: half(sizes.slice, least.slice),
                chunk: half(sizes.chunk, least.chunk),
                tables: half(sizes.tables, least.tables),
                data: half(sizes.data, least.data),
            };
        }
        sizes
    }
}

/// The parts of the caller's workspace.
#[derive(Debug)]
pub(super) struct Workspace<'a> {
    /// Known frames of a slice.
    pub(super) known: &'a mut [u64],
    /// Frames to keep: of all memory, or of a slice.
    pub(super) kept: &'a mut [u64],
    /// Whether `kept` is of all memory.
    pub(super) whole: bool,
    /// Scratch of the filter.
    pub(super) filter: &'a mut [u8],
    /// Scratch of `encode_chunk`.
    pub(super) scratch: &'a mut [u64],
    /// Output of `encode_chunk`.
    pub(super) chunk: &'a mut [u8],
    pub(super) tables: Buffer<'a>,
    pub(super) data: Buffer<'a>,
    /// Memory of earlier pages, if duplicates are shared.
    pub(super) duplicates: &'a mut [u64],
    /// Numbers of the `PT_LOAD`s, one for each.
    pub(super) loads: &'a mut [u32],
}

impl<'a> Workspace<'a> {
    /// Divides `words` for a dump of `frames` page frames and an input of `loads` `PT_LOAD`s.
    ///
    /// If all of the machine's memory fits in the bitmap of kept frames, pages are told apart once, otherwise twice.
    pub(super) fn divide(
        words: &'a mut [u64],
        params: EncodeParams<'_>,
        options: &Options,
        frames: u64,
        loads: usize,
    ) -> Result<Self, Error> {
        let page = params.page_bytes() >> 3;
        let loads = if options.format == Format::Elf { loads } else { 0 };
        let scratch = params.scratch_words();
        let duplicates = if params.share_duplicates { DUPLICATES_WORDS } else { 0 };
        let fixed =
            [scratch, FILTER_WORDS, duplicates, loads.div_ceil(2)].into_iter().fold(0, usize::saturating_add);
        let least = Sizes::least(page).sum();
        let needed = u64::try_from(fixed.saturating_add(least)).unwrap_or(u64::MAX);
        let free = words.len().checked_sub(fixed).filter(|&free| free >= least);
        let free = free.ok_or(Error::BufferTooSmall { needed })?;
        let all = usize::try_from(frames.div_ceil(64)).unwrap_or(usize::MAX);
        let besides = free.checked_sub(all).filter(|&besides| besides >= least);
        let sizes = Sizes::within(besides.unwrap_or(free), page);

        let mut parts = Parts(words);
        let filter = parts.take(FILTER_WORDS).as_mut_bytes();
        let scratch = parts.take(scratch);
        let chunk = parts.take(sizes.chunk).as_mut_bytes();
        let most = options.limit.unwrap_or(u64::MAX);
        let tables = Buffer::new(parts.take(sizes.tables).as_mut_bytes(), most);
        let data = Buffer::aligned(parts.take(sizes.data).as_mut_bytes(), most);
        let duplicates = parts.take(duplicates);
        let pairs = parts.take(loads.div_ceil(2)).as_mut_bytes();
        let numbers = <[u32]>::mut_from_bytes(pairs).unwrap_or_default();
        let loads = numbers.get_mut(..loads).unwrap_or_default();
        let known = parts.take(sizes.slice);
        let kept = parts.take(if besides.is_some() { all.max(sizes.slice) } else { sizes.slice });
        Ok(Self {
            known,
            kept,
            whole: besides.is_some(),
            filter,
            scratch,
            chunk,
            tables,
            data,
            duplicates,
            loads,
        })
    }
}

/// What is left of the words.
struct Parts<'a>(&'a mut [u64]);

impl<'a> Parts<'a> {
    /// The next `len` words; what there is if that is less.
    fn take(&mut self, len: usize) -> &'a mut [u64] {
        let all = core::mem::take(&mut self.0);
        let (part, rest) = all.split_at_mut(len.min(all.len()));
        self.0 = rest;
        part
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::Level;
    use crate::redact::Redaction;
    use std::vec;
    use vmcore_format::PageSize;
    use vmcore_format::kdump::Compression;

    const FORMATS: [Format; 2] = [Format::Kdump, Format::Elf];

    fn params(page_size: u64, compression: Compression) -> EncodeParams<'static> {
        let page_size = PageSize::new(page_size).unwrap();
        let redaction = Redaction::NONE;
        EncodeParams {
            page_size,
            compression,
            fast: false,
            find_zero: true,
            share_duplicates: false,
            chunk_pages: 1,
            redaction,
        }
    }

    #[test]
    fn a_mebibyte_does_for_any_memory_with_4_kib_pages() {
        use Compression::{Lzo, Raw, Snappy, Zlib, Zstd};
        for compression in [Raw, Zlib, Lzo, Snappy, Zstd] {
            for format in FORMATS {
                let options = Options { level: Level::all(), compression, format, ..Options::default() };
                let mut words = vec![0; 1 << 17];
                let params = params(4096, compression);
                let workspace = Workspace::divide(&mut words, params, &options, 1 << 40, 100).unwrap();
                assert!(!workspace.whole);
                assert!(workspace.chunk.len() >= 16 * 4096, "{}", workspace.chunk.len());
            }
        }
    }

    #[test]
    fn the_size_asked_for_is_enough_and_no_word_less() {
        for page_size in [4096, 0x1_0000] {
            for format in FORMATS {
                for share_duplicates in [false, true] {
                    let compression = Compression::Zlib;
                    let options = Options {
                        level: Level::all(),
                        compression,
                        format,
                        share_duplicates,
                        ..Options::default()
                    };
                    let params = EncodeParams { share_duplicates, ..params(page_size, compression) };
                    let Err(Error::BufferTooSmall { needed }) =
                        Workspace::divide(&mut [], params, &options, 1 << 30, 7)
                    else {
                        panic!("no memory is not enough")
                    };
                    let mut words = vec![0; needed as usize];
                    let workspace = Workspace::divide(&mut words, params, &options, 1 << 30, 7).unwrap();
                    assert!(workspace.chunk.len() >= params.out_bytes());
                    assert_eq!(workspace.duplicates.len(), if share_duplicates { 128 << 7 } else { 0 });
                    assert_eq!(workspace.scratch.len(), params.scratch_words());
                    assert!(!workspace.whole && workspace.kept.len() == workspace.known.len());
                    let short = Workspace::divide(&mut words[1..], params, &options, 1 << 30, 7);
                    assert_eq!(short.unwrap_err(), Error::BufferTooSmall { needed });
                }
            }
        }
    }

    #[test]
    fn the_least_memory_is_what_the_documentation_says() {
        use Compression::{Lzo, Raw, Snappy, Zlib, Zstd};
        let least = |page_size, compression, share_duplicates| {
            let options =
                Options { level: Level::all(), compression, share_duplicates, ..Options::default() };
            let params = EncodeParams { share_duplicates, ..params(page_size, compression) };
            match Workspace::divide(&mut [], params, &options, 1 << 30, 7) {
                Err(Error::BufferTooSmall { needed }) => needed * 8 / 1024,
                _ => panic!("no memory is not enough"),
            }
        };
        for (page_size, documented) in [(4096, 128), (0x4000, 192), (0x1_0000, 512)] {
            for compression in [Raw, Zlib, Lzo, Snappy, Zstd] {
                assert!(least(page_size, compression, false) <= documented, "{page_size} {compression:?}");
                assert!(
                    least(page_size, compression, true) <= documented + 128,
                    "{page_size} {compression:?}"
                );
            }
        }
    }

    #[test]
    fn all_memory_is_mapped_where_the_bitmap_fits() {
        let options = Options::default();
        let mut words = vec![0; 1 << 16];
        let workspace =
            Workspace::divide(&mut words, params(4096, options.compression), &options, 1 << 20, 0).unwrap();
        assert!(workspace.whole);
        assert_eq!(workspace.kept.len(), 1 << 14);
    }
}
