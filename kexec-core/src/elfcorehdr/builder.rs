//! The header as a list of program headers, and as bytes.

use super::DirectMap;
use crate::map::{MemoryMap, RangeKind, Span, sha256_of};
use crate::{Error, Field};
use vmcore_format::elf::{
    EM_386, EM_AARCH64, EM_RISCV, EM_X86_64, Header, PF_R, PF_W, PF_X, PN_XNUM, PT_LOAD, PT_NOTE,
    ProgramHeader,
};
use vmcore_format::note::MapVersion;
use vmcore_format::{Class, Layout, PhysAddr, VirtAddr};

/// The first address that class 32 cannot hold.
const LIMIT_32: u64 = 1 << 32;

/// A buffer of notes in the first kernel's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct NoteBuffer {
    /// Its physical address: `/sys/devices/system/cpu/cpuN/crash_notes`, `/sys/kernel/vmcoreinfo`.
    pub paddr: PhysAddr,
    /// Its length in bytes: `crash_notes_size`, and the second number of `vmcoreinfo`.
    pub len: u64,
}

/// The first kernel's own image, which it runs at other addresses than the linear mapping's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KernelText {
    /// The virtual address of its first byte.
    pub vaddr: VirtAddr,
    /// The physical address of its first byte: where `Kernel code` starts in `/proc/iomem`.
    pub paddr: PhysAddr,
    /// Its length in bytes.
    pub len: u64,
}

/// Low memory that a purgatory copies before the capture kernel uses it.
///
/// Needed by ppc64 (64 KiB), under Xen, and by x86 kernels before Linux 5.5, which let a capture kernel boot in the
/// first 640 KiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backup {
    /// The memory that is copied.
    pub source: Span,
    /// The physical address of the copy.
    pub copy: PhysAddr,
}

/// What a header is made of.
///
/// Program headers come in this order: a `PT_NOTE` for each CPU, one for VMCOREINFO, then `PT_LOAD`s: the kernel's
/// text, the backup, and RAM in ascending order.
#[derive(Debug, Clone, Copy)]
pub struct Builder<'a> {
    /// Byte order and word size of the first kernel; [`class`](Self::class) chooses for i386.
    pub layout: Layout,
    /// `e_machine` of the first kernel.
    pub e_machine: u16,
    /// The notes of each CPU that has any.
    pub cpu_notes: &'a [NoteBuffer],
    /// The note of VMCOREINFO.
    pub vmcoreinfo: Option<NoteBuffer>,
    /// The kernel's text, where the architecture maps it apart (x86_64, arm64, riscv64) and it is known.
    pub text: Option<KernelText>,
    /// The linear mapping, where it is known.
    pub direct_map: Option<DirectMap>,
    /// The machine's memory: RAM that is no crash kernel's goes in the dump ([`RangeKind::is_dumped`]).
    pub ram: &'a MemoryMap<'a>,
    /// RAM to leave out nonetheless. [`LOW_MEMORY`](Self::LOW_MEMORY) on x86 from Linux 5.5 on, as the kernel's own
    /// loader does: that memory is reserved there.
    pub exclude: &'a [Span],
    /// Low memory that is found elsewhere after the crash.
    pub backup: Option<Backup>,
}

/// What a header does without, because it was not known: a capture kernel and dump tools accept it, but with less to
/// start from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Omitted {
    /// No CPU has notes: the dump will have no registers.
    pub cpu_notes: bool,
    /// No VMCOREINFO: tools will have to be told the kernel's layouts.
    pub vmcoreinfo: bool,
    /// No linear mapping: every `p_vaddr` of RAM is 0.
    pub direct_map: bool,
    /// No `PT_LOAD` of the kernel's text, on a machine that has one.
    pub text: bool,
}

impl Omitted {
    /// Whether the header lacks anything.
    #[must_use]
    pub const fn any(self) -> bool {
        self.cpu_notes || self.vmcoreinfo || self.direct_map || self.text
    }
}

