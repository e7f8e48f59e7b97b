//! What goes where in memory, so that the kernel that boots next finds all it needs.
//!
//! A plan is made in two steps. [`Plan::new`] decides: every place, every size, checked as the running kernel will check
//! them, and nothing is written. [`Plan::encode`] writes what only the loader can make, the purgatory and the boot
//! parameters, in the caller's scratch; all other bytes stay in the caller's files. [`Plan::explain`] says why.

mod blocks;
mod error;
mod explain;
mod guard;
mod layout;
mod memory;
mod request;
#[cfg(test)]
mod tests;

use heapless::Vec;
use vmcore_format::PhysAddr;
use vmcore_format::elf::EM_X86_64;

use crate::boot_params::BootParams;
use crate::check::{self, Refusal};
use crate::command_line::CommandLine;
use crate::digest::{Region, Regions};
use crate::image::{self, BzImage, Image};
use crate::map::Span;
use crate::object;
use crate::segment::{Extent, Fixed, Mutable, SEGMENT_MAX, SegmentKind};
use crate::{Error, Field};

use blocks::{boot_block, len_of};
use layout::{Layout, Part};

pub use crate::hole::Direction;
pub use error::PlanError;
pub use explain::Explanation;
pub use layout::{Placement, Reason};
pub use memory::Told;
pub use request::{Elfcorehdr, Load, MachineFacts, Profile, Purgatory, Request, Running, Upkeep};

/// A segment of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment<'a> {
    /// What it holds.
    pub kind: SegmentKind,
    /// Its memory.
    pub extent: Extent,
    /// Where its bytes come from.
    pub source: Source<'a>,
    /// Why it is where it is.
    pub placement: Placement,
}

impl Segment<'_> {
    /// Its memory, zeros included.
    #[must_use]
    pub fn span(&self) -> Span {
        let start = self.extent.mem;
        Span { start, end: PhysAddr(start.0.saturating_add(self.extent.memsz)) }
    }
}

/// Where the bytes of a segment come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source<'a> {
    /// A part of one of the caller's inputs.
    Input(&'a [u8]),
    /// A part of the scratch that [`Plan::encode`] fills, in bytes from its start.
    Scratch {
        /// The first byte.
        start: usize,
        /// The byte after the last.
        end: usize,
    },
}

/// A kernel with its place in memory.
#[derive(Debug, Clone)]
pub struct Plan<'a> {
    request: Request<'a>,
    kernel: BzImage<'a>,
    command_line: &'a [u8],
    segments: Vec<Segment<'a>, SEGMENT_MAX>,
    /// The crash region, and how many there are.
    region: Option<(Span, usize)>,
    /// What is left free for the running kernel.
    control: Option<Span>,
    places: Places,
}

/// The addresses that segments say of each other.
#[derive(Debug, Clone, Copy)]
struct Places {
    elfcorehdr: Option<Span>,
    boot_params: PhysAddr,
    initrd: Option<(PhysAddr, u64)>,
    /// The entry of purgatory.
    entry: PhysAddr,
    /// The 64-bit entry of the kernel.
    kernel_entry: PhysAddr,
    scratch_len: usize,
}

