//! Hand-laid files of each layout, hostile and cut ones.

extern crate std;

use super::*;
use crate::note::{NoteKind, NoteRegion, Prstatus};
use crate::{Class, END_OF_FILE, Endian, Error, Field, Layout, ReadAt};
use std::vec::Vec;

const LE64: &[u8] = include_bytes!("../../testdata/le64.core");
const LE32: &[u8] = include_bytes!("../../testdata/le32.core");
const BE64: &[u8] = include_bytes!("../../testdata/be64.core");
const BE32: &[u8] = include_bytes!("../../testdata/be32.core");
const QEMU: &[u8] = include_bytes!("../../testdata/qemu-7.2-x86_64.core");
const VMCORE: &[u8] = include_bytes!("../../testdata/vmcore-6.1-x86_64.core");

/// A file as readelf prints it: lengths of ELF header and program header, offset and length of the notes.
struct Laid {
    file: &'static [u8],
    layout: Layout,
    e_machine: u16,
    ehdr: usize,
    phdr: usize,
    notes: u64,
    notes_len: u64,
}

const fn laid64(file: &'static [u8], layout: Layout, e_machine: u16) -> Laid {
    Laid { file, layout, e_machine, ehdr: 64, phdr: 56, notes: 0x120, notes_len: 0x1c8 }
}

const fn laid32(file: &'static [u8], layout: Layout, e_machine: u16, notes_len: u64) -> Laid {
    Laid { file, layout, e_machine, ehdr: 52, phdr: 32, notes: 0xb4, notes_len }
}

const FILES: [Laid; 4] = [
    laid64(LE64, Layout::LE64, EM_X86_64),
    laid32(LE32, Layout::LE32, EM_386, 0x108),
    laid64(BE64, Layout::BE64, EM_S390),
    laid32(BE32, Layout::BE32, EM_PPC, 0x184),
];

/// A number of `width` bytes in `endian`.
fn number(endian: Endian, width: usize, value: u64) -> Vec<u8> {
    match endian {
        Endian::Little => value.to_le_bytes()[..width].to_vec(),
        Endian::Big => value.to_be_bytes()[8 - width..].to_vec(),
    }
}

fn put(file: &mut [u8], at: usize, width: usize, value: u64) {
    file[at..at + width].copy_from_slice(&number(Endian::Little, width, value));
}

fn load(p_offset: u64, p_paddr: u64, p_filesz: u64, p_memsz: u64) -> ProgramHeader {
    ProgramHeader { p_type: PT_LOAD, p_offset, p_paddr, p_filesz, p_memsz, ..Default::default() }
}

fn open_error(file: &[u8]) -> Error {
    let mut table = [ProgramHeader::default(); 8];
    ElfCore::open(&file, &mut table).unwrap_err()
}

#[test]
fn each_layout_reads_as_readelf_prints_it() {
    for Laid { file, layout, e_machine, ehdr, phdr, notes, notes_len } in FILES {
        let mut table = [ProgramHeader::default(); 3];
        let core = ElfCore::open(&file, &mut table).unwrap();
        let header = core.header();
        assert_eq!((header.layout, header.e_type, header.e_machine), (layout, ET_CORE, e_machine));
        assert_eq!((header.e_phoff, header.phnum), (ehdr as u64, 4));
        assert_eq!(usize::from(header.e_phentsize), phdr);
        assert!(!header.is_incomplete());

        let text = if layout.class == Class::Bits64 { 0xffff_ffff_8100_0000 } else { 0xc100_0000 };
        let data = notes + notes_len;
        let expected = [
            ProgramHeader {
                p_flags: PF_R | PF_W | PF_X,
                p_vaddr: text,
                p_align: 0x1000,
                ..load(data, 0x100_0000, 16, 16)
            },
            ProgramHeader { p_flags: PF_R | PF_W, ..load(data + 8, 0x100_0008, 24, 0x2000) },
            ProgramHeader { p_flags: PF_R, ..load(data + 32, 0x9000, 8, 8) },
        ];
        assert_eq!(core.loads(), expected);
        assert_eq!(core.loads()[1].memory(), 0x100_0008..0x100_2008);
        assert_eq!(core.loads()[1].file_data(), 0x100_0008..0x100_0020);
        assert_eq!(core.memory_end(), 0x100_2008);
        assert_eq!(core.missing_bytes(), 0);
        let regions: Vec<_> = core.note_regions().map(Result::unwrap).collect();
        assert_eq!(regions, [NoteRegion { offset: notes, len: notes_len, align: 4 }]);
        let kinds: Vec<_> = core.notes().map(|note| note.unwrap().kind()).collect();
        assert_eq!(kinds, [NoteKind::Prstatus, NoteKind::VmcoreInfo, NoteKind::Other]);
    }
}

