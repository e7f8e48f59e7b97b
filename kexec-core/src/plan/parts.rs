//! The segments one by one: what each needs of its place.

use vmcore_format::PhysAddr;

use crate::check::Refusal;
use crate::elfcorehdr::Backup;
use crate::image::{self, Image};
use crate::map::Span;
use crate::object::{self, Object};
use crate::segment::{Fixed, Mutable, PAGE, SegmentKind};
use crate::{Error, Field};

use super::blocks::{boot_block, len_of};
use super::kernel::{Kernel, offset_by, too_large};
use super::layout::{Layout, Part, Piece, Reason};
use super::memory::Capture;
use super::{Elfcorehdr, PlanError, Request, Source, Upkeep, memory};

/// No segment lies below: the first page holds the vectors of real mode, and BIOS data follow.
const LOWEST: u64 = 0x3000;
/// The boundary of blocks in the scratch.
const BLOCK_ALIGN: usize = 16;

const ELF_MAGIC: &[u8] = b"\x7fELF";
/// The length of an ELF64 header, in bytes.
const EHDR_LEN: u64 = 64;

/// Puts the parts of a unified kernel image in their places; what the caller gave goes first. Answers also with the CPU
/// microcode, which the image's kernel gets whatever the initrd is; empty for none.
pub(super) fn unpack(request: Request<'_>) -> Result<(Request<'_>, &[u8]), PlanError> {
    let Image::Uki(uki) = image::identify(request.kernel)? else { return Ok((request, &[])) };
    let or = |given, own: Option<_>| if <[u8]>::is_empty(given) { own.unwrap_or(given) } else { given };
    let unpacked = Request {
        kernel: uki.linux(),
        initrd: or(request.initrd, uki.initrd()),
        command_line: or(request.command_line, uki.cmdline()),
        ..request
    };
    Ok((unpacked, uki.ucode().unwrap_or_default()))
}

/// The start of the crash region, where the running kernel finds the pages that it needs for itself.
pub(super) fn control_room(request: &Request<'_>, region: Span) -> Span {
    let single = memory::control_pages(request.memory, request.running.gib_pages);
    // Two pages of control code on a boundary of two, so one page may be skipped before them.
    let room = memory::pages_from(region.start, single.saturating_add(3)).unwrap_or(region);
    room.intersection(region)
}

/// Places what tells a capture kernel of the crashed one: the copy of low memory, whose address the elfcorehdr has, and
/// the elfcorehdr.
pub(super) fn place_capture<'a>(
    layout: &mut Layout<'a>,
    header: &Elfcorehdr<'a>,
) -> Result<Capture, PlanError> {
    let backup = place_backup(layout, header.backup)?;
    Ok(Capture { backup, elfcorehdr: place_elfcorehdr(layout, header)? })
}

/// Answers with the memory of the backup; empty where there is none. Nothing is loaded there.
fn place_backup(layout: &mut Layout<'_>, backup: Option<Backup>) -> Result<Span, PlanError> {
    let Some(backup) = backup else { return Ok(Span::default()) };
    let memsz = backup.source.len();
    let len = memsz.checked_next_multiple_of(PAGE);
    let limits = len.and_then(|len| Span::with_len(backup.copy.0, len)).ok_or(too_large(memsz))?;
    // The purgatory would copy nothing, and the dump hold what the capture kernel wrote there.
    if limits.overlaps(backup.source) {
        return Err(Error::Unsupported { field: Field::BackupRegion, value: backup.copy.0 }.into());
    }
    let kind = SegmentKind::Mutable(Mutable::Backup);
    layout.place(Part { kind, memsz, align: 1, limits, reason: Reason::Backup }, Source::Input(&[]), 0)?;
    Ok(limits)
}

fn place_elfcorehdr<'a>(layout: &mut Layout<'a>, header: &Elfcorehdr<'a>) -> Result<Span, PlanError> {
    if !header.bytes.starts_with(ELF_MAGIC) {
        return Err(PlanError::NoElfcorehdr);
    }
    let bufsz = len_of(header.bytes.len());
    let (kind, room) = match header.upkeep {
        Upkeep::Reload => (SegmentKind::Fixed(Fixed::Elfcorehdr), 0),
        Upkeep::Kernel { room } => (SegmentKind::Mutable(Mutable::Elfcorehdr), room.saturating_add(EHDR_LEN)),
    };
    let memsz = bufsz.max(room);
    let limits = Span::new(LOWEST, u64::MAX);
    let part = Part { kind, memsz, align: 1, limits, reason: Reason::HeaderAddress };
    let start = layout.place(part, Source::Input(header.bytes), bufsz)?;
    let len = memsz.checked_next_multiple_of(PAGE).unwrap_or(memsz);
    Ok(Span::with_len(start.0, len).ok_or(too_large(memsz))?)
}

