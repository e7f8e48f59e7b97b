//! The kernel that is loaded, of the kinds that can be placed: what its image says of its place and its boot parameters.

use vmcore_format::{Class, Endian, PhysAddr};

use crate::boot_params::BootParams;
use crate::check::Refusal;
use crate::image::{self, BzImage, ElfKernel, Image, xloadflags};
use crate::map::Span;
use crate::segment::{Fixed, PAGE, SegmentKind};
use crate::{Error, Field};

use super::PlanError;
use super::layout::{Layout, Part, Piece, Reason};
use super::request::Request;

const KIND: SegmentKind = SegmentKind::Fixed(Fixed::Kernel);

/// A kernel that a plan can place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kernel<'a> {
    /// Placed by its setup header, and entered 0x200 bytes from its start.
    BzImage(BzImage<'a>),
    /// Placed by its program headers, and entered at `e_entry`, which is the same 64-bit entry (`startup_64`,
    /// `arch/x86/kernel/head_64.S`, Linux 6.12): the code there finds out by itself how far it was moved.
    Vmlinux(ElfKernel<'a>),
}

impl<'a> Kernel<'a> {
    /// The kernel of `request`, if the running machine can enter it.
    pub(super) fn of(request: &Request<'a>) -> Result<Self, PlanError> {
        let image = image::identify(request.kernel)?;
        let running = request.running.e_machine;
        if let Some(machine) = image.e_machine().filter(|&machine| machine != running) {
            return Err(Refusal::WrongMachine { machine, running }.into());
        }
        let (kernel, enters_five_level) = match image {
            Image::BzImage(kernel) => {
                kernel.entry_64()?;
                (Self::BzImage(kernel), kernel.header().has_xloadflags(xloadflags::FIVE_LEVEL))
            }
            Image::Elf(kernel) => {
                let layout = kernel.layout();
                if layout.class != Class::Bits64 || layout.endian != Endian::Little {
                    return Err(PlanError::KernelKind);
                }
                if !kernel.is_linux() {
                    return Err(PlanError::NoLinux);
                }
                (Self::Vmlinux(kernel), false)
            }
            _ => return Err(PlanError::KernelKind),
        };
        if request.running.five_level && !enters_five_level {
            return Err(PlanError::FiveLevelPaging);
        }
        Ok(kernel)
    }

    /// The boot parameters that a loader starts from.
    pub(super) fn boot_params(&self) -> BootParams {
        match self {
            Self::BzImage(kernel) => BootParams::of_bzimage(kernel),
            Self::Vmlinux(_) => BootParams::of_vmlinux(),
        }
    }

    /// The longest command line, in bytes without its NUL.
    #[must_use]
    pub fn cmdline_size(&self) -> u64 {
        u64::from(self.boot_params().hdr.cmdline_size.get())
    }

    /// Whether the kernel takes EFI's runtime services from the kernel before it.
    pub(super) fn takes_efi(&self) -> bool {
        self.boot_params().hdr.has_xloadflags(xloadflags::EFI_KEXEC)
    }

    /// The end of the memory where the kernel finds itself, its boot parameters and its initrd.
    pub(super) fn reach(&self) -> u64 {
        let above = self.boot_params().hdr.has_xloadflags(xloadflags::CAN_BE_LOADED_ABOVE_4G);
        if above { u64::MAX } else { 1 << 32 }
    }

    /// Places the kernel, and answers with its 64-bit entry.
    pub(super) fn place(&self, layout: &mut Layout<'a>) -> Result<PhysAddr, PlanError> {
        match self {
            Self::BzImage(kernel) => {
                let bytes = kernel.protected_mode();
                let part = bzimage_part(kernel, self.reach())?;
                let piece = Piece::input(KIND, bytes, part.memsz);
                let at = layout.place_pieces(part, core::iter::once(piece))?;
                offset_by(at, kernel.entry_64()?)
            }
            Self::Vmlinux(kernel) => {
                let at = layout.place_pieces(vmlinux_part(kernel)?, vmlinux_pieces(kernel))?;
                let entry = kernel.entry()?.0.saturating_sub(kernel.memory().start.0);
                offset_by(at, entry)
            }
        }
    }
}

fn bzimage_part(kernel: &BzImage<'_>, reach: u64) -> Result<Part, PlanError> {
    let memsz = kernel.init_size();
    let pref = kernel.pref_address().0;
    let (align, limits, reason) = if kernel.is_relocatable() {
        let align = kernel.kernel_alignment().max(kernel.min_alignment());
        (align, Span::new(pref.max(1 << 20), reach), Reason::KernelHeader)
    } else {
        (1, fixed(pref, memsz)?, Reason::NotRelocatable)
    };
    Ok(Part { kind: KIND, memsz, align, limits, reason })
}

/// Where the whole of the kernel goes. The note by which it says that it may be moved counts the memory that the PVH
/// entry's own page tables reach, which is none of the 64-bit entry's business.
fn vmlinux_part(kernel: &ElfKernel<'_>) -> Result<Part, PlanError> {
    let memory = kernel.memory();
    for load in kernel.loads() {
        if !load.paddr.0.is_multiple_of(PAGE) {
            return Err(Error::Unsupported { field: Field::PPaddr, value: load.paddr.0 }.into());
        }
    }
    let memsz = memory.end.0.saturating_sub(memory.start.0);
    let (align, limits, reason) = match kernel.pvh_reloc() {
        Some(reloc) => (u64::from(reloc.align), Span::new(reloc.min.0, u64::MAX), Reason::PhysicalAlignment),
        None => (1, fixed(memory.start.0, memsz)?, Reason::ProgramHeaders),
    };
    Ok(Part { kind: KIND, memsz, align, limits, reason })
}

/// A segment for each `PT_LOAD`, up to the next one: the kernel counts all from its first byte to its last as its own.
fn vmlinux_pieces<'a>(kernel: &ElfKernel<'a>) -> impl Iterator<Item = Piece<'a>> {
    let end = kernel.memory().end;
    let starts = kernel.loads().skip(1).map(|load| load.paddr).chain(core::iter::once(end));
    kernel
        .loads()
        .zip(starts)
        .map(|(load, next)| Piece::input(KIND, load.data, next.0.saturating_sub(load.paddr.0)))
}

/// The pages from `start` on: the only place.
fn fixed(start: u64, memsz: u64) -> Result<Span, PlanError> {
    let len = memsz.checked_next_multiple_of(PAGE);
    Ok(len.and_then(|len| Span::with_len(start, len)).ok_or(too_large(memsz))?)
}

pub(super) fn offset_by(at: PhysAddr, bytes: u64) -> Result<PhysAddr, PlanError> {
    Ok(at.checked_add(bytes).ok_or(too_large(bytes))?)
}

/// A size that goes past the end of the address space, whatever is planned.
pub(super) const fn too_large(value: u64) -> Error {
    Error::Unsupported { field: Field::LoadAddress, value }
}
