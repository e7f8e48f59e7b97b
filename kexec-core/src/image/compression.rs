//! The compression of a payload.

/// How a kernel, or the payload of an image, is compressed. Decompression is the caller's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Compression {
    /// gzip: `1f 8b`.
    Gzip,
    /// bzip2: `BZh`.
    Bzip2,
    /// lzma alone: `5d 00 00`.
    Lzma,
    /// xz: `fd 37 7a 58 5a 00`.
    Xz,
    /// lzop: `89 4c 5a 4f`.
    Lzo,
    /// LZ4, the legacy frame that the kernel build makes: `02 21 4c 18`.
    Lz4,
    /// Zstandard: `28 b5 2f fd`.
    Zstd,
}

impl Compression {
    /// What the first bytes of compressed data say.
    #[must_use]
    pub fn detect(data: &[u8]) -> Option<Self> {
        const MAGICS: [(&[u8], Compression); 7] = [
            (b"\x1f\x8b", Compression::Gzip),
            (b"BZh", Compression::Bzip2),
            (b"\x5d\0\0", Compression::Lzma),
            (b"\xfd7zXZ\0", Compression::Xz),
            (b"\x89LZO", Compression::Lzo),
            (b"\x02\x21\x4c\x18", Compression::Lz4),
            (b"\x28\xb5\x2f\xfd", Compression::Zstd),
        ];
        MAGICS.iter().find(|(magic, _)| data.starts_with(magic)).map(|&(_, compression)| compression)
    }

    /// The name that EFI zboot images use (`comp_type`), and its inverse in [`Self::from_name`].
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Bzip2 => "bzip2",
            Self::Lzma => "lzma",
            Self::Xz => "xzkern",
            Self::Lzo => "lzo",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }

    /// The compression of a zboot image's `comp_type`. The kernel build has had several names for the same data:
    /// `xz` and `xzkern`, `zstd` and `zstd22`.
    #[must_use]
    pub fn from_name(name: &[u8]) -> Option<Self> {
        match name {
            b"gzip" => Some(Self::Gzip),
            b"bzip2" => Some(Self::Bzip2),
            b"lzma" => Some(Self::Lzma),
            b"xz" | b"xzkern" => Some(Self::Xz),
            b"lzo" => Some(Self::Lzo),
            b"lz4" => Some(Self::Lz4),
            b"zstd" | b"zstd22" => Some(Self::Zstd),
            _ => None,
        }
    }
}