#[test]
fn each_layout_writes_back_the_same_bytes() {
    for Laid { file, layout, ehdr, phdr, .. } in FILES {
        let header = Header::read(&file).unwrap();
        let mut buf = [0xaa; 64];
        assert_eq!(header.encoded_len(), ehdr);
        assert_eq!(header.encode(&mut buf), Ok(ehdr));
        assert_eq!(buf[..ehdr], file[..ehdr]);
        assert_eq!(header, Header::core(layout, header.e_machine, 4));
        assert_eq!(header.headers_len(), (ehdr + 4 * phdr) as u64);
        for at in 0..4 {
            let bytes = &file[ehdr + at * phdr..][..phdr];
            let parsed = ProgramHeader::parse(bytes, layout).unwrap();
            assert_eq!(parsed.encode(layout, &mut buf), Ok(phdr));
            assert_eq!(buf[..phdr], *bytes);
        }
        let needed = |needed: usize| Err(Error::BufferTooSmall { needed: needed as u64 });
        for short in 0..ehdr {
            assert_eq!(header.encode(&mut buf[..short]), needed(ehdr));
        }
        for short in 0..phdr {
            assert_eq!(load(0, 0, 0, 0).encode(layout, &mut buf[..short]), needed(phdr));
        }
    }
}

#[test]
fn a_cut_file_opens_as_long_as_its_headers_are_there() {
    for Laid { file, layout, ehdr, phdr, notes, notes_len, .. } in FILES {
        let data = usize::try_from(notes + notes_len).unwrap();
        for len in 0..file.len() {
            let cut = &file[..len];
            let mut table = [ProgramHeader::default(); 3];
            let core = match ElfCore::open(&cut, &mut table) {
                Ok(core) => core,
                Err(error) => {
                    assert!(len < ehdr + 4 * phdr, "{layout:?} {len}");
                    assert!(matches!(error, Error::Corrupt { .. }), "{error}");
                    continue;
                }
            };
            assert!(len >= ehdr + 4 * phdr, "{layout:?} {len}");
            // The last note is listed once its header and 16 bytes of its name are there; 12 bytes follow.
            assert_eq!(core.notes().all(|note| note.is_ok()), len + 12 >= data, "{layout:?} {len}");
            let held = |from: usize, size: usize| len.saturating_sub(from).min(size) as u64;
            let held = [held(data, 16), held(data + 8, 24), held(data + 32, 8)];
            let found: Vec<_> = core.loads().iter().map(|load| core.held_filesz(load)).collect();
            assert_eq!(found, held);
            assert_eq!(core.missing_bytes(), 48 - held.iter().sum::<u64>());
        }
    }
}

#[test]
fn a_small_table_asks_for_the_entries_it_needs() {
    for room in 0..3 {
        let mut table = [ProgramHeader::default(); 3];
        let error = ElfCore::open(&LE64, &mut table[..room]).unwrap_err();
        assert_eq!(error, Error::BufferTooSmall { needed: 3 });
    }
}

