//! What an input says about the machine it came from.

use core::fmt;

use vmcore_format::elf::{
    EM_386, EM_AARCH64, EM_ARM, EM_LOONGARCH, EM_MIPS, EM_PPC, EM_PPC64, EM_RISCV, EM_S390, EM_X86_64,
    ElfCore, ProgramHeader,
};
use vmcore_format::kdump::{KdumpFile, UtsField, UtsName};
use vmcore_format::note::{MapVersion, NoteKind, NoteRegion, Notes};
use vmcore_format::vmcoreinfo::VmcoreInfo;
use vmcore_format::{Class, Error, Layout, PageSize, Pfn, PhysAddr, ReadAt};

use crate::Level;

/// Where x86_64 maps its kernel's text (`__START_KERNEL_map`, `arch/x86/include/asm/page_64_types.h`).
const X86_64_KERNEL_MAP: u64 = 0xffff_ffff_8000_0000;

/// The notes of the input, which are copied to the output as they are: a sequence of regions, read as one.
#[derive(Clone, Copy)]
pub enum NoteBytes<'a> {
    /// There are none.
    None,
    /// Those of an ELF core.
    Elf(ElfCore<'a>),
    /// One region of a file.
    Region(&'a dyn ReadAt, NoteRegion),
}

/// The most notes that are looked at: Linux has one for each CPU (8192 at most, `CONFIG_NR_CPUS`) and a few more.
const MOST_NOTES: usize = 1 << 16;

/// The most bytes of notes in a file whose size is not known.
const MOST_NOTE_BYTES: u64 = 1 << 30;

impl<'a> NoteBytes<'a> {
    /// The regions, in order, each cut to what the file can hold. Together they are no longer than the file, however many
    /// of them share its bytes.
    fn regions(&self) -> impl Iterator<Item = Result<(&'a dyn ReadAt, NoteRegion), Error>> + use<'_, 'a> {
        let mut before = 0_u64;
        self.all_regions().map(move |region| {
            let (file, region) = region?;
            let size = file.size();
            let room = size.unwrap_or(u64::MAX).saturating_sub(region.offset);
            let left = size.unwrap_or(MOST_NOTE_BYTES).saturating_sub(before);
            let len = region.len.min(room).min(left);
            before = before.saturating_add(len);
            Ok((file, NoteRegion { len, ..region }))
        })
    }

    fn all_regions(&self) -> impl Iterator<Item = Result<(&'a dyn ReadAt, NoteRegion), Error>> + use<'_, 'a> {
        let core = if let Self::Elf(core) = self { Some(core) } else { None };
        let alone = if let Self::Region(file, region) = self { Some((*file, *region)) } else { None };
        let of_core = core
            .into_iter()
            .flat_map(|core| core.note_regions().map(|region| region.map(|region| (core.input(), region))));
        of_core.chain(alone.into_iter().map(Ok))
    }

    /// The size of all notes, in bytes; no more than the input's, where that is known.
    ///
    /// # Errors
    /// Those of reading the program headers.
    pub fn size(&self) -> Result<u64, Error> {
        self.regions().try_fold(0_u64, |sum, region| Ok(sum.saturating_add(region?.1.len)))
    }

    /// Hands out all bytes in pieces that fit in `buf`, in order. What cannot be read is zero: it ends its region.
    ///
    /// # Errors
    /// Those of reading the program headers, those of `put`, and [`Error::BufferTooSmall`] if `buf` is empty.
    pub fn for_each<E: From<Error>>(
        &self,
        buf: &mut [u8],
        mut put: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        for region in self.regions() {
            let (file, region) = region?;
            let mut done = 0_u64;
            while done < region.len {
                let left = usize::try_from(region.len.saturating_sub(done)).unwrap_or(usize::MAX);
                let (part, _) = buf.split_at_mut(left.min(buf.len()));
                if part.is_empty() {
                    return Err(Error::BufferTooSmall { needed: 1 }.into());
                }
                if file.read_at(region.offset.saturating_add(done), part).is_err() {
                    part.fill(0);
                }
                put(part)?;
                done = done.saturating_add(u64::try_from(part.len()).unwrap_or(u64::MAX));
            }
        }
        Ok(())
    }
}

/// What an input says about the machine it came from, and what the output repeats.
///
/// [`of_elf`](Self::of_elf) and [`of_kdump`](Self::of_kdump) fill it in; who dumps its own machine sets the fields.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// Byte order and word size of the dumped machine.
    pub layout: Layout,
    /// ELF machine number, 0 if unknown.
    pub e_machine: u16,
    /// `e_flags` of the input.
    pub e_flags: u32,
    /// The page size of the dumped machine.
    pub page_size: PageSize,
    /// The frame after the highest one of memory: `max_mapnr`.
    pub end: Pfn,
    /// The notes.
    pub notes: NoteBytes<'a>,
    /// The log of what was erased before: the text of makedumpfile's eraseinfo, `None` if there is no such log.
    pub erased: NoteBytes<'a>,
    /// The VMCOREINFO text.
    pub vmcoreinfo: Option<VmcoreInfo<'a>>,
    /// The memory map that the header was made of when the machine was prepared; `None` where no note says it, as of a header
    /// that a kernel wrote.
    pub map_version: Option<MapVersion>,
    /// Where the text starts in the notes, in bytes.
    pub vmcoreinfo_offset: u64,
    /// When the machine crashed, in seconds since 1970; 0 if unknown.
    pub crash_time: i64,
    /// The number of CPUs that left an `NT_PRSTATUS` note.
    pub nr_cpus: u32,
    /// The kernel's name.
    pub utsname: UtsName,
    /// `phys_base` of x86_64 as a two's complement number, 0 elsewhere.
    pub phys_base: u64,
    /// The input's `PT_LOAD`s; none if it is no ELF core.
    pub loads: &'a [ProgramHeader],
    /// What the input has left out already.
    pub left_out: Level,
    /// Whether the input says that it is not whole, or ends too early.
    pub incomplete: bool,
}

