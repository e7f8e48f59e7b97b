//! `Elf32_Ehdr` and `Elf64_Ehdr`, with the section header that carries a large `e_phnum`.

use super::{EM_MIPS, EM_RISCV, ET_CORE, PN_XNUM, ProgramHeader};
use crate::fields::{self, FieldReader, FieldWriter};
use crate::{Class, Endian, Error, Field, Layout, ReadAt};

const ELF_MAGIC: [u8; 4] = *b"\x7fELF";
const ELFCLASS32: u8 = 1;
const ELFCLASS64: u8 = 2;
const ELFDATA2LSB: u8 = 1;
const ELFDATA2MSB: u8 = 2;
const EV_CURRENT: u8 = 1;
const IDENT_LEN: usize = 16;
const LARGEST_LEN: usize = 64;

/// `e_flags` bit 0, by which makedumpfile marks an ELF dump that ended early. Processor flags share the word
/// (bit 0 also says `EF_RISCV_RVC` and `EF_MIPS_NOREORDER`), so it tells nothing on those machines.
pub const INCOMPLETE: u32 = 1;

/// The ELF header of a core file: 52 bytes in class 32, 64 bytes in class 64.
///
/// `e_ehsize`, `e_shstrndx` and the section headers say nothing about a core and are not kept; QEMU writes
/// `e_ehsize` 8. The class and byte order are those of the file: QEMU wraps the little-endian memory of a ppc64le
/// guest in big-endian headers, and a 32-bit kernel with memory above 4 GiB comes with class 64 headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// `EI_CLASS` and `EI_DATA`.
    pub layout: Layout,
    /// `EI_OSABI`; 0 in Linux vmcores.
    pub os_abi: u8,
    /// `e_type`: [`ET_CORE`] for a core file.
    pub e_type: u16,
    /// `e_machine`: one of the `EM_` numbers.
    pub e_machine: u16,
    /// `e_entry`; 0 in a core.
    pub e_entry: u64,
    /// `e_phoff`: where the program headers start, in bytes from the start of the file.
    pub e_phoff: u64,
    /// `e_shoff`: where the section headers start, in bytes from the start of the file; 0 if there are none.
    pub e_shoff: u64,
    /// `e_flags`; see [`INCOMPLETE`].
    pub e_flags: u32,
    /// `e_phentsize`: bytes from one program header to the next.
    pub e_phentsize: u16,
    /// The number of program headers: `e_phnum`, or `sh_info` of section header 0 where that says [`PN_XNUM`].
    pub phnum: u32,
}

impl Header {
    /// The header of a core file laid out as: ELF header, `phnum` program headers, then, if `phnum` needs it, one
    /// section header. [`headers_len`](Self::headers_len) says where these end.
    #[must_use]
    pub fn core(layout: Layout, e_machine: u16, phnum: u32) -> Self {
        let phentsize = ProgramHeader::encoded_len(layout.class);
        let mut header = Self {
            layout,
            os_abi: 0,
            e_type: ET_CORE,
            e_machine,
            e_entry: 0,
            e_phoff: offset_of(ehdr_len(layout.class)),
            e_shoff: 0,
            e_flags: 0,
            e_phentsize: u16::try_from(phentsize).unwrap_or(0),
            phnum,
        };
        if header.has_section_header() {
            header.e_shoff = header.phdrs_end();
        }
        header
    }

    /// Reads the header at the start of `input`, and section header 0 where `e_phnum` is [`PN_XNUM`].
    ///
    /// `e_phnum` 0xffff without section headers, or with `sh_info` 0, is taken as the number itself.
    ///
    /// # Errors
    /// [`Error::Corrupt`] where this is no ELF file or ends early, [`Error::Unsupported`] for an unknown class, byte
    /// order or version, [`Error::Io`] from `input`.
    pub fn read(input: &dyn ReadAt) -> Result<Self, Error> {
        let mut bytes = [0; LARGEST_LEN];
        let (ident, rest) = bytes.split_at_mut(IDENT_LEN);
        fields::read(input, Field::ElfIdent, 0, ident)?;
        let layout = parse_ident(ident)?;
        let len = ehdr_len(layout.class);
        let rest = rest.get_mut(..len.saturating_sub(IDENT_LEN)).unwrap_or_default();
        fields::read_header(input, Field::ElfHeader, offset_of(IDENT_LEN), rest)?;
        let (mut header, e_phnum) = Self::parse_ehdr(&bytes, layout)?;
        header.phnum = match e_phnum {
            PN_XNUM => read_extended_phnum(input, &header)?.unwrap_or(u32::from(PN_XNUM)),
            phnum => u32::from(phnum),
        };
        Ok(header)
    }

