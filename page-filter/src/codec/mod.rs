//! Page codecs: how one page of a dump is compressed, each page by itself.
//!
//! You provide the memory: the page, the output, the scratch. Nothing allocates, and nothing is remembered
//! from one page to the next, so pages may be encoded and decoded in any order and on any thread.
//!
//! | codec | format | encoder | decoder |
//! |---|---|---|---|
//! | [`Raw`] | the page itself | copy | copy |
//! | [`Zlib`] | RFC 1950 around RFC 1951 | one block, the cheapest of stored, fixed and dynamic | every block |
//! | [`FastZlib`] | the same | the same, fewer matches looked for | the same |
//! | [`Lzo1x`] | LZO1X as `Documentation/staging/lzo.rst` of Linux 6.1 describes it, version 0 | LZO1X-1 | every instruction |
//! | [`Snappy`] | raw block, `format_description.txt` of google/snappy | | complete |
//! | [`Zstd`] | RFC 8878, one frame | one block | one frame, no dictionary |
//!
//! Decoders are total: whatever the input, they end with the whole page or with a [`DecodeError`], in a time
//! bounded by the lengths of input and page.
//!
//! The modules stand in dependency order: a module uses only those declared above it.

use core::fmt;

use vmcore_format::kdump::Compression;

mod adler32;
mod bit_writer;
mod code_lengths;
mod copies;

mod cursor;
mod match_finder;
mod sequence_finder;

mod raw;

mod deflate;

mod lzo;

mod snappy;

mod zstd;

pub use deflate::{FastZlib, Zlib};
pub use lzo::Lzo1x;
pub use raw::Raw;
pub use snappy::Snappy;
pub use zstd::Zstd;

/// The longest page that the encoders take, in bytes: the largest page size of any machine that Linux dumps.
pub const MAX_PAGE_LEN: usize = 0x1_0000;

/// Why the bytes of a compressed page do not decode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DecodeError {
    /// The input ends before the data do.
    Truncated,
    /// The input contradicts the format.
    Corrupt,
    /// The data decode to fewer or more bytes than the page has.
    WrongLength,
    /// Bytes follow the end of the data.
    TrailingBytes,
    /// The checksum in the input is not that of the decoded bytes.
    WrongChecksum,
    /// The format allows it and this library does not read it: a dictionary, a skippable frame.
    Unsupported,
}

impl DecodeError {
    /// The stable number of the error, as the C ABI reports it.
    #[must_use]
    pub const fn code(self) -> i32 {
        match self {
            Self::Truncated => 50,
            Self::Corrupt => 51,
            Self::WrongLength => 52,
            Self::TrailingBytes => 53,
            Self::WrongChecksum => 54,
            Self::Unsupported => 55,
        }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "the compressed page ends too early",
            Self::Corrupt => "the compressed page is corrupt",
            Self::WrongLength => "the compressed page is not one page long",
            Self::TrailingBytes => "bytes follow the compressed page",
            Self::WrongChecksum => "the compressed page has a wrong checksum",
            Self::Unsupported => "the compressed page needs a feature that is not supported",
        })
    }
}

impl core::error::Error for DecodeError {}

/// Memory for [`PageCodec::decode`]: the tables of one page's codes, about 22 KiB, never more than 24 KiB.
///
/// Make one per thread and use it for every page, of any codec. It carries nothing from one page to the next.
#[derive(Default)]
pub struct DecodeScratch {
    inflate: deflate::Codes,
    zstd: zstd::Tables,
}

const _: () = assert!(size_of::<DecodeScratch>() <= 24 << 10);

impl DecodeScratch {
    /// New scratch.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl fmt::Debug for DecodeScratch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DecodeScratch").finish_non_exhaustive()
    }
}

/// One way to compress a page.
///
/// A codec holds no state: one `&'static dyn PageCodec` serves every page and every thread.
pub trait PageCodec: fmt::Debug + Sync {
    /// How many words of scratch [`encode`](Self::encode) needs for pages of `page_len` bytes. The formula of
    /// each codec stands with its type; no codec needs more than 64 KiB for a page of 4 KiB.
    #[must_use]
    fn encode_scratch_words(&self, page_len: usize) -> usize;

    /// Compresses `page` into the front of `out` and returns the number of bytes written.
    ///
    /// `None` when the result does not fit in `out`: the page is then to be stored as it is. Give `out` the
    /// length that is still worth storing, at most the page's. `None` also when `page` is longer than
    /// [`MAX_PAGE_LEN`], or `scratch` shorter than [`encode_scratch_words`](Self::encode_scratch_words).
    /// `scratch` needs no initial content; after the call its content, and that of `out` past the result, is
    /// unspecified. The result depends on `page` and on the length of `out` alone.
    #[must_use]
    fn encode(&self, page: &[u8], out: &mut [u8], scratch: &mut [u32]) -> Option<usize>;

    /// Decompresses `src` to the whole of `page`.
    ///
    /// # Errors
    /// [`DecodeError`] unless `src` holds exactly one page, of at most 2 GiB; the content of `page` is then unspecified.
    fn decode(&self, src: &[u8], page: &mut [u8], scratch: &mut DecodeScratch) -> Result<(), DecodeError>;
}

/// The codec of pages compressed as `compression` says.
#[must_use]
pub fn codec(compression: Compression) -> &'static dyn PageCodec {
    match compression {
        Compression::Raw => &Raw,
        Compression::Zlib => &Zlib,
        Compression::Lzo => &Lzo1x,
        Compression::Snappy => &Snappy,
        Compression::Zstd => &Zstd,
    }
}

/// As [`codec`]; where `fast` is set, with the encoder that takes less time for longer output, if there is one.
#[must_use]
pub fn encoder(compression: Compression, fast: bool) -> &'static dyn PageCodec {
    match compression {
        Compression::Zlib if fast => &FastZlib,
        _ => codec(compression),
    }
}