impl<'a> Source<'a> {
    /// What an ELF core says. Its VMCOREINFO is copied to `text`.
    ///
    /// Without VMCOREINFO the page size is taken to be 4 KiB, which is a fact on x86 and s390x only.
    ///
    /// # Errors
    /// [`Error::BufferTooSmall`] if `text` (bytes) cannot hold the VMCOREINFO; those of reading program headers. Notes that
    /// are corrupt end their region.
    pub fn of_elf(core: &ElfCore<'a>, text: &'a mut [u8]) -> Result<Self, Error> {
        let header = core.header();
        let mut base = Self::empty(header.layout, NoteBytes::Elf(*core));
        base.e_machine = header.e_machine;
        base.e_flags = header.e_flags;
        base.loads = core.loads();
        base.phys_base = phys_base_of_text(header.e_machine, core.loads());
        base.incomplete =
            core.missing_bytes() > 0 || (header.has_incomplete_flag() && header.is_incomplete());
        let mut source = base.with_notes(text)?;
        source.end = source.page_size.frame_above(PhysAddr(core.memory_end()));
        Ok(source)
    }

    /// What a kdump-compressed file says. Its VMCOREINFO is copied to `text`.
    ///
    /// # Errors
    /// [`Error::BufferTooSmall`] if `text` (bytes) cannot hold the VMCOREINFO.
    pub fn of_kdump(file: &KdumpFile<'a>, text: &'a mut [u8]) -> Result<Self, Error> {
        let header = file.header();
        let sub = file.sub_header();
        let region = |(part, region): (usize, vmcore_format::kdump::Region)| {
            let region = NoteRegion { offset: region.offset, len: region.len, align: 4 };
            file.parts().get(part).map(|part| (part.input(), region))
        };
        let notes =
            file.notes().and_then(region).map_or(NoteBytes::None, |(file, at)| NoteBytes::Region(file, at));
        let mut base = Self::empty(file.layout(), notes);
        base.e_machine = machine_of(header.utsname.get(UtsField::Machine));
        base.page_size = file.page_size();
        base.crash_time = header.timestamp.sec;
        base.phys_base = sub.phys_base;
        base.left_out = Level::from_bits_truncate(u8::try_from(sub.dump_level & 0x1f).unwrap_or(0));
        base.incomplete = file.incomplete();
        base.end = Pfn(file.max_mapnr());
        let mut source = base.with_notes(text)?;
        if let Some((file, at)) = file.eraseinfo().and_then(region) {
            source.erased = log_at(file, at);
        }
        source.page_size = file.page_size();
        source.nr_cpus = header.nr_cpus;
        if !header.utsname.get(UtsField::Release).is_empty() {
            source.utsname = header.utsname;
        }
        Ok(source)
    }