impl Builder<'_> {
    /// The first mebibyte, which x86 kernels from Linux 5.5 on keep out of use.
    pub const LOW_MEMORY: Span = Span::new(0, 0x10_0000);

    /// The class that i386 needs for this memory: ELF32, unless RAM lies above 4 GiB.
    #[must_use]
    pub fn class(e_machine: u16, ram: &MemoryMap<'_>) -> Class {
        let end = ram.merged(RangeKind::is_dumped).last().map_or(0, |span| span.end.0);
        if e_machine == EM_386 && end <= LIMIT_32 { Class::Bits32 } else { Class::Bits64 }
    }

    /// What the header does without.
    #[must_use]
    pub fn omitted(&self) -> Omitted {
        let has_text = matches!(self.e_machine, EM_X86_64 | EM_AARCH64 | EM_RISCV);
        Omitted {
            cpu_notes: self.cpu_notes.is_empty(),
            vmcoreinfo: self.vmcoreinfo.is_none(),
            direct_map: self.direct_map.is_none(),
            text: has_text && self.text.is_none(),
        }
    }

    /// The number of program headers.
    ///
    /// # Errors
    /// As [`encode`](Self::encode), but for the buffer.
    pub fn phnum(&self) -> Result<u32, Error> {
        let mut phnum = 0_u32;
        self.each_phdr(&mut |phdr| {
            self.check_width(phdr)?;
            phnum = phnum.saturating_add(1);
            Ok(())
        })?;
        // The capture kernel reads e_phnum alone.
        if phnum >= u32::from(PN_XNUM) {
            return Err(Error::Unsupported { field: Field::EPhnum, value: u64::from(phnum) });
        }
        Ok(phnum)
    }

    /// The length of the header, in bytes: `bufsz` of its segment.
    ///
    /// # Errors
    /// As [`encode`](Self::encode), but for the buffer.
    pub fn encoded_len(&self) -> Result<u64, Error> {
        Ok(Header::core(self.layout, self.e_machine, self.phnum()?).headers_len())
    }

    /// Writes the header to the front of `buf` and answers with its length in bytes. The rest of `buf` is not touched.
    ///
    /// # Errors
    /// - [`Error::BufferTooSmall`].
    /// - [`Error::Unsupported`]: notes, text or backup that run past the end of the address space; an address or size
    ///   that class 32 cannot hold (`p_paddr`, `p_vaddr`); 65535 program headers or more, which the capture kernel refuses.
    pub fn encode(&self, buf: &mut [u8]) -> Result<usize, Error> {
        self.encode_table(self.phnum()?, buf)
    }

    /// As [`encode`](Self::encode), but the header fills `buf`: what is left of it, as far as it goes, is spare program headers, all
    /// zero (`PT_NULL`), which [`patch`](Self::patch) makes `PT_LOAD`s of.
    ///
    /// `buf` is as long as the segment is to be: `/sys/kernel/crash_elfcorehdr_size` bytes for a header that the kernel
    /// rewrites, 56 bytes for each range that may come for one that is patched. `e_phnum` counts the spare ones, up to 65534.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    pub fn encode_with_spare(&self, buf: &mut [u8]) -> Result<usize, Error> {
        let phnum = self.phnum()?;
        let header_len = Header::core(self.layout, self.e_machine, 0).headers_len();
        let phdr_len = ProgramHeader::encoded_len(self.layout.class);
        let left = buf.len().saturating_sub(usize::try_from(header_len).unwrap_or(usize::MAX));
        let room = u32::try_from(left.checked_div(phdr_len).unwrap_or(0)).unwrap_or(u32::MAX);
        self.encode_table(phnum.max(room.min(u32::from(PN_XNUM).saturating_sub(1))), buf)
    }

    fn encode_table(&self, phnum: u32, buf: &mut [u8]) -> Result<usize, Error> {
        let header = Header::core(self.layout, self.e_machine, phnum);
        let needed = header.headers_len();
        let too_small = Error::BufferTooSmall { needed };
        let len = usize::try_from(needed).map_err(|_| too_small)?;
        let buf = buf.get_mut(..len).ok_or(too_small)?;
        let header_len = header.encode(buf).map_err(from_format)?;
        let table = buf.get_mut(header_len..).unwrap_or_default();
        let mut slots = table.chunks_exact_mut(ProgramHeader::encoded_len(self.layout.class));
        self.each_phdr(&mut |phdr| {
            let slot = slots.next().ok_or(too_small)?;
            phdr.encode(self.layout, slot).map_err(from_format).map(|_| ())
        })?;
        slots.for_each(|slot| slot.fill(0));
        Ok(len)
    }

    /// What the header says of the version `epoch` of the map that it is made of, for a note: the capture side sees by it whether
    /// the header is still that one.
    ///
    /// The digest is of all memory that the `PT_LOAD`s name, which the map holds and [`exclude`](Self::exclude) leaves in. The note, written by
    /// [`MapVersion::encode_ended`], lies in memory of the crash region that stays, best right behind the header in its segment, and the
    /// last of [`cpu_notes`](Self::cpu_notes) tells of it. As each `PT_NOTE` has the same size wherever it points, the header can
    /// be encoded once to find its place, and again with the note's address. A header that is [patched](Self::patch) still has the note
    /// of the version that it was built of.
    #[must_use]
    pub fn map_version(&self, epoch: u64) -> MapVersion {
        let text = self.text.and_then(|text| Span::with_len(text.paddr.0, text.len));
        let mut others =
            [text.unwrap_or_default(), self.backup.map(|backup| backup.source).unwrap_or_default()];
        others.sort_unstable_by_key(|span| span.start);
        let mut others = others.into_iter().filter(|span| !span.is_empty()).peekable();
        let pieces = self.ram.merged(RangeKind::is_dumped).flat_map(|span| self.loads_of(span));
        let mut ram = pieces.map(|load| Span::new(load.memory().start, load.memory().end)).peekable();
        let in_order = core::iter::from_fn(|| match (ram.peek(), others.peek()) {
            (Some(ram), Some(other)) if other.start < ram.start => others.next(),
            (None, _) => others.next(),
            _ => ram.next(),
        });
        MapVersion { epoch, sha256: sha256_of(in_order) }
    }

    /// The number of program headers before the `PT_LOAD`s, and before those of RAM.
    pub(super) fn before_ram(&self) -> (usize, usize) {
        let notes = self.cpu_notes.len().saturating_add(usize::from(self.vmcoreinfo.is_some()));
        let fixed = usize::from(self.text.is_some()).saturating_add(usize::from(self.backup.is_some()));
        (notes, notes.saturating_add(fixed))
    }

    /// The `PT_LOAD`s of memory that goes in the dump.
    pub(super) fn loads_of(&self, span: Span) -> impl Iterator<Item = ProgramHeader> {
        let mut left = span;
        core::iter::from_fn(move || {
            let piece = self.next_piece(left)?;
            left.start = piece.end;
            Some(load(piece, piece.start, self.vaddr(piece.start)))
        })
    }

    fn each_phdr(&self, each: &mut dyn FnMut(&ProgramHeader) -> Result<(), Error>) -> Result<(), Error> {
        for notes in self.cpu_notes {
            each(&note(notes, Field::CrashNotes)?)?;
        }
        if let Some(notes) = &self.vmcoreinfo {
            each(&note(notes, Field::Vmcoreinfo)?)?;
        }
        if let Some(text) = &self.text {
            let span = checked_span(text.paddr, text.len, Field::KernelText)?;
            each(&load(span, span.start, text.vaddr.0))?;
        }
        if let Some(backup) = &self.backup {
            checked_span(backup.copy, backup.source.len(), Field::BackupRegion)?;
            each(&load(backup.source, backup.copy, self.vaddr(backup.source.start)))?;
        }
        for span in self.ram.merged(RangeKind::is_dumped) {
            self.loads_of(span).try_for_each(|phdr| each(&phdr))?;
        }
        Ok(())
    }

    /// The first part of `left` that is neither excluded nor backed up, up to the end of the linear mapping if that
    /// lies inside it.
    fn next_piece(&self, left: Span) -> Option<Span> {
        let backup = self.backup.map(|backup| backup.source);
        let excluded = || self.exclude.iter().copied().chain(backup).filter(|span| !span.is_empty());
        let mut start = left.start;
        // Every pass steps past one of the spans at least, and none twice.
        while let Some(span) = excluded().find(|span| span.contains(start)) {
            start = span.end;
        }
        let direct_map = self.direct_map.map(|direct_map| direct_map.end);
        let cuts = excluded().map(|span| span.start).chain(direct_map);
        let end = cuts.filter(|&cut| cut > start).fold(left.end, Ord::min);
        let piece = Span { start, end };
        (!piece.is_empty()).then_some(piece)
    }

    fn vaddr(&self, paddr: PhysAddr) -> u64 {
        // What the mapping leaves out has the address -1, by the convention of the headers of i386 and ppc64.
        let not_mapped = match self.layout.class {
            Class::Bits32 => u64::from(u32::MAX),
            Class::Bits64 => u64::MAX,
        };
        match self.direct_map {
            None => 0,
            Some(direct_map) => direct_map.virt(paddr).map_or(not_mapped, |vaddr| vaddr.0),
        }
    }

    fn check_width(&self, phdr: &ProgramHeader) -> Result<(), Error> {
        let end = phdr.p_offset.max(phdr.p_paddr).saturating_add(phdr.p_memsz);
        let narrow = self.layout.class == Class::Bits32;
        if narrow && end > LIMIT_32 {
            return Err(Error::Unsupported { field: Field::PPaddr, value: phdr.p_paddr });
        }
        if narrow && phdr.p_vaddr >= LIMIT_32 {
            return Err(Error::Unsupported { field: Field::PVaddr, value: phdr.p_vaddr });
        }
        Ok(())
    }
}