    fn parse_ehdr(bytes: &[u8], layout: Layout) -> Result<(Self, u16), Error> {
        let mut fields = FieldReader::new(bytes, layout, Field::ElfHeader, 0);
        let ident = fields.bytes(IDENT_LEN)?;
        let os_abi = ident.get(7).copied().unwrap_or(0);
        let e_type = fields.u16()?;
        let e_machine = fields.u16()?;
        let e_version = fields.u32()?;
        if e_version != u32::from(EV_CURRENT) {
            return Err(Error::Unsupported { field: Field::EVersion, value: u64::from(e_version) });
        }
        let e_entry = fields.word()?;
        let e_phoff = fields.word()?;
        let e_shoff = fields.word()?;
        let e_flags = fields.u32()?;
        let _e_ehsize = fields.u16()?;
        let e_phentsize = fields.u16()?;
        let e_phnum = fields.u16()?;
        let header = Self {
            layout,
            os_abi,
            e_type,
            e_machine,
            e_entry,
            e_phoff,
            e_shoff,
            e_flags,
            e_phentsize,
            phnum: u32::from(e_phnum),
        };
        Ok((header, e_phnum))
    }

    /// Whether [`INCOMPLETE`] has its bit of `e_flags` to itself: on RISC-V and MIPS the processor has a use for it.
    #[must_use]
    pub fn has_incomplete_flag(&self) -> bool {
        !matches!(self.e_machine, EM_RISCV | EM_MIPS)
    }

    /// Where `e_flags` stands, in bytes from the start of the file: 4 bytes.
    #[must_use]
    pub fn e_flags_offset(&self) -> u64 {
        match self.layout.class {
            Class::Bits32 => 36,
            Class::Bits64 => 48,
        }
    }

    /// Whether the dump's writer marked it as ended early ([`INCOMPLETE`]).
    #[must_use]
    pub fn is_incomplete(&self) -> bool {
        self.e_flags & INCOMPLETE != 0
    }

    /// Whether the number of program headers needs section header 0 to hold it.
    #[must_use]
    pub fn has_section_header(&self) -> bool {
        self.phnum >= u32::from(PN_XNUM)
    }

    /// The length of the section header that [`encode_section_header`](Self::encode_section_header) writes at
    /// `e_shoff`, in bytes: 0 if the file needs none.
    #[must_use]
    pub fn section_header_len(&self) -> usize {
        if self.has_section_header() { shdr_len(self.layout.class) } else { 0 }
    }

    /// Where the headers of a file laid out by [`core`](Self::core) end, in bytes from the start of the file.
    #[must_use]
    pub fn headers_len(&self) -> u64 {
        self.phdrs_end().saturating_add(offset_of(self.section_header_len()))
    }

    fn phdrs_end(&self) -> u64 {
        let table = u64::from(self.phnum).saturating_mul(u64::from(self.e_phentsize));
        self.e_phoff.saturating_add(table)
    }

