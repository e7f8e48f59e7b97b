//! Kernels in ELF: `vmlinux`, and others that are loaded by physical address.

use crate::bytes::len_of;
use crate::{Error, Field};
use core::ops::Range;
use vmcore_format::elf::{Header, PT_LOAD, PT_NOTE, ProgramHeader, ProgramHeaders};
use vmcore_format::note::{Note, NoteRegion, Notes};
use vmcore_format::{Endian, Layout, PhysAddr};

const ET_EXEC: u16 = 2;
const ET_DYN: u16 = 3;
const PT_INTERP: u32 = 3;
/// More program headers than any kernel has: each range is compared with all others.
const MOST_PHDRS: u32 = 128;
/// `n_type` of the PVH entry (name "Xen"): a 4- or 8-byte physical address.
const XEN_ELFNOTE_PHYS32_ENTRY: u32 = 18;
/// `n_type` of the PVH relocation range (name "Xen", Linux 6.12): three 4-byte numbers.
const XEN_ELFNOTE_PHYS32_RELOC: u32 = 19;

/// A kernel in ELF, of either class and byte order. It is loaded by physical address (`p_paddr`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ElfKernel<'a> {
    file: &'a [u8],
    header: Header,
    memory: (PhysAddr, PhysAddr),
    pvh_entry: Option<PhysAddr>,
    pvh_reloc: Option<PvhReloc>,
    is_linux: bool,
}

/// A PT_LOAD that has a length in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ElfLoad<'a> {
    /// `p_paddr`.
    pub paddr: PhysAddr,
    /// `p_vaddr`.
    pub vaddr: u64,
    /// `p_memsz`: the length in memory, in bytes. Past [`data`](Self::data) it is zero.
    pub memsz: u64,
    /// The bytes of the file, `p_filesz` of them.
    pub data: &'a [u8],
    /// `p_align` in bytes.
    pub align: u64,
}

/// Where a kernel with a PVH entry may be moved to: `XEN_ELFNOTE_PHYS32_RELOC`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PvhReloc {
    /// The alignment of its start, in bytes.
    pub align: u32,
    /// The lowest address of its start.
    pub min: PhysAddr,
    /// The highest address of its last byte.
    pub max: PhysAddr,
}

impl<'a> ElfKernel<'a> {
    /// Reads a kernel in ELF, `file` from its start to its end.
    ///
    /// # Errors
    /// [`Error::Format`] for damage in the ELF structures; [`Error::Corrupt`] where a segment does not lie in the file,
    /// segments overlap in memory, nothing is to be loaded, or the entry is in no segment; [`Error::Unsupported`] for
    /// an `e_type` other than `ET_EXEC` and `ET_DYN`, a dynamic program (`PT_INTERP`), and more than 128 program headers.
    pub fn parse(file: &'a [u8]) -> Result<Self, Error> {
        let header = Header::read(&file)?;
        let unsupported = |field, value| Err(Error::Unsupported { field, value });
        if !matches!(header.e_type, ET_EXEC | ET_DYN) {
            return unsupported(Field::EType, u64::from(header.e_type));
        }
        if header.phnum > MOST_PHDRS {
            return unsupported(Field::EPhnum, u64::from(header.phnum));
        }
        let mut kernel = Self {
            file,
            header,
            memory: (PhysAddr(0), PhysAddr(0)),
            pvh_entry: None,
            pvh_reloc: None,
            is_linux: false,
        };
        let mut memory: Option<(u64, u64)> = None;
        for item in ProgramHeaders::new(&file, header, 0)? {
            let (phdr, at) = item?;
            match phdr.p_type {
                PT_INTERP => return unsupported(Field::PType, u64::from(phdr.p_type)),
                PT_LOAD if phdr.p_memsz > 0 => {
                    let end = kernel.check_load(&phdr, at)?;
                    let (lowest, highest) = memory.unwrap_or((phdr.p_paddr, end));
                    memory = Some((lowest.min(phdr.p_paddr), highest.max(end)));
                }
                PT_NOTE => kernel.read_notes(&phdr, at)?,
                _ => {}
            }
        }
        let (start, end) = memory.ok_or(Error::Corrupt { field: Field::EPhnum, offset: 0 })?;
        kernel.memory = (PhysAddr(start), PhysAddr(end));
        kernel.entry().map(|_| kernel)
    }

