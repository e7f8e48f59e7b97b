//! The note of the map: digests by Python's hashlib, and the note read back from the header.

use std::format;
use std::string::String;

use vmcore_format::note::{MapVersion, NoteKind};

use super::*;

const MEMORY: &[(u64, u64, RangeKind)] = &[
    (0x1000, 0x9_fc00, SystemRam),
    (0x10_0000, 0x2fff_0000, SystemRam),
    (0x1b00_0000, 0x2700_0000, CrashKernel),
    (0x2fff_0000, 0x3000_0000, ReservedRam),
];

fn digest(builder: &Builder<'_>) -> String {
    builder.map_version(1).sha256.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_digest_is_of_the_memory_that_the_loads_name() {
    let mut table = [Range::EMPTY; 8];
    let ram = map(&mut table, MEMORY);
    let plain = builder(Layout::LE64, EM_X86_64, &ram);
    let text = |paddr, len| Some(KernelText { vaddr: VirtAddr(0), paddr: PhysAddr(paddr), len });
    let low = Span::new(0x1000, 0x9_fc00);
    let inside = Builder { exclude: &[Builder::LOW_MEMORY], text: text(0x100_0000, 0x200_0000), ..plain };
    let backed_up = Builder { backup: Some(Backup { source: low, copy: PhysAddr(0x26f6_1000) }), ..inside };
    // Text that goes past the end of RAM, and text in no RAM.
    let past = Builder { text: text(0x2f00_0000, 0x101_0000), ..plain };
    let apart = Builder { text: text(0x4000_0000, 0x1000), ..plain };
    assert_eq!(digest(&plain), "1f59759e64ec3e62d78c653eb256f76f2d1b1af3f916ef5e181b12805fe861be");
    assert_eq!(digest(&inside), "1ce0ba2751d502f9b4f731decf4f2b9d7498a7fa7c9b6024acf848844d73aba1");
    assert_eq!(digest(&backed_up), digest(&Builder { exclude: &[], text: None, ..plain }));
    assert_eq!(digest(&past), "b5f847857842348eada849a52ede092c41458bf80c78ce4d797bb5d1f2ce9cd8");
    assert_eq!(digest(&apart), "f8d269fd2211dc153c68a923286c2c9498c2518df9c638bbbd15d114eb30e03b");
    // Where the linear mapping ends within RAM there are two PT_LOADs, of the same memory.
    let cut = DirectMap { page_offset: VirtAddr(0), phys_offset: PhysAddr(0), end: PhysAddr(0x1000_0000) };
    assert_eq!(digest(&Builder { direct_map: Some(cut), ..plain }), digest(&plain));
}

/// At address 0 the offsets of a header are those of a file.
#[test]
fn the_note_behind_a_header_is_found_by_its_program_header() {
    let mut table = [Range::EMPTY; 8];
    let ram = map(&mut table, MEMORY);
    for layout in [Layout::LE64, Layout::BE64] {
        let plain = builder(layout, EM_X86_64, &ram);
        let version = plain.map_version(0x1234);
        let own = |paddr| [notes(paddr, MapVersion::ENDED_LEN as u64)];
        let len = Builder { cpu_notes: &own(0), ..plain }.encoded_len().unwrap();
        let mut bytes = vec![0; len as usize];
        assert_eq!(Builder { cpu_notes: &own(len), ..plain }.encode(&mut bytes), Ok(len as usize));
        bytes.extend(version.encode_ended(layout.endian).unwrap());
        for end in len as usize..=bytes.len() {
            let file = &bytes[..end];
            let mut loads = [ProgramHeader::default(); 8];
            let core = ElfCore::open(&file, &mut loads).unwrap();
            let found: Vec<_> = core.notes().map_while(Result::ok).collect();
            let versions = found.iter().filter(|note| note.kind() == NoteKind::MapVersion);
            let read: Vec<_> = versions.map(|note| MapVersion::read(note, &file, layout.endian)).collect();
            if end >= len as usize + MapVersion::NOTE_LEN {
                assert_eq!(read, [Ok(version)]);
            } else {
                assert!(read.iter().all(Result::is_err), "{end}");
            }
        }
    }
}