    /// A machine of which nothing is known.
    #[must_use]
    pub fn empty(layout: Layout, notes: NoteBytes<'a>) -> Self {
        Self {
            layout,
            e_machine: 0,
            e_flags: 0,
            page_size: PageSize::KIB_4,
            end: Pfn(0),
            notes,
            erased: NoteBytes::None,
            vmcoreinfo: None,
            map_version: None,
            vmcoreinfo_offset: 0,
            crash_time: 0,
            nr_cpus: 0,
            utsname: UtsName::EMPTY,
            phys_base: 0,
            loads: &[],
            left_out: Level::empty(),
            incomplete: false,
        }
    }

    /// Looks through the notes: counts CPUs, copies VMCOREINFO to `text` and takes from it what it says.
    ///
    /// # Errors
    /// [`Error::BufferTooSmall`] if `text` (bytes) cannot hold the VMCOREINFO; those of reading program headers. Notes that
    /// are corrupt end their region, a VMCOREINFO that cannot be read is none, and 65536 notes are enough.
    pub fn with_notes(mut self, text: &'a mut [u8]) -> Result<Self, Error> {
        let mut found = None;
        let (mut before, mut seen) = (0_u64, 0_usize);
        for region in self.notes.regions() {
            let (file, region) = region?;
            let notes = Notes::new(file, region, self.layout.endian).map_while(Result::ok);
            for note in notes.take(MOST_NOTES.saturating_sub(seen)) {
                seen = seen.saturating_add(1);
                match note.kind() {
                    NoteKind::Prstatus => self.nr_cpus = self.nr_cpus.saturating_add(1),
                    NoteKind::VmcoreInfo if found.is_none() => {
                        let in_region = note.desc_offset.saturating_sub(region.offset);
                        match note.read_desc(file, text) {
                            Ok(desc) => found = Some((before.saturating_add(in_region), desc.len())),
                            Err(error @ Error::BufferTooSmall { .. }) => return Err(error),
                            // It cannot be read: a reason to keep all pages, and none to have no dump.
                            Err(_) => {}
                        }
                    }
                    // Of several the last one has most.
                    NoteKind::EraseInfo => {
                        let len = note.desc_len.into();
                        self.erased = log_at(file, NoteRegion { offset: note.desc_offset, len, align: 4 });
                    }
                    // One that cannot be read says nothing.
                    NoteKind::MapVersion => {
                        let read = MapVersion::read(&note, file, self.layout.endian);
                        self.map_version = self.map_version.or(read.ok());
                    }
                    _ => {}
                }
            }
            before = before.saturating_add(region.len);
        }
        if let Some((offset, len)) = found {
            let text: &'a [u8] = text;
            self.vmcoreinfo_offset = offset;
            self.take(VmcoreInfo::new(text.get(..len).unwrap_or_default()));
        }
        Ok(self)
    }

    /// Takes from VMCOREINFO what it says about the machine.
    fn take(&mut self, info: VmcoreInfo<'a>) {
        self.vmcoreinfo = Some(info);
        if let Some(page_size) = info.page_size() {
            self.page_size = page_size;
        }
        if let Some(time) = info.crash_time() {
            self.crash_time = time;
        }
        if let Some(phys_base) = info.number("phys_base") {
            self.phys_base = phys_base.cast_unsigned();
        }
        if let Some(release) = info.os_release() {
            self.utsname.set(UtsField::Sysname, b"Linux");
            self.utsname.set(UtsField::Release, release.as_bytes());
            self.utsname.set(UtsField::Machine, name_of(self.e_machine).as_bytes());
        }
    }