    /// Checks that a segment's bytes are in the file and its memory is its own; answers with the memory's end.
    fn check_load(&self, phdr: &ProgramHeader, at: u64) -> Result<u64, Error> {
        let corrupt = |field| Error::Corrupt { field, offset: at };
        let data_end = phdr.p_offset.checked_add(phdr.p_filesz);
        if data_end.is_none_or(|end| end > len_of(self.file.len())) {
            return Err(corrupt(Field::POffset));
        }
        if phdr.p_filesz > phdr.p_memsz {
            return Err(corrupt(Field::PFilesz));
        }
        let end = phdr.p_paddr.checked_add(phdr.p_memsz).ok_or(corrupt(Field::PMemsz))?;
        for item in ProgramHeaders::new(&self.file, self.header, 0)? {
            let (other, other_at) = item?;
            let before = other.p_type == PT_LOAD && other_at < at && other.p_memsz > 0;
            if before && other.p_paddr < end && phdr.p_paddr < other.memory().end {
                return Err(corrupt(Field::PPaddr));
            }
        }
        Ok(end)
    }

    /// Looks for the notes of PVH and of Linux.
    fn read_notes(&mut self, phdr: &ProgramHeader, at: u64) -> Result<(), Error> {
        let end = phdr.p_offset.checked_add(phdr.p_filesz);
        if end.is_none_or(|end| end > len_of(self.file.len())) {
            return Err(Error::Corrupt { field: Field::POffset, offset: at });
        }
        let region = NoteRegion { offset: phdr.p_offset, len: phdr.p_filesz, align: phdr.p_align };
        let endian = self.header.layout.endian;
        for note in Notes::new(&self.file, region, endian) {
            let note = note?;
            match (note.name(), note.n_type) {
                (b"Xen", XEN_ELFNOTE_PHYS32_ENTRY) => {
                    self.pvh_entry = Some(read_pvh_entry(self.file, &note, endian)?);
                }
                (b"Xen", XEN_ELFNOTE_PHYS32_RELOC) => {
                    self.pvh_reloc = Some(read_pvh_reloc(self.file, &note, endian)?);
                }
                (b"Linux", _) => self.is_linux = true,
                _ => {}
            }
        }
        Ok(())
    }

    /// Whether a note says that this is Linux: `LINUX_ELFNOTE_BUILD_SALT` and others of that name
    /// (`include/linux/build-salt.h`, `include/linux/elfnote-lto.h`, Linux 6.12). Old kernels have none.
    #[must_use]
    pub fn is_linux(&self) -> bool {
        self.is_linux
    }

    /// `e_machine`: one of the `EM_` numbers.
    #[must_use]
    pub fn e_machine(&self) -> u16 {
        self.header.e_machine
    }

    /// Class and byte order.
    #[must_use]
    pub fn layout(&self) -> Layout {
        self.header.layout
    }

    /// Whether the kernel is position independent (`ET_DYN`).
    #[must_use]
    pub fn is_position_independent(&self) -> bool {
        self.header.e_type == ET_DYN
    }

    /// The physical addresses from the first to the last byte of all segments, half open. A kernel that is moved moves
    /// as a whole.
    #[must_use]
    pub fn memory(&self) -> Range<PhysAddr> {
        self.memory.0..self.memory.1
    }

    /// The physical address of the entry. `e_entry` is a physical address in an x86 vmlinux and a virtual one elsewhere:
    /// a physical one is tried first.
    ///
    /// # Errors
    /// None that [`parse`](Self::parse) did not find: [`Error::Corrupt`] in `e_entry` where it lies in no segment.
    pub fn entry(&self) -> Result<PhysAddr, Error> {
        let entry = self.header.e_entry;
        let physical = self.loads().any(|load| within(entry, load.paddr.0, load.memsz));
        if physical {
            return Ok(PhysAddr(entry));
        }
        self.loads()
            .find(|load| within(entry, load.vaddr, load.memsz))
            .and_then(|load| load.paddr.checked_add(entry.checked_sub(load.vaddr)?))
            .ok_or(Error::Corrupt { field: Field::EEntry, offset: 24 })
    }