    /// The length of the ELF header alone, in bytes: 52 or 64.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        ehdr_len(self.layout.class)
    }

    /// Writes the ELF header to the front of `buf` and answers with its length in bytes.
    ///
    /// # Errors
    /// [`Error::BufferTooSmall`]; [`Error::Unsupported`] for an offset that class 32 cannot hold.
    pub fn encode(&self, buf: &mut [u8]) -> Result<usize, Error> {
        let len = self.encoded_len();
        let class = self.layout.class;
        let mut fields = FieldWriter::new(buf, self.layout, len)?;
        let ei_class = match class {
            Class::Bits32 => ELFCLASS32,
            Class::Bits64 => ELFCLASS64,
        };
        let ei_data = match self.layout.endian {
            Endian::Little => ELFDATA2LSB,
            Endian::Big => ELFDATA2MSB,
        };
        fields.bytes(&ELF_MAGIC)?;
        fields.bytes(&[ei_class, ei_data, EV_CURRENT, self.os_abi, 0, 0, 0, 0, 0, 0, 0, 0])?;
        fields.u16(self.e_type)?;
        fields.u16(self.e_machine)?;
        fields.u32(u32::from(EV_CURRENT))?;
        fields.word(Field::EEntry, self.e_entry)?;
        fields.word(Field::EPhoff, self.e_phoff)?;
        fields.word(Field::EShoff, self.e_shoff)?;
        fields.u32(self.e_flags)?;
        fields.u16(u16::try_from(len).unwrap_or(0))?;
        fields.u16(self.e_phentsize)?;
        fields.u16(u16::try_from(self.phnum).unwrap_or(PN_XNUM))?;
        let shdr = u16::try_from(self.section_header_len()).unwrap_or(0);
        fields.u16(shdr)?;
        fields.u16(u16::from(self.has_section_header()))?;
        Ok(fields.finish())
    }

    /// Writes section header 0, which belongs at `e_shoff`, to the front of `buf`: `SHT_NULL`, `sh_size` 1 (the
    /// number of section headers), `sh_info` the number of program headers. Answers with its length in bytes,
    /// 0 if the file needs none. Source: `fill_extnum_info`, `fs/binfmt_elf.c` (Linux 6.12).
    ///
    /// # Errors
    /// [`Error::BufferTooSmall`].
    pub fn encode_section_header(&self, buf: &mut [u8]) -> Result<usize, Error> {
        if !self.has_section_header() {
            return Ok(0);
        }
        let mut fields = FieldWriter::new(buf, self.layout, self.section_header_len())?;
        fields.u32(0)?; // sh_name
        fields.u32(0)?; // sh_type: SHT_NULL
        for before_size in [0, 0, 0] {
            fields.word(Field::SectionHeader, before_size)?; // sh_flags, sh_addr, sh_offset
        }
        fields.word(Field::SectionHeader, 1)?; // sh_size
        fields.u32(0)?; // sh_link
        fields.u32(self.phnum)?; // sh_info
        Ok(fields.finish())
    }
}

fn parse_ident(ident: &[u8]) -> Result<Layout, Error> {
    let mut bytes = ident.iter().copied();
    if !ELF_MAGIC.iter().all(|&magic| bytes.next() == Some(magic)) {
        return Err(Error::Corrupt { field: Field::ElfIdent, offset: 0 });
    }
    let mut next = || bytes.next().unwrap_or(0);
    let class = match next() {
        ELFCLASS32 => Class::Bits32,
        ELFCLASS64 => Class::Bits64,
        value => return Err(Error::Unsupported { field: Field::EiClass, value: u64::from(value) }),
    };
    let endian = match next() {
        ELFDATA2LSB => Endian::Little,
        ELFDATA2MSB => Endian::Big,
        value => return Err(Error::Unsupported { field: Field::EiData, value: u64::from(value) }),
    };
    match next() {
        EV_CURRENT => Ok(Layout { endian, class }),
        value => Err(Error::Unsupported { field: Field::EiVersion, value: u64::from(value) }),
    }
}

fn read_extended_phnum(input: &dyn ReadAt, header: &Header) -> Result<Option<u32>, Error> {
    if header.e_shoff == 0 {
        return Ok(None);
    }
    let mut bytes = [0; LARGEST_LEN];
    let shdr = bytes.get_mut(..shdr_len(header.layout.class)).unwrap_or_default();
    fields::read(input, Field::SectionHeader, header.e_shoff, shdr)?;
    let mut fields = FieldReader::new(shdr, header.layout, Field::SectionHeader, header.e_shoff);
    let (_sh_name, _sh_type) = (fields.u32()?, fields.u32()?);
    let (_sh_flags, _sh_addr) = (fields.word()?, fields.word()?);
    let (_sh_offset, _sh_size) = (fields.word()?, fields.word()?);
    let (_sh_link, sh_info) = (fields.u32()?, fields.u32()?);
    Ok((sh_info != 0).then_some(sh_info))
}

fn ehdr_len(class: Class) -> usize {
    match class {
        Class::Bits32 => 52,
        Class::Bits64 => 64,
    }
}

fn shdr_len(class: Class) -> usize {
    match class {
        Class::Bits32 => 40,
        Class::Bits64 => 64,
    }
}

fn offset_of(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}
