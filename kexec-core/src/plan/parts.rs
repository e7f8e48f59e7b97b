//! The segments one by one: what each needs of its place.

use vmcore_format::PhysAddr;

use crate::boot_params::BootParams;
use crate::check::Refusal;
use crate::image::{self, BzImage, Image};
use crate::map::Span;
use crate::object::{self, Object};
use crate::segment::{Fixed, Mutable, PAGE, SegmentKind};
use crate::{Error, Field};

use super::blocks::{boot_block, len_of};
use super::layout::{Layout, Part, Reason};
use super::{Elfcorehdr, PlanError, Request, Source, Upkeep, memory};

/// No segment lies below: the first page holds the vectors of real mode, and BIOS data follow.
const LOWEST: u64 = 0x3000;
/// The boundary of blocks in the scratch.
const BLOCK_ALIGN: usize = 16;

const ELF_MAGIC: &[u8] = b"\x7fELF";
/// The length of an ELF64 header, in bytes.
const EHDR_LEN: u64 = 64;

/// Puts the parts of a unified kernel image in their places; what the caller gave goes first.
pub(super) fn unpack(request: Request<'_>) -> Result<Request<'_>, PlanError> {
    let Image::Uki(uki) = image::identify(request.kernel)? else { return Ok(request) };
    let or = |given, own: Option<_>| if <[u8]>::is_empty(given) { own.unwrap_or(given) } else { given };
    Ok(Request {
        kernel: uki.linux(),
        initrd: or(request.initrd, uki.initrd()),
        command_line: or(request.command_line, uki.cmdline()),
        ..request
    })
}

/// The kernel, if it is one that can be placed and entered.
pub(super) fn kernel_of<'a>(request: &Request<'a>) -> Result<BzImage<'a>, PlanError> {
    let image = image::identify(request.kernel)?;
    let running = request.running.e_machine;
    if let Some(machine) = image.e_machine().filter(|&machine| machine != running) {
        return Err(Refusal::WrongMachine { machine, running }.into());
    }
    let Image::BzImage(kernel) = image else { return Err(PlanError::KernelKind) };
    kernel.entry_64()?;
    if request.running.five_level && !kernel.header().has_xloadflags(image::xloadflags::FIVE_LEVEL) {
        return Err(PlanError::FiveLevelPaging);
    }
    Ok(kernel)
}

/// The start of the crash region, where the running kernel finds the pages that it needs for itself.
pub(super) fn control_room(request: &Request<'_>, region: Span) -> Span {
    let single = memory::control_pages(request.memory, request.running.gib_pages);
    // Two pages of control code on a boundary of two, so one page may be skipped before them.
    let room = memory::pages_from(region.start, single.saturating_add(3)).unwrap_or(region);
    room.intersection(region)
}

/// Places the elfcorehdr, and answers with its memory.
pub(super) fn place_elfcorehdr<'a>(
    layout: &mut Layout<'a>,
    header: &Elfcorehdr<'a>,
) -> Result<Span, PlanError> {
    if !header.bytes.starts_with(ELF_MAGIC) {
        return Err(PlanError::NoElfcorehdr);
    }
    let bufsz = len_of(header.bytes.len());
    let (kind, room) = match header.upkeep {
        Upkeep::Reload => (SegmentKind::Fixed(Fixed::Elfcorehdr), 0),
        Upkeep::Kernel { room } => (SegmentKind::Mutable(Mutable::Elfcorehdr), room.saturating_add(EHDR_LEN)),
    };
    let memsz = bufsz.max(room);
    let start = layout.place(Part {
        kind,
        source: Source::Input(header.bytes),
        bufsz,
        memsz,
        align: 1,
        limits: Span::new(LOWEST, u64::MAX),
        reason: Reason::HeaderAddress,
    })?;
    let len = memsz.checked_next_multiple_of(PAGE).unwrap_or(memsz);
    Span::with_len(start.0, len).ok_or(too_large(memsz))
}

/// The purgatory and what it needs of its place; its bytes are the first of the scratch.
fn purgatory_part<'a>(request: &Request<'a>) -> Result<(Part<'a>, object::Layout), PlanError> {
    let object = Object::parse(request.purgatory.object)?;
    let running = request.running.e_machine;
    if object.machine() != running {
        return Err(Refusal::WrongMachine { machine: object.machine(), running }.into());
    }
    let needs = object.layout()?;
    let end = usize::try_from(needs.file_len).map_err(|_| too_large(needs.file_len))?;
    let part = Part {
        kind: SegmentKind::Mutable(Mutable::Purgatory),
        source: Source::Scratch { start: 0, end },
        bufsz: needs.file_len,
        memsz: needs.mem_len,
        align: needs.align,
        limits: Span::new(LOWEST, u64::MAX),
        reason: Reason::LinkedInPlace,
    };
    Ok((part, needs))
}