    /// `e_entry` as it stands in the file.
    #[must_use]
    pub fn e_entry(&self) -> u64 {
        self.header.e_entry
    }

    /// The PVH entry, 32-bit protected mode: `XEN_ELFNOTE_PHYS32_ENTRY`.
    #[must_use]
    pub fn pvh_entry(&self) -> Option<PhysAddr> {
        self.pvh_entry
    }

    /// Where a kernel with a PVH entry may be moved to; `None` says that it may not.
    #[must_use]
    pub fn pvh_reloc(&self) -> Option<PvhReloc> {
        self.pvh_reloc
    }

    /// What is to be loaded, by physical address upwards.
    #[must_use]
    pub fn loads(&self) -> ElfLoads<'a> {
        ElfLoads { file: self.file, header: self.header, from: Some(0) }
    }
}

/// The segments of a kernel in ELF that have a length in memory, by physical address upwards.
#[derive(Debug, Clone)]
pub struct ElfLoads<'a> {
    file: &'a [u8],
    header: Header,
    /// The lowest address of what comes next.
    from: Option<u64>,
}

impl<'a> Iterator for ElfLoads<'a> {
    type Item = ElfLoad<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let from = self.from.take()?;
        let loads = ProgramHeaders::new(&self.file, self.header, 0).ok()?.map_while(Result::ok);
        let (phdr, _) = loads
            .filter(|(phdr, _)| phdr.p_type == PT_LOAD && phdr.p_memsz > 0 && phdr.p_paddr >= from)
            .min_by_key(|(phdr, _)| phdr.p_paddr)?;
        self.from = phdr.p_paddr.checked_add(1);
        let start = usize::try_from(phdr.p_offset).ok()?;
        let end = usize::try_from(phdr.p_offset.checked_add(phdr.p_filesz)?).ok()?;
        Some(ElfLoad {
            paddr: PhysAddr(phdr.p_paddr),
            vaddr: phdr.p_vaddr,
            memsz: phdr.p_memsz,
            data: self.file.get(start..end)?,
            align: phdr.p_align,
        })
    }
}

/// Whether `addr` is one of the `len` addresses from `start` on.
fn within(addr: u64, start: u64, len: u64) -> bool {
    addr.checked_sub(start).is_some_and(|offset| offset < len)
}

fn read_pvh_entry(file: &[u8], note: &Note, endian: Endian) -> Result<PhysAddr, Error> {
    let mut buf = [0; 8];
    let corrupt = Error::Corrupt { field: Field::XenPhys32Entry, offset: note.desc_offset };
    let desc = match note.desc_len {
        4 | 8 => note.read_desc(&file, &mut buf)?,
        _ => return Err(corrupt),
    };
    let entry = match *desc {
        [a, b, c, d] => u64::from(endian.u32([a, b, c, d])),
        _ => endian.u64(buf),
    };
    // The entry is 32-bit code.
    if u32::try_from(entry).is_err() {
        return Err(corrupt);
    }
    Ok(PhysAddr(entry))
}

fn read_pvh_reloc(file: &[u8], note: &Note, endian: Endian) -> Result<PvhReloc, Error> {
    let mut buf = [0; 12];
    let corrupt = Error::Corrupt { field: Field::XenPhys32Reloc, offset: note.desc_offset };
    if note.desc_len != 12 {
        return Err(corrupt);
    }
    note.read_desc(&file, &mut buf)?;
    let [a0, a1, a2, a3, b0, b1, b2, b3, c0, c1, c2, c3] = buf;
    let align = endian.u32([a0, a1, a2, a3]);
    let min = endian.u32([b0, b1, b2, b3]);
    let max = endian.u32([c0, c1, c2, c3]);
    if !align.is_power_of_two() || min > max {
        return Err(corrupt);
    }
    Ok(PvhReloc { align, min: PhysAddr(u64::from(min)), max: PhysAddr(u64::from(max)) })
}