impl<'a> Plan<'a> {
    /// Plans what `request` asks for. The command line of the kernel is written in `line`: as many bytes as the kernel's
    /// `cmdline_size` are enough (2048 in every Linux of today).
    ///
    /// A plan is made for x86_64 only.
    ///
    /// # Errors
    ///
    /// [`PlanError::Input`] with [`Error::Unsupported`] in [`Field::Machine`] for another machine; the errors of the
    /// image, the purgatory and the command line; [`PlanError::NoRoom`] where memory is too small;
    /// [`PlanError::Refused`] with what the running kernel would say; and the others of [`PlanError`].
    pub fn new(request: Request<'a>, line: &'a mut [u8]) -> Result<Self, PlanError> {
        if request.running.e_machine != EM_X86_64 {
            let value = u64::from(request.running.e_machine);
            return Err(Error::Unsupported { field: Field::Machine, value }.into());
        }
        let request = unpack(request)?;
        let kernel = kernel_of(&request)?;
        let reach = Span::new(0, request.running.memory_limit());
        let limits = request.limits.intersection(reach);
        let region = match request.load {
            Load::Ordinary => None,
            Load::Crash(_) => Some(memory::crash_region(request.memory).ok_or(PlanError::NoCrashRegion)?),
        };
        let control = region.map(|(region, _)| control_room(&request, region));
        let mut layout = Layout::new(request.memory, region.map(|(region, _)| region), limits, control);

        let elfcorehdr = match request.load {
            Load::Crash(header) => Some(place_elfcorehdr(&mut layout, &header)?),
            Load::Ordinary => None,
        };
        let mut line = CommandLine::new(line, request.command_line)?;
        if let Some(at) = elfcorehdr {
            line.add("elfcorehdr", format_args!("{:#x}", at.start.0))?;
        }
        line.check(kernel.cmdline_size())?;
        let command_line = line.into_bytes();

        let object = object::Object::parse(request.purgatory.object)?;
        let needs = object.layout()?;
        let guard_len = usize::try_from(needs.file_len).map_err(|_| too_large(needs.file_len))?;
        let guard = layout.place(Part {
            kind: SegmentKind::Mutable(Mutable::Purgatory),
            source: Source::Scratch { start: 0, end: guard_len },
            bufsz: needs.file_len,
            memsz: needs.mem_len,
            align: needs.align,
            limits: Span::new(LOWEST, u64::MAX),
            reason: Reason::LinkedInPlace,
        })?;

        let params = BootParams::of_bzimage(&kernel);
        let boot_len =
            boot_block(&request, &kernel, &params, command_line, None, elfcorehdr).encoded_len()?;
        let boot_start = guard_len.checked_next_multiple_of(BLOCK_ALIGN).ok_or(too_large(needs.file_len))?;
        let scratch_len = boot_start.checked_add(boot_len).ok_or(too_large(len_of(boot_len)))?;
        let reachable = if kernel.can_be_loaded_above_4g() { u64::MAX } else { 1 << 32 };
        let boot_params = layout.place(Part {
            kind: SegmentKind::Fixed(Fixed::BootBlock),
            source: Source::Scratch { start: boot_start, end: scratch_len },
            bufsz: len_of(boot_len),
            memsz: len_of(boot_len),
            align: 1,
            limits: Span::new(LOWEST, reachable),
            reason: Reason::EarlyBoot,
        })?;
        let kernel_at = layout.place(kernel_part(&kernel, reachable)?)?;
        let initrd = place_initrd(&mut layout, &request, reachable)?;
        let places = Places {
            elfcorehdr,
            boot_params,
            initrd,
            entry: offset_by(guard, needs.entry)?,
            kernel_entry: offset_by(kernel_at, kernel.entry_64()?)?,
            scratch_len,
        };
        let segments = layout.into_segments();
        let plan = Self { request, kernel, command_line, segments, region, control, places };
        plan.check()?;
        Ok(plan)
    }

    /// Checks the plan as the running kernel will check it.
    fn check(&self) -> Result<(), PlanError> {
        for segment in &self.segments {
            if let Source::Input(bytes) = segment.source {
                no_elf_magic(segment.kind, bytes)?;
            }
        }
        let extents: Vec<Extent, SEGMENT_MAX> = self.segments.iter().map(|segment| segment.extent).collect();
        let image = check::Image { entry: self.places.entry, flags: self.flags(), segments: &extents };
        let running = &self.request.running;
        let kernel = check::Kernel {
            machine: running.e_machine,
            known_flags: running.known_flags,
            crash_region: self.region.map(|(region, _)| region),
            ram_pages: running.ram_pages,
            memory_limit: running.memory_limit(),
            control_pages: memory::control_pages(self.request.memory, running.gib_pages),
        };
        Ok(check::kernel_would_accept(&image, &kernel)?)
    }

    /// The segments, in the order in which they were placed. The kernel takes them in any order.
    #[must_use]
    pub fn segments(&self) -> &[Segment<'a>] {
        &self.segments
    }

    /// The physical address at which the image is entered: purgatory's.
    #[must_use]
    pub fn entry(&self) -> PhysAddr {
        self.places.entry
    }

    /// The physical address at which purgatory enters the kernel.
    #[must_use]
    pub fn kernel_entry(&self) -> PhysAddr {
        self.places.kernel_entry
    }

