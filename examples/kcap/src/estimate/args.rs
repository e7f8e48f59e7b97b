//! `kcap estimate` on the command line.

use std::path::PathBuf;

use clap::Args;
use vmcore_format::kdump::Compression;

pub(crate) const HELP: &str = "\
The sizes are no promise. What each page is used for now is known; what is in it, and what it
will be used for when the machine crashes, is not. At least: free pages and six of ten others
are full of zeros, the rest compresses well. At most: none is, and nothing but the kernel's own
memory compresses. The times are of one core, and of storage that takes 2 GB/s or 50 MB/s.

Levels are those of `kcap dump -d`; for exact kinds of pages root is needed.";

#[derive(Debug, Args)]
pub(crate) struct EstimateArgs {
    /// For pages compressed with zlib
    #[arg(short = 'c', long, overrides_with_all = ["lzo", "snappy", "zstd", "raw"])]
    zlib: bool,
    /// With LZO (the default)
    #[arg(short = 'l', long, overrides_with_all = ["zlib", "snappy", "zstd", "raw"])]
    lzo: bool,
    /// With snappy
    #[arg(short = 'p', long, overrides_with_all = ["zlib", "lzo", "zstd", "raw"])]
    snappy: bool,
    /// With zstd
    #[arg(short = 'z', long, overrides_with_all = ["zlib", "lzo", "snappy", "raw"])]
    zstd: bool,
    /// For pages that are not compressed
    #[arg(long, overrides_with_all = ["zlib", "lzo", "snappy", "zstd"])]
    raw: bool,
    /// A folder with a copy of the machine's proc/kpageflags and proc/iomem, or proc/meminfo and proc/zoneinfo
    #[arg(long, value_name = "DIR", default_value = "/")]
    pub(crate) root: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

impl EstimateArgs {
    /// The codec that was asked for.
    pub(crate) fn compression(&self) -> Compression {
        let asked = [
            (self.zlib, Compression::Zlib),
            (self.snappy, Compression::Snappy),
            (self.zstd, Compression::Zstd),
            (self.raw, Compression::Raw),
        ];
        asked.into_iter().find_map(|(asked, codec)| asked.then_some(codec)).unwrap_or(Compression::Lzo)
    }
}
