//! Kernel images, recognised and described from their bytes.
//!
//! [`identify`] tells what a file is and checks it to the last byte that a loader will use; the types it answers with
//! only borrow the file. Nothing is decompressed here: where a payload is compressed, its bounds and
//! [`Compression`] are given.
//!
//! Sources: `Documentation/arch/x86/boot.rst`, `Documentation/arch/arm64/booting.rst`,
//! `Documentation/arch/riscv/boot-image-header.rst`, `drivers/firmware/efi/libstub/zboot-header.S` (Linux 6.12), the
//! System V gABI, the PE/COFF specification, and the UAPI group's Unified Kernel Image specification.

mod bzimage;
mod compression;
mod elf;
mod pe;
mod raw;
mod arm64;
mod riscv;
mod setup_header;
#[cfg(test)]
mod tests;
mod uki;
mod zboot;

pub use arm64::{Arm64Image, Arm64PageSize};
pub use bzimage::{BzImage, KernelInfo};
pub use compression::Compression;
pub use elf::{ElfKernel, ElfLoad, ElfLoads, PvhReloc};
pub use pe::{PeSection, PeSections};
pub use raw::RawImage;
pub use riscv::RiscvImage;
pub use setup_header::{SetupHeader, xloadflags};
pub use uki::Uki;
pub use zboot::Zboot;

use crate::bytes::has_magic;
use crate::{Error, Field};
use vmcore_format::elf::{EM_386, EM_AARCH64, EM_RISCV, EM_X86_64};

/// A kernel image of one of the known kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Image<'a> {
    /// An x86 kernel behind its setup code, as installed in `/boot`.
    BzImage(BzImage<'a>),
    /// `vmlinux`, or another kernel in ELF.
    Elf(ElfKernel<'a>),
    /// An uncompressed arm64 kernel.
    Arm64(Arm64Image<'a>),
    /// An uncompressed riscv kernel.
    Riscv(RiscvImage<'a>),
    /// An EFI program that holds a compressed kernel; decompress the payload and identify that.
    Zboot(Zboot<'a>),
    /// A unified kernel image: an EFI program that holds kernel, initrd and command line.
    Uki(Uki<'a>),
}

impl Image<'_> {
    /// The machine that the kernel runs on, as an ELF `e_machine`; `None` where the image does not say.
    #[must_use]
    pub fn e_machine(&self) -> Option<u16> {
        match self {
            Self::BzImage(image) if image.is_64_bit() => Some(EM_X86_64),
            Self::BzImage(_) => Some(EM_386),
            Self::Elf(image) => Some(image.e_machine()),
            Self::Arm64(_) => Some(EM_AARCH64),
            Self::Riscv(_) => Some(EM_RISCV),
            Self::Zboot(image) => image.e_machine(),
            Self::Uki(image) => image.e_machine(),
        }
    }
}

/// Tells what kernel image `file` is, and checks it.
///
/// The whole file is needed: a truncated one is refused wherever its headers say how long it must be (an arm64 or
/// riscv `Image` says so only in its PE sections).
///
/// # Errors
/// [`Error::Corrupt`] where a header contradicts itself or the file, [`Error::Unsupported`] for a file of another kind
/// (in [`Field::ImageMagic`], with its first 8 bytes as a little-endian number) or a variant that cannot be loaded,
/// [`Error::Format`] for damage in the ELF structures.
pub fn identify(file: &[u8]) -> Result<Image<'_>, Error> {
    if file.starts_with(b"MZ") && unwrapped_kind(file).is_none() {
        return Uki::parse(file).map(Image::Uki);
    }
    identify_unwrapped(file)
}

/// [`identify`] for the kernel in a unified kernel image, which is no such image itself.
fn identify_unwrapped(file: &[u8]) -> Result<Image<'_>, Error> {
    match unwrapped_kind(file) {
        Some(Kind::Elf) => ElfKernel::parse(file).map(Image::Elf),
        Some(Kind::BzImage) => BzImage::parse(file).map(Image::BzImage),
        Some(Kind::Zboot) => Zboot::parse(file).map(Image::Zboot),
        Some(Kind::Arm64) => Arm64Image::parse(file).map(Image::Arm64),
        Some(Kind::Riscv) => RiscvImage::parse(file).map(Image::Riscv),
        None => Err(unknown(file)),
    }
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Elf,
    BzImage,
    Zboot,
    Arm64,
    Riscv,
}

/// What the magic numbers say; most of these files are EFI programs as well, so `MZ` says nothing.
fn unwrapped_kind(file: &[u8]) -> Option<Kind> {
    if file.starts_with(b"\x7fELF") {
        Some(Kind::Elf)
    } else if has_magic(file, 0x1fe, &[0x55, 0xaa]) && has_magic(file, 0x202, b"HdrS") {
        Some(Kind::BzImage)
    } else if file.starts_with(b"MZ") && has_magic(file, 4, b"zimg") {
        Some(Kind::Zboot)
    } else if has_magic(file, 56, b"ARM\x64") {
        Some(Kind::Arm64)
    } else if has_magic(file, 56, b"RSC\x05") {
        Some(Kind::Riscv)
    } else {
        None
    }
}

fn unknown(file: &[u8]) -> Error {
    let first = file.iter().take(8).rev().fold(0, |value: u64, &byte| value << 8 | u64::from(byte));
    Error::Unsupported { field: Field::ImageMagic, value: first }
}