    /// The flags of `kexec_load`, the machine among them.
    #[must_use]
    pub fn flags(&self) -> u32 {
        let machine = u32::from(self.request.running.e_machine) << 16;
        match self.request.load {
            Load::Ordinary => machine,
            Load::Crash(Elfcorehdr { upkeep: Upkeep::Reload, .. }) => machine | check::ON_CRASH,
            Load::Crash(Elfcorehdr { upkeep: Upkeep::Kernel { .. }, .. }) => {
                machine | check::ON_CRASH | check::UPDATE_ELFCOREHDR
            }
        }
    }

    /// The command line of the kernel, with all that was added, without its NUL.
    #[must_use]
    pub fn command_line(&self) -> &'a [u8] {
        self.command_line
    }

    /// The kernel image, also where it came in a unified kernel image.
    #[must_use]
    pub fn kernel(&self) -> &BzImage<'a> {
        &self.kernel
    }

    /// The memory that the kernel is told of.
    #[must_use]
    pub fn told(&self) -> Told<'a> {
        Told::of(self.request.memory, self.places.elfcorehdr)
    }

    /// The length in bytes of the scratch that [`encode`](Self::encode) needs.
    #[must_use]
    pub fn scratch_len(&self) -> usize {
        self.places.scratch_len
    }

    /// Writes the purgatory and the boot parameters in `scratch`, and answers with the digest that purgatory checks.
    ///
    /// # Errors
    ///
    /// [`Error::BufferTooSmall`] for `scratch`; errors of the purgatory's relocations and symbols;
    /// [`PlanError::ElfMagic`]. `scratch` is then unspecified.
    pub fn encode(&self, scratch: &mut [u8]) -> Result<[u8; 32], PlanError> {
        let needed = len_of(self.places.scratch_len);
        let scratch = scratch.get_mut(..self.places.scratch_len).ok_or(Error::BufferTooSmall { needed })?;
        scratch.fill(0);
        let mut params = BootParams::of_bzimage(&self.kernel);
        blocks::take_over(&mut params, &self.request.machine);
        for segment in &self.segments {
            if let (SegmentKind::Fixed(Fixed::BootBlock), Source::Scratch { start, end }) =
                (segment.kind, segment.source)
            {
                let block = boot_block(
                    &self.request,
                    &self.kernel,
                    &params,
                    self.command_line,
                    self.places.initrd,
                    self.places.elfcorehdr,
                );
                let out = scratch.get_mut(start..end).ok_or(Error::BufferTooSmall { needed })?;
                block.encode(segment.extent.mem, out)?;
                no_elf_magic(segment.kind, out)?;
            }
        }
        let regions = self.regions(scratch)?;
        let digest = regions.sha256();
        let orders = guard::Orders {
            entry: self.places.kernel_entry,
            boot_params: self.places.boot_params,
            digest,
            regions: guard::table(&regions),
        };
        drop(regions);
        for segment in &self.segments {
            if let (SegmentKind::Mutable(Mutable::Purgatory), Source::Scratch { start, end }) =
                (segment.kind, segment.source)
            {
                let out = scratch.get_mut(start..end).ok_or(Error::BufferTooSmall { needed })?;
                guard::link(&self.request.purgatory, segment.extent.mem, &orders, out)?;
                no_elf_magic(segment.kind, out)?;
            }
        }
        Ok(digest)
    }

    /// The bytes of one of the [`segments`](Self::segments), `scratch` being what [`encode`](Self::encode) filled.
    ///
    /// # Errors
    ///
    /// [`Error::BufferTooSmall`] for `scratch`.
    pub fn bytes<'s>(&self, segment: &Segment<'a>, scratch: &'s [u8]) -> Result<&'s [u8], Error>
    where
        'a: 's,
    {
        match segment.source {
            Source::Input(bytes) => Ok(bytes),
            Source::Scratch { start, end } => {
                scratch.get(start..end).ok_or(Error::BufferTooSmall { needed: len_of(end) })
            }
        }
    }

    /// What the digest covers, `scratch` being what [`encode`](Self::encode) filled.
    ///
    /// # Errors
    ///
    /// [`Error::BufferTooSmall`] for `scratch`.
    pub fn regions<'s>(&self, scratch: &'s [u8]) -> Result<Regions<'s>, PlanError>
    where
        'a: 's,
    {
        let mut regions = Regions::new();
        for segment in &self.segments {
            if let SegmentKind::Fixed(kind) = segment.kind {
                let bytes = self.bytes(segment, scratch)?;
                let count = len_of(SEGMENT_MAX).saturating_add(1);
                regions
                    .add(Region::new(kind, segment.extent.mem, bytes))
                    .map_err(|_| Refusal::TooManySegments { count })?;
            }
        }
        Ok(regions)
    }

    /// Every decision of the plan, in the order in which they were made.
    pub fn explain(&self) -> impl Iterator<Item = Explanation> + Clone {
        let region = self.region.map(|(region, count)| Explanation::Region { region, count });
        let per_gib = !self.request.running.gib_pages;
        let control = self.control.map(|room| Explanation::ControlPages { room, per_gib });
        let placed = self.segments.iter().map(|segment| Explanation::Placed {
            kind: segment.kind,
            span: segment.span(),
            bufsz: segment.extent.bufsz,
            placement: segment.placement,
        });
        let hashed = self.segments.iter().map(|segment| match segment.kind {
            SegmentKind::Fixed(_) => Explanation::Hashed { kind: segment.kind, len: segment.extent.bufsz },
            SegmentKind::Mutable(kind) => Explanation::NotHashed { kind },
        });
        let left_out = (self.request.machine.efi.is_some() && !blocks::takes_efi(&self.kernel))
            .then_some(Explanation::EfiLeftOut);
        let ends = [
            Explanation::CommandLine {
                len: len_of(self.command_line.len()),
                max: self.kernel.cmdline_size(),
                elfcorehdr: self.places.elfcorehdr.map(|span| span.start),
            },
            Explanation::Entry { purgatory: self.places.entry, kernel: self.places.kernel_entry },
        ];
        region.into_iter().chain(control).chain(placed).chain(hashed).chain(left_out).chain(ends)
    }
}