fn checked_span(start: PhysAddr, len: u64, field: Field) -> Result<Span, Error> {
    Span::with_len(start.0, len).ok_or(Error::Unsupported { field, value: start.0 })
}

fn note(notes: &NoteBuffer, field: Field) -> Result<ProgramHeader, Error> {
    checked_span(notes.paddr, notes.len, field)?;
    Ok(ProgramHeader {
        p_type: PT_NOTE,
        p_offset: notes.paddr.0,
        p_paddr: notes.paddr.0,
        p_filesz: notes.len,
        p_memsz: notes.len,
        ..ProgramHeader::default()
    })
}

fn load(span: Span, offset: PhysAddr, vaddr: u64) -> ProgramHeader {
    ProgramHeader {
        p_type: PT_LOAD,
        p_flags: PF_R | PF_W | PF_X,
        p_offset: offset.0,
        p_vaddr: vaddr,
        p_paddr: span.start.0,
        p_filesz: span.len(),
        p_memsz: span.len(),
        p_align: 0,
    }
}

/// Errors of the format's own writer, which the checks here leave none of but the buffer's.
fn from_format(error: vmcore_format::Error) -> Error {
    match error {
        vmcore_format::Error::BufferTooSmall { needed } => Error::BufferTooSmall { needed },
        _ => Error::Unsupported { field: Field::PPaddr, value: u64::MAX },
    }
}
