use std::vec;

use vmcore_format::kdump::Part;

use super::*;

/// The first 8120 bytes of a Linux 6.1 vmcore: headers and notes, as `vmcore-format/testdata/README.md` describes.
const VMCORE: &[u8] = include_bytes!("../../../../vmcore-format/testdata/vmcore-6.1-x86_64.core");

#[test]
fn a_vmcore_says_what_readelf_and_its_text_say() {
    let mut table = [ProgramHeader::default(); 8];
    let core = ElfCore::open(&VMCORE, &mut table).unwrap();
    let mut text = [0; 8192];
    let source = Source::of_elf(&core, &mut text).unwrap();
    let info = source.vmcoreinfo.unwrap();
    assert_eq!((source.layout, source.e_machine), (Layout::LE64, EM_X86_64));
    assert_eq!(source.machine_layout(), Layout::LE64);
    let with_64_bit_headers = Source { e_machine: EM_386, ..source };
    assert_eq!(with_64_bit_headers.machine_layout().class, Class::Bits32);
    assert_eq!(source.page_size, PageSize::KIB_4);
    assert!(source.incomplete, "the pages were cut off");
    assert_eq!(source.utsname.get(UtsField::Release), info.os_release().unwrap().as_bytes());
    assert_eq!(source.utsname.get(UtsField::Machine), b"x86_64");
    assert_eq!(source.phys_base, info.number("phys_base").unwrap().cast_unsigned());
    assert_eq!(source.phys_base, phys_base_of_text(EM_X86_64, core.loads()));
    assert_eq!(source.crash_time, info.crash_time().unwrap());
    // The text is where the source says in the bytes of the notes, however they are read.
    for piece in [1, 7, 1000, 8192] {
        let (mut notes, mut bytes) = (vec![], vec![0; piece]);
        let mut put = |piece: &[u8]| {
            notes.extend_from_slice(piece);
            Ok::<_, Error>(())
        };
        source.notes.for_each(&mut bytes, &mut put).unwrap();
        assert_eq!(notes.len() as u64, source.notes.size().unwrap());
        assert_eq!(notes[source.vmcoreinfo_offset as usize..][..info.text().len()], *info.text());
    }
    assert_eq!(
        Source::of_elf(&core, &mut [0; 100]).unwrap_err(),
        Error::BufferTooSmall { needed: info.text().len() as u64 }
    );
}

#[test]
fn a_kdump_file_says_what_its_headers_say() {
    let mut bytes = vec![0; 5 * 4096];
    let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
    put(0, b"KDUMP   \x06");
    put(12 + 2 * 65, b"6.1.0-test");
    put(12 + 4 * 65, b"aarch64");
    put(408, &77_u64.to_le_bytes());
    for (at, value) in [(424, 8_u32), (428, 4096), (432, 1), (436, 2), (440, 9), (460, 5), (4096 + 8, 9)] {
        put(at, &value.to_le_bytes());
    }
    put(4096, &0x4000_u64.to_le_bytes());
    put(4096 + 96, &9_u64.to_le_bytes());
    let bytes: &[u8] = &bytes;
    let (mut parts, mut index) = ([Part::new(&bytes)], [0]);
    let file = KdumpFile::open(&mut parts, &mut index).unwrap();
    let source = Source::of_kdump(&file, &mut []).unwrap();
    assert_eq!((source.e_machine, source.end, source.nr_cpus), (EM_AARCH64, Pfn(9), 5));
    assert_eq!((source.crash_time, source.phys_base), (77, 0x4000));
    assert_eq!(source.left_out, Level::ZERO | Level::USER);
    assert_eq!(source.utsname.get(UtsField::Release), b"6.1.0-test");
    assert!(source.incomplete && source.vmcoreinfo.is_none() && source.loads.is_empty());
    assert_eq!(source.notes.size(), Ok(0));
}

#[test]
fn as_many_notes_are_gone_through_for_the_log_as_for_all_else() {
    // Empty notes of no known name, then a log.
    for (count, log) in [(65535, true), (65536, false)] {
        let mut notes = [0, 0, 7_u32].map(u32::to_le_bytes).as_flattened().repeat(count);
        let log_at = notes.len() as u64;
        for word in [10_u32, 4, 0] {
            notes.extend_from_slice(&word.to_le_bytes());
        }
        notes.extend_from_slice(b"ERASEINFO\0\0\0log\n");
        let bytes = notes.as_slice();
        let region = NoteRegion { offset: 0, len: bytes.len() as u64, align: 4 };
        let source = Source::empty(Layout::LE64, NoteBytes::Region(&bytes, region));
        let end = if log { log_at } else { bytes.len() as u64 };
        assert_eq!(source.notes_before_log(), Ok(end), "{count}");
    }
}

#[test]
fn the_first_map_version_that_can_be_read_counts() {
    let version = |epoch| MapVersion { epoch, sha256: [0xd5; 32] };
    let note = |epoch| version(epoch).encode_ended(vmcore_format::Endian::Little).unwrap();
    let map_version = |bytes: &[u8]| {
        let region = NoteRegion { offset: 0, len: bytes.len() as u64, align: 4 };
        Source::empty(Layout::LE64, NoteBytes::Region(&bytes, region))
            .with_notes(&mut [])
            .unwrap()
            .map_version
    };
    let both = [&note(1)[..64], &note(2)].concat();
    assert_eq!(map_version(&both), Some(version(1)));
    for end in 0..64 {
        assert_eq!(map_version(&both[..end]), None, "{end}");
    }
    // A descriptor that is too short.
    let mut short = both;
    short[4] = 36;
    assert_eq!(map_version(&short[..60]), None);
}