#[test]
fn qemu_puts_section_headers_first() {
    let mut table = [ProgramHeader::default(); 4];
    let core = ElfCore::open(&QEMU, &mut table).unwrap();
    assert_eq!((core.header().e_phoff, core.header().e_shoff, core.header().phnum), (192, 64, 5));
    let expected = [
        (0x1510, 0, 0xa_0000),
        (0xa_1510, 0xc_0000, 0x1ff4_0000),
        (0x1ffe_1510, 0xfd00_0000, 0x100_0000),
        (0x20fe_1510, 0xfffc_0000, 0x4_0000),
    ];
    for (found, (offset, addr, size)) in core.loads().iter().zip(expected) {
        assert_eq!(*found, ProgramHeader { p_vaddr: addr, ..load(offset, addr, size, size) });
        assert_eq!(core.held_filesz(found), 0);
    }
    assert_eq!(core.missing_bytes(), 0xa_0000 + 0x1ff4_0000 + 0x100_0000 + 0x4_0000);
    assert_eq!(core.notes().count(), 5);
}

#[test]
fn proc_vmcore_lists_the_text_first() {
    let mut table = [ProgramHeader::default(); 4];
    let core = ElfCore::open(&VMCORE, &mut table).unwrap();
    let text = &core.loads()[0];
    assert_eq!((text.p_vaddr, text.p_paddr, text.p_filesz), (0xffff_ffff_a9e0_0000, 0x16e0_0000, 0x283_0000));
    assert_eq!(core.loads()[1].memory(), 0x1000..0x9_fc00);
    assert_eq!(core.memory_end(), 0x1600_0000 + 0x9fd_3000);
    let names: Vec<_> = core.notes().map(|note| note.unwrap().name().to_vec()).collect();
    assert_eq!(names, [&b"CORE"[..], b"CORE", b"VMCOREINFO"]);
}

#[test]
fn many_program_headers_stand_in_section_header_0() {
    for Laid { layout, e_machine, ehdr, phdr, .. } in FILES {
        let (endian, phnum) = (layout.endian, 0x1_0001);
        let header = Header::core(layout, e_machine, phnum);
        let shdr = if layout.class == Class::Bits64 { 64 } else { 40 };
        assert_eq!(header.e_shoff, (ehdr + 0x1_0001 * phdr) as u64);
        assert_eq!(header.headers_len(), header.e_shoff + shdr as u64);
        let mut file = std::vec![0; usize::try_from(header.headers_len()).unwrap()];
        header.encode(&mut file).unwrap();
        // e_phnum, e_shentsize, e_shnum, e_shstrndx close the ELF header.
        assert_eq!(file[ehdr - 8..ehdr - 6], [0xff, 0xff]);
        assert_eq!(file[ehdr - 6..ehdr - 4], number(endian, 2, shdr as u64));
        assert_eq!(file[ehdr - 4..ehdr - 2], number(endian, 2, 1));
        assert_eq!(file[ehdr - 2..ehdr], [0, 0]);
        for entry in file[ehdr..][..0x1_0000 * phdr].chunks_mut(phdr) {
            ProgramHeader::default().encode(layout, entry).unwrap();
        }
        let last = ehdr + 0x1_0000 * phdr;
        load(7, 8, 9, 10).encode(layout, &mut file[last..]).unwrap();
        let at = ehdr + 0x1_0001 * phdr;
        assert_eq!(header.section_header_len(), shdr);
        assert_eq!(header.encode_section_header(&mut file[at..]), Ok(shdr));
        // sh_size follows two 32-bit and three native words, sh_info follows it and sh_link.
        let word = if layout.class == Class::Bits64 { 8 } else { 4 };
        let mut expected = std::vec![0; shdr];
        expected[8 + 3 * word..][..word].copy_from_slice(&number(endian, word, 1));
        expected[12 + 4 * word..][..4].copy_from_slice(&number(endian, 4, 0x1_0001));
        assert_eq!(file[at..], expected);

        let mut table = [ProgramHeader::default(); 1];
        let whole = file.as_slice();
        let core = ElfCore::open(&whole, &mut table).unwrap();
        assert_eq!(*core.header(), header);
        assert_eq!(core.loads(), [load(7, 8, 9, 10)]);
        let cut = &file[..file.len() - 1];
        let shdr_cut = Error::Corrupt { field: Field::SectionHeader, offset: at as u64 };
        assert_eq!(open_error(cut), shdr_cut);
    }
    let few = Header::core(Layout::LE64, EM_X86_64, 0xfffe);
    assert_eq!((few.section_header_len(), few.e_shoff), (0, 0));
    assert_eq!(few.encode_section_header(&mut []), Ok(0));
}

