//! What compression makes of a page, as measured on vmcores of real kernels.

use vmcore_format::kdump::Compression;

/// One codec, of pages of 4 KiB. Ratios are in hundredths: 400 makes a quarter of a page.
#[derive(Debug, Clone, Copy)]
pub(super) struct Measured {
    /// The best ratio over a dump.
    pub(super) best: u64,
    /// The ratio of kernel memory that compresses badly.
    pub(super) worst_of_kernel: u64,
    /// Bytes that a page full of zeros takes.
    pub(super) zeros: u64,
    /// Nanoseconds on one core: where most pages compress, and with a margin for a slow machine.
    pub(super) nanoseconds: (u64, u64),
}

impl Measured {
    /// Ratios: kernel memory of Linux 6.1 3.9 (zlib, zstd), 2.9 (LZO) and 2.7 (snappy), of 6.12, where a quarter of the pages
    /// does not compress, 2.1; page cache 1.2. The worst is below all of them. Times: 14.7, 10, 4 and 4 microseconds.
    pub(super) const fn of(compression: Compression) -> Self {
        match compression {
            Compression::Raw => {
                Self { best: 100, worst_of_kernel: 100, zeros: 4096, nanoseconds: (300, 3_000) }
            }
            Compression::Zlib => {
                Self { best: 410, worst_of_kernel: 160, zeros: 31, nanoseconds: (10_000, 80_000) }
            }
            Compression::Lzo => {
                Self { best: 310, worst_of_kernel: 130, zeros: 45, nanoseconds: (1_500, 20_000) }
            }
            Compression::Snappy => {
                Self { best: 290, worst_of_kernel: 130, zeros: 195, nanoseconds: (1_500, 20_000) }
            }
            Compression::Zstd => {
                Self { best: 420, worst_of_kernel: 160, zeros: 20, nanoseconds: (5_000, 60_000) }
            }
        }
    }
}