/// Places the purgatory, and answers with its entry and the bytes of scratch that it takes.
pub(super) fn place_purgatory<'a>(
    layout: &mut Layout<'a>,
    request: &Request<'a>,
) -> Result<(PhysAddr, usize), PlanError> {
    let (part, needs) = purgatory_part(request)?;
    let at = layout.place(part)?;
    let len = usize::try_from(needs.file_len).map_err(|_| too_large(needs.file_len))?;
    Ok((offset_by(at, needs.entry)?, len))
}

/// Places the boot parameters, and answers with the end of the scratch, of which `taken` bytes are taken.
pub(super) fn place_boot_params<'a>(
    layout: &mut Layout<'a>,
    request: &Request<'a>,
    kernel: &BzImage<'a>,
    command_line: &[u8],
    elfcorehdr: Option<Span>,
    taken: usize,
) -> Result<(PhysAddr, usize), PlanError> {
    let params = BootParams::of_bzimage(kernel);
    let len = boot_block(request, kernel, &params, command_line, None, elfcorehdr).encoded_len()?;
    let too_large = too_large(len_of(len));
    let start = taken.checked_next_multiple_of(BLOCK_ALIGN).ok_or(too_large)?;
    let end = start.checked_add(len).ok_or(too_large)?;
    let at = layout.place(Part {
        kind: SegmentKind::Fixed(Fixed::BootBlock),
        source: Source::Scratch { start, end },
        bufsz: len_of(len),
        memsz: len_of(len),
        align: 1,
        limits: Span::new(LOWEST, reach_of(kernel)),
        reason: Reason::EarlyBoot,
    })?;
    Ok((at, end))
}

/// The end of the memory where the kernel finds itself, its boot parameters and its initrd.
fn reach_of(kernel: &BzImage<'_>) -> u64 {
    if kernel.can_be_loaded_above_4g() { u64::MAX } else { 1 << 32 }
}

/// Places the kernel, and answers with its 64-bit entry.
pub(super) fn place_kernel<'a>(layout: &mut Layout<'a>, kernel: &BzImage<'a>) -> Result<PhysAddr, PlanError> {
    let at = layout.place(kernel_part(kernel)?)?;
    offset_by(at, kernel.entry_64()?)
}

fn kernel_part<'a>(kernel: &BzImage<'a>) -> Result<Part<'a>, PlanError> {
    let bytes = kernel.protected_mode();
    let memsz = kernel.init_size();
    let pref = kernel.pref_address().0;
    let (align, limits, reason) = if kernel.is_relocatable() {
        let align = kernel.kernel_alignment().max(kernel.min_alignment());
        (align, Span::new(pref.max(1 << 20), reach_of(kernel)), Reason::KernelHeader)
    } else {
        let len = memsz.checked_next_multiple_of(PAGE).ok_or(too_large(memsz))?;
        (1, Span::with_len(pref, len).ok_or(too_large(memsz))?, Reason::NotRelocatable)
    };
    Ok(Part {
        kind: SegmentKind::Fixed(Fixed::Kernel),
        source: Source::Input(bytes),
        bufsz: len_of(bytes.len()),
        memsz,
        align,
        limits,
        reason,
    })
}

/// Places the initrd, and answers with its address and its length in bytes.
pub(super) fn place_initrd<'a>(
    layout: &mut Layout<'a>,
    request: &Request<'a>,
    kernel: &BzImage<'a>,
) -> Result<Option<(PhysAddr, u64)>, PlanError> {
    if request.initrd.is_empty() {
        return Ok(None);
    }
    let len = len_of(request.initrd.len());
    let at = layout.place(Part {
        kind: SegmentKind::Fixed(Fixed::Initrd),
        source: Source::Input(request.initrd),
        bufsz: len,
        memsz: len,
        align: 1,
        limits: Span::new(16 << 20, reach_of(kernel)),
        reason: Reason::AboveLowMemory,
    })?;
    Ok(Some((at, len)))
}

/// The running kernel takes the last segment that begins with the ELF magic for the elfcorehdr.
pub(super) fn no_elf_magic(kind: SegmentKind, bytes: &[u8]) -> Result<(), PlanError> {
    let own =
        matches!(kind, SegmentKind::Fixed(Fixed::Elfcorehdr) | SegmentKind::Mutable(Mutable::Elfcorehdr));
    if !own && bytes.starts_with(ELF_MAGIC) { Err(PlanError::ElfMagic { kind }) } else { Ok(()) }
}

fn offset_by(at: PhysAddr, bytes: u64) -> Result<PhysAddr, PlanError> {
    at.checked_add(bytes).ok_or(too_large(bytes))
}

/// A size that goes past the end of the address space, whatever is planned.
fn too_large(value: u64) -> PlanError {
    Error::Unsupported { field: Field::LoadAddress, value }.into()
}