#[test]
fn pn_xnum_without_a_section_header_is_a_number() {
    let mut file = std::vec![0; 64 + 0xffff * 56];
    file[..64].copy_from_slice(&LE64[..64]);
    put(&mut file, 56, 2, 0xffff);
    assert_eq!(Header::read(&file.as_slice()).unwrap().phnum, 0xffff);
    // The file's own program headers as a section header: sh_info is 0.
    put(&mut file, 40, 8, 64);
    assert_eq!(Header::read(&file.as_slice()).unwrap().phnum, 0xffff);
}

#[test]
fn class_32_refuses_what_it_cannot_hold() {
    let high = 0x1_0000_0000;
    let mut buf = [0; 64];
    let too_high = Err(Error::Unsupported { field: Field::PPaddr, value: high });
    assert_eq!(load(0, high, 0, 0).encode(Layout::LE32, &mut buf), too_high);
    let header = Header { e_shoff: high, ..Header::core(Layout::BE32, EM_PPC, 1) };
    assert_eq!(header.encode(&mut buf), Err(Error::Unsupported { field: Field::EShoff, value: high }));
}

#[test]
fn other_files_are_refused_by_name() {
    let changed = |at: usize, width: usize, value: u64| {
        let mut file = LE64.to_vec();
        put(&mut file, at, width, value);
        open_error(&file)
    };
    let unsupported = |field, value| Error::Unsupported { field, value };
    assert_eq!(changed(0, 1, 0x7e), Error::Corrupt { field: Field::ElfIdent, offset: 0 });
    assert_eq!(changed(3, 1, 0), Error::Corrupt { field: Field::ElfIdent, offset: 0 });
    assert_eq!(changed(4, 1, 3), unsupported(Field::EiClass, 3));
    assert_eq!(changed(5, 1, 0), unsupported(Field::EiData, 0));
    assert_eq!(changed(6, 1, 2), unsupported(Field::EiVersion, 2));
    assert_eq!(changed(20, 4, 2), unsupported(Field::EVersion, 2));
    assert_eq!(changed(16, 2, 2), unsupported(Field::EType, 2));
    assert_eq!(changed(54, 2, 55), unsupported(Field::EPhentsize, 55));
    let table = |offset| Error::Corrupt { field: Field::EPhnum, offset };
    assert_eq!(changed(56, 2, 0xfffe), table(64));
    assert_eq!(changed(32, 8, u64::MAX), table(u64::MAX));
    assert_eq!(changed(32, 8, u64::MAX - 300), table(u64::MAX - 300));
    assert_eq!(open_error(b"KDUMP   "), Error::Corrupt { field: Field::ElfIdent, offset: 0 });
    assert_eq!(open_error(b"KDUMP   \x06\0\0\0Linux"), Error::Corrupt { field: Field::ElfIdent, offset: 0 });
}

#[test]
fn ranges_that_wrap_are_corrupt() {
    // Program header 1 is the first PT_LOAD, 0 the PT_NOTE.
    let changed = |number: usize, at: usize, value: u64| {
        let mut file = LE64.to_vec();
        put(&mut file, 64 + 56 * number + at, 8, value);
        open_error(&file)
    };
    let corrupt = |field, offset| Error::Corrupt { field, offset };
    assert_eq!(changed(1, 8, u64::MAX - 15), corrupt(Field::PFilesz, 120));
    assert_eq!(changed(1, 24, u64::MAX - 15), corrupt(Field::PMemsz, 120));
    assert_eq!(changed(1, 40, u64::MAX), corrupt(Field::PMemsz, 120));
    assert_eq!(changed(1, 32, 17), corrupt(Field::PMemsz, 120));
    assert_eq!(changed(0, 8, u64::MAX - 15), corrupt(Field::PFilesz, 64));
    let mut file = LE64.to_vec();
    put(&mut file, 64 + 56 + 24, 8, u64::MAX - 16);
    let mut table = [ProgramHeader::default(); 3];
    assert_eq!(ElfCore::open(&file.as_slice(), &mut table).unwrap().memory_end(), u64::MAX);
}