/// No segment lies below: the first page holds the vectors of real mode, and BIOS data follow.
const LOWEST: u64 = 0x3000;
/// The boundary of blocks in the scratch.
const BLOCK_ALIGN: usize = 16;

/// Puts the parts of a unified kernel image in their places; what the caller gave goes first.
fn unpack(request: Request<'_>) -> Result<Request<'_>, PlanError> {
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
fn kernel_of<'a>(request: &Request<'a>) -> Result<BzImage<'a>, PlanError> {
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
fn control_room(request: &Request<'_>, region: Span) -> Span {
    let single = memory::control_pages(request.memory, request.running.gib_pages);
    // Two pages of control code on a boundary of two, so one page may be skipped before them.
    let room = memory::pages_from(region.start, single.saturating_add(3)).unwrap_or(region);
    room.intersection(region)
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
    let start = layout.place(Part {
        kind,
        source: Source::Input(header.bytes),
        bufsz,
        memsz,
        align: 1,
        limits: Span::new(LOWEST, u64::MAX),
        reason: Reason::HeaderAddress,
    })?;
    let len = memsz.checked_next_multiple_of(crate::segment::PAGE).unwrap_or(memsz);
    Span::with_len(start.0, len).ok_or(too_large(memsz))
}

fn kernel_part<'a>(kernel: &BzImage<'a>, reachable: u64) -> Result<Part<'a>, PlanError> {
    let bytes = kernel.protected_mode();
    let memsz = kernel.init_size();
    let pref = kernel.pref_address().0;
    let (align, limits, reason) = if kernel.is_relocatable() {
        let align = kernel.kernel_alignment().max(kernel.min_alignment());
        (align, Span::new(pref.max(1 << 20), reachable), Reason::KernelHeader)
    } else {
        let len = memsz.checked_next_multiple_of(crate::segment::PAGE).ok_or(too_large(memsz))?;
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

fn place_initrd<'a>(
    layout: &mut Layout<'a>,
    request: &Request<'a>,
    reachable: u64,
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
        limits: Span::new(16 << 20, reachable),
        reason: Reason::AboveLowMemory,
    })?;
    Ok(Some((at, len)))
}

const ELF_MAGIC: &[u8] = b"\x7fELF";
/// The length of an ELF64 header, in bytes.
const EHDR_LEN: u64 = 64;

/// The running kernel takes the last segment that begins with the ELF magic for the elfcorehdr.
fn no_elf_magic(kind: SegmentKind, bytes: &[u8]) -> Result<(), PlanError> {
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