    /// The length of the notes without a log of erased data at their end, and without what follows the last note: another note
    /// may stand there. In bytes, a multiple of 4.
    pub(super) fn notes_before_log(&self) -> Result<u64, Error> {
        let (mut before, mut left) = (0_u64, MOST_NOTES);
        let (mut end, mut log) = (0, None);
        for region in self.notes.regions() {
            let (file, region) = region?;
            for note in Notes::new(file, region, self.layout.endian) {
                // Bytes that are no notes, and what comes after too many of them, stay as they are.
                let (Ok(note), Some(others)) = (note, left.checked_sub(1)) else {
                    (end, log) = (before.saturating_add(region.len), None);
                    break;
                };
                left = others;
                let at = |offset: u64| before.saturating_add(offset.saturating_sub(region.offset));
                let start = at(note.offset);
                log = if note.kind() == NoteKind::EraseInfo { log.or(Some(start)) } else { None };
                end = at(note.desc_offset.saturating_add(note.desc_len.into()));
            }
            before = before.saturating_add(region.len);
        }
        Ok(log.unwrap_or(end).saturating_add(3) & !3)
    }

    /// The layout of the machine itself: 32-bit machines with much memory have 64-bit ELF headers.
    #[must_use]
    pub fn machine_layout(&self) -> Layout {
        match self.e_machine {
            EM_386 | EM_ARM | EM_PPC => Layout { class: Class::Bits32, ..self.layout },
            _ => self.layout,
        }
    }
}

/// The log of erased data at `region` of `file`. One that cannot be there, or not so large, is none: a dump does not fail for it.
fn log_at(file: &dyn ReadAt, region: NoteRegion) -> NoteBytes<'_> {
    const MOST: u64 = 1 << 26;
    let last = region.offset.saturating_add(region.len).saturating_sub(1);
    let there = |at| file.read_at(at, &mut [0]).is_ok();
    if (1..=MOST).contains(&region.len) && there(region.offset) && there(last) {
        NoteBytes::Region(file, region)
    } else {
        NoteBytes::None
    }
}

/// `phys_base` from the `PT_LOAD` that maps the kernel's text.
fn phys_base_of_text(e_machine: u16, loads: &[ProgramHeader]) -> u64 {
    let text = loads.iter().find(|load| e_machine == EM_X86_64 && load.p_vaddr >= X86_64_KERNEL_MAP);
    text.map_or(0, |load| load.p_paddr.wrapping_sub(load.p_vaddr.wrapping_sub(X86_64_KERNEL_MAP)))
}

/// `uname -m` of machines, and their ELF numbers.
const MACHINES: [(&[u8], u16); 14] = [
    (b"x86_64", EM_X86_64),
    (b"aarch64", EM_AARCH64),
    (b"ppc64le", EM_PPC64),
    (b"ppc64", EM_PPC64),
    (b"s390x", EM_S390),
    (b"riscv64", EM_RISCV),
    (b"riscv32", EM_RISCV),
    (b"loongarch64", EM_LOONGARCH),
    (b"i686", EM_386),
    (b"i386", EM_386),
    (b"armv7l", EM_ARM),
    (b"ppc", EM_PPC),
    (b"mips64", EM_MIPS),
    (b"mips", EM_MIPS),
];

fn machine_of(name: &[u8]) -> u16 {
    MACHINES.iter().find(|(known, _)| *known == name).map_or(0, |(_, machine)| *machine)
}

/// `uname -m` where the ELF number alone tells it.
fn name_of(e_machine: u16) -> &'static str {
    match e_machine {
        EM_X86_64 => "x86_64",
        EM_AARCH64 => "aarch64",
        EM_S390 => "s390x",
        EM_LOONGARCH => "loongarch64",
        EM_386 => "i686",
        _ => "",
    }
}

impl fmt::Debug for NoteBytes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Elf(_) => "Elf",
            Self::Region(..) => "Region",
        })
    }
}

#[cfg(test)]
mod tests;