/// The purgatory and what it needs of its place.
fn purgatory_part(request: &Request<'_>) -> Result<(Part, object::Layout), PlanError> {
    let object = Object::parse(request.purgatory.object)?;
    let running = request.running.e_machine;
    if object.machine() != running {
        return Err(Refusal::WrongMachine { machine: object.machine(), running }.into());
    }
    let needs = object.layout()?;
    let part = Part {
        kind: SegmentKind::Mutable(Mutable::Purgatory),
        memsz: needs.mem_len,
        align: needs.align,
        limits: Span::new(LOWEST, u64::MAX),
        reason: Reason::LinkedInPlace,
    };
    Ok((part, needs))
}

/// Places the purgatory, whose bytes are the first of the scratch, and answers with its entry and the number of bytes.
pub(super) fn place_purgatory(
    layout: &mut Layout<'_>,
    request: &Request<'_>,
) -> Result<(PhysAddr, usize), PlanError> {
    let (part, needs) = purgatory_part(request)?;
    let len = usize::try_from(needs.file_len).map_err(|_| too_large(needs.file_len))?;
    let at = layout.place(part, Source::Scratch { start: 0, end: len }, needs.file_len)?;
    Ok((offset_by(at, needs.entry)?, len))
}

/// Places the boot parameters, and answers with the end of the scratch, of which `taken` bytes are taken.
pub(super) fn place_boot_params(
    layout: &mut Layout<'_>,
    request: &Request<'_>,
    kernel: &Kernel<'_>,
    command_line: &[u8],
    capture: Option<Capture>,
    taken: usize,
) -> Result<(PhysAddr, usize), PlanError> {
    let params = kernel.boot_params();
    let len = boot_block(request, kernel, &params, command_line, None, capture).encoded_len()?;
    let too_large = too_large(len_of(len));
    let start = taken.checked_next_multiple_of(BLOCK_ALIGN).ok_or(too_large)?;
    let end = start.checked_add(len).ok_or(too_large)?;
    let part = Part {
        kind: SegmentKind::Fixed(Fixed::BootBlock),
        memsz: len_of(len),
        align: 1,
        limits: Span::new(LOWEST, kernel.reach()),
        reason: Reason::EarlyBoot,
    };
    let at = layout.place(part, Source::Scratch { start, end }, len_of(len))?;
    Ok((at, end))
}

/// Places the initrd, `microcode` before it, and answers with the address of both and their length in bytes.
///
/// The microcode fills whole pages, with zeros after it, which the kernel skips between two archives
/// (`Documentation/driver-api/early-userspace/buffer-format.rst`, Linux 6.12).
pub(super) fn place_initrd<'a>(
    layout: &mut Layout<'a>,
    request: &Request<'a>,
    microcode: &'a [u8],
    kernel: &Kernel<'_>,
) -> Result<Option<(PhysAddr, u64)>, PlanError> {
    let before = len_of(microcode.len()).checked_next_multiple_of(PAGE);
    let len = before.and_then(|before| before.checked_add(len_of(request.initrd.len())));
    let (before, len) = before.zip(len).ok_or(too_large(u64::MAX))?;
    if len == 0 {
        return Ok(None);
    }
    let initrd = SegmentKind::Fixed(Fixed::Initrd);
    let pieces = [
        Piece::input(SegmentKind::Fixed(Fixed::Microcode), microcode, before),
        Piece::input(initrd, request.initrd, len_of(request.initrd.len())),
    ];
    let part = Part {
        kind: initrd,
        memsz: len,
        align: 1,
        limits: Span::new(16 << 20, kernel.reach()),
        reason: Reason::AboveLowMemory,
    };
    let at = layout.place_pieces(part, pieces.into_iter().filter(|piece| piece.bufsz > 0))?;
    Ok(Some((at, len)))
}

/// The running kernel takes the last segment of a crash kernel that begins with the ELF magic for the elfcorehdr.
pub(super) fn no_elf_magic(kind: SegmentKind, bytes: &[u8]) -> Result<(), PlanError> {
    let own =
        matches!(kind, SegmentKind::Fixed(Fixed::Elfcorehdr) | SegmentKind::Mutable(Mutable::Elfcorehdr));
    if !own && bytes.starts_with(ELF_MAGIC) { Err(PlanError::ElfMagic { kind }) } else { Ok(()) }
}