#[test]
fn larger_e_phentsize_is_a_stride() {
    for stride in [57, 64, 3585, 0xffff] {
        let mut file = LE64[..64].to_vec();
        put(&mut file, 54, 2, stride as u64);
        put(&mut file, 56, 2, 70);
        file.resize(64 + 69 * stride + 56, 0);
        for number in 0..70 {
            let mut bytes = [0; 56];
            load(number, 0, 0, 0).encode(Layout::LE64, &mut bytes).unwrap();
            let at = 64 + usize::try_from(number).unwrap() * stride;
            file[at..at + 56].copy_from_slice(&bytes);
        }
        let mut table = [ProgramHeader::default(); 70];
        let file = file.as_slice();
        let core = ElfCore::open(&file, &mut table).unwrap();
        assert!(core.loads().iter().zip(0..).all(|(load, number)| load.p_offset == number), "{stride}");
    }
}

#[test]
fn each_pt_note_is_a_region() {
    let (note, empty) = (PT_NOTE, ProgramHeader::default());
    let phdrs = [
        load(0, 0, 0, 0),
        ProgramHeader { p_type: note, p_offset: 0x1000, p_filesz: 12, ..empty },
        empty,
        ProgramHeader { p_type: note, p_offset: 0x2000, ..empty },
        ProgramHeader { p_type: note, p_offset: u64::MAX, p_align: 8, ..empty },
        load(1, 0, 0, 0),
    ];
    let mut file = std::vec![0; 64 + 6 * 56];
    Header::core(Layout::BE64, EM_PPC64, 6).encode(&mut file).unwrap();
    for (phdr, buf) in phdrs.iter().zip(file[64..].chunks_mut(56)) {
        phdr.encode(Layout::BE64, buf).unwrap();
    }
    let mut table = [ProgramHeader::default(); 2];
    let file = file.as_slice();
    let core = ElfCore::open(&file, &mut table).unwrap();
    let regions: Vec<_> = core.note_regions().map(|region| region.unwrap().offset).collect();
    assert_eq!(regions, [0x1000, 0x2000, u64::MAX]);
    let errors: Vec<_> = core.notes().collect();
    assert_eq!(errors, [Err(Error::Corrupt { field: Field::NoteHeader, offset: 0x1000 })]);
}

/// An input of unknown size, whose reads fail from an offset on.
struct Pipe<'a>(&'a [u8]);

impl ReadAt for Pipe<'_> {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), i32> {
        self.0.read_at(offset, buf).map_err(|code| code - 4)
    }
}

#[test]
fn the_embedders_code_comes_back() {
    for len in 0..64 + 4 * 56 {
        let pipe = Pipe(&LE64[..len]);
        let mut table = [ProgramHeader::default(); 3];
        let error = ElfCore::open(&pipe, &mut table).unwrap_err();
        assert_eq!(error, Error::Io { code: END_OF_FILE - 4 });
    }
    let pipe = Pipe(&LE64[..64 + 4 * 56]);
    let mut table = [ProgramHeader::default(); 3];
    let core = ElfCore::open(&pipe, &mut table).unwrap();
    assert_eq!(core.missing_bytes(), 0);
    assert_eq!(core.notes().collect::<Vec<_>>(), [Err(Error::Io { code: END_OF_FILE - 4 })]);
}

#[test]
fn no_changed_byte_panics_or_runs_on() {
    for Laid { file, notes, notes_len, .. } in FILES {
        for at in 0..usize::try_from(notes + notes_len).unwrap() {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut file = file.to_vec();
                file[at] = value;
                let file = file.as_slice();
                let mut table = [ProgramHeader::default(); 4];
                let Ok(core) = ElfCore::open(&file, &mut table) else { continue };
                assert!(core.loads().len() <= 4);
                // A note takes at least its header.
                assert!(core.notes().count() <= file.len() / 12 + 1);
                let mut buf = [0; 512];
                for note in core.notes().map_while(Result::ok) {
                    let Ok(desc) = note.read_desc(&file, &mut buf) else { continue };
                    let _ = Prstatus::parse(desc, core.header().e_machine, core.header().layout.endian);
                }
            }
        }
    }
}
