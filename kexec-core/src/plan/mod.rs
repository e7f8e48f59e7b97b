//! What goes where in memory, so that the kernel that boots next finds all it needs.
//!
//! A plan is made in two steps. [`Plan::new`] decides: every place, every size, checked as the running kernel will check
//! them, and nothing is written. [`Plan::encode`] writes what only the loader can make, the purgatory and the boot
//! parameters, in the caller's scratch; all other bytes stay in the caller's files. [`Plan::explain`] says why.

mod blocks;
mod error;
mod explain;
mod guard;
mod kernel;
mod layout;
mod memory;
mod parts;
mod request;
#[cfg(test)]
mod tests;

use heapless::Vec;
use vmcore_format::PhysAddr;
use vmcore_format::elf::EM_X86_64;

use crate::check::{self, Refusal};
use crate::command_line::CommandLine;
use crate::digest::{Region, Regions};
use crate::elfcorehdr::Backup;
use crate::map::Span;
use crate::segment::{Extent, Fixed, Mutable, PAGE, SEGMENT_MAX, SegmentKind};
use crate::{Error, Field};

use blocks::{boot_block, len_of};
use layout::Layout;
use memory::Capture;

pub use crate::hole::Direction;
pub use error::PlanError;
pub use explain::Explanation;
pub use kernel::Kernel;
pub use layout::{Placement, Reason};
pub use memory::{Told, low_memory_backup};
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
    kernel: Kernel<'a>,
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
    capture: Option<Capture>,
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
        let (request, microcode) = parts::unpack(request)?;
        let kernel = Kernel::of(&request)?;
        // Address 0 says "none" to the boot protocol, and a purgatory does not read from it.
        let reach = Span::new(PAGE, request.running.memory_limit());
        let limits = request.limits.intersection(reach);
        let region = match request.load {
            Load::Ordinary => None,
            Load::Crash(_) => Some(memory::crash_region(request.memory).ok_or(PlanError::NoCrashRegion)?),
        };
        let control = region.map(|(region, _)| parts::control_room(&request, region));
        let mut layout = Layout::new(&request, region.map(|(region, _)| region), limits, control);

        let capture = match request.load {
            Load::Crash(header) => Some(parts::place_capture(&mut layout, &header)?),
            Load::Ordinary => None,
        };
        let mut line = CommandLine::new(line, request.command_line)?;
        if let Some(Capture { elfcorehdr, .. }) = capture {
            if line.has("elfcorehdr") {
                return Err(PlanError::ElfcorehdrGiven);
            }
            line.add("elfcorehdr", format_args!("{:#x}", elfcorehdr.start.0))?;
        }
        line.check(kernel.cmdline_size())?;
        let command_line = line.into_bytes();

        let (entry, taken) = parts::place_purgatory(&mut layout, &request)?;
        let (boot_params, scratch_len) =
            parts::place_boot_params(&mut layout, &request, &kernel, command_line, capture, taken)?;
        let kernel_entry = kernel.place(&mut layout)?;
        let initrd = parts::place_initrd(&mut layout, &request, microcode, &kernel)?;
        let places = Places { capture, boot_params, initrd, entry, kernel_entry, scratch_len };
        let segments = layout.into_segments();
        let plan = Self { request, kernel, command_line, segments, region, control, places };
        plan.check()?;
        Ok(plan)
    }

    /// Refuses what the running kernel would take for the elfcorehdr. It looks for one in a crash kernel only.
    fn no_elf_magic(&self, kind: SegmentKind, bytes: &[u8]) -> Result<(), PlanError> {
        match self.request.load {
            Load::Crash(_) => parts::no_elf_magic(kind, bytes),
            Load::Ordinary => Ok(()),
        }
    }

    /// Checks the plan as the running kernel will check it.
    fn check(&self) -> Result<(), PlanError> {
        let mut extents: Vec<Extent, SEGMENT_MAX> = Vec::new();
        for segment in &self.segments {
            if let Source::Input(bytes) = segment.source {
                self.no_elf_magic(segment.kind, bytes)?;
            }
            let count = len_of(SEGMENT_MAX).saturating_add(1);
            extents.push(segment.extent).map_err(|_| Refusal::TooManySegments { count })?;
        }
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
        check::kernel_would_accept(&image, &kernel).map_err(|refusal| {
            let segment = refusal.segment().and_then(|index| self.segments.get(index));
            PlanError::Refused { refusal, kind: segment.map(|segment| segment.kind) }
        })
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

    /// The physical address of the elfcorehdr; `None` for an ordinary kernel. A header of the same length has the same one.
    #[must_use]
    pub fn elfcorehdr(&self) -> Option<PhysAddr> {
        self.places.capture.map(|capture| capture.elfcorehdr.start)
    }

    /// The flags of `kexec_load`, the machine among them.
    #[must_use]
    pub fn flags(&self) -> u32 {
        let machine = u32::from(self.request.running.e_machine) << 16;
        match self.request.load {
            Load::Ordinary => machine,
            Load::Crash(Elfcorehdr { upkeep: Upkeep::Reload, .. }) => machine | check::ON_CRASH,
            Load::Crash(Elfcorehdr { upkeep: Upkeep::Kernel { .. }, .. }) => {
                machine | check::ON_CRASH | self.request.running.upkeep_flag()
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
    pub fn kernel(&self) -> &Kernel<'a> {
        &self.kernel
    }

    /// The memory that the kernel is told of.
    #[must_use]
    pub fn told(&self) -> Told<'a> {
        blocks::told(&self.request, self.places.capture)
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
        let mut params = self.kernel.boot_params();
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
                    self.places.capture,
                );
                let out = scratch.get_mut(start..end).ok_or(Error::BufferTooSmall { needed })?;
                block.encode(segment.extent.mem, out)?;
                self.no_elf_magic(segment.kind, out)?;
            }
        }
        let regions = self.regions(scratch)?;
        let digest = regions.sha256();
        let orders = guard::Orders {
            entry: self.places.kernel_entry,
            boot_params: self.places.boot_params,
            digest,
            backup: self.backup(),
            regions: guard::table(&regions),
        };
        drop(regions);
        for segment in &self.segments {
            if let (SegmentKind::Mutable(Mutable::Purgatory), Source::Scratch { start, end }) =
                (segment.kind, segment.source)
            {
                let out = scratch.get_mut(start..end).ok_or(Error::BufferTooSmall { needed })?;
                guard::link(&self.request.purgatory, segment.extent.mem, &orders, out)?;
                self.no_elf_magic(segment.kind, out)?;
            }
        }
        Ok(digest)
    }

    /// What the purgatory copies.
    fn backup(&self) -> Option<Backup> {
        match self.request.load {
            Load::Crash(header) => header.backup,
            Load::Ordinary => None,
        }
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
        let left_out = (self.request.machine.efi.is_some() && !self.kernel.takes_efi())
            .then_some(Explanation::EfiLeftOut);
        let ends = [
            Explanation::CommandLine {
                len: len_of(self.command_line.len()),
                max: self.kernel.cmdline_size(),
                elfcorehdr: self.places.capture.map(|capture| capture.elfcorehdr.start),
            },
            Explanation::Entry { purgatory: self.places.entry, kernel: self.places.kernel_entry },
        ];
        region.into_iter().chain(control).chain(placed).chain(hashed).chain(left_out).chain(ends)
    }
}
